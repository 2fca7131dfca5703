"""Text classification: sentiment, topics, sentence pairs; one label per text, or several (a sigmoid each)."""

from __future__ import annotations

import torch

from weigh.data.examples import Examples
from weigh.models.network import Network
from weigh.models.pretrained import Pretrained
from weigh.tasks.base import TASKS, Task
from weigh.tasks.classes import class_loss, class_targets, count_classes
from weigh.tasks.texts import adapt_texts, stream_texts, text_inputs

__all__ = ["TEXT_CLASSIFICATION"]


def _adapt(model: Pretrained, examples: Examples, generator: torch.Generator | None, *, frozen: bool) -> Network:
    return adapt_texts(model, count_classes(examples), examples, generator, frozen=frozen)


TEXT_CLASSIFICATION = TASKS.register(
    "text-classification",
    Task(
        name="text-classification",
        reads="texts",
        inputs=text_inputs,
        stream=stream_texts,
        collate=class_targets,
        adapt=_adapt,
        loss=class_loss,
        width=count_classes,
    ),
)
