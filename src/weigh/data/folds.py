"""Who trains and who tests: folds, blocks, held-out parts. Groups are never split; classes are spread evenly.

Before it: an index of examples with targets, groups and an order. After it: `plan/runs.py` (folds of the design, the
order check, the test part) and the recipes (validation parts inside the training folds).

One algorithm serves all of them. The unit that is dealt is a group (or a single example). Units with the same class
counts are dealt together, largest first, so single examples come last and even out what large groups left uneven; work
is O(n log n) plus one small step per *different* group. For groups of mixed classes and for multi-label targets it
is the greedy rule of scikit-learn's StratifiedGroupKFold and of Sechidis, Tsoumakas & Vlahavas (2011, On the
Stratification of Multi-Label Data), with the deviation from the wanted counts measured as in a chi-square statistic.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from weigh.errors import DesignError
from weigh.kinds.base import Strata
from weigh.language import Text, text

__all__ = [
    "COPIES",
    "GROUPS",
    "assign_blocks",
    "assign_folds",
    "count_units",
    "holdout",
    "inner_folds",
    "inner_split",
    "unit_ids",
]

INNER_FOLDS = 5

GROUPS = text("groups", "分组")  # what is dealt whole: groups that the user named,
COPIES = text("different examples", "互不相同的样本")  # or sets of copies


class Blocks(NamedTuple):
    """Where each example stands in an order check: `(n,)` int16 fold, `(n,)` int64 block (0 = first in the order)."""

    fold: np.ndarray
    block: np.ndarray


def assign_folds(
    strata: Strata,
    *,
    folds: int,
    rng: np.random.Generator,
    group: np.ndarray | None = None,
    units: Text | None = None,
) -> np.ndarray:
    """The fold in which each example is tested.

    Args:
        strata: What is spread evenly (`Examples.strata`). Without groups, the counts of a stratum differ by at most one between folds.
        folds: How many.
        rng: The only source of chance: the same generator state gives the same folds.
        group: `(n,)` of any type; examples with the same value share a fold.
        units: What the groups are, for messages ("groups").

    Returns:
        `(n,)` int16 in [0, folds). Sizes differ by at most one where there are no groups; no fold is empty.

    Raises:
        DesignError: Fewer examples, or fewer groups, than folds.
    """
    if folds < 2:
        raise DesignError(
            text("design.folds is {f}; it takes at least 2.", "design.folds 为 {f}，至少应为 2。", f=folds)
        )
    dealt = _deal(strata, group, np.full(folds, 1 / folds), rng, units=units)
    return rng.permutation(folds)[dealt].astype(np.int16)


def assign_blocks(order: np.ndarray, *, block_size: int | None, folds: int, rng: np.random.Generator) -> Blocks:
    """Contiguous blocks in `order`, whole blocks dealt to folds at random (numbers of blocks differ by at most one).

    Args:
        order: `(n,)` position of each example; only ranks count.
        block_size: Examples per block; a last block shorter than half of it joins the one before. None: as many
            blocks as folds (contiguous fifths for five folds).

    Raises:
        DesignError: Fewer blocks than folds.
    """
    n = len(order)
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(order, kind="stable")] = np.arange(n)
    if block_size is None:
        block = rank * folds // max(n, 1)
    else:
        blocks = max(1, (n + block_size // 2) // block_size)
        block = np.minimum(rank // block_size, blocks - 1)
    count = int(block.max()) + 1 if n else 0
    if count < folds:
        raise DesignError(
            text(
                "{n} examples in blocks of {s} make {b} blocks, fewer than the {f} folds.",
                "{n} 个样本按每块 {s} 个划分只得到 {b} 块，少于 {f} 折。",
                n=n,
                s=block_size or "1/folds",
                b=count,
                f=folds,
            ),
            do=text("Set fewer folds or smaller blocks.", "请减少折数或缩小块。"),
        )
    fold_of_block = rng.permutation(np.concatenate([rng.permutation(folds) for _ in range(-(-count // folds))])[:count])
    return Blocks(fold_of_block[block].astype(np.int16), block)


def holdout(
    strata: Strata,
    *,
    share: float,
    rng: np.random.Generator,
    group: np.ndarray | None = None,
    units: Text | None = None,
) -> np.ndarray:
    """`(n,)` bool: True for the examples held out, about `share` of them; whole groups, classes in proportion.

    A class with one example (or one group) stays in training. Neither part is empty.

    Raises:
        DesignError: Fewer than two examples or groups, or a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise DesignError(text("A share of {s} cannot be held out.", "无法留出 {s} 的比例。", s=share))
    return _deal(strata, group, np.array([1 - share, share]), rng, units=units) == 1


