"""Sentences in words for networks that label every word: words cut into tokens, long sentences into windows.

A batch is `(rows, 6, length)` int64: ids, mask, segments as for texts; then the word that begins at this token, counted from 0
within its example, or -1 (special tokens, later parts of a word, filled up); then the position in the batch of the example that
the row belongs to, and how many words that example has. A sentence that is longer than the model reads becomes several rows that overlap by a quarter; each word
is answered in the row where it stands farthest from the edges, and is -1 in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.inputs.base import FEEDS, Batch, Feed, Label, Stream, to_device, unlabelled
from weigh.inputs.texts import TOKENS, by_length, in_stretches, occurring, vocabulary
from weigh.models.tokenisation import Tokenisation
from weigh.notices import Progress
from weigh.run import Setting

__all__ = ["Sentences", "windows"]

OVERLAP = 0.25


@dataclass(frozen=True)
class Sentences:
    """Tokenised sentences as `inputs.base.Inputs`.

    Attributes:
        rows: Per example its windows: `(2, length)` int32, ids and words (-1 for none).
        words: `(n,)` words of each example.
        label: Gives the targets of a batch.
    """

    rows: Sequence[list[np.ndarray]]
    words: np.ndarray
    pad: int
    device: str
    label: Label = unlabelled

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor | None:
        return None

    def batch(self, indices: np.ndarray, drawn: torch.Tensor | None = None) -> Batch:
        chosen = [(owner, row) for owner, i in enumerate(indices) for row in self.rows[i]]
        longest = max(row.shape[1] for _, row in chosen)
        block = np.zeros((len(chosen), 6, longest), dtype=np.int64)
        block[:, 0], block[:, 3] = self.pad, -1
        for k, (owner, row) in enumerate(chosen):
            length = row.shape[1]
            block[k, 0, :length], block[k, 1, :length], block[k, 3, :length] = row[0], 1, row[1]
            block[k, 4], block[k, 5] = owner, self.words[indices[owner]]
        sentences = to_device(block, self.device)
        return Batch(sentences, self.label(indices, sentences, None))

    def cut(self, indices: np.ndarray, size: int, *, training: bool = False) -> list[np.ndarray]:
        length = np.array([sum(row.shape[1] for row in self.rows[i]) for i in indices], dtype=np.int64)
        return in_stretches(length, size) if training else by_length(length, size * TOKENS)


def windows(
    ids: np.ndarray, words: np.ndarray, preparation: Tokenisation, around: tuple[list[int], list[int]]
) -> list[np.ndarray]:
    """The rows of one sentence.

    Args:
        ids, words: As `Tokenisation.encode_sentences` gives them.
        around: Special tokens before and after.
    """
    before, after = around
    room = preparation.size - len(before) - len(after)
    begins = np.r_[True, words[1:] != words[:-1]] if len(words) else np.zeros(0, bool)
    named = np.where(begins, words, -1)
    step = max(1, round(room * (1 - OVERLAP)))
    starts = [0] if len(ids) <= room else [*range(0, len(ids) - room, step), len(ids) - room]
    margin = np.full(len(ids), -1)
    best = np.zeros(len(ids), dtype=int)
    for k, start in enumerate(starts):
        place = np.arange(start, min(start + room, len(ids)))
        left = place - start + (len(ids) if start == 0 else 0)  # the edge of the sentence is no edge of the window
        right = place[-1:] - place + (len(ids) if len(place) and place[-1] == len(ids) - 1 else 0)
        inside = np.minimum(left, right)
        better = inside > margin[place]
        margin[place[better]], best[place[better]] = inside[better], k
    rows = []
    for k, start in enumerate(starts):
        place = np.arange(start, min(start + room, len(ids)))
        own = np.where(best[place] == k, named[place], -1)
        rows.append(
            np.stack([np.r_[before, ids[place], after], np.r_[[-1] * len(before), own, [-1] * len(after)]]).astype(
                np.int32
            )
        )
    return rows


def _sentences(examples: Examples, preparation: Tokenisation, setting: Setting, label: Label = unlabelled) -> Sentences:
    sentences = list(examples.rows)
    around = preparation.around()
    encoded = preparation.encode_sentences(sentences)
    rows = [windows(ids, words, preparation, around) for ids, words in encoded]
    lengths = np.array([len(tokens) for tokens in sentences], dtype=np.int64)
    return Sentences(rows, lengths, preparation.pad, setting.device, label)


def _inputs(
    examples: Examples, preparation: Tokenisation, setting: Setting, _options: dict[str, Any], _progress: Progress | None,
    label: Label,
) -> Sentences:  # fmt: skip
    return _sentences(examples, preparation, setting, label)


def _stream(
    examples: Examples,
    preparation: Tokenisation,
    setting: Setting,
    *,
    frozen: bool = True,  # noqa: ARG001 - both are fed alike
    failed: dict[int, Exception] | None = None,  # noqa: ARG001 - a row that is there can be read
) -> Stream:
    inputs, everything = _sentences(examples, preparation, setting), np.arange(len(examples))
    for positions in inputs.cut(everything, setting.batch):
        yield positions, inputs.batch(positions)


FEEDS.register("sentences", Feed(_inputs, _stream, tokens=occurring, facts=vocabulary))
