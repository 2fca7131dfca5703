"""Sentences as JSON: lists of tokens and tags, or a text with spans of characters, in the forms that tools of annotation write.

Before it: the characters of a file. After it: `files.py`.

    {"tokens": ["Anna", "left"], "ner_tags": ["B-PER", "O"]}                 datasets, doccano
    {"text": "Anna left", "entities": [[0, 4, "PER"]]}                       doccano, spaCy (also ["Anna left", {"entities": …}])
    {"text": "Anna left", "label": {"PER": {"Anna": [[0, 3]]}}}              CLUENER: the end is the last character
    {"data": {"text": …}, "annotations": [{"result": [{"value": {"start": 0, "end": 4, "labels": ["PER"]}}]}]}   Label Studio
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from weigh.data.names import compose
from weigh.data.sentences.blocks import Block, Blocks, Sentence, are_tags
from weigh.data.sentences.offsets import Counting, Span, counting_of, cuts_words, occurs, says_the_same
from weigh.data.sentences.tags import Decoded
from weigh.data.tables.label_studio import ANNOTATIONS, DISAGREE, UNANSWERED, finished, was_skipped
from weigh.data.tables.prodigy import REJECTED, is_rejected
from weigh.data.tables.records import parse_json_lines
from weigh.data.unspaced import MARKS, UNSPACED
from weigh.errors import DataError, reason_of
from weigh.language import text
from weigh.spec import ColumnsSpec

__all__ = ["SPANS", "TAGS", "TEXT", "TOKENS", "WORD", "as_object", "asked_names", "holds_sentences", "json_objects", "lifted", "list_columns", "names_in", "row_blocks", "text_of"]  # fmt: skip

ALONE = UNSPACED.pattern.strip("[]")
LETTER, SIGN = rf"[^\W\d_{ALONE}]", rf"[{MARKS}\u200c\u200d]"
# a character of Chinese, Japanese or Thai stands for itself; signs that are written into a word are no letters for `re`
WORD = re.compile(rf"\d+|[{ALONE}][{MARKS}]*|{LETTER}+(?:{SIGN}+{LETTER}*)*|\S")
TOKENS = ("tokens", "words", "token", "word", "text", "sentence", "chars", "tokens_list")
TAGS = (
    "tags",
    "ner_tags",
    "labels",
    "ner",
    "entities_tags",
    "tag",
    "label",
    "ner_labels",
    "bio",
    "iob",
    "bio_tags",
    "entities",
)
TEXT = ("text", "sentence", "content", "originalText", "raw_text", "document")
SPANS = ("entities", "spans", "label", "labels", "annotations", "entity_list", "ents", "entity", "ner")
# as `_plain` writes the names of what an object says of an entity
STARTS = (
    "start",
    "startoffset",
    "begin",
    "beginoffset",
    "startpos",
    "startidx",
    "startindex",
    "from",
    "charstart",
    "offset",
)
ENDS = ("end", "endoffset", "stop", "endpos", "endidx", "endindex", "to", "charend")
LENGTHS = ("length", "len")
TYPES = ("label", "type", "entitytype", "labeltype", "entitygroup", "tag", "category", "labels", "entity")
MENTIONS = ("text", "entity", "mention", "word", "name", "value", "surface", "entitytext")
# results of Label Studio that are no entities: what is said of a whole text, of an entity besides its type, or of two entities
BESIDE = frozenset(
    ("relation", "choices", "textarea", "rating", "number", "taxonomy", "datetime", "ranker", "pairwise")
)


def row_blocks(numbered: Sequence[tuple[int, Any]], wanted: ColumnsSpec | None = None) -> Blocks:
    """Sentences of objects, each with its number (`json_objects`); what is none is named.

    Args:
        wanted: What the user calls texts (or tokens) and labels.
    """
    numbered = [(number, lifted(row, wanted)) for number, row in numbered]
    names = list_columns([row for _, row in numbered], wanted)
    blocks = Blocks(columns=names or ())
    unsettled = {number: why for number, row in numbered if (why := _unsettled(row, wanted)) is not None}
    every = {
        number: spans
        for number, row in numbered
        if number not in unsettled and (spans := _spans_of(row, wanted=wanted)) is not None
    }
    blocks.counting = counting = counting_of(list(every.values()))
    for number, row in numbered:
        if number in unsettled:
            blocks.unfit[number] = unsettled[number]
            blocks.left_out.append(number)
            continue
        if names is not None and isinstance(row, dict) and _fit(row.get(names[0]), row.get(names[1])):
            tokens, tags = ([str(cell) for cell in row[name]] for name in names)
            blocks.blocks.append(Block([number] * len(tokens), tokens, tags))
            continue
        if number not in every:
            blocks.bad[number] = "JSON"
            blocks.left_out.append(number)
            continue
        written, spans = every[number]
        sentence = _from_spans(number, written, spans, counting)
        if isinstance(sentence, Sentence):
            blocks.spanned.append(sentence)
            _doubt(blocks, number, written, spans, counting)
        else:
            blocks.unfit[number] = sentence
            blocks.left_out.append(number)
    return blocks


def _doubt(blocks: Blocks, number: int, written: str, spans: Sequence[Span], counting: Counting) -> None:
    """Count entities; note those that cut words, and those that are not what the file says of them."""
    for span in spans:
        place = counting.place(written, span.start, span.end)
        if place is None:
            continue
        standing = written[slice(*place)]
        blocks.entities += 1
        if cuts_words(written, place):
            blocks.cut.append((number, standing))
        if span.mention and not says_the_same(span.mention, standing):
            doubted = blocks.other_texts if occurs(span.mention, written) else blocks.absent_texts
            doubted.append((number, f"{span.mention} ≠ {standing}"))


def json_objects(path: Path, content: str) -> Iterator[tuple[int, Any]]:
    """Number and value of every object: its line, or in a list its position, from 1.

    Raises:
        DataError: A list that is no valid JSON.
    """
    start = content.lstrip()[:1]
    lined = list(parse_json_lines(content)) if start != "[" else []
    if start != "[" and (any(row for _, row in lined) or not content.strip()):
        packed = _packed(lined[0][1]) if len(lined) == 1 else None
        yield from lined if packed is None else enumerate(packed, 1)
        return
    try:
        listed = json.loads(content)
    except (ValueError, RecursionError) as error:
        rows = lined if start != "[" else _lists_per_line(content)  # lines that are no objects are named, one by one
        if rows is not None:
            yield from rows
            return
        raise DataError(
            text("{t} is not valid JSON ({e}).", "{t} 不是有效的 JSON（{e}）。", t=path, e=reason_of(error, 100)),
            do=text("Write a list of objects, or one object per line.", "请写成对象列表，或每行一个对象。"),
        ) from None
    if isinstance(listed, dict):
        listed = _packed(listed) or [listed]
    if isinstance(listed, list):
        yield from enumerate(listed, 1)


def _packed(whole: Any) -> list | None:
    """The rows of {"version": 1, "data": [{…}, {…}]}."""
    if not isinstance(whole, dict) or any(isinstance(whole.get(name), str) for name in TEXT):
        return None
    inner = [v for v in whole.values() if isinstance(v, list) and len(v) > 1 and isinstance(v[0], (dict, list))]
    return inner[0] if len(inner) == 1 else None


def _lists_per_line(content: str) -> list[tuple[int, Any]] | None:
    """A list per line, as `["text", {"entities": …}]`."""
    try:
        return [(n, json.loads(line)) for n, line in enumerate(content.split("\n"), 1) if line.strip()]
    except (ValueError, RecursionError):
        return None


def names_in(numbered: Sequence[tuple[int, Any]]) -> list[str]:
    """What objects call what they hold, each with its number; of Label Studio also what stands one level deeper."""
    wholes = [whole for _, row in numbered if (whole := as_object(row)) is not None]
    deeper = [whole["data"] for whole in wholes if isinstance(whole.get("data"), dict)]
    return list(dict.fromkeys(str(name) for whole in (*wholes, *deeper) for name in whole))


def holds_sentences(rows: Sequence[Any], wanted: ColumnsSpec | None = None) -> bool:
    """Whether most rows are sentences with tags or with spans."""
    sample = [lifted(row, wanted) for row in rows[:50]]
    names = list_columns(sample, wanted)
    sentences = sum(
        (names is not None and isinstance(row, dict) and _fit(row.get(names[0]), row.get(names[1])))
        or bool(_spans_of(row, empty=False, wanted=wanted))
        for row in sample
    )
    empty = sum(_spans_of(row, wanted=wanted) is not None for row in sample)
    return bool(sample) and sentences * 4 > len(sample) and max(sentences, empty) * 2 > len(sample)


def list_columns(rows: Sequence[Any], wanted: ColumnsSpec | None = None) -> tuple[str, str] | None:
    """Names of the lists of tokens and of their tags (numbers or names): those asked for, else by their names, else by what they hold."""
    asked_tokens, asked_tags = asked_names(wanted)
    objects = [row for row in rows[:200] if isinstance(row, dict)]
    lists: dict[str, list[list]] = {}
    for row in objects:
        for name, value in row.items():
            if (
                isinstance(value, list)
                and value
                and all(isinstance(cell, (str, int)) and not isinstance(cell, bool) for cell in value)
            ):
                lists.setdefault(str(name), []).append(value)
    usual = {name: values for name, values in lists.items() if len(values) * 2 > len(objects)}
    tokens = _ranked(
        [n for n, values in usual.items() if all(isinstance(c, str) for cells in values for c in cells)],
        TOKENS,
        asked_tokens,
    )
    for token in tokens:
        words = [cell for cells in usual[token] for cell in cells]
        if sum(" " in cell.strip() for cell in words) * 2 > len(words):  # a column of texts, written as one list
            continue
        for tag in _ranked([n for n in usual if n != token], TAGS, asked_tags):
            fitting = [row for row in objects if _fit(row.get(token), row.get(tag))]
            if len(fitting) * 10 < 9 * len([row for row in objects if tag in row and token in row]):
                continue
            cells = [cell for row in fitting for cell in row[tag]]
            if all(isinstance(cell, int) for cell in cells) and (tag.casefold() in TAGS or tag == asked_tags):
                return token, tag
            if are_tags([str(cell) for cell in cells]) and not are_tags([c for row in fitting for c in row[token]]):
                return token, tag
    return None


def asked_names(wanted: ColumnsSpec | None) -> tuple[str | None, str | None]:
    """What the user calls texts (or tokens) and labels; None: nobody said it."""
    return (None, None) if wanted is None else (wanted.text, None if wanted.label == "label" else wanted.label)


def _ranked(names: Sequence[str], usual: Sequence[str], asked: str | None = None) -> list[str]:
    """The one that is asked for; else usual names first."""
    if asked is not None:
        return [name for name in names if name == asked]
    place = {name: i for i, name in enumerate(usual)}
    return sorted(names, key=lambda name: place.get(name.casefold(), len(place)))


def _fit(tokens: Any, tags: Any) -> bool:
    """Whether two lists are tokens and their tags, none of them missing."""
    if not isinstance(tokens, list) or not isinstance(tags, list):
        return False
    return len(tokens) == len(tags) > 0 and None not in tokens and None not in tags


# Spans --------------------------------------------------------------------------------------------------------------


def as_object(row: Any) -> dict[str, Any] | None:
    """An object, also where its text stands before it (spaCy: ["Anna left", {"entities": …}]); None: it is something else."""
    if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], dict):
        return {"text": row[0], **row[1]}
    return row if isinstance(row, dict) else None


def lifted(row: Any, wanted: ColumnsSpec | None) -> Any:
    """The object with what the user names of it, where Label Studio keeps that one level deeper."""
    if not isinstance(row, dict) or not isinstance(row.get("data"), dict):
        return row
    inner = {n: row["data"][n] for n in asked_names(wanted) if n is not None and n not in row and n in row["data"]}
    return {**row, **inner} if inner else row


def text_of(row: dict[str, Any], asked: str | None = None) -> str | None:
    """The text of an object; None where it has none.

    Args:
        asked: What the user calls it.
    """
    names = TEXT if asked is None else (asked,)
    written: Any = next((row[name] for name in names if isinstance(row.get(name), str)), None)
    if written is None and isinstance(row.get("data"), dict):  # Label Studio
        inner = row["data"]
        values = inner.values() if asked is None else [inner.get(asked)]
        written = next((value for value in values if isinstance(value, str)), None)
    return written


def _spans_of(row: Any, *, empty: bool = True, wanted: ColumnsSpec | None = None) -> tuple[str, list[Span]] | None:
    """The text of a row and its spans, or None where it holds none (`empty`: an empty list of spans counts)."""
    asked_text, asked_spans = asked_names(wanted)
    whole = as_object(row)
    written = None if whole is None else text_of(whole, asked_text)
    if whole is None or written is None:
        return None
    for name in SPANS if asked_spans is None else (asked_spans,):
        value = whole.get(name)
        if isinstance(value, dict) and (value or empty) and all(isinstance(v, dict) for v in value.values()):
            spans = list(_by_type(value))
            if spans or not value:
                return written, spans
        if isinstance(value, list):
            spans = list(_listed(value))
            if len(spans) >= _count(value) and (spans or (empty and not _count(value))):
                return written, spans
    return None


def _unsettled(row: Any, wanted: ColumnsSpec | None) -> str | None:
    """Why a task has no entities that count (a word of `span_words.UNFIT`): somebody rejected them, nobody finished an annotation, or finished ones differ."""
    annotations = finished(row)
    if is_rejected(row) or annotations is None or asked_names(wanted)[1] not in (None, *ANNOTATIONS):
        return REJECTED if is_rejected(row) else None
    entities = {frozenset((s.start, s.end, s.entity_type) for s in _listed([one])) for one in annotations}
    return UNANSWERED if not entities else DISAGREE if len(entities) > 1 else None


def _count(value: list) -> int:
    """How many spans a list should give: those of Label Studio lie one level deeper."""
    results = [one for one in value if isinstance(one, dict) and isinstance(one.get("result"), list)]
    if results:
        first = next((one["result"] for one in results if not was_skipped(one)), [])
        return sum(not (isinstance(one, dict) and one.get("type") in BESIDE) for one in first)
    return len(value)


def _by_type(types: dict[str, dict]) -> Iterator[Span]:
    """{"PER": {"Anna": [[0, 3]]}} (CLUENER)."""
    for entity_type, mentions in types.items():
        for mention, places in mentions.items():
            for place in places if isinstance(places, list) else ():
                if isinstance(place, list) and len(place) == 2 and all(isinstance(p, int) for p in place):
                    yield Span(place[0], place[1], compose(str(entity_type)), str(mention))


def _listed(spans: list) -> Iterator[Span]:
    """[0, 5, "PER"], {"start": 0, "end": 5, "label": "PER"}, and Label Studio's results; others are left out."""
    for span in spans:
        if isinstance(span, dict) and isinstance(span.get("result"), list):
            if was_skipped(span):
                continue
            yield from _listed([one.get("value") for one in span["result"] if isinstance(one, dict)])
            return  # those of other people say the same (`_unsettled`)
        if isinstance(span, dict):
            start, end, entity, mention = _of_object({_plain(name): value for name, value in span.items()})
        elif isinstance(span, (list, tuple)) and len(span) in (3, 4):
            start, end, entity = span[:3]
            if _place(start) is None and _place(entity) is not None:  # the type comes first
                start, end, entity = end, entity, start
            mention = span[3] if len(span) == 4 and isinstance(span[3], str) else None
        else:
            continue
        first, last = _place(start), _place(end)
        if first is not None and last is not None and isinstance(entity, str) and entity:
            yield Span(first, last, compose(entity), mention)


