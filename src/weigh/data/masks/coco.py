"""Masks out of a COCO file: polygons and runs (RLE) of objects drawn as classes of pixels, later objects over earlier ones, crowds ignored.

Before it: the pictures and objects of a file (`pictures/coco.py`). After it: `layouts.py` pairs the pictures with what is drawn here. What no object
covers is the class "background".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from weigh.data.masks.raster import Raster
from weigh.data.pictures.class_table import ClassEntry, ClassTable
from weigh.data.pictures.coco import CocoFile, CocoPicture
from weigh.data.pictures.decoding import MAX_PIXELS, PictureError
from weigh.data.pictures.outlines import covered_pixels, polygons_of
from weigh.data.rows.listing import set_aside
from weigh.kinds.label_map import LabelMap
from weigh.language import text
from weigh.problem import Problem

__all__ = ["Annotated", "draw_annotated", "outlined", "table_of_classes"]

BACKGROUND = "background"


class Annotated(NamedTuple):
    """One picture of the file.

    Attributes:
        objects: `(class, segmentation, crowd)` in the order of the file.
    """

    file: str
    width: int
    height: int
    objects: tuple[tuple[int, Any, bool], ...]
    classes: int


class OutlinedFile(NamedTuple):
    """The pictures of one file as they are to be drawn, and what was wrong."""

    pictures: dict[str, Annotated]
    problems: list[Problem]


def table_of_classes(files: Sequence[CocoFile]) -> ClassTable:
    """The classes of files that are read together: categories of one name are one class, whatever ids and order each file gives them.

    What no object covers is the first.
    """
    names: dict[str, None] = {}
    sources = []
    for file in files:
        if not sources or not names.keys() >= set(file.categories.values()):
            sources.append(file.name)
        names |= dict.fromkeys(file.categories.values())
    empty = next((name for name in names if name.casefold() == BACKGROUND), BACKGROUND)
    table = [empty, *(name for name in names if name != empty)]
    return ClassTable(tuple(ClassEntry(name, i) for i, name in enumerate(table)), ", ".join(sources))


def outlined(file: CocoFile, pictures: Mapping[str, CocoPicture], classes: ClassTable) -> OutlinedFile:
    """What is to be drawn of the pictures of one file, by the path of each on disk; its categories are among `classes`."""
    number = {entry.name: i for i, entry in enumerate(classes.entries)}
    strange, without, plain, crowds = [], [], [], []
    annotated: dict[str, Annotated] = {}
    for path, picture in pictures.items():
        objects = []
        for item in picture.objects:
            if item.category is None:
                strange.append(picture.place(item))
            elif not item.content.get("segmentation"):
                without.append(picture.place(item))
            else:
                objects.append((number[item.category], item.content["segmentation"], item.crowd))
        width, height = picture.width or 0, picture.height or 0
        size = (0, 0) if width * height > MAX_PIXELS else (width, height)
        annotated[path] = Annotated(picture.file, *size, tuple(objects), len(number))
        if not objects:
            plain.append(picture.file)
        if any(crowd for *_, crowd in objects):
            crowds.append(picture.file)
    problems = _shares(file.name, annotated) + _flaws(
        file.name, strange, without, plain, sum(len(p.objects) for p in pictures.values())
    )
    if crowds:
        sentence = text(
            "Pictures of {f} with crowds of objects (iscrowd): {n} (first: {o}); the pixels of crowds are ignored.",
            "{f} 中有 {n} 张图片含成群目标（iscrowd，第一张：{o}），其像素被忽略。",
            f=file.name,
            n=len(crowds),
            o=crowds[0],
        )
        problems.append(Problem("ignored", sentence, tuple(crowds), severity="note", numbers={"n": len(crowds)}))
    return OutlinedFile(annotated, problems)


def _shares(file: str, annotated: Mapping[str, Annotated]) -> list[Problem]:
    """An error where all polygons are written as shares of the picture, so that nothing of them would be drawn."""
    polygons = 0
    for picture in annotated.values():
        for _, outline, _ in picture.objects:
            if isinstance(outline, dict):
                return []
            try:
                if any(np.max(np.asarray(polygon, dtype=np.float64)) > 1 for polygon in polygons_of(outline)):
                    return []
            except (ValueError, TypeError, OverflowError):
                continue
            polygons += 1
    if not polygons:
        return []
    return [
        Problem(
            "outline",
            text(
                "No number in the outlines of {f} is larger than 1: they seem to be shares of the picture, where COCO counts pixels.",
                "{f} 的轮廓中没有大于 1 的数：看起来是占图片的比例，而 COCO 以像素计。",
                f=file,
            ),
            severity="error",
            why=text("All of every picture would be background.", "否则所有图片都会整张算作背景。"),
            do=text(
                "Multiply x by the width and y by the height of the picture.",
                "请把 x 乘以图片的宽，把 y 乘以图片的高。",
            ),
            numbers={"n": polygons},
        )
    ]


def _flaws(file: str, strange: list[str], without: list[str], empty: list[str], n: int) -> list[Problem]:
    problems = []
    if strange:
        problems.append(
            set_aside(
                "annotation",
                text(
                    "Annotations of {f} whose category does not exist: {n} of {t} (first: {o}); not drawn.",
                    "{f} 的 {t} 条标注中有 {n} 条指向不存在的类别（第一条：{o}），未绘制。",
                    f=file,
                    n=len(strange),
                    t=n,
                    o=strange[0],
                ),
                strange,
                text("Correct category_id.", "请更正 category_id。"),
            )
        )
    if without:
        problems.append(
            set_aside(
                "annotation",
                text(
                    "Objects of {f} without an outline: {n} of {t} (first: {o}); not drawn, so their pixels are background.",
                    "{f} 的 {t} 个目标中有 {n} 个没有轮廓（第一个：{o}），未绘制，其像素算作背景。",
                    f=file,
                    n=len(without),
                    t=n,
                    o=without[0],
                ),
                without,
                text("Draw them, or leave these pictures out.", "请补上轮廓，或去掉这些图片。"),
            )
        )
    if empty:
        problems.append(
            Problem(
                "no-objects",
                text(
                    "Pictures of {f} without an object: {n} (first: {o}); all of them is background.",
                    "{f} 中有 {n} 张图片没有任何目标（第一张：{o}），整张算作背景。",
                    f=file,
                    n=len(empty),
                    o=empty[0],
                ),
                tuple(empty),
                severity="note",
                numbers={"n": len(empty)},
            )
        )
    return problems


def draw_annotated(picture: Annotated) -> Raster:
    """The classes of all pixels.

    Raises:
        PictureError: No size, or an outline that cannot be read.
    """
    if not picture.width:
        what = text(
            "its width and height are not given as whole numbers above 0, or make more than {m} pixels.",
            "没有以正整数给出宽和高，或像素数超过 {m}。",
            m=f"{MAX_PIXELS:,}",
        )
        raise PictureError(picture.file, "no size", what)
    drawn = np.zeros((picture.height, picture.width), dtype=np.int64)
    for number, (kind, segmentation, crowd) in enumerate(picture.objects):
        try:
            covered = covered_pixels(segmentation, picture.height, picture.width)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError):
            raise PictureError(
                picture.file,
                "outline",
                text("the outline of its object {i} cannot be read.", "第 {i} 个目标的轮廓无法读取。", i=number + 1),
            ) from None
        drawn[covered] = picture.classes if crowd else kind
    return Raster(tuple(range(picture.classes)), LabelMap.of(drawn, picture.classes))  # crowds are no class: ignored
