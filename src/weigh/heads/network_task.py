"""A task as networks are trained for it: the head of its kind on what its medium is fed with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from weigh.data.examples import Examples
from weigh.errors import ModelError
from weigh.heads.base import HEADS, Head
from weigh.inputs.base import FEEDS, Feed
from weigh.language import Text, text
from weigh.media import MEDIA, Medium
from weigh.models.network import Network
from weigh.models.pretrained import Pretrained
from weigh.tasks import TASKS

__all__ = ["NetworkTask", "network_task"]


@dataclass(frozen=True)
class NetworkTask:
    """What `train/` needs to know of a task: how networks are fed (`feed`) and what they end in (`head`)."""

    name: str
    medium: Medium
    feed: Feed
    head: Head

    def require(self, model: Pretrained) -> None:
        """Nothing, or the error that the model is not made for these examples.

        Raises:
            ModelError: A model of pictures for a task on texts, or the other way round.
        """
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
        self.require(model)
        return self.feed.adapt(model, self.head.outputs(examples), examples, generator, frozen=frozen)


def _title(reads: str) -> Text:
    return next(medium.title for _, medium in MEDIA.items() if medium.reads == reads)


def _sources() -> Text:
    """Where models of each medium come from."""
    known = list(dict.fromkeys(medium.source for _, medium in MEDIA.items() if medium.source.en))
    return text("Models {m}.", "{m}。", m=Text("; ".join(s.en for s in known), "；".join(s.zh for s in known)))


@cache
def network_task(name: str) -> NetworkTask:
    """The task of that name. Where data decide between two kinds, these have one head.

    Raises:
        SpecError: No such task, or nothing trains its kind or feeds its medium.
    """
    task = TASKS.get(name)
    return NetworkTask(name, MEDIA.get(task.medium), FEEDS.get(task.medium), HEADS.get(task.kinds[0]))
