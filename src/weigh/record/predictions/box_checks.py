"""What a person should know about detections that others made: whether their boxes mean what COCO means, and what is odd about some of them.

Before it: `detections.py`, which reads them. After it: findings of the same kinds. Nothing is set aside here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from weigh.data.boxes.gold import Gold
from weigh.errors import DataError
from weigh.kinds.box_list import Detections, overlaps
from weigh.language import text
from weigh.problem import Problem

__all__ = ["Rows", "box_flaws", "check_places", "check_writing"]

BESIDE = 0.02  # a box may reach beyond the picture by this share of the side, and a pixel, without a word
MANY = 0.2  # if this share of the boxes reach outside, other ways of writing boxes are tried
LOST = 0.05  # if the centres of this share of the boxes lie outside, they were not found in these pictures
ALL_BUT = 0.995  # share of the boxes that must fit another way of writing them
SHARES = 1.5  # coordinates that are shares of the picture are smaller than this
FEWEST = 20  # boxes, before anything is concluded from how they lie
USUAL = ("beyond-picture",)  # many detectors do not cut their boxes
MOST = 100  # detections of a picture and class that COCO counts
LOOKED_AT = 500  # pictures with objects, in which boxes are compared with those that are right
SAME = 0.5  # intersection over union from which on a detection is of an object
MORE_OFTEN = 4  # times as many detections must be of objects when boxes are read otherwise
# What boxes look like, and what to write instead.
CENTRES = (
    text("centre, width and height", "中心点、宽、高"),
    text(
        "Write the left upper corner: [x - width / 2, y - height / 2, width, height].",
        "请改写为左上角：[x - 宽 / 2, y - 高 / 2, 宽, 高]。",
    ),
)
TURNED = (
    text("y before x, height before width", "先 y 后 x、先高后宽"),
    text("Write [x, y, width, height].", "请改写为 [x, y, 宽, 高]。"),
)


class Rows(NamedTuple):
    """Rows of a file of detections as arrays, `(m,)` each: position of the picture, class, `(m, 4)` box as written, score."""

    picture: np.ndarray
    label: np.ndarray
    box: np.ndarray
    score: np.ndarray


def check_writing(path: Path, rows: Rows, gold: Gold, broken: np.ndarray) -> None:
    """Whether the boxes are x, y, width and height in pixels of the original picture.

    Raises:
        DataError: They fit another way of writing them, and not this one.
    """
    measured = ~broken & (gold.sizes[rows.picture] > 0).all(axis=1)
    box, (height, width) = rows.box[measured], gold.sizes[rows.picture[measured]].T
    if len(box) < FEWEST:
        return
    size = np.column_stack([width, height])
    outside = (box[:, :2] + box[:, 2:] > size * (1 + BESIDE) + 1).any(axis=1).mean()
    ordered = (box[:, 2:] >= box[:, :2]).all(axis=1) & (box[:, 2:] <= size * (1 + BESIDE) + 1).all(axis=1)
    if outside > MANY and ordered.mean() >= ALL_BUT:
        reading, other = (
            text("two corners (x1, y1, x2, y2)", "两个角点（x1, y1, x2, y2）"),
            text("Write width and height: [x1, y1, x2 - x1, y2 - y1].", "请改写为宽和高：[x1, y1, x2 - x1, y2 - y1]。"),
        )
    elif (np.abs(box) <= SHARES).mean() >= ALL_BUT and np.median(size) > 8 * SHARES:
        reading, other = (
            text("shares of the picture", "相对于图片的比例"),
            text(
                "Multiply x and width by the width of the picture, y and height by its height.",
                "请把 x 与宽乘以图片宽度，y 与高乘以图片高度。",
            ),
        )
    elif _centres_outside(box, size) > LOST and _centres_outside(box[:, [1, 0, 3, 2]], size) <= 1 - ALL_BUT:
        reading, other = TURNED
    elif _centres_outside(box, size) > LOST:
        far = float(np.quantile((box[:, :2] + box[:, 2:]) / size, 0.99))
        reading = text(
            "boxes of pictures of another size (up to {f:.1f} times as far as the edge)",
            "另一尺寸图片的框（最远达边缘的 {f:.1f} 倍）",
            f=far,
        )
        other = text(
            "Write pixels of the original picture, as {g} states its size.",
            "请使用原图像素，原图尺寸见 {g}。",
            g=gold.file,
        )
    else:
        return
    raise DataError(
        text(
            "{p}: bbox looks like {r}, not like x, y, width, height in pixels (the first: {b}).",
            "{p}：bbox 看起来是{r}，而不是以像素为单位的 x、y、宽、高（第一个：{b}）。",
            p=path, r=reading, b=[round(v, 2) for v in box[0].tolist()],
        ),
        text("Nearly every box would be in the wrong place.", "否则几乎每个框的位置都是错的。"),
        other,
    )  # fmt: skip


def _centres_outside(box: np.ndarray, size: np.ndarray) -> float:
    """Share of `(m, 4)` boxes whose centre lies outside of their picture of `(m, 2)` width and height."""
    centre = box[:, :2] + box[:, 2:] / 2
    return float(((centre > size) | (centre < 0)).any(axis=1).mean())


def check_places(path: Path, answers: Sequence[Detections], target: np.ndarray) -> None:
    """Whether boxes lie where the objects are, and not where they would be if they were written otherwise.

    Raises:
        DataError: Read otherwise, many more of them are of objects of their class.
    """
    own, by_centre, by_axes = 0, 0, 0
    for answer, boxes in [(a, b) for a, b in zip(answers, target, strict=True) if len(b.classes)][:LOOKED_AT]:
        corners, alike = answer.corners[:MOST], answer.classes[:MOST, None] == boxes.classes[None, :]
        half = np.tile((corners[:, 2:] - corners[:, :2]) / 2, 2)
        counts = [
            int(((overlaps(read, boxes.corners) >= SAME) & alike).any(axis=1).sum())
            for read in (corners, corners - half, corners[:, [1, 0, 3, 2]])
        ]
        own, by_centre, by_axes = own + counts[0], by_centre + counts[1], by_axes + counts[2]
    most = max(by_centre, by_axes)
    if most < FEWEST or most <= MORE_OFTEN * own:
        return
    reading, other = CENTRES if by_centre >= by_axes else TURNED
    raise DataError(
        text(
            "{p}: bbox looks like {r}, not like x, y, width, height: read so, {k} {k:|box is|boxes are} of objects, as they stand {n}.",
            "{p}：bbox 看起来是{r}，而不是 x、y、宽、高：按前者读取有 {k} 个框对上目标，按现状只有 {n} 个。",
            p=path, r=reading, k=most, n=own,
        ),
        text("Nearly every box would be in the wrong place.", "否则几乎每个框的位置都是错的。"),
        other,
    )  # fmt: skip


def box_flaws(name: str, rows: Rows, gold: Gold, broken: np.ndarray) -> list[Problem]:
    """What is odd about some of the rows that count; none is left out."""
    box = np.nan_to_num(rows.box, nan=0.0, posinf=0.0, neginf=0.0)
    size = gold.sizes[rows.picture][:, ::-1]
    edge = size * BESIDE + 1
    outside = (
        ~broken & (size > 0).all(axis=1) & ((box[:, :2] < -edge) | (box[:, :2] + box[:, 2:] > size + edge)).any(axis=1)
    )
    empty = ~broken & (box[:, 2:] <= 0).any(axis=1)
    keys = np.column_stack([rows.picture, rows.label, rows.score, box])
    _, first = np.unique(keys, axis=0, return_index=True)
    doubled = np.ones(len(keys), dtype=bool)
    doubled[first] = False
    problems = []
    for kind, which, sentence, do in (
        (
            "broken-row", broken,
            ("{m}: {n} of {t} detections {n:|has|have} no box of four numbers that can be pixels (first: picture {a}); each counts as found where nothing is.",
             "{m}：{t} 条检测中有 {n} 条的框不是四个可作像素的数值（第一处：图片 {a}），每条都算作误检。"),
            text("Correct what writes them.", "请修正写出它们的程序。"),
        ),
        (
            "empty-box", empty,
            ("{m}: {n} of {t} detections {n:|has|have} no width or no height (first: picture {a}); each counts as found where nothing is.",
             "{m}：{t} 条检测中有 {n} 条的宽或高不大于零（第一处：图片 {a}），每条都算作误检。"),
            text("Correct what writes them.", "请修正写出它们的程序。"),
        ),
        (
            "beyond-picture", outside,
            ("{m}: {n} of {t} boxes {n:|reaches|reach} beyond {n:|its|their} picture (first: picture {a}); {n:|it is compared as it is|they are compared as they are}, as COCO does it.",
             "{m}：{t} 个框中有 {n} 个超出图片边界（第一处：图片 {a}），按原样比较，与 COCO 的做法相同。"),
            text("Cut boxes at the edge of the picture.", "请把框裁剪到图片边缘以内。"),
        ),
        (
            "repeated-detection", doubled,
            ("{m}: {n} of {t} detections {n:|repeats|repeat} another one exactly (first: picture {a}); each counts as found twice, as COCO does it.",
             "{m}：{t} 条检测中有 {n} 条与另一条完全相同（第一处：图片 {a}），按重复检测计，与 COCO 的做法相同。"),
            text("Check how the file was put together.", "请检查文件是如何合并的。"),
        ),
    ):  # fmt: skip
        pictures = [gold.names[i] for i in dict.fromkeys(rows.picture[which].tolist())]
        if pictures:
            values = {"m": name, "n": int(which.sum()), "t": len(rows.score), "a": pictures[0]}
            problems.append(
                Problem(
                    kind, text(*sentence, **values), tuple(pictures), severity="note" if kind in USUAL else "warning",
                    numbers={"detections": values["n"], "of": len(rows.score)}, do=do,
                )
            )  # fmt: skip
    return [*problems, *_amounts(name, rows, gold)]


def _amounts(name: str, rows: Rows, gold: Gold) -> list[Problem]:
    """Pictures without any detection, and those with more of a class than count."""
    problems = []
    without = [gold.names[i] for i in np.setdiff1d(np.arange(len(gold.names)), rows.picture)]
    if without:
        problems.append(
            Problem(
                "without-detections",
                text(
                    "{m}: {n} of {t} pictures {n:|has|have} no detection (first: {a}); everything in {n:|it|them} counts as missed.",
                    "{m}：{t} 张图片中有 {n} 张没有任何检测（第一张：{a}），其中的目标都算作漏检。",
                    m=name, n=len(without), t=len(gold.names), a=without[0],
                ),
                tuple(without),
                severity="warning" if len(without) > MANY * len(gold.names) else "note",
                numbers={"n": len(without), "of": len(gold.names)},
                do=text("Check that the model was asked about them.", "请检查模型是否处理过这些图片。"),
            )
        )  # fmt: skip
    cell = rows.picture * max(1, len(gold.classes)) + rows.label
    crowded = np.flatnonzero(np.bincount(cell, minlength=1) > MOST) // max(1, len(gold.classes))
    if len(crowded):
        names = tuple(gold.names[i] for i in np.unique(crowded))
        problems.append(
            Problem(
                "many-detections",
                text(
                    "{m}: {n} {n:|picture has|pictures have} more than {k} detections of one class (first: {a}); the {k} with the highest scores count, as COCO does it.",
                    "{m}：有 {n} 张图片的同一类别检测超过 {k} 个（第一张：{a}），只计得分最高的 {k} 个，与 COCO 的做法相同。",
                    m=name, n=len(names), k=MOST, a=names[0],
                ),
                names,
                severity="note",
                numbers={"n": len(names), "most": MOST},
            )
        )  # fmt: skip
    return problems
