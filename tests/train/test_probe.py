"""Linear heads: equal to scikit-learn, independent of their neighbours, honest about what they may see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.arrays import kind_of, strata_of
from tests.train.rows import as_they_are
from weigh.data.folds import assign_folds
from weigh.train import probe
from weigh.train.logistic import eigenbasis, solve
from weigh.train.probe import fit_head
from weigh.train.rows import Rows


def blobs(n: int, width: int, classes: int, seed: int = 0, spread: float = 1.0):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, n)
    centres = rng.normal(0, spread, (classes, width))
    mixing = rng.normal(0, 1, (width, width)) / np.sqrt(width)
    return ((centres[target] + rng.normal(0, 1, (n, width))) @ mixing * 3 + 5).astype(np.float32), target


def basis_of(features: np.ndarray):
    return eigenbasis(Rows.standardise(features))


def sklearn_head(features, target, strength, **kwargs):
    scaler = StandardScaler().fit(features.astype(np.float64))
    scaler.scale_ = features.astype(np.float64).std(axis=0, ddof=1)  # as torch counts
    x = scaler.transform(features.astype(np.float64))
    model = LogisticRegression(C=1 / (strength * len(x)), tol=1e-10, max_iter=5000, **kwargs).fit(x, target)
    return scaler, model


@pytest.mark.parametrize("shape", [(120, 8), (60, 200)], ids=["tall", "wide"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("strength", [0.003, 0.1, 10.0])
def test_equal_to_sklearn(shape, classes, strength):
    features, target = blobs(*shape, classes)
    head = fit_head(
        features, target, [strength], classes, basis_of(features), kind=kind_of(target), rng=np.random.default_rng(0)
    )
    scaler, model = sklearn_head(features, target, strength)
    expected = model.predict_proba(scaler.transform(features.astype(np.float64)))
    got = torch.softmax(torch.from_numpy(head.logits(features)).double(), dim=1).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-4)


@pytest.mark.parametrize("large", [2**21, 0], ids=["all inner folds", "one inner fold"])
def test_many_classes_equal_sklearn(large, monkeypatch):
    """Beyond `LARGE` the strength is chosen on one inner fold; the head at that strength is the same as ever."""
    monkeypatch.setattr(probe, "LARGE", large)
    features, target = blobs(600, 40, 70)
    options = [0.003, 0.03, 0.3]
    head = fit_head(
        features, target, options, 70, basis_of(features), kind=kind_of(target), rng=np.random.default_rng(0)
    )
    scaler, model = sklearn_head(features, target, head.strength)
    expected = model.predict_proba(scaler.transform(features.astype(np.float64)))
    got = torch.softmax(torch.from_numpy(head.logits(features)).double(), dim=1).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-4)
    assert (head.inner is None) == (large == 0)


def test_balanced_weights_equal_sklearn():
    features, target = blobs(150, 10, 3)
    keep = (target != 2) | (np.arange(150) % 6 == 0)
    features, target = features[keep], target[keep]
    head = fit_head(
        features,
        target,
        [0.1],
        3,
        basis_of(features),
        kind=kind_of(target),
        rng=np.random.default_rng(0),
        balanced=True,
    )
    scaler, model = sklearn_head(features, target, 0.1, class_weight="balanced")
    expected = model.predict_proba(scaler.transform(features.astype(np.float64)))
    got = torch.softmax(torch.from_numpy(head.logits(features)).double(), dim=1).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-4)


@pytest.mark.parametrize("balanced", [False, True])
def test_several_labels_are_one_head_each(balanced):
    features, target = blobs(140, 12, 3)
    labels = np.stack([target == 0, target != 1, np.arange(140) % 5 == 0], axis=1).astype(np.uint8)
    head = fit_head(
        features,
        labels,
        [0.1],
        3,
        basis_of(features),
        kind=kind_of(labels),
        rng=np.random.default_rng(0),
        balanced=balanced,
    )
    got = torch.sigmoid(torch.from_numpy(head.logits(features)).double()).numpy()
    for label in range(3):
        weight = "balanced" if balanced else None
        scaler, model = sklearn_head(features, labels[:, label], 0.1, class_weight=weight)
        expected = model.predict_proba(scaler.transform(features.astype(np.float64)))[:, 1]
        np.testing.assert_allclose(got[:, label], expected, atol=2e-4)


def test_heads_solved_together_and_alone_agree():
    features, target = blobs(90, 30, 3)
    x, truth = Rows.standardise(features), torch.from_numpy(target)
    fold = torch.from_numpy(assign_folds(strata_of(target), folds=3, rng=np.random.default_rng(0)).astype(np.int64))
    rows = (fold[:, None] != torch.arange(3)).float().repeat_interleave(2, dim=1)
    strength, basis = torch.tensor([0.01, 1.0] * 3), eigenbasis(x)
    together = solve(x, truth, rows, strength, basis, columns=3, tolerance=1e-5)
    assert float(together.gradient.max()) <= 1e-5
    for head in range(6):
        alone = solve(x, truth, rows[:, [head]], strength[[head]], basis, columns=3, tolerance=1e-5)
        torch.testing.assert_close(alone.weight[0], together.weight[head], atol=2e-3, rtol=0)
    other = solve(x, truth, rows, strength, eigenbasis(as_they_are(torch.randn(90, 30, generator=torch.Generator().manual_seed(1)))), columns=3, tolerance=1e-5, iterations=2000)  # fmt: skip
    torch.testing.assert_close(other.weight, together.weight, atol=3e-3, rtol=0)  # the basis steers only the path


def test_rows_that_may_not_be_seen_do_not_matter():
    features, target = blobs(90, 10, 2)
    x = as_they_are(torch.from_numpy(features))
    truth = torch.from_numpy(target).float()[:, None]
    rows = (torch.arange(90) < 60).float()[:, None]
    other = truth.clone()
    other[60:] = 1 - other[60:]
    one, two = (solve(x, t, rows, torch.tensor([0.1]), eigenbasis(x), columns=1) for t in (truth, other))
    assert torch.equal(one.weight, two.weight)


def test_strength_is_chosen_inside_by_log_loss():
    """Noise wants a strong penalty, a clean problem with many examples a weak one."""
    features, target = blobs(300, 20, 2, spread=0.0)
    options = [0.001, 10.0]
    noise = fit_head(
        features, target, options, 2, basis_of(features), kind=kind_of(target), rng=np.random.default_rng(0)
    )
    features, target = blobs(300, 20, 2, spread=2.0)
    clean = fit_head(
        features, target, options, 2, basis_of(features), kind=kind_of(target), rng=np.random.default_rng(0)
    )
    assert noise.strength == 10.0
    assert clean.strength < 10.0
    assert noise.inner.shape == (300, 2)
    held = (noise.inner.argmax(axis=1) == target).mean()
    assert held < 0.65  # inner predictions are out of fold: noise cannot be learnt by heart


def test_groups_stay_on_one_side_of_inner_folds():
    """Every example stands twice: without groups the copies leak and the weakest penalty looks best."""
    features, target = blobs(60, 100, 2, spread=0.05)
    features, target, group = np.repeat(features, 2, 0), np.repeat(target, 2), np.repeat(np.arange(60), 2)
    options, basis = [0.0003, 100.0], basis_of(features)
    leaky = fit_head(features, target, options, 2, basis, kind=kind_of(target), rng=np.random.default_rng(0))
    grouped = fit_head(
        features, target, options, 2, basis, kind=kind_of(target), rng=np.random.default_rng(0), group=group
    )
    assert (leaky.strength, grouped.strength) == (0.0003, 100.0)


@pytest.mark.parametrize("case", ["constant feature", "one class", "two examples", "huge values"])
def test_odd_training_parts(case):
    features, target = blobs(40, 6, 2)
    if case == "constant feature":
        features[:, 2] = 7
    if case == "one class":
        target[:] = 1
    if case == "two examples":
        features, target = features[:2], np.array([0, 1])
    if case == "huge values":
        features = features * 1e6
    head = fit_head(
        features, target, [0.01, 1.0], 2, basis_of(features), kind=kind_of(target), rng=np.random.default_rng(0)
    )
    assert np.isfinite(head.logits(features)).all()
    assert np.isfinite(head.weight).all()
