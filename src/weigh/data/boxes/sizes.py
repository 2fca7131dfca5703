"""On which pixels boxes are drawn: those of the picture as it is looked at, those that are stored (EXIF), or those of a picture of another size.

Before it: the size that labels state, and the pictures. After it: boxes on the upright picture. A size that belongs to neither is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from weigh.data.boxes.reading import LEAST_PIXELS
from weigh.data.boxes.written import WrittenBoxes
from weigh.data.pictures.upright import Fit, StoredSize, fit, stored_sizes, turning_problems
from weigh.data.rows.listing import set_aside
from weigh.language import text
from weigh.problem import Problem

__all__ = ["Canvas", "canvases", "upright_corners"]


class Canvas(NamedTuple):
    """What the boxes of a picture are drawn on.

    Attributes:
        drawn: Width and height of it.
        upright: Width and height of the picture.
        orientation: By which EXIF turns it afterwards; 1: not at all.
        opens: The picture could be opened; else both sizes are what the labels state, or (1, 1).
    """

    drawn: tuple[int, int]
    upright: tuple[int, int]
    orientation: int = 1
    opens: bool = True


def canvases(
    root: Path, pictures: Sequence[str], written: Sequence[WrittenBoxes]
) -> tuple[list[Canvas | None], list[Problem]]:
    """What the boxes of each picture are drawn on; None where the stated size is that of another picture, which is then set aside."""
    stored = stored_sizes(root, pictures)
    fits = [fit(size, one.size) for size, one in zip(stored, written, strict=True)]
    chosen: list[Canvas | None] = []
    scaled, other = [], []
    factors = _scales(stored, fits, written)
    for row, (size, fits_as, one) in enumerate(zip(stored, fits, written, strict=True)):
        if size is None:
            stated_size = one.size or (1, 1)
            chosen.append(Canvas(stated_size, stated_size, opens=False))
        elif fits_as == "stored":
            chosen.append(Canvas((size.width, size.height), size.upright, size.orientation))
        elif fits_as != "other" or one.size is None:
            chosen.append(Canvas(size.upright, size.upright))
        elif row in factors:
            scaled.append(row)
            chosen.append(Canvas(one.size, size.upright))
        else:
            other.append(row)
            chosen.append(None)
    problems = [
        *_scaled(pictures, stored, written, scaled),
        *_other(pictures, stored, written, other),
        *turning_problems("box-exif", text("boxes", "框"), pictures, fits),
    ]
    return chosen, problems


def upright_corners(corners: np.ndarray, canvas: Canvas) -> np.ndarray:
    """`(m, 4)` corners that lie on `canvas.drawn`, on the upright picture."""
    left, top, right, bottom = corners.T
    width, height = canvas.drawn
    across = {2: (width - right, width - left), 3: (width - right, width - left), 5: (top, bottom), 6: (height - bottom, height - top), 7: (height - bottom, height - top), 8: (top, bottom)}  # fmt: skip
    down = {3: (height - bottom, height - top), 4: (height - bottom, height - top), 5: (left, right), 6: (left, right), 7: (width - right, width - left), 8: (width - right, width - left)}  # fmt: skip
    x, y = across.get(canvas.orientation, (left, right)), down.get(canvas.orientation, (top, bottom))
    turned = np.stack([x[0], y[0], x[1], y[1]], axis=1)
    if canvas.orientation == 1 and canvas.drawn != canvas.upright:
        turned = turned * np.tile(np.divide(canvas.upright, canvas.drawn), 2)
    return turned


def _scales(stored: Sequence[StoredSize | None], fits: Sequence[Fit], written: Sequence[WrittenBoxes]) -> set[int]:
    """Pictures whose boxes were drawn on the same picture in another size: of its shape, where boxes of one that was scaled as much need that room.

    Boxes of a smaller picture, and shares of it, need no proof: they cannot be meant otherwise.
    """
    rows: dict[float, list[int]] = {}
    proven: set[float] = set()
    for row, (size, fits_as, one) in enumerate(zip(stored, fits, written, strict=True)):
        if fits_as != "other" or size is None or one.size is None:
            continue
        scale = size.scale_of(one.size)
        if scale is None:
            continue
        factor = round(scale, 2)
        rows.setdefault(factor, []).append(row)
        reach = one.numbers[np.isfinite(one.numbers)].max(initial=0)
        if reach > max(size.upright) or reach < LEAST_PIXELS or scale < 1:
            proven.add(factor)
    return {row for factor in proven for row in rows[factor]}


def _rows(pictures, stored, written, rows) -> tuple[dict[str, str], ...]:
    return tuple(
        {
            "path": pictures[i],
            "picture": "{} x {}".format(*stored[i].upright),
            "labels": "{} x {}".format(*written[i].size),
        }
        for i in rows
    )


def _scaled(pictures, stored, written, rows) -> list[Problem]:
    if not rows:
        return []
    details = _rows(pictures, stored, written, rows)
    sentence = text(
        "Pictures whose boxes were drawn on a picture of another size, but of the same shape: {n} of {t} (first: {f}, picture {p}, labels {m}); these "
        "boxes are scaled.",
        "框是在尺寸不同、形状一致的图片上绘制的：{t} 张图片中有 {n} 张（第一张：{f}，图片 {p}，标注 {m}）；这些框已按比例缩放。",
        n=len(rows),
        t=len(pictures),
        f=details[0]["path"],
        p=details[0]["picture"],
        m=details[0]["labels"],
    )
    do = text("Look at the first of them.", "请查看其中第一张。")
    numbers = {"n": len(rows), "pictures": len(pictures)}
    return [Problem("box-scale", sentence, tuple(pictures[i] for i in rows), do=do, numbers=numbers, details=details)]


def _other(pictures, stored, written, rows) -> list[Problem]:
    if not rows:
        return []
    details = _rows(pictures, stored, written, rows)
    sentence = text(
        "Pictures of another size than their labels state: {n} of {t} (first: {f}, picture {p}, labels {m}); set aside.",
        "图片尺寸与标注所述不同：{t} 张中有 {n} 张（第一张：{f}，图片 {p}，标注 {m}），已搁置。",
        n=len(rows),
        t=len(pictures),
        f=details[0]["path"],
        p=details[0]["picture"],
        m=details[0]["labels"],
    )
    return [
        set_aside(
            "box-size",
            sentence,
            [pictures[i] for i in rows],
            text("Check whether the labels belong to this picture.", "请检查标注是否属于该图片。"),
            more={"pictures": len(pictures)},
            why=text("Where on the picture the boxes lie cannot be told.", "无法判断框在图片上的位置。"),
            details=details,
        )
    ]
