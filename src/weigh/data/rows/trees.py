"""Files at any depth below folders; links are followed, but nothing is listed twice.

Before it: the folders that stand for something (`folders.py`). After it: the reader makes rows of the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weigh.data.rows.listing import PARTS, natural_key
from weigh.errors import DataError
from weigh.language import text

__all__ = ["bare_parts", "files_in", "is_folder", "same_folder", "scan", "subfolders", "walk_files"]

SILENT_FILES = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"))
SILENT_FOLDERS = frozenset(("__macosx", "@eadir", "$recycle.bin", "lost+found"))
STUDY = ("ledger.sqlite", "ledger.copy.sqlite")  # files of which every study has one
STUDIES = "studies"  # the folder of studies


@dataclass
class Tree:
    """What lies below some folders.

    Attributes:
        files: Per folder the files that were looked for.
        others: Files of other kinds.
        repeated: Links to folders whose files are listed already, or which hold the whole data set; they were not followed.
    """

    files: dict[Path, list[Path]]
    others: list[Path] = field(default_factory=list)
    repeated: list[Path] = field(default_factory=list)


def walk_files(
    folders: Sequence[Path], wanted: Callable[[os.DirEntry], bool], *, root: Path, without: Path | None = None
) -> Tree:
    """Files for which `wanted` holds, below each of `folders`.

    A link is followed if it leads to files that are not listed yet. One that leads up, or to another of `folders`, would
    give the same file several classes.

    Args:
        root: Holds `folders`.
        without: A folder inside that is not looked at.

    Raises:
        DataError: No permission to read a folder.
    """
    tree = Tree({folder: [] for folder in folders})
    seen = {_identity(above) for above in (root, *root.resolve().parents)}
    stack = [(folder, folder) for folder in reversed(folders) if not folder.is_symlink()]
    links = [(folder, folder) for folder in folders if folder.is_symlink()]
    while stack or links:
        if not stack:  # what lies here itself comes first: a link to it repeats it, whatever their order
            owner, link = links.pop(0)
            if _identity(link) in seen:
                tree.repeated.append(link)
                continue
            stack.append((owner, link))
        owner, here = stack.pop()
        seen.add(_identity(here))
        for entry in scan(here):
            path = Path(entry.path)
            if is_folder(entry):
                if without is None or not same_folder(path, without):
                    (links if entry.is_symlink() else stack).append((owner, path))
            elif wanted(entry):
                tree.files[owner].append(path)
            else:
                tree.others.append(path)
    return tree


def subfolders(folder: Path) -> list[Path]:
    """Folders in `folder` in natural order, links followed, hidden ones left out.

    Raises:
        DataError: No permission, or not a folder.
    """
    return sorted((Path(e.path) for e in scan(folder) if is_folder(e)), key=lambda p: natural_key(p.name))


def bare_parts(folder: Path, *, depth: int = 1) -> list[Path]:
    """Folders that are called train, val or test and below which no file lies; `depth` levels are looked at."""
    bare: list[Path] = []
    for inner in subfolders(folder):
        if inner.name.casefold() in PARTS and not _holds_files(inner):
            bare.append(inner)
        elif depth > 1:
            bare += bare_parts(inner, depth=depth - 1)
    return bare


def _holds_files(folder: Path, depth: int = 6) -> bool:
    entries = scan(folder)
    below = [e for e in entries if is_folder(e)]
    return len(below) < len(entries) or (depth > 0 and any(_holds_files(Path(e.path), depth - 1) for e in below))


def files_in(folder: Path, by_name: Callable[[str], bool]) -> list[Path]:
    """Files of a certain name that lie in `folder` itself."""
    return [Path(e.path) for e in scan(folder) if not is_folder(e) and by_name(e.name)]


def scan(folder: Path) -> list[os.DirEntry]:
    """Entries of a folder without those that systems and cameras leave behind, and without studies: what weigh wrote among the data is none of them."""
    try:
        with os.scandir(folder) as entries:
            return [
                e
                for e in entries
                if not e.name.startswith(".")
                and e.name.casefold() not in SILENT_FILES | SILENT_FOLDERS
                and not _holds_studies(e)
            ]
    except OSError as error:
        raise DataError(
            text(
                "The folder {f} cannot be read: {e}.", "无法读取文件夹 {f}：{e}。", f=folder, e=error.strerror or error
            ),
            do=text("Check the path and its permissions.", "请检查路径和权限。"),
        ) from None


def _holds_studies(entry: os.DirEntry) -> bool:
    """Whether an entry is a study, or the folder in which studies lie if nobody says where: `weigh run .` begins one in the folder of the data.

    Its small pictures, its log and its tables would be examples of a class of their own when the same command resumes it.
    """
    if not is_folder(entry):
        return False
    if _is_study(entry.path):
        return True
    if entry.name != STUDIES:
        return False
    try:
        with os.scandir(entry.path) as inside:
            return any(_is_study(one.path) for one in inside)
    except OSError:  # no permission: whoever reads it says so
        return False


def _is_study(path: str) -> bool:
    return any(os.path.isfile(os.path.join(path, name)) for name in STUDY)


def is_folder(entry: os.DirEntry) -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link that points nowhere, or to itself
        return False


def same_folder(a: Path, b: Path) -> bool:
    """Whether two paths lead to one folder."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def _identity(folder: Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
