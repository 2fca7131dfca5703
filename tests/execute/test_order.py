"""In which order jobs end, the machine decides: what is found does not depend on it."""

from __future__ import annotations

import json

import pytest

from weigh.execute import local
from weigh.report.json_file import strip_measured
from weigh.study import Study

SETTINGS = ["design.folds=2", "design.repeats=1", "run.offline=true", "run.threads=1", "design.curve=false", "design.order_check=false",
            "design.test=0.2", "recipes.finetune.epochs=1", "recipes.finetune.image_size=32", "recipes.scratch.epochs=1",
            "recipes.scratch.image_size=64"]  # fmt: skip


@pytest.mark.slow
def test_jobs_that_end_in_another_order_find_the_same(photos, tiny, tmp_path, monkeypatch):
    """Candidates with inputs of different sizes share a model: which size the report names must not depend on who was last."""

    def findings(name: str) -> dict:
        study = Study.from_data(
            photos, [tiny], ["probe", "finetune", "scratch"], settings=SETTINGS, folder=tmp_path / name
        ).run()
        return strip_measured(json.loads((study.folder / "findings.json").read_text("utf-8")))

    in_order, real = findings("in-order"), local.ThisProcess.run
    monkeypatch.setattr(local.ThisProcess, "run", lambda self, jobs, progress=None: real(self, jobs[::-1], progress))
    assert findings("reversed") == in_order
