"""What every reader of tables does with the columns: which sort examples into groups, which say the part, and what to say of lines and names.

Before it: `data/tables/table_files.py` read the cells. After it: the readers of pictures and texts.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from weigh.data.rows.listing import PARTS, Listing, set_aside, set_aside_if_any
from weigh.data.tables.cells import Columns
from weigh.data.tables.label_studio import DISAGREE, UNANSWERED
from weigh.data.tables.prodigy import REJECTED
from weigh.data.tables.table_files import TableFile
from weigh.errors import ColumnMissing, DataError
from weigh.kinds.base import Kind
from weigh.language import Text, first_names, text
from weigh.problem import Problem
from weigh.spec import ColumnsSpec, DataSpec

__all__ = [
    "SPLITS",
    "columns_note",
    "decided",
    "line_problems",
    "metadata_columns",
    "nearest_columns",
    "parts_of_rows",
    "refuse_idle",
    "repeated_headers",
    "require_column",
    "rows_of_no_part",
    "rows_without_label",
    "split_column",
    "split_note",
]

LONG = 100  # characters: longer cells are texts or addresses, not the names of groups
# names of columns whose cells are train, val and test
SPLITS = ("split", "subset", "partition", "set", "part", "phase", "dataset_split", "data_split", "data_type", "fold")
OF_PLACES = ("classes", "ignore", "box_format", "origin")  # settings of masks and boxes
FEW = 20  # a column of numbers with more values than this is a measurement, not a category


def metadata_columns(cells: Columns, used: set[str | None], kept: str | None = None) -> Columns:
    """Columns that sort examples into kinds: repeated short texts, yes/no, whole numbers; not measurements or free text.

    Args:
        kept: A column that is asked for by name, whatever it holds; its long cells are shortened and stay different.
    """
    chosen = {}
    for name, column in cells.items():
        if name == kept:
            chosen[name] = [cell if cell is None or len(cell) <= LONG else _shortened(cell) for cell in column]
            continue
        if name in used:
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


def split_column(cells: Columns, columns: ColumnsSpec) -> str | None:
    """The column that says the part of each row: the one asked for, "split", or one of another usual name all of whose cells are parts, two or more."""
    if columns.split or "split" in cells:
        return columns.split or "split"
    for name, column in cells.items():
        if name.strip().casefold() in SPLITS:
            parts = {PARTS.get((value or "").strip().casefold()) for value in column}
            if None not in parts and len(parts) > 1:
                return name
    return None


def split_note(name: str | None, columns: ColumnsSpec) -> list[Problem]:
    """A note on a column of parts that nobody named."""
    if name is None or name in (columns.split, "split"):
        return []
    sentence = text("The column '{c}' says the part of each row.", "“{c}”列说明每一行所属的部分。", c=name)
    do = text("If that is wrong, give the column another name.", "如有误，请为该列改名。")
    return [Problem("split", sentence, severity="note", do=do)]


def parts_of_rows(cells: Columns, columns: ColumnsSpec) -> tuple[list[str], set[int], str | None]:
    """Part of each row, rows whose part is unknown, and the column that says so (None: all rows are "train")."""
    name = split_column(cells, columns)
    rows = len(next(iter(cells.values()), []))
    if name is None:
        return ["train"] * rows, set(), None
    parts = [PARTS.get((v or "").strip().casefold()) for v in cells[name]]
    if columns.split is None and not any(parts):  # a column that happens to be called "split"
        return ["train"] * rows, set(), None
    return [p or "train" for p in parts], {i for i, p in enumerate(parts) if p is None}, name


def rows_without_label(paths: list[str], rows: int) -> list[Problem]:
    """Rows of a table that are set aside because their label is empty; `rows` counts all."""
    template = text("Rows without a label: {n} of {r}; set aside.", "{r} 行中有 {n} 行没有标签，已搁置。")
    return set_aside_if_any("missing-label", template, paths, rows=rows)


def rows_of_no_part(paths: list[str], rows: int) -> list[Problem]:
    """Rows of a table that are set aside because the column of parts says something else; `rows` counts all."""
    template = text(
        "Rows whose part is neither train, val nor test: {n} of {r}; set aside.",
        "{r} 行中有 {n} 行所属的部分不是 train、val 或 test，已搁置。",
    )
    return set_aside_if_any("split", template, paths, rows=rows)


def nearest_columns(name: str, names: Sequence[str]) -> Text:
    """ "Nearest: label_id. Columns: a, b, c." for a column that is not there."""
    lowered = {k.casefold(): k for k in names}
    near = [lowered[m] for m in difflib.get_close_matches(name.casefold(), lowered, n=1, cutoff=0.6)]
    near = near or [k for k in names if name.casefold() in k.casefold()][:1]
    listed = text("Columns found: {c}.", "找到的列：{c}。", c=", ".join(names) or "–")
    return (text("Did you mean '{n}'?", "您是想用“{n}”吗？", n=near[0]) + listed) if near else listed


def require_column(role: str, name: str | None, present: Sequence[str], table: object) -> None:
    """Nothing, or the error that a table lacks the column which the user named.

    Args:
        role: What it is asked for, as `data.columns` calls it.

    Raises:
        ColumnMissing: It does.
    """
    if name is not None and name not in present:
        raise ColumnMissing(
            text(
                "data.columns.{r}: {t} has no column '{n}'.",
                "data.columns.{r}：{t} 中没有“{n}”列。",
                r=role,
                t=table,
                n=name,
            )
            + nearest_columns(name, present),
            do=text("Correct the name, or leave the setting out.", "请更正名称，或去掉该设置。"),
        )


def refuse_idle(spec: DataSpec, sources: Sequence[Listing], kind: Kind) -> None:
    """Nothing, or the error that a setting speaks of columns or labels which data of this kind do not have: it would be ignored.

    Args:
        sources: What was read, the training source first.

    Raises:
        DataError: One does.
    """
    train, columns = sources[0], spec.columns
    tables = train.order_source == "table"
    if columns.group is not None and train.group is None:
        what = text("data.columns.group: no column '{n}' of groups is read from {t}.", "data.columns.group：没有从 {t} 读取分组列“{n}”。", t=spec.train, n=columns.group)  # fmt: skip
        why = text("Examples of one group would stand on both sides of a fold.", "同一组的样本会被分到折的两侧。")
        of_paths = text(
            "Leave it out, or set data.group_pattern: a pattern of the paths with what names the group in brackets (the first path: {f}).",
            "请去掉该设置，或设置 data.group_pattern：匹配路径的模式，用括号括住表示分组的部分（第一个路径：{f}）。",
            f=train.path[0] if train.path else "–",
        )
        table = text("A column needs a table that names the files.", "分组列需要列出文件的表格。")
        raise DataError(what, why, of_paths if tables else table + of_paths)
    if columns.split is not None and not tables:
        raise DataError(
            text("data.columns.split: {t} is no table, so it has no column '{n}'.", "data.columns.split：{t} 不是表格，因此没有“{n}”列。", t=spec.train, n=columns.split),
            do=text("Put the parts into folders: train, val, test.", "请把各部分放进文件夹：train、val、test。"),
        )  # fmt: skip
    counted = {name for source in sources for name in source.counted}
    idle = [name for name in OF_PLACES if name not in counted and getattr(spec, name) is not None]
    if idle and idle[0] == "classes" and kind.placed:
        raise DataError(
            text("data.classes does not count here: {t} names the classes itself.", "data.classes 在此不起作用：{t} 自己写明了类别名称。", t=spec.train),
            do=text("Leave it out. To leave a class out, or to call it otherwise, change the labels.", "请去掉该设置。若要去掉某个类别或改名，请修改标注。"),
        )  # fmt: skip
    idle += ["label_offset"] if spec.label_offset and (train.targets is not None or not kind.typed) else []
    if idle:
        raise DataError(
            text("data.{s} does not count for {k}.", "data.{s} 对{k}不起作用。", s=idle[0], k=kind.title),
            do=text("Leave it out.", "请去掉该设置。"),
        )


def columns_note(sentence: Text, left: Sequence[str], do: Text) -> Problem:
    """How a table was read; `left` are the columns that play no part."""
    if left:
        sentence = sentence + text("Not used: {c}.", "未使用：{c}。", c=first_names(left, 8))
    return Problem("columns", sentence, severity="note", do=do)


def repeated_headers(lines: list[str]) -> list[Problem]:
    """Lines in the middle of a file that say again what the columns are called."""
    return set_aside_if_any(
        "repeated-header",
        text(
            "Lines that repeat the header: {n} (first: {f}); left out.",
            "重复表头的行：{n} 行（第一行：{f}），已略去。",
        ),
        lines,
        text("Files were put together with their headers; delete these lines.", "合并文件时带入了表头，请删除这些行。"),
    )


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
    doubled = list(dict.fromkeys(name for table in tables for name in table.doubled))
    if doubled:
        problems.append(
            Problem(
                "doubled-column",
                text(
                    "Names of several columns: {l}; the first of each is meant by the name.",
                    "有多列同名：{l}；该名称指其中的第一列。",
                    l=", ".join(doubled),
                ),
                why=text("The others may hold what is wanted.", "想要的内容可能在其他列中。"),
                do=text(
                    "Give each column a name of its own; the others are called here '{n} (2)' and so on.",
                    "请为每列使用不同的名称；其余各列在此称为“{n} (2)”等。",
                    n=doubled[0],
                ),
                numbers={"n": len(doubled)},
            )
        )
    return [
        *problems,
        *_undecided(named),
        *repeated_headers(repeated),
        *set_aside_if_any(
            "stray-quote",
            text(
                "Lines with a quote that does not close: {n} (first: {f}); read as they stand.",
                "有未闭合引号的行：{n} 行（第一行：{f}），按原样读取。",
            ),
            literal,
            text("Double a quote inside of quotes, or delete it.", "请把引号内的引号写两遍，或将其删除。"),
            severity="note",
        ),
    ]


def decided(table: TableFile, label: str | None) -> TableFile:
    """The table without the rows whose label annotators did not settle (Label Studio, Prodigy): `line_problems` names them."""
    undecided = table.undecided.get(label or "", {})
    if not undecided:
        return replace(table, undecided={})
    kept = [i for i, line in enumerate(table.lines) if line not in undecided]
    columns = {name: [cells[i] for i in kept] for name, cells in table.columns.items()}
    lines = [table.lines[i] for i in kept]
    return replace(table, lines=lines, columns=columns, undecided={label or "": undecided})


def _undecided(named: Callable[[Callable[[TableFile], Iterable[int]]], list[str]]) -> list[Problem]:
    """Tasks of Label Studio or Prodigy that `decided` took out; `named` names lines of all tables."""

    def lines_of(why: str) -> list[str]:
        return named(
            lambda table: [n for lines in table.undecided.values() for n, word in lines.items() if word == why]
        )

    return [
        *set_aside_if_any(
            "missing-label",
            text(
                "Tasks of annotators without an answer (not annotated, skipped, or nothing chosen): {n} (first: {f}); set aside.",
                "没有结果的标注任务（未标注、被跳过或未作选择）：{n} 个（第一个：{f}），已搁置。",
            ),
            lines_of(UNANSWERED),
            text(
                "Where these are to count, annotate them (in Label Studio or Prodigy) and export again.",
                "若要使用它们，请（在 Label Studio 或 Prodigy 中）标注后重新导出。",
            ),
        ),
        *set_aside_if_any(
            "missing-label",
            text(
                "Rows that were rejected or ignored in Prodigy, so that their label does not hold: {n} (first: {f}); set aside.",
                "在 Prodigy 中被拒绝或忽略、其标签不成立的行：{n} 行（第一行：{f}），已搁置。",
            ),
            lines_of(REJECTED),
            text(
                "Where one question was asked and the answer itself is the label: --set data.label=answer",
                "如果只问了一个问题，答案本身就是标签：--set data.label=answer",
            ),
        ),
        *set_aside_if_any(
            "label-conflict",
            text(
                "Tasks of Label Studio whose annotators disagree: {n} (first: {f}); set aside.",
                "标注者意见不一的 Label Studio 任务：{n} 个（第一个：{f}），已搁置。",
            ),
            lines_of(DISAGREE),
            text(
                "Settle them: delete the annotations that do not count in Label Studio, and export again.",
                "请在 Label Studio 中删除不采用的标注以统一结果，再重新导出。",
            ),
        ),
    ]


def _name(path: Path, root: Path | None) -> str:
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.name
