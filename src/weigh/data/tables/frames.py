"""A table as a frame of polars: predictions that others made, which may have millions of rows, and Parquet files.

Before it: a path. After it: `record/predictions/table.py`, and `table_files.py` for Parquet. Of separated tables the meaning is that of
`table_files.py`; polars only reads what is large and plain, in less memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from weigh.data.tables.parquet import read_parquet
from weigh.data.tables.records import find_shape
from weigh.data.tables.table_files import JSON, PARQUET, is_written_as, read_table, whole_table
from weigh.data.tables.text_encoding import read_text, split_lines

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_frame"]

LARGE = 20_000_000  # characters from which on a plain table is parsed by polars


class Frame(NamedTuple):
    """A table as a frame of polars, the lines that repeat its header, and what it was read as."""

    frame: pl.DataFrame
    repeated: list[int]
    encoding: str = "UTF-8"


def read_frame(path: Path, wanted: Sequence[str] = (), *, encoding: str | None = None) -> Frame:
    """A table as a frame of polars; cells are text, empty ones null. Every line must be readable.

    Args:
        wanted: Names that the header should hold.
        encoding: What the user says that it is written in.

    Raises:
        DataError: Not readable as such a table; says which line.
    """
    import polars as pl

    if is_written_as(path, PARQUET):
        return Frame(read_parquet(path), [])
    if not is_written_as(path, JSON):
        content, encoding_found = read_text(path, encoding=encoding)
        plain = _plain_frame(content, path, wanted)
        if plain is not None:
            return Frame(plain, [], encoding_found)
    table = whole_table(read_table(path, wanted, encoding=encoding, header=True))
    frame = pl.DataFrame(table.columns, schema=dict.fromkeys(table.columns, pl.String))
    return Frame(frame, table.repeated, table.encoding)


def _plain_frame(content: str, path: Path, wanted: Sequence[str]) -> pl.DataFrame | None:
    """Large tables without quotes whose lines all have one width are read by polars: the same, in less memory."""
    import polars as pl

    if len(content) < LARGE or '"' in content:
        return None
    written = find_shape(content, wanted=wanted, suffix=".tsv" if is_written_as(path, (".tsv",)) else "")
    lines = split_lines(content)
    separator = written[0].separator if written else ","
    names = [name.strip() for name in lines[0].split(separator)]
    if len(set(names)) < len(names) or not all(names) or lines[0] in lines[1:]:
        return None
    if any(line.count(separator) != len(names) - 1 for line in lines):
        return None
    frame = pl.read_csv(content.encode(), separator=separator, infer_schema=False, quote_char=None)
    return frame.rename(dict(zip(frame.columns, names, strict=True)))
