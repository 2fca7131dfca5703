"""What every preparation of examples for a model can be asked, whatever it reads (`preprocessing.py`, `tokenisation.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self

import torch

from weigh.language import text

__all__ = ["WITH_WEIGH", "PlainInputs", "Preparation"]

# what to do where a model cannot be written as ONNX
WITH_WEIGH = text("Predict with weigh: weigh predict STUDY …", "请用 weigh 预测：weigh predict 研究 …")


class PlainInputs(NamedTuple):
    """How other programs feed a network: by plain inputs with names.

    Attributes:
        examples: Name -> three examples.
        free: Dimension besides the first that may vary -> its least and greatest size.
        join: `(*inputs) -> batch` that the network takes.
        step: Sizes of the free dimensions are multiples of it.
    """

    examples: dict[str, torch.Tensor]
    free: dict[int, tuple[int, int]]
    join: Callable[..., torch.Tensor]
    step: int = 1


class Preparation(Protocol):
    """A value: two that are written alike (`str`) prepare alike, which is what features and runs are named by."""

    @property
    def reads(self) -> str:
        """What the model is made for, as `media.Medium.reads`."""
        ...

    @property
    def size(self) -> int:
        """The size of an example: pixels of a side, or the most tokens."""
        ...

    def configured(self, options: dict[str, Any]) -> Self:
        """The same preparation with the options of a recipe that speak of it."""
        ...

    def blank(self, n: int, device: str | torch.device = "cpu") -> torch.Tensor:
        """A batch of `n` empty examples, for timings and shapes."""
        ...

    def as_json(self) -> dict[str, Any]:
        """What the configuration of a saved model says of it."""
        ...

    def files(self) -> dict[str, str | dict[str, Any]]:
        """What a saved model keeps of it besides: name of the file -> text, or what is written as JSON."""
        ...

    def plain(self, *, apart: bool) -> PlainInputs:
        """How a program outside feeds the network, for export; `apart`: the network takes two examples at a time."""
        ...
