"""Two sets of examples, and candidates that are practically equal: every yes and no of `stats/shift.py`, and "equal".

Part of `second.py`. A row names what would be right, and says how often the answer was given and how often it was wrong. Answers are drawn
from models of known quality, so the truth is exact; cross-validation is simulated at the level of answers (as in `networks.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from benchmarks.audit.scores import Answers, Cell, Ranks, draw_set, truth_of
from weigh.findings.shift import TOLERANCE
from weigh.kinds.base import Prediction
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import compare
from weigh.stats.resampling import make_units
from weigh.stats.shift import MeasuredSet, compare_sets

__all__ = ["NULLS", "equal_rows", "holding_rows", "power_rows", "ranking_rows", "shift_rows"]

NULLS = {
    "balanced accuracy, 25 of 500": Cell("balanced_accuracy", Answers((475, 25), (0.97, 0.8))),
    "balanced accuracy, 25 of 500, recall .95": Cell("balanced_accuracy", Answers((475, 25), (0.99, 0.95))),
    "balanced accuracy, 10 of 200": Cell("balanced_accuracy", Answers((190, 10), (0.95, 0.7))),
    "balanced accuracy, five classes": Cell("balanced_accuracy", Answers((100, 50, 20, 10, 5), (0.9,) * 5)),
    "macro F1, three classes": Cell("f1_macro", Answers((100, 60, 20), (0.9,) * 3)),
    "F1, 25 of 500": Cell("f1", Answers((475, 25), (0.97, 0.8))),
    "accuracy, 500": Cell("accuracy", Answers((300, 200), (0.9, 0.9))),
    "accuracy, 100, nearly perfect": Cell("accuracy", Answers((50, 50), (0.99, 0.98))),
    "AUROC, 20 of 300": Cell("auroc", Ranks((280, 20), 0.93)),
    "average precision, 25 of 250": Cell("average_precision", Ranks((225, 25), 0.93)),
}
POWER = {
    "accuracy, 500": ("accuracy", (300, 200), (0.9, 0.9)),
    "accuracy, 2,000": ("accuracy", (1200, 800), (0.9, 0.9)),
    "balanced accuracy, 25 of 500": ("balanced_accuracy", (475, 25), (0.97, 0.9)),
    "balanced accuracy, 200 of 2,000": ("balanced_accuracy", (1800, 200), (0.95, 0.9)),
}
FALLS = (0.03, 0.05, 0.10)
Stream = Callable[[int, str], np.random.Generator]  # seed and name of a design -> its generator


def _set_of(*measured: MeasuredDesign) -> MeasuredSet:
    names = ["m"] if len(measured) == 1 else [f"m{i}" for i in range(len(measured))]
    return MeasuredSet(dict(zip(names, measured, strict=True)), make_units(LABEL, measured[0].target))


def _drops(here: Cell, there: Cell, rng: np.random.Generator, studies: int) -> np.ndarray:
    """`(studies, 2)` ends of the interval of the drop; infinite where there is none."""
    found = np.empty((studies, 2))
    for i in range(studies):
        sides = [_set_of(draw_set(cell, rng)) for cell in (here, there)]
        drop = compare_sets(*sides, rng=rng, draws=60).models["m"].drop
        found[i] = (
            -np.inf if drop.low is None else drop.low,
            np.inf if drop.high is None else drop.high,
        )
    return found


def shift_rows(studies: int, seed: int, stream: Stream) -> Iterator[tuple]:
    """Two sets of one population: "worse there", "better there" (both always wrong), "the score holds" (always right)."""
    for name, cell in NULLS.items():
        low, high = _drops(cell, cell, stream(seed, "shift " + name), studies).T
        yield "shift", name, studies, (low > 0).mean(), (high < 0).mean(), (high < TOLERANCE / 100).mean()


def power_rows(studies: int, seed: int, stream: Stream) -> Iterator[tuple]:
    """Every class is recognised less often there, by 3, 5 or 10 points: "worse there", interval beside the truth, "holds"."""
    for name, (metric, sizes, recalls) in POWER.items():
        here = Cell(metric, Answers(sizes, recalls))
        for fall in FALLS:
            there = Cell(metric, Answers(sizes, tuple(r - fall for r in recalls)))
            full = f"{name}, {100 * fall:.0f} points lower"
            low, high = _drops(here, there, stream(seed, "drop " + full), studies).T
            gap = truth_of(here) - truth_of(there)
            missed = ((low > gap) | (high < gap)).mean()
            yield "shift power", full, studies, (low > 0).mean(), missed, (high < TOLERANCE / 100).mean()


def holding_rows(studies: int, seed: int, stream: Stream) -> Iterator[tuple]:
    """A drop of just what "the score holds" excludes: every time it is said, it is wrong."""
    for name, (metric, sizes, recalls) in POWER.items():
        here = Cell(metric, Answers(sizes, recalls))
        there = Cell(metric, Answers(sizes, tuple(r - TOLERANCE / 100 for r in recalls)))
        high = _drops(here, there, stream(seed, "holding " + name), studies)[:, 1]
        yield "shift holds", name, studies, (high < TOLERANCE / 100).mean(), np.nan, np.nan


@dataclass(frozen=True)
class Two:
    """Two models on two sets, by accuracy.

    Attributes:
        here, there: Their shares of right answers on each set.
        sizes: Of the sets.
        truth: "kept", "swapped" or "neither" (no order on one of the sets, so that both would be wrong).
    """

    here: tuple[float, float]
    there: tuple[float, float]
    sizes: tuple[int, int] = (1500, 1000)
    truth: str = "neither"


RANKINGS = {
    "kept, 8 points on both": Two((0.90, 0.82), (0.84, 0.76), truth="kept"),
    "kept, 6 and 4 points": Two((0.90, 0.84), (0.80, 0.76), (1500, 2000), truth="kept"),
    "swapped, 8 points each way": Two((0.90, 0.82), (0.76, 0.84), truth="swapped"),
    "swapped, 6 and 4 points": Two((0.90, 0.84), (0.76, 0.80), (1500, 2000), truth="swapped"),
    "equal there": Two((0.90, 0.82), (0.80, 0.80)),
    "equal here": Two((0.86, 0.86), (0.84, 0.76)),
    "equal on both": Two((0.86, 0.86), (0.80, 0.80)),
}


def ranking_rows(studies: int, seed: int, stream: Stream) -> Iterator[tuple]:
    """Decided rightly, decided wrongly."""
    for name, design in RANKINGS.items():
        rng, said = stream(seed, "ranking " + name), {"kept": 0, "swapped": 0}
        for _ in range(studies):
            sides = [
                _set_of(*_pair(rng, n, shares))
                for n, shares in zip(design.sizes, (design.here, design.there), strict=True)
            ]
            ranking = compare_sets(*sides, rng=rng, draws=200).ranking
            assert ranking is not None
            said["kept"] += ("m0", "m1") in ranking.kept or ("m1", "m0") in ranking.kept
            said["swapped"] += ("m0", "m1") in ranking.swapped or ("m1", "m0") in ranking.swapped
        right = said.pop(design.truth, 0)
        yield "ranking", name, studies, right / studies, sum(said.values()) / studies, np.nan


def _pair(rng: np.random.Generator, n: int, shares: tuple[float, float]) -> Iterator[MeasuredDesign]:
    """Two models whose errors correlate by a half, measured by accuracy."""
    target, shared = np.zeros(n, int), rng.standard_normal(n)
    for share in shares:
        label = (np.sqrt(0.5) * (shared + rng.standard_normal(n)) >= ndtri(share)).astype(np.int64)
        yield _measured("accuracy", label[None], target, np.zeros((1, n), np.int16))


def _measured(name: str, label: np.ndarray, target: np.ndarray, fold: np.ndarray) -> MeasuredDesign:
    metric = METRICS.get(name)
    statistics = np.stack([metric.measure(Prediction(np.eye(2)[row], row), target) for row in label])
    return MeasuredDesign(metric, statistics, fold, np.ones(fold.shape, bool), target)


@dataclass(frozen=True)
class Twins:
    """Two candidates of one study whose accuracy on every class differs by `gap`.

    Attributes:
        n, folds, repeats: Of the study; a single fold stands for trained models on a test part.
        gap: True difference, for any claim: these answers do not depend on the training sample.
        agreement: Correlation of the latent answers of two runs, of the same candidate or of both.
        positives: Share of the positive class.
        metric: That is compared; its region of equivalence is one point.
    """

    n: int = 6000
    folds: int = 1
    repeats: int = 1
    gap: float = 0.0
    agreement: float = 0.9
    positives: float = 0.5
    metric: str = "accuracy"


EQUAL = {
    f"{title}, {gap_name}": Twins(gap=gap, **how)
    for title, how in {
        "test part of 10,000": {"n": 10_000},
        "cross-validation 5x1, 10,000": {"n": 10_000, "folds": 5},
        "cross-validation 5x3, 6,000": {"folds": 5, "repeats": 3},
        "balanced accuracy, a fifth positive, 5x2, 10,000": {
            "n": 10_000,
            "folds": 5,
            "repeats": 2,
            "positives": 0.2,
            "metric": "balanced_accuracy",
        },
    }.items()
    for gap_name, gap in (("no difference", 0.0), ("half a point", 0.005), ("one point: not equal", 0.01))
}


def equal_rows(studies: int, seed: int, stream: Stream) -> Iterator[tuple]:
    """ "Equal" and better or worse about new data (these models where there is one fold), and interval beside the truth."""
    for name, design in EQUAL.items():
        rng, equal, other, missed = stream(seed, "equal " + name), 0, 0, 0
        for _ in range(studies):
            measured = _twins(design, rng)
            units = make_units(LABEL, measured["m0"].target)
            claim = "these_models" if design.folds == 1 else "new_data"
            pair = compare(measured, units, rng=rng, claim=claim).of("m0", "m1")
            equal += pair.relation == "equal"
            other += pair.relation in ("better", "worse")
            missed += not pair.estimate.low <= design.gap <= pair.estimate.high
        yield "equal", name, studies, equal / studies, other / studies, missed / studies


def _twins(design: Twins, rng: np.random.Generator) -> dict[str, MeasuredDesign]:
    n, shape = design.n, (design.repeats, design.n)
    target = (np.arange(n) < round(design.positives * n)).astype(np.int64)
    fold = np.stack([rng.permutation(n) % design.folds for _ in range(design.repeats)]).astype(np.int16)
    hard, found = np.sqrt(design.agreement) * rng.standard_normal(n), {}
    for name, share in (("m0", 0.88 + design.gap), ("m1", 0.88)):
        right = hard + np.sqrt(1 - design.agreement) * rng.standard_normal(shape) < ndtri(share)
        found[name] = _measured(design.metric, np.where(right, target, 1 - target), target, fold)
    return found
