"""How certain is a score of something that stands only in some of the examples: one class of masks, one size of objects?

Before it: counts of every example, repeat by repeat. After it: tables of classes, and what is said about mistakes (`errors/pixels.py`).

The interval is that of every score (`stats/interval.py`), of the examples that have to do with it. Pixels and objects of one picture are right or wrong
together: what counts is in how many pictures, or groups of pictures, it stands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.findings.evidence import Evidence
from weigh.kinds.base import LEAST_HOLDERS
from weigh.metrics.base import Metric
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import Difference, compare
from weigh.stats.estimate import Estimate
from weigh.stats.interval import estimate_of
from weigh.stats.resampling import Units, resample

__all__ = ["LEAST_HOLDERS", "Occurring", "gap_where", "recorded_by_repeat", "score_where"]

LEAST_GROUPS = (
    3  # what stands in fewer groups of examples is not judged, as what stands in fewer than `LEAST_HOLDERS` examples
)


class Occurring(NamedTuple):
    """What was counted of something, for the examples of a design.

    Attributes:
        statistics: `(repeats, n, k)` as the metric reads them; rows of 0 where an example has nothing to do with it.
        holders: `(n,)` bool: it stands in the example itself, whatever was answered.
    """

    statistics: np.ndarray
    holders: np.ndarray


def recorded_by_repeat(evidence: Evidence, name: str) -> np.ndarray:
    """`(repeats, n, k)` what the runs of a candidate recorded; rows without an answer are 0."""
    runs = evidence.out_of_fold[name]
    answers = np.asarray(runs.answers, dtype=np.float64)
    return answers if runs.present.all() else np.where(runs.present[:, :, None], answers, 0.0)


def score_where(
    evidence: Evidence, name: str, metric: Metric, one: Occurring, *, level: float | None = None
) -> Estimate:
    """The score of candidate `name` on it; NaN where there is nothing to score, without an interval where too few hold it."""
    used, units = _part(evidence, name, one)
    number = {"n": int(units.smallest), "n_unit": units.name}
    if not used.any():
        return Estimate(value=float("nan"), method="no interval: not defined here", **number)
    resampled = resample(_design(evidence, name, metric, one, used), np.ones((1, int(used.sum()))), units)
    if one.holders.sum() < LEAST_HOLDERS or units.smallest < LEAST_GROUPS:
        few = "no interval: too few independent examples"
        return Estimate(value=resampled.overall, unit=metric.unit, method=few, **number)
    level = evidence.level if level is None else level
    return estimate_of(resampled, units, metric, claim=evidence.claim, level=level).model_copy(update=number)


def gap_where(evidence: Evidence, name: str, metric: Metric, one: Occurring, other: Occurring) -> Difference:
    """How much more candidate `name` scores on `one` than on `other`, of the same examples."""
    both = Occurring(np.concatenate([one.statistics, other.statistics], axis=2), one.holders | other.holders)
    used, units = _part(evidence, name, both)
    least = min(_part(evidence, name, each)[1].smallest for each in (one, other))
    designs = {key: _design(evidence, name, metric, each, used) for key, each in (("one", one), ("other", other))}
    units = replace(units, smallest=least)
    rng = evidence.rng("occurring")
    return compare(designs, units, rng=rng, claim=evidence.claim, level=evidence.level, rope=0.0).of("one", "other")


def _part(evidence: Evidence, name: str, one: Occurring) -> tuple[np.ndarray, Units]:
    """Which examples with an answer have to do with it, `(n,)`, and what is independent among them."""
    answered = evidence.measured[name].present.any(axis=0)
    used = answered & (one.holders | (one.statistics != 0).any(axis=(0, 2)))
    of, holders = evidence.units.of, len(np.unique(evidence.units.of[answered & one.holders]))
    names, own = np.unique(of[used], return_inverse=True)
    return used, Units(own, len(names), evidence.units.name, float(holders))


def _design(evidence: Evidence, name: str, metric: Metric, one: Occurring, used: np.ndarray) -> MeasuredDesign:
    whole = evidence.measured[name]
    parts = (values[:, used] for values in (one.statistics, whole.fold, whole.present))
    return MeasuredDesign(metric, *parts, whole.target[used], whole.seeded)
