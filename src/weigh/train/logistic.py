"""Many regularised logistic heads on the same features, solved together.

    minimise over (W, b)   mean over the head's rows of the log loss  +  strength / 2 · |W|²

Heads differ in which rows they may see and in their strength; they share the features, so one matrix product serves
all. The solver is L-BFGS with a preconditioner: along the leading eigenvectors of the features the Hessian of the
logistic loss is nearly diagonal, and across them the penalty dominates. Every head has its own step, its own memory and
its own end; a head that has converged is not moved again.

Solved heads can be the start of the next: at a neighbouring strength the Hessian differs by a multiple of the identity, so
the memory is carried over exactly, and in double precision it continues where single precision ended.

Equal to scikit-learn's `LogisticRegression(C = 1 / (strength · rows))` within tolerance (tests/train/test_probe.py).
Everything lies heads first, `(heads · columns, …)`: a few rows times a large matrix is several times faster than a large
matrix times a few columns. Time per iteration 4 · n · width · (heads · columns) flops; memory n × heads × columns and
2 × `HISTORY` × width × heads × columns values; more heads than fit are solved in chunks whose size depends on n and the
number of columns alone. What was tried: docs/decisions/probe-speed.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

__all__ = ["Basis", "Heads", "Memory", "basis_of", "eigenbasis", "solve"]

HISTORY = 16
CURVATURE = 0.1  # typical p(1 - p) of a fitted head: only the speed depends on it
LEADING = 256  # eigenvectors kept: more cost more per product than they save
CHUNK_VALUES = 2**26  # n × heads × columns of one chunk


@dataclass(frozen=True)
class Basis:
    """Leading eigenvectors `(kept, width)` and eigenvalues `(kept,)` of the standardised features' covariance.

    Attributes:
        rest: Mean of the eigenvalues that are not kept.
    """

    vectors: torch.Tensor
    values: torch.Tensor
    rest: float

    def to(self, kind: torch.dtype) -> Basis:
        return Basis(self.vectors.to(kind), self.values.to(kind), self.rest)

    def array(self) -> np.ndarray:
        """As one array `(kept, width + 2)` float32, for `basis_of`: vectors, values, rest."""
        rest = torch.full_like(self.values, self.rest)
        return torch.cat([self.vectors, self.values[:, None], rest[:, None]], dim=1).numpy()


@dataclass(frozen=True)
class Memory:
    """The last steps and what they changed in the gradients, newest last: both `(pairs, heads, values)`."""

    steps: torch.Tensor
    changes: torch.Tensor


@dataclass(frozen=True)
class Heads:
    """Solved heads.

    Attributes:
        weight: `(heads, width, columns)`.
        bias: `(heads, columns)`.
        iterations: Of the slowest head.
        gradient: `(heads,)` greatest absolute gradient.
        strength: `(heads,)` that they were solved with.
        memory: What the solver has learnt of the curvature, for heads that start here.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    iterations: int
    gradient: torch.Tensor
    strength: torch.Tensor
    memory: Memory | None = None

    def part(self, which: slice) -> Heads:
        """Some of the heads."""
        memory = self.memory and Memory(self.memory.steps[:, which], self.memory.changes[:, which])
        return Heads(
            self.weight[which], self.bias[which], self.iterations, self.gradient[which], self.strength[which], memory
        )

    def to(self, kind: torch.dtype) -> Heads:
        """The same heads in another precision."""
        memory = self.memory and Memory(self.memory.steps.to(kind), self.memory.changes.to(kind))
        return replace(
            self, weight=self.weight.to(kind), bias=self.bias.to(kind), strength=self.strength.to(kind), memory=memory
        )


def eigenbasis(features: torch.Tensor) -> Basis:
    """The preconditioner's basis from standardised features `(n, width)`; it steers the path, not the solution."""
    values, vectors = torch.linalg.eigh(features.T @ features / len(features))
    values, kept = values.clamp_min(0), min(LEADING, len(values))
    rest = values[:-kept].mean().item() if kept < len(values) else 0.0
    return Basis(vectors[:, -kept:].T.contiguous(), values[-kept:], rest)


