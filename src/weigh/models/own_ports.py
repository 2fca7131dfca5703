"""What a user's own model offers, found by trying it with pictures of noise: features, weights that can be trained, maps, a head.

Before it: a module that a factory made. After it: `own_model.py`, which gives these ports to whatever trains it.
"""

from __future__ import annotations

import copy
import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from weigh.errors import ModelError, reason_of
from weigh.language import Text, text
from weigh.models.anatomy import cut_last_linear
from weigh.models.maps import find_maps
from weigh.models.own_code import running
from weigh.models.timm import ANATOMY as OF_TIMM
from weigh.notices import notice

__all__ = ["Tried", "features_by", "nature_of", "say_once", "try_ports"]

SAME = 1e-4  # of the outputs' spread: two passes of one picture differ by less
SQUASHED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "softmax": lambda x: x.softmax(-1), "log_softmax": lambda x: x.log_softmax(-1), "sigmoid": lambda x: x.sigmoid(),
}  # fmt: skip

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Tried:
    """What was found out about a model by trying it.

    Attributes:
        way: How its features are got: it takes its head away itself, as models of timm do ("reset"); the linear layer that makes its
            output is taken away ("linear"); so is the last convolution of a SqueezeNet ("convolution"); its output is them ("output").
        head: Name of the linear layer that makes its output; "": there is none.
        width: Of its output.
        lacking: Port -> why it does not offer it.
        drawn: Share of the weights of its body that are other ones at another seed.
        shared: Two calls of the factory gave the same tensors.
    """

    way: Literal["reset", "linear", "convolution", "output"]
    head: str
    width: int
    lacking: Mapping[str, Text]
    drawn: float
    shared: bool


def _copy(module: nn.Module, place: str) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except Exception as error:  # a lock, an open file, a generator among its attributes
        raise ModelError(
            text("{a} cannot be copied: {e}", "{a} 无法复制：{e}", a=place, e=reason_of(error)),
            text("weigh trains copies of a model, one for each run.", "weigh 为每次运行训练模型的一份副本。"),
            text(
                "Keep what is no layer, parameter or number out of the module.",
                "请不要在模块中存放层、参数和数值之外的对象。",
            ),
        ) from None


class Nature(NamedTuple):
    """Names of weights that are other ones at another seed; and whether two calls of the factory gave the same tensors."""

    drawn: frozenset[str]
    shared: bool


def nature_of(a: Weights, b: Weights) -> Nature:
    """What is told of a model by two results of its factory, made at different seeds."""
    drawn = {n for n, t in a.items() if n not in b or b[n].shape != t.shape or not torch.equal(t, b[n])}
    shared = any(t.numel() and t.data_ptr() == b[n].data_ptr() for n, t in a.items() if n in b)
    return Nature(frozenset(drawn), shared)


@cache
def say_once(sentence: Text) -> None:
    """A notice, of which a process tells its user once; worker processes leave it to the one that started them."""
    if multiprocessing.parent_process() is None:
        notice(sentence)


def try_ports(module: nn.Module, noise: torch.Tensor, place: str, nature: Nature) -> Tried:
    """What a module offers; a copy of it is used up.

    Args:
        noise: A batch of pictures.
        place: Of the factory, for errors.

    Raises:
        ModelError: Nothing that a head can stand on, answers that change from pass to pass, or a module that cannot be copied.
    """
    module = _copy(module, place)
    linear, output, last = _watched_pass(module, noise, place)
    head, width, lacking = "", 0, dict[str, Text]()
    if not _is_vector(output, noise):
        lacking["features"] = _no_vector(output)
    else:
        width = output.shape[1]
        _check_repeatable(module, noise, output, place)
        head, squashed_by = _head_of(module, output, last)
        if squashed_by:
            lacking["features"] = text(
                "its forward ends with {f} after the last linear layer; return the logits",
                "其 forward 在最后一个线性层之后还有 {f}；请返回 logits",
                f=squashed_by,
            )
    way: Literal["reset", "linear", "convolution", "output"] = "linear" if head else "output"
    if hasattr(module, "reset_classifier") and hasattr(module, "get_classifier"):
        way = "reset"
    elif not linear and hasattr(module, "classifier"):
        way = "convolution"
    if "features" not in lacking:
        width_of_features = features_by(way, head, width)(without := copy.deepcopy(module), place)
        vector = _pass(without, noise, place)
        if not _is_vector(vector, noise) or vector.shape[1] != width_of_features:
            lacking["features"] = _no_vector(vector)
    try:
        find_maps(module, noise)
    except Exception as error:
        what = error.what if isinstance(error, ModelError) else Text(*[reason_of(error)] * 2)
        lacking["maps"] = what
    if (reason := _not_trainable(module, noise)) is not None:
        lacking["network"] = reason
    if {"features", "maps"} <= lacking.keys():
        raise ModelError(
            text(
                "{a} offers nothing that a head can stand on: {r}.",
                "{a} 没有可以接头的输出：{r}。",
                a=place,
                r=lacking["features"],
            ),
            do=text(
                "Return a vector or logits for each picture: (n, k).", "请为每张图片返回一个向量或 logits：(n, k)。"
            ),
        )
    if way == "output" and "features" not in lacking:
        say_once(
            text(
                "{a}: no linear layer makes its output; that itself, {k} numbers for each picture, is taken as its features.",
                "{a}：其输出不是由线性层得到的；直接把输出（每张图片 {k} 个数）作为特征。",
                a=place,
                k=width,
            )
        )
    body = {
        name: tensor.numel()
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point() and (not head or name.rpartition(".")[0] != head)
    }
    drawn = sum(size for name, size in body.items() if name in nature.drawn) / max(1, sum(body.values()))
    return Tried(way, head, width, lacking, drawn, nature.shared)


