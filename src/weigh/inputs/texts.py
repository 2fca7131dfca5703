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

from weigh.data.examples import Examples
from weigh.inputs.base import FEEDS, Feed, Progress, Stream
from weigh.models.encoder import Siamese
from weigh.models.network import Network, make_network
from weigh.models.pretrained import Pretrained
from weigh.models.tokenisation import Tokenisation, join
from weigh.run import Setting

__all__ = ["STRETCH", "Texts", "by_length", "in_stretches", "is_pair"]

STRETCH = 50  # batches that are sorted together
TOKENS = 128  # per example of a batch outside of training: short texts come more at a time


@dataclass(frozen=True)
class Texts:
    """Tokenised texts as `inputs.base.Inputs`.

    Attributes:
        rows: `(2, length)` int32 each: one row per example; two for pairs that are encoded apart (then batches are `(n, 6, length)`).
        pad: Id that fills short rows.
    """

    rows: Sequence[tuple[np.ndarray, ...]]
    pad: int
    device: str

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor | None:
        return None

    def batch(self, indices: np.ndarray, drawn: torch.Tensor | None = None) -> torch.Tensor:
        chosen = [self.rows[i] for i in indices]
        if len(chosen[0]) == 1:
            return join([row for (row,) in chosen], self.pad, self.device)
        both = join([row for rows in zip(*chosen, strict=True) for row in rows], self.pad, self.device)
        return torch.cat(both.split(len(indices)), dim=1)

    def cut(self, indices: np.ndarray, size: int, *, training: bool = False) -> list[np.ndarray]:
        length = np.array([max(row.shape[1] for row in self.rows[i]) for i in indices], dtype=np.int64)
        return in_stretches(length, size) if training else by_length(length, size * TOKENS)


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


def is_pair(examples: Examples) -> bool:
    """Whether each example is two texts."""
    return examples.texts is not None and len(examples.texts) > 0 and len(examples.texts[0]) == 2


def _inputs(
    examples: Examples, preparation: Tokenisation, setting: Setting, _options: dict[str, Any], _progress: Progress
) -> Texts:
    """For training a network: a pair is one row, so that the two texts attend to each other."""
    assert examples.texts is not None
    rows = preparation.encode(list(examples.texts))
    return Texts([(row,) for row in rows], preparation.pad, setting.device)


def _stream(examples: Examples, preparation: Tokenisation, setting: Setting) -> Stream:
    """For frozen features: a pair is two rows, for a frozen encoder has learnt to embed texts and not pairs."""
    assert examples.texts is not None
    texts = list(examples.texts)
    if is_pair(examples):
        first, second = (preparation.encode([(pair[i],) for pair in texts]) for i in (0, 1))
        rows = list(zip(first, second, strict=True))
    else:
        rows = [(row,) for row in preparation.encode(texts)]
    inputs = Texts(rows, preparation.pad, setting.device)
    everything = np.arange(len(examples))
    for positions in inputs.cut(everything, setting.batch):
        yield positions, inputs.batch(positions)


def _adapt(
    model: Pretrained, outputs: int, examples: Examples, generator: torch.Generator | None, *, frozen: bool
) -> Network:
    """The encoder with a new head; pairs are encoded apart for recipes that train the head alone."""
    if not (frozen and is_pair(examples)):
        return make_network(model, outputs, generator)
    network = make_network(model, outputs, generator, copies=Siamese.PARTS)
    return Network(Siamese(network.body), network.head)


FEEDS.register("texts", Feed(_inputs, _stream, _adapt))
