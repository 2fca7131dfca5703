"""`--budget` on a clock that the tests turn: what runs longer than predicted is shortened while the study runs, and the report says so."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.conftest import make_photos
from tests.plan.planted_workers import planted, planted_study, records_only
from weigh.execute import budget, driver, planner
from weigh.execute.refits import refit_seconds
from weigh.plan.jobs import cut_to_time

MODELS = ["timm:good", "timm:poor"]
RECIPES = ["probe", {"name": "finetune", "epochs": 2, "image_size": 32}]
ACCURACY = {
    "timm:good × finetune": 0.95,
    "timm:poor × finetune": 0.7,
    "timm:good × probe": 0.9,
    "timm:poor × probe": 0.6,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("many") / "photos", per_class=60, size=16)


def timed_study(
    photos,
    folder,
    monkeypatch,
    *,
    slower: float,
    settings=(),
    models=MODELS,
    recipes=RECIPES,
    accuracy=ACCURACY,
    seconds=None,
):
    """A study whose jobs take so many times as long as predicted, and its clock: a list with the seconds that passed. Features of a model are computed
    once.
    """
    now, work, featurised = [0.0], planted(accuracy), set()

    def run_job(job, examples, progress=None):
        started = now[0]
        now[0] += slower * job.predicted_seconds
        measured = {"started": started}
        if job.runs[0].recipe == "probe":
            featurised.add(job.runs[0].model)
            heads = slower * (job.predicted_seconds - job.pass_seconds)
            measured["train_seconds"] = heads * job.setting.threads / len(job.runs)
        return [replace(outcome, measured=measured) for outcome in work(job, examples, progress)]

    study = planted_study(
        photos, folder, monkeypatch, models, recipes, accuracy, settings=["design.race=false", *settings],
        seconds=seconds or dict.fromkeys(models, 0.02),
    )  # fmt: skip

    def less_features(jobs, examples):
        def saved(job) -> float:
            return job.pass_seconds if job.runs[0].model in featurised else 0.0

        return [
            replace(
                job, predicted_seconds=job.predicted_seconds - saved(job), pass_seconds=job.pass_seconds - saved(job)
            )
            for job in jobs
        ]

    monkeypatch.setattr("weigh.execute.local.run_job", run_job)
    monkeypatch.setattr(planner, "less_features", less_features)
    clock = SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0])
    for module in (budget, driver, planner):
        monkeypatch.setattr(module, "time", clock)
    return study, now


def repeats_of(study) -> dict[str, int]:
    """Candidate -> repeats with any record."""
    counts: dict[str, set[int]] = {}
    for record in study.results().runs("main"):
        counts.setdefault(record.candidate, set()).add(record.repeat)
    return {candidate: len(repeats) for candidate, repeats in counts.items()}


def test_what_fits_is_not_shortened(photos, tmp_path, monkeypatch):
    study, now = timed_study(photos, tmp_path / "s", monkeypatch, slower=1.0, settings=["design.budget=10h"])
    study = records_only(study)
    assert set(repeats_of(study).values()) == {3}
    assert "budget" not in study.results().skipped
    assert now[0] > 100


def test_runs_that_take_longer_cost_later_repeats(photos, tmp_path, monkeypatch):
    plain, now = timed_study(photos, tmp_path / "plain", monkeypatch, slower=1.0)
    records_only(plain)
    enough = now[0] + budget.REPORT + 1
    study, now = timed_study(photos, tmp_path / "s", monkeypatch, slower=2.0, settings=[f"design.budget={enough:.0f}s"])
    study = records_only(study)
    counts = repeats_of(study)
    assert counts["timm:good × probe"] == 3
    assert counts["timm:good × finetune"] < 3
    assert now[0] <= 1.15 * enough
    results = study.results()
    assert "The time that is left is too short for all that was planned" in results.skipped["budget"].en
    assert not results.unfinished
    assert results.winner == "timm:good × finetune"
    study, ran = records_only(study), len(results.records)
    assert len(study.results().records) == ran, "the same command again finds the study finished"


def test_a_network_that_cannot_end_is_stopped_and_nothing_is_said_about_it(photos, tmp_path, monkeypatch):
    plain, now = timed_study(photos, tmp_path / "plain", monkeypatch, slower=1.0, settings=["design.repeats=1"])
    records_only(plain)
    enough = now[0] + budget.REPORT + 1
    study, now = timed_study(
        photos, tmp_path / "s", monkeypatch, slower=6.0, settings=["design.repeats=1", f"design.budget={enough:.0f}s"]
    )
    study = records_only(study)
    results = study.results()
    stopped = set(MODELS) - {c.model for c in results.candidates if c.recipe == "finetune"}
    assert stopped, "something had to go"
    assert all("probe" in {c.recipe for c in results.candidates if c.model == model} for model in stopped)
    told = results.skipped["budget"]
    assert "not trained to the end, and nothing is said about" in told.en
    assert "不对其作任何结论" in told.zh
    assert {f"{model} × finetune" for model in stopped} == {c.id for c in results.stopped}
    assert not results.untried, "nobody was chosen by scores"
    file = study.read().file
    assert not [finding for finding in file.findings if finding.kind in ("internal", "progress")]
    assert any("nothing is said about it" in finding.sentence.en for finding in file.findings)


def test_later_repeats_go_before_anybody_is_stopped():
    repeats = {("a", 0): 10.0, ("a", 1): 10.0, ("b", 0): 5.0, ("b", 1): 5.0}
    refits = {"a": 2.0, "b": 1.0}
    cut = lambda left, **more: cut_to_time(repeats, 3.0, refits, {"a", "b"}, left, **{"all_refitted": False, **more})  # noqa: E731
    assert cut(35.0) == (set(), frozenset())
    assert cut(25.0) == ({("a", 1)}, frozenset())
    assert cut(20.0) == ({("a", 1), ("b", 1)}, frozenset())
    assert cut(10.0) == ({("a", 1), ("b", 1), ("a", 0)}, frozenset({"a"}))
    assert cut(35.0, all_refitted=True) == ({("a", 1)}, frozenset())
    assert cut_to_time(repeats, 3.0, refits, (), 0.0, all_refitted=False) == ({("a", 1), ("b", 1)}, frozenset())


def test_a_race_goes_on_within_the_time_and_stops_by_its_results_alone(photos, tmp_path, monkeypatch):
    racing = ["design.race=true"]
    plain, now = timed_study(photos, tmp_path / "plain", monkeypatch, slower=1.0, settings=racing)
    records_only(plain)
    enough = 0.8 * now[0] + budget.REPORT
    study, now = timed_study(
        photos, tmp_path / "s", monkeypatch, slower=1.0, settings=[*racing, f"design.budget={enough:.0f}s"]
    )
    study = records_only(study)
    results = study.results()
    assert {c.id for c in results.candidates} == {f"{m} × {r}" for m in MODELS for r in ("probe", "finetune")}
    assert now[0] <= 1.15 * enough
    ran = len(results.records)
    assert len(records_only(study).results().records) == ran
    assert not [finding for finding in study.read().file.findings if finding.kind == "internal"]


def test_a_prediction_that_is_too_long_leaves_nothing_out_and_the_report_does_not_say_so(photos, tmp_path, monkeypatch):
    settings = ["design.repeats=1", "design.budget=30s", "design.race=true"]
    study, _ = timed_study(
        photos, tmp_path / "s", monkeypatch, slower=0.01, settings=settings, models=MODELS[:1], recipes=RECIPES[1:]
    )
    assert "Even one repeat of everything is predicted to take longer than 30s." in str(study.plan())
    study = records_only(study)
    assert "budget" not in study.results().skipped
    assert not [finding for finding in study.read().file.findings if finding.kind == "time"]


def test_members_of_an_average_are_refitted_within_the_budget(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("weigh.execute.saving.Keeper.close", lambda keeper: None)
    settings = ["design.repeats=1", "output.ensemble=always", "design.test=0", "design.cleaned=false"]
    alike = dict.fromkeys(ACCURACY, 0.75)  # and wrong about different pictures, so that an average of them is better
    plain, now = timed_study(photos, tmp_path / "plain", monkeypatch, slower=1.0, settings=settings, accuracy=alike)
    plain = records_only(plain)
    assert len({record.candidate for record in plain.results().runs("refit")}) > 1, "an average has members"
    enough = now[0] + budget.REPORT + 1
    study, now = timed_study(
        photos, tmp_path / "s", monkeypatch, slower=1.5, settings=[*settings, f"design.budget={enough:.0f}s"],
        accuracy=alike,
    )  # fmt: skip
    study = records_only(study)
    assert now[0] <= 1.15 * enough
    results = study.results()
    assert not results.unfinished
    refitted = {record.candidate for record in results.runs("refit")}
    assert refitted <= {candidate.id for candidate in results.candidates}, "nobody who was stopped is refitted"


def test_what_is_said_of_time_is_by_the_clock_of_all_workers(photos, tmp_path, monkeypatch):
    """Seconds of jobs were added up, and told as the time that a study with several workers takes."""
    study, _ = timed_study(photos, tmp_path / "s", monkeypatch, slower=1.0, settings=["design.test=0.2"])
    forecast = study.plan()
    spec, timings = forecast.prepared.spec, forecast.timings
    seconds, fixed = budget._costs(forecast.whole, forecast.prepared, timings, ())
    half = f"{(fixed + sum(seconds.values())) / 2:.0f}s"
    design = spec.design.model_copy(update={"budget": half})
    prepared = replace(forecast.prepared, spec=spec.model_copy(update={"design": design}))

    def over(workers: int):
        return budget.keep_budget(forecast.whole, prepared, timings, lambda key, make: make(), (), workers)[2]

    assert "Even one repeat" in over(1).en
    assert over(4) is None
    alone, shared = (refit_seconds(forecast.whole, prepared, timings, workers=workers) for workers in (1, 2))
    assert alone / 2 <= shared < alone
    member = SimpleNamespace(runs=[SimpleNamespace(candidate="a", keep_weights=True)], predicted_seconds=600.0)
    assert "about 10 min in all" in driver._refit_words([member, member], {"a"}, 600.0).en


@pytest.mark.parametrize("hours", [8, -8])
def test_a_clock_that_is_set_while_a_study_runs_leaves_nothing_out(photos, tmp_path, monkeypatch, hours):
    """The first job seemed to take eight hours, or to end before it began, and the plan was made by that."""
    settings = ["design.budget=6h"]
    study, now = timed_study(photos, tmp_path / "s", monkeypatch, slower=1.0, settings=settings)
    paces = []
    real = budget.Clock.job_done

    def job_done(clock, job, seconds, outcomes=()):
        real(clock, job, seconds, outcomes)
        paces.append((clock.pace(), clock.pace("pass")))

    monkeypatch.setattr(budget.Clock, "job_done", job_done)
    set_clock = SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0] + hours * 3600)
    monkeypatch.setattr(driver, "time", set_clock)
    study = records_only(study)
    assert set(repeats_of(study).values()) == {3}
    assert "budget" not in study.results().skipped
    assert all(pace > 0 for both in paces for pace in both)
