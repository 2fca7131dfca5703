"""New texts to predict, in whatever spelling: a table with the columns of the training data, lines, or sentences of tokens. No labels needed.

One row in, one row out, in order: what holds no text is an empty row, never left out, and a line that cannot be read is an error that
names it. Tables are read by the same reader as the training data; what the training file looked like (`written.py`) decides what a file
without a header means.
"""

from __future__ import annotations

import errno
import json
import reprlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from weigh.data.examples import NewExamples
from weigh.data.names import compose
from weigh.data.sentences.new_sentences import cut_text, read_sentences
from weigh.data.tables.cells import Columns, as_cell
from weigh.data.tables.records import SEPARATORS, Shape, find_shape, parse_separated
from weigh.data.tables.roles import KNOWN, LAYOUTS, guess_roles, words_in
from weigh.data.tables.table_files import (
    JSON,
    PARQUET,
    TableFile,
    broken_line,
    is_written_as,
    json_table,
    read_table,
    separated_table,
    single_cells,
    whole_table,
)
from weigh.data.tables.text_encoding import decode, read_text, split_lines, whole_lines
from weigh.data.texts.tables import LINE_LAYOUTS, is_json_lines, known_layout_table, rows_by_pattern
from weigh.data.written import Written
from weigh.errors import DataError, did_you_mean, no_file
from weigh.files import read_stdin, refuse_long_texts
from weigh.language import text

__all__ = ["new_sentences", "new_texts", "read_new_texts"]

Rows = list[tuple[str, ...]]
FEW_LINES = 5
SHORT = 80  # letters of what was given in place of a file
ONE_TEXT = text(
    "Name a table or a file with a text per line; a text itself is given in Python in a list, or to the command on standard input: echo TEXT | weigh predict STUDY -",
    "请指定表格，或每行一条文本的文件；若要直接给出文本：在 Python 中用列表，在命令行中用标准输入：echo 文本 | weigh predict 研究 -",
)
# what the examples of a list must be, and what to do about one that is something else
ONE_EXAMPLE = (text("one text", "一条文本"), text("Give a list of texts.", "请给出文本的列表。"))
ONE_PAIR = (
    text("two texts", "两条文本"),
    text("Give tuples of two: [(first, second), …]", "请给出由两条文本组成的元组：[(第一条, 第二条), …]"),
)
ONE_SENTENCE = (
    text("a text or a tuple of tokens", "文本或由词组成的元组"),
    text('Give tuples of tokens: [("Anna", "left"), …]', '请给出由词组成的元组：[("Anna", "left"), …]'),
)


def new_texts(
    texts: Any, written: Written | None = None, *, pair: bool = False, tokens: bool = False, encoding: str | None = None
) -> NewExamples:
    """The path of a table, or a list of texts (pairs: tuples of two; sentences: tuples of tokens, or texts to be cut) and paths of tables.

    Raises:
        DataError: A file that cannot be read (`read_new_texts`), or something in the list that is no such example.
    """
    rows: Rows = []
    for number, row in enumerate([Path(texts)] if isinstance(texts, (str, Path)) else _listed_in_python(texts), 1):
        if isinstance(row, Path):
            rows += read_new_texts(row, written, pair=pair, tokens=tokens, encoding=encoding)
        else:
            rows.append(_given(row, number, pair=pair, tokens=tokens))
    refuse_long_texts(rows, lambda i: f"{texts}:{i + 1}" if isinstance(texts, (str, Path)) else str(i + 1))
    empty = text("there is no text", "没有文本")
    return NewExamples.of_rows(rows, {i: empty for i, row in enumerate(rows) if not any(row)})


new_sentences = partial(new_texts, tokens=True)


def _listed_in_python(texts: Any) -> Iterable[Any]:
    """Examples one by one.

    Raises:
        DataError: A table, of which one by one the names of its columns would come.
    """
    if isinstance(texts, Iterable) and not isinstance(texts, (bytes, Mapping)) and not hasattr(texts, "columns"):
        return texts
    raise DataError(
        text("{t} is no list of texts.", "{t} 不是文本列表。", t=type(texts).__name__),
        do=text(
            'Give the texts alone, of a table one column: list(table["text"]); or the path of a file.',
            '请只给出文本，表格请取其中一列：list(table["text"])；或给出文件路径。',
        ),
    )


