"""Models that give a vector per example and cannot be trained, whatever computes them: stored graphs, networks of other libraries.

Before it: `pretrained.py`. After it: the sources whose models are such (`onnx.py`, `tf.py`, `keras/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from weigh.language import Text
from weigh.models.address import Address
from weigh.models.anatomy import Anatomy
from weigh.models.preparation import Preparation
from weigh.models.pretrained import Pretrained, Provenance

__all__ = ["Computed", "only_features"]


def only_features(
    address: Address, compute: Callable[[torch.Tensor], torch.Tensor], preprocessing: Preparation, provenance: Provenance,
    *, width: int | None = None, digest: str, parameters: int = 0, operations: int | Callable[[], int] = 0, size: int = 0,
    logits: Callable[[torch.Tensor], torch.Tensor] | None = None, classes: int = 0, imagenet: tuple[int, ...] | None = None,
    elsewhere: Callable[[], float] | None = None,
    configure: Callable[[dict[str, Any]], None] = lambda _options: None, runtime: str = "",
    lacking: Mapping[str, Text] | None = None, instead: Text | None = None,
) -> Pretrained:  # fmt: skip
    """A model that gives a vector per example and cannot be trained, whatever computes it.

    Args:
        compute: `(batch) -> (n, width)`, on the device of the batch.
        width: None: that of what it computes for a blank example.
        digest: Changes whenever what it computes does.
        parameters, operations, size: For the report (`size` in bytes); 0 where nobody knows.
        logits, classes, imagenet: `(batch) -> (n, classes)`, of its own head where it has one; see `Pretrained`.
        elsewhere: Seconds of processor time that other processes have spent on it so far.
        configure: `(options)`: refuses those of a recipe's options that it cannot follow.
        runtime: The library that computes it, with its version: kept features of another version are not used.
        lacking, instead: See `Anatomy`.
    """

    def features(module: nn.Module, _address: str) -> int:
        module.compute = compute  # type: ignore[assignment]
        if width is not None:
            return width
        with torch.inference_mode():
            return int(compute(preprocessing.blank(1)).shape[1])

    def counted(_module: nn.Module, _blank: torch.Tensor) -> int:
        return operations() if callable(operations) else operations

    anatomy = Anatomy(
        features=features, maps=None, layers=None, trainable=False, fold=lambda module, _like: module, operations=counted,
        parameters=lambda _module: parameters, bytes=lambda _module: size, digest=lambda _module: digest,
        configure=lambda _module, options: configure(options), lacking=lacking or {}, instead=instead,
    )  # fmt: skip
    module = Computed(compute if logits is None else logits, elsewhere, runtime)
    return Pretrained(address, module, preprocessing, provenance, classes, anatomy=anatomy, imagenet=imagenet)


class Computed(nn.Module):
    """A function where a module is expected; it has no weights.

    Args:
        elsewhere: Seconds of processor time that other processes have spent on it so far.
        runtime: The library that computes, with its version.
    """

    def __init__(
        self,
        compute: Callable[[torch.Tensor], torch.Tensor],
        elsewhere: Callable[[], float] | None = None,
        runtime: str = "",
    ) -> None:
        super().__init__()
        self.compute, self._elsewhere, self.runtime = compute, elsewhere, runtime

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.compute(batch)

    @property
    def seconds_elsewhere(self) -> float:
        return 0.0 if self._elsewhere is None else self._elsewhere()
