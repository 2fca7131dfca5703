"""Depthwise convolutions that are trained on the processor: torch's own, with a backward pass on oneDNN's fast kernels.

In bf16 oneDNN has fast depthwise kernels for all but three cases, and there falls back to kernels for grouped convolutions,
which treat every channel as a convolution of its own and take 10 to 100 times as long: the gradient of the input when the
stride is not one, the gradient of weights that are wider than three, and that of weights that are higher than the map (small
pictures). All are written here as problems that the fast kernels take; the sums stay the same
(docs/decisions/fine-tuning-speed.md). In fp32 the first is not slow.

Before it: `network.make_network`; after it: the training loop. What is saved and what predicts needs none of this: the
replaced layers hold the same parameters under the same names.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.utils import _pair

__all__ = ["Depthwise", "Geometry", "depthwise", "speed_up_depthwise"]

WIDEST = 3  # columns of a kernel whose weight gradient oneDNN computes by a depthwise kernel


class Geometry(NamedTuple):
    """Strides and paddings in pixels; the padding after a side may differ from the one before it ("same")."""

    stride: tuple[int, int]
    top: int
    bottom: int
    left: int
    right: int

    @property
    def symmetric(self) -> bool:
        return self.top == self.bottom and self.left == self.right


class Depthwise(nn.Module):
    """In place of a depthwise `nn.Conv2d`: the same parameters, the same outputs, a faster backward pass.

    Args:
        layer: A convolution for which `can_replace` is true; its parameters are taken over, not copied.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.kernel_size, self.stride = _pair(layer.kernel_size), _pair(layer.stride)
        self.padding = None if _pads_by_size(layer) else _pair(layer.padding)
        self.train(layer.training)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled(pictures.device.type):  # as autocast does before a convolution
            kind = torch.get_autocast_dtype(pictures.device.type)
            pictures, weight = pictures.to(kind), weight.to(kind)
            bias = None if bias is None else bias.to(kind)
        return depthwise(pictures, weight, bias, self._geometry(pictures))

    def extra_repr(self) -> str:
        padding = "same" if self.padding is None else self.padding
        return f"{len(self.weight)}, kernel_size={self.kernel_size}, stride={self.stride}, padding={padding}"

    def _geometry(self, pictures: torch.Tensor) -> Geometry:
        if self.padding is not None:
            y, x = self.padding
            return Geometry(self.stride, y, y, x, x)
        y, x = (
            max(-(-side // stride) * stride - stride + kernel - side, 0)
            for side, kernel, stride in zip(pictures.shape[2:], self.kernel_size, self.stride, strict=True)
        )
        return Geometry(self.stride, y // 2, y - y // 2, x // 2, x - x // 2)


def speed_up_depthwise(module: nn.Module) -> int:
    """Replace, inside `module`, the depthwise convolutions whose backward pass is slow; returns how many there were.

    Names and order of parameters and buffers stay. Anything unusual stays as it is: dilation, a channel multiplier, hooks,
    parametrisations, subclasses that may compute something else.
    """
    slow = [(name, layer) for name, layer in module.named_modules() if name and can_replace(layer)]
    for name, layer in slow:
        parent, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(parent), leaf, Depthwise(layer))  # type: ignore[arg-type]
    return len(slow)


def can_replace(layer: nn.Module) -> bool:
    """Whether `layer` is a plain depthwise convolution; which of its passes are slow depends on the size of the map too."""
    if not (type(layer) is nn.Conv2d or _pads_by_size(layer)):
        return False
    assert isinstance(layer, nn.Conv2d)
    hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    return (
        layer.groups == layer.in_channels == layer.out_channels > 1
        and _pair(layer.dilation) == (1, 1)
        and (_pads_by_size(layer) or (layer.padding_mode == "zeros" and not isinstance(layer.padding, str)))
        and not any(hooks)
        and set(dict(layer.named_parameters(recurse=False))) <= {"weight", "bias"}
    )


def _pads_by_size(layer: nn.Module) -> bool:
    """timm's convolution with TensorFlow's padding, which depends on the size of the picture."""
    return type(layer).__name__ == "Conv2dSame" and type(layer).__module__.startswith("timm.")


def depthwise(
    pictures: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry
) -> torch.Tensor:
    """A depthwise convolution, `(n, c, h, w)` with `(c, 1, kh, kw)`; torch's own wherever the fast backward does not apply."""
    needed = torch.is_grad_enabled() and (pictures.requires_grad or weight.requires_grad)
    if needed and _slow(pictures, weight, geometry) and _covered(pictures, weight, geometry):
        return _Depthwise.apply(pictures, weight, bias, geometry)  # type: ignore[return-value]
    padded, padding = _pad(pictures, geometry)
    return F.conv2d(padded, weight, bias, geometry.stride, padding, 1, len(weight))


def _slow(pictures: torch.Tensor, weight: torch.Tensor, geometry: Geometry) -> bool:
    """Whether torch's own backward pass falls to a slow kernel."""
    rows, columns = weight.shape[2:]
    strided = geometry.stride != (1, 1)
    return pictures.device.type == "cpu" and (strided or columns > WIDEST or rows > pictures.shape[2])


def _covered(pictures: torch.Tensor, weight: torch.Tensor, geometry: Geometry) -> bool:
    (_, channels, height, width), (rows, columns) = pictures.shape, weight.shape[2:]
    top, bottom, left, right = geometry[1:]
    return (
        torch.backends.mkldnn.is_available()
        and pictures.dtype == weight.dtype
        and (pictures.dtype == torch.bfloat16 or (pictures.dtype == torch.float32 and geometry.stride == (1, 1)))
        and tuple(weight.shape[:2]) == (channels, 1)
        and pictures.numel() > 0
        and max(top, bottom) <= rows // 2  # the stuffed gradient is aligned within this padding
        and max(left, right) <= columns // 2
        and height + top + bottom >= rows
        and width + left + right >= columns
    )


def _pad(pictures: torch.Tensor, geometry: Geometry) -> tuple[torch.Tensor, tuple[int, int]]:
    """Pictures and the symmetric padding that is left for the convolution."""
    if geometry.symmetric:
        return pictures, (geometry.top, geometry.left)
    return F.pad(pictures, (geometry.left, geometry.right, geometry.top, geometry.bottom)), (0, 0)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, pictures: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry
    ) -> torch.Tensor:
        padded, padding = _pad(pictures, geometry)
        ctx.save_for_backward(padded, weight)
        ctx.geometry, ctx.padding, ctx.shape, ctx.biased = geometry, padding, pictures.shape, bias is not None
        with torch.autocast("cpu", enabled=False):  # the arguments have their type already
            return F.conv2d(padded, weight, bias, geometry.stride, padding, 1, len(weight))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        padded, weight = ctx.saved_tensors
        pictures_needed, weight_needed, bias_needed, _ = ctx.needs_input_grad
        of_pictures = of_weight = of_bias = None
        with torch.autocast("cpu", enabled=False):
            if pictures_needed:
                of_pictures = _gradient_of_pictures(gradient, ctx.shape, weight, ctx.geometry)
            if weight_needed or bias_needed:
                of_weight, of_bias = _gradient_of_weight(
                    gradient, padded, weight, ctx.geometry.stride, ctx.padding, biased=ctx.biased
                )
        return of_pictures, of_weight, of_bias, None


def _gradient_of_pictures(
    gradient: torch.Tensor, shape: torch.Size, weight: torch.Tensor, geometry: Geometry
) -> torch.Tensor:
    """A convolution with a stride is one without whose outputs between were thrown away: their gradients are zero."""
    (n, channels, height, width), (rows, columns) = shape, weight.shape[2:]
    (down, across), top, bottom, left, right = geometry
    y, x = rows // 2, columns // 2
    if geometry.stride != (1, 1) or (top, bottom, left, right) != (y, y, x, x):
        high, wide = gradient.shape[2:]
        stuffed = _empty((n, channels, height + 2 * y - rows + 1, width + 2 * x - columns + 1), gradient).zero_()
        stuffed[:, :, y - top :: down, x - left :: across][:, :, :high, :wide] = gradient
        gradient = stuffed
    like = _empty(shape, gradient)  # only its shape is read
    return _backward(gradient, like, weight, (1, 1), (y, x), (True, False, False))[0]


def _empty(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """An empty tensor in the type of `like` and in its order of memory."""
    last = like.is_contiguous(memory_format=torch.channels_last)
    order = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=like.dtype, memory_format=order)


def _gradient_of_weight(
    gradient: torch.Tensor, padded: torch.Tensor, weight: torch.Tensor, stride: tuple[int, int],
    padding: tuple[int, int], *, biased: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:  # fmt: skip
    """The gradient of the weight, by blocks of columns of the kernel, each with the part of the pictures that it meets."""
    rows, columns = weight.shape[2:]
    if (
        rows > padded.shape[2]
    ):  # a kernel that is higher than the map: rows of zeros that are there are fast, implied ones slow
        padded, padding = F.pad(padded, (0, 0, padding[0], padding[0])), (0, padding[1])
    if columns <= WIDEST:
        return _backward(gradient, padded, weight, stride, padding, (False, True, biased))[1:]
    width, reach = padded.shape[3], (gradient.shape[3] - 1) * stride[1]
    blocks, of_bias = [], None
    for first in range(0, columns, WIDEST):
        block = weight[..., first : first + WIDEST]
        start = first - padding[1]  # of the columns of pictures that the block meets; beyond the picture they are zero
        stop = start + reach + block.shape[3]
        low, high = max(start, 0), min(stop, width)
        if low >= high:
            blocks.append(torch.zeros_like(block))
            continue
        part = F.pad(padded[..., low:high], (low - start, stop - high))
        wanted = (False, True, biased and of_bias is None)
        _, of_block, of_all = _backward(gradient, part, block, stride, (padding[0], 0), wanted)
        blocks.append(of_block)
        of_bias = of_all if wanted[2] else of_bias
    return torch.cat(blocks, dim=3), of_bias


def _backward(
    gradient: torch.Tensor, pictures: torch.Tensor, weight: torch.Tensor, stride: tuple[int, int],
    padding: tuple[int, int], wanted: tuple[bool, bool, bool],
):  # fmt: skip
    return torch.ops.aten.convolution_backward(
        gradient, pictures, weight, [len(weight)], list(stride), list(padding), [1, 1], False, [0, 0], len(weight), list(wanted)
    )  # fmt: skip
