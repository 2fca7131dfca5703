"""Scores that train no head: each equals a plain, slow reading of its definition, and does not change where it must not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from weigh.train.transferability import h_score, log_evidence, nearest_neighbours, transferability

SHAPES = [
    (30, 4, 2),
    (12, 25, 3),
    (20, 20, 4),
]  # examples, columns, classes: fewer columns than examples, more, as many


def clouds(n, width, classes, *, seed=0, apart=1.0):
    rng = np.random.default_rng(seed)
    target = np.arange(n) % classes
    return apart * rng.standard_normal((classes, width))[target] + rng.standard_normal((n, width)), target


def turned(features, seed=1):
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((features.shape[1],) * 2))[0]
    return features @ q


# ---- LogME


def slow_log_evidence(x, target):
    """The density of each class's targets under the whole covariance, maximised over both variances by a general search."""
    total = []
    for label in np.unique(target):
        y = (target == label).astype(float)

        def lost(logs, y=y):
            prior, noise = np.exp(np.clip(logs, -40, 40))
            covariance = prior * x @ x.T + noise * np.eye(len(y))
            return -multivariate_normal.logpdf(y, np.zeros(len(y)), covariance)

        starts = [(a, b) for a in (-8.0, -3.0, 0.0) for b in (-4.0, -1.0)]
        total.append(-min(minimize(lost, start, method="Nelder-Mead").fun for start in starts) / len(y))
    return np.mean(total)


@pytest.mark.parametrize("shape", SHAPES)
def test_log_evidence_is_the_largest_density_of_the_targets(shape):
    features, target = clouds(*shape)
    assert log_evidence(features, target) == pytest.approx(slow_log_evidence(features, target), abs=1e-4)


def test_log_evidence_is_that_of_the_authors_iteration():
    """Where their fixed point converges, that is the maximum: their algorithm 1, written out."""
    x, target = clouds(60, 8, 3)
    left, s, _ = np.linalg.svd(x, full_matrices=False)
    scores = []
    for label in range(3):
        y = (target == label).astype(float)
        z, alpha, beta = left.T @ y, 1.0, 1.0
        for _ in range(500):
            gamma = (beta * s**2 / (alpha + beta * s**2)).sum()
            m = beta * s * z / (alpha + beta * s**2)
            rest = ((z - s * m) ** 2).sum() + y @ y - z @ z
            alpha, beta = gamma / (m @ m), (60 - gamma) / rest
        evidence = 8 * np.log(alpha) + 60 * np.log(beta) - np.log(alpha + beta * s**2).sum()
        scores.append((evidence - beta * rest - alpha * m @ m - 60 * np.log(2 * np.pi)) / 120)
    assert log_evidence(x, target) == pytest.approx(np.mean(scores), abs=1e-6)


# ---- H-score


def slow_h_score(x, target):
    """Both covariances as matrices, the inverse as an inverse, the shrinkage as scikit-learn has it."""
    from sklearn.covariance import ledoit_wolf

    covariance, shrinkage = ledoit_wolf(x)
    means = np.array([x[target == label].mean(axis=0) for label in target])
    return np.trace(np.linalg.inv(covariance) @ ((1 - shrinkage) * np.cov(means.T, bias=True)))


@pytest.mark.parametrize("shape", SHAPES)
def test_h_score_is_the_trace_of_its_definition(shape):
    features, target = clouds(*shape)
    assert h_score(features, target) == pytest.approx(slow_h_score(features, target), rel=1e-8)


def test_h_score_tells_noise_from_signal_where_columns_outnumber_examples():
    """What is not shrunk gives classes - 1 for both."""
    apart, target = clouds(40, 300, 2, apart=2.0)
    noise, _ = clouds(40, 300, 2, apart=0.0)
    assert h_score(apart, target) > h_score(noise, target) + 0.1


# ---- nearest neighbours


