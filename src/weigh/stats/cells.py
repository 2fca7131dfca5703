"""Resamples of scores of very many examples: examples with the same statistics are drawn together.

Metrics that are functions of counts know few kinds of examples (target and decision: classes squared). All examples of a
kind get one weight, the sum of their standard exponential weights, which has a gamma distribution: the Bayesian
bootstrap (Rubin 1981) of a million examples then costs no more than that of a hundred.

Before it: `metrics/`. Beside it: `resampling.py`, whose influences give variances without any draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from weigh.kinds.base import Prediction
from weigh.metrics.base import Metric

__all__ = ["Cells", "draw_scores", "joint_cells"]

Cells = tuple[np.ndarray, np.ndarray]
MOST_CODES = 1 << 22  # so many possible kinds are counted in a table; more are sorted
BLOCK = 1 << 24  # weights that are made at once where kinds are as many as examples


def joint_cells(statistics: Sequence[np.ndarray]) -> Cells:
    """Kinds of examples: `(m,)` index of one example of each kind, `(m,)` how many there are of it.

    Args:
        statistics: Arrays `(n, k)` of the same n examples; two examples are of one kind if they agree in all of them.

    Returns:
        O(n) where columns hold small whole numbers, O(n log n) otherwise; m is at most n.
    """
    n = len(statistics[0])
    code, distinct = np.zeros(n, dtype=np.int64), 1
    for column in (values for array in statistics for values in np.atleast_2d(array.T)):
        small = n and column.min() >= 0 and column.max() < 1024 and not np.any(column % 1)
        own = column.astype(np.int64) if small else np.unique(column, return_inverse=True)[1]
        width = int(own.max(initial=0)) + 1
        if distinct * width > MOST_CODES:
            code, distinct = np.unique(code, return_inverse=True)[1], 0
            distinct = int(code.max(initial=0)) + 1
            if distinct * width > np.iinfo(np.int64).max // 2:
                raise ValueError("too many kinds of examples")
        code, distinct = code * width + own, distinct * width
    if distinct > MOST_CODES:
        _, first, counts = np.unique(code, return_index=True, return_counts=True)
        return first, counts
    counts = np.bincount(code, minlength=distinct)
    first = np.zeros(distinct, dtype=np.int64)
    first[code] = np.arange(n)
    used = np.flatnonzero(counts)
    return first[used], counts[used]


def draw_scores(
    metrics: Sequence[Metric],
    predictions: Mapping[str, Prediction],
    target: np.ndarray,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
) -> dict[str, dict[str, np.ndarray]]:
    """Scores of fixed predictions under random weights of the examples: model -> metric -> `(draws,)`.

    All models and metrics share the weights, so differences between models are paired.

    Args:
        predictions: Model -> its prediction of the same `n` examples.
        target: `(n,)` or `(n, labels)`.
    """
    measured: dict[str, dict[object, np.ndarray]] = {}
    for name, prediction in predictions.items():
        measured[name] = {measure: measure(prediction, target) for measure in {m.measure for m in metrics}}
    first, counts = joint_cells([array for arrays in measured.values() for array in arrays.values()])
    scores = {name: {metric.name: np.empty(draws) for metric in metrics} for name in predictions}
    step = max(1, min(draws, BLOCK // max(len(first), 1)))
    for start in range(0, draws, step):
        rows = slice(start, min(start + step, draws))
        weights = rng.standard_gamma(counts, size=(rows.stop - rows.start, len(counts)))
        for name, arrays in measured.items():
            for metric in metrics:
                scores[name][metric.name][rows] = metric.reduce(arrays[metric.measure][first], weights)
    return scores
