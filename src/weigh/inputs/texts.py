"""Texts for networks: tokenised once, then batches of neighbours in length, so that hardly anything is filled up.

Memory: 8 bytes a token. A batch is padded to its own longest text; in training, batches are cut from stretches of a random
order that are sorted by length, and then come in random order (so which texts meet is random, but for their length).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from weigh.models.tokenisation import join

__all__ = ["STRETCH", "Texts", "by_length", "in_stretches"]

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