def basis_of(array: np.ndarray) -> Basis:
    """The basis that was written with `Basis.array`, to the last bit."""
    stored = torch.from_numpy(array)
    return Basis(stored[:, :-2].contiguous(), stored[:, -2].contiguous(), stored[0, -1].item())


def solve(
    features: torch.Tensor,
    target: torch.Tensor,
    rows: torch.Tensor,
    strength: torch.Tensor,
    basis: Basis,
    *,
    softmax: bool,
    weights: torch.Tensor | None = None,
    start: Heads | None = None,
    tolerance: float = 1e-4,
    iterations: int = 200,
) -> Heads:
    """Solve all heads.

    Args:
        features: `(n, width)`, standardised.
        target: `(n, columns)` zeros and ones: one column for two classes, one per class for softmax or multi-label.
        rows: `(n, heads)` zeros and ones: which rows a head may see.
        strength: `(heads,)` L2 strength.
        softmax: Softmax over the columns; otherwise a sigmoid each.
        weights: `(n, columns)` weight of each row's loss (balanced classes; the same in every column for softmax);
            None: ones. They should have a mean of one: the loss is divided by the number of rows.
        start: Where to begin, one per head: solved on the same rows, with any strength; None: zeros.
        tolerance: Greatest absolute gradient at which a head ends.
    """
    n, columns = target.shape
    chunk = max(1, CHUNK_VALUES // (n * columns))
    truth = target.T.contiguous()
    balance = None if weights is None else weights.T.contiguous()
    solved = []
    for first in range(0, rows.shape[1], chunk):
        which = slice(first, first + chunk)
        seen = rows[:, which].T.contiguous()
        mass = (seen / seen.sum(dim=1, keepdim=True))[:, None]  # (heads, 1 or columns, n)
        if balance is not None:
            mass = mass * balance
        begin = None if start is None else start.part(which)
        problem = (features, truth, mass, strength[which], basis, begin)
        solved.append(_solve(*problem, softmax=softmax, tolerance=tolerance, iterations=iterations))
    return solved[0] if len(solved) == 1 else _together(solved)


def _together(parts: list[Heads]) -> Heads:
    memories = [part.memory for part in parts if part.memory is not None]
    pairs = max(len(memory.steps) for memory in memories)

    def padded(values: torch.Tensor) -> torch.Tensor:  # pairs of zeros change nothing
        return torch.cat([values.new_zeros(pairs - len(values), *values.shape[1:]), values])

    return Heads(
        torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]), max(part.iterations for part in parts),
        torch.cat([part.gradient for part in parts]), torch.cat([part.strength for part in parts]),
        Memory(torch.cat([padded(memory.steps) for memory in memories], dim=1), torch.cat([padded(memory.changes) for memory in memories], dim=1)),
    )  # fmt: skip


