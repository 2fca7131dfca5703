"""Which candidate comes out best, which may be best, and how much of the best score is luck.

Before it: `comparison.py`. After it: the findings on performance and generalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from weigh.stats.comparison import Comparisons
from weigh.stats.estimate import Estimate
from weigh.stats.resampling import Measured, Units, in_blocks, resample

__all__ = ["Optimism", "may_be_best", "selection_optimism"]


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
        reported: Cross-validated score of the chosen candidate.
        corrected: The score after taking the luck of choosing away.
        optimism: reported minus corrected (for losses: corrected minus reported), never below 0.
        chosen: Candidate -> share of draws in which it was chosen.
    """

    reported: float
    corrected: float
    optimism: Estimate
    chosen: dict[str, float]


def selection_optimism(
    measured: Mapping[str, Measured], units: Units, *, rng: np.random.Generator, draws: int = 500
) -> Optimism | None:
    """Bootstrap bias correction of the best of several cross-validated scores (BBC-CV).

    Each draw chooses the best candidate on the examples in the bag and scores it on those outside; nothing is
    trained. None with fewer than two candidates or where no draw gives a score.

    References:
        Tsamardinos, Greasidou & Borboudakis (2018), Bootstrapping the out-of-sample predictions for efficient and
        accurate cross-validation.
    """
    if len(measured) < 2 or units.count < 4:
        return None
    names = list(measured)
    metric = measured[names[0]].metric
    sign = 1.0 if metric.greater_is_better else -1.0
    resampled = [resample(measured[name], np.ones((1, measured[name].n)), units) for name in names]
    moves = np.stack([r.mean_influence for r in resampled], axis=1)  # (units, candidates)
    whole = np.array([r.overall for r in resampled])
    if np.isnan(whole).any():
        return None
    bags = [_in_and_out_of_bag(rng, units.count, rows, moves) for rows in in_blocks(draws, units.count)]
    # To first order; exact for means. Weights are scaled to a mean of 1, and influences sum to 0.
    seen, unseen = (sign * (whole + np.concatenate(moved)).T for moved in zip(*bags, strict=True))
    if not seen.shape[1]:
        return None
    whole = sign * whole
    chosen = (seen >= seen.max(axis=0) - 1e-12).astype(np.float64)
    chosen /= chosen.sum(axis=0)  # ties are shared
    best = int(whole.argmax())
    corrected = min(float(whole[best]), float((chosen * unseen).sum(axis=0).mean()))
    share = chosen.mean(axis=1)
    optimism = Estimate(
        value=float(whole[best]) - corrected,
        n=units.count,
        n_unit=units.name,
        method="bootstrap bias correction (BBC-CV), no interval",
        unit=metric.unit,
    )
    return Optimism(
        sign * float(whole[best]), sign * corrected, optimism, dict(zip(names, share.tolist(), strict=True))
    )


def _in_and_out_of_bag(
    rng: np.random.Generator, n: int, draws: int, moves: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`(draws, candidates)` how far the scores move in the bag and outside; draws that leave nobody outside are dropped."""
    inside = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    outside = inside == 0
    share = outside.mean(axis=1, keepdims=True)
    keep = share[:, 0] > 0
    return inside[keep] @ moves, (outside[keep] @ moves) / share[keep]
