"""Answers of many classes to many examples: they are read block by block, and all numbers stay the same."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tests.findings.synthetic import make_results, simulate_logits
from weigh.findings.errors import suspects
from weigh.kinds.label import LABEL
from weigh.stats import calibration
from weigh.stats.calibration import fit_temperature

N, CLASSES = 600, 500
COPY = N * CLASSES * 8  # bytes of all answers in double precision


def answers():
    rng = np.random.default_rng(0)
    target = np.arange(N) % CLASSES
    return simulate_logits(rng, target, separation=4.0, classes=CLASSES, repeats=2), target


def peak_of(compute):
    """The result of `compute()`, and how many bytes it took at most."""
    tracemalloc.start()
    try:
        result = compute()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_temperature_of_blocks_is_that_of_all(monkeypatch, multilabel):
    logits, target = answers()
    present = np.random.default_rng(1).random(logits.shape[:2]) < 0.8
    given = (target[:, None] == np.arange(CLASSES)).astype(np.uint8) if multilabel else target
    whole = fit_temperature(logits, given, present=present)
    monkeypatch.setattr(calibration, "CELLS", 20 * CLASSES)
    blocks, peak = peak_of(lambda: fit_temperature(logits, given, present=present))
    assert blocks == pytest.approx(whole, rel=1e-6)
    assert peak < COPY / 2


def test_mean_probabilities_take_no_second_copy(monkeypatch):
    logits, target = answers()
    results = make_results({"m": logits}, target, failed=[("m", 1, 0, "out of memory")])
    runs = results.out_of_fold("m")
    monkeypatch.setattr(suspects, "AT_ONCE", 20 * CLASSES)
    mean, peak = peak_of(lambda: suspects.mean_probability(runs))
    assert peak < 1.5 * COPY
    each = np.where(runs.present[..., None], LABEL.probabilities(runs.answers), np.nan)
    np.testing.assert_allclose(mean, np.nanmean(each, axis=0), rtol=1e-12)
