"""What kinds share whose answers have a place in the picture: the frame that networks see, folds and independent pictures by what pictures hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from weigh.kinds.base import ClassCounts, Kind, Prediction, Strata
from weigh.language import text

__all__ = ["PlacedKind", "evenly_held"]

STEP = 32  # stride of the coarsest maps


class PlacedKind(Kind):
    """Targets are `(n,)` objects with `height` and `width`, those of their pictures; a run records one row of counts per picture.

    Attributes:
        most_pixels: Of the longer side of what networks see, unless a recipe says otherwise.
    """

    exact = False
    placed = True
    weighable = True
    unordered = text(
        "it compares how whole examples are told apart; pictures of one sequence or one stack are kept together by design.group_by",
        "该检查比较的是对整个样本的区分；同一序列或同一图像栈的图片应通过 design.group_by 归为一组",
    )
    most_pixels: int

    def amounts(self, target: np.ndarray, classes: int = 0) -> np.ndarray:
        """`(n, classes)` int64: how much of each class every picture holds, in pixels or boxes; at least so many classes."""
        raise NotImplementedError

    def tallied(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """`(n, classes, 3)` hit, predicted and actual amounts of what was recorded."""
        raise NotImplementedError

    def amount_of(self, one: Any, classes: int) -> np.ndarray:
        """`(classes,)` amounts in one target, or in what one answer says."""
        raise NotImplementedError

    def sizes(self, target: np.ndarray) -> np.ndarray:
        return np.array([(one.height, one.width) for one in target], dtype=np.int64).reshape(-1, 2)

    def resolved(self, options: dict[str, Any], target: np.ndarray) -> dict[str, Any]:
        return _with_frame(options, self.sizes(target), self.most_pixels)

    def strata(self, target: np.ndarray) -> Strata:
        """Every class that stands in some pictures and not in others; a picture without such a class has the stratum "none"."""
        is_member = self.amounts(target) > 0
        return Strata.of_members(is_member[:, is_member.any(axis=0) & ~is_member.all(axis=0)])

    def informative(self, target: np.ndarray) -> tuple[int, int]:
        return evenly_held(self.amounts(target)), 1

    def members(self, target: np.ndarray, classes: int) -> np.ndarray:
        return self.amounts(target, classes) > 0

    def bytes_of(self, target: np.ndarray) -> bytes:
        return self.store(target).tobytes()

    def counts(self, prediction: Prediction, target: np.ndarray, weights: np.ndarray, classes: int) -> ClassCounts:
        """Counts of each class, in pixels or boxes."""
        return ClassCounts(*np.tensordot(weights, self.tallied(prediction.labels, classes), axes=1).T)

    def cells(self, labels: np.ndarray, classes: Sequence[str]) -> Any:
        """Pixels or boxes of each class that occurs, as JSON."""
        amounts = [self.amount_of(one, len(classes)) for one in labels]
        return [
            json.dumps({name: int(m) for name, m in zip(classes, row, strict=True) if m}, ensure_ascii=False)
            for row in amounts
        ]


def _with_frame(options: dict[str, Any], sizes: np.ndarray, most: int) -> dict[str, Any]:
    """Options of a recipe with `frame`, the height and width that all pictures are scaled into: of their usual shape, in whole steps.

    Args:
        sizes: `(n, 2)` height and width of the pictures.
        most: Pixels of the longer side, unless a recipe says otherwise.
    """
    longer = float(options.get("image_size") or min(most, np.median(sizes.max(axis=1))))
    aspect = float(np.exp(np.median(np.log(sizes[:, 0] / sizes[:, 1]))))  # height for each pixel of width
    sides = longer * min(1.0, aspect), longer * min(1.0, 1 / aspect)
    return {**options, "frame": [max(STEP, STEP * round(side / STEP)) for side in sides]}


def evenly_held(amount: np.ndarray) -> int:
    """As many pictures as would share the classes' amounts evenly, all classes counting the same: one full picture is not worth many.

    Args:
        amount: `(n, classes)` pixels or boxes.

    References:
        Kish (1965), Survey Sampling: the effective size of a weighted sample.
    """
    amount = amount[:, amount.sum(axis=0) > 0]
    if not amount.size:
        return 0
    weight = (amount / amount.sum(axis=0)).mean(axis=1)
    return max(round(1 / float(np.square(weight).sum())), 1)
