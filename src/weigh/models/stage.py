"""A network cut in two where its last stage begins: a frozen prefix, whose activations can be kept, and a tail that is trained.

The last stage starts where the maps reach their final size (ResNet: layer4; EfficientNet: the blocks at 1/32), or, in a
network of equal blocks such as a ViT, with the last quarter of them. Nothing is asked of an architecture by name: one
forward pass is watched, a cut is proposed, and it is taken only if tail(prefix(pictures)) is the network, on noise.

The tail runs the network's own `forward`: what ended before the cut answers with zeros of the right shape, and the first
module of the stage receives the kept activations instead. Parts that the cut does not touch are shared, not copied.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from weigh.errors import ModelError
from weigh.language import text

__all__ = ["Call", "Cut", "Prefix", "Skipped", "every", "split_last_stage", "watch"]

TOLERANCE = 1e-4  # of the outputs' spread; the same operations run on both sides, so a wrong cut is far beyond it
SHARE = 0.5  # a part that holds more than this of the parameters is looked into
QUARTER = 4  # of a network of equal blocks, the last quarter is its last stage


@dataclass
class Call:
    """One call of a module while a forward pass was watched."""

    name: str
    module: nn.Module
    start: int
    end: int = -1
    output: Any = None
    inside: list[Call] = field(default_factory=list)


class _Reached(Exception):
    """Ends a forward pass at the cut; carries the activations."""

    def __init__(self, activations: torch.Tensor) -> None:
        self.activations = activations


class Prefix(nn.Module):
    """`(n, 3, size, size)` pictures to `(n, …)` activations at the module called `first`; the rest is not computed."""

    def __init__(self, body: nn.Module, first: str) -> None:
        super().__init__()
        self.body, self.first = body, first

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        def stop(_module: nn.Module, inputs: tuple) -> None:
            raise _Reached(inputs[0])

        hook = self.body.get_submodule(self.first).register_forward_pre_hook(stop)
        try:
            self.body(pictures)
        except _Reached as reached:
            return reached.activations
        finally:
            hook.remove()
        raise RuntimeError(f"{self.first} was not reached")


class Skipped(nn.Module):
    """Stands in for a frozen part: zeros of the shape that it gave, without memory of their own; facts are those of the part."""

    def __init__(self, part: nn.Module, like: torch.Tensor) -> None:
        super().__init__()
        self.shape, self.dtype = tuple(like.shape[1:]), like.dtype
        self.stands_for = (part,)  # in a tuple, so that its parameters are not counted as ours

    def __getattr__(self, name: str) -> Any:  # a ViT asks its patch embedding for the grid
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["stands_for"][0], name)

    def forward(self, x: torch.Tensor, *_args, **_kwargs) -> torch.Tensor:
        return torch.zeros((1, *self.shape), dtype=self.dtype, device=x.device).expand(x.shape[0], *self.shape)


class Resume:
    """Computes features of the last stage from kept activations, by the network's own `forward`: `(rest, activations) -> (n, width)`."""

    def __init__(self, rest: nn.Module, first: str, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._waiting: list[torch.Tensor] = []
        rest.get_submodule(first).register_forward_pre_hook(self._hand_over, with_kwargs=True)

    def _hand_over(self, _module: nn.Module, inputs: tuple, named: dict) -> tuple[tuple, dict] | None:
        return ((self._waiting[-1], *inputs[1:]), named) if self._waiting else None  # None: called by the whole network

    def __call__(self, rest: nn.Module, activations: torch.Tensor) -> torch.Tensor:
        blank = torch.zeros((1, 3, *self.shape), device=activations.device)
        self._waiting.append(activations)
        try:
            return rest(blank.expand(len(activations), -1, -1, -1))
        finally:
            self._waiting.clear()


@dataclass(frozen=True)
class Cut:
    """The two halves of a body, which share its weights.

    Attributes:
        prefix: Pictures to activations, in eval mode.
        rest: What stands from the cut on; `resume` computes with it.
        first: Name of the module where it begins.
        shape: Of one picture's activations.
    """

    prefix: Prefix
    rest: nn.Module
    resume: Resume
    first: str
    shape: tuple[int, ...]


def split_last_stage(body: nn.Module, *, shape: tuple[int, int], native: int, address: str) -> Cut:
    """Cut `body` where its last stage begins and freeze what comes before.

    Args:
        shape: Height and width of the pictures that will be used.
        native: Side that the model was made for: the place of the cut must not depend on `shape`.

    Raises:
        ModelError: No place from which the network can be resumed exactly.
    """
    body.eval()
    with torch.inference_mode():
        proposed = [call.name for call in _proposals(watch(body, (native, native)))]
    for first in proposed:
        cut = _cut(body, first, shape)
        if cut is not None:
            return cut
    raise ModelError(
        text(
            "{a}: no place was found where its last stage begins.",
            "{a}：找不到最后一个阶段的起点。",
            a=address,
        ),
        text(
            "last-stage trains from one place on; the parts of this network do not follow one another so.",
            "last-stage 需要从某一处开始训练，而该网络的各部分并非依次相接。",
        ),
        text(
            "Use probe (frozen) or finetune (all of it) for this model.",
            "对该模型请使用 probe（冻结）或 finetune（全部训练）。",
        ),
    )


def watch(body: nn.Module, shape: tuple[int, int]) -> Call:
    """The calls of one forward pass of three pictures of noise, as a tree."""
    device = next(body.parameters()).device
    noise = torch.randn(3, 3, *shape, generator=torch.Generator().manual_seed(0)).to(device)
    root = Call("", body, 0)
    open_calls, clock, hooks = [root], [0], []

    def begin(name: str):
        def hook(module: nn.Module, _inputs) -> None:
            clock[0] += 1
            call = Call(name, module, clock[0])
            open_calls[-1].inside.append(call)
            open_calls.append(call)

        return hook

    def finish(_module: nn.Module, _inputs, output) -> None:
        clock[0] += 1
        call = open_calls.pop()
        call.end, call.output = clock[0], output

    for name, module in body.named_modules():
        if name:
            hooks += [module.register_forward_pre_hook(begin(name)), module.register_forward_hook(finish)]
    try:
        root.output = body(noise)
    finally:
        for hook in hooks:
            hook.remove()
    root.end = clock[0] + 1
    return root


def _proposals(root: Call) -> Iterator[Call]:
    """Places to cut, best first: where the last stage begins, then what follows."""
    total = _count(root.module)
    units, equal = root.inside, root.inside
    while True:  # look into the parts that hold most of the parameters
        heavy = [i for i, u in enumerate(units) if _count(u.module) > SHARE * total and len(_weighty(u.inside)) > 1]
        if not heavy:
            break
        equal = units[heavy[0]].inside
        units = [*units[: heavy[0]], *equal, *units[heavy[0] + 1 :]]
    sides = [u.output.shape[2] if isinstance(u.output, torch.Tensor) and u.output.ndim == 4 else 1 for u in units]
    maps = [i for i, side in enumerate(sides) if side > 1]
    if maps and sides[maps[0]] > sides[maps[-1]]:
        start = maps[-1]
        while start > 0 and sides[start - 1] == sides[maps[-1]]:
            start -= 1
    else:  # tokens, or maps of one size: equal blocks
        blocks = _weighty(equal)
        start = units.index(blocks[max(1, len(blocks) * (QUARTER - 1) // QUARTER)]) if len(blocks) > 1 else len(units)
    for i in range(max(1, start), len(units)):
        if any(_count(u.module) for u in units[i:]) and any(_count(u.module) for u in units[:i]):
            yield units[i]


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _weighty(calls: list[Call]) -> list[Call]:
    return [call for call in calls if _count(call.module)]


def every(call: Call) -> Iterator[Call]:
    """All calls inside, in their order."""
    for inner in call.inside:
        yield inner
        yield from every(inner)


def _cut(body: nn.Module, first: str, shape: tuple[int, int]) -> Cut | None:
    """The body cut before the module called `first`; None where it cannot be resumed there."""
    try:
        with torch.inference_mode():
            root = watch(body, shape)
        cut = next(call.start for call in every(root) if call.name == first)
        after = {id(call.module) for call in every(root) if call.start >= cut}
        memo: dict[int, Any] = {id(call.module): call.module for call in every(root) if id(call.module) in after}
        for call in _outermost(root, cut, after):
            memo[id(call.module)] = Skipped(call.module, call.output)
        prefix, device = Prefix(body, first).eval(), next(body.parameters()).device
        rest = copy.deepcopy(body, memo).eval()
        resume = Resume(rest, first, shape)
        noise = torch.randn(3, 3, *shape, generator=torch.Generator().manual_seed(1)).to(device)
        with torch.inference_mode():
            expected, activations = body(noise), prefix(noise)
            got = resume(rest, activations.clone())
        close = bool((got - expected).abs().max() <= TOLERANCE * expected.std().clamp_min(1e-6))
    except (RuntimeError, AttributeError, KeyError, IndexError, ValueError, TypeError, StopIteration, AssertionError):
        return None  # an unusual network: another place is tried
    if not close or activations.shape[0] != 3 or not activations.is_floating_point():
        return None
    trained = {id(p) for name, m in body.named_modules() if name and id(m) in after for p in m.parameters()}
    for part in (body, rest):
        for parameter in part.parameters():
            parameter.requires_grad_(id(parameter) in trained)
    return Cut(prefix, rest, resume, first, tuple(activations.shape[1:]))


def _outermost(call: Call, cut: int, after: set[int]) -> Iterator[Call]:
    """What ended before the cut, is not used after it, and gives one row per picture: the largest such parts."""
    for inner in call.inside:
        whole = not any(id(c.module) in after for c in (inner, *every(inner)))
        rows = isinstance(inner.output, torch.Tensor) and inner.output.ndim > 0 and inner.output.shape[0] == 3
        if inner.end < cut and whole and rows:
            yield inner
        elif inner.start < cut:
            yield from _outermost(inner, cut, after)
