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
matrix times a few columns. Logits and residuals are never there for all rows: both products are made of a stretch of rows that
fits the processor's memory. Time per iteration 4 · n · width · (heads · columns) flops; memory n × heads and
3 × `HISTORY` × width × heads × columns values; more heads than fit are solved in chunks whose size depends on the
width and the number of columns alone. What was tried: docs/decisions/probe-speed.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from weigh.train.curvature import Curvature, Memory, together
from weigh.train.rows import Rows

__all__ = ["LEADING", "Basis", "Heads", "basis_of", "eigenbasis", "solve"]

HISTORY, LARGE_HEAD = (
    16,
    2**17,
)  # pairs remembered; half of them for heads of more values, for a pair is twice as large as a head
CURVATURE = 0.1  # typical p(1 - p) of a fitted head of two classes: only the speed depends on it
LEADING = 256  # eigenvectors kept: more cost more per product than they save
CHUNK_VALUES = 2**24  # width × heads × columns of one chunk: a pair of all its heads in single precision is 64 MiB
LOGITS, FEWEST = 2**18, 512  # values heads × columns × rows at a time, but no fewer rows


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
        """The basis as one array `(kept, width + 2)` float32, for `basis_of`: vectors, values, rest."""
        rest = torch.full_like(self.values, self.rest)
        return torch.cat([self.vectors, self.values[:, None], rest[:, None]], dim=1).numpy()


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
        memory = self.memory and self.memory.part(which)
        return Heads(
            self.weight[which], self.bias[which], self.iterations, self.gradient[which], self.strength[which], memory
        )

    def to(self, kind: torch.dtype) -> Heads:
        """The same heads in another precision."""
        memory = self.memory and self.memory.to(kind)
        return replace(
            self, weight=self.weight.to(kind), bias=self.bias.to(kind), strength=self.strength.to(kind), memory=memory
        )


def eigenbasis(features: Rows) -> Basis:
    """The preconditioner's basis from standardised features; it steers the path, not the solution."""
    products = torch.zeros(features.width, features.width, dtype=features.mean.dtype)
    for _, some in features.stretches(products.dtype, max(len(features), 1)):
        products += some.T @ some
    values, vectors = _eigen(products / len(features))
    values, kept = values.clamp_min(0), min(LEADING, len(values))
    rest = values[:-kept].mean().item() if kept < len(values) else 0.0
    return Basis(vectors[:, -kept:].T.contiguous(), values[-kept:], rest)


