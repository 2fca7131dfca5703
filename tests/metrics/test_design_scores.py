"""What a score is: pooling, rank metrics within folds, holes, defaults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.errors import SpecError
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.metrics.base import METRICS
from weigh.metrics.design import score_design


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 200, [0.7, 0.3])
    logits = {"a": simulate_logits(rng, target, repeats=3)}
    return make_results(logits, target, failed=[("a", 1, 2, "out of memory")]), logits["a"], target


def test_count_metrics_pool_within_a_repeat(study):
    results, logits, target = study
    score = score_design(METRICS.get("balanced_accuracy"), results.out_of_fold("a"))
    assert score.repeat[0] == pytest.approx(balanced_accuracy_score(target, logits[0].argmax(1)))
    assert score.fold.shape == (3, 5)


def test_rank_metrics_are_computed_within_folds(study):
    results, logits, target = study
    found = results.out_of_fold("a")
    score = score_design(METRICS.get("auroc"), found)
    margin, fold = logits[0][:, 1] - logits[0][:, 0], found.fold[0]
    inside = [roc_auc_score(target[fold == k], margin[fold == k]) for k in range(5)]
    sizes = np.bincount(fold)
    assert score.repeat[0] == pytest.approx(np.average(inside, weights=sizes))
    np.testing.assert_allclose(score.fold[0], inside)


def test_rank_metrics_do_not_care_about_the_level_of_a_fold(study):
    results, logits, target = study
    shifted = logits.copy()
    fold = results.out_of_fold("a").fold
    shifted[..., 1] += 3.0 * np.where(fold < 0, 0, fold)
    other = make_results({"a": shifted}, target, fold=np.where(fold < 0, 2, fold))
    one, two = (score_design(METRICS.get("auroc"), r.out_of_fold("a")).fold[0] for r in (results, other))
    np.testing.assert_allclose(one, two)


def test_failed_runs_leave_holes_that_do_not_count(study):
    results, logits, target = study
    found = results.out_of_fold("a")
    score = score_design(METRICS.get("balanced_accuracy"), found)
    there = found.fold[1] >= 0
    assert np.isnan(score.fold[1, 2])
    assert score.repeat[1] == pytest.approx(balanced_accuracy_score(target[there], logits[1, there].argmax(1)))
    weights = np.array([1, there.mean(), 1])
    assert score.overall == pytest.approx(np.average(score.repeat, weights=weights))


def test_nothing_present_is_nan():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 40)
    logits = simulate_logits(rng, target)
    found = make_results({"a": logits}, target).out_of_fold("a")
    found = replace(found, fold=np.full_like(found.fold, -1))
    assert np.isnan(score_design(METRICS.get("accuracy"), found).overall)


def test_a_fold_without_positives_is_left_out_of_rank_metrics():
    target = np.array([0] * 30 + [1] * 10)
    fold = np.array([[0] * 20 + [1] * 20])
    logits = simulate_logits(np.random.default_rng(1), target)
    score = score_design(METRICS.get("auroc"), make_results({"a": logits}, target, fold=fold).out_of_fold("a"))
    assert np.isnan(score.fold[0, 0])
    assert score.overall == pytest.approx(score.fold[0, 1])


@pytest.mark.parametrize(("classes", "multilabel"), [(2, False), (5, False), (30, False), (6, True)])
def test_default_metrics_exist_and_fit(classes, multilabel):
    names = (LABELS if multilabel else LABEL).metrics(classes)
    assert names
    for name in names:
        assert ("labels" if multilabel else "label") in METRICS.get(name).kinds
    assert ("top5_accuracy" in names) == (classes == 30)


def test_a_misspelt_metric_is_explained():
    with pytest.raises(SpecError, match="auroc"):
        METRICS.get("aurocc")
