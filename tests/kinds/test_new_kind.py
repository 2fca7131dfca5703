"""A kind that weigh does not know, registered from this file alone, runs end to end: study, resume, report in both languages, predict, ONNX.

Directions: an angle per picture, in degrees; 359 and 1 are two degrees apart. CONTRIBUTING.md points here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.registered import registered
from weigh.errors import SpecError
from weigh.heads.base import HEADS, Head
from weigh.kinds.base import KINDS, Blind, Kind, Prediction, Strata
from weigh.language import text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.shares import influence_on_mean, weighted_mean
from weigh.study import Study
from weigh.tasks import TASKS, Task
from weigh.testing.contracts import check_metric

NAME, TASK, METRIC = "direction", "image-direction", "angle_error"


def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees between directions, at most 180."""
    return np.abs((first - second + 180) % 360 - 180)


class Direction(Kind):
    name, title, primary = NAME, text("directions", "方向"), METRIC
    typed = exact = False
    unordered = text("directions have no classes", "方向没有类别")

    def blank(self, n: int, classes: int) -> np.ndarray:
        return np.zeros(n)

    def encode(self, rows: Sequence[Any], classes: Sequence[str]) -> np.ndarray:
        return np.array([float(cell) % 360 for cell in rows])

    def strata(self, target: np.ndarray) -> Strata:
        return Strata.single((target // 45).astype(np.int64), 8)

    def varied(self, target: np.ndarray) -> bool:
        return len(np.unique(target)) > 2

    def decide(self, answers: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
        angle = np.degrees(np.arctan2(answers[:, 1].astype(float), answers[:, 0].astype(float))) % 360
        return Prediction(answers.astype(np.float64), angle)

    def distances(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        return apart(labels, target)

    def same_answer(self, labels: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> str:
        return f"{labels[0]:.0f}°" if apart(labels, labels[0]).max() < 1e-3 else ""

    def blind(self, target: np.ndarray, classes: int) -> Blind:
        rays = np.exp(1j * np.radians(target)).mean()
        middle = np.full(len(target), np.degrees(np.angle(rays)) % 360)
        return Blind(
            Prediction(middle[:, None], middle),
            text("always answering the mean direction", "总是回答平均方向"),
            text("mean", "平均"),
        )

    def quote(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        return f"{target:.0f}°"

    def cells(self, labels: np.ndarray, classes: Sequence[str]) -> Any:
        return labels.astype(np.float64)

    def row(self, prediction, i, classes, *, tokens=(), threshold=False) -> dict[str, Any]:
        return {"degrees": None if prediction is None else float(prediction.labels[i])}

    def draw(self, rng: np.random.Generator, n: int, classes: int) -> tuple[Prediction, np.ndarray]:
        answers = rng.normal(size=(n, 2))
        return self.decide(answers), rng.integers(0, 8, n) * 45.0


def ray(target: np.ndarray, _batch: torch.Tensor, _drawn: torch.Tensor | None) -> torch.Tensor:
    angle = torch.from_numpy(np.radians(target).astype(np.float32))
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def loss(logits: torch.Tensor, target: torch.Tensor, _weight: torch.Tensor | None) -> torch.Tensor:
    return (logits - target).square().mean()


ENTRIES = [
    (KINDS, NAME, Direction()),
    (HEADS, NAME, Head(lambda _: 2, lambda _: 2, ray, loss)),
    (METRICS, METRIC, Metric(
        METRIC, text("mean angle between directions", "方向的平均夹角"), "count", greater_is_better=False,
        measure=lambda prediction, target: apart(prediction.labels, target)[:, None], reduce=weighted_mean, rope=1.0,
        unit="degrees", kinds=frozenset({NAME}), linear=True, influence=influence_on_mean,
    )),
    (TASKS, TASK, Task(TASK, (NAME,), "pictures")),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _registered():
    with registered(ENTRIES):
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory, tiny) -> Study:
    """Bars that point somewhere, brighter towards their tip."""
    folder = tmp_path_factory.mktemp("directions")
    rng, (y, x) = np.random.default_rng(0), np.mgrid[-1:1:48j, -1:1:48j]
    rows = ["path,label"]
    for i in range(60):
        angle = rng.uniform(0, 360)
        along = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
        picture = 128 + 100 * along[..., None] + rng.normal(0, 10, (48, 48, 3))
        Image.fromarray(picture.clip(0, 255).astype("uint8")).save(folder / f"{i:02d}.png")
        rows.append(f"{i:02d}.png,{angle:.2f}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    settings = ["design.folds=3", "design.repeats=2", "design.test=0.2", "run.offline=true", "run.threads=1",
                "recipes.finetune.epochs=6", "recipes.finetune.image_size=32",
                "recipes.finetune.augment=none"]  # fmt: skip
    made = Study.from_data(
        folder / "table.csv", [tiny], ["finetune"], task=TASK, settings=settings, folder=folder / "study"
    )
    made.run()
    return made


def test_the_metric_keeps_its_contract():
    check_metric(METRICS.get(METRIC))


def test_a_study_of_a_new_kind(study):
    results = study.results()
    assert results.examples.kind is KINDS.get(NAME)
    assert not [f.sentence.en for f in study.read() if f.kind == "internal"]
    found = results.out_of_fold(results.candidates[0].id)
    answered = found.prediction(0).labels
    assert apart(answered, found.target).mean() < 80  # 90 is chance
    assert apart(results.examples.target, [float(r.split(",")[1]) for r in _rows(study)]).max() < 0.01
    again = Study.open(study.folder)
    runs = len(again.results().records)
    again.run()
    assert len(again.results().records) == runs  # nothing is trained twice


def _rows(study: Study) -> list[str]:
    return (Path(study.folder).parent / "table.csv").read_text("utf-8").splitlines()[1:]


def test_a_recipe_that_needs_more_is_refused_before_anything_runs(study, tiny):
    """Nobody said how a linear head is fitted to directions."""
    with pytest.raises(SpecError, match="probe"):
        Study.from_data(Path(study.folder).parent / "table.csv", [tiny], ["probe"], task=TASK).run()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_its_report(study, language):
    page, told = study.report("html", language), study.report("md", language)
    assert METRICS.get(METRIC).title.render(language) in told
    assert "<svg" in page
    assert "°" in told or "degrees" in told


def test_it_predicts_and_exports(study, tmp_path):
    pictures = sorted(Path(study.folder).parent.glob("*.png"))[:4]
    rows = study.predict(pictures)
    assert all(0 <= row["degrees"] < 360 for row in rows)
    table = study.table("predictions")
    assert len(table) == 48 * 2 + 12
    pytest.importorskip("onnxruntime")
    from weigh.saved.onnx_file import export_onnx

    assert export_onnx(study.folder / "model", tmp_path / "m.onnx") < 1e-3
    config = json.loads((study.folder / "model" / "config.json").read_text("utf-8"))["weigh"]
    assert (config["task"], config["kind"]) == (TASK, NAME)
