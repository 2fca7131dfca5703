"""How a score, a difference and a number of things are written in findings, and what a claim speaks about.

Before it: estimates of `stats/`. After it: the sentences of all findings.
"""

from __future__ import annotations

from weigh.language import Text, text
from weigh.metrics.base import Metric
from weigh.stats.comparison import Difference
from weigh.stats.estimate import UNITS, Estimate, digits_of, digits_that_show, with_digits
from weigh.stats.interval import Claim

__all__ = [
    "amount",
    "as_gain",
    "count",
    "counted_units",
    "gain_of",
    "in_points",
    "limit",
    "scaled",
    "scope",
    "share",
    "turned",
    "whole_percent",
    "written_level",
]


def count(value: float, unit: str, *, of: int | None = None) -> Estimate:
    """A count, of `of` where it is a part of more. It is exact, so it has no interval."""
    return Estimate(value=float(value), n=int(value) if of is None else of, n_unit=unit, method="count", unit=unit)


def share(part: float, *, n: int = 0, n_unit: str = "examples", method: str = "as set") -> Estimate:
    """A share in [0, 1] as a percentage, without an interval."""
    return Estimate(value=100 * part, n=n, n_unit=n_unit, method=method, unit="percent")


def whole_percent(per_cent: float) -> str:
    """ "62", and "99.8" and "0.3" rather than all and nothing."""
    return with_digits(per_cent, digits_that_show([per_cent], 0, 100.0))


def written_level(level: float) -> str:
    """The coverage of intervals for a sentence, in per cent: "95", "99.999"."""
    return f"{100 * level:.10g}"


def gain_of(difference: Difference, metric: Metric) -> Estimate:
    """`difference` turned so that positive means "a is better", in hundredths (points) for scores between 0 and 1."""
    return as_gain(difference.estimate, metric)


def as_gain(change: Estimate, metric: Metric) -> Estimate:
    """A change of a score turned so that positive means better, in hundredths (points) for scores between 0 and 1."""
    factor, unit = _in_differences(metric.unit)
    return change.times(factor if metric.greater_is_better else -factor, unit)


def turned(gain: Estimate) -> Estimate:
    """The same difference, seen from the other side."""
    return gain.times(-1.0, gain.unit)


def in_points(difference: Estimate) -> Estimate:
    """A difference in the unit in which differences are written: of scores in hundredths, else as it is."""
    return difference.times(*_in_differences(difference.unit))


def scaled(value: float, metric: Metric, *, of: Estimate | None = None, method: str = "") -> Estimate:
    """A size of a difference in the unit in which differences are written; it stands on what `of` stands on."""
    plain = Estimate(value=value, method=method, unit=metric.unit)
    return in_points(plain if of is None else plain.model_copy(update={"n": of.n, "n_unit": of.n_unit}))


def _in_differences(unit: str) -> tuple[float, str]:
    """By what a difference of values in `unit` is multiplied to be written, and the unit that it then has."""
    return (100.0, "points") if unit == "score" else (1.0, unit)


def amount(estimate: Estimate, *limits: float) -> Text:
    """ "1.7 points [0.4, 3.0]" in both languages; never rounded so far that an end changes its side of zero, or of `limits`."""
    digits = digits_that_show((estimate.low, estimate.high), _decimals(estimate.unit), *limits)
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f" [{with_digits(estimate.low, digits)}, {with_digits(estimate.high, digits)}]"
    return text("{v} {u}{i}", "{v} {u}{i}", v=with_digits(estimate.value, digits), u=_unit(estimate.unit), i=interval)


def limit(estimate: Estimate) -> Text:
    """ "1.0 points", "0.04 points": what was set, as it was set."""
    written = with_digits(estimate.value, digits_of(estimate.value, _decimals(estimate.unit)))
    return text("{v} {u}", "{v} {u}", v=written, u=_unit(estimate.unit))


def _decimals(unit: str) -> int:
    return 1 if unit == "points" else 3


def _unit(unit: str) -> Text:
    return UNITS.get(unit, text(unit, unit))


def counted_units(n: float, unit: str) -> Text:
    """What a number counts, as a word that stands after it: examples, or groups of them."""
    if unit == "groups":
        return text("{n:|group|groups}", "组", n=n)
    return text("{n:|example|examples}", "个样本", n=n)


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