def slow_neighbours(x, target, k, group=None):
    right = 0.0
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i and (group is None or group[j] != group[i])]
        cosine = {j: x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j]) for j in others}
        nearest = sorted(others, key=lambda j: -cosine[j])[:k]
        votes = {label: sum(target[j] == label for j in nearest) for label in set(target)}
        winners = [label for label, count in votes.items() if count == max(votes.values()) and count]
        right += (target[i] in winners) / max(len(winners), 1)
    return right / len(x)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("grouped", [False, True])
def test_neighbours_vote_as_counted_by_hand(k, grouped):
    features, target = clouds(40, 6, 3, apart=0.7)
    group = np.arange(40) // 3 if grouped else None
    found = nearest_neighbours(features, target, neighbours=k, group=group)
    assert found == pytest.approx(slow_neighbours(features, target, k, group))


def test_copies_in_a_group_do_not_vote_on_each_other():
    rng = np.random.default_rng(0)
    once, label = rng.standard_normal((30, 5)), rng.integers(0, 2, 30)
    features, target, group = (np.repeat(part, 2, axis=0) for part in (once, label, np.arange(30)))
    assert nearest_neighbours(features, target, neighbours=1) == 1
    assert nearest_neighbours(features, target, neighbours=1, group=group) < 0.8


# ---- what changes nothing, and what is degenerate


@given(seed=st.integers(0, 10**6), size=st.floats(1e-3, 1e3))
@settings(max_examples=15, deadline=None)
def test_turning_scaling_and_the_order_of_examples_change_nothing(seed, size):
    features, target = clouds(24, 10, 3, seed=seed)
    order = np.random.default_rng(seed).permutation(24)
    renamed = np.array([7, 2, 5])[target]
    plain = transferability(features, target)
    other = transferability(size * turned(features, seed)[order], renamed[order])
    assert other == pytest.approx(plain, rel=1e-5)


def test_features_that_tell_the_classes_score_higher_than_noise():
    apart, target = clouds(60, 12, 3, apart=2.0)
    noise, _ = clouds(60, 12, 3, apart=0.0)
    better, worse = transferability(apart, target), transferability(noise, target)
    assert all(better[name] > worse[name] for name in ("logme", "h_score", "knn"))


@pytest.mark.parametrize(
    ("features", "target"),
    [
        (np.zeros((6, 4)), np.arange(6) % 2),  # constant
        (np.full((6, 4), 3.0), np.arange(6) % 2),
        (np.random.default_rng(0).standard_normal((5, 8)), np.arange(5)),  # an example a class
        (np.eye(6), np.arange(6) % 2),
        (np.arange(6)[:, None] % 2 * 1.0, np.arange(6) % 2),  # the labels themselves
        (np.random.default_rng(0).standard_normal((2, 3)), np.arange(2)),
        (
            np.repeat(np.random.default_rng(0).standard_normal((2, 3)), 4, axis=0),
            np.arange(8) % 2,
        ),  # copies with both labels
    ],
)
def test_degenerate_data_give_finite_scores(features, target):
    scores = transferability(features.astype(np.float32), target)
    assert set(scores) == {"logme", "h_score", "knn"}
    assert all(math.isfinite(value) for value in scores.values())
    assert 0 <= scores["knn"] <= 1


def test_of_one_class_nothing_is_said():
    assert transferability(np.ones((5, 2)), np.zeros(5, int)) == {}


def test_constant_features_say_nothing():
    scores = transferability(np.ones((8, 3)), np.arange(8) % 2)
    assert scores["h_score"] == 0
    # the constant alone explains the targets as well as it can: noise .25 around a half
    assert scores["logme"] < log_evidence(np.eye(2)[np.arange(8) % 2], np.arange(8) % 2)


def test_of_many_examples_every_class_keeps_its_share(monkeypatch):
    from weigh.train import transferability as scores

    features, target = clouds(400, 5, 4)
    monkeypatch.setattr(scores, "MOST_ROWS", 100)
    every = np.argsort(target, kind="stable")[::4]
    assert scores.transferability(features, target)["logme"] == log_evidence(features[every], target[every])
    assert np.bincount(target[every]).tolist() == [25] * 4
