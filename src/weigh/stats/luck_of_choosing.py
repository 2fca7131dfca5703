"""Which candidate comes out best, which may be best, and how much of the best score is luck.

Before it: `comparison.py`. After it: the findings on performance and generalisation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from weigh.stats.comparison import Comparisons, error_spread
from weigh.stats.estimate import Estimate

__all__ = ["Optimism", "may_be_best", "selection_optimism"]

DRAWS = 4000
# Variance of the errors that are drawn, over that of the errors that the scores have themselves. Few of them hardly change the choice; as many
# as the scores have give a steadier number, which is too careful where one candidate is better than many that are alike.
CLOSE, FULL = 0.25, 1.0


def may_be_best(comparisons: Comparisons) -> list[str]:
    """The candidates that may be best: the truly best one is among them with at least the level's probability.

    A candidate is left out if another one is better, at a quantile that allows for all others at once (multiple
    comparisons with the best). It is at least as small as the set that no pairwise interval excludes, and wider than
    what a sequential procedure (model confidence set, Hansen et al. 2011) could reach.

    References:
        Hsu (1996), Multiple Comparisons: Theory and Methods, ch. 4.
    """
    return list(comparisons.best)


class Optimism(NamedTuple):
    """What choosing the best adds to its score.

    Attributes:
        score: Of the chosen candidate without the luck of having chosen it. The end of the interval at which it would be worse is
            moved further, by what a more careful correction takes off; the other end is that of the score as it was, where luck may have had no part.
        optimism: How much better the reported score is, never below 0.
        chosen: Candidate -> share of repeated choices in which it comes out best; ties are shared, so they sum to 1.
    """

    score: Estimate
    optimism: Estimate
    chosen: dict[str, float]


def selection_optimism(
    comparisons: Comparisons,
    winner: str,
    score: Estimate,
    *,
    rng: np.random.Generator,
    lowest: float = 0.0,
    highest: float = 1.0,
    draws: int = DRAWS,
) -> Optimism | None:
    """The score of the chosen candidate, corrected for the choice; None where the candidates cannot be compared.

    Scores with further errors b, as large as a share of their own, choose a candidate; the scores less b / share judge
    it. Both errors are uncorrelated, so the second does not know about the choice (coupled bootstrap). A small share changes the choice
    little, so that its luck is corrected nearly without bias also where candidates differ; the careful end takes the share 1.

    Args:
        score: Of `winner`, as it was measured, with its interval.
        lowest, highest: The least and the greatest value that a score can have.

    References:
        Oliveira, Lei & Tibshirani (2021), Unbiased risk estimation in the normal means problem via coupled bootstrap;
        Tsamardinos, Greasidou & Borboudakis (2018), Bootstrapping the out-of-sample predictions (BBC-CV): the same aim
        with examples in and out of the bag, whose errors are too small for cross-validation.
    """
    names = comparisons.candidates
    sign = 1.0 if comparisons.greater_is_better else -1.0
    gaps = np.array([0.0 if a == winner else sign * comparisons.of(a, winner).estimate.value for a in names])
    errors = _errors(comparisons, rng, draws)
    if errors is None or not np.isfinite(gaps).all():
        return None
    optimism, careful = (max(0.0, -_judged_apart(gaps, errors, share)) for share in (CLOSE, FULL))
    careful = max(optimism, careful)
    low, high = score.low, score.high
    if low is not None and high is not None:
        low, high = (low - careful, high) if sign > 0 else (low, high + careful)
        if score.unit == "score":
            low, high = max(low, lowest), min(high, highest)
    unit = {"n": score.n, "n_unit": score.n_unit, "unit": score.unit}
    best = gaps + errors
    won = (best >= best.max(axis=1, keepdims=True) - 1e-12).astype(float)
    won /= won.sum(axis=1, keepdims=True)  # ties are shared
    return Optimism(
        score.model_copy(
            update={
                "value": score.value - sign * optimism,
                "low": low,
                "high": high,
                "method": f"{score.method}, corrected for the choice among {len(names)}",
            }
        ),
        Estimate(value=optimism, method="coupled bootstrap, no interval", **unit),
        dict(zip(names, won.mean(axis=0).tolist(), strict=True)),
    )


def _errors(comparisons: Comparisons, rng: np.random.Generator, draws: int) -> np.ndarray | None:
    """`(draws, candidates)` errors that have the variances of all differences; what all candidates share moves no choice.

    Not bounded as intervals are (`Difference.bounded`): with few examples of a class that takes some ten points too many off the score
    (docs/decisions/comparison-rule.md).
    """
    covariance = error_spread(comparisons)
    if covariance is None:
        return None
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    half = rng.standard_normal((draws // 2, len(root))) @ root
    return np.concatenate([half, -half])


def _judged_apart(gaps: np.ndarray, errors: np.ndarray, share: float) -> float:
    """Mean gap to the winner of what is chosen with the errors, judged with errors that are uncorrelated with them."""
    seen = gaps + math.sqrt(share) * errors
    chosen = (seen >= seen.max(axis=1, keepdims=True) - 1e-12).astype(float)
    chosen /= chosen.sum(axis=1, keepdims=True)  # ties are shared
    return float((chosen * (gaps - errors / math.sqrt(share))).sum(axis=1).mean())