def _given(row: Any, number: int, *, pair: bool, tokens: bool) -> tuple[str, ...]:
    """One example of a list, as the model reads it.

    Raises:
        DataError: It is something else; names its place.
    """
    if isinstance(row, str):
        row = cut_text(row) if tokens else (row,)
    parts = tuple(row) if isinstance(row, Iterable) and not isinstance(row, (bytes, Mapping)) else (None,)
    if all(isinstance(part, str) for part in parts) and (tokens or len(parts) in (0, 1 + pair)):
        return parts
    wanted, do = (ONE_EXAMPLE, ONE_PAIR, ONE_SENTENCE)[2 if tokens else pair]
    raise DataError(
        text("Example {n} of the list is not {w}: {r}", "列表中的第 {n} 个样本不是{w}：{r}", n=number, w=wanted, r=reprlib.repr(row)),
        do=do,
    )  # fmt: skip


def read_new_texts(
    path: Path, written: Written | None = None, *, pair: bool = False, tokens: bool = False, encoding: str | None = None
) -> Rows:
    """Texts, pairs, or sentences in tokens; "-" is standard input, one text per line (tokens apart by spaces).

    Args:
        written: How the training data are written; None: not known.
        pair: Two texts per row.
        tokens: Sentences of tokens.
        encoding: What the user says that files are written in.

    Raises:
        DataError: No such file, a line that cannot be read, or columns that cannot be told.
    """
    written = written or Written()
    if str(path) == "-":
        content = whole_lines(_standard_input())
        return read_sentences(content, path, written=written) if tokens else _lines(content, path, pair=pair)
    try:
        is_there = path.is_file()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        short = str(path)[:SHORT] + "…"
        raise DataError(
            text("There is no file {p}.", "没有文件 {p}。", p=short), do=ONE_TEXT
        ) from None  # a text in place of a name
    if not is_there:
        raise no_file(path, do=None if path.is_dir() else did_you_mean(path) or ONE_TEXT)
    if is_written_as(path, PARQUET):
        if tokens:
            return read_sentences("", path, written=written)
        return _from_columns(read_table(path), written, pair=pair)
    content = read_text(path, encoding=encoding, prefer=written.encoding).content
    if tokens:
        return read_sentences(content, path, written=written, encoding=encoding)
    if not content.strip():
        return []
    if is_written_as(path, JSON) or is_json_lines(content):
        return _from_json(path, content, written, pair=pair)
    table = _with_header(path, content, written)
    if table is not None:
        return _from_columns(table, written, pair=pair)
    return _without_header(path, content, written, pair=pair)


def _standard_input() -> str:
    decoded = decode(read_stdin())
    if decoded is None:
        raise DataError(
            text("Standard input holds no text.", "标准输入不是文本。"),
            do=text("Give one text a line, in UTF-8.", "请每行给出一条文本，使用 UTF-8 编码。"),
        )
    return decoded.content


def _lines(content: str, path: Path, *, pair: bool) -> Rows:
    """A text per line, or two with a tab between them; blank lines are rows without a text."""
    lines = split_lines(content)
    if not pair:
        return [(line,) for line in lines]
    rows = [tuple(line.split("\t")) for line in lines]
    wrong = next((n for n, row in enumerate(rows, 1) if len(row) != 2 and row != ("",)), None)
    if wrong is not None:
        raise broken_line(path, wrong, f"{len(rows[wrong - 1])} ≠ 2")
    return [row if len(row) == 2 else ("", "") for row in rows]


# With a header ------------------------------------------------------------------------------------------------------


def _with_header(path: Path, content: str, written: Written) -> TableFile | None:
    """The table, where its first line holds the names of the training data's texts, or names at all."""
    first = next(line for line in split_lines(content) if line.strip())
    wanted = [_bare(name) for name in written.text] if written.named else []
    for separator in dict.fromkeys((written.separator, *SEPARATORS)):
        if not separator:
            continue
        cells = parse_separated(first, separator, quoted=True)[0].cells
        if wanted and set(wanted) <= {_bare(cell) for cell in cells}:
            if len(cells) == 1:
                return _single_column(path, content, cells[0].strip())
            shaped = find_shape(content, separators=(separator,), backslash=written.backslash)
            shape = shaped[0] if shaped else Shape(separator)
            return separated_table(path, content, shape, header=True)
    if not is_written_as(path, (".csv", ".tsv")) or written.layout in LINE_LAYOUTS:
        return None
    shaped = find_shape(content, separators=("\t",) if is_written_as(path, (".tsv",)) else SEPARATORS)
    if shaped is None:
        text_column = guess_roles({_bare(first.strip('"')): []}).text
        return _single_column(path, content, first.strip().strip('"')) if text_column else None
    table = separated_table(path, content, shaped[0])
    has_names = written.named or any(_bare(name) in KNOWN for name in table.columns)
    return table if table.named and has_names else None


