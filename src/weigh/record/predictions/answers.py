"""What models answered about examples, however it was written: the contract between those who read predictions and those who check them.

Before it: `table.py` and `folder.py` read files of strangers. After it: `checks.py`, `folds.py` and
`shift.py` look at it, and `results.py` makes `Results` of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from weigh.problem import Problem

__all__ = ["Answers", "PredictionTable"]


@dataclass(frozen=True)
class Answers:
    """What one model said in one run.

    Attributes:
        model, run: Names.
        which: `(m,)` indices into the table's examples, each once.
        chosen: `(m,)` class index: the decision.
        probabilities: `(m, classes)` float32 with sums of one, or None where only decisions are known.
        fold: `(m,)` names of folds, or None.
    """

    model: str
    run: str
    which: np.ndarray
    chosen: np.ndarray
    probabilities: np.ndarray | None = None
    fold: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> Answers:
        """Some of the answers, `(k,)` positions among them, in that order."""
        return replace(
            self,
            which=self.which[rows],
            chosen=self.chosen[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            fold=None if self.fold is None else self.fold[rows],
        )

    def about(self, examples: np.ndarray, n: int) -> Answers:
        """The answers about some of `n` examples, `(k,)` ascending indices, counted among these from then on."""
        if len(examples) == n:  # all of them: large probabilities are not copied
            return self
        position = np.full(n, -1)
        position[examples] = np.arange(len(examples))
        kept = self.rows(np.flatnonzero(position[self.which] >= 0))
        return replace(kept, which=position[kept.which])


@dataclass(frozen=True)
class PredictionTable:
    """Examples and everything that was said about them.

    Attributes:
        name: Of the first file, for the title.
        example: `(n,)` names, unique within a set; `target`: `(n,)` class index; `set`: `(n,)` name of the test set.
        group: `(n,)` or None.
        slices: What other columns say of the examples.
    """

    name: str
    example: np.ndarray
    target: np.ndarray
    set: np.ndarray
    classes: tuple[str, ...]
    answers: tuple[Answers, ...]
    group: np.ndarray | None = None
    slices: dict[str, np.ndarray] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
