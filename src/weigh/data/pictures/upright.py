"""Which way up a picture is, and what was drawn on it: a viewer turns pictures as EXIF asks, while labels may be drawn on what is stored.

Before it: pictures and the size that their labels state. After it: labels that lie across are turned too (`masks/sizes.py`, `boxes/sizes.py`), and it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from weigh.data.pictures.decoding import ORIENTATION, PictureError, guarded, open_checked, read_bytes
from weigh.language import Text, text
from weigh.lookahead import look_ahead
from weigh.problem import Problem

__all__ = ["Fit", "StoredSize", "fit", "stored_sizes", "turning_problems"]

ACROSS = (5, 6, 7, 8)  # orientations that exchange width and height
Fit = Literal["same", "stored", "upright", "unsure", "other"]


class StoredSize(NamedTuple):
    """Size as stored, and the orientation that EXIF asks for."""

    width: int
    height: int
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height of the picture as it is looked at."""
        return (self.height, self.width) if self.orientation in ACROSS else (self.width, self.height)

    def scale_of(self, labelled: tuple[int, int]) -> float | None:
        """How many pixels of a picture of `labelled` (width, height) one pixel of the upright picture is, where both have one shape (the sides scaled
        by one factor, up to a pixel of the smaller picture); None: they do not.
        """
        width, height = self.upright
        scale = labelled[0] / width
        return scale if abs(labelled[1] - height * scale) <= max(1.0, scale) else None


def stored_sizes(root: Path, pictures: Sequence[str]) -> list[StoredSize | None]:
    """The size of each picture as it is stored, None where it does not open (the checks of pictures say so)."""
    return [size for _, size in look_ahead(lambda path: _stored(root / path), pictures, threads=2, count=64)]


def _stored(path: Path) -> StoredSize | None:
    try:
        raw = read_bytes(path)
        image = guarded(path, lambda: open_checked(raw, path))
        orientation = guarded(path, lambda: image.getexif().get(ORIENTATION, 1))
    except PictureError:
        return None
    return StoredSize(image.width, image.height, orientation if orientation in range(1, 9) else 1)


def fit(size: StoredSize | None, labelled: tuple[int, int] | None) -> Fit:
    """How labels drawn on `labelled` pixels (width, height; None: not stated) lie on a picture.

    "same": nothing is to be turned (also where the picture does not open). "stored": on the stored pixels, to be turned. "upright": on the turned
    picture. "unsure": on one of the two, which the size does not tell. "other": the size is that of neither.
    """
    if size is None:
        return "same"
    as_stored = labelled in (None, (size.width, size.height))
    as_upright = labelled in (None, size.upright)
    if as_upright:
        return "same" if size.orientation == 1 else "unsure" if as_stored else "upright"
    return "stored" if as_stored else "other"


def turning_problems(kind: str, labels: Text, pictures: Sequence[str], fits: Sequence[Fit]) -> list[Problem]:
    """What is said of pictures that EXIF turns; `labels` is what is drawn on them ("masks")."""
    why = text(
        "{m} that lie across their picture teach the wrong places.",
        "{m}的方向与图片不符，就会教错位置。",
        m=Text(labels.en.capitalize(), labels.zh),
    )
    do = text("Look at the first of them: picture and {m} side by side.", "请查看其中第一张，对照图片与{m}。", m=labels)
    sentences: tuple[tuple[Fit, str, str], ...] = (
        (
            "stored",
            "Pictures that are turned as their EXIF data ask, whose {m} were drawn on the stored pixels, as their sizes tell: {n} (first: {f}); these "
            "{m} are turned too.",
            "有 {n} 张图片按 EXIF 信息旋转，而从尺寸可知{m}是按存储方向绘制的（第一张：{f}）；这些{m}也随之旋转。",
        ),
        (
            "upright",
            "Pictures that are turned as their EXIF data ask, whose {m} fit the turned picture, as their sizes tell: {n} (first: {f}).",
            "有 {n} 张图片按 EXIF 信息旋转，从尺寸可知{m}与旋转后的图片相符（第一张：{f}）。",
        ),
        (
            "unsure",
            "Pictures that are turned or mirrored as their EXIF data ask, of which no size tells whether the {m} are turned already: {n} "
            "(first: {f}); {m} are taken to fit the turned picture.",
            "有 {n} 张图片按 EXIF 信息旋转或镜像，无法从尺寸判断{m}是否已随之旋转（第一张：{f}）；按{m}与旋转后的图片相符处理。",
        ),
    )
    problems = []
    for case, en, zh in sentences:
        rows = [path for path, one in zip(pictures, fits, strict=True) if one == case]
        if rows:
            sentence = text(en, zh, n=len(rows), f=rows[0], m=labels)
            numbers = {"n": len(rows)}
            if case == "unsure":
                problems.append(Problem(kind, sentence, tuple(rows), why=why, do=do, numbers=numbers))
            else:
                problems.append(Problem(kind, sentence, tuple(rows), severity="note", numbers=numbers))
    return problems
