"""Metrics that are no means: entity F1 (a ratio of sums over sentences) and correlations. Do intervals cover, and how often
is a difference claimed that is not there?"""

from __future__ import annotations

import numpy as np
import pytest

from tests.arrays import kind_of
from weigh.kinds.base import rows_of
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import compare
from weigh.stats.interval import score_estimate
from weigh.stats.resampling import make_units

# A rule whose intervals hold in 95 % stays within the limits below for 97 of 100 choices of seeds with 300 studies; with 1,500 it always does.
STUDIES = [300, pytest.param(1500, marks=pytest.mark.thorough)]


def measured(name: str, statistics: np.ndarray, target: np.ndarray) -> MeasuredDesign:
    n = len(statistics)
    return MeasuredDesign(METRICS.get(name), statistics[None], np.zeros((1, n), int), np.ones((1, n), bool), target)


def entities(rng, n, skills):
    """Sentences that hold many entities or none, and are hard or easy as a whole, for all systems alike; counts of each system."""
    number = rng.poisson(rng.gamma(0.8, 1.0, n))
    hard = rng.normal(size=n)
    target = rows_of([((0, 1, 0),) * int(k) for k in number])
    found = []
    for skill in skills:
        right = rng.binomial(number, 1 / (1 + np.exp(hard - skill)))
        invented = rng.poisson(0.25 * np.exp(0.5 * hard))
        found.append(measured("entity_f1", np.stack([right, right + invented, number], axis=1).astype(float), target))
    return found


def numbers(name):
    def draw(rng, n, skills):
        """Normal labels; systems whose errors go together."""
        target = rng.normal(size=n)
        shared = rng.normal(size=n)
        noise = [np.exp(-s) * (0.7 * shared + 0.7 * rng.normal(size=n)) for s in skills]
        return [measured(name, np.stack([target, target + e], axis=1), target) for e in noise]

    return draw


CASES = {
    "entity_f1": (entities, 250),
    "pearson": (numbers("pearson"), 150),
    "spearman": (numbers("spearman"), 150),
    "pearson_spearman": (numbers("pearson_spearman"), 150),
}
# the third correlation is the mean of the other two
NAMES = [pytest.param(name, marks=[pytest.mark.thorough] if name in ("pearson", "spearman") else []) for name in CASES]


@pytest.mark.parametrize("studies", STUDIES)
@pytest.mark.parametrize("name", NAMES)
def test_intervals_of_scores_and_differences_cover(name, studies):
    draw, n = CASES[name]
    rng = np.random.default_rng(7)
    large = [m.score().overall for m in draw(np.random.default_rng(1), 100_000, (0.8, 0.4))]
    scores = differences = 0
    for _ in range(studies):
        one, two = draw(rng, n, (0.8, 0.4))
        units = make_units(kind_of(one.target), one.target)
        scores += score_estimate(one, units, claim="these_models").covers(large[0])
        found = compare({"one": one, "two": two}, units, rng=rng, claim="these_models").of("one", "two")
        differences += found.estimate.covers(large[0] - large[1])
    assert 0.925 <= scores / studies <= 0.99
    assert 0.925 <= differences / studies <= 0.99


@pytest.mark.parametrize("studies", STUDIES)
@pytest.mark.parametrize("name", NAMES)
def test_equal_systems_are_seldom_told_apart(name, studies):
    draw, n = CASES[name]
    rng = np.random.default_rng(3)
    claims = 0
    for _ in range(studies):
        one, two = draw(rng, n, (0.5, 0.5))
        found = compare(
            {"one": one, "two": two}, make_units(kind_of(one.target), one.target), rng=rng, claim="these_models"
        )
        claims += found.of("one", "two").relation in ("better", "worse")
    assert claims / studies <= 0.08


def test_entity_f1_per_fold_and_slice_is_that_of_its_sentences():
    rng = np.random.default_rng(0)
    one, _ = entities(rng, 90, (0.8, 0.4))
    folds = MeasuredDesign(one.metric, one.statistics, np.arange(90)[None] % 3, one.present, one.target)
    half = np.arange(90) < 45
    for fold in range(3):
        right, said, given = one.statistics[0, fold::3].sum(axis=0)
        assert folds.score().fold[0, fold] == pytest.approx(2 * right / (said + given))
    right, said, given = one.statistics[0, :45].sum(axis=0)
    assert folds.score_repeat(0, np.ones(90), half) == pytest.approx(2 * right / (said + given))
