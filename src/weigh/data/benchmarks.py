"""Public benchmarks that are recognised by their folders: what they settle in a specification, and the test files that they ask answers to.

Before it: what the user typed. After it: the readers, for which a benchmark is data like any other. `weigh/glue/` is one; a further
one is a room of its own that registers itself here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from weigh.language import Text, text
from weigh.problem import Problem
from weigh.registry import Registry
from weigh.spec import StudySpec

__all__ = ["BENCHMARKS", "Benchmark", "Predict", "Submission", "complete_spec", "submit"]

Predict = Callable[[Sequence[tuple[str, ...]]], list[dict[str, Any]]]


class Submission(Protocol):
    """A file with answers that was written for a benchmark's own judges."""

    @property
    def path(self) -> Path: ...
    def line(self) -> Text: ...


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: As in the registry.
        title: Its name for people.
        complete: From a specification to the same with the benchmark's own task, metric and test sets where the user has set
            none, and what was recognised; the specification unchanged where the data are something else.
        submit: Writes answers to the test files whose labels the benchmark keeps; None: it keeps none.
    """

    name: str
    title: Text
    complete: Callable[[StudySpec], tuple[StudySpec, list[Problem]]]
    submit: Callable[[Path, StudySpec, Predict], Sequence[Submission]] | None = None


BENCHMARKS: Registry[Benchmark] = Registry(text("benchmark", "基准"), modules=("weigh.glue.benchmark",))


def complete_spec(spec: StudySpec) -> tuple[StudySpec, list[Problem]]:
    """The specification as the benchmarks complete it, and what they recognised.

    Raises:
        DataError: A part of a benchmark that cannot be trained on, or that cannot be downloaded.
    """
    problems: list[Problem] = []
    for _, benchmark in BENCHMARKS.items():
        spec, recognised = benchmark.complete(spec)
        problems += recognised
    return spec, problems


def submit(folder: Path, spec: StudySpec, predict: Predict) -> list[Submission]:
    """Write the answers that benchmarks ask for.

    Args:
        folder: Of the study.
        predict: From texts to rows as `Study.predict` returns them.
    """
    asking = [benchmark.submit for _, benchmark in BENCHMARKS.items() if benchmark.submit is not None]
    return [file for submit_to in asking for file in submit_to(folder, spec, predict)]
