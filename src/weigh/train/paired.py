"""Two answers to the same examples: which scores better, and is that more than chance? For choices inside the training folds.

A normal approximation from the influence of every example on the primary metric; conclusions of a study are drawn by `stats/`, not by this.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from weigh.metrics.base import Metric

__all__ = ["CLEARLY", "clearly_better", "rise_of"]

CLEARLY = 1.645  # 95 % of a normal distribution: where nothing has changed, one in twenty looks so much better


class Rise(NamedTuple):
    """How much better the one scores than the other, in the unit of the metric (positive: better), and the standard error of that."""

    value: float
    error: float


def rise_of(metric: Metric, after: np.ndarray, before: np.ndarray) -> Rise:
    """How much better `after` is than `before`.

    Args:
        after, before: `(n, …)` statistics of the same examples in the same order, as `metric.measure` gives them.
    """
    weights = np.ones(len(after))
    value = float(metric.reduce(after, weights) - metric.reduce(before, weights))
    moved = metric.influence_on(after) - metric.influence_on(before)
    return Rise(value if metric.greater_is_better else -value, float(np.sqrt((moved**2).sum())))


def clearly_better(metric: Metric, after: np.ndarray, before: np.ndarray) -> bool:
    """Whether a score rose by more than `CLEARLY` standard errors of the difference."""
    rise = rise_of(metric, after, before)
    return rise.value > CLEARLY * rise.error
