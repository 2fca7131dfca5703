"""Pictures without labels: new ones to predict; and every one under a folder for further pretraining, without those that the study itself
holds, near copies, and damaged files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

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
from weigh.language import Text, text
from weigh.notices import Progress, notice

__all__ = ["new_pictures", "read_unlabelled_pictures"]

MOST_NAMED = 3  # of the files that are no pictures


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
    files: list[str] = []
    folders: list[Path] = []
    for path in paths:
        if path and os.path.isdir(path):  # an empty path would be the folder that weigh was started in
            folders.append(Path(path))
            pictures, others = _list_pictures(Path(path))
            files += [str(Path(path, name)) for name in pictures]
            if others:
                notice(_left_out(path, others))
        else:
            files.append(path)
    return NewExamples.of_files(files, folders)


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
    files, _ = _list_pictures(folder)
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


class _Listed(NamedTuple):
    """What lies at any depth below a folder: pictures, relative to it, in natural order; and files of other kinds."""

    pictures: list[str]
    others: list[Path]


def _list_pictures(folder: Path) -> _Listed:
    """The pictures below `folder`, and what lies beside them.

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
    return _Listed(files, tree.others)


def _left_out(folder: str, others: Sequence[Path]) -> Text:
    """The sentence that files of a folder are not predicted, and which."""
    names = [path.name for path in sorted(others)[:MOST_NAMED]]
    return text(
        "{f}: {n} {n:|file is no picture and is|files are no pictures and are} left out ({k}).",
        "{f}：{n} 个文件不是图片，未处理（{k}）。",
        f=folder,
        n=len(others),
        k=", ".join(names) + (" …" if len(others) > MOST_NAMED else ""),
    )


def _together(examples: Examples, more: Examples) -> Examples:
    """One index of both, by absolute paths."""
    path = [str((one.root / p).absolute()) for one in (examples, more) for p in one.path]
    return Examples.without_labels(Path("/"), np.array(path), np.concatenate([examples.content, more.content]))
