"""Which column of a table holds the texts, which a second text, which the label: told from names, else from contents.

Before it: records of a file (`records.py`). After it: `texts/tables.py`. Layouts that give no names are listed in `LAYOUTS`;
whatever was guessed is said, and `data.text`, `data.text_pair`, `data.label` overrule it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from weigh.data.names import compose
from weigh.data.tables.numbers import number_style, plain_number
from weigh.data.unspaced import UNSPACED

__all__ = [
    "KNOWN",
    "LABELS",
    "LAYOUTS",
    "Layout",
    "Roles",
    "are_numbers",
    "first_is_header",
    "guess_roles",
    "is_number",
    "words_in",
]

PAIRS = (
    ("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("sentence_a", "sentence_b"), ("sent1", "sent2"),
    ("text1", "text2"), ("text_1", "text_2"), ("text_a", "text_b"), ("question1", "question2"), ("premise", "hypothesis"),
    ("question", "sentence"), ("question", "answer"), ("query", "passage"), ("query", "title"), ("#1 string", "#2 string"),
    ("source1", "source2"), ("title", "description"), ("title", "content"), ("句子1", "句子2"), ("文本1", "文本2"),
)  # fmt: skip
TEXTS = (
    "text", "sentence", "review", "content", "comment", "tweet", "document", "question", "utterance", "message", "query",
    "review_body", "reviewtext", "comment_text", "review_text", "body", "description", "abstract", "headline", "title",
    "sms", "v2", "text_a", "sentence1", "文本", "内容", "评论", "句子", "正文",
)  # fmt: skip
LABELS = (
    "label", "labels", "gold_label", "class", "category", "target", "sentiment", "is_duplicate", "quality", "score",
    "similarity", "similarity_score", "relatedness_score", "intent", "topic", "polarity", "rating", "stars", "overall", "emotion",
    "coarse_label", "label_text", "class index", "entailment_judgment", "y", "v1", "标签", "类别", "情感", "分数",
)  # fmt: skip
KNOWN = frozenset((*TEXTS, *LABELS, *(name for pair in PAIRS for name in pair)))
MOST_CLASSES = 200  # more different values than this are no label unless a name says so
SAMPLE = 500  # rows that decide
PART_NAMES = frozenset(("train", "training", "val", "valid", "validation", "dev", "test", "testing"))  # no label
# what Label Studio says of each annotation in its flat exports (JSON_MIN, CSV): no label where these three stand side by side
OF_ANNOTATION = frozenset(("annotation_id", "annotator", "lead_time"))


class Roles(NamedTuple):
    """Names of the columns of texts (none, one or two) and of the label; `several`: columns of 0 and 1, one per label, instead of it."""

    text: tuple[str, ...]
    label: str | None
    several: tuple[str, ...] = ()


class Layout(NamedTuple):
    """A layout without a header that is known by its looks.

    Attributes:
        fits: From the cells of some rows to whether it is this one.
        names: Of its columns; "" for one that is left out, as are further cells.
        roles: Which is which.
    """

    title: str
    fits: Callable[[Sequence[list[str]]], bool]
    names: tuple[str, ...]
    roles: Roles


def _is_cola(rows: Sequence[list[str]]) -> bool:
    return _most(rows, lambda r: len(r) == 4 and r[1] in ("0", "1") and re.fullmatch(r"[*?#%]{0,3}", r[2]) is not None)


def _is_sts(rows: Sequence[list[str]]) -> bool:
    def fits(r: list[str]) -> bool:
        return len(r) >= 7 and r[0].startswith("main-") and re.fullmatch(r"[0-5](\.\d+)?", r[4]) is not None

    return _most(rows, fits)


def _most(rows: Sequence[list[str]], holds: Callable[[list[str]], bool]) -> bool:
    return bool(rows) and sum(map(holds, rows)) * 100 >= 95 * len(rows)


LAYOUTS = (
    Layout("CoLA", _is_cola, ("source", "label", "", "sentence"), Roles(("sentence",), "label")),
    Layout(
        "STS-B",
        _is_sts,
        ("genre", "file", "year", "index", "score", "sentence1", "sentence2"),
        Roles(("sentence1", "sentence2"), "score"),
    ),
)


def first_is_header(rows: Sequence[list[str]], wanted: Sequence[str] = ()) -> bool:
    """Whether the first row names the columns: by known names, or by being unlike the rows below it.

    Args:
        wanted: Names that were asked for; numbers say that there are no names.
    """
    if not rows:
        return False
    first = [_plain(cell) for cell in rows[0]]
    if any(name in first for name in wanted):
        return True
    if wanted and all(name.isdigit() for name in wanted):
        return False
    rest = [row for row in rows[1 : 1 + SAMPLE] if [_plain(cell) for cell in row] != first]  # headers may come again
    below = [[row[i].strip() for row in rest if i < len(row)] for i in range(len(first))]
    if any(cell and cell in cells for cell, cells in zip(first, below, strict=True)):
        return False
    if any(len(cell) > 60 for cell in first):
        return False
    if any(cell.casefold() in KNOWN for cell in first):
        return True
    if len(set(first)) < len(first) or any(not cell or len(cell) > 40 or is_number(cell) for cell in first):
        return False
    verdicts = [_unlike(cell, cells) for cell, cells in zip(first, below, strict=True)]
    return True in verdicts and False not in verdicts


def _unlike(first: str, below: list[str]) -> bool | None:
    """Whether the first cell of a column is of another kind than those below; None where that cannot be told."""
    filled = [cell for cell in below if cell]
    if len(filled) < 2:
        return None
    if sum(map(is_number, filled)) * 10 >= 9 * len(filled):
        return True  # the first is no number
    ends = Counter(cell.rpartition(".")[2].casefold() for cell in filled if re.search(r"\.\w{2,4}$", cell))
    if sum(ends.values()) * 10 >= 9 * len(filled) and len(ends) <= 5:  # names of files
        return first.rpartition(".")[2].casefold() not in ends
    words = sorted(map(words_in, filled))
    if words[len(words) // 2] >= 4:  # sentences
        return words_in(first) <= 3 and words_in(first) < words[len(words) // 50]
    once = sum(n == 1 for n in Counter(filled).values())
    if once * 50 <= len(filled):  # a few values that come again and again, of which the first is none
        return True
    return None


def guess_roles(columns: dict[str, list[str | None]]) -> Roles:
    """Text and label columns by their names, else by their contents."""
    names = {name.casefold(): name for name in columns}
    pair = next(((names[a], names[b]) for a, b in PAIRS if a in names and b in names), None)
    label = next((names[n] for n in LABELS if n in names), None)
    texts: tuple[str, ...] = ()
    if pair is not None and (pair[0].casefold() != "title" or not {"text", "review"} & set(names)):
        texts = pair
    else:
        texts = tuple(names[n] for n in TEXTS if n in names and names[n] != label)[:1]
    if not texts:
        texts = _by_contents(columns, {label})
    if label is None:
        used = {*texts, *(OF_ANNOTATION if names.keys() >= OF_ANNOTATION else ())}
        label = _label_by_contents(columns, used)
    return Roles(texts, label)


def _by_contents(columns: dict[str, list[str | None]], used: set[str | None]) -> tuple[str, ...]:
    """The wordiest column; a second one where it is as wordy, nearly (title and body, two sentences)."""
    lengths: dict[str, float] = {}
    for name, column in columns.items():
        cells = [c for c in column[:SAMPLE] if c]
        if name in used or not cells or sum(map(is_number, cells)) * 2 > len(cells):
            continue
        if len(set(cells)) * 2 < len(cells) and len(cells) > 10:
            continue
        words = [words_in(c) for c in cells]
        if sum(words) / len(words) >= 2:
            lengths[name] = sum(words) / len(words)
    ranked = sorted(lengths, key=lambda name: -lengths[name])
    if not ranked:
        return ()
    second = [n for n in ranked[1:2] if lengths[n] >= 3 and lengths[n] * 4 >= lengths[ranked[0]]]
    return tuple(name for name in columns if name in {ranked[0], *second})


def _label_by_contents(columns: dict[str, list[str | None]], used: set[str]) -> str | None:
    """The column without blanks that has the fewest different values (two or more) and repeats them."""
    best: tuple[int, str] | None = None
    for name, column in columns.items():
        values = {c for c in column if c}
        filled = sum(c is not None and c != "" for c in column)
        if name in used or not 2 <= len(values) <= MOST_CLASSES or filled * 100 < 90 * len(column):
            continue
        if len(values) == filled or (len(values) * 2 > len(column) and len(column) > 10):
            continue
        if any(len(v) > 60 for v in values) or {v.strip().casefold() for v in values} <= PART_NAMES:
            continue
        if best is None or len(values) < best[0]:
            best = (len(values), name)
    return best[1] if best else None


def are_numbers(labels: Sequence[str | None]) -> bool:
    """Whether labels are measured numbers (similarity 0 to 5) rather than names: all are numbers, some with a fraction."""
    style = number_style(labels)
    if style is None:
        return False
    values = {plain_number(label, style) for label in labels if label and label.strip()}
    return len(values) > 2 and (style.percent or any(v is not None and not v.is_integer() for v in values))


def is_number(cell: str) -> bool:
    """Whether a cell is one number, written in any usual way."""
    return number_style((cell,)) is not None


def words_in(cell: str) -> float:
    """Words between blanks; of scripts without blanks about two characters make one."""
    return max(len(cell.split()), len(UNSPACED.findall(cell[:400])) / 2)


def _plain(cell: str) -> str:
    """The cell in the composed form, without blanks around it, and without the mark that stands where files were put one behind the other."""
    return compose(cell).strip().lstrip("\ufeff")
