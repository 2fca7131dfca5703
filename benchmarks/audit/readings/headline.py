"""The score of the winner, after it was chosen among 2 to 16 candidates: how far off is the number that is shown largest?

Trained models are simulated by their answers, which correlate; recipes by whole cross-validations (`simulate.py`), whose truth is
the score of a refit on all the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from benchmarks.audit.rules import measure, truths
from benchmarks.audit.simulate import Design, simulate
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS, Prediction
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import compare
from weigh.stats.interval import Claim, score_estimate
from weigh.stats.luck_of_choosing import selection_optimism
from weigh.stats.resampling import make_units

__all__ = ["PART"]


@dataclass(frozen=True)
class Models:
    """Trained models on one test set: `shares` of right answers, which correlate by `shared`; half of the labels are positive."""

    shares: tuple[float, ...]
    n: int = 300
    shared: float = 0.3
    metric: str = "accuracy"


DESIGNS: dict[str, Models | Design] = {
    "one model": Models((0.8,)),
    "two equal models": Models((0.8,) * 2),
    "four equal models": Models((0.8,) * 4),
    "eight equal models": Models((0.8,) * 8),
    "eight equal models, 100 examples": Models((0.6,) * 8, n=100, shared=0.0),
    "sixteen equal models": Models((0.8,) * 16),
    "sixteen equal models, nearly perfect": Models((0.97,) * 16, n=200),
    "eight equal models, balanced accuracy": Models((0.8,) * 8, n=200, metric="balanced_accuracy"),
    "eight models, .70 to .80": Models(tuple(np.linspace(0.7, 0.8, 8))),
    "sixteen models, .60 to .80": Models(tuple(np.linspace(0.6, 0.8, 16))),
    "four models, one 5 points better": Models((0.8, 0.75, 0.75, 0.75)),
    "sixteen models, one 6 points better": Models((0.8,) + (0.74,) * 15),
    "two recipes, 5x2": Design(folds=5, repeats=2),
    "eight recipes, 5x2": Design(strengths=(0.6,) * 8, folds=5, repeats=2),
    "eight recipes of 100 examples, 5x1": Design(n=100, strengths=(0.6,) * 8, folds=5, repeats=1),
    "eight unequal recipes, 5x2": Design(strengths=tuple(np.linspace(0.2, 1.0, 8)), folds=5, repeats=2),
}


def rows(studies: int, seed: int) -> Iterator[Row]:
    """Truth below the interval, truth above it, mean error in points."""
    for name, design in DESIGNS.items():
        rng, shown = stream(seed, "headline " + name), []
        for _ in range(studies if isinstance(design, Models) else max(studies // 2, 50)):
            measured, truth = _study(design, rng)
            estimate, true = _headline(
                measured, truth, rng, "these_models" if isinstance(design, Models) else "this_data"
            )
            shown.append((true < estimate.low, true > estimate.high, 100 * (estimate.value - true)))
        yield Row(name, len(shown), *np.mean(shown, axis=0))


def _study(design: Models | Design, rng: np.random.Generator) -> tuple[dict[str, MeasuredDesign], np.ndarray]:
    if isinstance(design, Design):
        study = simulate(design, rng)
        return measure(design, study), truths(design, study)
    target, common = np.arange(design.n) % 2, rng.standard_normal(design.n)
    metric, measured = METRICS.get(design.metric), {}
    for m, share in enumerate(design.shares):
        own = np.sqrt(design.shared) * common + np.sqrt(1 - design.shared) * rng.standard_normal(design.n)
        label = np.where(own < ndtri(share), target, 1 - target)
        statistics = metric.measure(Prediction(np.eye(2)[label], label), target)[None]
        once = np.zeros((1, design.n), np.int16), np.ones((1, design.n), bool)
        measured[f"m{m}"] = MeasuredDesign(metric, statistics, *once, target)
    return measured, np.array(design.shares)


def _headline(measured: dict[str, MeasuredDesign], truth: np.ndarray, rng: np.random.Generator, claim: Claim):
    """What is shown of the winner, and its true score."""
    units = make_units(LABEL, measured["m0"].target)
    scores = {name: score_estimate(one, units, claim=claim) for name, one in measured.items()}
    winner = max(scores, key=lambda name: scores[name].value)
    shown = scores[winner]
    if len(scores) > 1:
        comparisons = compare(measured, units, rng=rng, claim=claim, draws=50)
        luck = selection_optimism(comparisons, winner, shown, rng=rng)
        shown = shown if luck is None else luck.score
    return shown, truth[int(winner[1:])]


def _promise(rows: Sequence[Mapping[str, float]]) -> Kept:
    both = [{**row, "missed": row["first"] + row["second"]} for row in rows]
    covered, p = [100 * (1 - row["missed"]) for row in both], exact_p(both, "missed", 0.1)
    return Kept(
        f"Promised: 95 % intervals, no design significantly under 90 %, mean error within half a point. Lowest coverage {min(covered):.1f} %, mean "
        f"{np.mean(covered):.1f} %; smallest exact p for less than 90 %, Holm: {smallest(p):.3f}. The mean error is larger "
        f"than half a point in {sum(abs(row['third']) > 0.5 for row in rows)} of {len(rows)} designs, at most {max((row['third'] for row in rows), key=abs):+.2f} points.",
        p,
    )


PART = Part("The score of the winner", ("truth below, %", "truth above, %", "mean error, points"), rows, _promise)
