"""The GLUE table of finished studies: a row per candidate, a score with an interval per task, and the mean.

Before it: the records of each study. After it: `glue/writing.py` writes it. A task that was not run has a column all the same.

Scores are those of the refitted candidates on each study's test part, by GLUE's metric of the task, whatever the study's own primary
metric is. The tasks are independent samples, so the variance of a mean is the sum of theirs over the square of their number; the two
sides of the intervals, which are not alike, add up apart (square-and-add).

References:
    Wang et al. (2019), GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language Understanding, ICLR.
    Zou & Donner (2008), Construction of confidence limits about effect measures: a general approach, Statistics in Medicine 27.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weigh.errors import SpecError
from weigh.findings.generalisation.independent_test import part_scores
from weigh.glue.tasks import GLUE
from weigh.language import Text, text
from weigh.metrics.base import METRICS
from weigh.record.results import Results
from weigh.stats.estimate import Estimate

__all__ = ["GlueTable", "glue_table"]

MISMATCHED = "MNLI-mm"


@dataclass(frozen=True)
class GlueRow:
    """One candidate.

    Attributes:
        candidate: Its id, the same in every study.
        scores: Column of the table -> score; a column that is missing was not scored.
        mean: Over all tasks that some candidate of the table was scored on; None where this one lacks any of them.
        lacking: Those tasks that it lacks.
    """

    candidate: str
    scores: dict[str, Estimate]
    mean: Estimate | None
    lacking: tuple[str, ...]


@dataclass(frozen=True)
class GlueTable:
    """The table.

    Attributes:
        columns: GLUE's nine tasks in its order, and MNLI-mm where it was scored.
        metrics: Column -> what it is scored by.
        rows: The best mean first.
        scored: Tasks that the mean is over.
        missing: Tasks without any score, and why: not among the studies, or not finished.
    """

    columns: tuple[str, ...]
    metrics: dict[str, Text]
    rows: tuple[GlueRow, ...]
    scored: tuple[str, ...]
    missing: dict[str, Text]


def glue_table(studies: Sequence[Results], *, level: float = 0.95) -> GlueTable:
    """Put studies of GLUE's tasks side by side.

    Raises:
        SpecError: A study of something else, or two studies that score one candidate on one task.
    """
    scores_of: dict[str, dict[str, Estimate]] = {}
    begun: set[str] = set()
    for results in studies:
        task = _task_of(results)
        metric = METRICS.get(GLUE[task].metric)
        parts = {task: "test"} | ({MISMATCHED: "shift:mismatched"} if task == "MNLI" else {})
        begun.add(task)
        for candidate in results.candidates:
            scores_of.setdefault(candidate.id, {})
        for column, part in parts.items():
            for candidate, score in part_scores(results, metric, level, part).items():
                if column in scores_of[candidate]:
                    raise _twice(candidate, column)
                if not math.isnan(score.value):
                    scores_of[candidate][column] = score
    columns = [c for name in GLUE for c in ([name, MISMATCHED] if name == "MNLI" else [name])]
    any_score = {column for scores in scores_of.values() for column in scores}
    scored = tuple(name for name in GLUE if name in any_score)
    rows = [
        GlueRow(name, scores, mean_of_tasks(scores, scored), tuple(t for t in scored if t not in scores))
        for name, scores in scores_of.items()
    ]
    rows.sort(key=lambda row: -math.inf if row.mean is None else row.mean.value, reverse=True)
    why = {True: text("not finished", "尚未完成"), False: text("no study", "没有研究")}
    return GlueTable(
        columns=tuple(c for c in columns if c in GLUE or c in any_score),
        metrics={
            c: METRICS.get(GLUE.get(c, GLUE["MNLI"]).metric).title for c in columns if c in GLUE or c in any_score
        },
        rows=tuple(rows),
        scored=scored,
        missing={name: why[name in begun] for name in GLUE if name not in scored},
    )


def mean_of_tasks(scores: dict[str, Estimate], tasks: Sequence[str]) -> Estimate | None:
    """The mean over tasks, each weighing the same, MNLI's two sets half; None where a task is lacking, or has no interval."""
    if not tasks or any(task not in scores for task in tasks):
        return None
    parts: list[tuple[float, Estimate]] = []
    for task in tasks:
        halves = [task, MISMATCHED] if task == "MNLI" and MISMATCHED in scores else [task]
        parts += [(1 / len(tasks) / len(halves), scores[half]) for half in halves]
    weights = np.array([weight for weight, _ in parts])
    value = float(weights @ [score.value for _, score in parts])
    described = {"level": parts[0][1].level, "n": sum(score.n for _, score in parts), "method": "square-and-add"}
    if any(score.low is None or score.high is None for _, score in parts):
        return Estimate(value=value, **{**described, "method": "a task has no interval"})
    below = np.linalg.norm(weights * [score.value - (score.low or 0.0) for _, score in parts])
    above = np.linalg.norm(weights * [(score.high or 0.0) - score.value for _, score in parts])
    return Estimate(value=value, low=value - float(below), high=value + float(above), **described)


def _task_of(results: Results) -> str:
    for problem in results.problems:
        if problem.kind == "glue" and problem.details:
            return str(problem.details[0]["glue"])
    raise SpecError(
        text("The study '{n}' is of no task of GLUE.", "研究“{n}”不属于 GLUE 的任何任务。", n=results.name),
        text("Its data were not recognised as one.", "其数据未被识别为 GLUE 任务。"),
        text(
            "A folder of GLUE is called like its task ({t}) and has its columns.",
            "GLUE 数据的文件夹以任务命名（{t}），并具有该任务的列。",
            t=", ".join(GLUE),
        ),
    )


def _twice(candidate: str, column: str) -> SpecError:
    return SpecError(
        text("Two of the studies score {c} on {t}.", "有两个研究都给出了 {c} 在 {t} 上的得分。", c=candidate, t=column),
        do=text("Give one of them.", "请只给出其中一个。"),
    )
