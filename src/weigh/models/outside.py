"""Stored graphs as models with features alone: what they want for pictures, and a function that gives vectors or the answers of their head.

TensorFlow and ONNX files say how large pictures are and how they lie in memory, hardly ever how their values are scaled. What neither the
file nor the user says is an error with the option that says it: a wrong guess costs most of the accuracy and is never noticed.
Before it: `tf.py`, `onnx.py`. After it: `pretrained.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from weigh.data.pictures.imagenet import BACKGROUND
from weigh.errors import ModelError
from weigh.language import Text, text
from weigh.models.address import Address
from weigh.models.penultimate import Cut
from weigh.models.preprocessing import Preprocessing

__all__ = [
    "FIXED",
    "SIZES",
    "VALUES",
    "Entry",
    "Scaling",
    "batches",
    "described",
    "entry_of",
    "imagenet_order",
    "refuse_options",
    "scaled_as",
    "size_of",
]


class Scaling(NamedTuple):
    """Mean and deviation that bring values from [0, 1] to what a model wants."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


VALUES = {
    "imagenet": Scaling((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "-1..1": Scaling((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "0..1": Scaling((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "0..255": Scaling((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
FIXED = text(
    "it is a stored graph, which is run as it is", "它是存储的计算图，只能原样运行"
)  # why it cannot be trained
CROP = 0.875  # share of the shorter side that is kept: how most models of ImageNet were evaluated
SIZES = (8, 2048)  # least and greatest side of an input


@dataclass(frozen=True)
class Entry:
    """What goes into a graph.

    Attributes:
        name: Of the tensor.
        last: Channels are the last dimension.
        single: The graph takes one picture at a time.
        dtype: Of its numbers.
        preprocessing: How pictures are prepared for it.
        values: How their values are scaled and how that is known, in words.
    """

    name: str
    last: bool
    single: bool
    dtype: str
    preprocessing: Preprocessing
    values: str

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return self.preprocessing.size

    def lay(self, batch: torch.Tensor) -> np.ndarray:
        """Pictures as the graph wants them, from a batch `(n, 3, size, size)`."""
        array = batch.detach().to("cpu", torch.float32).numpy()
        array = array.transpose(0, 2, 3, 1) if self.last else array
        if np.issubdtype(np.dtype(self.dtype), np.integer):
            array = np.rint(array)
        return np.ascontiguousarray(array, dtype=self.dtype)


def entry_of(
    address: Address, name: str, shape: tuple[int, ...] | None, dtype: str, values: str | None, told_by: str,
    written_with: Preprocessing | None = None, known: Mapping[str, Scaling] = VALUES,
) -> Entry:  # fmt: skip
    """How pictures enter, from what the file says and the user states.

    Args:
        shape: Of the input, -1 where a side is free; None: unknown.
        values: What the file says of them (key of `VALUES`); None: nothing.
        told_by: How it says so.
        written_with: The whole preparation, where the file says it.
        known: Ways to scale that may be stated.

    Raises:
        ModelError: No input for pictures, or something that neither says; names the option.
    """
    written, stated = address.written, dict(address.options)
    shape = shape if shape is not None else (-1, -1, -1, 3)
    if len(shape) != 4 or 3 not in (shape[1], shape[3]) or shape[0] not in (-1, 0, 1):
        raise ModelError(
            text(
                "{a}: the input {n} has the shape {s}.",
                "{a}：输入 {n} 的形状为 {s}。",
                a=written,
                n=name,
                s=_shown(shape),
            ),
            text(
                "Pictures enter as (n, 3, height, width) or (n, height, width, 3), any number n or one at a time.",
                "图片应以 (n, 3, 高, 宽) 或 (n, 高, 宽, 3) 的形式输入，n 任意或为 1。",
            ),
            text(
                "Name the tensor where pictures enter: {a}@input=TENSOR; or take another model.",
                "请指明图片输入的张量：{a}@input=张量；或换用其他模型。",
                a=written,
            )
            if address.source == "tf"  # others are not entered but at their inputs
            else text(
                "Save the model again with such an input, for pictures in colour; or take another one.",
                "请以这样的输入（彩色图片）重新保存模型，或换用其他模型。",
            ),
        )
    last = shape[3] == 3 and shape[1] != 3
    sides = shape[1:3] if last else shape[2:4]
    if written_with is not None and not stated and set(sides) <= {-1, written_with.size}:
        return Entry(name, last, shape[0] == 1, dtype, written_with, told_by)
    size = size_of(address, name, sides)
    if np.issubdtype(np.dtype(dtype), np.integer) and stated.get("values", "0..255") != "0..255":
        raise ModelError(
            text(
                "{a}: its input {n} takes whole numbers ({d}).",
                "{a}：输入 {n} 接受整数（{d}）。",
                a=written,
                n=name,
                d=dtype,
            ),
            text(
                "Scaled as @values={v} says, nearly all of a picture would be rounded away.",
                "按 @values={v} 缩放后，图片的内容几乎会全部被舍入掉。",
                v=stated["values"][:40],
            ),
            text("Write @values=0..255, or leave @values away.", "请写 @values=0..255，或去掉 @values。"),
        )
    if "values" in stated:
        values, told_by = stated["values"], "@values"
    elif np.dtype(dtype) == np.uint8:
        values, told_by = "0..255", "type uint8"
    if values is None:
        raise ModelError(
            text(
                "{a} does not say how the values of its pictures are scaled.", "{a} 没有说明图片数值的缩放方式。", a=written
            ),
            text(
                "The same picture from 0 to 1 and from -1 to 1 gives other features, and nothing else would show it.",
                "同一张图片按 0 到 1 或按 -1 到 1 缩放会得到不同的特征，而且不会有任何迹象。",
            ),
            text(
                "Say what it was trained with: {c}. (imagenet: ImageNet's mean and deviation, usual for PyTorch; -1..1: usual for TF-Slim; "
                "0..1: usual for TensorFlow Hub)",
                "请说明训练时的方式：{c}。（imagenet：ImageNet 的均值和标准差，PyTorch 常用；-1..1：TF-Slim 常用；0..1：TensorFlow Hub 常用）",
                c=Text(" or ".join(f"{written}@values={v}" for v in known), "、".join(f"{written}@values={v}" for v in known)),
            ),
        )  # fmt: skip
    preprocessing = scaled_as(values, size, known, written)
    return Entry(name, last, shape[0] == 1, dtype, preprocessing, f"{values} ({told_by})")


def scaled_as(values: str, size: int, known: Mapping[str, Scaling], written: str) -> Preprocessing:
    """Pictures of `size` pixels whose values are scaled in one of the `known` ways.

    Args:
        written: The address, for the error.

    Raises:
        ModelError: `values` is none of them.
    """
    if values not in known:
        raise ModelError(
            text("{a}: @values={v} is not known.", "{a}：无法识别 @values={v}。", a=written, v=values[:40]),
            do=text("Known: {k}.", "可用：{k}。", k=", ".join(known)),
        )
    return Preprocessing(size, round(size / CROP), known[values].mean, known[values].std, "bilinear")


def size_of(address: Address, name: str, sides: tuple[int, ...]) -> int:
    """Pixels of a side, as the file says and the user states.

    Args:
        sides: Of the input, -1 where one is free.

    Raises:
        ModelError: They contradict each other, or nobody says.
    """
    written, stated_size = address.written, dict(address.options).get("size")
    if stated_size is not None and not (
        stated_size.isascii() and stated_size.isdigit() and SIZES[0] <= int(stated_size) <= SIZES[1]
    ):
        raise ModelError(
            text("{a}: @size={s} is no number of pixels from {x} to {y}.", "{a}：@size={s} 不是 {x} 到 {y} 之间的像素数。",
                 a=written, s=stated_size[:40], x=SIZES[0], y=SIZES[1]),
        )  # fmt: skip
    fixed = [side for side in sides if side > 0]
    size = int(stated_size) if stated_size is not None else fixed[0] if fixed else 0
    if any(side != size for side in fixed):
        raise ModelError(
            text("{a} takes pictures of {h} × {w} pixels.", "{a} 接受 {h} × {w} 像素的图片。", a=written, h=sides[0], w=sides[1]),
            text("weigh cuts squares, and another size does not fit.", "weigh 裁剪正方形图片，其他尺寸不适用。"),
            text("Export the model for square pictures, or leave @size away.", "请导出接受正方形图片的模型，或去掉 @size。"),
        )  # fmt: skip
    if not size:
        raise ModelError(
            text(
                "{a} takes pictures of any size at its input {n}.",
                "{a} 的输入 {n} 接受任意大小的图片。",
                a=written,
                n=name,
            ),
            text(
                "Features differ between sizes: best is the one of its training.",
                "不同尺寸的特征不同：最好用训练时的尺寸。",
            ),
            text("Say it: {a}@size=224", "请说明：{a}@size=224", a=written),
        )
    if not SIZES[0] <= size <= SIZES[1]:
        raise ModelError(
            text("{a} takes pictures of {s} pixels a side.", "{a} 接受边长为 {s} 像素的图片。", a=written, s=size),
            text("weigh prepares {x} to {y}.", "weigh 可处理 {x} 到 {y} 像素。", x=SIZES[0], y=SIZES[1]),
        )
    return size


def batches(
    entry: Entry, run: Callable[[np.ndarray], np.ndarray], written: str, *, last: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """`(batch) -> (n, width)` of a function of arrays; maps are averaged over their places.

    Args:
        written: The address, for messages.
        last: Channels are the last dimension of maps, whatever they are of the pictures.
    """

    def compute(batch: torch.Tensor) -> torch.Tensor:
        array = entry.lay(batch)
        rows = [run(array[i : i + 1]) for i in range(len(array))] if entry.single else [run(array)]
        values = torch.from_numpy(np.concatenate(rows))
        if values.ndim == 4:
            values = values.mean(dim=(1, 2) if last else (2, 3))
        if values.ndim != 2 or len(values) != len(array):
            raise ModelError(
                text("{a} gives values of the shape {s} for {n} {n:|picture|pictures}.", "{a} 对 {n} 张图片给出形状为 {s} 的数值。",
                     a=written, s=tuple(values.shape), n=len(array)),
                text("Features are one vector for each picture, or maps, which are averaged.", "特征应为每张图片一个向量，或会被取平均的特征图。"),
                text("Name another tensor: {a}@features=TENSOR", "请指定其他张量：{a}@features=张量", a=written.partition("@features")[0]),
            )  # fmt: skip
        return values.to(batch.device)

    return compute


def described(entry: Entry, cut: Cut) -> str:
    """What was found, for the report."""
    head = f"head {cut.logits}, {cut.classes} outputs" if cut.logits else "no head"
    return f"input {entry.name}, {entry.size} px, values {entry.values}; features {cut.features}; {head}"


def imagenet_order(classes: int) -> tuple[int, ...] | None:
    """`Pretrained.imagenet`: all known heads of 1,001 outputs are TF-Slim's, whose first one is "background"."""
    return BACKGROUND if classes == len(BACKGROUND) else None


def refuse_options(address: Address, entry: Entry) -> Callable[[dict[str, Any]], None]:
    """`(options)`: an error where a recipe asks for another size than the graph is for."""

    def configure(options: dict[str, Any]) -> None:
        image_size = options.get("image_size")
        if options.get("frame") or (image_size and image_size != entry.size):
            raise ModelError(
                text("{a} is for pictures of {s} pixels.", "{a} 用于 {s} 像素的图片。", a=address.written, s=entry.size),
                text("Its graph is run as it is stored.", "其计算图按存储的样子运行。"),
                text("Leave image_size away; where the graph takes any size: {a}@size=N.", "请去掉 image_size；若计算图接受任意尺寸：{a}@size=N。",
                     a=address.written),
            )  # fmt: skip

    return configure


def _shown(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join("?" if side < 0 else str(side) for side in shape) + ")"
