"""Axes: which part of the number line a figure shows, where its ticks stand, and positions in per cent.

All figures place their marks in per cent of their own width, so one drawing serves a phone, a desktop and paper
without a script. After it: `forest.py`, `plane.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from weigh.report.quantities import number
from weigh.stats.estimate import digits_that_show

__all__ = ["Scale", "finite", "make_scale"]


@dataclass(frozen=True)
class Scale:
    """A number line from `low` to `high`; `log` places by ratio."""

    low: float
    high: float
    ticks: tuple[float, ...]
    digits: int | None
    log: bool = False

    def place(self, value: float) -> float:
        """Position in per cent, 0 to 100; values outside are placed at the edge."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, max(value, self.low)))
        return round(min(max(100 * (at - low) / (high - low), 0.0), 100.0), 2)

    def write(self, value: Any, *ends: float | None) -> str:
        """The value with the digits of this axis, and with more where one of `ends`, which it stands beside, would be written as 0 and is not 0."""
        return number(value, None if self.digits is None else digits_that_show(ends, self.digits))

    def tick_label(self, value: float) -> str:
        """The tick with as few decimals as tell the ticks apart."""
        for digits in range(6):
            written = {number(tick, digits) for tick in self.ticks}
            exact = all(abs(float(number(tick, digits)) - tick) <= 1e-9 + 1e-6 * abs(tick) for tick in self.ticks)
            if len(written) == len(self.ticks) and exact:
                return number(value, digits)
        return number(value)


LARGEST = 1e100  # beyond it, sums and differences of an axis overflow


def finite(value: Any) -> float | None:
    """`value` as a float if it is a number that an axis can show, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and abs(value) <= LARGEST else None


def make_scale(values: Iterable[Any], *, include: Iterable[float] = (), log: bool | None = None) -> Scale:
    """A scale that shows all finite `values` and `include`, with a margin and about four ticks.

    Args:
        log: True or False; None: by ratio where positive values span more than a factor of thirty.
    """
    numbers = [v for v in map(finite, [*values, *include]) if v is not None]
    if not numbers:
        numbers = [0.0, 1.0]
    low, high = min(numbers), max(numbers)
    digits = _digits(low, high)
    if log is None:
        log = low > 0 and high / low > 30
    if log and low > 0:
        factor = (high / low) ** 0.06 if high > low else 1.5
        return Scale(low / factor, high * factor, _log_ticks(low / factor, high * factor), None, log=True)
    if high == low:
        spread = abs(high) * 0.1 or 1.0
        low, high = low - spread, high + spread
    margin = 0.05 * (high - low)
    low, high = low - margin, high + margin
    return Scale(low, high, _ticks(low, high), digits)


def _digits(low: float, high: float) -> int | None:
    """Scores get three decimals, points one, larger numbers as they come."""
    size = max(abs(low), abs(high))
    if size <= 1.5:
        return 3
    return 1 if size <= 100 else None


def _ticks(low: float, high: float, wanted: int = 4) -> tuple[float, ...]:
    """Round numbers at round distances: of 1, 2, 2.5 and 5 times a power of ten what gives nearest to `wanted`."""
    least = math.ulp(0.0)  # the smallest number above 0
    power = math.floor(math.log10(max((high - low) / wanted, least)))
    base = max(10.0**power, least)
    choices = []
    for step in (base * m for m in (1, 2, 2.5, 5, 10)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        choices.append(tuple(round(k * step, max(12, 2 - power)) for k in range(first, last + 1)))
    return min(choices, key=lambda ticks: abs(len(ticks) - wanted))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for parts in ((1,), (1, 3), (1, 2, 5)):
        ticks = tuple(m * 10.0**d for d in decades for m in parts if low <= m * 10.0**d <= high)
        if len(ticks) >= 3:
            return ticks
    return ticks or (low, high)
