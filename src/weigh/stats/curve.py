"""What would more data be worth? A power law through the scores of nested training sets, and what it says about twice as many.

    score(n) = a - b n^-c,   written as   score(t) = present + gain h_c(t),   t = n / (training examples now)

with h_c(t) = (1 - t^-c) / (1 - 2^-c), so that `gain` is what twice the data adds. Four points never determine the
exponent, so no single one is chosen: for each c between 0 (every doubling adds the same) and 2.5 the other two
parameters follow by generalised least squares, and the answers are averaged with the weights that the points give them
(Bayesian model averaging, flat priors). A gain is thus between 0.18 and 1 times what the last doubling added, and its
interval knows about the points, about their covariance, and about the law. Where the points rise faster than any of these (a hardly
regularised head, once it has more examples than columns), laws down to c = -1 are averaged in: up to twice the last doubling.

The covariance of the points is put together as the variance of every score is (`interval.py`): what examples contribute,
their part in training, and what whole runs differ by beyond their examples. Points share examples and runs, so it is far from diagonal.

Before it: `resampling.py` (influences of the examples on the score of every size). After it: `findings/generalisation/curve.py`.
What was tried and how often the intervals hold: docs/decisions/learning-curve.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from weigh.stats.estimate import Estimate
from weigh.stats.interval import ALONE, HALVES, LEAST, SMALLEST_CELL, TWICE, Claim, sampling_variance
from weigh.stats.resampling import SMALLEST_FOLD, Resample, Units, pad_folds

__all__ = ["LearningCurve", "curve_covariance", "fit_curve", "learning_curve"]

EXPONENTS = np.round(np.linspace(-1.0, 2.5, 36), 1) + 0.0  # below 0 every doubling adds more than the last one
# Such a law is considered only if its distance from the points (in squared standard errors) is smaller by this much.
FASTER = 1.0
LEAST_POINTS = 3
# Factor on the gain's error: real curves are no exact power laws, and it depends on which further examples come.
ALLOWED = 1.5
MISFIT = 0.01  # below this p-value the points do not lie on any power law
BENT = 0.1  # below this one they may bend up again, so it is not said that little is to be gained
# Repeats come to agree where twice the examples reduce the variance between them to less than this share.
SETTLED = 0.7


@dataclass(frozen=True)
class LearningCurve:
    """A fitted curve; all scores so that greater is better or not as the metric has it.

    Attributes:
        sizes: `(k,)` training examples, ascending; the last is the present.
        scores: `(k,)`.
        covariance: `(k, k)`.
        present, predicted: Score now and with twice the training examples.
        gain: The difference; no interval where the points contradict every power law.
        exponent: c, with the interval that the points and the prior range leave.
        misfit: p-value of the best law; 1 where there are too few points to test it.
        settling: Variance between repeats over that at about half the examples; NaN with one repeat.
    """

    sizes: np.ndarray
    scores: np.ndarray
    covariance: np.ndarray
    present: Estimate
    predicted: Estimate
    gain: Estimate
    exponent: Estimate
    misfit: float
    weights: np.ndarray
    means: np.ndarray
    settling: float = math.nan

    @property
    def fits(self) -> bool:
        """Whether the points may lie on a power law."""
        return self.misfit >= MISFIT

    @property
    def quickens(self) -> bool:
        """Whether laws in which every doubling adds more than the last one are averaged in."""
        return bool(self.weights[EXPONENTS < 0].any())

    @property
    def would_show_a_bend(self) -> bool:
        """Whether a curve that bends up again would have shown, and did not.

        A learner that is hardly regularised gets no better, or worse, where the examples are as many as the features, and then
        much better. Three points lie on some power law whatever they are; but such a learner's repeats do not come to agree.
        """
        return self.settling < SETTLED or (len(self.sizes) > LEAST_POINTS and self.misfit >= BENT)

    @property
    def tells_nothing(self) -> bool:
        """Whether no growth is shown by points that would not show a bend, of a learner whose repeats do not come to agree."""
        hidden = self.settling >= SETTLED and not self.would_show_a_bend
        return (
            hidden and self.gain.low is not None and self.gain.high is not None and self.gain.low <= 0 <= self.gain.high
        )

    def at(self, sizes: np.ndarray) -> np.ndarray:
        """The fitted curve at training sizes `(m,)`."""
        t = np.asarray(sizes, dtype=float) / self.sizes[-1]
        curves = [mean[0] + mean[1] * _shape(t, c) for mean, c in zip(self.means, EXPONENTS, strict=True)]
        return self.weights @ np.array(curves)


def learning_curve(
    sizes: Sequence[float],
    resamples: Sequence[Resample],
    units: Units,
    *,
    claim: Claim,
    level: float = 0.95,
    unit: str = "score",
    lowest: float = 0.0,
    highest: float = 1.0,
    present: float | None = None,
) -> LearningCurve | None:
    """The curve through nested training sets, scored on the same examples.

    Args:
        sizes: Training examples, ascending; the last belongs to the present design.
        resamples: One per size, with the same repeats and folds.
        lowest, highest: The least and the greatest value that a score can have.
        present: The present score where it is known from more repeats than the curve has.

    Returns:
        None where it cannot be estimated: fewer than three sizes, missing runs, fewer than two independent units.

    References:
        Cortes et al. (1994), Learning curves; Viering & Loog (2023), The shape of learning curves: a review;
        Hoeting et al. (1999), Bayesian model averaging.
    """
    scores = np.array([resample.overall for resample in resamples])
    if len(sizes) < LEAST_POINTS or units.count < 2 or not np.isfinite(scores).all():
        return None
    covariance = curve_covariance(resamples, units, claim)
    freedom = sampling_variance(resamples[-1], units, claim).freedom
    if covariance is None or not math.isfinite(freedom):
        return None
    curve = fit_curve(
        np.asarray(sizes, dtype=float),
        scores,
        covariance,
        level=level,
        freedom=freedom,
        n=units.count,
        n_unit=units.name,
        unit=unit,
        lowest=lowest,
        highest=highest,
        present=present,
    )
    return replace(curve, settling=_settling(np.asarray(sizes, dtype=float), resamples))


def _settling(sizes: np.ndarray, resamples: Sequence[Resample]) -> float:
    half = resamples[int(np.abs(sizes[:-1] / sizes[-1] - 0.5).argmin())]
    used = ~np.isnan(half.score) & ~np.isnan(resamples[-1].score)
    if used.sum() < 2:
        return math.nan
    before, now = (float(r.influence[used].var(axis=0).sum()) for r in (half, resamples[-1]))
    return now / before if before > 0 else (0.0 if now == 0 else math.inf)


def curve_covariance(resamples: Sequence[Resample], units: Units, claim: Claim) -> np.ndarray | None:
    """`(k, k)` covariance of the scores of k training sizes; None where a size lacks a repeat that another has.

    Each line is that of `interval.sampling_variance` with matrices for variances.
    """
    used = np.flatnonzero(~np.isnan([r.score for r in resamples]).any(axis=0))
    if not len(used):
        return None
    last = resamples[-1]
    cell = max(min(r.cell for r in resamples), SMALLEST_CELL)
    correction = cell / (cell - 1)
    influence = np.stack([r.influence[used] for r in resamples])  # (k, repeats, units)
    mean = influence.mean(axis=1)
    averaged = correction * mean @ mean.T
    training = 0.0 if claim == "these_models" else TWICE[claim]
    if claim != "these_models" and len(used) == 1:
        folds = max(int((~np.isnan(last.fold_score[used[0]])).sum()), 2)
        examples = (ALONE[claim] + HALVES / folds) * averaged
    else:
        within = correction * np.einsum("iru,jru->ij", influence, influence) / len(used)
        noise = _positive(within - averaged) / max(len(used) - 1, 1)
        examples = LEAST * averaged + _positive(training * (averaged - noise * last.plain) - (LEAST - 1) * averaged)
    floor = (0.25 / max(units.smallest, 1.0)) ** 2  # a score that no example moves is not known exactly
    runs = _between_runs(resamples, used) if last.seeded else 0.0  # heads on frozen features have no luck of their own
    return examples + runs + floor * np.eye(len(resamples))


def _between_runs(resamples: Sequence[Resample], used: np.ndarray) -> np.ndarray:
    """What whole runs of a size differ by beyond their examples, as a covariance of the mean over runs."""
    k = len(resamples)
    seen, explained, freedom, runs = np.zeros((k, k)), np.zeros((k, k)), 0, 0
    folds = max(r.fold_score.shape[1] for r in resamples)
    numbers = pad_folds(resamples[-1].fold_units, folds, 0.0)
    for repeat in used:
        score = np.stack([pad_folds(r.fold_score, folds)[repeat] for r in resamples])  # (k, folds)
        number, fold = numbers[repeat], resamples[-1].unit_fold[repeat]
        good = np.flatnonzero(~np.isnan(score).any(axis=0) & (number >= SMALLEST_FOLD))
        if len(good) < 2:
            continue
        seen += np.cov(score[:, good]) * (len(good) - 1)
        own = np.stack([r.fold_influence[repeat] for r in resamples])
        each = [own[:, fold == f] @ own[:, fold == f].T * number[f] / (number[f] - 1) for f in good]
        explained += np.mean(each, axis=0) * (len(good) - 1)
        freedom += len(good) - 1
        runs += len(good)
    return _positive((seen - explained) / freedom) / runs if freedom else np.zeros((k, k))


def _positive(matrix: np.ndarray) -> np.ndarray:
    """The nearest positive semidefinite matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def fit_curve(
    sizes: np.ndarray,
    scores: np.ndarray,
    covariance: np.ndarray,
    *,
    level: float = 0.95,
    freedom: float = math.inf,
    n: int = 0,
    n_unit: str = "examples",
    unit: str = "score",
    lowest: float = 0.0,
    highest: float = 1.0,
    present: float | None = None,
) -> LearningCurve:
    """The average of power laws through points with a known covariance.

    Args:
        sizes, scores: `(k,)`, k ≥ 3, sizes ascending.
        covariance: `(k, k)`, positive definite.
        freedom: Degrees of freedom behind the covariance.
    """
    from scipy.special import chdtrc

    t = sizes / sizes[-1]
    inverse = np.linalg.inv(covariance)
    means, spreads, distance, volume = [], [], [], []
    for c in EXPONENTS:
        design = np.column_stack([np.ones_like(t), _shape(t, c)])
        precision = design.T @ inverse @ design
        mean = np.linalg.solve(precision, design.T @ inverse @ scores)
        rest = scores - design @ mean
        means.append(mean)
        spreads.append(np.linalg.inv(precision))
        distance.append(float(rest @ inverse @ rest))
        volume.append(-0.5 * float(np.linalg.slogdet(precision)[1]))
    means, spreads, distance = np.array(means), np.array(spreads), np.array(distance)
    usual = EXPONENTS >= 0
    thought_of = usual | (distance[usual].min() - distance[~usual].min() > FASTER)
    distance = np.where(thought_of, distance, np.inf)
    tested = len(sizes) - 3  # one degree of freedom is left per point beyond the three parameters
    misfit = float(chdtrc(tested, distance.min())) if tested > 0 else 1.0
    inflated = max(1.0, float(distance.min()) / tested) if tested > 0 else 1.0  # Birge's ratio
    log_weight = -0.5 * distance / inflated + np.array(volume)
    weights = np.exp(log_weight - log_weight.max())
    weights /= weights.sum()
    spread = ALLOWED * np.sqrt(inflated * spreads[:, 1, 1])
    gain = _quantiles(means[:, 1], spread, weights, freedom, level)
    # What is predicted is the present score and the gain. Their errors hardly go together (measured on real data), where the
    # covariance of the points, with its allowances, would have them do so almost fully
    now = float(scores[-1]) if present is None else present
    predicted = _quantiles(now + means[:, 1], np.sqrt(covariance[-1, -1] + spread**2), weights, freedom, level)
    half = _quantiles(np.zeros(1), np.sqrt(covariance[-1:, -1]), np.ones(1), freedom, level)[2]
    common = {"level": level, "n": n, "n_unit": n_unit}
    ends = [now - half, now + half, *predicted]
    if unit == "score":
        ends = [min(max(end, lowest), highest) for end in ends]
        # No score rises by more than is left above it, or above the lower end of its interval
        value = min(max(gain[1], lowest - now), highest - now)
        low, high = np.clip(gain[[0, 2]], lowest - ends[1], highest - ends[0])
        gain = np.array([min(low, value), value, max(high, value)])
    method = f"power law averaged over its exponent, influence of {n_unit} and runs"
    cumulated = np.cumsum(weights)
    return LearningCurve(
        sizes,
        scores,
        covariance,
        Estimate(value=now, low=ends[0], high=ends[1], method=f"influence of {n_unit} and runs", unit=unit, **common),
        Estimate(value=ends[3], low=ends[2], high=ends[4], method=method, unit=unit, **common),
        Estimate(value=gain[1], low=gain[0], high=gain[2], method=method, unit=unit, **common)
        if misfit >= MISFIT
        else Estimate(value=gain[1], method="no interval: the points lie on no power law", unit=unit, **common),
        Estimate(
            value=float(weights @ EXPONENTS),
            low=float(EXPONENTS[np.searchsorted(cumulated, (1 - level) / 2)]),
            high=float(EXPONENTS[min(np.searchsorted(cumulated, (1 + level) / 2), len(EXPONENTS) - 1)]),
            method=f"power laws with exponents from {EXPONENTS[thought_of][0]:g} to {EXPONENTS[-1]:g}, weighted by their fit",
            unit="1",
            **common,
        ),
        misfit,
        weights,
        means,
    )


def _shape(t: np.ndarray, c: float) -> np.ndarray:
    """h_c(t): 0 now (t = 1), 1 with twice the data; the logarithm for c = 0."""
    t = np.asarray(t, dtype=float)
    return np.log2(t) if c == 0 else (1 - t**-c) / (1 - 2.0**-c)


def _quantiles(centre: np.ndarray, spread: np.ndarray, weights: np.ndarray, freedom: float, level: float) -> np.ndarray:
    """Low, median and high of a mixture of Student's t distributions, by bisection."""
    from scipy.special import ndtr, stdtr

    def below(x: float) -> float:
        z = (x - centre) / np.maximum(spread, 1e-300)
        return float(weights @ (stdtr(freedom, z) if math.isfinite(freedom) else ndtr(z)))

    quantiles = []
    for probability in ((1 - level) / 2, 0.5, (1 + level) / 2):
        low, high = float((centre - 1e3 * spread).min()), float((centre + 1e3 * spread).max())
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle) < probability else (low, middle)
            if high - low < 1e-12:
                break
        quantiles.append((low + high) / 2)
    return np.array(quantiles)
