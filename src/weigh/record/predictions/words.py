"""Sentences of a gold file and of submissions in the same words: texts with spans are cut alike; what is said of others, and of repaired tags.

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
from weigh.problem import Problem

__all__ = ["ALIGN", "in_common_words", "misfit", "repaired_tags", "same_text"]

ALIGN = text(
    "Give every sentence of the gold file, in its order, token by token.", "请按标准答案文件的顺序逐词给出每个句子。"
)
REPAIRS = {
    "orphan": text(
        "{m} has {n} {n:|tag that continues an entity|tags that continue an entity} where none began (first: line {l}); {n:|it was|each was} read as a beginning.",
        "{m} 有 {n} 个标记延续了并未开始的实体（第一处：第 {l} 行），均按实体开头读取。",
    ),
    "unclosed": text(
        "{m} has {n} {n:|entity whose end is|entities whose ends are} not marked (first: line {l}); {n:|it was|each was} read as ending there.",
        "{m} 有 {n} 个实体没有标出结尾（第一处：第 {l} 行），均按在该处结束读取。",
    ),
}
STRICT = text(
    "A strict scorer, such as seqeval in its strict mode, leaves such entities out.",
    "严格的评分程序（如 seqeval 的严格模式）不计这类实体。",
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


def repaired_tags(name: str, sentences: Sequence[Sentence]) -> list[Problem]:
    """The notes on tags of one file that break its scheme: an F1 that leaves such entities out is another one."""
    problems = []
    for repair, template in REPAIRS.items():
        rows = [(s, i) for s in sentences for i, why in s.decoded.repairs if why == repair]
        if not rows:
            continue
        line = rows[0][0].lines[rows[0][1]]
        sentence = text(template.en, template.zh, m=name, n=len(rows), l=line) + STRICT
        details = tuple({"path": name, "line": s.lines[i], "token": s.tokens[i], "tag": s.tags[i]} for s, i in rows)
        numbers = {"tags": len(rows), "line": line}
        problems.append(Problem(f"{repair}-tag", sentence, severity="note", numbers=numbers, details=details))
    return problems
