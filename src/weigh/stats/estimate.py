"""An estimate: a number that never travels without its uncertainty, its sample size and its method."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from weigh.language import text, unsigned_zero

__all__ = ["UNITS", "Estimate", "digits_of", "digits_that_show", "with_digits"]

UNITS = {  # of metrics and of their differences, as they stand in a sentence
    "points": text("points", "个百分点"),
    "nats": text("nats", "奈特"),
    "label units": text("units of the label", "个标签单位"),
    "squared label units": text("squared units of the label", "个标签单位的平方"),
    "objects": text("objects", "个目标"),
}


MOST_DIGITS = 6


def digits_that_show(ends: Iterable[float | None], digits: int, *limits: float) -> int:
    """Decimals, at least `digits`, with which no end of an interval is written on or beyond a limit that it is not on or beyond.

    Args:
        limits: Beside 0, what a sentence compares the interval with: the side on which an end lies decides what may be said.
    """
    shown = [end for end in ends if end is not None and math.isfinite(end)]

    def misleads(end: float, limit: float) -> bool:
        written = round(end, digits) - limit
        return (written > 0) - (written < 0) != (end > limit) - (end < limit)

    while digits < MOST_DIGITS and any(misleads(end, limit) for end in shown for limit in (0.0, *limits)):
        digits += 1
    return digits


def digits_of(limit: float, digits: int) -> int:
    """Decimals, at least `digits`, with which a limit that was set is written as it is."""
    while digits < MOST_DIGITS and not math.isclose(round(limit, digits), limit, rel_tol=1e-9):
        digits += 1
    return digits


def with_digits(value: float, digits: int) -> str:
    """A number with so many decimals, and without the sign of a zero: never "-0.000"."""
    return unsigned_zero(f"{value:.{digits}f}")


class Estimate(BaseModel):
    """A value with an interval.

    Attributes:
        value: The point estimate, in `unit`.
        low, high: Ends of the interval; None where no honest interval exists (`method` then says why).
        level: Coverage of the interval, in (0, 1).
        n: How many independent units stand behind it (examples, groups or folds: `n_unit` says which).
        method: Short name of the method ("bootstrap over examples", "corrected t"), for a reader.
        unit: "score" (0 to 1), "points" (hundredths of a score), "seconds", "bytes", "nats", "1" …
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    n: int = 0
    n_unit: str = "examples"
    method: str = ""
    unit: str = "score"

    def covers(self, truth: float) -> bool:
        """Whether the interval contains `truth`; False without an interval."""
        return self.low is not None and self.high is not None and self.low <= truth <= self.high

    def times(self, factor: float, unit: str) -> Estimate:
        """The same estimate in another unit; with a negative `factor` it is turned round, and the ends change places."""
        low, high = (None if end is None else factor * end + 0.0 for end in (self.low, self.high))  # never -0.0
        ends = {"low": low, "high": high} if factor > 0 else {"low": high, "high": low}
        return self.model_copy(update={"value": factor * self.value + 0.0, **ends, "unit": unit})

    def format(self, digits: int = 3, *limits: float) -> str:
        """ "0.912 [0.894, 0.927]"; the same characters in every language.

        Args:
            limits: What the sentence compares it with (`digits_that_show`).
        """
        if not math.isfinite(self.value):
            return "–"

        digits = digits_that_show((self.low, self.high), digits, *limits)
        if self.low is None or self.high is None:
            return with_digits(self.value, digits)
        return f"{with_digits(self.value, digits)} [{with_digits(self.low, digits)}, {with_digits(self.high, digits)}]"

    def __str__(self) -> str:
        return self.format()
