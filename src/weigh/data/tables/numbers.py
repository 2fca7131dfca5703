"""Numbers as people write them, in a whole column at once: decimal commas, points or blanks between thousands, per cent.

Before it: cells of a table. After it: `texts/sources.py` (labels on a scale) and the probabilities that others made. One cell cannot tell
whether "4,124" is four thousand or four; a column mostly can, and where it cannot, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

__all__ = ["number_style", "plain_number"]

BLANKS = re.compile("(?<=\\d)[ '\u2019\u00a0\u202f\u2009](?=\\d{3}(?!\\d))")


class Style(NamedTuple):
    """How the numbers of a column are written.

    Attributes:
        decimal: "." or ","; "?" where commas may stand for thousands as well as for the point.
        percent: Every number ends with a per cent sign.
    """

    decimal: Literal[".", ",", "?"] = "."
    percent: bool = False


def number_style(cells: Iterable[str | None]) -> Style | None:
    """The one way in which all filled cells are numbers; None where they are not."""
    bare = [_bare(cell) for cell in cells if cell and cell.strip()]
    if not bare:
        return None
    percent = all(c.endswith("%") for c in bare)
    bare = [c.removesuffix("%").rstrip() for c in bare] if percent else bare
    if all(_float(c) is not None for c in bare):
        return Style(".", percent)
    for decimal in (".", ","):
        if all(_float(_pointed(c, decimal)) is not None and _fits(c, decimal) for c in bare):
            other = "," if decimal == "." else "."
            with_comma = [c for c in bare if "," in c]
            doubtful = decimal == "." and not any("." in c or c.count(other) > 1 for c in bare) and with_comma
            return Style("?" if doubtful else decimal, percent)
    return None


def plain_number(cell: str | None, style: Style) -> float | None:
    """The value of a cell, or None where it is empty or no finite number. Per cent are not divided."""
    if not cell or not cell.strip():
        return None
    bare = _bare(cell)
    bare = bare.removesuffix("%").rstrip() if style.percent else bare
    return _float(bare if style.decimal == "." and _float(bare) is not None else _pointed(bare, style.decimal))


def _bare(cell: str) -> str:
    """The cell without blanks or apostrophes between thousands, with a plain minus sign."""
    return BLANKS.sub("", cell.strip().replace("\u2212", "-"))


def _pointed(cell: str, decimal: str) -> str:
    return cell.replace(",", "") if decimal == "." else cell.replace(".", "").replace(",", ".")


def _fits(cell: str, decimal: str) -> bool:
    """Marks other than the decimal one stand between groups of three digits."""
    other = "," if decimal == "." else "."
    whole, _, fraction = cell.partition(decimal)
    if other in fraction or not whole:
        return other not in cell
    return other not in whole or re.fullmatch(rf"[-+]?[1-9]\d{{0,2}}(?:\{other}\d{{3}})+", whole) is not None


def _float(cell: str) -> float | None:
    if "_" in cell:  # Python's own way of writing thousands
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
