"""Boxes that others' detections are compared with: those of a COCO file, whose pictures need not be there, or what `weigh data` reads.

Before it: `--gold` of `weigh read`. After it: `record/predictions/boxes.py`. Boxes are cleaned as for a study, and what was wrong is named in the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from weigh.data.boxes.cleaning import clean_boxes
from weigh.data.boxes.coco import NAMELESS, written_boxes
from weigh.data.boxes.columns import box_columns
from weigh.data.boxes.index import YAML, box_rows
from weigh.data.boxes.layouts import box_layouts
from weigh.data.boxes.reading import Reading
from weigh.data.boxes.sizes import Canvas
from weigh.data.pictures.coco import coco_source, id_of, is_coco, read_coco
from weigh.data.pictures.index import data_root, read_images
from weigh.data.rows.listing import natural_key
from weigh.data.rows.paths import Resolver
from weigh.data.tables.table_files import TABLE_SUFFIXES, is_written_as, read_table
from weigh.errors import DataError
from weigh.files import read_file
from weigh.kinds.boxes import BOXES
from weigh.language import text
from weigh.problem import Problem
from weigh.spec import DataSpec

__all__ = ["UNSIZED", "Gold", "GoldBoxes", "holds_boxes", "holds_detections", "read_gold"]


LOOKED_INTO = 100_000  # bytes
UNSIZED = "unknown-size"  # kind of the problem that sizes of pictures are not stated


class Gold(NamedTuple):
    """What the rows of a file of detections refer to. Ids are compared as text (`id_of`).

    Attributes:
        file: What the gold file is called.
        names: Of the pictures.
        sizes: `(n, 2)` height and width; 0: not known.
        pictures: Id, or name, -> position in `names`.
        categories: Id, or name, -> class.
        classes: Their names.
        several: Ids that more than one picture would have; they are not in `pictures`.
    """

    file: str
    names: Sequence[str]
    sizes: np.ndarray
    pictures: Mapping[Hashable, int]
    categories: Mapping[Hashable, int]
    classes: Sequence[str]
    several: frozenset[str] = frozenset()


class GoldBoxes(NamedTuple):
    """What is right.

    Attributes:
        root: The folder that `paths` start from.
        paths: Of the pictures; those that are not there are called as the file calls them.
        target: `(n,)` the boxes of each picture.
    """

    gold: Gold
    root: Path
    paths: list[str]
    target: np.ndarray
    problems: list[Problem]


def holds_boxes(path: Path) -> bool:
    """Whether it holds boxes, and not tags of tokens."""
    if path.is_dir():
        return bool(box_layouts(path))
    if is_written_as(path, (".json",)):
        return is_coco(path) or _begins(path, b'"bbox"', b'"images"')
    if not is_written_as(path, TABLE_SUFFIXES):
        return is_written_as(path, YAML)
    try:
        return box_columns(read_table(path, limit=LOOKED_INTO).columns) is not None
    except DataError:
        return False


def holds_detections(path: Path) -> bool:
    """Whether a file begins like a list of detections as COCO has them."""
    return is_written_as(path, (".json",)) and _begins(path, b'"bbox"') and not is_coco(path)


def _begins(path: Path, *words: bytes) -> bool:
    """Whether one of the words stands at the beginning of a file."""
    try:
        head = read_file(path, head=LOOKED_INTO)
    except DataError:
        return False
    return any(word in head for word in words)


def read_gold(path: Path, spec: DataSpec) -> GoldBoxes:
    """The boxes of a COCO file, or of what else `weigh data` reads.

    Raises:
        DataError: They cannot be read.
    """
    if is_written_as(path, (".json",)):
        idle = [name for name in ("classes", "box_format", "origin") if getattr(spec, name) is not None]
        if idle:
            raise DataError(
                text("data.{s} does not count for {p}: a COCO file says it itself.", "data.{s} 对 {p} 不起作用：COCO 文件本身已写明。", s=idle[0], p=path),
                do=text("Leave it out.", "请去掉该设置。"),
            )  # fmt: skip
        return _of_coco(path, data_root(spec, path) or path.parent)
    examples, problems = read_images(spec.model_copy(update={"train": str(path)}), [BOXES])
    names = examples.path.tolist()
    named = {name: i for i, name in enumerate(names)}
    stems = [PurePosixPath(name).stem for name in names]
    numbers = [id_of(int(stem)) if stem.isdecimal() else "" for stem in stems]
    ids = {**_lone(numbers), **_lone(stems)}
    several = frozenset(filter(None, (*numbers, *stems))) - ids.keys()
    classes = {name: c for c, name in enumerate(examples.classes)}
    gold = Gold(path.name, names, BOXES.sizes(examples.target), {**ids, **named}, classes, examples.classes, several)
    return GoldBoxes(gold, examples.root, names, examples.target, problems)


def _lone(keys: Sequence[str]) -> dict[str, int]:
    """Positions of the keys that stand there once; "" is none."""
    number = Counter(keys)
    return {key: i for i, key in enumerate(keys) if key and number[key] == 1}


def _of_coco(path: Path, root: Path) -> GoldBoxes:
    content = read_coco(coco_source(path), path.parent)
    names = [picture.file for picture in content.pictures]
    written = [written_boxes(picture, content.name) for picture in content.pictures]
    sizes = np.array([one.size or (np.nan, np.nan) for one in written], dtype=np.float64).reshape(-1, 2)
    cleaned = clean_boxes(names, written, sizes, Reading("xywh", relative=False), NAMELESS)
    canvases = [Canvas(one.size or (1, 1), one.size or (1, 1), opens=one.size is not None) for one in written]
    classes = tuple(sorted(dict.fromkeys(content.categories.values()), key=natural_key))
    target = BOXES.encode(box_rows(written, canvases, cleaned), classes)
    known = np.array([one.size is not None for one in written], dtype=bool)
    gold = Gold(
        path.name, names, BOXES.sizes(target) * known[:, None],
        {picture.id: i for i, picture in enumerate(content.pictures)},
        {key: classes.index(name) for key, name in content.categories.items()}, classes,
    )  # fmt: skip
    resolver = Resolver(root, names, beside=path.parent)
    paths = [resolver.find(name).path or name for name in names]
    again = {path for path, n in Counter(paths).items() if n > 1}
    paths = [f"{path} ({p.id})" if path in again else path for path, p in zip(paths, content.pictures, strict=True)]
    problems = [*content.problems, *cleaned.problems, *_unsized(path.name, paths, known)]
    return GoldBoxes(gold, root, paths, target, problems)


def _unsized(file: str, paths: list[str], known: np.ndarray) -> list[Problem]:
    """Pictures whose size the file does not state; how far their boxes reach is all that is known."""
    unknown = tuple(paths[i] for i in np.flatnonzero(~known))
    if not unknown:
        return []
    sentence = text(
        "{g} does not state the size of {n} of {t} pictures (first: {f}): boxes outside of them, and objects at their edge, cannot be told.",
        "{g} 未写明 {t} 张图片中 {n} 张的尺寸（第一张：{f}）：无法判断哪些框超出图片、哪些目标位于边缘。",
        g=file,
        n=len(unknown),
        t=len(paths),
        f=unknown[0],
    )
    do = text("Write width and height of every picture.", "请写明每张图片的 width 与 height。")
    numbers = {"n": len(unknown), "pictures": len(paths)}
    return [Problem(UNSIZED, sentence, unknown, severity="note", do=do, numbers=numbers)]
