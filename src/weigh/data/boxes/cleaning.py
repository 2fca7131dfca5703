"""From boxes as they are written to boxes that can be trained on; every one that is corrected or set aside is named with file and line.

Before it: a reading of the numbers (`reading.py`) and the sizes of the pictures. After it: `kinds.boxes.BoxRow`, a row for each picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from weigh.data.boxes.reading import Reading, corners_of
from weigh.data.boxes.written import Nameless, WrittenBoxes
from weigh.language import text
from weigh.problem import Problem

__all__ = ["Cleaned", "clean_boxes"]

BEYOND = 1.0  # pixels outside the picture that are not worth a word
SAME = 0.5  # pixels by which the sides of one box drawn twice differ at most


class _Flaw(NamedTuple):
    """A sentence in two languages, and whether such boxes are set aside."""

    en: str
    zh: str
    set_aside: bool = False


FLAWS = {
    "box-numbers": _Flaw(
        "Boxes whose four numbers cannot be read: {n} of {t} (first: {f}); set aside.",
        "{t} 个框中有 {n} 个的四个数无法读取（第一个：{f}），已搁置。",
        set_aside=True,
    ),
    "empty-box": _Flaw(
        "Boxes without an area: {n} of {t} (first: {f}); set aside.",
        "{t} 个框中有 {n} 个没有面积（第一个：{f}），已搁置。",
        set_aside=True,
    ),
    "negative-box": _Flaw(
        "Boxes of a negative width or height: {n} of {t} (first: {f}); set aside.",
        "{t} 个框中有 {n} 个的宽或高为负（第一个：{f}），已搁置。",
        set_aside=True,
    ),
    "outside-box": _Flaw(
        "Boxes that lie outside their picture: {n} of {t} (first: {f}); set aside.",
        "{t} 个框中有 {n} 个完全位于图片之外（第一个：{f}），已搁置。",
        set_aside=True,
    ),
    "reversed-box": _Flaw(
        "Boxes whose corners are given in reverse: {n} of {t} (first: {f}); put in order.",
        "{t} 个框中有 {n} 个的角点顺序颠倒（第一个：{f}），已调整顺序。",
    ),
    "clipped-box": _Flaw(
        "Boxes that reach more than a pixel beyond their picture: {n} of {t} (first: {f}); cut off at its border.",
        "{t} 个框中有 {n} 个超出图片一个像素以上（第一个：{f}），已按图片边界裁剪。",
    ),
    "doubled-box": _Flaw(
        "Boxes that are drawn twice, with one class: {n} of {t} (first: {f}); each is used once.",
        "{t} 个框中有 {n} 个重复绘制且类别相同（第一个：{f}），每个只使用一次。",
    ),
    "two-classes": _Flaw(
        "Boxes that are drawn twice, with different classes: {n} of {t} (first: {f}); both are used.",
        "{t} 个框中有 {n} 个重复绘制但类别不同（第一个：{f}），两者都会使用。",
    ),
    "no-class": _Flaw(
        "Boxes of no class: {n} of {t} (first: {f}): {r}. They are ignored: neither trained on nor scored.",
        "不属于任何类别的框：{t} 个中有 {n} 个（第一个：{f}）：{r}。它们被忽略，既不用于训练，也不计分。",
    ),
}


class Cleaned(NamedTuple):
    """Boxes of all pictures that are left.

    Attributes:
        corners: `(m, 4)` pixels of the picture as the labels are drawn on it.
        row: `(m,)` picture of each.
        box: `(m,)` number of each within its picture.
    """

    corners: np.ndarray
    row: np.ndarray
    box: np.ndarray
    problems: list[Problem]


class _All(NamedTuple):
    """The boxes of all pictures in one array, and which of them are still there."""

    pictures: Sequence[str]
    written: Sequence[WrittenBoxes]
    numbers: np.ndarray
    row: np.ndarray
    box: np.ndarray

    def mark(self, i: int) -> str:
        return self.written[self.row[i]].marks[self.box[i]]

    def name(self, i: int) -> str | None:
        return self.written[self.row[i]].names[self.box[i]]

    def details(self, rows: Sequence[int]) -> tuple[dict[str, str], ...]:
        return tuple(
            {
                "path": self.mark(i),
                "picture": self.pictures[self.row[i]],
                "class": self.name(i) or "",
                "box": " ".join(f"{value:g}" for value in self.numbers[i]),
            }
            for i in rows
        )


def clean_boxes(
    pictures: Sequence[str], written: Sequence[WrittenBoxes], sizes: np.ndarray, reading: Reading, nameless: Nameless
) -> Cleaned:
    """Boxes that have an area inside their picture.

    Args:
        pictures: Their paths.
        sizes: `(n, 2)` width and height on which the boxes of each picture are drawn; NaN: not known, nothing is cut there.
        reading: What the numbers are.
        nameless: Why boxes are of no class.
    """
    counts = [len(one) for one in written]
    boxes = _All(
        pictures,
        written,
        np.concatenate([np.empty((0, 4)), *(one.numbers for one in written)]),
        np.repeat(np.arange(len(written)), counts),
        np.concatenate([np.empty(0, np.int64), *map(np.arange, counts)]),
    )
    own_sizes = sizes[boxes.row]
    known = np.isfinite(own_sizes).all(axis=1)
    numbers = boxes.numbers
    with np.errstate(all="ignore"):
        first, second = numbers[:, :2], numbers[:, 2:]
        sides = second - first if reading.order == "xyxy" else second
        ordered = np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=1)
        corners = corners_of(
            ordered if reading.order == "xyxy" else numbers, reading, np.where(known[:, None], own_sizes, 1.0)
        )
        clipped = np.where(known[:, None], np.clip(corners, 0, np.tile(own_sizes, 2)), corners)
        finite = np.isfinite(numbers).all(axis=1) & np.isfinite(corners).all(axis=1)
        empty = finite & (sides == 0).any(axis=1)
        turned = finite & ~empty & (sides < 0).any(axis=1)
        reversed_corners = turned if reading.order == "xyxy" else np.zeros_like(turned)
        left = finite & ~empty & ~(turned & ~reversed_corners)
        outside = left & ~(clipped[:, 2:] > clipped[:, :2]).all(axis=1)
        beyond = left & ~outside & (np.abs(clipped - corners).max(axis=1, initial=0) > BEYOND)
    left &= ~outside
    twice, contradicting = _doubled(boxes, clipped, left)
    none = np.array([boxes.name(i) is None for i in range(len(numbers))], dtype=bool)
    flaws = {
        "box-numbers": ~finite,
        "empty-box": empty,
        "negative-box": turned & ~reversed_corners,
        "outside-box": outside,
        "reversed-box": reversed_corners & left,
        "clipped-box": beyond,
        "doubled-box": twice,
        "two-classes": contradicting,
        "no-class": left & none,
    }
    problems = [problem for kind, which in flaws.items() for problem in _named(boxes, which, kind, nameless)]
    left &= ~twice
    return Cleaned(clipped[left], boxes.row[left], boxes.box[left], problems)


def _doubled(boxes: _All, corners: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(m,)` bool each: boxes that lie where an earlier one of the picture lies, of its class, and of another one."""
    twice, contradicting = np.zeros(len(left), dtype=bool), np.zeros(len(left), dtype=bool)
    ignored = np.concatenate([np.empty(0, bool), *(one.ignored for one in boxes.written)])
    chosen = np.flatnonzero(left & ~ignored)
    order = chosen[np.lexsort((corners[chosen, 0], boxes.row[chosen]))]
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            if boxes.row[j] != boxes.row[i] or corners[j, 0] - corners[i, 0] >= SAME:
                break
            if np.abs(corners[j] - corners[i]).max() < SAME:
                later = max(i, j)
                (twice if boxes.name(i) == boxes.name(j) else contradicting)[later] = True
    return twice, contradicting & ~twice


def _named(boxes: _All, which: np.ndarray, kind: str, nameless: Nameless) -> list[Problem]:
    """What is said of the boxes of one flaw; nothing where there are none."""
    rows = np.flatnonzero(which).tolist()
    if not rows:
        return []
    marks = tuple(boxes.mark(i) for i in rows)
    flaw = FLAWS[kind]
    sentence = text(flaw.en, flaw.zh, n=len(rows), t=len(boxes.row), f=marks[0], r=nameless.reason)
    why = text("An object without its box teaches that nothing is there.", "缺少框的目标会让模型学到此处空无一物。")
    do = text("Look at the first of them.", "请查看其中第一个。")
    if flaw.set_aside:
        do = text("Correct them in these lines, or delete them.", "请在相应的行中更正或删除。")
    return [
        Problem(
            kind,
            sentence,
            marks,
            why=why if flaw.set_aside else None,
            do=nameless.do if kind == "no-class" else do,
            numbers={"n": len(rows), "boxes": len(boxes.row)},
            details=boxes.details(rows),
        )
    ]
