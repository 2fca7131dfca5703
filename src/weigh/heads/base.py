"""What a network needs besides its body, for each kind of target: how wide its head is, the loss, what an answer is. One file per kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from weigh.data.examples import Examples
from weigh.inputs.base import Batch, Placed
from weigh.language import text
from weigh.models.maps import Pyramid
from weigh.models.network import Network
from weigh.registry import Registry

__all__ = ["HEADS", "Exported", "Head", "head_of", "number_of_classes", "same_total"]


def plain_answers(_head: nn.Module, logits: torch.Tensor, _batch: Batch, _width: int) -> np.ndarray:
    """`(n, width)` float32: the logits themselves."""
    return logits.float().cpu().numpy()


def number_of_classes(examples: Examples) -> int:
    """As many outputs, or recorded numbers, as there are classes."""
    return len(examples.classes)


def same_total(counts: np.ndarray) -> torch.Tensor:
    """`(classes,)` float32 weights that give every class that occurs the same total, one on average; 0 for the others.

    Args:
        counts: `(classes,)` how often each occurs.
    """
    occurs = counts > 0
    weights = counts.sum() / (np.maximum(counts, 1) * max(int(occurs.sum()), 1))
    return torch.from_numpy(np.where(occurs, weights, 0).astype(np.float32))


class Exported(NamedTuple):
    """What a program that opens the ONNX file of a model is given.

    Attributes:
        names: Of its outputs.
        outputs: `(logits, pictures) -> tensors`, one for each name; traced.
    """

    names: tuple[str, ...]
    outputs: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, ...]]


@dataclass(frozen=True)
class Head:
    """The head of a kind. Functions only; state lives in what they are given.

    Attributes:
        outputs: `(examples) -> int`: outputs of the linear layer.
        width: `(examples) -> int`: numbers that are recorded of one example.
        targets: `(targets of a batch, the batch, where its pictures stand) -> tensor` that `loss` takes; what has a place in the picture moves with it.
        loss: `(logits, target, weight) -> () tensor`: mean over the batch; `weight` as `balance` gives it, or None.
        count: `(target) -> int`: of how many labels that loss is a mean.
        answers: `(head module, logits, batch, width) -> (n, …)`: what the network says of each example; `Kind.recorded` makes of it what a run keeps.
        balance: `(training targets, outputs) -> weights` with which rare classes count as much as frequent ones; None: there are no classes.
        losses: Other losses by the name that the option `loss` calls them.
        port: What it takes of a model (`models.pretrained.PORTS`).
        own: The head in place of this one for models that offer its port: those that answer by themselves. None: there are no such models.
        decoder: `(pyramid, outputs, generator) -> module` from its maps to logits; for the port "maps".
        start: `(network, training examples)`: sets the head before training; None: as it was drawn.
        settle: `(recorded, targets) -> {name: value}`: numbers that are chosen after training on examples that took no part in it; buffers of
            the head module take them. A refit takes the means of those of the cross-validation. None: there are none.
        exported: Outputs of its ONNX file; None: those of classes and numbers.
    """

    outputs: Callable[[Examples], int]
    width: Callable[[Examples], int]
    targets: Callable[[np.ndarray, torch.Tensor, Placed | None], torch.Tensor]
    loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
    count: Callable[[torch.Tensor], int] = len
    answers: Callable[[nn.Module, torch.Tensor, Batch, int], np.ndarray] = plain_answers
    balance: Callable[[np.ndarray, int], torch.Tensor] | None = None
    losses: Mapping[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]] = field(
        default_factory=dict
    )
    port: Literal["features", "tokens", "maps", "boxes"] = "features"
    own: Head | None = None
    decoder: Callable[[Pyramid, int, torch.Generator | None], nn.Module] | None = None
    start: Callable[[Network, Examples], None] | None = None
    settle: Callable[[np.ndarray, np.ndarray], dict[str, float]] | None = None
    exported: Exported | None = None

    def on(self, ports: Collection[str]) -> Head | None:
        """Itself, or the one in its place, for a model that offers these ports; None: the model has nothing that it takes."""
        if self.own is not None and self.own.port in ports:
            return self.own
        return self if self.port in ports else None


# by the name of the kind
HEADS: Registry[Head] = Registry(
    text("head", "输出头"),
    modules=tuple(f"weigh.heads.{name}" for name in ("classes", "number", "spans", "masks", "boxes")),
)


def head_of(examples: Examples) -> Head:
    """The head for what these examples are labelled with.

    Raises:
        SpecError: Nothing trains this kind.
    """
    return HEADS.get(examples.kind.name)
