"""Is a model worse on examples from elsewhere, and is the ranking of the models kept there?

Two sets of examples are two independent samples: nothing pairs an example of one with an example of the other, so the
uncertainty of both goes into a drop. Models are paired *within* each set, as everywhere.

The ranking is judged pair by pair: a pair is kept (or swapped) where both sets decide it, in the same (or in opposite)
order, and every other pair is open. Noise pulls Kendall's tau towards 0, so a bootstrap's interval would exclude 1
even where no pair is swapped. Therefore only the end towards 0 is taken from the bootstrap; at the other end all pairs
that are open are allowed to be in the order that suits it.

Before it: models measured on several sets (`metrics/design.py`). After it: `findings/generalisation/shift.py`.

References:
    [1] Recht, Roelofs, Schmidt & Shankar (2019), Do ImageNet Classifiers Generalize to ImageNet?, ICML.
    [2] Newcombe (1998), Interval estimation for the difference between independent proportions, Stat. Med. 17 (method 10);
        Zou & Donner (2008), Stat. Med. 27: the same from any two intervals (MOVER).
    [3] Kendall (1945), The treatment of ties in ranking problems, Biometrika 33 (tau-b).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from weigh.metrics.parts import mean_of_parts
from weigh.stats.comparison import compare
from weigh.stats.estimate import Estimate
from weigh.stats.interval import DRAWS, Claim, estimate_of, quantile, sampling_variance, unseen
from weigh.stats.resampling import Measured, Resample, Resampler, Units, draw_weights, pad_folds

__all__ = ["Drop", "MeasuredSet", "Ranking", "Shift", "compare_sets", "kendall"]


class MeasuredSet(NamedTuple):
    """One set of examples and the models that were measured on it.

    Attributes:
        measured: Model -> `metrics.design.measure_design` of its predictions of the same `n` examples.
        units: What is independent in this set.
        claim: "these_models" for trained models; "this_data" where the scores come from cross-validation.
    """

    measured: Mapping[str, Measured]
    units: Units
    claim: Claim = "these_models"


class Drop(NamedTuple):
    """One model (or the mean of all) on both sets.

    Attributes:
        first, second: The scores, with their own intervals.
        drop: How much worse it is on the second set, positive for worse whatever the direction of the metric, in units
            of the metric; the intervals of all models hold at once.
        excess: Its drop less the mean drop of the models, the same way; None for the mean and for a single model.
    """

    first: Estimate
    second: Estimate
    drop: Estimate
    excess: Estimate | None


class Ranking(NamedTuple):
    """The order of the models on both sets.

    Attributes:
        tau: Kendall's tau-b of the scores, unit "1".
        pairs: Number of pairs.
        kept: Pairs (better, worse) that both sets decide in this order.
        swapped: Pairs (better on the first, better on the second).
    """

    tau: Estimate
    pairs: int
    kept: list[tuple[str, str]]
    swapped: list[tuple[str, str]]


class Shift(NamedTuple):
    """A second set compared with a first one.

    Attributes:
        models: Model -> its drop, in the order given.
        mean: The mean of the models.
        ranking: None with fewer than two models.
    """

    models: dict[str, Drop]
    mean: Drop
    ranking: Ranking | None


def compare_sets(
    first: MeasuredSet,
    second: MeasuredSet,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    rope: float | None = None,
    draws: int = DRAWS,
    sets: int = 1,
) -> Shift:
    """Compare the models' scores, and their ranking, on two independent sets of examples.

    Args:
        first, second: The models are those that both sets have; one metric.
        level: Probability that all drops hold at once, and, separately, that all decisions on pairs do.
        rope: Differences of models smaller than this do not matter; default: the metric's own.
        sets: How many sets are compared with the first one; all are allowed for (Bonferroni).

    Returns:
        Drops without an interval where a set has too few independent examples for one.

    Raises:
        ValueError: No model was measured on both sets.

    Not for: sets that share examples or groups (they are not independent); causes of a drop: other pictures, other
    labels and other shares of the classes all count.
    """
    from scipy.special import ndtr

    names = [name for name in first.measured if name in second.measured]
    if not names:
        raise ValueError("no model was measured on both sets")
    one, two = (_resampled(side, names, rng, draws) for side in (first, second))
    metric = first.measured[names[0]].metric
    sign = 1.0 if metric.greater_is_better else -1.0
    inner = 1 - (1 - level) / sets
    adjusted = _simultaneous(one.drawn - two.drawn, inner)
    wide = float(2 * ndtr(adjusted) - 1)

    def drop_of(a: Resample, b: Resample, at: float, excess: Estimate | None) -> Drop:
        def estimate(resampled: Resample, side: MeasuredSet, at: float) -> Estimate:
            return estimate_of(resampled, side.units, metric, claim=side.claim, level=at)

        return Drop(
            estimate(a, first, level),
            estimate(b, second, level),
            _difference(estimate(a, first, at), estimate(b, second, at), sign, level),
            excess,
        )

    mean_one, mean_two = (_mean(list(side.resampled.values())) for side in (one, two))
    excesses = _excesses(one, two, sign, inner, level) if len(names) > 1 else {}
    models = {name: drop_of(one.resampled[name], two.resampled[name], wide, excesses.get(name)) for name in names}
    ranking = None
    if len(names) > 1:
        ranking = _rank(one, two, each=1 - (1 - inner) / 2, level=level, rope=rope, rng=rng)
    return Shift(models, drop_of(mean_one, mean_two, inner, None), ranking)


class _Side(NamedTuple):
    """One of the two sets, with the models that both have.

    Attributes:
        resampler: Shared by its models.
        resampled: Model -> its scores and how they move.
        drawn: `(models, b)` draws of the scores, paired over models.
    """

    measured_set: MeasuredSet
    resampler: Resampler
    resampled: dict[str, Resample]
    drawn: np.ndarray


def _resampled(side: MeasuredSet, names: Sequence[str], rng: np.random.Generator, draws: int) -> _Side:
    resampler = Resampler(draw_weights(rng, side.units, draws), side.units)
    resampled = {name: resampler.of(name, side.measured[name]) for name in names}
    return _Side(side, resampler, resampled, _drawn(list(resampled.values())))


def _difference(first: Estimate, second: Estimate, sign: float, level: float) -> Estimate:
    """Independent estimates to the interval of their difference (MOVER, [2])."""
    better, worse = (first, second) if sign > 0 else (second, first)
    value = better.value - worse.value
    fewer = first if first.n <= second.n else second
    common = {"value": value, "level": level, "n": fewer.n, "n_unit": fewer.n_unit, "unit": first.unit}
    if better.low is None or better.high is None or worse.low is None or worse.high is None:
        return Estimate(**common, method="no interval: too few independent examples in one of the sets")
    return Estimate(
        **common,
        low=value - math.hypot(better.value - better.low, worse.high - worse.value),
        high=value + math.hypot(better.high - better.value, worse.value - worse.low),
        method="difference of independent samples (MOVER), simultaneous over models and sets",
    )


def _excesses(one: _Side, two: _Side, sign: float, inner: float, level: float) -> dict[str, Estimate]:
    """Every model's drop less the mean drop; models are paired within each set."""
    names = list(one.resampled)
    metric = one.measured_set.measured[names[0]].metric
    means = [_mean(list(side.resampled.values())) for side in (one, two)]
    against = [(one.resampled[n].minus(means[0]), two.resampled[n].minus(means[1])) for n in names]
    centred = [side.drawn - side.drawn.mean(axis=0) for side in (one, two)]
    adjusted = _simultaneous(centred[0] - centred[1], inner)
    first, second = one.measured_set, two.measured_set
    excesses = {}
    for name, (a, b) in zip(names, against, strict=True):
        parts = sampling_variance(a, first.units, first.claim), sampling_variance(b, second.units, second.claim)
        sides = (a, first.units.smallest), (b, second.units.smallest)
        least = math.hypot(*(unseen(metric, side.mean_influence, m, level) for side, m in sides))
        value, total = sign * (a.overall - b.overall), parts[0].total + parts[1].total
        low = high = None
        if math.isfinite(total) and (total > 0 or least > 0):
            freedom = total**2 / sum(p.total**2 / p.freedom for p in parts) if total > 0 else parts[0].freedom
            half = max(quantile(inner, freedom, adjusted=adjusted) * math.sqrt(total), least)
            low, high = value - half, value + half
        excesses[name] = Estimate(
            value=value,
            low=low,
            high=high,
            level=level,
            n=min(first.units.count, second.units.count),
            n_unit=first.units.name,
            unit=metric.unit,
            method="difference of drops, models paired within each set, simultaneous over models and sets",
        )
    return excesses


