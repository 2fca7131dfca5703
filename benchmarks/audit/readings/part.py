"""What a part of the readings is: designs as data, rows of error rates, and the promise that they are held to."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

from weigh.stats.multiple import holm

__all__ = ["COLUMNS", "Kept", "Part", "Row", "exact_p", "read_rows", "smallest", "stream", "table"]

COLUMNS = ("part", "design", "studies", "first", "second", "third")


class Row(NamedTuple):
    """One design: how often what was said was wrong. A column that a part does not have is NaN."""

    design: str
    studies: int
    first: float
    second: float = float("nan")
    third: float = float("nan")


class Kept(NamedTuple):
    """Whether a promise is kept: in words, and (design, exact one-sided p of "kept") for every design that it is held to."""

    sentence: str
    p: list[tuple[str, float]]


class Part(NamedTuple):
    """One sentence that weigh says, on designs in which it is known whether it is true.

    Attributes:
        title: The sentence, for the page.
        header: What the columns of a row hold; those that end in "%" are shares.
        rows: (studies, seed) -> rows.
        promise: What the rows show, with the promise.
    """

    title: str
    header: tuple[str, ...]
    rows: Callable[[int, int], Iterator[Row]]
    promise: Callable[[Sequence[Mapping[str, float]]], Kept]


def stream(seed: int, name: str) -> np.random.Generator:
    """The random numbers of a design: they depend on nothing but the seed and its name."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")])


def exact_p(rows: Sequence[Mapping[str, float]], column: str, promise: float) -> list[tuple[str, float]]:
    """For each design the exact one-sided p of "no more than `promise`"."""
    return [
        (str(row["design"]), float(binom.sf(round(row[column] * row["studies"]) - 1, int(row["studies"]), promise)))
        for row in rows
    ]


def smallest(p: Sequence[tuple[str, float]]) -> float:
    """Of these p-values, Holm."""
    return float(np.nanmin(holm(np.array([value for _, value in p]))))


def read_rows(file: Path) -> list[dict[str, float]]:
    """The rows of `file`, with numbers for what is one."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [{k: v if k in COLUMNS[:2] else float(v) for k, v in row.items()} for row in csv.DictReader(lines)]


def table(header: Sequence[str], rows: Sequence[Mapping[str, float]]) -> str:
    """Rows as a table of the page."""
    lines = ["| " + " | ".join(("design", "studies", *header)) + " |", "|" + "---|" * (len(header) + 2)]
    for row in rows:
        shown = [
            "–" if row[k] != row[k] else f"{100 * row[k]:.1f}" if head.endswith("%") else f"{row[k]:.3f}"
            for k, head in zip(COLUMNS[3:], header, strict=False)
        ]
        lines.append(f"| {row['design']} | {row['studies']:.0f} | " + " | ".join(shown) + " |")
    return "\n".join(lines)