def _eigen(symmetric: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues, ascending, and eigenvectors as columns. Single precision does not always converge where few rows make many
    columns, depending on how many threads share the sums: double precision then decides, and only the path of the solver changes.
    """
    try:
        values, vectors = torch.linalg.eigh(symmetric)
        if bool(vectors.isfinite().all()):
            return values, vectors
    except torch.linalg.LinAlgError:
        pass
    values, vectors = torch.linalg.eigh(symmetric.double())
    return values.to(symmetric.dtype), vectors.to(symmetric.dtype)


def basis_of(array: np.ndarray) -> Basis:
    """The basis that was written with `Basis.array`, to the last bit."""
    stored = torch.from_numpy(array)
    return Basis(stored[:, :-2].contiguous(), stored[:, -2].contiguous(), stored[0, -1].item())


def solve(
    features: Rows,
    target: torch.Tensor,
    rows: torch.Tensor,
    strength: torch.Tensor,
    basis: Basis,
    *,
    columns: int,
    weights: torch.Tensor | None = None,
    start: Heads | None = None,
    tolerance: float = 1e-4,
    gain: float = 0.0,
    iterations: int = 200,
) -> Heads:
    """Solve all heads.

    Args:
        features: `(n, width)`, standardised; in single precision also where the rest is in double.
        target: `(n,)` class numbers for softmax, or `(n, columns)` zeros and ones for a sigmoid each: one column for two
            classes, one per label for several.
        rows: `(n, heads)` zeros and ones: which rows a head may see.
        strength: `(heads,)` L2 strength. Its precision is that of the solution.
        columns: Classes of a softmax, or columns of `target`.
        weights: `(n,)` or `(n, columns)` weight of each row's loss, of the shape of `target` (balanced classes); None: ones.
            They should have a mean of one: the loss is divided by the number of rows.
        start: Where to begin, one per head: solved on the same rows, with any strength; None: zeros.
        tolerance: Greatest absolute gradient at which a head ends.
        gain: Expected fall of the objective at which it ends too. Single precision cannot reach every gradient with many classes.
    """
    chunk, kind = max(1, CHUNK_VALUES // (features.width * columns)), strength.dtype
    truth, balance = (
        array.T.contiguous() if array is not None and array.ndim > 1 else array for array in (target, weights)
    )
    solved = []
    for first in range(0, rows.shape[1], chunk):
        which = slice(first, first + chunk)
        seen = rows[:, which].T.to(kind)
        data = _Data(features, truth, seen / seen.sum(dim=1, keepdim=True), balance, columns)
        begin = None if start is None else start.part(which)
        solved.append(_solve(data, strength[which], basis, begin, tolerance, gain, iterations))
    return solved[0] if len(solved) == 1 else _together(solved)


def _together(parts: list[Heads]) -> Heads:
    memories = [part.memory for part in parts if part.memory is not None]
    return Heads(
        torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]), max(part.iterations for part in parts),
        torch.cat([part.gradient for part in parts]), torch.cat([part.strength for part in parts]), together(memories),
    )  # fmt: skip


class _Data(NamedTuple):
    """What the heads of one chunk are fitted to.

    Attributes:
        truth: `(n,)` class numbers for softmax, else `(columns, n)` zeros and ones.
        seen: `(heads, n)`: the share of each row in each head's mean; its precision is that of the solution.
        balance: Of the shape of `truth`, or None.
    """

    features: Rows
    truth: torch.Tensor
    seen: torch.Tensor
    balance: torch.Tensor | None
    columns: int

    @property
    def softmax(self) -> bool:
        return self.truth.ndim == 1

    def loss(self, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Log losses `(heads,)` and their gradients `(heads, columns, width)` and `(heads, columns)`, for weight and bias of these shapes."""
        kind, (heads, _), columns = self.seen.dtype, self.seen.shape, self.columns
        flat, compute = weight.reshape(heads * columns, -1), self._softmax if self.softmax else self._sigmoid
        objective, pushed = weight.new_zeros(heads), torch.zeros_like(bias)
        pulled = torch.zeros_like(flat)
        for rows, some in self.features.stretches(kind, max(FEWEST, LOGITS // (heads * columns))):
            z = (flat @ some.T).view(heads, columns, len(some)).add_(bias[..., None])
            mass = self.seen[:, None, rows]
            if self.balance is not None:
                mass = mass * self.balance[..., rows]
            loss, residual = compute(z, rows, mass)
            objective += loss
            pushed += residual.sum(dim=2)
            pulled.addmm_(residual.view(heads * columns, -1), some)
        return objective, pulled.view_as(weight), pushed

    def _softmax(self, z: torch.Tensor, rows: slice, mass: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss `(heads,)` and residuals in the place of the logits `z` `(heads, columns, rows)`; mass `(heads, 1, rows)`."""
        label = self.truth[rows].expand(len(z), 1, -1)
        z -= z.amax(dim=1, keepdim=True)
        true = z.gather(1, label)
        total = z.exp_().sum(dim=1, keepdim=True)
        loss = ((torch.log(total) - true) * mass).sum(dim=(1, 2))
        residual = z.mul_(mass / total)
        return loss, residual.scatter_add_(1, label, -mass)

    def _sigmoid(self, z: torch.Tensor, rows: slice, mass: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and residuals, as of `_softmax`, where each column is a yes-or-no question; mass `(heads, 1 or columns, rows)`."""
        truth = self.truth[:, rows].to(z.dtype)
        loss = ((_softplus(z) - z * truth) * mass).sum(dim=(1, 2))
        return loss, torch.sigmoid_(z).sub_(truth).mul_(mass)


def _solve(
    data: _Data,
    strength: torch.Tensor,
    basis: Basis,
    start: Heads | None,
    tolerance: float,
    gain: float,
    iterations: int,
) -> Heads:
    """One chunk. A head's unknowns are one row of `columns · (width + 1)` values: each column's weights, then its bias."""
    (heads, _), columns, width, kind = data.seen.shape, data.columns, data.features.width, strength.dtype
    # With more classes the curvature of each is smaller, but less than in proportion: rows of the class itself and of similar classes still count
    # fully. A guess that is too small costs more than one that is too large, since steps that are too long are tried again.
    curvature = CURVATURE * ((2 / columns) ** 0.2 if data.softmax else 1)
    inner = 1 / (curvature * basis.values + strength[:, None, None])  # (heads, 1, kept)
    outer = 1 / (curvature * basis.rest + strength[:, None, None])

    def evaluate(at: torch.Tensor):
        """Objective `(heads,)` and gradient `(heads, values)`."""
        unknowns = at.view(heads, columns, width + 1)
        weight = unknowns[..., :width]
        loss, pulled, pushed = data.loss(weight, unknowns[..., width])
        gradient = torch.empty_like(unknowns)
        torch.add(pulled, strength[:, None, None] * weight, out=gradient[..., :width])
        gradient[..., width] = pushed
        return loss + 0.5 * strength * weight.square().sum(dim=(1, 2)), gradient.view(heads, -1)

    def precondition(q: torch.Tensor) -> torch.Tensor:
        """`(heads, …, values)`."""
        unknowns = q.view(heads, -1, width + 1)
        weight = unknowns[..., :width].reshape(-1, width)
        turned = (weight @ basis.vectors.T).view(heads, -1, len(basis.values))
        back = (((inner - outer) * turned).view(-1, len(basis.values)) @ basis.vectors).view(heads, -1, width)
        out = torch.empty_like(unknowns)
        out[..., :width] = outer * unknowns[..., :width] + back
        out[..., width] = unknowns[..., width] / curvature
        return out.view(q.shape)

    at = strength.new_zeros(heads, columns * (width + 1))
    memory = Memory(at.new_zeros(heads, 0, at.shape[1]), at.new_zeros(heads, 0, at.shape[1]))
    if start is not None:
        at = torch.cat([start.weight.transpose(1, 2), start.bias[..., None]], dim=2).reshape(heads, -1)
        if start.memory is not None:
            memory = start.memory
            if not torch.equal(start.strength, strength):  # the gradient of the penalty changes by this much more
                penalised = torch.ones(width + 1, dtype=at.dtype)
                penalised[width] = 0
                more = (strength - start.strength)[:, None, None] * penalised.repeat(columns)
                memory = Memory(memory.steps, memory.changes + more * memory.steps)
    objective, gradient = evaluate(at)
    smooth = precondition(gradient)
    learnt = Curvature(memory, HISTORY if at.shape[1] <= LARGE_HEAD else HISTORY // 2, precondition, gradient)
    greatest, used = gradient.abs().amax(dim=1), 0
    moving = greatest > tolerance
    while used < iterations and bool(moving.any()):
        q = learnt.direction(smooth)
        moving &= _dot(gradient, q) < -2 * gain
        q = torch.where(moving[:, None], q, q.new_zeros(()))  # a direction that is not finite moves nothing
        slope = _dot(gradient, q)
        step = torch.ones_like(objective)
        slack = 4 * torch.finfo(kind).eps * objective.abs()
        for _ in range(12):  # backtracking, each head its own step
            moved = step[:, None] * q
            tried = evaluate(at + moved)
            bad = moving & ~(tried[0] <= objective + 1e-4 * step * slope + slack)
            if not bool(bad.any()):
                break
            step = torch.where(bad, 0.4 * step, step)
        smoothed = precondition(tried[1])
        learnt.add(moved, tried[1] - gradient, smoothed - smooth, tried[1])
        at, (objective, gradient), smooth = at + moved, tried, smoothed
        greatest = gradient.abs().amax(dim=1)
        stuck = moving & bad  # no step made it better: the arithmetic's limit
        moving = moving & (greatest > tolerance) & ~stuck
        used += 1
    unknowns = at.view(heads, columns, width + 1)
    weight, bias = unknowns[..., :width].transpose(1, 2), unknowns[..., width]
    return Heads(weight, bias, used, greatest, strength, learnt.memory())


def _softplus(z: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(z)) to the arithmetic's absolute precision, in operations that torch has vector instructions for."""
    return z.clamp_min(0) + torch.log(1 + torch.exp(-z.abs()))


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(dim=1)