def inner_split(
    strata: Strata,
    *,
    share: float,
    rng: np.random.Generator,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """`(n,)` bool: the validation part inside training folds. `strata` and `group` are those of the training folds only.

    The same rule as `holdout`; it has its own name because its examples are used to choose epochs and strengths, never
    to score.
    """
    return holdout(strata, share=share, rng=rng, group=group)


def inner_folds(strata: Strata, *, rng: np.random.Generator, group: np.ndarray | None = None) -> np.ndarray | None:
    """`(n,)` int16: folds inside training folds, on which strengths are compared; as `assign_folds` makes them.

    At most `INNER_FOLDS`, fewer where there are fewer examples or groups; None where there is one only.
    """
    folds = min(INNER_FOLDS, count_units(group, strata.n))
    return None if folds < 2 else assign_folds(strata, folds=folds, rng=rng, group=group)


def count_units(group: np.ndarray | None, n: int) -> int:
    """How many units `n` examples can be dealt in: their groups, or each alone where they have none."""
    return n if group is None else len(np.unique(group))


# The algorithm ------------------------------------------------------------------------------------------------------


def _deal(
    strata: Strata,
    group: np.ndarray | None,
    weights: np.ndarray,
    rng: np.random.Generator,
    *,
    units: Text | None = None,
) -> np.ndarray:
    """`(n,)` part of each example; part f gets about `weights[f]` of every class, and whole units only."""
    n, parts = strata.n, len(weights)
    unit = unit_ids(group, n)
    n_units = int(unit.max()) + 1 if n else 0
    if n_units < parts:
        raise _too_few(n_units, parts, text("examples", "样本") if group is None else units or GROUPS)
    classes = strata.count
    key, count = np.unique(unit[strata.example] * classes + strata.stratum, return_counts=True)
    of_unit, label = key // classes, key % classes
    start = np.searchsorted(of_unit, np.arange(n_units + 1))
    size = np.bincount(unit, minlength=n_units)
    total = np.bincount(label, weights=count, minlength=classes)

    # Units with the same labels in the same numbers are interchangeable but for chance.
    same_labels = _same_labels(label, count, of_unit, size, n_units)
    shuffled = rng.permutation(n_units)
    by_labels = shuffled[np.argsort(same_labels[shuffled], kind="stable")]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(same_labels))])
    first = by_labels[bounds[:-1]]
    rarest = np.minimum.reduceat(total[label], start[:-1])
    sequence = np.lexsort((rng.permutation(len(first)), rarest[first], -size[first]))

    filled, sizes = np.zeros((parts, classes)), np.zeros(parts)
    part_of = np.empty(n_units, dtype=np.int64)
    for k in sequence:
        members = by_labels[bounds[k] : bounds[k + 1]]
        lo, hi = start[members[0]], start[members[0] + 1]
        labels, numbers, weight = label[lo:hi], count[lo:hi].astype(float), float(size[members[0]])
        if len(labels) == 1:
            dealt = _fill(filled[:, labels[0]], sizes, weights, len(members), float(numbers[0]), weight)
        else:
            dealt = _spread(filled, sizes, weights, len(members), labels, numbers, weight, total)
        filled[:, labels] += dealt[:, None] * numbers
        sizes += dealt * weight
        part_of[members] = np.repeat(np.arange(parts), dealt)
    _fill_empty_parts(part_of, size, parts)
    return part_of[unit]


def _too_few(n: int, parts: int, units: Text) -> DesignError:
    """There is nothing to split, or less than was asked for."""
    if n >= 2:
        do = text("Fewer folds would do: --set design.folds={n}", "可减少折数：--set design.folds={n}", n=n)
    elif units is GROUPS:
        do = text(
            "Group by another column, or leave design.group_by out.", "请使用其他分组列，或去掉 design.group_by。"
        )
    else:
        do = text("Give more examples that differ.", "请提供更多互不相同的样本。")
    return DesignError(
        text(
            "{p} parts need as many {w}; the data have {n}.",
            "划分为 {p} 份需要同样多的{w}，而数据只有 {n} 个。",
            p=parts,
            w=units,
            n=n,
        ),
        text(
            "Every part needs at least one, and none may stand in two.",
            "每一份至少需要一个，且任何一个都不能同时属于两份。",
        ),
        do,
    )


