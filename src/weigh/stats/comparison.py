"""Is candidate A better than candidate B? One procedure gives the interval and the relation, so they cannot disagree.

Differences are paired: both candidates are scored on the same examples, folds and repeats, and what an example
contributes is taken from the difference. All pairs of candidates are compared simultaneously: the quantile of the
intervals is that of the largest standardised difference over all pairs (single-step max-t, Westfall & Young 1993),
drawn from the joint normal distribution of all candidates' scores, so that with probability `level` every interval
holds at once, also for the pair that the results made interesting.

    better, worse   the interval excludes 0
    equal           the interval lies inside ± rope (and includes 0)
    undecided       anything else

Before it: `resampling.py`, `interval.py`. After it: `luck_of_choosing.py`, the findings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np

from weigh.stats.estimate import Estimate
from weigh.stats.interval import Claim, Variance, quantile, sampling_variance, student, unseen
from weigh.stats.resampling import Measured, Resample, Resampler, Units

__all__ = ["Comparisons", "Difference", "Relation", "compare", "error_spread", "relation_of"]

Relation = Literal["better", "worse", "equal", "undecided"]
DRAWS = 4000  # of the joint distribution that the simultaneous quantile is read from
SMALLEST_SAMPLE = 10  # independent units below which nothing is concluded
GROWS, SHRINKS = 1.5, 4.0  # powers of N that a difference may grow and shrink with (docs/decisions/comparison-rule.md)


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
        detectable: The smallest true difference that a study like this would have found in `power` of cases; inf: none that is possible.
        wins: Share of the folds (of runs on a test part) in which `a` scores better than `b`, ties half. A
            description: folds share their training examples, so it says nothing about probability.
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
    wins: float
    repeats: int
    examples: int
    folds: int
    complete: bool

    @property
    def half(self) -> float:
        """Half the interval before it allows for folds that train on fewer examples: 0 is outside the interval where the difference is larger."""
        return max(self.q * self.variance.standard_error, self.least)

    @property
    def bounded(self) -> float:
        """The variance, no smaller than what half the interval is made of: few examples that never disagree do not show that they never will.

        NaN where there is no interval; 0 for two candidates that never differ, of a metric without a least half width.
        """
        if self.estimate.low is not None:
            return max(self.variance.total, (self.least / self.q) ** 2)
        alike = self.estimate.value == 0 and self.variance.total == 0 and self.estimate.n >= SMALLEST_SAMPLE
        return 0.0 if alike else math.nan


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
        best: The candidates that may be best (`selection.may_be_best`).
    """

    pairs: dict[tuple[str, str], Difference]
    candidates: tuple[str, ...]
    claim: Claim
    level: float
    rope: float
    adjusted: float
    units: Units
    greater_is_better: bool
    best: tuple[str, ...]

    def of(self, a: str, b: str) -> Difference:
        """The difference `a` minus `b`."""
        return self.pairs[a, b]

    @property
    def count(self) -> int:
        """Number of unordered pairs that the quantile allows for."""
        return len(self.candidates) * (len(self.candidates) - 1) // 2


