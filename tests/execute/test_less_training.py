"""A budget that networks do not fit into in full: they are trained for less, and the report says on what its claims stand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.conftest import make_photos
from tests.execute.test_budget import timed_study
from tests.plan.planted_workers import records_only
from weigh.execute import budget, choices
from weigh.plan.less_training import LEAST_STEPS

RECIPES = ["probe", {"name": "finetune", "batch_size": 1}]
ACCURACY = {
    "timm:good × finetune": 0.99,
    "timm:good × probe": 0.8,
    "timm:poor × finetune": 0.7,
    "timm:poor × probe": 0.6,
}
CHOOSING = ["design.repeats=1", "design.finalists=1", "design.test=0"]
ONCE = ["design.repeats=1", "design.test=0"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("many") / "photos", per_class=60, size=16)


@pytest.fixture
def timed(photos, tmp_path, monkeypatch):
    """A study in which each job takes as long as predicted, and the clock: of some settings, in a folder of this name."""

    def make(*settings, name="s", **more):
        given = {"slower": 1.0, "recipes": RECIPES, "accuracy": ACCURACY, **more}
        return timed_study(photos, tmp_path / name, monkeypatch, settings=settings, **given)

    return make


@pytest.fixture
def timings(monkeypatch):
    """(address, whether steps of training) of what was timed; a pass takes 0.02 s and a step as given, of a model in `slow` so many times as long."""
    asked, seconds, slow = [], {"step": 0.06}, {}

    def time_address(address, *others, passes, steps):
        asked.append((address, steps))
        times = slow.get(address, 1.0)
        pass_seconds = {"seconds_per_example": 0.02 * times} if passes else {}
        return pass_seconds | ({"seconds_per_step_example": seconds["step"] * times} if steps else {})

    return SimpleNamespace(
        asked=asked, seconds=seconds, slow=slow, use=lambda: monkeypatch.setattr(choices, "time_address", time_address)
    )


def networks(study) -> list[tuple[str, int, int]]:
    """(candidate, repeat, fold) of what was trained."""
    runs = study.results().runs("main")
    return sorted((r.candidate, r.repeat, r.fold) for r in runs if r.candidate.endswith("finetune"))


@pytest.mark.parametrize("settings", [ONCE, CHOOSING])
def test_networks_that_do_not_fit_are_trained_for_less_and_end_in_time(timed, settings):
    study, now = timed(*settings, "design.budget=150s")
    told = str(study.plan())
    assert "To fit into 150s, finetune trains 5 epochs instead of 8, in" in told
    study = records_only(study)
    assert now[0] <= 1.15 * 150
    results = study.results()
    ran = networks(study)
    assert ran
    assert all(repeat == 0 and fold < results.less.folds < 4 for _, repeat, fold in ran)
    assert results.winner == "timm:good × finetune"
    assert not results.unfinished
    assert "To fit into 150s, finetune trains" in results.skipped["budget"].en
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
    assert not [f for f in study.read().file.findings if f.kind in ("internal", "progress")]


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


ONLY_NETWORKS = RECIPES[1:]


def test_where_nothing_else_runs_networks_are_trained_for_less_and_end_in_time(timed, timings):
    study, now = timed(*ONCE, "design.budget=300s", recipes=ONLY_NETWORKS)
    timings.use()
    plan = study.plan()
    assert (
        "To fit into 300s, finetune trains 5 epochs instead of 8, in 2 of 4 folds, with timm:good, timm:poor."
        in str(plan)
    )
    assert plan.seconds <= 300
    assert "Even" not in str(plan)
    study = records_only(study)
    assert now[0] <= 300
    results = study.results()
    assert networks(study) == [(f"timm:{name} × finetune", 0, k) for name in ("good", "poor") for k in (0, 1)]
    assert results.winner == "timm:good × finetune"
    assert not results.unfinished
    assert not results.stopped
    refit = next(r for r in results.records if r.purpose == "refit")
    assert refit.candidate == results.winner
    file = study.read().file
    assert not [f.id for f in file.findings if f.kind in ("internal", "progress")]
    verdict = next(f for f in file.findings if f.id == "verdict")
    assert "2 of 4 folds" in verdict.sentence.en
    before = len(results.records)
    study = records_only(study)
    assert len(study.results().records) == before, "the same command again finds the study finished"
    assert study.results().less == results.less


def test_the_slowest_go_where_all_together_do_not_fit(timed, timings):
    study, now = timed(*ONCE, "design.budget=180s", recipes=ONLY_NETWORKS)
    timings.use()
    timings.slow["timm:good"] = 3.0
    plan = study.plan()
    assert "Within 180s there is no time for timm:good × finetune" in str(plan)
    assert "To fit into 180s, finetune trains" in str(plan)
    assert plan.seconds <= 180
    study = records_only(study)
    assert now[0] <= 180
    assert {candidate for candidate, *_ in networks(study)} == {"timm:poor × finetune"}
    assert [c.id for c in study.results().stopped] == ["timm:good × finetune"]
    assert study.results().winner == "timm:poor × finetune"
    told = next(f for f in study.read().file.findings if f.id == "time").sentence.en
    assert "stand on the folds that were run" in told, "one was left out, another trained for less"


def test_one_network_stays_with_the_least_training_where_not_even_that_fits(timed, timings):
    study, _ = timed(*ONCE, "design.budget=30s", recipes=ONLY_NETWORKS)
    timings.use()
    plan = study.plan()
    assert "Even the least training of one network is predicted to take longer than 30s" in str(plan)
    assert "in 1 of 4 folds" in str(plan)
    assert len(plan.plan.runs) == 1
    study = records_only(study)
    results = study.results()
    assert len(networks(study)) == 1
    assert results.winner == networks(study)[0][0], "it is refitted and saved, however late"
    assert any(r.purpose == "refit" for r in results.records)


def test_short_passes_are_cut_to_the_fewest_steps_that_are_worth_it(timed):
    study, _ = timed(*ONCE, "design.budget=350s", recipes=[{"name": "finetune", "batch_size": 8, "steps": 400}])
    steps = 12  # of one pass: 90 pictures in batches of 8
    assert f"finetune trains {-(-LEAST_STEPS // steps)} epochs instead of 40, in" in str(study.plan())


def test_where_networks_race_nothing_is_less(timed, timings):
    study, _ = timed(*ONCE, "design.budget=30s", "design.race=true", recipes=ONLY_NETWORKS)
    timings.use()
    assert "Even one repeat of everything is predicted to take longer than 30s." in str(study.plan())
