"""What a network is fed with, batch by batch, whatever an example is: one protocol for pictures, texts and activations.

Before it: `models/` says how a model wants its examples. After it: `train/` loops. One file per medium registers how its examples are fed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from weigh.data.examples import Examples
from weigh.language import text
from weigh.notices import Progress
from weigh.registry import Registry
from weigh.run import Setting

__all__ = [
    "FEEDS",
    "Batch",
    "Feed",
    "Inputs",
    "Label",
    "Placed",
    "Stream",
    "consecutive",
    "to_device",
    "unlabelled",
]


class Batch(NamedTuple):
    """Some examples, on the device.

    Attributes:
        inputs: What the network takes.
        targets: What its loss takes, moved as augmentation moved the inputs; None of examples without labels.
        sizes: `(n, 2)` height and width of the pictures before they were scaled into the frame; None where nothing asks for them.
        frame: Height and width that the network sees of pictures.
    """

    inputs: torch.Tensor
    targets: torch.Tensor | None = None
    sizes: np.ndarray | None = None
    frame: tuple[int, int] | None = None


class Placed(NamedTuple):
    """Where pictures stand in what the network sees.

    Attributes:
        frame: Its height and width.
        drawn: `(n, 5)` as `augment.draw` gives it; None: pictures as they are.
    """

    frame: tuple[int, int]
    drawn: torch.Tensor | None


Stream = Iterator[tuple[np.ndarray, Batch]]
# (indices, what the network takes of them, where pictures stand in it) -> targets, on the device
Label = Callable[[np.ndarray, torch.Tensor, Placed | None], torch.Tensor | None]


def unlabelled(_indices: np.ndarray, _batch: torch.Tensor, _placed: Placed | None) -> None:
    """The `Label` of examples without labels."""


class Inputs(Protocol):
    """The examples of one study, prepared for one model."""

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor | None:
        """`(n, …)`: what augmentation does to each of `n` examples; None where there is none."""
        ...

    def batch(self, indices: np.ndarray, drawn: torch.Tensor | None = None) -> Batch:
        """These examples and their targets, transformed together; without `drawn` they are as they are."""
        ...

    def cut(self, indices: np.ndarray, size: int, *, training: bool = False) -> list[np.ndarray]:
        """Positions in `indices`, batch by batch: of about `size` examples, of exactly so many in training.

        In training the order of `indices` is random and decides which examples meet.
        """
        ...


def to_device(block: np.ndarray, device: str) -> torch.Tensor:
    """`block` on the device; to a GPU from pinned memory, so that the copy runs while the processor goes on."""
    tensor = torch.from_numpy(block)
    if device.startswith("cuda"):
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def consecutive(n: int, size: int) -> list[np.ndarray]:
    """0 … n - 1 in batches of `size`."""
    return [np.arange(i, min(i + size, n)) for i in range(0, n, size)]


@dataclass(frozen=True)
class Feed:
    """How the examples of a medium are fed. `preparation` is `Pretrained.preprocessing`, configured.

    Attributes:
        inputs: `(examples, preparation, setting, options, progress, label) -> Inputs`: all examples, prepared for many epochs.
        stream: `(examples, preparation, setting, *, frozen=True, failed=None) -> (positions, Batch), …`: every example once, in an order and in
            batches that depend on nothing but the examples; `frozen`: for a network of which only the head was trained; `failed` takes the
            examples that cannot be read, and why, else they are an error.
        around: `(body, width, examples, frozen) -> (body, width)`: what stands around a model's body; frozen: for recipes that train the head alone.
        tokens: `(inputs) -> ids` of all tokens that occur, ascending, what fills short rows included; None: examples are no tokens.
        facts: `(examples, preparation)`: what is known of how the preparation suits the examples, for the record.
        restored: What `as_json` of a preparation gave -> the preparation; None: the model has to be loaded for it.
        alike: Any batch costs what a blank one does (pictures of one size, but not texts): a pass is timed on noise.
        reading_seconds: What an example costs on one thread before the network sees it; it is read beside the network, so only the excess counts.
    """

    inputs: Callable[[Examples, Any, Setting, dict[str, Any], Progress | None, Label], Inputs]
    stream: Callable[..., Stream]
    around: Callable[..., tuple[nn.Module, int]] = lambda body, width, *_: (body, width)
    tokens: Callable[[Any], np.ndarray] | None = None
    facts: Callable[[Examples, Any], dict[str, Any]] = lambda _examples, _preparation: {}
    restored: Callable[[dict[str, Any]], Any] | None = None
    alike: bool = False
    reading_seconds: float = 0.0


# by the name of the medium
FEEDS: Registry[Feed] = Registry(
    text("feed", "网络输入"), modules=tuple(f"weigh.inputs.{name}" for name in ("pictures", "texts", "sentences"))
)
