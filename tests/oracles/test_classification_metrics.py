"""Every metric equals scikit-learn's: unweighted, weighted, with ties, with classes missing, repeated rows as weights."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.arrays import kind_of
from weigh.kinds.base import Prediction
from weigh.kinds.label import decide_class
from weigh.kinds.labels import decide_classes
from weigh.metrics.base import METRICS
from weigh.metrics.tables import confusion_matrix, per_class

skm = pytest.importorskip("sklearn.metrics")
pytestmark = pytest.mark.filterwarnings("ignore")


def draw(seed: int, classes: int, n: int = 80, *, ties: bool = False, multilabel: bool = False, missing: bool = False):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, classes))
    if multilabel:
        target = (rng.random((n, classes)) < 0.4).astype(np.int64)
        logits += 1.2 * target
        p = 1 / (1 + np.exp(-logits))
    else:
        target = rng.integers(0, classes - 1 if missing else classes, n)
        logits[np.arange(n), target] += 1
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        p = np.round(p * 8) / 8 + 1e-3
        p = np.minimum(p, 1.0) if multilabel else p / p.sum(axis=1, keepdims=True)
    return Prediction(p, (decide_classes if multilabel else decide_class)(p)), target, rng.exponential(size=n)


def sklearn_score(name: str, prediction: Prediction, y: np.ndarray, w: np.ndarray) -> float:
    p, labels, k = prediction.probabilities, prediction.labels, prediction.probabilities.shape[1]
    weight = {"sample_weight": w}
    binary = y.ndim == 1 and k == 2
    if name == "accuracy":
        return skm.accuracy_score(y, labels, **weight)
    if name == "balanced_accuracy":
        if y.ndim == 2:  # of several labels every one is a question of its own
            return np.mean([skm.balanced_accuracy_score(y[:, c], labels[:, c], **weight) for c in range(k)])
        return skm.balanced_accuracy_score(y, labels, **weight)
    if name == "matthews":
        return skm.matthews_corrcoef(y, labels, **weight)
    if name == "accuracy_f1":
        f1 = skm.f1_score(y, labels, average="binary" if binary else "macro", zero_division=0, **weight)
        return (skm.accuracy_score(y, labels, **weight) + f1) / 2
    if name.split("_")[0] in ("f1", "precision", "recall"):
        kind, _, average = name.partition("_")
        average = average or ("binary" if binary else "macro")
        return getattr(skm, f"{kind}_score")(y, labels, average=average, zero_division=0, **weight)
    if name == "auroc":
        if binary:
            return skm.roc_auc_score(y, p[:, 1], **weight)
        bits = y if y.ndim == 2 else y[:, None] == np.arange(k)
        return np.mean([skm.roc_auc_score(bits[:, c], p[:, c], **weight) for c in range(k) if bits[:, c].any()])
    if name == "average_precision":
        if binary:
            return skm.average_precision_score(y, p[:, 1], **weight)
        bits = y if y.ndim == 2 else y[:, None] == np.arange(k)
        columns = [c for c in range(k) if bits[:, c].any()]
        return np.mean([skm.average_precision_score(bits[:, c], p[:, c], **weight) for c in columns])
    if name == "log_loss":
        if y.ndim == 2:
            return np.mean([skm.log_loss(y[:, c], p[:, c], labels=[0, 1], **weight) for c in range(k)])
        return skm.log_loss(y, p, labels=np.arange(k), **weight)
    if name == "brier":
        if y.ndim == 2:
            return np.mean([skm.brier_score_loss(y[:, c], p[:, c], **weight) for c in range(k)])
        if binary:
            return skm.brier_score_loss(y, p[:, 1], **weight)
        return np.average(((p - (y[:, None] == np.arange(k))) ** 2).sum(axis=1), weights=w)
    if name == "top5_accuracy":
        return skm.top_k_accuracy_score(y, p, k=5, labels=np.arange(k), **weight) if k > 5 else 1.0
    raise KeyError(name)


CLASSIFICATION = [name for name, metric in METRICS.items() if "label" in metric.kinds]
NAMES = [name for name in CLASSIFICATION if name != "ece"]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["binary", "ties", "many", "many-ties", "missing", "labels", "labels-ties"])
@pytest.mark.parametrize("name", NAMES)
def test_equals_scikit_learn(name, kind, weighted):
    labels = kind.startswith("labels")
    metric = METRICS.get(name)
    if labels and "labels" not in metric.kinds:
        pytest.skip("not defined for several labels")
    prediction, y, w = draw(
        3,
        2 if kind in ("binary", "ties") else 4 if labels else 8,
        ties="ties" in kind,
        multilabel=labels,
        missing=kind == "missing",
    )
    w = w if weighted else np.ones(len(y))
    expected = sklearn_score(name, prediction, y, w)
    assert metric.score(prediction, y, w) == pytest.approx(expected, abs=1e-10)
    both = metric.reduce(metric.measure(prediction, y), np.stack([w, np.ones(len(y))]))
    assert both.shape == (2,)
    assert both[0] == pytest.approx(expected, abs=1e-10)


@given(seed=st.integers(0, 10_000), classes=st.integers(2, 5), name=st.sampled_from(CLASSIFICATION))
@settings(max_examples=80, deadline=None)
def test_integer_weights_are_repeated_rows(seed, classes, name):
    prediction, y, _ = draw(seed, classes, n=30, ties=True)
    counts = np.random.default_rng(seed).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), counts)
    metric = METRICS.get(name)
    statistics = metric.measure(prediction, y)
    weighted = metric.reduce(statistics, counts.astype(float))
    repeated = metric.reduce(statistics[rows], np.ones(len(rows))) if len(rows) else np.nan
    assert weighted == pytest.approx(repeated, abs=1e-9, nan_ok=True)


@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100), name=st.sampled_from(CLASSIFICATION))
@settings(max_examples=60, deadline=None)
def test_only_relative_weights_count(seed, factor, name):
    prediction, y, w = draw(seed, 3, n=25)
    metric = METRICS.get(name)
    statistics = metric.measure(prediction, y)
    assert metric.reduce(statistics, w) == pytest.approx(metric.reduce(statistics, factor * w), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_nothing_is_nan_never_zero(name):
    prediction, y, _ = draw(1, 3)
    metric = METRICS.get(name)
    statistics = metric.measure(prediction, y)
    assert np.isnan(metric.reduce(statistics, np.zeros(len(y))))


@pytest.mark.parametrize("name", ["auroc", "average_precision", "recall", "f1"])
def test_no_positive_example_is_nan(name):
    prediction, y, _ = draw(1, 2)
    prediction = Prediction(prediction.probabilities, np.zeros_like(prediction.labels))
    assert np.isnan(METRICS.get(name).score(prediction, np.zeros_like(y)))


def test_matthews_of_a_constant_answer_and_of_one_class():
    metric, y = METRICS.get("matthews"), np.array([0, 1, 1, 0])
    constant = Prediction(np.tile([0.2, 0.8], (4, 1)), np.ones(4, dtype=np.int64))
    assert metric.score(constant, y) == skm.matthews_corrcoef(y, constant.labels) == 0
    assert (metric.influence_on(metric.measure(constant, y)) == 0).all()
    assert np.isnan(metric.score(constant, np.ones(4, dtype=np.int64)))


def test_the_last_class_is_positive():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    prediction = Prediction(p, decide_class(p))
    y = np.array([0, 1, 0])
    assert METRICS.get("recall").score(prediction, y) == 1.0
    assert METRICS.get("precision").score(prediction, y) == 0.5


def test_ece_equals_its_definition_and_torchmetrics():
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    import torch

    prediction, y, w = draw(5, 4, n=500)
    metric = METRICS.get("ece")
    confidence, right = prediction.probabilities.max(1), prediction.probabilities.argmax(1) == y
    edges = np.linspace(0, 1, 16)
    by_hand = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            gap = abs(np.average(right[inside], weights=w[inside]) - np.average(confidence[inside], weights=w[inside]))
            by_hand += w[inside].sum() / w.sum() * gap
    assert metric.score(prediction, y, w) == pytest.approx(by_hand, abs=1e-12)
    theirs = torchmetrics.multiclass_calibration_error(
        torch.tensor(prediction.probabilities), torch.tensor(y), num_classes=4, n_bins=15
    )
    assert metric.score(prediction, y) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("classes", [2, 7])
def test_tables_equal_scikit_learn(classes):
    prediction, y, w = draw(2, classes)
    ours = confusion_matrix(prediction, y, classes, w)
    np.testing.assert_allclose(
        ours.toarray(), skm.confusion_matrix(y, prediction.labels, sample_weight=w, labels=range(classes))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = skm.precision_recall_fscore_support(
            y, prediction.labels, labels=range(classes), sample_weight=w, zero_division=np.nan
        )
    for mine, his in zip(per_class(kind_of(y), prediction, y, w), theirs, strict=True):
        np.testing.assert_allclose(mine, his, equal_nan=True)


def test_many_classes_take_the_sparse_path():
    prediction, y, _ = draw(2, 100, n=400)
    w = np.random.default_rng(0).exponential(size=(3, 400))
    for name in ("balanced_accuracy", "f1_macro"):
        metric = METRICS.get(name)
        many = metric.reduce(metric.measure(prediction, y), w)
        one = [sklearn_score(name, prediction, y, row) for row in w]
        np.testing.assert_allclose(many, one)
