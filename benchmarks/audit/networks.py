"""Networks: the same recipe twice, each training with a seed of its own, so every claim that one is better is false.
`GROWTH`: two recipes whose difference grows or shrinks with the training data.

What fine-tuning adds to heads on frozen features is that whole runs turn out better or worse. A study is simulated at
the level of answers: an example is hard or easy for both candidates alike (they are one recipe trained on the same
folds), every run has a level of its own, and every answer some noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from weigh.kinds.base import Prediction
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign

__all__ = ["GROWTH", "NETWORKS", "Network", "network_study", "true_gap"]


@dataclass(frozen=True)
class Network:
    """An exact null, unless there is a gap.

    Attributes:
        n, folds, repeats: Of the study.
        accuracy: Of a run of average level.
        gap: What m0 has more than m1 after training on all n examples, in points.
        power: Folds of a study train on n (1 - 1 / folds) examples: their gap is that of n times (1 - 1 / folds)^power.
        between: Standard deviation of the accuracy of runs, in points.
        agreement: Correlation of two runs' latent answers to the same example.
        failing: Share of runs that answer the majority class only.
        positives: Share of the positive class.
        metric: That is compared.
    """

    n: int = 300
    folds: int = 5
    repeats: int = 2
    accuracy: float = 0.85
    gap: float = 0.0
    power: float = 0.0
    between: float = 3.0
    agreement: float = 0.7
    failing: float = 0.0
    positives: float = 0.5
    metric: str = "accuracy"


NETWORKS: dict[str, Network] = {
    "between 0, 5x2": Network(between=0.0),
    "between 2, 5x1": Network(between=2.0, repeats=1),
    "between 2, 5x3": Network(between=2.0, repeats=3),
    "between 3, 5x2": Network(),
    "between 3, 3x2": Network(folds=3),
    "between 4, 5x1": Network(between=4.0, repeats=1),
    "between 4, 3x4": Network(between=4.0, folds=3, repeats=4),
    "between 6, 5x2": Network(between=6.0),
    "between 10, 3x2": Network(between=10.0, folds=3),
    "between 3, 5x10": Network(repeats=10),
    "between 3, balanced, rare": Network(n=600, positives=0.1, metric="balanced_accuracy"),
    "failing runs, 5x2": Network(between=2.0, failing=0.1),
}


GROWTH: dict[str, Network] = {
    f"{gap:g} points, N^{power:g}, {folds}x{repeats}, {n}": Network(
        n=n, folds=folds, repeats=repeats, accuracy=0.75, gap=gap, power=power, between=between
    )
    for gap, power, folds, repeats, n, between in (
        (3.0, 2.0, 5, 2, 300, 0.0),
        (8.0, 2.0, 5, 2, 300, 0.0),
        (15.0, 2.0, 5, 1, 300, 2.0),
        (15.0, 2.0, 10, 2, 1000, 0.0),
        (15.0, 1.5, 3, 2, 300, 1.0),
        (20.0, 1.5, 2, 3, 300, 0.0),
        (20.0, 1.0, 5, 5, 1000, 0.0),
        (10.0, 0.5, 5, 2, 600, 2.0),
        (10.0, 0.0, 5, 2, 300, 0.0),
        (8.0, -0.5, 5, 2, 1000, 2.0),
        (8.0, -1.5, 5, 2, 300, 0.0),
        (8.0, -1.5, 3, 3, 300, 0.0),
        (4.0, -1.5, 2, 2, 600, 0.0),
        (3.0, -2.5, 3, 2, 300, 0.0),
    )
}


def true_gap(design: Network) -> float:
    """The difference of the two recipes after training on all examples, over runs and examples."""
    return float(np.subtract(*(ndtr(c / np.hypot(1.0, _spread(design))) for c in _centres(design, design.gap))))


def _centres(design: Network, gap: float) -> np.ndarray:
    """Latent levels of both candidates' average runs."""
    return ndtri(design.accuracy + np.array([0.5, -0.5]) * gap / 100)


def _spread(design: Network) -> float:
    """Standard deviation of the latent levels of runs."""
    centre = float(ndtri(design.accuracy))
    return design.between / 100 / (np.exp(-(centre**2) / 2) / np.sqrt(2 * np.pi))


def network_study(design: Network, rng: np.random.Generator) -> dict[str, MeasuredDesign]:
    """The measured answers of both candidates."""
    n, shape = design.n, (design.repeats, design.n)
    target = (np.arange(n) < max(round(design.positives * n), 2)).astype(np.int64)
    fold = np.stack([_folds(design, rng, target) for _ in range(design.repeats)])
    metric = METRICS.get(design.metric)
    hard = np.sqrt(design.agreement) * rng.standard_normal(n)
    found = {}
    centres = _centres(design, design.gap * (1 - 1 / design.folds) ** design.power)
    for name, centre in zip(("m0", "m1"), centres, strict=True):
        level = rng.standard_normal((design.repeats, design.folds)) * _spread(design)
        failed = rng.random(level.shape) < design.failing
        own = np.sqrt(1 - design.agreement) * rng.standard_normal(shape)
        right = centre + hard + np.take_along_axis(level, fold, axis=1) + own > 0
        label = np.where(right, target, 1 - target)
        label = np.where(np.take_along_axis(failed, fold, axis=1), int(target.mean() > 0.5), label)
        statistics = np.stack([metric.measure(Prediction(np.eye(2)[row], row), target) for row in label])
        found[name] = MeasuredDesign(metric, statistics, fold, np.ones(shape, bool), target)
    return found


def _folds(design: Network, rng: np.random.Generator, target: np.ndarray) -> np.ndarray:
    fold = np.empty(design.n, dtype=np.int16)
    shuffled = rng.permutation(design.n)
    fold[shuffled[np.argsort(target[shuffled], kind="stable")]] = np.arange(design.n) % design.folds
    return fold
