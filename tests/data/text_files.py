"""Texts made for tests, written as tables, and read again."""

from __future__ import annotations

import numpy as np

from weigh.data.readers import read_and_check
from weigh.data.texts.index import read_texts
from weigh.spec import DataSpec

__all__ = ["WORDS", "both", "read", "sentences", "table"]


WORDS = [
    "the",
    "a",
    "film",
    "story",
    "actor",
    "ending",
    "music",
    "light",
    "quiet",
    "long",
    "short",
    "warm",
    "cold",
    "sharp",
    "dull",
    "plot",
    "scene",
    "voice",
    "song",
    "night",
    "day",
]


def sentences(n, seed=0, words=12):
    """`n` different sentences."""
    rng = np.random.default_rng(seed)
    return [f"{i} " + " ".join(rng.choice(WORDS, words)) for i in range(n)]


def read(path, **options):
    examples, problems = read_texts(DataSpec(train=str(path), **options), offline=True)
    return examples, {p.kind: p for p in problems}


def both(path, **options):
    """Everything that reading and checking find, by kind (lists: a kind may come twice)."""
    examples, problems = read_and_check(DataSpec(train=str(path), **options), "text-classification", offline=True)
    found = {}
    for p in problems:
        found.setdefault(p.kind, []).append(p)
        for value in p.numbers.values():  # every number of a problem stands in its sentence, in both languages
            assert f"{value:g}" in p.sentence.en
            assert f"{value:g}" in p.sentence.zh
    return examples, found


def table(path, rows, header=None, separator="\t"):
    lines = [separator.join(header)] if header else []
    path.write_text("\n".join([*lines, *(separator.join(r) for r in rows)]) + "\n", "utf-8")
    return path
