"""Texts for networks: tokenised once, then batches of neighbours in length, so that hardly anything is filled up.

Memory: 8 bytes a token. A batch is padded to its own longest text; in training, batches are cut from stretches of a random
order that are sorted by length, and then come in random order (so which texts meet is random, but for their length).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from weigh.data.examples import Examples
from weigh.inputs.base import FEEDS, Batch, Feed, Label, Stream, unlabelled
from weigh.models.encoder import Siamese
from weigh.models.tokenisation import Tokenisation, join
from weigh.notices import Progress
from weigh.run import Setting

__all__ = ["TOKENS", "Texts", "by_length", "in_stretches", "occurring", "vocabulary"]

STRETCH = 50  # batches that are sorted together
TOKENS = 128  # per example of a batch outside of training: short texts come more at a time


@dataclass(frozen=True)
class Texts:
    """Tokenised texts as `inputs.base.Inputs`.

    Attributes:
        rows: `(2, length)` int32 each: one row per example; two for pairs that are encoded apart (then batches are `(n, 6, length)`).
        pad: Id that fills short rows.
        label: Gives the targets of a batch.
    """

    rows: Sequence[tuple[np.ndarray, ...]]
    pad: int
    device: str
    label: Label = unlabelled

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor | None:
        return None

    def batch(self, indices: np.ndarray, drawn: torch.Tensor | None = None) -> Batch:
        chosen = [self.rows[i] for i in indices]
        joined = join([row for rows in zip(*chosen, strict=True) for row in rows], self.pad, self.device)
        texts = joined if len(chosen[0]) == 1 else torch.cat(joined.split(len(indices)), dim=1)
        return Batch(texts, self.label(indices, texts, None))

    def cut(self, indices: np.ndarray, size: int, *, training: bool = False) -> list[np.ndarray]:
        length = np.array([max(row.shape[1] for row in self.rows[i]) for i in indices], dtype=np.int64)
        return in_stretches(length, size) if training else by_length(length, size * TOKENS)


def occurring(inputs: Any) -> np.ndarray:
    """Ids of all tokens of `Texts` or `Sentences`, ascending, and of what fills short rows."""
    rows = [row[0] for of_example in inputs.rows for row in of_example]
    return np.union1d(np.concatenate(rows), [inputs.pad]).astype(np.int64)


def by_length(length: np.ndarray, budget: int) -> list[np.ndarray]:
    """Positions from the shortest to the longest, in batches of at most `budget` tokens, filled up ones included."""
    order, batches, start = np.argsort(length, kind="stable"), [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or length[order[end]] * (end + 1 - start) > budget:
            batches.append(order[start:end])
            start = end
    return batches


def in_stretches(length: np.ndarray, size: int) -> list[np.ndarray]:
    """Positions in batches of `size` texts of about one length, for examples in random order; a rest comes last.

    The batches of a stretch come in the order of their first example, which is random because the examples are.
    """
    batches: list[np.ndarray] = []
    whole = len(length) // size * size
    for start in range(0, whole, size * STRETCH):
        stretch = np.arange(start, min(start + size * STRETCH, whole))
        ordered = stretch[np.argsort(length[stretch], kind="stable")].reshape(-1, size)
        batches += list(ordered[np.argsort(ordered.min(axis=1), kind="stable")])
    if whole < len(length):
        batches.append(np.arange(whole, len(length)))
    return batches


def _inputs(
    examples: Examples, preparation: Tokenisation, setting: Setting, _options: dict[str, Any], _progress: Progress | None,
    label: Label,
) -> Texts:  # fmt: skip
    """Inputs for training a network: a pair is one row, so that the two texts attend to each other."""
    rows = preparation.encode(list(examples.rows))
    return Texts([(row,) for row in rows], preparation.pad, setting.device, label)


def _stream(
    examples: Examples,
    preparation: Tokenisation,
    setting: Setting,
    *,
    frozen: bool = True,
    failed: dict[int, Exception] | None = None,  # noqa: ARG001 - a row that is there can be read
) -> Stream:
    """A pair is two rows for a frozen encoder, which has learnt to embed texts and not pairs; else one, as `_inputs` makes it."""
    texts = list(examples.rows)
    if frozen and examples.are_pairs:
        first, second = (preparation.encode([(pair[i],) for pair in texts]) for i in (0, 1))
        rows = list(zip(first, second, strict=True))
    else:
        rows = [(row,) for row in preparation.encode(texts)]
    inputs = Texts(rows, preparation.pad, setting.device)
    everything = np.arange(len(examples))
    for positions in inputs.cut(everything, setting.batch):
        yield positions, inputs.batch(positions)


def vocabulary(examples: Examples, preparation: Tokenisation) -> dict[str, Any]:
    """How the model's vocabulary fits these texts."""
    return {"texts": preparation.count([examples.texts(i) for i in range(len(examples))])}


def _around(body: nn.Module, width: int, examples: Examples, frozen: bool) -> tuple[nn.Module, int]:  # noqa: FBT001
    """Pairs are encoded apart for recipes that train the head alone."""
    return (Siamese(body), width * Siamese.PARTS) if frozen and examples.are_pairs else (body, width)


FEEDS.register("texts", Feed(_inputs, _stream, _around, occurring, vocabulary))