def _rank(
    one: _Side, two: _Side, *, each: float, level: float, rope: float | None, rng: np.random.Generator
) -> Ranking:
    """The order of the models on both sets; decisions on pairs of a set hold at once with probability `each`."""
    names = list(one.resampled)
    decided = [
        compare(
            {n: side.measured_set.measured[n] for n in names},
            side.measured_set.units,
            rng=rng,
            claim=side.measured_set.claim,
            level=each,
            rope=rope,
            resampler=side.resampler,
        )
        for side in (one, two)
    ]
    kept, swapped, pairs = [], [], list(combinations(names, 2))
    for a, b in pairs:
        there, here = (d.of(a, b).relation for d in decided)
        if {there, here} <= {"better", "worse"}:
            order = (a, b) if there == "better" else (b, a)
            (kept if there == here else swapped).append(order)
    scores = (np.array([[side.resampled[n].overall] for n in names]) for side in (one, two))
    value, taus = kendall(*scores)[0], kendall(one.drawn, two.drawn)
    taus = taus[~np.isnan(taus)]
    low, high = 2 * len(kept) / len(pairs) - 1, 1 - 2 * len(swapped) / len(pairs)
    if len(taus):
        bottom, top = np.quantile(taus, [(1 - each) / 2, (1 + each) / 2])
        low, high = max(low, float(bottom)) if bottom > 0 else low, min(high, float(top)) if top < 0 else high
    finite = math.isfinite(value)
    tau = Estimate(
        value=float(value),
        low=min(low, float(value)) if finite else None,
        high=max(high, float(value)) if finite else None,
        level=level,
        n=len(pairs),
        n_unit="pairs",
        unit="1",
        method="Kendall's tau-b; bootstrap towards 0, undecided pairs in either order away from it",
    )
    return Ranking(tau, len(pairs), kept, swapped)


