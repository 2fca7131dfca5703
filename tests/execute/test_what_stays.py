"""What is decided stays decided when heads come back, and what is recorded stays in the report when the budget is shorter than it was."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.execute.test_late_models import (  # noqa: F401  (fixtures)
    SECONDS,
    head_purposes,
    late_study,
    photos,
    probed,
    suggestions,
)
from tests.plan.planted_workers import keep_epoch, records_only
from weigh.execute import essentials
from weigh.execute.budget import Clock
from weigh.execute.left_out import LeftOut
from weigh.execute.listener import Silent
from weigh.plan.jobs import HEAD_SECONDS
from weigh.run import Candidate, Job, Outcome

SETTINGS = ["design.repeats=null", "design.order_check=false", "design.finalists=1"]
SHORT = {"name": "finetune", "image_size": 32, "epochs": 2}
FIRST = "timm:good × finetune"


@pytest.fixture
def few_repeats_at_first(monkeypatch):
    """Heads are expected to take so long that all repeats but one are left out, and come back."""
    monkeypatch.setattr(essentials, "WARY", 3.0)


def study_with_finetune(photos, folder, monkeypatch, budget, finetune, *, slower=0.5, settings=SETTINGS):  # noqa: F811
    recipes = ["probe", finetune]
    study, _ = late_study(photos, folder, monkeypatch, budget, slower=slower, settings=settings, recipes=recipes)
    keep_epoch(monkeypatch, 20)  # all that a refit has
    return study


def recorded_networks(study) -> set[str]:
    return {record.candidate for record in study.results().records if record.candidate.endswith("finetune")}


@pytest.mark.usefixtures("suggestions", "few_repeats_at_first")
def test_the_finalist_stays_when_repeats_come_back(photos, tmp_path, monkeypatch):  # noqa: F811
    """The finalist's finished training left the report, and the dearest model was trained in its place."""
    told = []
    monkeypatch.setattr(Silent, "stage", lambda listener, what: told.append(what.en))
    study = records_only(study_with_finetune(photos, tmp_path / "s", monkeypatch, "150s", SHORT))
    assert "There is time for more than one repeat of heads after all." in told
    results = study.results()
    assert recorded_networks(study) == {FIRST}
    assert len(results.runs("main", candidate=FIRST)) == 4
    assert {c.id for c in results.untried} == {f"{model} × finetune" for model in SECONDS} - {FIRST}
    assert "passed-over" not in results.skipped
    assert not [f for f in study.read().file.findings if f.kind in ("internal", "progress")]
    again = records_only(study_with_finetune(photos, tmp_path / "s", monkeypatch, "150s", SHORT))
    assert len(again.results().records) == len(results.records)


@pytest.mark.usefixtures("suggestions", "few_repeats_at_first")
def test_who_ranked_behind_was_not_too_slow(photos, tmp_path, monkeypatch):  # noqa: F811
    """With the leader trained in fewer folds, the report said of all dearer models that they would take too long."""
    finetune = {"name": "finetune", "image_size": 32}
    study = records_only(study_with_finetune(photos, tmp_path / "s", monkeypatch, "180s", finetune))
    results = study.results()
    assert results.less is not None
    assert results.less.models == ("timm:good",)
    assert len({record.repeat for record in results.runs("main", candidate="timm:good × probe")}) == 5, "they came back"
    assert "passed-over" not in results.skipped
    told = next(f for f in study.read() if f.id == "finalists").sentence.en
    assert "would take longer" not in told
    assert "Left out: timm:slow, " in told
    assert "Left out: timm:small, " in told
    assert told.count("behind good × probe") == 2


