"""The influence of an example on a score is the derivative of the score with respect to the example's weight."""

from __future__ import annotations

import numpy as np
import pytest

from tests.arrays import kind_of
from tests.metrics.test_detection import design
from weigh.kinds.base import Prediction, rows_of
from weigh.kinds.label import decide_class
from weigh.kinds.label_map import LabelMap
from weigh.kinds.masks import MASKS
from weigh.kinds.tags import decode_codes, pack_tags
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold

KINDS = {"two": "label", "three": "label", "many": "label", "ties": "label", "labels": "labels", "number": "number"}
KINDS |= {"number-ties": "number", "spans": "spans", "masks": "masks", "boxes": "boxes"}


def out_of_fold(rng, *, classes=3, n=60, repeats=2, kind="label", ties=False):
    multilabel = kind == "labels"
    if kind == "masks":
        return masks(rng, n, repeats, classes)
    if kind == "boxes":
        return design(rng, n=n, repeats=repeats, folds=3, rare=20)
    if kind in ("number", "spans"):
        return numbers_or_spans(rng, kind, n, repeats, ties=ties)
    target = (rng.random((n, classes)) < 0.4).astype(np.int64) if multilabel else rng.integers(0, classes, n)
    logits = rng.normal(size=(repeats, n, classes))
    if ties:
        logits = np.round(logits)
    fold = np.stack([rng.permutation(n) % 3 for _ in range(repeats)])
    return OutOfFold(np.arange(n), logits, fold, target, np.zeros_like(logits), kind=kind_of(target))


def numbers_or_spans(rng, kind, n, repeats, *, ties):
    fold = np.stack([rng.permutation(n) % 3 for _ in range(repeats)])
    if kind == "number":
        target = rng.normal(size=n)
        logits = target[:, None] + rng.normal(size=(repeats, n, 1))
        if ties:
            target, logits = np.round(target), np.round(logits)
    else:
        codes = rng.choice([0, 0, 1, 2, 3, 4], size=(1 + repeats, n, 6))
        target = decode_codes(codes[0])
        codes[1:] = np.where(rng.random(codes[1:].shape) < 0.7, codes[0], codes[1:])
        logits = np.stack([pack_tags(list(c), [np.log(np.full(6, 0.9))] * n, 7) for c in codes[1:]])
    return OutOfFold(np.arange(n), logits, fold, target, np.zeros_like(logits), kind=kind_of(target))


def masks(rng, n, repeats, classes):
    """Noisy copies of masks of which a fifth of the pixels is ignored; some pictures hold one class."""
    shown = [rng.integers(0, rng.integers(1, classes + 1), rng.integers(1, 9, 2)) for _ in range(n)]
    target = rows_of([LabelMap.of(np.where(rng.random(one.shape) < 0.2, -1, one), classes) for one in shown])

    def answer(one):
        return LabelMap.of(np.where(rng.random(one.shape) < 0.7, one, rng.integers(0, classes, one.shape)), classes)

    kept = np.stack([MASKS.recorded(rows_of([answer(one) for one in shown]), target) for _ in range(repeats)])
    fold = np.stack([rng.permutation(n) % 3 for _ in range(repeats)])
    return OutOfFold(np.arange(n), kept, fold, target, np.zeros_like(kept), kind=MASKS)


def cases():
    for name, metric in METRICS.items():
        for kind, accepted in KINDS.items():
            if accepted in metric.kinds and metric.influence:  # mAP moves by hundredths of recall, and has none
                yield pytest.param(name, kind, id=f"{name}-{kind}")


@pytest.mark.parametrize(("name", "kind"), cases())
def test_equals_the_numerical_derivative(name, kind):
    rng = np.random.default_rng(3)
    classes = {"two": 2, "many": 12, "ties": 2, "labels": 4}.get(kind, 3)
    data = out_of_fold(rng, classes=classes, kind=KINDS[kind], ties="ties" in kind)
    measured = measure_design(METRICS.get(name), data)
    found = measured.influence(1)
    steps = np.eye(measured.n) * 1e-4
    expected = (measured.score_repeat(1, 1 + steps) - measured.score_repeat(1, 1 - steps)) / 2e-4
    np.testing.assert_allclose(found, expected, atol=2e-7)
    assert abs(found.sum()) < 1e-9


def test_absent_examples_have_none_and_a_plugin_metric_is_differentiated():
    from dataclasses import replace

    rng = np.random.default_rng(0)
    data = out_of_fold(rng)
    data.fold[0, :7] = -1
    accuracy = measure_design(METRICS.get("accuracy"), data)
    assert (accuracy.influence(0)[:7] == 0).all()
    blind = measure_design(replace(METRICS.get("f1_macro"), influence=None), data)
    np.testing.assert_allclose(
        blind.influence(0), measure_design(METRICS.get("f1_macro"), data).influence(0), atol=1e-7
    )


def test_variance_is_that_of_delong():
    rng = np.random.default_rng(1)
    n = 200
    target = rng.integers(0, 2, n)
    score = rng.normal(size=n) + target
    probability = 1 / (1 + np.exp(-score))
    metric = METRICS.get("auroc")
    p = np.stack([1 - probability, probability], axis=1)
    values = metric.influence_on(metric.measure(Prediction(p, decide_class(p)), target))
    positive, negative = score[target == 1], score[target == 0]
    wins = (positive[:, None] > negative[None]).astype(float)
    delong = wins.mean(1).var() / len(positive) + wins.mean(0).var() / len(negative)
    np.testing.assert_allclose((values**2).sum(), delong, rtol=1e-10)


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "auroc", "log_loss"])
def test_influences_tell_the_spread_under_random_weights(name):
    """Weights of the Bayesian bootstrap."""
    rng = np.random.default_rng(1)
    target = rng.integers(0, 3, 800)
    raised = np.exp(rng.normal(size=(800, 3)) + 1.5 * (target[:, None] == np.arange(3)))
    p = raised / raised.sum(axis=1, keepdims=True)
    metric = METRICS.get(name)
    statistics = metric.measure(Prediction(p, decide_class(p)), target)
    scores = metric.reduce(statistics, rng.standard_exponential((2000, 800)))
    spread = np.sqrt(np.square(metric.influence_on(statistics)).sum())
    assert abs(spread / scores.std() - 1) < 0.08
