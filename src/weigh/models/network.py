"""A pretrained body with a new head: the one shape that every recipe trains and that is saved.

`logits = head(body(batch))`: the body ends where the old head began, so features for a probe, fine-tuning and the
saved model share one definition, whatever the source of the architecture. The head is a linear layer, or a decoder where the body gives maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import nn

from weigh.models.anatomy import TORCH, Anatomy
from weigh.models.maps import Pyramid, alone, norms_of
from weigh.models.maps_stage import split_maps
from weigh.models.own_boxes import OwnBoxes, make_own_boxes
from weigh.models.pretrained import Pretrained
from weigh.models.stage import Prefix

__all__ = ["Network", "Stage", "make_network"]


class Answering(Protocol):
    """What the kind of a task adds to a network (`heads.base.Head`)."""

    @property
    def loss(self) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]: ...
    @property
    def answers(self) -> Callable[[nn.Module, torch.Tensor, Any, int], np.ndarray]: ...
    @property
    def losses(self) -> Mapping[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]]: ...
    @property
    def decoder(self) -> Callable[[Pyramid, int, torch.Generator | None], nn.Module] | None: ...
    @property
    def count(self) -> Callable[[torch.Tensor], int]: ...
    @property
    def exported(self) -> Any: ...
    @property
    def balance(self) -> Callable[[np.ndarray, int], torch.Tensor] | None: ...


class Network(nn.Module):
    """`forward`: a batch (pictures `(n, 3, size, size)`, tokens `(n, 3, length)`) to logits.

    Args:
        answering: Loss and answers; None: a network that only gives logits.
        anatomy: Of the body.
        compute: `(body, batch) -> features`, where that is not `body(batch)`.
        of_maps: The body gives maps.
        keep_norms: Batch norms of the body keep their statistics in training (`Pyramid.keep_norms`).

    A head that is a whole detector's own (`OwnBoxes`) has a loss of its own, which looks at the targets while it passes; and it looks at
    where pictures stand before it answers.
    """

    class_weight: torch.Tensor | None

    def __init__(
        self,
        body: nn.Module,
        head: nn.Module,
        answering: Answering | None = None,
        anatomy: Anatomy = TORCH,
        compute: Callable[[nn.Module, torch.Tensor], torch.Tensor] | None = None,
        *,
        of_maps: bool = False,
        keep_norms: bool = False,
    ) -> None:
        super().__init__()
        self.of_maps, self.keep_norms = of_maps, keep_norms
        self.body, self.head, self.anatomy = body, head, anatomy
        self._answering, self._compute = answering, compute
        self._loss = None if answering is None else answering.loss
        self.register_buffer("class_weight", None, persistent=False)

    @property
    def width(self) -> int:
        """The width of its features."""
        return self.head.in_features

    @property
    def outputs(self) -> int:
        """Logits of one example, or of one token."""
        return self.head.out_features

    def train(self, mode: bool = True) -> Network:  # noqa: FBT001, FBT002 - torch's own signature
        super().train(mode)
        for norm in norms_of(self.body) if mode and self.keep_norms else ():
            norm.eval()
        return self

    def features(self, batch: torch.Tensor) -> torch.Tensor:
        """`(n, width)`, or `(n, length, width)`: what goes into the head."""
        return self.body(batch) if self._compute is None else self._compute(self.body, batch)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        with alone(self, len(batch)) if self.of_maps else nullcontext():
            return self.head(self.features(batch))

    def loss(self, batch: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """`()`: the mean over the batch, in single precision whatever the passes run in."""
        if isinstance(self.head, OwnBoxes):
            with alone(self, len(batch)):
                return self.head.loss(self.features(batch), targets)
        assert self._loss is not None
        logits = self(batch)
        with torch.autocast(logits.device.type, enabled=False):
            return self._loss(logits.float(), targets, self.class_weight)

    def blank_loss(self, batch: torch.Tensor) -> torch.Tensor:
        """`()`: something to be minimised that costs what the loss of classes does, of a batch without targets: for timings."""
        return self(batch).float().logsumexp(dim=-1).mean()

    def choose_loss(self, name: str) -> None:
        """From now on the loss of that name (`heads.base.Head.losses`)."""
        assert self._answering is not None
        self._loss = self._answering.losses[name]

    def count(self, targets: torch.Tensor) -> int:
        """How many labels the loss is a mean of: examples, or words of sentences."""
        assert self._answering is not None
        return self._answering.count(targets)

    def answers(self, batch: Any, width: int) -> np.ndarray:
        """`(n, …)`: what it says of each example of a `Batch`."""
        assert self._answering is not None
        outputs = self.features(batch.inputs) if isinstance(self.head, OwnBoxes) else self(batch.inputs)
        return self._answering.answers(self.head, outputs, batch, width)

    def settle(self, values: Mapping[str, float]) -> None:
        """Numbers that were chosen after training (`heads.base.Head.settle`)."""
        for name, value in values.items():
            self.head.get_buffer(name).fill_(value)

    @property
    def settled(self) -> dict[str, float]:
        """What `settle` was given last."""
        return {name: float(value) for name, value in self.head.named_buffers(recurse=False)}

    @property
    def exported(self) -> Any:
        """What a program that opens its ONNX file is given (`heads.base.Exported`); None: as it is for classes and numbers."""
        return None if self._answering is None else self._answering.exported

    @property
    def exportable(self) -> bool:
        """Whether all that it computes has a shape that follows from that of the batch."""
        return not isinstance(self.head, OwnBoxes) or self.head.parts.stages == 1

    @property
    def told(self) -> dict[str, float]:
        """What the reader of its ONNX file must know besides: from which overlap on its own detector takes boxes for the same."""
        return {"overlap": float(self.head.parts.overlap)} if isinstance(self.head, OwnBoxes) else {}

    def balance(self, target: np.ndarray) -> None:
        """From now on rare classes of the training targets count in the loss as much as frequent ones."""
        assert self._answering is not None
        assert self._answering.balance is not None
        self.class_weight = self._answering.balance(target, self.outputs).to(next(self.head.parameters()).device)

    def set_head(self, weight: np.ndarray | None = None, bias: np.ndarray | None = None) -> None:
        """Put `(outputs, width)` and `(outputs,)` into the head; None: it keeps its own."""
        with torch.no_grad():
            for own, values in ((self.head.weight, weight), (self.head.bias, bias)):
                if values is not None:
                    own.copy_(torch.from_numpy(values.astype(np.float32)))

    def frozen(self, like: torch.Tensor) -> nn.Module:
        """What computes its features for good, in eval mode: faster where that is exact (`fold.py`).

        Args:
            like: A batch of the shape and on the device that the network takes.
        """
        return self.anatomy.fold(self.body, like)

    def split(
        self, *, shape: tuple[int, int], native: int, address: str, at: Literal["last-stage", "head"] = "last-stage"
    ) -> Stage:
        """Cut where the last stage begins (`stage.split_last_stage`), or the head of maps; with the head on the tail."""
        if isinstance(self.body, Pyramid):
            inner = None
            if at == "last-stage":
                inner = self.anatomy.split(self.body.body, shape=shape, native=native, address=address)
            cut = split_maps(self.body, self.head.used, shape, inner)
        else:
            cut = self.anatomy.split(self.body, shape=shape, native=native, address=address)
        norms = {"of_maps": self.of_maps, "keep_norms": self.keep_norms}
        tail = Network(cut.rest, self.head, self._answering, self.anatomy, cut.resume, **norms)
        return Stage(self, cut.prefix, tail, cut.first, cut.shape)

    def depths(self) -> dict[str, int]:
        """Parameter name -> depth, 0 for the stem, greatest for the head."""
        return self.anatomy.depths(self)

    def inner(self) -> nn.Module:
        """The library's own module, whose layers adapters stand beside."""
        return self.anatomy.inner(self.body)

    def embedding(self) -> Any:
        """The table of the vectors that tokens start as; None: it has none."""
        return None if self.anatomy.embedding is None else self.anatomy.embedding(self.body)


