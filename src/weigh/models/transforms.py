"""Preparations that others wrote, read as ours: transforms of torchvision (also of timm), presets of weights, settings by name.

Read and not run: pictures are decoded, cached and augmented as for every other model, so what cannot be expressed so is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from weigh.errors import ModelError
from weigh.language import Text, text
from weigh.models.preprocessing import LONGEST_SIDE, RESAMPLING, Preprocessing

__all__ = ["checked", "of_preset", "read_transform"]

TO_NUMBERS = ("ToTensor", "MaybeToTensor", "ConvertImageDtype")  # to values in [0, 1]
NOTHING = ("PILToTensor", "ToImage", "RGB", "ToPureTensor", "Identity", "MaybePILToTensor")


def of_preset(preset: Any) -> Preprocessing:
    """What `weights.transforms()` of torchvision returns."""
    return Preprocessing(
        getattr(preset, "crop_size", preset.resize_size)[0],  # masks: nothing is cut off
        preset.resize_size[0],
        tuple(preset.mean),
        tuple(preset.std),
        preset.interpolation.value,
    )


def read_transform(transform: Any) -> Preprocessing:
    """The preparation that an object describes.

    Args:
        transform: A `Preprocessing`, a mapping of its fields, a preset of torchvision's weights, or a `Compose` of torchvision.

    Raises:
        ModelError: Names the step that cannot be read, and what can.
    """
    if isinstance(transform, Preprocessing):
        return checked(transform)
    if isinstance(transform, Mapping):
        return _of_fields(transform)
    if all(hasattr(transform, name) for name in ("resize_size", "mean", "std", "interpolation")):
        return of_preset(transform)
    steps = getattr(transform, "transforms", None)
    if isinstance(steps, Iterable):
        return _of_steps(list(steps))
    raise _unread(text("{k} is no such thing", "{k} 不属于这些类型", k=type(transform).__name__))


def _of_fields(stated: Mapping[str, Any]) -> Preprocessing:
    known = [field.name for field in fields(Preprocessing)]
    if unknown := [name for name in stated if name not in known]:
        raise _unread(
            text("there is no field {f}; they are {k}", "没有字段 {f}；可用的有 {k}", f=unknown[0], k=", ".join(known))
        )
    if missing := [name for name in ("size", "mean", "std") if name not in stated]:
        raise _unread(text("{f} is missing", "缺少 {f}", f=missing[0]))
    values = {name: tuple(value) if isinstance(value, (list, tuple)) else value for name, value in stated.items()}
    cuts = isinstance(stated["size"], int) and not stated.get("squash")
    resize = round(stated["size"] * 256 / 224) if cuts else stated["size"]
    return checked(Preprocessing(**{"resize": resize, **values}))


def checked(prepared: Preprocessing) -> Preprocessing:
    """The preparation as it is.

    Raises:
        ModelError: One of its values cannot be.
    """
    sides = {"size": prepared.size, "resize": prepared.resize}
    for name, side in sides.items():
        if type(side) is not int or not 0 < side <= LONGEST_SIDE:
            raise _unread(
                text(
                    "{f}={v}: it is a number of pixels, {m} at most",
                    "{f}={v}：应为像素数，最多 {m}",
                    f=name,
                    v=side,
                    m=LONGEST_SIDE,
                )
            )
    if prepared.resize < prepared.size and not prepared.squash:
        raise _unread(
            text("resize={a} is less than size={b}", "resize={a} 小于 size={b}", a=prepared.resize, b=prepared.size)
        )
    for name, values in {"mean": prepared.mean, "std": prepared.std}.items():
        numbers = isinstance(values, tuple) and len(values) == 3 and all(isinstance(v, (int, float)) for v in values)
        if not numbers or not all(map(math.isfinite, values)) or (name == "std" and min(values) <= 0):
            raise _unread(text("{f}={v}: it is three numbers", "{f}={v}：应为三个数", f=name, v=values))
    if prepared.interpolation not in RESAMPLING:
        known = ", ".join(RESAMPLING)
        raise _unread(
            text(
                "interpolation={v}; known are {k}", "interpolation={v}；可用的有 {k}", v=prepared.interpolation, k=known
            )
        )
    return prepared


def _of_steps(steps: list[Any]) -> Preprocessing:
    """Resize, CenterCrop, a conversion to numbers, Normalize, in this order."""
    resize = crop = mean = std = None
    interpolation, scale = "bilinear", 0.0  # values of a pixel are 255 × scale at most; 0: still whole numbers
    for step in steps:
        name = type(step).__name__
        if name == "Compose":
            raise _unread(text("a Compose inside another", "嵌套的 Compose"))
        if name == "Resize" and crop is None and getattr(step, "max_size", None) is None:
            resize, interpolation = _sides(step.size), getattr(step.interpolation, "value", step.interpolation)
        elif name == "CenterCrop" and resize is not None:
            crop = _sides(step.size)
        elif name in TO_NUMBERS or (name == "ToDtype" and getattr(step, "scale", False)):
            scale = 1 / 255
        elif name == "ToDtype":
            scale = scale or 1.0
        elif name == "Normalize" and scale:
            mean, std = tuple(float(v) for v in step.mean), tuple(float(v) for v in step.std)
        elif name not in NOTHING:
            raise _unread(_why(step, name))
    if resize is None:
        raise _unread(text("Resize is missing, so pictures would be of any size", "缺少 Resize，图片大小不一"))
    if not scale:
        raise _unread(text("ToDtype(torch.float32, scale=True) is missing", "缺少 ToDtype(torch.float32, scale=True)"))
    squash = len(resize) == 2
    if crop is None and not squash:
        raise _unread(
            text(
                "CenterCrop is missing: Resize of one number leaves pictures of any shape",
                "缺少 CenterCrop：只给一个数的 Resize 会得到各种形状的图片",
            )
        )
    sides = set(crop or resize)
    if len(sides) != 1 or len(set(resize)) != 1 or min(resize) < max(sides):
        raise _unread(text("pictures of {s}: they must be square, and no larger than Resize makes them", "图片大小 {s}：必须为正方形，且不大于 Resize 的结果", s=sorted(sides)))  # fmt: skip
    of_255 = 255 * scale
    mean, std = mean or (0.0, 0.0, 0.0), std or (1.0, 1.0, 1.0)
    centre, spread = (tuple(value / of_255 for value in values) for values in (mean, std))
    return checked(Preprocessing(sides.pop(), resize[0], centre, spread, interpolation, squash=squash))  # type: ignore[arg-type]


def _sides(size: Any) -> tuple[int, ...]:
    return (size,) if isinstance(size, int) else tuple(size)


def _why(step: Any, name: str) -> Text:
    if name.startswith(("Random", "AutoAugment", "TrivialAugment", "AugMix", "ColorJitter")):
        return text(
            "{n} augments: give the steps of evaluation, weigh augments by itself",
            "{n} 是数据增强：请给出评估时的步骤，增强由 weigh 完成",
            n=name,
        )
    return text("the step {n}, at this place, is not understood", "无法理解此处的步骤 {n}", n=str(step)[:120])


def _unread(reason: Text) -> ModelError:
    return ModelError(
        text("preprocess= cannot be read: {r}.", "无法理解 preprocess=：{r}。", r=reason),
        text(
            "weigh prepares pictures itself, the same way in training, in features and in the saved model.",
            "图片由 weigh 统一处理，训练、特征和保存的模型都一致。",
        ),
        text(
            "Understood are: Resize, CenterCrop, ToDtype(scale=True) or ToTensor, Normalize of torchvision in a Compose; weights.transforms(); or "
            "dict(size=224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)) with resize, interpolation and squash if wanted.",
            "可以理解的有：由 torchvision 的 Resize、CenterCrop、ToDtype(scale=True) 或 ToTensor、Normalize 组成的 Compose；weights.transforms()；"
            "或 dict(size=224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))，可另加 resize、interpolation、squash。",
        ),
    )
