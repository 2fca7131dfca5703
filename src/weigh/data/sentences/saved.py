"""Tagged sentences of the `datasets` library: lists of tokens and of their tags, by split.

Before it: `data/rows/hub.py` loaded the dataset. After it: `index.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from weigh.data.rows.hub import label_names
from weigh.data.sentences.objects import list_columns
from weigh.errors import DataError
from weigh.language import text
from weigh.spec import ColumnsSpec

__all__ = ["Sequences", "sequences"]


class Sequences(NamedTuple):
    """Rows of tokens with tags; `names` of the tags, where they are numbers that the dataset names."""

    rows: list[tuple[list[str], list[str]]]
    names: list[str] | None


def sequences(loaded: Any, columns: ColumnsSpec) -> dict[str, Sequences]:
    """The lists of tokens and of their tags, by split.

    Raises:
        DataError: No such lists.
    """
    splits = dict(loaded) if isinstance(loaded, dict) else {"train": loaded}
    read: dict[str, Sequences] = {}
    for split, rows in splits.items():
        features = {name: f for name, f in rows.features.items() if getattr(f, "feature", None) is not None}
        named = [name for name, f in features.items() if label_names(f)]
        sample = [{name: row[name] for name in features} for row in rows.select(range(min(200, len(rows))))]
        chosen = list_columns(
            [{n: [str(c) for c in v] if n not in named else v for n, v in row.items()} for row in sample]
        )
        tag = columns.label if columns.label in features else chosen[1] if chosen else (named or [None])[0]
        token = columns.text if columns.text in features else chosen[0] if chosen else None
        if token is None:
            token = next(
                (n for n, f in features.items() if n != tag and getattr(f.feature, "dtype", "") == "string"), None
            )
        if token is None or tag is None:
            raise DataError(
                text(
                    "The dataset has no lists of tokens and tags (columns: {c}).",
                    "数据集中没有词列表和标记列表（列：{c}）。",
                    c=", ".join(rows.features),
                ),
                do=text(
                    "Name them: --set data.text=NAME --set data.label=NAME",
                    "请指明：--set data.text=列名 --set data.label=列名",
                ),
            )
        pairs = zip(rows[token], rows[tag], strict=True)
        read[split] = Sequences([(list(map(str, a)), list(map(str, b))) for a, b in pairs], label_names(features[tag]))
    return read
