"""Pictures and their masks in class folders: told from names that pair up and from pixels; asked about, never trained on in silence.

Before it: the files of the class folders (`rows/folders.py`). After it: a question, or masks that lie beside their pictures are left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from weigh.data.pictures.facts import facts_of_file
from weigh.data.rows.levels import Placed
from weigh.data.rows.listing import set_aside
from weigh.language import text
from weigh.problem import Problem

__all__ = ["MASK_WORDS", "PICTURE_WORDS", "without_masks"]

PICTURE_WORDS = frozenset(("image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "jpegimages", "original", "originals", "input", "inputs", "rgb", "raw", "frames"))  # fmt: skip
MASK_WORDS = frozenset(("mask", "masks", "msk", "msks", "seg", "segs", "segmentation", "segmentations", "segmented", "segmentationclass", "annotation", "annotations", "annot", "label", "labels", "gt", "groundtruth", "target", "targets", "trimap", "trimaps", "matte", "silhouette", "silhouettes", "lesion"))  # fmt: skip
ADDED = re.compile(
    r"(?:[ _.-]+|(?<=\d))(?:mask|seg|segmentation|annot|annotation|label|labelids|gt|groundtruth|matte|trimap)s?(?:[ _.-]*\d+)?$",
    re.IGNORECASE,
)
PAIRED = 0.9  # share of the smaller class whose names stand in the other
MOST_CLASSES = 8
LOOKED_AT = 24  # pairs whose pixels are compared
PLAINER = 3.0  # masks have so many times fewer colours than their pictures
FEW = 5  # pairs: fewer are chance


class _Pair(NamedTuple):
    """Two classes whose files are called alike: `(file of one, file of two)`."""

    one: str
    two: str
    files: list[tuple[str, str]]


def without_masks(rows: Sequence[Placed], root: Path) -> tuple[list[int], list[Problem]]:
    """Rows without masks, and the problems: the user is asked about a class of masks; masks beside their pictures are left out."""
    question = _find_mask_class(rows, root)
    keep, left_out = _masks_beside(rows)
    return keep, question + left_out


def _find_mask_class(rows: Sequence[Placed], root: Path) -> list[Problem]:
    """An error where one class holds the masks of another."""
    by_class: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        by_class[row.outer].setdefault(_stem(row), row.path)
    if not 2 <= len(by_class) <= MOST_CLASSES:
        return []
    for one, two in combinations(sorted(by_class), 2):
        shared = sorted(by_class[one].keys() & by_class[two].keys())
        if len(shared) < FEW or len(shared) < PAIRED * min(len(by_class[one]), len(by_class[two])):
            continue
        pair = _Pair(one, two, [(by_class[one][stem], by_class[two][stem]) for stem in shared])
        masks = _by_words(pair) or _by_pixels(pair, root)
        if masks is not None:
            return [_question(pair, masks)]
    return []


def _masks_beside(rows: Sequence[Placed]) -> tuple[list[int], list[Problem]]:
    """Rows that are no mask of a picture in the same folder ("1_mask.png" beside "1.png"), and the masks by name."""
    names = {(row.part, str(Path(row.path).parent), Path(row.path).stem.casefold()) for row in rows}
    keep, masks = [], []
    for i, row in enumerate(rows):
        path = Path(row.path)
        bare = ADDED.sub("", path.stem)
        is_mask = bare and bare != path.stem and (row.part, str(path.parent), bare.casefold()) in names
        (masks if is_mask else keep).append(i)
    if not masks or not keep:
        return list(range(len(rows))), []
    paths = [rows[i].path for i in masks]
    return keep, [
        set_aside(
            "masks",
            text(
                "Files that are named as the mask of a picture beside them: {n} (first: {f}); not used.",
                "有 {n} 个文件的名称表明它是旁边图片的掩码（第一个：{f}），未使用。",
                n=len(paths),
                f=paths[0],
            ),
            paths,
            text(
                "If the masks are what is to be learned: --task semantic-segmentation. If they are pictures of their class: --set data.class_folder=outer",
                "若要学习的正是这些掩码：--task semantic-segmentation。若它们也是该类别的图片：--set data.class_folder=outer",
            ),
        )
    ]


def _stem(row: Placed) -> str:
    """The file's name below its class without what marks a mask."""
    stem = Path(row.path).stem
    bare = ADDED.sub("", stem) or stem
    return "/".join((row.part, *row.inner, bare)).casefold()


def _by_words(pair: _Pair) -> str | None:
    """The class that holds masks, if the names of both classes show it."""
    words = {name: set(re.findall(r"[a-z]+", name.casefold())) for name in (pair.one, pair.two)}
    for masks, pictures in ((pair.one, pair.two), (pair.two, pair.one)):
        if words[masks] & MASK_WORDS and (words[pictures] & PICTURE_WORDS or words[pictures] <= words[masks]):
            return masks
    return None


def _by_pixels(pair: _Pair, root: Path) -> str | None:
    """The class of masks if pairs have the same size and one of each has far fewer colours."""
    step = max(1, len(pair.files) // LOOKED_AT)
    looked = [tuple(facts_of_file(root / path)[0] for path in files) for files in pair.files[::step][:LOOKED_AT]]
    looked = [(a, b) for a, b in looked if not a.reason and not b.reason]
    same = sum((a.width, a.height) == (b.width, b.height) for a, b in looked)
    if len(looked) < FEW or same < PAIRED * len(looked):
        return None
    fewer = (
        sum(a.colours * PLAINER <= b.colours for a, b in looked),
        sum(b.colours * PLAINER <= a.colours for a, b in looked),
    )
    if max(fewer) < PAIRED * len(looked):
        return None
    return pair.one if fewer[0] > fewer[1] else pair.two


def _question(pair: _Pair, masks: str) -> Problem:
    pictures = pair.two if masks == pair.one else pair.one
    return Problem(
        "masks",
        text(
            "{m} looks like the masks of {p}: {n} files of the two are called alike (first: {a}, {b}).",
            "{m} 看起来是 {p} 的掩码：两者有 {n} 对同名文件（第一对：{a}、{b}）。",
            m=masks,
            p=pictures,
            n=len(pair.files),
            a=pair.files[0][0],
            b=pair.files[0][1],
        ),
        tuple(path for files in pair.files for path in files),
        pairs=tuple(pair.files),
        severity="error",
        why=text(
            "A study of picture or mask scores 1.000 and says nothing about what the pictures show.",
            "区分“图片还是掩码”的研究会得到 1.000 分，却与图片内容无关。",
        ),
        do=text(
            "If the masks are what is to be learned: --task semantic-segmentation. Else leave them out and give the classes a folder each. If picture "
            "or mask is the question: --set data.class_folder=outer",
            "若要学习的正是这些掩码：--task semantic-segmentation。否则请去掉掩码，并为每个类别建一个文件夹。若问题正是区分图片与掩码："
            "--set data.class_folder=outer",
        ),
        numbers={"n": len(pair.files)},
    )
