"""The ILSVRC2012 validation pictures as they are handed out: one flat folder, and a list of labels beside it.

Known lists: `LOC_val_solution.csv` (synsets), `val.txt` (a name and a number per line), `ILSVRC2012_validation_ground_truth.txt` (a number per
line, in the order of the pictures). Numbers are read in one of two numberings: by sorted synsets from 0, as frameworks count; or ILSVRC's own
identifiers from 1 to 1000, which follow another order that stands in `meta.mat` (or `map_clsloc.txt`) of the development kit alone.

Before it: what the user typed. After it: `data/pictures/index.py`; every label is a synset then.
"""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import numpy as np

from weigh.data.pictures.imagenet import synsets
from weigh.data.rows.listing import Listing, set_aside
from weigh.data.rows.trees import is_folder, scan
from weigh.data.tables.text_encoding import read_text
from weigh.errors import DataError
from weigh.files import read_file
from weigh.language import text

__all__ = ["PICTURES", "list_validation", "number_of_picture"]

VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})(\.jpe?g)?", re.IGNORECASE)
LISTS = ("LOC_val_solution.csv", "ILSVRC2012_validation_ground_truth.txt", "val.txt", "val_map.txt", "imagenet_val.txt")
# Folders in which a list may lie, relative to the folder of its pictures.
PLACES = (".", "..", "data", "../data", "../devkit/data", "../ILSVRC2012_devkit_t12/data")
FOLDERS = (
    ".",
    "val",
    "ILSVRC2012_img_val",
    "ILSVRC2012_val",
    "ILSVRC/Data/CLS-LOC/val",
    "Data/CLS-LOC/val",
    "../val",
    "../ILSVRC2012_img_val",
)
LINE = re.compile(r"(?:(\S+)[\s,]+)?(n\d{8}|\d{1,4})")
PICTURES = 50_000
FIRST_SORTED = (
    65,
    970,
    230,
    809,
    516,
    57,
    334,
    415,
    674,
    332,
)  # classes of the pictures 1 to 10 by sorted synsets, from 0
FIRST_ILSVRC = (490, 361, 171, 822, 297, 482, 13, 704, 599, 164)  # the same pictures in ILSVRC's own numbering, from 1
ENOUGH = 0.7  # share of the known pictures whose numbers must agree: some labels have been corrected since


def number_of_picture(name: str) -> int | None:
    """Which of the 50,000 validation pictures (1 to 50,000) a file is by its name; None: none of them."""
    match = VALIDATION.fullmatch(name.replace("\\", "/").rpartition("/")[2])
    return int(match[1]) if match and 1 <= int(match[1]) <= PICTURES else None


def list_validation(path: Path, root: Path | None = None) -> Listing | None:
    """Rows of a flat folder of validation pictures, or of one of the lists of their labels; None where `path` is neither.

    Args:
        root: Folder of the pictures, where the user named one.

    Raises:
        DataError: Pictures without a list, a list that cannot be read, or numbers whose numbering cannot be told.
    """
    if path.is_dir():
        if not _holds_pictures(path) or _has_folders(path):
            return None
        places = [Path(os.path.normpath(path / place / name)) for place in PLACES for name in LISTS]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            raise DataError(
                text(
                    "{p} holds pictures of the ILSVRC2012 validation set in one folder, and no list of their labels.",
                    "{p} 是 ILSVRC2012 验证集的图片，全部在同一文件夹中，且旁边没有标签列表。",
                    p=path,
                ),
                do=text(
                    "Put one of these files beside the folder or into it: {l}.",
                    "请把以下任一文件放在该文件夹旁边或里面：{l}。",
                    l=", ".join(LISTS[:3]),
                ),
            )
        return _listing(file, path)
    if path.suffix.casefold() not in (".txt", ".csv") or not _is_list(path):
        return None
    folder = root or next((path.parent / f for f in FOLDERS if _holds_pictures(path.parent / f)), None)
    if folder is None:
        raise DataError(
            text(
                "{p} is a list of labels of the ILSVRC2012 validation set; its pictures are not beside it.",
                "{p} 是 ILSVRC2012 验证集的标签列表，但旁边没有相应的图片。",
                p=path,
            ),
            do=text("Name their folder: --set data.root=FOLDER", "请指定图片文件夹：--set data.root=文件夹"),
        )
    return _listing(path, Path(os.path.abspath(folder)))


def _holds_pictures(folder: Path) -> bool:
    return folder.is_dir() and any(number_of_picture(entry.name) for entry in scan(folder))


def _has_folders(folder: Path) -> bool:
    return any(is_folder(entry) and re.fullmatch(r"n\d{8}", entry.name) for entry in scan(folder))


def _is_list(path: Path) -> bool:
    if path.name in LISTS[:2]:
        return True
    head = read_file(path, head=200).decode("utf-8", "replace")
    first = head.lstrip("\ufeff").splitlines()[0] if head.strip() else ""
    match = LINE.fullmatch(first.strip())
    return bool(match and match[1] and number_of_picture(match[1])) or first.startswith("ImageId,PredictionString")


