"""How far a step goes: the learning rate over the steps, and the gradient that is too large for one. For every training."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

__all__ = ["clip", "warm_cosine"]

CLIP = 5.0  # gradient norm: a guard against single bad batches, rarely reached


def clip(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Shorten the gradients of `parameters` to a norm of `CLIP` together, in place."""
    torch.nn.utils.clip_grad_norm_(parameters, CLIP)


def warm_cosine(step: int, warm: int, total: int) -> float:
    """Share of the learning rate: it rises for `warm` steps, then falls along a cosine to zero at `total`."""
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