def _single_column(path: Path, content: str, name: str) -> TableFile:
    """A table of one column (`single_cells`), the first cell of which is its name."""
    cells = single_cells(content)[1:]
    return TableFile(path, [line for line, _ in cells], {name: [cell or None for _, cell in cells]}, True, "CSV")


def _from_columns(table: TableFile, written: Written, *, pair: bool) -> Rows:
    """The texts of a table whose columns have names."""
    whole_table(table)
    names = _columns_of_texts(table.path, table.columns, written, 1 + pair)
    rows = list(zip(table.lines, *(table.columns[n] for n in names), strict=True))
    rows += [(line, *[None] * len(names)) for line in table.repeated]  # a header in the middle is a row without a text
    return [tuple(cell or "" for cell in row[1:]) for row in sorted(rows, key=lambda row: row[0])]


def _columns_of_texts(path: Path, columns: Columns, written: Written, n: int) -> list[str]:
    """Called as in the training data, whatever the case of the letters; else the only ones that can be texts."""
    bare: dict[str, list[str]] = {}
    for name in columns:
        bare.setdefault(_bare(name), []).append(name)
    names = [
        same[0] for name in written.text if len(same := [name] if name in columns else bare.get(_bare(name), [])) == 1
    ]
    if len(names) >= n or (names and len(names) == len(written.text)):
        return names
    left = {name: cells for name, cells in columns.items() if _bare(name) not in map(_bare, written.labels)}
    guessed = list(guess_roles(left).text)
    guessed = guessed if len(guessed) >= n else list(left) if len(left) == n else []
    if len(guessed) >= n:
        return guessed[:n]
    wanted = ", ".join(written.text) if written.text and written.named else "sentence1, sentence2" if n > 1 else "text"
    raise DataError(
        text(
            "{p}: no column is called like the texts of the training data ({c}).",
            "{p}：没有与训练数据文本列同名的列（{c}）。",
            p=path, c=", ".join(columns) or "–",
        ),
        do=text("Call it {n}.", "请将其命名为 {n}。", n=wanted),
    )  # fmt: skip


def _bare(name: str) -> str:
    return compose(name).strip().lstrip("\ufeff").strip('"').strip().casefold()


def _from_json(path: Path, content: str, written: Written, *, pair: bool) -> Rows:
    """Objects, or a list of texts (or of pairs)."""
    listed = _listed(content)
    if listed is not None and listed and not any(isinstance(row, dict) for row in listed):
        rows = [tuple(map(str, row)) if isinstance(row, list) else (as_cell(row) or "",) for row in listed]
        wrong = next((n for n, row in enumerate(rows, 1) if len(row) != 1 + pair), None)
        if wrong is not None:
            raise broken_line(path, wrong, f"{len(rows[wrong - 1])} ≠ {1 + pair}")
        return rows
    return _from_columns(json_table(path, content), written, pair=pair)


def _listed(content: str) -> list[Any] | None:
    """A list, or lines each of which is a text or a list."""
    if content.lstrip()[:1] == "[":
        try:
            whole = json.loads(content)
            return whole if isinstance(whole, list) else None
        except (ValueError, RecursionError):
            pass
    if content.lstrip()[:1] not in ('"', "["):
        return None
    try:
        return [json.loads(line) for line in split_lines(content) if line.strip()]
    except (ValueError, RecursionError):
        return None


# Without a header ---------------------------------------------------------------------------------------------------


