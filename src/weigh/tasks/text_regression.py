"""Numbers from texts: similarity of two sentences on a scale, a rating. The output is the number in the label's own unit."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from weigh.data.examples import Examples
from weigh.models.network import Network
from weigh.models.pretrained import Pretrained
from weigh.tasks.base import TASKS, Task
from weigh.tasks.texts import adapt_texts, stream_texts, text_inputs

__all__ = ["TEXT_REGRESSION"]


def _adapt(model: Pretrained, examples: Examples, generator: torch.Generator | None, *, frozen: bool) -> Network:
    return adapt_texts(model, 1, examples, generator, frozen=frozen)


def _start(network: Network, target: np.ndarray) -> None:
    """The mean of the training labels as bias: thousands of small steps would be spent on reaching it."""
    with torch.no_grad():
        network.head.bias.fill_(float(target.mean()))


def _targets(target: np.ndarray, _batch: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(target.astype(np.float32))


def _loss(logits: torch.Tensor, target: torch.Tensor, _weight: torch.Tensor | None) -> torch.Tensor:
    return functional.mse_loss(logits[:, 0], target)


TEXT_REGRESSION = TASKS.register(
    "text-regression",
    Task(
        name="text-regression",
        reads="texts",
        inputs=text_inputs,
        stream=stream_texts,
        collate=_targets,
        adapt=_adapt,
        loss=_loss,
        width=lambda _examples: 1,
        start=_start,
    ),
)
