"""Predictions and tables as CSV, JSON lines or Parquet; cells that a spreadsheet would execute are defused."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from weigh.disk import write_file
from weigh.errors import SpecError
from weigh.language import text
from weigh.report.visible import visible, visible_json
from weigh.spreadsheets import defuse

if TYPE_CHECKING:
    import polars as pl

__all__ = ["TABLES", "check_suffix", "write_rows", "write_table"]

TABLES = (".csv", ".tsv", ".parquet")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _written(cell: str) -> str:
    """Defused for spreadsheets, and with marks for control characters that would command a terminal."""
    return _CONTROLS.sub(lambda match: visible(match[0]), defuse(cell))


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
            written = json.dumps({key: _rounded(row.get(key)) for key in columns}, ensure_ascii=False)
            out.write(visible_json(written) + "\n")
        return
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_written(column) for column in columns])
    for row in rows:
        writer.writerow([_cell(row.get(key)) for key in columns])


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return _written(json.dumps(value, ensure_ascii=False))
    return f"{value:.6f}" if isinstance(value, float) else _written(str(value))


def check_suffix(path: Path, suffixes: Sequence[str] = TABLES) -> str:
    """The kind of table that the name of a file asks for.

    Raises:
        SpecError: Another kind.
    """
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise SpecError(
            text("{p}: a table is written as one of {k}.", "{p}：表格只能写为 {k}。", p=path, k=", ".join(suffixes)),
            do=text("Call it {n}.", "请改名为 {n}。", n=f"{path.stem or 'table'}{suffixes[0]}"),
        )
    return suffix


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """A table by the suffix of `path`; in text, cells are defused and numbers have all their digits."""
    import polars as pl

    out, suffix = io.BytesIO(), check_suffix(path)
    if suffix == ".parquet":
        frame.write_parquet(out)
    else:
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        safe = frame.with_columns(pl.col(name).map_elements(_written, return_dtype=pl.String) for name in texts)
        separator = "\t" if suffix == ".tsv" else ","
        safe.rename({name: _written(name) for name in safe.columns}).write_csv(out, separator=separator)
    write_file(path, out.getvalue())
