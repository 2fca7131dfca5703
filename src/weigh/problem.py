"""What a check of the data found: a person should know it; it becomes a finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from weigh.errors import DataError
from weigh.language import Text

__all__ = ["Problem", "refuse_errors"]


@dataclass(frozen=True)
class Problem:
    """Something about the data that a person should know; becomes a finding of the same `kind`.

    Attributes:
        kind: "unreadable", "duplicate", "near-duplicate", "leak", "near-leak", "label-conflict", "tiny-class",
            "imbalance", "one-class", "odd-picture", "placeholder", "split" …
        sentence: What was found, with numbers.
        paths: Every file concerned (relative); never cut short.
        pairs: For duplicates: clusters of paths that belong together.
        severity: "error" (the study cannot run), "warning", "note".
        why, do: Why it matters; what to do now.
        numbers: Every number in the sentence, by name.
        details: Anything else a table should show, one row per file or pair (flat dictionaries).
    """

    kind: str
    sentence: Text
    paths: tuple[str, ...] = ()
    pairs: tuple[tuple[str, ...], ...] = ()
    severity: Literal["error", "warning", "note"] = "warning"
    why: Text | None = None
    do: Text | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    details: tuple[dict[str, Any], ...] = ()


def refuse_errors(problems: Iterable[Problem]) -> None:
    """Raise the first of the problems that forbids to use the data, if there is one.

    Raises:
        DataError: The first problem that forbids it.
    """
    for problem in problems:
        if problem.severity == "error":
            raise DataError(problem.sentence, problem.why, problem.do)
