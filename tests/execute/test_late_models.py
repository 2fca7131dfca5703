"""Where the time is too short for all models that weigh chose, the slowest are left out, and the report says which."""

from __future__ import annotations

import sqlite3

import pytest

from tests.conftest import make_photos
from tests.execute.test_budget import timed_study
from tests.plan.planted_workers import records_only
from weigh.cli.main import main
from weigh.execute import budget, planner
from weigh.execute.listener import Silent
from weigh.models import suggested
from weigh.models.suggested import Suggested
from weigh.study import Study

SECONDS = {"timm:good": 0.01, "timm:slow": 0.3, "timm:small": 0.02}  # of a pass of one of 120 pictures
RECIPES = ["probe", {"name": "finetune", "epochs": 2, "image_size": 32}]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("late") / "photos", per_class=60, size=16)


@pytest.fixture
def suggestions(monkeypatch):
    monkeypatch.setattr(suggested, "SUGGESTED", tuple(Suggested(model, "pictures") for model in SECONDS))
    monkeypatch.setattr(suggested, "out_of_reach", lambda address, *, hub: None)


def probed(study) -> set[str]:
    results = study.results()
    return {
        results.candidate(record.candidate).model
        for record in results.runs("main", status=None)
        if record.candidate.endswith("probe")
    }


def late_study(
    photos, folder, monkeypatch, seconds: str, *, slower: float = 1.0, models=(), recipes=RECIPES, settings=()
):
    return timed_study(
        photos, folder, monkeypatch, slower=slower, settings=[f"design.budget={seconds}", "design.cleaned=false", *settings], models=models,
        recipes=recipes, seconds=SECONDS,
    )  # fmt: skip


def test_a_model_that_takes_too_long_is_not_tried_and_the_next_one_is(photos, suggestions, tmp_path, monkeypatch):
    study, now = late_study(photos, tmp_path / "s", monkeypatch, "40s")
    told = "Within 40s there is no time for timm:slow; a longer --budget tries it too."
    plan = str(study.plan())
    assert told in plan
    chose = "weigh chose timm:good, timm:slow, timm:small and tries timm:good, timm:small of them: for the others"
    assert chose in plan
    assert "weigh tries" not in plan
    study = records_only(study)
    results = study.results()
    assert chose in results.skipped["models"].en
    assert probed(study) == {"timm:good", "timm:small"}
    assert {c.model for c in results.stopped} == {"timm:slow"}
    assert not results.unfinished
    assert now[0] <= 40
    file = study.read().file
    assert any(told in finding.sentence.en for finding in file.findings if finding.kind == "time")
    assert any("来不及尝试 timm:slow" in finding.sentence.zh for finding in file.findings)
    assert not [finding for finding in file.findings if finding.kind in ("internal", "progress")]
    assert probed(records_only(study)) == {"timm:good", "timm:small"}, "the same command does not change its mind"


def test_a_longer_budget_tries_it_as_the_report_says(photos, suggestions, tmp_path, monkeypatch):
    records_only(late_study(photos, tmp_path / "s", monkeypatch, "40s")[0])
    study = records_only(late_study(photos, tmp_path / "s", monkeypatch, "10h")[0])
    assert probed(study) == set(SECONDS)
    assert not study.results().stopped
    assert "budget" not in study.results().skipped


def test_models_are_left_out_while_it_runs_where_it_turns_out_slower(photos, suggestions, tmp_path, monkeypatch):
    ahead: list[float] = []
    monkeypatch.setattr(Silent, "ahead", lambda listener, seconds: ahead.append(seconds))
    study, now = late_study(photos, tmp_path / "s", monkeypatch, "80s", slower=3.0)
    plan = study.plan()
    assert "no time for" not in str(plan)
    study = records_only(study)
    assert ahead[0] < plan.seconds / 2, "who watches is told how long it takes without that model"
    assert ahead[-1] == min(ahead), "and at the refit, how long that takes"
    assert "timm:good" in probed(study)
    assert "timm:slow" not in probed(study)
    assert now[0] <= 1.15 * 80
    assert "no time for timm:slow" in study.results().skipped["budget"].en
    assert not study.results().unfinished
    assert not [finding for finding in study.read().file.findings if finding.kind in ("internal", "progress")]


def test_one_model_stays_the_fastest(photos, suggestions, tmp_path, monkeypatch):
    study, _ = late_study(photos, tmp_path / "s", monkeypatch, "6s")
    study = records_only(study)
    assert probed(study) == {"timm:good"}
    findings = {finding.id: finding for finding in study.read()}
    steps = " ".join(step.en for step in findings["advice"].next)
    assert "Give the study more time (--budget 10h): finetune did not run for want of it" in steps
    assert "Try the recipe" not in steps, "it was to be tried"
    told = findings["finalists"].sentence.en
    assert "timm:good was not trained with finetune." in told
    assert "timm:slow" not in told, "the finding on time tells of models that were not tried at all"
    assert {c.id for c in study.results().candidates} == {"timm:good × probe"}


