"""Which columns of a table hold a box, told by their names, and what the names say about the four numbers.

Before it: columns of a table. After it: `table.py` reads the rows; what names leave open is told from the pictures (`reading.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from weigh.data.boxes.reading import ORDERS, Order
from weigh.data.boxes.written import as_number
from weigh.data.pictures.tables import picture_columns
from weigh.data.tables.cells import Columns
from weigh.spec import ColumnsSpec

__all__ = ["BoxColumns", "box_columns", "columns_of_boxes", "label_column", "picture_size_columns", "read_four"]

LEFT, TOP = ("xmin", "x0", "x1", "left", "xleft", "xtl", "xtopleft", "bboxx1", "bboxxmin", "minx"), ("ymin", "y0", "y1", "top", "ytop", "ytl", "ytopleft", "bboxy1", "bboxymin", "miny")  # fmt: skip
RIGHT, BOTTOM = ("xmax", "x2", "right", "xright", "x1", "xbr", "xbottomright", "bboxx2", "bboxxmax", "maxx"), ("ymax", "y2", "bottom", "ybottom", "y1", "ybr", "ybottomright", "bboxy2", "bboxymax", "maxy")  # fmt: skip
CENTRE_X, CENTRE_Y = ("cx", "xc", "xcenter", "xcentre", "centerx", "centrex", "xmid"), ("cy", "yc", "ycenter", "ycentre", "centery", "centrey", "ymid")  # fmt: skip
PLAIN_X, PLAIN_Y = ("x", "bboxx", "boxx"), ("y", "bboxy", "boxy")
WIDE, HIGH = ("w", "bw", "bboxw", "bboxwidth", "boxwidth", "boxw", "width"), ("h", "bh", "bboxh", "bboxheight", "boxheight", "boxh", "height")  # fmt: skip
WHOLE = ("bbox", "box", "boundingbox", "bndbox", "rect", "coordinates")
PICTURE_WIDTH, PICTURE_HEIGHT = ("imagewidth", "imgwidth", "imgw", "imagew", "picturewidth", "width"), ("imageheight", "imgheight", "imgh", "imageh", "pictureheight", "height")  # fmt: skip
LABELS = ("class", "classname", "category", "categoryname", "labelname", "labels", "name", "classes", "objectname", "species", "classid", "categoryid")  # fmt: skip
NUMBERS = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan|inf)", re.IGNORECASE)
SAMPLE = 50


class BoxColumns(NamedTuple):
    """Four columns, or one that holds all four numbers; and the orders that their names leave open."""

    names: tuple[str, ...]
    orders: tuple[Order, ...]


def box_columns(cells: Columns, chosen: Sequence[str] | None = None) -> BoxColumns | None:
    """The columns of a box; None where there are none.

    Args:
        chosen: `data.columns.box`: one or four columns, whatever they are called.
    """
    if chosen is not None:
        guessed = box_columns({name: cells[name] for name in chosen if name in cells})
        return BoxColumns(tuple(chosen), guessed.orders if guessed and set(guessed.names) == set(chosen) else ORDERS)
    plain = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in reversed(cells)}

    def first(names: Sequence[str], *, but: Sequence[str | None] = ()) -> str | None:
        return next((plain[n] for n in names if n in plain and plain[n] not in but), None)

    if "x3" in plain:  # four corners
        return None
    left, top = first(LEFT), first(TOP)
    right, bottom = first(RIGHT, but=(left,)), first(BOTTOM, but=(top,))
    wide, high = first(WIDE), first(HIGH)
    across, down = first(CENTRE_X), first(CENTRE_Y)
    x, y = first(PLAIN_X), first(PLAIN_Y)
    tried: tuple[tuple[tuple[str | None, ...], tuple[Order, ...]], ...] = (
        ((left, top, right, bottom), ("xyxy",)),
        ((across, down, wide, high), ("cxcywh",)),
        ((left, top, wide, high), ("xywh",)),
        ((x, y, wide, high), ("xywh", "cxcywh")),
    )
    for names, orders in tried:
        if all(names) and _are_numbers([cells[name] for name in names if name]):
            return BoxColumns(tuple(name for name in names if name), orders)
    whole = next((plain[n] for n in WHOLE if n in plain and _hold_four(cells[plain[n]])), None)
    if whole is not None:
        return BoxColumns((whole,), ORDERS)
    return _numbered(cells)


def columns_of_boxes(cells: Columns, table: Path, columns: ColumnsSpec) -> BoxColumns | None:
    """The columns of a table with a row for each box; None where rows are whole pictures, of which the box may be where each was cut out."""
    box = box_columns(cells, columns.box)
    if box is None:
        return None
    named = [name for name in picture_columns(cells, table) if name not in box.names]
    pictures = columns.path if columns.path in cells else next(iter(named), None)
    files = [name for name in cells[pictures] if name] if pictures else []
    return box if len(set(files)) < len(files) else None


def _numbered(cells: Columns) -> BoxColumns | None:
    """The columns of a table without a header: picture, four numbers, class (or a class before the numbers); nothing else."""
    if not all(name.isdecimal() for name in cells) or not 5 <= len(cells) <= 7:
        return None
    numeric = [name for name, column in cells.items() if any(column) and _are_numbers([column])]
    runs = [numeric[i : i + 4] for i in range(len(numeric) - 3)]
    together = [run for run in runs if [int(n) for n in run] == list(range(int(run[0]), int(run[0]) + 4))]
    return BoxColumns(tuple(together[0]), ORDERS) if len(together) == 1 else None


def _are_numbers(columns: Sequence[Sequence[str | None]]) -> bool:
    """Whether most cells are numbers: some may be broken, and are named later."""
    sample = [cell for column in columns for cell in column[: 20 * SAMPLE] if cell and cell.strip()]
    return sum(as_number(cell) == as_number(cell) for cell in sample) * 2 > len(sample) or not sample


def _hold_four(column: Sequence[str | None]) -> bool:
    sample = [cell for cell in column if cell and cell.strip()][:SAMPLE]
    return bool(sample) and sum(len(four_numbers(cell)) == 4 for cell in sample) * 2 > len(sample)


def four_numbers(cell: str) -> list[str]:
    """The numbers in "[10, 20, 30, 40]" or "10 20 30 40"."""
    bare = cell.strip().strip("[](){}")
    pieces = re.split(r"[,;\s]+", bare.strip())
    return pieces if all(NUMBERS.fullmatch(piece) for piece in pieces) else []


def picture_size_columns(cells: Columns, box: BoxColumns) -> tuple[str, str] | None:
    """Columns of the width and height of the picture, where they are not those of the box."""
    plain = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in cells if name not in box.names}
    width = next((plain[name] for name in PICTURE_WIDTH if name in plain), None)
    height = next((plain[name] for name in PICTURE_HEIGHT if name in plain), None)
    return (width, height) if width and height else None


def label_column(cells: Columns, wanted: str, used: Sequence[str]) -> str | None:
    """The column of classes: the one asked for, else one of a usual name, else (without a header) the only one that is left."""
    if wanted in cells:
        return wanted
    if all(name.isdecimal() for name in cells):
        left = [name for name in cells if name not in used and any(cells[name])]
        return left[0] if len(left) == 1 else None
    plain = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in cells if name not in used}
    return next((plain[name] for name in LABELS if name in plain), None)


def read_four(cells: Columns, box: BoxColumns, row: int) -> list[str]:
    """The four numbers of a row as text; all empty where the row holds no box."""
    if len(box.names) == 1:
        cell = cells[box.names[0]][row] or ""
        return (four_numbers(cell) or [np.nan] * 4) if cell.strip("[](){} ") else [""] * 4
    return [(cells[name][row] or "").strip() for name in box.names]
