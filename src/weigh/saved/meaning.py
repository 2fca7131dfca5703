"""What the outputs of a saved model mean: from arrays to rows for people, whoever computed them.

Before it: `model.py` (one network) and `average.py` (several). After it: `weigh predict`, `pictures.py` and the services of `study.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from weigh.data.examples import Examples, NewExamples
from weigh.data.written import Written
from weigh.errors import WeighError, reason_of
from weigh.heads.network_task import network_task
from weigh.kinds.base import Kind, Prediction, kind_named
from weigh.language import Text
from weigh.media import Medium
from weigh.notices import Progress

__all__ = ["Each", "Meaning", "blank_examples"]

STRETCH = 1024  # examples whose batches are cut together
ALIKE = 128  # of a medium whose batches are cut by their number alone (4 of 32): the same batches, and less is lost with a block
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

    def as_json(self) -> dict[str, Any]:
        """What config.json of a saved model says of it."""
        return {
            "task": self.task,
            "kind": self.kind.name,
            "pair": self.pair,
            "classes": list(self.classes),
            "temperature": self.temperature,
            "decision": "threshold" if self.by_threshold else "argmax",
            "bias": self.bias.tolist() if self.by_threshold else None,
            "written": None if self.written is None else self.written.as_json(),
            "margins": None if self.margins is None else self.margins.tolist(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Meaning:
        """From what `as_json` gave, now or in an earlier version.

        Raises:
            ValueError, KeyError, TypeError: It is something else.
        """
        classes, bias, margins = tuple(stored["classes"]), stored["bias"], stored.get("margins")
        return cls(
            task=stored["task"],
            kind=kind_named(stored["kind"]),
            classes=classes,
            temperature=stored["temperature"],
            bias=np.zeros(len(classes)) if bias is None else np.asarray(bias),
            pair=stored["pair"],
            written=Written.from_json(stored.get("written")),
            margins=None if margins is None else np.asarray(margins),
        )

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
            each: See `blocks`.
        """
        return [row for rows in self.blocks(new, outputs, progress=progress, each=each) for row in rows]

    def blocks(
        self, new: NewExamples, outputs: Outputs, *, start: int = 0, progress: Progress | None = None, each: Each | None = None,
        language: str = "en",
    ) -> Iterator[list[dict[str, Any]]]:  # fmt: skip
        """The rows of `predict_new`, block by block, from example `start` on: where an earlier block ended, what follows is the same to the last digit.

        Memory: a block and its answers, of at most `STRETCH` examples that can be read, however many there are.

        Args:
            each: Called with the position and the decision of every example that could be read, before its block is given.
            language: Of what is said of examples that cannot be read.
        """
        n, stretch = len(new.path), ALIKE if network_task(self.task).feed.alike else STRETCH
        readable = np.fromiter((i for i in range(start, n) if i not in new.failed), np.int64)
        counted = [start - sum(i < start for i in new.failed)]
        total = counted[0] + len(readable)

        def done(more: int) -> None:
            counted[0] += more
            if progress:
                progress("predicting", counted[0], total)

        first = start
        for at in range(0, len(readable), stretch):
            some = readable[at : at + stretch]
            answers = self._answers(new, some, outputs, done, each, language)
            end = int(some[-1]) + 1 if at + stretch < len(readable) else n
            yield [self._row(new, i, answers, language) for i in range(first, end)]
            first = end
        for at in range(first, n, stretch):  # none of them can be read
            yield [self._row(new, i, {}, language) for i in range(at, min(at + stretch, n))]

    def _answers(
        self,
        new: NewExamples,
        some: np.ndarray,
        outputs: Outputs,
        done: Callable[[int], None],
        each: Each | None,
        language: str,
    ) -> dict[int, dict[str, Any]]:
        """Position -> what is answered, of examples that are computed together."""
        rows = None if new.rows is None else new.rows[some]
        examples = blank_examples(self.kind, self.classes, self.medium, new.path[some], rows)
        failed: dict[int, Exception] = {}
        prediction = self.decide(outputs(examples, failed=failed, done=done))
        answers: dict[int, dict[str, Any]] = {}
        for k, i in enumerate(some.tolist()):
            if k in failed:
                answers[i] = {**self.nothing, "error": _reason(failed[k], language)}
                continue
            answers[i] = self._answer(prediction, k, examples.row(k) or ())
            if each is not None:
                each(i, prediction.labels[k])
        return answers

    def _row(self, new: NewExamples, i: int, answers: Mapping[int, dict[str, Any]], language: str) -> dict[str, Any]:
        failed = i in new.failed
        answer = {**self.nothing, "error": _reason(new.failed[i], language)} if failed else answers[i]
        return {**new.named(i), **answer}

    def _answer(self, prediction: Prediction, i: int, row: Any) -> dict[str, Any]:
        answer = self.kind.row(prediction, i, self.classes, tokens=row, threshold=self.by_threshold)
        if self.margins is None:
            return answer
        return answer | self.kind.ranges(prediction, i, self.classes, self.margins)


def _reason(why: Exception | Text | str, language: str) -> str:
    """Why an example cannot be read, in one line."""
    if isinstance(why, WeighError) and language != "en":
        why = why.what
    if isinstance(why, Exception):
        return reason_of(why, 1000)
    return why.render(language) if isinstance(why, Text) else why


def blank_examples(
    kind: Kind, classes: tuple[str, ...], medium: Medium, path: np.ndarray, rows: np.ndarray | None
) -> Examples:
    """Examples without labels: what a task needs to build a network and to prepare them."""
    n = len(path)
    blank = np.full(n, "")
    return Examples(
        Path(), path, kind.blank(n, len(classes)), classes, blank, np.arange(n), blank, kind, rows=rows, medium=medium
    )
