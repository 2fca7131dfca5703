"""How far the truth may lie from a score, on either side: limits of a weighted mean of shares.

A standard error taken at the estimate knows nothing of a class without errors: 20 of 20 right has none, and a mean of
class recalls would inherit its certainty. A score interval asks the other way round which truths are within `q` of
*their own* standard errors of what was seen (Wilson 1927 for one share). For a mean of shares with weights w the
truth that is furthest away and still that near has, in every part,

    size (seen - share) = pull x weight x share (1 - share)

with one pull for all parts: the shares that are most probable given their mean. So a part without errors moves as soon
as the pull exceeds its size over its weight, and a class of 20 is worth no more than 20 examples.

A score interval is too short on the side where little can be left: with one error in 20 it denies 1 in 250, which
makes one error in 13 data sets. There the limit is the one-sided gamma limit of few events (Brown, Cai & DasGupta 2001
for one share, Fay & Feuer 1997 for weighted sums), if it is further away.

How far the variance that was measured differs from that of independent examples (groups, training samples, runs,
errors that count in two classes) is one factor on all sizes.

Before it: `metrics/parts.py` (the shares), `interval.py` (the variance). After it: every interval of a single score.

References:
    Wilson (1927); Miettinen & Nurminen (1985), Stat. Med. 4; Martín Andrés, Álvarez Hernández & Herranz Tejedor
    (2011), Inferences about a linear combination of proportions, Stat. Methods Med. Res. 20.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from weigh.metrics.parts import Parts

__all__ = ["Distances", "distances"]

FEW = 6.0  # with fewer errors (or hits) than this the short side is that of few events
SETTLED = 4  # rounds in which the size of a part follows its share
NOTHING = 1e-14  # a variance below this is rounding


class Distances(NamedTuple):
    """From the score to its limits, both at least 0."""

    below: float
    above: float


def distances(parts: Parts, variance: float, usual: float, q: float, level: float) -> Distances:
    """How far below and above the score the truth may lie.

    Args:
        parts: The shares whose weighted mean the score is.
        variance: Of the score, as measured.
        usual: Variance over that of independent examples where nothing is measured (no part has any errors).
        q: Quantile of the limits.
        level: Of the interval; its error probability is that of the short side alone where few events limit it.
    """
    share, weight = parts.share, parts.weight
    size = np.maximum(parts.effective(share), 1.0)
    spread = weight**2 * share * (1 - share) / size
    # Half an error more in every part keeps a factor that few errors show near the usual one
    guarded = (size * share + 0.5) / (size + 1)
    unseen = float(np.maximum(weight**2 * guarded * (1 - guarded) / size - spread, 0.0).sum())
    independent = float(spread.sum())
    least = 1.0 if parts.form in ("precision", "region") else NOTHING
    factor = max((variance + usual * parts.overlap * unseen) / max(independent + unseen, NOTHING), least)
    below, above = (_score_limit(parts, factor, q, side) for side in (-1, 1))
    below += parts.too_high
    total = independent * factor
    third = float((weight**3 * share * (1 - share) * (1 - 2 * share) / (size / factor) ** 2).sum())
    if total > NOTHING and third != 0 and total**3 < FEW * third**2:
        few = _few_events(total, third, 1 - level)
        below, above = (max(below, few), above) if third > 0 else (below, max(above, few))
    return Distances(min(below, float((weight * share).sum())), min(above, float((weight * (1 - share)).sum())))


def _few_events(variance: float, third: float, error: float) -> float:
    """The one-sided limit of as many events as give this variance and third moment."""
    from scipy.special import gammaincinv

    events = variance**3 / third**2
    return math.sqrt(variance / events) * (events - float(gammaincinv(events, error)))


def _score_limit(parts: Parts, factor: float, q: float, side: int) -> float:
    """The largest distance d of the mean share to one side with d² <= q² x (its variance there)."""
    from scipy.optimize import brentq

    seen = parts.share if side < 0 else 1 - parts.share  # what can be lost on the way to this side
    able = (seen > 0) & (parts.weight > 0)
    if not able.any():
        return 0.0

    def distance(pull: float) -> float:
        left = seen
        for _ in range(SETTLED if parts.varying else 1):
            size = np.maximum(parts.effective(left if side < 0 else 1 - left), 1.0) / factor
            total = size + pull * parts.weight
            root = np.sqrt(np.maximum(total**2 - 4 * pull * parts.weight * size * seen, 0.0))
            left = 2 * size * seen / (total + root)
        return float((parts.weight * (seen - left)).sum())

    def excess(log: float) -> float:  # distance x pull is the squared standardised distance
        pull = math.exp(log)
        return math.sqrt(max(pull * distance(pull), 0.0)) - q

    low = math.log(q) - 0.5 * math.log(float(np.sum(parts.weight[able] ** 2)) * max(factor, 1.0))
    low, high = low - 2.0, low + 2.0
    while excess(low) > 0 and low > -100:
        low -= 3.0
    while excess(high) < 0 and high < 100:
        high += 2.0
    if excess(high) < 0:
        return float((parts.weight * seen).sum())
    return distance(math.exp(brentq(excess, low, high, xtol=1e-6, rtol=1e-8)))
