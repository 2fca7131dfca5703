"""Classes, one label per example or several: what pictures and texts share."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from weigh.heads.base import HEADS, Head, number_of_classes, same_total
from weigh.inputs.base import Placed
from weigh.kinds.label import Label
from weigh.kinds.labels import Labels

# One label ------------------------------------------------------------------------------------------------------------


def _index(target: np.ndarray, _batch: torch.Tensor, _placed: Placed | None) -> torch.Tensor:
    """`(n,)` int64 class indices."""
    return torch.from_numpy(target.astype(np.int64))


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """`weight` is per class."""
    if weight is None:
        return functional.cross_entropy(logits, target)
    # torch divides by the sum of the weights in the batch; dividing by its size keeps gradients of batches comparable
    return functional.cross_entropy(logits, target, weight=weight, reduction="sum") / len(target)


def _balance(target: np.ndarray, classes: int) -> torch.Tensor:
    return same_total(np.bincount(target, minlength=classes))


HEADS.register(Label.name, Head(number_of_classes, number_of_classes, _index, _cross_entropy, balance=_balance))


# Several labels -------------------------------------------------------------------------------------------------------


def _marks(target: np.ndarray, _batch: torch.Tensor, _placed: Placed | None) -> torch.Tensor:
    """`(n, classes)` float32."""
    return torch.from_numpy(target.astype(np.float32))


def _binary(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """`weight` is that of the answer yes, per label."""
    return functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)


def _both_answers(target: np.ndarray, _classes: int) -> torch.Tensor:
    """`(classes,)` weights that give both answers of every label the same total."""
    positive = target.sum(axis=0)
    return torch.from_numpy(((len(target) - positive) / np.maximum(positive, 1)).astype(np.float32))


HEADS.register(Labels.name, Head(number_of_classes, number_of_classes, _marks, _binary, balance=_both_answers))
