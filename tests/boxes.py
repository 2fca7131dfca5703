"""Simulated detections and COCO's own evaluation, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from weigh.kinds.base import Prediction, rows_of
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.boxes import BOXES
from weigh.metrics.base import METRICS

TWELVE = (
    *("map", "map_50", "map_75", "map_small", "map_medium", "map_large"),
    *("average_recall_1", "average_recall_10", "average_recall_100"),
    *("average_recall_small", "average_recall_medium", "average_recall_large"),
)


def measured(answers: Sequence[Detections], target: Sequence[Boxes]) -> tuple[Prediction, np.ndarray]:
    """What a run would have recorded."""
    boxes = rows_of(list(target))
    return BOXES.decide(BOXES.recorded(rows_of(list(answers)), boxes)), boxes


def twelve(answers: Sequence[Detections], target: Sequence[Boxes], weights: np.ndarray | None = None) -> np.ndarray:
    """COCO's twelve numbers; NaN where undefined."""
    prediction, boxes = measured(answers, target)
    return np.array([METRICS.get(name).score(prediction, boxes, weights) for name in TWELVE])


def simulated(
    rng: np.random.Generator, target: Sequence[Boxes], classes: int, *, skill: float = 0.75, noise: float = 3.0
) -> list[Detections]:
    """What a detector of some skill finds: boxes a little beside, some of another class, false alarms; no two scores are the same."""
    answers = []
    for boxes in target:
        some = rng.random(len(boxes.classes)) < skill
        sides = np.tile(boxes.corners[some, 2:] - boxes.corners[some, :2], 2)
        moved = boxes.corners[some] + rng.normal(0, 0.06, sides.shape) * sides
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        of = np.where(rng.random(some.sum()) < 0.9, boxes.classes[some], rng.integers(0, classes, some.sum()))
        more = int(rng.poisson(noise))
        start = rng.random((more, 2)) * np.maximum(1, [boxes.width - 20, boxes.height - 20])
        false = np.concatenate([start, start + rng.uniform(5, 150, (more, 2))], axis=1)
        corners = np.concatenate([moved, false])
        scores = np.concatenate([rng.beta(4, 2, len(moved)), rng.beta(1.5, 4, more)])
        answers.append(
            Detections.of(
                boxes.height, boxes.width, corners, np.concatenate([of, rng.integers(0, classes, more)]), scores
            )
        )
    return answers


def coco(answers: Sequence[Detections], target: Sequence[Boxes], classes: int) -> Any:
    """`COCOeval` of the same, evaluated, accumulated and summarised; -1 stands for undefined in its `stats`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    gold = {
        "images": [{"id": i, "height": boxes.height, "width": boxes.width} for i, boxes in enumerate(target)],
        "categories": [{"id": c} for c in range(classes)],
        "annotations": [],
    }
    for i, boxes in enumerate(target):
        for corners, c, crowd, area in zip(boxes.corners, boxes.classes, boxes.crowd, boxes.area, strict=True):
            own = {"id": len(gold["annotations"]) + 1, "image_id": i, "category_id": int(c), "iscrowd": int(crowd)}
            gold["annotations"].append({**own, "bbox": _sides(corners), "area": float(area)})
    found = [
        {"image_id": i, "category_id": int(c), "bbox": _sides(corners), "score": float(score)}
        for i, own in enumerate(answers)
        for corners, c, score in zip(own.corners, own.classes, own.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = gold
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found) if found else COCO(), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _sides(corners: np.ndarray) -> list[float]:
    left, top, right, bottom = corners.tolist()
    return [left, top, right - left, bottom - top]
