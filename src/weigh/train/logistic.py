"""Many regularised logistic heads on the same features, solved together.

    minimise over (W, b)   mean over the head's rows of the log loss  +  strength / 2 · |W|²

Heads differ in which rows they may see and in their strength; they share the features, so one matrix product serves
all. The solver is L-BFGS with a preconditioner: in the eigenbasis of the features the Hessian of the logistic loss is
nearly diagonal, so some tens of products suffice where plain L-BFGS needs hundreds. Every head has its own step, its
own memory and its own end; a head that has converged is not moved again.

Equal to scikit-learn's `LogisticRegression(C = 1 / (strength · rows))` within tolerance (tests/train/test_logistic.py).
Time per iteration 4 · n · width · (heads · columns) flops; memory n × heads × columns and 2 × memory × width × heads ×
columns values; more heads than fit are solved in chunks whose size depends on n and the number of columns alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["Basis", "Heads", "eigenbasis", "solve"]

HISTORY = 8
CURVATURE = 0.15  # typical p(1 - p) of a fitted head: only the speed depends on it
CHUNK_VALUES = 2**26  # n × heads × columns of one chunk


@dataclass(frozen=True)
class Basis:
    """Eigenvectors `(width, width)` and eigenvalues `(width,)` of the standardised features' covariance."""

    vectors: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True)
class Heads:
    """Solved heads: weights `(heads, width, columns)`, biases `(heads, columns)`, iterations, greatest gradient."""

    weight: torch.Tensor
    bias: torch.Tensor
    iterations: int
    gradient: torch.Tensor


def eigenbasis(features: torch.Tensor) -> Basis:
    """The preconditioner's basis from standardised features `(n, width)`; it steers the path, not the solution."""
    covariance = features.T @ features / len(features)
    values, vectors = torch.linalg.eigh(covariance)
    return Basis(vectors, values.clamp_min(0))


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
        start: Where to begin, one per head; None: zeros.
        tolerance: Greatest absolute gradient at which a head ends.
    """
    n, columns = target.shape
    chunk = max(1, CHUNK_VALUES // (n * columns))
    solved = [
        _solve(
            features,
            target,
            rows[:, i : i + chunk],
            strength[i : i + chunk],
            basis,
            softmax,
            weights,
            None if start is None else Heads(start.weight[i : i + chunk], start.bias[i : i + chunk], 0, start.gradient),
            tolerance,
            iterations,
        )
        for i in range(0, rows.shape[1], chunk)
    ]
    return Heads(
        torch.cat([part.weight for part in solved]), torch.cat([part.bias for part in solved]),
        max(part.iterations for part in solved), torch.cat([part.gradient for part in solved]),
    )  # fmt: skip


def _solve(features, target, rows, strength, basis, softmax, weights, start, tolerance, iterations) -> Heads:
    n, columns = target.shape
    width, heads = features.shape[1], rows.shape[1]
    mass = (rows / rows.sum(dim=0)).unsqueeze(2)  # (n, heads, 1)
    if weights is not None:
        mass = mass * weights[:, None, :]  # (n, heads, columns)
    truth = target.unsqueeze(1)  # (n, 1, columns)
    damping = (1 / (CURVATURE * basis.values[:, None] + strength)).unsqueeze(2)  # (width, heads, 1)

    def evaluate(weight: torch.Tensor, bias: torch.Tensor):
        """Objective `(heads,)` and gradients at weight (width, heads, columns) and bias (heads, columns)."""
        z = (features @ weight.reshape(width, -1)).view(n, heads, columns) + bias
        if softmax:
            normaliser = torch.logsumexp(z, dim=2, keepdim=True)
            loss = normaliser - (z * truth).sum(dim=2, keepdim=True)
            residual = torch.exp(z - normaliser)
        else:
            loss = torch.nn.functional.softplus(z) - z * truth
            residual = torch.sigmoid(z)
        residual = (residual - truth) * mass
        objective = (loss * (mass[..., :1] if softmax else mass)).sum(dim=(0, 2)) + 0.5 * strength * (
            weight * weight
        ).sum(dim=(0, 2))
        gradient = (features.T @ residual.reshape(n, -1)).view(width, heads, columns) + strength[:, None] * weight
        return objective, gradient, residual.sum(dim=0)

    def precondition(g: torch.Tensor) -> torch.Tensor:
        turned = (basis.vectors.T @ g.reshape(width, -1)).view(width, heads, columns)
        return (basis.vectors @ (damping * turned).reshape(width, -1)).view(width, heads, columns)

    def dot(a, a_bias, b, b_bias) -> torch.Tensor:
        return (a * b).sum(dim=(0, 2)) + (a_bias * b_bias).sum(dim=1)

    weight, bias = features.new_zeros(width, heads, columns), features.new_zeros(heads, columns)
    if start is not None:
        weight, bias = start.weight.permute(1, 0, 2).contiguous(), start.bias.clone()
    objective, gradient, gradient_bias = evaluate(weight, bias)
    history: list[tuple] = []
    greatest, used = torch.maximum(gradient.abs().amax(dim=(0, 2)), gradient_bias.abs().amax(dim=1)), 0
    moving = greatest > tolerance
    while used < iterations and bool(moving.any()):
        q, q_bias, scales = gradient.clone(), gradient_bias.clone(), []
        for s, s_bias, y, y_bias, rho in reversed(history):
            a = rho * dot(s, s_bias, q, q_bias)
            scales.append(a)
            q -= a[:, None] * y
            q_bias -= a[:, None] * y_bias
        q, q_bias = precondition(q), q_bias / CURVATURE
        for (s, s_bias, y, y_bias, rho), a in zip(history, reversed(scales), strict=True):
            b = rho * dot(y, y_bias, q, q_bias)
            q += s * (a - b)[:, None]
            q_bias += s_bias * (a - b)[:, None]
        q, q_bias = -q * moving[:, None], -q_bias * moving[:, None]
        slope = dot(gradient, gradient_bias, q, q_bias)
        step = torch.ones_like(objective)
        slack = 4 * torch.finfo(features.dtype).eps * objective.abs()
        for _ in range(12):  # backtracking, each head its own step
            tried = evaluate(weight + step[:, None] * q, bias + step[:, None] * q_bias)
            bad = moving & ~(tried[0] <= objective + 1e-4 * step * slope + slack)
            if not bool(bad.any()):
                break
            step = torch.where(bad, 0.4 * step, step)
        moved, moved_bias = step[:, None] * q, step[:, None] * q_bias
        change, change_bias = tried[1] - gradient, tried[2] - gradient_bias
        curvature = dot(moved, moved_bias, change, change_bias)
        rho = torch.where(curvature > 1e-30, 1 / curvature.clamp_min(1e-30), torch.zeros_like(curvature))
        history = [*history[-(HISTORY - 1) :], (moved, moved_bias, change, change_bias, rho)]
        weight, bias = weight + moved, bias + moved_bias
        objective, gradient, gradient_bias = tried
        greatest = torch.maximum(gradient.abs().amax(dim=(0, 2)), gradient_bias.abs().amax(dim=1))
        stuck = moving & bad  # no step made it better: the arithmetic's limit
        moving = moving & (greatest > tolerance) & ~stuck
        used += 1
    return Heads(weight.permute(1, 0, 2), bias, used, greatest)
