"""Studies of boxes with planted mistakes, for the tests of findings and reports (see `synthetic.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tests.findings.synthetic import make_results
from weigh.kinds.base import rows_of
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.boxes import BOXES
from weigh.record.results import Results

__all__ = ["CLASSES", "Detector", "forgotten", "planted_boxes", "scene"]

CLASSES = ("red", "white", "platelet")
SIDE, STEP = 240, 60  # of a picture, and of the grid that objects stand in
SIZES = (24.0, 40.0)  # sides of objects of the grid


class Detector(NamedTuple):
    """How often a detector does what; the rest is right.

    Attributes:
        missed, wrong_class, badly, double: Shares of the objects.
        background: Boxes in a picture where nothing is, in the mean.
        small: Further share of the small objects that is missed.
        sure: Mean score of what is right; others score `sure - apart`.
    """

    missed: float = 0.1
    wrong_class: float = 0.0
    badly: float = 0.0
    double: float = 0.0
    background: float = 0.0
    small: float = 0.0
    sure: float = 0.8
    apart: float = 0.3
    jitter: float = 0.03

    def __call__(self, rng: np.random.Generator, boxes: Boxes) -> Detections:
        corners, classes, scores = [], [], []

        def tell(box: np.ndarray, of: int, score: float) -> None:
            corners.append(box)
            classes.append(of)
            scores.append(np.clip(score, 0.001, 0.999))

        for box, of in zip(boxes.corners, boxes.classes.tolist(), strict=True):
            sides = np.tile(box[2:] - box[:2], 2)
            own = box + rng.normal(0, self.jitter, 4) * sides
            draw, score = rng.random(), rng.normal(self.sure, 0.08)
            small = self.small if sides[0] <= SIZES[0] else 0.0
            if rng.random() < small or draw < self.missed:
                continue
            if draw < self.missed + self.wrong_class:
                tell(own, (of + 1) % len(CLASSES), score - self.apart)
            elif draw < self.missed + self.wrong_class + self.badly:
                tell(box + 0.5 * np.array([1, 0, 1, 0]) * sides, of, score - self.apart)  # an overlap of a third
            else:
                tell(own, of, score)
                if rng.random() < self.double:
                    tell(box + rng.normal(0, self.jitter, 4) * sides, of, score - self.apart)
        for _ in range(rng.poisson(self.background)):
            start = np.array([STEP * rng.integers(0, SIDE // STEP) + 45.0, STEP * rng.integers(0, SIDE // STEP) + 45.0])
            tell(np.r_[start, start + 14], int(rng.integers(len(CLASSES))), rng.normal(self.sure - self.apart, 0.08))
        return Detections.of(boxes.height, boxes.width, np.array(corners).reshape(-1, 4), classes, scores, 0.3)


def scene(rng: np.random.Generator, i: int, objects: tuple[int, int] = (3, 9)) -> Boxes:
    """Objects in some cells of a grid, of two sizes; none overlaps another."""
    places = rng.permutation((SIDE // STEP) ** 2)[: rng.integers(*objects)]
    sides = rng.choice(SIZES, len(places))
    start = np.stack([STEP * (places % 4) + 2.0, STEP * (places // 4) + 2.0], axis=1)
    corners = np.concatenate([start, start + sides[:, None]], axis=1)
    return Boxes.of(SIDE, SIDE, corners, rng.choice(3, len(places), p=(0.6, 0.25, 0.15)))


def forgotten(pictures: int) -> Callable[[np.random.Generator, Sequence[Boxes]], list[Boxes]]:
    """In the first pictures one box was not drawn."""

    def labelled(_: np.random.Generator, there: Sequence[Boxes]) -> list[Boxes]:
        first = [Boxes.of(b.height, b.width, b.corners[1:], b.classes[1:]) for b in there[:pictures]]
        return [*first, *there[pictures:]]

    return labelled


def planted_boxes(
    *detectors: Callable[[np.random.Generator, Boxes], Detections],
    n: int = 40,
    repeats: int = 1,
    seed: int = 0,
    drawn: Callable[[np.random.Generator, int], Boxes] = scene,
    labelled: Callable[[np.random.Generator, Sequence[Boxes]], list[Boxes]] | None = None,
    classes: Sequence[str] = CLASSES,
    test: int = 0,
    **options: Any,
) -> Results:
    """A study of one candidate for each detector: "m0", "m1" …

    Args:
        drawn: (generator, number of the picture) -> what is there.
        labelled: What is drawn of what is there; default: everything, rightly.
    """
    there = [drawn(np.random.default_rng([seed, i]), i) for i in range(n + test)]
    target = rows_of(there if labelled is None else labelled(np.random.default_rng([seed, n]), there))
    logits, tested = {}, {}
    for k, detector in enumerate(detectors):
        runs = []
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, k, repeat])
            runs.append(BOXES.recorded(rows_of([detector(rng, boxes) for boxes in there]), target))
        width = max(rows.shape[1] for rows in runs)
        rows = np.stack([np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in runs])
        logits[f"m{k}"], tested[f"m{k}"] = rows[:, :n], rows[0, n:]
    parts = {"test": tested, "test_target": target[n:]} if test else {}
    options = {"folds": 5, "task": "object-detection", "classes": classes, **parts, **options}
    options.setdefault("recipes", dict.fromkeys(logits, "finetune"))
    return make_results(logits, target[:n], **options)
