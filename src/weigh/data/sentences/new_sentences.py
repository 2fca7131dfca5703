"""New sentences whose entities are to be found: columns of tokens (tags or not), objects, texts in a column, or a sentence per line.

A text that is not cut into words is cut as texts with spans are for training.

Before it: the characters of a file (`texts/new_texts.py`). After it: one tuple of tokens per sentence, in order.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weigh.data.sentences.columns import column_tokens, has_tagged_lines
from weigh.data.sentences.objects import (
    TEXT,
    TOKENS,
    WORD,
    as_object,
    json_objects,
    lifted,
    list_columns,
    names_in,
    text_of,
)
from weigh.data.sentences.tables import are_words, table_sentences
from weigh.data.tables.table_files import (
    JSON,
    PARQUET,
    TableFile,
    broken_line,
    is_written_as,
    json_table,
    read_table,
    single_cells,
    whole_table,
)
from weigh.data.tables.text_encoding import split_lines
from weigh.data.written import SPANS, Written
from weigh.errors import DataError
from weigh.language import text
from weigh.spec import ColumnsSpec

__all__ = ["cut_text", "read_sentences"]

HAN_OR_KANA = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff]"
)  # of which `WORD` takes every character for a word; Thai words are longer
LONGEST_WORDS = 4  # such characters of a word, on average over all words of a text; most words have one or two

Sentences = list[tuple[str, ...]]


def read_sentences(
    content: str, path: Path, *, written: Written | None = None, encoding: str | None = None
) -> Sentences:
    """Tokens of every sentence; a blank line among sentences that stand one per line is a sentence without tokens.

    Args:
        content: Of the file; "" of Parquet, which is read here.
        written: How the training data are written: their column of texts or tokens comes first; where they are texts with spans, lines
            are cut as these are.
        encoding: What the user says that the file is written in.

    Raises:
        DataError: A line of JSON that holds no sentence.
    """
    asked = written.text[0] if written is not None and written.text else None
    spans = written is not None and written.layout == SPANS
    if is_written_as(path, JSON):
        frame = _frame(path, content)
        sentences = None if frame is None else _from_table(frame, "", asked, spans=spans)
        return _from_json(content, path, asked) if sentences is None else sentences
    if is_written_as(path, (".csv", ".tsv", *PARQUET)):
        names = [] if asked is None or asked.isdecimal() else [asked]
        table = read_table(path, names, header=_names_tokens(content) or None, encoding=encoding)
        sentences = _from_table(table, content, asked, spans=spans)
        if sentences is not None:
            return sentences
        if not is_written_as(path, (".tsv",)):
            raise _no_tokens(path, list(whole_table(table).columns))
    lines = split_lines(content)
    filled = [line for line in lines if line.strip() and not line.startswith(("-DOCSTART-", "# "))]
    separator = "\t" if sum("\t" in line for line in filled) * 10 >= 9 * len(filled) else None
    if separator is None and _are_whole_texts(filled) and not has_tagged_lines(content):
        return _cut(lines)
    if _is_in_columns(content, lines, filled, separator):
        return column_tokens(content, asked)
    if spans:
        return _cut(lines)
    return [tuple(piece for piece in re.split(r"[ \t]+", line) if piece) for line in lines]


def _names_tokens(content: str) -> bool:
    """Whether the first line names a column of tokens."""
    first = next((line for line in split_lines(content) if line.strip()), "")
    return any(cell.strip(" \ufeff\"'").casefold() in TOKENS for cell in re.split(r"[,;\t]", first))


def _from_table(table: TableFile, content: str, asked: str | None, *, spans: bool) -> Sentences | None:
    """The sentences of a table; None where no column holds tokens or texts.

    Args:
        content: Of the file, "" where it is no table of separated cells.
        asked: What the user calls the column of the training data.
        spans: The training data are texts with spans of characters: such a column holds texts.
    """
    called = next((name for name in table.columns if _same(name, asked)), None)
    if called is not None and spans:
        return _from_texts(table, content, asked, spans=True)
    torn = bool(table.broken) and not has_tagged_lines(content)
    sentences = None if torn else table_sentences(table.columns, table.lines, called)
    return _from_texts(table, content, asked, spans=spans) if sentences is None else sentences


def _from_texts(table: TableFile, content: str, asked: str | None, *, spans: bool) -> Sentences | None:
    """The sentences of a column that the user named or that is called like texts, cut into tokens as texts with spans are for training."""
    first = next((line for line in split_lines(content) if line.strip()), "").strip(" \ufeff\"'")
    is_asked = asked is not None and not asked.isdecimal() and _same(first, asked)
    if is_asked or any(_same(first, name) for name in TEXT):
        # the name stands alone: what looks like separators stands in the texts
        texts = [cell for _, cell in single_cells(content)[1:]]
        return _cut(texts) if (spans and is_asked) or _are_texts(texts) else None
    names = list(table.columns) if table.named else []
    called = next((name for name in table.columns if _same(name, asked)), None)
    name = called or next((name for one in TEXT for name in names if _same(name, one)), None)
    if name is None or (called is None and _names_sentences(name, table)):
        return None
    if not (spans and called is not None) and not _are_texts(table.columns[name]):
        return None
    return _cut(whole_table(table).columns[name])


def _same(name: str, asked: str | None) -> bool:
    return asked is not None and name.strip().casefold() == asked.casefold()


def _are_texts(cells: Sequence[str | None]) -> bool:
    """Whether most cells hold several words: a column of tokens may be called "text" too."""
    filled = [cell for cell in cells if cell]
    return sum(len(WORD.findall(cell)) > 1 for cell in filled) * 2 > len(filled)


def _names_sentences(name: str, table: TableFile) -> bool:
    """Whether a column says only to which sentence each row belongs: another holds the words, or what it says comes again and again."""
    others = [other for other in table.columns if other != name and other.casefold() in TOKENS]
    cells = table.columns[name]
    return any(are_words(table.columns[other], other) for other in others) or len({*cells} - {None}) * 2 <= len(cells)


def _are_whole_texts(lines: Sequence[str]) -> bool:
    """Whether lines are texts of Chinese or Japanese that nobody cut into words: what stands between blanks has more characters than words have."""
    runs = [n for line in lines for piece in line.split() if (n := len(HAN_OR_KANA.findall(piece)))]
    return sum(runs) > LONGEST_WORDS * len(runs)


def _cut(texts: Sequence[str | None]) -> Sentences:
    return [cut_text(written or "") for written in texts]


def cut_text(written: str) -> tuple[str, ...]:
    """The tokens of a text that nobody cut, as texts with spans are cut for training."""
    return tuple(WORD.findall(written))


def _no_tokens(path: Path, names: Sequence[str]) -> DataError:
    return DataError(
        text("{p}: no column holds tokens ({c}).", "{p}：没有词的列（{c}）。", p=path, c=", ".join(names) or "–"),
        text("A whole line would be read as words, with its separators.", "否则整行连同分隔符都会被当作词。"),
        text(
            "Name the columns: sentence_id and word, a word per row; or tokens, a list per row; or text, a sentence per row.",
            "请为各列命名：sentence_id 与 word（每行一个词），或 tokens（每行一个列表），或 text（每行一个句子）。",
        ),
    )


def _is_in_columns(content: str, lines: list[str], filled: list[str], separator: str | None) -> bool:
    """A token per line, with or without tags; else a sentence per line."""
    if has_tagged_lines(content):
        return True
    blocks = [b for b in "\n".join(line if line.strip() else "" for line in lines).split("\n\n") if b.strip()]
    if not filled or len(blocks) >= len(filled):
        return False
    widths = Counter(len(line.split(separator)) for line in filled)
    if widths.most_common(1)[0][1] * 100 < 98 * len(filled):
        return False
    return separator == "\t" or len(blocks) > 1 or set(widths) == {1}


def _frame(path: Path, content: str) -> TableFile | None:
    """The table of a frame that pandas wrote as one object; None where it is something else."""
    if not is_written_as(path, (".json",)) or content.lstrip()[:1] != "{":
        return None
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):  # an object per line
        return None
    split = isinstance(whole.get("columns"), list) and isinstance(whole.get("data"), list)
    values = list(whole.values())
    nested = len(values) > 1 and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values)
    return json_table(path, content) if split or nested else None


def _from_json(content: str, path: Path, asked: str | None) -> Sentences:
    """Objects with tokens or with a text, in any layout that is read for training; lists of tokens; texts."""
    numbered = list(json_objects(path, content))
    asked = asked if asked in names_in(numbered) else None
    wanted = None if asked is None else ColumnsSpec(text=asked)
    numbered = [(number, lifted(row, wanted)) for number, row in numbered]
    chosen = list_columns([row for _, row in numbered], wanted)
    usual = TOKENS if asked is None else (asked,)
    named = (*([chosen[0]] if chosen else []), *usual)
    return [_sentence(row, named, path, number, asked) for number, row in numbered]


def _sentence(row: Any, named: Sequence[str], path: Path, number: int, asked: str | None) -> tuple[str, ...]:
    """Tokens of one row.

    Args:
        named: What lists of tokens may be called.
        asked: What the user calls texts or tokens, where objects of this file have it.

    Raises:
        DataError: It holds none.
    """
    if isinstance(row, str):
        return cut_text(row)
    if isinstance(row, list) and row and all(isinstance(token, str) for token in row):
        return tuple(row)
    whole = as_object(row)
    if whole is None:
        raise broken_line(path, number, "JSON")
    lists = {name: value for name, value in whole.items() if isinstance(value, list)}
    tokens = next((lists[name] for name in named if name in lists), None)
    if tokens is not None and None in tokens:
        raise DataError(
            text(
                "Line {l} of {p} holds a token that is missing (null).",
                "{p} 的第 {l} 行有缺失的词（null）。",
                l=number,
                p=path,
            ),
            do=text("Write the word, in quotes.", "请写出该词，并加引号。"),
        )
    if tokens is not None:
        return tuple(map(str, tokens))
    written = text_of(whole, asked)
    if written is not None:
        return cut_text(written)
    raise DataError(
        text(
            "Line {l} of {p} holds neither tokens nor a text ({c}).",
            "{p} 的第 {l} 行既没有词列表也没有文本（{c}）。",
            l=number,
            p=path,
            c=", ".join(map(str, whole)) or "–",
        ),
        do=text(
            'Write {"tokens": ["Anna", "left"]} or {"text": "Anna left"}.',
            '请写成 {"tokens": ["Anna", "left"]} 或 {"text": "Anna left"}。',
        ),
    )
