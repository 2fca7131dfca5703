"""A pretrained body with a new linear head: the one shape that every recipe trains and that is saved.

`logits = head(body(batch))`: the body ends where the old head began, so features for a probe, fine-tuning and the
saved model share one definition, whatever the source of the architecture.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.encoder import Encoder
from weigh.models.fold import fold_batch_norms
from weigh.models.pretrained import Pretrained
from weigh.models.stage import Prefix, split_last_stage

__all__ = ["Answering", "Network", "Stage", "depth_of_parameters", "make_network"]


class Answering(Protocol):
    """What the kind of a task adds to a network (`heads.base.Head`)."""

    @property
    def loss(self) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]: ...
    @property
    def answers(self) -> Callable[[torch.Tensor, torch.Tensor, int], np.ndarray]: ...
    @property
    def count(self) -> Callable[[torch.Tensor], int]: ...
    @property
    def balance(self) -> Callable[[np.ndarray, int], torch.Tensor] | None: ...


class Network(nn.Module):
    """`forward`: a batch (pictures `(n, 3, size, size)`, tokens `(n, 3, length)`) to logits.

    Args:
        answering: Loss and answers; None: a network that only gives logits.
        compute: `(body, batch) -> features`, where that is not `body(batch)`.
    """

    class_weight: torch.Tensor | None

    def __init__(
        self,
        body: nn.Module,
        head: nn.Linear,
        answering: Answering | None = None,
        compute: Callable[[nn.Module, torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.body, self.head, self._answering, self._compute = body, head, answering, compute
        self.register_buffer("class_weight", None, persistent=False)

    @property
    def width(self) -> int:
        """Of its features."""
        return self.head.in_features

    @property
    def outputs(self) -> int:
        """Logits of one example, or of one token."""
        return self.head.out_features

    def features(self, batch: torch.Tensor) -> torch.Tensor:
        """`(n, width)`, or `(n, length, width)`: what goes into the head."""
        return self.body(batch) if self._compute is None else self._compute(self.body, batch)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(batch))

    def loss(self, batch: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """`()`: the mean over the batch, in single precision whatever the passes run in."""
        assert self._answering is not None
        logits = self(batch)
        with torch.autocast(logits.device.type, enabled=False):
            return self._answering.loss(logits.float(), targets, self.class_weight)

    def count(self, targets: torch.Tensor) -> int:
        """Of how many labels the loss is a mean: examples, or words of sentences."""
        assert self._answering is not None
        return self._answering.count(targets)

    def answers(self, batch: torch.Tensor, width: int) -> np.ndarray:
        """`(n, width)` float32: what is recorded of each example."""
        assert self._answering is not None
        return self._answering.answers(self(batch), batch, width)

    def balance(self, target: np.ndarray) -> None:
        """From now on rare classes of the training targets count in the loss as much as frequent ones."""
        assert self._answering is not None
        assert self._answering.balance is not None
        self.class_weight = self._answering.balance(target, self.outputs).to(self.head.weight.device)

    def set_head(self, weight: np.ndarray | None = None, bias: np.ndarray | None = None) -> None:
        """Put `(outputs, width)` and `(outputs,)` into the head; None: it keeps its own."""
        with torch.no_grad():
            for own, values in ((self.head.weight, weight), (self.head.bias, bias)):
                if values is not None:
                    own.copy_(torch.from_numpy(values.astype(np.float32)))

    def frozen(self, like: torch.Tensor) -> nn.Module:
        """What computes its features for good, in eval mode: faster where that is exact (`fold.py`).

        Args:
            like: A batch of the shape and on the device that the network takes.
        """
        return fold_batch_norms(self.body, like)

    def split(self, *, size: int, native: int, address: str) -> Stage:
        """Cut where the last stage begins: `stage.split_last_stage`, with the head on the tail."""
        cut = split_last_stage(self.body, size=size, native=native, address=address)
        return Stage(self, cut.prefix, Network(cut.rest, self.head, self._answering, cut.resume), cut.first, cut.shape)


@dataclass(frozen=True)
class Stage:
    """A network and its two halves, which share its weights.

    Attributes:
        whole: The network; its frozen part takes no gradients.
        prefix: Pictures to activations, in eval mode.
        tail: Activations to logits. Its parts, and so its weights, are those of the network: training it trains the network.
        first: Name of the module where the tail begins.
        shape: Of one picture's activations.
    """

    whole: Network
    prefix: Prefix
    tail: Network
    first: str
    shape: tuple[int, ...]


def make_network(
    model: Pretrained, outputs: int, generator: torch.Generator | None = None, answering: Answering | None = None,
    around: Callable[[nn.Module, int], tuple[nn.Module, int]] = lambda body, width: (body, width),
) -> Network:  # fmt: skip
    """Replace the head of `model` by a linear layer; the model's module is taken over, not copied.

    Args:
        generator: Draws the new head (normal, sd 0.01, as linear evaluation protocols do); None: zeros.
        around: `(body, width) -> (body, width)`: what stands around the model's own body.

    Raises:
        ModelError: An architecture whose head cannot be found.
    """
    body, width = around(model.module, _cut_head(model.module, model.address.written))
    head = nn.Linear(width, outputs)
    with torch.no_grad():
        head.bias.zero_()
        head.weight.zero_()
        if generator is not None:
            head.weight.normal_(0, 0.01, generator=generator)
    return Network(body, head, answering)


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