def _of_object(span: Mapping[str, Any]) -> tuple[Any, Any, Any, str | None]:
    """Start, end, type and text of an entity that is written as an object."""
    start, end, length, entity = (
        next((span[name] for name in names if name in span), None) for names in (STARTS, ENDS, LENGTHS, TYPES)
    )
    if end is None and (first := _place(start)) is not None and (many := _place(length)) is not None:
        end = first + many
    if isinstance(entity, list):
        entity = entity[0] if entity else None
    mention = next((span[name] for name in MENTIONS if isinstance(span.get(name), str) and span[name] != entity), None)
    return start, end, entity, mention


def _plain(name: Any) -> str:
    """ "start_offset" and "startOffset" are one name."""
    return str(name).casefold().replace("_", "")


def _place(value: Any) -> int | None:
    """A whole number, also where it is written as text."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _from_spans(number: int, written: str, spans: Sequence[Span], counting: Counting) -> Sentence | str:
    """A sentence of a text and spans of characters; tokens end where spans do. Else a word of `span_words.UNFIT`."""
    places = [counting.place(written, span.start, span.end) for span in spans]
    if any(place is None for place in places):
        return "reversed" if any(span.end < span.start for span in spans) else "outside"
    ranges = sorted({(*place, span.entity_type) for place, span in zip(places, spans, strict=True) if place})
    if any(one[1] > two[0] for one, two in pairwise(ranges)):
        return "overlap"
    edges = sorted({0, len(written), *(edge for a, b, _ in ranges for edge in (a, b))})
    pieces = [(a + m.start(), a + m.end()) for a, b in pairwise(edges) for m in WORD.finditer(written[a:b])]
    entities = []
    for a, b, entity in ranges:
        inside = [i for i, (x, y) in enumerate(pieces) if a <= x and y <= b]
        if not inside:  # blanks alone
            return "outside"
        entities.append((inside[0], inside[-1] + 1, entity))
    tokens = tuple(written[a:b] for a, b in pieces)
    if not tokens:
        return "empty"
    return Sentence(number, (number,) * len(tokens), tokens, (), Decoded(tuple(entities), ()))
