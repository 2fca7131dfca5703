"""Several classes per example, each there or not: the target is `(n, classes)` uint8; an answer is one logit per class, a sigmoid each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weigh.kinds.base import KINDS, LEAST_MINORITY, Blind, ClassCounts, Kind, Prediction, Strata
from weigh.kinds.counting import count, measure_decisions
from weigh.kinds.label import FREQUENT, row_of_classes
from weigh.language import text

__all__ = ["LABELS", "Labels", "decide_classes"]


def decide_classes(probabilities: np.ndarray, bias: np.ndarray | float = 0.0) -> np.ndarray:
    """1 where the log odds plus `bias` are positive."""
    with np.errstate(divide="ignore"):
        return (np.log(probabilities) - np.log1p(-probabilities) + bias > 0).astype(np.int64)


class Labels(Kind):
    """See the module."""

    name = "labels"
    title = text("examples with several labels", "每个样本有多个标签的数据")
    primary = "balanced_accuracy"  # the mean over labels of how often a label that is there, and one that is not, is answered rightly
    probable = True
    linear = True
    unaveraged = None
    detectable = True

    def blank(self, n: int, classes: int) -> np.ndarray:
        return np.zeros((n, classes), np.uint8)

    def encode(self, rows: Sequence[Any], classes: Sequence[str]) -> np.ndarray:
        index, target = {name: i for i, name in enumerate(classes)}, self.blank(len(rows), len(classes))
        for row, names in enumerate(rows):
            target[row, [index[name] for name in names if name in index]] = 1
        return target

    def strata(self, target: np.ndarray) -> Strata:
        """Every label; an example without any has the stratum "none"."""
        return Strata.of_members(target != 0)

    def members(self, target: np.ndarray, classes: int) -> np.ndarray:
        return target > 0

    def varied(self, target: np.ndarray) -> bool:
        counts = np.unique(target, axis=0, return_counts=True)[1]
        return counts.sum() - counts.max(initial=0) >= LEAST_MINORITY

    def probabilities(self, answers: np.ndarray) -> np.ndarray:
        """A sigmoid each."""
        return 0.5 * (1 + np.tanh(answers.astype(np.float64) / 2))

    def averaged(self, answers: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        mean = sum(w * self.probabilities(one) for w, one in zip(weights, answers, strict=True))
        mean = np.clip(mean, 1e-15, 1 - 1e-15)
        return np.log(mean) - np.log1p(-mean)

    def most_probable(self, probabilities: np.ndarray) -> np.ndarray:
        return (probabilities > 0.5).astype(np.int64)

    def decide(self, answers: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
        probability = self.probabilities(answers)
        return Prediction(probability, decide_classes(probability, bias))

    def distances(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        """The share of the labels that are wrong."""
        return (labels != target).astype(float).mean(axis=1)

    def same_answer(self, labels: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> str:
        return (self._joined(labels[0], classes) or "∅") if (labels == labels[0]).all() else ""

    def blind(self, target: np.ndarray, classes: int) -> Blind:
        n, shares = len(target), target.mean(axis=0)
        labels = np.tile((shares > 0.5).astype(np.int64), (n, 1))
        return Blind(Prediction(np.tile(shares, (n, 1)), labels), *FREQUENT)

    def counts(self, prediction: Prediction, target: np.ndarray, weights: np.ndarray, classes: int) -> ClassCounts:
        return count(measure_decisions(prediction, target), weights)

    def metrics(self, classes: int) -> list[str]:
        names = ["f1_macro", "f1_micro", "auroc", "average_precision", "precision_macro", "recall_macro", "accuracy"]
        return [*names, "log_loss", "brier"]

    def quote(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        return " + ".join(name for name, on in zip(classes, target, strict=True) if on) or "–"

    def cells(self, labels: np.ndarray, classes: Sequence[str]) -> Any:
        return [self._joined(row, classes) for row in labels]

    def draw(self, rng: np.random.Generator, n: int, classes: int) -> tuple[Prediction, np.ndarray]:
        raw = rng.gamma(1.0, size=(n, classes))
        probabilities = raw / (1 + raw)
        target = (rng.random((n, classes)) < 0.4).astype(np.int64)
        return Prediction(probabilities, decide_classes(probabilities)), target

    def row(
        self,
        prediction: Prediction | None,
        i: int,
        classes: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        threshold: bool = False,
    ) -> dict[str, Any]:
        """The labels, the least sure of all decisions, and what `row_of_classes` adds."""
        if prediction is None:
            return row_of_classes("", None, None, classes, threshold=threshold)
        probability, decision = prediction.probabilities[i], prediction.labels[i]
        sure = float(np.where(decision > 0, probability, 1 - probability).min())
        return row_of_classes(self._joined(decision, classes), sure, probability, classes, threshold=threshold)

    @staticmethod
    def _joined(row: np.ndarray, classes: Sequence[str]) -> str:
        return "|".join(name for name, on in zip(classes, row, strict=True) if on)


LABELS = KINDS.register(Labels.name, Labels())
