"""One file of tokens with tags, in whatever layout, as sentences with entities.

Before it: a path. After it: `index.py`. What stands where: `columns.py` (CoNLL), `objects.py` (JSON), `tables.py`
(CSV, Parquet); how tags are meant: `blocks.py`, `tags.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weigh.data.rows.columns import SPLITS, nearest_columns, parts_of_rows, require_column
from weigh.data.sentences.blocks import Blocks, Sentence, tag_reader
from weigh.data.sentences.columns import column_blocks, has_tagged_lines, numbers_sentences, unnamed_column
from weigh.data.sentences.objects import (
    as_object,
    asked_names,
    holds_sentences,
    json_objects,
    list_columns,
    names_in,
    row_blocks,
)
from weigh.data.sentences.span_tables import span_rows
from weigh.data.sentences.span_words import unfit_error
from weigh.data.sentences.tables import table_blocks, token_columns
from weigh.data.sentences.tags import decode_tags, scheme_of
from weigh.data.tables.cells import Columns, as_cell
from weigh.data.tables.parquet import read_parquet
from weigh.data.tables.table_files import JSON, PARQUET, is_written_as, json_table, read_table
from weigh.data.tables.text_encoding import read_text
from weigh.errors import ColumnMissing, DataError
from weigh.language import text
from weigh.spec import ColumnsSpec

SAMPLE = 200  # rows of a table that show what it holds
PARTS_AS_FILES = text(
    "Write a file for each part (train, dev, test) into one folder, and give the folder.",
    "请把各部分分别写成文件（train、dev、test）放入同一文件夹，再给出该文件夹。",
)

__all__ = ["TokenFile", "decode_blocks", "read_token_file"]


@dataclass
class TokenFile:
    """Sentences of one file.

    Attributes:
        scheme: "IO", "IOB1", "IOB2", "BIOES", "BMES", "BILOU", or "spans".
        bad: Lines that are no token with a tag, and what stands there; their sentences are set aside.
        left_out: First lines of these sentences.
        positions: Tokens were characters followed by the digit of their place in the word, which was taken off.
        columns: Which hold tokens and tags, where that was a guess.
        blocks: What was read, without the sentences: lines that repeat the header, and what was seen of entities that are given as spans.
        flaws: Bad lines and lost characters: of two versions of a file, the one with fewer is used.
    """

    path: Path
    sentences: list[Sentence]
    scheme: str
    encoding: str
    bad: dict[int, str] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)
    positions: bool = False
    columns: tuple[str, ...] = ()
    blocks: Blocks = field(default_factory=Blocks)
    flaws: int = 0


def read_token_file(path: Path, columns: ColumnsSpec, *, tagged: bool = True, encoding: str | None = None) -> TokenFile:
    """Read a file of tokens.

    Args:
        columns: `text` and `label` may name columns, or number them from 1; default: told from what they hold. `tag_names` names
            numeric tags.
        tagged: Whether it must hold an entity, and the columns that are named; a system's output may have neither.

    Raises:
        DataError: Not readable, it holds no tokens with tags, or a column that `columns` names is not there.
    """
    lost, found_encoding = 0, "UTF-8"
    if is_written_as(path, PARQUET):
        blocks = _from_table(path, columns, encoding, tagged=tagged)
    else:
        content, found_encoding = read_text(path, encoding=encoding)
        lost = content.count("\ufffd")
        if is_written_as(path, JSON):
            rows = list(json_objects(path, content))
            present = _names_of(path, content, rows, columns)
            if tagged:
                _check_named(path, columns, present, numbered=False)
            else:
                columns = _there(columns, present)
            blocks = row_blocks(rows, columns)
            cells, lines = _short_cells(rows, columns), [number for number, _ in rows]
            if not blocks.blocks and not blocks.spanned and not blocks.unfit:
                table = json_table(path, content)
                roles = token_columns(table.columns, columns, table.lines)
                if roles is not None:
                    cells, lines = table.columns, table.lines
                    blocks = table_blocks(cells, lines, roles)
            if tagged and (blocks.blocks or blocks.spanned):
                require_column("split", columns.split, list(cells), path)
                _note_parts(blocks, cells, lines, columns)
        elif is_written_as(path, (".csv",)) or not (_is_in_columns(content) or columns.label.isdecimal()):
            blocks = _from_table(path, columns, encoding, tagged=tagged)
            blocks = _from_columns(path, content, columns, tagged=tagged) if blocks is None else blocks
        else:
            blocks = _from_columns(path, content, columns, tagged=tagged)
    file = decode_blocks(path, blocks or Blocks(), found_encoding, columns.tag_names)
    file.flaws = lost + len(file.bad) + len(file.blocks.unfit)
    if not file.sentences or (tagged and not any(s.decoded.spans for s in file.sentences)):
        if file.blocks.unfit:
            raise unfit_error(path, file.blocks.unfit)
        raise _no_tokens(path)
    return file


def _check_named(path: Path, columns: ColumnsSpec, present: Sequence[str], *, numbered: bool) -> None:
    """Nothing, or the error that a column is not there which the user named.

    Args:
        numbered: Columns have numbers, which may be meant.

    Raises:
        ColumnMissing: It is not.
    """
    for role, name in zip(("text", "label"), asked_names(columns), strict=True):
        if name is not None and name not in present and not (numbered and name.isdecimal()):
            raise ColumnMissing(
                text("data.{r}: {t} has no column '{n}'.", "data.{r}：{t} 中没有“{n}”列。", r=role, t=path, n=name)
                + nearest_columns(name, present),
                do=text("Correct the name, or leave the setting out.", "请更正名称，或去掉该设置。"),
            )
    require_column("split", columns.split, present, path)


def _names_of(path: Path, content: str, rows: Sequence[tuple[int, Any]], columns: ColumnsSpec) -> list[str]:
    """What a file of JSON calls what it holds; where names are asked for that no object has, also as a frame of pandas gives them."""
    names = names_in(rows)
    if {*asked_names(columns), columns.split} <= {None, *names}:
        return names
    try:
        return list(dict.fromkeys([*names, *json_table(path, content).columns]))
    except DataError:  # no table
        return names


def _there(columns: ColumnsSpec, present: Sequence[str]) -> ColumnsSpec:
    """The names without those that a file does not have: a system may call texts and labels otherwise than the gold file."""
    asked_text, asked_label = asked_names(columns)
    return columns.model_copy(
        update={
            "text": asked_text if asked_text in present else None,
            "label": asked_label if asked_label in present else "label",
        }
    )


def _is_in_columns(content: str) -> bool:
    """Whether lines are tokens with tags; those of a table with tabs that numbers its sentences are rows."""
    return has_tagged_lines(content) and not numbers_sentences(content)


def _short_cells(numbered: Sequence[tuple[int, Any]], columns: ColumnsSpec) -> Columns:
    """What objects say in fields that may name their part."""
    wholes = [as_object(row) or {} for _, row in numbered]
    names = [name for name in names_in(numbered) if name == columns.split or name.casefold() in SPLITS]
    cells = {name: [as_cell(whole.get(name)) for whole in wholes] for name in names}
    split_column = columns.split
    if split_column in cells:  # Label Studio has what it was given one level deeper
        inner = [whole["data"] if isinstance(whole.get("data"), dict) else {} for whole in wholes]
        cells[split_column] = [
            as_cell(whole.get(split_column, deep.get(split_column))) for whole, deep in zip(wholes, inner, strict=True)
        ]
    return cells


def _note_parts(blocks: Blocks, cells: Columns, lines: Sequence[int], columns: ColumnsSpec) -> None:
    """Which part each line belongs to, where a column says it."""
    parts, unknown, blocks.parted_by = parts_of_rows(cells, columns)
    if blocks.parted_by is not None:
        blocks.parts = {line: parts[row] for row, line in enumerate(lines) if row not in unknown}


def _from_columns(path: Path, content: str, columns: ColumnsSpec, *, tagged: bool) -> Blocks:
    """Sentences of a file of columns (CoNLL).

    Raises:
        ColumnMissing: A column that the user named is not named in the first line.
    """
    if tagged and columns.split is not None:
        raise ColumnMissing(
            text(
                "data.columns.split: {t} has no columns with names.",
                "data.columns.split：{t} 的各列没有名称。",
                t=path,
            ),
            do=PARTS_AS_FILES,
        )
    role = unnamed_column(content, columns) if tagged else None
    if role is None:
        return column_blocks(content, columns)
    name = columns.text if role == "text" else columns.label
    raise ColumnMissing(
        text(
            "data.{r}: the first line of {t} names no column '{n}'.",
            "data.{r}：{t} 的首行没有给出名为“{n}”的列。",
            r=role,
            t=path,
            n=name,
        ),
        do=text("Give its number, from 1: --set data.{r}=2", "请写列号（从 1 开始）：--set data.{r}=2", r=role),
    )


def _from_table(path: Path, columns: ColumnsSpec, encoding: str | None, *, tagged: bool) -> Blocks | None:
    """Sentences of a table; None where it is none, or holds neither tokens nor entities."""
    if is_written_as(path, PARQUET):
        frame = read_parquet(path)
        columns = columns if tagged else _there(columns, frame.columns)
        sample = frame.head(SAMPLE).to_dicts()
        if list_columns(sample, columns) is None and holds_sentences(sample, columns):
            rows = list(enumerate(frame.to_dicts(), 1))
            blocks = row_blocks(rows, columns)
            if tagged:
                _check_named(path, columns, frame.columns, numbered=False)
                _note_parts(blocks, _short_cells(rows, columns), [number for number, _ in rows], columns)
            return blocks
    try:
        table = read_table(path, [n for n in (columns.text, columns.label) if n], encoding=encoding)
    except DataError:
        return None
    present = list(table.columns)
    columns = columns if tagged else _there(columns, present)
    # one column: lines whose cells blanks part, which are read (and checked) as such
    is_table = is_written_as(path, (".csv", ".tsv", *PARQUET)) and len(present) > 1
    if tagged and is_table:
        _check_named(path, columns, present, numbered=not table.named)
    roles = token_columns(table.columns, columns, [] if table.broken else table.lines)
    with_spans = span_rows(table.columns, columns) if roles is None else None
    if roles is None and with_spans is None:
        return None
    if tagged and not is_table:
        _check_named(path, columns, present, numbered=not table.named)
    if with_spans is not None:
        blocks = row_blocks(list(zip(table.lines, with_spans, strict=True)))  # under the usual names
        blocks.bad |= table.broken
        blocks.left_out += table.broken
        if tagged:
            _note_parts(blocks, table.columns, table.lines, columns)
        return blocks
    assert roles is not None
    blocks = table_blocks(table.columns, table.lines, roles)
    if tagged:
        _note_parts(blocks, table.columns, table.lines, columns)
    blocks.bad |= table.broken
    if roles.lists:
        blocks.left_out += table.broken
    elif table.broken:  # a sentence with a line that cannot be read is not whole
        broken = set(table.broken)
        torn = [b for b in blocks.blocks if broken & set(range(b.lines[0] - 1, b.lines[-1] + 2))]
        blocks.left_out += [b.lines[0] for b in torn]
        blocks.blocks = [b for b in blocks.blocks if b not in torn]
    return blocks


def decode_blocks(path: Path, blocks: Blocks, encoding: str, names: Sequence[str] | None) -> TokenFile:
    """Sentences with their entities.

    Args:
        names: Of numeric tags, in their order.

    Raises:
        DataError: Tags are numbers and nobody says which.
    """
    read = tag_reader([tag for block in blocks.blocks for tag in block.tags], names, path)
    whole = []
    for block in blocks.blocks:
        wrong = [line for line, tag in zip(block.lines, block.tags, strict=True) if read(tag) is None]
        if wrong:
            blocks.bad |= {line: "–" for line in wrong if line not in blocks.bad}
            blocks.left_out.append(block.lines[0])
        else:
            whole.append(block)
    parsed = [[read(tag) or ("O", "") for tag in block.tags] for block in whole]
    scheme = "spans" if blocks.spanned and not whole else scheme_of(parsed)
    sentences = [
        Sentence(b.lines[0], tuple(b.lines), tuple(b.tokens), tuple(b.tags), decode_tags(pairs, scheme))
        for b, pairs in zip(whole, parsed, strict=True)
    ]
    blocks.blocks = []  # sentences take their place
    every = sorted([*sentences, *blocks.spanned], key=lambda s: s.line) if blocks.spanned else sentences
    return TokenFile(
        path,
        every,
        scheme,
        encoding,
        dict(sorted(blocks.bad.items())),
        sorted(blocks.left_out),
        blocks.positions,
        blocks.columns,
        blocks,
    )


def _no_tokens(path: Path) -> DataError:
    return DataError(
        text("{p} holds no tokens with tags (O, B-…, I-…).", "{p} 中没有带标记（O、B-…、I-…）的词。", p=path),
        do=text(
            "A line (or a row of a table) holds a token and its tag, and a blank line ends a sentence; or a row holds a list of tokens and "
            "a list of tags. Other columns: --set data.text=COLUMN --set data.label=COLUMN (name or number)",
            "每行（或表格的每一行）一个词及其标记，空行分隔句子；或每行一个词列表和一个标记列表。"
            "如在其他列：--set data.text=列 --set data.label=列（列名或列号）",
        ),
    )
