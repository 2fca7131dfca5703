"""The maps of a network cut in two: what a frozen prefix computes is kept, one row of numbers per picture; the rest makes the maps of it.

Two cuts: before the head, so that all maps are kept and nothing of the body is trained; or where the last stage begins
(`stage.split_last_stage`), so that its input and the maps before it are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from weigh.models.maps import Pyramid, as_map
from weigh.models.stage import Cut, Skipped

__all__ = ["split_maps"]


class _Rows(nn.Module):
    """`(n, 3, *shape)` pictures to `(n, numbers)`: what enters the last stage, if that is trained, then the maps at `kept`."""

    def __init__(self, pyramid: Pyramid, kept: Sequence[int], inner: Cut | None) -> None:
        super().__init__()
        self.pyramid, self.kept = pyramid, tuple(kept)
        self.prefix = None if inner is None else inner.prefix

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.cat([part.flatten(1) for part in self.parts(pictures)], dim=1)

    def parts(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        parts: list[torch.Tensor] = []
        run = self.pyramid.body if self.prefix is None else self.prefix

        def passed() -> None:
            output = run(pictures)
            if self.prefix is not None:
                parts.append(output)

        caught = self.pyramid.catch(passed, None if self.prefix is None else self.prefix.body)
        levels = [self.pyramid.levels[place] for place in self.kept]
        return parts + [as_map(caught[level.name], level, pictures) for level in levels]


class _Maps:
    """From the kept numbers to all maps: `(rest, (n, numbers)) -> [(n, width, h, w), …]`; places that nobody uses hold the nearest that is."""

    def __init__(
        self, pyramid: Pyramid, used: Sequence[int], kept: Sequence[int], shapes: list[tuple[int, ...]], inner: Cut | None, like: torch.Tensor,
    ) -> None:  # fmt: skip
        self.levels, self.used, self.kept, self.shapes = pyramid.levels, tuple(used), tuple(kept), shapes
        self.inner, self.like, self._catch = inner, like, pyramid.catch

    def __call__(self, rest: nn.Module, numbers: torch.Tensor) -> list[torch.Tensor]:
        sizes = [math.prod(shape) for shape in self.shapes]
        split = zip(numbers.split(sizes, dim=1), self.shapes, strict=True)
        parts = [part.unflatten(1, shape) for part, shape in split]
        maps: dict[int, torch.Tensor] = {}
        if self.inner is not None:
            inner, entered = self.inner, parts.pop(0)
            caught = self._catch(lambda: inner.resume(rest, entered), rest)
            for place in set(self.used) - set(self.kept):
                level = self.levels[place]
                maps[place] = as_map(caught[level.name], level, self.like)
        maps |= dict(zip(self.kept, parts, strict=True))
        return [maps.get(place, parts[0] if parts else numbers) for place in range(len(self.levels))]


def split_maps(pyramid: Pyramid, used: Sequence[int], shape: tuple[int, int], inner: Cut | None) -> Cut:
    """Cut a pyramid.

    Args:
        used: Places of the maps that the head takes.
        shape: Height and width of the pictures.
        inner: Where the last stage of its body begins; None: nothing of the body is trained.
    """
    kept = list(used)
    if inner is None:
        pyramid.requires_grad_(requires_grad=False)
    else:
        kept = [place for place in used if _is_before(pyramid.levels[place].name, inner)]
    rows = _Rows(pyramid, kept, inner).eval()
    device = next(pyramid.parameters()).device
    with torch.inference_mode():
        parts = rows.parts(torch.zeros(1, 3, *shape, device=device))
    shapes = [tuple(part.shape[1:]) for part in parts]
    like = torch.zeros(1, 3, *shape, device="meta")
    resume = _Maps(pyramid, used, kept, shapes, inner, like)
    rest = nn.Identity() if inner is None else inner.rest
    first = "head" if inner is None else inner.first
    return Cut(rows, rest, resume, first, (sum(math.prod(s) for s in shapes),))


def _is_before(name: str, cut: Cut) -> bool:
    """Whether the module of a map ended before the cut: then the rest holds a stand-in for it, or for something around it."""
    parts = name.split(".")
    around = [".".join(parts[: i + 1]) for i in range(len(parts))]
    for outer in around:
        try:
            module = cut.rest.get_submodule(outer)
        except AttributeError:
            return True
        if isinstance(module, Skipped):
            return True
    return False
