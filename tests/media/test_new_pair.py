"""A kind and a medium that know nothing of each other, nor weigh of either: one line makes a task of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.kinds import test_new_kind as kind
from tests.media import test_new_medium as medium
from tests.registered import registered
from weigh.language import text
from weigh.metrics.base import METRICS
from weigh.registry import Registry
from weigh.study import Study
from weigh.tasks import TASKS, Task

TASK = "vector-direction"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """The direction of the first two numbers."""
    folder = tmp_path_factory.mktemp("pairs")
    vectors = np.random.default_rng(0).normal(size=(80, medium.WIDTH))
    angles = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360
    rows = [",".join(f"{v:.4f}" for v in (*vector, angle)) for vector, angle in zip(vectors, angles, strict=True)]
    (folder / "table.csv").write_text("\n".join(["a,b,c,d,label", *rows]) + "\n", encoding="utf-8")
    pair = (TASKS, TASK, Task(TASK, (kind.NAME,), medium.NAME))
    with registered([*kind.ENTRIES, *medium.EVIDENCE, *medium.COMPUTE, pair], medium.SOURCE):
        recipes = [{"name": "finetune", "epochs": 20, "learning_rate": 0.02}]
        yield Study.from_data(
            folder / "table.csv", [f"{medium.SOURCE}:small"], recipes, task=TASK, settings=medium.SETTINGS,
            folder=folder / "study",
        ).run()  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_study_its_report_and_predictions(study, language):
    assert not [f.sentence.en for f in study.read() if f.kind == "internal"]
    found = study.results().out_of_fold(study.results().winner)
    assert kind.apart(found.prediction(0).labels, found.target).mean() < 60  # 90 is chance
    assert METRICS.get(kind.METRIC).title.render(language) in study.report("md", language)
    assert "<svg" in study.report("html", language)
    (row,) = study.predict([(1.0, 1.0, 0.0, 0.0)])
    assert 0 <= row["degrees"] < 360


def test_what_contributing_shows_is_what_is_tested():
    """The example of a medium, executed as it stands there, registers what `test_new_medium.py` registers."""
    page = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = next(block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "(Medium)" in block)
    mine = {name: Registry(text(name, name)) for name in ("MEDIA", "READERS", "TASKS", "FEEDS")}
    exec(shown, {**vars(medium), "restored": None, **mine})
    vectors = mine["MEDIA"].get(medium.NAME)
    assert (vectors.name, vectors.reads, vectors.noun) == (medium.NAME, medium.NAME, medium.Vectors.noun)
    assert vectors.quoted((1.0, 2.5)) == medium.Vectors().quoted((1.0, 2.5))
    tested = {(registry.kind.en, name): entry for registry, name, entry in medium.EVIDENCE}
    assert mine["READERS"].get(medium.NAME) == tested["reader", medium.NAME]
    assert mine["TASKS"].get(medium.TASK) == tested["task", medium.TASK]
    assert mine["FEEDS"].get(medium.NAME).stream is medium.stream
