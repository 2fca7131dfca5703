"""Simulated detections and COCO's own evaluation, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = annotations_of(target, classes)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found_of(answers)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def annotations_of(target: Sequence[Boxes], classes: int) -> dict[str, Any]:
    """As COCO's JSON."""
    annotations: list[dict[str, Any]] = []
    for i, boxes in enumerate(target):
        for corners, c, crowd, area in zip(boxes.corners, boxes.classes, boxes.crowd, boxes.area, strict=True):
            own = {"id": len(annotations) + 1, "image_id": i, "category_id": int(c), "iscrowd": int(crowd)}
            annotations.append({**own, "bbox": _sides(corners), "area": float(area)})
    images = [{"id": i, "height": boxes.height, "width": boxes.width} for i, boxes in enumerate(target)]
    categories = [{"id": c, "name": str(c)} for c in range(classes)]
    return {"images": images, "categories": categories, "annotations": annotations}


def found_of(answers: Sequence[Detections]) -> list[dict[str, Any]]:
    """As COCO's JSON of results."""
    return [
        {"image_id": i, "category_id": int(c), "bbox": _sides(corners), "score": float(score)}
        for i, own in enumerate(answers)
        for corners, c, score in zip(own.corners, own.classes, own.scores, strict=True)
    ]


def _sides(corners: np.ndarray) -> list[float]:
    left, top, right, bottom = corners.tolist()
    return [left, top, right - left, bottom - top]


def coco128(folder: Path) -> tuple[list[Boxes], int]:
    """Boxes of the 128 pictures, and the number of classes."""
    gold = json.loads((folder / "boxes/coco128/instances_train2017.json").read_text("utf-8"))
    index = {category["id"]: i for i, category in enumerate(gold["categories"])}
    own: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in gold["images"]}
    for annotation in gold["annotations"]:
        own[annotation["image_id"]].append(annotation)
    target = []
    for image in gold["images"]:
        sides = np.array([one["bbox"] for one in own[image["id"]]], dtype=float).reshape(-1, 4)
        rest = ([one[key] for one in own[image["id"]]] for key in ("iscrowd", "area"))
        classes = [index[one["category_id"]] for one in own[image["id"]]]
        corners = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
        target.append(Boxes.of(image["height"], image["width"], corners, classes, *rest))
    return target, len(index)


def bccd(folder: Path) -> tuple[list[Boxes], int]:
    """Boxes of the 364 pictures of blood cells, and the number of classes."""
    names, target = ["RBC", "WBC", "Platelets"], []
    for file in sorted((folder / "boxes/bccd/Annotations").glob("*.xml")):
        root = ElementTree.parse(file).getroot()
        objects = root.findall("object")
        corners = [
            [float(one.findtext(f"bndbox/{side}") or 0) for side in ("xmin", "ymin", "xmax", "ymax")] for one in objects
        ]
        height, width = (int(root.findtext(f"size/{side}") or 0) for side in ("height", "width"))
        target.append(Boxes.of(height, width, corners, [names.index(one.findtext("name") or "") for one in objects]))
    return target, len(names)
