"""The decision: from probabilities to a label where classes are unbalanced. Chosen inside the training folds only.

For the mean recall of the classes (balanced accuracy) the best decision divides each probability by the class's
frequency (Menon et al. 2013); nothing is tuned. Where the loss weighed the classes alike already (`class_weights: balanced`), that
is the most probable class. For F1 of two classes the threshold is the one that is best on inner out-of-fold predictions; a network
has the validation part for that, and its refit, which has none, takes the mean of what the cross-validation chose.
All other metrics keep the most probable class. The result is a bias per class, added to the log probabilities (`kinds.label.decide_class`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from weigh.data.examples import Examples
from weigh.kinds.base import Kind, Prediction
from weigh.kinds.label import decide_class
from weigh.metrics.base import METRICS

__all__ = ["Decision", "choose_bias", "choose_decision", "score_training"]

UNBALANCED = 1.5  # ratio of the largest to the smallest class
BIAS = "bias"  # name of the threshold in `Run.settled`: what is added for the second of two classes


class Decision(NamedTuple):
    """How a network decides.

    Attributes:
        bias: As from `choose_bias`.
        chosen: What of it was chosen on examples that took no part in training, by name; a refit takes the mean of it (`Run.settled`).
    """

    bias: list[float] | None
    chosen: dict[str, float]


def choose_bias(
    kind: Kind,
    decision: str,
    primary: str,
    target: np.ndarray,
    inner: np.ndarray | None,
    classes: int,
    *,
    weighed: bool = False,
) -> list[float] | None:
    """One number per class, or None for the most probable class.

    Args:
        decision: "auto", "argmax" or "threshold".
        target: `(n,)` of the training part; multi-label targets keep the most probable.
        inner: `(n, classes)` inner out-of-fold probabilities of the training part, or None.
        weighed: The loss weighed rare classes as much as frequent ones (`class_weights: balanced`): its probabilities are those of classes that are
            equally frequent, so "auto" does not divide them by the frequencies once more.
    """
    if decision == "argmax" or not kind.exclusive:
        return None
    counts = np.bincount(target, minlength=classes).astype(np.float64)
    present = counts > 0
    if decision == "auto" and counts[present].max() < UNBALANCED * counts[present].min():
        return None
    if primary.startswith("f1") and classes == 2 and inner is not None:
        metric = METRICS.get(primary)
        odds = np.log(np.clip(inner[:, 1], 1e-12, 1)) - np.log(np.clip(inner[:, 0], 1e-12, 1))
        options = [0.0, *(-np.quantile(odds, np.linspace(0.02, 0.98, 49)))]
        scores = [
            metric.score(Prediction(inner, decide_class(inner, np.array([0.0, bias]))), target) for bias in options
        ]
        best = options[int(np.nanargmax(scores))]
        return [0.0, round(float(best), 6)] if best else None
    if decision == "auto" and (weighed or primary != "balanced_accuracy"):
        return None
    bias = -np.log(np.where(present, counts, counts.sum()) / counts.sum())
    bias[present] -= bias[present].mean()
    return [round(float(b), 6) for b in bias]


def choose_decision(
    kind: Kind,
    decision: str,
    primary: str,
    target: np.ndarray,
    classes: int,
    unseen: Callable[[], tuple[np.ndarray, np.ndarray]] | None,
    settled: Mapping[str, float],
    *,
    weighed: bool = False,
) -> Decision:
    """The decision of a network. The saved one, a refit, decides by the mean of the thresholds that were scored.

    Args:
        decision, primary, target, classes, weighed: As of `choose_bias`.
        unseen: Recorded answers and targets of examples that took no part in training; None: all did.
        settled: What the cross-validation chose, for a refit.
    """
    tuned = kind.exclusive and decision != "argmax" and primary.startswith("f1") and classes == 2
    if tuned and unseen is not None:
        answers, target_of_unseen = unseen()
        bias = choose_bias(kind, decision, primary, target_of_unseen, kind.decide(answers).probabilities, classes)
        return Decision(bias, {BIAS: 0.0 if bias is None else bias[1]})
    if tuned and BIAS in settled:
        shift = round(settled[BIAS], 6)
        return Decision([0.0, shift] if shift else None, {BIAS: shift})
    return Decision(choose_bias(kind, decision, primary, target, None, classes, weighed=weighed), {})


def score_training(
    examples: Examples, primary: str, outputs: np.ndarray, rows: np.ndarray, bias: list[float] | None
) -> dict[str, float]:
    """Scores on the examples `rows` that were trained on: primary and accuracy, for the comparison with the out-of-fold scores."""
    kind, target = examples.kind, examples.target[rows]
    whole = examples.target[examples.where("train")]
    prediction = kind.decide(outputs, 0.0 if bias is None else np.asarray(bias))
    names = dict.fromkeys([primary, "accuracy"] if kind.probable else [primary])
    return {name: float(METRICS.get(name).within(whole).score(prediction, target)) for name in names}
