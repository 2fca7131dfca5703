"""Which task a folder or a table is for, told from names and layout; opens tables and texts, never pictures. Of files, see `looks.py`.

Before it: a path that a person typed, without `task:`. After it: the reader of that task, or a clear error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from weigh.data.boxes.layouts import box_layouts, lone_folder
from weigh.data.boxes.unread import unread_labels
from weigh.data.boxes.yolo_parts import read_yaml_file
from weigh.data.masks.pairs import masks_beside_pictures
from weigh.data.pictures.coco import is_coco
from weigh.data.pictures.files import PICTURE_FILES, is_picture_name
from weigh.data.recognition.looks import task_by_looks
from weigh.data.recognition.text_folders import read_description, recognise_features, recognise_text_folder
from weigh.data.rows.folders import part_folders
from weigh.data.rows.hub import hub_name
from weigh.data.rows.listing import PARTS
from weigh.data.rows.paths import no_such_path
from weigh.data.rows.trees import is_folder, scan, subfolders
from weigh.data.tables.table_files import TABLE_SUFFIXES
from weigh.errors import FileRefused, WeighError
from weigh.files import read_json
from weigh.language import Text, text
from weigh.settings import user_path
from weigh.spec import ColumnsSpec
from weigh.tasks import IMAGE_CLASSIFICATION, OBJECT_DETECTION, SEMANTIC_SEGMENTATION

__all__ = ["recognise_task"]

BARE = 3  # files without a suffix of one folder that are opened to see whether they are pictures
MASK_FOLDERS = frozenset(("masks", "mask", "trainannot", "segmentationclass", "gtfine", "annot", "label_masks"))
ARCHIVES = frozenset((".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar"))
MEND = text("Mend that, then run the same command again.", "请排除该问题，再运行同一命令。")
GIVE_LABELS = text(
    "Put the pictures or the text files of each class into a folder of its own, or give a table with labels (CSV, TSV, JSON lines, Parquet), "
    "a file of tagged tokens (CoNLL), or pictures with masks or boxes beside them.",
    "请把每个类别的图片或文本文件放进各自的文件夹；或提供带标签的表格（CSV、TSV、JSON Lines、Parquet）、逐词标注文件（CoNLL），或配有掩码、框的图片。",
)


class Recognised(NamedTuple):
    """A task of `tasks.TASKS`, or None; why; and what to do about it."""

    task: str | None
    reason: Text
    do: Text | None = None


def recognise_task(path: Path | str, columns: ColumnsSpec | None = None, encoding: str | None = None) -> Recognised:
    """The task that the data at `path` is for.

    Args:
        path: A folder, a table, any other file, or a hub name.
        columns: Names of the columns where they are not the usual ones.
        encoding: What the user says that files are written in.

    Returns:
        (task or None, reason). Never raises for odd data: what cannot be told is None.

    Raises:
        FileRefused: It is not read at all.
    """
    address, path = str(path), user_path(path)
    if hub_name(address) is not None:
        return Recognised(IMAGE_CLASSIFICATION, text("A name on the hub.", "hub 上的数据集名称。"))
    if not path.exists():
        return Recognised(None, text("it does not exist.", "路径不存在。"), no_such_path(path).do)
    try:
        columns = columns or ColumnsSpec.model_validate({})
        return _folder(path, columns, encoding) if path.is_dir() else _file(path, columns, encoding)
    except FileRefused:
        raise
    except WeighError as error:
        return Recognised(None, error.what, error.do or MEND)
    except OSError as error:
        return Recognised(None, text("{e}.", "{e}。", e=error.strerror or type(error).__name__), MEND)


def _folder(folder: Path, columns: ColumnsSpec, encoding: str | None) -> Recognised:
    files, folders = _names(folder)
    boxes = box_layouts(folder)
    if boxes and not (boxes[0].name == "Pascal VOC" and _has_folder(folder, "segmentationclass")):
        return Recognised(OBJECT_DETECTION, boxes[0].reason)
    masks = _masks_in(folder, folders)
    if masks:
        return Recognised(
            SEMANTIC_SEGMENTATION,
            text("{m} looks like masks.", "{m} 看起来是掩码。", m=sorted(masks)[0]),
        )
    unread = unread_labels(folder)
    if unread is not None:
        return Recognised(OBJECT_DETECTION, unread)
    if any(_has_pictures(f) for _, p in part_folders(folder, PICTURE_FILES) for f in subfolders(p)[:50]):
        return Recognised(
            IMAGE_CLASSIFICATION,
            text(
                "Train and test folders with one folder of pictures per class.",
                "训练/测试文件夹中每个类别一个图片文件夹。",
            ),
        )
    table = folder / _tables(files)[0] if _lone_picture_folder(folder, files) else _table_in_a_part(folder)
    if table is not None:
        return Recognised(
            None,
            text("pictures beside a table.", "图片旁有一个表格。"),
            text("Give the table: {t}", "请给出该表格：{t}", t=table),
        )
    if any(_has_pictures(f) for f in subfolders(folder)[:50]):
        return Recognised(IMAGE_CLASSIFICATION, text("One folder of pictures per class.", "每个类别一个图片文件夹。"))
    for marker in ("dataset_dict.json", "dataset_info.json"):
        if marker in files:
            return _saved_dataset(folder, marker)
    recognised = recognise_text_folder(folder, columns, encoding)
    if recognised is not None:
        return Recognised(*recognised)
    tables = _tables(files)
    if any(is_picture_name(f) for f in files) or tables:
        hint = text(
            "pictures without class folders; give the table that holds the labels{t}.",
            "图片没有按类别分文件夹；请提供含标签的表格{t}。",
            t=text(" ({t})", "（{t}）", t=tables[0]) if tables else "",
        )
        return Recognised(None, hint, GIVE_LABELS)
    if not files and not folders:
        return Recognised(None, text("the folder is empty.", "文件夹是空的。"), GIVE_LABELS)
    kinds = sorted({os.path.splitext(name)[1].casefold() for name in files} - {""})
    return Recognised(
        None,
        text(
            "nothing in it looks like labelled examples{k}.",
            "其中没有看起来像带标签样本的内容{k}。",
            k=text(" (it holds {s})", "（其中有 {s} 文件）", s=", ".join(kinds[:5])) if kinds else text("", ""),
        ),
        GIVE_LABELS,
    )


def _masks_in(folder: Path, folders: list[str]) -> set[str]:
    """Names of folders or files that look like masks; a lone folder inside is looked into."""
    inner = {f.casefold() for f in folders}
    masked = inner & MASK_FOLDERS or {f for f in inner if f.endswith(("annot", "_masks"))}
    if not masked and {"images", "labels"} <= inner and _first_with(folder / _named(folders, "labels"), ".png"):
        masked = {"labels"}
    for part in ("train", "training"):
        if not masked and part in inner:
            _, below = _names(folder / _named(folders, part))
            lowered = {b.casefold() for b in below}
            masked = lowered & MASK_FOLDERS or ({"labels"} if {"images", "labels"} <= lowered else set())
            masked = masked or set(masks_beside_pictures(folder / _named(folders, part)))
    masked = masked or set(masks_beside_pictures(folder))
    if not masked and len(folders) == 1:
        below = folder / folders[0]
        return _masks_in(below, _names(below)[1])
    return masked


def _file(path: Path, columns: ColumnsSpec, encoding: str | None) -> Recognised:
    if path.suffix.casefold() == ".json" and is_coco(path):
        return Recognised(OBJECT_DETECTION, text("It is a COCO annotation file.", "这是 COCO 标注文件。"))
    if path.suffix.casefold() in (".yaml", ".yml"):
        read_yaml_file(path)
        return Recognised(OBJECT_DETECTION, text("It names classes of boxes (YOLO).", "其中列出了框的类别（YOLO）。"))
    if is_picture_name(path.name):
        return Recognised(None, text("it is a single picture.", "这是单张图片。"), GIVE_LABELS)
    if ARCHIVES.intersection(map(str.casefold, path.suffixes[-2:])):
        return Recognised(
            None,
            text("it is an archive.", "这是压缩包。"),
            text("Unpack it, and give the folder or the table that it holds.", "请先解压，再给出其中的文件夹或表格。"),
        )
    return Recognised(*task_by_looks(path, columns, encoding))


def _tables(files: list[str]) -> list[str]:
    return [n for n in files if os.path.splitext(n)[1].casefold() in TABLE_SUFFIXES]


def _lone_picture_folder(folder: Path, files: list[str]) -> bool:
    """One folder of pictures beside a table: the table holds the labels."""
    inner = subfolders(folder)
    return len(inner) == 1 and bool(_tables(files)) and _has_pictures(inner[0]) and len(subfolders(inner[0])) < 2


def _table_in_a_part(folder: Path) -> Path | None:
    """The table beside the pictures of train/, where parts hold no class folders: it holds the labels."""
    inner = subfolders(folder)
    place = next((s for s in inner if PARTS.get(s.name.casefold()) == "train"), None)
    if place is None or any(s.name.casefold() not in PARTS for s in inner):
        return None
    files, folders = _names(place)
    tables = _tables(files) if not folders and any(is_picture_name(f) for f in files) else []
    return place / tables[0] if tables else None


def _saved_dataset(folder: Path, marker: str) -> Recognised:
    where = folder
    if marker == "dataset_dict.json":
        written = read_json(folder / marker)
        splits = written.get("splits") if isinstance(written, dict) else None
        where = folder / str(splits[0]) if isinstance(splits, list) and splits else folder
    features = read_description(where)
    feature_types = [f.get("_type") for f in features.values() if isinstance(f, dict)]
    if "Image" in feature_types:
        return Recognised(IMAGE_CLASSIFICATION, text("A saved dataset with pictures.", "保存在本地的图片数据集。"))
    recognised = recognise_features(features)
    if recognised is not None:
        return Recognised(*recognised)
    return Recognised(
        None,
        text(
            "a saved dataset without pictures, and without texts with labels.",
            "保存在本地的数据集中没有图片，也没有带标签的文本。",
        ),
    )


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the files and of the folders in a folder."""
    listed = sorted((entry.name, is_folder(entry)) for entry in scan(folder))
    return [name for name, inner in listed if not inner], [name for name, inner in listed if inner]


def _named(folders: list[str], name: str) -> str:
    return next(f for f in folders if f.casefold() == name)


def _has_folder(folder: Path, name: str) -> bool:
    """Whether a folder of that name lies in the data set, or in one that it holds alone."""
    return any(inner.name.casefold() == name for inner in subfolders(lone_folder(folder)))


def _first_with(folder: Path, suffix: str) -> bool:
    return any(f.casefold().endswith(suffix) for _, _, files in os.walk(folder) for f in files)


def _has_pictures(folder: Path) -> bool:
    for here, _, files in os.walk(folder):
        bare = [name for name in files if "." not in name][:BARE]
        if any(map(is_picture_name, files)) or any(PICTURE_FILES.by_head(Path(here) / name) for name in bare):
            return True
    return False
