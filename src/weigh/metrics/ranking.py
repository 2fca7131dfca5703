"""AUROC and average precision for any weights: sort once, then cumulative sums for a thousand weightings at once.

Two classes: the last class is the positive one (whoever reads the data puts it last). More classes: each class
against the rest, plain mean over the classes that are defined (a class with neither weight in it nor outside of it
is left out; if none is defined, NaN). Several labels per example: the mean over the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from weigh.kinds.base import Prediction
from weigh.metrics.parts import Parts
from weigh.metrics.shares import share

__all__ = [
    "area_under_roc",
    "average_precision",
    "influence_on_precision",
    "influence_on_roc",
    "measure_scores",
    "parts_of_precision",
    "parts_of_roc",
]

CELLS = 2_000_000  # weightings times examples that are summed at a time


def measure_scores(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    """`(n, 2 * c)` rows (membership bits, scores); c = 1 for two classes, otherwise the number of classes or labels."""
    scores = prediction.probabilities
    if target.ndim == 2:
        member = target
    elif scores.shape[1] == 2:
        member, scores = (target == 1)[:, None], scores[:, 1:]
    else:
        member = target[:, None] == np.arange(scores.shape[1])
    return np.concatenate([member, scores], axis=1, dtype=np.float64)


def area_under_roc(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted probability that a positive example scores above a negative one, ties counting half."""
    return _mean_over_columns(statistics, weights, _roc_column)