def _listing(file: Path, folder: Path) -> Listing:
    label_by_number = _labels(file)
    there = {number: entry.name for entry in scan(folder) if (number := number_of_picture(entry.name))}
    numbers = sorted(there.keys() & label_by_number.keys())
    if not numbers:
        raise DataError(text("{f} names no picture of {d}.", "{f} 中没有 {d} 里的图片。", f=file, d=folder))
    listing = Listing(root=folder, order_source="table")
    listing.path = [there[number] for number in numbers]
    listing.label = [label_by_number[number] for number in numbers]
    listing.part, listing.order = ["train"] * len(numbers), list(numbers)
    bare = sorted(there[number] for number in there.keys() - label_by_number.keys())
    if bare:
        sentence = text(
            "Pictures that {f} does not name: {n}; set aside.",
            "{f} 中没有的图片：{n} 张，已搁置。",
            f=file.name,
            n=len(bare),
        )
        listing.problems.append(set_aside("missing-label", sentence, bare))
    missing = [f"ILSVRC2012_val_{number:08d}" for number in sorted(label_by_number.keys() - there.keys())]
    if missing:
        sentence = text(
            "{f} names {m} {m:|picture that is|pictures that are} not in {d}; {m:|it is|they are} left out.",
            "{f} 中有 {m} 张图片不在 {d} 中，未计入。",
            f=file.name, m=len(missing), d=folder.name,
        )  # fmt: skip
        listing.problems.append(set_aside("missing", sentence, missing))
    return listing


def _labels(file: Path) -> dict[int, str]:
    """Synsets of pictures by their number."""
    content = read_text(file).content
    if content.startswith("ImageId,PredictionString"):
        rows = list(csv.DictReader(io.StringIO(content)))
        named = {number_of_picture(row["ImageId"]): row["PredictionString"].split(" ")[0] for row in rows}
        return {number: synset for number, synset in named.items() if number}
    written: dict[int, str] = {}
    for i, line in enumerate(line.strip() for line in content.splitlines()):
        match = LINE.fullmatch(line)
        number = None if match is None else number_of_picture(match[1]) if match[1] else i + 1
        if line and (match is None or number is None):
            raise DataError(
                text(
                    "{f}, line {i}: '{w}' is no label of a validation picture.",
                    "{f} 第 {i} 行：“{w}”不是验证集图片的标签。",
                    f=file, i=i + 1, w=line[:80],
                )
            )  # fmt: skip
        if match is not None and number is not None:
            written[number] = match[2]
    if all(label.startswith("n") for label in written.values()):
        return written
    order = _numbering(file, {number: int(label) for number, label in written.items()})
    odd = next((label for label in written.values() if int(label) not in order), None)
    if odd is not None:
        raise DataError(text("{f}: there is no class {n}.", "{f}：没有编号为 {n} 的类别。", f=file, n=odd))
    return {number: order[int(label)] for number, label in written.items()}


def _numbering(file: Path, written: dict[int, int]) -> dict[int, str]:
    """Synset of each number: told by what is known of the first ten pictures, else by the name of the list.

    Raises:
        DataError: It cannot be told, or the numbering is ILSVRC's own and its order is not at hand.
    """
    by_synsets = dict(enumerate(synsets()))
    known = [number for number in range(1, len(FIRST_SORTED) + 1) if number in written]

    def agree(first: tuple[int, ...], moved: int = 0) -> bool:
        return sum(written[i] == first[i - 1] + moved for i in known) >= ENOUGH * max(1, len(known))

    if agree(FIRST_SORTED):
        return by_synsets
    if agree(FIRST_SORTED, moved=1):
        return {number + 1: synset for number, synset in by_synsets.items()}
    ilsvrc = agree(FIRST_ILSVRC) or (not known and file.name == LISTS[1])
    if not ilsvrc and not known and min(written.values()) == 0:
        return by_synsets
    order = _own_order(file) if ilsvrc else None
    if order is not None:
        return order
    if ilsvrc:
        raise DataError(
            text(
                "{f} counts classes from 1 in ILSVRC's own order, which is not the order of synsets.",
                "{f} 按 ILSVRC 自己的顺序从 1 开始编号，与 synset 的排序不同。",
                f=file,
            ),
            text(
                "Read as other numbers, nearly every right answer would count as wrong.",
                "若按其他编号理解，几乎所有正确的回答都会被判为错误。",
            ),
            text(
                "Put meta.mat of the development kit (ILSVRC2012_devkit_t12/data), or map_clsloc.txt, beside the list.",
                "请把开发工具包中的 meta.mat（ILSVRC2012_devkit_t12/data）或 map_clsloc.txt 放在该列表旁边。",
            ),
        )
    raise DataError(
        text(
            "The numbers in {f} fit neither the order of synsets nor ILSVRC's own for the pictures that are known.",
            "{f} 中的编号对已知图片既不符合 synset 排序，也不符合 ILSVRC 自己的顺序。",
            f=file,
        ),
        text("A score of labels in an unknown order would mean nothing.", "标签顺序不明时，得分没有意义。"),
        text(
            "Write synsets in place of numbers (ILSVRC2012_val_00000001.JPEG n01751748).",
            "请用 synset 代替编号（ILSVRC2012_val_00000001.JPEG n01751748）。",
        ),
    )


def _own_order(file: Path) -> dict[int, str] | None:
    """Synsets by ILSVRC's own numbers, from the development kit beside a list."""
    for folder in (file.parent / place for place in PLACES):
        table = folder / "map_clsloc.txt"
        if table.is_file():
            rows = [line.split() for line in read_text(table).content.splitlines() if line.strip()]
            order = {int(row[1]): row[0] for row in rows if len(row) > 1 and row[1].isdigit()}
        elif (folder / "meta.mat").is_file():
            from scipy.io import loadmat

            entries = np.atleast_1d(loadmat(folder / "meta.mat", squeeze_me=True)["synsets"])
            order = {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in entries}
        else:
            continue
        order = {number: synset for number, synset in order.items() if number <= 1000}
        if set(order.values()) == set(synsets()):
            return order
    return None
