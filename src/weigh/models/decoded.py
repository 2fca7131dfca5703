"""Models with a decoder of their own: pictures to maps (encoder), maps to one vector per pixel (decoder), which their last classifier took.

A head for masks is then one linear layer for every pixel. Such models give no vector per picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import nn

from weigh.models.anatomy import Anatomy, depth_of_parameters
from weigh.models.maps import Level, OwnDecoder, Pyramid
from weigh.models.stage import Cut

__all__ = ["Parted", "decoded_anatomy", "plain_name"]

NUMBERED = re.compile(r"^body\.body\.(?:[a-z_]+\.)*(?=\w+\.\d|[a-z_]\w*\d\.)")
SMALL = 128  # pixels: enough to see how much smaller the vectors of pixels lie


class Decoded(Protocol):
    """A network in two parts, a torch module: `(n, 3, height, width)` pictures to `(n, width, h, w)`.

    Attributes:
        decoder: All that stands behind the encoder, without the last classifier.
    """

    @property
    def decoder(self) -> nn.Module: ...
    def encode(self, pictures: torch.Tensor) -> list[torch.Tensor]: ...
    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor: ...


class Parted(nn.Module):
    """Made of two modules.

    Args:
        encoder: Pictures to a list of maps.
        decoder: Such a list to one map.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def encode(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        return self.encoder(pictures)

    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        return self.decoder(maps)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(pictures))


class _Only(nn.Module):
    """The one map of a list."""

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        return maps[0]


def decoded_maps(body: nn.Module, blank: torch.Tensor) -> Pyramid:
    """A pyramid of one level: the vectors of all pixels.

    Args:
        blank: A picture of the model's own size; it is looked at with a smaller one where it takes that.
    """
    body.eval()
    side = blank.shape[-1]
    try:
        decoded = _passed(body, blank[:, :, :SMALL, :SMALL])
        side = min(side, SMALL)
    except (RuntimeError, AssertionError, ValueError):  # made for pictures of one size
        decoded = _passed(body, blank)
    width = decoded.shape[1]
    level = Level("", 2 ** round(math.log2(side / decoded.shape[-1])), width, "first")
    return Pyramid(body, (level,), OwnDecoder(_Only(), width))


@torch.inference_mode()
def _passed(body: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    return body(pictures)


class _Encoded(nn.Module):
    """`(n, 3, height, width)` to `(n, numbers)`: all maps of the encoder in a row."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.cat([part.flatten(1) for part in self.body.encode(pictures)], dim=1)


class _Resume:
    """From these numbers to the vectors of all pixels: `(decoder, (n, numbers)) -> (n, width, h, w)`."""

    def __init__(self, body: Decoded, shapes: list[tuple[int, ...]]) -> None:
        self.decode, self.shapes = body.decode, shapes

    def __call__(self, _decoder: nn.Module, numbers: torch.Tensor) -> torch.Tensor:
        parts = numbers.split([math.prod(shape) for shape in self.shapes], dim=1)
        return self.decode([part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)])


def split_decoded(body: Any, shape: tuple[int, int]) -> Cut:
    """Cut between encoder and decoder: the decoder is the last stage of such a model (`stage.split_last_stage`)."""
    body.eval()
    body.requires_grad_(requires_grad=False)
    body.decoder.requires_grad_(requires_grad=True)
    blank = torch.zeros(1, 3, *shape, device=next(body.parameters()).device)
    with torch.inference_mode():
        shapes = [tuple(part.shape[1:]) for part in body.encode(blank)]
    size = sum(math.prod(shape) for shape in shapes)
    return Cut(_Encoded(body).eval(), body.decoder, _Resume(body, shapes), "decoder", (size,))


def plain_name(name: str) -> str:
    """The name of a parameter of a pyramid without the words before its first numbered part, which say nothing of depth."""
    return NUMBERED.sub("body.", name)


def _depths(network: nn.Module) -> dict[str, int]:
    """The decoder is one layer; where only it is trained, there is no other."""
    whole: Any = next((part for part in network.modules() if hasattr(part, "encode")), None)
    trained = network if whole is None else whole.decoder
    own = {id(parameter) for parameter in trained.parameters()}
    of_decoder = {n for n, parameter in network.named_parameters() if id(parameter) in own and n.startswith("body.")}
    return depth_of_parameters(network, lambda name: "body.decoder" if name in of_decoder else plain_name(name))


def decoded_anatomy(
    take: Callable[[nn.Module], nn.Module], head: Callable[[nn.Module], set[str]], beside: tuple[str, ...] = (),
    inner: Callable[[nn.Module], nn.Module] = lambda body: body, inner_name: str = "",
) -> Anatomy:  # fmt: skip
    """The anatomy of models that are a network of their library until `take` parts them.

    Args:
        take: `(module) -> Decoded`, which has its weights.
        inner, inner_name: As of `Anatomy`.
        head: Names of the parameters of its last classifier.
        beside: Beginnings of names in its checkpoints of what the module does not have.
    """
    return Anatomy(
        features=None, maps=lambda module, blank: decoded_maps(take(module), blank), depths=_depths, split=lambda body, *, shape, **_: split_decoded(body, shape), head=head,
        beside=beside, inner=inner, inner_name=inner_name,
    )  # fmt: skip
