"""What differs between tasks, and nothing else: how a batch is made, what the head is, the loss, and what a prediction is.

`train/` knows how to train and predict; a task tells it on what. One task is one file that registers itself in `TASKS`;
today that is image classification. Texts, tokens, boxes and masks each add a file; what they will need beyond this
(outputs that are not one row of logits, augmentation that moves boxes) is added here when the first of them is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.language import text
from weigh.models.network import Network
from weigh.models.pretrained import Preprocessing, Pretrained
from weigh.registry import Registry

__all__ = ["TASKS", "Task"]


@dataclass(frozen=True)
class Task:
    """One task. Functions only; state lives in what they are given.

    Attributes:
        name: As in study.yaml.
        decode: `(examples, index, preprocessing) -> (size, size, 3) uint8`: one example as the model wants to see it,
            before augmentation. Pure: called from threads, cached by content.
        collate: `(targets of a batch) -> tensor` that `loss` takes.
        adapt: `(pretrained, classes, generator) -> Network`: the body with a new head.
        loss: `(outputs, target, weight) -> () tensor`: mean over the batch; `weight` per class, or None.
        headed: Whether frozen features with a linear head make sense (recipes that train only a head).
    """

    name: str
    decode: Callable[[Examples, int, Preprocessing], np.ndarray]
    collate: Callable[[np.ndarray], torch.Tensor]
    adapt: Callable[[Pretrained, int, torch.Generator | None], Network]
    loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
    headed: bool = True


TASKS: Registry[Task] = Registry(text("task", "任务"), modules=("weigh.tasks.image_classification",))
