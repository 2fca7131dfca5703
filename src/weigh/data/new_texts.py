"""New texts to predict: a table with the columns of the training data, lines of text, or sentences in columns. No labels needed.

One row in, one row out, in order: what cannot be read is an empty text, never left out.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

from weigh.data.encoding import read_text
from weigh.data.records import parse_json_lines
from weigh.data.table_files import as_cell, columns_as_text, read_frame
from weigh.data.text_roles import guess_roles
from weigh.errors import DataError
from weigh.language import text
from weigh.spec import StudySpec

__all__ = ["read_new_texts"]

TABLES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


def read_new_texts(path: Path, spec: StudySpec, *, pair: bool = False, tokens: bool = False) -> list[tuple[str, ...]]:
    """Texts, pairs, or sentences in tokens; "-" is standard input, one text per line (tokens apart by spaces).

    Raises:
        DataError: No such file, or a table without text columns.
    """
    if str(path) == "-":
        return [_line(line, pair=pair, tokens=tokens) for line in sys.stdin.read().splitlines()]
    if not path.is_file():
        raise DataError(text("There is no file {p}.", "没有文件 {p}。", p=path))
    if tokens or path.suffix.lower() not in TABLES:
        content = read_text(path).content
        if tokens and "\n\n" in content.strip():  # a token per line, sentences apart by empty lines
            blocks = [block for block in content.split("\n\n") if block.strip()]
            return [tuple(line.split()[0] for line in block.splitlines() if line.strip()) for block in blocks]
        return [_line(line, pair=pair, tokens=tokens) for line in content.splitlines()]
    columns = _columns(path)
    given = spec.data.columns
    names = [name for name in (given.text, given.text_pair) if name in columns]
    if len(names) < (2 if pair else 1):
        names = list(guess_roles(columns).text) or (list(columns) if len(columns) == 1 + pair else [])
    if len(names) < (2 if pair else 1):
        raise DataError(
            text(
                "{p}: no column is called like the texts of the training data ({c}).",
                "{p}：没有与训练数据文本列同名的列（{c}）。",
                p=path,
                c=", ".join(columns) or "–",
            ),
            do=text("Call it {n}.", "请将其命名为 {n}。", n=given.text or ("sentence1, sentence2" if pair else "text")),
        )
    return [tuple(cell or "" for cell in row) for row in zip(*(columns[n] for n in names[: 1 + pair]), strict=True)]


def _columns(path: Path) -> dict[str, list[str | None]]:
    """Every row of a table, also empty ones."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return columns_as_text(read_frame(path))
    content = read_text(path).content
    if suffix in (".jsonl", ".json"):
        whole = json.loads(content) if content.lstrip()[:1] == "[" else None
        found = whole if whole is not None else [row for _, row in parse_json_lines(content)]
        rows = [row if isinstance(row, dict) else {} for row in found]
        names = dict.fromkeys(str(name) for row in rows for name in row)
        return {name: [as_cell(row.get(name)) for row in rows] for name in names}
    separator = "\t" if suffix == ".tsv" else ","
    header, *rows = list(csv.reader(io.StringIO(content), delimiter=separator)) or [[]]
    return {name: [row[i] if i < len(row) else None for row in rows] for i, name in enumerate(header)}


def _line(line: str, *, pair: bool, tokens: bool) -> tuple[str, ...]:
    if tokens:
        return tuple(line.split())
    if pair:
        first, _, second = line.partition("\t")
        return first, second
    return (line,)
