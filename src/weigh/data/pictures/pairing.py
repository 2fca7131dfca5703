"""Which file of labels belongs to which picture, told from the names of folders and files alone: roles of folders, parts, lists of parts.

Before it: names below a folder. After it: layouts of masks (`masks/pairs.py`) and of boxes (`boxes/files.py`). Layouts differ in where the word for a picture,
a label or a part stands in a path; taken out, what is left of both names is the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from weigh.data.names import compose
from weigh.data.pictures.masks import MASK_WORDS, PICTURE_WORDS
from weigh.data.rows.listing import PARTS, natural_key, set_aside_if_any
from weigh.data.tables.text_encoding import read_text
from weigh.language import text
from weigh.problem import Problem

__all__ = ["PlacedFile", "folder_role", "is_text", "listed_parts", "pair_up", "place_file", "problems_of_lists"]

PICTURE_FOLDERS = PICTURE_WORDS | {"leftimg8bit", "jpegimages"}
LISTED = re.compile(r"\s+-?[01]$|\.(?:jpe?g|png|xml)$", re.IGNORECASE)  # what may follow a name in a list
LABEL_FOLDERS = MASK_WORDS | {"segmentationclassaug", "segmentationclassraw", "gtfine", "gtcoarse", "truth", "mattes"}
OBJECT_FOLDERS = frozenset(
    ("segmentationobject", "instances", "instance")
)  # a number for each object, not for each class


class PlacedFile(NamedTuple):
    """A file below the folder of a data set.

    Attributes:
        path: Relative to that folder.
        part: "train", "val", "test", or "" where no folder says it.
        folders: Those that say neither part nor role.
        stem: The name without its suffix.
        bare: The same without what marks a label or a picture ("x" for "x_mask").
    """

    path: str
    part: str
    folders: tuple[str, ...]
    stem: str
    bare: str

    @property
    def place(self) -> tuple[str, ...]:
        """Part and folders, whatever their letters."""
        return (self.part, *(folder.casefold() for folder in self.folders))


def is_text(name: str) -> bool:
    """Whether a name can be written at all; some systems keep bytes that are no letters."""
    try:
        return bool(name.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def place_file(name: str) -> tuple[PlacedFile, str]:
    """A file and its role: "picture", "labels", "objects" or ""; the innermost folder that has one says it."""
    path = PurePosixPath(name)
    roles = [folder_role(folder) for folder in path.parts[:-1]]
    part = next((p for p, _ in roles if p), "")
    role = next((r for _, r in reversed(roles) if r), "")
    left = tuple(f for f, (p, r) in zip(path.parts[:-1], roles, strict=True) if not p and not r)
    stem = compose(path.stem)
    return PlacedFile(name, part, left, stem, stem), role


def folder_role(name: str) -> tuple[str, str]:
    """What the name of a folder says: a part ("train", "val", "test" or "") and "picture", "labels", "objects" or ""."""
    lowered = re.sub(r"(?<=[a-z])\d{4}$", "", name.casefold())
    if lowered in PARTS:
        return PARTS[lowered], ""
    part = ""
    for word in sorted(PARTS, key=len, reverse=True):
        rest = lowered.removeprefix(word) if lowered.startswith(word) else lowered.removesuffix(word)
        rest = rest.strip(" _-.")
        if rest != lowered and _meaning(rest):
            part, lowered = PARTS[word], rest
            break
    return part, _meaning(lowered)


def _meaning(lowered: str) -> str:
    words = {lowered, *re.findall(r"[a-z]+", lowered)}
    if words & OBJECT_FOLDERS:
        return "objects"
    if words & LABEL_FOLDERS:
        return "labels"
    return "picture" if words & PICTURE_FOLDERS else ""


def listed_parts(lists_folder: Path) -> tuple[dict[str, str], list[str]]:
    """Name of a picture -> part, where the data set has lists (VOC), and names that stand in the lists of several parts.

    Args:
        lists_folder: "ImageSets/Main" or "ImageSets/Segmentation" of the data set.
    """
    lists = {file.stem.casefold(): file for file in sorted(lists_folder.glob("*.txt"))}
    listed: dict[str, str] = {}
    twice: set[str] = set()
    order = sorted(
        (name for name in lists if name in PARTS), key=lambda name: ("train", "val", "test").index(PARTS[name])
    )
    for list_name in ("trainval", *order):  # the parts themselves say it better
        if list_name in lists:
            lines = read_text(lists[list_name]).content.split("\n")
            part = PARTS.get(list_name, "")
            for name in (compose(LISTED.sub("", line.strip())) for line in lines if line.strip()):
                if part and listed.get(name) not in (None, "", part):
                    twice.add(name)
                listed[name] = part
    return {name: part or "train" for name, part in listed.items()}, sorted(twice, key=natural_key)


def problems_of_lists(lists_folder: str, unlisted: list[str], absent: list[str], twice: list[str]) -> list[Problem]:
    """Pictures that no list of parts names, names without a picture, and names in several lists.

    Args:
        lists_folder: As the data set calls it: "ImageSets/Main".
    """
    return [
        *set_aside_if_any(
            "unlisted",
            text(
                "Pictures that no list in {d} names: {n} (first: {f}); not used.",
                "有 {n} 张图片未列入 {d} 中的任何列表（第一张：{f}），未使用。",
            ),
            unlisted,
            severity="note",
            d=lists_folder,
        ),
        *set_aside_if_any(
            "missing",
            text(
                "Names in the lists of {d} without a picture: {n} (first: {f}).",
                "{d} 的列表中有 {n} 个名称没有对应的图片（第一个：{f}）。",
            ),
            absent,
            text("Add the pictures, or delete the names.", "请补上图片，或从列表中删除这些名称。"),
            d=lists_folder,
        ),
        *set_aside_if_any(
            "listed-twice",
            text(
                "Names in the lists of several parts: {n} (first: {f}); the last of train, val and test counts.",
                "有 {n} 个名称出现在多个部分的列表中（第一个：{f}）；以 train、val、test 中最后一个为准。",
            ),
            twice,
            text("Let each stand in one list.", "请让每个名称只出现在一个列表中。"),
        ),
    ]


# From the strictest key to the loosest: looser ones count only where they lead to one file on each side.
KEYS: tuple[Callable[[PlacedFile], tuple], ...] = (
    lambda f: (f.place, f.stem.casefold()),
    lambda f: (f.place, f.bare.casefold()),
    lambda f: (f.part, f.bare.casefold()),
    lambda f: (f.bare.casefold(),),
)


class Paired(NamedTuple):
    """What belongs together, and what does not.

    Attributes:
        pairs: `(picture, labels)`.
        pictures, labels: Without a partner.
        several: Of which the partner cannot be told: names of files, pictures first.
    """

    pairs: list[tuple[PlacedFile, PlacedFile]]
    pictures: list[PlacedFile]
    labels: list[PlacedFile]
    several: list[tuple[str, ...]]


def pair_up(pictures: Sequence[PlacedFile], labels: Sequence[PlacedFile]) -> Paired:
    """Pictures and their labels, by the strictest key that leads to one file on each side."""
    paired = Paired([], list(pictures), list(labels), [])
    for strict, key in enumerate(KEYS):
        of_key: dict[tuple, tuple[list[PlacedFile], list[PlacedFile]]] = defaultdict(lambda: ([], []))
        for side, files in enumerate((paired.pictures, paired.labels)):
            for file in files:
                of_key[key(file)][side].append(file)
        taken: set[str] = set()
        for some, others in of_key.values():
            if not some or not others:
                continue
            if len(some) == len(others) == 1:
                paired.pairs.append((some[0], others[0]))
            elif strict > 1:
                continue
            else:
                paired.several.append(tuple(f.path for f in (*some, *others)))
            taken.update(f.path for f in (*some, *others))
        left = ([f for f in files if f.path not in taken] for files in (paired.pictures, paired.labels))
        paired = paired._replace(pictures=next(left), labels=next(left))
    return paired
