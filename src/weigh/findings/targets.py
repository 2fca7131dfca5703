"""The answer that looks at nothing, scored; and where to look at the hardest examples."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from weigh.kinds.base import Kind
from weigh.language import Text, text
from weigh.metrics.base import Metric
from weigh.record.results import Results

__all__ = ["Baseline", "answer_blindly", "look_at"]


class Baseline(NamedTuple):
    """An answer that looks at no example, and its score.

    Attributes:
        score: NaN where the metric is not defined for it.
        doing: "always giving the most frequent answer", to be put into a sentence.
        short: "most frequent class", for a figure.
    """

    score: float
    doing: Text
    short: Text


def answer_blindly(metric: Metric, kind: Kind, target: np.ndarray, classes: int) -> Baseline:
    """What the answer of its kind that looks at nothing scores."""
    blind = kind.blind(target, classes)
    score = math.nan if blind.prediction is None else metric.within(target).score(blind.prediction, target)
    return Baseline(score, blind.doing, blind.short)


def look_at(results: Results) -> Text:
    """What to do with the examples that are hardest: the report of a study shows them."""
    if results.origin != "study" and results.examples.rows is None:
        return text(
            "Look at the examples that are listed: unclear, unlike the others, or labelled wrongly?",
            "看看列出的这些样本：是不清楚、与众不同，还是标错了？",
        )
    return text(
        "Look at the {p} below: unclear, unlike the others, or labelled wrongly?",
        "看看下面这些{p}：是不清楚、与众不同，还是标错了？",
        p=results.examples.medium.noun.many,
    )
