"""Classes, one label per example or several: what pictures and texts share."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from weigh.data.examples import Examples
from weigh.heads.base import HEADS, Head
from weigh.kinds.label import Label
from weigh.kinds.labels import Labels

__all__ = ["class_loss", "class_targets", "count_classes"]


def count_classes(examples: Examples) -> int:
    """Number of logits of an example."""
    return len(examples.classes)


def class_targets(target: np.ndarray, _batch: torch.Tensor) -> torch.Tensor:
    """`(n,)` int64 class indices, or `(n, classes)` float32 for several labels."""
    return torch.from_numpy(target.astype(np.float32 if target.ndim == 2 else np.int64))


def class_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Cross-entropy of one label, or the mean binary cross-entropy of several; `weight` is per class."""
    if target.ndim == 2:
        return functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
    if weight is None:
        return functional.cross_entropy(logits, target)
    # torch divides by the sum of the weights in the batch; dividing by its size keeps gradients of batches comparable
    return functional.cross_entropy(logits, target, weight=weight, reduction="sum") / len(target)


for _kind in (Label, Labels):
    HEADS.register(_kind.name, Head(count_classes, count_classes, class_targets, class_loss))
