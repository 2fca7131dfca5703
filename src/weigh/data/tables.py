"""A table of pictures as rows: CSV, TSV, Parquet or JSON lines with a path, a label and whatever else.

Before it: what the user typed. After it: `data/images.py`. Cells are text from a stranger: a path that leaves the root is
set aside and never opened, labels are only ever names.
"""

from __future__ import annotations

import difflib
import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from weigh.data.encoding import decode
from weigh.data.examples import Problem
from weigh.data.listing import PARTS, PICTURE_SUFFIXES, Listing, set_aside
from weigh.data.paths import Resolver
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.spec import ColumnsSpec

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "LIST_SEPARATOR",
    "TABLE_SUFFIXES",
    "Columns",
    "Resolver",
    "as_cell",
    "columns_as_text",
    "list_table",
    "metadata_columns",
    "nearest_columns",
    "parts_of_rows",
    "picture_columns",
    "read_frame",
    "read_table",
]

TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson"))
LIST_SEPARATOR = "\x1f"  # joins the cells of a list column; no label contains it
FEW = 20  # a column of numbers with more values than this is a measurement, not a category

Columns = dict[str, list[str | None]]


def list_table(table: Path, *, columns: ColumnsSpec, root: Path | None = None, separator: str | None = None) -> Listing:
    """The rows of `table` that name an existing file inside `root` and carry a label.

    Args:
        columns: Which columns hold what.
        root: What paths are relative to; default: the table's folder.
        separator: Joins several labels in one cell; None: one label per row (unless the column holds lists).

    Raises:
        DataError: Not readable, empty, or columns are missing (all of them named, with the nearest names there are).
    """
    cells = read_table(table, wanted=(columns.path, columns.label))
    return list_columns(
        cells, table, columns=columns, root=Path(os.path.abspath(root or table.parent)), separator=separator
    )


def list_columns(
    cells: Columns, table: Path | str, *, columns: ColumnsSpec, root: Path, separator: str | None
) -> Listing:
    """Like `list_table`, for columns that were read already; `table` is for messages."""
    _check_columns(cells, table, columns)
    paths, labels = cells[columns.path], cells[columns.label]
    rows = len(paths)
    if not rows:
        raise DataError(text("The table {t} has no rows.", "表格 {t} 没有数据行。", t=table))
    if separator is None and any(label is not None and LIST_SEPARATOR in label for label in labels):
        separator = LIST_SEPARATOR

    listing = Listing(root=root, order_source="table", separator=separator)
    parts, odd_parts, split_column = parts_of_rows(cells, columns)
    resolver = Resolver(root, [p for p in paths if p])
    seen: dict[str, int] = {}
    conflicts: set[str] = set()
    outside, missing, unlabelled, repeated, unknown_part, kept = [], [], [], [], [], []
    metadata = metadata_columns(cells, {columns.path, columns.label, split_column, columns.group})
    for row in range(rows):
        written = (paths[row] or "").strip()
        label = (labels[row] or "").strip()
        found = resolver.find(written)
        if found.outside:
            outside.append(written)
        elif found.path is None:
            missing.append(written or f"(row {row + 1})")
        elif not label and separator is None:
            unlabelled.append(found.path)
        elif row in odd_parts:
            unknown_part.append(found.path)
        elif found.path in seen:
            repeated.append(found.path)
            if (labels[seen[found.path]] or "").strip() != label:
                conflicts.add(found.path)
        else:
            seen[found.path] = row
            kept.append(row)
            listing.path.append(found.path)
            listing.label.append(label)
            listing.part.append(parts[row])
            listing.order.append(row)
    listing.group = [cells[columns.group][r] or "" for r in kept] if columns.group else None
    listing.columns = {name: [column[r] or "" for r in kept] for name, column in metadata.items()}
    listing.keep([i for i, path in enumerate(listing.path) if path not in conflicts])
    listing.problems += _table_problems(
        outside, missing, unlabelled, [p for p in repeated if p not in conflicts], sorted(conflicts), unknown_part, rows
    )
    if not listing.path:
        raise DataError(
            text("No row of {t} can be used.", "{t} 中没有可用的行。", t=table),
            _join([p.sentence for p in listing.problems]),
            text(
                "Paths are looked for in {r}. Set data.root to another folder if they start elsewhere.",
                "在 {r} 中查找路径。如果路径以别处为起点，请设置 data.root。",
                r=root,
            ),
        )
    return listing


