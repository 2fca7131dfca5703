"""A linear head for numbers: ridge regression, its strength chosen by inner cross-validation on the squared error.

The normal equations are added up fold by fold, so that each strength and inner fold costs one Cholesky factorisation of
`width` x `width`: O(width³) each, O(n width²) for all together. Equal to scikit-learn's `Ridge` on standardised features
with alpha = strength x examples (tested).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from weigh.data.folds import assign_folds

__all__ = ["Ridge", "fit_ridge"]

INNER_FOLDS = 5
SMALLEST_SPREAD = 1e-6


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
    group: np.ndarray | None = None,
) -> Ridge:
    """The head with the strength that predicts best inside these examples.

    Args:
        features: `(n, width)` float32, raw; standardised here with statistics of these rows only.
        target: `(n,)` numbers.
        strengths: L2 penalties per example on standardised features.
        group: `(n,)`: examples that are not split.
    """
    x = features.astype(np.float64)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > SMALLEST_SPREAD, spread, 1.0)
    x = (x - mean) / spread
    units = len(target) if group is None else len(np.unique(group))
    options = sorted(float(strength) for strength in strengths)
    strength = options[len(options) // 2]
    if (folds := min(INNER_FOLDS, units)) >= 2 and len(options) > 1:
        of = assign_folds(target, folds=folds, rng=rng, group=group, stratify=True)
        errors = np.zeros(len(options))
        for fold in range(folds):
            seen, held = x[of != fold], x[of == fold]
            centre, middle = seen.mean(axis=0), target[of != fold].mean()
            gram, moment = _equations(seen - centre, target[of != fold] - middle)
            for i, option in enumerate(options):
                slope = _solve(gram, moment, option * len(seen))
                errors[i] += np.square((held - centre) @ slope + middle - target[of == fold]).sum()
        strength = options[int(errors.argmin())]
    middle = float(target.mean())
    slope = _solve(*_equations(x, target - middle), strength * len(x)) / spread
    return Ridge(slope[None], np.array([middle - mean @ slope]), strength)


def _equations(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.T @ x, x.T @ y


def _solve(gram: np.ndarray, moment: np.ndarray, penalty: float) -> np.ndarray:
    return cho_solve(cho_factor(gram + penalty * np.eye(len(gram)), overwrite_a=True), moment)
