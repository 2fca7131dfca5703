"""From what a run left behind to a `Prediction`: the one place that knows how outputs of each kind of target are read."""

from __future__ import annotations

import numpy as np

from weigh.metrics.base import Prediction, decide

__all__ = ["is_classes", "prediction_of", "probabilities"]


def is_classes(target: np.ndarray) -> bool:
    """Whether targets are classes, one or several per example (and not numbers or spans)."""
    return target.dtype.kind in "iub"


def probabilities(logits: np.ndarray, *, multilabel: bool = False) -> np.ndarray:
    """Softmax over the last axis, or a sigmoid each for multi-label, in float64."""
    logits = logits.astype(np.float64)
    if multilabel:
        return 0.5 * (1 + np.tanh(logits / 2))
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def prediction_of(outputs: np.ndarray, target: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
    """Probabilities and decisions of `(n, k)` outputs for targets of this kind."""
    if target.dtype.kind == "f":
        return Prediction(outputs.astype(np.float64), outputs[:, 0].astype(np.float64))
    found = probabilities(outputs, multilabel=target.ndim == 2)
    return Prediction(found, decide(found, bias, multilabel=target.ndim == 2))
