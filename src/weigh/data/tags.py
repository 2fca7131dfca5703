"""From tags of tokens to entities: IO, IOB1, IOB2, BIOES, BMES, BILOU; what does not follow the scheme is repaired and named.

Before it: the tag column of a file (`tokens.py`). After it: entities as (first token, token after the last, type), which no scheme
changes. The repair is that of conlleval (Tjong Kim Sang & Buchholz 2000): an entity begins wherever one cannot continue.

Here is also how the tags that a model predicts are kept as numbers: a code per token (0 outside, 1 + 2t begin of type t, 2 + 2t inside
of it, -1 beyond the end of the sentence) and its log probability, side by side in one row per sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from weigh.data.examples import rows_of
from weigh.data.names import compose

__all__ = [
    "BEYOND",
    "OUTSIDE",
    "TAG",
    "Decoded",
    "PackedTags",
    "code_spans",
    "decode_codes",
    "decode_tags",
    "joined_tokens",
    "pack_tags",
    "parse_tag",
    "scheme_of",
    "unpack_tags",
]

OUTSIDE = 0  # code of a token outside of all entities
BEYOND = -1  # code of a place beyond the end of the sentence

TAG = re.compile(r"([BIESMLU])(?:[-_](.+))?", re.DOTALL)
SEVERAL = re.compile(r"[,|;/][BIESMLU][-_]")  # two annotators' answers in one cell
STARTS, ENDS = frozenset("BSU"), frozenset("ESLU")


def joined_tokens(tokens: Sequence[str]) -> str:
    """Tokens as one text: without blanks where most are single characters of a script that has none."""
    alone = sum(len(t) == 1 and not t.isascii() for t in tokens)
    return ("" if alone * 2 > len(tokens) else " ").join(tokens)


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
        for letter, kind in tags:
            continues = before[0] != "O" and before[1] == kind
            orphans += letter == "I" and not continues
            inner_beginnings += letter == "B" and continues
            before = (letter, kind)
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
    start, kind = -1, ""

    def close(end: int, *, marked: bool) -> None:
        nonlocal start
        if start >= 0:
            spans.append((start, end, kind))
            if marks_ends and not marked:
                repairs.append((end - 1, "unclosed"))
        start = -1

    for i, (letter, this) in enumerate(tags):
        if letter == "O":
            close(i, marked=False)
            continue
        if letter in STARTS or start < 0 or this != kind:
            if letter not in STARTS and scheme not in ("IO", "IOB1"):
                repairs.append((i, "orphan"))
            close(i, marked=False)
            start, kind = i, this
        if letter in ENDS:
            close(i + 1, marked=True)
    close(len(tags), marked=False)
    return Decoded(tuple(spans), tuple(sorted(repairs)))


# Tags as numbers


class PackedTags(NamedTuple):
    """Predicted tags of `n` sentences of at most `L` tokens.

    Attributes:
        codes: `(n, L)` int64.
        log_probabilities: `(n, L)` float64 of the tag that was decided on; 0 beyond the end.
    """

    codes: np.ndarray
    log_probabilities: np.ndarray


def code_spans(spans: Sequence[tuple[int, int, int]], length: int) -> np.ndarray:
    """`(length,)` int64 codes (IOB2) of the entities (first token, token after the last, class index) of one sentence."""
    codes = np.full(length, OUTSIDE, dtype=np.int64)
    for start, end, kind in spans:
        codes[start:end] = 2 + 2 * kind
        codes[start] = 1 + 2 * kind
    return codes


def decode_codes(codes: np.ndarray) -> np.ndarray:
    """`(n,)` object: the entities of every row of `codes` `(n, L)`, repaired as `decode_tags` does for IOB2.

    All sentences at once: findings decode what every run of every candidate predicted.
    """
    codes = np.asarray(codes)
    kind = np.where(codes > OUTSIDE, (codes - 1) // 2, -1)
    edge = np.full((len(kind), 1), -1)
    before, after = np.hstack([edge, kind[:, :-1]]), np.hstack([kind[:, 1:], edge])
    begins = (kind >= 0) & ((codes % 2 == 1) | (kind != before))
    next_begins = np.hstack([begins[:, 1:], np.zeros((len(kind), 1), dtype=bool)])
    ends = (kind >= 0) & (next_begins | (kind != after))
    rows, starts = np.nonzero(begins)  # in the order of reading, as their ends are
    stops = np.nonzero(ends)[1] + 1
    found = list(zip(starts.tolist(), stops.tolist(), kind[rows, starts].tolist(), strict=True))
    bounds = np.searchsorted(rows, np.arange(len(kind) + 1)).tolist()
    return rows_of([tuple(found[a:b]) for a, b in pairwise(bounds)])


def pack_tags(codes: Sequence[np.ndarray], log_probabilities: Sequence[np.ndarray], width: int) -> np.ndarray:
    """`(n, 2 * width)` float32: what a run leaves of its predicted tags.

    Args:
        codes, log_probabilities: One array per sentence, as long as the sentence.
        width: Tokens of the longest sentence of the study.
    """
    packed = np.zeros((len(codes), 2 * width), dtype=np.float32)
    packed[:, :width] = BEYOND
    for row, (tags, logs) in enumerate(zip(codes, log_probabilities, strict=True)):
        packed[row, : len(tags)] = tags
        packed[row, width : width + len(tags)] = logs
    return packed


def unpack_tags(packed: np.ndarray) -> PackedTags:
    """What `pack_tags` packed; rows of NaN (a run is missing) hold no tokens."""
    packed = np.where(np.isnan(packed).any(axis=1, keepdims=True), BEYOND, packed)
    codes, logs = np.split(packed, 2, axis=1)
    codes = codes.astype(np.int64)
    return PackedTags(codes, np.where(codes == BEYOND, 0.0, logs.astype(np.float64)))
