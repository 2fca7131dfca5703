"""Fast paths of the heads against their slow ones: the walk along the strengths, carried memory, chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tests.arrays import kind_of, strata_of
from tests.train.rows import as_they_are
from weigh.data.folds import assign_folds
from weigh.train import logistic, probe
from weigh.train.logistic import eigenbasis, solve
from weigh.train.probe import fit_head
from weigh.train.recipe_defaults import STRENGTHS
from weigh.train.rows import Rows

DOUBLE = torch.float64


def digits(part: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Real features: all ten digits, two that look alike, two with a third of the labels wrong, pure noise."""
    features, target = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    if part == "ten":
        chosen = rng.permutation(len(target))[:400]
        return features[chosen].astype(np.float32), target[chosen], 10
    chosen = rng.permutation(np.flatnonzero((target == 3) | (target == 8)))[:200]
    features, target = features[chosen], (target[chosen] == 8).astype(np.int64)
    if part == "wrong":
        target = np.where(rng.random(len(target)) < 1 / 3, 1 - target, target)
    if part == "noise":
        target = rng.permutation(target)
    return features.astype(np.float32), target, 2


def basis_of(features: np.ndarray) -> logistic.Basis:
    return eigenbasis(Rows.standardise(features))


@pytest.mark.parametrize(
    "part", ["ten", "noise", *(pytest.param(part, marks=pytest.mark.thorough) for part in ("two", "wrong"))]
)
def test_the_walk_chooses_as_the_whole_grid(part, monkeypatch):
    """Every strength solved from zeros in double precision to 1e-6 on the same inner folds: same choice, loss within 2e-3."""
    features, target, classes = digits(part)
    kept = []
    real = probe._choose
    monkeypatch.setattr(
        probe, "_choose", lambda inner, options: kept.append((inner, real(inner, options))) or kept[0][1]
    )
    head = fit_head(
        features, target, STRENGTHS, classes, basis_of(features), kind=kind_of(target), rng=np.random.default_rng(1)
    )
    ((inner, best),) = kept
    x, basis = inner.x.whole.double(), inner.basis.to(torch.float64)
    losses = {}
    for strength in STRENGTHS:
        held = torch.zeros(len(x), inner.columns, dtype=torch.float64)
        for rows in inner.parts:
            seen = torch.ones(len(x), 1, dtype=torch.float64)
            seen[rows] = 0
            one = solve(as_they_are(x), inner.truth, seen, torch.tensor([strength], dtype=torch.float64), basis,
                        columns=inner.columns, tolerance=1e-6, iterations=2000)  # fmt: skip
            held[rows] = x[rows] @ one.weight[0] + one.bias[0]
        losses[strength] = probe._log_loss(held, inner.truth)
    assert head.strength == min(losses, key=lambda strength: losses[strength])
    assert best.loss == pytest.approx(losses[head.strength], abs=2e-3)


@pytest.mark.parametrize(
    "losses", [[5, 4, 3, 2, 1], [1, 2, 3, 4, 5], [3, 2, 1, 2, 3], [2, 1, 2, 3, 4], [4, 3, 2, 1, 2], [1]]
)
def test_the_walk_ends_in_the_valley(losses):
    tried = []

    class Inner:
        def solve(self, strength, start):
            tried.append(strength)
            return probe._Tried(strength, start, torch.zeros(0), losses[strength])  # type: ignore[arg-type]

    best = probe._choose(Inner(), list(range(len(losses))))  # type: ignore[arg-type]
    assert best.loss == min(losses)
    assert len(set(tried)) == len(tried)


def problem(classes: int = 3, kind: torch.dtype = torch.float64, *, softmax: bool = True):
    rng = np.random.default_rng(3)
    x = as_they_are(torch.from_numpy(rng.normal(size=(90, 30))).to(kind))
    target = rng.integers(0, classes, 90)
    truth = torch.from_numpy(target if softmax else np.eye(classes)[target])
    fold = torch.from_numpy(assign_folds(strata_of(target), folds=3, rng=rng).astype(np.int64))
    return x, truth, (fold[:, None] != torch.arange(4)).to(kind), eigenbasis(x)


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("kept", [4, 256])
def test_from_a_neighbouring_strength_as_from_zeros(softmax, kept, monkeypatch):
    monkeypatch.setattr(logistic, "LEADING", kept)
    x, truth, seen, basis = problem(softmax=softmax)
    neighbour = solve(x, truth, seen, torch.full((4,), 0.3, dtype=DOUBLE), basis, columns=3, tolerance=1e-3)
    strength = torch.full((4,), 0.1, dtype=DOUBLE)
    cold = solve(x, truth, seen, strength, basis, columns=3, tolerance=1e-9, iterations=2000)
    warm = solve(x, truth, seen, strength, basis, columns=3, tolerance=1e-9, iterations=2000, start=neighbour)
    torch.testing.assert_close(warm.weight, cold.weight, atol=1e-7, rtol=0)
    torch.testing.assert_close(warm.bias, cold.bias, atol=1e-7, rtol=0)


