"""Tables with a text and its entities in one row, the entities as a list in a cell: [[0, 4, "PER"]], [{"start": 0, "end": 4, "label": "PER"}].

Before it: columns of a table. After it: `objects.py` reads the rows as it reads lines of JSON.
"""

from __future__ import annotations

import ast
import json
from typing import Any

from weigh.data.sentences.objects import SPANS, TEXT, asked_names, holds_sentences
from weigh.data.tables.cells import Columns
from weigh.spec import ColumnsSpec

__all__ = ["span_rows"]

SAMPLE = 50  # rows that decide
LONGEST = 1_000_000  # characters of a cell that is read as a list


def span_rows(columns: Columns, wanted: ColumnsSpec | None = None) -> list[dict[str, Any]] | None:
    """The rows as objects under the usual names; None where no column of texts stands beside one of entities.

    Args:
        wanted: What the user calls them.
    """
    names = {name.casefold(): name for name in columns}
    asked_text, asked_spans = asked_names(wanted)
    usual_texts = TEXT if asked_text is None else (asked_text,)
    texts = next((names[name.casefold()] for name in usual_texts if name.casefold() in names), None)
    if texts is None:
        return None
    for usual in SPANS if asked_spans is None else (asked_spans.casefold(),):
        name = names.get(usual)
        if name is None or name == texts:
            continue
        cells = columns[name]
        if not any((cell or "").lstrip()[:1] in ("[", "{") for cell in cells[:SAMPLE]):
            continue
        sample = [_row(text, cell) for text, cell in zip(columns[texts][:SAMPLE], cells[:SAMPLE], strict=True)]
        if holds_sentences(sample):
            return [_row(text, cell) for text, cell in zip(columns[texts], cells, strict=True)]
    return None


def _row(written: str | None, cell: str | None) -> dict[str, Any]:
    spans = _listed(cell)
    if isinstance(spans, dict) and isinstance(spans.get("entities"), list):  # spaCy
        spans = spans["entities"]
    return {"text": written or "", SPANS[0]: spans}


def _listed(cell: str | None) -> Any:
    """What a cell holds, as JSON or Python write it; an empty one holds no entity."""
    if not cell or not cell.strip():
        return []
    if len(cell) > LONGEST:
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(cell.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None
