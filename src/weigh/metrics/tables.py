"""Scores per class and the confusion matrix; and which metrics a task reports when nobody says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from weigh.data.examples import Kind, kind_of
from weigh.errors import SpecError
from weigh.language import Text, text
from weigh.metrics.base import METRICS, Metric, Prediction

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["PerClass", "confusion_matrix", "for_task", "per_class", "require_metric"]

KINDS: dict[Kind, Text] = {
    "label": text("examples with one label each", "每个样本只有一个标签的数据"),
    "labels": text("examples with several labels", "每个样本有多个标签的数据"),
    "number": text("numbers", "数值"),
    "spans": text("entities", "实体"),
}


class PerClass(NamedTuple):
    """`(classes,)` each; NaN where undefined (precision of a class never predicted, recall of one that never occurs).

    `support` is the weight of the class among the targets.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def per_class(
    prediction: Prediction, target: np.ndarray, weights: np.ndarray | None = None, *, classes: int = 0
) -> PerClass:
    """Precision, recall and F1 of every class, label or type of entity.

    Args:
        classes: Number of types; those beyond what occurs have no support.
    """
    from weigh.metrics.counting import ClassCounts, count, measure_decisions
    from weigh.metrics.entities import measure_entities, sum_entities

    ones = np.ones(len(target)) if weights is None else weights
    if kind_of(target) == "spans":
        totals = sum_entities(measure_entities(prediction, target), ones)
        totals = np.pad(totals, ((0, max(classes - len(totals), 0)), (0, 0)))
        counts = ClassCounts(*totals.T)
    else:
        counts = count(measure_decisions(prediction, target), ones)

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


def for_task(task: str, *, multilabel: bool = False, classes: int | None = None) -> list[str]:
    """Names of the metrics that a report shows by default, most telling first.

    Two classes get the metrics of the positive class, more classes the macro means, 20 and more also top-5 accuracy.
    """
    if task == "token-classification":
        names = ["entity_f1", "entity_precision", "entity_recall", "entity_f1_macro"]
    elif task == "text-regression":
        names = ["pearson_spearman", "pearson", "spearman", "mae", "mse"]
    elif multilabel:
        names = ["f1_macro", "f1_micro", "auroc", "average_precision", "precision_macro", "recall_macro", "accuracy"]
        names += ["log_loss", "brier"]
    elif classes == 2:
        names = ["balanced_accuracy", "accuracy", "auroc", "average_precision", "f1", "precision", "recall"]
        names += ["log_loss", "brier", "ece"]
    else:
        names = ["balanced_accuracy", "accuracy", "f1_macro", "f1_weighted", "auroc", "average_precision"]
        names += ["top5_accuracy"] * bool(classes and classes >= 20) + ["log_loss", "brier", "ece"]
    return [name for name in names if task in METRICS.get(name).tasks]


def require_metric(name: str, kind: Kind) -> Metric:
    """The metric `name`, which must be defined for targets of `kind`.

    Raises:
        SpecError: It is not.
    """
    metric = METRICS.get(name)
    # of several labels the mean recall is what balanced accuracy amounts to; nobody has to choose it
    if kind in metric.kinds or (kind == "labels" and "label" in metric.kinds):
        return metric
    raise SpecError(
        text(
            "metrics.primary: {m} is not defined for {k}.", "metrics.primary：{m} 不适用于{k}。", m=name, k=KINDS[kind]
        ),
        do=text(
            "Choose one of: {k}.",
            "可选：{k}。",
            k=", ".join(n for n, other in METRICS.items() if kind in other.kinds),
        ),
    )
