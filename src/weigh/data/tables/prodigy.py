"""Rows that Prodigy exports: what their annotators accepted, chose, rejected or ignored.

Before it: objects of JSON. After it: `table_files.py` makes columns of the rows; `sentences/objects.py` asks here which spans do not count.

    {"text": …, "label": "SPAM", "answer": "reject", "_task_hash": 1}                                       the label does not apply
    {"text": …, "options": [{"id": "GOOD"}], "accept": ["GOOD"], "answer": "accept", "_task_hash": 1}       what was chosen
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weigh.data.tables.label_studio import UNANSWERED, Tasks

__all__ = ["REJECTED", "is_rejected", "rows_of"]

REJECTED = "rejected"  # somebody answered reject or ignore
ANSWER, LABEL, CHOSEN = "answer", "label", "accept"
HASHES = ("_task_hash", "_input_hash")  # Prodigy writes both into every row
OWN = frozenset((CHOSEN, "options", "config", "tokens"))


def is_rejected(row: Any) -> bool:
    """Whether somebody rejected or ignored this row: its label, or its spans, do not hold."""
    return _is_row(row) and row.get(ANSWER) in ("reject", "ignore")


def rows_of(objects: Sequence[dict[str, Any]]) -> Tasks | None:
    """The rows of an export with a label each, or with options that were chosen; None where objects are something else.

    What is no label of its text stands in `undecided`; the column "answer" stays, for it is the label where a single question was asked.
    """
    if not objects or not all(map(_is_row, objects)):
        return None
    if not all(isinstance(row.get(LABEL), str) or isinstance(row.get(CHOSEN), list) for row in objects):
        return None
    chosen = [row[CHOSEN] if isinstance(row.get(CHOSEN), list) else [row[LABEL]] for row in objects]
    several = any(len(names) > 1 for names in chosen)
    rows, undecided = [], dict[int, str]()
    for i, (row, names) in enumerate(zip(objects, chosen, strict=True)):
        if is_rejected(row) or not names:
            undecided[i] = REJECTED if is_rejected(row) else UNANSWERED
        kept = {name: cell for name, cell in row.items() if name not in OWN and not name.startswith("_")}
        rows.append({**kept, LABEL: names if several else names[0] if names else None})
    return Tasks(rows, (LABEL,), {LABEL: undecided}, "Prodigy")


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get(ANSWER), str) and any(name in row for name in HASHES)
