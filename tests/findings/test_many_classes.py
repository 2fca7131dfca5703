"""Answers of many classes to many examples: they are read block by block and lie in files, and all numbers stay the same."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.data import cache
from weigh.findings.errors import suspects
from weigh.kinds import label
from weigh.kinds.label import LABEL, decide_class
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


def test_decisions_of_blocks_are_those_of_all(monkeypatch):
    logits, _ = answers()
    probabilities = LABEL.probabilities(logits[0])
    bias = np.zeros((N, CLASSES))
    bias[:, 3] = 2.0
    both = [decide_class(probabilities, one) for one in (0.0, bias[0], bias, np.zeros((N, 1)))]
    monkeypatch.setattr(label, "CELLS", 7 * CLASSES)
    for one, before in zip((0.0, bias[0], bias, np.zeros((N, 1))), both, strict=True):
        np.testing.assert_array_equal(decide_class(probabilities, one), before)


def test_mean_probabilities_take_no_second_copy(monkeypatch):
    logits, target = answers()
    results = make_results({"m": logits}, target, failed=[("m", 1, 0, "out of memory")])
    runs = results.out_of_fold("m")
    monkeypatch.setattr(suspects, "AT_ONCE", 20 * CLASSES)
    mean, peak = peak_of(lambda: suspects.mean_probability(runs))
    assert peak < 1.5 * COPY
    each = np.where(runs.present[..., None], LABEL.probabilities(runs.answers), np.nan)
    np.testing.assert_allclose(mean, np.nanmean(each, axis=0), rtol=1e-12)


def test_large_answers_and_probabilities_lie_in_files(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 60)
    logits = simulate_logits(rng, target, repeats=2)
    plain = make_results({"m": logits}, target).out_of_fold("m")
    expected = [plain.prediction(repeat) for repeat in range(2)]
    monkeypatch.setattr(cache, "IN_MEMORY", 100)
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path))
    runs = make_results({"m": logits}, target).out_of_fold("m")
    assert isinstance(runs.answers.base, np.memmap)
    for repeat, one in enumerate(expected):
        prediction = runs.prediction(repeat)
        assert isinstance(prediction.probabilities.base, np.memmap)
        np.testing.assert_array_equal(prediction.probabilities, one.probabilities)
        np.testing.assert_array_equal(prediction.labels, one.labels)
