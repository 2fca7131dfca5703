"""Whether the beginning of a file holds sentences of tagged tokens: columns, objects with lists, a text with spans, or a table.

Before it: `looks.py`. After it: `sentences/index.py` reads the whole file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weigh.data.sentences.columns import has_tagged_lines
from weigh.data.sentences.objects import holds_sentences
from weigh.data.sentences.span_tables import span_rows
from weigh.data.sentences.tables import token_columns
from weigh.data.tables.cells import Columns
from weigh.data.tables.table_files import JSON, PARQUET, is_written_as
from weigh.language import Text, text

__all__ = ["holds_tokens"]


def holds_tokens(path: Path, content: str, rows: Sequence[Any], columns: Columns) -> Text | None:
    """Why the file holds tagged tokens; None where it does not.

    Args:
        content: First characters; "" of Parquet.
        rows: Objects of JSON or rows of Parquet, lists as lists.
        columns: Of a table, as text.
    """
    if not is_written_as(path, (".csv", *JSON, *PARQUET)) and has_tagged_lines(content):
        return text("A token and a tag per line.", "每行一个词和一个标记。")
    if rows and holds_sentences(rows):
        return text("Rows of tagged tokens.", "每行是带标记的词。")
    roles = token_columns(columns)
    if roles is None:
        spans = span_rows(columns) is not None
        return text("A table of texts with their entities.", "文本与其实体的表格。") if spans else None
    return text(
        "A table of tokens ({t}) with tags ({l}).", "词（{t}）与标记（{l}）的表格。", t=roles.tokens, l=roles.tags or ""
    )