@dataclass(frozen=True)
class Stage:
    """A network and its two halves, which share its weights.

    Attributes:
        whole: The network; its frozen part takes no gradients.
        prefix: Pictures to activations, in eval mode.
        tail: Activations to logits. Its parts, and so its weights, are those of the network: training it trains the network.
        first: Name of the module where the tail begins.
        shape: Of one picture's activations.
    """

    whole: Network
    prefix: Prefix
    tail: Network
    first: str
    shape: tuple[int, ...]


def make_network(
    model: Pretrained, outputs: int, generator: torch.Generator | None = None, answering: Answering | None = None,
    around: Callable[[nn.Module, int], tuple[nn.Module, int]] = lambda body, width: (body, width),
    *, port: Literal["features", "tokens", "maps", "boxes"] = "features", classes: Sequence[str] = (),
) -> Network:  # fmt: skip
    """Replace the head of `model`; the model's module is taken over, not copied.

    Args:
        generator: Draws the new head (normal, sd 0.01, as linear evaluation protocols do); None: zeros.
        around: `(body, width) -> (body, width)`: what stands around the model's own body.
        port: What the head takes: a vector per example or per token (then it is a linear layer), or maps (then the decoder of `answering`);
            "boxes": the model's own detector is the head, giving these `classes`.

    Raises:
        ModelError: An architecture whose head cannot be found, or a model without such vectors.
    """
    if port == "boxes":
        pyramid = model.boxes()
        own = make_own_boxes(pyramid, classes, generator)
        return Network(pyramid, own, answering, model.anatomy, of_maps=True, keep_norms=pyramid.keep_norms)
    if port == "maps":
        assert answering is not None
        assert answering.decoder is not None
        pyramid = model.maps()
        decoder = answering.decoder(pyramid, outputs, generator)
        return Network(pyramid, decoder, answering, model.anatomy, of_maps=True, keep_norms=pyramid.keep_norms)
    body, width = around(*model.body(tokens=port == "tokens"))
    head = nn.Linear(width, outputs)
    with torch.no_grad():
        head.bias.zero_()
        head.weight.zero_()
        if generator is not None:
            head.weight.normal_(0, 0.01, generator=generator)
    return Network(body, head, answering, model.anatomy)
