"""A study with the recipe last-stage: planned, run, judged, refitted, saved; and one whose network has no last stage."""

from __future__ import annotations

import json

import numpy as np
import pytest

from weigh.study import Study

SETTINGS = [
    "design.folds=2", "design.repeats=1", "design.test=0.25", "design.curve=true", "run.offline=true", "output.refit=true",
]  # fmt: skip
WITHOUT = [*(s for s in SETTINGS if "curve" not in s), "design.curve=false", "design.order_check=false"]
RECIPE = {"name": "last-stage", "epochs": 2, "image_size": 64}


@pytest.fixture(scope="module")
def study(photos, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("last-stage") / "study"
    return Study.from_data(photos, [tiny], ["probe", RECIPE], settings=SETTINGS, folder=folder).run()


def test_it_is_planned_and_judged_like_any_network(study, tiny):
    results = study.results()
    name = f"{tiny} × last-stage"
    main = results.runs(candidate=name)
    assert [(r.repeat, r.fold, r.status) for r in main] == [(0, 0, "done"), (0, 1, "done")]
    assert {r.facts["trained_from"] for r in main} == {"layer4"}
    assert all(r.measured["predict_seconds_per_example"] > 0 for r in main)
    refits = results.runs(candidate=name, purpose="refit")
    assert [r.status for r in refits] == ["done"]
    assert not [finding for finding in study.read() if finding.kind == "internal"]
    shown = {finding.kind for finding in study.read()}
    assert {"performance", "comparison", "cost"} <= shown


def test_the_saved_model_predicts(photos, tiny, tmp_path):
    done = Study.from_data(photos, [tiny], [RECIPE], settings=WITHOUT, folder=tmp_path / "study").run()
    config = json.loads((done.folder / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["weigh"]["preprocessing"]["size"] == 64
    rows = done.predict(sorted(photos.rglob("*.png"))[:3])
    assert np.allclose([row["p:circle"] + row["p:stripe"] for row in rows], 1)


def test_a_network_without_a_last_stage_fails_alone(photos, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("weigh.models.stage._cut", lambda *_: None)
    done = Study.from_data(photos, [tiny], ["probe", RECIPE], settings=WITHOUT, folder=tmp_path / "study").run()
    failed = done.results().runs(candidate=f"{tiny} × last-stage", status="failed")
    assert len(failed) == 2
    assert "Use probe" in failed[0].cause
    assert done.results().winner == f"{tiny} × probe"