def test_memory_of_a_neighbour_is_that_of_the_problem_itself():
    """Changes of the gradient along remembered steps, recomputed at the other strength: equal to 1e-10."""
    x, truth, seen, basis = problem()
    there = solve(x, truth, seen, torch.full((4,), 0.3, dtype=DOUBLE), basis, columns=3, tolerance=1e-4)
    again = solve(x, truth, seen, torch.full((4,), 0.1, dtype=DOUBLE), basis, columns=3, iterations=0, start=there)
    width, columns = x.width, 3
    steps = there.memory.steps.reshape(4, -1, columns, width + 1)
    expected = there.memory.changes.reshape(steps.shape).clone()
    expected[..., :width] += (0.1 - 0.3) * steps[..., :width]
    torch.testing.assert_close(again.memory.changes.reshape(steps.shape), expected, atol=1e-10, rtol=0)


def test_chunks_agree_and_carry_their_memory(monkeypatch):
    x, truth, seen, basis = problem()
    strength = torch.tensor([0.1, 0.3, 1.0, 3.0], dtype=DOUBLE)
    whole = solve(x, truth, seen, strength, basis, columns=3, tolerance=1e-8)
    monkeypatch.setattr(logistic, "CHUNK_VALUES", 3 * 30 * 3)  # chunks of three heads and of one
    parts = solve(x, truth, seen, strength, basis, columns=3, tolerance=1e-8)
    torch.testing.assert_close(parts.weight, whole.weight, atol=1e-6, rtol=0)
    on = solve(x, truth, seen, strength / 3, basis, columns=3, tolerance=1e-8, start=parts)
    cold = solve(x, truth, seen, strength / 3, basis, columns=3, tolerance=1e-8)
    torch.testing.assert_close(on.weight, cold.weight, atol=1e-6, rtol=0)


def test_a_stored_basis_is_the_same_to_the_last_bit(monkeypatch):
    monkeypatch.setattr(logistic, "LEADING", 12)
    basis = eigenbasis(problem(kind=torch.float32)[0])
    read = logistic.basis_of(basis.array())
    assert torch.equal(read.vectors, basis.vectors)
    assert torch.equal(read.values, basis.values)
    assert read.rest == basis.rest > 0


@pytest.mark.parametrize("classes", [2, 5])
def test_rows_read_in_stretches_as_the_whole(classes, monkeypatch):
    """Nothing resident, three rows at a time: the same standardised rows to the last bit, the same head to 1e-4."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, classes, 240)
    features = (rng.normal(size=(240, 20)) + target[:, None] * rng.normal(size=20) + 5).astype(np.float32)
    rows = rng.permutation(240)[:200]
    chosen = {"rng": np.random.default_rng(0), "rows": rows}
    whole = fit_head(
        features, target[rows], STRENGTHS, classes, basis_of(features), kind=kind_of(target[rows]), **chosen
    )
    kept = Rows.standardise(features, rows)
    monkeypatch.setattr("weigh.train.rows.RESIDENT", 0)
    monkeypatch.setattr("weigh.train.rows.STRETCH", 60)
    monkeypatch.setattr(logistic, "FEWEST", 3)
    monkeypatch.setattr(logistic, "LOGITS", 0)
    read = Rows.standardise(features, rows)
    read_rows = torch.cat([some for _, some in read.stretches(torch.float32, 3)])
    assert read.whole is None
    torch.testing.assert_close(read_rows, kept.whole, atol=1e-6, rtol=0)
    chosen = {"rng": np.random.default_rng(0), "rows": rows}
    stretched = fit_head(
        features, target[rows], STRENGTHS, classes, basis_of(features), kind=kind_of(target[rows]), **chosen
    )
    assert stretched.strength == whole.strength
    np.testing.assert_allclose(stretched.weight, whole.weight, atol=1e-4)
    np.testing.assert_allclose(stretched.inner, whole.inner, atol=5e-2)  # inner heads end early, at other roundings
