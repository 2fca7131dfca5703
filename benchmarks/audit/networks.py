"""Networks: the same recipe twice, each training with a seed of its own, so every claim that one is better is false.

What fine-tuning adds to heads on frozen features is that whole runs turn out better or worse. A study is simulated at
the level of answers: an example is hard or easy for both candidates alike (they are one recipe trained on the same
folds), every run has a level of its own, and every answer some noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from weigh.kinds.base import Prediction
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign

__all__ = ["NETWORKS", "Network", "network_study"]


@dataclass(frozen=True)
class Network:
    """An exact null.

    Attributes:
        n, folds, repeats: Of the study.
        accuracy: Of a run of average level on an average example.
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


def network_study(design: Network, rng: np.random.Generator) -> dict[str, MeasuredDesign]:
    """The measured answers of both candidates."""
    n, shape = design.n, (design.repeats, design.n)
    target = (np.arange(n) < max(round(design.positives * n), 2)).astype(np.int64)
    fold = np.stack([_folds(design, rng, target) for _ in range(design.repeats)])
    metric = METRICS.get(design.metric)
    centre = float(ndtri(design.accuracy))
    slope = np.exp(-(centre**2) / 2) / np.sqrt(2 * np.pi)  # of accuracy in the latent level
    hard = np.sqrt(design.agreement) * rng.standard_normal(n)
    found = {}
    for name in ("m0", "m1"):
        level = rng.standard_normal((design.repeats, design.folds)) * design.between / 100 / slope
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
