"""Metrics of numbers equal scipy's and scikit-learn's: with ties, weighted by copies, and where nothing is defined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_squared_error

from weigh.kinds.base import Prediction
from weigh.metrics.base import METRICS

NAMES = [name for name, metric in METRICS.items() if "number" in metric.kinds]
ORACLES = {
    "pearson": lambda y, p: stats.pearsonr(y, p).statistic,
    "spearman": lambda y, p: stats.spearmanr(y, p).statistic,
    "pearson_spearman": lambda y, p: (stats.pearsonr(y, p).statistic + stats.spearmanr(y, p).statistic) / 2,
    "mse": mean_squared_error,
    "mae": mean_absolute_error,
}


def draw(seed: int, n: int = 60, *, digits: int | None = None, level: float = 0.0):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=n)
    value = 0.7 * target + rng.normal(size=n)
    target, value = (v if digits is None else np.round(v, digits) for v in (target, value))
    return said(value + level), target + level


def said(values: np.ndarray) -> Prediction:
    return Prediction(values[:, None], values)


@pytest.mark.parametrize("digits", [None, 1, 0])
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_oracle(name, digits):
    prediction, y = draw(3, 200, digits=digits)
    assert METRICS.get(name).score(prediction, y) == pytest.approx(ORACLES[name](y, prediction.labels), abs=1e-12)


@given(seed=st.integers(0, 10_000), name=st.sampled_from(NAMES), digits=st.sampled_from([None, 0]))
@settings(max_examples=80, deadline=None)
def test_weights_are_copies(seed, name, digits):
    prediction, y = draw(seed, 30, digits=digits)
    counts = np.random.default_rng(seed).integers(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), counts)
    if len(rows) < 3 or np.ptp(y[rows]) == 0 or np.ptp(prediction.labels[rows]) == 0:
        return
    metric = METRICS.get(name)
    found = metric.reduce(metric.measure(prediction, y), np.stack([counts, 3.0 * counts]))
    np.testing.assert_allclose(found, ORACLES[name](y[rows], prediction.labels[rows]), atol=1e-11)


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3), level=st.floats(-1e3, 1e3))
@settings(max_examples=40, deadline=None)
def test_correlations_do_not_care_about_units(seed, scale, level):
    prediction, y = draw(seed, 40)
    for name in ("pearson", "spearman"):
        metric = METRICS.get(name)
        turned = metric.score(said(scale * prediction.labels + level), y)
        assert turned == pytest.approx(metric.score(prediction, y), abs=1e-7)
        assert metric.score(said(-prediction.labels), y) == pytest.approx(-metric.score(prediction, y), abs=1e-12)


@pytest.mark.parametrize("name", ["pearson", "spearman", "pearson_spearman"])
def test_a_constant_answer_is_worth_nothing_and_a_constant_target_undefined(name):
    _, y = draw(0)
    metric = METRICS.get(name)
    for constant in (0.0, 2.5, 1 / 3, -1e6):
        constants = said(np.full(len(y), constant))
        weights = np.random.default_rng(0).exponential(size=len(y))
        assert metric.score(constants, y) == metric.score(constants, y, weights) == 0
        assert (metric.influence_on(metric.measure(constants, y)) == 0).all()
        assert np.isnan(metric.score(said(y), constants.labels))
        assert np.isnan(metric.score(said(y), constants.labels, weights))
        assert np.isnan(metric.score(constants, constants.labels))
    assert metric.score(said(y), y) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_nan_never_zero(name):
    prediction, y = draw(1)
    metric = METRICS.get(name)
    statistics = metric.measure(prediction, y)
    assert np.isnan(metric.reduce(statistics, np.zeros(len(y))))
    assert np.isnan(metric.reduce(statistics[:0], np.zeros(0)))
