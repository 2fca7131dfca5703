"""Which mask belongs to which picture, told from the names of folders and files; nothing is opened.

Before it: a folder that a person typed. After it: `index.py` reads the masks. Layouts differ in where the word for mask stands: in the name of a
folder (images/ + masks/, train/ + trainannot/, train/image + train/label, JPEGImages/ + SegmentationClass/) or of a file (x.jpg + x_mask.png).
That word and the part are taken out of the path, and what is left of both is the same.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from weigh.data.names import compose
from weigh.data.pictures.files import PICTURE_FILES, is_picture_name
from weigh.data.pictures.masks import MASK_WORDS, PICTURE_WORDS
from weigh.data.rows.listing import PARTS, natural_key
from weigh.data.rows.trees import is_folder, scan, walk_files

__all__ = ["Pair", "Pairs", "masks_beside_pictures", "pair_files", "stands_in"]

PICTURE_FOLDERS = PICTURE_WORDS | {"leftimg8bit", "jpegimages"}
MASK_FOLDERS = MASK_WORDS | {"segmentationclassaug", "segmentationclassraw", "gtfine", "gtcoarse", "truth", "mattes"}
OBJECT_FOLDERS = frozenset(
    ("segmentationobject", "instances", "instance")
)  # a number for each object, not for each class
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


class _File(NamedTuple):
    path: str
    part: str
    folders: tuple[str, ...]
    stem: str
    bare: str

    @property
    def place(self) -> tuple[str, ...]:
        """Part and folders, whatever their letters."""
        return (self.part, *(folder.casefold() for folder in self.folders))


def pair_files(folder: Path, *, without: Path | None = None) -> Pairs:
    """Pictures and masks below `folder`.

    Args:
        without: A folder inside that is not looked at.

    Raises:
        DataError: It cannot be read.
    """
    tree = walk_files([folder], PICTURE_FILES.holds, root=folder, without=without)
    every = [p.relative_to(folder).as_posix() for p in tree.files[folder]]
    names = sorted(filter(_is_text, every), key=natural_key)
    pictures, masks, objects = _sorted_by_role(names)
    (parts, twice), unlisted, absent = _listed_parts(folder), [], []
    if parts:
        absent = sorted(parts.keys() - {f.stem for f in pictures}, key=natural_key)
        unlisted = [f.path for f in pictures if f.stem not in parts]
        pictures = [f._replace(part=parts[f.stem]) for f in pictures if f.stem in parts]
        masks = [f._replace(part=parts.get(f.bare, parts.get(f.stem, ""))) for f in masks]
        objects += [f.path for f in masks if not f.part]
        masks = [f for f in masks if f.part]
    masks, beside = _one_of_several(masks)
    pairs, pictures, masks, several = _paired(pictures, masks)
    pairs.sort(key=lambda pair: natural_key(pair.picture))
    others = sorted(p.relative_to(folder).as_posix() for p in tree.others)
    inside = [p for p in others if any(_role(name)[1] for name in PurePosixPath(p).parts[:-1])]
    inside += [name.encode("utf-8", "backslashreplace").decode() for name in every if not _is_text(name)]
    return Pairs(
        pairs,
        [f.path for f in pictures],
        [f.path for f in masks],
        several,
        unlisted,
        [*objects, *beside],
        inside,
        absent,
        twice,
    )


def _is_text(name: str) -> bool:
    """Whether a name can be written at all; some systems keep bytes that are no letters."""
    try:
        return bool(name.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def masks_beside_pictures(folder: Path) -> list[str]:
    """Names of folders that hold masks beside one that holds pictures, or of mask files beside their pictures, in `folder` itself."""
    entries = scan(folder)
    roles = {e.name: _role(e.name)[1] for e in entries if is_folder(e)}
    if "picture" in roles.values():
        held = (name for name, role in roles.items() if role == "mask")
        return [name for name in held if any(is_picture_name(f) for *_, fs in os.walk(folder / name) for f in fs)]
    files = [e.name for e in entries if not is_folder(e) and is_picture_name(e.name)]
    _, masks, _ = _sorted_by_role(files)
    return [file.path for file in masks] if len(masks) * 3 >= len(files) > 0 else []


def stands_in(path: str) -> str:
    """The part that the folders of a path name, as they are called ("val"); "" where none does."""
    return next((part for name in PurePosixPath(path).parts[:-1] if (part := _role(name)[0])), "")


def _role(name: str) -> tuple[str, str]:
    """What the name of a folder says: a part ("train", "val", "test" or "") and "picture", "mask", "objects" or ""."""
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
    if words & MASK_FOLDERS:
        return "mask"
    return "picture" if words & PICTURE_FOLDERS else ""


def _sorted_by_role(names: Sequence[str]) -> tuple[list[_File], list[_File], list[str]]:
    """Pictures, masks, and masks of objects. Where no folder is called so, the files tell by their own names."""
    files: list[tuple[_File, str]] = []
    for name in names:
        path = PurePosixPath(name)
        roles = [_role(folder) for folder in path.parts[:-1]]
        part = next((p for p, _ in roles if p), "")
        role = next((r for _, r in reversed(roles) if r), "")
        left = tuple(f for f, (p, r) in zip(path.parts[:-1], roles, strict=True) if not p and not r)
        stem = compose(path.stem)
        files.append((_File(name, part, left, stem, stem), role))
    masks = [_bare(file, ADDED_TO_MASKS) for file, role in files if role == "mask"]
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


def _bare(file: _File, added: re.Pattern[str]) -> _File:
    """The name without what marks a mask, or a picture."""
    bare = file.stem
    while (shorter := added.sub("", bare)) != bare and shorter:
        bare = shorter
    return file._replace(bare=BEFORE.sub("", bare) or bare)


def _listed_parts(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Name of a picture -> part, where the data set has lists (VOC), and names that stand in the lists of several parts."""
    lists = {file.stem.casefold(): file for file in sorted((folder / LISTS).glob("*.txt"))}
    listed: dict[str, str] = {}
    twice: set[str] = set()
    order = sorted(
        (name for name in lists if name in PARTS), key=lambda name: ("train", "val", "test").index(PARTS[name])
    )
    for list_name in ("trainval", *order):  # the parts themselves say it better
        if list_name in lists:
            lines = lists[list_name].read_text("utf-8", "replace").split("\n")
            part = PARTS.get(list_name, "")
            for name in (line.split()[0] for line in lines if line.strip()):
                if part and listed.get(name) not in (None, "", part):
                    twice.add(name)
                listed[name] = part
    return {name: part or "train" for name, part in listed.items()}, sorted(twice, key=natural_key)