def error_spread(comparisons: Comparisons, *, part: Literal["total", "bounded", "runs"] = "total") -> np.ndarray | None:
    """`(candidates, candidates)` covariance of errors that have the variances of all differences, without what all candidates share.

    None where a variance is unknown. Pairs are estimated one by one, so it may have directions of negative variance, which mean none.

    Args:
        part: Of the variances: all of it, all of it as intervals bound it from below (`Difference.bounded`), or what more repeats shrink.
    """
    names = comparisons.candidates

    def square(pair: Difference) -> float:
        return pair.bounded if part == "bounded" else getattr(pair.variance, part)

    squares = np.array([[0.0 if a == b else square(comparisons.of(a, b)) for b in names] for a in names])
    if not np.isfinite(squares).all():
        return None
    centre = np.eye(len(names)) - 1 / len(names)
    return -0.5 * centre @ squares @ centre  # variances of differences are squared distances


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
    once: float | None = None,
    folds: int | None = None,
) -> Comparisons:
    """Compare all pairs of candidates simultaneously on one metric.

    Args:
        measured: Candidate id -> `metrics.design.measure_design` of its predictions of the same `n` examples.
        units: What is independent: examples or groups (`make_units`).
        rng: For the simultaneous quantile; used with three or more candidates.
        claim: "these_models" for trained models on a test part, "this_data" or "new_data" for cross-validation.
        level: Probability that all intervals hold at once.
        rope: Differences smaller than this do not matter; default: the metric's own.
        draws: Of the joint distribution.
        resampler: Influences taken before under the same names.
        once: Level of a single look, where results are looked at more than once and `level` is promised for all looks
            together (`racing.look_level`); intervals are made at it. Default: `level`.
        folds: Of the design, where not all of them were run; default: as many as there are.

    Returns:
        All ordered pairs. Where candidates lack runs, a pair is compared on the folds that both have. c candidates
        cost O(c² x units) time and O(c x repeats x units) memory.

    References:
        Westfall & Young (1993), Resampling-Based Multiple Testing; Hsu (1996), Multiple Comparisons, ch. 4 (the best);
        Nadeau & Bengio (2003) on what is corrected for.
    """
    from scipy.special import ndtri

    names = tuple(measured)
    metric = next(iter(measured.values())).metric
    rope = float(metric.rope if rope is None else rope)
    resampler = resampler or Resampler(np.ones((1, next(iter(measured.values())).n)), units)
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
    moves = np.stack([resampler.of(name, measured[name]).mean_influence for name in names])
    scores = _joint(moves, rng, draws) if len(names) > 2 else None
    once = level if once is None else once
    plain = float(ndtri(0.5 + once / 2))
    adjusted = plain if scores is None else _further(float(np.quantile(_largest(scores), once)), plain)
    settings = _Settings(units, metric, claim, level, once, rope, adjusted, power, folds)
    pairs: dict[tuple[str, str], Difference] = {}
    for a, b in combinations(names, 2):
        whole = bool(masks[a, b].all()) and measured[a].repeats == measured[b].repeats
        one = _difference(a, b, differences[a, b], variances[a, b], masks[a, b], settings, complete=whole)
        pairs[a, b], pairs[b, a] = one, _reversed(one)
    sign = 1.0 if metric.greater_is_better else -1.0
    best = tuple(name for i, name in enumerate(names) if not _beaten(i, names, pairs, scores, once, sign))
    return Comparisons(pairs, names, claim, level, rope, adjusted, units, metric.greater_is_better, best)


def _further(several: float, one: float) -> float:
    """A quantile for several differences at once, given that of one, both for a known standard error.

    A standard error is itself an estimate, and that counts more the further out one looks. The constants of
    `interval.py` allow for it where two candidates are compared; here only the rest is added, as for Student's t.
    """
    return max(one, student(several, ESTIMATED) * one / student(one, ESTIMATED))


