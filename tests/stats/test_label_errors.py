"""Label errors against cleanlab, planted errors, and the human checks of CIFAR-10's test set."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weigh.stats.label_errors import average_precision, confident_joint, find_label_errors


def noisy_pool(rng, n=400, classes=4, noise=0.1, sharpness=2.5):
    """True classes, labels with planted errors, and probabilities of a fair model."""
    true = rng.integers(classes, size=n)
    wrong = rng.random(n) < noise
    given_ = np.where(wrong, (true + rng.integers(1, classes, size=n)) % classes, true)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), true] += sharpness
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return given_, probability, wrong


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.floats(0.0, 0.5), st.floats(0.2, 5))
def test_equals_cleanlab(seed, classes, noise, sharpness):
    cleanlab = pytest.importorskip("cleanlab")
    from cleanlab import count, filter, rank  # noqa: F401

    target, probability, _ = noisy_pool(np.random.default_rng(seed), 300, classes, noise, sharpness)
    if len(np.unique(target)) < 2:
        return
    ours = find_label_errors(target, probability)
    theirs = cleanlab.filter.find_label_issues(target, probability, filter_by="confident_learning", n_jobs=1)
    np.testing.assert_array_equal(ours.flagged, theirs)
    ranked = cleanlab.filter.find_label_issues(
        target, probability, filter_by="confident_learning", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    np.testing.assert_array_equal(ours.order, ranked)
    np.testing.assert_allclose(
        ours.self_confidence, cleanlab.rank.get_label_quality_scores(target, probability, method="self_confidence")
    )
    np.testing.assert_array_equal(
        confident_joint(target, probability).counts,
        cleanlab.count.compute_confident_joint(target, probability, calibrate=False),
    )


def test_joint_has_the_given_frequencies_and_estimates_the_noise():
    target, probability, wrong = noisy_pool(np.random.default_rng(3), 20_000, 3, 0.2, 6.0)
    joint = confident_joint(target, probability)
    np.testing.assert_allclose(joint.share.sum(axis=1), np.bincount(target) / len(target))
    assert abs(joint.expected_errors - wrong.mean()) < 0.01


def test_planted_errors_are_found_and_come_first():
    target, probability, wrong = noisy_pool(np.random.default_rng(0), 1000, 5, 0.05, 8.0)
    found = find_label_errors(target, probability)
    assert wrong[found.order[:20]].all()
    assert found.flagged[wrong].mean() > 0.95
    assert wrong[found.flagged].mean() > 0.9


def test_perfect_labels_raise_no_flag():
    target = np.arange(30) % 3
    assert not find_label_errors(target, np.eye(3)[target] * 0.9 + 0.1 / 3).flagged.any()


def test_class_without_examples_and_equal_probabilities():
    target = np.array([0, 0, 1, 1])
    found = find_label_errors(target, np.full((4, 3), 1 / 3))
    assert not found.flagged.any()


def test_multilabel_flags_the_doubted_class():
    rng = np.random.default_rng(1)
    target = rng.integers(2, size=(200, 3))
    probability = np.clip(target * 0.9 + 0.05 + rng.normal(0, 0.02, target.shape), 0.01, 0.99)
    target[7, 2] = 1 - target[7, 2]
    probability[7, 2] = 1 - target[7, 2]
    found = find_label_errors(target, probability)
    assert found.order[0] == 7
    assert found.suggested[7] == 2


def test_average_precision_equals_scikit_learn():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(5)
    for _ in range(20):
        wrong, suspicion = rng.random(50) < 0.3, rng.integers(0, 8, 50)
        if wrong.any():
            assert average_precision(wrong, suspicion) == pytest.approx(average_precision_score(wrong, suspicion))


def test_cifar10_human_checks_no_worse_than_cleanlab(shared):
    cleanlab = pytest.importorskip("cleanlab")
    from cleanlab import rank  # noqa: F401

    folder = shared / "shift" / "cifar10-label-errors"
    probability = np.load(
        folder / "cross_validated_predicted_probabilities" / "cifar10_test_set_pyx.npy", allow_pickle=False
    )
    target = np.load(folder / "original_test_labels" / "cifar10_test_set_original_labels.npy", allow_pickle=False)
    target = target.astype(np.int64)
    checks = json.loads((folder / "mturk" / "cifar10_mturk.json").read_text())
    checked = np.array([check["id"] for check in checks])
    confirmed = np.array([check["mturk"]["given"] < 3 for check in checks])  # fewer than 3 of 5 people agree
    assert confirmed.sum() == 54  # Northcutt, Athalye & Mueller (2021), table 1

    found = find_label_errors(target, probability)
    theirs = cleanlab.rank.get_label_quality_scores(target, probability, method="self_confidence")
    wrong = np.zeros(len(target), dtype=bool)
    wrong[checked[confirmed]] = True
    ours_all = average_precision(wrong, -found.self_confidence)
    ours_checked = average_precision(confirmed, -found.self_confidence[checked])
    print(f"average precision: all {ours_all:.4f}, among checked {ours_checked:.4f}; flagged {found.flagged.sum()}")
    assert ours_all >= average_precision(wrong, -theirs) - 1e-9
    assert ours_checked >= average_precision(confirmed, -theirs[checked]) - 1e-9
    assert found.flagged[checked].mean() > 0.8  # nearly the same method chose what people looked at