def average_precision(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over distinct scores of precision times gain in recall (no interpolation), as scikit-learn defines it."""
    return _mean_over_columns(statistics, weights, _precision_column)


def _mean_over_columns(
    statistics: np.ndarray, weights: np.ndarray, column: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    columns = statistics.shape[1] // 2
    rows = np.atleast_2d(weights)
    stacked = np.full((max(columns, 1), len(rows)), np.nan)
    step = max(1, CELLS // max(len(statistics), 1))
    for c in range(columns):
        for start in range(0, len(rows), step):
            block = slice(start, start + step)
            stacked[c, block] = column(statistics[:, c] > 0, statistics[:, columns + c], rows[block])
    defined = ~np.isnan(stacked)
    sums, counts = np.where(defined, stacked, 0.0).sum(axis=0), defined.sum(axis=0)
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return mean[0] if weights.ndim == 1 else mean


def _roc_column(member: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    positive, negative = np.flatnonzero(member), np.flatnonzero(~member)
    negative = negative[np.argsort(scores[negative], kind="stable")]
    below = np.searchsorted(scores[negative], scores[positive], side="left")
    upto = np.searchsorted(scores[negative], scores[positive], side="right")
    cumulated = np.zeros((len(weights), len(negative) + 1))
    np.cumsum(weights[:, negative], axis=1, out=cumulated[:, 1:])
    won = np.take(cumulated, below, axis=1)
    won += np.take(cumulated, upto, axis=1)
    of_positive = weights[:, positive]
    total = of_positive.sum(axis=1) * cumulated[:, -1]
    area = 0.5 * np.einsum("bn,bn->b", of_positive, won)
    return np.where(total > 0, area / np.where(total > 0, total, 1.0), np.nan)


def _precision_column(member: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], [True] * bool(len(ranked))))  # end of each tie
    everything = np.cumsum(weights[:, order], axis=1)[:, last]
    hits = np.cumsum(weights[:, order] * member[order], axis=1)[:, last]
    if not hits.shape[1]:
        return np.full(len(weights), np.nan)
    gained = np.diff(hits, axis=1, prepend=0.0)
    precision = np.where(everything > 0, hits / np.where(everything > 0, everything, 1.0), 0.0)
    total = hits[:, -1]
    return np.where(total > 0, (precision * gained).sum(axis=1) / np.where(total > 0, total, 1.0), np.nan)


def influence_on_roc(statistics: np.ndarray) -> np.ndarray:
    """Derivative of the AUROC with respect to each example's weight at unit weights, `(n,)`.

    A positive example counts by the share of negatives below it, a negative one by the share of positives above it
    (DeLong, DeLong & Clarke-Pearson 1988), each less the area itself. O(n log n).
    """
    return _mean_influence(statistics, _roc_influence)


def influence_on_precision(statistics: np.ndarray) -> np.ndarray:
    """Derivative of the average precision with respect to each example's weight at unit weights, `(n,)`."""
    return _mean_influence(statistics, _precision_influence)


def _mean_influence(
    statistics: np.ndarray, column: Callable[[np.ndarray, np.ndarray], np.ndarray | None]
) -> np.ndarray:
    columns = statistics.shape[1] // 2
    influences = [column(statistics[:, c] > 0, statistics[:, columns + c]) for c in range(columns)]
    defined = [values for values in influences if values is not None]
    return np.mean(defined, axis=0) if defined else np.full(len(statistics), np.nan)


def parts_of_roc(statistics: np.ndarray) -> Parts:
    """The areas of the columns, each among its positive and negative examples."""
    return _parts_of_columns(statistics, _roc_column, "area")


def parts_of_precision(statistics: np.ndarray) -> Parts:
    """The average precision of the columns, each among its positive examples.

    A positive example is among those that its own precision is taken over: with few of them that is too good. Without
    it the average is too low; the truth lies between.
    """
    parts = _parts_of_columns(statistics, _precision_column, "precision")
    columns = statistics.shape[1] // 2
    without = [_precision_of_others(m > 0, s) for m, s in zip(*np.split(statistics.T, 2), strict=True)]
    return replace(parts, optimism=np.maximum(parts.share - np.array(without[:columns]), 0.0))


def _precision_of_others(member: np.ndarray, scores: np.ndarray) -> float:
    """Average precision in which no positive example counts itself; 1 where nothing else is ranked so high."""
    positive, negative = np.sort(scores[member]), np.sort(scores[~member])
    if not len(positive):
        return 0.0
    others = len(positive) - np.searchsorted(positive, positive, "left") - 1.0
    everything = others + len(negative) - np.searchsorted(negative, positive, "left")
    return float(share(others, everything, otherwise=1.0).mean())


def _parts_of_columns(statistics: np.ndarray, column: Callable, form: Literal["precision", "area"]) -> Parts:
    columns, ones = statistics.shape[1] // 2, np.ones((1, len(statistics)))
    scores = np.array([float(column(m > 0, s, ones)[0]) for m, s in zip(*np.split(statistics.T, 2), strict=True)])
    positives = (statistics[:, :columns] > 0).sum(axis=0).astype(np.float64)
    defined = ~np.isnan(scores)
    weight = defined / max(int(defined.sum()), 1)
    return Parts(weight, np.where(defined, scores, 0.0), positives, len(statistics) - positives, form=form)


def _roc_influence(member: np.ndarray, scores: np.ndarray) -> np.ndarray | None:
    positive, negative = np.sort(scores[member]), np.sort(scores[~member])
    if not len(positive) or not len(negative):
        return None

    def share_below(values: np.ndarray, of: np.ndarray) -> np.ndarray:
        return (np.searchsorted(of, values, "left") + np.searchsorted(of, values, "right")) / (2 * len(of))

    placement = np.empty(len(scores))
    placement[member] = share_below(scores[member], negative)
    placement[~member] = 1 - share_below(scores[~member], positive)
    area = placement[member].mean()
    return (placement - area) / np.where(member, len(positive), len(negative))


def _precision_influence(member: np.ndarray, scores: np.ndarray) -> np.ndarray | None:
    total = int(member.sum())
    if not total:
        return None
    order = np.argsort(-scores, kind="stable")
    ranked, hit = scores[order], member[order].astype(np.float64)
    tie = np.cumsum(np.append(True, ranked[1:] != ranked[:-1])) - 1  # which distinct score each example has
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    everything, hits = (last + 1).astype(np.float64), np.cumsum(hit)[last]
    gained = np.diff(hits, prepend=0.0)
    precision = hits / everything
    # AP = sum over ties of precision * gained / total. An example in tie t raises `hits` (if positive) and
    # `everything` of t and all later ties, and `gained` of t and `total` if it is positive.
    later_hits = np.cumsum((gained / everything)[::-1])[::-1]
    later_all = np.cumsum((gained * hits / everything**2)[::-1])[::-1]
    average = float((precision * gained).sum() / total)
    values = np.empty(len(scores))
    values[order] = (hit * (later_hits[tie] + precision[tie] - average) - later_all[tie]) / total
    return values