def _joint(moves: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """`(draws, candidates)` errors of the scores, jointly normal with the covariance of the influences.

    The symmetric root does not depend on the signs and the order of eigenvectors, which differ between machines.
    """
    values, vectors = np.linalg.eigh(moves @ moves.T)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return rng.standard_normal((draws, len(moves))) @ root


def _standardised(scores: np.ndarray, i: int) -> np.ndarray:
    """`(draws, candidates)` differences of all candidates to candidate i over their spread; 0 to itself."""
    gaps = scores - scores[:, i : i + 1]
    spread = np.sqrt(np.square(gaps).mean(axis=0))
    return gaps / np.where(spread > 1e-12, spread, np.inf)


def _largest(scores: np.ndarray) -> np.ndarray:
    """`(draws,)` largest standardised difference of any pair."""
    return np.max([np.abs(_standardised(scores, i)).max(axis=1) for i in range(scores.shape[1])], axis=0)


def _beaten(i, names, pairs, scores, level, sign) -> bool:
    """Whether candidate i cannot be the best: some other one is better, allowing for all others at once.

    Were it the best, all differences of the others to it would be at most 0: a one-sided question about
    candidates - 1 differences (multiple comparisons with the best, Hsu 1996).
    """
    from scipy.special import ndtri

    q = float(ndtri(level))
    if scores is not None:
        q = _further(float(np.quantile(_standardised(scores, i).max(axis=1), level)), q)
    for other in names:
        if other == names[i]:
            continue
        pair = pairs[other, names[i]]
        if pair.estimate.low is None:
            continue
        half = max(student(q, pair.variance.freedom) * pair.variance.standard_error, pair.least)
        if sign * pair.estimate.value > half:
            return True
    return False


class _Settings(NamedTuple):
    """What is the same for every pair: the arguments of `compare`, and the quantile that covers all pairs (`Comparisons.adjusted`)."""

    units: Units
    metric: Any
    claim: Claim
    level: float
    once: float
    rope: float
    adjusted: float
    power: float
    folds: int | None


def _difference(
    a: str, b: str, resampled: Resample, variance: Variance, mask: np.ndarray, settings: _Settings, *, complete: bool
) -> Difference:
    """`a` minus `b`.

    Args:
        mask: `(repeats, n)` bool: what both have.
    """
    from scipy.special import ndtri

    units, metric, value = settings.units, settings.metric, resampled.overall
    used = np.flatnonzero(mask.any(axis=1))
    covered = units.count * (float(mask[used].mean()) if len(used) else 0.0)
    low = high = None
    q, least = quantile(settings.once, variance.freedom, adjusted=settings.adjusted), 0.0
    reason = None
    if not len(used) or not math.isfinite(value):
        reason = "no interval: no folds in common"
    elif covered < SMALLEST_SAMPLE:
        reason = f"no interval: fewer than {SMALLEST_SAMPLE} independent {units.name}"
    elif not math.isfinite(variance.total):
        reason = "no interval: too few independent examples"
    elif metric.unit == "score":
        smallest = units.smallest * covered / units.count
        least = min(metric.highest, unseen(metric, resampled.mean_influence, smallest, settings.once))
    elif variance.total <= 0:
        reason = "no interval: no variation"
    if reason is None:
        half = max(q * variance.standard_error, least)
        folds = settings.folds or resampled.fold_score.shape[1]
        more = 1.0 if settings.claim == "these_models" or folds < 2 else folds / (folds - 1)
        low, high = _ends(value, half, q, more)
        if metric.unit == "score":
            span = metric.highest - metric.lowest
            low, high = max(low, -span), min(high, span)
    needed = max(q * variance.standard_error, least) + float(ndtri(settings.power)) * variance.standard_error
    detectable = float("nan") if reason else needed
    if metric.unit == "score" and needed > metric.highest - metric.lowest:
        detectable = float("nan") if reason else math.inf  # further than two scores can be apart
    scores = resampled.fold_score[~np.isnan(resampled.fold_score)]
    sign = 1.0 if metric.greater_is_better else -1.0
    return Difference(
        a=a,
        b=b,
        estimate=Estimate(
            value=value,
            low=low,
            high=high,
            level=settings.level,
            n=round(covered),
            n_unit=units.name,
            method=reason or f"paired {METHOD[settings.claim]} over {units.name}, simultaneous over all pairs",
            unit=metric.unit,
        ),
        relation=relation_of(low, high, settings.rope, greater_is_better=metric.greater_is_better),
        negligible=None if low is None else bool(-settings.rope < low and high < settings.rope),
        variance=variance,
        q=q,
        least=least,
        detectable=detectable,
        wins=float(((sign * scores > 0) + 0.5 * (scores == 0)).mean()) if len(scores) else float("nan"),
        repeats=len(used),
        examples=int(mask.any(axis=0).sum()),
        folds=len(scores),
        complete=complete,
    )


def _ends(value: float, half: float, q: float, more: float) -> tuple[float, float]:
    """The interval, allowing for folds that trained on fewer examples than there are.

    What is claimed is the difference after training on all N examples; folds trained on N / more. Differences change with
    N, about like a power of N: one between a poorly and a well regularised head can grow like N^1.5 or shrink like N^-4
    (docs/decisions/comparison-rule.md). What grows is the true difference, which may be larger than the one seen; of one that
    is small against its error there is nothing known that could grow. An end moves away from the difference, never across 0.

    Args:
        half: Half the interval for folds as large as N.
        more: N over the examples that a fold trains on; 1 for trained models.
    """
    size = abs(value)
    spread = math.hypot(half, q * math.log(more) * size)  # a power with mean 0 and standard deviation 1
    growing = max(0.0, min(size + half / 2, 1.5 * size - half / 2))
    away = size + max(spread, half + (more**GROWS - 1) * growing)
    back = (size - half) / more**SHRINKS if size > half else size - spread
    return (back, away) if value >= 0 else (-away, -back)


ESTIMATED = (
    15.0  # degrees of freedom that the spread of the standard errors amounts to (docs/decisions/comparison-rule.md)
)
METHOD = {
    "these_models": "influence of each on the difference",
    "this_data": "influence of each, with its part in training and the variance between runs,",
    "new_data": "influence of each, with its part in training and the variance between runs,",
}
OPPOSITE: dict[str, Relation] = {"better": "worse", "worse": "better", "equal": "equal", "undecided": "undecided"}


def _reversed(difference: Difference) -> Difference:
    fields = {
        **difference.__dict__,
        "a": difference.b,
        "b": difference.a,
        "estimate": difference.estimate.times(-1.0, difference.estimate.unit),
        "wins": 1.0 - difference.wins,
    }
    return Difference(**{**fields, "relation": OPPOSITE[difference.relation]})
