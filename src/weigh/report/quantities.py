"""How a number is written: the same characters in every language, the unit in words.

Numbers in sentences are written by the findings; here are those that tables, figures and badges add.
"""

from __future__ import annotations

import math
from typing import Any

from weigh.language import unsigned_zero
from weigh.report.words import unit_word
from weigh.stats.estimate import UNITS as METRIC_UNITS
from weigh.stats.estimate import Estimate, digits_that_show, with_digits

__all__ = ["number", "probability", "quantity", "short_count", "show_estimate", "show_value"]

_BYTES = ("B", "kB", "MB", "GB", "TB")
_DECIMALS = {"score": 3, **dict.fromkeys(METRIC_UNITS, 3), "points": 1}


def number(value: Any, digits: int | None = None) -> str:
    """A number as a reader wants it: whole numbers whole, others with `digits` decimals or three significant ones."""
    if isinstance(value, bool) or value is None:
        return "–" if value is None else str(value)
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    if not math.isfinite(value):
        return "–"
    if digits is not None:
        return with_digits(value, digits)
    if value == int(value) and abs(value) < 1e15:
        return unsigned_zero(str(int(value)))
    size = abs(value)
    if size < 0.0005:
        return unsigned_zero(f"{value:.1e}")
    if size < 10:
        return unsigned_zero(f"{value:.3f}")
    return unsigned_zero(f"{value:.1f}" if size < 1000 else f"{value:.0f}")


def quantity(value: Any, unit: str, language: str) -> str:
    """A number with its unit: `0.912`, `2.1 points`, `18.6 MB`, `1.3 s`, `2.4 ms`."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return number(value)
    if unit == "bytes":
        step = 0
        while abs(value) >= 1000 and step < len(_BYTES) - 1:
            value, step = value / 1000, step + 1
        return f"{number(value, 0 if step == 0 else 1)} {_BYTES[step]}"
    if unit == "seconds":
        if abs(value) < 1:
            return f"{number(value * 1000, 1)} ms"
        return f"{number(value, 1)} s" if abs(value) < 120 else f"{number(value / 60, 1)} min"
    return _with_unit(number(value, _decimals(unit, value)), unit, language)


def _with_unit(shown: str, unit: str, language: str) -> str:
    word = "" if unit in ("score", "1", "") else unit_word(unit, shown, language)
    return f"{shown} {word}".rstrip()


def _decimals(unit: str, *values: float | None) -> int | None:
    """As in sentences (`findings/amounts.py`); None, three significant digits, where errors on a small scale would all be written as 0."""
    size = max(abs(value) for value in values if value is not None)
    return None if unit in METRIC_UNITS and unit != "points" and 0 < size < 0.0005 else _DECIMALS.get(unit)


def probability(value: float) -> str:
    """A probability with two decimals; what is nearly certain is not written as certain: "> 0.99", "< 0.01"."""
    return "> 0.99" if value > 0.99 else "< 0.01" if value < 0.01 else with_digits(value, 2)


def short_count(value: float) -> str:
    """A large count with three digits: `386 M`, `4.65 M`, `999`."""
    size = abs(value)
    for step, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= step:
            scaled = value / step
            return f"{scaled:.{2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0}f} {letter}"
    return number(value)


def show_estimate(estimate: Estimate, language: str) -> str:
    """`0.912 [0.894, 0.927]`, `2.1 points [0.3, 3.9]`; without an interval only the value."""
    if estimate.low is None or estimate.high is None or not math.isfinite(estimate.value):
        return quantity(estimate.value, estimate.unit, language)
    if estimate.unit in ("bytes", "seconds"):
        low, high = (quantity(end, estimate.unit, language) for end in (estimate.low, estimate.high))
        return f"{quantity(estimate.value, estimate.unit, language)} [{low}, {high}]"
    digits = _decimals(estimate.unit, estimate.value, estimate.low, estimate.high)
    more = digits if digits is None else digits_that_show((estimate.low, estimate.high), digits)
    interval = f"[{number(estimate.low, more)}, {number(estimate.high, more)}]"
    return f"{_with_unit(number(estimate.value, more), estimate.unit, language)} {interval}"


def show_value(value: Any) -> str:
    """A table's cell: numbers as `number`, lists joined, nothing as a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, (list, tuple)):
        return ", ".join(show_value(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {show_value(entry)}" for key, entry in value.items())
    return number(value) if isinstance(value, (int, float)) else str(value)
