"""What would the scores have been with other examples? The Bayesian bootstrap over examples or whole groups.

Every example (or group) gets a random weight from the standard exponential distribution (Rubin 1981); all candidates
and all repeats of a draw share the weights, so differences are paired. Unlike counts of a classical bootstrap, such
weights are never zero: no class disappears from a draw and no score becomes undefined.

Before it: `metrics/design.py` (measured predictions). After it: `interval.py`, `comparison.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["Measured", "Resample", "Resampler", "Units", "draw_counts", "draw_weights", "make_units", "resample"]

FOLD_DRAWS = 200  # draws that estimate how far folds differ by their examples alone
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
    def repeats(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def folds(self) -> int: ...
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
            times (units of the smallest class). An event that never occurred among them has probability at most
            about 3 / smallest.
        classes: Number of classes that occur (1 for several labels per example).
    """

    of: np.ndarray
    count: int
    name: str
    smallest: float
    classes: int = 1


def make_units(target: np.ndarray, groups: np.ndarray | None = None) -> Units:
    """Units of `n` examples with targets `(n,)` or `(n, labels)`."""
    n = len(target)
    if groups is None:
        of, units, name = np.arange(n), n, "examples"
    else:
        _, of = np.unique(np.asarray(groups).astype(str), return_inverse=True)
        units, name = int(of.max(initial=-1)) + 1, "groups"
    smallest, classes = n, 1
    if target.ndim == 1 and n:
        sizes = np.bincount(target)
        sizes = sizes[sizes > 0]
        classes = len(sizes)
        smallest = min(n, classes * sizes.min())
    return Units(of, units, name, float(smallest) * units / max(n, 1), classes)


def draw_weights(rng: np.random.Generator, units: Units, draws: int) -> np.ndarray:
    """`(draws, n)` weights of the Bayesian bootstrap; examples of one unit share their weight."""
    weights = rng.standard_exponential((draws, units.count))
    return weights if units.name == "examples" else weights[:, units.of]


def draw_counts(rng: np.random.Generator, units: Units, draws: int) -> np.ndarray:
    """`(draws, n)` how often each example is drawn by a classical bootstrap of the units (zero: out of the bag)."""
    counts = rng.multinomial(units.count, np.full(units.count, 1 / units.count), size=draws).astype(np.float64)
    return counts if units.name == "examples" else counts[:, units.of]


@dataclass(frozen=True)
class Resample:
    """Scores of one candidate and what they would have been with other examples.

    Attributes:
        present: `(repeats,)` share of the examples that each repeat has a prediction for.
        score: `(repeats,)`; NaN where nothing is present.
        draws: `(repeats, b)`.
        fold_score: `(repeats, folds)`.
        fold_draws: `(repeats, folds, b')`.
        fold_units: `(repeats, folds)` number of independent units in each fold.
        linear: As the metric says.
        cell: Independent units that are averaged as a whole: all of them for a plain mean, those of the smallest class
            for other count metrics, those of the smallest class in one fold for rank metrics.
    """

    present: np.ndarray
    score: np.ndarray
    draws: np.ndarray
    fold_score: np.ndarray
    fold_draws: np.ndarray
    fold_units: np.ndarray
    cell: float
    linear: bool

    @property
    def overall(self) -> float:
        """Mean over repeats, weighted by what is present."""
        return float(_weighted(self.score, self.present))

    def minus(self, other: Resample) -> Resample:
        """The difference to another candidate, repeat by repeat and draw by draw (same weights, same masks)."""
        repeats = min(len(self.score), len(other.score))
        folds = max(self.fold_score.shape[1], other.fold_score.shape[1])

        def part(source: Resample, name: str) -> np.ndarray:
            values = getattr(source, name)[:repeats]
            if not name.startswith("fold") or values.shape[1] == folds:
                return values
            missing = np.full((repeats, folds - values.shape[1], *values.shape[2:]), np.nan)
            return np.concatenate([values, missing], axis=1)  # the last fold failed in every repeat of one of them

        def of(name: str) -> np.ndarray:
            return part(self, name) - part(other, name)

        units = np.nan_to_num(np.fmin(part(self, "fold_units"), part(other, "fold_units")))
        return Resample(
            self.present[:repeats],
            of("score"),
            of("draws"),
            of("fold_score"),
            of("fold_draws"),
            units,
            min(self.cell, other.cell),
            self.linear,
        )


def resample(measured: Measured, weights: np.ndarray, units: Units, mask: np.ndarray | None = None) -> Resample:
    """Score a measured design under `(b, n)` weights.

    Args:
        mask: `(repeats, n)` bool: examples to use (those that a comparison has in common); default: all present.
    """
    repeats, folds = measured.repeats, measured.folds
    ones = np.ones(measured.n)
    few = weights[:FOLD_DRAWS]
    score = np.full(repeats, np.nan)
    draws = np.full((repeats, len(weights)), np.nan)
    fold_score = np.full((repeats, folds), np.nan)
    fold_draws = np.full((repeats, folds, len(few)), np.nan)
    fold_units = np.zeros((repeats, folds))
    present = np.zeros(repeats)
    for repeat in range(repeats):
        chosen = measured.present[repeat] if mask is None else measured.present[repeat] & mask[repeat]
        present[repeat] = chosen.mean() if len(chosen) else 0.0
        if not chosen.any():
            continue
        score[repeat] = measured.score_repeat(repeat, ones, chosen)
        draws[repeat] = measured.score_repeat(repeat, weights, chosen)
        fold_score[repeat] = measured.score_folds(repeat, ones, chosen)[0]
        for fold in range(folds):
            rows = chosen & (measured.fold[repeat] == fold)
            fold_units[repeat, fold] = rows.sum() if units.name == "examples" else len(np.unique(units.of[rows]))
        if folds > 1 and fold_units[repeat].max() >= SMALLEST_FOLD:
            fold_draws[repeat] = measured.score_folds(repeat, few, chosen)[0]
    cell = float(units.count)
    if measured.metric.pooling == "rank" or measured.statistics.shape[2] > 1:
        cell = units.smallest / units.classes / (folds if measured.metric.pooling == "rank" else 1)
    return Resample(present, score, draws, fold_score, fold_draws, fold_units, cell, bool(measured.metric.linear))


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


def _weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the first axis with `weights`, leaving NaN out."""
    weights = np.where(np.isnan(values), 0.0, weights.reshape(-1, *[1] * (values.ndim - 1)))
    total = weights.sum(axis=0)
    return np.where(total > 0, np.nansum(values * weights, axis=0) / np.where(total > 0, total, 1.0), np.nan)
