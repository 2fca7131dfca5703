"""Studies of eight candidates on which races are replayed (`racing.py`): simulated with known truth, or on features of real pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks.audit.real import Pool, _head
from benchmarks.audit.simulate import Design, _chance, _features, draw_data, fit
from benchmarks.audit.simulate import score as predict
from tests.arrays import kind_of
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign, measure_design
from weigh.record.results import OutOfFold
from weigh.stats.interval import Claim

CANDIDATES = 8
FRESH, REFITS = 2000, 4  # new examples and refits that the truth is measured with
LADDER = (1.8, 1.65, 1.5, 1.35, 1.2, 1.05, 0.9, 0.75)


class Runs(NamedTuple):
    """A full design.

    Attributes:
        logits: `(candidates, repeats, n, classes)`.
        fold: `(repeats, n)`.
        target: `(n,)`.
        truth: `(candidates,)` accuracy on new examples of refits on all data.
    """

    logits: np.ndarray
    fold: np.ndarray
    target: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class Kind:
    """A kind of study.

    Attributes:
        strengths: Simulated: signal of each candidate.
        pool: Real: name of the pool; each candidate is (model, penalty, share of the columns).
        clear: Whether the design decides it nearly always.
        null: Whether all candidates are exchangeable.
    """

    folds: int = 5
    repeats: int = 5
    n: int = 300
    strengths: tuple[float, ...] = ()
    pool: str = ""
    heads: tuple[tuple[int, float, float], ...] = ()
    degenerate: float = 0.0
    correlation: float = 0.3
    claim: Claim = "this_data"
    metric: str = "accuracy"
    clear: bool = False
    null: bool = False


EQUAL = (1.2,) * 8
ONE = (3.0, *(0.2,) * 7)
STEPS = (3.0, 1.0, 1.0, *(0.2,) * 5)
NEAR = (1.6, *(1.2,) * 7)
TWO = (2.2, 2.2, *(0.2,) * 6)
SPREAD = tuple((m, p, c) for m in (0, 1, 2) for p, c in ((0.1, 1.0), (0.003, 1.0), (0.1, 0.05)))[:8]
FEW = ((0, 0.1, 1.0), *((m, 0.1, 0.03) for m in (0, 1, 2)), *((m, 0.003, 0.03) for m in (0, 1, 2)), (1, 3.0, 0.02))
SAME = ((0, 0.1, 0.3),) * 8

KINDS: dict[str, Kind] = {
    "one far ahead": Kind(strengths=ONE, clear=True),
    "one far ahead, 10 x 3": Kind(strengths=ONE, folds=10, repeats=3, clear=True),
    "one far ahead, runs collapse": Kind(strengths=ONE, degenerate=0.1, clear=True),
    "one far ahead, new data": Kind(strengths=ONE, claim="new_data", clear=True),
    "one far ahead, n 1,000": Kind(strengths=ONE, n=1000, clear=True),
    "one far ahead, n 1,000, 10 x 3, runs collapse": Kind(
        strengths=ONE, n=1000, folds=10, repeats=3, degenerate=0.1, clear=True
    ),
    "one ahead, two behind, five far": Kind(strengths=STEPS, clear=True),
    "flowers, one far ahead": Kind(pool="flowers", heads=FEW, n=300, clear=True),
    "cells, one ahead": Kind(pool="cells", heads=FEW, n=300),
    "two ahead of six": Kind(strengths=TWO),
    "one a little ahead": Kind(strengths=NEAR),
    "ladder": Kind(strengths=LADDER),
    "ladder, 10 x 3": Kind(strengths=LADDER, folds=10, repeats=3),
    "ladder, runs collapse": Kind(strengths=LADDER, degenerate=0.1),
    "flowers, models x penalties": Kind(pool="flowers", heads=SPREAD),
    "flowers, runs collapse": Kind(pool="flowers", heads=SPREAD, degenerate=0.05),
    "flowers, balanced accuracy": Kind(pool="flowers", heads=SPREAD, metric="balanced_accuracy"),
    "cells, models x penalties": Kind(pool="cells", heads=SPREAD),
    "all equal": Kind(strengths=EQUAL, null=True),
    "all equal, 10 x 3": Kind(strengths=EQUAL, folds=10, repeats=3, null=True),
    "all equal, one repeat": Kind(strengths=EQUAL, repeats=1, null=True),
    "all equal, n 100": Kind(strengths=EQUAL, n=100, null=True),
    "all equal, runs collapse": Kind(strengths=EQUAL, degenerate=0.1, null=True),
    "all equal, new data": Kind(strengths=EQUAL, claim="new_data", null=True),
    "flowers, all equal": Kind(pool="flowers", heads=SAME, null=True),
    "cells, all equal": Kind(pool="cells", heads=SAME, null=True),
}


def designs(kind: Kind, pools: dict[str, Pool], rng: np.random.Generator) -> tuple[Runs, Runs]:
    """Two full designs of one data set: other folds, other seeds."""
    if kind.pool:
        pool = pools[kind.pool]
        chosen = rng.permutation(len(pool.target))[: kind.n]
        columns = [rng.permutation(x.shape[1]) for x in pool.features]  # the same columns in both designs
        return _real(kind, pool, chosen, columns, rng), _real(kind, pool, chosen, columns, rng)
    design = Design(
        n=kind.n, strengths=kind.strengths, folds=kind.folds, repeats=kind.repeats, correlation=kind.correlation
    )
    data = draw_data(design, rng)
    return _simulated(kind, design, data, rng), _simulated(kind, design, data, rng)


def _folds(kind: Kind, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    fold = np.empty((kind.repeats, len(target)), dtype=np.int64)
    for repeat in range(kind.repeats):
        shuffled = rng.permutation(len(target))
        fold[repeat, shuffled[np.argsort(target[shuffled], kind="stable")]] = np.arange(len(target)) % kind.folds
    return fold


def _simulated(kind: Kind, design: Design, data, rng: np.random.Generator) -> Runs:
    fold = _folds(kind, data.target, rng)
    train = (fold[:, None, :] != np.arange(kind.folds)[None, :, None]).reshape(-1, kind.n)
    logits = np.empty((CANDIDATES, kind.repeats, kind.n, 2), dtype=np.float32)
    new, _ = _features(design, rng, FRESH, grouped=0)
    chance, truth = _chance(design, new, data.directions), np.empty(CANDIDATES)
    everything = np.concatenate([train, np.ones((REFITS, kind.n), dtype=bool)])
    for m, own in enumerate(data.features):
        fitted = fit(design, rng, own, data.target, everything)
        inside = predict(fitted, own, slice(0, len(train)))
        refits = predict(fitted, new[m], slice(len(train), None)).argmax(axis=2)
        truth[m] = np.mean([chance[np.arange(FRESH), labels].mean() for labels in refits])
        inside[rng.random(len(train)) < kind.degenerate] = np.eye(2)[np.bincount(data.target).argmax()]
        inside = inside.reshape(kind.repeats, kind.folds, kind.n, 2)
        for repeat in range(kind.repeats):
            logits[m, repeat] = inside[repeat, fold[repeat], np.arange(kind.n)]
    return Runs(logits, fold, data.target, truth)


def _real(kind: Kind, pool: Pool, chosen: np.ndarray, columns: list[np.ndarray], rng: np.random.Generator) -> Runs:
    target = pool.target[chosen]
    rest = np.setdiff1d(np.arange(len(pool.target)), chosen)
    fold, classes, truth = _folds(kind, target, rng), int(pool.target.max()) + 1, np.empty(CANDIDATES)
    logits = np.empty((CANDIDATES, kind.repeats, kind.n, classes), dtype=np.float32)
    majority = np.eye(classes)[np.bincount(target).argmax()]
    for m, (model, penalty, share) in enumerate(kind.heads):
        everything = pool.features[model]
        width = int(share * everything.shape[1])
        first = m * width // 4 if kind.null else 0  # exchangeable: every candidate sees other columns of the same model
        own = np.take(columns[model], np.arange(first, first + width), mode="wrap")
        x, new = everything[np.ix_(chosen, own)].astype(np.float64), everything[np.ix_(rest, own)].astype(np.float64)
        kernel = x @ x.T
        refit = _head(kernel, new @ x.T, target, rng.standard_exponential(len(x)), penalty * width, classes)
        truth[m] = (refit.argmax(axis=1) == pool.target[rest]).mean()
        for repeat in range(kind.repeats):
            for k in range(kind.folds):
                test, train = np.flatnonzero(fold[repeat] == k), np.flatnonzero(fold[repeat] != k)
                if rng.random() < kind.degenerate:
                    logits[m, repeat, test] = majority
                    continue
                weights = rng.standard_exponential(len(train))
                logits[m, repeat, test] = _head(
                    kernel[np.ix_(train, train)],
                    kernel[test][:, train],
                    target[train],
                    weights,
                    penalty * width,
                    classes,
                )
    return Runs(logits, fold, target, truth)


# Replays


def measured_upto(kind: Kind, runs: Runs, ends: dict[str, int]) -> dict[str, MeasuredDesign]:
    """Candidate -> its first blocks, measured."""
    metric, found = METRICS.get(kind.metric), {}
    block = runs.fold + kind.folds * np.arange(kind.repeats)[:, None]
    for name, end in ends.items():
        logits = np.where((block < end)[:, :, None], runs.logits[int(name)], np.nan)
        repeats = -(-end // kind.folds)
        none = np.zeros_like(logits[:repeats])
        fold = np.where(block < end, runs.fold, -1)[:repeats]
        found[name] = measure_design(
            metric, OutOfFold(np.arange(kind.n), logits[:repeats], fold, runs.target, none, kind=kind_of(runs.target))
        )
    return found
