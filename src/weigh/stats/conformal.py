"""How far a prediction may be off on a new example, from errors on examples that no training had seen.

The margin is the quantile of the errors that leaves `1 - level` of one more error beyond it (Vovk et al. 2005, ch. 2; Lei et al. 2018, §2). The errors are
those of a cross-validation, and the model that predicts was trained once more on everything: the guarantee is then at least 2 level - 1 (Barber
et al. 2021, Predictive inference with the jackknife+, theorem 4), in practice about `level`. Assumes that the new example comes from where these come
from; of examples in groups the largest error of each group counts once, so that it holds for an example of a new group.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["margin"]


def margin(errors: np.ndarray, group: np.ndarray | None = None, *, level: float = 0.95) -> np.ndarray | None:
    """`(k,)` half widths.

    Args:
        errors: `(n, k)` absolute errors of k quantities.
        group: `(n,)`: examples of one group are alike.

    Returns:
        None where there are too few examples, or groups, for this level (19 for 95 %).
    """
    if group is not None:
        _, row = np.unique(group, return_inverse=True)
        largest = np.zeros((row.max(initial=-1) + 1, errors.shape[1]))
        np.maximum.at(largest, row, errors)
        errors = largest
    n = len(errors)
    rank = math.ceil((n + 1) * level - 1e-9)
    return None if rank > n else np.sort(errors, axis=0)[rank - 1]
