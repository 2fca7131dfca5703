"""Batch norms of torchvision's pretrained detectors, whose statistics and weights stay as they are.

Before it: weights, from torchvision or a file or a saved model. After it: `torchvision.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torchvision.ops import FrozenBatchNorm2d

__all__ = ["freeze_norms", "freeze_norms_as_kept"]


def freeze_norms(backbone: nn.Module, eps: float) -> None:
    """Batch norms as the library has them in pretrained backbones: statistics and weights stay."""
    for name, norm in list(backbone.named_modules()):
        if type(norm) is nn.BatchNorm2d:
            frozen = FrozenBatchNorm2d(norm.num_features, eps)
            frozen.load_state_dict(
                {key: value for key, value in norm.state_dict().items() if key != "num_batches_tracked"}
            )
            backbone.set_submodule(name, frozen)


def freeze_norms_as_kept(module: Any, shapes: Mapping[str, Sequence[int]], *, eps: float) -> None:
    """Freeze the batch norms of a detector's backbone where the weights that it is to take come from frozen ones.

    Only batch norms that are trained count their batches, so weights without such a number come from frozen ones. A network that is built
    for weights which lie elsewhere has batch norms of torch, whose epsilon may be another one.

    Args:
        shapes: Of the weights, by name.
        eps: Of the frozen batch norms.
    """
    if not any(name.endswith("num_batches_tracked") for name in shapes):
        freeze_norms(module.backbone, eps)