def read_table(table: Path, wanted: Sequence[str] = ()) -> Columns:
    """Every column as text (None where a cell is empty), in the order of the table.

    Numbers keep their digits; whole numbers that a table stores as 1.0 read "1". `wanted` helps to tell which separator
    a CSV file uses.

    Raises:
        DataError: Not readable as such a table.
    """
    if table.suffix.casefold() not in (".jsonl", ".ndjson"):
        return columns_as_text(read_frame(table, wanted))
    try:
        return _read_json_lines(_decode(table.read_bytes(), table), table)
    except OSError as error:
        raise _unreadable(table, error.strerror or str(error)) from None


def read_frame(table: Path, wanted: Sequence[str] = ()) -> pl.DataFrame:
    """A CSV, TSV or Parquet file, also packed by gzip; the cells of the first two are text, empty ones null.

    Raises:
        DataError: Not readable as such a table.
    """
    import polars as pl

    try:
        if table.suffix.casefold() in (".parquet", ".pq"):
            return pl.read_parquet(table, use_pyarrow=False)
        raw = table.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        tabs = ".tsv" in (suffix.casefold() for suffix in table.suffixes)
        return _read_separated(_decode(raw, table), "\t" if tabs else ",", wanted)
    except DataError:
        raise
    except OSError as error:
        raise _unreadable(table, error.strerror or str(error)) from None
    except Exception as error:  # polars raises several kinds for damaged files
        raise _unreadable(table, str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from None


def metadata_columns(cells: Columns, taken: set[str | None]) -> Columns:
    """Columns that sort examples into kinds: repeated short texts, yes/no, whole numbers; not measurements or free text."""
    chosen = {}
    for name, column in cells.items():
        if name in taken:
            continue
        values = {v for v in column if v is not None and v != ""}
        if not 2 <= len(values) < max(len(column), 3) or any(len(v) > 100 for v in values):
            continue
        if len(values) > FEW and _are_measurements(values):
            continue
        chosen[name] = column
    return chosen


def _are_measurements(values: set[str]) -> bool:
    """All numbers, and some with a fraction."""
    try:
        return any(not float(v).is_integer() for v in values)
    except (ValueError, OverflowError):
        return False


def picture_columns(cells: Columns, table: Path) -> list[str]:
    """Columns most of whose first cells name pictures, by their suffix or by lying beside the table."""
    return [name for name, column in cells.items() if _are_pictures(column, table)]


def _are_pictures(column: list[str | None], table: Path) -> bool:
    sample = [v.strip() for v in column[:50] if v and v.strip()]
    if not sample:
        return False
    named = sum(os.path.splitext(v)[1].casefold() in PICTURE_SUFFIXES and "://" not in v for v in sample)
    if named * 2 > len(sample):
        return True
    resolver = Resolver(Path(os.path.abspath(table.parent)), sample)
    found = [resolver.find(v).path for v in sample]
    return sum(p is not None and os.path.splitext(p)[1].casefold() in PICTURE_SUFFIXES for p in found) * 2 > len(sample)


def nearest_columns(name: str, known: Sequence[str]) -> Text:
    """ "Nearest: label_id. Columns: a, b, c." for a column that is not there."""
    lowered = {k.casefold(): k for k in known}
    near = [lowered[m] for m in difflib.get_close_matches(name.casefold(), lowered, n=1, cutoff=0.6)]
    near = near or [k for k in known if name.casefold() in k.casefold()][:1]
    listed = text("Columns found: {c}.", "找到的列：{c}。", c=", ".join(known) or "–")
    return (text("Did you mean '{n}'?", "您是想用“{n}”吗？", n=near[0]) + listed) if near else listed


def _decode(raw: bytes, table: Path) -> str:
    found = decode(raw)
    if found is None:
        raise _unreadable(table, "not UTF-8")
    return found.content


def _read_separated(raw: str, separator: str, wanted: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    header = raw.split("\n", 1)[0].rstrip("\r")
    for candidate in (separator, ",", ";", "\t"):  # spreadsheets of many countries write semicolons
        names = {n.strip().strip('"') for n in header.split(candidate)}
        if len(names) > 1 and all(w in names for w in wanted):
            separator = candidate
            break
    else:
        separator = max((separator, ",", ";", "\t"), key=header.count)
    if not raw.strip():
        return pl.DataFrame()
    frame = pl.read_csv(raw.encode(), separator=separator, infer_schema=False)
    return frame.rename({name: name.strip() for name in frame.columns})


def _read_json_lines(raw: str, table: Path) -> Columns:
    rows = []
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise DataError(
                text("Line {n} of {t} is not a JSON object.", "{t} 的第 {n} 行不是 JSON 对象。", n=number, t=table)
            )
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [as_cell(row.get(name)) for row in rows] for name in names}


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


# Problems -----------------------------------------------------------------------------------------------------------


def _check_columns(cells: Columns, table: Path | str, columns: ColumnsSpec) -> None:
    lines = []
    for role in ("path", "label", "group", "split"):
        name = getattr(columns, role)
        if name is not None and name not in cells:
            what = text(
                "data.columns.{r}: {t} has no column '{n}'.",
                "data.columns.{r}：{t} 中没有“{n}”列。",
                r=role,
                t=table,
                n=name,
            )
            fitting = picture_columns(cells, table) if role == "path" and isinstance(table, Path) else []
            if fitting:
                what = what + text("'{c}' names pictures.", "“{c}”列是图片名。", c=fitting[0])
            lines.append(what + nearest_columns(name, list(cells)))
    if lines:
        raise DataError(
            _join(lines),
            None,
            text(
                "Say which column is which: --set data.columns.path=NAME --set data.columns.label=NAME",
                "请指明各列：--set data.columns.path=列名 --set data.columns.label=列名",
            ),
        )


def _join(lines: Sequence[Text]) -> Text:
    return Text("\n".join(line.en for line in lines), "\n".join(line.zh for line in lines))


def parts_of_rows(cells: Columns, columns: ColumnsSpec) -> tuple[list[str], set[int], str | None]:
    """Part of each row, rows whose part is unknown, and the column that says so (None: all rows are "train")."""
    name = columns.split or ("split" if "split" in cells else None)
    rows = len(next(iter(cells.values()), []))
    if name is None:
        return ["train"] * rows, set(), None
    parts = [PARTS.get((v or "").strip().casefold()) for v in cells[name]]
    if columns.split is None and not any(parts):  # a column that happens to be called "split"
        return ["train"] * rows, set(), None
    return [p or "train" for p in parts], {i for i, p in enumerate(parts) if p is None}, name


def _table_problems(
    outside: list[str],
    missing: list[str],
    unlabelled: list[str],
    repeated: list[str],
    conflicts: list[str],
    unknown_part: list[str],
    rows: int,
) -> list[Problem]:
    def problem(kind: str, en: str, zh: str, paths: list[str], do: Text | None = None) -> list[Problem]:
        if not paths:
            return []
        found = set_aside(kind, text(en, zh, n=len(paths), r=rows), paths, do)
        return [replace(found, numbers=found.numbers | ({"rows": rows} if "{r}" in en else {}))]

    return [
        *problem(
            "outside-root",
            "Rows whose path leads outside the data folder: {n} of {r}; set aside, not opened.",
            "{r} 行中有 {n} 行的路径在数据文件夹之外，已搁置，未打开。",
            outside,
            text("Set data.root to the folder that holds all pictures.", "请把 data.root 设为包含所有图片的文件夹。"),
        ),
        *problem(
            "missing",
            "Rows whose file does not exist: {n} of {r}; set aside.",
            "{r} 行中有 {n} 行的文件不存在，已搁置。",
            missing,
            text("Correct the paths, or set data.root.", "请更正路径，或设置 data.root。"),
        ),
        *problem(
            "missing-label",
            "Rows without a label: {n} of {r}; set aside.",
            "{r} 行中有 {n} 行没有标签，已搁置。",
            unlabelled,
        ),
        *problem(
            "repeated-row",
            "Rows that repeat a file with the same label: {n} of {r}; each file is used once.",
            "{r} 行中有 {n} 行重复了同一文件和同一标签，每个文件只使用一次。",
            repeated,
        ),
        *problem(
            "label-conflict",
            "Files that stand in the table with different labels: {n}; all their rows are set aside.",
            "表格中有 {n} 个文件带有互相矛盾的标签，相关的行全部搁置。",
            conflicts,
            text(
                "Correct the labels; if a picture may have several, put them in one cell and set data.label_separator.",
                "请更正标签；如果一张图片可以有多个标签，请写在同一单元格并设置 data.label_separator。",
            ),
        ),
        *problem(
            "split",
            "Rows whose part is neither train, val nor test: {n} of {r}; set aside.",
            "{r} 行中有 {n} 行所属的部分不是 train、val 或 test，已搁置。",
            unknown_part,
        ),
    ]


def _unreadable(table: Path, reason: str) -> DataError:
    return DataError(
        text("The table {t} cannot be read: {e}", "无法读取表格 {t}：{e}", t=table, e=reason),
        do=text(
            "Save it as CSV (UTF-8) with a header line, TSV, Parquet or JSON lines.",
            "请另存为带表头的 CSV（UTF-8）、TSV、Parquet 或 JSON Lines。",
        ),
    )