def _without_header(path: Path, content: str, written: Written, *, pair: bool) -> Rows:
    lines = split_lines(content)
    layout = LINE_LAYOUTS.get(written.layout)
    if layout is not None and not pair:
        filled = [line for line in lines if line.strip()]
        labelled = sum(layout.pattern.fullmatch(line.strip()) is not None for line in filled)
        marked = layout.title != "lines"
        if labelled and (labelled == len(filled) or marked) and (marked or _same_labels(filled, written)):
            table = rows_by_pattern(path, content, layout)
            if table.broken:
                raise _mixed(path, min(table.broken))
            return _every_line(table.lines, table.columns["text"], len(lines))
        return _lines(content, path, pair=False)
    trained = next((one for one in LAYOUTS if one.title == written.layout), None)
    named_table = is_written_as(path, (".csv", ".tsv"))
    tabs = is_written_as(path, (".tsv",))
    separators = [s for s in (written.separator if not written.named or named_table else "", "\t") if s]
    shaped = find_shape(
        content, separators=list(dict.fromkeys([*separators, *(SEPARATORS if named_table and not tabs else ())]))
    )
    if shaped is None:
        if named_table and not pair:
            return [(cell,) for _, cell in single_cells(content)]
        return _lines(content, path, pair=pair)
    shape = shaped[0]
    records = parse_separated(content, shape.separator, quoted=shape.quoted, backslash=shape.backslash)
    if trained is not None and trained.fits([r.cells for r in records[:2000]]):
        return _from_columns(known_layout_table(path, content, shape, trained), written, pair=pair)
    apart = sum(len(r.cells) > 1 for r in records)
    as_trained = named_table or (written.separator == shape.separator and not written.named)
    uneven = len({len(r.cells) for r in records}) > 1
    if not pair and (apart * 2 < len(records) or (uneven and not as_trained)):  # separators inside of some texts
        return [(cell,) for _, cell in single_cells(content)] if named_table else _lines(content, path, pair=False)
    if not pair and not as_trained and len(records) < FEW_LINES:  # columns, or as many tabs by chance in every text
        raise _which_column(path, len(records[0].cells), written)
    table = whole_table(separated_table(path, content, shape, header=False))
    width = len(table.columns)
    places = _places(width, written, 1 + pair)
    columns = list(table.columns.values())
    if places is None or not _hold_texts(columns, places):
        raise _which_column(path, width, written)
    return [tuple(columns[i][row] or "" for i in places) for row in range(len(table.lines))]


def _same_labels(lines: list[str], written: Written) -> bool:
    """Whether the first words of all lines are labels of the training data."""
    labels = set(written.first_words)
    return bool(labels) and all(line.split(None, 1)[0] in labels for line in lines)


def _places(width: int, written: Written, n: int) -> list[int] | None:
    """Which cells of a row without names are the texts: as in the training file, or in it without its labels."""
    names = [name for name in written.names if name]
    for columns in (names, [name for name in names if name not in written.labels], list(written.text)):
        if len(columns) == width and all(name in columns for name in written.text) and len(written.text) >= n:
            return [columns.index(name) for name in written.text[:n]]
    return list(range(n)) if width == n else None


def _hold_texts(columns: list[list[str | None]], places: list[int]) -> bool:
    """Whether no other column is clearly wordier than those that should be texts."""
    lengths = [sum(words_in(c) for c in cells if c) / max(len(cells), 1) for cells in columns]
    least = min(lengths[i] for i in places)
    return all(length <= 2 * least for i, length in enumerate(lengths) if i not in places)


def _every_line(numbers: list[int], cells: list[str | None], n: int) -> Rows:
    """A row for every line, also blank ones."""
    cell_of = dict(zip(numbers, cells, strict=True))
    return [(cell_of.get(line) or "",) for line in range(1, n + 1)]


def _mixed(path: Path, line: int) -> DataError:
    return DataError(
        text(
            "Line {l} of {p} does not begin with a label, as others do.",
            "{p} 的第 {l} 行没有像其他行那样以标签开头。",
            l=line,
            p=path,
        ),
        text("A label would be read as a part of the text.", "标签会被当作文本的一部分。"),
        text("Write all lines with a label, or none.", "请让所有行都带标签，或都不带。"),
    )


def _which_column(path: Path, width: int, written: Written) -> DataError:
    names = ", ".join(written.names) or "–"
    return DataError(
        text(
            "{p} has {n} {n:|column|columns} and no header: it cannot be told which holds the texts (training data: {c}).",
            "{p} 有 {n} 列而没有表头：无法判断哪一列是文本（训练数据的列：{c}）。",
            p=path, n=width, c=names,
        ),
        do=text(
            "Write a first line with the names of the columns; the texts are called {t}.",
            "请在第一行写上列名；文本列名为 {t}。",
            t=", ".join(written.text) if written.text and written.named else "text",
        ),
    )  # fmt: skip
