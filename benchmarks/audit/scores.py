"""Single scores: does the interval of one score hold, whatever the metric, the size of the classes and the score?

No cross-validation and no training: a model of known quality answers independent examples, and the truth follows from
its design. A cell is one metric with one population; `row` says how often the interval lies wholly above or below the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from tests.arrays import kind_of
from weigh.kinds.base import Prediction
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.metrics.shares import share
from weigh.stats.estimate import Estimate
from weigh.stats.interval import score_estimate
from weigh.stats.resampling import make_units

__all__ = ["Answers", "Cell", "Ranks", "draw_answers", "draw_set", "estimate", "truth_of"]


@dataclass(frozen=True)
class Answers:
    """A model that decides.

    Attributes:
        sizes: Examples of each class.
        recalls: Probability that an example of the class is answered right; wrong answers go to the other classes in
            proportion to their sizes.
    """

    sizes: tuple[int, ...]
    recalls: tuple[float, ...]


@dataclass(frozen=True)
class Ranks:
    """A model that ranks negative examples (standard normal) below positive ones.

    Attributes:
        sizes: Negative and positive examples.
        area: Area under the ROC curve of the positive ones that can be told.
        spread: Their standard deviation.
        hopeless: Share of the positive ones that are scored like negative ones.
    """

    sizes: tuple[int, int]
    area: float
    spread: float = 1.0
    hopeless: float = 0.0

    @property
    def distance(self) -> float:
        return float(ndtri(self.area) * np.hypot(1.0, self.spread))


@dataclass(frozen=True)
class Cell:
    """A metric and a population; `drawn`: the labels are drawn, so that the sizes of the classes vary."""

    metric: str
    model: Answers | Ranks
    drawn: bool = True


def draw_answers(cell: Cell, rng: np.random.Generator, samples: int) -> np.ndarray:
    """`(samples, classes²)` how many examples of each class got each answer; at least two examples of every class."""
    sizes, confusion = np.array(cell.model.sizes), _confusion(cell.model)
    counts = np.tile(sizes, (samples, 1))
    while cell.drawn:
        counts = rng.multinomial(sizes.sum(), sizes / sizes.sum(), 2 * samples)
        counts = counts[counts.min(axis=1) >= 2][:samples]
        if len(counts) == samples:
            break
    return np.concatenate([rng.multinomial(counts[:, c], confusion[c]) for c in range(len(sizes))], axis=1)


def draw_set(cell: Cell, rng: np.random.Generator, table: np.ndarray | None = None) -> MeasuredDesign:
    """The measured answers of one sample, drawn or of a row of `draw_answers`."""
    classes = len(cell.model.sizes)
    if isinstance(cell.model, Ranks):
        target = _labels(cell.model.sizes, rng, drawn=cell.drawn)
        told = rng.random(len(target)) >= cell.model.hopeless
        noise = rng.standard_normal(len(target))
        lifted = cell.model.distance + cell.model.spread * noise
        p = ndtr(np.where((target == 1) & told, lifted, noise))
        prediction = Prediction(np.stack([1 - p, p], axis=1), (p > 0.5).astype(np.int64))
    else:
        table = draw_answers(cell, rng, 1)[0] if table is None else table
        target, labels = (np.repeat(side.ravel(), table) for side in np.indices((classes, classes)))
        prediction = Prediction(np.eye(classes)[labels], labels)
    metric = METRICS.get(cell.metric)
    statistics = metric.measure(prediction, target)[None]
    shape = (1, len(target))
    return MeasuredDesign(metric, statistics, np.zeros(shape, np.int16), np.ones(shape, bool), target)


def estimate(measured: MeasuredDesign, level: float = 0.95) -> Estimate:
    return score_estimate(
        measured, make_units(kind_of(measured.target), measured.target), claim="these_models", level=level
    )


def _labels(sizes: Sequence[int], rng: np.random.Generator, *, drawn: bool) -> np.ndarray:
    while drawn:
        target = rng.choice(len(sizes), int(np.sum(sizes)), p=np.array(sizes) / np.sum(sizes))
        if np.bincount(target, minlength=len(sizes)).min() >= 2:
            return target
    return np.repeat(np.arange(len(sizes)), sizes)


def _confusion(model: Answers) -> np.ndarray:
    """`(classes, classes)` probability of every answer for an example of every class."""
    sizes, recalls = np.array(model.sizes, float), np.array(model.recalls)
    others = np.tile(sizes, (len(sizes), 1)) * (1 - np.eye(len(sizes)))
    return np.diag(recalls) + others / others.sum(axis=1, keepdims=True) * (1 - recalls)[:, None]


def truth_of(cell: Cell) -> float:
    """The score on unlimited new examples."""
    shares = np.array(cell.model.sizes) / np.sum(cell.model.sizes)
    if isinstance(cell.model, Ranks):
        return _truth_of_ranks(cell.metric, cell.model, float(shares[1]))
    joint = _confusion(cell.model) * shares[:, None]
    hit, predicted = np.diag(joint), joint.sum(axis=0)
    f1 = 2 * hit / (predicted + shares)
    return float(
        {
            "accuracy": hit.sum(),
            "balanced_accuracy": (hit / shares).mean(),
            "recall_macro": (hit / shares).mean(),
            "f1_macro": f1.mean(),
            "f1": f1[1],
            "recall": hit[1] / shares[1],
            "precision": share(hit[1], predicted[1], otherwise=0.0),
        }[cell.metric]
    )


def _truth_of_ranks(metric: str, model: Ranks, prevalence: float) -> float:
    if metric == "auroc":
        return (1 - model.hopeless) * model.area + model.hopeless / 2
    at = np.linspace(-9, model.distance + 9 * max(model.spread, 1.0), 200_001)

    def above(x: np.ndarray) -> np.ndarray:
        return (1 - model.hopeless) * ndtr((model.distance - x) / model.spread) + model.hopeless * ndtr(-x)

    hits, alarms = prevalence * above(at), (1 - prevalence) * ndtr(-at)
    precision = share(hits, hits + alarms, otherwise=1.0)
    return float(-np.trapezoid(precision, above(at)))
