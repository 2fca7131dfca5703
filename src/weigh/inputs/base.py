"""What a network is fed with, batch by batch, whatever an example is: one protocol for pictures, texts and activations.

Before it: `models/` says how a model wants its examples. After it: `tasks/` name the inputs of a task, `train/` loops.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

__all__ = ["Inputs", "consecutive", "to_device"]


class Inputs(Protocol):
    """The examples of one study, prepared for one model."""

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor | None:
        """`(n, …)`: what augmentation does to each of `n` examples; None where there is none."""
        ...

    def batch(self, indices: np.ndarray, drawn: torch.Tensor | None = None) -> torch.Tensor:
        """What the network takes, on the device; without `drawn` the examples are as they are."""
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
