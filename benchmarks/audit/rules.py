"""What different rules would conclude from the same study: the field's rules of thumb, tests, and ours.

A rule returns +1 (the first candidate is better), -1 (worse) or 0 (no claim) about the first two candidates. Rules that
need runs of their own (seeds on one split, random splits, out-of-bootstrap pairs) are in `extra.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import binom, wilcoxon

from benchmarks.audit.real import RealDesign
from benchmarks.audit.simulate import Design, Study
from tests.arrays import kind_of
from weigh.kinds.base import Prediction
from weigh.kinds.label import LABEL, decide_class
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign, measure_design
from weigh.record.results import OutOfFold
from weigh.stats.comparison import Comparisons, compare
from weigh.stats.resampling import Resampler, make_units

__all__ = ["FOLD_RULES", "measure", "ours", "score", "trained", "truth_error", "truths"]


def measure(design: Design, study: Study) -> dict[str, MeasuredDesign]:
    """Candidate -> out-of-fold predictions measured on the design's metric, as the product would measure them."""
    metric = METRICS.get(design.metric)
    none = np.zeros_like(study.logits[0])
    indices = np.arange(design.n)
    seeded = design.degenerate > 0  # all others are heads: their training examples determine them
    return {
        f"m{m}": measure_design(
            metric, OutOfFold(indices, logits, study.fold, study.target, none, kind_of(study.target), seeded)
        )
        for m, logits in enumerate(study.logits)
    }


def ours(
    design: Design, study: Study, measured: dict[str, MeasuredDesign], rng: np.random.Generator
) -> dict[str, Comparisons]:
    """Our comparison for both claims about recipes."""
    units = make_units(kind_of(study.target), study.target, study.groups)
    resampler = Resampler(np.ones((1, design.n)), units)
    return {
        claim: compare(measured, units, rng=rng, claim=claim, resampler=resampler)
        for claim in ("new_data", "this_data")
    }


def trained(
    design: Design, study: Study, rng: np.random.Generator
) -> tuple[dict[str, MeasuredDesign], Comparisons, np.ndarray]:
    """The first refit of every candidate on a test sample of `design.n` examples, our comparison, and the truth.

    The population is the finite set of new examples with the chances of their labels, drawn from with replacement, so
    the truth of these very models is known exactly.
    """
    rows = rng.integers(0, len(study.chance), design.n)
    cumulated = np.cumsum(study.chance[rows], axis=1)[:, :-1]
    target = (rng.random((design.n, 1)) > cumulated).sum(axis=1)
    metric, fold = METRICS.get(design.metric), np.zeros((1, design.n), dtype=np.int16)
    measured = {}
    for m, fresh in enumerate(study.fresh):
        logits = fresh[:1, rows]
        found = OutOfFold(np.arange(design.n), logits, fold, target, np.zeros_like(logits), kind=kind_of(target))
        measured[f"m{m}"] = measure_design(metric, found)
    found = compare(measured, make_units(kind_of(target), target), rng=rng, claim="these_models")
    return measured, found, np.array([score(design, fresh[0], study.chance) for fresh in study.fresh])


def truths(design: Design, study: Study) -> np.ndarray:
    """`(candidates,)` score of each recipe refitted on this data, on unlimited new data, in expectation over seeds."""
    found = []
    for fresh in study.fresh:
        value = float(np.mean([score(design, logits, study.chance) for logits in fresh]))
        if design.degenerate:
            constant = np.tile(np.eye(design.classes)[study.majority], (len(study.chance), 1))
            value = (1 - design.degenerate) * value + design.degenerate * score(design, constant, study.chance)
        found.append(value)
    return np.array(found)


def truth_error(design: RealDesign | Design, study) -> float:
    """Standard error of the measured difference of the first two truths: 0 in simulations, small on real pools.

    The rest of a pool stands for unlimited new data; its examples are a sample themselves.
    """
    if isinstance(design, Design):
        return 0.0
    target, metric = study.chance.argmax(axis=1), METRICS.get(design.metric)
    moves = []
    for fresh in study.fresh[:, 0]:
        p = LABEL.probabilities(fresh)
        moves.append(metric.influence_on(metric.measure(Prediction(p, decide_class(p)), target)))
    return float(np.sqrt(np.square(moves[0] - moves[1]).sum()))


