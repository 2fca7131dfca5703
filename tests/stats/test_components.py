"""Variance components: known shares are recovered, unknown ones are not invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from tests.calibration.components import DESIGNS, coverage, simulate
from weigh.stats.components import EVALUATION, TOGETHER, Star, variance_components

ALWAYS = ("1 × 5, 2 seeds", "5 × 5, 3 seeds", "split alone", "examples alone")


@pytest.mark.parametrize("studies", [75, pytest.param(150, marks=pytest.mark.thorough)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in ALWAYS else pytest.mark.thorough) for name in DESIGNS]
)
def test_known_shares_stand_in_their_intervals(name, studies):
    least = int(binom.ppf(0.001, studies, 0.93))
    for source, (variance, share, _) in coverage(DESIGNS[name], studies).items():
        assert variance * studies / 100 >= least, source
        assert share * studies / 100 >= least, source


def test_point_estimates_are_those_of_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4, 5))
    star = np.column_stack([scores.ravel(), rng.normal(size=20), rng.normal(size=20)])
    found = variance_components(scores, 0.1, 500, {"init": Star(star, 0.05)}, rng=rng)
    within = star.var(axis=1, ddof=1).mean()  # mean square within cells
    between = scores.var(axis=1, ddof=1).mean()
    assert found.variance["init"].value == pytest.approx(max(within - 0.05, 0))
    assert found.variance["split"].value == pytest.approx(max(between - 0.1 - max(within - 0.05, 0), 0))
    assert sum(share.value for share in found.share.values()) == pytest.approx(100)


def test_without_crossed_seeds_split_and_seeds_stay_together():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(3, 5))
    assert list(variance_components(scores, 0.1, 100, rng=rng).share) == [EVALUATION, TOGETHER]
    assert list(variance_components(scores, 0.1, 100, seeded=False, rng=rng).share) == [EVALUATION, "split"]


def test_missing_runs_are_left_out_and_too_few_say_nothing():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(2, 5))
    scores[1, 2:] = np.nan
    assert variance_components(scores, 0.1, 100, rng=rng).total.n == 7
    scores[:, 2:] = np.nan
    scores[1] = np.nan
    assert variance_components(scores, 0.1, 100, rng=rng) is None


def test_what_leads_is_named_only_where_it_is_clear():
    rng = np.random.default_rng(3)
    main, stars, measured = simulate(DESIGNS["1 × 5, 2 seeds"], rng)
    assert variance_components(main, measured, 299, stars, rng=rng).largest is None
    clear = replace(DESIGNS["5 × 5, 3 seeds"], init=30.0)
    main, stars, measured = simulate(clear, rng)
    found = variance_components(main, measured, 299, stars, rng=rng)
    assert found.largest == "init"
    assert found.variance["init"].low > found.variance["order"].high
    assert variance_components(30 * rng.normal(size=(1, 10)), 1.0, 299, rng=rng).largest is None  # one part


def test_repeats_average_everything_but_the_examples():
    rng = np.random.default_rng(6)
    main, stars, measured = simulate(DESIGNS["5 × 5, 3 seeds"], rng)
    found = variance_components(main, measured, 299, stars, rng=rng)
    assert found.mean_share[EVALUATION].value > found.share[EVALUATION].value
    assert found.mean_share[EVALUATION].low > 50


def test_the_same_generator_gives_the_same_intervals():
    main, stars, measured = simulate(DESIGNS["2 × 5, 2 seeds"], np.random.default_rng(4))
    a, b = (variance_components(main, measured, 299, stars, rng=np.random.default_rng(5)) for _ in range(2))
    assert a == b
