"""Answers that are drawn instead of predicted, as the readings' designs measure them."""

from __future__ import annotations

import numpy as np

from weigh.kinds.base import Prediction
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign

__all__ = ["measured_answers"]


def measured_answers(name: str, label: np.ndarray, target: np.ndarray, fold: np.ndarray) -> MeasuredDesign:
    """`(repeats, n)` answers of two classes, and the fold of each, measured on a metric."""
    metric = METRICS.get(name)
    statistics = np.stack([metric.measure(Prediction(np.eye(2)[row], row), target) for row in label])
    return MeasuredDesign(metric, statistics, fold, np.ones(fold.shape, bool), target)
