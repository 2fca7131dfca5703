"""Two independent measurements of one difference: what they say together.

Before it: the difference in cross-validation and that on a test part, whose examples took no part in it. After it:
`findings/generalisation/choice.py`. Used in one direction only: a claim of cross-validation that the test part speaks against is taken back
where both together do not support it. It never makes a claim that cross-validation alone does not.
"""

from __future__ import annotations

import math

from weigh.stats.estimate import Estimate

__all__ = ["both_together"]


def both_together(one: Estimate, other: Estimate) -> Estimate | None:
    """The mean of two independent estimates, weighted by their precision; None where one of them has no interval.

    Half widths stand for standard errors, as the wider of two quantiles would: each keeps what its own procedure allowed for (the luck of
    training, many pairs). Ends need not be symmetric; the wider side counts.

    Not for: estimates that share examples.

    References:
        Cochran (1954), The combination of estimates from different experiments, Biometrics 10.
    """
    halves = []
    for estimate in (one, other):
        if estimate.low is None or estimate.high is None:
            return None
        halves.append(max(estimate.high - estimate.value, estimate.value - estimate.low))
    if min(halves) <= 0:
        return None
    weights = [1 / half**2 for half in halves]
    value = (weights[0] * one.value + weights[1] * other.value) / sum(weights)
    half = 1 / math.sqrt(sum(weights))
    return one.model_copy(
        update={
            "value": value,
            "low": value - half,
            "high": value + half,
            "n": one.n + other.n,
            "method": "both measurements, weighted by their precision",
        }
    )
