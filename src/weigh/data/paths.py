"""From paths as strangers wrote them in a table to files below one root; what leads out of the root is never touched.

Before it: cells of a table (`tables.py`). After it: rows that name existing files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from weigh.data.listing import PICTURE_SUFFIXES

__all__ = ["Found", "Resolver"]

# Where the pictures of a table of bare ids usually lie, beside the table.
USUAL_FOLDERS = ("", "images", "imgs", "img", "pictures", "photos", "data")


class Found:
    """Where a written path leads: `path` relative to the root, or None; `outside` if it leaves the root."""

    __slots__ = ("outside", "path")

    def __init__(self, path: str | None, *, outside: bool = False) -> None:
        self.path, self.outside = path, outside


class Resolver:
    """From paths as written in a table to files below one root, by listing folders (never by opening a file).

    A path may lack its suffix (lists of ids), and the pictures may lie in a usual folder beside the table: the folder in
    which most of the first paths exist is used for all of them.
    """

    def __init__(self, root: Path, paths: Sequence[str]) -> None:
        self.root = root
        self._folders: dict[str, dict[str, str]] = {}
        sample = [p.strip() for p in paths[:200]]
        hits = [sum(self._in(base, p) is not None for p in sample) for base in USUAL_FOLDERS]
        self.base = USUAL_FOLDERS[hits.index(max(hits))]

    def find(self, written: str) -> Found:
        """Where `written` leads; text that no file system accepts is simply not found."""
        if not written or "\0" in written:
            return Found(None)
        for name in dict.fromkeys((written, written.replace("\\", "/"))):
            relative = self._inside(name)
            if relative is None:
                return Found(None, outside=True)
        return Found(self._in(self.base, written) or self._in("", written))

    def _inside(self, written: str) -> str | None:
        """`written` relative to the root without dots, or None if it leaves the root."""
        if re.match(r"^[A-Za-z]:[\\/]", written):  # a drive of another machine
            return None
        relative = os.path.relpath(os.path.normpath(os.path.join(self.root, written)), self.root)
        return None if relative == ".." or relative.startswith("../") or os.path.isabs(relative) else relative

    def _in(self, base: str, written: str) -> str | None:
        for name in dict.fromkeys((written, written.replace("\\", "/"))):
            if not name or "\0" in name:
                continue
            relative = self._inside(os.path.join(base, name))
            if relative is None:
                continue
            folder, file = os.path.split(relative)
            names = self._names(folder)
            if file in names:
                return os.path.join(folder, names[file])
        return None

    def _names(self, folder: str) -> dict[str, str]:
        """Files of a folder by name, and by name without the suffix of a picture where that is unambiguous."""
        if folder not in self._folders:
            try:
                with os.scandir(self.root / folder) as entries:
                    files = sorted(e.name for e in entries if not e.is_dir())
            except (OSError, ValueError):
                files = []
            stems: dict[str, str | None] = {}
            for file in files:
                stem, suffix = os.path.splitext(file)
                if suffix.casefold() in PICTURE_SUFFIXES:
                    stems[stem] = None if stem in stems else file
            self._folders[folder] = {s: f for s, f in stems.items() if f} | {f: f for f in files}
        return self._folders[folder]
