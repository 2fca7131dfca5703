"""A budget that networks do not fit into in full: they are trained for less, and the report says on what its claims stand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.conftest import make_photos
from tests.plan.planted_workers import keep_epoch, records_only
from tests.text_models import write_reviews
from weigh.execute import budget
from weigh.plan.candidates import cross_candidates, recipe_of
from weigh.plan.contenders import choice_options
from weigh.plan.less_training import LessTraining, epochs_given, less_words, possible, with_less
from weigh.plan.prepare import prepare
from weigh.plan.runs import plan_runs
from weigh.record.ledger import Ledger
from weigh.spec_yaml import load_spec
from weigh.train.length import epochs_of

CHOOSING = ["design.repeats=1", "design.finalists=1", "design.test=0"]
ONCE = ["design.repeats=1", "design.test=0"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("many") / "photos", per_class=60, size=16)


def networks(study) -> list[tuple[str, int, int]]:
    """(candidate, repeat, fold) of what was trained."""
    runs = study.results().runs("main")
    return sorted((r.candidate, r.repeat, r.fold) for r in runs if r.candidate.endswith("finetune"))


@pytest.mark.parametrize("settings", [ONCE, CHOOSING])
def test_networks_that_do_not_fit_are_trained_for_less_and_end_in_time(timed, settings):
    study, now = timed(*settings, "design.budget=150s")
    told = str(study.plan())
    assert "To fit into 150s, finetune trains 5 epochs instead of 8, in" in told
    assert ("if it goes on with timm:" in told) == (settings is CHOOSING), "who goes on is not known yet"
    study = records_only(study)
    assert now[0] <= 1.15 * 150
    results = study.results()
    ran = networks(study)
    assert ran
    assert all(repeat == 0 and fold < results.less.folds < 4 for _, repeat, fold in ran)
    assert results.winner == "timm:good × finetune"
    assert not results.unfinished
    assert "To fit into 150s, finetune trains" in results.skipped["budget"].en
    assert "if it goes on" not in results.skipped["budget"].en
    refit = next(r for r in results.records if r.purpose == "refit")
    assert refit.candidate == results.winner
    file = study.read().file
    assert not [f.id for f in file.findings if f.kind in ("internal", "progress")]
    verdict = next(f for f in file.findings if f.id == "verdict")
    assert f"{results.less.folds} of 4 folds" in verdict.sentence.en
    before = len(results.records)
    study = records_only(study)
    assert len(study.results().records) == before, "the same command again finds the study finished"
    assert study.results().less == results.less


def test_what_was_decided_for_other_options_does_not_hold(timed):
    """One epoch fits in full, where the usual ones had to be trained in some folds only."""
    assert records_only(timed(*ONCE, "design.budget=150s")[0]).results().less is not None
    shorter = ["probe", {"name": "finetune", "batch_size": 1, "epochs": 1}]
    study = records_only(timed(*ONCE, "design.budget=150s", recipes=shorter)[0])
    assert study.results().less is None
    assert {fold for _, _, fold in networks(study)} == {0, 1, 2, 3}


def test_what_fits_is_trained_in_full_with_the_keys_of_a_study_without_a_budget(timed):
    keys = []
    for name, more in (("a", ["design.budget=10h"]), ("b", [])):
        study = records_only(timed(*CHOOSING, *more, name=name)[0])
        assert study.results().less is None
        keys.append({r.key for r in study.results().records})
    assert keys[0] == keys[1]


def test_a_network_whose_refit_would_end_too_late_is_given_up(timed, monkeypatch):
    study, now = timed(*CHOOSING, "design.budget=150s")
    work = budget.Clock.job_done

    def slower(clock, job, seconds, outcomes):
        if job.runs[0].recipe == "finetune":
            now[0] += 2 * seconds
            seconds *= 3
        work(clock, job, seconds, outcomes)

    monkeypatch.setattr(budget.Clock, "job_done", slower)
    study = records_only(study)
    results = study.results()
    assert [c.id for c in results.stopped] == ["timm:good × finetune"]
    assert results.winner == "timm:good × probe"
    file = study.read().file
    assert not [f for f in file.findings if f.kind in ("internal", "progress")]
    told = next(f for f in file.findings if f.id == "finalists").sentence
    assert "finetune was to run with 1 of 2 models" in told.en, "it did not end"
    assert "finetune 原定只用于 2 个模型中的 1 个" in told.zh


def test_a_study_that_is_killed_while_it_decides_says_the_same_when_it_goes_on(timed, timings, monkeypatch):
    """Half of what was decided was stored, and the report said of the model that takes too long that it came first only with later repeats."""
    store, ends = Ledger.set_facts, []

    def make(name):
        study, _ = timed(*CHOOSING, "design.budget=220s", name=name)
        timings.use()
        timings.slow["timm:good"] = 9.0
        return study

    def set_facts(ledger, **facts):
        store(ledger, **facts)
        if any(key.startswith("less-training:") for key in facts):
            ends.append(facts)
            raise KeyboardInterrupt

    def told(study) -> tuple[str, str]:
        results = records_only(study).results()
        assert results.less is not None
        assert results.less.models == ("timm:poor",)
        return results.skipped["passed-over"].en, next(f for f in study.read() if f.id == "finalists").sentence.en

    monkeypatch.setattr(Ledger, "set_facts", set_facts)
    with pytest.raises(KeyboardInterrupt):
        records_only(make("s"))
    assert len(ends) == 1
    monkeypatch.setattr(Ledger, "set_facts", store)
    assert told(make("s")) == told(make("whole"))


def test_time_that_is_left_goes_to_further_folds(timed, monkeypatch):
    planned = records_only(timed(*CHOOSING, "design.budget=150s", name="a")[0]).results().less
    study, now = timed(*CHOOSING, "design.budget=150s", name="b")
    work = budget.Clock.job_done

    def faster(clock, job, seconds, outcomes):
        if job.runs[0].recipe == "finetune":
            now[0] -= 0.7 * seconds
            seconds *= 0.3
        work(clock, job, seconds, outcomes)

    monkeypatch.setattr(budget.Clock, "job_done", faster)
    study = records_only(study)
    results = study.results()
    assert results.less.folds > planned.folds
    assert [fold for _, _, fold in networks(study)] == list(range(results.less.folds))
    assert now[0] <= 1.15 * 150
    assert not results.unfinished
    assert not [f for f in study.read().file.findings if f.kind in ("internal", "progress")]
    before = len(results.records)
    study = records_only(study)
    assert len(study.results().records) == before, "the same command again finds the study finished"


@pytest.mark.parametrize(("kept", "folds"), [(0, 3), (8, 2)])
def test_no_time_is_kept_for_a_refit_that_is_known_to_be_short(timed, monkeypatch, kept, folds):
    """Two folds fit with a refit of eight epochs. Where both kept their start, the refit has none, whatever a third fold keeps."""
    study, now = timed(*CHOOSING, "design.budget=220s")
    keep_epoch(monkeypatch, kept)
    results = records_only(study).results()
    assert networks(study) == [("timm:good × finetune", 0, fold) for fold in range(folds)]
    assert (results.less.epochs, results.less.folds) == (None, folds)
    assert [r.candidate for r in results.records if r.purpose == "refit"] == ["timm:good × finetune"]
    assert now[0] <= 220


@pytest.mark.parametrize(("times", "trained", "folds"), [(2.0, "timm:good", 3), (5.0, "timm:poor", 4)])
def test_the_likeliest_model_is_trained_for_less_before_a_later_one_in_full(timed, timings, times, trained, folds):
    """The last of three models was trained in full, though there was time for much of the first, and most of the time was left over."""
    study, now = timed(*CHOOSING, "design.budget=320s")
    timings.use()
    timings.slow["timm:good"] = times
    study = records_only(study)
    results = study.results()
    assert {(model, fold) for model, _, fold in networks(study)} == {(f"{trained} × finetune", k) for k in range(folds)}
    assert (None if results.less is None else results.less.models) == (
        ("timm:good",) if trained == "timm:good" else None
    )
    assert ("passed-over" in results.skipped) == (trained == "timm:poor"), "good would take too long even for less"
    assert now[0] <= 320
    assert not results.unfinished
    assert not [f for f in study.read().file.findings if f.kind in ("internal", "progress")]
    before = len(results.records)
    assert len(records_only(study).results().records) == before, "the same command again finds the study finished"


def test_a_network_that_cannot_fit_by_its_forward_pass_is_not_planned_and_its_steps_are_not_timed(timed, timings):
    study, now = timed(*ONCE, "design.budget=60s")
    timings.use()
    plan = study.plan()
    told = (
        "Within 60s there is no time for timm:good × finetune, timm:poor × finetune; a longer --budget tries them too."
    )
    assert told in str(plan)
    assert "Even one repeat" not in str(plan)
    assert plan.seconds <= 60
    assert {run.recipe for run in plan.plan.runs} == {"probe"}
    study = records_only(study)
    assert not networks(study)
    assert timings.asked, "passes were timed"
    assert not any(steps for _, steps in timings.asked)
    results = study.results()
    assert {c.id for c in results.stopped} == {f"{model} × finetune" for model in ("timm:good", "timm:poor")}
    assert results.skipped["budget"].en == told
    assert results.skipped["budget"].zh == (
        "在 60s 内来不及尝试 timm:good × finetune, timm:poor × finetune；预算更长（--budget）时会一并尝试。"
    )
    assert not [f for f in study.read().file.findings if f.kind in ("internal", "progress")]
    assert now[0] <= 60
    before = len(results.records)
    study = records_only(study)
    assert len(study.results().records) == before, "the same command again finds the study finished"
    assert not any(steps for _, steps in timings.asked)


def test_a_longer_budget_trains_it_as_the_report_says(timed, timings):
    study, _ = timed(*ONCE, "design.budget=60s")
    timings.use()
    records_only(study)
    study = records_only(timed(*ONCE, "design.budget=10h")[0])
    assert networks(study)
    assert not study.results().stopped


def test_steps_are_timed_where_the_forward_pass_leaves_hope_and_the_plan_is_of_what_was_timed(timed, timings):
    study, _ = timed(*ONCE, "design.budget=150s")
    timings.use()
    assert "To fit into 150s, finetune trains" in str(study.plan())
    assert sorted(timings.asked) == [(f"timm:{name}", steps) for name in ("good", "poor") for steps in (False, True)]
    timings.seconds["step"] = 0.6
    plan = study.plan()
    assert "no time for timm:good × finetune, timm:poor × finetune" in str(plan)
    assert plan.seconds <= 150


def test_whole_texts_may_be_trained_for_fewer_steps(tiny_encoder, tmp_path):
    write_reviews(tmp_path / "d.csv", 200)
    spec = load_spec({"data": str(tmp_path / "d.csv"), "models": [tiny_encoder], "recipes": ["finetune"]})
    prepared = prepare(spec)
    whole = plan_runs(
        prepared.examples, prepared.spec, cross_candidates(prepared.spec), variants=(), copies=prepared.copies
    )
    run = next(run for run in whole.runs if run.fold == 0)
    steps = -(-len(run.train) // run.options["batch_size"])
    epochs = [less.epochs for less in possible(prepared.spec, whole, [tiny_encoder], {}) if less.epochs]
    assert min(epochs) == -(-50 // steps) < epochs_of(run.options, len(run.train))
    steps_between = sorted({*epochs, epochs_of(run.options, len(run.train))})
    assert all(b <= 1.5 * a for a, b in pairwise(steps_between)), "much of the time would be left over between two"


def test_pictures_are_no_smaller_than_the_time_asks_for(photos):
    spec = load_spec(
        {"data": str(photos), "models": ["timm:resnet18", "timm:resnet10t"], "recipes": ["probe", "finetune"]}
    )
    prepared = prepare(spec)
    whole = plan_runs(
        prepared.examples, prepared.spec, cross_candidates(prepared.spec), variants=(), copies=prepared.copies
    )

    def sides(*own: int) -> list[int | None]:
        ways = possible(prepared.spec, whole, prepared.spec.models, dict(zip(prepared.spec.models, own, strict=True)))
        return list(dict.fromkeys(less.image_size for less in ways if less.folds > 1 and less.epochs is None))

    assert sides(224, 240) == [None, 192, 160, 128]
    assert sides(176, 224) == [None, 160, 128]
    assert sides(128, 224) == [None], "nothing is scaled up, nor to what is no smaller"


def test_nothing_is_said_to_be_less_where_in_the_end_all_folds_were_trained_in_full(tiny_encoder, tmp_path):
    write_reviews(tmp_path / "d.csv", 60)
    content = {"data": str(tmp_path / "d.csv"), "models": [tiny_encoder], "recipes": ["finetune"]}

    def words(folds: int, repeats: int = 1) -> str:
        spec = load_spec({**content, "design": {"folds": 4, "repeats": repeats, "budget": "10m"}})
        prepared = prepare(spec)
        whole = plan_runs(
            prepared.examples, prepared.spec, cross_candidates(prepared.spec), variants=(), copies=prepared.copies
        )
        return less_words(prepared.spec, whole, LessTraining((tiny_encoder,), folds)).en

    assert words(3) == f"To fit into 10m, finetune trains in 3 of 4 folds, with {tiny_encoder}."
    assert words(4) == ""
    assert words(4, repeats=3) == f"To fit into 10m, finetune trains in one of 3 repeats, with {tiny_encoder}."


@pytest.mark.parametrize(
    ("own", "searched", "words"),
    [
        ({}, {"learning_rate", "weight_decay"}, "tuned trains 2 epochs every time (epochs is not searched), in 3 of 4"),
        ({"learning_rate": 1e-4, "weight_decay": 0.1}, {"epochs"}, "tuned trains in 3 of 4"),
    ],
)
def test_a_search_that_is_trained_for_less_says_what_it_no_longer_searches(
    tiny_encoder, tmp_path, own, searched, words
):
    """Epochs that were cut left nothing to search beside settings that the user had set, and the finished study could not be read."""
    write_reviews(tmp_path / "d.csv", 60)
    recipes = ["probe", {"name": "tuned", **own}]
    content = {"data": str(tmp_path / "d.csv"), "models": [tiny_encoder], "recipes": recipes}
    prepared = prepare(load_spec({**content, "design": {"folds": 4, "repeats": 1, "budget": "10m"}}))
    spec, less = prepared.spec, LessTraining((tiny_encoder,), 3, 2)
    whole = plan_runs(prepared.examples, spec, cross_candidates(spec), variants=(), copies=prepared.copies)
    assert words in less_words(spec, whole, less).en
    shorter = with_less(spec, less)
    tuned = next(candidate for candidate in cross_candidates(shorter) if candidate.recipe == "tuned")
    assert set(choice_options(recipe_of(shorter, tuned), spec.task)["search"]) == searched
    assert epochs_given(shorter, tuned, less) == (None if "epochs" in searched else 2)
