"""A race through the front door: dropped, resumed, extended and told of."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import make_photos
from tests.plan.planted_workers import main_runs, planted_study, records_only
from weigh.plan.candidates import cross_candidates
from weigh.plan.racing import racing_words, start_race
from weigh.spec import StudySpec
from weigh.study import Study

GOOD = {"best": 0.97, "second": 0.6}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("many") / "photos", per_class=100, size=16)


def recipes(count: int = 6) -> list[dict]:
    names = ["best", "second", *(f"poor{i}" for i in range(count - 2))]
    return [{"name": "finetune", "label": name, "epochs": i + 1, "image_size": 32} for i, name in enumerate(names)]


def study(photos, folder: Path, monkeypatch, *, count=6, **given) -> Study:
    return planted_study(photos, folder, monkeypatch, ["timm:none"], recipes(count), GOOD, **given)


def findings_of(study: Study) -> str:
    return without_times(study.report(format="json"))


def without_times(findings: str) -> str:
    from weigh.report.json_file import strip_measured

    return json.dumps(strip_measured(json.loads(findings)), sort_keys=True)


@pytest.fixture(scope="module")
def calm(many, tmp_path_factory):
    """An undisturbed race. Do not change it."""
    with pytest.MonkeyPatch.context() as patch:
        return records_only(study(many, tmp_path_factory.mktemp("calm") / "s", patch))


def test_hopeless_candidates_are_dropped_and_told_of(many, tmp_path, monkeypatch):
    raced = study(many, tmp_path / "s", monkeypatch)
    words = str(raced.plan())
    assert "Racing is on" in words
    assert "worst case, 72 such runs" in words
    raced.run()
    runs = main_runs(raced)
    assert runs["best"] >= 4  # its first repeat is complete
    assert all(runs[f"poor{i}"] < 12 for i in range(4))
    assert sum(runs.values()) < 72 / 2
    results = raced.results()
    assert results.winner.endswith("best")
    assert not results.unfinished
    assert not [r for r in results.records if r.status == "failed"]
    refitted = {r.candidate for r in results.runs("refit")}
    assert refitted == {c.id for c in results.candidates} - results.race.out
    findings = {f.id: f for f in raced.read()}
    assert not [f for f in findings.values() if f.kind in ("internal", "progress")]
    told = findings["racing"]
    assert told.verdict == "no"
    assert re.search(r"Dropped after \d+ of 12 folds: poor0", told.sentence.en)
    assert all(f"poor{i}" in told.sentence.en for i in range(4))
    assert "退出" in told.sentence.zh
    assert "points [" in told.sentence.en
    for name in ("report.html", "report.zh.html"):
        assert "poor0" in (raced.folder / name).read_text(encoding="utf-8")
    again = str(raced.plan())
    assert "Racing is over" in again
    assert "To run: 0 runs" in again


@pytest.mark.parametrize("stop_after", [7, -3, *(pytest.param(at, marks=pytest.mark.thorough) for at in (1, 12, -1))])
def test_interrupted_anywhere_it_decides_the_same(many, calm, tmp_path, monkeypatch, stop_after):
    calls: list = []
    if stop_after < 0:  # counted from the end: the last one is a refit
        stop_after += len(calm.results().records)
    broken = study(many, tmp_path / "s", monkeypatch, calls=calls, stop_after=stop_after)
    with pytest.raises(KeyboardInterrupt):
        records_only(broken)
    if stop_after == 7:  # a report of half a race is valid
        half = Study.open(broken.folder).read()
        assert not [f for f in half if f.kind == "internal"]
        assert {"progress", "racing"} <= {f.kind for f in half}
    resumed = records_only(study(many, tmp_path / "s", monkeypatch))
    assert main_runs(resumed) == main_runs(calm)
    assert resumed.results().race == calm.results().race
    if stop_after == len(calm.results().records) - 3:
        assert findings_of(resumed) == findings_of(calm)


def test_without_racing_the_missing_runs_are_run_and_no_other(many, calm, tmp_path, monkeypatch):
    shutil.copytree(calm.folder, tmp_path / "s")
    before = {r.key for r in calm.results().runs("main")}
    calls: list = []
    whole = records_only(study(many, tmp_path / "s", monkeypatch, settings=["design.race=false"], calls=calls))
    after = {r.key for r in whole.results().runs("main")}
    assert before < after
    assert len(after) == 72
    assert sum(purpose == "main" for _, purpose, _, _ in calls) == 72 - len(before)
    assert whole.results().race is None
    assert not whole.results().unfinished
    back = records_only(study(many, tmp_path / "s", monkeypatch))  # on again: the same decisions from the same records
    assert {r.key for r in back.results().runs("main")} == before


def test_a_candidate_that_always_fails_holds_nothing_up(many, tmp_path, monkeypatch):
    results = records_only(study(many, tmp_path / "s", monkeypatch, fail="poor0")).results()
    assert results.winner.endswith("best")
    assert results.race.stop == "one left"


def test_few_candidates_run_to_the_end_unless_asked(many, tmp_path, monkeypatch):
    calm = study(many, tmp_path / "few", monkeypatch, count=4)
    assert calm.plan().race is None
    assert "acing" not in str(calm.plan())
    asked = study(many, tmp_path / "asked", monkeypatch, count=4, settings=["design.race=true"])
    assert asked.plan().race is not None


def test_decisions_are_facts_of_the_ledger(calm):
    with sqlite3.connect(calm.folder / "ledger.sqlite") as db:
        stored = json.loads(db.execute("SELECT value FROM facts WHERE key = 'race'").fetchone()[0])
    assert stored["stop"] == "one left"
    assert {drop["candidate"].rpartition(" × ")[2] for drop in stored["dropped"]} >= {"poor0", "poor1"}
    assert all(drop["value"] > 0 and drop["blocks"] < drop["planned"] for drop in stored["dropped"])


def test_heads_race_nobody():
    heads = [{"name": "probe", "label": f"p{i}"} for i in range(6)]
    spec = StudySpec(data="photos", models=["timm:none"], recipes=heads, design={"race": True})
    assert start_race(spec, cross_candidates(spec), {}) is None
    words = racing_words(None, spec, cross_candidates(spec))
    assert "No racing" in words.en
    assert "竞速" in words.zh


def test_more_repeats_are_asked_for_where_they_would_be_run(many, calm, tmp_path, monkeypatch):
    from weigh.findings.evidence import read_evidence

    names = [candidate.id for candidate in calm.results().candidates]
    assert read_evidence(calm.results()).more_repeats(*names) == "design.race: false"
    shutil.copytree(calm.folder, tmp_path / "s")
    whole = records_only(study(many, tmp_path / "s", monkeypatch, settings=["design.race=false"]))
    assert read_evidence(whole.results()).more_repeats(*names) == "design.repeats"
