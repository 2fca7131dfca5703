"""What a score is a mean of: class by class the share that was right, and among how many.

A metric that can be written so (accuracy, recalls, precision, F1, areas under curves) says it here; the interval of its
score takes the sizes of the parts into account (`stats/limits.py`): a class without errors is not certain. Metrics
that cannot have one part, the score itself.

Before it: statistics of the examples (`base.py`). Beside it: influences, from which the measured variance comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

__all__ = ["Parts", "mean_of_parts", "one_part", "parts_over_folds", "size_of_f1"]


@dataclass(frozen=True)
class Parts:
    """A score as the sum of weight x share over k parts.

    Attributes:
        weight: `(k,)`; 0 where a part does not occur.
        share: `(k,)` in [0, 1].
        size: `(k,)` examples that the share is taken among (`size_of_f1`; for ranks the positive ones).
        rivals: `(k,)` negative examples that a positive one is ranked among (ranks only).
        optimism: `(k,)` by how much the share is too high at most because examples count themselves.
        form: How a share varies: "share" as a share of independent examples; "f1" as twice a share over 1 + that share;
            "area" as Hanley & McNeil (1982); "region" as a share of pixels in pictures, at least as much as its size says.
    """

    weight: np.ndarray
    share: np.ndarray
    size: np.ndarray
    rivals: np.ndarray | None = None
    optimism: np.ndarray | None = None
    form: Literal["share", "f1", "area", "precision", "region"] = "share"

    @property
    def varying(self) -> bool:
        """Whether the effective size depends on the share."""
        return self.form == "area"

    @property
    def overlap(self) -> float:
        """Variance over that of independent parts if errors fall anywhere: one of an F1 counts in two classes."""
        moved = self.weight[self.weight > 0] / np.maximum(self.size[self.weight > 0], 1.0)
        if self.form != "f1" or len(moved) < 2:
            return 1.0
        squares = float(np.square(moved).sum())
        return 1.0 + (float(moved.sum()) ** 2 - squares) / (len(moved) - 1) / squares

    @property
    def ranked(self) -> bool:
        """Whether the shares do not say how much they vary: ranks of a class may spread in many ways, and so may pixels of a picture."""
        return self.form in ("area", "region")

    def effective(self, share: np.ndarray) -> np.ndarray:
        """`(k,)` independent examples of which a share would vary as much as this one does where the truth is `share`."""
        if self.form == "area" and self.rivals is not None:
            few, many = np.minimum(self.size, self.rivals) - 1, np.maximum(self.size, self.rivals) - 1
            alike = few * (1 - share) / (2 - share) + many * share / (1 + share)  # the wider of both orientations
            return self.size * self.rivals / np.maximum(1 + alike, 1.0)
        return self.size


def size_of_f1(f1: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """`(k,)` the size of a share that varies as F1 does, given the examples in a class or given it.

    Of them the share J = F1 / (2 - F1) is in the class and was given it, and Wilson's limits of J among m are, turned
    into F1, exactly those of a share F1 among 2 m / (2 - F1)².
    """
    return 2 * answered / np.square(2 - f1)


def one_part(share: float, size: float) -> Parts:
    """A score that is a share itself."""
    return Parts(np.ones(1), np.array([share], dtype=np.float64), np.array([size], dtype=np.float64))


def mean_of_parts(parts: Sequence[Parts], weights: Sequence[float]) -> Parts | None:
    """The parts of the weighted mean of scores of the same examples (repeats, models); None where none has weight."""
    return _joined(parts, weights, lambda sizes, of_each: of_each @ sizes)


def parts_over_folds(parts: Sequence[Parts], weights: Sequence[float]) -> Parts | None:
    """The parts of the weighted mean of scores of different examples (folds): sizes add up."""
    return _joined(parts, weights, lambda sizes, _: sizes.sum(axis=0))


def _joined(parts: Sequence[Parts], weights: Sequence[float], sizes: Callable) -> Parts | None:
    used = [(part, w) for part, w in zip(parts, weights, strict=True) if w > 0]
    if len(used) < 2:
        return used[0][0] if used else None
    places = max(len(part.weight) for part, _ in used)
    of_each = np.array([w for _, w in used]) / sum(w for _, w in used)

    def stacked(name: str) -> np.ndarray:
        """`(scores, k)`; classes that only some of the scores know are missing from the others."""
        return np.stack([np.pad(getattr(p, name), (0, places - len(p.weight))) for p, _ in used])

    weight = stacked("weight") * of_each[:, None]
    total = weight.sum(axis=0)
    share = (weight * stacked("share")).sum(axis=0) / np.where(total > 0, total, 1.0)
    first = used[0][0]
    more = {name: of_each @ stacked(name) for name in ("rivals", "optimism") if getattr(first, name) is not None}
    size = sizes(stacked("size"), of_each)
    return replace(first, weight=total, share=np.clip(share, 0.0, 1.0), size=size, **more)
