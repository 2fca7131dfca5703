"""Sentences of a gold file and of submissions in the same words: texts with spans are cut alike; what is said of others.

A text is cut into words where an entity begins or ends, so an entity that covers a part of a word makes two of it, in the file that has this
entity. Before it: `entities.py` set the files side by side. After it: there the words of all are those of the finest cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from weigh.data.sentences.blocks import Sentence
from weigh.data.sentences.tags import Decoded
from weigh.errors import DataError
from weigh.language import text

__all__ = ["ALIGN", "in_common_words", "misfit", "same_text"]

ALIGN = text(
    "Give every sentence of the gold file, in its order, token by token.", "请按标准答案文件的顺序逐词给出每个句子。"
)


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


def misfit(path: Path, gold: Path, line: int, sentence: Sentence, own: Sentence) -> DataError:
    """The first token that differs says where sentences run apart."""
    at = next((i for i, (a, b) in enumerate(zip(own.tokens, sentence.tokens, strict=False)) if a != b), None)
    if at is None:
        at = min(len(own.tokens), len(sentence.tokens)) - 1
    return DataError(
        text(
            "{p}: the sentence on line {l} has {a} {a:|token|tokens}; in the gold file {g} it begins on line {k} and has {b}. They part at line {x} "
            "('{t}').",
            "{p}：第 {l} 行开始的句子有 {a} 个词；在标准答案 {g} 中它始于第 {k} 行，有 {b} 个词。两者从第 {x} 行（“{t}”）起不同。",
            p=path,
            l=sentence.line,
            a=len(sentence.tokens),
            g=gold.name,
            k=line,
            b=len(own.tokens),
            x=sentence.lines[at],
            t=sentence.tokens[at],
        ),
        do=ALIGN,
    )
