"""Each layer of Keras as torch layers that compute the same: pictures stand channels first, Keras has them last.

A layer is built for the tensor that enters it, so its widths come from what flows, not from what a configuration says. Where Keras
keeps its numbers, in which order and shape, stands beside it as `Slot`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from timm.layers import Conv2dSame, DropPath
from timm.layers.pool2d_same import MaxPool2dSame
from torch import nn

from weigh.language import text
from weigh.models.keras.graph import Untranslatable
from weigh.models.keras.parts import (
    Average,
    AveragePoolSame,
    Combined,
    Cropped,
    LayerScale,
    Pointwise,
    Reshaped,
    Scaled,
    Standardised,
    channels_last,
)

__all__ = ["Slot", "channels_last", "translate_layer"]


class Slot(NamedTuple):
    """Where numbers of Keras go.

    Attributes:
        name: Of a parameter or buffer of the module.
        shape: As Keras has it.
        axes: Order of its axes in torch, before it takes the shape that the parameter has.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None = None


class Translated(NamedTuple):
    """A module, and its slots in Keras's order; None: numbers that nobody needs."""

    module: nn.Module
    slots: tuple[Slot | None, ...] = ()


def translate_layer(kind: str, settings: dict[str, Any], inputs: list[Any]) -> Translated:
    """The torch module of a Keras layer.

    Args:
        inputs: What enters it: tensors (on the device "meta") and numbers.

    Raises:
        Untranslatable: A layer or a setting that has no counterpart here.
    """
    if kind not in TRANSLATIONS:
        raise Untranslatable(text("it has the layer {k}", "它含有层 {k}", k=kind))
    if settings.get("data_format", "channels_last") not in ("channels_last", None):
        raise Untranslatable(text("its channels stand first", "其通道排在最前"))
    return TRANSLATIONS[kind](settings, *inputs)


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return int(first), int(second)


def _width(x: torch.Tensor) -> int:
    return x.shape[1] if x.ndim == 4 else x.shape[-1]


def _convolution(s: dict[str, Any], wide: int, out: int, groups: int) -> nn.Conv2d:
    kernel, stride, dilation = _pair(s["kernel_size"]), _pair(s.get("strides", 1)), _pair(s.get("dilation_rate", 1))
    if wide % max(groups, 1) or out % max(groups, 1) or min(*kernel, *stride, *dilation, groups, out) < 1:
        raise Untranslatable(text("a convolution has impossible sizes", "有一个卷积的尺寸不可能成立"))
    bias = bool(s.get("use_bias", True))
    if s.get("padding", "valid") == "valid":
        return nn.Conv2d(wide, out, kernel, stride, 0, dilation, groups, bias)
    if stride == (1, 1) and all(k % 2 for k in kernel):
        padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
        return nn.Conv2d(wide, out, kernel, stride, padding, dilation, groups, bias)
    return Conv2dSame(
        wide, out, kernel, stride, 0, dilation, groups, bias
    )  # its padding depends on the size of the picture


def _bias(s: dict[str, Any], name: str, width: int) -> tuple[Slot, ...]:
    return (Slot(name, (width,)),) if s.get("use_bias", True) else ()


def _of_pictures(x: torch.Tensor) -> int:
    if x.ndim != 4:
        raise Untranslatable(text("a convolution takes no pictures", "有一个卷积的输入不是图片"))
    return x.shape[1]


