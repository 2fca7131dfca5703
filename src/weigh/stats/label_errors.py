"""Which labels look wrong? Confident learning on out-of-fold probabilities.

Before it: probabilities that the examples' own models never saw in training. After it: `findings/errors/hardest.py` names
the pictures. A label is suspected where the model is confident of another class: its probability reaches the mean
probability that this class gets among the examples that carry its label. The threshold belongs to the class, so a
class that is generally uncertain needs less, and a model that is over-confident does not flag everything.

The flags say "look here", never "this is wrong": a hard example and a wrong label look alike to a model.

References:
    Northcutt, Jiang & Chuang (2021), Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70,
    section 3.1 (thresholds, eq. 2; confident joint, eq. 1), section 3.2 (ranking by self-confidence).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = [
    "ConfidentJoint",
    "LabelErrors",
    "average_precision",
    "confident_joint",
    "find_label_errors",
    "flags_by_chance",
]

_TIE = 1e-6  # a probability this close to a threshold reaches it: rounding must not decide


class ConfidentJoint(NamedTuple):
    """How many examples are confidently of each class, by the label they carry.

    Attributes:
        counts: `(classes, classes)` int64; `counts[given, confident]`. The diagonal is at least 1.
        share: `(classes, classes)` float64: the estimated joint distribution of given and true label; sums to 1 and
            has the given labels' frequencies as row sums.
        confident: `(n,)` int64: the class that an example is confidently of, -1 where it is of none.
        thresholds: `(classes,)` float64: what counts as confident for each class; inf for a class without examples.
    """

    counts: np.ndarray
    share: np.ndarray
    confident: np.ndarray
    thresholds: np.ndarray

    @property
    def expected_errors(self) -> float:
        """Estimated share of wrong labels, in [0, 1]: the mass off the diagonal."""
        return float(self.share.sum() - np.trace(self.share))


class LabelErrors(NamedTuple):
    """Suspected label errors.

    Attributes:
        flagged: `(n,)` bool.
        order: Indices of the flagged examples, the most suspicious first.
        self_confidence: `(n,)` float64: probability of the given label (multi-label: of the worst given value).
        suggested: `(n,)` int64: the class that the model is confident of (multi-label: the class whose value is
            doubted); where nothing is flagged, the most probable class.
        threshold: `(n,)` float64: the probability from which the model counts as confident of `suggested`.
        expected_share: Estimated share of wrong labels, in [0, 1] (multi-label: of the worst class).
    """

    flagged: np.ndarray
    order: np.ndarray
    self_confidence: np.ndarray
    suggested: np.ndarray
    threshold: np.ndarray
    expected_share: float


def confident_joint(target: np.ndarray, probabilities: np.ndarray) -> ConfidentJoint:
    """Count the examples that are confidently of each class.

    Args:
        target: `(n,)` given class indices.
        probabilities: `(n, classes)`, out of sample.
    """
    target, probabilities = np.asarray(target), np.asarray(probabilities, dtype=np.float64)
    classes = probabilities.shape[1]
    present = np.bincount(target, minlength=classes)
    thresholds = np.full(classes, np.inf)
    for c in np.flatnonzero(present):
        thresholds[c] = max(probabilities[target == c, c].mean(), 2 * _TIE)
    above = probabilities >= thresholds - _TIE
    # Confident of several classes: the most probable one. Of one: that one, even if it is not the most probable.
    confident = np.where(above.sum(axis=1) > 1, probabilities.argmax(axis=1), above.argmax(axis=1))
    confident = np.where(above.any(axis=1), confident, -1)
    counts = np.zeros((classes, classes), dtype=np.int64)
    sure = confident >= 0
    np.add.at(counts, (target[sure], confident[sure]), 1)
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))
    share = counts / counts.sum(axis=1, keepdims=True) * present[:, None] / max(len(target), 1)
    return ConfidentJoint(counts, share, confident, thresholds)


def find_label_errors(target: np.ndarray, probabilities: np.ndarray) -> LabelErrors:
    """The examples whose label the out-of-fold probabilities confidently contradict, ranked by self-confidence.

    Args:
        target: `(n,)` class indices, or `(n, classes)` zeros and ones (multi-label: each class against the rest).
        probabilities: `(n, classes)`, out of sample.

    Not for: probabilities of models that were trained on the same examples; they agree with their labels.
    """
    target, probabilities = np.asarray(target), np.asarray(probabilities, dtype=np.float64)
    if target.ndim == 2:
        return _find_in_each_class(target.astype(np.int64), probabilities)
    joint = confident_joint(target, probabilities)
    own = probabilities[np.arange(len(target)), target]
    flagged = (joint.confident >= 0) & (joint.confident != target)
    flagged &= own < probabilities.max(axis=1) - _TIE  # the given label is itself the most probable one: no doubt
    suggested = np.where(flagged, joint.confident, probabilities.argmax(axis=1))
    return LabelErrors(
        flagged, _worst_first(flagged, own), own, suggested, joint.thresholds[suggested], joint.expected_errors
    )


def _find_in_each_class(target: np.ndarray, probabilities: np.ndarray) -> LabelErrors:
    """Multi-label: one question per class, is it there or not; an example is flagged if any answer is doubted."""
    n, classes = target.shape
    flagged, own, threshold = np.zeros((n, classes), dtype=bool), np.empty((n, classes)), np.empty((n, classes))
    share = 0.0
    for c in range(classes):
        binary = np.stack([1 - probabilities[:, c], probabilities[:, c]], axis=1)
        column = find_label_errors(target[:, c], binary)
        flagged[:, c], own[:, c], threshold[:, c] = column.flagged, column.self_confidence, column.threshold
        share = max(share, column.expected_share)
    doubted = np.where(flagged.any(axis=1, keepdims=True) & ~flagged, np.inf, own)  # the worst among the flagged
    suggested, any_flagged = doubted.argmin(axis=1), np.asarray(flagged.any(axis=1))
    worst = doubted.min(axis=1)
    return LabelErrors(
        any_flagged, _worst_first(any_flagged, worst), worst, suggested, threshold[np.arange(n), suggested], share
    )


def flags_by_chance(
    probabilities: np.ndarray,
    calibrated: np.ndarray,
    *,
    multilabel: bool,
    rng: np.random.Generator,
    draws: int = 100,
    counted: np.ndarray | None = None,
) -> np.ndarray:
    """`(draws,)` how many labels would be flagged if all were right: labels drawn as `calibrated` says, judged by `probabilities`.

    Args:
        probabilities, calibrated: `(n, classes)`, as the model states them and after calibration on the given labels.
        counted: `(n,)` bool: only flags of these are counted; default: all.

    Not for: telling whether labels are wrong. Calibrated on wrong labels, a model expects to be contradicted by them.
    """
    counts = []
    cumulated = calibrated if multilabel else np.cumsum(calibrated, axis=1)
    for _ in range(draws):
        if multilabel:
            labels = (rng.random(calibrated.shape) < calibrated).astype(np.int64)
        else:
            labels = (rng.random((len(calibrated), 1)) * cumulated[:, -1:] > cumulated[:, :-1]).sum(axis=1)
        flagged = find_label_errors(labels, probabilities).flagged
        counts.append(int((flagged if counted is None else flagged & counted).sum()))
    return np.array(counts)


def _worst_first(flagged: np.ndarray, self_confidence: np.ndarray) -> np.ndarray:
    indices = np.flatnonzero(flagged)
    return indices[np.argsort(self_confidence[indices], kind="stable")]


def average_precision(wrong: np.ndarray, suspicion: np.ndarray) -> float:
    """How well a ranking finds the wrong labels: mean precision at each wrong one, ties counted together.

    Args:
        wrong: `(n,)` bool: what people found.
        suspicion: `(n,)`: greater is more suspicious.
    """
    wrong, suspicion = np.asarray(wrong, dtype=bool), np.asarray(suspicion, dtype=np.float64)
    if not wrong.any():
        return float("nan")
    order = np.argsort(-suspicion, kind="stable")
    last_of_tie = np.append(np.diff(suspicion[order]) != 0, True)
    hits = np.cumsum(wrong[order])[last_of_tie]
    looked = (np.arange(len(wrong)) + 1)[last_of_tie]
    return float(np.sum(np.diff(hits, prepend=0) / wrong.sum() * hits / looked))
