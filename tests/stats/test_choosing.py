"""How probable each candidate is to be the best: probabilities that come true, and a regret that is the one that occurs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from tests.stats.test_differences import compared, learners
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS, Prediction
from weigh.metrics.design import MeasuredDesign
from weigh.stats.choosing import draw_true_scores, true_scores
from weigh.stats.comparison import compare
from weigh.stats.resampling import make_units


def drawn(scores, covariance, *, draws=2000, seed=0, **options):
    names = tuple(f"m{i}" for i in range(len(scores)))
    rng = np.random.default_rng(seed)
    return draw_true_scores(
        names, np.asarray(scores, float), np.asarray(covariance, float), rng=rng, draws=draws, **options
    )


def correlated(rng, k):
    """A covariance of errors that share a part and differ in size."""
    size = rng.uniform(0.5, 2, k)
    loadings = rng.standard_normal((k, 2))
    return np.outer(size, size) * (np.eye(k) + loadings @ loadings.T) / 3


# ---- what must hold for all numbers


@given(seed=st.integers(0, 10**6), k=st.integers(2, 8), size=st.floats(1e-4, 1e3))
@settings(max_examples=40)
def test_probabilities_are_probabilities_and_regret_is_no_gain(seed, k, size):
    rng = np.random.default_rng(seed)
    scores, covariance = size * rng.standard_normal(k), size**2 * correlated(rng, k)
    found = drawn(scores, covariance, draws=500)
    p = found.p_best()
    assert sum(p.values()) == pytest.approx(1)
    assert min(p.values()) >= 0
    assert all(found.regret(name) >= 0 for name in found.names)
    shifted = drawn(scores + 7 * size, covariance + 3 * size**2, draws=500)  # what all share makes no difference
    assert shifted.p_best() == pytest.approx(p, abs=0.01)
    scaled = drawn(10 * scores, 100 * covariance, draws=500)
    assert scaled.regret("m0") == pytest.approx(10 * found.regret("m0"), rel=1e-3)


@given(seed=st.integers(0, 10**6), k=st.integers(3, 6))
@settings(max_examples=20)
def test_the_order_of_candidates_does_not_matter(seed, k):
    rng = np.random.default_rng(seed)
    scores, covariance, order = rng.standard_normal(k), correlated(rng, k), rng.permutation(k)
    one = drawn(scores, covariance, draws=4000).p_best()
    other = drawn(scores[order], covariance[np.ix_(order, order)], draws=4000).p_best()
    assert [one[f"m{i}"] for i in order] == pytest.approx([other[f"m{i}"] for i in range(k)], abs=0.05)


@pytest.mark.parametrize("k", [2, 5, 12])
def test_equal_scores_give_equal_probabilities(k):
    assert list(drawn(np.zeros(k), np.eye(k), draws=8000).p_best().values()) == pytest.approx([1 / k] * k, abs=0.02)


def test_the_leader_of_scores_that_differ_by_chance_alone_is_not_probably_the_best():
    """Without shrinking the best of ten equals, 1.5 standard errors above the mean, would have about .5."""
    scores = ndtri((np.arange(10) + 0.5) / 10)
    assert drawn(scores, np.eye(10)).p_best()["m9"] < 0.3


def test_what_is_far_apart_is_not_shrunk_into_doubt():
    found = drawn([0, 1, 2, 100], np.eye(4))
    assert found.p_best()["m3"] > 0.999
    assert found.regret("m3") < 1e-3
    assert found.regret("m2") == pytest.approx(98, abs=1)
    assert (
        drawn([0, 1, 2, 100], np.eye(4), runs=np.eye(4) / 2, repeats=2).regret_after(3, np.random.default_rng(0)) == 0
    )


def test_a_useless_candidate_does_not_make_the_others_look_apart():
    """It shows that scores can differ much; taken for how much the good ones do, it would undo the shrinking."""
    scores, useless = [0.0, 0.3, 0.6, 0.9], [0.0, 0.3, 0.6, 0.9, -40.0]
    p, among = drawn(scores, np.eye(4)).p_best(), drawn(useless, np.eye(5)).p_best()
    assert among["m4"] == 0
    assert among["m3"] == pytest.approx(p["m3"], abs=0.03)


def test_scores_without_errors_are_the_truth_and_ties_are_shared():
    assert drawn([1, 1, 0], np.zeros((3, 3))).p_best() == {"m0": 0.5, "m1": 0.5, "m2": 0.0}
    same = drawn([0.7, 0.7, 0.1], [[1e-4, 1e-4, 0], [1e-4, 1e-4, 0], [0, 0, 1e-4]])  # two copies of one model
    assert same.p_best()["m0"] == pytest.approx(same.p_best()["m1"], abs=1e-6)


def test_few_degrees_of_freedom_leave_more_doubt():
    scores = [0.0, 2.5]
    assert drawn(scores, np.eye(2), freedom=3.0).p_best()["m1"] < drawn(scores, np.eye(2)).p_best()["m1"] - 0.01


# ---- what more repeats would change


@given(seed=st.integers(0, 10**6), k=st.integers(2, 6))
@settings(max_examples=20)
def test_more_repeats_never_cost_and_no_more_than_all_can_be_gained(seed, k):
    rng = np.random.default_rng(seed)
    covariance = correlated(rng, k)
    scores, part = rng.multivariate_normal(np.zeros(k), covariance), rng.uniform(0, 1)
    found = drawn(scores, covariance, draws=4000, runs=part * covariance, repeats=2)
    now = found.regret(f"m{int(scores.argmax())}")
    after = [found.regret_after(further, np.random.default_rng(0)) for further in (0, 2, 50)]
    assert after[0] <= now + 0.02
    assert after[1] <= after[0] + 0.02
    assert after[2] <= after[1] + 0.02


def test_where_all_errors_are_alike_no_further_repeat_is_the_regret_of_the_leader():
    scores = [0.0, 0.4, 0.1, 0.3]
    alike = drawn(scores, np.eye(4), runs=np.eye(4) / 2, repeats=2)
    assert alike.regret_after(0, np.random.default_rng(0)) == pytest.approx(alike.regret("m1"), abs=1e-9)


def test_a_candidate_of_large_errors_that_leads_by_luck_is_not_taken():
    """Ten repeats leave the third one's errors as they are: its lead then must not pass for knowledge."""
    noisy = drawn([0.5, 0.0, 0.6], np.diag([0.01, 0.01, 25.0]), runs=np.diag([0.005, 0.005, 0.0]), repeats=2)
    after = noisy.regret_after(10, np.random.default_rng(0))
    assert after <= noisy.regret("m0") + 0.01
    assert after <= noisy.regret("m2") + 0.01


