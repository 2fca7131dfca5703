"""Predictions as CSV or JSON lines; cells that a spreadsheet would execute are defused."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import Any, TextIO

__all__ = ["defuse", "write_rows"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def defuse(cell: str) -> str:
    """A cell that no spreadsheet executes (OWASP, CSV injection): a leading apostrophe before =, +, -, @, tab, CR, LF."""
    return "'" + cell if cell.startswith(_FORMULA) else cell


def write_rows(out: TextIO, rows: Sequence[dict[str, Any]], format: str) -> None:
    """Write path, label, probability and p:<class> columns; probabilities with six digits.

    Args:
        out: Where to.
        rows: As `Study.predict` returns them; every row has the same keys but for "error".
        format: "csv" or "jsonl".
    """
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "error"))
    if format == "jsonl":
        for row in rows:
            out.write(json.dumps({key: _rounded(row.get(key)) for key in columns}, ensure_ascii=False) + "\n")
        return
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([defuse(column) for column in columns])
    for row in rows:
        writer.writerow([_cell(row.get(key)) for key in columns])


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return defuse(json.dumps(value, ensure_ascii=False))
    return f"{value:.6f}" if isinstance(value, float) else defuse(str(value))
