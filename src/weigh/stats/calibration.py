"""Can stated probabilities be taken at face value? Temperature, calibration error, reliability.

Before it: out-of-fold logits. After it: `findings/calibration/stated.py` (the sentence), and the saved model, whose
temperature is `fit_temperature` of all out-of-fold logits.

The expected calibration error (ECE) of a finite sample is too large: noise in each bin counts as error. So
`calibration_error` takes the noise of each bin off, and its interval reaches down to zero unless the error
is larger than a perfectly calibrated model would show by chance.

References:
    [1] Guo et al. (2017), On Calibration of Modern Neural Networks (ECE with 15 bins; temperature scaling).
    [2] Kumar, Liang & Ma (2019), Verified Uncertainty Calibration (the plug-in estimate is biased; a binned error
        is a lower bound of the error).
    [3] Bröcker & Smith (2007), Increasing the Reliability of Reliability Diagrams (what chance alone would show).
    [4] Platt (1999), Probabilistic Outputs for Support Vector Machines (softened targets against overfitting).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.data.cache import room
from weigh.settings import cache_folder
from weigh.stats.estimate import Estimate
from weigh.stats.interval import share_estimate
from weigh.stats.resampling import Units

__all__ = [
    "BINS",
    "Scaled",
    "bin_statistics",
    "blank_statistics",
    "calibration_error",
    "expected_calibration_error",
    "fit_temperature",
    "mean_with_interval",
    "reliability",
    "scale_across_folds",
]

BINS = 15
FACTORS = np.linspace(0.0, 3.0, 301)  # on the gaps of all bins
CELLS = 4_000_000  # logits whose slope is computed at once: 32 MB
COLDEST, HOTTEST = 0.05, 20.0  # temperatures beyond these say "this cannot be fitted", not "divide by 1000"


def fit_temperature(
    logits: np.ndarray,
    target: np.ndarray,
    multilabel: bool | None = None,  # noqa: FBT001
    *,
    present: np.ndarray | None = None,
) -> float:
    """The temperature that minimises the log loss of `logits / temperature`. Deterministic.

    The loss is convex in 1/temperature, so a safeguarded Newton search finds its only minimum. Labels are softened by 1/(n + 2) as in [4]: a model that is never wrong on n examples has
    earned (n + 1)/(n + 2), not certainty.

    Args:
        logits: `(n, classes)` or `(repeats, n, classes)`, of models that did not train on these examples.
        target: `(n,)` class indices, or `(n, classes)` zeros and ones for multi-label.
        multilabel: Default: by the shape of `target`.
        present: `(n,)` or `(repeats, n)` bool, where there are logits; default: everywhere.

    Returns:
        A number in [0.05, 20]; 1.0 where there is nothing to fit. Above 1: the model was too sure of itself.

    Not for: correcting one class against another; a single number keeps the ranking of the classes.

    References: [1] section 4.2; [4] section 2.2.
    """
    target = np.asarray(target)
    multilabel = target.ndim == 2 if multilabel is None else multilabel
    stack = np.asarray(logits)
    stack = stack[None] if stack.ndim == 2 else stack
    whole = np.ones(stack.shape[:2], dtype=bool) if present is None else present.reshape(stack.shape[:2])
    if not whole.any():
        return 1.0
    sums = _Slopes(stack, target, whole, multilabel=multilabel)
    low, high = 1 / HOTTEST, 1 / COLDEST
    if sums.at(low).first >= 0:
        return HOTTEST if sums.vary else 1.0
    if sums.at(high).first <= 0:
        return COLDEST
    inverse = 1.0
    for _ in range(100):
        slope = sums.at(inverse)
        low, high = (inverse, high) if slope.first < 0 else (low, inverse)
        step = slope.first / slope.second if slope.second > 0 else np.inf
        proposal = inverse - step
        if not low < proposal < high:
            proposal = (low + high) / 2
        if abs(proposal - inverse) < 1e-9 * inverse:
            break
        inverse = proposal
    return float(1 / inverse)


def _soften(target: np.ndarray, classes: int, doubt: float) -> np.ndarray:
    """`(n, classes)` probabilities: the given label keeps `1 - doubt`, the others share `doubt`."""
    if target.ndim == 2:
        return np.where(target > 0, 1 - doubt, doubt)
    soft = np.full((len(target), classes), doubt / max(classes - 1, 1))
    soft[np.arange(len(target)), target] = 1 - doubt
    return soft


class _Slope(NamedTuple):
    first: float
    second: float


def _slope(z: np.ndarray, y: np.ndarray, inverse: float, multilabel: bool) -> _Slope:  # noqa: FBT001
    """First and second derivative of the mean log loss by 1/temperature; `z`, `y` are `(classes, n)`."""
    if multilabel:
        p = 0.5 * (1 + np.tanh(z * inverse / 2))
        return _Slope(float(((p - y) * z).mean()), float((p * (1 - p) * z * z).mean()))
    p = np.exp(z * inverse)  # z is at most 0: nothing overflows
    p /= p.sum(axis=0)
    mean = (p * z).sum(axis=0)
    second = (p * z * z).sum(axis=0) - mean**2
    return _Slope(float((mean - (y * z).sum(axis=0)).mean()), float(second.mean()))


class _Slopes:
    """The slope of the mean log loss of `stack[whole]` by 1/temperature. Many logits are read block by block, for each slope anew.

    Args:
        stack: `(repeats, n, classes)` logits.
        target: `(n,)` or `(n, classes)`.
        whole: `(repeats, n)` bool: which count.
    """

    def __init__(self, stack: np.ndarray, target: np.ndarray, whole: np.ndarray, *, multilabel: bool) -> None:
        self.stack, self.target, self.multilabel = stack, target, multilabel
        self.doubt = 1 / (int(whole.any(axis=0).sum()) + 2)
        repeat, example = np.nonzero(whole)
        step = max(1, CELLS // max(stack.shape[2], 1))
        self.rows = [(repeat[i : i + step], example[i : i + step]) for i in range(0, len(repeat), step)]
        self.only = self._block(*self.rows[0]) if len(self.rows) == 1 else None

    def _block(self, repeat: np.ndarray, example: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`(classes, rows)` logits, of one label at most 0, and softened labels."""
        z = self.stack[repeat, example].astype(np.float64)
        z = z - (0 if self.multilabel else z.max(axis=1, keepdims=True))
        y = _soften(self.target[example], z.shape[1], self.doubt)
        return np.ascontiguousarray(z.T), np.ascontiguousarray(y.T)  # sums over few classes are fast down the columns

    def at(self, inverse: float) -> _Slope:
        """The first and second derivative at a 1/temperature."""
        if self.only is not None:
            return _slope(*self.only, inverse, self.multilabel)
        weights = [len(repeat) for repeat, _ in self.rows]
        slopes = [_slope(*self._block(*rows), inverse, self.multilabel) for rows in self.rows]
        return _Slope(*(float(np.average(values, weights=weights)) for values in zip(*slopes, strict=True)))

    @property
    def vary(self) -> bool:
        """Whether any logit differs from the greatest of its example (of several labels: from 0)."""
        blocks = [self.only] if self.only is not None else (self._block(*rows) for rows in self.rows)
        return any(bool(z.any()) for z, _ in blocks)


