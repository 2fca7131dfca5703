"""In which layout a folder keeps its boxes: COCO files, XML of Pascal VOC, text files of YOLO, a table; told from names and the first files of each.

Before it: a folder. After it: recognition says why, `index.py` reads. Where two layouts lie in one folder, the first of these four is read, and it is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from weigh.data.boxes.columns import columns_of_boxes
from weigh.data.boxes.voc import is_voc_file
from weigh.data.boxes.yolo import is_yolo_file
from weigh.data.boxes.yolo_parts import yaml_in
from weigh.data.pictures.coco import coco_files
from weigh.data.pictures.files import is_picture_name
from weigh.data.pictures.pairing import folder_role
from weigh.data.rows.trees import files_in, subfolders
from weigh.data.tables.table_files import TABLE_SUFFIXES, is_written_as, read_table
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.spec import ColumnsSpec

__all__ = ["BoxLayout", "box_layouts", "first_files", "lone_folder"]

FOLDERS, NAMES = 1000, 300  # folders that are looked into, and names in each of them
BYTES = 300_000  # of a table
OPENED = 20  # files of each kind that are opened


class BoxLayout(NamedTuple):
    """A layout that is in a folder, how that is seen, and the table where it is one."""

    name: Literal["COCO", "Pascal VOC", "YOLO", "table"]
    reason: Text
    file: Path | None = None


def lone_folder(folder: Path) -> Path:
    """The folder itself, or what it holds where that is one folder and nothing else."""
    for _ in range(3):
        inner = subfolders(folder)
        if len(inner) != 1 or folder_role(inner[0].name)[1] or files_in(folder, bool):
            break
        folder = inner[0]
    return folder


def box_layouts(folder: Path) -> list[BoxLayout]:
    """All layouts that are in a folder, the one that is read first."""
    try:
        folder = lone_folder(folder)
        layouts = (_coco(folder), _voc(folder), _yolo(folder), _table(folder))
    except (OSError, DataError):
        return []
    return [layout for layout in layouts if layout is not None]


def _coco(folder: Path) -> BoxLayout | None:
    files = coco_files(folder)
    if not files:
        return None
    name = files[0].file.relative_to(folder).as_posix()
    return BoxLayout("COCO", text("{f} is a COCO annotation file.", "{f} 是 COCO 标注文件。", f=name))


def _voc(folder: Path) -> BoxLayout | None:
    for file in _first(first_files(folder), (".xml",)):
        if is_voc_file(folder / file):
            return BoxLayout(
                "Pascal VOC",
                text("{f} is an annotation in XML (Pascal VOC).", "{f} 是 XML 标注（Pascal VOC）。", f=file),
            )
    return None


def _yolo(folder: Path) -> BoxLayout | None:
    described = yaml_in(folder)
    names = list(first_files(folder))
    pictures = {os.path.splitext(name)[0] for name in names if is_picture_name(name)}
    if not pictures:
        return None
    for file in _first(names, (".txt",)):
        roles = [folder_role(part)[1] for part in file.split("/")[:-1]]
        if ("labels" in roles or os.path.splitext(file)[0] in pictures) and is_yolo_file(folder / file):
            reason = text(
                "{f} holds a class and a box per line (YOLO).", "{f} 每行是一个类别和一个框（YOLO）。", f=file
            )
            if described is not None:
                reason = reason + text("Classes: {y}.", "类别：{y}。", y=described.path.name)
            return BoxLayout("YOLO", reason)
    return None


def _table(folder: Path) -> BoxLayout | None:
    tables = files_in(folder, lambda name: is_written_as(Path(name), tuple(TABLE_SUFFIXES)))
    if len(tables) != 1:
        return None
    try:
        cells = read_table(tables[0], limit=BYTES).columns
    except DataError:
        return None
    box = columns_of_boxes(cells, tables[0], ColumnsSpec.model_validate({}))
    if box is None:
        return None
    reason = text(
        "{f} has a box in each row ({c}).", "{f} 每行一个框（{c}）。", f=tables[0].name, c=", ".join(box.names)
    )
    return BoxLayout("table", reason, tables[0])


def first_files(folder: Path) -> Iterator[str]:
    """The first files of each folder below a folder, in order."""
    for looked, (here, folders, files) in enumerate(os.walk(folder)):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files)[:NAMES]:
            yield os.path.relpath(os.path.join(here, name), folder).replace(os.sep, "/")
        if looked >= FOLDERS:
            return


def _first(names: Iterator[str] | Sequence[str], suffixes: tuple[str, ...]) -> Iterator[str]:
    opened = 0
    for name in names:
        if name.casefold().endswith(suffixes):
            yield name
            opened += 1
            if opened >= OPENED:
                return
