"""Labels that count from another number than the predictions: noticed, and moved where the user says so (`data.label_offset`).

Before it: a table of predictions whose classes are numbers. After it: `results.py`. A shift makes every right answer wrong; a score of it
would be a confident wrong sentence, so where the numbers leave no doubt nothing is concluded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.errors import DataError
from weigh.language import Text, text
from weigh.problem import Problem
from weigh.record.predictions.answers import PredictionTable
from weigh.stats.estimate import Estimate
from weigh.stats.interval import share_estimate

__all__ = ["WHOLE", "check_shift", "counted_from_one", "moved_labels", "notice_shift"]

WHOLE = re.compile(r"[+-]?\d+")
AHEAD = 0.15  # how much more often the moved labels must be right before a shift is reported


class Shift(NamedTuple):
    """Labels that answers fit clearly better once they are moved.

    Attributes:
        by: -1 or 1.
        own, moved: Share of right answers as the labels stand, and moved.
    """

    by: int
    own: Estimate
    moved: Estimate

    @property
    def sentence(self) -> Text:
        return text(
            "Labels and predictions seem to count from different numbers: as they stand {a:.3f} of the predictions are right, with labels moved "
            "by {s} {b:.3f}.",
            "标签与预测似乎从不同的数字开始编号：按现状有 {a:.3f} 的预测正确，把标签移动 {s} 后为 {b:.3f}。",
            a=self.own.value, b=self.moved.value, s=f"{self.by:+d}",
        )  # fmt: skip

    def remedy(self, offset: int) -> Text:
        """What to set where the labels were moved by `offset` already."""
        return _remedy(offset + self.by)


def notice_shift(
    labels: np.ndarray, answers: Sequence[tuple[np.ndarray, np.ndarray]], allowed: tuple[int, int] | None = None
) -> Shift | None:
    """Whether the answers fit the labels clearly better once these are moved by one; for predictions and for pretrained heads alike.

    Args:
        labels: `(n,)` whole numbers.
        answers: For each model or run the positions of its examples among the labels, and the number that it answers for each.
        allowed: Least and greatest number that a moved label may be.
    """

    def right(shift: int) -> Estimate:
        hits, seen = np.zeros(len(labels)), np.zeros(len(labels))
        for which, chosen in answers:
            hits += np.bincount(which, chosen == labels[which] + shift, minlength=len(labels))
            seen += np.bincount(which, minlength=len(labels))
        return share_estimate(hits[seen > 0] / seen[seen > 0])

    if not any(len(which) for which, _ in answers):
        return None
    least, greatest = allowed or (-np.inf, np.inf)
    shifts = [shift for shift in (-1, 1) if least <= labels.min() + shift and labels.max() + shift <= greatest]
    own, moved = right(0), {shift: right(shift) for shift in shifts}
    best = max(moved, key=lambda shift: moved[shift].value, default=None)
    if best is None or own.high is None or moved[best].low is None:
        return None
    clearly = moved[best].low > own.high and moved[best].value >= max(own.value + AHEAD, 2 * own.value)
    return Shift(best, own, moved[best]) if clearly else None


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


def check_shift(table: PredictionTable, offset: int = 0) -> PredictionTable:
    """The table, with a problem added where another counting fits clearly better.

    Args:
        offset: What was added to its labels already.

    Raises:
        DataError: Labels and predictions count from different numbers, and moved by one they agree.
    """
    if not table.classes or not all(WHOLE.fullmatch(name) for name in table.classes):
        return table
    numbers = np.array([int(name) for name in table.classes])
    shift = notice_shift(numbers[table.target], [(a.which, numbers[a.chosen]) for a in table.answers])
    if shift is None:
        return table
    labels = set(numbers[table.target].tolist())
    answers = {int(numbers[c]) for answer in table.answers for c in np.unique(answer.chosen)}
    if not labels <= answers and not answers <= labels:
        raise DataError(shift.sentence, _worse(), shift.remedy(offset))
    shares = {"as they stand": round(shift.own.value, 3), "moved": round(shift.moved.value, 3)}
    problem = Problem("shifted-labels", shift.sentence, why=_worse(), do=shift.remedy(offset), numbers=shares)
    return replace(table, problems=(*table.problems, problem))


def counted_from_one(labels: np.ndarray, width: int, offset: int = 0) -> DataError | None:
    """The error of `width` probabilities and labels from 1 to `width`, which have no probability for their last class."""
    if labels.min() < 1 or labels.max() != width:
        return None
    return DataError(
        text(
            "There are probabilities of {k} classes, and labels from {a} to {b}: labels count from one.",
            "概率有 {k} 个类别，而标签为 {a} 到 {b}：标签从 1 开始编号。",
            k=width, a=int(labels.min()), b=int(labels.max()),
        ),
        text("The first probability belongs to class 0.", "第一个概率属于类别 0。"),
        _remedy(offset - 1),
    )  # fmt: skip


def _worse() -> Text:
    return text("Every right answer would count as wrong.", "所有正确的答案都会被算作错误。")


def _remedy(shift: int) -> Text:
    return text("Move the labels: --set data.label_offset={o}", "请移动标签：--set data.label_offset={o}", o=shift)
