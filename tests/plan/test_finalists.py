"""`design.finalists` through the front door: the first recipe with every model, the others only with those that came first."""

from __future__ import annotations

import re

import pytest

from tests.conftest import make_photos
from tests.plan.planted_workers import planted_study, records_only
from weigh.errors import DesignError
from weigh.execute.driver import run_study
from weigh.execute.listener import Silent
from weigh.study import Study

MODELS = ["timm:good", "timm:middling", "timm:poor", "timm:poorer"]
ACCURACY = {
    "timm:good × probe": 0.9, "timm:middling × probe": 0.8, "timm:poor × probe": 0.6, "timm:poorer × probe": 0.55,
    "timm:good × finetune": 0.93, "timm:middling × finetune": 0.97, "timm:poor × finetune": 0.99,
}  # fmt: skip
RECIPES = [
    "probe",
    {"name": "finetune", "epochs": 2, "image_size": 32},
    {"name": "scratch", "epochs": 2, "image_size": 32},
]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("many") / "photos", per_class=60, size=16)


def study(photos, folder, monkeypatch, *, recipes=RECIPES, finalists: int | str = 2, settings=(), **given) -> Study:
    settings = [f"design.finalists={finalists}", "design.race=false", *settings]
    return planted_study(photos, folder, monkeypatch, MODELS, recipes, ACCURACY, settings=settings, **given)


def ran(study: Study) -> dict[str, set[str]]:
    """Recipe -> models that ran with it, whatever for."""
    models: dict[str, set[str]] = {}
    for record in study.results().records:
        model, _, recipe = record.candidate.partition(" × ")
        models.setdefault(recipe, set()).add(model)
    return models


def test_networks_are_trained_only_of_the_models_that_came_first(many, tmp_path, monkeypatch):
    narrow = study(many, tmp_path / "s", monkeypatch)
    before = str(narrow.plan())
    assert "All 4 models run with probe; finetune, scratch run only with the 2 that come first with it" in before
    narrow.run()
    assert ran(narrow) == {
        "probe": set(MODELS), "finetune": {"timm:good", "timm:middling"}, "scratch": {"timm:good", "timm:middling"},
    }  # fmt: skip
    results = narrow.results()
    assert results.winner == "timm:middling × finetune"
    assert not results.unfinished
    findings = {finding.id: finding for finding in narrow.read()}
    assert not [f for f in findings.values() if f.kind in ("internal", "progress")]
    told = findings["finalists"]
    assert told.verdict == "no"
    assert (
        "finetune, scratch ran with 2 of 4 models, by what they score with probe: timm:good, timm:middling."
        in told.sentence.en
    )
    assert re.search(r"Left out: timm:poor, \d+\.\d points \[\d.*\] behind good × probe", told.sentence.en)
    assert "What was not trained might have been better" in told.sentence.en
    assert "没有训练过的方案也可能更好" in told.sentence.zh
    assert told.estimates["behind_1"].value > 10
    for name in ("report.html", "report.zh.html"):
        assert "timm:poorer" in (narrow.folder / name).read_text(encoding="utf-8")
    again = str(narrow.plan())
    assert "finetune, scratch: only with timm:good, timm:middling, by what the models score with probe" in again
    assert "To run: 0 runs" in again


@pytest.fixture(scope="module")
def whole(many, tmp_path_factory):
    """An undisturbed study. Do not change it."""
    with pytest.MonkeyPatch.context() as patch:
        return records_only(study(many, tmp_path_factory.mktemp("whole") / "s", patch))


@pytest.mark.parametrize("stop_after", [30, 80, *(pytest.param(at, marks=pytest.mark.thorough) for at in (3, 65))])
def test_interrupted_anywhere_it_chooses_the_same(many, whole, tmp_path, monkeypatch, stop_after):
    calls: list = []
    broken = study(many, tmp_path / "s", monkeypatch, calls=calls, stop_after=stop_after)
    with pytest.raises(KeyboardInterrupt):
        run_study(broken.spec, broken.folder, Silent())
    findings = Study.open(broken.folder).read()
    assert not [f for f in findings if f.kind == "internal"]
    for told in (f.sentence.en for f in findings if f.id == "finalists"):
        assert "finetune, scratch are to run with 2 of 4 models" in told, "they have not all run yet"
    resumed = records_only(study(many, tmp_path / "s", monkeypatch))
    assert {r.key for r in resumed.results().records} == {r.key for r in whole.results().records}


