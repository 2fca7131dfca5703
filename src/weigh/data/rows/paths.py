"""From paths as strangers wrote them in a table to files below one root; what leads out of the root is never touched.

Before it: cells of a table (`pictures/tables.py`). After it: rows that name existing files, and those that name none, with the reason.
"""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from weigh.data.names import compose
from weigh.data.rows.listing import PICTURE_SUFFIXES
from weigh.data.rows.trees import is_folder
from weigh.errors import DataError, did_you_mean
from weigh.language import Text, text
from weigh.problem import Problem
from weigh.settings import user_path
from weigh.spec import DataSpec

__all__ = ["Resolver", "found_otherwise", "inner_test_folder", "no_such_path"]

# Where the pictures of a table of bare ids usually lie, beside the table.
USUAL_FOLDERS = ("", "images", "imgs", "img", "pictures", "photos", "data")
SAMPLE = 100  # paths that decide where all of them lead
MOST_FOLDERS, DEPTH = 200, 3  # folders below the root that paths of another machine may continue in
# Share of the paths that must be found: by their names alone; by their names and the folder before them.
LEAST = (0.5, 0.2)
LONGEST = 2_000  # characters of a path
MOST_FILES = 100_000  # files that are looked through for one that is missing
ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class Place(NamedTuple):
    """Where a written path leads.

    Attributes:
        path: Relative to the root, as it is on disk; None: to no file.
        outside: It leads out of the root.
        otherwise: Found by its end, or in other letters ("IMG.JPG" for "img.jpg").
    """

    path: str | None
    outside: bool = False
    otherwise: bool = False


class _End(NamedTuple):
    """The last `kept` pieces of paths, looked for in the folder `base`, led to `hits` files of a sample."""

    hits: int
    kept: int
    base: str


