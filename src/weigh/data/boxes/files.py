"""Files of labels, one for each picture, in a folder of pictures: which belongs to which, and what is left over; nothing is opened.

Before it: a folder. After it: Pascal VOC (`voc.py`) and YOLO (`yolo.py`) read the files. Parts are those of folders, or of lists (ImageSets/Main).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from weigh.data.pictures.files import is_picture_name
from weigh.data.pictures.pairing import PlacedFile, is_text, listed_parts, pair_up, place_file, problems_of_lists
from weigh.data.rows.listing import Listing, natural_key, set_aside, set_aside_if_any
from weigh.data.rows.trees import is_folder, walk_files
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["LabelFiles", "list_labelled", "listed_in", "match_files", "unreadable_labels"]

LISTS = ("ImageSets", "Main")


class Lists(NamedTuple):
    """What lists of parts say.

    Attributes:
        part: Name of a picture -> part; empty: there are no lists.
        twice: Names in the lists of several parts.
    """

    part: dict[str, str]
    twice: list[str]


class LabelFiles(NamedTuple):
    """Pictures and their files of labels.

    Attributes:
        pairs: `(picture, labels)`.
        pictures, labels: Without the other.
        several: Of which it cannot be told what belongs together.
        unlisted: Pictures that the lists do not name, with or without labels.
        absent: Names in the lists without a picture.
    """

    pairs: list[tuple[PlacedFile, PlacedFile]]
    pictures: list[PlacedFile]
    labels: list[PlacedFile]
    several: list[tuple[str, ...]]
    unlisted: list[str]
    absent: list[str]


def listed_in(folder: Path) -> Lists:
    """Lists of a data set of Pascal VOC, or of the data sets right below `folder` (VOC2007, VOC2012)."""
    part: dict[str, str] = {}
    twice: list[str] = []
    inner = sorted(folder.iterdir(), key=lambda p: natural_key(p.name))
    for root in (folder, *(f for f in inner if f.is_dir())):
        if root.joinpath(*LISTS).is_dir():
            parts, repeated = listed_parts(root.joinpath(*LISTS))
            part |= parts
            twice += repeated
    return Lists(part, twice)


def match_files(
    folder: Path, suffix: str, lists: Lists | None = None, *, without: Path | None = None, ignored: Iterable[str] = ()
) -> LabelFiles:
    """Pictures and files of labels below `folder`.

    Args:
        suffix: Of files of labels.
        without: A folder inside that is not looked at.
        ignored: Names of files with this suffix that hold no labels ("classes.txt").

    Raises:
        DataError: A folder cannot be read.
    """
    passed_over = {name.casefold() for name in ignored}

    def wanted(entry: os.DirEntry) -> bool:
        name = entry.name.casefold()
        return not is_folder(entry) and (is_picture_name(name) or (name.endswith(suffix) and name not in passed_over))

    tree = walk_files([folder], wanted, root=folder, without=without)
    names = [path.relative_to(folder).as_posix() for path in tree.files[folder]]
    placed = [place_file(name) for name in sorted(filter(is_text, names), key=natural_key)]
    labels = [f for f, _ in placed if not is_picture_name(f.path) and LISTS[0] not in PurePosixPath(f.path).parts]
    pictures = [f for f, role in placed if is_picture_name(f.path) and role not in ("labels", "objects")]
    pictures = pictures or [f for f, _ in placed if is_picture_name(f.path)]  # masks beside them are no pictures
    unlisted: list[str] = []
    absent: list[str] = []
    if lists is not None and lists.part:
        absent = sorted(lists.part.keys() - {f.stem for f in pictures}, key=natural_key)
        unlisted = [f.path for f in pictures if f.stem not in lists.part]
        left_out = {f.stem for f in pictures if f.stem not in lists.part}
        pictures = [f._replace(part=lists.part[f.stem]) for f in pictures if f.stem in lists.part]
        labels = [f._replace(part=lists.part.get(f.stem, f.part)) for f in labels if f.stem not in left_out]
    paired = pair_up(pictures, labels)
    pairs = sorted(paired.pairs, key=lambda pair: natural_key(pair[0].path))
    return LabelFiles(pairs, paired.pictures, paired.labels, paired.several, unlisted, absent)


def list_labelled(folder: Path, files: LabelFiles, twice: list[str], *, called: Text, do: Text) -> Listing:
    """A row for each picture that has a file of labels; the others are named.

    Args:
        twice: Names in the lists of several parts.
        called: What such a file is called ("XML file").
        do: What to do about a picture without one.
    """
    listing = Listing(root=folder, problems=_lonely(files, twice, called, do))
    for picture, labels in files.pairs:
        within = PurePosixPath(*picture.folders) / PurePosixPath(picture.path).name
        order = (natural_key(within.as_posix()), natural_key(picture.path))
        listing.add(picture.path, "", part=picture.part or labels.part or "train", order=order)
    return listing


def _lonely(files: LabelFiles, twice: list[str], called: Text, do: Text) -> list[Problem]:
    both_alike = text(
        "If they should have a partner, check that both are called alike.",
        "若本应有对应的文件，请检查两者的名称是否一致。",
    )
    return [
        *set_aside_if_any(
            "no-labels",
            text(
                "Pictures without {c}: {n} (first: {f}); set aside, since whether they hold objects is not known.",
                "没有{c}的图片：{n} 张（第一张：{f}），因无法得知其中是否有目标而搁置。",
            ),
            [f.path for f in files.pictures],
            do + both_alike,
            c=called,
        ),
        *set_aside_if_any(
            "lonely-labels",
            text(
                "Labels without a picture: {n} (first: {f}); not used.",
                "没有对应图片的标注：{n} 个（第一个：{f}），未使用。",
            ),
            [f.path for f in files.labels],
            text("Add the pictures.", "请补上图片。") + both_alike,
        ),
        *set_aside_if_any(
            "several-labels",
            text(
                "Pictures and labels of one name, of which it cannot be told which belong together: {n} {n:|file|files} (first: {f}); set aside.",
                "有 {n} 个同名文件，无法判断哪张图片对应哪个标注（第一个：{f}），已搁置。",
            ),
            [path for names in files.several for path in names],
            text("Keep one picture and one file of labels of each name.", "每个名称请只保留一张图片和一个标注文件。"),
        ),
        *problems_of_lists("/".join(LISTS), files.unlisted, files.absent, twice),
    ]


def unreadable_labels(called: Text, failed: dict[str, Text], of: int) -> list[Problem]:
    """Files of labels that cannot be read.

    Args:
        called: What such files are called ("XML files").
        failed: Name of a file -> why.
    """
    if not failed:
        return []
    sentence = text(
        "{c} that cannot be read: {n} of {t}; their pictures are set aside. The first: {r}",
        "无法读取的{c}：{t} 个中有 {n} 个，对应的图片已搁置。第一个：{r}",
        c=called,
        n=len(failed),
        t=of,
        r=next(iter(failed.values())),
    )
    details = tuple({"path": name, "reason": why.en} for name, why in failed.items())
    do = text("Write these files anew.", "请重新写出这些文件。")
    return [set_aside("unreadable-labels", sentence, list(failed), do, more={"files": of}, details=details)]
