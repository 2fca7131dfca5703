"""From what a run left behind to a `Prediction`: the one place that knows how outputs of each kind of target are read."""

from __future__ import annotations

import numpy as np

from weigh.data.examples import Kind
from weigh.data.tags import decode_codes, unpack_tags
from weigh.metrics.base import Prediction, decide

__all__ = ["predict", "probabilities"]


def predict(logits: np.ndarray, kind: Kind, bias: np.ndarray | float = 0.0) -> Prediction:
    """What a run left of `n` examples, as what it says about them.

    Args:
        logits: `(n, k)`, as `OutOfFold.logits` of one repeat.
        bias: Added to the log probabilities of classes before deciding.
    """
    if kind == "number":
        values = logits.astype(np.float64)
        return Prediction(values, values[:, 0])
    if kind == "spans":
        tags = unpack_tags(logits)
        return Prediction(np.exp(tags.log_probabilities.sum(axis=1, keepdims=True)), decode_codes(tags.codes))
    probability = probabilities(logits, multilabel=kind == "labels")
    return Prediction(probability, decide(probability, bias, multilabel=kind == "labels"))


def probabilities(logits: np.ndarray, *, multilabel: bool = False) -> np.ndarray:
    """Softmax over the last axis, or a sigmoid each for multi-label, in float64."""
    logits = logits.astype(np.float64)
    if multilabel:
        return 0.5 * (1 + np.tanh(logits / 2))
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