@pytest.mark.usefixtures("suggestions", "few_repeats_at_first")
def test_who_came_first_only_with_later_repeats_is_said_to(photos, tmp_path, monkeypatch):  # noqa: F811
    study = records_only(study_with_finetune(photos, tmp_path / "s", monkeypatch, "150s", SHORT))
    results = study.results()
    from weigh.findings.comparison import finalists

    scores = {"timm:small × probe": 0.99, "timm:good × probe": 0.9, "timm:slow × probe": 0.5}
    evidence = finalists.read_evidence(results)
    monkeypatch.setattr(type(evidence), "ranked", property(lambda _: list(scores)))
    told = finalists.find(results)[0].sentence.en
    assert "Left out: timm:small, which came first only with repeats that ran after this was decided." in told
    assert "Left out: timm:slow, " in told


@pytest.mark.usefixtures("suggestions")
@pytest.mark.parametrize("short_first", [False, True])
def test_a_shorter_budget_keeps_what_is_recorded(photos, tmp_path, monkeypatch, short_first):  # noqa: F811
    def study(budget):
        settings = ["design.repeats=null", "design.finalists=1"]
        return study_with_finetune(photos, tmp_path / "s", monkeypatch, budget, SHORT, slower=1.0, settings=settings)

    if short_first:
        assert probed(records_only(study("40s"))) != set(SECONDS)
    long = records_only(study("10h"))
    before = {record.key for record in long.results().records}
    assert "order-check" in head_purposes(long)
    assert FIRST in recorded_networks(long)
    plan = str(study("40s").plan())
    assert "To run: 0 runs" in plan
    assert "no time" not in plan
    assert "would take longer" not in plan
    assert "To keep the budget" not in plan
    short = records_only(study("40s"))
    assert {record.key for record in short.results().records} == before
    assert not short.results().skipped.keys() & {"budget", "order-check", "passed-over"}
    assert not [f for f in short.read().file.findings if f.kind in ("internal", "progress", "time")]


@pytest.mark.usefixtures("suggestions", "few_repeats_at_first")
def test_training_in_full_is_not_replaced_by_training_for_less(photos, tmp_path, monkeypatch):  # noqa: F811
    finetune = {"name": "finetune", "image_size": 32}
    assert records_only(study_with_finetune(photos, tmp_path / "s", monkeypatch, "180s", finetune)).results().less
    long = records_only(study_with_finetune(photos, tmp_path / "s", monkeypatch, "10h", finetune))
    before = {record.key for record in long.results().records}
    short = records_only(study_with_finetune(photos, tmp_path / "s", monkeypatch, "180s", finetune))
    assert short.results().less is None
    assert {record.key for record in short.results().records} == before


def test_a_model_that_ran_since_is_not_said_to_have_had_no_time():
    """The sentence names models where none of their candidates was to run, and candidates by other names."""
    candidates = tuple(Candidate(f"timm:{m} × finetune", f"timm:{m}", "finetune", m) for m in ("a", "ab"))
    ids = [candidate.id for candidate in candidates]
    before = LeftOut(None, "5m", candidates)
    words = before.stopped_words(ids)
    assert "there is no time for timm:a, timm:ab;" in words.en
    kept = {"stopped": ids, "words": [[words.en, words.zh, *ids]]}
    ledger = SimpleNamespace(fact=lambda key: kept)
    assert LeftOut(ledger, "5m", candidates).words(None, ()) == words
    since = LeftOut(ledger, "5m", candidates, complete={ids[0]: 1}).words(None, ())
    assert "there is no time for timm:ab;" in since.en


def test_what_heads_take_is_known_of_each_recipe():
    """One figure for a model mixed heads on the last layer with those on several."""
    clock = Clock(600.0)
    for recipe, seconds in (("multilayer", 4.0), ("probe", 1.0)):
        run = SimpleNamespace(recipe=recipe, model="timm:a", candidate=f"timm:a × {recipe}")
        job = Job("j", (run,), None, 1.0)
        clock.job_done(job, seconds, [Outcome("k", "done", measured={"train_seconds": seconds})])
    assert clock.per_head == {"timm:a × multilayer": 4.0, "timm:a × probe": 1.0}


