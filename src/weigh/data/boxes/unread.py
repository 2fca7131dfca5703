"""Files of labels beside pictures that hold no boxes in any layout that is known: which, and what is wrong in the first of them.

Before it: a folder in which `layouts.py` found nothing. After it: recognition, and the error of the reader (`box_words.no_boxes`).
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from weigh.data.boxes.layouts import first_names, lone_folder
from weigh.data.pictures.files import is_picture_name
from weigh.data.pictures.pairing import folder_role
from weigh.data.rows.trees import subfolders
from weigh.data.tables.text_encoding import read_text, split_lines
from weigh.errors import DataError
from weigh.files import read_json
from weigh.language import Text, text

__all__ = ["unread_labels"]

LISTS = ("images", "annotations", "categories")
NAMES = 2_000  # that are looked at
SHOWN = 60  # characters of a line
LIMIT = 100_000  # bytes of a file of text


def unread_labels(folder: Path) -> Text | None:
    """What the first file of labels holds, where a folder holds pictures in one folder and labels in another; None where it is not laid out so."""
    try:
        folder = lone_folder(folder)
        if not _pictures_beside_labels(folder):
            return None
        names = list(islice(first_names(folder), NAMES))
    except (OSError, DataError):
        return None
    labelled = [name for name in names if "labels" in [folder_role(part)[1] for part in name.split("/")[:-1]]]
    if any(is_picture_name(name) for name in labelled):  # masks
        return None
    stems = {PurePosixPath(name).stem for name in names if is_picture_name(name)}
    for name in labelled:
        if name.casefold().endswith(".json") and (seen := _json(folder / name, name)) is not None:
            return seen
        if PurePosixPath(name).stem not in stems:
            continue
        if name.casefold().endswith(".txt") and (seen := _lines(folder / name, name)) is not None:
            return seen
        if name.casefold().endswith(".xml"):
            return text("{f} is no annotation of Pascal VOC.", "{f} 不是 Pascal VOC 标注。", f=name)
    return None


def _pictures_beside_labels(folder: Path) -> bool:
    """Whether every folder inside is for pictures, for labels or for a part, and there are both of the first, here or in a part."""
    roles = [(inner, *folder_role(inner.name)) for inner in subfolders(folder)]
    if not roles or any(not part and not role for _, part, role in roles):
        return False
    found = {role for _, _, role in roles}
    for inner, part, role in roles:
        if part and not role:
            found |= {folder_role(below.name)[1] for below in subfolders(inner)}
    return {"picture", "labels"} <= found


def _json(path: Path, name: str) -> Text | None:
    """What a file of annotations lacks; None where it is none."""
    try:
        content: Any = read_json(path)
    except DataError as error:
        return error.what
    objects = content if isinstance(content, list) else []
    if any(isinstance(one, dict) and ("bbox" in one or "image_id" in one) for one in objects[:10]):
        return text(
            "{f} is no COCO file: it holds a list, not an object with images, annotations and categories.",
            "{f} 不是 COCO 文件：其内容是列表，而不是含 images、annotations 和 categories 的对象。",
            f=name,
        )
    if not isinstance(content, dict) or not any(key in content for key in LISTS):
        return None
    absent = [key for key in LISTS if not isinstance(content.get(key), list)]
    if absent:
        return text("{f} is no COCO file: it lacks {k}.", "{f} 不是 COCO 文件：缺少 {k}。", f=name, k=", ".join(absent))
    return text("The annotations of {f} hold no boxes.", "{f} 的 annotations 中没有框。", f=name)


def _lines(path: Path, name: str) -> Text | None:
    """What the first line of a file of text is; None where it is empty."""
    try:
        lines = [line for line in split_lines(read_text(path, limit=LIMIT).content) if line.strip()]
    except DataError as error:
        return error.what
    if not lines:
        return None
    return text(
        "{f} begins with the line '{l}'; a line of YOLO is the number of a class and four numbers, with blanks between them.",
        "{f} 的首行是“{l}”；YOLO 的每行应为类别编号和四个数，以空格分隔。",
        f=name,
        l=lines[0].strip()[:SHOWN],
    )
