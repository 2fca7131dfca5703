"""Differences that are shown only while intervals count neighbours with like errors as independent examples.

Before it: the factor of `neighbours.py`. After it: the headline (`performance/caveats.py`) and every finding that says which of two is better.
"""

from __future__ import annotations

from weigh.findings.copied import read_copied
from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.neighbours import dependence
from weigh.language import Text, text
from weigh.stats.comparison import Difference
from weigh.stats.estimate import Estimate

__all__ = ["lost_among_neighbours", "of_neighbours", "of_neighbours_at"]


def lost_among_neighbours(evidence: Evidence, difference: Difference) -> bool:
    """Whether a difference is shown (better, worse, practically equal) and would not be, were its interval as wide as errors of neighbours ask for.

    Widened is half the interval as it follows from the variance (`Difference.half`), not what allows for folds that train on fewer examples.
    """
    factor, estimate = evidence.once(dependence), difference.estimate
    if factor is None or difference.relation == "undecided" or estimate.low is None or estimate.high is None:
        return False
    if difference.relation == "equal":
        further = (factor.value - 1) * difference.half
        return estimate.low - further <= -evidence.rope or estimate.high + further >= evidence.rope
    return abs(estimate.value) <= factor.value * difference.half


def of_neighbours(evidence: Evidence, difference: Difference, estimates: dict[str, Estimate]) -> Text:
    """The sentence that follows a difference that is lost so; its number is put into `estimates`."""
    factor = evidence.once(dependence)
    if factor is None or not lost_among_neighbours(evidence, difference):
        return text("", "")
    return _not_settled(factor, estimates)


def of_neighbours_at(evidence: Evidence, estimate: Estimate, limit: float, estimates: dict[str, Estimate]) -> Text:
    """The sentence that follows an interval on one side of a limit that would have values on both, were it as wide as errors of neighbours ask for.

    Not where intervals count sets of copies: what neighbours ask for beyond these is not known.
    """
    factor = evidence.once(dependence)
    if factor is None or estimate.low is None or estimate.high is None or evidence.once(read_copied) is not None:
        return text("", "")
    low = estimate.value - factor.value * (estimate.value - estimate.low)
    high = estimate.value + factor.value * (estimate.high - estimate.value)
    if not (estimate.high <= limit < high or low <= limit < estimate.low):
        return text("", "")
    return _not_settled(factor, estimates)


def _not_settled(factor: Estimate, estimates: dict[str, Estimate]) -> Text:
    estimates["factor"] = factor
    return text(
        "Errors of neighbours are alike: with an interval about {f} times as wide this would not be settled.",
        "相邻样本的误差彼此相似：区间若放宽到约 {f} 倍，这一点便没有定论。",
        f=factor.format(1, 1.0),
    )
