"""Scores per class and the confusion matrix; and which metrics fit a kind of target."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from weigh.errors import SpecError
from weigh.kinds.base import Kind, Prediction
from weigh.language import text
from weigh.metrics.base import METRICS, Metric

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["confusion_matrix", "per_class", "require_metric"]


class PerClass(NamedTuple):
    """`(classes,)` each; NaN where undefined (precision of a class never predicted, recall of one that never occurs).

    `support` is the weight of the class among the targets.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def per_class(
    kind: Kind, prediction: Prediction, target: np.ndarray, weights: np.ndarray | None = None, *, classes: int = 0
) -> PerClass:
    """Precision, recall and F1 of every class, label or type of entity.

    Args:
        classes: How many there are.
    """
    counts = kind.counts(prediction, target, np.ones(len(target)) if weights is None else weights, classes)

    def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)

    return PerClass(
        ratio(counts.hit, counts.predicted),
        ratio(counts.hit, counts.actual),
        ratio(2 * counts.hit, counts.predicted + counts.actual),
        counts.actual,
    )


def confusion_matrix(
    prediction: Prediction, target: np.ndarray, classes: int, weights: np.ndarray | None = None
) -> csr_array:
    """`(classes, classes)`, sparse: rows are the labels in the data, columns what was predicted. One label per example."""
    if target.ndim != 1:
        raise ValueError("a confusion matrix needs one label per example")
    counted = np.ones(len(target)) if weights is None else np.asarray(weights, dtype=np.float64)
    from scipy.sparse import csr_array  # rendering a report loads no scipy

    return csr_array((counted, (target, prediction.labels)), shape=(classes, classes))


def require_metric(name: str, kind: Kind, setting: str = "metrics.primary") -> Metric:
    """The metric `name`, which must be defined for targets of `kind`.

    Args:
        setting: Where it is named.

    Raises:
        SpecError: It is not.
    """
    metric = METRICS.get(name)
    if kind.name in metric.kinds:
        return metric
    raise SpecError(
        text("{s}: {m} is not defined for {k}.", "{s}：{m} 不适用于{k}。", s=setting, m=name, k=kind.title),
        do=text(
            "Choose one of: {k}.",
            "可选：{k}。",
            k=", ".join(n for n, other in METRICS.items() if kind.name in other.kinds),
        ),
    )
