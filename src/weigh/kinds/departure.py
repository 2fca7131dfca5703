"""How far apart two answers about the same examples are: what a saved model is checked by (`Kind.departure`)."""

from __future__ import annotations

import numpy as np

__all__ = ["relative_departure"]

LEAST_SPREAD = 1.0  # of logits: where they lie closer together, differences are told as shares of this


def relative_departure(values: np.ndarray, former: np.ndarray, least: float = LEAST_SPREAD) -> float:
    """Root mean square of their difference, as a share of the standard deviation of the former ones (of at least `least`); infinite where they
    cannot be compared.
    """
    values, former = values.astype(np.float64), former.astype(np.float64)
    if values.shape != former.shape or not (np.isfinite(values).all() and np.isfinite(former).all()):
        return float("inf")
    if not values.size:
        return 0.0
    return float(np.sqrt(np.square(values - former).mean()) / max(former.std(), least))
