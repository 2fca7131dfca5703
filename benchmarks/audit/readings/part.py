"""What a part of the readings is: designs as data, rows of error rates, and the promise that they are held to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

from weigh.stats.multiple import holm

__all__ = ["COLUMNS", "Part", "Row", "smallest_p", "stream"]

COLUMNS = ("part", "design", "studies", "first", "second", "third")


class Row(NamedTuple):
    """One design: how often what was said was wrong. A column that a part does not have is NaN."""

    design: str
    studies: int
    first: float
    second: float = float("nan")
    third: float = float("nan")


class Part(NamedTuple):
    """One sentence that weigh says, on designs in which it is known whether it is true.

    Attributes:
        title: The sentence, for the page.
        header: What the columns of a row hold; those that end in "%" are shares.
        rows: (studies, seed) -> rows.
        promise: What the rows show, in words, with the promise.
    """

    title: str
    header: tuple[str, ...]
    rows: Callable[[int, int], Iterator[Row]]
    promise: Callable[[Sequence[Mapping[str, float]]], str]


def stream(seed: int, name: str) -> np.random.Generator:
    """The random numbers of a design: they depend on nothing but the seed and its name."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")])


def smallest_p(rows: Sequence[Mapping[str, float]], column: str, promise: float) -> float:
    """Smallest exact one-sided p of "no more than `promise`" over the designs, Holm."""
    p = [binom.sf(round(row[column] * row["studies"]) - 1, int(row["studies"]), promise) for row in rows]
    return float(np.nanmin(holm(np.array(p))))
