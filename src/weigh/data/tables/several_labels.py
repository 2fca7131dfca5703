"""Several labels per example, in every way that people write them: lists in cells, joined names, a column of 0 and 1 per label.

Before it: columns of a table, and which one is the label (if one is). After it: pictures (`pictures/tables.py`) and texts (`texts/sources.py`), which
join the labels of a row with `LIST_SEPARATOR`, and say how they were read.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from weigh.data.tables.cells import LIST_SEPARATOR, Columns, as_cell
from weigh.errors import DataError
from weigh.language import Text, first_names, text
from weigh.problem import Problem

__all__ = ["joined_labels", "label_columns", "labels_of"]

MARKS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
JOINERS = ("|", ";", ",", "+", "/")
CHOICES = re.compile(r'\s*\{\s*"choices"\s*:\s*(\[.*\])\s*\}\s*', re.DOTALL)


class Labels(NamedTuple):
    """Labels of all rows.

    Attributes:
        cells: One per row; several are joined with `separator`; None where there is none.
        separator: None: one label per row.
        note: How they were read, where that needs to be said.
    """

    cells: list[str | None]
    separator: str | None
    note: Problem | None = None


def labels_of(columns: Columns, label: str | None, several: Sequence[str] = (), separator: str | None = None) -> Labels:
    """The labels of every row.

    Args:
        label: The column that holds them, one or a list per cell; None: `several` are columns of 0 and 1.
        separator: What the user says that joins several in a cell.
    """
    if label is None:
        return _from_marks(columns, several)
    cells = _opened(columns[label])
    if separator is not None:
        return Labels(cells, separator)
    lists = _lists(cells)
    if lists is None:
        return Labels(cells, None, _joined_note(cells, label))
    _refuse_objects(lists, label)
    lengths = {len(row) for row in lists if row}
    if _are_vectors(lists):
        named = [[str(i + 1) for i, mark in enumerate(row) if MARKS[mark.casefold()]] for row in lists]
        return Labels(_joined(named), LIST_SEPARATOR, _said_vectors(label, max(lengths)))
    if lengths == {1}:
        return Labels([row[0] if row else None for row in lists], None)
    return Labels(_joined(lists), LIST_SEPARATOR, _said_lists(label))


def _opened(cells: list[str | None]) -> list[str | None]:
    """Cells as they are; where Label Studio writes several choices of a cell as {"choices": ["a", "b"]}, lists (one choice stands there as a bare name)."""
    objects = [CHOICES.fullmatch(cell) if cell else None for cell in cells]
    if not any(objects):
        return cells
    return [
        match[1] if match else as_cell([cell]) if cell else None for match, cell in zip(objects, cells, strict=True)
    ]


def label_columns(columns: Columns, used: Collection[str | None]) -> tuple[str, ...]:
    """Two or more columns that hold nothing but 0 and 1, both of them, without a gap: each says whether a row has its label."""
    marked = [
        name
        for name, cells in columns.items()
        if name not in used and cells and {MARKS.get((c or "").strip().casefold()) for c in cells} == {False, True}
    ]
    return tuple(marked) if len(marked) > 1 else ()


def joined_labels(cells: Sequence[str | None]) -> str | None:
    """What seems to join several labels in a cell: names joined by it also stand alone, or in other company; None where nothing does."""
    counts = Counter(c.strip() for c in cells if c and c.strip())
    for joiner in JOINERS:
        together = [value for value in counts if joiner in value]
        alone = {value for value in counts if joiner not in value}
        if not together:
            continue
        pieces = Counter(p.strip() for value in together for p in value.split(joiner))
        recurring = sum(piece in alone or n > 1 for piece, n in pieces.items())
        if (
            all(pieces)
            and recurring == len(pieces)
            and len(pieces) + len(alone - set(pieces)) < len(counts)
            and alone & set(pieces)
        ):
            return joiner
    return None


def _lists(cells: Sequence[str | None]) -> list[list[str]] | None:
    """The lists that all filled cells hold, as Python, JSON or Parquet write them; None where they are no lists."""
    filled = [c for c in cells if c and c.strip()]
    if not filled or not all(
        c.startswith(LIST_SEPARATOR) or re.fullmatch(r"\s*\[.*\]\s*", c, re.DOTALL) for c in filled
    ):
        return None
    rows: list[list[str]] = []
    for cell in cells:
        if not cell or not cell.strip():
            rows.append([])
        elif cell.startswith(LIST_SEPARATOR):
            rows.append([piece for piece in cell[1:].split(LIST_SEPARATOR) if piece])
        else:
            row = _written_list(cell)
            if row is None:
                return None
            rows.append(row)
    return rows


def _refuse_objects(lists: list[list[str]], label: str) -> None:
    """Objects in lists are no names of classes.

    Raises:
        DataError: Most lists hold objects.
    """
    filled = [row for row in lists if row]
    objects = [row[0] for row in filled if all(re.fullmatch(r"\{.*\}", piece.strip(), re.DOTALL) for piece in row)]
    if len(objects) * 2 <= len(filled):
        return
    raise DataError(
        text(
            "Column '{c}' holds lists of objects ({e}), which are no labels.", "“{c}”列是对象列表（{e}），不是标签。", c=label, e=objects[0][:80]
        ),
        text("Every different object would be a class.", "否则每个不同的对象都会成为一个类别。"),
        text(
            'Classes: write lists of names. Entities: give each the numbers of its first character and of the one after its last: {"start": 0, '
            '"end": 4, "label": "PER"}',
            '类别：请写成名称列表。实体：请为每个实体写明首字符的编号和末字符之后的编号：{"start": 0, "end": 4, "label": "PER"}',
        ),
    )  # fmt: skip


def _written_list(cell: str) -> list[str] | None:
    """ "['a', 'b']", '["a", "b"]', "[0, 1]", and numpy's "['a' 'b']" and "[0 1]"."""
    for read in (json.loads, ast.literal_eval):
        try:
            row = read(cell.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(row, list) and all(isinstance(v, (str, int, float, bool)) for v in row):
            pieces = [str(as_cell(v) or "").strip() for v in row]
            joined_by_python = len(row) == 1 and re.search(r"'\s+'", cell)  # ['a' 'b'] is one string for Python
            if not joined_by_python:
                return [p for p in pieces if p]
    quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", cell)
    if quoted:
        return [a or b for a, b in quoted if a or b]
    bare = cell.strip()[1:-1].replace(",", " ").split()
    return bare if all(re.fullmatch(r"[-\w.]+", piece) for piece in bare) else None


def _are_vectors(lists: list[list[str]]) -> bool:
    """Lists of one length with nothing but 0 and 1, some of which holds one of them twice: places stand for labels."""
    filled = [row for row in lists if row]
    lengths = {len(row) for row in filled}
    return (
        len(lengths) == 1
        and lengths.pop() > 1
        and all(v.casefold() in MARKS for row in filled for v in row)
        and any(len(set(row)) < len(row) for row in filled)
    )


def _joined(rows: Sequence[Sequence[str]]) -> list[str | None]:
    return [LIST_SEPARATOR + LIST_SEPARATOR.join(row) for row in rows]


def _from_marks(columns: Columns, several: Sequence[str]) -> Labels:
    rows = len(next(iter(columns.values()), []))
    marked = [[name for name in several if MARKS.get((columns[name][i] or "").strip().casefold())] for i in range(rows)]
    names = first_names(several, 8)
    if all(len(row) == 1 for row in marked):
        sentence = text("The label is the column that holds 1: {c}.", "标签为取值 1 的列：{c}。", c=names)
        return Labels([row[0] for row in marked], None, _note(sentence))
    sentence = text(
        "Several labels per example, one column of 0 and 1 for each: {c}.",
        "每个样本可有多个标签，每个标签一列（0/1）：{c}。",
        c=names,
    )
    return Labels(_joined(marked), LIST_SEPARATOR, _note(sentence))


def _note(sentence: Text, *, severity: Literal["warning", "note"] = "note", do: Text | None = None) -> Problem:
    return Problem(
        "columns",
        sentence,
        severity=severity,
        do=do or text("If that is wrong: --set data.label=NAME", "如有误：--set data.label=列名"),
    )


def _said_lists(label: str) -> Problem:
    return _note(
        text("Several labels per example: lists in column '{c}'.", "每个样本可有多个标签：“{c}”列为列表。", c=label)
    )


def _said_vectors(label: str, n: int) -> Problem:
    return _note(
        text(
            "Several labels per example: column '{c}' holds lists of {n} marks 0 or 1, without names; the labels are called 1 to {n}.",
            "每个样本可有多个标签：“{c}”列是 {n} 个 0/1 标记的列表，没有名称；标签记为 1 到 {n}。",
            c=label, n=n,
        ),
        severity="warning",
        do=text("For names, write lists of names instead.", "如需名称，请改为名称列表。"),
    )  # fmt: skip


def _joined_note(cells: Sequence[str | None], label: str) -> Problem | None:
    joiner = joined_labels(cells)
    if joiner is None:
        return None
    example = next(c for c in cells if c and joiner in c)
    return _note(
        text(
            "Column '{c}' seems to hold several labels joined by '{j}' (\"{e}\"); as it stands, each combination is a class of its own.",
            "“{c}”列似乎用“{j}”连接了多个标签（“{e}”）；目前每种组合各算一个类别。",
            c=label, j=joiner, e=example,
        ),
        severity="warning",
        do=text("Say so: --set data.label_separator='{j}'", "请指明：--set data.label_separator='{j}'", j=joiner),
    )  # fmt: skip
