"""How uncertain a score, or a difference of scores, is: one variance for all three claims, and intervals from it.

The variance of a cross-validated score (or paired difference) is put together from parts that fold records show:

- `within`: the variance between examples within single repeats, averaged over repeats. Averaging the repeats first
  (`averaged`) would hide what the training sample does to all examples at once; the variance within single repeats
  contains noise of about that size, and simulations show that it stands in for it (docs/decisions/comparison-rule.md).
- Where that noise is hidden (one repeat) or smaller than the training sample's effect (learners that always answer the
  same), `within` is too small: the variance is at least `TRAINING` times `averaged`, a constant from those simulations.
- For metrics that are not means (F1, AUROC) the stand-in falls a little short: there the noise that is still in the
  mean over repeats is added to `within`.
- `runs`: what folds differ by beyond their examples, because whole runs turned out better or worse (fine-tuning that
  degenerates). Its share decides the degrees of freedom: few runs, wide intervals.

Claims about fixed trained models (`these_models`) know neither runs nor training samples: examples only.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from weigh.stats.estimate import Estimate
from weigh.stats.resampling import SMALLEST_FOLD, Measured, Resample, Units, draw_weights, resample

__all__ = [
    "Claim",
    "Variance",
    "between_folds",
    "estimate_of",
    "quantile",
    "sampling_variance",
    "score_estimate",
    "wilson",
]

Claim = Literal["these_models", "this_data", "new_data"]
SMALLEST_CELL = 4.0  # below so many the correction of the bootstrap's variance would be a guess
TRAINING = 1.6  # allows for the training sample; the correction of Nadeau and Bengio tends to about the same
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
    count = max(units.count * float(present.mean()), 2.0) if len(used) else 2.0
    if not len(used) or units.count < 2:
        return Variance(np.nan, np.nan, np.nan, 1.0, len(used), units.count)
    draws = resampled.draws[used]
    # The Bayesian bootstrap's variance of a mean of m is s² (m - 1) / (m (m + 1)): bring it to s² / m
    cell = max(resampled.cell * float(present.mean()), SMALLEST_CELL)
    correction = (cell + 1) / (cell - 1)
    within = correction * float(np.nanvar(draws, axis=1).mean())
    averaged = correction * float(np.nanvar((draws * present[:, None]).sum(axis=0) / present.sum()))
    if claim == "these_models":
        return Variance(averaged, averaged, 0.0, count - 1, len(used), units.count)
    noise = (within - averaged) * len(used) / (len(used) - 1) if len(used) > 1 else 0.0  # of single runs
    examples = max(within, TRAINING * averaged)
    if not resampled.linear:
        examples = max(examples, within + noise / len(used))
    between, expected, freedom = between_folds(resampled, used)
    runs = max(0.0, between - expected) if freedom else 0.0
    total = examples + runs
    if runs > 0:
        # total = (examples - expected) + between: the second has few degrees of freedom
        spread = (examples - expected) ** 2 / (count - 1) + between**2 / freedom
        freedom = min(total**2 / spread, count - 1) if spread > 0 else count - 1
    else:
        freedom = count - 1
    shrinkable = runs + max(0.0, noise / len(used))
    return Variance(total, max(total - shrinkable, 0.0), shrinkable, max(freedom, 1.0), len(used), units.count)


def between_folds(resampled: Resample, used: np.ndarray) -> tuple[float, float, int]:
    """Variance of the design's mean as the folds show it, as their examples alone explain it, and its freedom.

    Both are variances of a fold's score divided by the number of runs.
    """
    seen, explained, freedom, runs = [], [], 0, 0
    for repeat in used:
        score, units = resampled.fold_score[repeat], resampled.fold_units[repeat]
        draws = resampled.fold_draws[repeat]
        good = ~np.isnan(score) & ~np.isnan(draws).any(axis=1) & (units >= SMALLEST_FOLD)
        if good.sum() < 2:
            continue
        seen.append(score[good].var(ddof=1) * (good.sum() - 1))
        explained.append((draws[good].var(axis=1) * (units[good] + 1) / (units[good] - 1)).mean() * (good.sum() - 1))
        freedom += int(good.sum()) - 1
        runs += int(good.sum())
    if not freedom:
        return 0.0, 0.0, 0
    return float(np.sum(seen)) / freedom / runs, float(np.sum(explained)) / freedom / runs, freedom


def quantile(level: float, freedom: float, *, adjusted: float | None = None) -> float:
    """Two-sided quantile of Student's t.

    Args:
        adjusted: The two-sided normal quantile that allows for several comparisons (never below the plain one); its
            error probability is carried over to the t distribution.
    """
    from scipy.special import ndtr, ndtri, stdtrit

    plain = float(ndtri(0.5 + level / 2))
    upper = float(ndtr(max(plain, adjusted or 0.0)))
    return float(stdtrit(freedom, upper))


def wilson(value: float, standard_error: float, q: float, least: float) -> tuple[float, float]:
    """Wilson's interval of a share that behaves as if it came from `value (1 - value) / standard_error²` examples.

    Keeps the interval inside [0, 1] and honest at the ends: a perfect score of `least` examples is not certain.
    """
    if standard_error > 1e-9 and 0 < value < 1:
        size = value * (1 - value) / standard_error**2
    else:
        size = least
    size = max(size, 1.0)
    centre = (value + q * q / (2 * size)) / (1 + q * q / size)
    half = q / (1 + q * q / size) * math.sqrt(value * (1 - value) / size + q * q / (4 * size * size))
    return max(0.0, centre - half), min(1.0, centre + half)


METHODS = {
    "these_models": "Bayesian bootstrap over {u}",
    "this_data": "Bayesian bootstrap over {u} within repeats, with the variance between runs",
    "new_data": "Bayesian bootstrap over {u} within repeats, with the variance between runs",
}


def score_estimate(
    measured: Measured,
    units: Units,
    *,
    rng: np.random.Generator,
    claim: Claim,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Estimate:
    """A score of one candidate with its interval.

    Args:
        measured: `metrics.design.measure_design` of the out-of-fold predictions, or of one test part.
        claim: "these_models" for trained models on a test part; the other two for cross-validation.

    Returns:
        The score; without an interval where fewer than two independent units or no draws are there.

    Not for: the score of the best of many candidates, which is optimistic (`selection.py`).
    """
    weights = draw_weights(rng, units, draws)
    return estimate_of(resample(measured, weights, units), units, claim=claim, level=level, unit=measured.metric.unit)


def estimate_of(resampled: Resample, units: Units, *, claim: Claim, level: float, unit: str) -> Estimate:
    """The estimate behind resampled scores (see `score_estimate`)."""
    value = resampled.overall
    variance = sampling_variance(resampled, units, claim)
    method = METHODS[claim].format(u=units.name)
    plain = Estimate(value=value, level=level, n=units.count, n_unit=units.name, method=method, unit=unit)
    if not math.isfinite(value) or not math.isfinite(variance.total):
        return plain.model_copy(update={"method": "no interval: too few independent examples"})
    q = quantile(level, variance.freedom)
    if unit == "score":
        low, high = wilson(value, variance.standard_error, q, units.smallest)
    elif variance.total <= 0:
        return plain.model_copy(update={"method": "no interval: no variation"})
    else:
        low, high = max(0.0, value - q * variance.standard_error), value + q * variance.standard_error
    return plain.model_copy(update={"low": low, "high": high})
