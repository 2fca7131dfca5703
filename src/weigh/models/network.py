"""A pretrained body with a new linear head: the one shape that every recipe trains and that is saved.

`logits = head(body(batch))`: the body ends where the old head began, so features for a probe, fine-tuning and the
saved model share one definition, whatever the source of the architecture.
"""

from __future__ import annotations

import re

import torch
from torch import nn

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.encoder import Encoder
from weigh.models.pretrained import Pretrained

__all__ = ["Network", "depth_of_parameters", "make_network"]


class Network(nn.Module):
    """`forward`: a batch (pictures `(n, 3, size, size)`, tokens `(n, 3, length)`) to logits; `body` alone gives `(n, width)` features."""

    def __init__(self, body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(batch))


def make_network(
    model: Pretrained, classes: int, generator: torch.Generator | None = None, *, copies: int = 1
) -> Network:
    """Replace the head of `model` by a linear layer for `classes`; the model's module is taken over, not copied.

    Args:
        generator: Draws the new head (normal, sd 0.01, as linear evaluation protocols do); None: zeros.
        copies: The head takes so many vectors of the body at once.

    Raises:
        ModelError: An architecture whose head cannot be found.
    """
    width = _cut_head(model.module, model.address.written)
    head = nn.Linear(width * copies, classes)
    with torch.no_grad():
        head.bias.zero_()
        head.weight.zero_()
        if generator is not None:
            head.weight.normal_(0, 0.01, generator=generator)
    return Network(model.module, head)


def _cut_head(module: nn.Module, address: str) -> int:
    """Make the module return its last features `(n, width)`; returns the width."""
    if isinstance(module, Encoder):  # has no head
        return module.width
    if hasattr(module, "reset_classifier"):  # timm
        head = module.get_classifier()  # type: ignore[operator]
        width = int(getattr(module, "head_hidden_size", 0) or getattr(module, "num_features", 0))
        if isinstance(head, nn.Linear):
            width = head.in_features
        module.reset_classifier(0)  # type: ignore[operator]
        return width
    linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    if linear:
        parent, _, leaf = linear[-1].rpartition(".")
        owner = module.get_submodule(parent)
        width = getattr(owner, leaf).in_features
        setattr(owner, leaf, nn.Identity())
        return width
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    if hasattr(module, "classifier") and convolutions:  # SqueezeNet: a convolution over the last map, then pooling
        width = convolutions[-1].in_channels
        module.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return width
    raise ModelError(
        text("The head of {a} cannot be found.", "找不到 {a} 的分类头。", a=address),
        do=text("Use a model of timm: or a torchvision classifier.", "请使用 timm: 模型或 torchvision 分类模型。"),
    )


def depth_of_parameters(network: nn.Module) -> dict[str, int]:
    """Parameter name -> depth, 0 for the stem, greatest for the head: for layer-wise learning-rate decay.

    Parameters belong to one layer as long as the name up to and including its second number (or second part) is the
    same: "body.blocks.3.0", "body.layer2.1", "body.features.7". Layers are numbered in the order of definition.
    """
    layers: dict[str, int] = {}
    depth = {}
    for name, _ in network.named_parameters():
        match = re.match(r"(body(?:\.[A-Za-z_]\w*)?(?:\.\w*\d+)?(?:\.\d+)?)", name)
        layer = match[1] if match and not name.startswith("head") else "head"
        depth[name] = layers.setdefault(layer, len(layers))
    return depth
