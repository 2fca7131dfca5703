"""How small a difference can this design detect, before anything runs; and what would settle an open comparison.

Before a run the spread is guessed from a score and from how often two candidates disagree; after it the measured
variance is used (`Difference.detectable`, `what_settles`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from weigh.language import Text, text
from weigh.stats.comparison import Difference
from weigh.stats.interval import TWICE, Claim, quantile, student

__all__ = ["Detectable", "Settlement", "smallest_detectable_difference", "what_settles"]

# Where an interval is more than so many times as wide because there are few runs, how many examples are needed cannot be computed.
WIDENED = 1.25


class Detectable(NamedTuple):
    """The smallest true difference that a design finds in `power` of studies.

    Attributes:
        difference: In units of the metric.
        standard_error: Guessed standard error of a difference.
        assumptions: What was assumed, for a reader.
    """

    difference: float
    standard_error: float
    assumptions: tuple[Text, ...]


def smallest_detectable_difference(
    n: int,
    *,
    folds: int = 5,
    repeats: int = 1,
    accuracy: float = 0.85,
    disagreement: float | None = None,
    class_counts: Sequence[int] | None = None,
    candidates: int = 2,
    groups: int | None = None,
    claim: Claim = "this_data",
    level: float = 0.95,
    power: float = 0.8,
) -> Detectable:
    """The smallest difference of (balanced) accuracy that a design can be expected to detect.

    Args:
        n: Examples in the cross-validation.
        accuracy: The guessed accuracy of the candidates, in (0, 1).
        disagreement: Share of examples that one of two candidates gets right and the other wrong; default: errors that
            correlate by 0.5, accuracy (1 - accuracy).
        class_counts: Examples per class: set for balanced accuracy, which weighs rare classes more.
        candidates: All pairs are allowed for (Bonferroni, a little more than the simultaneous intervals ask).
        groups: Number of independent groups, if examples come in groups; the worst case is assumed (examples of a
            group succeed and fail together).
        claim: "this_data" or "new_data".

    Not for: metrics other than accuracy and balanced accuracy; there it is a rough guide.
    """
    from scipy.special import ndtri

    guessed = disagreement is None
    disagreement = accuracy * (1 - accuracy) if disagreement is None else disagreement
    disagreement = min(max(disagreement, 1.0 / max(n, 1)), 1.0)
    counts = [c for c in (class_counts or [n]) if c > 0] or [1]
    variance = disagreement * sum(1 / c for c in counts) / len(counts) ** 2
    units = groups if groups is not None else n
    if groups is not None:
        variance *= max(1.0, n / max(groups, 1))
    # Half of the variance is taken to be noise of single runs, which more repeats average away (see `interval.py`)
    standard_error = math.sqrt(variance * (0.5 / max(repeats, 1) + 0.5 * (1 + TWICE[claim])))
    pairs = max(candidates * (candidates - 1) // 2, 1)
    adjusted = -float(ndtri((1 - level) / 2 / pairs))
    q = quantile(level, max(units - 1, 1), adjusted=adjusted)
    difference = min(1.0, (q + float(ndtri(power))) * standard_error)
    assumptions = [
        text("accuracy of about {a:.2f}", "准确率约为 {a:.2f}", a=accuracy),
        text(
            "two candidates disagree on whether {d:.0%} of the examples are right" + (" (a guess)" if guessed else ""),
            "两个候选方案在 {d:.0%} 的样本上对错不一" + ("（猜测值）" if guessed else ""),
            d=disagreement,
        ),
        text(
            "a design of {f} folds × {r} {r:|repeat|repeats}; no run degenerates",
            "设计为 {f} 折 × {r} 次重复；没有训练失常",
            f=folds,
            r=repeats,
        ),
        text(
            "the difference is found in {p:.0%} of such studies, with {k} {k:|comparison|comparisons} allowed for",
            "在这样的研究中有 {p:.0%} 能发现该差异（已计入 {k} 次比较）",
            p=power,
            k=pairs,
        ),
    ]
    if groups is not None:
        assumptions.append(
            text("{g} groups, whose examples rise and fall together", "共 {g} 组，组内样本同好同坏", g=groups)
        )
    return Detectable(difference, standard_error, tuple(assumptions))


class Settlement(NamedTuple):
    """What would settle an undecided comparison, if the true difference is the one observed.

    Attributes:
        factor: So many times the independent units would be needed; infinite where nothing can be said.
        units: The same as a number of independent units (`Difference.estimate.n_unit`).
        repeats_help: Whether more repeats alone could settle it; more repeats cannot buy what the sample lacks.
        widened: So many times is the interval as wide as it would be if the spread between runs were known: much above 1
            after few runs. Nothing can be said about examples before there are more.
        equal: Whether it would be settled as practically equal; otherwise as better or worse.
    """

    factor: float
    units: float
    repeats_help: bool
    equal: bool = False
    widened: float = 1.0

    @property
    def few_runs(self) -> bool:
        """More repeats come first."""
        return self.widened > WIDENED


def what_settles(difference: Difference, rope: float, *, power: float = 0.8) -> Settlement:
    """Units needed so that in `power` of studies the interval excludes 0, or fits into ± rope.

    The easier of both is reported. It is a rough guide: the observed difference is itself uncertain.
    """
    from scipy.special import ndtri, stdtr

    value, variance, q = abs(difference.estimate.value), difference.variance, difference.q
    distance = max(value, rope - value)
    finite = difference.estimate.low is not None and math.isfinite(variance.total) and math.isfinite(value)
    if not finite or distance <= 0:
        return Settlement(math.inf, math.inf, repeats_help=False)
    reach = q + float(ndtri(power))
    factor = max(1.0, (reach * variance.standard_error / distance) ** 2, difference.least / distance)
    # With many repeats the degrees of freedom are those of the examples
    many = min(q, student(float(ndtri(stdtr(variance.freedom, q))), max(variance.units - 1, 1)))
    helped = max((many + float(ndtri(power))) * math.sqrt(max(variance.examples, 0.0)), difference.least)
    return Settlement(factor, factor * difference.estimate.n, bool(helped < distance), rope - value > value, q / many)
