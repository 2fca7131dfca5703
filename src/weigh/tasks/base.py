"""What differs between tasks, and nothing else: what the network is fed with, its head, the loss, what a prediction is.

`train/` knows how to train and predict; a task tells it on what. One task is one file that registers itself in `TASKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.errors import ModelError
from weigh.inputs.base import Inputs
from weigh.language import text
from weigh.models.network import Network
from weigh.models.pretrained import Pretrained
from weigh.registry import Registry
from weigh.run import Setting

__all__ = ["TASKS", "Progress", "Stream", "Task", "plain_outputs"]

Progress = Callable[[str, int, int], None] | None
Stream = Iterator[tuple[np.ndarray, torch.Tensor]]


def plain_outputs(logits: torch.Tensor, _batch: torch.Tensor, _width: int) -> np.ndarray:
    """`(n, width)` float32: the logits themselves."""
    return logits.float().cpu().numpy()


@dataclass(frozen=True)
class Task:
    """One task. Functions only; state lives in what they are given. `preparation` is `Pretrained.preprocessing`, configured.

    Attributes:
        name: As in study.yaml.
        reads: What its examples are; the models must be made for it.
        inputs: `(examples, preparation, setting, options, progress) -> Inputs`: all examples, prepared for many epochs.
        stream: `(examples, preparation, setting) -> (positions, batch), …`: every example once, in an order and in batches
            that depend on nothing but the examples.
        collate: `(targets of a batch, the batch) -> tensor` that `loss` takes.
        adapt: `(pretrained, examples, generator, *, frozen) -> Network`: the body with a new head; `frozen`: for recipes that train
            the head alone.
        loss: `(logits, target, weight) -> () tensor`: mean over the batch; `weight` per class, or None.
        width: `(examples) -> int`: length of one example's outputs.
        outputs: `(logits, batch, width) -> (n, width)` float32: what is recorded of each example.
        start: `(network, training targets)`: sets the head before training; None: as it was drawn.
        tokens: Texts come cut into tokens.
    """

    name: str
    reads: Literal["pictures", "texts"]
    inputs: Callable[[Examples, Any, Setting, dict[str, Any], Progress], Inputs]
    stream: Callable[[Examples, Any, Setting], Stream]
    collate: Callable[[np.ndarray, torch.Tensor], torch.Tensor]
    adapt: Callable[..., Network]
    loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
    width: Callable[[Examples], int]
    outputs: Callable[[torch.Tensor, torch.Tensor, int], np.ndarray] = plain_outputs
    start: Callable[[Network, np.ndarray], None] | None = None
    tokens: bool = False

    def require(self, model: Pretrained) -> None:
        """Nothing, or the error that the model is not made for these examples.

        Raises:
            ModelError: A model of pictures for a task on texts, or the other way round.
        """
        if model.reads != self.reads:
            raise ModelError(
                text(
                    "{a} reads {r}, and this study has {s}.",
                    "{a} 处理的是{r}，而本研究的数据是{s}。",
                    a=model.address.written,
                    r=KINDS[model.reads],
                    s=KINDS[self.reads],
                ),
                do=text(
                    "Models of texts: hf:…; of pictures: timm:…, torchvision:….",
                    "文本模型：hf:…；图片模型：timm:…、torchvision:…。",
                ),
            )

    def facts(self, model: Pretrained, preparation: Any, examples: Examples) -> dict[str, Any]:
        """What is known of the model on these examples: `Pretrained.facts`, and of texts how the vocabulary fits them."""
        facts = {**model.facts(), "input_size": preparation.size}
        texts = examples.texts if examples.texts is not None else examples.tokens
        if self.reads == "texts" and texts is not None:
            sentences = texts if examples.texts is not None else [(" ".join(tokens),) for tokens in texts]
            facts["texts"] = preparation.count(list(sentences))
        return facts

    def build(
        self, model: Pretrained, examples: Examples, generator: torch.Generator | None = None, *, frozen: bool = False
    ) -> Network:
        """`model` with a head for this task.

        Raises:
            ModelError: A model of pictures for a task on texts, or the other way round.
        """
        self.require(model)
        return self.adapt(model, examples, generator, frozen=frozen)


KINDS = {"pictures": text("pictures", "图片"), "texts": text("texts", "文本")}
TASKS: Registry[Task] = Registry(
    text("task", "任务"),
    modules=(
        "weigh.tasks.image_classification",
        "weigh.tasks.text_classification",
        "weigh.tasks.text_regression",
        "weigh.tasks.token_classification",
    ),
)
