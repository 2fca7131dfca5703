"""Is candidate A better than candidate B? One procedure gives the interval and the relation, so they cannot disagree.

Differences are paired: both candidates are scored on the same examples, folds and repeats, and every bootstrap draw
weighs the examples alike. All pairs of candidates are compared simultaneously: the quantile of the intervals is that
of the largest standardised difference over all pairs (single-step max-t, Westfall & Young 1993), so that with
probability `level` every interval holds at once, also for the pair that the results made interesting.

    better, worse   the interval excludes 0
    equal           the interval lies inside ± rope (and includes 0)
    undecided       anything else

Before it: `resampling.py`, `interval.py`. After it: `selection.py`, the findings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from weigh.stats.estimate import Estimate
from weigh.stats.interval import DRAWS, Claim, Variance, quantile, sampling_variance
from weigh.stats.resampling import Measured, Resample, Resampler, Units, draw_weights

__all__ = ["Comparisons", "Difference", "Relation", "compare", "relation_of"]

Relation = Literal["better", "worse", "equal", "undecided"]
SMALLEST_SAMPLE = 10  # independent units below which nothing is concluded


@dataclass(frozen=True)
class Difference:
    """How much better `a` scores than `b`.

    Attributes:
        a, b: Candidate ids.
        estimate: Score of `a` minus score of `b` in units of the metric (for losses negative is better), with the
            simultaneous interval; without an interval where none is honest (`estimate.method` says why).
        relation: Of `a` to `b`, in the metric's own direction.
        negligible: True if the whole interval lies inside ± rope: even if one is better, it hardly matters. None
            without an interval.
        variance: Of the difference.
        q: The quantile that was used: half the interval is `max(q * standard error, least)`.
        least: The least half width: what an event that never occurred could still amount to.
        detectable: The smallest true difference that a study like this would have found in `power` of cases.
        repeats, examples, folds: What both candidates have in common.
        complete: Whether that is all of the design; False where runs failed or one candidate has fewer repeats.
    """

    a: str
    b: str
    estimate: Estimate
    relation: Relation
    negligible: bool | None
    variance: Variance
    q: float
    least: float
    detectable: float
    repeats: int
    examples: int
    folds: int
    complete: bool


@dataclass(frozen=True)
class Comparisons:
    """All pairs of candidates, compared at once.

    Attributes:
        pairs: `(a, b) -> Difference`, for every ordered pair.
        candidates: Ids, in the order given.
        claim, level, rope: As asked for.
        adjusted: The two-sided normal quantile that covers all pairs at once.
        units: What was resampled.
        greater_is_better: Direction of the metric.
    """

    pairs: dict[tuple[str, str], Difference]
    candidates: tuple[str, ...]
    claim: Claim
    level: float
    rope: float
    adjusted: float
    units: Units
    greater_is_better: bool

    def of(self, a: str, b: str) -> Difference:
        """The difference `a` minus `b`."""
        return self.pairs[a, b]

    @property
    def count(self) -> int:
        """Number of unordered pairs that the quantile allows for."""
        return len(self.candidates) * (len(self.candidates) - 1) // 2


def relation_of(low: float | None, high: float | None, rope: float, *, greater_is_better: bool = True) -> Relation:
    """The relation that an interval of `a - b` allows."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "undecided"
    if low > 0 or high < 0:
        return "better" if (low > 0) == greater_is_better else "worse"
    return "equal" if -rope < low and high < rope else "undecided"


def compare(
    measured: Mapping[str, Measured],
    units: Units,
    *,
    rng: np.random.Generator,
    claim: Claim,
    level: float = 0.95,
    rope: float | None = None,
    power: float = 0.8,
    draws: int = DRAWS,
    resampler: Resampler | None = None,
) -> Comparisons:
    """Compare all pairs of candidates simultaneously on one metric.

    Args:
        measured: Candidate id -> `metrics.design.measure_design` of its predictions of the same `n` examples.
        units: What is independent: examples or groups (`make_units`).
        claim: "these_models" for trained models on a test part, "this_data" or "new_data" for cross-validation.
        level: Probability that all intervals hold at once.
        rope: Differences smaller than this do not matter; default: the metric's own.
        resampler: Resamples made before under the same names; `rng` and `draws` are then not used.

    Returns:
        All ordered pairs. Where candidates lack runs, a pair is compared on the folds that both have.

    References:
        Westfall & Young (1993), Resampling-Based Multiple Testing; Nadeau & Bengio (2003) on what is corrected for.
    """
    from scipy.special import ndtri

    names = tuple(measured)
    metric = next(iter(measured.values())).metric
    rope = float(metric.rope if rope is None else rope)
    resampler = resampler or Resampler(draw_weights(rng, units, draws), units)
    differences, variances, masks = {}, {}, {}
    for a, b in combinations(names, 2):
        repeats = min(measured[a].repeats, measured[b].repeats)
        same_fold = measured[a].fold[:repeats] == measured[b].fold[:repeats]
        common = measured[a].present[:repeats] & measured[b].present[:repeats] & same_fold
        masks[a, b] = common
        full_a = np.zeros_like(measured[a].present)
        full_b = np.zeros_like(measured[b].present)
        full_a[:repeats], full_b[:repeats] = common, common
        differences[a, b] = resampler.of(a, measured[a], full_a).minus(resampler.of(b, measured[b], full_b))
        variances[a, b] = sampling_variance(differences[a, b], units, claim)
    plain = float(ndtri(0.5 + level / 2))
    adjusted = max(plain, _simultaneous_quantile(differences, level))
    pairs: dict[tuple[str, str], Difference] = {}
    for a, b in combinations(names, 2):
        whole = masks[a, b].all() and measured[a].repeats == measured[b].repeats
        forward = _difference(
            a, b, differences[a, b], variances[a, b], masks[a, b], units, metric, claim, level, rope, adjusted, power
        )
        pairs[a, b] = Difference(**{**forward, "complete": bool(whole)})
        pairs[b, a] = _reversed(pairs[a, b])
    return Comparisons(pairs, names, claim, level, rope, adjusted, units, metric.greater_is_better)


