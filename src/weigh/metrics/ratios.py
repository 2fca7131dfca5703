"""Scores that are made class by class from totals: pixels or entities that were hit, predicted, in the data.

Every example has `m` counts for each class; a class's score is a smooth function of the weighted totals of its counts (`Score`), mostly
a ratio; the score of all is that of the summed totals, or the mean over the classes that occur (`ClassMean`). So any weights of the
examples give a score, and its derivative by them is exact. A class occurs where something of it has weight, in the data or in the
answers; what does not occur is left out of the mean and is neither 0 nor 1.

Before it: counts of the examples (`kinds/spans.py`, `kinds/mask_statistics.py`). After it: `entities.py`, `segmentation.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from weigh.metrics.parts import Parts, among_pictures
from weigh.metrics.shares import share

__all__ = ["F1", "INTERSECTION_OVER_UNION", "PRECISION", "RECALL", "ClassMean", "Score", "harmonic", "ratio"]


class Score(NamedTuple):
    """The score of a class.

    Attributes:
        of: `totals (..., classes, m) -> (..., classes)`; 0 where nothing is behind it.
        moved: `(counts (n, classes, m), totals (classes, m)) -> (n, classes)`: how much each example moves it per unit of its weight.
        occurs: `(m,)`: a class occurs where totals @ occurs is positive.
    """

    of: Callable[[np.ndarray], np.ndarray]
    moved: Callable[[np.ndarray, np.ndarray], np.ndarray]
    occurs: np.ndarray


def ratio(above: Sequence[float], below: Sequence[float], occurs: Sequence[float]) -> Score:
    """A ratio of two linear functions of the totals, given by their coefficients."""
    top, bottom = np.array(above), np.array(below)

    def of(totals: np.ndarray) -> np.ndarray:
        return share(totals @ top, totals @ bottom, otherwise=0.0)

    def moved(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
        return share(counts @ top - of(totals) * (counts @ bottom), totals @ bottom, otherwise=0.0)

    return Score(of, moved, np.array(occurs))


# Of (hit, predicted, in the data): entities, boxes or pixels; a class occurs where something was predicted or is in the data
EITHER = (0.0, 1.0, 1.0)
F1 = ratio((2.0, 0.0, 0.0), EITHER, EITHER)
PRECISION = ratio((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), EITHER)
RECALL = ratio((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), EITHER)
INTERSECTION_OVER_UNION = ratio((1.0, 0.0, 0.0), (-1.0, 1.0, 1.0), EITHER)


def harmonic() -> Score:
    """The harmonic mean of the ratios of the first two totals and of the last two: F1 where both have hits of their own."""

    def below(totals: np.ndarray) -> np.ndarray:
        return totals[..., 0] * totals[..., 3] + totals[..., 2] * totals[..., 1]

    def of(totals: np.ndarray) -> np.ndarray:
        return share(2 * totals[..., 0] * totals[..., 2], below(totals), otherwise=0.0)

    def moved(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
        score, (first, of_first, second, of_second) = of(totals), totals.T
        slopes = [2 * second - score * of_second, -score * second, 2 * first - score * of_first, -score * first]
        return share((counts * np.stack(slopes, axis=-1)).sum(axis=-1), below(totals), otherwise=0.0)

    return Score(of, moved, np.array([0.0, 1.0, 0.0, 1.0]))


class ClassTotals(NamedTuple):
    """A score taken apart: `(classes,)` each.

    Attributes:
        totals: `(classes, m)`.
        score: Of each class.
        weight: Of each class in the mean; sums to 1, or all 0.
    """

    totals: np.ndarray
    score: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class ClassMean:
    """A score made of classes: `reduce`, `influence` and `without` of a `Metric` whose statistics are `(n, classes * m)` counts, class by class.

    Attributes:
        score: Of one class.
        pooled: Counts of all classes are added up first, so that there is one.
        weight: `(m,)`: a class weighs in the mean by totals @ weight; None: all that occur weigh the same.
    """

    score: Score
    pooled: bool = False
    weight: np.ndarray | None = None

    def reduce(self, statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
        totals = weights @ statistics
        totals = self._counts(totals.reshape(*totals.shape[:-1], -1, len(self.score.occurs)))
        weight = self._weight(totals)
        return share((weight * self.score.of(totals)).sum(axis=-1), weight.sum(axis=-1))

    def influence(self, statistics: np.ndarray) -> np.ndarray:
        counts = self.counts(statistics)
        totals, score, weight = self.taken_apart(statistics)
        occurs = weight > 0
        if not occurs.any():
            return np.full(len(statistics), np.nan)
        moved = self.score.moved(counts, totals)
        if self.weight is None:
            return moved[:, occurs].mean(axis=1)
        other_weight = (counts @ self.weight) / float((totals @ self.weight).sum())
        return moved @ weight + other_weight @ (score - float(weight @ score))

    def without(self, statistics: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
        """`(units,)` the score without the examples of each unit (`Metric.without`)."""
        counts = self.counts(statistics)
        own = np.zeros((units, *counts.shape[1:]))
        np.add.at(own, unit, counts)
        left = counts.sum(axis=0) - own
        weight = self._weight(left)
        return share((weight * self.score.of(left)).sum(axis=-1), weight.sum(axis=-1))

    def parts_of_pictures(self, statistics: np.ndarray) -> Parts:
        """The scores of the classes, each among pictures (`Metric.parts`)."""
        counts = self.counts(statistics)
        totals, score, weight = self.taken_apart(statistics)
        amounts = counts @ self.score.occurs
        squares = np.square(self.score.moved(counts, totals)).sum(axis=0)
        return among_pictures(weight, score, np.stack([amounts.sum(axis=0), np.square(amounts).sum(axis=0)]), squares)

    def taken_apart(self, statistics: np.ndarray) -> ClassTotals:
        """Totals of all examples, each with weight 1."""
        totals = self.counts(statistics).sum(axis=0)
        weight = self._weight(totals)
        return ClassTotals(totals, self.score.of(totals), weight / max(float(weight.sum()), 1e-300))

    def counts(self, statistics: np.ndarray) -> np.ndarray:
        """`(n, classes, m)`; one class where they are pooled."""
        return self._counts(statistics.reshape(len(statistics), -1, len(self.score.occurs)))

    def _counts(self, counts: np.ndarray) -> np.ndarray:
        return counts.sum(axis=-2, keepdims=True) if self.pooled else counts

    def _weight(self, totals: np.ndarray) -> np.ndarray:
        """`(..., classes)`, 0 where a class does not occur."""
        occurs = totals @ self.score.occurs > 0
        return occurs * (1.0 if self.weight is None else totals @ self.weight)
