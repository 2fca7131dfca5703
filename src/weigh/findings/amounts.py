"""How a score, a difference and a number of things are written in findings, and what a claim speaks about.

Before it: estimates of `stats/`. After it: the sentences of all findings.
"""

from __future__ import annotations

from weigh.language import Text, text
from weigh.metrics.base import Metric
from weigh.stats.comparison import Difference
from weigh.stats.estimate import UNITS, Estimate, digits_that_show
from weigh.stats.interval import Claim

__all__ = ["amount", "count", "gain_of", "scaled", "scope", "share", "turned"]


def count(value: float, unit: str) -> Estimate:
    """A count. It is exact, so it has no interval."""
    return Estimate(value=float(value), n=int(value), n_unit=unit, method="count", unit=unit)


def share(level: float) -> Estimate:
    """A share as a percentage, exact."""
    return Estimate(value=100 * level, method="as set", unit="percent")


def gain_of(difference: Difference, metric: Metric) -> Estimate:
    """`difference` turned so that positive means "a is better", in hundredths (points) for scores between 0 and 1."""
    sign = (1.0 if metric.greater_is_better else -1.0) * (100.0 if metric.unit == "score" else 1.0)
    estimate = difference.estimate
    ends = [None if end is None else sign * end + 0.0 for end in (estimate.low, estimate.high)]
    low, high = ends if sign > 0 else ends[::-1]
    unit = "points" if metric.unit == "score" else metric.unit
    return estimate.model_copy(update={"value": sign * estimate.value + 0.0, "low": low, "high": high, "unit": unit})


def turned(gain: Estimate) -> Estimate:
    """The same difference, seen from the other side."""
    ends = {"low": None if gain.high is None else -gain.high, "high": None if gain.low is None else -gain.low}
    return gain.model_copy(update={"value": -gain.value, **ends})


def scaled(value: float, metric: Metric, *, n: int = 0, method: str = "") -> Estimate:
    """A size of a difference in the unit in which differences are written."""
    factor, unit = (100.0, "points") if metric.unit == "score" else (1.0, metric.unit)
    return Estimate(value=factor * value, n=n, method=method, unit=unit)


def amount(estimate: Estimate) -> Text:
    """ "1.7 points [0.4, 3.0]" in both languages; never rounded so far that an end changes its side of zero."""
    digits = digits_that_show((estimate.low, estimate.high), 1 if estimate.unit == "points" else 3)
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f" [{_number(estimate.low, digits)}, {_number(estimate.high, digits)}]"
    unit = UNITS.get(estimate.unit, text(estimate.unit, estimate.unit))
    return text("{v} {u}{i}", "{v} {u}{i}", v=_number(estimate.value, digits), u=unit, i=interval)


def _number(value: float, digits: int) -> str:
    written = f"{value:.{digits}f}"
    return written[1:] if float(written) == 0 and written.startswith("-") else written


def scope(claim: Claim, *, number: int = 2) -> Text:
    """What a claim speaks about, to be put into a sentence about one or several candidates."""
    one = number == 1
    recipes = text("this recipe", "这个方案") if one else text("these recipes", "这些方案")
    models = (
        text("this trained model", "这个训练好的模型") if one else text("these trained models", "这几个训练好的模型")
    )
    return {
        "these_models": text("{m} on new examples like these", "{m}用在同类新样本上的表现", m=models),
        "this_data": text(
            "{r}, trained on all the data at hand, on new examples like these",
            "{r}用手头全部数据训练后，在同类新样本上的表现",
            r=recipes,
        ),
        "new_data": text(
            "{r} on other data sets of this size from the same source",
            "{r}在来源相同、规模相同的其他数据集上的表现",
            r=recipes,
        ),
    }[claim]
