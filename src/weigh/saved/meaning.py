"""What the outputs of a saved model mean: from arrays to rows for people, whoever computed them.

Before it: `model.py` (one network) and `average.py` (several). After it: `weigh predict`, `pictures.py` and the services of `study.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from weigh.data.examples import Examples, NewExamples
from weigh.data.written import Written
from weigh.errors import reason_of
from weigh.heads.network_task import network_task
from weigh.kinds.base import Kind, Prediction
from weigh.media import Medium
from weigh.notices import Progress

__all__ = ["Each", "Meaning", "Outputs", "blank_examples"]

STRETCH = 1024  # examples whose batches are cut together
Each = Callable[[int, Any], None]  # the position and the decision of an example


class Outputs(Protocol):
    """Who computes `(n, k)` of examples, as a run records them."""

    def __call__(
        self, examples: Examples, *, failed: dict[int, Exception] | None = None, done: Callable[[int], None]
    ) -> np.ndarray:
        """See `SavedModel.outputs`."""
        ...


@dataclass(frozen=True)
class Meaning:
    """How outputs become answers.

    Attributes:
        task: Name of the task.
        kind: What is predicted.
        classes: Class names, in the order of the outputs; of entities their types; empty for numbers.
        temperature: Logits are divided by it.
        bias: `(classes,)` added to log probabilities before the decision.
        pair: Texts come in pairs.
        written: How the training data were written; new texts are read in the same way.
        margins: How far the quantities of `Kind.errors` may be off (`stats/conformal.py`); None: nobody knows.
    """

    task: str
    kind: Kind
    classes: tuple[str, ...]
    temperature: float
    bias: np.ndarray
    pair: bool = False
    written: Written | None = None
    margins: np.ndarray | None = None

    @property
    def medium(self) -> Medium:
        """What an example is made of."""
        return network_task(self.task).medium

    @property
    def nothing(self) -> dict[str, Any]:
        """The answer for an example that cannot be read."""
        return self.kind.row(None, 0, self.classes, threshold=self.by_threshold)

    @property
    def by_threshold(self) -> bool:
        """Whether the label may be another class than the most probable one; then each answer tells both."""
        return bool(self.bias.any())

    def decide(self, answers: np.ndarray) -> Prediction:
        """Where there are probabilities they are calibrated; the bias was chosen on those as trained, so decisions are made before that."""
        answers = answers if answers.dtype == object else answers.astype(np.float64)
        prediction = self.kind.decide(answers, self.bias)
        if not self.kind.probable:
            return prediction
        return prediction._replace(probabilities=self.kind.probabilities(answers / self.temperature))

    def predict_new(
        self, new: NewExamples, outputs: Outputs, *, progress: Progress | None = None, each: Each | None = None
    ) -> list[dict[str, Any]]:
        """One dictionary per example, in order: what names it, label, probability, p:<class>…; for numbers: value; "error" where it cannot be read.

        Where a threshold decides, `most_probable` follows: the class that would be the label without it.

        For entities: entities, a list of {"start", "end", "type", "text"} in tokens. For masks: the share of each class.

        Args:
            each: Called with the position and the decision of every example that could be read.
        """
        readable = [i for i in range(len(new.named)) if i not in new.failed]
        answers: dict[int, dict[str, Any]] = {i: {**self.nothing, "error": new.failed[i]} for i in new.failed}

        def done(n: int) -> None:
            counted[0] += n
            if progress:
                progress("predicting", counted[0], len(readable))

        counted = [0]
        for start in range(0, len(readable), STRETCH):
            some = readable[start : start + STRETCH]
            rows = None if new.rows is None else new.rows[some]
            examples = blank_examples(self.kind, self.classes, self.medium, new.path[some], rows)
            failed: dict[int, Exception] = {}
            prediction = self.decide(outputs(examples, failed=failed, done=done))
            for k, i in enumerate(some):
                answers[i] = self._answer(prediction, k, examples.row(k) or ())
                if k in failed:
                    answers[i] = {**self.nothing, "error": reason_of(failed[k], 1000)}
                elif each is not None:
                    each(i, prediction.labels[k])
        return [{**named, **answers[i]} for i, named in enumerate(new.named)]

    def _answer(self, prediction: Prediction, i: int, row: Any) -> dict[str, Any]:
        answer = self.kind.row(prediction, i, self.classes, tokens=row, threshold=self.by_threshold)
        if self.margins is None:
            return answer
        return answer | self.kind.ranges(prediction, i, self.classes, self.margins)


def blank_examples(
    kind: Kind, classes: tuple[str, ...], medium: Medium, path: np.ndarray, rows: np.ndarray | None
) -> Examples:
    """Examples without labels: what a task needs to build a network and to prepare them."""
    n = len(path)
    blank = np.full(n, "")
    return Examples(
        Path(), path, kind.blank(n, len(classes)), classes, blank, np.arange(n), blank, kind, rows=rows, medium=medium
    )
