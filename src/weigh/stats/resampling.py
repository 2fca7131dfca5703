"""What would the scores have been with other examples? Every example's (or group's) influence on every score.

The influence is the derivative of the score with respect to the example's weight (infinitesimal jackknife, Efron
1982). Variances of scores, of paired differences and their covariances are sums over it: no draws, no noise of
drawing, O(n). Where random draws are wanted, weights from the standard exponential distribution (the Bayesian
bootstrap, Rubin 1981) are shared by all candidates and repeats, so differences are paired.

Before it: `metrics/design.py` (measured predictions). After it: `interval.py`, `comparison.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from weigh.data.cache import room
from weigh.kinds.base import Kind
from weigh.metrics.parts import Parts, mean_of_parts
from weigh.settings import cache_folder

__all__ = [
    "Measured",
    "Resample",
    "Resampler",
    "Units",
    "draw_weights",
    "in_blocks",
    "make_units",
    "pad_folds",
    "resample",
    "weighted_mean",
]

CELLS = 2_000_000  # of a matrix of draws times examples that is made at once: 16 MB
SMALLEST_FOLD = 5  # independent units that a fold needs before its own score is looked at


class Measured(Protocol):
    """What is needed of `metrics.design.MeasuredDesign`."""

    @property
    def metric(self) -> Any: ...
    @property
    def statistics(self) -> np.ndarray: ...
    @property
    def fold(self) -> np.ndarray: ...
    @property
    def present(self) -> np.ndarray: ...
    @property
    def target(self) -> np.ndarray: ...
    @property
    def seeded(self) -> bool: ...
    @property
    def repeats(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def folds(self) -> int: ...
    def influence(self, repeat: int, mask: np.ndarray | None = None) -> np.ndarray: ...
    def moved_without(
        self, repeat: int, unit: np.ndarray, units: int, mask: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]: ...
    def parts(self, repeat: int, mask: np.ndarray | None = None) -> Parts | None: ...
    def score_repeat(self, repeat: int, weights: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray: ...
    def score_folds(
        self, repeat: int, weights: np.ndarray, mask: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Units:
    """What is independent of what: single examples, or whole groups.

    Attributes:
        of: `(n,)` unit of every example, 0 … count - 1.
        count: Number of units.
        name: "examples" or "groups".
        smallest: Independent units behind one example's influence: the smaller of all units and (number of classes)
            times (units of the smallest class); as the kind's `informative` says. An event that never occurred among
            them has probability at most about 3 / smallest.
        classes: Number of classes that occur, where each example has one; else 1.
    """

    of: np.ndarray
    count: int
    name: str
    smallest: float
    classes: int = 1


def make_units(kind: Kind, target: np.ndarray, groups: np.ndarray | None = None) -> Units:
    """Units of `n` examples with targets of a kind."""
    n = len(target)
    if groups is None:
        of, units, name = np.arange(n), n, "examples"
    else:
        _, of = np.unique(np.asarray(groups).astype(str), return_inverse=True)
        units, name = int(of.max(initial=-1)) + 1, "groups"
    smallest, classes = kind.informative(target) if n else (0, 1)
    return Units(of, units, name, float(smallest) * units / max(n, 1), classes)


def draw_weights(rng: np.random.Generator, units: Units, draws: int) -> np.ndarray:
    """`(draws, n)` weights of the Bayesian bootstrap; examples of one unit share their weight. Large ones lie in a mapped file."""
    weights = room((draws, units.count), np.float64, cache_folder())
    rng.standard_exponential(out=weights)
    if units.name == "examples":
        return weights
    of_examples = room((draws, len(units.of)), np.float64, cache_folder())
    return np.take(weights, units.of, axis=1, out=of_examples)


def in_blocks(draws: int, n: int) -> Iterator[int]:
    """`draws` in parts, so that no matrix of draws times `n` has more than `CELLS` cells: memory does not grow with `n`."""
    step = max(1, CELLS // max(n, 1))
    for start in range(0, draws, step):
        yield min(step, draws - start)


@dataclass(frozen=True)
class Resample:
    """Scores of one candidate, and how they move when the examples weigh otherwise.

    A score under weights w is about score + influence @ (w - 1): first-order, as in the infinitesimal jackknife, exact
    for means. Variances and covariances need nothing else; random draws are made only for those who ask for them.

    Attributes:
        present: `(repeats,)` share of the examples that each repeat has a prediction for.
        score: `(repeats,)`; NaN where nothing is present.
        influence: `(repeats, units)` derivative of the score with respect to each unit's weight, or what leaving the unit out changes
            (`Metric.without`); sums to 0.
        fold_score: `(repeats, folds)`.
        fold_influence: `(repeats, units)` the same for the score of the fold that the unit is in.
        unit_fold: `(repeats, units)` that fold; -1 where the unit is absent.
        fold_units: `(repeats, folds)` number of independent units in each fold.
        cell: Independent units that are averaged as a whole: all of them for a plain mean, those of the smallest class
            for other count metrics, those of the smallest class in one fold for rank metrics.
        linear: As the metric says.
        plain: Whether the score is a mean in which every example weighs the same.
        weights: `(b, units)` of the draws; shared by all candidates.
        parts: The shares that `overall` is a mean of; None for differences and for metrics that know none.
        seeded: Whether whole runs may differ beyond their training examples.
    """

    present: np.ndarray
    score: np.ndarray
    influence: np.ndarray
    fold_score: np.ndarray
    fold_influence: np.ndarray
    unit_fold: np.ndarray
    fold_units: np.ndarray
    cell: float
    linear: bool
    plain: bool
    weights: np.ndarray
    parts: Parts | None = None
    seeded: bool = True

    @property
    def overall(self) -> float:
        """Mean over repeats, weighted by what is present."""
        return float(weighted_mean(self.score, self.present))

    @property
    def mean_influence(self) -> np.ndarray:
        """`(units,)` how each unit moves `overall`."""
        used = ~np.isnan(self.score)
        share = np.where(used, self.present, 0.0)
        return share @ self.influence / max(share.sum(), 1e-300)

    @property
    def draws(self) -> np.ndarray:
        """`(repeats, b)` scores under the random weights."""
        return self.score[:, None] + self.influence @ (self.weights - 1.0).T

    def minus(self, other: Resample) -> Resample:
        """The difference to another candidate, repeat by repeat and unit by unit."""
        repeats = min(len(self.score), len(other.score))
        folds = max(self.fold_score.shape[1], other.fold_score.shape[1])

        def part(source: Resample, name: str) -> np.ndarray:
            values = getattr(source, name)[:repeats]
            return pad_folds(values, folds) if name in ("fold_score", "fold_units") else values

        def of(name: str) -> np.ndarray:
            return part(self, name) - part(other, name)

        return Resample(
            present=self.present[:repeats],
            score=of("score"),
            influence=of("influence"),
            fold_score=of("fold_score"),
            fold_influence=of("fold_influence"),
            unit_fold=part(self, "unit_fold"),
            fold_units=np.nan_to_num(np.fmin(part(self, "fold_units"), part(other, "fold_units"))),
            cell=min(self.cell, other.cell),
            linear=self.linear,
            plain=self.plain,
            weights=self.weights,
            seeded=self.seeded or other.seeded,
        )


def pad_folds(values: np.ndarray, folds: int, missing: float = np.nan) -> np.ndarray:
    """`(repeats, folds)` from values of a candidate that has no run in the last ones: what is `missing` stands there."""
    return np.pad(values, ((0, 0), (0, folds - values.shape[1])), constant_values=missing)


def resample(measured: Measured, weights: np.ndarray, units: Units, mask: np.ndarray | None = None) -> Resample:
    """Score a measured design and take the influence of every unit. O(repeats x n) for functions of counts.

    Args:
        weights: `(b, n)` of the draws, as from `draw_weights`; nothing is computed with them here.
        mask: `(repeats, n)` bool: examples to use (those that a comparison has in common); default: all present.
    """
    repeats, folds = measured.repeats, measured.folds
    ones = np.ones(measured.n)
    first = np.zeros(units.count, dtype=np.int64)
    first[units.of[::-1]] = np.arange(measured.n)[::-1]  # the first example of every unit
    score = np.full(repeats, np.nan)
    influence, fold_influence = np.zeros((repeats, units.count)), np.zeros((repeats, units.count))
    unit_fold = np.full((repeats, units.count), -1)
    fold_score = np.full((repeats, folds), np.nan)
    fold_units = np.zeros((repeats, folds))
    present = np.zeros(repeats)
    parts: list[Parts | None] = [None] * repeats
    left_out = measured.metric.without is not None

    def gathered(values: np.ndarray) -> np.ndarray:
        return values if units.name == "examples" else np.bincount(units.of, values, minlength=units.count)

    for repeat in range(repeats):
        chosen = measured.present[repeat] if mask is None else measured.present[repeat] & mask[repeat]
        present[repeat] = chosen.mean() if len(chosen) else 0.0
        if not chosen.any():
            continue
        score[repeat] = measured.score_repeat(repeat, ones, chosen)
        if left_out:
            influence[repeat], fold_influence[repeat] = measured.moved_without(repeat, units.of, units.count, chosen)
        else:
            influence[repeat] = gathered(measured.influence(repeat, chosen))
        parts[repeat] = measured.parts(repeat, chosen)
        fold_score[repeat] = measured.score_folds(repeat, ones, chosen)[0]
        chosen_units = chosen if units.name == "examples" else np.bincount(units.of, chosen, minlength=units.count) > 0
        holders = first if chosen.all() else _first_present(units, chosen, first)
        unit_fold[repeat] = np.where(chosen_units, measured.fold[repeat][holders], -1)
        fold_units[repeat] = np.bincount(unit_fold[repeat][chosen_units], minlength=folds)
        if folds == 1:
            fold_influence[repeat] = influence[repeat]
        elif not left_out:
            own = np.zeros(measured.n)
            for fold in np.flatnonzero(~np.isnan(fold_score[repeat])):
                rows = np.flatnonzero(chosen & (measured.fold[repeat] == fold))
                own[rows] = measured.metric.influence_on(measured.statistics[repeat, rows])
            fold_influence[repeat] = gathered(own)
    plain = measured.metric.pooling == "count" and measured.metric.linear and measured.statistics.shape[2] == 1
    cell = float(units.count)
    if not plain:
        cell = units.smallest / units.classes / (folds if measured.metric.pooling == "rank" else 1)
    if weights.shape[1] != units.count or units.name != "examples":
        weights = weights[:, first]
    return Resample(
        present,
        score,
        influence,
        fold_score,
        fold_influence,
        unit_fold,
        fold_units,
        cell,
        bool(measured.metric.linear),
        plain,
        weights,
        mean_of_parts([p for p in parts if p], [w for p, w in zip(parts, present, strict=True) if p]),
        measured.seeded,
    )


def _first_present(units: Units, chosen: np.ndarray, first: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(chosen)[::-1]
    holders = first.copy()
    holders[units.of[rows]] = rows
    return holders


class Resampler:
    """Resamples of several candidates under the same weights, each made once.

    Args:
        weights: `(draws, n)`, as from `draw_weights`.
        units: What is independent.
    """

    def __init__(self, weights: np.ndarray, units: Units) -> None:
        self.weights, self.units = weights, units
        self._made: dict[tuple[str, bytes], Resample] = {}

    def of(self, name: str, measured: Measured, mask: np.ndarray | None = None) -> Resample:
        """`resample` of the candidate `name` on `mask & present` `(repeats, n)`."""
        chosen = measured.present if mask is None else measured.present & mask
        key = (name, np.packbits(chosen).tobytes())
        if key not in self._made:
            self._made[key] = resample(measured, self.weights, self.units, chosen)
        return self._made[key]


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the first axis with `weights`, leaving NaN out."""
    weights = np.where(np.isnan(values), 0.0, weights.reshape(-1, *[1] * (values.ndim - 1)))
    total = weights.sum(axis=0)
    return np.where(total > 0, np.nansum(values * weights, axis=0) / np.where(total > 0, total, 1.0), np.nan)
