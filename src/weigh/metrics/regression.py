"""The metrics of numbers: how well predicted values go with those in the data, and how far they are off.

- `pearson` and `spearman` are reduced within each fold: the models of two folds differ in level, and a model that has learnt nothing
  predicts the mean of its training folds, which is low where the held-out mean is high. Pooled, that would be a negative correlation.
- They are NaN where all targets are the same, and 0 where all predictions are (scipy says NaN): a run that learnt nothing but the
  mean must cost its candidate something, and an undefined fold would be left out. `pearson_spearman` is GLUE's score of STS-B.
- `mse` and `mae` are in the label's own unit, where nobody but the user knows what is negligible: their region of equivalence is empty
  unless `metrics.rope` says otherwise.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from weigh.kinds.base import Prediction
from weigh.kinds.number import Number
from weigh.language import text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.shares import influence_on_mean, weighted_mean

__all__: list[str] = []

CONSTANT = 1e-12  # spread over size below which values are taken to be all the same: rounding


def _measure_pair(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    """`(n, 2)` rows (target, value)."""
    return np.stack([target, prediction.labels], axis=1).astype(np.float64)


def _measure_square(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    return np.square(prediction.labels - target)[:, None].astype(np.float64)


def _measure_distance(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    return np.abs(prediction.labels - target)[:, None].astype(np.float64)


def _correlation(target: np.ndarray, value: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted correlation, `(n,)` or `(b, n)` each, for weights `(b, n)`: `(b,)`."""
    total = weights.sum(axis=1, keepdims=True)
    shares = weights / np.where(total > 0, total, 1.0)
    parts = []
    for values in (target, value):
        size = np.abs(values).max(axis=-1, initial=0.0)
        centred = values - (shares * values).sum(axis=1, keepdims=True)
        spread = np.sqrt((shares * np.square(centred)).sum(axis=1))
        parts.append((centred, spread, spread > CONSTANT * size))
    (a, sd_a, defined), (b, sd_b, varied) = parts
    together = (shares * a * b).sum(axis=1) / np.where(defined & varied, sd_a * sd_b, 1.0)
    return np.where(defined, np.where(varied, np.clip(together, -1.0, 1.0), 0.0), np.nan)


def _mid_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`(b, n)` weight below each value plus half the weight at it: average ranks, where weights are copies, less one half."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    below, upto = (np.searchsorted(ranked, values, side) for side in ("left", "right"))
    cumulated = np.zeros((len(weights), len(values) + 1))
    np.cumsum(weights[:, order], axis=1, out=cumulated[:, 1:])
    return (cumulated[:, below] + cumulated[:, upto]) / 2


def _reduce_pearson(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    correlations = _correlation(statistics[:, 0], statistics[:, 1], np.atleast_2d(weights))
    return correlations[0] if weights.ndim == 1 else correlations


def _reduce_spearman(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rows = np.atleast_2d(weights)
    target, value = (_mid_ranks(column, rows) for column in statistics.T)
    correlations = _correlation(target, value, rows)
    return correlations[0] if weights.ndim == 1 else correlations


def _reduce_both(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (_reduce_pearson(statistics, weights) + _reduce_spearman(statistics, weights)) / 2


def _standard(values: np.ndarray) -> np.ndarray | None:
    centred = values - values.mean()
    spread = centred.std()
    return centred / spread if spread > CONSTANT * np.abs(values).max(initial=0.0) else None


def _influence_pearson(statistics: np.ndarray) -> np.ndarray:
    """Devlin, Gnanadesikan & Kettenring (1975)."""
    x, y = (_standard(column) for column in statistics.T) if len(statistics) else (None, None)
    if x is None or y is None:  # undefined; or a constant answer, which no weight moves
        return np.full(len(statistics), np.nan if x is None else 0.0)
    return (x * y - (x * y).mean() * (x * x + y * y) / 2) / len(x)


def _influence_spearman(statistics: np.ndarray) -> np.ndarray:
    """That of Pearson's correlation of the ranks, and that of an example on the ranks of all above it. O(n log n)."""
    ones = np.ones((1, len(statistics)))
    ranks = np.stack([_mid_ranks(column, ones)[0] for column in statistics.T], axis=1)
    values = _influence_pearson(ranks)
    if not len(values) or np.isnan(values).any() or not ranks.std(axis=0).all():
        return values
    scaled = (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)
    r = (scaled[:, 0] * scaled[:, 1]).mean()
    for own, other in ((0, 1), (1, 0)):
        slope = (scaled[:, other] - r * scaled[:, own]) / ranks[:, own].std() / len(values)  # of r in each rank
        order = np.argsort(statistics[:, own], kind="stable")
        ranked = statistics[order, own]
        after = np.append(np.cumsum(slope[order][::-1])[::-1], 0.0)  # sum of the slopes from a place on
        first, behind = (np.searchsorted(ranked, statistics[:, own], side) for side in ("left", "right"))
        values = values + (after[first] + after[behind]) / 2  # ties count half
    return values


def _influence_both(statistics: np.ndarray) -> np.ndarray:
    return (_influence_pearson(statistics) + _influence_spearman(statistics)) / 2


def _register(
    name: str,
    en: str,
    zh: str,
    measure,
    reduce,
    influence,
    *,
    unit: Literal["score", "squared label units", "label units"] = "score",
) -> None:
    correlation = unit == "score"
    METRICS.register(
        name,
        Metric(
            name=name,
            title=text(en, zh),
            pooling="rank" if correlation else "count",
            greater_is_better=correlation,
            measure=measure,
            reduce=reduce,
            rope=0.01 if correlation else 0.0,
            unit=unit,
            lowest=-1.0 if correlation else 0.0,
            kinds=frozenset({Number.name}),
            linear=not correlation,
            influence=influence,
        ),
    )


_register("pearson", "Pearson correlation", "皮尔逊相关系数", _measure_pair, _reduce_pearson, _influence_pearson)
_register("spearman", "Spearman correlation", "斯皮尔曼相关系数", _measure_pair, _reduce_spearman, _influence_spearman)
_register(
    "pearson_spearman",
    "mean of Pearson and Spearman correlation",
    "皮尔逊与斯皮尔曼相关系数的均值",
    _measure_pair,
    _reduce_both,
    _influence_both,
)
_register(
    "mse",
    "mean squared error",
    "均方误差",
    _measure_square,
    weighted_mean,
    influence_on_mean,
    unit="squared label units",
)
_register(
    "mae",
    "mean absolute error",
    "平均绝对误差",
    _measure_distance,
    weighted_mean,
    influence_on_mean,
    unit="label units",
)
