"""Image classification: one label per picture, or several (a sigmoid each)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.inputs.base import to_device
from weigh.inputs.pictures import Pictures, crops, prepare_squares
from weigh.models.network import Network, make_network
from weigh.models.pretrained import Preprocessing, Pretrained
from weigh.run import Setting
from weigh.tasks.base import TASKS, Progress, Stream, Task
from weigh.tasks.classes import class_loss, class_targets, count_classes

__all__ = ["IMAGE_CLASSIFICATION"]


def _inputs(
    examples: Examples, preparation: Preprocessing, setting: Setting, options: dict[str, Any], progress: Progress
) -> Pictures:
    squares = prepare_squares(examples, preparation, progress, folder=setting.cache)
    return Pictures(squares, preparation, options.get("augment", "none"), setting.device)


def _stream(examples: Examples, preparation: Preprocessing, setting: Setting) -> Stream:
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    done = 0
    for block in crops(examples, preparation, setting.batch):
        pictures = preparation.normalise(to_device(block, setting.device)).contiguous(memory_format=layout)
        yield np.arange(done, done + len(block)), pictures
        done += len(block)


def _adapt(model: Pretrained, examples: Examples, generator: torch.Generator | None, *, frozen: bool) -> Network:  # noqa: ARG001
    return make_network(model, count_classes(examples), generator)


IMAGE_CLASSIFICATION = TASKS.register(
    "image-classification",
    Task(
        name="image-classification",
        reads="pictures",
        inputs=_inputs,
        stream=_stream,
        collate=class_targets,
        adapt=_adapt,
        loss=class_loss,
        width=count_classes,
    ),
)