def test_the_fastest_model_runs_first(photos, suggestions, tmp_path, monkeypatch):
    ran: list[str] = []
    monkeypatch.setattr(Silent, "job_done", lambda listener, job, *counts: ran.append(job.runs[0].model))
    records_only(late_study(photos, tmp_path / "s", monkeypatch, "10h", recipes=["probe"])[0])
    assert ran[:3] == sorted(SECONDS, key=SECONDS.get)


def test_also_where_only_heads_run_and_nobody_is_a_finalist(photos, suggestions, tmp_path, monkeypatch):
    study = records_only(late_study(photos, tmp_path / "s", monkeypatch, "40s", recipes=["probe"])[0])
    assert probed(study) == {"timm:good", "timm:small"}


def test_models_that_the_user_named_are_all_tried(photos, suggestions, tmp_path, monkeypatch):
    study, _ = late_study(photos, tmp_path / "s", monkeypatch, "40s", models=list(SECONDS))
    assert probed(records_only(study)) == set(SECONDS)


def test_what_is_recorded_costs_nothing_and_stays(photos, suggestions, tmp_path, monkeypatch):
    study, _ = late_study(photos, tmp_path / "s", monkeypatch, "10h", recipes=["probe"])
    plan = study.plan()
    recorded = {run.key for run in plan.plan.runs if run.model == "timm:slow"}
    clock = budget.Clock(60.0, began=0.0)
    assert budget.late_models(plan.plan, plan.prepared, plan.timings, recorded, clock) == ()


def test_steps_of_training_are_timed_only_of_models_that_came_first(photos, suggestions, tmp_path, monkeypatch):
    study, _ = late_study(photos, tmp_path / "s", monkeypatch, "10h", settings=["design.finalists=1"])
    timed = []

    def time_address(address, *others, passes, steps):
        timed.append((address, steps))
        assert passes is not steps, "nothing is timed twice"
        return {"seconds_per_step_example": 0.05} if steps else {"seconds_per_example": SECONDS[address]}

    monkeypatch.setattr("weigh.execute.choices.time_address", time_address)
    study = records_only(study)
    trained = {record.candidate for record in study.results().runs("main") if record.candidate.endswith("finetune")}
    assert len(trained) == 1
    first = trained.pop().partition(" × ")[0]
    assert sorted(timed) == sorted([*((model, False) for model in SECONDS), (first, True)])
    timed.clear()
    records_only(study)
    assert not timed, "what was timed is kept with the study"


def test_without_a_budget_all_that_is_trained_is_timed_at_once(photos, tmp_path, monkeypatch):
    study, _ = timed_study(photos, tmp_path / "s", monkeypatch, slower=1.0, models=["timm:good", "timm:small"])
    timed = []

    def time_address(address, *others, passes, steps):
        timed.append((address, steps))
        return {"seconds_per_example": SECONDS[address]}

    monkeypatch.setattr("weigh.execute.choices.time_address", time_address)
    assert study.plan().finalists is None
    assert timed == [("timm:good", True), ("timm:small", True)]


def head_purposes(study) -> set[str]:
    return {record.purpose for record in study.results().records if record.candidate.endswith("probe")}


@pytest.fixture
def nothing_back(monkeypatch):
    """What is left out stays out, though there is time in the end."""
    monkeypatch.setattr(planner, "bring_back", lambda *given: None)


def test_further_questions_go_before_models_do(photos, suggestions, tmp_path, monkeypatch, nothing_back):
    study = records_only(late_study(photos, tmp_path / "s", monkeypatch, "55s", settings=["design.repeats=null"])[0])
    results = study.results()
    assert probed(study) == set(SECONDS)
    assert head_purposes(study) <= {"main", "refit"}
    assert len({record.repeat for record in results.runs("main") if record.candidate.endswith("probe")}) == 1
    told = results.skipped["budget"]
    assert "no time for the order check, more than one repeat of heads; a longer --budget" in told.en, (
        "a curve there would not have been: too few examples"
    )
    assert "来不及做顺序检查、重复训练线性头" in told.zh
    assert results.skipped["order-check"].en == "55s is too short for the order check."
    assert not results.unfinished
    assert not [finding for finding in study.read().file.findings if finding.kind in ("internal", "progress")]
    assert head_purposes(records_only(study)) <= {"main", "refit"}, "it does not change its mind"


def test_with_more_time_they_are_asked(photos, suggestions, tmp_path, monkeypatch, capsys, nothing_back):
    settings = ["design.repeats=null", "design.cleaned=true"]
    study = records_only(late_study(photos, tmp_path / "s", monkeypatch, "55s", settings=settings[:1])[0])
    assert "order-check" not in head_purposes(study)
    file = (tmp_path / "s" / "study.yaml").read_text("utf-8")
    assert "order_check: false" not in file, "who goes on from the study's own file with more time gets it back"
    assert main(["plan", str(tmp_path / "s"), "--budget", "10h"]) == 0
    assert "for the order check" in capsys.readouterr().out
    study = records_only(late_study(photos, tmp_path / "s", monkeypatch, "10h", settings=settings)[0])
    assert "order-check" in head_purposes(study)
    assert "budget" not in study.results().skipped


