"""Design effects, reach and permutation tests on errors whose dependence is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

from weigh.stats import dependence
from weigh.stats.dependence import (
    centre,
    cluster_errors,
    design_effect,
    effective_examples,
    error_factor,
    intraclass_correlation,
    read_neighbours,
)


@pytest.fixture
def few_draws(monkeypatch):
    """A permutation test of 199 draws keeps its level of 5 % exactly too, in a quarter of the time."""
    monkeypatch.setattr(dependence, "DRAWS", 199)


def planted(rng, n, size, rho, rate=0.2, by_class=False):
    """Errors of `size` neighbours with latent correlation `rho`; classes differ in difficulty."""
    target = rng.integers(2, size=n)
    target = np.sort(target) if by_class else target
    group = np.arange(n) // size
    shared = rng.standard_normal(group.max() + 1)[group]
    latent = np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.standard_normal(n)
    return (latent < ndtri(np.where(target == 0, rate / 2, 1.5 * rate))).astype(float), target, group


def true_effect(size, rho):
    errors, target, group = planted(np.random.default_rng(99), 1_200_000, size, rho)
    residual = centre(errors, target)
    return float((np.bincount(group, residual) ** 2).sum() / np.square(residual).sum())


def test_copies_count_once():
    rng = np.random.default_rng(0)
    errors, target = (rng.random(100) < 0.3).astype(float), rng.integers(2, size=100)
    copies = np.repeat(np.arange(100), 7)
    effect = design_effect(centre(errors[copies], target[copies]), copies, strata=target[copies])
    assert effect.value == pytest.approx(7, rel=0.05)
    assert effective_examples(700, effect).value == pytest.approx(100, rel=0.05)
    assert error_factor(effect).value == pytest.approx(np.sqrt(effect.value))
    assert intraclass_correlation(effect, copies).value == pytest.approx(1, rel=0.05)


def test_centred_within_classes():
    rng = np.random.default_rng(1)
    errors, strata = rng.random(50), rng.integers(4, size=50)
    residual = centre(errors, strata)
    assert np.allclose([residual[strata == s].mean() for s in range(4)], 0)


@pytest.mark.parametrize(
    ("n", "size", "rho"),
    [
        (300, 10, 0.5), (800, 8, 0.0), pytest.param(1000, 10, 0.3, marks=pytest.mark.thorough),
        pytest.param(1000, 25, 0.3, marks=pytest.mark.thorough),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("few_draws")
def test_design_effects_are_covered(n, size, rho):
    truth = true_effect(size, rho)
    studies, columns, along, found, within_n = 80, 0, 0, 0, 0
    for s in range(studies):
        rng = np.random.default_rng([2, s])
        errors, target, group = planted(rng, n, size, rho)
        clustering = cluster_errors(errors, group, target, rng=rng)
        neighbours = read_neighbours(errors, target, rng=rng)
        columns += clustering.effect.covers(truth)
        along += neighbours.effect.covers(truth)
        found += clustering.p <= 0.05
        within_n += effective_examples(n, neighbours.effect).high <= n
    assert columns >= 0.9 * studies
    assert along >= 0.85 * studies
    assert within_n == studies
    assert found <= binom.ppf(0.999, studies, 0.05) if rho == 0 else found > 0.9 * studies


@pytest.mark.parametrize("by_class", [pytest.param(False, marks=pytest.mark.thorough), True])
@pytest.mark.usefixtures("few_draws")
def test_independent_errors_raise_no_alarm(by_class):
    """Also where the file is sorted by class and one class is three times as hard."""
    studies = 120
    alarms = steps = 0
    for s in range(studies):
        rng = np.random.default_rng([3, s])
        errors, target, _ = planted(rng, 800, 1, 0.0, by_class=by_class)
        found = read_neighbours(errors, target, rng=rng)
        alarms += found.p <= 0.05
        steps += found.reach > 0
    assert alarms <= binom.ppf(0.999, studies, 0.05)
    assert steps == alarms


@pytest.mark.usefixtures("few_draws")
def test_reach_is_about_the_planted_size():
    reaches = []
    for s in range(25):
        rng = np.random.default_rng([4, s])
        errors, target, _ = planted(rng, 3000, 50, 0.3)
        reaches.append(read_neighbours(errors, target, rng=rng).reach)
    assert np.median(reaches) in (24, 72)
    assert np.mean(np.array(reaches) > 216) < 0.1


def test_too_little_to_look_at():
    rng = np.random.default_rng(5)
    assert read_neighbours(np.zeros(500), np.zeros(500), rng=rng) is None
    assert read_neighbours(rng.random(60), np.zeros(60), rng=rng) is None
    effect = design_effect(rng.standard_normal(40), np.arange(40) // 10, strata=np.zeros(40))
    assert effect.low is None
    assert np.isnan(effect.value)


def test_the_same_generator_gives_the_same_numbers():
    errors, target, _ = planted(np.random.default_rng(6), 600, 10, 0.3)
    one, two = (read_neighbours(errors, target, rng=np.random.default_rng(7)) for _ in range(2))
    assert one == two
