"""Which mask belongs to which picture, told from the names of folders and files; nothing is opened.

Before it: a folder that a person typed. After it: `index.py` reads the masks. Layouts differ in where the word for mask stands: in the name of a
folder (images/ + masks/, train/ + trainannot/, train/image + train/label, JPEGImages/ + SegmentationClass/) or of a file (x.jpg + x_mask.png).
That word and the part are taken out of the path, and what is left of both is the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from weigh.data.pictures.class_table import FILES
from weigh.data.pictures.files import PICTURE_FILES, is_picture_name
from weigh.data.pictures.pairing import PlacedFile, folder_role, is_text, listed_parts, pair_up, place_file
from weigh.data.rows.listing import natural_key
from weigh.data.rows.trees import is_folder, scan, walk_files

__all__ = ["LISTS", "Pair", "Pairs", "masks_beside_pictures", "pair_files"]

ADDED_TO_MASKS = re.compile(
    r"(?:[ _.-]+|(?<=\d))(?:mask|msk|seg|segmentation|annot|annotation|label|labelids|labeltrainids|color|instanceids|gt|gtfine|gtcoarse|"
    r"groundtruth|matte|trimap|manual|lesion|l)s?(?:[ _.-]*\d+)?$",
    re.IGNORECASE,
)
ADDED_TO_PICTURES = re.compile(
    r"[ _.-]+(?:image|img|picture|photo|rgb|sat|raw|orig|original|input|leftimg8bit|volume|stack)$", re.IGNORECASE
)
BEFORE = re.compile(r"^(?:mask|msk|seg|label|annotation|gt|image|img|picture|photo|rgb)s?[ _.-]+", re.IGNORECASE)
CHOSEN_ENDS = ("labeltrainids", "labelids")  # of several masks of one picture, the first of these holds the classes
LISTS = "ImageSets/Segmentation"  # of VOC: text files that name the pictures of each part


class Pair(NamedTuple):
    """A picture and its mask, relative to the folder.

    Attributes:
        folder: Folders below those that tell pictures from masks, "" where there are none.
    """

    picture: str
    mask: str
    part: str
    folder: str


class Pairs(NamedTuple):
    """The pairs in natural order, and what belongs to none.

    Attributes:
        pictures: Without a mask.
        masks: Without a picture.
        several: Pictures of which several files may be the mask, or the other way round: `(file, file, …)`, the picture first.
        unlisted: Pictures that the lists of the data set do not name.
        absent: Names in these lists without a picture.
        twice: Names that stand in several of these lists.
        objects: Masks of objects and others that lie beside the one of classes, not used.
        others: Files in the same folders that are no pictures.
        elsewhere: Pictures in none of the folders that are called as those of pictures or masks, where there are such.
    """

    pairs: list[Pair]
    pictures: list[str]
    masks: list[str]
    several: list[tuple[str, ...]]
    unlisted: list[str]
    objects: list[str]
    others: list[str]
    absent: list[str]
    twice: list[str]
    elsewhere: list[str]


def pair_files(folder: Path, *, without: Path | None = None) -> Pairs:
    """Pictures and masks below `folder`.

    Args:
        without: A folder inside that is not looked at.

    Raises:
        DataError: It cannot be read.
    """
    tree = walk_files([folder], PICTURE_FILES.holds, root=folder, without=without)
    every = [p.relative_to(folder).as_posix() for p in tree.files[folder]]
    names = sorted(filter(is_text, every), key=natural_key)
    pictures, masks, objects = _sorted_by_role(names)
    sorted_names = {f.path for f in (*pictures, *masks)}.union(objects)
    (parts, twice), unlisted, absent = listed_parts(folder / LISTS), [], []
    if parts:
        absent = sorted(parts.keys() - {f.stem for f in pictures}, key=natural_key)
        unlisted = [f.path for f in pictures if f.stem not in parts]
        pictures = [f._replace(part=parts[f.stem]) for f in pictures if f.stem in parts]
        masks = [f._replace(part=parts.get(f.bare, parts.get(f.stem, ""))) for f in masks]
        objects += [f.path for f in masks if not f.part]
        masks = [f for f in masks if f.part]
    masks, beside = _one_of_several(masks)
    paired = pair_up(pictures, masks)
    pairs = [
        Pair(picture.path, mask.path, picture.part or mask.part or "train", "/".join(picture.folders))
        for picture, mask in paired.pairs
    ]
    pairs.sort(key=lambda pair: natural_key(pair.picture))
    others = sorted(p.relative_to(folder).as_posix() for p in tree.others)
    named = [PurePosixPath(p) for p in others if PurePosixPath(p).name not in FILES]  # a table of classes is read
    inside = [p.as_posix() for p in named if any(folder_role(name)[1] for name in p.parts[:-1])]
    inside += [name.encode("utf-8", "backslashreplace").decode() for name in every if not is_text(name)]
    return Pairs(
        pairs,
        [f.path for f in paired.pictures],
        [f.path for f in paired.labels],
        paired.several,
        unlisted,
        [*objects, *beside],
        inside,
        absent,
        twice,
        [name for name in names if name not in sorted_names],
    )


def masks_beside_pictures(folder: Path) -> list[str]:
    """Names of folders that hold masks beside one that holds pictures, or of mask files beside their pictures, in `folder` itself."""
    entries = scan(folder)
    roles = {e.name: folder_role(e.name)[1] for e in entries if is_folder(e)}
    if "picture" in roles.values():
        mask_folders = (name for name, role in roles.items() if role == "labels")
        return [
            name for name in mask_folders if any(is_picture_name(f) for *_, fs in os.walk(folder / name) for f in fs)
        ]
    files = [e.name for e in entries if not is_folder(e) and is_picture_name(e.name)]
    _, masks, _ = _sorted_by_role(files)
    return [file.path for file in masks] if len(masks) * 3 >= len(files) > 0 else []


def _sorted_by_role(names: Sequence[str]) -> tuple[list[PlacedFile], list[PlacedFile], list[str]]:
    """Pictures, masks, and masks of objects. Where no folder is called so, the files tell by their own names."""
    files = [place_file(name) for name in names]
    masks = [_bare(file, ADDED_TO_MASKS) for file, role in files if role == "labels"]
    if masks:
        named = any(role == "picture" for _, role in files)
        pictures = [file for file, role in files if role == "picture" or (not role and not named)]
    else:
        loose = [file for file, role in files if role != "objects"]
        stems = {(f.place, f.stem.casefold()) for f in loose}
        stems |= {(f.place, _bare(f, ADDED_TO_PICTURES).bare.casefold()) for f in loose}
        masks = [
            bare
            for f in loose
            if (bare := _bare(f, ADDED_TO_MASKS)).bare != f.stem and (f.place, bare.bare.casefold()) in stems
        ]
        taken = {f.path for f in masks}
        pictures = [f for f in loose if f.path not in taken]
    objects = [file.path for file, role in files if role == "objects"]
    return [_bare(f, ADDED_TO_PICTURES) for f in pictures], masks, objects


def _bare(file: PlacedFile, added: re.Pattern[str]) -> PlacedFile:
    """The name without what marks a mask, or a picture."""
    bare = file.stem
    while (shorter := added.sub("", bare)) != bare and shorter:
        bare = shorter
    return file._replace(bare=BEFORE.sub("", bare) or bare)


def _one_of_several(masks: list[PlacedFile]) -> tuple[list[PlacedFile], list[str]]:
    """Where a picture has a mask of classes and others beside it that are named as such, the one of classes."""
    ends = {end for f in masks for end in CHOSEN_ENDS if f.stem.casefold().endswith(end)}
    chosen = next((end for end in CHOSEN_ENDS if end in ends), None)
    if chosen is None:
        return masks, []
    kept = [f for f in masks if f.stem.casefold().endswith(chosen)]
    keys = {(f.place, f.bare) for f in kept}
    beside = {f.path for f in masks if f not in kept and (f.place, f.bare) in keys}
    return [f for f in masks if f.path not in beside], sorted(beside)
