"""A recipe that gets another label is the same candidate under another name: nothing runs again, and all of it is read."""

from __future__ import annotations

import json
import shutil

from tests.plan.planted_workers import records_only
from weigh.study import Study

SETTINGS = ["design.folds=4", "design.repeats=2", "design.test=0.25", "run.offline=true"]  # of `finished`


def test_a_study_goes_on_when_a_recipe_gets_a_label(finished, photos, tiny, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "finished")
    weights = (folder / "model" / "model.safetensors").stat().st_mtime_ns
    recipes = [{"name": "probe", "label": "plain"}, {"name": "probe", "label": "weak", "strengths": [1e4]}]
    before = finished.results()
    after = records_only(Study.from_data(photos, [tiny], recipes, settings=SETTINGS, folder=folder)).results()

    def renamed(name: str) -> str:
        return name.replace("× probe", "× plain")

    assert [r.key for r in after.records] == [r.key for r in before.records]
    assert [r.candidate for r in after.records] == [renamed(r.candidate) for r in before.records]
    assert after.winner == renamed(before.winner)
    assert after.models == before.models
    saved = json.loads((folder / "model" / "config.json").read_text("utf-8"))["weigh"]["facts"]["candidate"]
    assert saved == after.winner, "or `weigh predict` says that another candidate was saved"
    assert (folder / "model" / "model.safetensors").stat().st_mtime_ns == weights
