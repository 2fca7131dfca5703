"""Reading a figure's rows: labels, titles and values, tolerant of what is missing.

Findings hand over flat dictionaries; a missing key leaves a gap in a drawing and never an exception. All texts
leave here as `Markup` with users' names escaped, made visible and isolated (`<bdi>`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup, escape

from weigh.findings.model import Figure
from weigh.language import Text
from weigh.metrics.base import METRICS
from weigh.report.columns import COLUMNS
from weigh.report.quantities import probability, quantity, short_count, show_value
from weigh.report.scale import finite
from weigh.report.visible import visible, visible_line
from weigh.report.words import PURPOSE, PURPOSES, RELATIONS, STAGES, VALUE_KEYS, VALUES, say

__all__ = [
    "ROWS_SHOWN",
    "cell",
    "estimate_title",
    "field_title",
    "isolated",
    "join_markup",
    "label_of",
    "plain_label",
    "setting_in_words",
    "table_of",
    "written_value",
]

LABELS = ("label", "candidate", "class", "slice", "group", "source", "name", "stage", "block", "variant", "x")
ROWS_SHOWN = 400
COUNTED = ("macs", "parameters", "n_parameters")
SETTINGS = ("learning_rate", "weight_decay")  # written as in sentences: with three decimals 0.0007 would be 0.001
PROBABLE = ("p_best",)
_INTERVAL = re.compile(r"-?[\d.]+ \[.*\]|-?[\d.]+")


def isolated(source: Any) -> Markup:
    """One line of a user's text, escaped, with its direction isolated from its surroundings."""
    return Markup("<bdi>{}</bdi>").format(visible_line(source))


def plain_label(row: dict[str, Any], language: str, keys: Sequence[str] = LABELS) -> str:
    """The row's name as plain text (escape it afterwards): the first of `keys` that it has, slices with their level."""
    for key in keys:
        value = row.get(key)
        if value is None or value == "":
            continue
        name = written_value(key, value, language)
        if key == "slice" and row.get("level") not in (None, ""):
            return f"{name} = {show_value(row['level'])}"
        return name
    return "–"


def label_of(row: dict[str, Any], language: str, keys: Sequence[str] = LABELS) -> Markup:
    """As `plain_label`, for a page."""
    return isolated(plain_label(row, language, keys))


def written_value(key: str, value: Any, language: str) -> str:
    """A value as plain text; words that are ours (stages, relations, purposes) in the reader's language."""
    if isinstance(value, dict) and {"en", "zh"} <= set(value):
        return str(value["zh" if language == "zh" else "en"])
    if isinstance(value, Text):
        return value.render(language)
    if isinstance(value, bool):
        return say("yes" if value else "no", language)
    if isinstance(value, str) and value and key in ("metric", "variant"):
        return estimate_title(value, language)
    if isinstance(value, str) and key in VALUE_KEYS:
        for words in (VALUES.get(key, {}), STAGES, RELATIONS, PURPOSES):
            if value in words:
                return words[value].render(language)
    if finite(value) is not None and key.endswith("_bytes"):
        return quantity(value, "bytes", language)
    if finite(value) is not None and key in COUNTED:
        return short_count(value)
    if finite(value) is not None and key in SETTINGS:
        return f"{value:g}"
    if finite(value) is not None and key in PROBABLE:
        return probability(value)
    return show_value(value)


def field_title(figure: Figure | None, key: str, language: str) -> str:
    """The title of a column or an axis, as plain text: the finding's own, else ours, else the key."""
    if figure is not None and key in figure.fields:
        return visible(figure.fields[key].render(language))
    if key in COLUMNS:
        return COLUMNS[key].render(language)
    metrics = dict(METRICS.items())
    return metrics[key].title.render(language) if key in metrics else visible_line(key)


def estimate_title(key: str, language: str) -> str:
    """The title of a number by its key, as plain text: "drop:blocks:30" is "drop · blocks · 30", "dropped_2_folds" "dropped · 2 · folds"."""
    vocabularies = (STAGES, VALUES["script"])
    parts = []
    for part in re.sub(r"_(\d+)(?:_|$)", r":\1:", key).split(":"):
        word = next((words[part] for words in vocabularies if part in words and part not in COLUMNS), None)
        parts.append(word.render(language) if word is not None else field_title(None, part, language))
    return " · ".join(part for part in parts if part)


def setting_in_words(value: Any, language: str) -> Any:
    """A setting of a study; words that are ours in the reader's language."""
    if isinstance(value, (list, tuple)):
        return [setting_in_words(entry, language) for entry in value]
    titles = {**STAGES, **PURPOSE}
    return titles[value].render(language) if isinstance(value, str) and value in titles else value


def cell(key: str, value: Any, language: str) -> Markup:
    """A table cell; numbers right-aligned, with the number itself for sorting.

    A page has thousands: they are escaped by hand, several times faster than `Markup.format`.
    """
    written = escape(visible_line(written_value(key, value, language)))
    if finite(value) is not None:
        return Markup(f'<td class="num" data-sort="{float(value)!r}">{written}</td>')
    if isinstance(value, str) and _INTERVAL.fullmatch(value):  # "0.912 [0.894, 0.927]"
        return Markup(f'<td class="num" data-sort="{escape(value.split(" ")[0])}">{written}</td>')
    if isinstance(value, str) and key not in VALUE_KEYS:
        return Markup(f"<td><bdi>{written}</bdi></td>")
    return Markup(f"<td>{written}</td>")


def table_of(
    rows: Sequence[dict[str, Any]],
    language: str,
    *,
    caption: str,
    figure: Figure | None = None,
    limit: int = ROWS_SHOWN,
) -> Markup:
    """Rows as a table that can be sorted, inside a region that scrolls sideways by itself."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if not columns:
        return Markup("")
    numeric = {key for key in columns if any(_is_number(row.get(key)) for row in rows)}
    head = join_markup(
        Markup('<th scope="col"{}>{}</th>').format(
            Markup(' class="num"') if key in numeric else "", field_title(figure, key, language)
        )
        for key in columns
    )
    body = join_markup(
        Markup(f"<tr>{join_markup(cell(key, row.get(key), language) for key in columns)}</tr>") for row in rows[:limit]
    )
    more = Markup("")
    if len(rows) > limit:
        more = Markup('<p class="quiet">{}</p>').format(say("more_rows", language, n=len(rows) - limit))
    sortable = Markup(' class="sortable"') if len(rows) > 2 else ""
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table{1}><caption>{0}</caption>'
        "<thead><tr>{2}</tr></thead><tbody>{3}</tbody></table></div>{4}"
    ).format(visible(caption), sortable, head, body, more)


def _is_number(value: Any) -> bool:
    return finite(value) is not None or (isinstance(value, str) and _INTERVAL.fullmatch(value) is not None)


def join_markup(parts: Iterable[Markup]) -> Markup:
    """Markup parts in a row."""
    return Markup("".join([escape(part) for part in parts]))
