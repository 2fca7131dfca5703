"""Runs with luck of their own: what seeds add to the variance of a difference, and how far training on fewer examples reaches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.audit.networks import NETWORKS, Network, network_study
from weigh.kinds.label import LABEL
from weigh.stats.comparison import _ends, compare
from weigh.stats.interval import sampling_variance
from weigh.stats.resampling import make_units, resample

NOTHING = np.random.default_rng(0)  # two candidates need no draws


def difference(measured, claim="new_data"):
    return compare(measured, make_units(LABEL, measured["m0"].target), rng=NOTHING, claim=claim).of("m0", "m1")


def heads(measured):
    """The same answers, given by heads on frozen features."""
    return {name: replace(design, seeded=False) for name, design in measured.items()}


def luckier(measured, shift, repeat=0, fold=0):
    """Candidate m0 with so many more (or fewer) right answers in one of its runs."""
    design = measured["m0"]
    statistics = design.statistics.copy()
    wrong = np.flatnonzero((design.fold[repeat] == fold) & (statistics[repeat, :, 0] == (shift < 0)))
    statistics[repeat, wrong[: abs(shift)], 0] = shift > 0
    return {**measured, "m0": replace(design, statistics=statistics)}


networks = st.builds(
    Network,
    n=st.sampled_from([60, 150, 300]),
    folds=st.integers(2, 6),
    repeats=st.integers(1, 4),
    between=st.floats(0, 10),
    metric=st.sampled_from(["accuracy", "balanced_accuracy", "f1", "f1_macro"]),
)


@given(design=networks, seed=st.integers(0, 10_000), claim=st.sampled_from(["this_data", "new_data"]))
@settings(max_examples=60, deadline=None)
def test_seeds_never_make_an_interval_shorter(design, seed, claim):
    measured = network_study(design, np.random.default_rng(seed))
    network, head = difference(measured, claim), difference(heads(measured), claim)
    assert network.estimate.value == head.estimate.value
    assert network.variance.total >= head.variance.total
    assert network.variance.freedom <= head.variance.freedom
    assert network.estimate.high - network.estimate.low >= head.estimate.high - head.estimate.low
    one_of_each = difference({**measured, "m1": heads(measured)["m1"]}, claim)
    assert one_of_each == network  # one network is enough


@given(design=networks, seed=st.integers(0, 10_000), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_order_of_examples_folds_and_repeats_does_not_matter(design, seed, data):
    rng = np.random.default_rng(seed)
    measured = network_study(design, rng)
    example, repeat = rng.permutation(design.n), rng.permutation(design.repeats)
    fold = rng.permutation(design.folds).astype(np.int16)
    turned = {
        name: replace(
            d,
            statistics=d.statistics[repeat][:, example],
            fold=fold[d.fold[repeat][:, example]],
            target=d.target[example],
        )
        for name, d in measured.items()
    }
    one, other = difference(measured), difference(turned)
    for name in ("value", "low", "high"):
        assert getattr(one.estimate, name) == pytest.approx(getattr(other.estimate, name), abs=1e-9)
    assert one.variance == pytest.approx(other.variance, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("design", [Network(repeats=1), Network(repeats=3), Network(folds=3, repeats=2)])
def test_the_more_a_run_stands_out_the_wider_the_interval(design):
    measured = network_study(replace(design, between=0.0), np.random.default_rng(3))
    widths, variances = [], []
    for shift in (0, -10, -20, -40):
        found = difference(luckier(measured, shift))
        widths.append(found.estimate.high - found.estimate.low)
        variances.append(found.variance.total)
    assert variances == sorted(variances)
    assert widths[-1] > 1.5 * widths[0]
    of_heads = difference(heads(luckier(measured, -40))).variance
    assert variances[-1] > 2 * of_heads.total


@pytest.mark.parametrize(
    "name",
    [
        "between 3, 5x2",
        "between 3, 3x2",
        *(pytest.param(one, marks=pytest.mark.thorough) for one in ("between 2, 5x1", "between 4, 3x4")),
    ],
)
def test_the_same_network_twice_is_seldom_told_apart(name):
    """An exact null; with runs counted only where folds showed them, 3x2 made some 10 % of false claims."""
    rng, claims, studies = np.random.default_rng(11), 0, 250
    for _ in range(studies):
        claims += difference(network_study(NETWORKS[name], rng)).relation in ("better", "worse")
    assert claims <= 21  # of 250 at 5 %: more with probability .01


def test_trained_models_have_no_further_runs():
    measured = network_study(Network(repeats=1, between=10.0), np.random.default_rng(0))["m0"]
    units = make_units(LABEL, measured.target)
    resampled = resample(measured, np.ones((1, measured.n)), units)
    assert sampling_variance(resampled, units, "these_models").runs == 0
    assert sampling_variance(resampled, units, "this_data").runs > 0


@given(
    value=st.floats(-1, 1),
    half=st.floats(1e-4, 1),
    q=st.floats(1.5, 4),
    folds=st.integers(2, 20),
    grown=st.floats(1, 3),
)
def test_ends_move_away_from_the_difference_and_never_across_nothing(value, half, q, folds, grown):
    more = folds / (folds - 1)
    low, high = _ends(value, half, q, more)
    plain = _ends(value, half, q, 1.0)
    assert plain == pytest.approx((value - half, value + half))
    assert low <= plain[0] + 1e-12
    assert high >= plain[1] - 1e-12
    assert (low > 0) == (plain[0] > 0)
    assert (high < 0) == (plain[1] < 0)
    assert _ends(-value, half, q, more) == pytest.approx((-high, -low), abs=1e-12)
    wider = _ends(value, grown * half, q, more)
    assert wider[0] <= low + 1e-12
    assert wider[1] >= high - 1e-12


@pytest.mark.parametrize("power", [-4.0, -2.5, -1.5, 0.0, 1.0, 1.5])
@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_a_large_difference_that_grows_or_shrinks_with_the_data_is_covered(power, folds):
    more = folds / (folds - 1)
    low, high = _ends(0.1, 0.02, 1.96, more)
    assert low <= 0.1 * more**power <= high