def score(design: Design, logits: np.ndarray, chance: np.ndarray) -> float:
    """The design's metric on examples that carry the probability of every label, `(n, classes)`, instead of a label."""
    size, classes = chance.shape
    actual = chance.sum(axis=0)
    if design.metric == "auroc":
        order = np.argsort(logits[:, 1] - logits[:, 0], kind="stable")
        positive, negative = chance[order, 1], chance[order, 0]
        below = np.cumsum(negative) - negative / 2  # ties have no weight among thousands of distinct scores
        return float(positive @ below / actual[1] / actual[0])
    label = logits.argmax(axis=1)
    hit = np.bincount(label, chance[np.arange(size), label], minlength=classes)
    if design.metric == "accuracy":
        return float(hit.sum() / size)
    if design.metric == "balanced_accuracy":
        return float((hit / actual).mean())
    f1 = 2 * hit / (np.bincount(label, minlength=classes) + actual)
    return float(f1[1] if design.metric == "f1" else f1.mean())


# The field's rules on the same cross-validation


def _folds(design: Design, measured: dict[str, MeasuredDesign]) -> np.ndarray:
    difference = (measured["m0"].score().fold - measured["m1"].score().fold).ravel()
    return difference[~np.isnan(difference)]


def _sign(mean: float, claimed: bool) -> int:
    return int(np.sign(mean)) if claimed else 0


def bigger(design, study, measured) -> int:
    """The bigger number of one run of cross-validation wins."""
    gap = measured["m0"].score().repeat[0] - measured["m1"].score().repeat[0]
    return _sign(gap, True)


def naive_t(design, study, measured) -> int:
    """A t-test over all fold scores as if they were independent."""
    folds = _folds(design, measured)
    error = folds.std(ddof=1) / math.sqrt(len(folds))
    return _sign(folds.mean(), abs(folds.mean()) > stdtrit(len(folds) - 1, 0.975) * error)


def corrected_t(design, study, measured) -> int:
    """Nadeau & Bengio (2003): variance times 1/runs + test/train."""
    folds = _folds(design, measured)
    error = folds.std(ddof=1) * math.sqrt(1 / len(folds) + 1 / (design.folds - 1))
    return _sign(folds.mean(), abs(folds.mean()) > stdtrit(len(folds) - 1, 0.975) * error)


def correlated_bayes(design, study, measured) -> int:
    """Correlated Bayesian t-test with a region of ±1 point, claims at 95 % (Benavoli et al. 2017; as baycomp does)."""
    folds = _folds(design, measured)
    error = folds.std(ddof=1) * math.sqrt(1 / len(folds) + 1 / (design.folds - 1))
    if error <= 0:
        return 0
    above = stdtr(len(folds) - 1, (folds.mean() - 0.01) / error)
    below = stdtr(len(folds) - 1, (-0.01 - folds.mean()) / error)
    return 1 if above > 0.95 else -1 if below > 0.95 else 0


def mcnemar(design, study, measured) -> int:
    """Exact McNemar test on the first repeat (accuracy, whatever the metric)."""
    right = study.logits[:2, 0].argmax(axis=-1) == study.target
    first, second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    p = min(1.0, 2 * float(binom.cdf(min(first, second), first + second, 0.5))) if first + second else 1.0
    return _sign(first - second, p < 0.05)


def wilcoxon_folds(design, study, measured) -> int:
    """Wilcoxon's signed ranks over the fold scores: what autorank chooses for two populations that are not normal."""
    folds = _folds(design, measured)
    if len(folds) < 6 or not np.any(folds):
        return 0
    return _sign(folds.mean(), wilcoxon(folds, method="approx").pvalue < 0.05)


FOLD_RULES: dict[str, Any] = {
    "bigger number": bigger,
    "naive t": naive_t,
    "Nadeau-Bengio": corrected_t,
    "correlated Bayes": correlated_bayes,
    "McNemar, one run": mcnemar,
    "Wilcoxon over folds": wilcoxon_folds,
}
