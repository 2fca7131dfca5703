"""Shares and means that are NaN where nothing is behind them, for one weighting or many: what all metrics are made of."""

from __future__ import annotations

import numpy as np

__all__ = ["influence_on_mean", "mean_where", "share", "weighted_mean"]


def share(part: np.ndarray, whole: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """part / whole, `otherwise` where whole is not positive."""
    positive = whole > 0
    return np.where(positive, part / np.where(positive, whole, 1.0), otherwise)


def mean_where(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the values where `where` holds."""
    return share(np.where(where, values, 0.0).sum(axis=-1), where.sum(axis=-1))


def weighted_mean(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of the one column of `statistics` `(n, 1)` under weights `(n,)` or `(b, n)`."""
    return share(weights @ statistics[:, 0], weights.sum(axis=-1))


def influence_on_mean(statistics: np.ndarray) -> np.ndarray:
    """Derivative of `weighted_mean` with respect to each weight, `(n,)`, up to a constant (`Metric.influence_on` takes it off)."""
    return statistics[:, 0] / max(len(statistics), 1)
