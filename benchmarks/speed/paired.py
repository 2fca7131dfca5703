"""Ratios of things that were measured in turn: within a round, so that a drift of the machine cancels.

A round holds one value of each contender, measured one after the other; the order is turned from round to round. A
ratio is formed within each round; its median and its range over rounds are what is published.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Spread", "in_turn", "ratios", "spread"]


class Spread(NamedTuple):
    """Median and range of the values of several rounds."""

    median: float
    low: float
    high: float
    rounds: int

    def written(self, digits: int = 2, unit: str = "") -> str:
        """ "1.23 (1.20 to 1.31)"; one round has no range."""
        middle = f"{self.median:.{digits}f}{unit}"
        return f"{middle} ({self.low:.{digits}f} to {self.high:.{digits}f})" if self.rounds > 1 else middle


def spread(values: Sequence[float]) -> Spread | None:
    """None where there is nothing."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratios(rounds: Sequence[Mapping[str, float]], over: str, under: str) -> Spread | None:
    """`over` divided by `under`, paired by round; rounds that lack one of the two are left out."""
    return spread([row[over] / row[under] for row in rounds if row.get(over) and row.get(under)])


def in_turn(names: Sequence[str], number: int) -> list[str]:
    """The order of a round: every second one backwards, so that nobody always comes first or last."""
    return list(names) if number % 2 == 0 else list(reversed(names))
