"""Whether a mask fits its picture: sizes that differ, and pictures that a viewer turns (EXIF) although the mask was drawn on what is stored.

Before it: masks as they are written. After it: masks that fit the upright picture, as models see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from weigh.data.masks.raster import ORIENTATION, turned
from weigh.data.pictures.decoding import PictureError, guarded, open_checked, read_bytes
from weigh.data.rows.listing import set_aside
from weigh.kinds.label_map import LabelMap
from weigh.language import text
from weigh.lookahead import look_ahead
from weigh.problem import Problem

__all__ = ["fit_sizes"]

SCALED = 0.9  # share of the pictures of another size whose masks have the same shape, from which on masks are drawn at another scale
ACROSS = (5, 6, 7, 8)  # orientations that exchange width and height


class _Stored(NamedTuple):
    """Size as stored, and the orientation that EXIF asks for."""

    width: int
    height: int
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        return (self.height, self.width) if self.orientation in ACROSS else (self.width, self.height)


def fit_sizes(
    root: Path, pictures: Sequence[str], masks: Sequence[LabelMap]
) -> tuple[list[LabelMap], list[int], list[Problem]]:
    """Masks as the upright pictures are, which rows fit, and what is to be said.

    A picture that does not open is left to the checks of pictures.
    """
    stored = [size for _, size in look_ahead(lambda path: _stored(root / path), pictures, threads=2, count=64)]
    fitted, keep, turned_rows, taken_upright, unsure, other = list(masks), [], [], [], [], []
    for i, (size, mask) in enumerate(zip(stored, masks, strict=True)):
        of_mask = (mask.width, mask.height)
        if size is None or (size.orientation == 1 and of_mask == size.upright):
            keep.append(i)
        elif of_mask != size.upright and of_mask == (size.width, size.height):
            fitted[i] = turned(mask, size.orientation)
            turned_rows.append(i)
        elif of_mask == size.upright:
            (unsure if of_mask == (size.width, size.height) else taken_upright).append(i)
        else:
            other.append(i)
    keep += [*turned_rows, *taken_upright, *unsure]
    scaled = [i for i in other if _same_shape(stored[i], masks[i])]
    problems = []
    if scaled and len(scaled) >= SCALED * len(masks):
        keep += scaled
        other = [i for i in other if i not in set(scaled)]
        problems.append(_scaled(pictures, stored, masks, scaled))
    if other:
        problems.append(_differ(pictures, stored, masks, other))
    problems += _exif(pictures, turned_rows, taken_upright, unsure)
    return fitted, sorted(keep), problems


def _stored(path: Path) -> _Stored | None:
    try:
        raw = read_bytes(path)
        image = guarded(path, lambda: open_checked(raw, path))
        orientation = guarded(path, lambda: image.getexif().get(ORIENTATION, 1))
    except PictureError:
        return None
    return _Stored(image.width, image.height, orientation if orientation in range(1, 9) else 1)


def _same_shape(size: _Stored | None, mask: LabelMap) -> bool:
    """Whether both sides are scaled by one factor, up to a pixel of the smaller one."""
    if size is None:
        return False
    width, height = size.upright
    scale = mask.width / width
    return abs(mask.height - height * scale) <= max(1.0, scale)


def _rows(pictures, stored, masks, rows) -> tuple[dict[str, str], ...]:
    return tuple(
        {
            "path": pictures[i],
            "picture": "{} x {}".format(*stored[i].upright),
            "mask": f"{masks[i].width} x {masks[i].height}",
        }
        for i in rows
    )


def _scaled(pictures, stored, masks, rows) -> Problem:
    details = _rows(pictures, stored, masks, rows)
    first = details[0]
    return Problem(
        "mask-scale",
        text(
            "Masks of another size than their pictures, but of the same shape: {n} of {t} (first: {f}, picture {p}, mask {m}).",
            "掩码与图片尺寸不同但形状一致：{t} 个中有 {n} 个（第一个：{f}，图片 {p}，掩码 {m}）。",
            n=len(rows),
            t=len(pictures),
            f=first["path"],
            p=first["picture"],
            m=first["mask"],
        ),
        tuple(pictures[i] for i in rows),
        why=text("Scores are taken at the size of the mask.", "得分按掩码的尺寸计算。"),
        do=text(
            "If masks are not simply scaled copies, draw them at the size of the pictures.",
            "若掩码并非简单缩放而来，请按图片尺寸重新标注。",
        ),
        numbers={"n": len(rows), "pictures": len(pictures)},
        details=details,
    )


def _differ(pictures, stored, masks, rows) -> Problem:
    details = _rows(pictures, stored, masks, rows)
    first = details[0]
    return set_aside(
        "mask-size",
        text(
            "Masks of another size than their pictures: {n} of {t} (first: {f}, picture {p}, mask {m}); set aside.",
            "掩码与图片尺寸不同：{t} 个中有 {n} 个（第一个：{f}，图片 {p}，掩码 {m}），已搁置。",
            n=len(rows),
            t=len(pictures),
            f=first["path"],
            p=first["picture"],
            m=first["mask"],
        ),
        [pictures[i] for i in rows],
        text("Check whether the mask belongs to this picture.", "请检查掩码是否属于该图片。"),
        more={"pictures": len(pictures)},
        why=text(
            "It cannot be told which pixel of the mask belongs to which of the picture.",
            "无法判断掩码像素与图片像素的对应关系。",
        ),
        details=details,
    )


def _exif(
    pictures: Sequence[str], stored: Sequence[int], upright: Sequence[int], unsure: Sequence[int]
) -> list[Problem]:
    why = text("A mask that lies across its picture teaches the wrong pixels.", "方向与图片不符的掩码会教错像素。")
    do = text("Look at the first of them: picture and mask side by side.", "请查看其中第一张，对照图片与掩码。")
    sentences = (
        (
            stored,
            "note",
            "Pictures that are turned as their EXIF data ask, whose masks were drawn on the stored pixels, as their sizes tell: {n} (first: {f}); these "
            "masks are turned too.",
            "有 {n} 张图片按 EXIF 信息旋转，而从尺寸可知掩码是按存储方向绘制的（第一张：{f}）；这些掩码也随之旋转。",
        ),
        (
            upright,
            "note",
            "Pictures that are turned as their EXIF data ask, whose masks fit the turned picture, as their sizes tell: {n} (first: {f}).",
            "有 {n} 张图片按 EXIF 信息旋转，从尺寸可知掩码与旋转后的图片相符（第一张：{f}）。",
        ),
        (
            unsure,
            "warning",
            "Pictures that are turned or mirrored as their EXIF data ask, of which the size does not tell whether the mask is turned already: {n} "
            "(first: {f}); masks are taken to fit the turned picture.",
            "有 {n} 张图片按 EXIF 信息旋转或镜像，无法从尺寸判断掩码是否已随之旋转（第一张：{f}）；按掩码与旋转后的图片相符处理。",
        ),
    )
    return [
        Problem(
            "mask-exif",
            text(en, zh, n=len(rows), f=pictures[rows[0]]),
            tuple(pictures[i] for i in rows),
            severity=severity,
            why=why if severity == "warning" else None,
            do=do if severity == "warning" else None,
            numbers={"n": len(rows)},
        )
        for rows, severity, en, zh in sentences
        if rows
    ]
