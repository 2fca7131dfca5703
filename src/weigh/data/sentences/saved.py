"""Tagged sentences of the `datasets` library: lists of tokens and of their tags, by split.

Before it: `data/rows/hub.py` loaded the dataset. After it: `index.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from weigh.data.rows.columns import nearest_columns
from weigh.data.rows.hub import label_names
from weigh.data.sentences.objects import asked_names, list_columns
from weigh.errors import DataError
from weigh.language import text
from weigh.spec import ColumnsSpec

__all__ = ["sequences"]


class Sequences(NamedTuple):
    """Rows of tokens with tags; `names` of the tags, where they are numbers that the dataset names."""

    rows: list[tuple[list[str], list[str]]]
    names: list[str] | None


def sequences(loaded: Any, columns: ColumnsSpec) -> dict[str, Sequences]:
    """The lists of tokens and of their tags, by split.

    Raises:
        DataError: No such lists, or not those that the user named.
    """
    splits = dict(loaded) if isinstance(loaded, dict) else {"train": loaded}
    read: dict[str, Sequences] = {}
    for split, rows in splits.items():
        features = {name: f for name, f in rows.features.items() if getattr(f, "feature", None) is not None}
        for role, asked in zip(("text", "label"), asked_names(columns), strict=True):
            if asked is not None and asked not in features:
                raise _no_list(role, asked, list(features))
        named = [name for name, f in features.items() if label_names(f)]
        sample = [{name: row[name] for name in features} for row in rows.select(range(min(200, len(rows))))]
        chosen = list_columns(
            [{n: [str(c) for c in v or ()] if n not in named else v for n, v in row.items()} for row in sample]
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
        read[split] = Sequences([(_cells(a), _cells(b)) for a, b in pairs], label_names(features[tag]))
    return read


def _cells(listed: list | None) -> list[str]:
    """A list as text; an empty one where it, or anything in it, is missing: then it does not fit the other."""
    return [] if listed is None or None in listed else list(map(str, listed))


def _no_list(role: str, name: str, present: list[str]) -> DataError:
    return DataError(
        text(
            "data.{r}: the dataset has no lists called '{n}'.",
            "data.{r}：数据集中没有名为“{n}”的列表。",
            r=role,
            n=name,
        )
        + nearest_columns(name, present),
        do=text("Correct the name, or leave the setting out.", "请更正名称，或去掉该设置。"),
    )
