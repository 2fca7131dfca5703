"""The maps of a picture model, fine to coarse: what masks and boxes are predicted from.

Nothing is asked of an architecture by name. One forward pass is watched; at each size the last output on the main path is taken. Maps
of convolutions (channels first or last) and tokens of a grid (ViT; class tokens left out) are told apart by their shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.stage import Call, every, watch

__all__ = [
    "Level",
    "OwnDecoder",
    "Pyramid",
    "Tapped",
    "alone",
    "as_map",
    "catch",
    "equal_blocks",
    "find_maps",
    "maps_in_order",
    "norms_of",
]

SHARE = 0.5  # a part that holds more than this of the parameters is looked into
EXTRA = 8  # tokens besides the grid, at most: class, distillation, registers
# Maps whose strides differ by a smaller factor are of the same stage (rounding); those of the next stage differ by 2.
ROUNDED = 1.5
UNIT = 64  # pixels: at multiples of it strides come out whole


class Level(NamedTuple):
    """One map.

    Attributes:
        name: Of the module that makes it.
        stride: Pixels of the picture for each of its own.
        width: Channels.
        layout: "first" or "last" (channels), or "tokens".
    """

    name: str
    stride: int
    width: int
    layout: str


class OwnDecoder(NamedTuple):
    """What a model has of its own between its maps and its last classifier.

    Attributes:
        module: `[(n, width, h, w), …]`, all maps of the pyramid, to one map: a vector per pixel.
        width: Numbers of such a vector.
        used: Places of the maps that it looks at.
    """

    module: nn.Module
    width: int
    used: tuple[int, ...] = (0,)


class Tapped(nn.Module):
    """A network that gives a list of maps, which pass by modules that have a name.

    Args:
        n: How many maps.
    """

    def __init__(self, encoder: nn.Module, n: int) -> None:
        super().__init__()
        self.encoder, self.taps = encoder, nn.ModuleList(nn.Identity() for _ in range(n))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return [tap(made) for tap, made in zip(self.taps, self.encoder(pictures), strict=True)][-1]


class Pyramid(nn.Module):
    """`(n, 3, height, width)` pictures to maps `(n, width, height / stride, width / stride)`, the finest first.

    Its body is the model's own, so training it trains the model.

    Attributes:
        own: The model's own decoder (`OwnDecoder`, or `own_boxes.OwnDetector`); it belongs to the head. None: it has none.
        keep_norms: Batch norms keep the statistics of their pretraining while it is trained: a batch of a few large pictures has no
            reliable ones.
    """

    def __init__(self, body: nn.Module, levels: tuple[Level, ...], own: Any = None) -> None:
        super().__init__()
        self.body, self.levels, self.own = body, levels, own
        self.keep_norms = False

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(level.stride for level in self.levels)

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(level.width for level in self.levels)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        caught = self.catch(lambda: self.body(pictures))
        return [as_map(caught[level.name], level, pictures) for level in self.levels]

    def catch(self, run: Callable[[], Any], body: nn.Module | None = None) -> dict[str, torch.Tensor]:
        """Outputs of the modules of its levels while `run` passes something through `body` (its own, or a copy of parts of it)."""
        return catch(self.body if body is None else body, self.levels, run)


def catch(body: nn.Module, levels: Iterable[Level], run: Callable[[], Any]) -> dict[str, torch.Tensor]:
    """The outputs of the modules of these levels, by name, while `run` passes something through `body`."""
    caught: dict[str, torch.Tensor] = {}

    def hook_of(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            caught[name] = _tensor(output)

        return hook

    # for the time of a pass only: a copy of the body would otherwise fill the dictionary of the original
    hooks = [body.get_submodule(level.name).register_forward_hook(hook_of(level.name)) for level in levels]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return caught


def norms_of(module: nn.Module) -> list[nn.Module]:
    """Its layers that normalise by statistics of the batch."""
    return [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


@contextmanager
def alone(module: nn.Module, n: int) -> Iterator[None]:
    """While a batch of one picture passes in training, batch norms use the statistics that they have: what is pooled over a picture has none."""
    norms = [norm for norm in norms_of(module) if norm.training] if n == 1 and module.training else []
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()


def find_maps(body: nn.Module, blank: torch.Tensor) -> Pyramid:
    """The pyramid of a body.

    Args:
        blank: A batch of pictures of the model's own size; networks that take only that one are watched with it.

    Raises:
        ModelError: No output has the shape of a map.
    """
    return Pyramid(body, _watched(body, blank.shape[-1], _levels))


def maps_in_order(body: nn.Module, native: int) -> tuple[Level, ...]:
    """All maps on the main path of a body, in the order in which they are made.

    Args:
        native: Side of pictures of the model's own size.

    Raises:
        ModelError: No output has the shape of a map.
    """

    def levels(root: Call, size: int) -> tuple[Level, ...]:
        calls = [call.name for call in every(root)]
        units = sorted(_main_path(root, _numbers(root), size), key=lambda call: call.end)
        made = ((_level(call, size), call) for call in units)
        return tuple(level for level, call in made if level is not None and calls.count(call.name) == 1)

    return _watched(body, native, levels)


def equal_blocks(body: nn.Module, native: int, around: tuple[Level, ...]) -> tuple[Level, ...]:
    """The blocks, in their order, of a network that is a row of equal ones (ViT, MLP-Mixer); empty for networks of stages.

    They follow one another in one part, are of one class and give maps of one size and width; they hold more than half of the parameters, and no
    map before them is finer.

    Args:
        native: Side of pictures of the model's own size.
        around: All maps on its main path (`maps_in_order`).
    """
    body.eval()
    with torch.inference_mode():
        root = watch(body, (native, native))
    calls, total = [call.name for call in every(root)], _numbers(root)
    for part in every(root):
        rows: dict[tuple, list[Level]] = {}
        numbers: dict[tuple, int] = {}
        for call in sorted(part.inside, key=lambda call: call.end):
            level = _level(call, native, whole=False)
            if level is not None and calls.count(call.name) == 1:
                kind = (type(call.module), level[1:])
                rows.setdefault(kind, []).append(level)
                numbers[kind] = numbers.get(kind, 0) + _numbers(call)
        for kind, row in rows.items():
            if len(row) > 1 and numbers[kind] > SHARE * total:
                # strides of convolutions are rounded to powers of two: 16 for patches of 14 pixels
                return tuple(row) if all(level.stride * ROUNDED > row[0].stride for level in around) else ()
    return ()


def _watched(body: nn.Module, native: int, choose: Callable[[Call, int], tuple[Level, ...]]) -> tuple[Level, ...]:
    """What `choose` takes of a pass through the body, of pictures of the first size that it can take."""
    body.eval()
    for size in dict.fromkeys((math.ceil(native / UNIT) * UNIT, native)):
        try:
            with torch.inference_mode():
                root = watch(body, (size, size))
        except (RuntimeError, AssertionError, ValueError):  # made for pictures of one size
            continue
        if levels := choose(root, size):
            return levels
    raise ModelError(
        text("This network has no maps of its pictures.", "该网络没有图片的特征图。"),
        do=text(
            "Use a convolutional network or a vision transformer of timm:, torchvision: or hf:.",
            "请使用 timm:、torchvision: 或 hf: 的卷积网络或视觉 Transformer。",
        ),
    )


def _levels(root: Call, size: int) -> tuple[Level, ...]:
    """The last map of each size; the coarser ones must come later, or they are not on the way to the last features."""
    last: dict[int, Level] = {}
    total = _numbers(root)
    units = sorted(_main_path(root, total, size), key=lambda call: call.end)
    calls = [call.name for call in every(root)]
    coarser = {
        call.name + ".": level.stride
        for call in units
        if _numbers(call) <= SHARE * total and (level := _level(call, size))
    }
    for call in units:
        level = _level(call, size)
        if level is not None and calls.count(call.name) == 1:
            kept_level = last.get(level.stride)
            last = {stride: kept for stride, kept in last.items() if stride < level.stride}
            # the part of a DenseNet that leads to the next size narrows the map of its stage before it scales it
            leads_on = any(level.name.startswith(name) and stride > level.stride for name, stride in coarser.items())
            narrowed = leads_on and kept_level is not None and kept_level.width > level.width
            last[level.stride] = kept_level if narrowed else level
    return tuple(last[stride] for stride in sorted(last))


def _main_path(call: Call, total: int, size: int) -> Iterator[Call]:
    """Parts that follow one another: what holds parts of several sizes, or most of the network, is looked into."""
    for inner in call.inside:
        sides = {level.stride for part in inner.inside if (level := _level(part, size)) is not None}
        share = _numbers(inner) / max(total, 1)
        if inner.inside and (
            _level(inner, size) is None or (len(sides) > 1 and (share > SHARE or _in_a_row(inner.module)))
        ):
            yield from _main_path(inner, total, size)
        yield inner


def _numbers(call: Call) -> int:
    return sum(p.numel() for p in call.module.parameters())


def _in_a_row(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential)


def _level(call: Call, size: int, *, whole: bool = True) -> Level | None:
    """Its output as a map of a picture of `size` pixels; None: it is none.

    Args:
        whole: Tokens must fill the picture. Otherwise pixels at its edge may be left over (27 patches of 14 pixels in 384).
    """
    output = _tensor(call.output)
    if output is None or output.shape[0] != 3 or not output.is_floating_point():
        return None
    if output.ndim == 4 and output.shape[2] == output.shape[3]:
        side, width, layout = output.shape[2], output.shape[1], "first"
    elif output.ndim == 4 and output.shape[1] == output.shape[2]:
        side, width, layout = output.shape[1], output.shape[3], "last"
    elif output.ndim == 3:
        roots = (math.isqrt(output.shape[1] - extra) for extra in range(min(EXTRA, output.shape[1])))
        sides = [r for extra, r in enumerate(roots) if r * r == output.shape[1] - extra and _fits(r, size, whole=whole)]
        side, width, layout = (sides or [0])[0], output.shape[2], "tokens"
    else:
        return None
    stride = 2 ** round(math.log2(size / side)) if layout != "tokens" and side > 1 else size // max(side, 1)
    return Level(call.name, stride, width, layout) if 1 < side < size else None


def _fits(side: int, size: int, *, whole: bool) -> bool:
    """Whether a row of `side` patches can be cut from `size` pixels."""
    if side < 1 or whole:
        return size % max(side, 1) == 0
    return side <= size and size // (size // side) == side


def _tensor(output: Any) -> torch.Tensor | None:
    """The first tensor of what a module returns."""
    if isinstance(output, torch.Tensor):
        return output
    values = output.values() if hasattr(output, "values") else output if isinstance(output, (tuple, list)) else ()
    return next((value for value in values if isinstance(value, torch.Tensor)), None)


def as_map(output: torch.Tensor, level: Level, pictures: torch.Tensor) -> torch.Tensor:
    """What a layer gives as a map, `(n, channels, height, width)`: channels moved forward, tokens of a grid put in rows, class tokens left out."""
    if level.layout == "first":
        return output
    if level.layout == "last":
        return output.permute(0, 3, 1, 2)
    height, width = pictures.shape[2] // level.stride, pictures.shape[3] // level.stride
    return output[:, output.shape[1] - height * width :].transpose(1, 2).unflatten(2, (height, width))
