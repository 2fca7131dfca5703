"""From tags of tokens to entities: IO, IOB1, IOB2, BIOES, BMES, BILOU; what does not follow the scheme is repaired and named.

Before it: the tag column of a file (`index.py`). After it: entities as (first token, token after the last, type), which no scheme
changes. The repair is that of conlleval (Tjong Kim Sang & Buchholz 2000): an entity begins wherever one cannot continue.

How the tags that a model predicts are kept as numbers: `kinds/tags.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from weigh.data.names import compose

__all__ = ["Decoded", "decode_tags", "parse_tag", "scheme_of", "usual_spelling"]

TAG = re.compile(r"([BIESMLU])(?:[-_](.+))?", re.DOTALL)
OTHER_SPELLINGS = (  # "b-PER", "PER-B"; groups: the letter and the type
    re.compile(r"(?P<letter>[biesmlu])[-_](?P<type>.+)", re.DOTALL),
    re.compile(r"(?P<type>.+)[-_](?P<letter>[BIESMLUbiesmlu])", re.DOTALL),
)
SPELLED = 0.9  # share of the tags of entities that must be spelled so
SEVERAL = re.compile(r"[,|;/][BIESMLU][-_]")  # two annotators' answers in one cell
STARTS, ENDS = frozenset("BSU"), frozenset("ESLU")


class Decoded(NamedTuple):
    """Entities of one sentence, and what had to be repaired: (position, "orphan" or "unclosed")."""

    spans: tuple[tuple[int, int, str], ...]
    repairs: tuple[tuple[int, str], ...]


@cache
def parse_tag(tag: str) -> tuple[str, str] | None:
    """("B", "PER") of "B-PER"; ("O", "") of "O"; None where it is no tag. Without a type it is "entity"."""
    if tag in ("O", "o"):
        return "O", ""
    match = TAG.fullmatch(tag)
    if match is None or SEVERAL.search(tag):
        return None
    return match[1], compose(match[2] or "entity")


def usual_spelling(tags: Iterable[str]) -> dict[str, str]:
    """From a tag as written to "B-PER", where a file writes "b-PER" or "PER-B"; empty where it does not.

    The names of types alone may look so ("e-mail", "vitamin_B"): therefore some type must stand with the letter that begins an entity and with one
    that continues it.
    """
    counts = Counter(tag for tag in tags if tag not in ("O", "o"))
    for spelling in OTHER_SPELLINGS:
        usual: dict[str, str] = {}
        letters: dict[str, set[str]] = {}
        for tag in counts:
            match = spelling.fullmatch(tag)
            if match is not None and parse_tag(tag) is None:
                letter = match["letter"].upper()
                usual[tag] = f"{letter}-{match['type']}"
                letters.setdefault(match["type"], set()).add(letter)
        many = sum(counts[tag] for tag in usual) >= SPELLED * counts.total()
        if many and any("B" in own and own & set("IEML") for own in letters.values()):
            return usual
    return {}


def scheme_of(sentences: Sequence[Sequence[tuple[str, str]]]) -> str:
    """The scheme that the tags of a file follow.

    IOB1 marks a beginning only where two entities of a type touch; so there every B follows a tag of its type, and entities
    that begin with I are the rule. In IOB2 they are mistakes. Where there is no B at all (IO), two entities of a type that touch are one.
    """
    letters = Counter(letter for tags in sentences for letter, _ in tags)
    if letters["L"] or letters["U"]:
        return "BILOU"
    if letters["M"]:
        return "BMES"
    if letters["E"] or letters["S"]:
        return "BIOES"
    orphans, inner_beginnings = 0, 0
    for tags in sentences:
        before = ("O", "")
        for letter, entity_type in tags:
            continues = before[0] != "O" and before[1] == entity_type
            orphans += letter == "I" and not continues
            inner_beginnings += letter == "B" and continues
            before = (letter, entity_type)
    if not letters["B"]:
        return "IO" if letters["I"] else "IOB2"
    return "IOB1" if orphans and inner_beginnings == letters["B"] else "IOB2"


def decode_tags(tags: Sequence[tuple[str, str]], scheme: str) -> Decoded:
    """Entities of one sentence.

    Repaired are: an I, M, E or L that continues nothing ("orphan": it begins an entity; in IOB1 that is right), and in schemes that
    mark ends, an entity that stops without one ("unclosed").
    """
    spans: list[tuple[int, int, str]] = []
    repairs: list[tuple[int, str]] = []
    marks_ends = scheme in ("BIOES", "BMES", "BILOU")
    start, entity_type = -1, ""

    def close(end: int, *, marked: bool) -> None:
        nonlocal start
        if start >= 0:
            spans.append((start, end, entity_type))
            if marks_ends and not marked:
                repairs.append((end - 1, "unclosed"))
        start = -1

    for i, (letter, this) in enumerate(tags):
        if letter == "O":
            close(i, marked=False)
            continue
        if letter in STARTS or start < 0 or this != entity_type:
            if letter not in STARTS and scheme not in ("IO", "IOB1"):
                repairs.append((i, "orphan"))
            close(i, marked=False)
            start, entity_type = i, this
        if letter in ENDS:
            close(i + 1, marked=True)
    close(len(tags), marked=False)
    return Decoded(tuple(spans), tuple(sorted(repairs)))