def test_repeats_gain_nothing_where_only_examples_decide_and_all_where_only_repeats_do():
    scores, covariance = [0.0, 0.3, 0.2], np.eye(3)
    none = drawn(scores, covariance, runs=np.zeros((3, 3)), repeats=3)
    assert none.regret_after(1000, np.random.default_rng(0)) == pytest.approx(none.regret("m1"), abs=1e-9)
    every = drawn(scores, covariance, runs=covariance, repeats=3)
    assert every.regret_after(10**7, np.random.default_rng(0)) < 0.01 * every.regret("m1")


def test_one_repeat_does_not_show_what_more_would_change():
    logits, target = learners([1.0, 1.1, 1.2], repeats=1)
    found = true_scores(compared(logits, target), rng=np.random.default_rng(0))
    assert found.regret_after(5, np.random.default_rng(0)) is None
    logits, target = learners([1.0, 1.1, 1.2], repeats=3)
    found = true_scores(compared(logits, target), rng=np.random.default_rng(0))
    assert found.regret_after(5, np.random.default_rng(0)) >= 0


# ---- few examples


def rare(count, common=40):
    """m0 is always right, m1 never on the rare class; nobody's answers vary."""
    target = np.array([1] * count + [0] * common)
    right = np.where(target[:, None] == np.arange(2), 4.0, 0.0)
    return {"m0": right[None], "m1": np.tile([4.0, 0.0], (len(target), 1))[None]}, target


@pytest.mark.parametrize("count", [2, 3])
def test_what_a_few_examples_never_showed_bounds_the_variance_from_below(count):
    logits, target = rare(count)
    comparisons = compared(logits, target, folds=2)
    pair = comparisons.of("m0", "m1")
    assert pair.relation == ("undecided" if count == 2 else "better"), "three of three against none is just enough"
    assert pair.q * pair.bounded**0.5 == pytest.approx(max(pair.q * pair.variance.standard_error, pair.least))
    p = true_scores(comparisons, rng=np.random.default_rng(0)).p_best()
    assert 0.5 < p["m0"] < (0.9 if count == 2 else 0.99)


def test_with_many_examples_the_bound_changes_nothing():
    logits, target = learners([1.0, 1.5, 2.0])
    comparisons = compared(logits, target)
    assert all(pair.bounded == pair.variance.total for pair in comparisons.pairs.values())


