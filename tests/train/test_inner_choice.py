"""Recipes that choose inside the training folds: what is chosen, that nothing of the test fold takes part, that it repeats."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from weigh.errors import SpecError
from weigh.kinds.base import Prediction, rows_of
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS
from weigh.plan.candidates import cross_candidates
from weigh.plan.contenders import choice_options
from weigh.plan.jobs import predict_seconds
from weigh.run import RECIPES, checked_recipe, recipe_options
from weigh.spec import RecipeSpec, StudySpec
from weigh.train.inner_choice import Contender, _choose, _inner_parts, _still_racing
from weigh.train.search import Search

from .test_recipes import fit

FAST = {"epochs": 1, "image_size": 32, "batch_size": 8}

TASK = "image-classification"
USELESS = 1e9  # a strength at which a head sees nothing but how frequent the classes are
needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason="the extra search is not installed"
)


def probe(*strengths: float) -> dict:
    spec = RecipeSpec(name="probe", image_size=32, strengths=list(strengths))
    return {"recipe": "probe", "options": recipe_options(spec, TASK)}


def choosing(make_run, contenders, fold=0, inner_folds=1, **fields):
    run = make_run("auto", fold, inner_folds=inner_folds, contenders=contenders, keep_weights=True)
    return replace(run, **fields)


@pytest.fixture
def searching(make_run):
    def make(trials=2, **overrides):
        spec = RecipeSpec(name="tuned", **{**FAST, "trials": trials, **overrides})
        run = make_run("tuned", keep_weights=True)
        return replace(run, options={**recipe_options(spec, TASK), **choice_options(spec, TASK)})

    return make


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_is_clearly_better_is_chosen_wherever_it_stands(order, examples, setting, make_run):
    contenders = [probe(USELESS), probe(0.1)]
    run = choosing(make_run, [contenders[i] for i in order], inner_folds=2)
    outcome = fit([run], setting, examples)[0]
    assert outcome.status == "done", outcome.cause
    choice = outcome.facts["choice"]
    assert choice["options"]["strengths"] == [0.1]
    useless = choice["tried"][order.index(0)]
    assert useless["score"] < 0.6 < choice["score"]
    assert choice["examples"] == pytest.approx(choice["parts"] * len(run.train) / 5, abs=1)


def contender(name: str, right: int, examples: int = 40) -> Contender:
    """One that has so many of the examples right, the first ones."""
    target = np.arange(examples) % 2
    labels = np.where(np.arange(examples) < right, target, 1 - target)
    answers = LABEL.decide(np.eye(2, dtype=np.float32)[labels] * 3)
    return Contender(name, {}, statistics=[METRICS.get("accuracy").measure(answers, target)])


@pytest.mark.parametrize(
    ("right", "going", "searched"),
    [
        ([37, 38, 38, 20], [37, 38], [37, 38, 38]),  # as good but dearer; clearly behind
        ([38, 37], [38], [38]),
        ([36, 37, 38], [36, 37, 38], [36, 38]),  # two of forty are 1.4 standard errors
        ([33, 37, 38], [37, 38], [38]),
        ([20], [20], [20]),
    ],
)
def test_who_goes_on(right, going, searched):
    metric = METRICS.get("accuracy")
    contenders = [contender(str(i), many) for i, many in enumerate(right)]

    def left(*, halved):
        return [round(40 * one.score(metric)) for one in _still_racing(contenders, metric, halved=halved)]

    assert left(halved=False) == going
    assert left(halved=True) == searched


def test_of_those_left_the_first_within_one_standard_error_is_taken():
    metric = METRICS.get("accuracy")
    near, best = contender("near", 36), contender("best", 38)
    mixed = contender("mixed", 37)
    mixed.statistics[0] = np.roll(
        mixed.statistics[0], 5, axis=0
    )  # it errs elsewhere: one of forty ahead is less than a standard error
    assert _choose([near, best], [near, best], metric) is best
    assert _choose([mixed, best], [mixed, best], metric) is mixed
    assert _choose([], [mixed, best], metric) is best, "of a search without its defaults"
    undefined = Contender("undefined", {}, statistics=[np.full_like(best.statistics[0], np.nan)])
    assert _choose([undefined], [undefined], metric) is undefined


def test_parts_may_hold_other_types_of_entities():
    """Counts are as wide as the last type that a part holds; a second part failed the run."""
    metric = METRICS.get("entity_f1")

    def part(kind: int, *, found: bool) -> np.ndarray:
        target = rows_of([((0, 1, kind),)] * 4)
        return metric.measure(Prediction(np.ones((4, 1)), target if found else rows_of([()] * 4)), target)

    good = Contender("good", {}, statistics=[part(0, found=True), part(2, found=True)])
    half = Contender("half", {}, statistics=[part(0, found=True), part(2, found=False)])
    assert good.score(metric) == 1.0
    assert half.score(metric) == pytest.approx(2 / 3)
    assert half.behind(good, metric, 1.0)
    assert _choose([], [half, good], metric) is good


def test_ranks_are_compared_within_each_part():
    """Two trainings whose scores are shifted against each other: each ranks its own part without a mistake."""
    metric = METRICS.get("auroc")
    target = np.array([0, 1] * 8)

    def part(shift: float, sign: int = 1) -> np.ndarray:
        odds = shift + sign * (target - 0.5)
        return metric.measure(LABEL.decide(np.stack([-odds, odds], axis=1).astype(np.float32)), target)

    good = Contender("good", {}, statistics=[part(0.0), part(3.0)])
    bad = Contender("bad", {}, statistics=[part(0.0, -1), part(3.0, -1)])
    assert good.score(metric) == 1.0
    assert bad.behind(good, metric, 3.0)
    assert not good.behind(good, metric, 0.0)


def test_of_equals_the_first_is_chosen_and_trained_as_without_a_choice(examples, setting, make_run):
    run = choosing(make_run, [probe(0.1), probe(0.1000001)])
    outcome = fit([run], setting, examples)[0]
    assert outcome.facts["choice"]["options"]["strengths"] == [0.1]
    alone = fit([make_run("probe", image_size=32, strengths=[0.1], keep_weights=True)], setting, examples)[0]
    np.testing.assert_array_equal(outcome.answers, alone.answers)
    assert {**outcome.facts, "choice": 0} == {**alone.facts, "choice": 0}
    assert outcome.measured["train_seconds"] > outcome.measured["choice_seconds"] > 0


def test_nothing_of_the_test_fold_reaches_choice_or_weights(examples, setting, make_run):
    contenders = [
        probe(0.003),
        {"recipe": "finetune", "options": recipe_options(RecipeSpec(name="finetune", **FAST), TASK)},
    ]
    run = choosing(make_run, contenders)
    target = examples.target.copy()
    target[run.test] = 1 - target[run.test]
    one, other = fit([run], setting, examples)[0], fit([run], setting, replace(examples, target=target))[0]
    assert one.status == other.status == "done", one.cause + other.cause
    assert one.facts["choice"] == other.facts["choice"]
    assert len(one.facts["choice"]["tried"]) == 2
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, other.weights[name])


def test_inner_parts_do_not_split_groups(examples, setting, make_run):
    run = choosing(make_run, [probe(0.1), probe(1.0)], inner_folds=2)
    group = np.array([f"g{i // 4}" for i in range(len(examples))])
    for train, held in _inner_parts(run, replace(examples, group=group)):
        assert not set(group[train]) & set(group[held])
        assert sorted([*train, *held]) == run.train.tolist()
    assert len(_inner_parts(run, replace(examples, group=np.full(len(examples), "one")))) == 2


def test_a_contender_that_fails_loses_and_the_run_fails_only_with_all(examples, setting, make_run):
    broken = {
        "recipe": "finetune",
        "options": recipe_options(RecipeSpec(name="finetune", **FAST, head="random"), TASK) | {"learning_rate": 1e300},
    }
    outcome = fit([choosing(make_run, [broken, probe(0.1)])], setting, examples)[0]
    assert outcome.facts["choice"]["recipe"] == "probe"
    assert "loss" in outcome.facts["choice"]["tried"][0]["cause"]
    outcome = fit([choosing(make_run, [broken, broken])], setting, examples)[0]
    assert (outcome.status, outcome.key) == ("failed", "auto-0")


@needs_optuna
def test_a_search_repeats_and_begins_with_the_defaults(examples, setting, searching):
    run = searching()
    one, two = fit([run], setting, examples)[0], fit([run], setting, examples)[0]
    assert one.status == "done", one.cause
    assert one.facts == two.facts
    np.testing.assert_array_equal(one.answers, two.answers)
    choice = one.facts["choice"]
    assert len(choice["tried"]) == 2
    assert choice["tried"][0]["settings"] == {}
    base = run.options["contenders"][0]["options"]
    for trial in choice["tried"][1:]:
        assert trial["settings"].keys() == {"learning_rate", "weight_decay"}, "epochs are set by hand"
        assert 0.1 <= trial["settings"]["learning_rate"] / base["learning_rate"] <= 10
    assert choice["options"] == {**base, **choice["settings"]}


@needs_optuna
@pytest.mark.parametrize("sign", [1, -1])
def test_a_search_finds_what_is_better_than_the_defaults(sign):
    factors = {"learning_rate": 10.0, "epochs": 2.0}
    search = Search(
        {"learning_rate": 1e-3, "epochs": 8},
        factors,
        trials=30,
        greater_is_better=sign > 0,
        rng=np.random.default_rng(1),
    )
    asked = []
    for number in range(30):
        settings = search.ask()
        loss = abs(np.log10(settings["learning_rate"] / 4e-3)) + abs(settings["epochs"] - 12) / 12
        search.tell(float("nan") if number == 3 else -sign * loss)
        asked.append((loss, settings))
    assert asked[0][1] == {"learning_rate": 1e-3, "epochs": 8}
    assert all(1e-4 <= one["learning_rate"] <= 1e-2 and 4 <= one["epochs"] <= 16 for _, one in asked)
    best = min(asked, key=lambda one: one[0])[1]
    assert 2e-3 < best["learning_rate"] < 8e-3
    assert isinstance(best["epochs"], int)
    assert np.mean([loss for loss, _ in asked[20:]]) < np.mean([loss for loss, _ in asked[1:11]]), (
        "it learns from what it is told"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "auto", "recipes": ["probe"]}, "recipes"),
        ({"name": "auto", "recipes": ["probe", "probe"]}, "each name once"),
        ({"name": "auto", "recipes": ["probe", "auto"]}, "last-stage"),
        ({"name": "auto", "recipes": ["probe", "textbook"]}, "last-stage"),
        ({"name": "auto", "inner_folds": 0}, "inner_folds"),
        ({"name": "auto", "learning_rate": 1e-3}, "no setting 'learning_rate'"),
        ({"name": "tuned", "trials": 1}, "trials"),
    ],
)
def test_unreasonable_options_are_refused(options, message):
    with pytest.raises(SpecError, match=message):
        checked_recipe(RecipeSpec(**options), TASK)


def test_a_recipe_for_another_task_is_not_tried():
    spec = checked_recipe(RecipeSpec(name="auto", recipes=["probe", "lora"]), TASK)
    with pytest.raises(SpecError, match="Recipe lora is not for image-classification"):
        choice_options(spec, TASK)
    assert choice_options(spec, "text-classification")["contenders"][1]["recipe"] == "lora"


@pytest.mark.parametrize("task", ["semantic-segmentation", "object-detection", "token-classification"])
def test_tasks_without_linear_heads_have_no_auto(task):
    with pytest.raises(SpecError, match="Recipe auto is not for"):
        checked_recipe(RecipeSpec(name="auto"), task)


def test_a_search_of_nothing_is_refused(tiny):
    recipe = RecipeSpec(name="tuned", learning_rate=1e-3, weight_decay=0.1, epochs=3)
    spec = StudySpec.model_validate(
        {"data": {"train": "x"}, "task": TASK, "models": [tiny], "recipes": [recipe.model_dump()]}
    )
    with pytest.raises(SpecError, match="nothing left to search"):
        cross_candidates(spec)


def test_the_price_holds_every_training(examples, make_run):
    timing = {"seconds_per_example": 0.01, "seconds_per_step_example": 0.03}
    spec = RecipeSpec(name="auto", epochs=3, inner_folds=2)
    auto = replace(make_run("auto", 1), options={**recipe_options(spec, TASK), **choice_options(spec, TASK)})
    alone = make_run("finetune", 1, epochs=3)
    one = predict_seconds([alone], timing, len(examples))
    assert 2.4 * one < predict_seconds([auto], timing, len(examples)) < 3.2 * one
    first = replace(auto, fold=0, train=auto.train, test=auto.test)
    features = len(examples) * timing["seconds_per_example"]
    assert predict_seconds([first], timing, len(examples)) - predict_seconds(
        [auto], timing, len(examples)
    ) == pytest.approx(features)
    search = replace(
        auto,
        options={
            **recipe_options(RecipeSpec(name="tuned", epochs=3), TASK),
            **choice_options(RecipeSpec(name="tuned", epochs=3), TASK),
        },
    )
    assert 6 * one < predict_seconds([search], timing, len(examples)) < 9 * one


def test_other_defaults_of_a_recipe_that_is_tried_make_another_run():
    options = choice_options(RecipeSpec(name="auto", class_weights="balanced"), TASK)
    assert [one["recipe"] for one in options["contenders"]] == RECIPES.get("auto").options["pictures"]().model_dump()[
        "recipes"
    ]
    for contender in options["contenders"]:
        assert contender["options"]["class_weights"] == "balanced"
    plain = choice_options(RecipeSpec(name="auto"), TASK)["contenders"]
    assert plain[1]["options"] == recipe_options(RecipeSpec(name="finetune"), TASK), "as it is without a choice"
    texts = choice_options(RecipeSpec(name="auto"), "text-classification")["contenders"]
    assert texts[1]["options"] == recipe_options(RecipeSpec(name="finetune"), "text-classification")
