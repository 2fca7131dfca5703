"""The luck in the best of several scores: what is taken off, and whether the interval knows of the choice."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS, Prediction
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import compare
from weigh.stats.interval import score_estimate
from weigh.stats.luck_of_choosing import selection_optimism
from weigh.stats.resampling import make_units


def chosen(rng, shares, n=300, metric="accuracy", shared=0.3):
    """The best of models whose answers to the same examples correlate: its name, its score as measured, what is made of it."""
    target = np.arange(n) % 2
    common, metric = rng.standard_normal(n), METRICS.get(metric)
    measured = {}
    for i, share in enumerate(shares):
        right = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal(n) < ndtri(share)
        label = np.where(right, target, 1 - target)
        p = np.where(label[:, None] == np.arange(2), 0.8, 0.2)
        statistics = metric.measure(Prediction(p, label), target)[None]
        measured[f"m{i}"] = MeasuredDesign(
            metric, statistics, np.zeros((1, n), np.int16), np.ones((1, n), bool), target
        )
    units = make_units(LABEL, target)
    scores = {name: score_estimate(one, units, claim="these_models") for name, one in measured.items()}
    best = (max if metric.greater_is_better else min)(scores, key=lambda name: scores[name].value)
    comparisons = compare(measured, units, rng=rng, claim="these_models", draws=50)
    return best, scores[best], selection_optimism(comparisons, best, scores[best], rng=rng, draws=1000)


def test_a_clear_winner_owes_nothing_to_luck():
    best, measured, luck = chosen(np.random.default_rng(0), [0.95, 0.6, 0.6])
    assert best == "m0"
    assert luck.optimism.value < 1e-9
    assert luck.score.value == pytest.approx(measured.value)
    assert luck.chosen == {"m0": 1.0, "m1": 0.0, "m2": 0.0}


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "log_loss"])
def test_the_best_of_equals_is_corrected(metric):
    _, measured, luck = chosen(np.random.default_rng(1), [0.7] * 10, n=100, metric=metric)
    assert luck.optimism.value > 0.01
    worse = -1 if METRICS.get(metric).greater_is_better else 1
    assert worse * (luck.score.value - measured.value) == pytest.approx(luck.optimism.value)
    careful, kept = (
        ("low", "high") if worse < 0 else ("high", "low")
    )  # only the end where luck would have hidden is moved
    assert worse * (getattr(luck.score, careful) - getattr(measured, careful)) >= luck.optimism.value - 1e-9
    assert getattr(luck.score, kept) == getattr(measured, kept)
    assert sum(luck.chosen.values()) == pytest.approx(1, abs=0.02)


def test_the_same_models_under_other_names_owe_nothing_to_luck():
    """Copies of one candidate cannot be chosen among."""
    rng = np.random.default_rng(2)
    _, measured, luck = chosen(rng, [0.8] * 6, shared=1.0)
    assert luck.optimism.value < 1e-6
    assert luck.score.low == pytest.approx(measured.low, abs=1e-6)
    assert sum(luck.chosen.values()) == pytest.approx(1)
    _, _, perfect = chosen(rng, [1.0] * 4)  # no errors at all: ties are shared, none is chosen in every resampled study
    assert set(perfect.chosen.values()) == {0.25}


@pytest.mark.parametrize(
    "shares",
    [
        [0.8] * 8, pytest.param([0.9] * 16, marks=pytest.mark.thorough), [0.7, 0.72, 0.74, 0.76, 0.78, 0.8],
        pytest.param([0.8, 0.74, 0.74, 0.74], marks=pytest.mark.thorough),
    ],
    ids=["eight equal", "sixteen equal", "unequal", "one best"],
)  # fmt: skip
def test_the_interval_knows_of_the_choice(shares):
    rng, below, above, errors = np.random.default_rng(len(shares)), 0, 0, []
    for _ in range(60):
        best, _, luck = chosen(rng, shares)
        truth = shares[int(best[1:])]
        below += truth < luck.score.low
        above += truth > luck.score.high
        errors.append(luck.score.value - truth)
    assert below <= 6
    assert above <= 5
    assert abs(np.mean(errors)) < 0.009  # three standard errors of 60 studies
