"""Limits of single scores: Wilson for one share, honest where a class shows no errors of its own, whatever the metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from benchmarks.audit.scores import Answers, Cell, Ranks, draw_set, estimate, truth_of
from tests.arrays import kind_of
from weigh.kinds.base import Prediction
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.metrics.parts import Parts, one_part
from weigh.stats.interval import score_estimate
from weigh.stats.limits import distances
from weigh.stats.resampling import make_units


def answered(right: tuple[int, ...], sizes: tuple[int, ...], metric: str = "balanced_accuracy", folds: int = 1):
    """Classes of `sizes` of which so many are answered right; the others go to the next class."""
    target = np.repeat(np.arange(len(sizes)), sizes)
    place = np.concatenate([np.arange(size) for size in sizes])
    label = np.where(place < np.array(right)[target], target, (target + 1) % len(sizes))
    found = METRICS.get(metric)
    statistics = found.measure(Prediction(np.eye(len(sizes))[label], label), target)[None]
    fold = (np.arange(len(target)) % folds)[None].astype(np.int16)
    return MeasuredDesign(found, statistics, fold, np.ones((1, len(target)), bool), target, seeded=False)


@pytest.mark.parametrize(("right", "n"), [(720, 800), (53, 60), (30, 60), (10, 200), (2900, 3000)])
def test_accuracy_has_wilsons_interval(right, n):
    found = estimate(answered((right - 1, 1), (n - 2, 2), "accuracy"))
    wilson = binomtest(round(found.value * n), n).proportion_ci(method="wilson")
    assert found.low == pytest.approx(wilson.low, abs=0.02 * (wilson.high - wilson.low))
    assert found.high == pytest.approx(wilson.high, abs=0.02 * (wilson.high - wilson.low))


@pytest.mark.parametrize("claim", ["these_models", "this_data", "new_data"])
@pytest.mark.parametrize("metric", ["balanced_accuracy", "recall_macro", "f1_macro", "f1"])
def test_a_class_without_errors_is_not_certain(metric, claim):
    """20 of 20 and 178 of 180: a rare class is worth its twenty examples, in cross-validation as on a test part."""
    measured = answered((178, 20), (180, 20), metric, folds=1 if claim == "these_models" else 5)
    found = score_estimate(measured, make_units(kind_of(measured.target), measured.target), claim=claim)
    of_twenty = binomtest(20, 20).proportion_ci(method="wilson").low
    assert found.low < found.value - (0.4 if metric != "f1" else 0.2) * (1 - of_twenty)
    one_error = answered((178, 19), (180, 20), metric, folds=measured.folds)
    assert (
        found.low - score_estimate(one_error, make_units(kind_of(one_error.target), one_error.target), claim=claim).low
        < 0.08
    )


def test_many_classes_without_errors_are_worth_all_their_examples():
    """A hundred perfect classes of five are as good as five hundred examples, not as five."""
    found = estimate(answered((5,) * 100, (5,) * 100))
    assert found.low > 0.98


@given(
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    size=st.floats(2, 500),
    factor=st.floats(0.5, 6),
    q=st.floats(1, 4),
)
def test_limits_stay_on_the_scale(shares, size, factor, q):
    share = np.array(shares)
    parts = Parts(np.full(len(share), 1 / len(share)), share, np.full(len(share), size))
    variance = factor * float((share * (1 - share) / size).sum()) / len(share) ** 2
    room = distances(parts, variance, 1.0, q, 0.95)
    assert 0 <= room.below <= share.mean() + 1e-9
    assert 0 <= room.above <= 1 - share.mean() + 1e-9


def test_a_larger_variance_means_wider_limits():
    alone = distances(one_part(0.9, 100), 0.0009, 1.0, 1.96, 0.95)
    grouped = distances(one_part(0.9, 100), 0.0036, 1.0, 1.96, 0.95)
    assert grouped.below > 1.7 * alone.below
    assert grouped.above > alone.above


# One for each way to a limit: means of classes, ratios, ranks. The others are like one of them.
CELLS = [
    Cell("balanced_accuracy", Answers((180, 20), (0.99, 0.95)), drawn=False),
    Cell("f1", Answers((180, 20), (0.97, 0.9))),
    Cell("auroc", Ranks((280, 20), 0.98)),
]
MORE_CELLS = [
    Cell("recall_macro", Answers((40, 20, 10, 5), (0.9, 0.95, 0.98, 0.99))),
    Cell("average_precision", Ranks((90, 10), 0.8)),
    Cell("balanced_accuracy", Answers((950, 50), (0.99, 0.95))),
    Cell("balanced_accuracy", Answers((160, 40), (0.99, 0.1))),
    Cell("recall", Answers((45, 15), (0.9, 0.995))),
    Cell("f1_macro", Answers((100, 100), (0.99, 0.99))),
    Cell("precision", Answers((290, 10), (0.99, 0.8))),
    Cell("auroc", Ranks((90, 10), 0.8, spread=2.0)),
    Cell("average_precision", Ranks((140, 60), 0.95)),
]


@pytest.mark.parametrize("studies", [200, pytest.param(400, marks=pytest.mark.thorough)])
@pytest.mark.parametrize(
    "cell",
    [*CELLS, *(pytest.param(cell, marks=pytest.mark.thorough) for cell in MORE_CELLS)],
    ids=lambda c: f"{c.metric}-{c.model.sizes}",
)
def test_single_scores_cover(cell, studies):
    rng, truth = np.random.default_rng(17), truth_of(cell)
    covered = sum(estimate(draw_set(cell, rng)).covers(truth) for _ in range(studies))
    assert covered >= binom.ppf(0.001, studies, 0.93)
