"""What the kind of a target changes in the findings: the answer that looks at nothing, how far off an answer is, what cannot be asked.

Before it: `data.examples.Kind`. After it: the findings, which otherwise read all kinds alike, and the report, which says why a
question is missing.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from weigh.data.examples import Kind, kind_of, rows_of
from weigh.data.nouns import noun_of
from weigh.language import Text, text
from weigh.metrics.base import Metric, Prediction
from weigh.record.results import Results

__all__ = ["Blind", "answer_blindly", "distances", "left_out", "look_at"]

NO_CLASSES = text("numbers have no classes and come without a probability", "数值没有类别，也不带概率")
OF_TAGS = text(
    "a model gives the probability of a tag, not that of an entity", "模型给出的是标记的概率，而不是实体的概率"
)
UNASKED: dict[Kind, dict[str, Text]] = {  # kinds or ids of findings that have no meaning, and why
    "label": {},
    "labels": {},
    "number": {
        "calibration": NO_CLASSES,
        "errors:labels": NO_CLASSES,
        "stability:agreement": text("two predicted numbers are never quite the same", "两次预测的数值几乎不会完全相同"),
    },
    "spans": {"calibration": OF_TAGS, "errors:labels": OF_TAGS},
}


def left_out(skipped: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """Kinds and ids of findings that these records cannot answer, and why: what was not run, and what has no meaning."""
    return {**UNASKED[kind], **skipped}


class Blind(NamedTuple):
    """An answer that looks at no example.

    Attributes:
        score: NaN where the metric is not defined for it.
        doing: "always giving the most frequent answer", to be put into a sentence.
        short: "most frequent class", for a figure.
    """

    score: float
    doing: Text
    short: Text


FREQUENT = (
    text("always giving the most frequent answer", "总是回答最常见的类别"),
    text("most frequent class", "多数类基线"),
)
MEAN = text("always answering the mean", "总是回答平均值"), text("mean", "均值基线")
NOTHING = text("finding no entity at all", "一个实体也不找"), text("no entity", "不找实体的基线")


def answer_blindly(metric: Metric, target: np.ndarray, classes: int) -> Blind:
    """The class shares and the most frequent class; the mean; no entity."""
    kind, n = kind_of(target), len(target)
    if kind == "spans":
        return Blind(metric.score(Prediction(np.ones((n, 1)), rows_of([()] * n)), target), *NOTHING)
    if kind == "number":
        mean = np.full(n, target.mean())
        return Blind(metric.score(Prediction(mean[:, None], mean), target), *MEAN)
    if kind == "label" and len(np.unique(target)) < 2:
        return Blind(math.nan, *FREQUENT)  # nothing to be told apart
    if kind == "labels":
        shares = target.mean(axis=0)
        labels = np.tile((shares > 0.5).astype(np.int64), (n, 1))
    else:
        shares = np.bincount(target, minlength=classes) / max(n, 1)
        labels = np.full(n, int(shares.argmax()))
    return Blind(metric.score(Prediction(np.tile(shares, (n, 1)), labels), target), *FREQUENT)


def distances(labels: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`(n,)` how far each answer is off: 1 for a wrong class, the share of wrong labels, the distance of numbers, the number of
    entities that were missed or invented."""
    kind = kind_of(target)
    if kind == "spans":
        return np.array([len(set(said) ^ set(given)) for said, given in zip(labels, target, strict=True)], dtype=float)
    if kind == "number":
        return np.abs(labels - target)
    wrong = (labels != target).astype(float)
    return wrong.mean(axis=1) if kind == "labels" else wrong


def look_at(results: Results) -> Text:
    """What to do with the examples that are hardest: the report of a study shows them."""
    if results.origin != "study" and results.examples.texts is None and results.examples.tokens is None:
        return text(
            "Look at the examples that every model gets wrong: unclear, unlike the others, or labelled wrongly?",
            "看看所有模型都判错的样本：是不清楚、与众不同，还是标错了？",
        )
    return text(
        "Look at the {p} below: unclear, unlike the others, or labelled wrongly?",
        "看看下面这些{p}：是不清楚、与众不同，还是标错了？",
        p=noun_of(results.examples).many,
    )
