"""Files of labels beside pictures that hold no boxes in any layout that is known: whose they are, or what is wrong in the first of them.

Before it: a folder in which `layouts.py` found nothing. After it: recognition, and the error of the reader (`box_words.no_boxes`).
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from weigh.data.boxes.layouts import first_files, lone_folder
from weigh.data.boxes.xml_file import read_xml
from weigh.data.pictures.files import is_picture_name
from weigh.data.pictures.pairing import folder_role
from weigh.data.rows.trees import subfolders
from weigh.data.tables.label_studio import holds_choices
from weigh.data.tables.text_encoding import read_text, split_lines
from weigh.errors import DataError
from weigh.files import read_json
from weigh.language import Text, text

__all__ = ["unread_labels"]

LISTS = ("images", "annotations", "categories")
NAMES = 2_000  # that are looked at
SHOWN = 60  # characters of a line
LIMIT = 100_000  # bytes of a file of text
OPENED, LARGEST = 20, 20_000_000  # files that may be of another program, and bytes of them


def unread_labels(folder: Path) -> Text | None:
    """What the first file of labels holds, where pictures lie in one place and not in folders for classes; None where nothing looks like labels."""
    try:
        folder = lone_folder(folder)
        roles = _roles(folder)
        inside = [row for inner, part, role in roles if part and not role for row in _roles(inner)]
        if any(not part and not role for _, part, role in (*roles, *inside)):  # folders that are probably classes
            return None
        names = list(islice(first_files(folder), NAMES))
    except (OSError, DataError):
        return None
    stems = {PurePosixPath(name).stem for name in names if is_picture_name(name)}
    labelled = [name for name in names if "labels" in [folder_role(part)[1] for part in name.split("/")[:-1]]]
    beside = [name for name in names if "/" not in name or PurePosixPath(name).stem in stems]
    others = [name for name in dict.fromkeys([*labelled, *beside]) if name.casefold().endswith((".json", ".xml"))]
    for name in others[:OPENED]:
        if stems and (dialect := _dialect(folder / name)) is not None:
            return text(
                "{f} looks like an annotation of {d}, which is not read here: export it as COCO, Pascal VOC or YOLO.",
                "{f} 看起来是 {d} 的标注，此处不读取：请导出为 COCO、Pascal VOC 或 YOLO。",
                f=name,
                d=dialect,
            )
    beside_one_another = {"picture", "labels"} <= {role for _, _, role in (*roles, *inside)}
    if not beside_one_another or any(map(is_picture_name, labelled)):  # masks
        return None
    empty: list[str] = []
    for name in labelled:
        if name.casefold().endswith(".json") and (seen := _json(folder / name, name)) is not None:
            return seen
        if PurePosixPath(name).stem not in stems:
            continue
        if name.casefold().endswith(".txt") and (seen := _lines(folder / name, name)) is not None:
            return seen
        if name.casefold().endswith(".xml"):
            return text("{f} is no annotation of Pascal VOC.", "{f} 不是 Pascal VOC 标注。", f=name)
        empty += [name] if name.casefold().endswith(".txt") else []
    if not empty:
        return None
    return text("Its files of labels hold no line (first: {f}).", "其标注文件均为空（第一个：{f}）。", f=empty[0])


def _dialect(path: Path) -> str | None:
    """Whose annotations a file holds, if it is a known program whose files are not read."""
    try:
        if path.name.casefold().endswith(".xml"):
            return "CVAT" if read_xml(path)[0].name == "annotations" else None
        if path.stat().st_size > LARGEST:
            return None
        content: Any = read_json(path)
    except (DataError, OSError):
        return None
    if isinstance(content, dict):
        values = [value for value in content.values() if isinstance(value, dict)][:1]
        if isinstance(content.get("shapes"), list) and "imagePath" in content:
            return "LabelMe"
        regions = "_via_img_metadata" in content or any("regions" in value and "filename" in value for value in values)
        return "VGG Image Annotator (VIA)" if regions else None
    first = content[0] if isinstance(content, list) and content else None
    objects = first.get("annotations") if isinstance(first, dict) else None
    one = objects[0] if isinstance(objects, list) and objects and isinstance(objects[0], dict) else {}
    if isinstance(one.get("result"), list):  # choices are read, as a table of pictures
        return None if any(map(holds_choices, content)) else "Label Studio"
    return "Create ML" if "coordinates" in one else None


def _roles(folder: Path) -> list[tuple[Path, str, str]]:
    """The folders inside, with the part and the role that their names say."""
    return [(inner, *folder_role(inner.name)) for inner in subfolders(folder)]


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
