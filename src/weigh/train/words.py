"""Which words pushed a prediction: each word of a text is taken out in turn, and the model is asked again.

Before it: a run of texts at its end, while its model is at hand. After it: the outcome's `words`, which the ledger keeps beside the
predictions and the report marks in the texts that it quotes. Only the test texts with the largest loss of each run of the first
repeat are asked about, because only those are quoted, and only up to a length: the price is at most `ASKED` x (`WORDS` + 1) short
texts a run.

The effect of a word is what leaves the log odds of the predicted class when it is taken out (Li, Monroe & Jurafsky 2016,
Understanding Neural Networks through Representation Erasure). It explains this model and not the truth. Words that say the same hide
each other, a text with a hole is no text that the model has learnt from, and a word that turns another one ("not good") gets the
effect of both.

Not for: pairs of texts that are judged as numbers, several labels, entities.
"""

from __future__ import annotations

import logging
import re
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from weigh.data.examples import Examples
from weigh.data.unspaced import UNSPACED
from weigh.kinds.base import rows_of
from weigh.run import ASKED_WORDS, Outcome, Run, Setting

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["add_words", "asks_words", "pieces"]

ASKED, WORDS, LONGEST = ASKED_WORDS.texts, ASKED_WORDS.words, ASKED_WORDS.characters

log = logging.getLogger("weigh")
Outputs = Callable[[Examples], np.ndarray]


def asks_words(run: Run, setting: Setting, examples: Examples) -> bool:
    """Whether this run is one whose hardest texts are asked about."""
    return (
        setting.words
        and run.purpose == "main"
        and run.repeat == 0
        and examples.kind.exclusive
        and examples.medium.in_words
    )


def add_words(outcome: Outcome, run: Run, examples: Examples, tokenizer: Tokenizer, outputs: Outputs) -> Outcome:
    """The outcome with the effects of words, and the seconds that they took; as it was where that fails.

    Args:
        outputs: Logits `(n, classes)` of the run's model for any examples.
    """
    started = time.perf_counter()
    if outcome.answers is None or not len(run.test):
        return outcome
    try:
        words = _effects(run, examples, outcome.answers, outcome.facts.get("bias"), tokenizer, outputs)
    except Exception as error:  # an explanation that is missing must not cost a run that is there
        log.warning("the words of run %s could not be weighed: %s: %s", run.key, type(error).__name__, error)
        return outcome
    return replace(outcome, words=words, measured={**outcome.measured, "words_seconds": time.perf_counter() - started})


def _effects(
    run: Run, examples: Examples, logits: np.ndarray, bias: Any, tokenizer: Tokenizer, outputs: Outputs
) -> list[dict[str, Any]]:
    decided = examples.kind.decide(logits, 0.0 if bias is None else np.asarray(bias)).labels
    loss = -_log_odds(logits, examples.target[run.test])  # in the order of the loss
    short = [k for k in np.argsort(-loss, kind="stable") if sum(map(len, examples.rows[run.test[k]])) <= LONGEST]
    explained = [(int(run.test[k]), int(decided[k])) for k in short[:ASKED]]
    rows, of, spans = [], [], []
    for i, _ in explained:
        places = [
            (part, *piece) for part, content in enumerate(examples.rows[i]) for piece in pieces(content, tokenizer)
        ]
        spans.append(places[:WORDS] if len(places) > 1 else [])
        rows += [examples.rows[i], *(_without(examples.rows[i], *span) for span in spans[-1])]
        of += [i] * (1 + len(spans[-1]))
    if not rows:
        return []
    logits_of_rows = outputs(replace(examples.subset(np.array(of)), rows=rows_of(rows)))
    effects, start = [], 0
    for (i, kind), tried in zip(explained, spans, strict=True):
        odds = _log_odds(logits_of_rows[start : start + 1 + len(tried)], np.full(1 + len(tried), kind))
        start += 1 + len(tried)
        words = [[*span, round(float(odds[0] - without), 4)] for span, without in zip(tried, odds[1:], strict=True)]
        effects.append({"example": i, "class": kind, "words": words})
    return effects


def _log_odds(logits: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """`(n,)` log odds of one class each against all others."""
    z = logits.astype(np.float64)
    own = z[np.arange(len(z)), kind]
    others = z.copy()
    others[np.arange(len(z)), kind] = -np.inf
    return own - np.logaddexp.reduce(others, axis=1)


def _without(row: tuple[str, ...], part: int, start: int, end: int) -> tuple[str, ...]:
    return tuple(content[:start] + content[end:] if at == part else content for at, content in enumerate(row))


def pieces(content: str, tokenizer: Tokenizer) -> list[tuple[int, int]]:
    """Start and end of each word: between blanks, without the punctuation around it; the tokenizer's tokens where a script has none."""
    words = []
    for run in re.finditer(r"\S+", content):
        start, end = run.span()
        cuts = [start, end]
        if UNSPACED.search(run[0]):
            tokens = tokenizer.encode(run[0], add_special_tokens=False).offsets
            cuts = sorted({start, end, *(start + a for a, _ in tokens)})
        for a, b in pairwise(cuts):
            while a < b and _is_punctuation(content[a]):
                a += 1
            while a < b and _is_punctuation(content[b - 1]):
                b -= 1
            if a < b:
                words.append((a, b))
    return words


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PZC"