def _watched_pass(
    module: nn.Module, noise: torch.Tensor, place: str
) -> tuple[list[nn.Linear], Any, tuple[nn.Module, torch.Tensor] | None]:
    """The linear layers of a module, its output for `noise`, and the linear layer that ran last with what it gave."""
    calls: list[tuple[nn.Module, torch.Tensor]] = []
    linear = [part for part in module.modules() if isinstance(part, nn.Linear)]

    def remember(layer: nn.Module, _inputs: Any, made: Any) -> None:
        calls.append((layer, made))

    hooks = [part.register_forward_hook(remember) for part in linear]
    output = _pass(module, noise, place)
    for hook in hooks:
        hook.remove()
    return linear, output, calls[-1] if calls else None


def _head_of(module: nn.Module, output: torch.Tensor, last: tuple[nn.Module, torch.Tensor] | None) -> tuple[str, str]:
    """The name of the linear layer that makes the output; "" and the function that follows it, where one of `SQUASHED` does."""
    if last is None or last[1].shape != output.shape:
        return "", ""
    layer, made = last
    if torch.equal(made, output):
        return next(name for name, part in module.named_modules() if part is layer), ""
    return "", next((n for n, f in SQUASHED.items() if torch.allclose(f(made), output, atol=1e-6)), "")


def _is_vector(output: Any, noise: torch.Tensor) -> bool:
    """Whether it is `(n, k)`, of floating-point numbers."""
    return (
        isinstance(output, torch.Tensor)
        and output.ndim == 2
        and len(output) == len(noise)
        and output.is_floating_point()
    )


def features_by(way: str, head: str, width: int) -> Callable[[nn.Module, str], int]:
    """`Anatomy.features` of a model that was tried."""

    def without_head(module: nn.Module, _address: str) -> int:
        features: Any = module.get_submodule(head)
        module.set_submodule(head, nn.Identity())
        return int(features.in_features)

    ways: dict[str, Any] = {"reset": OF_TIMM.features, "linear": without_head, "convolution": cut_last_linear}
    return ways.get(way, lambda _module, _address: width)


def _pass(module: nn.Module, noise: torch.Tensor, place: str) -> Any:
    try:
        with (
            running(place, text("was given pictures {s}", "处理图片 {s}", s=tuple(noise.shape))),
            torch.inference_mode(),
        ):
            return module(noise)
    except ModelError as error:
        raise ModelError(
            error.what,
            text(
                "An own model takes pictures, {s}; models of texts come as hf:./FOLDER.",
                "自定义模型接受图片 {s}；文本模型请用 hf:./文件夹。",
                s=tuple(noise.shape),
            ),
            text(
                "Make its forward take such a batch, or state the size that it is made for: ?size=… or preprocess=…",
                "请让其 forward 接受这样的批次，或说明它所用的图片大小：?size=… 或 preprocess=…",
            ),
        ) from None


def _no_vector(output: Any) -> Text:
    if isinstance(output, torch.Tensor):
        values = {"s": tuple(output.shape)}
        return text(
            "its forward returns {s}, not a vector for each picture: pool it",
            "其 forward 返回 {s}，而不是每张图片一个向量：请先做池化",
            **values,
        )
    return text(
        "its forward returns {k}, not a tensor: return the one that counts",
        "其 forward 返回 {k} 而不是张量：请返回其中所需的张量",
        k=type(output).__name__,
    )


def _check_repeatable(module: nn.Module, noise: torch.Tensor, output: torch.Tensor, place: str) -> None:
    """Raises ModelError where a picture's answer depends on chance or on the other pictures of its batch."""
    again, alone = _pass(module, noise, place), _pass(module, noise[:1], place)
    tolerance = SAME * float(output.std().clamp_min(1e-6))
    for other, like, reason in (
        (again, output, text("it differs from pass to pass (dropout without `training=self.training`?)", "每次计算都不同（dropout 没有写 `training=self.training`？）")),
        (alone, output[:1], text("it depends on the other pictures of the batch", "它取决于同一批次中的其他图片")),
    ):  # fmt: skip
        if other.shape != like.shape or not bool((other - like).abs().max() <= tolerance):
            raise ModelError(
                text(
                    "{a}: the answer for a picture is not fixed in eval mode: {r}.",
                    "{a}：在 eval 模式下，同一图片的输出不固定：{r}。",
                    a=place,
                    r=reason,
                ),
                text("Its features and predictions could not be repeated.", "其特征和预测将无法重复。"),
                text("Correct its forward.", "请修正其 forward。"),
            )


def _not_trainable(module: nn.Module, noise: torch.Tensor) -> Text | None:
    """Why no gradient reaches its weights in training; None: one does. The module is used up."""
    try:
        with torch.enable_grad():
            output = module.train()(noise)
            if not isinstance(output, torch.Tensor):
                return text(
                    "in training its forward returns {k}: return the first output alone",
                    "训练时其 forward 返回 {k}：请只返回主输出",
                    k=type(output).__name__,
                )
            output.float().square().mean().backward()
    except Exception as error:
        return text("a training step fails: {e}", "训练一步时出错：{e}", e=reason_of(error))
    if not any(p.grad is not None for p in module.parameters()):
        return text("no gradient reaches its weights", "梯度无法到达其权重")
    return None
