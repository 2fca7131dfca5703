"""Temperature and calibration error: against scipy, a plain ECE, and simulated models of known calibration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tests.arrays import kind_of
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.stats.calibration import (
    COLDEST,
    HOTTEST,
    bin_statistics,
    calibration_error,
    expected_calibration_error,
    fit_temperature,
    mean_with_interval,
    reliability,
    scale_across_folds,
)
from weigh.stats.resampling import draw_weights, make_units


def calibrated_pool(rng, n, classes=3, spread=2.0, temperature=1.0):
    """Logits whose softmax at `temperature` is the truth: the model is `temperature` times too sure."""
    logits = rng.normal(0, spread, size=(n, classes))
    truth = LABEL.probabilities(logits)
    target = (truth.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return logits * temperature, target


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.4, 1.0, 3.0]), st.integers(2, 6))
def test_temperature_is_the_minimum_that_scipy_finds(seed, true, classes):
    from scipy.optimize import minimize_scalar

    logits, target = calibrated_pool(np.random.default_rng(seed), 400, classes, temperature=true)

    soft = np.full((400, classes), 1 / 402 / (classes - 1))
    soft[np.arange(400), target] = 401 / 402

    def loss(log_t):
        return -(soft * np.log(LABEL.probabilities(logits / np.exp(log_t)))).sum(axis=1).mean()

    found = fit_temperature(logits, target)
    best = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-10})
    assert loss(np.log(found)) <= best.fun + 1e-10
    assert found == pytest.approx(np.exp(best.x), rel=1e-4)


def test_temperature_recovers_the_planted_one_and_ignores_missing_runs():
    rng = np.random.default_rng(0)
    logits, target = calibrated_pool(rng, 20_000, temperature=2.5)
    assert fit_temperature(logits, target) == pytest.approx(2.5, rel=0.05)
    two = np.stack([logits, logits])
    two[1, :100] = 0.0
    present = np.ones((2, len(target)), dtype=bool)
    present[1, :100] = False
    assert fit_temperature(two, target, present=present) == pytest.approx(fit_temperature(logits, target), rel=0.01)
    assert fit_temperature(logits, target) == fit_temperature(logits.copy(), target.copy())


def test_temperature_of_multilabel():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, size=(5000, 4))
    target = (rng.random(logits.shape) < LABELS.probabilities(logits)).astype(np.uint8)
    assert fit_temperature(3 * logits, target) == pytest.approx(3, rel=0.06)
    assert fit_temperature(3 * logits, target, True) == fit_temperature(3 * logits, target, multilabel=True)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        (np.array([[0.01, 0.0], [0.0, 0.01]]), COLDEST),  # never wrong, and hardly said so
        (np.array([[0.0, 9.0], [9.0, 0.0]]), HOTTEST),  # always wrong
        (np.zeros((2, 2)), 1.0),
    ],
)
def test_temperature_where_there_is_nothing_to_fit(logits, expected):
    assert fit_temperature(logits, np.array([0, 1])) == expected
    assert fit_temperature(logits, np.array([0, 1]), present=np.zeros(2, dtype=bool)) == 1.0


def test_extreme_logits_do_not_overflow():
    rng = np.random.default_rng(2)
    logits, target = calibrated_pool(rng, 200)
    with np.errstate(over="raise", invalid="raise"):
        assert COLDEST <= fit_temperature(logits * 1e4, target) <= HOTTEST


def test_fold_is_scaled_by_the_other_folds_only():
    rng = np.random.default_rng(3)
    logits, target = calibrated_pool(rng, 300, temperature=2.0)
    fold = (np.arange(300) % 3)[None]
    first = scale_across_folds(logits[None], fold, target)
    changed = target.copy()
    changed[fold[0] == 1] = (changed[fold[0] == 1] + 1) % 3  # other labels in fold 1 …
    second = scale_across_folds(logits[None], fold, changed)
    assert second.temperatures[0, 1] == first.temperatures[0, 1]  # … cannot move its own temperature
    assert second.temperatures[0, 0] != first.temperatures[0, 0]
    np.testing.assert_allclose(first.logits[0, 0] * first.temperatures[0, 0], logits[0])


def plain_ece(confidence, right, bins=15):
    """As published: for each bin (low, high]."""
    edges, error = np.linspace(0, 1, bins + 1), 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def test_ece_equals_the_published_loop_and_torchmetrics():
    rng = np.random.default_rng(4)
    logits, target = calibrated_pool(rng, 777, 4, temperature=1.7)
    p = LABEL.probabilities(logits)
    ours = float(expected_calibration_error(bin_statistics(p, target).sum(axis=0)))
    assert ours == pytest.approx(plain_ece(p.max(axis=1), p.argmax(axis=1) == target))
    torch = pytest.importorskip("torch")
    from torchmetrics.functional.classification import multiclass_calibration_error

    theirs = multiclass_calibration_error(torch.tensor(p), torch.tensor(target), num_classes=4, n_bins=15)
    assert ours == pytest.approx(float(theirs), abs=1e-6)


def test_never_wrong_is_not_certain():
    target = np.arange(40) % 2
    logits = np.eye(2)[target] * 9.0
    p = LABEL.probabilities(logits / fit_temperature(logits, target))
    assert p.max() == pytest.approx(41 / 42, abs=1e-6)


def estimate_of(rng, logits, target, groups=None):
    statistics = bin_statistics(LABEL.probabilities(logits), target)[None]
    units = make_units(kind_of(target), target, groups)
    return calibration_error(statistics, draw_weights(rng, units, 300), units=units)


@pytest.mark.parametrize(
    ("n", "classes", "spread"),
    [(100, 2, 2.0), (300, 10, 1.0), pytest.param(300, 3, 2.0, marks=pytest.mark.thorough), pytest.param(1000, 2, 4.0, marks=pytest.mark.thorough)],
)  # fmt: skip
def test_calibrated_model_has_an_interval_down_to_zero_and_less_bias(n, classes, spread):
    raw, debiased, reaches_zero, studies = [], [], 0, 120
    for seed in range(studies):
        rng = np.random.default_rng([6, seed])
        logits, target = calibrated_pool(rng, n, classes, spread)
        estimate = estimate_of(rng, logits, target)
        raw.append(float(expected_calibration_error(bin_statistics(LABEL.probabilities(logits), target).sum(axis=0))))
        debiased.append(estimate.value)
        reaches_zero += estimate.low == 0
    assert reaches_zero >= binom.ppf(0.01, studies, 0.95)
    assert np.mean(debiased) < 0.45 * np.mean(raw)


@pytest.mark.parametrize(
    ("n", "classes", "temperature"),
    [(300, 2, 1.5), pytest.param(1000, 3, 1.5, marks=pytest.mark.thorough), (1000, 10, 2.0)],
)
def test_debiased_value_is_nearer_the_truth_than_the_published_one(n, classes, temperature):
    logits, _ = calibrated_pool(np.random.default_rng(11), 200_000, classes, 2.0, temperature)
    sure, true = LABEL.probabilities(logits), LABEL.probabilities(logits / temperature)
    chosen = sure.argmax(axis=1)
    truth = np.abs(sure.max(axis=1) - true[np.arange(len(true)), chosen]).mean()
    raw, debiased, covered, studies = [], [], 0, 80
    for seed in range(studies):
        rng = np.random.default_rng([12, seed])
        logits, target = calibrated_pool(rng, n, classes, 2.0, temperature)
        estimate = estimate_of(rng, logits, target)
        raw.append(float(expected_calibration_error(bin_statistics(LABEL.probabilities(logits), target).sum(axis=0))))
        debiased.append(estimate.value)
        covered += estimate.covers(truth)
    assert abs(np.mean(debiased) - truth) < max(abs(np.mean(raw) - truth), 0.06 * truth)
    assert covered >= binom.ppf(0.01, studies, 0.95)


def test_interval_covers_the_true_error_of_an_overconfident_model():
    rng = np.random.default_rng(7)
    logits, _ = calibrated_pool(rng, 200_000, temperature=2.0)
    sure, true = LABEL.probabilities(logits), LABEL.probabilities(logits / 2)
    chosen = sure.argmax(axis=1)
    truth = np.abs(sure.max(axis=1) - true[np.arange(len(true)), chosen]).mean()
    covered = 0
    for seed in range(80):
        rng = np.random.default_rng([8, seed])
        logits, target = calibrated_pool(rng, 500, temperature=2.0)
        estimate = estimate_of(rng, logits, target)
        covered += estimate.covers(truth)
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.low > 0
    assert covered >= 70  # nominal 76 of 80


def test_copies_in_groups_do_not_make_it_surer():
    rng = np.random.default_rng(9)
    logits, target = calibrated_pool(rng, 150, temperature=1.5)
    copies = np.repeat(np.arange(150), 6)
    alone = estimate_of(np.random.default_rng(0), logits, target)
    naive = estimate_of(np.random.default_rng(0), logits[copies], target[copies])
    grouped = estimate_of(np.random.default_rng(0), logits[copies], target[copies], groups=copies)
    assert grouped.high - grouped.low > 1.5 * (naive.high - naive.low)
    assert grouped.high == pytest.approx(alone.high, abs=0.02)


def test_reliability_and_mean():
    rng = np.random.default_rng(10)
    logits, target = calibrated_pool(rng, 100)
    statistics = bin_statistics(LABEL.probabilities(logits), target)
    bars = reliability(np.stack([statistics, statistics]))
    assert sum(bar.n for bar in bars) == pytest.approx(100)
    assert all(0 <= bar.accuracy <= 1 and 0 <= bar.confidence <= 1 for bar in bars)
    values = rng.random(100)
    estimate = mean_with_interval(values, draw_weights(rng, make_units(kind_of(target), target), 500))
    assert estimate.low < values.mean() < estimate.high
    assert estimate.value == pytest.approx(values.mean())


@pytest.mark.parametrize(
    ("classes", "spread", "temperature"),
    [(2, 1.0, 1.3), (2, 2.0, 1.15), (10, 1.5, 1.2), (3, 2.0, 0.8)],
    ids=["a little too sure", "hardly too sure", "ten classes", "too unsure"],
)
def test_a_small_error_is_not_made_larger(classes, spread, temperature):
    """Noise in the bins adds to the error that is seen: the truth used to lie below the interval, hardly ever above."""
    rng = np.random.default_rng(11)
    logits, _ = calibrated_pool(rng, 200_000, classes, spread, temperature)
    stated, true = LABEL.probabilities(logits), LABEL.probabilities(logits / temperature)
    sure, chosen = stated.max(axis=1), stated.argmax(axis=1)
    place = np.ceil(sure * 15).astype(int)
    truth = np.abs(np.bincount(place, sure - true[np.arange(len(true)), chosen])).sum() / len(true)
    below = above = 0
    for seed in range(100):
        rng = np.random.default_rng([12, seed])
        logits, target = calibrated_pool(rng, 200, classes, spread, temperature)
        estimate = estimate_of(rng, logits, target)
        below, above = below + (truth < estimate.low), above + (truth > estimate.high)
    assert below <= 7
    assert below + above <= 12


@pytest.mark.parametrize("n", [100, 150, 400])
@pytest.mark.parametrize("confidence", [0.98, 0.99, 0.998])
def test_where_nothing_went_wrong_the_error_may_still_be_what_rare_errors_amount_to(n, confidence):
    """A model that is too sure by two points has no error at all in many a small sample; the gaps seen are then next to nothing."""
    logits = np.tile(np.log([1 - confidence, confidence]), (n, 1))
    rare = 1.96**2 / (n + 1.96**2)  # what Wilson's interval leaves to errors that have not been seen
    found = estimate_of(np.random.default_rng(1), logits, np.ones(n, int))
    assert found.high >= confidence - (1 - rare) - 1e-3
