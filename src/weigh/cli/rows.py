"""Predictions and tables as CSV, JSON lines or Parquet; cells that a spreadsheet would execute are defused."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weigh.disk import write_file
from weigh.errors import SpecError
from weigh.language import text
from weigh.report.visible import visible, visible_json
from weigh.spreadsheets import defuse

if TYPE_CHECKING:
    import polars as pl

__all__ = ["RowWriter", "check_suffix", "write_table"]

TABLES = (".csv", ".tsv", ".parquet")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _written(cell: str) -> str:
    """Defused for spreadsheets, and with marks for control characters that would command a terminal."""
    return _CONTROLS.sub(lambda match: visible(match[0]), defuse(cell))


class RowWriter:
    """Rows of predictions as text, block by block: path, label, probability and p:<class> columns; probabilities with six digits.

    The columns are told by the first rows, up to a block in which one has an answer: rows before it wait, for a row without an answer may have fewer.

    Args:
        format: "csv" or "jsonl".
        columns: As an earlier process had them, which wrote the first rows; then no header is written.
    """

    def __init__(self, format: str, columns: Sequence[str] = ()) -> None:
        self.format, self.columns = format, list(columns)
        self.waiting: list[dict[str, Any]] = []

    def text(self, rows: Sequence[dict[str, Any]]) -> str:
        """These rows, and those that waited for them; empty where they wait too.

        Args:
            rows: As `Study.predict` returns them; every row with an answer has the same keys.
        """
        self.waiting += rows
        return self.rest() if self.columns or any(not row.get("error") for row in rows) else ""

    def rest(self) -> str:
        """What waits still, when no more rows follow."""
        rows, self.waiting = self.waiting, []
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        if not self.columns:
            self.columns = list(dict.fromkeys(key for row in rows for key in row if key != "error"))
            if self.format == "csv":
                writer.writerow([_written(column) for column in self.columns])
        for row in rows:
            if self.format == "jsonl":
                written = json.dumps({key: _rounded(row.get(key)) for key in self.columns}, ensure_ascii=False)
                out.write(visible_json(written) + "\n")
            else:
                writer.writerow([_cell(row.get(key)) for key in self.columns])
        return out.getvalue()


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
