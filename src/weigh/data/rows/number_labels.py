"""Labels that are numbers, as the cells of a table hold them."""

from __future__ import annotations

from pathlib import Path

from weigh.data.rows.listing import Listing, set_aside_if_any
from weigh.data.tables.numbers import number_style, plain_number
from weigh.data.tables.roles import is_number
from weigh.errors import DataError
from weigh.language import text
from weigh.problem import Problem

__all__ = ["keep_numbers", "read_numbers", "rows_without_number"]


def read_numbers(labels: list[str | None], column: str | None, path: Path) -> list[str | None]:
    """Labels as plain numbers, None where there is none.

    Raises:
        DataError: Written in several ways, or in one that may mean two things.
    """
    like_numbers = [c for c in labels if c and is_number(c)]
    style = number_style(like_numbers)
    if like_numbers and (style is None or style.decimal == "?"):
        odd = next((c for c in like_numbers if "," in c), like_numbers[0])
        raise DataError(
            text("Column '{c}' of {p}: '{v}' may be one of two numbers.", "{p} 的“{c}”列：“{v}”可能表示两个不同的数。", c=column or "", p=path.name, v=odd)
            if style is not None
            else text("Column '{c}' of {p}: numbers are written in several ways ('{v}').", "{p} 的“{c}”列：数字的写法不一致（“{v}”）。", c=column or "", p=path.name, v=odd),
            text("The comma may stand for the point, or between thousands.", "逗号可能是小数点，也可能是千位分隔符。"),
            text("Write numbers with a decimal point and nothing between thousands.", "请用小数点书写数字，千位之间不加分隔。"),
        )  # fmt: skip
    values = [plain_number(c, style) if style and c and is_number(c) else None for c in labels]
    return [None if value is None else repr(value) for value in values]


def rows_without_number(paths: list[str], rows: int) -> list[Problem]:
    """Rows of a table that are set aside because their label is no number; `rows` counts all."""
    template = text(
        "Rows whose label is not a number: {n} of {r}; set aside.", "{r} 行中有 {n} 行的标签不是数字，已搁置。"
    )
    return set_aside_if_any("missing-label", template, paths, rows=rows)


def keep_numbers(listing: Listing, column: str, source: Path) -> Listing:
    """The rows whose label is a number, as a plain one; the others are set aside and named.

    Raises:
        DataError: Numbers that may mean two things.
    """
    labels = read_numbers(list(listing.label), column, source)
    kept = [i for i, label in enumerate(labels) if label is not None]
    left = [path for path, label in zip(listing.path, labels, strict=True) if label is None]
    listing.problems += rows_without_number(left, len(labels))
    listing.label = [label or "" for label in labels]
    listing.keep(kept)
    return listing
