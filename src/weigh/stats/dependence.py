"""Are the errors of examples that belong together alike, and how many independent examples are there then?

An interval that treats examples as independent is too narrow by the square root of the *design effect*: the variance of
the mean over whole groups (or blocks of neighbours) divided by what independent examples would give. Everything here
reads errors that exist anyway; nothing is trained. Errors are centred within classes, since classes differ in
difficulty, and permuted within classes, so that data sorted by class do not look dependent.

Before it: out-of-fold errors. After it: `findings/generalisation/neighbours.py`.

Not for: finding out whether a score is too good because neighbours stood on both sides of a split. That needs other
folds (`findings/generalisation/order.py`); errors can be independent of each other although all of them are too rare.

References:
    [1] Kish (1965), Survey Sampling, ch. 5 (design effect, effective sample size).
    [2] Phipson & Smyth (2010), Permutation p-values should never be zero, Stat. Appl. Genet. Mol. Biol. 9.
    [3] Westfall & Young (1993), Resampling-Based Multiple Testing (the largest statistic over block sizes).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from weigh.stats.estimate import Estimate
from weigh.stats.interval import quantile
from weigh.stats.multiple import holm
from weigh.stats.order import SIZES

__all__ = [
    "COPIES_MATTER",
    "Clustering",
    "Neighbours",
    "centre",
    "cluster_errors",
    "design_effect",
    "effect_of_copies",
    "effective_examples",
    "error_factor",
    "intraclass_correlation",
    "read_neighbours",
    "without_folds",
]

FEWEST_BLOCKS = 10  # fewer blocks, or groups, say nothing about their variance
COPIES_MATTER = 1.2  # a design effect of copies below it makes intervals less than a tenth too narrow
MANY_BLOCKS = 30  # from so many on, a design effect has a useful interval
# Half width of an interval of the logarithm, from which on none is given: it means a factor of 1,000 either way.
UNKNOWN = 7.0
DRAWS = 999  # permutations; fewer for very many examples
CELLS = 2e6  # of a matrix of permuted errors


def centre(errors: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Errors `(n,)` less the mean of their stratum (class) `(n,)`."""
    _, of = np.unique(strata, return_inverse=True)
    size = np.bincount(of)
    return errors - (np.bincount(of, errors) / size)[of]


