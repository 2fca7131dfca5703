"""Balanced accuracy of several labels: no constant answer and no coin scores better than one half."""

import numpy as np
import pytest

from weigh.kinds.base import KINDS, Prediction
from weigh.metrics.base import METRICS


@pytest.mark.parametrize("answer", ["all", "none", "coin", "most frequent"])
def test_what_looks_at_nothing_scores_one_half(answer):
    rng = np.random.default_rng(0)
    target = (rng.random((4000, 4)) < [0.1, 0.5, 0.55, 0.9]).astype(np.uint8)
    labels = {"all": np.ones_like(target), "none": np.zeros_like(target), "coin": rng.integers(0, 2, target.shape)}
    prediction = Prediction(np.full(target.shape, 0.5), labels.get(answer, target).astype(np.int64))
    if answer == "most frequent":
        prediction = KINDS.get("labels").blind(target, 4).prediction
    assert METRICS.get("balanced_accuracy").score(prediction, target) == pytest.approx(0.5, abs=0.02)


def test_every_label_counts_alike_there_and_not_there():
    target = np.array([[1, 0], [1, 0], [1, 1], [0, 1]], np.uint8)
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 1]])
    score = METRICS.get("balanced_accuracy").score(Prediction(np.full((4, 2), 0.5), labels), target)
    assert score == pytest.approx(np.mean([2 / 3, 1, 1 / 2, 1]))
