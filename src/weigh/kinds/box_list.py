"""Boxes as they are kept: those of a picture that somebody drew, and those that a network found. No torch, no files.

Coordinates are pixels of the upright picture as numbers: the left edge of the first pixel is 0, the right edge of the last one is the width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Boxes", "Detections", "overlaps"]


class Boxes(NamedTuple):
    """The boxes of one picture, `m` of them; none is a picture without objects.

    Attributes:
        height, width: Of the picture, in pixels.
        corners: `(m, 4)` float64: left, top, right, bottom.
        classes: `(m,)` int64 class indices; -1: of no class that the study knows, which is ignored like a crowd.
        crowd: `(m,)` bool: a region of many objects that nobody told apart; it is ignored in training, and in evaluation as COCO does it.
        area: `(m,)` float64 pixels: that of the object where the source states it, else that of the box.
    """

    height: int
    width: int
    corners: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    area: np.ndarray

    @classmethod
    def of(
        cls, height: int, width: int, corners: np.ndarray, classes: np.ndarray,
        crowd: np.ndarray | None = None, area: np.ndarray | None = None,
    ) -> Boxes:  # fmt: skip
        """From anything that NumPy reads; without `crowd` nothing is one, without `area` the boxes' own are taken."""
        corners = np.asarray(corners, dtype=np.float64).reshape(-1, 4)
        own = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        return cls(
            height, width, corners, np.asarray(classes, dtype=np.int64).reshape(-1),
            np.zeros(len(corners), dtype=bool) if crowd is None else np.asarray(crowd, dtype=bool),
            own if area is None else np.asarray(area, dtype=np.float64),
        )  # fmt: skip


class Detections(NamedTuple):
    """What a network found in one picture, the highest score first.

    Attributes:
        height, width: Of the picture, in pixels.
        corners: `(m, 4)` float64: left, top, right, bottom.
        classes: `(m,)` int64 class indices.
        scores: `(m,)` float64 in [0, 1].
        threshold: From this score on a detection is told to people; below it serves the evaluation alone. It is chosen inside the
            training folds.
    """

    height: int
    width: int
    corners: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    threshold: float

    @classmethod
    def of(
        cls, height: int, width: int, corners: np.ndarray, classes: np.ndarray, scores: np.ndarray, threshold: float = 0.5
    ) -> Detections:  # fmt: skip
        """From anything that NumPy reads, in any order; of equal scores the first stays the first."""
        corners = np.asarray(corners, dtype=np.float64).reshape(-1, 4)
        scores = np.asarray(scores, dtype=np.float64).reshape(-1)
        order = np.argsort(-scores, kind="stable")
        classes = np.asarray(classes, dtype=np.int64).reshape(-1)
        return cls(height, width, corners[order], classes[order], scores[order], threshold)

    def told(self) -> Detections:
        """The detections with scores from the threshold on."""
        keep = self.scores >= self.threshold
        return self._replace(corners=self.corners[keep], classes=self.classes[keep], scores=self.scores[keep])


def overlaps(first: np.ndarray, second: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """`(a, b)` intersection over union of boxes `(a, 4)` and `(b, 4)`, 0 where both are empty.

    Args:
        crowd: `(b,)` bool: of these the intersection is taken over the area of the first box, as COCO does it.
    """
    low, high = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    own, other = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second))
    union = own[:, None] + other[None, :] - shared
    if crowd is not None:
        union = np.where(crowd[None, :], own[:, None], union)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
