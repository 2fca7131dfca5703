"""New texts to predict: a table with the columns of the training data, lines of text, or sentences in columns. No labels needed.

One row in, one row out, in order: what cannot be read is an empty text, never left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from weigh.data.encoding import read_text
from weigh.data.text_tables import read_text_table
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
    table = read_text_table(path, spec.data.columns)
    columns = [table.columns[name] for name in table.roles.text[: 2 if pair else 1]]
    if pair and len(columns) < 2:
        raise DataError(
            text(
                "{p} has one column of texts; the model was trained on pairs.",
                "{p} 只有一列文本；模型是在文本对上训练的。",
                p=path,
            ),
            do=text("Name the second: --set data.text_pair=COLUMN", "请指明第二列：--set data.text_pair=列名"),
        )
    return [tuple(cell or "" for cell in row) for row in zip(*columns, strict=True)]


def _line(line: str, *, pair: bool, tokens: bool) -> tuple[str, ...]:
    if tokens:
        return tuple(line.split())
    if pair:
        first, _, second = line.partition("\t")
        return first, second
    return (line,)
