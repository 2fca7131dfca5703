"""What a reader hands to `data/rows/assembly.py`: rows with a file or a text, a label and whatever else is known, and what went wrong.

Before it: folders (`folders.py`), tables (`pictures/tables.py`), the `datasets` library (`hub.py`), texts (`texts/sources.py`). After it: `assembly.py` turns
listings of training and test data into one `Examples`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from weigh.data.written import Written
from weigh.errors import DataError
from weigh.language import Text, join_texts, text
from weigh.problem import Problem

__all__ = ["PARTS", "PICTURE_SUFFIXES", "Listing", "natural_key", "nothing_usable", "set_aside", "set_aside_if_any"]

# What Pillow opens without further packages. A file of another kind inside a class folder is named, not opened.
PICTURE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".avif",
        ".jp2",
        ".j2k",
        ".tga",
        ".ico",
    ]
)
PARTS: dict[str, Literal["train", "val", "test"]] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
}


@dataclass
class Listing:
    """Rows of one source, in the user's order; all lists have one entry per row.

    Attributes:
        root: Folder that `path` is relative to (absolute).
        path: Relative POSIX paths; unique.
        label: The label as a person reads it; several are joined with `separator`.
        part: "train", "val" or "test".
        order: What the one order for all classes is sorted by: the row number, or a natural key of the name.
        group: Group of each row, or None where the source has none.
        columns: Metadata by column name, as text ("" where a cell is empty).
        separator: What joins several labels of one row; None: one label per row.
        rows: What each example is made of, as `Examples.rows`; None where that is a file.
        targets: What each example is labelled with, as its kind takes it (entities, masks); None: `label` says it.
        classes: Names of classes in the order that the source gives them; empty: they are sorted.
        written: How a table is written.
        counted: Settings of masks and boxes (`rows/columns.OF_PLACES`) that count for this source.
        problems: What was set aside or left out, and everything else a person should know.
    """

    root: Path
    path: list[str] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    part: list[str] = field(default_factory=list)
    order: list = field(default_factory=list)
    order_source: Literal["table", "names"] = "names"
    group: list[str] | None = None
    columns: dict[str, list[str]] = field(default_factory=dict)
    separator: str | None = None
    rows: list[tuple] | None = None
    targets: list[Any] | None = None
    classes: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    written: Written | None = None
    counted: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.path)

    def add(self, path: str, label: str, *, part: str = "train", order: Any, row: tuple | None = None) -> None:
        """One more row; group, metadata and targets are the reader's own business."""
        for column, value in ((self.path, path), (self.label, label), (self.part, part), (self.order, order)):
            column.append(value)
        if row is not None:
            self.rows = self.rows or []
            self.rows.append(row)

    def keep(self, rows: list[int]) -> None:
        """Keep only these rows, in this order."""
        for name in ("path", "label", "part", "order"):
            column = getattr(self, name)
            setattr(self, name, [column[i] for i in rows])
        for name in ("group", "rows", "targets"):
            column = getattr(self, name)
            if column is not None:
                setattr(self, name, [column[i] for i in rows])
        self.columns = {name: [column[i] for i in rows] for name, column in self.columns.items()}


def natural_key(name: str) -> tuple:
    """Sorts "cell9" before "cell10", without regard to case; equal keys only for equal names."""
    pieces = re.split(r"(\d+)", name.casefold())
    # superscripts and circled digits are digits that int() does not read; very long numbers stay text of equal length
    numbers = tuple((0, int(p), "") if p.isdecimal() and len(p) < 300 else (1, 0, p) for p in pieces)
    return (*numbers, (2, 0, name))


def set_aside(
    kind: str, sentence: Text, paths: list[str], do: Text | None = None, *, more: dict[str, int] | None = None, **extra
) -> Problem:
    """A problem whose files are not used; every one is named; numbers: their count `n`, and `more`."""
    return Problem(kind, sentence, tuple(paths), do=do, numbers={"n": len(paths), **(more or {})}, **extra)


def set_aside_if_any(
    kind: str,
    template: Text,
    paths: list[str],
    do: Text | None = None,
    *,
    rows: int | None = None,
    severity: Literal["warning", "note"] = "warning",
    **values: Any,
) -> list[Problem]:
    """`set_aside` where there are such files or rows, else nothing.

    Args:
        template: Of the sentence: `{n}` for their number, `{f}` for the first, `{r}` for `rows`, further names for `values`.
        rows: How many there were before.
    """
    if not paths:
        return []
    sentence = text(template.en, template.zh, n=len(paths), f=paths[0], r=rows, **values)
    return [set_aside(kind, sentence, paths, do, more=None if rows is None else {"rows": rows}, severity=severity)]


def nothing_usable(source: Path | str, problems: Sequence[Problem]) -> DataError:
    """Every row of `source` was set aside: each reason with its first row, what to do about the first, and how columns were read."""
    reasons = [
        problem.sentence + text("The first: {p}.", "例如：{p}。", p=problem.paths[0])
        for problem in problems
        if problem.paths
    ] or [text("It has no rows.", "其中没有任何行。")]
    columns = next((problem for problem in problems if problem.kind == "columns"), None)
    remedies = [p.do for p in problems if p.paths and p.do is not None] + (
        [columns.do] if columns and columns.do else []
    )
    what = text("No row of {s} can be used.", "{s} 中没有可用的行。", s=source)
    return DataError(
        what + columns.sentence if columns else what,
        join_texts(reasons, "\n", "\n"),
        remedies[0] if remedies else None,
    )
