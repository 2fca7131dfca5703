"""One class per example: the target is its index, `(n,)` int64; an answer is one logit per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weigh.kinds.base import FLOAT16_MAX, KINDS, LEAST_MINORITY, Blind, ClassCounts, Kind, Prediction, Strata
from weigh.kinds.counting import count, measure_decisions
from weigh.language import text

__all__ = ["FREQUENT", "LABEL", "TOP", "Label", "decide_class", "row_of_classes"]

DENSE_BYTES = 32 * 2**20
CELLS = 2_000_000  # probabilities that are decided on at once: 16 MB
TOP = 20
MANY_CLASSES = 20  # from which on the five most probable classes are a metric
FREQUENT = (
    text("always giving the most frequent answer", "总是回答最常见的类别"),
    text("most frequent class", "多数类基线"),
)


def decide_class(probabilities: np.ndarray, bias: np.ndarray | float = 0.0) -> np.ndarray:
    """The class with the greatest log probability plus `bias` `(classes,)` or `(n, classes)`; without a bias the most probable one.

    Many rows are decided block by block: their logarithms are never all in memory.
    """
    if probabilities.ndim < 2 or probabilities.size <= CELLS:
        return _greatest(probabilities, bias)
    added = np.broadcast_to(bias, probabilities.shape)
    step = max(1, CELLS // probabilities[0].size)
    blocks = (slice(start, start + step) for start in range(0, len(probabilities), step))
    return np.concatenate([_greatest(probabilities[rows], added[rows]) for rows in blocks])


def _greatest(probabilities: np.ndarray, bias: np.ndarray | float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return (np.log(probabilities) + bias).argmax(axis=-1)


def row_of_classes(
    label: str, sure: float | None, probability: np.ndarray | None, classes: Sequence[str], *, threshold: bool
) -> dict[str, Any]:
    """A row of a table of predictions: the label, how sure it is, the most probable class where a threshold decides, and the probability of each.

    Args:
        probability: `(classes,)`; None: there is no answer, and the cells are empty.
    """
    most = "" if probability is None else classes[int(probability.argmax())]
    each = [None] * len(classes) if probability is None else probability.tolist()
    return {
        "label": label,
        "probability": sure,
        **({"most_probable": most} if threshold else {}),
        **{f"p:{name}": value for name, value in zip(classes, each, strict=True)},
    }


class Label(Kind):
    """See the module."""

    name = "label"
    title = text("examples with one label each", "每个样本只有一个标签的数据")
    primary = "balanced_accuracy"
    exclusive = True
    probable = True
    linear = True
    unaveraged = None
    detectable = True
    apart = text("the classes", "类别")

    def blank(self, n: int, classes: int) -> np.ndarray:
        return np.zeros(n, np.int64)

    def encode(self, rows: Sequence[Any], classes: Sequence[str]) -> np.ndarray:
        index = {name: i for i, name in enumerate(classes)}
        return np.array([index.get(names[0], -1) for names in rows], dtype=np.int64)

    def strata(self, target: np.ndarray) -> Strata:
        return Strata.single(target.astype(np.int64), int(target.max(initial=0)) + 1)

    def informative(self, target: np.ndarray) -> tuple[int, int]:
        sizes = np.bincount(target)
        sizes = sizes[sizes > 0]
        return min(len(target), len(sizes) * int(sizes.min(initial=len(target)))), max(len(sizes), 1)

    def members(self, target: np.ndarray, classes: int) -> np.ndarray:
        return target[:, None] == np.arange(classes)

    def class_counts(self, target: np.ndarray, classes: int) -> np.ndarray:
        return np.bincount(target, minlength=classes)

    def varied(self, target: np.ndarray) -> bool:
        counts = np.unique(target, return_counts=True)[1]
        return counts.sum() - counts.max(initial=0) >= LEAST_MINORITY

    def probabilities(self, answers: np.ndarray) -> np.ndarray:
        """Softmax over the last axis."""
        shares = answers.astype(np.float64)  # one array from here on: three of them are much memory with many classes
        shares -= shares.max(axis=-1, keepdims=True)
        np.exp(shares, out=shares)
        shares /= shares.sum(axis=-1, keepdims=True)
        return shares

    def averaged(self, answers: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        mean = sum(w * self.probabilities(one) for w, one in zip(weights, answers, strict=True))
        return np.log(np.maximum(mean, np.finfo(float).tiny))

    def most_probable(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities.argmax(axis=1)

    def decide(self, answers: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
        probability = self.probabilities(answers)
        return Prediction(probability, decide_class(probability, bias))

    def pack(self, answers: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
        """Up to `DENSE_BYTES` the whole matrix; beyond it the `TOP` greatest logits of every example, that of its true class, and the log of
        what the others add up to: log loss and calibration stay exact to half precision, and 1,000 classes × 50,000 examples take 9 MB.
        """
        if answers.size * 2 <= DENSE_BYTES or answers.shape[1] <= TOP + 1:
            return super().pack(answers, target)
        answers = np.clip(answers, -FLOAT16_MAX, FLOAT16_MAX)
        top = np.argpartition(-answers, TOP, axis=1)[:, :TOP]
        values = np.take_along_axis(answers, top, axis=1)
        true = np.take_along_axis(answers, target[:, None], axis=1)
        kept = np.concatenate([top, target[:, None]], axis=1)
        rest = answers.astype(np.float64)
        np.put_along_axis(rest, kept, -np.inf, axis=1)
        highest = rest.max(axis=1, keepdims=True)
        return {
            "top": kept.astype(np.int32),
            "top_logits": np.concatenate([values, true], axis=1).astype(np.float16),
            "rest": (highest[:, 0] + np.log(np.exp(rest - highest).sum(axis=1))).astype(np.float32),
            "classes": np.array(answers.shape[1], dtype=np.int32),
        }

    def unpack(self, stored: Mapping[str, np.ndarray]) -> np.ndarray:
        """Classes that were not kept share the remaining mass equally."""
        if "logits" in stored:
            return super().unpack(stored)
        classes, top = int(stored["classes"]), stored["top"]
        kept = np.zeros((len(top), classes), dtype=bool)
        np.put_along_axis(kept, top, True, axis=1)
        others = np.maximum(classes - kept.sum(axis=1), 1)
        logits = np.repeat((stored["rest"] - np.log(others))[:, None], classes, axis=1).astype(np.float32)
        np.put_along_axis(logits, top, stored["top_logits"].astype(np.float32), axis=1)
        return logits

    def distances(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        """1 for a wrong class."""
        return (labels != target).astype(float)

    def same_answer(self, labels: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> str:
        return classes[int(labels[0])] if len(np.unique(labels)) == 1 else ""

    def blind(self, target: np.ndarray, classes: int) -> Blind:
        """The shares of the classes, and the most frequent one."""
        if len(np.unique(target)) < 2:
            return Blind(None, *FREQUENT)  # nothing to be told apart
        shares = np.bincount(target, minlength=classes) / max(len(target), 1)
        labels = np.full(len(target), int(shares.argmax()))
        return Blind(Prediction(np.tile(shares, (len(target), 1)), labels), *FREQUENT)

    def counts(self, prediction: Prediction, target: np.ndarray, weights: np.ndarray, classes: int) -> ClassCounts:
        return count(measure_decisions(prediction, target), weights)

    def metrics(self, classes: int) -> list[str]:
        """Two classes get the metrics of the positive class, more classes the macro means."""
        if classes == 2:
            names = ["balanced_accuracy", "accuracy", "auroc", "average_precision", "f1", "precision", "recall"]
        else:
            names = ["balanced_accuracy", "accuracy", "f1_macro", "f1_weighted", "auroc", "average_precision"]
            names += ["top5_accuracy"] * (classes >= MANY_CLASSES)
        return [*names, "log_loss", "brier", "ece"]

    def quote(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        return classes[int(target)]

    def cells(self, labels: np.ndarray, classes: Sequence[str]) -> Any:
        return np.array(classes, dtype=object)[labels.astype(np.int64)].astype(str)

    def draw(self, rng: np.random.Generator, n: int, classes: int) -> tuple[Prediction, np.ndarray]:
        raw = rng.gamma(1.0, size=(n, classes))
        probabilities = raw / raw.sum(axis=1, keepdims=True)
        target = rng.integers(0, classes, n)
        return Prediction(probabilities, decide_class(probabilities)), target

    def row(
        self,
        prediction: Prediction | None,
        i: int,
        classes: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        threshold: bool = False,
    ) -> dict[str, Any]:
        """The label, its probability, and what `row_of_classes` adds."""
        if prediction is None:
            return row_of_classes("", None, None, classes, threshold=threshold)
        probability, label = prediction.probabilities[i], prediction.labels[i]
        sure = float(probability[int(label)])
        return row_of_classes(self.quote(label, classes), sure, probability, classes, threshold=threshold)


LABEL = KINDS.register(Label.name, Label())
