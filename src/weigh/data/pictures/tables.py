"""A table of pictures as rows: CSV, TSV, Parquet or JSON lines with a path, a label and whatever else.

Before it: what the user typed. After it: `data/pictures/index.py`. Cells are text from a stranger: a path that leaves the root is
set aside and never opened, labels are only ever names.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from weigh.data.rows.listing import PARTS, PICTURE_SUFFIXES, Listing, nothing_usable, set_aside
from weigh.data.rows.paths import Resolver, found_otherwise
from weigh.data.tables.cells import Columns
from weigh.data.tables.encoding import encoding_problem
from weigh.data.tables.several_labels import label_columns, labels_of
from weigh.data.tables.table_files import TableFile, read_table
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.problem import Problem
from weigh.spec import ColumnsSpec

__all__ = [
    "Resolver",
    "columns_note",
    "line_problems",
    "list_columns",
    "list_table",
    "metadata_columns",
    "nearest_columns",
    "parts_of_rows",
    "picture_columns",
]

LONG = 100  # characters: longer cells are texts or addresses, not the names of kinds
FEW = 20  # a column of numbers with more values than this is a measurement, not a category


def list_table(
    table: Path,
    *,
    columns: ColumnsSpec,
    root: Path | None = None,
    separator: str | None = None,
    encoding: str | None = None,
) -> Listing:
    """The rows of `table` that name an existing file inside `root` and carry a label.

    Args:
        columns: Which columns hold what.
        root: What paths are relative to; default: the table's folder.
        separator: Joins several labels in one cell; None: one label per row (unless the column holds lists).
        encoding: What the user says that it is written in.

    Raises:
        DataError: Not readable, empty, or columns are missing (all of them named, with the nearest names there are).
    """
    read = read_table(table, wanted=(columns.path, columns.label), encoding=encoding)
    listing = list_columns(
        read.columns, table, columns=columns, root=Path(os.path.abspath(root or table.parent)), separator=separator
    )
    used = {columns.path, columns.label, columns.group, columns.split, "split", *listing.columns}
    marked = bool(listing.separator) and columns.label not in read.columns
    left = [] if marked else [name for name in read.columns if name not in used]
    said = text(
        "Read as pictures (paths: {p}; labels: {l}).",
        "按图片读取（路径：{p}；标签：{l}）。",
        p=columns.path,
        l=columns.label,
    )
    do = text(
        "If that is wrong: --set data.columns.path=NAME --set data.columns.label=NAME",
        "如有误：--set data.columns.path=列名 --set data.columns.label=列名",
    )
    listing.problems += [] if marked else [columns_note(said, left, do)]
    listing.problems += [*encoding_problem({table.name: read.encoding}), *line_problems([read], len(read.lines))]
    return listing


def columns_note(sentence: Text, left: Sequence[str], do: Text) -> Problem:
    """How a table was read; `left` are the columns that play no part."""
    if left:
        names = ", ".join(left[:8]) + (", …" if len(left) > 8 else "")
        sentence = sentence + text("Not used: {c}.", "未使用：{c}。", c=names)
    return Problem("columns", sentence, severity="note", do=do)


def line_problems(tables: Sequence[TableFile], rows: int, root: Path | None = None) -> list[Problem]:
    """Lines of files that are no rows, or were read in an unusual way; `rows` counts those that are."""

    def named(lines_of: Callable[[TableFile], Iterable[int]]) -> list[str]:
        return [f"{_name(t.path, root)}:{line}" for t in tables for line in lines_of(t)]

    broken, repeated, literal = named(lambda t: t.broken), named(lambda t: t.repeated), named(lambda t: t.literal)
    problems = []
    if broken:
        every = rows + len(broken)
        problems.append(
            set_aside(
                "broken-row",
                text(
                    "Lines that do not fit the table (too many or too few cells, quotes that do not close): {n} of {r} (first: {f}); set aside.",
                    "{r} 行中有 {n} 行与表格不符（单元格过多或过少、引号未闭合；第一行：{f}），已搁置。",
                    n=len(broken),
                    r=every,
                    f=broken[0],
                ),
                broken,
                text(
                    "Correct these lines; texts with separators belong in quotes.",
                    "请更正这些行；含分隔符的文本应加引号。",
                ),
                more={"rows": every},
                details=tuple(
                    {"path": f"{_name(t.path, root)}:{line}", "cells": why}
                    for t in tables
                    for line, why in t.broken.items()
                ),
            )
        )
    if repeated:
        problems.append(
            set_aside(
                "repeated-header",
                text(
                    "Lines that repeat the header: {n} (first: {f}); left out.",
                    "重复表头的行：{n} 行（第一行：{f}），已略去。",
                    n=len(repeated),
                    f=repeated[0],
                ),
                repeated,
                text(
                    "Files were put together with their headers; delete these lines.",
                    "合并文件时带入了表头，请删除这些行。",
                ),
            )
        )
    if literal:
        problems.append(
            set_aside(
                "stray-quote",
                text(
                    "Lines with a quote that does not close: {n} (first: {f}); read as they stand.",
                    "有未闭合引号的行：{n} 行（第一行：{f}），按原样读取。",
                    n=len(literal),
                    f=literal[0],
                ),
                literal,
                text("Double a quote inside of quotes, or delete it.", "请把引号内的引号写两遍，或将其删除。"),
                severity="note",
            )
        )
    return problems


def _name(path: Path, root: Path | None) -> str:
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.name


def list_columns(
    cells: Columns, table: Path | str, *, columns: ColumnsSpec, root: Path, separator: str | None
) -> Listing:
    """Like `list_table`, for columns that were read already; `table` is for messages."""
    marks = () if columns.label in cells or columns.label != "label" else label_columns(cells, {columns.path})
    _check_columns(cells, table, columns, without_label=bool(marks))
    paths = cells[columns.path]
    labels, separator, note = labels_of(cells, None if marks else columns.label, marks, separator)
    rows = len(paths)
    if not rows:
        raise DataError(text("The table {t} has no rows.", "表格 {t} 没有数据行。", t=table))
    listing = Listing(root=root, order_source="table", separator=separator)
    parts, odd_parts, split_column = parts_of_rows(cells, columns)
    beside = Path(os.path.abspath(table)).parent if isinstance(table, Path) else None
    resolver = Resolver(root, [p for p in paths if p], beside=beside)
    otherwise: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    conflicts: set[str] = set()
    outside, missing, unlabelled, repeated, unknown_part, kept = [], [], [], [], [], []
    metadata = metadata_columns(cells, {columns.path, columns.label, *marks, split_column, columns.group}, columns.kept)
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
            if found.otherwise:
                otherwise.append((written, found.path))
            listing.path.append(found.path)
            listing.label.append(label)
            listing.part.append(parts[row])
            listing.order.append(row)
    listing.group = [cells[columns.group][r] or "" for r in kept] if columns.group else None
    listing.columns = {name: [column[r] or "" for r in kept] for name, column in metadata.items()}
    listing.keep([i for i, path in enumerate(listing.path) if path not in conflicts])
    listing.problems += [note] if note else []
    listing.problems += _table_problems(
        outside, missing, unlabelled, [p for p in repeated if p not in conflicts], sorted(conflicts), unknown_part, rows,
        resolver,
    )  # fmt: skip
    listing.problems += found_otherwise(otherwise, rows)
    if not listing.path:
        raise nothing_usable(table, listing.problems)
    return listing


def metadata_columns(cells: Columns, taken: set[str | None], kept: str | None = None) -> Columns:
    """Columns that sort examples into kinds: repeated short texts, yes/no, whole numbers; not measurements or free text.

    Args:
        kept: A column that is asked for by name, whatever it holds; its long cells are shortened and stay different.
    """
    chosen = {}
    for name, column in cells.items():
        if name == kept:
            chosen[name] = [cell if cell is None or len(cell) <= LONG else _shortened(cell) for cell in column]
            continue
        if name in taken:
            continue
        values = {v for v in column if v is not None and v != ""}
        if not 2 <= len(values) < max(len(column), 3) or any(len(v) > LONG for v in values):
            continue
        if len(values) > FEW and _are_measurements(values):
            continue
        chosen[name] = column
    return chosen


def _shortened(cell: str) -> str:
    return f"{cell[: LONG - 20]}…{hashlib.blake2b(cell.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


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


# Problems -----------------------------------------------------------------------------------------------------------


def _check_columns(cells: Columns, table: Path | str, columns: ColumnsSpec, *, without_label: bool) -> None:
    lines = []
    for role in ("path", "group", "split") if without_label else ("path", "label", "group", "split"):
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
    resolver: Resolver,
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
            resolver.remedy(outside[0]) if outside else None,
        ),
        *problem(
            "missing",
            "Rows whose file does not exist: {n} of {r}; set aside.",
            "{r} 行中有 {n} 行的文件不存在，已搁置。",
            missing,
            resolver.remedy(missing[0]) if missing else None,
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
