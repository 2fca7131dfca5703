"""A second test set: drops against the difference of proportions, Kendall's tau against scipy, planted rankings."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom, binomtest, kendalltau

from tests.arrays import kind_of
from weigh.kinds.base import Prediction
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.stats.resampling import make_units
from weigh.stats.shift import MeasuredSet, compare_sets, kendall


def measured_set(right, target=None, groups=None, metric="accuracy"):
    """`right`: model -> `(n,)` or `(runs, n)` whether each example is right."""
    one = np.atleast_2d(next(iter(right.values())))
    target = np.zeros(one.shape[1], int) if target is None else target
    found = {}
    for name, values in right.items():
        values = np.atleast_2d(values)
        labels = np.where(values, target, 1 - target)
        statistics = np.stack([METRICS.get(metric).measure(Prediction(np.eye(2)[y], y), target) for y in labels])
        found[name] = MeasuredDesign(
            METRICS.get(metric), statistics, np.zeros(values.shape, np.int16), np.ones(values.shape, bool), target
        )
    return MeasuredSet(found, make_units(kind_of(target), target, groups))


def skilled(rng, n, skill, correlation=0.5):
    """`(n,)` right or wrong for each of `skill`, errors correlated over models by a difficulty they share."""
    from scipy.special import ndtri

    shared = rng.standard_normal(n)
    own = rng.standard_normal((len(skill), n))
    latent = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return {f"m{i}": latent[i] < ndtri(s) for i, s in enumerate(skill)}


def test_drop_of_one_model_is_newcombes_interval():
    rng = np.random.default_rng(0)
    a, b = rng.random(800) < 0.9, rng.random(300) < 0.8
    found = compare_sets(
        measured_set({"m": a}), measured_set({"m": b}), rng=np.random.default_rng(1), draws=8000
    ).models["m"]
    one, two = (binomtest(int(x.sum()), len(x)).proportion_ci(method="wilson") for x in (a, b))
    low = a.mean() - b.mean() - np.hypot(a.mean() - one.low, two.high - b.mean())
    high = a.mean() - b.mean() + np.hypot(one.high - a.mean(), b.mean() - two.low)
    assert found.drop.value == pytest.approx(a.mean() - b.mean())
    assert found.drop.low == pytest.approx(low, abs=0.003)
    assert found.drop.high == pytest.approx(high, abs=0.003)
    assert found.excess is None


@pytest.mark.parametrize("studies", [30, pytest.param(400, marks=pytest.mark.thorough)])
def test_drops_of_all_models_hold_at_once(studies):
    """Of all choices of seeds a rule that keeps its promise fails for one in a thousand."""
    truth = np.array([0.9, 0.85, 0.8, 0.75, 0.7])
    missed = wrong = 0
    for s in range(studies):
        rng = np.random.default_rng([1, s])
        first, second = measured_set(skilled(rng, 400, truth)), measured_set(skilled(rng, 200, truth - 0.1))
        shift = compare_sets(first, second, rng=rng, draws=300)
        missed += not all(d.drop.covers(0.1) for d in shift.models.values())
        wrong += not all(d.excess.covers(0.0) for d in shift.models.values())
        assert shift.mean.drop.low <= shift.mean.drop.value <= shift.mean.drop.high
    assert missed <= binom.ppf(0.999, studies, 0.05)
    assert wrong <= binom.ppf(0.999, studies, 0.05)


def test_direction_follows_the_metric():
    rng = np.random.default_rng(2)
    target = rng.integers(2, size=400)

    def loss_of(strength):
        p = np.full((400, 2), 0.5)
        p[np.arange(400), target] = strength + 0.1 * rng.random(400)
        p[:, :] = np.where(np.arange(2) == target[:, None], p, 1 - p.max(axis=1, keepdims=True))
        metric = METRICS.get("log_loss")
        statistics = metric.measure(Prediction(p, p.argmax(axis=1)), target)
        return MeasuredSet(
            {"m": MeasuredDesign(metric, statistics[None], np.zeros((1, 400), int), np.ones((1, 400), bool), target)},
            make_units(kind_of(target), target),
        )

    drop = compare_sets(loss_of(0.8), loss_of(0.6), rng=rng).models["m"].drop
    assert drop.low > 0
    assert drop.low <= drop.value <= drop.high


def test_groups_make_drops_less_sure():
    rng = np.random.default_rng(3)
    right = skilled(rng, 200, [0.8, 0.7])
    copied = {k: np.repeat(v, 9) for k, v in right.items()}
    alone = compare_sets(*[measured_set(right)] * 2, rng=np.random.default_rng(0)).models["m0"].drop
    naive = compare_sets(*[measured_set(copied)] * 2, rng=np.random.default_rng(0)).models["m0"].drop
    grouped = measured_set(copied, groups=np.repeat(np.arange(200), 9))
    honest = compare_sets(grouped, grouped, rng=np.random.default_rng(0)).models["m0"].drop
    assert (honest.high - honest.low) / (naive.high - naive.low) == pytest.approx(3, rel=0.15)
    assert honest.high - honest.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_kendall_equals_scipy_with_ties():
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 6, (12, 30)), rng.integers(0, 6, (12, 30))
    expected = [kendalltau(a[:, j], b[:, j]).statistic for j in range(30)]
    np.testing.assert_allclose(kendall(a, b), expected)
    assert np.isnan(kendall(np.ones((3, 1)), np.arange(3.0)[:, None]))[0]


@pytest.mark.parametrize("studies", [20, pytest.param(100, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("order", ["kept", "reversed", pytest.param("unrelated", marks=pytest.mark.thorough)])
def test_tau_covers_the_true_order(order, studies):
    """Also where models are so close that their order on a sample is half chance: noise must not exclude the truth."""
    rng = np.random.default_rng(5)
    skill = np.linspace(0.7, 0.9, 9)
    other = {"kept": skill - 0.05, "reversed": skill[::-1], "unrelated": rng.permutation(skill)}[order]
    truth = kendalltau(skill, other).statistic
    covered = swaps = 0
    for s in range(studies):
        rng = np.random.default_rng([6, s])
        first, second = measured_set(skilled(rng, 500, skill)), measured_set(skilled(rng, 300, other))
        ranking = compare_sets(first, second, rng=rng, draws=300).ranking
        covered += ranking.tau.covers(truth)
        swaps += bool(ranking.swapped)
        assert ranking.tau.low <= ranking.tau.value <= ranking.tau.high
    assert covered >= binom.ppf(0.001, studies, 0.95)
    if order == "kept":
        assert swaps <= binom.ppf(0.999, studies, 0.05)
    if order == "reversed":
        assert swaps > 0.8 * studies


def test_a_model_that_swaps_is_named():
    rng = np.random.default_rng(7)
    first = measured_set(skilled(rng, 3000, [0.9, 0.8]))
    second = measured_set(skilled(rng, 2000, [0.7, 0.8]))
    shift = compare_sets(first, second, rng=rng)
    assert shift.ranking.swapped == [("m0", "m1")]
    assert shift.models["m0"].excess.low > 0
    assert shift.models["m1"].excess.high < 0


def test_tiny_sets_and_strangers():
    rng = np.random.default_rng(8)
    shift = compare_sets(measured_set(skilled(rng, 4, [0.9, 0.8])), measured_set(skilled(rng, 5, [0.7, 0.8])), rng=rng)
    assert not shift.ranking.swapped
    perfect = measured_set({"a": np.ones(30, bool), "b": np.ones(30, bool)})
    sure = compare_sets(perfect, perfect, rng=rng)
    assert sure.models["a"].drop.low < -0.05
    assert sure.models["a"].drop.high > 0.05
    assert sure.ranking.tau.low is None
    with pytest.raises(ValueError, match="both sets"):
        compare_sets(measured_set({"a": np.ones(9, bool)}), measured_set({"b": np.ones(9, bool)}), rng=rng)


@pytest.mark.parametrize("version", ["v4", "v6"])
def test_cifar10_1_as_published(shared, version):
    """Recht et al. (2019): every model is 3 to 16 points worse on the new test set, the ranking mostly kept."""
    folder = shared / "shift" / "cifar10.1-predictions"
    labels = shared / "shift" / "cifar10-label-errors" / "original_test_labels" / "cifar10_test_set_original_labels.npy"

    def read(kind, target):
        found = {}
        for file in sorted((folder / "model_predictions" / f"{kind}_predictions").glob("*.json")):
            found[file.name] = np.array(json.loads(file.read_text())) == target
        return measured_set(found)

    first = read("original", np.load(labels).astype(int))
    second = read(version, np.load(folder / "datasets" / f"cifar10.1_{version}_labels.npy").astype(int))
    shift = compare_sets(first, second, rng=np.random.default_rng(0), sets=2)
    drops = np.array([100 * d.drop.value for d in shift.models.values()])
    assert len(drops) == 30
    assert all(d.drop.low > 0 for d in shift.models.values())
    assert 3 < drops.min() < 5
    assert 13 < drops.max() < 16
    assert not shift.ranking.swapped
    assert shift.ranking.tau.value > 0.85
    assert shift.ranking.tau.low > 0.75
    assert shift.models["shake_shake_26_2x64d_SSI_cutout16_predictions.json"].excess.high < 0
