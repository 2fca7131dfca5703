"""What a score is: from the out-of-fold predictions of a design to one number.

Count metrics pool the statistics of all folds of a repeat, then average over repeats. Rank metrics are computed
within each fold (scores of different models are not comparable), averaged over folds weighted by size, then over
repeats. Runs that failed leave holes: their examples are left out, and repeats count by the share that is present.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from weigh.kinds.base import Prediction
from weigh.metrics.base import Metric, moved_by_leaving_out
from weigh.metrics.parts import Parts, parts_over_folds
from weigh.metrics.shares import share

__all__ = ["MeasuredDesign", "measure_design", "score_design"]


class Folds(Protocol):
    """What is needed of `record.results.OutOfFold`: `present (repeats, n)`, `fold (repeats, n)`, `target`, `seeded`."""

    @property
    def present(self) -> np.ndarray: ...
    @property
    def fold(self) -> np.ndarray: ...
    @property
    def target(self) -> np.ndarray: ...
    @property
    def seeded(self) -> bool: ...
    def prediction(self, repeat: int) -> Prediction: ...


class DesignScore(NamedTuple):
    """Scores of one candidate.

    Attributes:
        fold: `(repeats, folds)`; NaN where the run is missing or the score undefined.
        repeat: `(repeats,)`; NaN where nothing is present.
        overall: The score.
    """

    fold: np.ndarray
    repeat: np.ndarray
    overall: float


@dataclass(frozen=True)
class MeasuredDesign:
    """The per-example statistics of a design: everything that scores, intervals and comparisons need.

    Attributes:
        metric: The metric that was measured.
        statistics: `(repeats, n, k)`; rows that are not present are meaningless.
        fold: `(repeats, n)`.
        present: `(repeats, n)` bool: the example has a prediction.
        target: `(n,)` or `(n, labels)`.
        seeded: Whether a run has luck of its own beside its training examples (`record.results.OutOfFold`).
    """

    metric: Metric
    statistics: np.ndarray
    fold: np.ndarray
    present: np.ndarray
    target: np.ndarray
    seeded: bool = True

    @property
    def repeats(self) -> int:
        return len(self.fold)

    @property
    def n(self) -> int:
        return self.fold.shape[1]

    @property
    def folds(self) -> int:
        return int(self.fold.max(initial=0)) + 1

    def score_repeat(self, repeat: int, weights: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Score of one repeat for weights `(n,)` or `(b, n)`: () or (b,); NaN where undefined.

        Args:
            mask: `(n,)` bool: use only these examples (and those present).
        """
        present = self.present[repeat] if mask is None else self.present[repeat] & mask
        if self.metric.pooling == "count":
            if present.all():
                return self.metric.reduce(self.statistics[repeat], weights)
            rows = np.flatnonzero(present)
            if not len(rows):
                return np.full(weights.shape[:-1], np.nan)
            return self.metric.reduce(self.statistics[repeat, rows], weights[..., rows])
        return _mean_by_size(*self.score_folds(repeat, weights, present))

    def score_folds(
        self, repeat: int, weights: np.ndarray, mask: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores within the folds of one repeat and the folds' total weights: `(folds,)` or `(folds, b)` each."""
        present = self.present[repeat] if mask is None else self.present[repeat] & mask
        scores, sizes = [], []
        for fold in range(self.folds):
            rows = np.flatnonzero(present & (self.fold[repeat] == fold))
            chosen = weights[..., rows]
            sizes.append(chosen.sum(axis=-1))
            empty = np.full(weights.shape[:-1], np.nan)
            inside = self.statistics[repeat] if len(rows) == self.n else self.statistics[repeat, rows]
            scores.append(self.metric.reduce(inside, chosen) if len(rows) else empty)
        return np.stack(scores), np.stack(sizes)

    def influence(self, repeat: int, mask: np.ndarray | None = None) -> np.ndarray:
        """Derivative of `score_repeat` with respect to each example's weight at unit weights, `(n,)`; 0 where absent.

        It sums to 0 over the examples. A score under weights w is about score + influence @ (w - 1), so variances and
        covariances of scores need no resampling: O(n) per metric that is a function of counts, O(n log n) for ranks.
        """
        present = self.present[repeat] if mask is None else self.present[repeat] & mask
        values = np.zeros(self.n)
        if self.metric.pooling == "count":
            rows = np.flatnonzero(present)
            if len(rows):
                values[rows] = self.metric.influence_on(self.statistics[repeat, rows])
            return values
        scores, sizes = self.score_folds(repeat, np.ones(self.n), present)
        overall, total = _mean_by_size(scores, sizes), sizes[~np.isnan(scores)].sum()
        for fold in np.flatnonzero(~np.isnan(scores)):
            rows = np.flatnonzero(present & (self.fold[repeat] == fold))
            own = self.metric.influence_on(self.statistics[repeat, rows])
            values[rows] = (own * len(rows) + scores[fold] - overall) / total  # its fold's weight grows with it
        return values

    def moved_without(
        self, repeat: int, unit: np.ndarray, units: int, mask: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What leaving out each unit takes from `score_repeat`, and from the score of its fold: `(units,)` each, as `Metric.change_without`.

        Args:
            unit: `(n,)` of every example.
        """
        assert self.metric.without is not None
        present = self.present[repeat] if mask is None else self.present[repeat] & mask
        ranked, every = self.metric.pooling == "rank" and self.folds > 1, np.flatnonzero(present)
        whole = np.zeros(units)
        if not ranked:
            whole = self.metric.change_without(self.statistics[repeat, every], unit[every], units)
        if self.folds == 1:
            return whole, whole
        scores, sizes = self.score_folds(repeat, np.ones(self.n), present)
        within, defined = np.zeros(units), ~np.isnan(scores)
        summed, total = (np.full(units, values[defined].sum()) for values in (scores * sizes, sizes))
        for fold in np.flatnonzero(defined):
            rows = np.flatnonzero(present & (self.fold[repeat] == fold))
            there, of = np.unique(unit[rows], return_inverse=True)
            left = self.metric.without(self.statistics[repeat, rows], of, len(there))
            within += moved_by_leaving_out(scores[fold] - left, there, units)
            remaining = np.where(np.isnan(left), 0.0, sizes[fold] - np.bincount(of))
            summed[there] += remaining * np.nan_to_num(left) - sizes[fold] * scores[fold]
            total[there] += remaining - sizes[fold]
        if ranked:
            there = np.unique(unit[every])
            change = _mean_by_size(scores, sizes) - share(summed[there], total[there])
            whole = moved_by_leaving_out(change, there, units)
        return whole, within

    def parts(self, repeat: int, mask: np.ndarray | None = None) -> Parts | None:
        """The shares that `score_repeat` is a mean of (`metrics/parts.py`); None where the metric knows none."""
        if self.metric.parts is None:
            return None
        present = self.present[repeat] if mask is None else self.present[repeat] & mask
        if self.metric.pooling == "count":
            rows = np.flatnonzero(present)
            return self.metric.parts(self.statistics[repeat, rows]) if len(rows) else None
        scores, sizes = self.score_folds(repeat, np.ones(self.n), present)
        parts = [
            self.metric.parts(self.statistics[repeat, np.flatnonzero(present & (self.fold[repeat] == fold))])
            for fold in np.flatnonzero(~np.isnan(scores))
        ]
        return parts_over_folds(parts, sizes[~np.isnan(scores)])

    def score(self) -> DesignScore:
        """The score of the design, per fold, per repeat and over all."""
        return self._score

    @cached_property
    def _score(self) -> DesignScore:
        ones = np.ones(self.n)
        within = [self.score_folds(repeat, ones) for repeat in range(self.repeats)]
        if self.metric.pooling == "count":
            repeats = np.array([float(self.score_repeat(repeat, ones)) for repeat in range(self.repeats)])
        else:
            repeats = np.array([float(_mean_by_size(*folds)) for folds in within])
        weight = np.where(np.isnan(repeats), 0.0, self.present.sum(axis=1))
        overall = float(np.nansum(repeats * weight) / weight.sum()) if weight.sum() else float("nan")
        return DesignScore(np.stack([scores for scores, _ in within]), repeats, overall)


def _mean_by_size(scores: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Mean of fold scores `(folds, ...)` weighted by the folds' weights; undefined folds are left out."""
    defined = ~np.isnan(scores)
    total = np.where(defined, sizes, 0.0).sum(axis=0)
    summed = np.where(defined, scores * sizes, 0.0).sum(axis=0)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)


def measure_design(metric: Metric, out_of_fold: Folds) -> MeasuredDesign:
    """Measure every present prediction of a design once; of classes those that can be judged on all of it."""
    metric, present = metric.within(out_of_fold.target), out_of_fold.present
    repeats, n = out_of_fold.fold.shape
    measured_runs = []
    for repeat in range(repeats):
        rows = np.flatnonzero(present[repeat])
        if not len(rows):
            continue
        prediction = out_of_fold.prediction(repeat)
        if len(rows) < n:
            prediction = Prediction(prediction.probabilities[rows], prediction.labels[rows])
        measured_runs.append((repeat, rows, metric.measure(prediction, out_of_fold.target[rows])))
    # counts per type of entity reach as far as the last type that a repeat holds: those beyond are 0
    if (
        repeats == len(measured_runs) == 1 and len(measured_runs[0][1]) == n
    ):  # ranks of many classes are large: no second copy
        statistics = np.ascontiguousarray(measured_runs[0][2], dtype=np.float64)[None]
    else:
        statistics = np.zeros((repeats, n, max((measured.shape[1] for *_, measured in measured_runs), default=1)))
        for repeat, rows, measured in measured_runs:
            statistics[repeat, rows, : measured.shape[1]] = measured
    return MeasuredDesign(metric, statistics, out_of_fold.fold, present, out_of_fold.target, out_of_fold.seeded)


def score_design(metric: Metric, out_of_fold: Folds) -> DesignScore:
    """The score of one candidate's out-of-fold predictions: per fold, per repeat, and overall."""
    return measure_design(metric, out_of_fold).score()
