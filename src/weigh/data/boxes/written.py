"""Boxes as a file states them, before anybody has decided what the four numbers mean: what every layout becomes.

Before it: COCO, Pascal VOC, YOLO, a table. After it: `reading.py` settles what the numbers are, `cleaning.py` what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from weigh.data.boxes.reading import Convention
from weigh.data.rows.listing import Listing
from weigh.language import Text

__all__ = ["MOST_PIXELS_OF_A_SIDE", "BoxListing", "BoxesBuilder", "Nameless", "WrittenBoxes", "as_number", "as_side"]

MOST_PIXELS_OF_A_SIDE = 1_000_000


class WrittenBoxes(NamedTuple):
    """The boxes of one picture, `m` of them.

    Attributes:
        marks: Where each stands, for people: "Annotations/a.xml:12", "instances.json annotation 7".
        names: Their classes; None: of none that is known.
        numbers: `(m, 4)` float64 as written; NaN for what is no number.
        ignored: `(m,)` bool: crowds, and what the source calls difficult.
        area: `(m,)` float64 of the object, NaN where it is not stated.
        size: Width and height of the picture as the source states them, or None.
    """

    marks: tuple[str, ...]
    names: tuple[str | None, ...]
    numbers: np.ndarray
    ignored: np.ndarray
    area: np.ndarray
    size: tuple[int, int] | None

    def __len__(self) -> int:
        return len(self.marks)


class BoxesBuilder:
    """Boxes of one picture, one after the other."""

    def __init__(self) -> None:
        self._marks: list[str] = []
        self._names: list[str | None] = []
        self._numbers: list[Sequence[float]] = []
        self._ignored: list[bool] = []
        self._area: list[float] = []
        self.size: tuple[int, int] | None = None

    def add(self, mark: str, name: str | None, numbers: Sequence[Any], *, ignored: bool = False, area: Any = None) -> None:  # fmt: skip
        """One more box; `numbers` may be anything, and as few or as many as they are."""
        four = [as_number(value) for value in numbers] if len(numbers) == 4 else [np.nan] * 4
        self._marks.append(mark)
        self._names.append(name)
        self._numbers.append(four)
        self._ignored.append(ignored)
        stated_area = as_number(area)
        self._area.append(stated_area if stated_area > 0 else np.nan)

    def build(self) -> WrittenBoxes:
        """What was added."""
        return WrittenBoxes(
            tuple(self._marks), tuple(self._names), np.array(self._numbers, dtype=np.float64).reshape(-1, 4),
            np.array(self._ignored, dtype=bool), np.array(self._area, dtype=np.float64), self.size,
        )  # fmt: skip


class Nameless(NamedTuple):
    """Why boxes of a layout may be of no class, and what to do."""

    reason: Text
    do: Text


@dataclass
class BoxListing:
    """One source.

    Attributes:
        listing: A row for each picture; targets are not filled in yet.
        boxes: Of each row.
        convention: What the layout says about its numbers.
        nameless: Why boxes are of no class, and what to do about it.
        ids: Path of a file -> id -> class, where the layout numbers classes: parts that disagree are named.
        numbered: Labels have numbers of classes, which `data.classes` may name.
    """

    listing: Listing
    boxes: list[WrittenBoxes]
    convention: Convention
    nameless: Nameless
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    numbered: bool = False

    def keep(self, rows: list[int]) -> None:
        """Keep only these rows, in this order."""
        self.listing.keep(rows)
        self.boxes = [self.boxes[i] for i in rows]


def as_number(value: Any) -> float:
    """A number, or text of one; NaN for anything else (also for whole numbers that no float holds)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return np.nan
    try:
        return np.nan if isinstance(value, str) and "_" in value else float(value)
    except (ValueError, OverflowError):
        return np.nan


def as_side(value: Any) -> int:
    """Pixels of the side of a picture; 0 for what cannot be one."""
    number = as_number(value)
    return int(number) if number.is_integer() and 0 < number <= MOST_PIXELS_OF_A_SIDE else 0
