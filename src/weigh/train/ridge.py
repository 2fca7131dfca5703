"""A linear head for numbers: ridge regression, its strength chosen by inner cross-validation on the squared error.

The normal equations are added up fold by fold, so that each strength and inner fold costs one Cholesky factorisation of
`width` x `width`: O(width³) each, O(n width²) for all together. Numbers with a large mean lose digits in such sums: they are
centred first. Equal to scikit-learn's `Ridge` on standardised features
with alpha = strength x examples (tested).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq

from weigh.data.folds import inner_folds
from weigh.kinds.number import NUMBER
from weigh.train.rows import Rows

__all__ = ["fit_ridge"]


class Ridge(NamedTuple):
    """A fitted head on raw features: weight `(1, width)`, bias `(1,)`."""

    weight: np.ndarray
    bias: np.ndarray
    strength: float


def fit_ridge(
    features: np.ndarray,
    target: np.ndarray,
    strengths: Sequence[float],
    *,
    rng: np.random.Generator,
    rows: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> Ridge:
    """The head with the strength that predicts best inside these examples.

    Args:
        features: `(all, width)` float32, raw; standardised here with statistics of the rows in use only.
        target: `(n,)` numbers.
        strengths: L2 penalties per example on standardised features.
        rows: `(n,)` which features are the examples'; None: all, in their order.
        group: `(n,)`: examples that are not split.
    """
    rows = np.arange(len(features)) if rows is None else rows
    options = sorted(float(strength) for strength in strengths)
    strength = options[len(options) // 2]
    fold = inner_folds(NUMBER.strata(target), rng=rng, group=group) if len(options) > 1 else None
    of = np.zeros(len(target), np.int64) if fold is None else fold
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of)).tolist()
    x, y = Rows.standardise(features, rows[order]), target[order].astype(np.float64)
    centre = float(y.mean())
    y -= centre
    parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    sums = [_sums(x, y, part) for part in parts]
    every = _together(sums)
    if fold is not None:
        errors = np.zeros(len(options))
        for k, part in enumerate(parts):
            seen = _together(sums[:k] + sums[k + 1 :])
            solved = [seen.solve(option) for option in options]
            slopes, offsets = np.stack([slope for slope, _ in solved], axis=1), [offset for _, offset in solved]
            for which, some in x.stretches(torch.float64, len(x), part):
                errors += np.square(some.numpy() @ slopes + offsets - y[which, None]).sum(axis=0)
        strength = options[int(errors.argmin())]
    slope, offset = every.solve(strength)
    slope = slope / x.scale.double().numpy()
    return Ridge(slope[None], np.array([centre + offset - x.mean.double().numpy() @ slope]), strength)


class _Sums(NamedTuple):
    """Sums over some examples: 1, x, y, x xᵀ, x y."""

    n: float
    x: np.ndarray
    y: float
    squares: np.ndarray
    products: np.ndarray

    def solve(self, strength: float) -> tuple[np.ndarray, float]:
        """Slope `(width,)` and offset with a penalty of strength per example."""
        mean, middle = self.x / self.n, self.y / self.n
        gram = self.squares - self.n * np.outer(mean, mean) + strength * self.n * np.eye(len(mean))
        right = self.products - self.n * mean * middle
        try:
            slope = cho_solve(cho_factor(gram), right)
        except LinAlgError:  # a strength so small that the matrix is singular to the last digit: the shortest solution
            slope = lstsq(gram, right)[0]
        return slope, middle - float(mean @ slope)


def _sums(x: Rows, y: np.ndarray, part: slice) -> _Sums:
    zero = np.zeros(x.width)
    sums = _Sums(0.0, zero, 0.0, np.zeros((x.width, x.width)), zero)
    for which, some in x.stretches(torch.float64, len(x), part):
        one, of = some.numpy(), y[which]
        sums = _together([sums, _Sums(len(of), one.sum(axis=0), float(of.sum()), one.T @ one, one.T @ of)])
    return sums


def _together(sums: Sequence[_Sums]) -> _Sums:
    return _Sums(*(sum(values) for values in zip(*sums, strict=True)))