def test_time_is_predicted_for_the_slowest_that_may_be_chosen(many, tmp_path, monkeypatch):
    seconds = {"timm:good": 0.001, "timm:middling": 0.001, "timm:poor": 0.1, "timm:poorer": 0.2}
    alone = study(many, tmp_path / "a", monkeypatch, finalists=1, seconds=seconds).plan()
    both = study(many, tmp_path / "b", monkeypatch, finalists=2, seconds=seconds).plan()
    everybody = study(many, tmp_path / "c", monkeypatch, finalists="null", seconds=seconds).plan()
    assert alone.seconds < both.seconds < everybody.seconds
    trained = {run.model for run in alone.plan.runs if run.recipe == "finetune"}
    assert trained == {"timm:poorer"}


@pytest.mark.parametrize(
    ("slow", "trained"), [(["good"], ["middling", "poor"]), (["good", "middling", "poor", "poorer"], [])]
)
def test_who_would_take_too_long_is_passed_over_and_said_so(many, tmp_path, monkeypatch, slow, trained):
    seconds = {f"timm:{name}": 0.05 for name in slow}  # a minute for each network
    narrow = study(many, tmp_path / "s", monkeypatch, seconds=seconds, settings=["design.budget=100s"])
    records_only(narrow)
    assert ran(narrow).get("finetune", set()) == {f"timm:{name}" for name in trained}
    findings = narrow.read()
    told = next(f for f in findings if f.id == "finalists").sentence
    named = ", ".join(f"timm:{name}" for name in slow)
    them = "it" if len(slow) == 1 else "them"
    assert f"finetune, scratch would take longer than 100s with {named}, and so do not run with {them}." in told.en
    assert f"finetune, scratch 与 {named} 组合所需的时间会超过 100s，因此不运行。" in told.zh
    assert not any(f"Left out: timm:{name}" in told.en for name in slow)
    assert ("None of the 4 models was trained with finetune or scratch." in told.en) == (not trained)
    assert ("4 个模型都没有用 finetune、scratch 训练。" in told.zh) == (not trained)
    assert not [f for f in findings if f.kind == "internal"]


def test_a_plan_says_of_networks_only_what_is_planned(many, tmp_path, monkeypatch):
    slow = dict.fromkeys(MODELS, 0.05)
    none = str(study(many, tmp_path / "n", monkeypatch, seconds=slow, settings=["design.budget=100s"]).plan())
    assert "and so do not run with them" in none
    assert "come first with it" not in none, "nobody goes on"
    seconds = {**slow, "timm:good": 0.001}
    one = str(study(many, tmp_path / "o", monkeypatch, seconds=seconds, settings=["design.budget=100s"]).plan())
    assert (
        "run only with the 2 that come first with it, as far as there is time. The time below is with timm:good." in one
    )
    assert "and so do not run" not in one, "who comes first is not known"


def test_a_wider_study_keeps_what_is_recorded(many, tmp_path, monkeypatch):
    records_only(study(many, tmp_path / "s", monkeypatch, finalists=1))
    calls: list = []
    wider = records_only(study(many, tmp_path / "s", monkeypatch, finalists=3, calls=calls))
    assert ran(wider)["finetune"] == {"timm:good", "timm:middling", "timm:poor"}
    assert not [c for c in calls if c[0] == "timm:good × finetune" and c[1] == "main"]
    narrower = records_only(study(many, tmp_path / "s", monkeypatch, finalists=1))
    assert ran(narrower)["finetune"] == {"timm:good", "timm:middling", "timm:poor"}, "what is recorded is read"
    assert not [
        f for f in Study.open(narrower.folder).read() if "timm:poor × finetune" in f.candidates and f.id == "finalists"
    ]


def test_a_model_whose_head_failed_is_left_out_and_said_so(many, tmp_path, monkeypatch):
    narrow = study(many, tmp_path / "s", monkeypatch, fail="timm:good × probe")
    records_only(narrow)
    assert ran(narrow)["finetune"] == {"timm:middling", "timm:poor"}
    told = next(f for f in narrow.read() if f.id == "finalists")
    assert "Left out: timm:good, which has no score." in told.sentence.en


def test_a_yardstick_cannot_choose(many, tmp_path, monkeypatch):
    with pytest.raises(DesignError, match="is a yardstick"):
        study(many, tmp_path / "s", monkeypatch, recipes=RECIPES[::-1]).plan()
