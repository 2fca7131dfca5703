"""Whether a mask fits its picture: sizes that differ, and pictures that a viewer turns (EXIF) although the mask was drawn on what is stored.

Before it: masks as they are written. After it: masks that fit the upright picture, as models see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weigh.data.masks.raster import turned
from weigh.data.pictures.upright import StoredSize, fit, stored_sizes, turning_problems
from weigh.data.rows.listing import set_aside
from weigh.kinds.label_map import LabelMap
from weigh.language import text
from weigh.problem import Problem

__all__ = ["fit_sizes"]

SCALED = 0.9  # share of the pictures of another size whose masks have the same shape, from which on masks are drawn at another scale


def fit_sizes(
    root: Path, pictures: Sequence[str], masks: Sequence[LabelMap]
) -> tuple[list[LabelMap], list[int], list[Problem]]:
    """Masks as the upright pictures are, which rows fit, and what is to be said.

    A picture that does not open is left to the checks of pictures.
    """
    stored = stored_sizes(root, pictures)
    fits = [fit(size, (mask.width, mask.height)) for size, mask in zip(stored, masks, strict=True)]
    fitted = [
        turned(mask, size.orientation) if fits_as == "stored" and size else mask
        for mask, size, fits_as in zip(masks, stored, fits, strict=True)
    ]
    keep = [i for i, fits_as in enumerate(fits) if fits_as != "other"]
    other = [i for i, fits_as in enumerate(fits) if fits_as == "other"]
    scaled = [i for i in other if _same_shape(stored[i], masks[i])]
    problems = []
    if scaled and len(scaled) >= SCALED * len(masks):
        keep += scaled
        other = [i for i in other if i not in set(scaled)]
        problems.append(_scaled(pictures, stored, masks, scaled))
    if other:
        problems.append(_differ(pictures, stored, masks, other))
    problems += turning_problems("mask-exif", text("masks", "掩码"), pictures, fits)
    return fitted, sorted(keep), problems


def _same_shape(size: StoredSize | None, mask: LabelMap) -> bool:
    return size is not None and size.scale_of((mask.width, mask.height)) is not None


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