class Scaled(NamedTuple):
    """Logits of a design, each fold divided by a temperature that the other folds chose.

    Attributes:
        logits: As given, scaled.
        temperatures: `(repeats, folds)`; NaN where a fold has no predictions.
    """

    logits: np.ndarray
    temperatures: np.ndarray


def scale_across_folds(logits: np.ndarray, fold: np.ndarray, target: np.ndarray) -> Scaled:
    """Scale each fold with the temperature fitted on the other folds of its repeat: an honest "after".

    Args:
        logits: `(repeats, n, classes)` out-of-fold logits.
        fold: `(repeats, n)`; -1 where missing.
        target: `(n,)` or `(n, classes)`.
    """
    scaled = np.array(logits, dtype=np.float64)
    temperatures = np.full((len(fold), int(fold.max()) + 1), np.nan)
    for r, folds in enumerate(fold):
        for k in np.unique(folds[folds >= 0]):
            inside, others = folds == k, (folds >= 0) & (folds != k)
            temperatures[r, k] = fit_temperature(logits[r, others], target[others])
            scaled[r, inside] /= temperatures[r, k]
    return Scaled(scaled, temperatures)


def blank_statistics(repeats: int, n: int, bins: int = BINS) -> np.ndarray:
    """`(repeats, n, 3, bins)` zeros to be filled with `bin_statistics`; many lie in a mapped file."""
    return room((repeats, n, 3, bins), np.float64, cache_folder())


