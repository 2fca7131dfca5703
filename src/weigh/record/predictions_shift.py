"""Labels that count from another number than the predictions: noticed, and moved where the user says so (`data.label_offset`).

Before it: a table of predictions whose classes are numbers. After it: `predictions.py`. A shift makes every right answer wrong; a score of it
would be a confident wrong sentence, so where the numbers leave no doubt nothing is concluded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from weigh.data.examples import Problem
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.record.predictions_table import PredictionTable

__all__ = ["check_shift", "counted_from_one", "moved_labels"]

WHOLE = re.compile(r"[+-]?\d+")
AHEAD = 0.15  # how much more often the moved labels must be right before it is said


def moved_labels(labels: Sequence[str], offset: int) -> list[str]:
    """Numeric labels with `offset` added.

    Raises:
        DataError: Labels that are not all whole numbers.
    """
    if not offset:
        return list(labels)
    odd = next((label for label in labels if not WHOLE.fullmatch(label)), None)
    if odd is not None:
        raise DataError(
            text(
                "data.label_offset is {o}, but labels are not all whole numbers (first: '{w}').",
                "data.label_offset 为 {o}，但标签并非全是整数（第一个：“{w}”）。",
                o=offset,
                w=odd,
            ),
            do=text("Leave data.label_offset out.", "请去掉 data.label_offset。"),
        )
    return [str(int(label) + offset) for label in labels]


def check_shift(table: PredictionTable) -> PredictionTable:
    """The table, with a problem added where another counting fits clearly better.

    Raises:
        DataError: Labels and predictions count from different numbers, and moved by one they agree.
    """
    if not table.classes or not all(WHOLE.fullmatch(name) for name in table.classes):
        return table
    numbers = np.array([int(name) for name in table.classes])
    own, moved = _agreement(table, numbers, 0), {}
    for shift in (-1, 1):
        moved[shift] = _agreement(table, numbers, shift)
    best = max(moved, key=lambda shift: moved[shift])
    if moved[best] < own + AHEAD or moved[best] < 2 * own:
        return table
    labels = set(numbers[table.target].tolist())
    answers = {int(numbers[c]) for answer in table.answers for c in np.unique(answer.chosen)}
    said = text(
        "Labels and predictions seem to count from different numbers: as they stand {a:.3f} of the predictions are right, with labels moved by "
        "{s} {b:.3f}.",
        "标签与预测似乎从不同的数字开始编号：按现状有 {a:.3f} 的预测正确，把标签移动 {s} 后为 {b:.3f}。",
        a=own, b=moved[best], s=f"{best:+d}",
    )  # fmt: skip
    if not labels <= answers and not answers <= labels:
        raise DataError(said, _worse(), _remedy(best))
    problem = Problem("shifted-labels", said, why=_worse(), do=_remedy(best), numbers={"as they stand": round(own, 3), "moved": round(moved[best], 3)})  # fmt: skip
    return replace(table, problems=(*table.problems, problem))


def _agreement(table: PredictionTable, numbers: np.ndarray, shift: int) -> float:
    """Share of predictions, over all models, that equal the label moved by `shift`."""
    right = [
        (numbers[a.chosen] == numbers[table.target[a.which]] + shift).mean() for a in table.answers if len(a.which)
    ]
    return float(np.mean(right)) if right else 0.0


def counted_from_one(labels: np.ndarray, width: int) -> DataError | None:
    """For `width` probabilities and labels from 1 to `width`, which have no probability for their last class."""
    if labels.min() < 1 or labels.max() != width:
        return None
    return DataError(
        text(
            "There are probabilities of {k} classes, and labels from {a} to {b}: labels count from one.",
            "概率有 {k} 个类别，而标签为 {a} 到 {b}：标签从 1 开始编号。",
            k=width, a=int(labels.min()), b=int(labels.max()),
        ),
        text("The first probability belongs to class 0.", "第一个概率属于类别 0。"),
        _remedy(-1),
    )  # fmt: skip


def _worse() -> Text:
    return text("Every right answer would count as wrong.", "所有正确的答案都会被算作错误。")


def _remedy(shift: int) -> Text:
    return text("Move the labels: --set data.label_offset={o}", "请移动标签：--set data.label_offset={o}", o=shift)
