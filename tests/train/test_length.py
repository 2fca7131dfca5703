"""How long networks are trained, and what their training starts from: steps, epochs, and the head of a probe as epoch 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.metrics.base import METRICS
from weigh.plan.jobs import predict_seconds
from weigh.run import RECIPES, recipe_options
from weigh.spec import RecipeSpec
from weigh.train.length import FEWEST_EPOCHS, MOST_EPOCHS, epochs_of
from weigh.train.paired import clearly_better

from .test_recipes import FAST, fit

SET = {"epochs": None, "steps": 120, "batch_size": 16, "validation": 0.2}


@pytest.mark.parametrize(
    ("changed", "examples", "epochs"),
    [
        ({}, 200, 12),  # 160 make 10 steps an epoch
        ({}, 201, 11),  # 161 make 11
        ({"validation": 0.5}, 200, 18),
        ({"batch_size": 32}, 200, 24),
        ({}, 20, MOST_EPOCHS),
        ({}, 1, MOST_EPOCHS),
        ({}, 100_000, FEWEST_EPOCHS),
        ({"epochs": 3}, 20, 3),
        ({"epochs": 500}, 100_000, 500),
    ],
)
def test_epochs_follow_from_steps_within_bounds(changed, examples, epochs):
    assert epochs_of({**SET, **changed}, examples) == epochs


def test_every_recipe_that_trains_a_network_says_how_long():
    for name, recipe in RECIPES.items():
        for read, options in recipe.options.items():
            if recipe.trains == "network":
                assert epochs_of(options().model_dump(), 100) > 0, (name, read)


def test_a_plan_asks_how_long_as_the_training_does(examples, setting, make_run):
    """The price of a run without `epochs` is that of the epochs it trains for."""
    options = {"image_size": 32, "batch_size": 8, "patience": 99, "head": "random"}
    free = make_run("finetune", **options, steps=30)
    trained = len(fit([free], setting, examples)[0].facts["history"])
    assert FEWEST_EPOCHS < trained < MOST_EPOCHS
    timing = {"seconds_per_example": 0.01, "seconds_per_step_example": 0.03}
    price = predict_seconds([free], timing, len(examples))
    assert price == predict_seconds([make_run("finetune", **options, epochs=trained)], timing, len(examples))
    assert price > predict_seconds([replace(free, epochs=0)], timing, len(examples)), "a refit that keeps the start"
    assert price == predict_seconds([replace(free, epochs=trained)], timing, len(examples)), (
        "it scores its training part too"
    )
    steps = trained * -(-len(free.train) // 8)
    longer = predict_seconds([free], {**timing, "seconds_per_update": 0.5}, len(examples))
    assert longer == pytest.approx(price + 0.5 * steps), "each batch ends with a step of the optimiser"


def test_what_is_set_of_epochs_and_steps_is_read_and_masks_keep_their_epochs():
    assert recipe_options(RecipeSpec(name="finetune", steps=50), "image-classification")["steps"] == 50
    assert recipe_options(RecipeSpec(name="finetune", epochs=5), "text-classification")["epochs"] == 5
    assert "steps" not in recipe_options(RecipeSpec(name="finetune"), "semantic-segmentation")


@pytest.mark.parametrize(
    ("recipe", "several"),
    [
        ("finetune", False), ("lp-ft", True), pytest.param("finetune", True, marks=pytest.mark.thorough),
        pytest.param("lp-ft", False, marks=pytest.mark.thorough),
    ],
)  # fmt: skip
def test_a_network_that_training_makes_worse_is_the_probe(recipe, several, examples, setting, make_run, monkeypatch):
    monkeypatch.setattr("weigh.train.network.clearly_better", lambda *_: False)
    if several:
        labels = np.stack([examples.target == 0, np.arange(len(examples)) % 3 == 0], axis=1).astype(np.uint8)
        examples, setting = replace(examples, target=labels, kind=LABELS), replace(setting, primary="f1_macro")
    kept = fit([make_run(recipe, **FAST, learning_rate=0.05)], setting, examples)[0]
    expected = fit([make_run("probe", image_size=FAST["image_size"])], setting, examples)[0]
    assert kept.facts["best_epoch"] == 0
    assert len(kept.facts["history"]) == 2
    assert kept.facts["probe_strength"] == expected.facts["strength"]
    np.testing.assert_allclose(kept.answers, expected.answers, atol=1e-2)


def test_the_start_is_judged_by_a_head_that_has_not_seen_the_validation_part(examples, setting, make_run, monkeypatch):
    import weigh.train.network as module

    seen, original = [], module._measured

    def watched(work, validation):
        seen.append((work.predict(work.run.test), validation))
        return original(work, validation)

    monkeypatch.setattr(module, "_measured", watched)
    run = make_run("finetune", **FAST, learning_rate=0.01)
    fit([run], setting, examples)
    (start, validation), (end, _) = seen
    assert len(validation) > 0
    training = np.setdiff1d(run.train, validation)
    expected = fit([make_run("probe", image_size=FAST["image_size"], train=training)], setting, examples)[0]
    np.testing.assert_allclose(start, expected.answers, atol=1e-2)
    assert np.abs(end - start).max() > 1e-2, "training moved it"


@pytest.mark.parametrize(
    ("primary", "newly_right", "newly_wrong", "kept"),
    [("accuracy", 0, 0, False), ("accuracy", 1, 0, False), ("accuracy", 2, 0, False), ("accuracy", 3, 0, True), ("accuracy", 3, 2, False), ("accuracy", 6, 2, False), ("accuracy", 9, 2, True),
     ("balanced_accuracy", 1, 0, False), ("balanced_accuracy", 4, 0, True), ("accuracy", 0, 5, False)],
)  # fmt: skip
def test_training_is_kept_where_it_is_clearly_better(primary, newly_right, newly_wrong, kept):
    """Forty examples of two classes, of which thirty were right before."""
    target = np.arange(40) % 2
    before = np.where(np.arange(40) < 30, target, 1 - target)
    after = before.copy()
    after[30 : 30 + newly_right] = target[30 : 30 + newly_right]
    after[:newly_wrong] = 1 - target[:newly_wrong]
    metric = METRICS.get(primary)
    measured = [
        metric.measure(LABEL.decide(np.eye(2, dtype=np.float32)[labels] * 3), target) for labels in (after, before)
    ]
    assert clearly_better(metric, *measured) is kept


def test_a_refit_of_no_epochs_is_the_probe_of_everything(examples, setting, make_run):
    refit = fit([make_run("finetune", **FAST, refit_epochs=0)], setting, examples)[0]
    expected = fit([make_run("probe", image_size=FAST["image_size"])], setting, examples)[0]
    assert (refit.facts["best_epoch"], refit.facts["history"]) == (0, [])
    np.testing.assert_allclose(refit.answers, expected.answers, atol=1e-2)


def test_the_head_of_entities_learns_faster_in_more_steps_of_a_pass():
    texts, spans = (recipe_options(RecipeSpec(name="finetune"), f"{task}-classification") for task in ("text", "token"))
    assert spans["learning_rate"] == texts["learning_rate"]
    assert spans["head_rate"] > texts["head_rate"] == 1
    assert spans["batch_size"] < texts["batch_size"]
    assert "head" not in spans, "a probe has no head for words"
    assert epochs_of(spans, 333) > 10
