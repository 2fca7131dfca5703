"""Whether the beginning of a file holds sentences of tagged tokens: columns, objects with lists, or a text with spans.

Before it: `looks.py`. After it: `tokens.py` reads the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weigh.data.cells import Columns
from weigh.data.encoding import split_lines
from weigh.data.table_files import JSON, PARQUET, is_written_as
from weigh.data.tags import parse_tag
from weigh.data.token_files import SPANS, TAGS, TOKENS
from weigh.language import Text, text

__all__ = ["has_tagged_lines", "holds_tokens"]


def holds_tokens(path: Path, content: str, rows: Sequence[dict[str, Any]], columns: Columns) -> Text | None:  # noqa: ARG001
    """Why the file holds tagged tokens; None where it does not.

    Args:
        content: First characters; "" of Parquet.
        rows: Objects of JSON or rows of Parquet, lists as lists.
        columns: Of a table, as text.
    """
    if not is_written_as(path, (".csv", *JSON, *PARQUET)) and has_tagged_lines(content):
        return text("A token and a tag per line.", "每行一个词和一个标记。")
    if rows and sum(map(_is_tagged, rows[:50])) * 2 > len(rows[:50]):
        return text("Rows of tagged tokens.", "每行是带标记的词。")
    return None


def has_tagged_lines(content: str) -> bool:
    """Whether at least 9 of 10 of the first lines are a token and a tag, and some tag is not O."""
    lines = split_lines(content[:64_000])
    filled = [line.rstrip() for line in lines if line.strip() and not line.startswith("-DOCSTART-")]
    last = [re.split(r"[\t ]", line)[-1] for line in filled if re.match(r"\S.*[\t ]\S+$", line)]
    tags = [
        parsed
        for tag in last
        if (parsed := parse_tag(tag)) is not None and (parsed[0] == "O" or "-" in tag or "_" in tag)
    ]
    return len(filled) >= 3 and len(tags) * 10 >= 9 * len(filled) and any(letter != "O" for letter, _ in tags)


def _is_tagged(row: dict[str, Any]) -> bool:
    tokens = any(isinstance(row.get(k), list) for k in TOKENS) and any(isinstance(row.get(k), list) for k in TAGS)
    spans = [row[k] for k in SPANS if isinstance(row.get(k), list)]
    return tokens or (isinstance(row.get("text"), str) and any(_is_span(s[0]) for s in spans if s))


def _is_span(span: Any) -> bool:
    if isinstance(span, dict):
        return bool({"start", "start_offset"} & span.keys())
    return isinstance(span, list) and len(span) == 3 and isinstance(span[0], int) and isinstance(span[1], int)
