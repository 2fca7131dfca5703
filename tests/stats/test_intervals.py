"""Intervals of scores: the analytic answers where there are any, coverage, the ends of the scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tests.arrays import kind_of
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.stats.interval import quantile, sampling_variance, score_estimate, share_estimate
from weigh.stats.resampling import draw_weights, make_units, resample


def one_part(rng, n, separation=1.5, metric="accuracy"):
    target = simulate_target(rng, n)
    results = make_results(
        {"a": simulate_logits(rng, target)},
        target,
        test={"a": simulate_logits(rng, target, separation=separation)[0]},
        test_target=target,
    )
    return measure_design(METRICS.get(metric), results.test("a")), target


def test_the_standard_error_of_accuracy_is_the_textbooks():
    rng = np.random.default_rng(0)
    measured, target = one_part(rng, 400)
    units = make_units(kind_of(target), target)
    found = sampling_variance(resample(measured, draw_weights(rng, units, 4000), units), units, "these_models")
    p = measured.score().overall
    assert found.standard_error == pytest.approx(np.sqrt(p * (1 - p) / 399), rel=0.05)


def test_the_standard_error_of_auroc_is_de_longs():
    rng = np.random.default_rng(0)
    measured, target = one_part(rng, 300, metric="auroc")
    units = make_units(kind_of(target), target)
    found = sampling_variance(resample(measured, draw_weights(rng, units, 4000), units), units, "these_models")
    scores = measured.statistics[0][:, 1]
    positive, negative = scores[target == 1], scores[target == 0]
    wins = (positive[:, None] > negative).astype(float)
    delong = np.sqrt(wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative))
    assert found.standard_error == pytest.approx(delong, rel=0.06)


def test_intervals_of_trained_models_cover():
    covered, studies = 0, 250
    rng = np.random.default_rng(3)
    truth = one_part(np.random.default_rng(9), 60_000, 1.8)[0].score().overall
    for _ in range(studies):
        measured, target = one_part(rng, 80, 1.8)
        found = score_estimate(measured, make_units(kind_of(target), target), claim="these_models")
        covered += found.covers(truth)
    assert 0.91 <= covered / studies <= 0.99


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=60), groups=st.integers(1, 9))
def test_a_share_stays_inside_and_contains_its_value(values, groups):
    units = make_units(LABEL, np.zeros(len(values), dtype=int), np.arange(len(values)) % groups)
    for found in (share_estimate(np.array(values)), share_estimate(np.array(values), units)):
        if found.low is not None:
            assert 0 <= found.low <= found.value + 1e-9
            assert found.value - 1e-9 <= found.high <= 1


@pytest.mark.parametrize(("right", "n"), [(40, 80), (70, 100), (30, 200), (450, 900)])
def test_a_plain_share_has_wilsons_interval(right, n):
    found = share_estimate(np.arange(n) < right)
    wilson = binomtest(right, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.02 * (wilson.high - wilson.low))


@pytest.mark.parametrize("n", [5, 20, 60])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_without_errors_is_not_certain(n, value):
    """As `estimate_of` says of the accuracy of the same answers."""
    found, wilson = share_estimate(np.full(n, value)), binomtest(round(n * value), n).proportion_ci(method="wilson")
    assert found.low <= wilson.low + 1e-6
    assert found.high >= wilson.high - 1e-6


def test_groups_whose_examples_are_alike_count_once():
    alike = np.repeat(np.random.default_rng(0).random(30) < 0.4, 10).astype(float)
    groups = make_units(LABEL, np.zeros(300, dtype=int), np.repeat(np.arange(30), 10))
    one, many = share_estimate(alike, groups), share_estimate(alike)
    single = share_estimate(alike[::10])
    assert one.n == 30
    assert one.high - one.low > 2.5 * (many.high - many.low)
    assert one.high - one.low == pytest.approx(single.high - single.low, rel=0.1)


def test_a_perfect_score_is_not_certain():
    rng = np.random.default_rng(0)
    measured, target = one_part(rng, 60, 50.0, "balanced_accuracy")
    found = score_estimate(measured, make_units(kind_of(target), target), claim="these_models")
    assert found.value == 1.0
    assert found.low < 0.97


def test_a_single_example_has_no_interval():
    rng = np.random.default_rng(0)
    target = np.array([0, 1] * 10)
    results = make_results(
        {"a": simulate_logits(rng, target)}, target, test={"a": np.array([[1.0, 0.0]])}, test_target=np.array([0])
    )
    measured = measure_design(METRICS.get("accuracy"), results.test("a"))
    found = score_estimate(measured, make_units(kind_of(np.array([0])), np.array([0])), claim="these_models")
    assert found.low is None
    assert "too few" in found.method


def test_quantiles():
    assert quantile(0.95, 1e9) == pytest.approx(1.96, abs=1e-3)
    assert quantile(0.95, 4) == pytest.approx(2.776, abs=1e-3)
    assert quantile(0.95, 4, adjusted=2.5) > quantile(0.95, 4)
    assert quantile(0.95, 30, adjusted=1.0) == quantile(0.95, 30)


def test_units_share_weights_within_groups():
    rng = np.random.default_rng(0)
    groups = np.array(["b", "a", "b", "c"])
    units = make_units(kind_of(np.array([0, 1, 0, 1])), np.array([0, 1, 0, 1]), groups)
    weights = draw_weights(rng, units, 10)
    assert units.count == 3
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    assert not np.allclose(weights[:, 0], weights[:, 1])
