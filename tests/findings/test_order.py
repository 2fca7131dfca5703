"""The order check: alarms where neighbours are alike, none on shuffled data and none on data sorted by class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from benchmarks.audit.readings.order import Copies, neighbour_study
from tests.arrays import kind_of
from tests.findings.reading import by_id, check
from tests.findings.synthetic import assign_folds, make_results, simulate_logits
from weigh.data.folds import assign_blocks
from weigh.findings.generalisation import order
from weigh.language import text
from weigh.stats import dependence
from weigh.stats.order import contiguous, explained_by_classes, order_check_variants


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    """A permutation test of 199 draws keeps its level of 5 % exactly too."""
    monkeypatch.setattr(dependence, "DRAWS", 199)


def ridge(features, target, fold):
    """`(n, 2)` logits of a linear probe, every fold predicted by a probe trained on the others."""
    logits = np.zeros((len(target), 2), np.float32)
    design = np.c_[np.ones(len(target)), features]
    for k in range(fold.max() + 1):
        train = fold != k
        normal = design[train].T @ design[train] + 5 * np.eye(design.shape[1])
        beta = np.linalg.solve(normal, design[train].T @ (2.0 * target[train] - 1))
        logits[~train, 1] = 4 * (design[~train] @ beta)
    return logits


def study(rng, kind, n=600, p=20, repeats=2, variants=None):
    target = (rng.random(n) < 0.35).astype(np.int64)
    features = rng.standard_normal((n, p))
    position = np.arange(n)
    if kind == "neighbours":
        block = np.arange(n) // 40
        target = (rng.random(n) < rng.beta(0.5, 1, block.max() + 1)[block]).astype(np.int64)
        features += 2.0 * rng.standard_normal((block.max() + 1, p))[block]
    if kind == "drift":  # what tells the classes apart changes sign along the file
        features[:, 1] += np.linspace(-3, 3, n) * (2 * target - 1)
    if kind == "prevalence":  # only the share of the classes drifts
        target = (rng.random(n) < np.linspace(0.63, 0.15, n)).astype(np.int64)
    features[:, 0] += 1.2 * target
    if kind == "sorted":
        position = np.argsort(np.argsort(target, kind="stable"), kind="stable")
    in_order = target[np.argsort(position, kind="stable")]
    variants = order_check_variants(kind_of(in_order), in_order, 5) if variants is None else variants
    fold = assign_folds(rng, target, 5, repeats)
    logits = np.stack([ridge(features, target, f) for f in fold])
    checks = {}
    for variant in variants:
        size = None if variant == "fifths" else int(variant.split(":")[1])
        blocks = assign_blocks(position, block_size=size, folds=5, rng=rng).fold
        checks[variant] = (ridge(features, target, blocks)[None], blocks)
    return make_results(
        {"m": logits}, target, fold=fold, order=position, order_checks={"m": checks} if checks else None
    )


def test_neighbours_alike_raise_an_alarm():
    results = study(np.random.default_rng(1), "neighbours")
    found, *_ = order.find(results)
    check(found, results)
    assert found.verdict == "no"
    assert found.severity == "problem"
    assert "Neighbours are alike, or conditions drift" in found.sentence.en
    assert "cannot be told" in found.sentence.en
    assert any("design.group_by" in said.en for said in found.next)
    assert found.figure.rows[0]["block"] == "shuffled"


def test_drift_raises_an_alarm():
    found, *_ = order.find(study(np.random.default_rng(2), "drift", n=1000))
    assert found.verdict == "no"


@pytest.mark.parametrize("kind", [pytest.param("random", marks=pytest.mark.thorough), "prevalence"])
def test_no_alarm_where_neighbours_are_not_alike(kind):
    studies = 25
    alarms = sum(
        order.find(study(np.random.default_rng(s), kind, n=300))[0].severity == "problem" for s in range(studies)
    )
    assert alarms <= binom.ppf(0.999, studies, 0.05)


def test_data_sorted_by_class_raise_no_alarm_and_say_so():
    results = study(np.random.default_rng(0), "sorted")
    found, *_ = order.find(results)
    check(found, results)
    assert found.verdict == "undecided"
    assert found.severity == "detail"
    assert "sorted by class" in found.sentence.en


def test_data_sorted_by_class_raise_no_alarm_even_if_somebody_ran_the_check():
    results = study(np.random.default_rng(0), "sorted", variants=["fifths", "blocks:24"])
    found, *_ = order.find(results)
    assert found.severity == "detail"
    assert "sorted by class" in found.sentence.en


@given(
    shares=st.lists(st.floats(0.05, 1), min_size=2, max_size=6),
    n=st.sampled_from([100, 400, 2100]),
    folds=st.integers(2, 10),
)
@settings(max_examples=60, deadline=None)
def test_sorted_data_are_never_worth_checking(shares, n, folds):
    counts = np.maximum(2, (np.array(shares) / sum(shares) * n).astype(int))
    assert (
        order_check_variants(
            kind_of(np.repeat(np.arange(len(counts)), counts)), np.repeat(np.arange(len(counts)), counts), folds
        )
        == []
    )


@given(seed=st.integers(0, 1000), share=st.floats(0.1, 0.9), n=st.sampled_from([200, 700, 2100]))
@settings(max_examples=40, deadline=None)
def test_shuffled_data_are_worth_checking(seed, share, n):
    target = (np.random.default_rng(seed).random(n) < share).astype(int)
    variants = order_check_variants(kind_of(target), target, 5)
    assert variants[0] == "fifths"


def test_variants_of_a_file_whose_prevalence_drifts():
    rng = np.random.default_rng(0)
    target = (rng.random(2099) < np.linspace(0.63, 0.09, 2099)).astype(int)
    assert order_check_variants(kind_of(target), target, 5) == ["fifths", "blocks:72", "blocks:24"]


@pytest.mark.parametrize("target", [np.zeros(500, int), np.array([0, 1] * 10)])
def test_one_class_and_tiny_data_are_not_checked(target):
    assert order_check_variants(kind_of(target), target, 5) == []


def test_blocks_are_those_of_the_planner():
    rng = np.random.default_rng(0)
    for n, size in ((2099, 72), (300, 24), (100, 8), (101, None)):
        position = rng.permutation(n)
        theirs = assign_blocks(position, block_size=size, folds=4, rng=rng).block
        ours = contiguous(n, "fifths" if size is None else f"blocks:{size}", 4)[position]
        np.testing.assert_array_equal(ours, theirs)


def test_a_reason_of_the_planner_is_repeated():
    rng = np.random.default_rng(0)
    target = (rng.random(200) < 0.5).astype(int)
    reason = text("The folds respect groups already.", "各折已按分组划分。")
    results = make_results(
        {"m": rng.standard_normal((1, 200, 2)).astype(np.float32)}, target, skipped={"order-check": reason}
    )
    found, *_ = order.find(results)
    check(found, results)
    assert "the folds respect groups already" in found.sentence.en


def test_failed_block_runs_are_said():
    results = study(np.random.default_rng(0), "random", n=300)
    broken = [r for r in results.records if r.purpose == "order-check" and r.variant == "fifths"]
    kept = tuple(r for r in results.records if r not in broken[:4])
    found, *_ = order.find(
        type(results)(**{**{k: v for k, v in results.__dict__.items() if k != "_evidence"}, "records": kept})
    )
    assert any("not complete" in a.detail.en for a in found.assumptions if a.detail)


COPIES = {
    "twos": Copies(group=2),
    "threes": Copies(group=3),
    "tens": Copies(group=10),
    "tens in ten classes": Copies(n=300, group=10, classes=10),  # each class stands in three runs
    "sevens in five classes": Copies(group=7, classes=5),
    "tens, nearest neighbours": Copies(group=10, learner="nearest"),
    "twenties, far from alike": Copies(n=1000, group=20, noise=0.7),
}


@pytest.mark.parametrize("design", COPIES.values(), ids=COPIES)
def test_copies_among_neighbours_are_found_and_never_cleared(design):
    alarms = alike = independent = 0
    for seed in range(5):
        results, excess = neighbour_study(design, np.random.default_rng(seed))
        found = by_id(order.find(results))
        check(found["order"], results)
        check(found["order:neighbours"], results)
        assert excess > 0.01
        assert found["order"].verdict != "yes"
        independent += found["order:neighbours"].verdict == "yes"
        alarms += found["order"].verdict == "no"
        alike += found["order:neighbours"].verdict == "no"
    assert alarms >= 4
    assert alike >= 2  # blocks of eight dilute copies in twos
    assert independent <= binom.ppf(0.999, 5, 0.05)


@pytest.mark.parametrize(
    ("group", "classes"),
    [(3, 5), (10, 2), *(pytest.param(*one, marks=pytest.mark.thorough) for one in ((3, 2), (10, 5)))],
)
def test_runs_of_a_label_alone_raise_no_alarm(group, classes):
    design = Copies(n=300, group=group, classes=classes, features=10, labels_only=True)
    said = [order.find(neighbour_study(design, np.random.default_rng(seed))[0])[0].verdict for seed in range(10)]
    assert said.count("no") <= binom.ppf(0.999, len(said), 0.05)


def test_an_all_clear_needs_power_in_both_metrics():
    results, _ = neighbour_study(Copies(features=10), np.random.default_rng(0))
    found = order.find(results)[0]
    check(found, results)
    assert found.verdict == "undecided"
    assert "no all-clear" in found.sentence.en
    assert "accuracy" in found.sentence.en
    results, _ = neighbour_study(Copies(n=6000, features=5), np.random.default_rng(0))
    found = order.find(results)[0]
    check(found, results)
    assert found.verdict == "yes"
    for key in ("drop:fifths", "drop:fifths:accuracy"):
        assert found.estimates[key].high < found.estimates["tolerance"].value == 1.0


def test_errors_of_shuffled_folds_never_show_neighbours_to_be_independent():
    """Copies in training leave no errors that could be alike."""
    rng = np.random.default_rng(0)
    target = rng.integers(2, size=3000)
    results = make_results({"m": simulate_logits(rng, target, repeats=2)}, target)
    found = by_id(order.find(results))["order:neighbours"]
    check(found, results)
    assert found.verdict == "undecided"
    assert "does not show them to be independent" in found.sentence.en


def test_what_fewer_examples_of_a_class_explain():
    rng = np.random.default_rng(0)
    target = rng.permutation(np.repeat([0, 1], 100))
    even = assign_folds(rng, target, 5, 2)
    assert explained_by_classes(target, even, even[:1], 0.8) == 0
    runs = np.arange(200) // 40  # in random order contiguous parts leave about as many
    assert explained_by_classes(target, even, runs[None], 0.8) < 0.005
    half = np.where(target == 0, np.arange(200) % 5, np.arange(200) % 2)  # class 1 in two of five folds only
    assert explained_by_classes(target, even, half[None], 0.8) == pytest.approx(0.2 * (0.8 / 0.5 - 1) / 2, abs=0.01)
    gone = np.where(target == 0, np.arange(200) % 5, 0)
    assert explained_by_classes(target, even, gone[None], 0.8) == pytest.approx(0.15, abs=0.01)  # no better than chance


def test_the_block_size_that_explains_the_drop():
    """Neighbours alike in 40s: blocks of 24 leave part of them on both sides, blocks of 216 hardly any."""
    rng = np.random.default_rng(11)
    results = study(rng, "neighbours", n=2400, variants=["fifths", "blocks:24"])
    found, *_ = order.find(results)
    check(found, results)
    assert "reaches beyond the smaller blocks" in found.sentence.en
    results = study(rng, "neighbours", n=2400, variants=["fifths", "blocks:216"])
    found, *_ = order.find(results)
    check(found, results)
    assert "reaches beyond" not in found.sentence.en
    assert "5 contiguous parts" in found.sentence.en


def clustered(seed, n=1200, size=12, rho=0.6, separation=1.5, order=None, **options):
    """Out-of-fold logits whose difficulty is shared by `size` neighbours."""
    rng = np.random.default_rng(seed)
    target = rng.integers(2, size=n)
    group = np.arange(n) // size
    shared = rng.standard_normal((group.max() + 1, 2))[group]
    difficulty = np.sqrt(rho) * shared * np.array([1, -1]) * np.where(target == 0, 1, -1)[:, None]
    difficulty = difficulty + np.sqrt(1 - rho) * rng.standard_normal((n, 2))
    logits = simulate_logits(rng, target, separation=separation, difficulty=difficulty, repeats=2, noise=0.3)
    return make_results({"m": logits}, target, order=order, **options), group


def test_neighbours_whose_errors_are_alike():
    results, _ = clustered(0)
    found = by_id(order.find(results))["order:neighbours"]
    check(found, results)
    assert found.verdict == "no"
    assert found.estimates["design_effect"].low > 1.5
    assert found.severity == "problem"
    assert found.estimates["effective"].high < 1000
    assert any("design.group_by" in said.en for said in found.next)
    shuffled, _ = clustered(0, order=np.random.default_rng(1).permutation(1200))
    found = by_id(order.find(shuffled))["order:neighbours"]
    check(found, shuffled)
    assert found.verdict in ("yes", "undecided")
    assert found.severity == "detail"


def test_the_column_that_group_by_should_name():
    rng = np.random.default_rng(2)
    patient = np.repeat([f"p{i:03d}" for i in range(100)], 12)
    columns = {"patient": patient, "lot": rng.integers(40, size=1200).astype(str), "camera": np.arange(1200) % 3}
    results, _ = clustered(3, slices=columns)
    found = by_id(order.find(results))["order:groups"]
    check(found, results)
    assert found.verdict == "yes"
    assert "'patient'" in found.sentence.en
    assert "If new examples come from other groups" in found.sentence.en  # a kind of question is no patient
    assert "set design.group_by: patient." in found.next[0].en
    assert {row["column"] for row in found.table} == {"patient", "lot"}  # three cameras are no groups


def test_columns_that_mean_nothing_are_not_proposed():
    named = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        columns = {f"c{k}": rng.integers(60, size=600).astype(str) for k in "abc"}
        results, _ = clustered(seed, n=600, rho=0.0, slices=columns)
        found = by_id(order.find(results))["order:groups"]
        check(found, results)
        named += found.verdict == "yes"
    assert named <= binom.ppf(0.999, 20, 0.05)


def test_groups_of_the_design_are_counted():
    results, _ = clustered(5, groups=np.repeat(np.arange(100), 12).astype(str))
    found = by_id(order.find(results))["order:groups"]
    check(found, results)
    assert found.estimates["effective"].high < 1000
    assert "order:neighbours" not in by_id(order.find(results))