def kendall(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Kendall's tau-b [3] of two score tables `(models, b)`, column by column: `(b,)`; NaN where one has only ties."""
    i, j = np.triu_indices(len(first), 1)
    total, ties = np.zeros(first.shape[1]), np.zeros((2, first.shape[1]))
    for start in range(0, len(i), 64):  # a few pairs at a time: thousands of models would not fit otherwise
        a, b = (np.sign(s[i[start : start + 64]] - s[j[start : start + 64]]) for s in (first, second))
        total += (a * b).sum(axis=0)
        ties += np.abs(a).sum(axis=0), np.abs(b).sum(axis=0)
    scale = np.sqrt(ties[0] * ties[1])
    return np.where(scale > 0, total / np.where(scale > 0, scale, 1.0), np.nan)


def _drawn(resamples: Sequence[Resample]) -> np.ndarray:
    """`(models, b)` draws of the scores (means over the repeats, or runs, that are there), paired over models."""
    moves = np.stack([r.mean_influence for r in resamples])
    return np.array([[r.overall] for r in resamples]) + moves @ (resamples[0].weights - 1.0).T


def _mean(resamples: Sequence[Resample]) -> Resample:
    """The resample of the models' mean score; repeats beyond those that all have are left out."""
    repeats = min(len(r.score) for r in resamples)
    folds = max(r.fold_score.shape[1] for r in resamples)

    def of(name: str) -> np.ndarray:
        return np.mean([getattr(r, name)[:repeats] for r in resamples], axis=0)

    parts = [r.parts for r in resamples if r.parts]
    return replace(
        resamples[0],
        present=of("present"),
        score=of("score"),
        influence=of("influence"),
        fold_score=np.mean([pad_folds(r.fold_score[:repeats], folds) for r in resamples], axis=0),
        fold_influence=of("fold_influence"),
        fold_units=pad_folds(resamples[0].fold_units[:repeats], folds, 0.0),
        cell=min(r.cell for r in resamples),
        parts=mean_of_parts(parts, [1.0] * len(parts)),
    )


def _simultaneous(drawn: np.ndarray, level: float) -> float:
    """Two-sided normal quantile that covers several quantities `(models, b)` at once (single-step max-t)."""
    from scipy.special import ndtri

    plain = float(ndtri(0.5 + level / 2))
    spread = drawn.std(axis=1)
    moving = np.isfinite(spread) & (spread > 1e-12)
    if moving.sum() < 2:
        return plain
    standardised = (drawn[moving] - drawn[moving].mean(axis=1, keepdims=True)) / spread[moving, None]
    return max(plain, float(np.quantile(np.abs(standardised).max(axis=0), level)))
