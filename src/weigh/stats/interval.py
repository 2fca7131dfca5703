"""How uncertain a score, or a difference of scores, is: one variance for all three claims, and intervals from it.

The variance of a cross-validated score (or paired difference) is put together from parts that fold records show:

- `averaged`: the variance between examples of what each example contributes, averaged over repeats. For trained models
  on a test part (`these_models`) that is all. Under cross-validation it is too small: an example that suits a recipe
  is answered well *and* makes a good training example, so it moves the score twice. A score that depends on pairs of
  examples alike (U-statistic of degree 2) has that effect as large as the first one again.
- `noise`: what single runs vary by, seen between repeats of the same examples. It is divided by the repeats and is no
  part of what is counted twice.
- `runs`: what folds differ by beyond their examples, because whole runs turned out better or worse (fine-tuning, with
  seeds of its own). Few runs show it badly, so it decides the degrees of freedom: few runs, wide intervals, a single one as two. A head on frozen
  features is determined by its training examples: its folds differ by chance alone, and nothing is counted.

So the variance is averaged + TWICE x (averaged - noise / repeats) + runs. TWICE is 1 for claims about other data sets;
for this data set the same examples stay in the training set, which undoes a part of it. With one repeat the noise is
hidden and a factor takes its place. The figures behind it: docs/decisions/comparison-rule.md and docs/audit.md.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from weigh.metrics.parts import one_part
from weigh.stats.estimate import Estimate
from weigh.stats.limits import distances
from weigh.stats.resampling import SMALLEST_FOLD, Measured, Resample, Units, resample

__all__ = [
    "METHODS",
    "Claim",
    "Variance",
    "between_folds",
    "estimate_of",
    "quantile",
    "sampling_variance",
    "score_estimate",
    "share_estimate",
    "student",
    "unseen",
]

Claim = Literal["these_models", "this_data", "new_data"]
SMALLEST_CELL = 4.0  # with fewer units in a cell the correction for estimated means would be a guess
TWICE = {"new_data": 1.0, "this_data": 0.6}  # see the formula above
# With one repeat, noise cannot be told apart: the variance is `averaged` times (ALONE + HALVES / folds). With few folds less is trained on.
ALONE = {"new_data": 1.5, "this_data": 1.3}
HALVES = 0.5
LEAST = 1.1  # with several repeats, at least `averaged` times this: the training sample always has some effect
# Most degrees of freedom of a variance from a single run, which does not show how much runs differ (docs/decisions/budget.md).
ONE_RUN = 2.4
TRAINING = 1.5  # a rough single factor, for planning before there are results
FEWEST = 8.0  # degrees of freedom that the variance of a score keeps, however few examples it stands on
DRAWS = 1000


class Variance(NamedTuple):
    """The variance of a score or difference and its parts, in squared units of the metric.

    Attributes:
        total: What intervals are made of.
        examples: The part that only more examples can shrink (variance of the mean over infinitely many repeats, with
            the training sample's part).
        runs: The part that more runs (folds' repeats) can shrink.
        freedom: Degrees of freedom of `total` (Satterthwaite 1946).
        repeats: Repeats with any result.
        units: Independent examples or groups.
    """

    total: float
    examples: float
    runs: float
    freedom: float
    repeats: int
    units: int

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.total)


def sampling_variance(resampled: Resample, units: Units, claim: Claim) -> Variance:
    """The variance of `resampled.overall` (a score or a difference); NaN where it cannot be estimated."""
    used = np.flatnonzero(~np.isnan(resampled.score))
    present = resampled.present[used]
    independent = units.count if resampled.plain else units.smallest
    count = max(independent * float(present.mean()), 2.0) if len(used) else 2.0
    if not len(used) or units.count < 2:
        return Variance(np.nan, np.nan, np.nan, 1.0, len(used), units.count)
    cell = max(resampled.cell * float(present.mean()), SMALLEST_CELL)
    correction = cell / (cell - 1)  # means are estimated within cells
    averaged = correction * float(np.square(resampled.mean_influence).sum())
    if claim == "these_models":
        return Variance(averaged, averaged, 0.0, count - 1, len(used), units.count)
    if len(used) == 1:
        folds = max(int((~np.isnan(resampled.fold_score[used[0]])).sum()), 2)
        noise, examples = 0.0, (ALONE[claim] + HALVES / folds) * averaged
    else:
        within = correction * float(np.square(resampled.influence[used]).sum(axis=1).mean())
        noise = max(0.0, within - averaged) / (len(used) - 1)  # of the mean over repeats
        # Where some examples weigh more than others the noise is not told apart reliably: nothing is taken off
        examples = averaged + TWICE[claim] * (averaged - noise * resampled.plain)
        examples = max(examples, LEAST * averaged)
    between, expected, known = between_folds(resampled, used) if resampled.seeded else (0.0, 0.0, 0)
    runs, freedom = max(0.0, between - expected), count - 1
    total = examples + runs
    if between > 0:
        # total = (examples - expected) + between: the second has few degrees of freedom, also where it happens to be small
        spread = max(examples - expected, 0.0) ** 2 / freedom + between**2 / known
        freedom = min(total**2 / spread, freedom)
    elif resampled.seeded and int((~np.isnan(resampled.fold_score[used])).sum()) == 1:
        freedom = min(freedom, ONE_RUN)
    shrinkable = min(runs + noise, total)
    return Variance(total, total - shrinkable, shrinkable, max(freedom, 1.0), len(used), units.count)


def usual_factor(resampled: Resample, claim: Claim) -> float:
    """The variance over that of independent examples where no example shows any: the factor of `sampling_variance`."""
    if claim == "these_models":
        return 1.0
    folds = max(resampled.fold_score.shape[1], 2)
    return ALONE[claim] + HALVES / folds if len(resampled.score) == 1 else 1.0 + TWICE[claim]


def between_folds(resampled: Resample, used: np.ndarray) -> tuple[float, float, int]:
    """Variance of the design's mean as the folds show it, as their examples alone explain it, and its freedom.

    Both are variances of a fold's score divided by the number of runs.
    """
    seen, explained, freedom, runs = 0.0, 0.0, 0, 0
    for repeat in used:
        score, number = resampled.fold_score[repeat], resampled.fold_units[repeat]
        good = np.flatnonzero(~np.isnan(score) & (number >= SMALLEST_FOLD))
        if len(good) < 2:
            continue
        fold = resampled.unit_fold[repeat]
        inside = np.isin(fold, good)
        squares = np.bincount(fold[inside], np.square(resampled.fold_influence[repeat][inside]), minlength=len(score))[
            good
        ]
        seen += float(score[good].var(ddof=1)) * (len(good) - 1)
        explained += float((squares * number[good] / (number[good] - 1)).mean()) * (len(good) - 1)
        freedom += len(good) - 1
        runs += len(good)
    if not freedom:
        return 0.0, 0.0, 0
    return seen / freedom / runs, explained / freedom / runs, freedom


def quantile(level: float, freedom: float, *, adjusted: float | None = None) -> float:
    """Two-sided quantile of Student's t.

    Args:
        adjusted: The two-sided normal quantile that allows for several comparisons (never below the plain one); its
            error probability is carried over to the t distribution.
    """
    from scipy.special import ndtri

    return student(max(float(ndtri(0.5 + level / 2)), adjusted or 0.0), freedom)


def student(normal: float, freedom: float) -> float:
    """The quantile of Student's t that has the error probability of the quantile `normal` of the normal distribution."""
    from scipy.special import ndtr, stdtrit

    return float(stdtrit(freedom, ndtr(normal)))


METHODS: dict[str, str] = {  # of intervals, with a blank for what is independent
    "these_models": "influence of {u}",
    "this_data": "influence of {u} with their part in training and the variance between runs",
    "new_data": "influence of {u} with their part in training and the variance between runs",
}


def unseen(metric: Any, moves: np.ndarray, m: float, level: float) -> float:
    """What an event that never occurred could still amount to: half an interval is at least that long.

    It has probability up to -log(1 - level) / m (the rule of three). An example that is right or wrong as a whole moves a difference by up
    to 1. Where an answer may be right in part, what has not been seen is taken to be as large as the largest that was.

    Args:
        moves: `(units,)` influence of each on the difference.
        m: Independent units behind it.
    """
    if metric.unit != "score":
        return 0.0
    largest = float(np.abs(moves).max(initial=0.0)) if metric.without else 0.0
    return -math.log(1 - level) * largest or -math.log(1 - level) * metric.highest / max(m, 1.0)


def score_estimate(
    measured: Measured,
    units: Units,
    *,
    claim: Claim,
    level: float = 0.95,
) -> Estimate:
    """A score of one candidate with its interval.

    Args:
        measured: `metrics.design.measure_design` of the out-of-fold predictions, or of one test part.
        claim: "these_models" for trained models on a test part; the other two for cross-validation.

    Returns:
        The score; without an interval where fewer than two independent units or no draws are there.

    Not for: the score of the best of many candidates, which is optimistic (`luck_of_choosing.py`).
    """
    resampled = resample(measured, np.ones((1, measured.n)), units)
    return estimate_of(resampled, units, measured.metric, claim=claim, level=level)


def _freedom(resampled: Resample, units: Units, variance: Variance) -> float:
    """Degrees of freedom behind the variance of a single score.

    The variance of a share follows from the share: nothing is estimated, unless whole runs differ; how much they do is not known from a single one.
    Where a few examples make most of the variance of ranks, it is known as badly as from a few examples.
    """
    if variance.runs > 0 or resampled.parts is None or variance.freedom <= ONE_RUN:
        return variance.freedom
    if not resampled.parts.ranked:
        return math.inf
    squares = np.square(resampled.mean_influence)
    total = float(squares.sum())
    if total <= 0:
        return variance.freedom
    heavy = float(np.square(squares).sum()) / total**2 - 1 / max(units.smallest, 2.0)
    return min(variance.freedom, max(2 / max(heavy, 1e-9), FEWEST))


def estimate_of(
    resampled: Resample, units: Units, metric: Any, *, claim: Claim, level: float, further: float = 0.0
) -> Estimate:
    """The estimate behind resampled scores of `metric` (see `score_estimate`).

    Args:
        further: Variance of the score, in squared units of the metric, by luck that the records of the folds do not show.
    """
    value, unit = resampled.overall, metric.unit
    variance = sampling_variance(resampled, units, claim)
    variance = variance._replace(total=variance.total + further)
    method = METHODS[claim].format(u=units.name)
    answered = int((resampled.unit_fold >= 0).any(axis=0).sum()) or units.count
    plain = Estimate(value=value, level=level, n=answered, n_unit=units.name, method=method, unit=unit)
    if not math.isfinite(value) or not math.isfinite(variance.total):
        return plain.model_copy(update={"method": "no interval: too few independent examples"})
    q = quantile(level, _freedom(resampled, units, variance))
    if unit == "score":
        span = (
            metric.highest - metric.lowest
        )  # correlations as a share of the way from -1 to 1; there it is close to Fisher's z
        parts = resampled.parts or one_part(min(max((value - metric.lowest) / span, 0.0), 1.0), units.smallest)
        usual = usual_factor(resampled, claim) * len(units.of) / units.count  # groups: at worst all alike
        room = distances(parts, variance.total / span**2, usual, q, level)
        low, high = max(metric.lowest, value - span * room.below), min(metric.highest, value + span * room.above)
    elif variance.total <= 0:
        return plain.model_copy(update={"method": "no interval: no variation"})
    else:
        low, high = max(0.0, value - q * variance.standard_error), value + q * variance.standard_error
    return plain.model_copy(update={"low": low, "high": high})


def share_estimate(values: np.ndarray, units: Units | None = None, *, level: float = 0.95) -> Estimate:
    """A share of examples with its interval, by the rule of single scores (`estimate_of`): these answers, new examples like these.

    Args:
        values: `(n,)` in [0, 1], one per example: whether it counts, or how often.
        units: What is independent of what; None: every example.
    """
    n, share = len(values), float(np.mean(values))
    of, count, name = (np.arange(n), n, "examples") if units is None else (units.of, units.count, units.name)
    plain = Estimate(value=share, level=level, n=count, n_unit=name, method=METHODS["these_models"].format(u=name))
    if count < 2:
        return plain.model_copy(update={"method": "no interval: too few independent examples"})
    influence = np.bincount(of, (np.asarray(values) - share) / n, minlength=count)
    variance = count / (count - 1) * float(np.square(influence).sum())
    room = distances(one_part(share, count), variance, n / count, quantile(level, math.inf), level)
    return plain.model_copy(update={"low": max(0.0, share - room.below), "high": min(1.0, share + room.above)})
