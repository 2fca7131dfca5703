"""What a file looks like, told from its first lines; lines that do not fit the others are passed over.

Before it: a path. After it: `tasks.py` names the task, and the reader of that task reads the whole file and says what is wrong with
it. A file that looks like one thing is never tried as another: the error of its own reader is the one that helps.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from weigh.data.boxes.columns import columns_of_boxes
from weigh.data.masks.layouts import is_mask_column
from weigh.data.pictures.files import begins_like_picture, is_picture_name
from weigh.data.pictures.tables import picture_columns
from weigh.data.recognition.sentences import holds_tokens
from weigh.data.sentences.objects import holds_sentences, json_objects
from weigh.data.tables.cells import columns_as_text
from weigh.data.tables.numbers import number_style
from weigh.data.tables.parquet import read_parquet
from weigh.data.tables.records import parse_json_lines
from weigh.data.tables.roles import are_numbers, is_number
from weigh.data.tables.table_files import JSON, PARQUET, TableFile, is_written_as, read_table
from weigh.data.tables.text_encoding import read_text
from weigh.data.texts.tables import read_text_table
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.spec import ColumnsSpec
from weigh.tasks import (
    IMAGE_CLASSIFICATION,
    IMAGE_REGRESSION,
    OBJECT_DETECTION,
    SEMANTIC_SEGMENTATION,
    TEXT_CLASSIFICATION,
    TEXT_REGRESSION,
    TOKEN_CLASSIFICATION,
)

__all__ = ["TextTask", "look_at", "looks_like_packed_files", "looks_like_texts", "looks_like_tokens", "task_by_looks"]

BYTES = 300_000  # of a file that are looked at
ROWS = 500
NAME_THE_LABEL = text(
    "Name the column of labels: --set data.label=NAME; or say what to make of them: --task text-classification (classes) or --task text-regression (numbers)",
    "请指明标签列：--set data.label=列名；或指明任务：--task text-classification（类别）或 --task text-regression（数值）",
)


class TextTask(NamedTuple):
    """A task, or None where it cannot be told; why; and what to do about it."""

    task: str | None
    reason: Text
    do: Text | None = None


@dataclass(frozen=True)
class Look:
    """The beginning of a file.

    Attributes:
        content: First characters; "" of Parquet.
        encoding: What the user says that it is written in.
        rows: Objects of JSON, and rows of Parquet, as they are: lists stay lists.
        table: The same as columns of text; None where it is no table.
    """

    path: Path
    columns: ColumnsSpec
    content: str = ""
    encoding: str | None = None
    rows: list[Any] = field(default_factory=list)
    table: TableFile | None = None


def look_at(path: Path, columns: ColumnsSpec, encoding: str | None = None) -> Look:
    """The beginning of the file at `path`.

    Raises:
        DataError: It cannot be read, or holds no text.
    """
    wanted = [n for n in (columns.path, columns.label, columns.text, *(columns.box or ())) if n]
    if is_written_as(path, PARQUET):
        frame = read_parquet(path, rows=ROWS)
        cells = columns_as_text(frame)
        return Look(
            path,
            columns,
            "",
            None,
            frame.to_dicts(),
            TableFile(path, list(range(1, len(frame) + 1)), cells, True, "Parquet"),
        )
    content, _ = read_text(path, limit=BYTES, encoding=encoding)
    if is_written_as(path, JSON):
        whole = content.lstrip()[:1] != "[" and [row for _, row in parse_json_lines(content)]
        if not whole or not any(whole):  # a list cannot be cut
            content, _ = read_text(path, encoding=encoding)
        if whole and not any(whole) and not is_written_as(path, (".json",)):  # lines, of which none can be read
            read_table(path, wanted, encoding=encoding)
        rows = [row for _, row in json_objects(path, content)][:ROWS]
        try:
            table = read_table(path, wanted, limit=len(content) if whole and any(whole) else None, encoding=encoding)
        except DataError:
            if not holds_sentences(rows):
                raise
            table = None
        return Look(path, columns, content[:BYTES], encoding, rows, table)
    try:
        table = read_table(path, wanted, limit=BYTES, encoding=encoding)
    except DataError:
        table = None
    lined = content.lstrip()[:1] == "{"
    rows = [row for _, row in parse_json_lines(content) if row is not None][:ROWS] if lined else []
    return Look(path, columns, content, encoding, rows, table)


def looks_like_packed_files(look: Look, folder: Path | None = None) -> TextTask | None:
    """A column of Parquet that holds the bytes of files, as data sets of the hub come: no reader takes them, and as text they would be noise.

    Args:
        folder: Where the file is one of several.
    """
    first = look.rows[0] if is_written_as(look.path, PARQUET) and look.rows else {}
    name = next((name for name, value in first.items() if _is_packed(value)), None)
    if name is None:
        return None
    return TextTask(
        None,
        text(
            "the column '{c}' of {f} holds files themselves, not their names.",
            "{f} 的“{c}”列存放的是文件内容本身，而不是文件名。",
            c=name,
            f=look.path.name,
        ),
        text(
            "If they are pictures, write them out with the datasets library (pip install datasets), and give the folder 'saved': {p}",
            "如果是图片，请用 datasets 库写出（pip install datasets），再给出文件夹 saved：{p}",
            p='python -c "import sys, datasets as d; '
            f"x = d.load_dataset('parquet', {'data_files' if folder is None else 'data_dir'}=sys.argv[1]); "
            f"x.cast_column(sys.argv[2], d.Image()).save_to_disk('saved')\" {shlex.quote(str(folder or look.path))} {shlex.quote(name)}",
        ),
    )


def _is_packed(value: Any) -> bool:
    """Whether a cell is a file. Bytes alone may be a text without its mark, a hash or a vector, so they have to begin as a picture does."""
    if isinstance(value, dict):
        return isinstance(value.get("bytes"), bytes)
    return isinstance(value, bytes) and begins_like_picture(value)


def looks_like_tokens(look: Look) -> TextTask | None:
    """Sentences of tagged tokens, in whatever layout."""
    reason = holds_tokens(look.path, look.content, look.rows, look.table.columns if look.table else {})
    return None if reason is None else TextTask(TOKEN_CLASSIFICATION, reason)


def looks_like_pictures(look: Look) -> TextTask | None:
    """A table one of whose columns names pictures."""
    cells = look.table.columns if look.table else {}
    pictures, columns = picture_columns(cells, look.path), look.columns
    box = columns_of_boxes(cells, look.path, columns)
    if box is not None:
        sentence = text("A box in each row ({c}).", "每行一个框（{c}）。", c=", ".join(box.names))
        return TextTask(
            OBJECT_DETECTION,
            sentence
            + text(
                "If the rows are whole pictures: --task image-classification",
                "若每行是整张图片：--task image-classification",
            ),
        )
    labels = [cell for cell in cells.get(columns.label, ()) if cell]
    if (columns.path in cells or pictures) and _measured(labels):
        where = columns.path if columns.path in cells else pictures[0]
        sentence = text("Pictures ({c}) with numbers ({l}).", "图片（{c}）带有数值（{l}）。", c=where, l=columns.label)
        return TextTask(IMAGE_REGRESSION, sentence)
    masks = [name for name in pictures if is_mask_column(name) and _name_one_each(cells[name])]
    if len(masks) == 1 and len(pictures) == 2:
        sentence = text("The column '{c}' names masks.", "“{c}”列是掩码文件名。", c=masks[0])
        return TextTask(SEMANTIC_SEGMENTATION, sentence)
    if columns.path in cells and (columns.path in pictures or (columns.label in cells and not columns.text)):
        return TextTask(IMAGE_CLASSIFICATION, text("A table with paths and labels.", "含路径和标签的表格。"))
    if pictures:
        return TextTask(
            IMAGE_CLASSIFICATION, text("The column '{c}' names pictures.", "“{c}”列是图片名。", c=pictures[0])
        )
    return None


def looks_like_texts(look: Look) -> TextTask | None:
    """Texts with labels, or with numbers."""
    packed_list = is_written_as(look.path, JSON) and look.content.lstrip()[:1] == "["
    try:
        table = read_text_table(look.path, look.columns, limit=None if packed_list else BYTES, encoding=look.encoding)
    except DataError:
        table = None
    if table is None or (table.roles.label is None and not table.roles.several):  # files may be sorted by label
        table = read_text_table(look.path, look.columns, encoding=look.encoding)
    where, label = ", ".join(table.roles.text), table.roles.label
    if label is None and table.roles.several:
        marks = ", ".join(table.roles.several[:5])
        return TextTask(
            TEXT_CLASSIFICATION,
            text("Texts ({c}) with columns of 0 and 1 ({l}).", "文本（{c}）带有 0/1 标签列（{l}）。", c=where, l=marks),
        )
    if label is None:
        return TextTask(
            None,
            text("no column holds labels ({c}).", "没有标签列（{c}）。", c=", ".join(table.columns)),
            NAME_THE_LABEL,
        )
    cells = [c for c in table.columns[label] if c]
    if _measured(cells):
        return TextTask(
            TEXT_REGRESSION, text("Texts ({c}) with numbers ({l}).", "文本（{c}）带有数值（{l}）。", c=where, l=label)
        )
    if len(cells) > 20 and len(set(cells)) * 2 > len(cells):
        return TextTask(
            None,
            text(
                "column '{l}' has {k} different values in {n} rows: neither classes nor numbers.",
                "“{l}”列在 {n} 行中有 {k} 个不同取值：既不像类别，也不像数值。",
                l=label, k=len(set(cells)), n=len(cells),
            ),
            NAME_THE_LABEL,
        )  # fmt: skip
    return TextTask(
        TEXT_CLASSIFICATION, text("Texts ({c}) with labels ({l}).", "文本（{c}）带有标签（{l}）。", c=where, l=label)
    )


def _name_one_each(cells: Sequence[str | None]) -> bool:
    """Whether cells name files, or differ as the masks of different pictures do; the labels 0 and 1 may be names of pictures (0.png, 1.png) by chance."""
    filled = [cell for cell in cells if cell]
    return len(set(filled)) * 2 > len(filled) or any(is_picture_name(cell) for cell in filled)


def _measured(cells: list[str]) -> bool:
    """Numbers rather than names of classes."""
    return are_numbers(cells) or _mostly_numbers(cells)


def _mostly_numbers(cells: list[str]) -> bool:
    """Numbers with a few cells that are none (the reader sets those aside by name); whole ones where they hardly repeat."""
    numbers = [c for c in cells if is_number(c)]
    different = len(set(numbers))
    if len(numbers) * 10 < 9 * len(cells) or different <= 10:
        return False
    return are_numbers(numbers) or (different > 20 and different * 2 > len(cells) and number_style(numbers) is not None)


# The first that fits says what a file is.
LOOKS: tuple[Callable[[Look], TextTask | None], ...] = (
    looks_like_packed_files,
    looks_like_tokens,
    looks_like_pictures,
    looks_like_texts,
)


def task_by_looks(path: Path, columns: ColumnsSpec, encoding: str | None = None) -> TextTask:
    """The task of one file; None with the reason where it looks like nothing that is known.

    Raises:
        DataError: The reader of what it looks like cannot read it.
    """
    look = look_at(path, columns, encoding)
    for looks_like in LOOKS:
        task = looks_like(look)
        if task is not None:
            return task
    return TextTask(None, text("it is neither a folder nor a table.", "它既不是文件夹也不是表格。"))
