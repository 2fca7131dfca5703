"""Masks out of a COCO file: polygons and runs (RLE) of objects drawn as classes of pixels, later objects over earlier ones, crowds ignored.

Before it: a .json file. After it: `layouts.py` pairs the pictures with what is drawn here. A pixel belongs to a polygon if its centre lies inside
(even-odd rule); what no object covers is the class "background".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from weigh.data.masks.class_table import ClassEntry, ClassTable
from weigh.data.masks.raster import Raster
from weigh.data.pictures.decoding import MAX_PIXELS, PictureError
from weigh.data.rows.listing import set_aside
from weigh.errors import DataError
from weigh.files import read_json
from weigh.kinds.label_map import LabelMap
from weigh.language import text
from weigh.problem import Problem

__all__ = ["Annotated", "CocoFile", "draw_annotated", "fill_polygon", "is_segmented", "read_coco", "runs_of"]

BACKGROUND = "background"
EDGES_AT_ONCE = 4_000_000  # rows times edges that are compared at a time


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


class CocoFile(NamedTuple):
    """Pictures with at least one object, the classes, and what was wrong."""

    pictures: list[Annotated]
    table: ClassTable
    problems: list[Problem]


def is_segmented(file: Path) -> bool:
    """Whether it is a COCO file whose objects have outlines."""
    try:
        content = read_json(file)
        objects = content["annotations"] if isinstance(content, dict) and "images" in content else []
        return any(isinstance(o, dict) and o.get("segmentation") for o in objects[:1000])
    except (DataError, KeyError, TypeError):
        return False


def read_coco(file: Path) -> CocoFile:
    """The pictures of a COCO file and their objects.

    Raises:
        DataError: It is no such file.
    """
    content = read_json(file)
    lists = [content.get(k) if isinstance(content, dict) else None for k in ("images", "annotations", "categories")]
    if not all(isinstance(rows, list) and all(isinstance(row, dict) for row in rows) for rows in lists):
        raise DataError(
            text(
                "{f} is no COCO file: it lacks lists of images, annotations or categories.",
                "{f} 不是 COCO 文件：缺少 images、annotations 或 categories 列表。",
                f=file,
            ),
            do=text(
                "Give a file with images, annotations (with segmentation) and categories.",
                "请提供含 images、annotations（带 segmentation）和 categories 的文件。",
            ),
        )
    images, annotations, categories = lists
    known = sorted((c for c in categories if type(c.get("id")) is int), key=lambda c: c["id"])
    names = [str(c.get("name") or c["id"]) for c in known]
    shift = 0 if BACKGROUND in [name.casefold() for name in names] else 1
    table = [BACKGROUND, *names] if shift else names
    empty = next((i for i, name in enumerate(table) if name.casefold() == BACKGROUND), 0)
    table.insert(0, table.pop(empty))  # what no object covers is the first
    place = {c["id"]: table.index(name) for c, name in zip(known, names, strict=True)}
    problems: list[Problem] = []
    objects: dict[Any, list[tuple[int, Any, bool]]] = {}
    strange, without = [], []
    names_of = {image.get("id"): str(image.get("file_name") or image.get("id")) for image in images}
    for number, annotation in enumerate(annotations):
        where = f"{names_of.get(annotation.get('image_id'), '?')} (annotation {annotation.get('id', number)})"
        if annotation.get("category_id") not in place or annotation.get("image_id") not in names_of:
            strange.append(where)
        elif not annotation.get("segmentation"):
            without.append(where)
        else:
            crowd = bool(annotation.get("iscrowd"))
            objects.setdefault(annotation["image_id"], []).append(
                (place[annotation["category_id"]], annotation["segmentation"], crowd)
            )
    pictures = []
    empty_pictures = []
    for image in images:
        size = [image.get(k) for k in ("width", "height")]
        if not all(type(s) is int and s > 0 for s in size) or size[0] * size[1] > MAX_PIXELS:
            size = [0, 0]
        own = tuple(objects.get(image.get("id"), ()))
        if not own:
            empty_pictures.append(names_of[image.get("id")])
        pictures.append(Annotated(names_of[image.get("id")], size[0], size[1], own, len(table)))
    problems += _flaws(file, strange, without, empty_pictures, len(annotations))
    crowds = [names_of[image] for image, own in objects.items() if any(crowd for *_, crowd in own)]
    if crowds:
        sentence = text(
            "Pictures of {f} with crowds of objects (iscrowd): {n} (first: {o}); the pixels of crowds are ignored.",
            "{f} 中有 {n} 张图片含成群对象（iscrowd，第一张：{o}），其像素被忽略。",
            f=file.name,
            n=len(crowds),
            o=crowds[0],
        )
        problems.append(Problem("ignored", sentence, tuple(crowds), severity="note", numbers={"n": len(crowds)}))
    return CocoFile(pictures, ClassTable(tuple(ClassEntry(n, i) for i, n in enumerate(table)), file.name), problems)


def _flaws(file: Path, strange: list[str], without: list[str], empty: list[str], n: int) -> list[Problem]:
    problems = []
    if strange:
        problems.append(
            set_aside(
                "annotation",
                text(
                    "Annotations of {f} whose picture or category does not exist: {n} of {t} (first: {o}); not drawn.",
                    "{f} 的 {t} 条标注中有 {n} 条指向不存在的图片或类别（第一条：{o}），未绘制。",
                    f=file.name,
                    n=len(strange),
                    t=n,
                    o=strange[0],
                ),
                strange,
                text("Correct category_id and image_id.", "请更正 category_id 与 image_id。"),
            )
        )
    if without:
        problems.append(
            set_aside(
                "annotation",
                text(
                    "Objects of {f} without an outline: {n} of {t} (first: {o}); not drawn, so their pixels are background.",
                    "{f} 的 {t} 个对象中有 {n} 个没有轮廓（第一个：{o}），未绘制，其像素算作背景。",
                    f=file.name,
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
                    "{f} 中有 {n} 张图片没有任何对象（第一张：{o}），整张算作背景。",
                    f=file.name,
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
        raise PictureError(picture.file, "no size", text("its width and height are not given.", "没有给出宽和高。"))
    drawn = np.zeros((picture.height, picture.width), dtype=np.int64)
    for number, (kind, segmentation, crowd) in enumerate(picture.objects):
        try:
            covered = _covered(segmentation, picture.height, picture.width)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError):
            raise PictureError(
                picture.file,
                "outline",
                text("the outline of its object {i} cannot be read.", "第 {i} 个对象的轮廓无法读取。", i=number + 1),
            ) from None
        drawn[covered] = picture.classes if crowd else kind
    return Raster(tuple(range(picture.classes)), LabelMap.of(drawn, picture.classes))  # crowds are no class: ignored


def _covered(segmentation: Any, height: int, width: int) -> np.ndarray:
    """`(height, width)` bool: polygons, or runs."""
    if isinstance(segmentation, dict):
        rows, columns = segmentation["size"]
        counts = segmentation["counts"]
        if (rows, columns) != (height, width):
            raise ValueError("another size")
        runs = np.array(runs_of(counts) if isinstance(counts, (str, bytes)) else counts, dtype=np.int64)
        if (runs < 0).any() or runs.sum() != rows * columns:
            raise ValueError("runs do not fill the picture")
        inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        return inside.reshape(columns, rows).T
    covered = np.zeros((height, width), dtype=bool)
    for polygon in segmentation:
        covered |= fill_polygon(np.array(polygon, dtype=np.float64).reshape(-1, 2), height, width)
    return covered


def runs_of(packed: str | bytes) -> list[int]:
    """Lengths of runs from COCO's packed form: six bits a character, five of them digits, each number from the third on relative to the last but one."""
    data = packed.encode("ascii") if isinstance(packed, str) else packed
    runs: list[int] = []
    place = 0
    while place < len(data):
        value, shift, more = 0, 0, True
        while more:
            byte = data[place] - 48
            value |= (byte & 0x1F) << shift
            more = bool(byte & 0x20)
            place, shift = place + 1, shift + 5
            if not more and byte & 0x10:
                value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs


def fill_polygon(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """`(height, width)` bool: pixels whose centre lies inside, by the even-odd rule.

    Args:
        points: `(n, 2)` x and y of the corners.
    """
    if len(points) < 3 or not np.isfinite(points).all():
        raise ValueError("a polygon has at least three corners")
    toggles = np.zeros((height, width + 1), dtype=np.int64)
    x0, y0 = points.T
    x1, y1 = np.roll(points, -1, axis=0).T
    first, last = max(int(np.floor(y0.min())), 0), min(int(np.ceil(y0.max())), height)
    step = max(1, EDGES_AT_ONCE // len(points))
    for start in range(first, last, step):
        rows = np.arange(start, min(start + step, last))
        centre = rows[:, None] + 0.5
        crossing = (y0 <= centre) != (y1 <= centre)
        at_row, edge = np.nonzero(crossing)
        share = (centre[at_row, 0] - y0[edge]) / (y1[edge] - y0[edge])
        x = x0[edge] + share * (x1[edge] - x0[edge])
        column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
        np.add.at(toggles, (rows[at_row], column), 1)
    return np.cumsum(toggles, axis=1)[:, :width] % 2 == 1
