"""Where do single runs differ from? Variance components of the score of one run on its fold.

    score = mean + evaluation sample + split + init + order + augmentation

- evaluation sample: which examples are in the fold; its variance is known from the examples themselves (bootstrap);
- init, order, augmentation: a fold is trained again with another seed of one source, the others held fixed (a star
  around each run of the design): the variance between those runs, less what the examples explain of it;
- split: what folds differ by beyond all of these: other training examples. Folds of one data set share most of
  their training examples, so this is less than other data sets would show.

Where no seeds are crossed, split and seeds remain one component. Intervals are those of generalised pivotal quantities
(Weerahandi 1993): each mean square is divided by its own chi-square draws, and components, totals and shares are functions
of the same draws, so they cannot contradict each other. Coverage: `python -m tests.calibration.components`.

Before it: scores of runs and of their resamples. After it: `findings/stability/variation.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from weigh.stats.estimate import Estimate

__all__ = ["EVALUATION", "TOGETHER", "Components", "Star", "variance_components"]

EVALUATION = "evaluation"
SPLIT = "split"
TOGETHER = "split and seeds"
DRAWS = 4000


class Star(NamedTuple):
    """Runs of the same folds with several seeds of one source.

    Attributes:
        scores: `(cells, seeds)`: one row per fold of a repeat, the main run first.
        noise: Variance of one score that its examples explain when two such runs are compared on the same examples:
            half the variance of their paired difference.
    """

    scores: np.ndarray
    noise: float


@dataclass(frozen=True)
class Components:
    """Variance components of the score of one run.

    Attributes:
        variance: Source -> variance in squared units of the metric.
        share: Source -> share of their sum, in per cent.
        mean_share: Source -> share of the variance of the mean over all runs of the design, in per cent: repeats make the
            parts of split and seeds smaller, but they all score the same examples.
        largest: The seed that matters most, with probability `level`; None where that is open or no two were crossed.
        total: Variance of the score of one run.
    """

    variance: dict[str, Estimate]
    share: dict[str, Estimate]
    mean_share: dict[str, Estimate]
    largest: str | None
    total: Estimate


def variance_components(
    scores: np.ndarray,
    evaluation: float,
    evaluation_freedom: float,
    stars: Mapping[str, Star] | None = None,
    *,
    seeded: bool = True,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Components | None:
    """Components from the runs of a design.

    Args:
        scores: `(repeats, folds)` scores of the main runs; NaN where missing.
        evaluation: Variance of one score that its examples explain.
        evaluation_freedom: Independent units behind that figure, less one.
        stars: Source -> runs with other seeds of it.
        seeded: Whether the recipe has seeds besides the split: without stars split and seeds are then one component.

    Returns:
        None with fewer than two degrees of freedom between folds.

    Not for: a claim about other data sets; folds of one data set share their examples.

    References:
        Searle, Casella & McCulloch (1992), Variance Components; Weerahandi (1993), Generalized confidence intervals, JASA;
        Bouthillier et al. (2021), Accounting for variance in machine learning benchmarks, on the sources.
    """
    stars = {name: star for name, star in (stars or {}).items() if len(star.scores) > 1}
    runs = int((~np.isnan(scores)).sum())
    square, freedom = _pooled([row[~np.isnan(row)] for row in scores])
    if freedom < 2 or not np.isfinite(evaluation):
        return None
    rest = SPLIT if stars or not seeded else TOGETHER
    names = [EVALUATION, rest, *stars]
    point = _solve(
        np.array([evaluation]),
        np.array([square]),
        [(np.array([_pooled(s.scores)[0]]), s.noise) for s in stars.values()],
    )[:, 0]
    explained, between = _pivot(rng, evaluation, evaluation_freedom, draws), _pivot(rng, square, freedom, draws)
    drawn = _solve(explained, between, [(_pivot(rng, *_pooled(s.scores), draws), s.noise) for s in stars.values()])
    per_mean = np.full(len(names), 1.0 / runs)
    used = (~np.isnan(scores)).sum(axis=1)
    per_mean[0] = 1.0 / float(used[used > 0].mean())  # repeats score the same examples
    weighted = drawn * per_mean[:, None]
    # Components that are cut off at zero make their sum too large, which would bias the one that never is: its share is
    # taken of what folds differ by, as it is
    wholes = [between, explained * per_mean[0] + np.maximum(between - explained, 0.0) / runs]
    largest = None
    if len(stars) > 1:
        leads = np.bincount(drawn[2:].argmax(axis=0), minlength=len(stars)) / draws
        largest = names[2 + int(leads.argmax())] if leads.max() >= level else None

    def estimate(value: float, values: np.ndarray, unit: str, n: int) -> Estimate:
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        return Estimate(
            value=value,
            low=min(float(low), value),
            high=max(float(high), value),
            level=level,
            n=n,
            n_unit="runs",
            method="analysis of variance, generalised pivotal quantities",
            unit=unit,
        )

    def shares(values: np.ndarray, many: np.ndarray, whole: np.ndarray) -> dict[str, Estimate]:
        of = np.maximum(np.stack([whole, *[many.sum(axis=0)] * (len(names) - 1)]), many)
        drawn, value = 100 * many / np.maximum(of, 1e-300), 100 * values / max(values.sum(), 1e-300)
        return {name: estimate(float(value[i]), drawn[i], "percent", runs) for i, name in enumerate(names)}

    return Components(
        {name: estimate(float(point[i]), drawn[i], "squared", runs) for i, name in enumerate(names)},
        shares(point, drawn, wholes[0]),
        shares(point * per_mean, weighted, wholes[1]),
        largest,
        estimate(float(point.sum()), np.maximum(between, explained), "squared", runs),
    )


def _pooled(groups) -> tuple[float, int]:
    """Variance within groups of values and its degrees of freedom."""
    groups = [np.asarray(group) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups)
    return (sum(float(np.square(g - g.mean()).sum()) for g in groups) / freedom if freedom else np.nan), freedom


def _pivot(rng: np.random.Generator, square: float, freedom: float, draws: int) -> np.ndarray:
    """What the expectation of a mean square may be: freedom × square / chi-square(freedom)."""
    return freedom * square / rng.chisquare(freedom, draws)


def _solve(evaluation: np.ndarray, between: np.ndarray, stars: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """`(components, draws)` from mean squares: evaluation, split (or split and seeds), one per star; never negative."""
    seeds = [np.maximum(square - noise, 0.0) for square, noise in stars]
    split = np.maximum(between - evaluation - sum(seeds, np.zeros_like(between)), 0.0)
    return np.stack([evaluation, split, *seeds])
