"""The metrics of classification: two classes, many classes, several labels per example.

Conventions, those of scikit-learn unless said otherwise:

- Two classes: the **last** class is the positive one. Whoever reads the data orders the classes so
  (`data.positive`); `precision`, `recall`, `f1`, `auroc`, `average_precision` and `brier` then speak of that class.
- `precision`, `recall`, `f1` are those of the positive class of two classes, and the macro mean otherwise.
- Macro means run over the classes that occur in the targets or in the decisions (with any weight); a class that is
  never predicted has precision 0, one that is predicted but never occurs has recall 0.
- Balanced accuracy is the mean recall of the classes that occur in the targets; of several labels every label makes two of them, there and not there.
- A score without any example behind it is NaN, never 0. AUROC without a positive or without a negative example and
  average precision without a positive one are NaN (scikit-learn raises, warns or says 0).
- `matthews` (two or more classes) is 0 where all decisions are the same and NaN where all targets are. `accuracy_f1` is the mean of
  `accuracy` and `f1`, as GLUE scores MRPC and QQP.
- `accuracy` of several labels is the share of examples with all labels right.
- `ece` is the expected calibration error of the most probable class in 15 bins of equal width (Guo et al. 2017).
- `brier` is the squared error of the positive class's probability for two classes, the sum of squared errors over
  the classes for more, and the mean over the labels for several labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from weigh.kinds.base import ClassCounts, Prediction
from weigh.kinds.counting import count, influence_of_counts, measure_decisions, totals
from weigh.kinds.label import Label
from weigh.kinds.labels import Labels
from weigh.language import text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.parts import Parts, one_part, size_of_f1
from weigh.metrics.ranking import (
    area_under_roc,
    average_precision,
    influence_on_precision,
    influence_on_roc,
    measure_scores,
    parts_of_precision,
    parts_of_roc,
)
from weigh.metrics.shares import influence_on_mean, mean_where, share, weighted_mean

__all__ = ["ECE_BINS"]

ECE_BINS = 15
LINEAR = {
    "accuracy",
    "balanced_accuracy",
    "top5_accuracy",
    "log_loss",
    "brier",
    "recall",
    "recall_macro",
    "recall_micro",
}
TINY = np.finfo(np.float64).eps


# Per class: ratios of counts


def _precision(counts: ClassCounts) -> np.ndarray:
    return share(counts.hit, counts.predicted, otherwise=0.0)


def _recall(counts: ClassCounts) -> np.ndarray:
    return share(counts.hit, counts.actual, otherwise=0.0)


def _f1(counts: ClassCounts) -> np.ndarray:
    return share(2 * counts.hit, counts.predicted + counts.actual, otherwise=0.0)


RATIOS = {"precision": _precision, "recall": _recall, "f1": _f1}


def _averaged(ratio, average: str):
    """Reduce and influence of a ratio averaged over classes: "macro", "micro", "weighted" or "positive"."""
    score = _over_classes(ratio, average)

    def reduce(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return score(count(statistics, weights), weights.sum(axis=-1) > 0, single=statistics.shape[1] == 3)

    def influence(statistics: np.ndarray) -> np.ndarray:
        single = statistics.shape[1] == 3
        return influence_of_counts(lambda c: score(c, np.ones(c.hit.shape[:-1], bool), single=single), statistics)

    return reduce, influence


def _over_classes(ratio, average: str):
    """The averaged ratio of `ClassCounts`; `anything`: whether any example has weight."""

    def score(counts: ClassCounts, anything: np.ndarray, *, single: bool) -> np.ndarray:
        if average == "positive" and single and counts.hit.shape[-1] == 2:
            positive = ClassCounts(*(part[..., 1:] for part in counts))
            occurs = positive.actual[..., 0] + positive.predicted[..., 0] > 0  # otherwise nothing is measured
            return np.where(anything & occurs, ratio(positive)[..., 0], np.nan)
        if average == "micro":
            summed = ClassCounts(*(part.sum(axis=-1, keepdims=True) for part in counts))
            return np.where(anything, ratio(summed)[..., 0], np.nan)
        if average == "weighted":
            return share((ratio(counts) * counts.actual).sum(axis=-1), counts.actual.sum(axis=-1))
        occurs = counts.actual + counts.predicted > 0
        if not single:
            occurs = np.broadcast_to(anything[..., None], occurs.shape)  # several labels: every label counts
        return mean_where(ratio(counts), occurs)

    return score


def _balanced(counts: ClassCounts) -> np.ndarray:
    return mean_where(_recall(counts), counts.actual > 0)


def _parts_averaged(name: str, average: str) -> Callable[[np.ndarray], Parts]:
    """The shares behind `_averaged(RATIOS[name], average)`."""

    def parts(statistics: np.ndarray) -> Parts:
        counts = count(statistics, np.ones(len(statistics)))
        single = statistics.shape[1] == 3
        if average == "positive" and single and counts.hit.shape[-1] == 2:
            counts = ClassCounts(*(part[1:] for part in counts))
        elif average == "micro":
            counts = ClassCounts(*(part.sum(keepdims=True) for part in counts))
        weight = np.ones(len(counts.hit))
        if average == "weighted":
            weight = counts.actual
        elif single and average != "micro":
            weight = (counts.actual + counts.predicted > 0).astype(np.float64)
        shares = RATIOS[name](counts)
        if name == "f1":
            size = size_of_f1(shares, counts.predicted + counts.actual - counts.hit)
            return Parts(weight / max(weight.sum(), 1.0), shares, size, form="f1")
        size = counts.predicted if name == "precision" else counts.actual
        return Parts(weight / max(weight.sum(), 1.0), shares, size)

    return parts


def _parts_balanced(statistics: np.ndarray) -> Parts:
    counts = count(statistics, np.ones(len(statistics)))
    occurs = (counts.actual > 0).astype(np.float64)
    return Parts(occurs / max(occurs.sum(), 1.0), _recall(counts), counts.actual)


def _parts_accuracy_and_f1(statistics: np.ndarray) -> Parts:
    counts = count(statistics, np.ones(len(statistics)))
    f1 = _parts_averaged("f1", "positive")(statistics)
    weight = np.concatenate([[0.5], f1.weight / 2])
    right = counts.hit.sum(keepdims=True) / len(statistics)
    return Parts(weight, np.concatenate([right, f1.share]), np.concatenate([[len(statistics)], f1.size]))


def _parts_mean(statistics: np.ndarray) -> Parts:
    return one_part(float(statistics[:, 0].mean()), len(statistics))


def _measure_balanced(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    """As `measure_decisions`; of several labels every one is there or not, which are two classes: whoever answers all labels recalls all of them,
    and none of those that are not there.
    """
    if target.ndim == 1:
        return measure_decisions(prediction, target)
    both = (np.concatenate([bits, 1 - bits], axis=1) for bits in (target.astype(np.int64), prediction.labels))
    return np.concatenate([*both], axis=1).astype(np.float64)


def _reduce_balanced(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return _balanced(count(statistics, weights))


def _influence_balanced(statistics: np.ndarray) -> np.ndarray:
    return influence_of_counts(_balanced, statistics)


def _accuracy_and_f1(counts: ClassCounts) -> np.ndarray:
    total = counts.actual.sum(axis=-1)
    return (share(counts.hit.sum(axis=-1), total) + _over_classes(_f1, "positive")(counts, total > 0, single=True)) / 2


def _reduce_accuracy_and_f1(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return _accuracy_and_f1(count(statistics, weights))


def _influence_accuracy_and_f1(statistics: np.ndarray) -> np.ndarray:
    return influence_of_counts(_accuracy_and_f1, statistics)


def _reduce_matthews(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Matthews (1975) for two classes, Gorodkin (2004) for more: the correlation of target and decision."""
    counts = count(statistics, weights)
    total = counts.actual.sum(axis=-1)
    together = counts.hit.sum(axis=-1) * total - (counts.predicted * counts.actual).sum(axis=-1)
    spread_of_decisions = total**2 - np.square(counts.predicted).sum(axis=-1)
    spread_of_targets = total**2 - np.square(counts.actual).sum(axis=-1)
    tiny = 4 * TINY * total**2  # one class only: what rounding leaves is not a spread
    defined, varied = spread_of_targets > tiny, spread_of_decisions > tiny
    size = np.sqrt(np.where(defined & varied, spread_of_decisions * spread_of_targets, 1.0))
    return np.where(defined, np.where(varied, together / size, 0.0), np.nan)


