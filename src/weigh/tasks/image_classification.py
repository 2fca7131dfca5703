"""Image classification: one label per picture, or several (a sigmoid each)."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from weigh.data.examples import Examples
from weigh.data.pictures import open_picture
from weigh.models.network import make_network
from weigh.models.pretrained import Preprocessing
from weigh.tasks.base import TASKS, Task

__all__ = ["IMAGE_CLASSIFICATION"]


def _decode(examples: Examples, index: int, preprocessing: Preprocessing) -> np.ndarray:
    path = examples.root / str(examples.path[index])
    return preprocessing.crop(open_picture(path, draft_size=preprocessing.resize))


def _collate(target: np.ndarray) -> torch.Tensor:
    """`(n,)` int64 class indices, or `(n, classes)` float32 for several labels."""
    return torch.from_numpy(target.astype(np.float32 if target.ndim == 2 else np.int64))


def _loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Cross-entropy of one label, or the mean binary cross-entropy of several; `weight` is per class."""
    if target.ndim == 2:
        return functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
    if weight is None:
        return functional.cross_entropy(logits, target)
    # torch divides by the sum of the weights in the batch; dividing by its size keeps gradients of batches comparable
    return functional.cross_entropy(logits, target, weight=weight, reduction="sum") / len(target)


IMAGE_CLASSIFICATION = TASKS.register(
    "image-classification",
    Task(name="image-classification", decode=_decode, collate=_collate, adapt=make_network, loss=_loss),
)