def _one_of_several(masks: list[_File]) -> tuple[list[_File], list[str]]:
    """Where a picture has a mask of classes and others beside it that are named as such, the one of classes."""
    ends = {end for f in masks for end in CHOSEN_ENDS if f.stem.casefold().endswith(end)}
    chosen = next((end for end in CHOSEN_ENDS if end in ends), None)
    if chosen is None:
        return masks, []
    kept = [f for f in masks if f.stem.casefold().endswith(chosen)]
    keys = {(f.place, f.bare) for f in kept}
    beside = {f.path for f in masks if f not in kept and (f.place, f.bare) in keys}
    return [f for f in masks if f.path not in beside], sorted(beside)


# From the strictest key to the loosest: looser ones count only where they lead to one file on each side.
KEYS: tuple[Callable[[_File], tuple], ...] = (
    lambda f: (f.place, f.stem.casefold()),
    lambda f: (f.place, f.bare.casefold()),
    lambda f: (f.part, f.bare.casefold()),
    lambda f: (f.bare.casefold(),),
)


def _paired(
    pictures: list[_File], masks: list[_File]
) -> tuple[list[Pair], list[_File], list[_File], list[tuple[str, ...]]]:
    """The pairs, pictures and masks that are left, and those of which the partner cannot be told."""
    pairs: list[Pair] = []
    several: list[tuple[str, ...]] = []
    for strict, key in enumerate(KEYS):
        of_key: dict[tuple, tuple[list[_File], list[_File]]] = defaultdict(lambda: ([], []))
        for side, files in enumerate((pictures, masks)):
            for file in files:
                of_key[key(file)][side].append(file)
        taken: set[str] = set()
        for some, others in of_key.values():
            if not some or not others:
                continue
            if len(some) == len(others) == 1:
                picture, mask = some[0], others[0]
                part = picture.part or mask.part or "train"
                pairs.append(Pair(picture.path, mask.path, part, "/".join(picture.folders)))
            elif strict > 1:
                continue
            else:
                several.append(tuple(f.path for f in (*some, *others)))
            taken.update(f.path for f in (*some, *others))
        pictures = [f for f in pictures if f.path not in taken]
        masks = [f for f in masks if f.path not in taken]
    return pairs, pictures, masks, several
