"""Records of further purposes (curve, components, cleaned) put into a synthetic study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from weigh.record.results import Results, RunRecord

__all__ = ["add_runs"]


def add_runs(
    results: Results,
    name: str,
    purpose: str,
    logits: np.ndarray,
    *,
    variant: str = "",
    n_train: int | None = None,
    left_out: np.ndarray | None = None,
) -> Results:
    """The study with runs of `purpose` for the folds of its first repeats.

    Args:
        logits: `(repeats, n, classes)`.
        n_train: Training examples of each run; default: all but the fold.
        left_out: `(n,)` bool: examples that are neither trained on nor scored.
    """
    fold = results.out_of_fold(name).fold
    kept = np.ones(logits.shape[1], bool) if left_out is None else ~left_out
    store, records = {}, []
    for repeat in range(len(logits)):
        for k in range(int(fold.max()) + 1):
            where = np.flatnonzero((fold[repeat] == k) & kept)
            key = f"{name}/{purpose}/{variant}/{repeat}/{k}"
            store[key] = (where, logits[repeat, where].astype(np.float32))
            trained = int(kept.sum()) - len(where) if n_train is None else n_train
            records.append(RunRecord(key, name, purpose, repeat, k, "done", variant=variant, n_train=trained))  # type: ignore[arg-type]
    before = results.predictions
    return replace(
        results,
        records=(*results.records, *records),
        predictions=lambda key: store[key] if key in store else before(key),
    )
