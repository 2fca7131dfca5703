"""The metrics of entities: exact spans, as conlleval (Tjong Kim Sang & Buchholz 2000) and seqeval count them.

An entity is right if its first token, its last and its type are. Counts are kept per sentence and type, so that any weights of the
sentences give a score: micro metrics sum them over types, `entity_f1_macro` is the mean over the types that occur in the targets or
in the predictions. A ratio without anything below it is 0 where something else occurs (as in seqeval), NaN where nothing does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weigh.kinds.spans import Spans, measure_entities, sum_entities
from weigh.language import text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.parts import Parts, size_of_f1
from weigh.metrics.shares import mean_where, share

# A score is a ratio of two linear functions of (right, predicted, in the data)
RATIOS = {
    "entity_f1": (np.array([2.0, 0.0, 0.0]), np.array([0.0, 1.0, 1.0])),
    "entity_precision": (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])),
    "entity_recall": (np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])),
}


def _reduce(ratio: tuple[np.ndarray, np.ndarray], *, macro: bool) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    above, below = ratio

    def reduce(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
        counts = sum_entities(statistics, weights)
        if not macro:
            counts = counts.sum(axis=-2)
        occurs = counts[..., 1] + counts[..., 2] > 0
        scores = share(counts @ above, counts @ below, otherwise=0.0)
        return mean_where(scores, occurs) if macro else np.where(occurs, scores, np.nan)

    return reduce


def _influence(ratio: tuple[np.ndarray, np.ndarray], *, macro: bool) -> Callable[[np.ndarray], np.ndarray]:
    above, below = ratio

    def influence(statistics: np.ndarray) -> np.ndarray:
        own = statistics.reshape(len(statistics), -1, 3)
        if not macro:
            own = own.sum(axis=1, keepdims=True)
        counts = own.sum(axis=0)
        occurs = counts[:, 1] + counts[:, 2] > 0
        if not occurs.any():
            return np.full(len(statistics), np.nan)
        bottom = counts @ below
        scores = share(counts @ above, bottom, otherwise=0.0)
        moved = share(own @ above - scores * (own @ below), bottom, otherwise=0.0)  # the derivative of a ratio
        return moved[:, occurs].mean(axis=1)

    return influence


def _parts(ratio: str, *, macro: bool) -> Callable[[np.ndarray], Parts]:
    above, below = RATIOS[ratio]

    def parts(statistics: np.ndarray) -> Parts:
        counts = sum_entities(statistics, np.ones(len(statistics)))
        if not macro:
            counts = counts.sum(axis=0, keepdims=True)
        shares = share(counts @ above, counts @ below, otherwise=0.0)
        occurs = (counts[:, 1] + counts[:, 2] > 0).astype(np.float64)
        size = counts @ below
        if ratio == "entity_f1":
            size = size_of_f1(shares, counts[:, 1] + counts[:, 2] - counts[:, 0])
        return Parts(occurs / max(occurs.sum(), 1.0), shares, size)

    return parts


def _register(name: str, ratio: str, en: str, zh: str, *, macro: bool = False) -> None:
    METRICS.register(
        name,
        Metric(
            name=name,
            title=text(en, zh),
            pooling="count",
            greater_is_better=True,
            measure=measure_entities,
            reduce=_reduce(RATIOS[ratio], macro=macro),
            kinds=frozenset({Spans.name}),
            influence=_influence(RATIOS[ratio], macro=macro),
            parts=_parts(ratio, macro=macro),
        ),
    )


_register("entity_f1", "entity_f1", "entity F1", "实体 F1")
_register("entity_precision", "entity_precision", "entity precision", "实体精确率")
_register("entity_recall", "entity_recall", "entity recall", "实体召回率")
_register("entity_f1_macro", "entity_f1", "entity F1 (macro)", "实体 F1（宏平均）", macro=True)
