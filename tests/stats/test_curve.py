"""Power laws through few points: recovered where they are clear, honest where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from tests.arrays import kind_of
from weigh.stats.curve import curve_covariance, fit_curve, learning_curve
from weigh.stats.interval import sampling_variance
from weigh.stats.resampling import Resampler, draw_weights, make_units

SIZES = np.array([40.0, 80.0, 160.0, 320.0])


def law(sizes, a=0.9, b=1.5, c=0.5):
    return a - b * np.asarray(sizes) ** -c


def covariance(spread=0.02, correlation=0.8, k=4):
    return spread**2 * (correlation + (1 - correlation) * np.eye(k))


@pytest.mark.parametrize("c", [0.2, 0.5, 1.0])
def test_an_exact_law_is_recovered(c):
    found = fit_curve(SIZES, law(SIZES, c=c), covariance(spread=1e-5))
    assert abs(found.predicted.value - law(640, c=c)) < 2e-4
    assert abs(found.gain.value - (law(640, c=c) - law(320, c=c))) < 2e-4
    assert abs(found.exponent.value - c) < 0.05
    assert found.fits


def test_it_agrees_with_least_squares_where_that_is_well_determined():
    rng = np.random.default_rng(0)
    scores = law(SIZES) + rng.normal(0, 1e-4, 4)
    (a, b, c), _ = curve_fit(law, SIZES, scores, p0=(0.9, 1.0, 0.5))
    found = fit_curve(SIZES, scores, covariance(spread=1e-4, correlation=0.0))
    assert abs(found.predicted.value - law(640, a, b, c)) < 3e-4


def test_the_fitted_curve_passes_through_now_and_the_prediction():
    found = fit_curve(SIZES, law(SIZES), covariance(spread=1e-5))
    now, later = found.at(np.array([320.0, 640.0]))
    assert found.predicted.value == pytest.approx(found.present.value + found.gain.value)
    assert abs(now - found.present.value) < 1e-4
    assert abs(later - found.predicted.value) < 1e-4


def test_logarithm_is_the_limit_of_the_power_law():
    scores = 0.5 + 0.05 * np.log2(SIZES / 40)
    found = fit_curve(SIZES, scores, covariance(spread=1e-5))
    assert abs(found.gain.value - 0.05) < 2e-3


@pytest.mark.parametrize("c", [-0.4, -0.7, -1.0])
@pytest.mark.parametrize("sizes", [(20.0, 80.0, 160.0), (40.0, 80.0, 160.0, 320.0)])
def test_where_every_doubling_adds_more_than_the_last_one_the_next_may_too(c, sizes):
    """A hardly regularised head, once it has more examples than columns; laws that flatten would promise the last doubling at most."""
    t = np.array(sizes) / sizes[-1]
    scores = 0.66 + 0.07 * (1 - t**-c) / (1 - 2.0**-c)
    found = fit_curve(np.array(sizes), scores, covariance(spread=0.01, correlation=0.9, k=len(sizes)))
    assert found.gain.low < 0.07 < found.gain.high
    assert found.exponent.low < 0
    assert found.quickens
    assert not fit_curve(SIZES, 0.5 + 0.05 * np.log2(SIZES / 40), covariance(spread=1e-5)).quickens


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.sampled_from([0.003, 0.03]), st.floats(0, 1))
def test_no_score_gains_more_than_is_left_above_it(scores, spread, present):
    found = fit_curve(SIZES, np.array(scores), covariance(spread=spread), present=present)
    assert -present - 1e-9 <= found.gain.value <= 1 - present + 1e-9
    if found.gain.low is not None:
        assert found.gain.low - 1e-9 <= found.gain.value <= found.gain.high + 1e-9
        assert found.gain.high <= 1 - found.present.low + 1e-9


@pytest.mark.parametrize("studies", [200, pytest.param(400, marks=pytest.mark.thorough)])
def test_predictions_stand_in_their_intervals(studies):
    rng, held, gains, refused = np.random.default_rng(1), [], [], 0
    for _ in range(studies):
        c = rng.uniform(0.2, 1.2)
        a, b = rng.uniform(0.7, 0.95), rng.uniform(0.0, 2.0)
        noise = rng.multivariate_normal(np.zeros(5), covariance(k=5), method="cholesky")  # the same on every machine
        scores = law(SIZES, a, b, c) + noise[:4]
        found = fit_curve(SIZES, scores, covariance())
        if found.gain.low is None:
            refused += 1
            continue
        held.append(found.predicted.covers(float(np.clip(law(640, a, b, c), 0, 1))))
        gains.append(found.gain.covers(law(640, a, b, c) - law(320, a, b, c)))
    assert refused < 0.05 * studies
    least = 0.95 - 3.6 * (0.05 * 0.95 / studies) ** 0.5  # 95 % promised; so many standard errors below it: 0.91 of 400
    assert np.mean(held) > least
    assert np.mean(gains) > least


def test_points_on_no_power_law_predict_nothing():
    found = fit_curve(SIZES, np.array([0.6, 0.9, 0.6, 0.9]), covariance(spread=0.005))
    assert not found.fits
    assert found.gain.low is None


def test_a_flat_curve_gains_nothing_and_says_how_sure_that_is():
    sure = fit_curve(SIZES, np.full(4, 0.8), covariance(spread=0.001))
    vague = fit_curve(SIZES, np.full(4, 0.8), covariance(spread=0.05))
    assert sure.gain.covers(0.0)
    assert sure.gain.high - sure.gain.low < 0.004 < vague.gain.high - vague.gain.low


def resamples(rng, *, n=300, repeats=2, folds=5, rises=(0.70, 0.75, 0.78, 0.80), groups=None):
    from weigh.metrics.base import METRICS
    from weigh.metrics.design import measure_design
    from weigh.record.results import OutOfFold

    target = rng.integers(0, 2, n)
    hard = rng.random(n) if groups is None else rng.random(groups.max() + 1)[groups]
    fold = np.stack([rng.permutation(np.arange(n) % folds) for _ in range(repeats)]).astype(np.int16)
    made, units = [], make_units(kind_of(target), target, groups)
    resampler = Resampler(draw_weights(np.random.default_rng(0), units, 300), units)
    for i, share in enumerate(rises):
        right = (0.8 * hard + 0.2 * rng.random((repeats, n))) < share
        logits = np.zeros((repeats, n, 2), np.float32)
        logits[np.arange(repeats)[:, None], np.arange(n), np.where(right, target, 1 - target)] = 3
        found = OutOfFold(np.arange(n), logits, fold, target, np.zeros_like(logits), kind=kind_of(target))
        made.append(resampler.of(str(i), measure_design(METRICS.get("accuracy"), found)))
    return made, units


def test_the_covariance_of_the_last_point_is_that_of_its_score():
    made, units = resamples(np.random.default_rng(2))
    found = curve_covariance(made, units, "this_data")
    alone = sampling_variance(made[-1], units, "this_data").total
    assert 0.9 * alone < found[-1, -1] < 1.6 * alone
    assert np.linalg.eigvalsh(found).min() > 0
    correlation = found / np.sqrt(np.outer(found.diagonal(), found.diagonal()))
    assert correlation[0, -1] > 0.3  # the same examples


def test_groups_widen_the_curve():
    groups = np.repeat(np.arange(30), 10)
    grouped, units = resamples(np.random.default_rng(3), groups=groups)
    assert units.name == "groups"
    single, plain = resamples(np.random.default_rng(3))
    a = learning_curve(SIZES, grouped, units, claim="this_data")
    b = learning_curve(SIZES, single, plain, claim="this_data")
    assert a.predicted.high - a.predicted.low > 1.5 * (b.predicted.high - b.predicted.low)


def test_too_little_for_a_curve():
    made, units = resamples(np.random.default_rng(4))
    assert learning_curve(SIZES[:2], made[:2], units, claim="this_data") is None
    assert (
        learning_curve(SIZES, made, make_units(kind_of(np.zeros(1, int)), np.zeros(1, int)), claim="this_data") is None
    )
