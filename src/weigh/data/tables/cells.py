"""What a cell of a table is, as text.

Before it: values of JSON, of Parquet, of the `datasets` library. After it: columns of text, the same for every kind of table.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LIST_SEPARATOR", "Columns", "as_cell", "columns_as_text"]

LIST_SEPARATOR = "\x1f"  # joins the cells of a list column; no label contains it

Columns = dict[str, list[str | None]]


def columns_as_text(frame: pl.DataFrame) -> Columns:
    """Columns as text; what is text already stays as it is."""
    return {c.name: c.to_list() if str(c.dtype) == "String" else [as_cell(v) for v in c.to_list()] for c in frame}


def as_cell(value) -> str | None:
    """One cell as text. Whole floats lose their ".0"; lists of labels are joined; other nested values are JSON."""
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, (list, tuple)):
        return LIST_SEPARATOR + LIST_SEPARATOR.join(as_cell(v) or "" for v in value)
    if isinstance(value, dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
