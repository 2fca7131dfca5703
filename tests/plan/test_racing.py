"""A race through the front door: dropped, resumed, extended and told of."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import make_photos
from weigh.execute import driver
from weigh.run import Outcome
from weigh.study import Study

SETTINGS = ["design.folds=4", "design.repeats=3", "run.offline=true", "design.test=0.2", "run.jobs=1"]
GOOD = {"best": 0.97, "second": 0.6}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("many") / "photos", per_class=100, size=16)


def recipes(count: int = 6) -> list[dict]:
    names = ["best", "second", *(f"poor{i}" for i in range(count - 2))]
    return [{"name": "finetune", "label": name, "epochs": 1, "image_size": 32} for name in names]


def planted(calls: list | None = None, fail: str = "", stop_after: int | None = None):
    """A worker that answers from a planted accuracy instead of training; the same run always gives the same answer."""
    import numpy as np

    def run_job(job, examples, progress=None):
        outcomes = []
        for run in job.runs:
            if calls is not None:
                if stop_after is not None and len(calls) >= stop_after:
                    raise KeyboardInterrupt
                calls.append((run.candidate, run.purpose, run.repeat, run.fold))
            label = run.candidate.rpartition(" × ")[2]
            if label == fail:
                outcomes.append(Outcome(run.key, "failed", cause="planted"))
                continue
            rng = np.random.default_rng(int(run.key[:8], 16))
            right = rng.random(len(run.test)) < GOOD.get(label, 0.5)
            target = examples.target[run.test]
            answer = np.where(right, target, 1 - target)
            logits = (4.0 * np.eye(2)[answer] + rng.normal(0, 0.1, (len(answer), 2))).astype(np.float32)
            weights = {"planted": np.zeros(1, np.float32)} if run.keep_weights else None
            outcomes.append(Outcome(run.key, "done", logits=logits, facts={"best_epoch": 1}, weights=weights))
        return outcomes

    return run_job


def study(photos, tiny, folder: Path, monkeypatch, *, settings=(), count=6, **given) -> Study:
    """A study whose workers are planted; nothing is saved but records."""
    monkeypatch.setattr("weigh.execute.local.run_job", planted(**given))
    monkeypatch.setattr(driver, "_save_winner", lambda ledger, run, outcome, results: None)
    monkeypatch.setattr(driver, "_model_there", lambda folder: True)
    return Study.from_data(photos, [tiny], recipes(count), settings=[*SETTINGS, *settings], folder=folder)


def main_runs(study) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in study.results().runs("main", status=None):
        found[record.candidate.rpartition(" × ")[2]] = found.get(record.candidate.rpartition(" × ")[2], 0) + 1
    return found


def stripped(folder: Path) -> str:
    from weigh.report.json_file import strip_measured

    return json.dumps(
        strip_measured(json.loads((folder / "findings.json").read_text(encoding="utf-8"))), sort_keys=True
    )


def test_hopeless_candidates_are_dropped_and_told_of(many, tiny, tmp_path, monkeypatch):
    raced = study(many, tiny, tmp_path / "s", monkeypatch)
    words = str(raced.plan())
    assert "Racing is on" in words
    assert "worst case, 72 such runs" in words
    raced.run()
    runs = main_runs(raced)
    assert runs["best"] >= 4  # its first repeat is complete
    assert all(runs[f"poor{i}"] < 12 for i in range(4))
    assert sum(runs.values()) < 72 / 3
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
    assert "Dropped after 2 of 12 folds: poor0" in told.sentence.en
    assert "退出" in told.sentence.zh
    assert "points [" in told.sentence.en
    for name in ("report.html", "report.zh.html"):
        assert "poor0" in (raced.folder / name).read_text(encoding="utf-8")
    again = str(raced.plan())
    assert "Racing is over" in again
    assert "To run: 0 runs" in again


@pytest.mark.parametrize("stop_after", [1, 7, 13, 15, 20])
def test_interrupted_anywhere_it_decides_the_same(many, tiny, tmp_path, monkeypatch, stop_after):
    calm = study(many, tiny, tmp_path / "calm", monkeypatch).run()
    calls: list = []
    broken = study(many, tiny, tmp_path / "s", monkeypatch, calls=calls, stop_after=stop_after)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    half = Study.open(broken.folder).read()  # a report of half a race is valid
    assert not [f for f in half if f.kind == "internal"]
    resumed = study(many, tiny, tmp_path / "s", monkeypatch).run()
    assert main_runs(resumed) == main_runs(calm)
    assert resumed.results().race == calm.results().race
    assert stripped(resumed.folder) == stripped(calm.folder)


def test_without_racing_the_missing_runs_are_run_and_no_other(many, tiny, tmp_path, monkeypatch):
    raced = study(many, tiny, tmp_path / "s", monkeypatch).run()
    before = {r.key for r in raced.results().runs("main")}
    calls: list = []
    whole = study(many, tiny, tmp_path / "s", monkeypatch, settings=["design.race=false"], calls=calls).run()
    after = {r.key for r in whole.results().runs("main")}
    assert before < after
    assert len(after) == 72
    assert sum(purpose == "main" for _, purpose, _, _ in calls) == 72 - len(before)
    assert whole.results().race is None
    assert not [f for f in whole.read() if f.kind in ("racing", "internal", "progress")]
    back = study(
        many, tiny, tmp_path / "s", monkeypatch
    ).run()  # and on again: the same decisions from the same records
    assert {r.key for r in back.results().runs("main")} == before


def test_a_candidate_that_always_fails_holds_nothing_up(many, tiny, tmp_path, monkeypatch):
    raced = study(many, tiny, tmp_path / "s", monkeypatch, fail="poor0").run()
    results = raced.results()
    assert results.winner.endswith("best")
    assert results.race.stop
    assert not [f for f in raced.read() if f.kind == "internal"]


def test_few_candidates_run_to_the_end_unless_asked(many, tiny, tmp_path, monkeypatch):
    calm = study(many, tiny, tmp_path / "few", monkeypatch, count=4)
    assert calm.plan().race is None
    assert "acing" not in str(calm.plan())
    asked = study(many, tiny, tmp_path / "asked", monkeypatch, count=4, settings=["design.race=true"])
    assert asked.plan().race is not None


def test_decisions_are_facts_of_the_ledger(many, tiny, tmp_path, monkeypatch):
    raced = study(many, tiny, tmp_path / "s", monkeypatch).run()
    with sqlite3.connect(raced.folder / "ledger.sqlite") as db:
        stored = json.loads(db.execute("SELECT value FROM facts WHERE key = 'race'").fetchone()[0])
    assert stored["stop"] == "one left"
    assert {drop["candidate"].rpartition(" × ")[2] for drop in stored["dropped"]} >= {"poor0", "poor1"}
    assert all(drop["value"] > 0 and drop["blocks"] < drop["planned"] for drop in stored["dropped"])


def test_heads_race_nobody(photos, tiny, tmp_path):
    heads = [{"name": "probe", "label": f"p{i}", "strengths": [10.0**i]} for i in range(6)]
    plan = Study.from_data(
        photos, [tiny], heads, settings=["design.race=true", "run.offline=true"], folder=tmp_path / "h"
    ).plan()
    assert plan.race is None
    assert "No racing" in str(plan)