def _influence_matthews(statistics: np.ndarray) -> np.ndarray:
    """The derivative of `_reduce_matthews`; 0 where a constant answer leaves no direction to move in."""
    target, label = statistics[:, 0].astype(np.int64), statistics[:, 1].astype(np.int64)
    counts, total = count(statistics, np.ones(len(statistics))), float(len(statistics))
    together = counts.hit.sum() * total - (counts.predicted * counts.actual).sum()
    decided, actual = total**2 - np.square(counts.predicted).sum(), total**2 - np.square(counts.actual).sum()
    if decided <= 0 or actual <= 0:
        return np.zeros(len(statistics))
    moved = (target == label) * total + counts.hit.sum() - counts.actual[label] - counts.predicted[target]
    spread = (total - counts.predicted[label]) / decided + (total - counts.actual[target]) / actual
    return (moved - together * spread) / np.sqrt(decided * actual)


# Per example


def _measure_correct(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    right = prediction.labels == target
    return (right.all(axis=1) if target.ndim == 2 else right)[:, None].astype(np.float64)


def _measure_top5(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    p = prediction.probabilities
    own = p[np.arange(len(target)), target][:, None]
    later = np.arange(p.shape[1]) > target[:, None]  # ties: the later class goes first, as in scikit-learn
    rank = ((p > own) | ((p == own) & later)).sum(axis=1)
    return (rank < 5)[:, None].astype(np.float64)


def _measure_log_loss(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    if target.ndim == 1:
        own = prediction.probabilities[np.arange(len(target)), target]
        return -np.log(np.clip(own, TINY, 1 - TINY))[:, None]
    p = np.clip(prediction.probabilities, TINY, 1 - TINY)
    return -np.where(target > 0, np.log(p), np.log1p(-p)).mean(axis=1, keepdims=True)


def _measure_brier(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    p = prediction.probabilities
    if target.ndim == 2:
        return np.square(p - target).mean(axis=1, keepdims=True)
    if p.shape[1] == 2:
        return np.square(p[:, 1] - target)[:, None]
    off = p - (target[:, None] == np.arange(p.shape[1]))
    return np.square(off, out=off).sum(axis=1, keepdims=True)


def _measure_confidence(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    """`(n, 2)`: probability of the most probable class, and 1 where that class is right."""
    top = prediction.probabilities.argmax(axis=1)
    return np.stack([prediction.probabilities.max(axis=1), top == target], axis=1).astype(np.float64)


def _reduce_ece(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    confidence, right = statistics[:, 0], statistics[:, 1]
    # Bins ]0, 1/15], ]1/15, 2/15], ...: the upper edge belongs to the bin
    codes = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    gaps = totals(weights * (confidence - right), codes, ECE_BINS)
    return share(np.abs(gaps).sum(axis=-1), weights.sum(axis=-1))


def _influence_ece(statistics: np.ndarray) -> np.ndarray:
    confidence, right = statistics[:, 0], statistics[:, 1]
    codes = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    gaps = np.bincount(codes, weights=confidence - right, minlength=ECE_BINS)
    return np.sign(gaps)[codes] * (confidence - right) / max(len(statistics), 1)


def _register(
    name: str,
    en: str,
    zh: str,
    measure,
    reduce,
    influence=influence_on_mean,
    *,
    pooling: Literal["count", "rank"] = "count",
    better: Literal["greater", "less"] = "greater",
    rope: float = 0.01,
    unit: str = "score",
    labels: bool = True,
    lowest: float = 0.0,
    highest_of_many: float | None = None,
    parts: Callable[[np.ndarray], Parts] | None = None,
) -> None:
    METRICS.register(
        name,
        Metric(
            name=name,
            title=text(en, zh),
            pooling=pooling,
            greater_is_better=better == "greater",
            measure=measure,
            reduce=reduce,
            rope=rope,
            unit=unit,
            lowest=lowest,
            highest_of_many=highest_of_many,
            kinds=frozenset({Label.name, Labels.name} if labels else {Label.name}),
            linear=name in LINEAR,
            influence=influence,
            parts=parts,
        ),
    )


_register(
    "balanced_accuracy",
    "balanced accuracy",
    "平衡准确率",
    _measure_balanced,
    _reduce_balanced,
    _influence_balanced,
    parts=_parts_balanced,
)
_register("accuracy", "accuracy", "准确率", _measure_correct, weighted_mean, parts=_parts_mean)
_register(
    "auroc", "AUROC", "AUROC", measure_scores, area_under_roc, influence_on_roc, pooling="rank", parts=parts_of_roc
)
_register(
    "average_precision",
    "average precision",
    "平均精确率（AP）",
    measure_scores,
    average_precision,
    influence_on_precision,
    pooling="rank",
    parts=parts_of_precision,
)
for _name, _en, _zh in (("f1", "F1", "F1"), ("precision", "precision", "精确率"), ("recall", "recall", "召回率")):
    _register(
        _name,
        _en,
        _zh,
        measure_decisions,
        *_averaged(RATIOS[_name], "positive"),
        parts=_parts_averaged(_name, "positive"),
    )
    for _average, _word in (("macro", "宏平均"), ("micro", "微平均"), ("weighted", "加权平均")):
        _register(
            f"{_name}_{_average}",
            f"{_en} ({_average})",
            f"{_zh}（{_word}）",
            measure_decisions,
            *_averaged(RATIOS[_name], _average),
            parts=_parts_averaged(_name, _average),
        )
_register(
    "matthews",
    "Matthews correlation",
    "马修斯相关系数",
    measure_decisions,
    _reduce_matthews,
    _influence_matthews,
    rope=0.02,  # two balanced classes: one point of accuracy is two of this
    labels=False,
    lowest=-1.0,
)
_register(
    "accuracy_f1",
    "mean of accuracy and F1",
    "准确率与 F1 的均值",
    measure_decisions,
    _reduce_accuracy_and_f1,
    _influence_accuracy_and_f1,
    labels=False,
    parts=_parts_accuracy_and_f1,
)
_register(
    "top5_accuracy", "top-5 accuracy", "前五准确率", _measure_top5, weighted_mean, labels=False, parts=_parts_mean
)
_register("log_loss", "log loss", "对数损失", _measure_log_loss, weighted_mean, better="less", unit="nats")
_register("brier", "Brier score", "Brier 分数", _measure_brier, weighted_mean, better="less", highest_of_many=2.0)
_register(
    "ece",
    "calibration error (ECE)",
    "校准误差（ECE）",
    _measure_confidence,
    _reduce_ece,
    _influence_ece,
    better="less",
    labels=False,
)
