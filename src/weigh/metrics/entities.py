"""The metrics of entities: exact spans, as conlleval (Tjong Kim Sang & Buchholz 2000) and seqeval count them.

An entity is right if its first token, its last and its type are. Counts are kept per sentence and type, so that any weights of the
sentences give a score: micro metrics sum them over types, `entity_f1_macro` is the mean over the types that occur in the targets or
in the predictions (`ratios.py`). A ratio without anything below it is 0 where something else occurs (as in seqeval), NaN where nothing
does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weigh.kinds.spans import Spans, measure_entities
from weigh.language import text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.parts import Parts, size_of_f1
from weigh.metrics.ratios import F1, PRECISION, RECALL, ClassMean


def _parts(mean: ClassMean) -> Callable[[np.ndarray], Parts]:
    def parts(statistics: np.ndarray) -> Parts:
        totals, score, weight = mean.taken_apart(statistics)
        right, predicted, actual = totals.T
        if mean.score is F1:
            return Parts(weight, score, size_of_f1(score, predicted + actual - right))
        return Parts(weight, score, predicted if mean.score is PRECISION else actual)

    return parts


def _register(name: str, mean: ClassMean, en: str, zh: str) -> None:
    METRICS.register(
        name,
        Metric(
            name=name,
            title=text(en, zh),
            pooling="count",
            greater_is_better=True,
            measure=measure_entities,
            reduce=mean.reduce,
            kinds=frozenset({Spans.name}),
            influence=mean.influence,
            parts=_parts(mean),
        ),
    )


_register("entity_f1", ClassMean(F1, pooled=True), "entity F1", "实体 F1")
_register("entity_precision", ClassMean(PRECISION, pooled=True), "entity precision", "实体精确率")
_register("entity_recall", ClassMean(RECALL, pooled=True), "entity recall", "实体召回率")
_register("entity_f1_macro", ClassMean(F1), "entity F1 (macro)", "实体 F1（宏平均）")
