"""Looking at many questions at once: p values that allow for all of them.

Before it: p values of one family (slices, columns, block sizes). After it: the findings that name what is real.
Differences between candidates need no p values; their intervals are simultaneous (`comparison.py`).
"""

from __future__ import annotations

import numpy as np

__all__ = ["holm"]


def holm(p: np.ndarray) -> np.ndarray:
    """p values that allow for having looked at all of them (NaN: not looked at); monotone, at most 1.

    Args:
        p: `(k,)`.

    References:
        Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Statist. 6.
    """
    p = np.asarray(p, dtype=np.float64)
    out = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p[i]))
        out[i] = running
    return out
