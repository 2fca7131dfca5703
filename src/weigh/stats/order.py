"""Which order checks are worth running, and which cannot be run: blocks of an order and the classes they hold.

Before it: the planner, which asks for variants before anything is trained. After it: `findings/generalisation/order.py` reads the runs.
"""

from __future__ import annotations

import numpy as np

from weigh.kinds.base import Kind
from weigh.language import Text, text

__all__ = ["SIZES", "contiguous", "explained_by_classes", "order_check_variants", "unfit"]

SIZES = (8, 24, 72, 216, 648, 1944, 5832)  # of blocks; each three times the one before, so that blocks nest
BLOCKS_PER_FOLD = 4  # fewer blocks per fold: the contiguous parts say the same already
LEAST_PER_FOLD = 10
# Blocks of a size are checked if they hold at least this share of the number of classes that they would hold if the runs (stretches of one class)
# stood in random order. The first class of a block counts on neither side: also data sorted by class have it.
PRESENT = 0.6
LONGEST = 0.5  # share of the examples that may stand in the longest run of their class: more is a file sorted by class
# The least share of all classes that a random block of the size holds on average, and of blocks that hold two classes
TYPICAL = 0.6


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

    Copies that follow each other have one label, so it is runs of a class whose order may be random, not examples. Where
    blocks hold clearly fewer classes than a random order of the runs would give them, or most of a class stands in one
    run, the data are sorted by class (fully or nearly): a drop would be the sorting's doing and say nothing about
    neighbours. What shorter runs do by themselves is allowed for in the check (`explained_by_classes`).
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
            "每块只有 {s} 个样本，容不下各个类别",
            s=round(n / blocks),
        )
    first = blocks if target.ndim == 1 else 0  # every block has one class; what counts are the others
    chance, longest = _chance_of_runs(member, size)
    if present.sum() - first < PRESENT * (chance.sum() - first) or longest > LONGEST * amount_of.sum():
        return text(
            "blocks lack a class: the order is sorted by class, fully or nearly",
            "区块缺少某些类别：顺序（几乎）是按类别排列的",
        )
    if target.ndim == 1 and (present.sum(axis=1) > 1).mean() < TYPICAL:
        return text(
            "most blocks of {s} hold one class only", "每块 {s} 个样本，大多数区块只有一个类别", s=round(n / blocks)
        )
    return None


def _chance_of_runs(member: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, int]:
    """`(blocks, classes)` probability that a block holds a class if its runs stood anywhere; examples in the longest runs.

    Args:
        member: `(n, classes)` bool, in order.
        size: `(blocks,)`.
    """
    n = len(member)
    absent, longest = np.ones((len(size), member.shape[1])), 0
    for c, column in enumerate(member.T):
        ends = np.flatnonzero(np.diff(np.concatenate([[0], column.astype(np.int8), [0]])))
        lengths, amount = np.unique(ends[1::2] - ends[::2], return_counts=True)
        longest += int(lengths.max())
        for length, k in zip(lengths.tolist(), amount.tolist(), strict=True):
            absent[:, c] *= (1 - np.minimum((size + length - 1) / n, 1.0)) ** k
    return 1 - absent, longest


def explained_by_classes(
    target: np.ndarray, shuffled: np.ndarray, blocked: np.ndarray, score: float, kept: float = 1.0
) -> float:
    """By how much a score of ranks may fall only because folds of blocks train on fewer examples of the class they are tested on.

    Args:
        target: `(n,)` class indices or `(n, labels)`.
        shuffled, blocked: `(repeats, n)` folds, -1 where an example was not tested.
        score: With shuffled folds: an area under the ROC curve. What it lacks is taken to shrink no faster than like
            1 / examples; a class that is missing in training is answered like by chance.
        kept: Share of the examples outside of the tested blocks that were trained on (copies of tested ones were not).

    Returns:
        0 where blocks leave as many.
    """
    member = target > 0 if target.ndim == 2 else target[:, None] == np.arange(int(target.max()) + 1)
    member = member[:, member.any(axis=0)].astype(np.float64)

    def trained_on(fold: np.ndarray) -> np.ndarray:
        """`(classes,)` examples of the class in training, averaged over its tested examples."""
        total = np.zeros((2, member.shape[1]))
        for one in fold:
            tested = one >= 0
            inside = np.zeros((int(one.max(initial=0)) + 1, member.shape[1]))
            np.add.at(inside, one[tested], member[tested])
            total += ((inside * (inside.sum(axis=0) - inside)).sum(axis=0), inside.sum(axis=0))
        return total[0] / np.maximum(total[1], 1.0)

    usual, left = trained_on(shuffled), kept * trained_on(blocked)
    divisor = np.where(left > 0, left, 1.0)
    fall = np.where(left > 0, max(0.0, 1 - score) * np.maximum(usual / divisor - 1, 0.0), np.inf)
    return float(np.minimum(fall, max(0.0, score - 0.5)).mean())