def test_who_goes_on_from_the_studys_own_file_with_less_time_gets_less(
    photos, suggestions, tmp_path, monkeypatch, capsys
):
    study, _ = late_study(photos, tmp_path / "s", monkeypatch, "10h", settings=["design.repeats=null"])
    study.spec = study.spec.model_copy(update={"design": study.spec.design.model_copy(update={"cleaned": True})})
    records_only(study)
    again = Study.open(tmp_path / "s").spec.design.model_fields_set
    assert "cleaned" in again, "what the user set is kept as set"
    assert "order_check" not in again
    assert main(["plan", str(tmp_path / "s"), "--budget", "60s"]) == 0
    assert "no time for" not in capsys.readouterr().out, "what is recorded costs nothing"
    with sqlite3.connect(tmp_path / "s" / "ledger.sqlite") as ledger:
        ledger.execute("DELETE FROM runs")
    assert main(["plan", str(tmp_path / "s"), "--budget", "55s"]) == 0
    assert "no time for the order check" in capsys.readouterr().out


def test_what_a_user_asked_for_himself_stays(photos, suggestions, tmp_path, monkeypatch):
    settings = ["design.repeats=2", "design.order_check=true"]
    study = records_only(
        late_study(photos, tmp_path / "s", monkeypatch, "55s", settings=settings, recipes=["probe"])[0]
    )
    assert "order-check" in head_purposes(study)
    assert {record.repeat for record in study.results().runs("main") if record.candidate.endswith("probe")} == {0, 1}
    assert "order check" not in study.results().skipped["budget"].en
    assert "repeat" not in study.results().skipped["budget"].en


def test_a_model_that_was_left_out_comes_back_where_others_are_faster_than_predicted(
    photos, suggestions, tmp_path, monkeypatch
):
    settings = ["design.budget=55s", "design.order_check=false"]
    study, now = late_study(
        photos, tmp_path / "s", monkeypatch, "55s", slower=0.1, settings=settings, recipes=["probe"]
    )
    assert "no time for timm:slow" in str(study.plan())
    study = records_only(study)
    results = study.results()
    assert probed(study) == set(SECONDS)
    assert "budget" not in results.skipped, "nothing is left out in the end"
    assert not results.stopped
    assert not results.unfinished
    assert now[0] <= 55
    assert not [finding for finding in study.read().file.findings if finding.kind in ("internal", "progress", "time")]


def test_what_was_left_out_of_the_heads_comes_back_in_the_end_repeats_first(photos, suggestions, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(Silent, "stage", lambda listener, what: told.append(what.en))
    settings = ["design.repeats=null"]
    study, now = late_study(
        photos, tmp_path / "s", monkeypatch, "60s", slower=0.5, settings=settings, recipes=["probe"]
    )
    assert "no time for the order check, more than one repeat of heads" in str(study.plan())
    study = records_only(study)
    back = [line for line in told if line.startswith("There is time for")]
    assert back == [
        "There is time for more than one repeat of heads after all.",
        "There is time for the order check after all.",
    ]
    results = study.results()
    assert len({record.repeat for record in results.runs("main") if record.candidate.endswith("probe")}) == 5
    assert "order-check" in head_purposes(study)
    assert not results.skipped.keys() & {"budget", "order-check"}
    assert not results.unfinished
    assert now[0] <= 60
    before = len(results.records)
    assert len(records_only(study).results().records) == before, "the same command again finds the study finished"


def test_heads_that_come_back_do_not_undo_the_choice_of_who_is_trained(photos, suggestions, tmp_path, monkeypatch):
    """With a second repeat of heads missing, the models had no order any more: finetune was a candidate again, and nobody said that it did not run."""
    told = []
    monkeypatch.setattr(Silent, "stage", lambda listener, what: told.append(what.en))
    settings = ["design.repeats=null", "design.order_check=false"]
    recipes = ["probe", {"name": "finetune", "epochs": 500, "image_size": 32}]
    study, _ = late_study(photos, tmp_path / "s", monkeypatch, "60s", slower=0.5, settings=settings, recipes=recipes)
    results = records_only(study).results()
    assert any(line.startswith("There is time for more than one repeat") for line in told)
    assert not [record for record in results.records if record.candidate.endswith("finetune")]
    assert not [one.id for one in results.candidates if one.id.endswith("finetune")]
    assert {one.id for one in results.untried} == {f"{model} × finetune" for model in SECONDS}
    assert "finetune would take longer than 60s" in results.skipped["passed-over"].en