def bin_statistics(probabilities: np.ndarray, target: np.ndarray, bins: int = BINS) -> np.ndarray:
    """What each example adds to the bins of a reliability diagram.

    The confidence is the probability of the most probable class (multi-label: of each class); bins have equal width,
    (0, 1/bins], …, as in [1].

    Returns:
        `(n, 3, bins)`: number of statements, sum of their confidence, number of them that are right.
    """
    n = len(probabilities)
    if target.ndim == 2:
        confidence, right = probabilities, target.astype(np.float64)
    else:
        confidence = probabilities.max(axis=1, keepdims=True)
        right = (probabilities.argmax(axis=1) == target)[:, None].astype(np.float64)
    position = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    out = np.zeros((n, 3, bins))
    row = np.broadcast_to(np.arange(n)[:, None], position.shape)
    for i, values in enumerate((np.ones_like(confidence), confidence, right)):
        np.add.at(out[:, i], (row, position), values)
    return out


def expected_calibration_error(sums: np.ndarray) -> np.ndarray:
    """ECE from bin sums `(..., 3, bins)`: mean distance of confidence and accuracy, weighted by the bins' sizes."""
    return np.abs(sums[..., 1, :] - sums[..., 2, :]).sum(axis=-1) / sums[..., 0, :].sum(axis=-1)


class Reliability(NamedTuple):
    """One bar of a reliability diagram."""

    confidence: float
    accuracy: float
    n: float


def reliability(statistics: np.ndarray) -> list[Reliability]:
    """The bars of a reliability diagram from `(repeats, n, 3, bins)`; `n` is the mean number per repeat."""
    sums = statistics.sum(axis=1).sum(axis=0)
    return [
        Reliability(float(c / k), float(a / k), float(k / len(statistics)))
        for k, c, a in zip(*sums, strict=True)
        if k > 0
    ]


def calibration_error(
    statistics: np.ndarray, weights: np.ndarray, *, level: float = 0.95, units: Units | None = None
) -> Estimate:
    """Debiased expected calibration error with an interval.

    The true gaps are taken to be those seen times one factor. The estimate is the factor whose gaps, with the noise of their
    bins, give the plug-in value on average: zero where noise alone gives as much. The interval holds the factors under which the
    plug-in value would be neither surprisingly large nor small; the noise of a bin is that of answers which are right as
    often as the factor says, so that at factor 0 it is what a calibrated model would show ([3]), times what the bootstrap sees
    beyond it (groups). Its upper end is the larger of that and of the bootstrap's, basic and bias-corrected percentile; and no less
    than what stated and true accuracy may differ by on average, where few errors have been seen and so hardly any gap.

    Args:
        statistics: `(repeats, n, 3, bins)` from `bin_statistics`; the repeats' errors are averaged. Rows of zeros are
            missing predictions.
        weights: `(draws, n)` from `resampling.draw_weights`: the same examples weigh the same in all repeats.
        units: What is independent; default: the examples.

    Not for: fewer than about 100 examples, where the interval says little; the binned error is a lower bound of the
    error at a finer resolution [2].
    """
    repeats, _, _, bins = statistics.shape
    whole = statistics.sum(axis=1)
    value = float(expected_calibration_error(whole).mean())
    # Only confidence minus accuracy is summed per bin and draw; the size of a draw is one number.
    seen, debiased, low, likely = np.zeros(len(weights)), 0.0, 0.0, 0.0
    tail = (1 - level) / 2
    for r in range(repeats):
        gaps, sizes = statistics[r, :, 1] - statistics[r, :, 2], statistics[r, :, 0].sum(axis=1)
        drawn, size, gap = weights @ gaps, weights @ sizes, gaps.sum(axis=0)
        seen += np.abs(drawn).sum(axis=1) / size / repeats
        spread = (drawn - np.outer(size / sizes.sum(), gap)).std(axis=0)
        noise = np.maximum(spread, _noise(whole[r], 0.0))
        debiased += _without_noise(gap, noise) / sizes.sum() / repeats
        ends = _factors(whole[r], spread, tail) * np.abs(gap).sum() / sizes.sum() / repeats
        low, likely = low + ends[0], likely + ends[1]
    bias = float(seen.mean()) - value
    bottom, top = np.quantile(seen, [tail, 1 - tail])
    high = min(1.0, max(2 * value - bottom, top - bias, likely, _off_on_average(statistics, units, level)))
    estimate = min(max(debiased, low), high)
    return Estimate(
        value=estimate,
        low=float(low),
        high=float(high),
        level=level,
        n=_count_units(statistics[:, :, 0].sum(axis=(0, 2)) > 0, units),
        n_unit=units.name if units else "examples",
        method=f"expected calibration error, {bins} bins, debiased",
    )


