"""Torch layers that compute what layers of Keras do and torch has none for. Pictures stand channels first, Keras has them last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm.layers.padding import pad_same
from torch import nn
from torch.nn import functional

__all__ = [
    "Average",
    "AveragePoolSame",
    "Combined",
    "Cropped",
    "LayerScale",
    "Pointwise",
    "Reshaped",
    "Scaled",
    "Standardised",
    "channels_first",
    "channels_last",
]


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """Pictures with the channels last, as Keras has them."""
    return x.permute(0, 2, 3, 1) if x.ndim == 4 else x


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """Pictures with the channels first, as torch has them."""
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


class Pointwise(nn.Module):
    """A layer over the last axis, on pictures: over their channels."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return channels_first(self.layer(channels_last(x)))


class Scaled(nn.Module):
    """`x * scale + shift`, with a number or one per channel."""

    def __init__(self, scale: tuple[float, ...], shift: tuple[float, ...]) -> None:
        super().__init__()
        self.of, self.by = scale, shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * _per_channel(self.of, x) + _per_channel(self.by, x)


class Standardised(nn.Module):
    """`(x - mean) / deviation`, per channel."""

    def __init__(self, mean: tuple[float, ...], variance: tuple[float, ...]) -> None:
        super().__init__()
        self.of = (mean, variance)
        self.register_buffer("mean", torch.empty(len(mean)))
        self.register_buffer("variance", torch.empty(len(mean)))

    def reset_parameters(self) -> None:
        self.mean.copy_(torch.tensor(self.of[0]))  # type: ignore[operator]
        self.variance.copy_(torch.tensor(self.of[1]))  # type: ignore[operator]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        deviation = self.variance.sqrt().clamp_min(1e-7)  # type: ignore[operator, union-attr]
        return (x - _spread(self.mean, x)) / _spread(deviation, x)  # type: ignore[arg-type]


class LayerScale(nn.Module):
    """A factor per channel."""

    def __init__(self, width: int, start: float) -> None:
        super().__init__()
        self.gamma, self.start = nn.Parameter(torch.empty(width)), start

    def reset_parameters(self) -> None:
        nn.init.constant_(self.gamma, self.start)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * _spread(self.gamma, x)


class AveragePoolSame(nn.Module):
    """Averages over what lies inside the picture, as many as fit with padding."""

    def __init__(self, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = pad_same(torch.ones_like(x[:1, :1]), self.size, self.stride)
        summed = functional.avg_pool2d(pad_same(x, self.size, self.stride), self.size, self.stride)
        return summed / functional.avg_pool2d(inside, self.size, self.stride)


class Average(nn.Module):
    """Mean over the places of a picture."""

    def __init__(self, *, keep: bool, most: bool = False) -> None:
        super().__init__()
        self.keep, self.most = keep, most

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax((2, 3), keepdim=self.keep) if self.most else x.mean((2, 3), keepdim=self.keep)


class Reshaped(nn.Module):
    """Numbers in the order in which Keras has them, in another shape; empty: all in a row."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim == 4 and x.shape[2] == x.shape[3] == 1 and not self.shape:
            return x.flatten(1)
        return channels_first(channels_last(x).reshape(x.shape[0], *(self.shape or (-1,))))


class Cropped(nn.Module):
    """Rows and columns taken off at `(top, bottom, left, right)`."""

    def __init__(self, off: tuple[int, ...]) -> None:
        super().__init__()
        self.off = off

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        top, bottom, left, right = self.off
        return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


class Combined(nn.Module):
    """Tensors and numbers joined: "add", "subtract", "multiply", "divide", "average", "maximum", "minimum", "concatenate", "scaled"."""

    def __init__(self, how: str, factor: float = 1.0) -> None:
        super().__init__()
        self.how, self.factor = how, factor

    def forward(self, *parts: Any) -> torch.Tensor:
        if self.how == "concatenate":
            return torch.cat(parts, 1)
        if self.how == "scaled":
            return parts[0] + parts[1] * self.factor
        value = parts[0]
        for part in parts[1:]:
            value = JOIN[self.how](value, part)
        return value / len(parts) if self.how == "average" else value


JOIN: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b, "average": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b, "maximum": torch.maximum, "minimum": torch.minimum,
}  # fmt: skip


def _spread(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """One number per channel, in a shape that meets `x`."""
    return values.view(-1, 1, 1) if x.ndim == 4 else values


def _per_channel(values: tuple[float, ...], x: torch.Tensor) -> torch.Tensor | float:
    return values[0] if len(values) == 1 else _spread(torch.tensor(values, device=x.device, dtype=x.dtype), x)
