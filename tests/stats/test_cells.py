"""Drawing kinds of examples together is the Bayesian bootstrap of the examples."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from weigh.kinds.base import Prediction
from weigh.kinds.label import decide_class
from weigh.metrics.base import METRICS
from weigh.stats.cells import draw_scores, joint_cells

NAMES = ["accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "auroc", "log_loss"]


def predictions(rng, n=200, classes=3):
    target = rng.integers(0, classes, n)
    found = {}
    for name in "ab":
        raised = np.exp(rng.normal(size=(n, classes)) + 1.5 * (target[:, None] == np.arange(classes)))
        p = raised / raised.sum(axis=1, keepdims=True)
        found[name] = Prediction(p, decide_class(p))
    return found, target


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 60), st.integers(1, 4)), elements=st.integers(-2, 3)))
@settings(deadline=None)
def test_cells_are_the_distinct_rows(statistics):
    first, counts = joint_cells([statistics, statistics[:, :1] * 0.5])
    rows, expected = np.unique(statistics, axis=0, return_counts=True)
    order = np.lexsort(statistics[first].T[::-1])
    np.testing.assert_array_equal(statistics[first][order], rows)
    np.testing.assert_array_equal(counts[order], expected)


def test_same_distribution_as_a_weight_per_example():
    rng = np.random.default_rng(0)
    found, target = predictions(rng)
    metrics = [METRICS.get(name) for name in NAMES]
    drawn = draw_scores(metrics, found, target, rng=rng, draws=4000)
    weights = rng.standard_exponential((4000, len(target)))
    for metric in metrics:
        ones = {k: metric.reduce(metric.measure(p, target), weights) for k, p in found.items()}
        for mine, theirs in (
            (drawn["a"][metric.name], ones["a"]),
            (drawn["a"][metric.name] - drawn["b"][metric.name], ones["a"] - ones["b"]),
        ):
            assert abs(mine.mean() - theirs.mean()) < 5 * theirs.std() / np.sqrt(2000)
            assert abs(mine.std() / theirs.std() - 1) < 0.08


def test_influences_tell_the_same_spread():
    rng = np.random.default_rng(1)
    found, target = predictions(rng, n=800)
    metrics = [METRICS.get(name) for name in NAMES]
    drawn = draw_scores(metrics, found, target, rng=rng, draws=2000)
    for metric in metrics:
        influence = metric.influence_on(metric.measure(found["a"], target))
        assert abs(np.sqrt(np.square(influence).sum()) / drawn["a"][metric.name].std() - 1) < 0.08


def test_continuous_statistics_fall_back_to_one_kind_per_example():
    rng = np.random.default_rng(2)
    first, counts = joint_cells([rng.normal(size=(500, 2))])
    assert len(first) == 500
    assert (counts == 1).all()