def _fill(
    has: np.ndarray, sizes: np.ndarray, weights: np.ndarray, units: int, step: float, weight: float
) -> np.ndarray:
    """How many of `units` equal units of one class each part gets: water is poured until the levels are equal."""
    want = weights * (has.sum() + units * step)
    dealt = np.zeros(len(weights), dtype=np.int64)
    if weights.max() > weights.min() and has[weights.argmax()] == 0:
        dealt[weights.argmax()] = 1  # a held-out part never takes the only unit of a class
    level = _water_level(has / weights, weights, units * step)
    dealt = np.maximum(dealt, np.floor(np.maximum(level * weights - has, 0) / step + 1e-9).astype(np.int64))
    while (excess := dealt.sum() - units) > 0:  # the reserved unit may be one too many
        dealt[np.flatnonzero(dealt)[-1]] -= min(excess, 1)
    for _ in range(units - int(dealt.sum())):  # fewer than one unit per part is left: prefer the smaller part
        short = has + dealt * step < want - 1e-9
        fullness = (2 * (sizes + dealt * weight) + weight) / weights
        dealt[np.where(short, fullness, np.inf).argmin() if short.any() else fullness.argmin()] += 1
    return dealt


def _water_level(heights: np.ndarray, widths: np.ndarray, water: float) -> float:
    """Level of `water` poured over columns of these heights and widths."""
    order = np.argsort(heights, kind="stable")
    heights, widths = heights[order], np.cumsum(widths[order])
    ground = np.cumsum(heights * np.diff(widths, prepend=0))
    levels = (water + ground) / widths
    fits = np.append(levels[:-1] <= heights[1:] + 1e-12, True)
    return float(levels[fits.argmax()])


def _spread(
    filled: np.ndarray,
    sizes: np.ndarray,
    weights: np.ndarray,
    units: int,
    labels: np.ndarray,
    numbers: np.ndarray,
    weight: float,
    total: np.ndarray,
) -> np.ndarray:
    """How many of `units` equal units of several classes each part gets: in proportion, the rest greedily."""
    dealt = np.floor(units * weights + 1e-9).astype(np.int64)
    has, size = filled[:, labels] + dealt[:, None] * numbers, sizes + dealt * weight
    for _ in range(units - int(dealt.sum())):
        # Increase of sum((count - wanted)^2 / wanted) over classes, were the unit to join the part.
        increase = ((2 * has + numbers) * numbers / total[labels]).sum(axis=1) / weights
        increase += (2 * size + weight) * weight / weights / max(len(total), 1) / max(total.sum(), 1)
        best = int(increase.argmin())
        dealt[best] += 1
        has[best] += numbers
        size[best] += weight
    return dealt


def _fill_empty_parts(part_of: np.ndarray, size: np.ndarray, parts: int) -> None:
    """Give each empty part the smallest unit of the part with the most units (changes `part_of`)."""
    for part in range(parts):
        counts = np.bincount(part_of, minlength=parts)
        if counts[part] == 0:
            donors = np.flatnonzero(part_of == counts.argmax())
            part_of[donors[size[donors].argmin()]] = part


def unit_ids(group: np.ndarray | None, n: int) -> np.ndarray:
    """`(n,)` dense ids of what is dealt whole: equal for examples of one group; without groups each example has its own."""
    if group is None:
        return np.arange(n)
    return np.unique(np.asarray(group), return_inverse=True)[1].reshape(-1)


def _same_labels(label: np.ndarray, count: np.ndarray, of_unit: np.ndarray, size: np.ndarray, units: int) -> np.ndarray:
    """`(units,)` dense ids: equal for units with equal labels, numbers and sizes (64-bit hash, the same everywhere)."""
    with np.errstate(over="ignore"):
        mixed = _mix(label.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ _mix(count.astype(np.uint64)))
        starts = np.searchsorted(of_unit, np.arange(units))
        hashed = np.add.reduceat(mixed, starts) + _mix(size.astype(np.uint64) + np.uint64(0x51ED27))
    return np.unique(hashed, return_inverse=True)[1].reshape(-1)


def _mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014): spreads nearby integers over 64 bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
