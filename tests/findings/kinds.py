"""Studies of numbers, entities and texts with known truth, for the tests of findings and reports (see `synthetic.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.kinds.base import rows_of
from weigh.kinds.tags import code_spans, pack_tags
from weigh.record.results import Results

__all__ = ["TYPES", "entity_logits", "entity_study", "number_study", "simulate_entities", "text_study"]

TYPES = ("location", "person", "product")
WORDS = ("the", "river", "Paris", "Ada", "met", "of", "in", "new", "phone", "saw")
ZH = "天地玄黄宇宙洪荒"


def number_study(seed: int = 0, n: int = 300, repeats: int = 2, test: int = 0, **options: Any) -> Results:
    """Similarities from 0 to 5; "good" is closer to them than "fair", "flat" answers the mean."""
    rng = np.random.default_rng(seed)
    whole = np.clip(rng.normal(2.5, 1.3, n + test), 0, 5)
    shared = rng.normal(size=n + test)

    def said(noise: float, repeats: int) -> np.ndarray:
        drawn = noise * (0.8 * shared + 0.6 * rng.normal(size=(repeats, n + test)))
        return (whole + drawn)[..., None].astype(np.float32)

    answers = {"good": said(0.7, repeats), "fair": said(1.2, repeats)}
    answers["flat"] = np.full((repeats, n + test, 1), whole.mean(), dtype=np.float32)
    texts = [(f"sentence {i} <b>&", f"句子 {i}") for i in range(n + test)]
    return make_results(
        {name: a[:, :n] for name, a in answers.items()},
        whole[:n],
        classes=(),
        texts=texts,
        task="text-regression",
        **({"test": {k: a[0, n:] for k, a in answers.items()}, "test_target": whole[n:]} if test else {}),
        **options,
    )


def simulate_entities(rng: np.random.Generator, n: int, share: float = 0.6) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Sentences of 3 to 12 tokens, and their entities: none, one or two, the last one at the end of the sentence."""
    tokens, target = [], []
    for _ in range(n):
        length = int(rng.integers(3, 13))
        words = ZH if rng.random() < 0.3 else WORDS
        tokens.append(tuple(str(w) for w in rng.choice(list(words), length)))
        spans = []
        if rng.random() < share:
            start = int(rng.integers(0, length - 2))
            spans.append((start, start + int(rng.integers(1, 3)), int(rng.integers(3))))
            if rng.random() < 0.3 and spans[0][1] < length:
                spans.append((length - 1, length, int(rng.integers(3))))
        target.append(tuple(spans))
    return tokens, rows_of(target)


def entity_logits(
    rng: np.random.Generator,
    tokens: list[tuple[str, ...]],
    target: np.ndarray,
    difficulty: np.ndarray,
    *,
    skill: float,
    repeats: int = 1,
    noise: float = 0.5,
) -> np.ndarray:
    """`(repeats, n, 2 * L)` tags of a tagger: an entity is right where skill beats what the sentence and the run ask.

    Otherwise it is missed, of another type, or shorter, all alike often; now and then an entity is invented.
    """
    width = max(map(len, tokens))
    packed = []
    for _ in range(repeats):
        luck = difficulty + noise * rng.normal(size=len(target))
        rows = []
        for words, spans, hard in zip(tokens, target, luck, strict=True):
            said = []
            for a, b, c in spans:
                if skill + 0.5 * rng.normal() > hard:
                    said.append((a, b, c))
                    continue
                kind = rng.integers(3)
                if kind == 1:
                    said.append((a, b, (c + 1) % len(TYPES)))
                elif kind == 2 and b - a > 1:
                    said.append((a, b - 1, c))
            if not spans and skill + rng.normal() < hard:
                said.append((0, 1, int(rng.integers(len(TYPES)))))
            rows.append(code_spans(said, len(words)))
        packed.append(pack_tags(rows, [np.full(len(r), np.log(0.9)) for r in rows], width))
    return np.stack(packed)


def entity_study(seed: int = 0, n: int = 300, repeats: int = 2, test: int = 0, **options: Any) -> Results:
    """Three types; "good" finds more than "fair", "blind" finds nothing."""
    rng = np.random.default_rng(seed)
    tokens, target = simulate_entities(rng, n + test)
    difficulty = rng.normal(size=n + test)
    answers = {
        name: entity_logits(rng, tokens, target, difficulty, skill=skill, repeats=repeats)
        for name, skill in (("good", 1.0), ("fair", 0.3))
    }
    empty = [np.zeros(len(words), dtype=np.int64) for words in tokens]
    nothing = pack_tags(empty, [np.full(len(words), np.log(0.99)) for words in tokens], max(map(len, tokens)))
    answers["blind"] = np.stack([nothing] * repeats)
    return make_results(
        {name: a[:, :n] for name, a in answers.items()},
        target[:n],
        classes=TYPES,
        tokens=tokens,
        task="token-classification",
        **({"test": {k: a[0, n:] for k, a in answers.items()}, "test_target": target[n:]} if test else {}),
        **options,
    )


def text_study(seed: int = 0, n: int = 200, *, several: bool = False, repeats: int = 2, **options: Any) -> Results:
    """Texts of three classes, or with several of three labels each."""
    rng = np.random.default_rng(seed)
    if several:
        target = rng.integers(2, size=(n, 3))
        logits = {
            name: (size * (target - 0.5) + rng.normal(0, 1.0, (repeats, n, 3))).astype(np.float32)
            for name, size in (("good", 4.0), ("fair", 2.0))
        }
    else:
        target = simulate_target(rng, n, [0.5, 0.3, 0.2])
        logits = {
            name: simulate_logits(rng, target, separation=s, repeats=repeats)
            for name, s in (("good", 3.0), ("fair", 1.5))
        }
    texts = [(f"a text <i>{i}</i>",) for i in range(n)]
    options = {"winner": "good"} | options
    return make_results(logits, target, classes=TYPES, texts=texts, task="text-classification", **options)
