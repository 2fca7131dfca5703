"""Arithmetic that fails is replaced by a more exact one, once, and the record says so; what stays without an answer is a failed run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.arrays import kind_of
from weigh.errors import ModelError
from weigh.execute.worker import run_job
from weigh.language import text
from weigh.run import Job
from weigh.train import features, probe
from weigh.train.determinism import computing
from weigh.train.failures import Diverged, failed_outcome
from weigh.train.logistic import eigenbasis
from weigh.train.loop import Loop
from weigh.train.ridge import fit_ridge
from weigh.train.rows import Rows


def leading_values(rows: Rows) -> np.ndarray:
    """Eigenvalues of the covariance by numpy, in double precision, descending."""
    x = np.concatenate([some.double().numpy() for _, some in rows.stretches(torch.float64, 10**6)])
    return np.linalg.svd(x, compute_uv=False) ** 2 / len(x)


def few_rows(n: int, width: int, rank: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return (rng.normal(size=(n, rank)) @ rng.normal(size=(rank, width)) + rng.normal(0, 1e-4, (n, width))).astype(
        np.float32
    )


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_basis_of_features_on_which_single_precision_does_not_converge(shared, threads):
    """With two threads LAPACK gives up on these; features of 26 pictures, as one fold of a small study has them."""
    rows = Rows.standardise(np.load(shared / "cases" / "eigh_fails_26x1280.npy").astype(np.float32))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        basis = eigenbasis(rows)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(basis.values.numpy()[::-1][:20], leading_values(rows)[:20], rtol=1e-3)


def raises(matrix: torch.Tensor):
    raise torch.linalg.LinAlgError("linalg.eigh: the algorithm failed to converge")


def gives_nothing(matrix: torch.Tensor):
    return torch.full(matrix.shape[:1], torch.nan), torch.full(matrix.shape, torch.nan)


@pytest.mark.parametrize("failure", [raises, gives_nothing])
@pytest.mark.parametrize("shape", [(26, 300, 20), (2, 64, 1), (40, 40, 3)])
def test_whatever_single_precision_does_the_basis_is_right(failure, shape, monkeypatch):
    real = torch.linalg.eigh
    monkeypatch.setattr(
        torch.linalg, "eigh", lambda matrix: real(matrix) if matrix.dtype == torch.float64 else failure(matrix)
    )
    rows = Rows.standardise(few_rows(*shape))
    basis = eigenbasis(rows)
    assert basis.values.dtype == basis.vectors.dtype == torch.float32
    expected = leading_values(rows)[:1]
    np.testing.assert_allclose(basis.values.numpy()[-1:], expected, rtol=1e-3)
    np.testing.assert_allclose((basis.vectors @ basis.vectors.T).numpy(), np.eye(len(basis.values)), atol=1e-4)


@pytest.mark.parametrize("strength", [1e-300, 1e-18, 1e-3])
def test_numbers_from_more_columns_than_rows_at_any_strength(strength):
    x = few_rows(30, 80, 10)
    y = x[:, 0].astype(np.float64) * 2 + 1
    found = fit_ridge(x, y, [strength], rng=np.random.default_rng(0))
    np.testing.assert_allclose(x @ found.weight[0] + found.bias[0], y, atol=0.1 * y.std())


@pytest.mark.parametrize("strength", [0.003, 0.03, 0.3, 3.0])
@pytest.mark.parametrize(
    ("target", "classes"),
    [(np.ones(24, int), 2), (np.zeros(24, int), 2), (np.full(24, 2), 4), (np.repeat([[1, 0, 1]], 24, axis=0), 3)],
    ids=["the second", "the first", "one of four", "several labels"],
)
def test_a_training_part_with_one_class_has_a_head(target, classes, strength):
    """Folds by groups leave some with one class: the best bias is infinite, and the head stops on its way there."""
    x = few_rows(24, 96, 5)
    basis = eigenbasis(Rows.standardise(x))
    head = probe.fit_head(x, target, [strength], classes, basis, kind=kind_of(target), rng=np.random.default_rng(0))
    logits = head.logits(x)
    assert np.abs(logits).max() < 40
    chosen = (logits > 0).astype(int) if target.ndim == 2 else logits.argmax(axis=1)
    np.testing.assert_array_equal(chosen, target)


# ---- a run is tried once more


def job(runs, setting, **changes) -> Job:
    return Job("job", tuple(runs), replace(setting, **changes))


def test_a_head_that_fails_in_single_precision_is_fitted_in_double(examples, setting, make_run, monkeypatch):
    runs, real = [make_run("probe", fold) for fold in range(3)], probe.fit_head
    plain = run_job(job(runs, setting), examples)

    starts = [tuple(run.train[:2]) for run in runs]
    assert len(set(starts)) == 3

    def fail(features, target, *given, rows, exact, **options):
        if not exact and tuple(rows[:2]) == starts[1]:
            raise np.linalg.LinAlgError("planted")
        if tuple(rows[:2]) == starts[2]:
            raise ValueError("no question of arithmetic")
        return real(features, target, *given, rows=rows, exact=exact, **options)

    monkeypatch.setattr(probe, "fit_head", fail)
    outcomes = run_job(job(runs, setting), examples)
    assert [outcome.status for outcome in outcomes] == ["done", "done", "failed"]
    assert outcomes[0].cause == ""
    assert outcomes[1].cause == "done in fp64, after in fp32: LinAlgError: planted"
    assert outcomes[1].environment["precision"] == "fp64"
    np.testing.assert_allclose(outcomes[1].answers, plain[1].answers, atol=2e-3)
    assert outcomes[2].cause == "ValueError: no question of arithmetic"


@pytest.mark.parametrize("recovers", [True, False])
def test_a_network_that_fails_in_half_precision_is_trained_in_single(
    examples, setting, make_run, monkeypatch, recovers
):
    real, seen = Loop.epoch, []

    def epoch(self, number: int) -> float:
        seen.append(self.setting.precision)
        if self.setting.precision == "bf16" or not recovers:
            raise Diverged("the loss became nan in epoch 1 (learning rate 0.0005)")
        return real(self, number)

    monkeypatch.setattr(Loop, "epoch", epoch)
    run = make_run("finetune", epochs=1, image_size=32)
    (outcome,) = run_job(job([run], setting, precision="bf16"), examples)
    assert seen == ["bf16", "fp32"]
    if recovers:
        assert outcome.cause == "done in fp32, after in bf16: the loss became nan in epoch 1 (learning rate 0.0005)"
        (single,) = run_job(job([run], setting, precision="fp32"), examples)
        np.testing.assert_array_equal(outcome.answers, single.answers)
    else:
        assert (outcome.status, outcome.cause) == ("failed", "the loss became nan in epoch 1 (learning rate 0.0005)")
        (single,) = run_job(job([run], setting, precision="fp32"), examples)
        assert seen == ["bf16", "fp32", "fp32"]  # in single precision it is the learning rate: not tried again


def test_memory_that_ran_out_is_no_question_of_arithmetic(examples, setting, make_run, monkeypatch):
    calls = []

    def full(self, *given):
        calls.append(self.setting.precision)
        raise torch.OutOfMemoryError("planted")

    monkeypatch.setattr(Loop, "_accumulate", full)
    (outcome,) = run_job(job([make_run("finetune", epochs=1, image_size=32)], setting, precision="bf16"), examples)
    assert outcome.status == "failed"
    assert "memory ran out" in outcome.cause
    assert set(calls) == {"bf16"}


class Steep(nn.Module):
    """Features beyond the range of half precision, of ten digits in single."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4, bias=False)
        nn.init.constant_(self.linear.weight, weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.mean(dim=(2, 3)).abs() + 1)


def test_features_that_half_precision_cannot_hold_are_no_features(examples, setting, tiny):
    from weigh.models.pretrained import load_model

    prepared = load_model(tiny, pretrained=False, offline=True).preprocessing
    with pytest.raises(FloatingPointError, match="not finite in fp16"):
        features.forward_all(Steep(1e5), prepared, examples, replace(setting, precision="fp16"))
    assert np.isfinite(features.forward_all(Steep(1e5), prepared, examples, setting)).all()
    with pytest.raises(ModelError, match="not finite"):
        features.forward_all(Steep(np.nan), prepared, examples, setting)


def test_single_precision_is_not_rounded_on_a_gpu_either():
    """torch's own default lets convolutions round to ten bits there (TF32)."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    with computing(threads=1):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before


def test_a_cause_is_one_line():
    """Sentences of the report hold it, and a name in them begins no line."""
    error = ModelError(text("One thing.", "其一。"), text("Another.", "其二。"))
    assert failed_outcome("run", error).cause == "One thing. Another."
