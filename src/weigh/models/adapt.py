"""A pretrained network made to fit a task: its head found, replaced, its features read, its layers ordered by depth.

The head is the last linear layer; a network's features are what goes into it, one vector per picture. Nothing here
depends on where the network came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from weigh.errors import ModelError
from weigh.language import text

__all__ = ["Head", "find_head", "forward_features", "freeze_statistics", "parameter_groups", "replace_head"]


class Head(NamedTuple):
    """The last linear layer: its dotted name in the network, and the layer."""

    name: str
    layer: nn.Linear


def find_head(module: nn.Module) -> Head:
    """The linear layer that makes the logits.

    Raises:
        ModelError: The network does not end in one linear layer.
    """
    own = module.get_classifier() if hasattr(module, "get_classifier") else None
    found = None
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear) and (own is None or layer is own or not isinstance(own, nn.Linear)):
            found = Head(name, layer)
    if found is None or isinstance(own, (tuple, list)):
        raise ModelError(
            text(
                "{c} does not end in one linear layer.",
                "{c} 的末端不是单个线性层。",
                c=type(module).__name__,
            ),
            text("A probe and a new head need the features before it.", "线性探测和新的线性头需要其前的特征。"),
            text("Choose another model.", "请选择其他模型。"),
        )
    return found


def replace_head(module: nn.Module, classes: int, generator: torch.Generator) -> nn.Linear:
    """Put a new head of `classes` outputs on `module`, in place: weights N(0, 0.01²), bias zero."""
    name, old = find_head(module)
    head = nn.Linear(old.in_features, classes)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=generator) * 0.01)
        head.bias.zero_()
    module.set_submodule(name, head.to(old.weight.device))
    if hasattr(module, "num_classes"):
        module.num_classes = classes
    return head


def forward_features(module: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """`(n, 3, h, w)` pictures to `(n, d)`: what goes into the head.

    Raises:
        ModelError: What goes into the head is not one vector per picture.
    """
    caught: list[torch.Tensor] = []
    hook = find_head(module).layer.register_forward_pre_hook(lambda _layer, inputs: caught.append(inputs[0]))
    try:
        module(pictures)
    finally:
        hook.remove()
    if not caught or caught[-1].ndim != 2 or len(caught[-1]) != len(pictures):
        raise ModelError(
            text(
                "{c} has no single feature vector per picture.",
                "{c} 没有每张图片一个特征向量。",
                c=type(module).__name__,
            ),
            do=text("Choose another model.", "请选择其他模型。"),
        )
    return caught[-1]


def parameter_groups(
    module: nn.Module, *, learning_rate: float, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Parameters for an optimiser: each block's rate is `layer_decay` times that of the block after it.

    Weight decay is left off vectors (norms and biases), as is usual (ELECTRA, BEiT). Blocks are taken in the order in
    which the network registers them: everything up to the first number in a name ("blocks.3", "layer1.0").
    """
    head = find_head(module).name
    blocks: dict[str, int] = {}
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    for name, _ in named:
        if not name.startswith(head + "."):
            blocks.setdefault(_block(name), len(blocks))
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in named:
        depth = len(blocks) if name.startswith(head + ".") else blocks[_block(name)]
        decayed = parameter.ndim > 1
        group = groups.setdefault(
            (depth, decayed),
            {
                "params": [],
                "lr": learning_rate * layer_decay ** (len(blocks) - depth),
                "weight_decay": weight_decay if decayed else 0.0,
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def _block(name: str) -> str:
    parts = name.split(".")
    for index, part in enumerate(parts[:-1]):
        if re.search(r"\d", part):
            block = ".".join(parts[: index + 1])
            # a norm that stands alone ("bn1") belongs to the layer before it, at the same depth as the stem
            return "stem" if index == 0 and re.fullmatch(r"(conv|bn|norm)_?1", part) else block
    return "stem" if parts[0] in ("conv_stem", "patch_embed", "stem", "cls_token", "pos_embed") else parts[0]


def freeze_statistics(module: nn.Module) -> None:
    """Batch norms use and keep their pretrained statistics, also while training (their scales still learn)."""
    for layer in _batch_norms(module):
        layer.eval()


def _batch_norms(module: nn.Module) -> Iterator[nn.Module]:
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            yield layer
