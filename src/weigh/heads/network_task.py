"""A task as networks are trained for it: its medium feeds them, and the kind of the examples says what they end in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from weigh.data.examples import Examples
from weigh.errors import ModelError
from weigh.heads.base import HEADS, head_of
from weigh.inputs.base import FEEDS, Feed, Inputs, Label, Placed
from weigh.language import Text, join_texts, text
from weigh.media import MEDIA, Medium
from weigh.models.network import Network, make_network
from weigh.models.pretrained import PORTS, Pretrained
from weigh.notices import Progress
from weigh.run import Setting
from weigh.tasks import TASKS

__all__ = ["label_of", "network_task"]


@dataclass(frozen=True)
class NetworkTask:
    """What `train/` needs to know of a task: how networks are fed (`feed`); what they end in follows from the kind of the examples."""

    name: str
    medium: Medium
    feed: Feed

    def require(self, model: Pretrained, *ports: str, cuts: Collection[str] = (), balanced: bool = False) -> None:
        """Raise an error if the model is not made for these examples, or not for what is asked of it.

        Args:
            cuts: Where its network is to be cut (`Recipe.frozen`).
            balanced: Its loss is to weigh rare classes as much as frequent ones.

        Raises:
            ModelError: A model of pictures for a task on texts, or the other way round; one that lacks a port, or whose loss weighs no classes.
        """
        self._require_head(model)
        for port in ports:
            model.require(port, self.name)
        for cut in sorted(cuts):
            model.require_cut(cut, self.name)
        heads = [HEADS.get(kind).on(model.ports) for kind in TASKS.get(self.name).kinds]
        if balanced and any(head is not None and head.balance is None for head in heads):
            raise ModelError(
                text(
                    "{a} has a loss of its own, which weighs all classes alike.",
                    "{a} 自带损失函数，对所有类别一视同仁。",
                    a=model.address.written,
                ),
                text("class_weights: balanced asks for another one.", "class_weights: balanced 要求另一种损失函数。"),
                text("Leave class_weights out for this model.", "请对该模型去掉 class_weights。"),
            )
        if model.reads != self.medium.reads:
            raise ModelError(
                text(
                    "{a} reads {r}, and this study has {s}.",
                    "{a} 处理的是{r}，而本研究的数据是{s}。",
                    a=model.address.written,
                    r=_title(model.reads),
                    s=self.medium.title,
                ),
                do=_sources(),
            )

    def _require_head(self, model: Pretrained) -> None:
        """Raise an error if the model lacks what heads of this task take; the error names the tasks that it is for."""
        if model.reads != self.medium.reads or _fits(self.name, model):
            return
        offered = [title for port, title in PORTS.items() if port in model.ports]
        tasks = [
            name for name, task in TASKS.items() if MEDIA.get(task.medium).reads == model.reads and _fits(name, model)
        ]
        raise ModelError(
            text("{a} is not for {t}.", "{a} 不适用于 {t}。", a=model.address.written, t=self.name),
            text(
                "It gives {o}, and this task needs {p}.",
                "它提供{o}，而该任务需要{p}。",
                o=join_texts(offered, "; ", "、"),
                p=PORTS[HEADS.get(TASKS.get(self.name).kinds[0]).port],
            ),
            text(
                "It is for: {n}. Use another model here.",
                "它适用于：{n}。请在此换用其他模型。",
                n=", ".join(tasks) or "–",
            ),
        )

    def facts(self, model: Pretrained, preparation: Any, examples: Examples) -> dict[str, Any]:
        """What is known of the model on these examples: `Pretrained.facts`, and of texts how the vocabulary fits them."""
        return {**model.facts(), "input_size": preparation.size, **self.feed.facts(examples, preparation)}

    def build(
        self, model: Pretrained, examples: Examples, generator: torch.Generator | None = None, *, frozen: bool = False
    ) -> Network:
        """`model` with a head for this task.

        Raises:
            ModelError: A model of pictures for a task on texts, or the other way round.
        """
        self.require(model, *(() if frozen else ("network",)))
        head = head_of(examples).on(model.ports)
        assert head is not None

        def around(body: nn.Module, width: int) -> tuple[nn.Module, int]:
            return self.feed.around(body, width, examples, frozen)

        return make_network(
            model, head.outputs(examples), generator, head, around, port=head.port, classes=examples.classes
        )

    def inputs(
        self,
        examples: Examples,
        preparation: Any,
        setting: Setting,
        options: dict[str, Any],
        progress: Progress | None = None,
    ) -> Inputs:
        """All examples with their targets, prepared for many epochs."""
        return self.feed.inputs(examples, preparation, setting, options, progress, label_of(examples, setting))


def label_of(examples: Examples, setting: Setting) -> Label:
    """What gives the targets of these examples, batch by batch, as the loss of their kind takes them."""
    head = head_of(examples)

    def label(indices: np.ndarray, batch: torch.Tensor, placed: Placed | None) -> torch.Tensor:
        return head.targets(examples.target[indices], batch, placed).to(setting.device)

    return label


def _fits(task: str, model: Pretrained) -> bool:
    """Whether the model offers what the heads of the task's kinds take."""
    return all(HEADS.get(kind).on(model.ports) for kind in TASKS.get(task).kinds)


def _title(reads: str) -> Text:
    return next(medium.title for _, medium in MEDIA.items() if medium.reads == reads)


def _sources() -> Text:
    """Where models of each medium come from."""
    known = list(dict.fromkeys(medium.source for _, medium in MEDIA.items() if medium.source.en))
    return text("Models {m}.", "{m}。", m=join_texts(known, "; ", "；"))


@cache
def network_task(name: str) -> NetworkTask:
    """The task of that name.

    Raises:
        SpecError: No such task, or nothing feeds its medium.
    """
    task = TASKS.get(name)
    return NetworkTask(name, MEDIA.get(task.medium), FEEDS.get(task.medium))
