"""A table of pictures as rows: CSV, TSV, Parquet or JSON lines with a path, a label and whatever else.

Before it: what the user typed. After it: `data/pictures/index.py`. Cells are text from a stranger: a path that leaves the root is
set aside and never opened, labels are only ever names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weigh.data.rows.columns import (
    columns_note,
    decided,
    line_problems,
    metadata_columns,
    nearest_columns,
    parts_of_rows,
    rows_of_no_part,
    rows_without_label,
    split_column,
    split_note,
)
from weigh.data.rows.listing import PICTURE_SUFFIXES, Listing, nothing_usable, set_aside_if_any
from weigh.data.rows.paths import Resolver, found_otherwise
from weigh.data.tables.cells import Columns
from weigh.data.tables.several_labels import label_columns, labels_of
from weigh.data.tables.table_files import TableFile, read_table
from weigh.data.tables.text_encoding import encoding_problem
from weigh.errors import DataError
from weigh.language import Text, join_texts, text
from weigh.problem import Problem
from weigh.spec import ColumnsSpec

__all__ = ["list_columns", "list_table", "picture_columns"]

IMAGEFOLDER = "file_name"  # in metadata.csv and metadata.jsonl, as the datasets library reads folders of pictures


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
    columns = _with_path(read, table, columns)
    read = decided(read, columns.label)
    listing = list_columns(
        read.columns, table, columns=columns, root=Path(os.path.abspath(root or table.parent)), separator=separator
    )
    used = {columns.path, columns.label, columns.group, split_column(read.columns, columns), "split", *listing.columns}
    marked = bool(listing.separator) and columns.label not in read.columns
    left = [] if marked else [name for name in read.columns if name not in used]
    sentence = text(
        "Read as pictures (paths: {p}; labels: {l}).",
        "按图片读取（路径：{p}；标签：{l}）。",
        p=columns.path,
        l=columns.label,
    )
    do = text(
        "If that is wrong: --set data.columns.path=NAME --set data.columns.label=NAME",
        "如有误：--set data.columns.path=列名 --set data.columns.label=列名",
    )
    listing.problems += [] if marked else [columns_note(sentence, left, do)]
    listing.problems += [*encoding_problem({table.name: read.encoding}), *line_problems([read], len(read.lines))]
    return listing


def _with_path(read: TableFile, table: Path, columns: ColumnsSpec) -> ColumnsSpec:
    """The columns, where nobody named them, as folders of pictures (imagefolder) and tasks of Label Studio call them."""
    cells = read.columns
    if read.chosen and columns.label == "label":  # what annotators chose, not what came with the pictures
        columns = columns.model_copy(update={"label": read.chosen[0]})
    pictures = picture_columns(cells, table) if columns.path == "path" and columns.path not in cells else []
    if read.chosen and len(pictures) == 1:
        return columns.model_copy(update={"path": pictures[0]})
    if IMAGEFOLDER not in pictures:
        return columns
    return columns.model_copy(update={"path": IMAGEFOLDER})


@dataclass
class _LeftOut:
    """Files that rows of a table name and that are not used, by the reason; paths as written where nothing lies there.

    Attributes:
        repeated: Each further row of a file.
        conflicts: Files with several labels.
    """

    outside: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    unknown_part: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    conflicts: set[str] = field(default_factory=set)


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
    parts, odd_parts, split = parts_of_rows(cells, columns)
    beside = Path(os.path.abspath(table)).parent if isinstance(table, Path) else None
    resolver = Resolver(root, [p for p in paths if p], beside=beside)
    otherwise: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    left_out, kept = _LeftOut(), []
    metadata = metadata_columns(cells, {columns.path, columns.label, *marks, split, columns.group}, columns.kept)
    for row in range(rows):
        written = (paths[row] or "").strip()
        label = (labels[row] or "").strip()
        place = resolver.find(written)
        if place.outside:
            left_out.outside.append(written)
        elif place.path is None:
            left_out.missing.append(written or f"(row {row + 1})")
        elif not label and separator is None:
            left_out.unlabelled.append(place.path)
        elif row in odd_parts:
            left_out.unknown_part.append(place.path)
        elif place.path in seen:
            left_out.repeated.append(place.path)
            if (labels[seen[place.path]] or "").strip() != label:
                left_out.conflicts.add(place.path)
        else:
            seen[place.path] = row
            kept.append(row)
            if place.otherwise:
                otherwise.append((written, place.path))
            listing.path.append(place.path)
            listing.label.append(label)
            listing.part.append(parts[row])
            listing.order.append(row)
    listing.group = [cells[columns.group][r] or "" for r in kept] if columns.group else None
    listing.columns = {name: [column[r] or "" for r in kept] for name, column in metadata.items()}
    listing.keep([i for i, path in enumerate(listing.path) if path not in left_out.conflicts])
    listing.problems += ([note] if note else []) + split_note(split, columns)
    listing.problems += _table_problems(left_out, rows, resolver)
    listing.problems += found_otherwise(otherwise, rows)
    if not listing.path:
        raise nothing_usable(table, listing.problems)
    return listing


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
    paths = [resolver.find(v).path for v in sample]
    return sum(p is not None and os.path.splitext(p)[1].casefold() in PICTURE_SUFFIXES for p in paths) * 2 > len(sample)


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
    return join_texts(lines, "\n", "\n")


def _table_problems(left_out: _LeftOut, rows: int, resolver: Resolver) -> list[Problem]:
    outside, missing = left_out.outside, left_out.missing
    return [
        *set_aside_if_any(
            "outside-root",
            text(
                "Rows whose path leads outside the data folder: {n} of {r}; set aside, not opened.",
                "{r} 行中有 {n} 行的路径在数据文件夹之外，已搁置，未打开。",
            ),
            outside,
            resolver.remedy(outside[0]) if outside else None,
            rows=rows,
        ),
        *set_aside_if_any(
            "missing",
            text("Rows whose file does not exist: {n} of {r}; set aside.", "{r} 行中有 {n} 行的文件不存在，已搁置。"),
            missing,
            resolver.remedy(missing[0]) if missing else None,
            rows=rows,
        ),
        *rows_without_label(left_out.unlabelled, rows),
        *set_aside_if_any(
            "repeated-row",
            text(
                "Rows that repeat a file with the same label: {n} of {r}; each file is used once.",
                "{r} 行中有 {n} 行重复了同一文件和同一标签，每个文件只使用一次。",
            ),
            [path for path in left_out.repeated if path not in left_out.conflicts],
            rows=rows,
        ),
        *set_aside_if_any(
            "label-conflict",
            text(
                "Files that stand in the table with different labels: {n}; all their rows are set aside.",
                "表格中有 {n} 个文件带有互相矛盾的标签，相关的行全部搁置。",
            ),
            sorted(left_out.conflicts),
            text(
                "Correct the labels; if a picture may have several, put them in one cell and set data.label_separator.",
                "请更正标签；如果一张图片可以有多个标签，请写在同一单元格并设置 data.label_separator。",
            ),
        ),
        *rows_of_no_part(left_out.unknown_part, rows),
    ]