def done(clock: Clock, recipe: str, *, predicted: float, passing: float = 0.0, took: float, measured: dict) -> None:
    """A job of one run is over."""
    run = SimpleNamespace(recipe=recipe, model="timm:a", candidate=f"timm:a × {recipe}")
    job = Job("j", (run,), None, predicted, passing)
    clock.job_done(job, took, [Outcome("k", "done", measured=measured)])


def test_heads_that_take_longer_than_guessed_say_nothing_about_networks():
    """Nor do they say anything about passes; these are timed, and so is a network's training."""
    clock = Clock(600.0)
    done(
        clock,
        "multilayer",
        predicted=30.0,
        passing=20.0,
        took=60.0,
        measured={"train_seconds": 60.0, "feature_seconds": 20.0},
    )
    assert clock.pace("head") == pytest.approx((40 + 10) / (10 + 10))
    assert clock.pace("pass") == 1.0
    assert clock.pace() == 1.0


def test_before_the_first_network_a_slow_pass_says_how_slow_the_machine_is():
    clock = Clock(600.0)
    done(
        clock,
        "multilayer",
        predicted=25.0,
        passing=20.0,
        took=85.0,
        measured={"train_seconds": 85.0, "feature_seconds": 80.0},
    )
    assert clock.pace() == clock.pace("pass") == pytest.approx((80 + 10) / (20 + 10))
    done(clock, "finetune", predicted=40.0, took=40.0, measured={"train_seconds": 40.0})
    assert clock.pace() == 1.0, "its own pace counts once there is one"


def test_heads_of_a_candidate_are_predicted_by_its_own_heads():
    clock, timing = Clock(600.0), {"seconds_per_example": 0.1, "load_seconds": 4.0}
    done(
        clock,
        "multilayer",
        predicted=25.0,
        passing=20.0,
        took=22.0,
        measured={"train_seconds": 22.0, "feature_seconds": 20.0},
    )
    own, other = (
        [SimpleNamespace(recipe=recipe, candidate=f"timm:a × {recipe}", options={}, train=range(80))] * 3
        for recipe in ("multilayer", "probe")
    )
    assert clock.of_heads(own, timing, 0) == pytest.approx(3 * 2.0)
    assert clock.of_heads(other, timing, 0) == pytest.approx(3 * HEAD_SECONDS * clock.pace("head"))
    assert clock.of_heads(other, timing, 100) - clock.of_heads(other, timing, 0) == pytest.approx(4.0 + 10.0)


def test_counted_words_are_fitted_one_after_the_other_and_heads_on_features_side_by_side():
    clock, setting = Clock(600.0), SimpleNamespace(threads=4)
    outcomes = [Outcome(str(i), "done", measured={"train_seconds": 2.0}) for i in range(8)]
    for recipe in ("naive-bayes", "probe"):
        run = SimpleNamespace(recipe=recipe, model="m", candidate=recipe)
        clock.job_done(Job("j", (run,) * 8, setting, 1.0), 16.0, outcomes)
    assert clock.per_head == {"naive-bayes": 2.0, "probe": 0.5}


def test_features_that_are_in_the_cache_do_not_make_other_passes_short():
    clock = Clock(600.0)
    kept = {"train_seconds": 2.2, "feature_seconds": 0.2}
    done(clock, "multilayer", predicted=62.0, passing=60.0, took=2.2, measured=kept)
    assert clock.pace("pass") == 1.0
    assert clock.per_head == {"timm:a × multilayer": pytest.approx(2.0)}


def test_two_heads_take_as_long_as_one_where_there_are_more_threads():
    """What they took is not taken for the pass through the network, by which models are left out."""
    clock = Clock(600.0)
    run = SimpleNamespace(recipe="probe", model="timm:a", candidate="timm:a × probe")
    job = Job("j", (run, run), SimpleNamespace(threads=8), 10.0, pass_seconds=9.0)
    clock.job_done(job, 13.0, 2 * [Outcome("k", "done", measured={"train_seconds": 4.0})])
    assert clock.took == {"pass": 9.0, "head": 4.0}
