"""The answers of a run that are kept as the network gave them, to be drawn: those that are furthest off.

Before it: answers, batch by batch (`network.py`). After it: `record/arrays.py`. Where what is recorded of an answer says all of it, nothing is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from weigh.data.examples import Examples
from weigh.kinds.base import rows_of
from weigh.run import Kept, Run, Setting

__all__ = ["Furthest", "furthest_of"]


class Furthest:
    """Collects answers about examples of one run.

    Args:
        most: How many are kept; None: all.
    """

    def __init__(self, examples: Examples, most: int | None) -> None:
        self._examples, self._most = examples, most
        self._seen: list[tuple[float, int, Any]] = []

    def look(self, indices: np.ndarray, answers: np.ndarray, recorded: np.ndarray) -> None:
        """One batch: examples, their answers, and what is recorded of these."""
        kind, target = self._examples.kind, self._examples.target[indices]
        distances = kind.distances(kind.decide(recorded).labels, target)
        self._seen += zip(distances.tolist(), indices.tolist(), answers, strict=True)
        self._seen.sort(key=lambda one: (-one[0], one[1]))
        if self._most is not None:
            del self._seen[self._most :]

    def kept(self) -> Kept:
        """The answers that are kept, in the order of the examples."""
        ordered = sorted(self._seen, key=lambda one: one[1])
        return Kept(np.array([one[1] for one in ordered], dtype=np.int64), rows_of([one[2] for one in ordered]))


def furthest_of(run: Run, setting: Setting, examples: Examples) -> Furthest | None:
    """What collects the answers of a run; None where none are kept: the report draws answers of the cross-validation alone."""
    if not examples.kind.kept or run.purpose not in ("main", "refit"):
        return None
    if setting.keep_all:
        return Furthest(examples, None)
    return Furthest(examples, examples.kind.kept) if run.purpose == "main" else None