def _simultaneous_quantile(differences: Mapping[tuple[str, str], Resample], level: float) -> float:
    """The `level` quantile of the largest |standardised difference| over all pairs, from the joint draws."""
    standardised = []
    longest = max((len(d.score) for d in differences.values()), default=0)
    for difference in differences.values():
        used = np.flatnonzero(~np.isnan(difference.score))
        if not len(used):
            continue
        centred = difference.draws[used] - np.nanmean(difference.draws[used], axis=1, keepdims=True)
        spread = np.sqrt(np.nanmean(np.square(centred)))
        if not spread > 0:
            continue
        standardised.append(np.abs(centred[np.arange(longest) % len(used)]).ravel() / spread)
    if len(standardised) < 2:
        return 0.0
    return float(np.quantile(np.nanmax(np.stack(standardised), axis=0), level))


def _difference(a, b, resampled, variance, mask, units, metric, claim, level, rope, adjusted, power) -> dict:
    from scipy.special import ndtri

    value = resampled.overall
    used = np.flatnonzero(mask.any(axis=1))
    examples = int(mask.any(axis=0).sum())
    covered = units.count * (float(mask[used].mean()) if len(used) else 0.0)
    method = f"paired {METHOD[claim]} over {units.name}, simultaneous over all pairs"
    low = high = None
    q, least = quantile(level, variance.freedom, adjusted=adjusted), 0.0
    reason = None
    if not len(used) or not math.isfinite(value):
        reason = "no interval: no folds in common"
    elif covered < SMALLEST_SAMPLE:
        reason = f"no interval: fewer than {SMALLEST_SAMPLE} independent {units.name}"
    elif not math.isfinite(variance.total):
        reason = "no interval: too few independent examples"
    elif metric.unit == "score":
        # What never occurred among m units has probability up to -log(1 - level) / m (the rule of three)
        least = min(1.0, -math.log(1 - level) / max(units.smallest * covered / units.count, 1.0))
    elif variance.total <= 0:
        reason = "no interval: no variation"
    if reason is None:
        half = max(q * variance.standard_error, least)
        low, high = value - half, value + half
        if metric.unit == "score":
            low, high = max(low, -1.0), min(high, 1.0)
    relation = relation_of(low, high, rope, greater_is_better=metric.greater_is_better)
    estimate = Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=round(covered),
        n_unit=units.name,
        method=reason or method,
        unit=metric.unit,
    )
    detectable = float("nan") if reason else max((q + float(ndtri(power))) * variance.standard_error, least)
    return {
        "a": a,
        "b": b,
        "estimate": estimate,
        "relation": relation,
        "negligible": None if low is None else bool(-rope < low and high < rope),
        "variance": variance,
        "q": q,
        "least": least,
        "detectable": detectable,
        "repeats": len(used),
        "examples": examples,
        "folds": int((~np.isnan(resampled.fold_score)).sum()),
    }


METHOD = {
    "these_models": "Bayesian bootstrap",
    "this_data": "Bayesian bootstrap within repeats with the variance between runs",
    "new_data": "Bayesian bootstrap within repeats with the variance between runs",
}
OPPOSITE: dict[str, Relation] = {"better": "worse", "worse": "better", "equal": "equal", "undecided": "undecided"}


def _reversed(difference: Difference) -> Difference:
    estimate = difference.estimate
    turned = estimate.model_copy(
        update={
            "value": -estimate.value,
            "low": None if estimate.high is None else -estimate.high,
            "high": None if estimate.low is None else -estimate.low,
        }
    )
    fields = {**difference.__dict__, "a": difference.b, "b": difference.a, "estimate": turned}
    return Difference(**{**fields, "relation": OPPOSITE[difference.relation]})
