"""Weighted counts per class: what accuracy, precision, recall, F1 and the confusion matrix are made of.

The per-example statistics of all count metrics are small and the same: one row `(target, label, number of classes)`
for one label per example, or `(target bits, label bits)` for several labels. `count` turns them into weighted totals
per class for one weighting or for a thousand at once (a matrix product).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weigh.kinds.base import ClassCounts, Prediction

__all__ = ["count", "influence_of_counts", "measure_decisions", "totals"]

PAIR_LIMIT = 8
DENSE_LIMIT = 64  # above so many classes a sparse product is faster than a dense one
STEP = 1e-4  # of the numerical derivative with respect to a total, in examples
BLOCK = 256  # totals that are moved at once: bounds the memory of the derivative at many classes


def measure_decisions(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    """`(n, 3)` rows (target, label, classes); or `(n, 2 * classes)` rows (target bits, label bits) for multi-label."""
    if target.ndim == 2:
        return np.concatenate([target, prediction.labels], axis=1).astype(np.float64)
    classes = prediction.probabilities.shape[1]
    return np.stack([target, prediction.labels, np.full(len(target), classes)], axis=1).astype(np.float64)


def count(statistics: np.ndarray, weights: np.ndarray) -> ClassCounts:
    """Totals per class for weights `(n,)` or `(b, n)`."""
    if statistics.shape[1] != 3:  # an even number of columns: multi-label
        classes = statistics.shape[1] // 2
        target, label = statistics[:, :classes], statistics[:, classes:]
        return ClassCounts(weights @ (target * label), weights @ label, weights @ target)
    classes = int(statistics[0, 2]) if len(statistics) else 0
    target, label = statistics[:, 0].astype(np.int64), statistics[:, 1].astype(np.int64)
    if classes <= PAIR_LIMIT:  # one product with all pairs (target, label) reads the weights only once
        cells = totals(weights, target * classes + label, classes * classes)
        cells = cells.reshape(*cells.shape[:-1], classes, classes)
        return ClassCounts(np.einsum("...cc->...c", cells), cells.sum(axis=-2), cells.sum(axis=-1))
    right = target == label
    return ClassCounts(
        totals(weights, np.where(right, target, classes), classes + 1)[..., :classes],
        totals(weights, label, classes),
        totals(weights, target, classes),
    )


def totals(weights: np.ndarray, codes: np.ndarray, classes: int) -> np.ndarray:
    """Sum of weights per code: `(n,)` or `(b, n)` weights and `(n,)` codes give `(classes,)` or `(b, classes)`."""
    if weights.ndim == 1:
        return np.bincount(codes, weights=weights, minlength=classes)
    if classes <= DENSE_LIMIT:
        onehot = np.zeros((len(codes), classes))
        onehot[np.arange(len(codes)), codes] = 1.0
        return weights @ onehot
    from scipy.sparse import csr_array

    onehot = csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(classes, len(codes)))
    return (onehot @ weights.T).T


def influence_of_counts(score: Callable[[ClassCounts], np.ndarray], statistics: np.ndarray) -> np.ndarray:
    """Derivative of `score(count(statistics, weights))` with respect to each weight, where all weights are 1: `(n,)`.

    The score is differentiated with respect to the 3 x classes totals (central differences), and every example moves
    the totals that it is part of.
    """
    counts = count(statistics, np.ones(len(statistics)))
    flat = np.concatenate(counts)
    classes = len(counts.hit)
    gradient = np.zeros(len(flat))
    for start in range(0, len(flat), BLOCK):
        moved = np.arange(start, min(start + BLOCK, len(flat)))
        ends = []
        for step in (STEP, -STEP):
            totals_ = np.tile(flat, (len(moved), 1))
            totals_[np.arange(len(moved)), moved] += step
            ends.append(score(ClassCounts(*np.split(totals_, 3, axis=1))))
        gradient[moved] = (ends[0] - ends[1]) / (2 * STEP)
    of_hit, of_predicted, of_actual = gradient.reshape(3, classes)
    if statistics.shape[1] != 3:
        target, label = statistics[:, :classes], statistics[:, classes:]
        return (target * label) @ of_hit + label @ of_predicted + target @ of_actual
    target, label = statistics[:, 0].astype(np.int64), statistics[:, 1].astype(np.int64)
    return np.where(target == label, of_hit[target], 0.0) + of_predicted[label] + of_actual[target]