def _count_units(present: np.ndarray, units: Units | None) -> int:
    """How many independent units the examples `present (n,)` are of."""
    return len(np.unique(units.of[present])) if units else int(present.sum())


def _off_on_average(statistics: np.ndarray, units: Units | None, level: float) -> float:
    """How far the mean confidence may be from the true accuracy; a calibration error is at least that."""
    number, confidence, right = statistics.sum(axis=(0, 3)).T
    present = number > 0
    if units is not None:
        inside, of = np.unique(units.of[present], return_inverse=True)
        units = replace(units, of=of, count=len(inside))
    accuracy = share_estimate(right[present] / number[present], units, level=level)
    if accuracy.low is None or accuracy.high is None:
        return 0.0
    mean = float((confidence[present] / number[present]).mean())
    return max(mean - accuracy.low, accuracy.high - mean)


def _noise(sums: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
    """`(bins,)` standard deviation of confidence minus accuracy, summed, where the true gaps are `factor` times those of `sums`.

    For factors `(factors, 1)`: `(factors, bins)`.
    """
    confidence = sums[1] / np.maximum(sums[0], 1e-12)
    accuracy = np.clip(confidence - factor * (sums[1] - sums[2]) / np.maximum(sums[0], 1e-12), 0.0, 1.0)
    return np.sqrt(sums[0] * accuracy * (1 - accuracy))


def _factors(sums: np.ndarray, spread: np.ndarray, tail: float) -> np.ndarray:
    """`(2,)` smallest and largest factor on the gaps of `sums (3, bins)` under which so large, or so small, a plug-in value is likely."""
    from scipy.special import ndtri

    gap = np.abs(sums[1] - sums[2])
    alike = max(1.0, float(np.square(spread).sum() / max(np.square(_noise(sums, 1.0)).sum(), 1e-300)))  # within groups
    if not math.isfinite(alike) or not np.square(_noise(sums, 1.0)).any():
        alike = 1.0
    factors = FACTORS[:, None]
    means, spreads = _folded(factors * gap, math.sqrt(alike) * _noise(sums, factors))
    q = -float(ndtri(tail))
    reached, kept = means + q * spreads >= gap.sum(), means - q * spreads <= gap.sum()
    return np.array([FACTORS[reached.argmax()] if reached.any() else 1.0, FACTORS[kept][-1] if kept.any() else 0.0])


def _folded(gap: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation `(...)` of the sum of the absolute values of gaps `(..., bins)` with normal noise."""
    from scipy.special import erf

    sd = np.maximum(noise, 1e-12)
    z = gap / sd
    mean = sd * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) + gap * erf(z / np.sqrt(2))
    return mean.sum(axis=-1), np.sqrt(np.maximum(gap**2 + sd**2 - mean**2, 0.0).sum(axis=-1))


def _without_noise(gap: np.ndarray, noise: np.ndarray) -> float:
    """Sum of the bins' absolute gaps `(bins,)` without what noise of these standard deviations adds.

    An absolute value of a gap with normal noise is folded normal, so its mean is known; one factor for all gaps is found
    by bisection.
    """
    seen = float(np.abs(gap).sum())

    def expected(factor: float) -> float:
        return float(_folded(factor * gap, noise)[0])

    if expected(0.0) >= seen:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) < seen else (low, middle)
    return seen * (low + high) / 2


def mean_with_interval(
    values: np.ndarray,
    weights: np.ndarray,
    *,
    level: float = 0.95,
    units: Units | None = None,
    method: str = "bootstrap",
    unit: str = "score",
) -> Estimate:
    """Mean of `values (n,)` with a percentile bootstrap interval from `weights (draws, n)`; NaN values are left out."""
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    sizes = weights @ present
    seen = weights @ filled / np.where(sizes > 0, sizes, np.nan)
    low, high = np.nanquantile(seen, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(
        value=float(filled.sum() / present.sum()),
        low=float(low),
        high=float(high),
        level=level,
        n=_count_units(present, units),
        n_unit=units.name if units else "examples",
        method=method,
        unit=unit,
    )
