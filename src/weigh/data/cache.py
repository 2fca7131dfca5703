"""Arrays kept on disk by content: features and decoded pictures that tomorrow's study needs again.

A key says everything that the array depends on, so an entry never goes stale. Entries are .npy files, written to a
temporary name and renamed: two processes may write the same one, readers see all or nothing. The least recently used
ones make room when the limit is reached; on a full disk the array is used all the same and simply not kept.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from weigh.settings import cache_folder, cache_limit

__all__ = ["CacheReport", "cache_report", "clear", "forget", "load", "room", "store"]

log = logging.getLogger(__name__)
WRITING = ".writing-"
# The folders that weigh writes in the cache folder (arrays; facts on files; pictures of the datasets library). Nothing
# else is ever counted or deleted: WEIGH_CACHE may name a folder that holds other things too.
FOLDERS = ("arrays", "facts", "pictures")
_told: set[str] = set()  # folders whose failure was said: once is enough
IN_MEMORY = 2**26  # bytes of a new array that stay in memory


class CacheReport(NamedTuple):
    """How much is cached."""

    entries: int
    bytes: int


def load(key: str) -> np.ndarray | None:
    """The array stored under `key`, memory-mapped and read-only; None where there is none or it is damaged."""
    path = _path(key)
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError):
        with contextlib.suppress(OSError):  # cut short by a crash of the machine: computed anew
            path.unlink()
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it was used
    return found


def store(key: str, array: np.ndarray) -> np.ndarray:
    """Keep `array` under `key`; returns it (memory-mapped where it could be kept, as it is otherwise)."""
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_room(path.parent, array.nbytes)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=WRITING)
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, array, allow_pickle=False)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        _tell(path.parent, error)
        return array
    found = load(key)
    return array if found is None else found


def room(shape: tuple[int, ...], dtype: np.dtype | type, folder: Path | None) -> np.ndarray:
    """An array of zeros to be filled: in memory, or beyond `IN_MEMORY` in a file without a name that ends with its last user.

    Args:
        folder: Where such a file may lie (the folder of the cache); None: where the system puts temporary files.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size > IN_MEMORY:
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                if hasattr(os, "posix_fallocate"):  # a full disk is an error here, not a crash when a page is written
                    os.posix_fallocate(file.fileno(), 0, size)
                return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
        except OSError as error:
            _tell(folder or Path(tempfile.gettempdir()), error)
    return np.zeros(shape, dtype)


def _tell(folder: Path, error: OSError) -> None:
    if str(folder) not in _told:
        _told.add(str(folder))
        reason = error.strerror or error
        log.warning(
            "the cache in %s cannot be written (%s): computed values stay in memory and are not kept", folder, reason
        )


def forget(key: str) -> None:
    """Delete what is stored under `key`, if anything is."""
    with contextlib.suppress(OSError):
        _path(key).unlink()


def cache_report() -> CacheReport:
    """Entries and bytes of all that weigh keeps in the cache folder."""
    sizes = [size for name in FOLDERS for _, _, size in _entries(cache_folder() / name)]
    return CacheReport(len(sizes), sum(sizes))


def clear() -> None:
    """Delete all that weigh keeps in the cache folder, and nothing else."""
    for name in FOLDERS:
        for path, _, _ in _entries(cache_folder() / name):
            with contextlib.suppress(OSError):
                path.unlink()


def _path(key: str) -> Path:
    if not key or any(not (c.isalnum() or c in "-_.") for c in key) or key.startswith("."):
        raise ValueError(f"{key!r} is not a cache key")
    return cache_folder() / "arrays" / f"{key}.npy"


def _entries(folder: Path) -> list[tuple[Path, float, int]]:
    found = []
    for base, _, names in os.walk(folder):
        for name in names:
            path = Path(base) / name
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((path, status.st_mtime, status.st_size))
    return found


def _make_room(folder: Path, needed: int) -> None:
    """Delete the least recently used arrays until `needed` bytes fit below the limit."""
    entries = sorted(_entries(folder), key=lambda entry: entry[1])
    excess = sum(size for _, _, size in entries) + needed - cache_limit()
    for path, _, size in entries:
        if excess <= 0:
            return
        if path.name.startswith(WRITING):
            continue
        with contextlib.suppress(OSError):
            path.unlink()
            excess -= size
