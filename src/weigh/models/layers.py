"""Features of several layers of a picture model side by side, for a linear head on all of them.

What lies last tells the classes of the pretraining apart; maps before it hold textures and shapes that data of another kind may need (Evci
et al. 2022, Head2Toe, section 3). They are made in the same pass, so they cost nothing but a wider head. Of each map the mean over its places.
Before it: `maps.py`. After it: `anatomy.py`.
"""

from __future__ import annotations

from itertools import groupby

import torch
from torch import nn

from weigh.models.maps import Level, as_map, catch, equal_blocks, maps_in_order

__all__ = ["SideBySide", "quarters", "side_by_side"]

FINEST = 8  # pixels of the picture for each of a map: finer ones hold edges and colours


class SideBySide(nn.Module):
    """`(n, 3, height, width)` pictures to `(n, width)`: the means of maps of the body, and last its own features.

    Attributes:
        equal: The maps are those of equal blocks.
    """

    def __init__(self, body: nn.Module, levels: tuple[Level, ...], *, equal: bool) -> None:
        super().__init__()
        self.body, self.levels, self.equal = body, levels, equal

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        own: list[torch.Tensor] = []
        caught = catch(self.body, self.levels, lambda: own.append(self.body(pictures)))
        maps = [as_map(caught[level.name], level, pictures) for level in self.levels]
        return torch.cat([*(values.mean(dim=(2, 3)) for values in maps), *own], dim=1)


def side_by_side(module: nn.Module, width: int, blank: torch.Tensor) -> tuple[nn.Module, int]:
    """A body that gives the features of `module` and the means of its maps, and of how many numbers.

    Of networks of stages the last map of each; of a row of equal blocks (ViT) those a quarter, a half and three quarters of the way up, as of texts: the
    features are made of the last.

    Args:
        width: Of its own features.
        blank: A batch of pictures of the model's own size.

    Raises:
        ModelError: No output of it has the shape of a map.
    """
    native = blank.shape[-1]
    made = maps_in_order(module, native)
    blocks = equal_blocks(module, native, made)
    levels = tuple(blocks[place - 1] for place in quarters(len(blocks))[:-1]) if blocks else _choose(made, width)
    return SideBySide(module, levels, equal=bool(blocks)), sum(level.width for level in levels) + width


def _choose(made: tuple[Level, ...], width: int) -> tuple[Level, ...]:
    """The last map of each stage; of networks whose maps are all alike and belong to no row of equal blocks those a quarter, a half and three quarters
    of the way up.

    The last stage's is left out where it is as wide as the features: these are its mean.
    """
    coarse = [level for level in made if level.stride >= FINEST] or list(made)
    stages = [list(stage)[-1] for _, stage in groupby(coarse, key=lambda level: (level.stride, level.width))]
    if len(stages) == 1 and len(coarse) > 1:
        return tuple(coarse[place - 1] for place in quarters(len(coarse))[:-1])
    return tuple(stages[:-1] if stages[-1].width == width and len(stages) > 1 else stages)


def quarters(n: int) -> list[int]:
    """The layers a quarter, a half and three quarters of the way up, and the last, of `n` layers counted from one."""
    return sorted({max(1, round(n * share)) for share in (0.25, 0.5, 0.75)} | {n})