def test_nothing_is_told_where_a_pair_has_no_interval():
    logits, target = rare(3, common=3)
    comparisons = compared(logits, target, folds=2)
    assert comparisons.of("m0", "m1").estimate.low is None
    assert true_scores(comparisons, rng=np.random.default_rng(0)) is None


def test_two_that_always_answer_alike_share_the_probability():
    logits, target = learners([1.5], n=200)
    comparisons = compared({"m0": logits["m0"], "copy": logits["m0"].copy()}, target, metric="log_loss")
    assert comparisons.of("m0", "copy").estimate.low is None, "a loss that does not vary has no interval"
    assert true_scores(comparisons, rng=np.random.default_rng(0)).p_best() == {"m0": 0.5, "copy": 0.5}


# ---- probabilities that come true


def equal(rng, k):
    return 1e-6 * rng.standard_normal(k)


def a_little(rng, k):
    return 0.5 * rng.standard_normal(k)


def apart(rng, k):
    return 3 * rng.standard_normal(k)


def one_useless(rng, k):
    return np.where(np.arange(k) == 0, -20.0, rng.standard_normal(k))


def of_any_kind(rng, k):
    return np.exp(rng.uniform(-4, 3)) * rng.standard_normal(k)


@pytest.mark.parametrize(
    ("world", "allowed"),
    # How much scores scatter has to be learnt from two to eight of them: over all worlds probabilities come true, in one alone nearly
    [
        (of_any_kind, 0.05), (equal, 0.13), pytest.param(a_little, 0.07, marks=pytest.mark.thorough),
        pytest.param(apart, 0.1, marks=pytest.mark.thorough), (one_useless, 0.1),
    ],
)  # fmt: skip
def test_probabilities_and_regret_come_true(world, allowed):
    """500 studies of known truth: of what is stated with probability p, a share of p is true, also among the bold and among the timid."""
    rng, stated, happened = np.random.default_rng(7), [], []
    for _ in range(500):
        k = int(rng.integers(2, 9))
        truth, covariance = world(rng, k), correlated(rng, k)
        scores = rng.multivariate_normal(truth, covariance)
        found = drawn(scores, covariance, draws=400, seed=int(rng.integers(2**31)))
        leader = f"m{scores.argmax()}"
        stated.append([found.p_best()[leader], found.regret(leader)])
        happened.append([truth.argmax() == scores.argmax(), truth.max() - truth[scores.argmax()]])
    stated, happened = np.array(stated), np.array(happened, float)
    off = stated.mean(axis=0) - happened.mean(axis=0)
    assert abs(off[0]) < allowed
    assert -0.15 < off[1] < 0.25  # of an error of one or two
    for band in np.array_split(np.argsort(stated[:, 0]), 4 if world is of_any_kind else 1):
        p, chance = stated[band, 0].mean(), 2 * happened[band, 0].std() / len(band) ** 0.5
        assert abs(p - happened[band, 0].mean()) < allowed + chance


@pytest.mark.parametrize("studies", [125, pytest.param(250, marks=pytest.mark.thorough)])
def test_they_come_true_for_models_that_answer_examples(studies):
    """Of three to six models with shares of right answers of their own, through `compare`."""
    rng, n, accuracy = np.random.default_rng(3), 150, METRICS.get("accuracy")
    target, stated, happened = np.arange(n) % 2, [], []
    units = make_units(LABEL, target)
    for _ in range(studies):
        shares = np.clip(
            0.8 + rng.choice([0.005, 0.02, 0.06]) * rng.standard_normal(int(rng.integers(3, 7))), 0.5, 0.99
        )
        common, measured = rng.standard_normal(n), {}
        for i, share in enumerate(shares):
            right = np.sqrt(0.3) * common + np.sqrt(0.7) * rng.standard_normal(n) < ndtri(share)
            label = np.where(right, target, 1 - target)
            p = np.where(label[:, None] == np.arange(2), 0.8, 0.2)
            statistics = accuracy.measure(Prediction(p, label), target)[None]
            fold, present = np.zeros((1, n), np.int16), np.ones((1, n), bool)
            measured[f"m{i}"] = MeasuredDesign(accuracy, statistics, fold, present, target)
        comparisons = compare(measured, units, rng=rng, claim="these_models", draws=50)
        found = true_scores(comparisons, rng=rng, draws=400)
        for name, p in found.p_best().items():
            stated.append(p)
            happened.append(name == f"m{shares.argmax()}")
    stated, happened = np.array(stated), np.array(happened, float)
    for band in np.array_split(np.argsort(stated), 5):
        assert abs(stated[band].mean() - happened[band].mean()) < 0.05 + happened[band].std() / len(band) ** 0.5
