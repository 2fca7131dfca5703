"""A budget where nothing but networks runs (boxes, masks, entities; here pictures without a probe): all are trained for less in the same folds, the
slowest are left out, and one stays.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import make_photos
from tests.execute.conftest import ACCURACY, RECIPES
from tests.execute.test_less_training import ONCE, networks
from tests.plan.planted_workers import records_only
from weigh.execute import budget, local
from weigh.execute.driver import run_study
from weigh.execute.listener import Silent
from weigh.media import Medium

ONLY_NETWORKS = RECIPES[1:]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("many") / "photos", per_class=60, size=16)


def test_where_nothing_else_runs_networks_are_trained_for_less_and_end_in_time(timed, timings):
    study, now = timed(*ONCE, "design.budget=300s", recipes=ONLY_NETWORKS)
    timings.use()
    plan = study.plan()
    assert (
        "To fit into 300s, finetune trains 7 epochs instead of 8, in 2 of 4 folds, with timm:good, timm:poor."
        in str(plan)
    )
    assert plan.seconds <= 300
    assert "Even" not in str(plan)
    study = records_only(study)
    assert now[0] <= 300
    results = study.results()
    folds = results.less.folds
    assert folds >= 2, "more where time is left"
    assert networks(study) == [(f"timm:{name} × finetune", 0, k) for name in ("good", "poor") for k in range(folds)]
    assert results.winner == "timm:good × finetune"
    assert not results.unfinished
    assert not results.stopped
    refit = next(r for r in results.records if r.purpose == "refit")
    assert refit.candidate == results.winner
    file = study.read().file
    assert not [f.id for f in file.findings if f.kind in ("internal", "progress")]
    verdict = next(f for f in file.findings if f.id == "verdict")
    assert (f"{folds} of 4 folds" if folds < 4 else "4 folds × 1 repeat") in verdict.sentence.en
    before = len(results.records)
    study = records_only(study)
    assert len(study.results().records) == before, "the same command again finds the study finished"
    assert study.results().less == results.less


def test_the_slowest_go_where_all_together_do_not_fit(timed, timings):
    study, now = timed(*ONCE, "design.budget=180s", recipes=ONLY_NETWORKS)
    timings.use()
    timings.slow["timm:good"] = 3.0
    plan = study.plan()
    assert "Within 180s there is no time for timm:good; a longer" in str(plan)
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
    assert "Even that is predicted to take longer than 30s; it runs to its end in any case." in str(plan)
    assert "in 1 of 4 folds" in str(plan)
    assert len(plan.plan.runs) == 1
    study = records_only(study)
    results = study.results()
    assert len(networks(study)) == 1
    assert results.winner == networks(study)[0][0], "it is refitted and saved, however late"
    assert any(r.purpose == "refit" for r in results.records)
    findings = {f.id: f for f in study.read().file.findings}
    predicted = len(results.predictions(results.runs("main")[0].key)[0])
    assert predicted < len(results.examples.where("train"))
    assert findings["errors:hardest"].estimates["examples"].value == predicted, "not those that nobody predicted"
    assert "had trained on them" not in findings["verdict"].sentence.en, "all but its fold were trained on"
    assert findings["calibration"].verdict == "undecided"
    assert "has not been judged" in findings["calibration"].sentence.en, (
        "the saved model's temperature has seen these examples"
    )


def test_short_passes_are_cut_to_the_fewest_steps_that_are_worth_it(timed):
    study, _ = timed(*ONCE, "design.budget=350s", recipes=[{"name": "finetune", "batch_size": 8, "steps": 400}])
    steps = 12  # of one pass: 90 pictures in batches of 8
    assert f"finetune trains {-(-Medium.least_steps // steps)} epochs instead of 40, in" in str(study.plan())


def test_where_networks_race_nothing_is_less(timed, timings):
    study, _ = timed(*ONCE, "design.budget=30s", "design.race=true", recipes=ONLY_NETWORKS)
    timings.use()
    assert "Even one repeat of everything is predicted to take longer than 30s." in str(study.plan())


class Declines(Silent):
    """Says no to every plan."""

    def planned(self, forecast):
        return False


def test_a_plan_that_was_declined_is_made_again_as_it_was(timed, timings):
    study, _ = timed(*ONCE, "design.budget=180s", recipes=ONLY_NETWORKS)
    timings.use()
    timings.slow["timm:good"] = 3.0
    assert not run_study(study.spec, study.folder, Declines())
    results = records_only(study).results()
    assert [c.id for c in results.stopped] == ["timm:good × finetune"]
    assert results.less.models == ("timm:poor",)
    assert {r.candidate for r in results.runs("main")} == {"timm:poor × finetune"}


def test_what_ran_stays_also_with_less_time(timed, timings):
    results = []
    for seconds in (36_000, 20):
        study, _ = timed(*ONCE, f"design.budget={seconds}s", recipes=ONLY_NETWORKS)
        timings.use()
        results.append(records_only(study).results())
    whole, shorter = results
    assert {r.key for r in shorter.records} == {r.key for r in whole.records}
    assert not shorter.stopped
    assert shorter.less is None


def test_other_models_with_the_same_budget_are_decided_on_by_themselves(timed, timings):
    timings.slow["timm:good"] = 3.0
    results = []
    for models in (["timm:good", "timm:poor"], ["timm:good"]):
        study, _ = timed(*ONCE, "design.budget=180s", recipes=ONLY_NETWORKS, models=models)
        timings.use()
        results.append(records_only(study).results())
    assert results[0].stopped
    results = results[1]
    assert results.winner == "timm:good × finetune"
    assert not results.stopped


def slower_than_predicted(now, monkeypatch, times: float):
    """Every run takes so many times as long as the forecast says."""
    work = budget.Clock.job_done

    def slower(clock, job, seconds, outcomes):
        now[0] += (times - 1) * seconds
        work(clock, job, times * seconds, outcomes)

    monkeypatch.setattr(budget.Clock, "job_done", slower)


def test_of_two_that_ran_none_is_given_up_for_its_refit(timed, timings, monkeypatch):
    study, now = timed(*ONCE, "design.budget=300s", recipes=ONLY_NETWORKS)
    timings.use()
    slower_than_predicted(now, monkeypatch, 4.0)
    results = records_only(study).results()
    assert not results.stopped, "the other one's refit is as late"
    assert results.winner == "timm:good × finetune"


@pytest.mark.parametrize(
    "failing",
    [{("timm:good", 0)}, {("timm:poor", 0)}, {("timm:good", 0), ("timm:poor", 1)}],
    ids=["better", "worse", "both"],
)
def test_a_run_that_fails_does_not_decide_between_the_others(timed, timings, monkeypatch, failing):
    study, _ = timed(*ONCE, "design.budget=300s", recipes=ONLY_NETWORKS)
    timings.use()
    work = local.run_job

    def fails(job, examples, progress=None):
        outcomes = work(job, examples, progress)
        pairs = zip(job.runs, outcomes, strict=True)
        return [
            replace(outcome, status="failed", cause="planted", answers=None)
            if run.purpose == "main" and (run.model, run.fold) in failing
            else outcome
            for run, outcome in pairs
        ]

    monkeypatch.setattr(local, "run_job", fails)
    study = records_only(study)
    assert study.results().winner == "timm:good × finetune"
    assert not [f.id for f in study.read().file.findings if f.kind in ("internal", "progress")]


def test_a_yardstick_does_not_stay_alone(timed, timings):
    recipes = [{"name": "scratch", "batch_size": 1, "epochs": 1}, *ONLY_NETWORKS]
    study, _ = timed(*ONCE, "design.budget=60s", recipes=recipes)
    timings.use()
    results = records_only(study).results()
    assert results.winner.endswith("finetune")


def test_with_a_test_part_all_are_refitted_within_the_time(timed, timings):
    study, now = timed("design.repeats=1", "design.test=0.2", "design.budget=300s", recipes=ONLY_NETWORKS)
    timings.use()
    results = records_only(study).results()
    assert now[0] <= 300
    assert {r.candidate for r in results.runs("refit")} == {f"timm:{name} × finetune" for name in ("good", "poor")}


TWO = [*ONLY_NETWORKS, {**ONLY_NETWORKS[0], "label": "gentle", "learning_rate": 1e-4}]


@pytest.mark.parametrize(("seconds", "chosen"), [(400, None), (1500, ["timm:good"])], ids=["all at once", "finalists"])
def test_finalists_are_chosen_only_where_the_first_recipe_fits_with_all_models(timed, timings, seconds, chosen):
    accuracy = ACCURACY | {"timm:good × gentle": 0.9, "timm:poor × gentle": 0.7}
    settings = [*ONCE, "design.finalists=1", f"design.budget={seconds}s"]
    study, now = timed(*settings, recipes=TWO, accuracy=accuracy)
    timings.use()
    plan = study.plan()
    assert ("To fit into" in str(plan)) == (chosen is None)
    study = records_only(study)
    assert now[0] <= seconds
    results = study.results()
    assert (results.less is None) == (chosen is not None)
    further = {r.candidate for r in results.runs("main") if r.candidate.endswith("gentle")}
    assert chosen is None or further == {f"{model} × gentle" for model in chosen}
    assert not results.unfinished
    before = len(results.records)
    assert len(records_only(study).results().records) == before, "the same command again finds the study finished"
    assert not [f.id for f in study.read().file.findings if f.kind in ("internal", "progress")]


def test_words_name_a_recipe_only_with_the_models_that_it_trains(timed, timings):
    accuracy = ACCURACY | {"timm:good × gentle": 0.9, "timm:poor × gentle": 0.7}
    study, _ = timed(*ONCE, "design.budget=125s", recipes=TWO, accuracy=accuracy)
    timings.use()
    plan = study.plan()
    for candidate in ("finetune", "gentle"):
        models = [c.model for c in plan.plan.candidates if c.id.endswith(candidate)]
        assert (f"{candidate} trains" in str(plan)) == bool(models)
        if models:
            assert f"with {', '.join(models)}." in str(plan).split(f"{candidate} trains")[1].split("To fit")[0]
    assert plan.cut is not None
    assert "no time for" in plan.cut.en


def test_no_recipe_is_trained_for_longer_than_by_itself(timed):
    recipes = [{"name": "finetune", "batch_size": 8, "steps": 400}, {"name": "last-stage", "batch_size": 8}]
    study, _ = timed(*ONCE, "design.budget=400s", recipes=recipes)
    told = str(study.plan())
    assert "epochs instead of" not in told, "300 steps are 25 epochs, and last-stage has 12"
    assert "To fit into 400s" in told
