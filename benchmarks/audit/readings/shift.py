"""A second set of examples: "worse there", "better there", "the score holds", and pairs of models that keep or swap their order.

Answers are drawn from models of known quality, so the truth is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from benchmarks.audit.readings.answers import measured_answers
from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from benchmarks.audit.scores import Answers, Cell, Ranks, draw_set, truth_of
from weigh.findings.generalisation.shift import TOLERANCE
from weigh.kinds.label import LABEL
from weigh.metrics.design import MeasuredDesign
from weigh.stats.resampling import make_units
from weigh.stats.shift import MeasuredSet, compare_sets

__all__ = ["HOLDS", "NULL", "POWER", "RANKING"]

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
WORSE = {
    "accuracy, 500": ("accuracy", (300, 200), (0.9, 0.9)),
    "accuracy, 2,000": ("accuracy", (1200, 800), (0.9, 0.9)),
    "balanced accuracy, 25 of 500": ("balanced_accuracy", (475, 25), (0.97, 0.9)),
    "balanced accuracy, 200 of 2,000": ("balanced_accuracy", (1800, 200), (0.95, 0.9)),
}
FALLS = (0.03, 0.05, 0.10)


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


def _shift_rows(studies: int, seed: int) -> Iterator[Row]:
    """Two sets of one population: "worse there", "better there" (both always wrong), "the score holds" (always right)."""
    for name, cell in NULLS.items():
        low, high = _drops(cell, cell, stream(seed, "shift " + name), studies).T
        yield Row(name, studies, (low > 0).mean(), (high < 0).mean(), (high < TOLERANCE / 100).mean())


def _power_rows(studies: int, seed: int) -> Iterator[Row]:
    """Every class is recognised less often there, by 3, 5 or 10 points: "worse there", interval beside the truth, "holds"."""
    for name, (metric, sizes, recalls) in WORSE.items():
        here = Cell(metric, Answers(sizes, recalls))
        for fall in FALLS:
            there = Cell(metric, Answers(sizes, tuple(r - fall for r in recalls)))
            full = f"{name}, {100 * fall:.0f} points lower"
            low, high = _drops(here, there, stream(seed, "drop " + full), studies).T
            gap = truth_of(here) - truth_of(there)
            missed = ((low > gap) | (high < gap)).mean()
            yield Row(full, studies, (low > 0).mean(), missed, (high < TOLERANCE / 100).mean())


def _holding_rows(studies: int, seed: int) -> Iterator[Row]:
    """A drop of just what "the score holds" excludes: every time it is said, it is wrong."""
    for name, (metric, sizes, recalls) in WORSE.items():
        here = Cell(metric, Answers(sizes, recalls))
        there = Cell(metric, Answers(sizes, tuple(r - TOLERANCE / 100 for r in recalls)))
        high = _drops(here, there, stream(seed, "holding " + name), studies)[:, 1]
        yield Row(name, studies, (high < TOLERANCE / 100).mean())


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


def _ranking_rows(studies: int, seed: int) -> Iterator[Row]:
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
        yield Row(name, studies, right / studies, sum(said.values()) / studies)


def _pair(rng: np.random.Generator, n: int, shares: tuple[float, float]) -> Iterator[MeasuredDesign]:
    """Two models whose errors correlate by a half, measured by accuracy."""
    target, shared = np.zeros(n, int), rng.standard_normal(n)
    for share in shares:
        label = (np.sqrt(0.5) * (shared + rng.standard_normal(n)) >= ndtri(share)).astype(np.int64)
        yield measured_answers("accuracy", label[None], target, np.zeros((1, n), np.int16))


def _of_nulls(rows: Sequence[Mapping[str, float]]) -> Kept:
    worse, better = (exact_p(rows, k, 0.025) for k in ("first", "second"))
    pooled = [100 * np.mean([row[k] for row in rows]) for k in ("first", "second")]
    return Kept(
        f'Promised: "worse there" and "better there" at most 2.5 % each. Mean {pooled[0]:.1f} and {pooled[1]:.1f} %; smallest exact p of a '
        f"design, Holm: {smallest(worse):.3f} and {smallest(better):.3f}.",
        worse + better,
    )


def _of_power(rows: Sequence[Mapping[str, float]]) -> Kept:
    p = exact_p(rows, "second", 0.05)
    return Kept(f"Promised: the interval holds the drop in 95 %. Smallest exact p, Holm: {smallest(p):.3f}.", p)


def _of_holding(rows: Sequence[Mapping[str, float]]) -> Kept:
    p = exact_p(rows, "first", 0.025)
    return Kept(f"Promised: at most 2.5 %. Smallest exact p, Holm: {smallest(p):.3f}.", p)


def _of_rankings(rows: Sequence[Mapping[str, float]]) -> Kept:
    p = exact_p(rows, "second", 0.05)
    return Kept(
        "Promised: at most 5 % decided wrongly; where one of the sets has no order, any decision is wrong. "
        f"Smallest exact p of a design, Holm: {smallest(p):.3f}.",
        p,
    )


NULL = Part(
    "Two sets of one population", ("worse there, %", "better there, %", "the score holds, %"), _shift_rows, _of_nulls
)
POWER = Part(
    "A second set that is worse",
    ("worse there, %", "drop beside the interval, %", "the score holds, %"),
    _power_rows,
    _of_power,
)
HOLDS = Part(
    'A second set that is worse by the five points that "the score holds" excludes',
    ("the score holds, %",),
    _holding_rows,
    _of_holding,
)
RANKING = Part("Two models on two sets", ("decided rightly, %", "decided wrongly, %"), _ranking_rows, _of_rankings)
