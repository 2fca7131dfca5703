"""How far stated probabilities are from what happened: each candidate before and after temperature scaling, with intervals.

Before it: out-of-fold answers. After it: `stated.py`, which says whether they can be taken at face value.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from weigh.findings.copied import independent_units
from weigh.findings.evidence import Evidence
from weigh.kinds.base import Kind, Prediction
from weigh.metrics.base import METRICS
from weigh.stats.calibration import (
    Reliability,
    bin_statistics,
    blank_statistics,
    calibration_error,
    fit_temperature,
    mean_with_interval,
    reliability,
    scale_across_folds,
)
from weigh.stats.estimate import Estimate
from weigh.stats.resampling import Units

__all__ = ["Described", "Stage", "describe", "measure_stage"]


class Stage(NamedTuple):
    """What is known of one set of probabilities."""

    error: Estimate
    excess: Estimate
    log_loss: Estimate
    brier: Estimate
    losses: np.ndarray
    bars: list[Reliability]


class Described(NamedTuple):
    """A candidate before and after temperature scaling."""

    before: Stage
    after: Stage
    gain: Estimate
    temperature: float
    scaled: bool = (
        True  # whether `after` was measured, on folds that did not choose their temperature; else it is `before`
    )


def describe(evidence: Evidence, name: str, weights: np.ndarray) -> Described:
    """A candidate's probabilities; only as they were stated where there is no other fold that a temperature could be fitted on.

    Args:
        weights: `(draws, n)`, as from `draw_weights` of `independent_units`.
    """
    out_of_fold = evidence.out_of_fold[name]
    target, units, level = out_of_fold.target, independent_units(evidence), evidence.level
    before = measure_stage(out_of_fold.kind, out_of_fold.answers, out_of_fold.present, target, weights, units, level)
    ours = evidence.results.origin != "models"
    temperature = fit_temperature(out_of_fold.answers, target, present=out_of_fold.present) if ours else 1.0
    if not ours or evidence.folds_run(name) < 2:
        return Described(before, before, Estimate(value=0.0, unit="nats"), temperature, scaled=False)
    scaled = scale_across_folds(out_of_fold.answers, out_of_fold.fold, target).logits
    after = measure_stage(out_of_fold.kind, scaled, out_of_fold.present, target, weights, units, level)
    gain = mean_with_interval(before.losses - after.losses, weights, level=level, units=units, unit="nats")
    return Described(before, after, gain, temperature)


def measure_stage(
    kind: Kind,
    logits: np.ndarray,
    present: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    units: Units,
    level: float,
) -> Stage:
    repeats, n, _ = logits.shape
    losses, brier, excess = np.full((3, repeats, n), np.nan)
    stacked = blank_statistics(int(present.any(axis=1).sum()), n)
    filled = iter(stacked)
    for r, rows in enumerate(present):
        if rows.any():
            p = kind.probabilities(logits[r, rows])
            prediction = Prediction(p, kind.most_probable(p))
            for values, name in ((losses, "log_loss"), (brier, "brier")):
                values[r, rows] = METRICS.get(name).measure(prediction, target[rows])[:, 0]
            next(filled)[rows] = inside = bin_statistics(p, target[rows])
            excess[r, rows] = (inside[:, 1] - inside[:, 2]).sum(axis=1) / inside[:, 0].sum(axis=1)
    of = {"level": level, "units": units}
    difference = _with_unseen(mean_with_interval(_over_repeats(excess), weights, **of), stacked)
    return Stage(
        _at_least(calibration_error(stacked, weights, **of), difference),
        difference,
        mean_with_interval(_over_repeats(losses), weights, unit="nats", **of),
        mean_with_interval(_over_repeats(brier), weights, **of),
        _over_repeats(losses),
        reliability(stacked),
    )


def _with_unseen(excess: Estimate, statistics: np.ndarray) -> Estimate:
    """Resampling cannot show an error, or a right answer, that never occurred: the rule of three can."""
    stated, right = statistics[:, :, 0].sum(), statistics[:, :, 2].sum()
    if 0 < right < stated or excess.low is None or excess.high is None:
        return excess
    unseen = -math.log(1 - excess.level) / max(excess.n, 3)
    if right:
        return excess.model_copy(update={"high": max(excess.high, excess.value + unseen)})
    return excess.model_copy(update={"low": min(excess.low, excess.value - unseen)})


def _at_least(error: Estimate, excess: Estimate) -> Estimate:
    """A mean of distances (the calibration error) is no smaller than the size of the mean (confidence minus accuracy)."""
    if error.low is None or error.high is None or excess.low is None or excess.high is None:
        return error
    value = max(error.value, abs(excess.value)) if error.low > 0 else error.value
    high = min(1.0, max(error.high, excess.high, -excess.low))
    return error.model_copy(update={"value": value, "high": high})


def _over_repeats(values: np.ndarray) -> np.ndarray:
    """Mean over the repeats that have the example; NaN where none has."""
    count = (~np.isnan(values)).sum(axis=0)
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