class Resolver:
    """From paths as written in a table to files below one root, by listing folders (never by opening a file).

    A path may lack its suffix (lists of ids) or differ in upper and lower case, and the pictures may lie in a usual folder beside the
    table: the folder in which most of the first paths exist is used for all of them. Paths of another machine are found by their end:
    as many of their last folders as lead to a file of its own for each of them.

    Args:
        paths: All that will be asked for.
        beside: The folder of the table, where paths may start as well.
    """

    def __init__(self, root: Path, paths: Sequence[str], *, beside: Path | None = None) -> None:
        self.root = root
        self.starts = (root, beside) if beside is not None and beside != root else (root,)
        self._folders: dict[str, _Folder] = {}
        sample = [p.strip() for p in paths[:200]]
        hits = [sum(self._in(base, p) is not None for p in sample) for base in USUAL_FOLDERS]
        self.base = USUAL_FOLDERS[hits.index(max(hits))]
        written = list(dict.fromkeys(p.strip() for p in paths))
        self._absolute = [p for p in written if os.path.isabs(p)]
        self._known = {p: place for p in written if (place := self._directly(p)) is not None}
        self._known |= self._by_their_end([p for p in written if p and p not in self._known], len(written))

    def find(self, written: str) -> Place:
        """Where `written` leads; text that no file system accepts is simply not found."""
        if not written or "\0" in written:
            return Place(None)
        place = self._known.get(written) or self._directly(written)
        if place is not None:
            return place
        inside = (self._inside(self.root, name) for name in (written, written.replace("\\", "/")))
        return Place(None, outside=ADDRESS.match(written) is None and None in inside)

    def remedy(self, written: str) -> Text:
        """What to do about a path that leads to no file: which file may be meant, or where to look."""
        if os.path.isabs(written) and os.path.isdir(os.path.dirname(written)):  # of this machine, elsewhere
            folders = [os.path.dirname(p) for p in self._absolute if os.path.isdir(os.path.dirname(p))]
            return text(
                "Paths are absolute and lie elsewhere. If these are your pictures: --set {s}",
                "路径是绝对路径，且位于别处。如果这些就是您的图片：--set {s}",
                s=shlex.quote(f"data.root={os.path.commonpath(folders)}"),
            )
        pieces = _pieces(written)
        name = pieces[-1] if pieces else written
        alike = self._called(name)
        if alike:
            seen = text(
                "{k} files are called so ({f}).", "有 {k} 个同名文件（{f}）。", k=len(alike), f=", ".join(alike[:3])
            )
        elif similar := self._called(os.path.splitext(name)[0], stem=True):
            seen = text("There is {f}.", "有 {f}。", f=", ".join(similar[:3]))
        else:
            seen = text("No file below {r} is called {n}.", "{r} 下没有名为 {n} 的文件。", r=self.root, n=name)
        if ADDRESS.match(written) and not written.casefold().startswith("file:"):
            load = text("Addresses of the web are not opened: download the pictures.", "不会打开网址：请先下载图片。")
            seen = load + seen
        return seen + text(
            "Name the folder that holds the pictures, or one above it: --set data.root=FOLDER",
            "请指明存放图片的文件夹（或其上级文件夹）：--set data.root=文件夹",
        )

    # Directly ----------------------------------------------------------------------------------------------------

    def _directly(self, written: str) -> Place | None:
        for base in dict.fromkeys((self.base, "")):
            if (place := self._in(base, written)) is not None:
                return place
        return None

    def _in(self, base: str, written: str) -> Place | None:
        for name in dict.fromkeys((written, written.replace("\\", "/"))):
            if not name or "\0" in name or ADDRESS.match(name):
                continue
            for start in self.starts:
                relative = self._inside(start, os.path.join(base, name))
                place = None if relative is None else self._descend(relative.split("/"))
                if place is not None:
                    return place
        return None

    def _inside(self, start: Path, written: str) -> str | None:
        """`written` relative to the root without dots, or None if it leaves the root."""
        if DRIVE.match(written):
            return None
        relative = os.path.relpath(os.path.normpath(os.path.join(start, written)), self.root)
        return None if relative == ".." or relative.startswith("../") or os.path.isabs(relative) else relative

    def _descend(self, pieces: Sequence[str]) -> Place | None:
        """The file that these folders and this name lead to, as they are called on disk."""
        here, otherwise = "", False
        for piece in pieces[:-1]:
            name = self._folder(here).folder(piece)
            if name is None:
                return None
            otherwise |= compose(name) != compose(piece)
            here = os.path.join(here, name)
        name = self._folder(here).file(pieces[-1])
        if name is None:
            return None
        otherwise |= not compose(name).startswith(compose(pieces[-1]))
        return Place(os.path.join(here, name), otherwise=otherwise)

    def _folder(self, relative: str) -> _Folder:
        if relative not in self._folders:
            self._folders[relative] = _Folder(self.root / relative)
        return self._folders[relative]

    # By their end ------------------------------------------------------------------------------------------------

    def _by_their_end(self, rest: list[str], rows: int) -> dict[str, Place]:
        """Files for paths that lead nowhere as they stand, if they are those of another place."""
        rest = [p for p in rest if _is_path(p)]
        rest = rest if len(rest) * 2 > rows else [p for p in rest if _is_foreign(p)]
        pieces = {p: cleaned for p in rest if (cleaned := _pieces(p)) and "\0" not in p}
        direct = {place.path for place in self._known.values()}
        for end in self._ends(list(pieces.values())):
            led = {
                p: self._descend([*_split(end.base), *c[-end.kept :]]) for p, c in pieces.items() if len(c) >= end.kept
            }
            reached = {p: f._replace(otherwise=True) for p, f in led.items() if f is not None and f.path not in direct}
            apart = len({place.path for place in reached.values()}) == len(reached)
            if apart and len(reached) > LEAST[end.kept > 1] * len(pieces):
                return reached
        return {}

    def _ends(self, paths: list[list[str]]) -> list[_End]:
        """Where these paths may go on below the root, those that lead to most files and keep most of them first."""
        sample = [paths[i * len(paths) // min(SAMPLE, len(paths))] for i in range(min(SAMPLE, len(paths)))]
        ends = []
        for base in self._bases() if sample else ():
            # by its name alone a file is not looked for in just any folder: that of another class may hold the same names
            for kept in range(1 if base in USUAL_FOLDERS else 2, max(map(len, sample)) + 1):
                hits = sum(self._descend([*_split(base), *p[-kept:]]) is not None for p in sample if len(p) >= kept)
                if hits > LEAST[kept > 1] * len(sample):
                    ends.append(_End(hits, kept, base))
        ends.sort(key=lambda end: (end.hits, end.kept), reverse=True)  # equal ones stay in the order of the folders
        alike = Counter((end.hits, end.kept) for end in ends)
        # which of several folders is meant cannot be told, unless it is a usual one
        return [end for end in ends if end.base in USUAL_FOLDERS or alike[end.hits, end.kept] == 1]

    def _bases(self) -> Iterator[str]:
        """Folders in which paths may go on: the root, usual ones, others in natural order."""
        yield from (base for base in USUAL_FOLDERS if not base or (self.root / base).is_dir())
        below = [f for f in self._walk(MOST_FOLDERS) if f and f not in USUAL_FOLDERS]
        yield from below

    def _walk(self, most: int) -> Iterator[str]:
        """Folders below the root, level by level."""
        level = [""]
        for _ in range(DEPTH + 1):
            after = []
            for folder in level:
                if most <= 0:
                    return
                most -= 1
                yield folder
                after += [os.path.join(folder, name) for name in self._folder(folder).folders]
            level = after

    def _called(self, name: str, *, stem: bool = False) -> list[str]:
        """Files below the root with this name, or with this name and another suffix."""
        looked, alike = 0, []
        for here, folders, files in os.walk(self.root):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            looked += len(files)
            for file in sorted(files):
                if _folded(os.path.splitext(file)[0] if stem else file) == _folded(name):
                    alike.append(os.path.relpath(os.path.join(here, file), self.root))
            if looked > MOST_FILES or len(alike) > 9:
                break
        return alike


class _Folder:
    """Names in one folder: as written, in one Unicode form, without regard to case, files also without their suffix."""

    def __init__(self, path: Path) -> None:
        self.folders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    (self.folders if is_folder(entry) else files).append(entry.name)
        except (OSError, ValueError):
            pass
        self.folders.sort()
        pictures = [f for f in sorted(files) if os.path.splitext(f)[1].casefold() in PICTURE_SUFFIXES]
        stems = [(os.path.splitext(f)[0], f) for f in pictures]
        named = [(f, f) for f in sorted(files)]
        self._files = _Names(named, stems)
        self._inner = _Names([(f, f) for f in self.folders], [])

    def file(self, name: str) -> str | None:
        return self._files.find(name)

    def folder(self, name: str) -> str | None:
        return self._inner.find(name)


class _Names:
    """From each way to write a name to the name; a way that fits several names is left out."""

    def __init__(self, named: list[tuple[str, str]], stems: list[tuple[str, str]]) -> None:
        self._levels = [
            dict(named),
            _unambiguous((compose(key), name) for key, name in named),
            _unambiguous((compose(key), name) for key, name in stems),
            _unambiguous((_folded(key), name) for key, name in named),
            _unambiguous((_folded(key), name) for key, name in stems),
        ]

    def find(self, written: str) -> str | None:
        composed, folded = compose(written), _folded(written)
        for level, key in zip(self._levels, (written, composed, composed, folded, folded), strict=True):
            if (name := level.get(key)) is not None:
                return name
        return None


def _unambiguous(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    names: dict[str, str | None] = {}
    for key, name in pairs:
        names[key] = name if names.get(key, name) == name else None
    return {key: name for key, name in names.items() if name is not None}


def _folded(name: str) -> str:
    return compose(compose(name).casefold())


def _is_foreign(written: str) -> bool:
    """Whether a path starts at a drive, a share, a root, an address, or above."""
    return re.match(r"[A-Za-z]:[\\/]|[\\/]|\.\.[\\/]|[A-Za-z][A-Za-z0-9+.-]+://", written) is not None


def _is_path(written: str) -> bool:
    """Whether text may be a path at all: folders need not be searched for what are words."""
    if len(written) > LONGEST or "\n" in written:
        return False
    picture = os.path.splitext(re.split(r"[?#]", written)[0])[1].casefold() in PICTURE_SUFFIXES
    return picture or (re.search(r"[\\/]", written) is not None and " " not in written)


def _split(base: str) -> list[str]:
    return base.split("/") if base else []


def _pieces(written: str) -> list[str]:
    """Folders and name of a path of any system, or of an address; what leads up is left out."""
    if (address := ADDRESS.match(written)) is not None:
        written = unquote(re.split(r"[?#]", written[address.end() :])[0])
    return [piece for piece in re.split(r"[\\/]+", written) if piece and piece not in (".", "..")]


def found_otherwise(pairs: Sequence[tuple[str, str]], rows: int, source: str | None = None) -> list[Problem]:
    """A note on rows, or entries of `source`, whose file was found by the end of its path, or in other letters.

    Args:
        pairs: The path as it is written, and where it led.
        rows: How many there are.
    """
    if not pairs:
        return []
    values = {"n": len(pairs), "r": rows, "w": pairs[0][0], "f": pairs[0][1]}
    sentence = text(
        "Rows whose path leads to no file as it is written, but to one by its end: {n} of {r} (first: {w} → {f}).",
        "{r} 行中有 {n} 行的路径按原样找不到文件，已按路径末尾找到（第一行：{w} → {f}）。",
        **values,
    )
    if source is not None:
        sentence = text(
            "Pictures of {j} whose path leads to no file as it is written, but to one by its end: {n} of {r} (first: {w} → {f}).",
            "{j} 的 {r} 张图片中有 {n} 张按所写路径找不到文件，已按路径末尾找到（第一张：{w} → {f}）。",
            j=source,
            **values,
        )
    return [
        Problem(
            "paths",
            sentence,
            tuple(path for _, path in pairs),
            severity="note",
            do=text("If these are other pictures, correct the paths.", "如果对应的不是这些图片，请更正路径。"),
            numbers={"n": len(pairs), "rows": rows},
            details=tuple({"path": path, "written": written} for written, path in pairs),
        )
    ]


def inner_test_folder(folder: Path, address: str, spec: DataSpec) -> Path | None:
    """The folder of the test part where it lies inside the training source, and is to be left out there; None: it does not.

    Args:
        folder: Where the source `address` lies, absolute.
    """
    if not spec.test or address != spec.train:
        return None
    test = Path(os.path.abspath(user_path(spec.test)))
    return test if test.is_dir() and test != folder and test.is_relative_to(folder) else None


def no_such_path(path: Path) -> DataError:
    """The error of a path that does not exist, with the nearest name beside it."""
    hint = text("Check the path; a name on the hub is written hub:NAME.", "请检查路径；hub 上的名称写作 hub:名称。")
    return DataError(text("There is no {p}.", "{p} 不存在。", p=path), do=did_you_mean(path) or hint)