def _conv(s: dict[str, Any], x: torch.Tensor) -> Translated:
    wide, out, groups = _of_pictures(x), s["filters"], s.get("groups", 1)
    module = _convolution(s, wide, out, groups)
    kernel = Slot("weight", (*module.kernel_size, wide // groups, out), (3, 2, 0, 1))
    return Translated(module, (kernel, *_bias(s, "bias", out)))


def _depthwise(s: dict[str, Any], x: torch.Tensor) -> Translated:
    wide, times = _of_pictures(x), s.get("depth_multiplier", 1)
    module = _convolution(s, wide, wide * times, wide)
    kernel = Slot("weight", (*module.kernel_size, wide, times), (2, 3, 0, 1))
    return Translated(module, (kernel, *_bias(s, "bias", wide * times)))


def _separable(s: dict[str, Any], x: torch.Tensor) -> Translated:
    wide, times, out = _of_pictures(x), s.get("depth_multiplier", 1), s["filters"]
    deep = _convolution({**s, "use_bias": False}, wide, wide * times, wide)
    plain = nn.Conv2d(wide * times, out, 1, bias=bool(s.get("use_bias", True)))
    slots = (
        Slot("0.weight", (*deep.kernel_size, wide, times), (2, 3, 0, 1)),
        Slot("1.weight", (1, 1, wide * times, out), (3, 2, 0, 1)),
    )
    return Translated(nn.Sequential(deep, plain), (*slots, *_bias(s, "1.bias", out)))


def _dense(s: dict[str, Any], x: torch.Tensor) -> Translated:
    wide, out = _width(x), s["units"]
    module: nn.Module = nn.Linear(wide, out, bias=bool(s.get("use_bias", True)))
    kernel = Slot("weight", (wide, out), (1, 0))
    return _pointwise(Translated(module, (kernel, *_bias(s, "bias", out))), x)


def _pointwise(layer: Translated, x: torch.Tensor) -> Translated:
    """A layer of the last axis: for pictures, whose channels stand first here, it works at every pixel."""
    if x.ndim != 4:
        return layer
    return Translated(
        Pointwise(layer.module), tuple(slot and slot._replace(name=f"layer.{slot.name}") for slot in layer.slots)
    )


def _last_axis(s: dict[str, Any], x: torch.Tensor) -> None:
    axis = s.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, x.ndim - 1):
        raise Untranslatable(text("a layer works along the axis {a}", "有一层沿第 {a} 轴计算", a=str(axis)))


def _scale_and_shift(s: dict[str, Any], width: int) -> tuple[Slot, ...]:
    names = [("weight", s.get("scale", True)), ("bias", s.get("center", True))]
    return tuple(Slot(name, (width,)) for name, has in names if has)


def _batch_norm(s: dict[str, Any], x: torch.Tensor) -> Translated:
    _last_axis(s, x)
    width = _width(x)
    kind = nn.BatchNorm2d if x.ndim == 4 else nn.BatchNorm1d
    if x.ndim == 3:
        raise Untranslatable(text("a batch norm of sequences", "序列上的批归一化"))
    module = kind(width, eps=s.get("epsilon", 1e-3), momentum=1 - s.get("momentum", 0.99))
    running = (Slot("running_mean", (width,)), Slot("running_var", (width,)))
    return Translated(module, (*_scale_and_shift(s, width), *running))


def _layer_norm(s: dict[str, Any], x: torch.Tensor) -> Translated:
    _last_axis(s, x)
    width = _width(x)
    return _pointwise(Translated(nn.LayerNorm(width, eps=s.get("epsilon", 1e-3)), _scale_and_shift(s, width)), x)


def _activation(s: dict[str, Any], x: torch.Tensor) -> Translated:
    name = s["activation"]
    if name in ("softmax", "sigmoid"):
        return Translated(nn.Softmax(1 if x.ndim == 4 else -1) if name == "softmax" else nn.Sigmoid())
    return Translated(ACTIVATE[name]())


ACTIVATE: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity, "relu": nn.ReLU, "relu6": nn.ReLU6, "silu": nn.SiLU, "swish": nn.SiLU, "gelu": nn.GELU, "hard_sigmoid": nn.Hardsigmoid,
    "hard_silu": nn.Hardswish, "hard_swish": nn.Hardswish, "tanh": nn.Tanh, "elu": nn.ELU, "selu": nn.SELU, "softplus": nn.Softplus, "mish": nn.Mish,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
}  # fmt: skip


def _relu(s: dict[str, Any], _x: torch.Tensor) -> Translated:
    most, slope = s.get("max_value"), s.get("negative_slope") or 0.0
    if s.get("threshold") or (slope and most is not None):
        raise Untranslatable(text("a ReLU with a threshold", "带阈值的 ReLU"))
    if most is not None:
        return Translated(nn.ReLU6() if most == 6 else nn.Hardtanh(0.0, float(most)))
    return Translated(nn.LeakyReLU(slope) if slope else nn.ReLU())


def _dropout(s: dict[str, Any], x: torch.Tensor) -> Translated:
    rate, shape = s["rate"], s.get("noise_shape")
    if not shape:
        return Translated(nn.Dropout(rate))
    if len(shape) == x.ndim and all(side == 1 for side in shape[1:]):  # whole branches are dropped
        return Translated(DropPath(rate))
    raise Untranslatable(text("a dropout of a shape of its own", "自定义形状的 Dropout"))


def _sides(value: Any) -> tuple[int, int, int, int]:
    """Top, bottom, left, right."""
    rows, columns = (value, value) if isinstance(value, int) else value
    return (*_pair(rows), *_pair(columns))


def _padding(s: dict[str, Any], _x: torch.Tensor) -> Translated:
    top, bottom, left, right = _sides(s["padding"])
    return Translated(nn.ZeroPad2d((left, right, top, bottom)))


