"""How probable each candidate is to be the best, what taking the leader is expected to cost, and what more repeats would change.

The scores are x = truth + error; the variances of all differences of the errors are known (`comparison.py`), so everything here speaks of
differences. The true scores are taken to scatter normally around their mean by an unknown amount, over which is averaged (a hierarchical
model, DuMouchel's prior of that amount): where the scores differ by no more than their errors, gaps shrink towards 0 and nobody is
probably the best; where they differ by much more, next to nothing shrinks. Without it the best of equals looks like the best.

Before it: `comparison.py`, which has the set that holds the best (`Comparisons.best`). After it: the finding on the choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from weigh.stats.comparison import Comparisons, error_spread

__all__ = ["TrueScores", "draw_true_scores", "true_scores"]

DRAWS = 8000
# How far the true scores of candidates lie apart is unknown: the median of its prior, in usual errors. With it, stated and true chances agree in
# simulated studies of candidates that are all alike and of candidates that are far apart.
MEDIAN = 0.5
# So many standard errors behind the leader a candidate cannot be the best, and does not count for how far the others lie apart.
FAR = 5.0
# Values that are tried of that distance, and of the factor by which estimated variances may be wrong.
SCATTERS, FACTORS = 64, 16


@dataclass(frozen=True)
class TrueScores:
    """Draws of the true scores given the measured ones; only differences between candidates mean anything.

    Attributes:
        names: Candidates that are not FAR behind; the rest speaks of these.
        scores: `(candidates,)` as measured, greater is better, mean 0.
        draws: `(draws, candidates)`, greater is better, mean 0 in each draw.
        basis: `(candidates, candidates - 1)` orthonormal directions in which errors are independent.
        variances: `(candidates - 1,)` of the errors in these directions.
        factors: `(draws,)` by which these variances are multiplied in each draw.
        scatters: `(draws,)` variance of the true scores around their mean in each draw; infinite where scores have no errors.
        runs: `(candidates, candidates)` the part of the errors' covariance that more repeats shrink; None where it was not seen.
        repeats: That were measured.
        behind: The other candidates, with their scores on the same scale.
    """

    names: tuple[str, ...]
    scores: np.ndarray
    draws: np.ndarray
    basis: np.ndarray
    variances: np.ndarray
    factors: np.ndarray
    scatters: np.ndarray
    runs: np.ndarray | None
    repeats: int
    behind: dict[str, float]

    def p_best(self) -> dict[str, float]:
        """Candidate -> probability to be truly the best; sums to 1, ties are shared."""
        best = (self.draws >= self.draws.max(axis=1, keepdims=True) - 1e-12).astype(float)
        best /= best.sum(axis=1, keepdims=True)
        return dict(zip(self.names, best.mean(axis=0).tolist(), strict=True)) | dict.fromkeys(self.behind, 0.0)

    def regret(self, leader: str) -> float:
        """By how much the truly best candidate is expected to be better than `leader`, in units of the metric; 0 where that is the best."""
        own = self.behind[leader] if leader in self.behind else self.draws[:, self.names.index(leader)]
        return float((self.draws.max(axis=1) - own).mean())

    def regret_after(self, further: int, rng: np.random.Generator) -> float | None:
        """The expected regret of who is chosen after `further` more repeats of all candidates; None where that cannot be said.

        The scores that would be measured then are drawn given the true ones and those measured now: the errors lose
        further / (repeats + further) of the part that differs between repeats, and keep what the examples decide. Then the candidate
        with the greatest expected true score is taken, which is not always the leader of the scores: one whose errors are
        large often leads by luck. So more repeats cost nothing but for the luck of the draws.
        """
        if self.runs is None or self.repeats < 2:
            return None
        if not self.variances.any():
            return 0.0
        certain = self.variances <= 1e-12 * self.variances.max(initial=0.0)
        deviation = np.sqrt(np.where(certain, 1.0, self.variances))
        share = np.where(
            certain[:, None] | certain, 0.0, (self.basis.T @ self.runs @ self.basis) / np.outer(deviation, deviation)
        )
        of_runs, turn = np.linalg.eigh((share + share.T) / 2)
        left = 1.0 - further / (self.repeats + further) * np.clip(of_runs, 0.0, 1.0)
        # to directions whose errors now have variance 1, times the factor of a draw
        to_independent = turn / deviation[:, None]
        truth = self.draws @ self.basis
        errors = (self.scores - self.draws) @ self.basis @ to_independent
        luck = rng.standard_normal(errors.shape) * np.sqrt(self.factors)[:, None]
        back = turn.T * np.where(certain, 0.0, deviation)  # what is measured without error stays so
        measured = truth + (left * errors + np.sqrt(left * (1.0 - left)) * luck) @ back
        variances, directions = np.linalg.eigh(back.T * left @ back)  # of the errors then
        kept = self.scatters[:, None] / (self.scatters[:, None] + self.factors[:, None] * np.maximum(variances, 0.0))
        expected = (kept * (measured @ directions)) @ (self.basis @ directions).T
        taken = self.draws[np.arange(len(expected)), expected.argmax(axis=1)]
        return float((self.draws.max(axis=1) - taken).mean())


def true_scores(comparisons: Comparisons, *, rng: np.random.Generator, draws: int = DRAWS) -> TrueScores | None:
    """What the true scores may be; None where some two candidates have too few examples in common for an interval.

    Variances are no smaller than intervals are wide (`Difference.bounded`), so that no probability is near 1 beside a pair that is undecided for
    want of examples.

    k candidates cost O(k³ + draws x k²) time and O(draws x k) memory.
    """
    names = comparisons.candidates
    sign = 1.0 if comparisons.greater_is_better else -1.0
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    # Mean difference to all others: least squares where pairs have different folds in common
    scores = np.array(
        [sum(sign * comparisons.of(a, b).estimate.value for b in names if b != a) / len(names) for a in names]
    )
    spread = error_spread(comparisons, part="bounded")
    if spread is None or not np.isfinite(scores).all():
        return None
    variances = [comparisons.of(*pair).variance for pair in pairs]
    repeats = min(variance.repeats for variance in variances)
    seen = comparisons.claim != "these_models" and repeats > 1
    freedom = float(np.median([variance.freedom for variance in variances]))
    return draw_true_scores(
        names,
        scores,
        spread,
        rng=rng,
        draws=draws,
        freedom=freedom,
        runs=error_spread(comparisons, part="runs") if seen else None,
        repeats=repeats,
    )


def draw_true_scores(
    names: tuple[str, ...],
    scores: np.ndarray,
    covariance: np.ndarray,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
    freedom: float = math.inf,
    runs: np.ndarray | None = None,
    repeats: int = 1,
) -> TrueScores:
    """Draws of the true scores, from observed ones and the covariance of their errors.

    Args:
        scores: `(candidates,)`, greater is better.
        covariance: `(candidates, candidates)` of the errors; what all share makes no difference.
        freedom: Degrees of freedom of the covariance, which is then known up to a factor.
        runs: The part of the covariance that more repeats shrink.

    References:
        DuMouchel (1994), Hierarchical Bayes linear models for meta-analysis, on the prior of the scatter;
        Raiffa & Schlaifer (1961), Applied Statistical Decision Theory, on what further measurements are expected to change.
    """
    from scipy.special import chdtri

    leader = int(scores.argmax())
    deviation = np.sqrt(np.maximum(covariance.diagonal() + covariance[leader, leader] - 2 * covariance[leader], 0.0))
    near = scores[leader] - scores <= FAR * deviation + 1e-12
    scores = scores - scores[near].mean()
    behind = {name: float(score) for name, score, kept in zip(names, scores, near, strict=True) if not kept}
    names, scores = tuple(name for name in names if name not in behind), scores[near]
    runs = None if runs is None else runs[np.ix_(near, near)]
    basis, variances = _directions(covariance[np.ix_(near, near)])
    usual = float(np.median(variances)) if variances.any() else 0.0
    usual = usual or float(variances.max(initial=0.0))
    if usual <= 0:  # alone, or without errors: the scores are the truth
        truth = np.tile(scores, (draws, 1))
        return TrueScores(
            names, scores, truth, basis, variances, np.ones(draws), np.full(draws, np.inf), runs, repeats, behind
        )
    seen = scores @ basis
    middle = (np.arange(SCATTERS) + 0.5) / SCATTERS
    scatter = usual * np.square(MEDIAN * middle / (1 - middle))
    factor = np.ones(1)
    if math.isfinite(freedom):
        factor = freedom / chdtri(freedom, (np.arange(FACTORS) + 0.5) / FACTORS)
    total = scatter[:, None, None] + factor[:, None] * variances
    fit = -0.5 * (np.log(total) + np.square(seen) / total).sum(axis=-1)
    weight = np.exp(fit - fit.max()).ravel()
    cell = rng.choice(weight.size, size=draws, p=weight / weight.sum())
    between, times = scatter[cell // len(factor)], factor[cell % len(factor)]
    kept = between[:, None] / (between[:, None] + times[:, None] * variances)
    luck = rng.standard_normal((draws, len(names))) @ basis
    drawn = (kept * seen + np.sqrt(kept * times[:, None] * variances) * luck) @ basis.T
    return TrueScores(names, scores, drawn, basis, variances, times, between, runs, repeats, behind)


def _directions(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Independent directions of the errors' differences, and the variance in each."""
    k = len(covariance)
    apart = np.linalg.qr(np.eye(k)[:, 1:] - 1 / k)[0]  # orthonormal, across the direction in which all move alike
    values, vectors = np.linalg.eigh(apart.T @ covariance @ apart)
    return apart @ vectors, np.maximum(values, 0.0)