def without_folds(errors: np.ndarray, strata: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Errors `(n,)` less what makes those of one fold alike by itself, whatever the examples.

    That is the luck of its training sample, and how few examples of a class it leaves for training (one slope for all).

    Args:
        strata, fold: `(n,)` class and fold of each example.
    """
    _, of = np.unique(strata, return_inverse=True)
    amount = np.zeros((int(of.max(initial=0)) + 1, int(fold.max(initial=0)) + 1))
    np.add.at(amount, (of, fold), 1)
    left = 1 - amount[of, fold] / amount.sum(axis=1)[of]
    residual, fewer = (centre(centre(values, strata), fold) for values in (errors, left))
    size = float(fewer @ fewer)
    return residual - fewer * float(fewer @ residual) / size if size > 1e-9 else residual


def design_effect(residual: np.ndarray, group: np.ndarray, *, strata: np.ndarray, level: float = 0.95) -> Estimate:
    """How many times larger the variance of a mean is because groups come as a whole; 1 for independent examples.

    Args:
        residual: `(n,)` errors, centred within `strata` `(n,)`.
        group: `(n,)` any labels.

    Returns:
        Ratio of variances, `n` counts groups. Interval: delta method on the logarithm (the groups' squared sums against
        their sums of squares), never narrower than for normal sums, with Student's t. Without an interval for fewer than
        10 groups or no errors.

    References: [1].
    """
    _, of = np.unique(group, return_inverse=True)
    sums = np.bincount(of, residual) ** 2
    return _ratio(sums, float(sums.sum()) - _expected(residual, of, strata), residual, of, level)


def effect_of_copies(sizes: np.ndarray) -> float:
    """The design effect of sets whose examples all err alike, by the `(sets,)` numbers of their examples: how many copies an example has on average,
    itself among them. 0 without examples.

    References: [1].
    """
    return float(np.square(sizes).sum()) / max(int(sizes.sum()), 1)


def _ratio(sums: np.ndarray, excess: float, residual: np.ndarray, of: np.ndarray, level: float) -> Estimate:
    """A design effect from what each group `(groups,)` adds to the variance of the sum, and the excess over chance."""
    groups, total = len(sums), float(np.square(residual).sum())
    plain = {"level": level, "n": groups, "n_unit": "groups", "unit": "1"}
    if groups < FEWEST_BLOCKS or total <= 0:
        return Estimate(value=math.nan, **plain, method="no estimate: too few groups or no errors")
    value = max(1 + excess / total, 0.05)
    influence = sums / max(float(sums.sum()), 1e-12) - np.bincount(of, residual**2) / total
    seen = float(np.square(influence).sum()) * groups / (groups - 1)
    others = float(np.square(np.bincount(of)).sum()) / len(of) - 1  # in the group of a random example
    half = quantile(level, groups - 1) * math.sqrt(max(seen, 2 * others / len(of)))
    if half > UNKNOWN:
        return Estimate(value=value, **plain, method="no interval: hardly anything varies between groups")
    return Estimate(
        value=value,
        low=value * math.exp(-half),
        high=value * math.exp(half),
        **plain,
        method="squared sums of groups against sums of squares, delta method",
    )


def _expected(residual: np.ndarray, of: np.ndarray, strata: np.ndarray) -> float:
    """What the groups' squared sums add up to on average if errors are permuted within strata."""
    _, stratum = np.unique(strata, return_inverse=True)
    size, square = np.bincount(stratum), np.bincount(stratum, residual**2)
    pair = np.where(size > 1, -square / np.maximum(size, 1) / np.maximum(size - 1, 1), 0.0)
    cell, amount = np.unique(of * len(size) + stratum, return_counts=True)
    return float(square.sum() + (amount * (amount - 1) * pair[cell % len(size)]).sum())


def effective_examples(n: int, effect: Estimate) -> Estimate:
    """How many independent examples `n` examples are worth: `n` divided by their design effect, at most `n`."""
    ends = [None if end is None else min(n / end, float(n)) for end in (effect.high, effect.low)]
    return Estimate(
        value=min(n / effect.value, float(n)),
        low=ends[0],
        high=ends[1],
        level=effect.level,
        n=effect.n,
        n_unit=effect.n_unit,
        unit="examples",
        method="examples divided by the design effect",
    )


def error_factor(effect: Estimate) -> Estimate:
    """How many times too narrow an interval is that knows no groups: the square root of the design effect."""
    ends = {k: None if v is None else math.sqrt(v) for k, v in (("low", effect.low), ("high", effect.high))}
    method = "square root of the design effect"
    return effect.model_copy(update={"value": math.sqrt(effect.value), **ends, "method": method})


def intraclass_correlation(effect: Estimate, group: np.ndarray) -> Estimate:
    """The correlation of two errors of one group that gives such a design effect at these group sizes."""
    sizes = np.unique(group, return_counts=True)[1].astype(float)
    pairs = float(np.square(sizes).sum() / sizes.sum()) - 1  # others in the group of a random example
    of = {k: None if (v := getattr(effect, k)) is None else (v - 1) / max(pairs, 1e-9) for k in ("low", "high")}
    return effect.model_copy(
        update={"value": (effect.value - 1) / max(pairs, 1e-9), **of, "method": "from the design effect"}
    )


class Clustering(NamedTuple):
    """Whether errors are alike within the groups of one column.

    Attributes:
        groups: Number of groups.
        effect: Design effect.
        p: Of the permutation of errors within classes, one-sided; not corrected for several columns.
    """

    groups: int
    effect: Estimate
    p: float


def cluster_errors(
    errors: np.ndarray, group: np.ndarray, strata: np.ndarray, *, rng: np.random.Generator, level: float = 0.95
) -> Clustering:
    """Are errors within groups alike? Design effect and permutation test.

    Args:
        errors: `(n,)` error (or loss) of each example.
        group, strata: `(n,)` labels of groups and of classes.
    """
    from scipy.sparse import csr_array

    residual = centre(errors, strata)
    _, of = np.unique(group, return_inverse=True)
    groups = int(of.max(initial=-1)) + 1
    effect = design_effect(residual, of, strata=strata, level=level)
    member = csr_array((np.ones(len(of)), (of, np.arange(len(of)))), shape=(groups, len(of)))
    seen = float(np.square(member @ residual).sum())
    drawn = np.concatenate([np.square(member @ values.T).sum(axis=0) for values in _permuted(residual, strata, rng)])
    return Clustering(groups, effect, _p_value(seen, drawn))


class Neighbours(NamedTuple):
    """Whether errors of neighbours along an order are alike, and how far that reaches.

    Attributes:
        sizes: Block sizes that were looked at.
        effects: Design effect of each.
        p: Of "no dependence at all": the largest standardised design effect, under permutation within classes.
        steps: For each size, the p value (Holm) of "nothing is alike beyond the next smaller blocks".
        reach: Block size beyond which nothing is shown to be alike; 0 where nothing is at all.
        size: Block size from which `effect` was taken: three times the reach, or less where there are few such blocks.
        effect: Design effect of the order as a whole. What blocks lose because they cut neighbours apart shrinks with
            their size like 1/size, and is taken off by comparing two sizes.
    """

    sizes: tuple[int, ...]
    effects: tuple[Estimate, ...]
    p: float
    steps: tuple[float, ...]
    reach: int
    size: int
    effect: Estimate


def read_neighbours(
    errors: np.ndarray, strata: np.ndarray, *, rng: np.random.Generator, level: float = 0.95
) -> Neighbours | None:
    """Look at contiguous blocks of growing size.

    The reach is the largest block size whose step is significant: sums of the smaller blocks keep their places and get
    random signs, so that only what is alike *between* smaller blocks of one larger block counts.

    Args:
        errors, strata: `(n,)` **in order**.

    Returns:
        None with too few examples for ten blocks, or without any error.
    """
    n = len(errors)
    sizes = tuple(s for s in SIZES if n >= FEWEST_BLOCKS * s)
    residual = centre(errors, strata)
    if not sizes or not np.square(residual).sum() > 0:
        return None
    position = np.arange(n)
    effects = tuple(design_effect(residual, position // s, strata=strata, level=level) for s in sizes)
    starts = [np.arange(0, n, s) for s in sizes]
    seen = np.array([np.square(np.add.reduceat(residual, at)).sum() for at in starts])
    drawn = np.concatenate(
        [
            np.stack([np.square(np.add.reduceat(values, at, axis=1)).sum(axis=1) for at in starts])
            for values in _permuted(residual, strata, rng)
        ],
        axis=1,
    )
    spread = np.where(drawn.std(axis=1) > 0, drawn.std(axis=1), np.inf)
    largest = ((drawn - drawn.mean(axis=1, keepdims=True)) / spread[:, None]).max(axis=0)
    p = _p_value(float(((seen - drawn.mean(axis=1)) / spread).max()), largest)
    steps = [_p_value(float(seen[0]), drawn[0])]
    for at in starts[:-1]:
        sums = np.add.reduceat(residual, at)
        triples = np.arange(0, len(sums), 3)
        signed = rng.choice([-1.0, 1.0], size=(drawn.shape[1], len(sums))) * sums
        drawn_sums = np.square(np.add.reduceat(signed, triples, axis=1)).sum(axis=1)
        steps.append(_p_value(float(np.square(np.add.reduceat(sums, triples)).sum()), drawn_sums))
    adjusted = holm(np.array(steps))
    alpha, reach = 1 - level, 0
    if p <= alpha:
        alike = np.flatnonzero(adjusted <= alpha)
        strongest = int(((seen - drawn.mean(axis=1)) / spread).argmax())
        reach = sizes[int(alike.max()) if len(alike) else strongest]
    # Blocks as long as the reach cut many neighbours apart, and where the reach is unsure larger blocks cost little; but
    # few blocks say little
    third = max(1, min(reach, n // MANY_BLOCKS // 3) if reach else n // MANY_BLOCKS // 3)
    effect = (
        _without_edges(residual, strata, third, level)
        if reach
        else design_effect(residual, position // (3 * third), strata=strata, level=level)
    )
    return Neighbours(sizes, effects, p, tuple(adjusted), reach, 3 * third, effect)


def _without_edges(residual: np.ndarray, strata: np.ndarray, third: int, level: float) -> Estimate:
    """Design effect of blocks of `3 * third`, and what they lose at their edges, which shrinks like 1/size.

    With D the effect sought, blocks of size b show D - c/b: three times the effect at b less that at b/3 is 2 D.
    """
    position = np.arange(len(residual))
    large, small = position // (3 * third), position // third
    whole, parts = (np.square(np.bincount(of, residual)) for of in (large, small))
    inside = np.bincount(np.arange(len(parts)) // 3, parts)
    excess = [float(x.sum()) - _expected(residual, of, strata) for x, of in ((whole, large), (parts, small))]
    return _ratio(1.5 * whole - 0.5 * inside, 1.5 * excess[0] - 0.5 * excess[1], residual, large, level)


def _permuted(residual: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """`(draws, n)` residuals permuted within strata, a few draws at a time: `DRAWS` in all, or fewer."""
    n = len(residual)
    rows = [np.flatnonzero(strata == value) for value in np.unique(strata)]
    left, batch = int(np.clip(20 * CELLS // max(n, 1), 199, DRAWS)), int(max(1, CELLS // max(n, 1)))
    while left > 0:
        out = np.empty((min(batch, left), n))
        for mine in rows:
            out[:, mine] = rng.permuted(np.broadcast_to(residual[mine], (len(out), len(mine))), axis=1)
        yield out
        left -= len(out)


def _p_value(seen: float, drawn: np.ndarray) -> float:
    """One-sided, never zero [2]; ties (up to rounding) count against."""
    return float((1 + (drawn >= seen * (1 - 1e-12)).sum()) / (1 + len(drawn)))
