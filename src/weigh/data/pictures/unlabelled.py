"""Pictures without labels: new ones to predict; and every one under a folder for further pretraining, without those that the study itself
holds, near copies, and damaged files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from weigh.data.contents import content_hashes
from weigh.data.examples import Examples, LeftOut, NewExamples
from weigh.data.pictures.facts import picture_facts
from weigh.data.pictures.files import PICTURE_FILES
from weigh.data.pictures.near_copies import near_duplicates
from weigh.data.rows.listing import PICTURE_SUFFIXES, natural_key
from weigh.data.rows.trees import walk_files
from weigh.data.written import Written
from weigh.errors import DataError
from weigh.language import text
from weigh.notices import Progress

__all__ = ["new_pictures", "read_unlabelled_pictures"]


def new_pictures(
    source: Any,
    written: Written | None = None,  # noqa: ARG001 - every reader is called alike
    *,
    pair: bool = False,  # noqa: ARG001
    encoding: str | None = None,  # noqa: ARG001
) -> NewExamples:
    """The files at one path or several; of a folder every picture below it. None is opened yet.

    Raises:
        DataError: A folder without pictures.
    """
    paths = [str(source)] if isinstance(source, (str, Path)) else list(map(str, source))
    files = [
        file
        for path in paths
        for file in ([str(Path(path, name)) for name in _list_pictures(Path(path))] if Path(path).is_dir() else [path])
    ]
    return NewExamples.of_files(files)


def read_unlabelled_pictures(
    folder: Path,
    examples: Examples,
    *,
    encoding: str | None = None,  # noqa: ARG001 - every reader is called alike
    progress: Progress | None = None,
) -> tuple[Examples, LeftOut]:
    """The pictures at any depth below `folder`, in natural order of their paths; classes that folders may stand for are not read.

    Raises:
        DataError: No such folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise DataError(
            text("pretrain.pictures: {f} is not a folder.", "pretrain.pictures：{f} 不是文件夹。", f=folder),
            do=text("Give a folder of pictures.", "请提供图片文件夹。"),
        )
    files = _list_pictures(folder)
    n = len(files)
    unlabelled = Examples.without_labels(folder.resolve(), np.array(files), np.full(n, ""))
    unlabelled = replace(unlabelled, content=content_hashes(unlabelled, progress=progress))
    both = _together(examples, unlabelled)
    facts, grey = picture_facts(both, progress=progress)
    pixels, own = [fact.pixels for fact in facts], len(examples)
    of_the_study, seen = set(pixels[:own]), set[str]()
    kept, inside, repeated, unreadable = [], 0, 0, 0
    for i in range(own, len(both)):
        if facts[i].reason:
            unreadable += 1
        elif pixels[i] in of_the_study:
            inside += 1
        elif pixels[i] in seen:
            repeated += 1
        else:
            kept.append(i)
            seen.add(pixels[i])
    which = np.array([*range(own), *kept], dtype=np.int64)
    alike = near_duplicates(both.subset(which), grey[which], [pixels[i] for i in which], progress=progress)
    near = {kept[int(j) - own] for i, j in alike.pairs if i < own <= j}
    left = np.array([i - own for i in kept if i not in near], dtype=np.int64)
    return unlabelled.subset(left), LeftOut(n, inside, len(near), repeated, unreadable, alike.searched)


def _list_pictures(folder: Path) -> list[str]:
    """The pictures at any depth below `folder`, relative to it, in natural order.

    Raises:
        DataError: There are none, or a folder cannot be read.
    """
    tree = walk_files([folder], PICTURE_FILES.holds, root=folder.parent)
    files = sorted((p.relative_to(folder).as_posix() for p in tree.files[folder]), key=natural_key)
    if not files:
        raise DataError(
            text("{f} holds no pictures.", "{f} 中没有图片。", f=folder),
            do=text(
                "Files are told by their names: {k}.", "按文件名识别：{k}。", k=", ".join(sorted(PICTURE_SUFFIXES))
            ),
        )
    return files


def _together(examples: Examples, more: Examples) -> Examples:
    """One index of both, by absolute paths."""
    path = [str((one.root / p).absolute()) for one in (examples, more) for p in one.path]
    return Examples.without_labels(Path("/"), np.array(path), np.concatenate([examples.content, more.content]))
