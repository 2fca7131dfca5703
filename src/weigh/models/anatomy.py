"""What a model source knows of the inside of its models. The defaults know any network of torch layers; nobody else looks inside.

A source whose models are built otherwise gives its own functions, so a model answers for itself: which vectors it offers, how deep a
parameter lies, where it may be cut, what may be folded, how many operations a pass takes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from weigh.errors import ModelError
from weigh.language import Text, text
from weigh.models.fold import fold_batch_norms
from weigh.models.layers import side_by_side
from weigh.models.maps import Pyramid, find_maps
from weigh.models.stage import Cut, split_last_stage

__all__ = ["TORCH", "Anatomy", "count_operations", "cut_last_linear", "depth_of_parameters", "weights_digest"]


def cut_last_linear(module: nn.Module, address: str) -> int:
    """Take the last linear layer away: the module then returns its last features `(n, width)`; returns the width.

    Raises:
        ModelError: There is none.
    """
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


def depth_of_parameters(network: nn.Module, plain: Callable[[str], str] = str) -> dict[str, int]:
    """Parameter name -> depth, 0 for the stem, greatest for the head: for layer-wise learning-rate decay.

    Parameters belong to one layer as long as the name up to and including its second number (or second part) is the
    same: "body.blocks.3.0", "body.layer2.1", "body.features.7", in a pyramid "body.body.blocks.3.0". Layers are numbered in the order of
    definition.

    Args:
        plain: Takes from a name what only says in which part of the body the layers stand.
    """
    layers: dict[str, int] = {}
    depth = {}
    for name, _ in network.named_parameters():
        match = re.match(r"((?:body\.)*body(?:\.[A-Za-z_]\w*)?(?:\.\w*\d+)?(?:\.\d+)?)", plain(name))
        layer = match[1] if match and not name.startswith("head") else "head"
        depth[name] = layers.setdefault(layer, len(layers))
    return depth


def names_of_head(module: nn.Module) -> set[str]:
    """Names of the parameters of the head: timm names it; elsewhere it is the last linear layer, as `cut_last_linear` has it."""
    if hasattr(module, "get_classifier"):
        heads = module.get_classifier()  # type: ignore[operator]
        parts = {id(part) for part in (heads if isinstance(heads, (tuple, list)) else [heads])}
        names = {f"{n}.{p}" for n, m in module.named_modules() if id(m) in parts for p, _ in m.named_parameters()}
        if names:
            return names
    linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    return {f"{linear[-1]}.weight", f"{linear[-1]}.bias"} & set(module.state_dict()) if linear else set()


def count_operations(module: nn.Module, blank: torch.Tensor) -> int:
    """Multiply-accumulates of convolutions and linear layers for the batch `blank`, counted in one forward pass."""
    counted = [0]

    def count(layer: nn.Module, _inputs, output: torch.Tensor) -> None:
        weight: torch.Tensor = layer.weight  # type: ignore[assignment]
        counted[0] += output.numel() * (weight.shape[1] if isinstance(layer, nn.Linear) else weight[0].numel())

    layers = [m for m in module.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.inference_mode():
            module(blank)
    finally:
        for hook in hooks:
            hook.remove()
    return counted[0]


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over names, shapes and bytes of the state dict, in order."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Anatomy:
    """Functions of a model's module.

    Attributes:
        features: `(module, address) -> width`: from now on the module returns a vector per example; None: it has none.
        tokens: `(module) -> None`: from now on it returns one per token; None: it has none.
        layers: `(module, width, blank) -> (body, width)` of a module that returns features of this width: what returns those of several of its
            layers beside them; None: it shows no others.
        maps: `(module, blank) -> Pyramid` of a module that returns features, if it has any; None: it has none.
        boxes: `(module, blank) -> Pyramid` with an `own_boxes.OwnDetector`, of a whole detector; None: it is none.
        head: `(module) -> names` of the parameters of its head.
        beside: Beginnings of names in its checkpoints of what the module does not have (a classifier that only helped to train it).
        trainable: Whether its weights can be trained.
        depths: `(network) -> parameter name -> depth` in a `Network`.
        split: `(body, *, size, native, address) -> Cut` where its last stage begins.
        cuts: Where its network may be cut (`Recipe.frozen`).
        fold: `(module, like) -> module` that computes the same, faster.
        operations: `(module, blank) -> multiply-accumulates` of a batch.
        parameters: `(module) -> their number`; 0 where nobody knows.
        bytes: `(module) -> size of its weights`; 0 where nobody knows.
        digest: `(module) -> hash` of all weights.
        configure: `(module, options)`: takes those of a recipe's options that speak of it.
        settings: `(module) -> options` with which `configure` makes it as it is.
        inner: `(body) -> module` of the library that it comes from, whose layers adapters stand beside.
        inner_name: What stands before that library's own names of weights in the module.
        embedding: `(body) -> table` of the vectors that tokens start as; None: it has none.
        take_sizes: `(module, shapes by name)`: fits the module to weights from a saved model or a file, where their names and shapes say
            more than its architecture does (what was learnt; that batch norms are frozen).
        lacking: Port that is not offered -> why, where that is known.
        instead: Where the same network can be had so that it can be trained, for who asks for that.
    """

    features: Callable[[nn.Module, str], int] | None = cut_last_linear
    tokens: Callable[[nn.Module], None] | None = None
    layers: Callable[[nn.Module, int, torch.Tensor], tuple[nn.Module, int]] | None = side_by_side
    maps: Callable[[nn.Module, torch.Tensor], Pyramid] | None = find_maps
    boxes: Callable[[nn.Module, torch.Tensor], Pyramid] | None = None
    head: Callable[[nn.Module], set[str]] = names_of_head
    beside: tuple[str, ...] = ()
    trainable: bool = True
    depths: Callable[[nn.Module], dict[str, int]] = depth_of_parameters
    split: Callable[..., Cut] = split_last_stage
    cuts: frozenset[str] = frozenset({"head", "last-stage"})
    fold: Callable[[nn.Module, torch.Tensor], nn.Module] = fold_batch_norms
    operations: Callable[[nn.Module, torch.Tensor], int] = count_operations
    parameters: Callable[[nn.Module], int] = lambda module: sum(p.numel() for p in module.parameters())
    bytes: Callable[[nn.Module], int] = lambda module: sum(
        t.numel() * t.element_size() for t in module.state_dict().values()
    )
    digest: Callable[[nn.Module], str] = weights_digest
    configure: Callable[[nn.Module, dict[str, Any]], None] = lambda _module, _options: None
    settings: Callable[[nn.Module], dict[str, Any]] = lambda _module: {}
    inner: Callable[[nn.Module], nn.Module] = lambda body: body
    inner_name: str = ""
    embedding: Callable[[nn.Module], Any] | None = None
    take_sizes: Callable[[nn.Module, Mapping[str, Sequence[int]]], None] = lambda _module, _shapes: None
    lacking: Mapping[str, Text] = field(default_factory=dict)
    instead: Text | None = None

    @property
    def ports(self) -> frozenset[str]:
        """What its models offer (`pretrained.PORTS`)."""
        offered = {
            "features": self.features,
            "layers": self.features and self.layers,
            "network": self.trainable,
            "tokens": self.tokens,
            "maps": self.maps,
            "boxes": self.boxes,
        }
        return frozenset(name for name, has in offered.items() if has)


TORCH = Anatomy()
