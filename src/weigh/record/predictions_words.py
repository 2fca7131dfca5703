"""Sentences of a gold file and of submissions, given as texts with spans, in the same words.

A text is cut into words where an entity begins or ends, so an entity that covers a part of a word makes two of it, in the file that has this
entity. Before it: `predictions_entities.py` set the files side by side. After it: there the words of all are those of the finest cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from weigh.data.sentences.blocks import Sentence
from weigh.data.sentences.tags import Decoded

__all__ = ["in_common_words", "same_text"]


def same_text(one: Sentence, other: Sentence) -> bool:
    """Whether two sentences differ in nothing but where words are cut."""
    return "".join(one.tokens) == "".join(other.tokens)


def in_common_words(sentences: Sequence[Sentence]) -> list[Sentence]:
    """One sentence as several files cut it (`same_text` holds for all), cut wherever one of them cuts it."""
    if len({sentence.tokens for sentence in sentences}) == 1:
        return list(sentences)
    ends = sorted({end for sentence in sentences for end in _ends(sentence.tokens)})
    return [_cut(sentence, ends) for sentence in sentences]


def _ends(tokens: Iterable[str]) -> list[int]:
    """Characters up to the end of each token, blanks not counted."""
    return list(accumulate(map(len, tokens)))


def _cut(sentence: Sentence, ends: Sequence[int]) -> Sentence:
    written = "".join(sentence.tokens)
    tokens = tuple(written[a:b] for a, b in pairwise([0, *ends]))
    index = {at: i for i, at in enumerate([0, *ends])}
    borders = [0, *_ends(sentence.tokens)]
    spans = tuple((index[borders[a]], index[borders[b]], entity) for a, b, entity in sentence.decoded.spans)
    return Sentence(sentence.line, (sentence.line,) * len(tokens), tokens, (), Decoded(spans, ()))
