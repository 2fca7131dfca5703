"""Which order checks are worth running, and which cannot be run: blocks of an order and the classes they hold.

Before it: the planner, which asks for variants before anything is trained. After it: `findings/order.py` reads the runs.
"""

from __future__ import annotations

import numpy as np

from weigh.kinds.base import Kind
from weigh.language import Text, text

__all__ = ["contiguous", "order_check_variants", "unfit"]

SIZES = (8, 24, 72, 216, 648, 1944, 5832)
BLOCKS_PER_FOLD = 4  # fewer blocks per fold: the contiguous parts say the same already
LEAST_PER_FOLD = 10
# Share of the further classes that blocks must hold, of those that a random order would give them. Sorted data hold at
# most (classes - 1) further classes in all blocks together.
PRESENT = 0.6
TYPICAL = 0.6  # share of all classes that a random block of the size must hold on average


def order_check_variants(kind: Kind, target: np.ndarray, folds: int) -> list[str]:
    """Which order checks are worth running.

    Args:
        target: Of the training examples **in order**.
        folds: Folds of the design.

    Returns:
        "fifths" (contiguous parts, as many as folds) and up to two "blocks:SIZE"; empty where `unfit` has a reason
        against all of them (data sorted by class, too few examples).
    """
    n = len(target)
    sizes = [s for s in SIZES if n >= BLOCKS_PER_FOLD * folds * s][-2:]
    variants = ["fifths", *(f"blocks:{size}" for size in reversed(sizes))]
    return [v for v in variants if unfit(kind, target, contiguous(n, v, folds), folds) is None]


def contiguous(n: int, variant: str, folds: int) -> np.ndarray:
    """`(n,)` block of each position of an order, for a variant; a last block shorter than half joins the one before."""
    position = np.arange(n)
    if variant == "fifths":
        return position * folds // max(n, 1)
    size = int(variant.split(":")[1])
    return np.minimum(position // size, max(1, (n + size // 2) // size) - 1)


def unfit(kind: Kind, target: np.ndarray, block: np.ndarray, folds: int) -> Text | None:
    """Why these blocks cannot be checked, or None.

    A random order would give most blocks most classes. Where blocks hold clearly fewer classes than that, the data are
    sorted by class (fully or nearly): a drop would be the sorting's doing and say nothing about neighbours.
    """
    n = len(target)
    if kind.unordered is not None:
        return kind.unordered
    if n < LEAST_PER_FOLD * folds:
        return text("there are too few examples ({n} for {f} folds)", "样本太少（{n} 个样本，{f} 折）", n=n, f=folds)
    member = target > 0 if target.ndim == 2 else target[:, None] == np.arange(int(target.max()) + 1)
    member = member[:, member.any(axis=0)]
    if target.ndim == 1 and member.shape[1] < 2:
        return text("there is only one class", "只有一个类别")
    blocks = int(block.max()) + 1
    size = np.bincount(block, minlength=blocks)
    held = np.zeros((blocks, member.shape[1]))
    np.add.at(held, block, member)
    present = held > 0
    amount_of = member.sum(axis=0)
    expected = 1 - (1 - size[:, None] / n) ** amount_of[None, :]
    if expected.mean() < TYPICAL:
        return text(
            "blocks of {s} are too small to hold the classes",
            "每块 {s} 个样本太小，容不下各个类别",
            s=round(n / blocks),
        )
    first = blocks if target.ndim == 1 else 0  # every block has one class; what counts are the others
    if present.sum() - first < PRESENT * (expected.sum() - first):
        return text(
            "blocks lack a class: the order is sorted by class, fully or nearly",
            "区块缺少某些类别：顺序（几乎）是按类别排列的",
        )
    return None
