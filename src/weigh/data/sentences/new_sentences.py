"""New sentences whose entities are to be found: columns of tokens (tags or not), objects, or a sentence per line.

Before it: the characters of a file (`texts/new_texts.py`). After it: one tuple of tokens per sentence, in order.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from weigh.data.sentences.columns import column_tokens, has_tagged_lines
from weigh.data.sentences.objects import TEXT, TOKENS, WORD, json_objects
from weigh.data.sentences.tables import table_sentences
from weigh.data.tables.cells import Columns
from weigh.data.tables.table_files import JSON, PARQUET, broken_line, is_written_as, read_table, whole_table
from weigh.data.tables.text_encoding import split_lines
from weigh.errors import DataError
from weigh.language import text

__all__ = ["read_sentences"]


def read_sentences(content: str, path: Path, suffix: str) -> list[tuple[str, ...]]:
    """Tokens of every sentence; a blank line among sentences that stand one per line is a sentence without tokens.

    Raises:
        DataError: A line of JSON that holds no sentence.
    """
    if suffix in JSON:
        return _from_json(content, path)
    if is_written_as(path, (".csv", ".tsv", *PARQUET)):
        table = read_table(path, header=_names_tokens(content) or None)
        torn = bool(table.broken) and not has_tagged_lines(content)
        sentences = None if torn else table_sentences(table.columns, table.lines)
        if sentences is not None:
            return sentences
        if not is_written_as(path, (".tsv",)):
            raise _no_tokens(path, whole_table(table).columns)
    lines = split_lines(content)
    filled = [line for line in lines if line.strip() and not line.startswith(("-DOCSTART-", "# "))]
    separator = "\t" if sum("\t" in line for line in filled) * 10 >= 9 * len(filled) else None
    if _is_in_columns(content, lines, filled, separator):
        return column_tokens(content)
    return [tuple(piece for piece in re.split(r"[ \t]+", line) if piece) for line in lines]


def _names_tokens(content: str) -> bool:
    """Whether the first line names a column of tokens."""
    first = next((line for line in split_lines(content) if line.strip()), "")
    return any(cell.strip(" \ufeff\"'").casefold() in TOKENS for cell in re.split(r"[,;\t]", first))


def _no_tokens(path: Path, columns: Columns) -> DataError:
    return DataError(
        text("{p}: no column holds tokens ({c}).", "{p}：没有词的列（{c}）。", p=path, c=", ".join(columns) or "–"),
        text("A whole line would be read as words, with its separators.", "否则整行连同分隔符都会被当作词。"),
        text(
            "Name the columns: sentence_id and word, a word per row; or tokens, a list per row.",
            "请为各列命名：sentence_id 与 word（每行一个词），或 tokens（每行一个列表）。",
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


def _from_json(content: str, path: Path) -> list[tuple[str, ...]]:
    sentences = []
    for number, row in json_objects(path, content):
        row = row if isinstance(row, dict) else {}
        tokens = next((row[name] for name in TOKENS if isinstance(row.get(name), list)), None)
        written = next((row[name] for name in TEXT if isinstance(row.get(name), str)), None)
        if tokens is None and written is not None:
            tokens = WORD.findall(written)  # as texts with spans are cut for training
        if tokens is None:
            raise broken_line(path, number, "JSON")
        sentences.append(tuple(map(str, tokens)))
    return sentences