def _pool(s: dict[str, Any], kind: type[nn.MaxPool2d] | type[nn.AvgPool2d]) -> Translated:
    size = _pair(s.get("pool_size", 2))
    stride = size if s.get("strides") is None else _pair(s["strides"])
    if s.get("padding", "valid") == "valid":
        return Translated(kind(size, stride))
    if kind is nn.MaxPool2d:
        return Translated(MaxPool2dSame(size, stride))
    if stride == (1, 1) and all(side % 2 for side in size):
        return Translated(nn.AvgPool2d(size, 1, (size[0] // 2, size[1] // 2), count_include_pad=False))
    return Translated(AveragePoolSame(size, stride))


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, list) else (float(value),)


def _normalisation(s: dict[str, Any], x: torch.Tensor) -> Translated:
    _last_axis(s, x)
    if s.get("invert"):
        raise Untranslatable(text("an inverted normalisation", "反向的归一化"))
    width = _width(x)
    if s.get("mean") is None:
        module = Standardised((0.0,) * width, (1.0,) * width)
        return Translated(module, (Slot("mean", (width,)), Slot("variance", (width,)), None))
    mean, variance = _numbers(s["mean"]), _numbers(s["variance"])
    spread = [values * width if len(values) == 1 else values for values in (mean, variance)]
    return Translated(Standardised(*spread))


def _upsampling(s: dict[str, Any], _x: torch.Tensor) -> Translated:
    how = s.get("interpolation", "nearest")
    if how not in ("nearest", "bilinear"):
        raise Untranslatable(text("upsampling by {h}", "{h} 上采样", h=str(how)))
    return Translated(nn.Upsample(scale_factor=_pair(s.get("size", 2)), mode=how))


def _concatenate(s: dict[str, Any], *parts: torch.Tensor) -> Translated:
    _last_axis(s, parts[0])
    if parts[0].ndim == 3:
        raise Untranslatable(text("sequences in a row", "序列的拼接"))
    return Translated(Combined("concatenate"))


def _joined(how: str) -> Callable[..., Translated]:
    return lambda s, *_parts: Translated(Combined(how, float(s.get("scale", 1.0))))


TRANSLATIONS: dict[str, Callable[..., Translated]] = {
    "Conv2D": _conv, "DepthwiseConv2D": _depthwise, "SeparableConv2D": _separable, "Dense": _dense, "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm, "Activation": _activation, "ReLU": _relu, "Dropout": _dropout, "ZeroPadding2D": _padding,
    "LeakyReLU": lambda s, _x: Translated(nn.LeakyReLU(s.get("negative_slope", 0.3))),
    "ELU": lambda s, _x: Translated(nn.ELU(s.get("alpha", 1.0))),
    "Softmax": lambda _s, x: _activation({"activation": "softmax"}, x),
    "SpatialDropout2D": lambda s, _x: Translated(nn.Dropout2d(s["rate"])),
    "Cropping2D": lambda s, _x: Translated(Cropped(_sides(s["cropping"]))),
    "UpSampling2D": _upsampling,
    "MaxPooling2D": lambda s, _x: _pool(s, nn.MaxPool2d), "AveragePooling2D": lambda s, _x: _pool(s, nn.AvgPool2d),
    "GlobalAveragePooling2D": lambda s, _x: Translated(Average(keep=bool(s.get("keepdims")))),
    "GlobalMaxPooling2D": lambda s, _x: Translated(Average(keep=bool(s.get("keepdims")), most=True)),
    "Rescaling": lambda s, _x: Translated(Scaled(_numbers(s["scale"]), _numbers(s.get("offset", 0.0)))),
    "Normalization": _normalisation,
    "Reshape": lambda s, _x: Translated(Reshaped(tuple(s["target_shape"]))), "Flatten": lambda _s, _x: Translated(Reshaped(())),
    "Identity": lambda _s, _x: Translated(nn.Identity()),
    "LayerScale": lambda s, x: Translated(LayerScale(_width(x), float(s["init_values"])), (Slot("gamma", (_width(x),)),)),
    "CustomScaleLayer": _joined("scaled"), "Concatenate": _concatenate,
    "Add": _joined("add"), "Subtract": _joined("subtract"), "Multiply": _joined("multiply"), "Average": _joined("average"),
    "Maximum": _joined("maximum"), "Minimum": _joined("minimum"), "ops.Add": _joined("add"), "ops.Subtract": _joined("subtract"),
    "ops.Multiply": _joined("multiply"), "ops.Divide": _joined("divide"), "ops.TrueDivide": _joined("divide"),
}  # fmt: skip
