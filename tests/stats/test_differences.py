"""Comparisons: interval and relation from one procedure, honest in every corner."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from tests.arrays import kind_of
from tests.findings.synthetic import assign_folds, make_results, simulate_logits, simulate_target
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.stats.comparison import compare, relation_of
from weigh.stats.interval import student
from weigh.stats.luck_of_choosing import may_be_best
from weigh.stats.power import smallest_detectable_difference, what_settles
from weigh.stats.resampling import make_units


def measured(logits, target, metric="balanced_accuracy", **options):
    results = make_results(logits, target, **options)
    return {name: measure_design(METRICS.get(metric), results.out_of_fold(name)) for name in logits}


def compared(logits, target, metric="balanced_accuracy", *, groups=None, claim="this_data", **options):
    designs = measured(logits, target, metric, groups=groups, **options)
    units = make_units(kind_of(target), target, groups)
    return compare(designs, units, rng=np.random.default_rng(0), claim=claim, draws=400)


def learners(separations, n=300, repeats=3, seed=0, prevalence=(0.6, 0.4)):
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n, prevalence)
    return {
        f"m{i}": simulate_logits(rng, target, separation=s, repeats=repeats) for i, s in enumerate(separations)
    }, target


@given(low=st.floats(-1, 1), width=st.floats(0, 1), rope=st.floats(0, 0.1), greater=st.booleans())
def test_the_relation_follows_from_the_interval(low, width, rope, greater):
    high = low + width
    relation = relation_of(low, high, rope, greater_is_better=greater)
    if relation in ("better", "worse"):
        assert low > 0 or high < 0
        assert (relation == "better") == ((low > 0) == greater)
    if relation == "equal":
        assert low <= 0 <= high
        assert -rope < low
        assert high < rope
    if relation == "undecided":
        assert low <= 0 <= high


@given(
    seed=st.integers(0, 1000), n=st.sampled_from([4, 12, 40, 120]), repeats=st.integers(1, 3), folds=st.integers(2, 4)
)
@settings(max_examples=30, deadline=None)
def test_every_comparison_agrees_with_its_interval_and_its_mirror(seed, n, repeats, folds):
    logits, target = learners([0.5, 1.5], n=n, repeats=repeats, seed=seed)
    found = compared(logits, target, folds=folds)
    one, other = found.of("m0", "m1"), found.of("m1", "m0")
    assert one.relation == relation_of(one.estimate.low, one.estimate.high, found.rope)
    assert other.estimate.value == -one.estimate.value
    assert (one.relation, other.relation) in {
        ("better", "worse"),
        ("worse", "better"),
        ("equal", "equal"),
        ("undecided", "undecided"),
    }
    if one.estimate.low is not None:
        assert one.estimate.low <= one.estimate.value <= one.estimate.high


def test_a_clear_difference_is_found_in_both_directions_of_metrics():
    logits, target = learners([2.5, 0.3])
    for metric in ("balanced_accuracy", "auroc", "f1", "log_loss", "brier"):
        assert compared(logits, target, metric).of("m0", "m1").relation == "better", metric


@pytest.mark.parametrize(("n", "relation"), [(60, "undecided"), (200, "undecided"), (1200, "equal")])
def test_a_copy_is_equal_only_where_the_sample_allows_it(n, relation):
    logits, target = learners([1.5], n=n, repeats=2, prevalence=(0.5, 0.5))
    found = compared({"m0": logits["m0"], "copy": logits["m0"].copy()}, target).of("m0", "copy")
    assert found.relation == relation
    assert found.estimate.value == 0
    assert found.estimate.high >= 2.9 / n  # the rule of three


def test_a_copy_is_never_called_equal_on_a_loss_without_any_variation():
    logits, target = learners([1.5], n=1200)
    found = compared({"m0": logits["m0"], "copy": logits["m0"].copy()}, target, "log_loss").of("m0", "copy")
    assert found.relation == "undecided"
    assert found.estimate.low is None


def test_tiny_samples_are_undecided_and_say_why():
    logits, target = learners([9.0, -9.0], n=8, repeats=5)
    found = compared(logits, target, folds=2).of("m0", "m1")
    assert found.relation == "undecided"
    assert "fewer than 10" in found.estimate.method


def test_all_wrong_against_all_right_is_not_undecided():
    logits, target = learners([30.0, -30.0], n=60, repeats=1)
    assert compared(logits, target).of("m0", "m1").relation == "better"


def test_constant_answers_everywhere():
    _, target = learners([1.0], n=100)
    constant = np.zeros((2, 100, 2), np.float32)
    for metric in ("balanced_accuracy", "auroc", "average_precision"):
        assert compared({"a": constant, "b": constant}, target, metric).of("a", "b").relation == "undecided"


def test_only_common_folds_count():
    logits, target = learners([1.5, 1.5], repeats=3)
    found = compared(logits, target, failed=[("m0", 1, 2, "memory"), ("m1", 2, 0, "memory")]).of("m0", "m1")
    assert not found.complete
    assert found.folds == 13
    fewer = compared({"m0": logits["m0"], "m1": logits["m1"][:1]}, target).of("m0", "m1")
    assert fewer.repeats == 1
    assert not fewer.complete
    broken = [("m0", r, f, "memory") for r in range(3) for f in (0, 1)]
    broken += [("m1", r, f, "memory") for r in range(3) for f in (2, 3, 4)]
    nothing = compared(logits, target, failed=broken).of("m0", "m1")
    assert nothing.relation == "undecided"
    assert nothing.estimate.low is None


def test_single_repeats_are_wider_than_their_examples_alone_say():
    logits, target = learners([1.5, 1.0], repeats=1)
    one = compared(logits, target).of("m0", "m1").variance
    fixed = compared(logits, target, claim="these_models").of("m0", "m1").variance
    assert one.total == pytest.approx(1.4 * fixed.total)  # 1.3 and half of a fifth; heads have no luck of their own


def test_runs_that_degenerate_widen_the_interval():
    logits, target = learners([1.5, 1.5], n=1000, repeats=1)
    rng = np.random.default_rng(1)
    fold, networks = assign_folds(rng, target, 5, 1), {"m0": "finetune", "m1": "finetune"}
    whole = compared(logits, target, fold=fold, recipes=networks).of("m0", "m1").variance
    spoilt = {"m0": logits["m0"].copy(), "m1": logits["m1"]}
    spoilt["m0"][0, fold[0] == 3] = [5.0, 0.0]
    broken = compared(spoilt, target, fold=fold, recipes=networks).of("m0", "m1").variance
    assert broken.runs > 10 * max(whole.runs, 1e-6)
    assert broken.freedom < 10


def test_groups_are_resampled_as_a_whole():
    logits, target = learners([1.5, 1.0], n=150, repeats=2)
    copies = 4
    groups = np.repeat(np.arange(150), copies)
    many = {name: np.repeat(array, copies, axis=1) for name, array in logits.items()}
    fold = assign_folds(np.random.default_rng(0), target, 5, 2)
    single = compared(logits, target, fold=fold).of("m0", "m1")
    grouped = compared(many, np.repeat(target, copies), groups=groups, fold=np.repeat(fold, copies, axis=1)).of(
        "m0", "m1"
    )
    naive = compared(many, np.repeat(target, copies), fold=np.repeat(fold, copies, axis=1)).of("m0", "m1")
    assert grouped.estimate.n_unit == "groups"
    assert grouped.variance.standard_error == pytest.approx(single.variance.standard_error, rel=0.15)
    assert naive.variance.standard_error < 0.7 * single.variance.standard_error


def test_few_groups_are_undecided():
    logits, target = learners([2.0, 1.0], n=120)
    groups = np.arange(120) % 5
    found = compared(logits, target, groups=groups, folds=5).of("m0", "m1")
    assert found.relation == "undecided"
    assert "groups" in found.estimate.method


def test_the_quantile_allows_for_all_pairs():
    logits, target = learners([1.5] * 6)
    six = compared(logits, target).adjusted
    two = compared({name: logits[name] for name in ("m0", "m1")}, target).adjusted
    assert two == pytest.approx(1.96, abs=0.001)
    assert 2.3 < six <= norm.ppf(1 - 0.025 / 15) + 0.35


def test_the_same_generator_gives_the_same_numbers():
    logits, target = learners([1.5, 1.2])
    assert compared(logits, target).of("m0", "m1") == compared(logits, target).of("m0", "m1")


def test_a_rope_of_zero_never_calls_anything_equal():
    logits, target = learners([1.5, 1.5], n=1000)
    found = compare(
        measured(logits, target),
        make_units(kind_of(target), target),
        rng=np.random.default_rng(0),
        claim="new_data",
        rope=0.0,
        draws=200,
    )
    assert found.of("m0", "m1").relation != "equal"


def test_the_set_of_the_best():
    logits, target = learners([2.0, 1.9, 0.2], n=400)
    assert may_be_best(compared(logits, target)) == ["m0", "m1"]


def test_power_before_a_run():
    few, many = (smallest_detectable_difference(n, accuracy=0.8, repeats=5).difference for n in (100, 1000))
    assert many < few
    # McNemar's normal approximation (1.96 + 0.84) sqrt(disagreement / n), where half of the disagreement is noise that
    # five repeats average away and the other half counts once more for its part in training
    assert many == pytest.approx((1.96 + 0.8416) * math.sqrt((0.1 + 0.5 * 1.6) * 0.16 / 1000), rel=0.01)
    assert (
        smallest_detectable_difference(1000, repeats=1).difference
        > smallest_detectable_difference(1000, repeats=5).difference
    )
    assert (
        smallest_detectable_difference(1000, candidates=6).difference > smallest_detectable_difference(1000).difference
    )
    assert smallest_detectable_difference(1000, groups=50).difference > smallest_detectable_difference(1000).difference
    unbalanced = smallest_detectable_difference(1000, class_counts=[950, 50], repeats=5)
    assert unbalanced.difference > smallest_detectable_difference(1000, class_counts=[500, 500], repeats=5).difference
    assert all(a.en and a.zh for a in unbalanced.assumptions)


def test_what_would_settle_it():
    logits, target = learners([1.5, 1.4], n=200, repeats=5)
    found = compared(logits, target).of("m0", "m1")
    assert found.relation == "undecided"
    settled = what_settles(found, 0.01)
    assert settled.units > 200
    assert not settled.repeats_help
    assert settled.widened == pytest.approx(1, abs=0.05)
    few = replace(found, q=student(1.96, 1.0), variance=found.variance._replace(freedom=1.0))
    assert what_settles(few, 0.01).widened == pytest.approx(12.706 / 1.972, rel=1e-3)  # Student's t, 1 and 199 degrees
