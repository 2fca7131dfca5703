"""Answers to GLUE's test files, whose labels only GLUE has: one file per test set, as its site takes them.

Before it: the refitted winner. After it: the person zips the files of all tasks and sends them to GLUE.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from weigh.data.benchmarks import Predict
from weigh.disk import write_file
from weigh.glue.tasks import SubmissionFile, recognise_glue, submission_files
from weigh.language import Text, text
from weigh.saved.folder import CONFIG, MODEL
from weigh.spec import StudySpec

__all__ = ["write_submissions"]

LOWEST, HIGHEST = 0.0, 5.0  # of STS-B's scale; a regression may answer beyond it
INDEX = ("index", "id")


class Submission(NamedTuple):
    """A file that was written.

    Attributes:
        answers: Rows in it.
        unanswered: Rows of the test file that no answer stands for, since their lines are broken.
    """

    path: Path
    answers: int
    unanswered: int

    def line(self) -> Text:
        """Where it is, for people."""
        line = text(
            "For GLUE: {p} ({n} {n:|answer|answers}).",
            "GLUE 提交文件：{p}（{n} 个答案）。",
            p=self.path,
            n=self.answers,
        )
        if not self.unanswered:
            return line
        return line + text(
            "{n} {n:|line of the test file is broken and has|lines of the test file are broken and have} no answer: GLUE will refuse it.",
            "测试文件中有 {n} 行损坏，没有答案：GLUE 不会接受。",
            n=self.unanswered,
        )


def write_submissions(folder: Path, spec: StudySpec, predict: Predict) -> list[Submission]:
    """Write submission/TASK.tsv for every test file without labels; what is newer than the model is not predicted again.

    Args:
        folder: Of the study.
        predict: From texts to rows as `Study.predict` returns them.

    Returns:
        What stands there now; nothing where the data are no GLUE folder, or no model was refitted.
    """
    model = folder / MODEL / CONFIG
    if not model.exists():
        return []
    written = []
    for file in submission_files(spec):
        target = folder / "submission" / f"{file.name}.tsv"
        if not target.exists() or target.stat().st_mtime_ns < model.stat().st_mtime_ns:
            write_file(target, _answered(file, spec, predict))
        written.append(Submission(target, len(file.table.lines), len(file.table.broken)))
    return written


def _answered(file: SubmissionFile, spec: StudySpec, predict: Callable) -> str:
    columns = file.table.columns
    texts = [
        tuple(cell or "" for cell in row) for row in zip(*(columns[c] for c in file.table.roles.text), strict=True)
    ]
    named = next((columns[name] for name in columns if name.casefold() in INDEX), None)
    index = named if named and all(named) else [str(i) for i in range(len(texts))]
    entry = recognise_glue(spec.data)
    assert entry is not None
    lines = [f"{i}\t{_answer(row, entry.answers)}" for i, row in zip(index, predict(texts), strict=True)]
    return "\n".join(["index\tprediction", *lines]) + "\n"


def _answer(row: dict[str, Any], answers: tuple[str, ...]) -> str:
    """A label; for similarity a number. GLUE wants one for every row: an empty text gets the first label, or the middle."""
    if answers:
        return row["label"] or answers[0]
    value = (LOWEST + HIGHEST) / 2 if row["value"] is None else row["value"]
    return f"{min(max(value, LOWEST), HIGHEST) if math.isfinite(value) else LOWEST:.3f}"
