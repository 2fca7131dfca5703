"""What differs between tasks, and nothing else: how a batch is made, what the head is, the loss, and what a prediction is.

`train/` knows how to train and predict; a task tells it on what. One task is one file that registers itself in `TASKS`;
today that is image classification. Detection, segmentation, texts and tokens each add a file: their own `decode`
(boxes and masks stay with the picture), `adapt` (another head), `loss` and `predict`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from weigh.data.examples import Examples
from weigh.language import text
from weigh.models.pretrained import Preprocessing
from weigh.registry import Registry

__all__ = ["TASKS", "Task"]


@dataclass(frozen=True)
class Task:
    """One task. Functions only; state lives in what they are given.

    Attributes:
        name: As in study.yaml.
        decode: `(examples, index, preprocessing) -> (h, w, 3) uint8`: one example as the model wants to see it, before
            augmentation. Pure: called from threads, cached by content.
        collate: `(examples, indices) -> target tensor(s)` of a batch.
        adapt: `(module, classes, generator) -> None`: a new head, in place.
        loss: `(outputs, target, weight) -> () tensor`: mean over the batch; `weight` per class, or None.
        predict: `(outputs) -> array` of what is recorded, for classification `(n, classes)` float32 logits.
        strata: `(examples, indices) -> (n,) or (n, classes)`: what inner splits spread evenly.
        headed: Whether frozen features with a linear head make sense (a probe).
    """

    name: str
    decode: Callable[[Examples, int, Preprocessing], np.ndarray]
    collate: Callable[[Examples, np.ndarray], torch.Tensor]
    adapt: Callable[[nn.Module, int, torch.Generator], Any]
    loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
    predict: Callable[[torch.Tensor], np.ndarray]
    strata: Callable[[Examples, np.ndarray], np.ndarray]
    headed: bool = True


TASKS: Registry[Task] = Registry(text("task", "任务"), modules=("weigh.tasks.image_classification",))
