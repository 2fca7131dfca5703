"""What kinds share whose answers have a place in the picture: the frame that networks see, folds and independent pictures by what pictures hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from weigh.kinds.base import Strata

__all__ = ["evenly_held", "strata_of_held", "with_frame"]

STEP = 32  # stride of the coarsest maps


def with_frame(options: dict[str, Any], sizes: np.ndarray, most: int) -> dict[str, Any]:
    """Options of a recipe with `frame`, the height and width that all pictures are scaled into: of their usual shape, in whole steps.

    Args:
        sizes: `(n, 2)` height and width of the pictures.
        most: Pixels of the longer side, unless a recipe says otherwise.
    """
    longer = float(options.get("image_size") or min(most, np.median(sizes.max(axis=1))))
    aspect = float(np.exp(np.median(np.log(sizes[:, 0] / sizes[:, 1]))))  # height for each pixel of width
    sides = longer * min(1.0, aspect), longer * min(1.0, 1 / aspect)
    return {**options, "frame": [max(STEP, STEP * round(side / STEP)) for side in sides]}


def strata_of_held(held: np.ndarray) -> Strata:
    """Every class that stands in some pictures and not in others; a picture without such a class has the stratum "none".

    Args:
        held: `(n, classes)` bool.
    """
    return Strata.of_members(held[:, held.any(axis=0) & ~held.all(axis=0)])


def evenly_held(amount: np.ndarray) -> int:
    """As many pictures as would share the classes' amounts evenly, all classes counting the same: one full picture is not worth many.

    Args:
        amount: `(n, classes)` pixels or boxes.

    References:
        Kish (1965), Survey Sampling: the effective size of a weighted sample.
    """
    amount = amount[:, amount.sum(axis=0) > 0]
    if not amount.size:
        return 0
    weight = (amount / amount.sum(axis=0)).mean(axis=1)
    return max(round(1 / float(np.square(weight).sum())), 1)