def _solve(
    features: torch.Tensor,
    truth: torch.Tensor,
    mass: torch.Tensor,
    strength: torch.Tensor,
    basis: Basis,
    start: Heads | None,
    *,
    softmax: bool,
    tolerance: float,
    iterations: int,
) -> Heads:
    """One chunk. A head's unknowns are one row of `columns · (width + 1)` values: each column's weights, then its bias."""
    (columns, n), width, heads = truth.shape, features.shape[1], len(mass)
    inner = 1 / (CURVATURE * basis.values + strength[:, None, None])  # (heads, 1, kept)
    outer = 1 / (CURVATURE * basis.rest + strength[:, None, None])

    def evaluate(at: torch.Tensor):
        """Objective `(heads,)` and gradient `(heads, values)`."""
        unknowns = at.view(heads, columns, width + 1)
        weight = unknowns[..., :width].reshape(-1, width)
        z = (weight @ features.T).view(heads, columns, n) + unknowns[..., width:]
        if softmax:
            normaliser = torch.logsumexp(z, dim=1, keepdim=True)
            loss = normaliser - (z * truth).sum(dim=1, keepdim=True)
            residual = torch.exp(z - normaliser)
            objective = (loss * mass[:, :1]).sum(dim=(1, 2))
        else:
            objective = ((functional.softplus(z) - z * truth) * mass).sum(dim=(1, 2))
            residual = torch.sigmoid(z)
        residual = (residual - truth) * mass
        gradient = torch.empty_like(unknowns)
        gradient[..., :width] = (residual.view(-1, n) @ features).view(heads, columns, width)
        gradient[..., :width] += strength[:, None, None] * unknowns[..., :width]
        gradient[..., width] = residual.sum(dim=2)
        squares = (weight * weight).view(heads, -1).sum(dim=1)
        return objective + 0.5 * strength * squares, gradient.view(heads, -1)

    def precondition(q: torch.Tensor) -> torch.Tensor:
        unknowns = q.view(heads, columns, width + 1)
        weight = unknowns[..., :width].reshape(-1, width)
        turned = (weight @ basis.vectors.T).view(heads, columns, -1)
        back = (((inner - outer) * turned).view(heads * columns, -1) @ basis.vectors).view(heads, columns, width)
        out = torch.empty_like(unknowns)
        out[..., :width] = outer * unknowns[..., :width] + back
        out[..., width] = unknowns[..., width] / CURVATURE
        return out.view(heads, -1)

    at = features.new_zeros(heads, columns * (width + 1))
    steps = changes = at.new_zeros(0, *at.shape)
    if start is not None:
        at = torch.cat([start.weight.transpose(1, 2), start.bias[..., None]], dim=2).reshape(heads, -1)
        if start.memory is not None:
            steps, changes = start.memory.steps, start.memory.changes
            if not torch.equal(start.strength, strength):  # the gradient of the penalty changes by this much more
                penalised = torch.ones(width + 1, dtype=at.dtype)
                penalised[width] = 0
                changes = changes + (strength - start.strength)[:, None] * penalised.repeat(columns) * steps
    pairs = [(s, y, _reciprocal(_dot(s, y))) for s, y in zip(steps, changes, strict=True)]
    objective, gradient = evaluate(at)
    greatest, used = gradient.abs().amax(dim=1), 0
    moving = greatest > tolerance
    while used < iterations and bool(moving.any()):
        q, scales = gradient.clone(), []
        for s, y, rho in reversed(pairs):
            scales.append(rho * _dot(s, q))
            q.addcmul_(scales[-1][:, None], y, value=-1)
        q = precondition(q)
        for (s, y, rho), scale in zip(pairs, reversed(scales), strict=True):
            q.addcmul_((scale - rho * _dot(y, q))[:, None], s)
        q = q * -moving.to(q.dtype)[:, None]
        slope = _dot(gradient, q)
        step = torch.ones_like(objective)
        slack = 4 * torch.finfo(features.dtype).eps * objective.abs()
        for _ in range(12):  # backtracking, each head its own step
            moved = step[:, None] * q
            tried = evaluate(at + moved)
            bad = moving & ~(tried[0] <= objective + 1e-4 * step * slope + slack)
            if not bool(bad.any()):
                break
            step = torch.where(bad, 0.4 * step, step)
        change = tried[1] - gradient
        pairs = [*pairs[-(HISTORY - 1) :], (moved, change, _reciprocal(_dot(moved, change)))]
        at, (objective, gradient) = at + moved, tried
        greatest = gradient.abs().amax(dim=1)
        stuck = moving & bad  # no step made it better: the arithmetic's limit
        moving = moving & (greatest > tolerance) & ~stuck
        used += 1
    if pairs:
        steps, changes = torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])
    unknowns = at.view(heads, columns, width + 1)
    return Heads(
        unknowns[..., :width].transpose(1, 2), unknowns[..., width], used, greatest, strength, Memory(steps, changes)
    )


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(dim=1)


def _reciprocal(curvature: torch.Tensor) -> torch.Tensor:
    """1 / curvature; 0 where a step taught nothing, so that its pair changes nothing."""
    return torch.where(curvature > 1e-30, 1 / curvature.clamp_min(1e-30), torch.zeros_like(curvature))
