"""What a metric is: `measure` once per prediction, `reduce` for any weights.

    measure(prediction, target)      -> statistics, one row per example
    reduce(statistics, weights)      -> score, one per row of weights

A weight per example is the one mechanism behind the score itself (all ones), bootstrap (counts), groups
(whole groups in or out), folds and slices (zeros and ones), and the removal of suspected label errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from weigh.kinds.base import Kind, Prediction
from weigh.language import Text, text
from weigh.metrics.parts import Parts
from weigh.registry import Registry

__all__ = ["METRICS", "Metric", "moved_by_leaving_out"]

METRICS: Registry[Metric] = Registry(
    text("metric", "指标"),
    modules=tuple(
        f"weigh.metrics.{part}" for part in ("classification", "regression", "entities", "segmentation", "detection")
    ),
)


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: Registered name, as in study.yaml ("balanced_accuracy").
        title: What a reader sees.
        pooling: "count": statistics of all folds of a repeat are pooled, then reduced, then averaged over repeats.
            "rank": reduced within each fold (scores of different models are not comparable across folds),
            averaged over folds weighted by size, then over repeats.
        greater_is_better: Direction.
        measure: `(prediction, target) -> (n, k) float64`. For classification, prediction is a `Prediction`
            and target what `data.examples.Examples.target` holds.
        reduce: `(statistics (n, k), weights (n,) or (b, n)) -> () or (b,) float64`; NaN where undefined
            (a class without weight, …), never a silent 0.
        rope: Region of practical equivalence, in units of the metric (0.01 = one point of accuracy). 0: nothing is negligible
            unless the user says what is.
        unit: "score" for metrics in [lowest, highest], otherwise its unit.
        lowest, highest: The least and the greatest value that a score can have; intervals end there.
        highest_of_many: `highest` where each example has one of more than two classes (`among`); None: the same.
        kinds: Names of the kinds of targets that it accepts.
        linear: A mean over examples, or a mean of class means: its variance is known better than that of other metrics.
        influence: `statistics (n, k) -> (n,)`: derivative of the score with respect to each example's weight, at unit
            weights (the empirical influence function over n); sums to 0. None: found numerically, at O(n²).
        parts: `statistics (n, k) -> Parts`: the shares, class by class, that the score is a mean of, for its interval.
            None: the score itself is taken for a share.
        without: `(statistics (n, k), unit (n,), units) -> (units,)`: the score without the examples of each unit. For metrics whose
            examples count for very different amounts (pixels of pictures): variances then come from it, as the derivative says too little
            about few large ones. None: they come from the influence.
        judged: `target -> (classes,)` bool: the classes that a score of it can speak of (`within`). None: all.
        alone: `(statistics (n, k), class) -> (n, j)`: those of one class, so that it can be scored alone. None: statistics are numbers of each
            class, one class after the other, or the metric does not tell classes apart.
        counting: `statistics (n, k) -> (m,)`: indices of the classes of which something counts, where a class may stand in examples and have
            nothing that does (no small box). None: all that stand in them.
    """

    name: str
    title: Text
    pooling: Literal["count", "rank"]
    greater_is_better: bool
    measure: Callable[..., np.ndarray]
    reduce: Callable[[np.ndarray, np.ndarray], np.ndarray]
    rope: float = 0.01
    unit: str = "score"
    lowest: float = 0.0
    highest: float = 1.0
    highest_of_many: float | None = None
    kinds: frozenset[str] = frozenset()
    linear: bool = False
    influence: Callable[[np.ndarray], np.ndarray] | None = None
    parts: Callable[[np.ndarray], Parts] | None = None
    without: Callable[[np.ndarray, np.ndarray, int], np.ndarray] | None = None
    judged: Callable[[np.ndarray], np.ndarray] | None = None
    alone: Callable[[np.ndarray, int], np.ndarray] | None = None
    counting: Callable[[np.ndarray], np.ndarray] | None = None

    def within(self, *targets: np.ndarray) -> Metric:
        """The metric that speaks only of the classes that can be judged on all of `targets`, whatever is scored and however it is weighed.

        So folds, weightings and slices of one design speak of the same classes, and two parts that are compared do.
        """
        measure, classes = self.measure, self.judged_on(*targets)
        if classes is None:
            return self

        def restricted(prediction: Prediction, target: np.ndarray) -> np.ndarray:
            return measure(prediction, target, classes)

        return replace(self, measure=restricted, judged=None)

    def among(self, kind: Kind, classes: int) -> Metric:
        """The metric of examples of this kind with so many classes, which may decide how great a score can be."""
        many = kind.exclusive and classes > 2
        return replace(self, highest=self.highest_of_many) if many and self.highest_of_many is not None else self

    def judged_on(self, *targets: np.ndarray) -> np.ndarray | None:
        """Indices of the classes that can be judged on all of `targets`; None: a score speaks of all classes."""
        if self.judged is None:
            return None
        able = [np.flatnonzero(self.judged(target)) for target in targets]  # each as far as any class occurs
        return np.array([c for c in able[0].tolist() if all(c in other for other in able[1:])], dtype=np.int64)

    def score(self, prediction: Prediction, target: np.ndarray, weights: np.ndarray | None = None) -> float:
        """The score of one set of predictions, all examples weighing the same unless `weights` says otherwise."""
        statistics = self.measure(prediction, target)
        return float(self.reduce(statistics, np.ones(len(statistics)) if weights is None else weights))

    def influence_on(self, statistics: np.ndarray) -> np.ndarray:
        """How much each of `n` examples moves the score per unit of its weight, `(n,)`; sums to 0.

        References:
            Hampel (1974), The influence curve; Efron (1982), The jackknife, ch. 6 (infinitesimal jackknife).
        """
        values = self.influence(statistics) if self.influence else _numerical_influence(self.reduce, statistics)
        return values - values.mean() if len(values) else values

    def change_without(self, statistics: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
        """How much each unit moves the score, `(units,)`, by leaving it out (`without`); sums to 0.

        Args:
            unit: `(n,)` of every example; units without an example move nothing.
        """
        assert self.without is not None
        there, of = np.unique(unit, return_inverse=True)
        change = self.reduce(statistics, np.ones(len(statistics))) - self.without(statistics, of, len(there))
        return moved_by_leaving_out(change, there, units)


def moved_by_leaving_out(change: np.ndarray, there: np.ndarray, units: int) -> np.ndarray:
    """`(units,)`, 0 where absent, of what leaving out each of the m units `there` takes from a score; sums to 0.

    Scaled so that the sum of squares, times m / (m - 1), is the variance of the jackknife: it counts a class that one unit alone holds, and is
    on average not too small.

    References:
        Efron & Stein (1981), The jackknife estimate of variance, Annals of Statistics 9.
    """
    change = np.nan_to_num(change)  # the last unit with a score
    values = np.zeros(units)
    values[there] = (change - change.mean()) * (len(there) - 1) / len(there)
    return values


def _numerical_influence(reduce: Callable[[np.ndarray, np.ndarray], np.ndarray], statistics: np.ndarray) -> np.ndarray:
    """Central differences, one weight at a time; equal rows of statistics have equal influence."""
    rows, where = np.unique(statistics, axis=0, return_index=False, return_inverse=True)
    first = np.zeros(len(rows), dtype=np.int64)
    first[where.ravel()] = np.arange(len(statistics))
    values = np.empty(len(rows))
    for start in range(0, len(rows), 128):
        chosen = np.arange(start, min(start + 128, len(rows)))
        ends = []
        for step in (1e-3, -1e-3):
            weights = np.ones((len(chosen), len(statistics)))
            weights[np.arange(len(chosen)), first[chosen]] += step
            ends.append(reduce(statistics, weights))
        values[chosen] = (ends[0] - ends[1]) / 2e-3
    return values[where.ravel()]
