"""Arrays kept on disk by content: features and decoded pictures that tomorrow's study needs again.

A key says everything that the array depends on, so an entry never goes stale. Entries are .npy files with checksums behind the
array, one of every block. An entry is read through once in every process (some 2.5 GB a second), compared with them, and then
mapped; a damaged one is deleted and said, and whoever asked computes it anew. The least recently used ones make room when the
limit is reached; on a full disk the array is used all the same and simply not kept.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import time
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from weigh.data.contents import identity
from weigh.disk import WRITING, replacing, sweep
from weigh.errors import StorageError
from weigh.language import text
from weigh.notices import notice
from weigh.settings import cache_folder, cache_limit

__all__ = ["cache_report", "clear", "forget", "in_room", "load", "room", "store"]

# The folders that weigh writes in the cache folder (arrays; facts on files; pictures of the datasets library). Nothing
# else is ever counted or deleted: WEIGH_CACHE may name a folder that holds other things too.
FOLDERS = ("arrays", "facts", "pictures")
IN_MEMORY = 2**26  # bytes of a new array that stay in memory
BLOCK = 2**20  # bytes that share a checksum
FOOT = struct.Struct("<8sQI")  # mark, bytes before the checksums, checksum of these, the key and the checksums
MARK = b"weighsum"
ABANDONED = 3600.0  # seconds after which a half-written entry counts as abandoned
_told: set[str] = set()  # folders whose failure was said: once is enough
_checked: dict[Path, tuple | None] = {}  # entries that this process has checked or written, as they were then


class CacheReport(NamedTuple):
    """How much is cached."""

    entries: int
    bytes: int


def load(key: str, folder: Path | None) -> np.ndarray | None:
    """The array stored under `key`, memory-mapped and read-only; None where there is none or it is damaged (then it is deleted).

    Args:
        folder: Of the cache; None: nothing is kept anywhere.
    """
    path = _path(key, folder)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            now = identity(file)
            if _checked.get(path) != now:
                _check(file, key)
            array = _map(file)
            used = time.time_ns(), os.fstat(file.fileno()).st_mtime_ns
            with contextlib.suppress(OSError):  # read-only, or of another user: it is read all the same
                os.utime(path, ns=used)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        with contextlib.suppress(OSError):
            path.unlink()
        reason = getattr(error, "strerror", None) or error
        notice(text("Computed anew: {k} in the cache ({e}).", "重新计算：缓存中的 {k}（{e}）。", k=path.name, e=reason))
        return None
    _checked[path] = now
    return array


def _map(file: BinaryIO) -> np.ndarray:
    file.seek(0)
    np.lib.format.read_magic(file)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("it holds objects")
    return np.memmap(file, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def store(key: str, array: np.ndarray, folder: Path | None) -> np.ndarray:
    """Keep `array` under `key`; returns it (memory-mapped where it could be kept, as it is otherwise)."""
    path = _path(key, folder)
    if path is None:
        return array
    try:
        _make_room(path.parent, array.nbytes)
        with replacing(path) as temporary, temporary.open("x+b") as file:
            np.save(file, array, allow_pickle=False)
            length, sums = file.tell(), _sums(file, file.tell())
            file.write(sums + FOOT.pack(MARK, length, _total(length, key, sums)))
            file.flush()
            written = identity(file)
    except StorageError as error:
        _tell(path.parent, error.__cause__ or error)
        return array
    _checked[path] = written
    kept = load(key, folder)
    return array if kept is None else kept


def _check(file: BinaryIO, key: str) -> None:
    """Raises ValueError where an entry is not what was stored under `key`."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - FOOT.size))
    foot = file.read()
    mark, length, total = FOOT.unpack(foot) if len(foot) == FOOT.size else (b"", 0, 0)
    if mark != MARK or length + 4 * _blocks(length) + FOOT.size != size:
        raise ValueError("it was cut off, or written by an older version")
    file.seek(length)
    sums = file.read(size - FOOT.size - length)
    if total != _total(length, key, sums):
        raise ValueError("it is damaged, or another entry")
    if _sums(file, length) != sums:
        raise ValueError("it is damaged")


def _sums(file: BinaryIO, length: int) -> bytes:
    """The checksums of the first `length` bytes; the file stands behind them afterwards."""
    file.seek(0)
    buffer = memoryview(bytearray(BLOCK))
    sums = np.empty(_blocks(length), "<u4")
    for i in range(len(sums)):
        block = buffer[: min(BLOCK, length - i * BLOCK)]
        if file.readinto(block) != len(block):  # type: ignore[attr-defined]
            raise ValueError("it was cut off")
        sums[i] = zlib.crc32(block)
    return sums.tobytes()


def _blocks(length: int) -> int:
    return -(-length // BLOCK)


def _total(length: int, key: str, sums: bytes) -> int:
    return zlib.crc32(sums, zlib.crc32(f"{length} {key}".encode()))


def room(shape: tuple[int, ...], dtype: np.dtype | type, folder: Path | None) -> np.ndarray:
    """An array of zeros to be filled: in memory, or beyond `IN_MEMORY` in a file without a name that ends with its last user.

    Args:
        folder: Where such a file may lie (the folder of the cache); None: where the system puts temporary files.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size > IN_MEMORY and not np.dtype(dtype).hasobject:
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


def in_room(values: np.ndarray, folder: Path | None) -> np.ndarray:
    """The same values: those that are many in a file as of `room`; an array that shares the memory of another stays where it is."""
    if values.nbytes <= IN_MEMORY or not values.flags.owndata or values.dtype.hasobject:
        return values
    kept = np.asarray(room(values.shape, values.dtype, folder))
    kept[...] = values
    return kept


def _tell(folder: Path, error: BaseException) -> None:
    if str(folder) not in _told:
        _told.add(str(folder))
        notice(
            text(
                "The cache in {f} cannot be written ({e}): computed values stay in memory and are not kept.",
                "无法写入 {f} 中的缓存（{e}）：计算结果只留在内存中，不会保存。",
                f=folder,
                e=getattr(error, "strerror", None) or error,
            )
        )


def forget(key: str, folder: Path | None) -> None:
    """Delete what is stored under `key`, if anything is."""
    path = _path(key, folder)
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink()


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


def _path(key: str, folder: Path | None) -> Path | None:
    if not key or any(not (c.isalnum() or c in "-_.") for c in key) or key.startswith("."):
        raise ValueError(f"{key!r} is not a cache key")
    return None if folder is None else folder / "arrays" / f"{key}.npy"


def _entries(folder: Path) -> list[tuple[Path, float, int]]:
    entries = []
    for base, _, names in os.walk(folder):
        for name in names:
            path = Path(base) / name
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((path, status.st_atime, status.st_size))
    return entries


def _make_room(folder: Path, needed: int) -> None:
    """Delete the least recently used arrays until `needed` bytes fit below the limit."""
    sweep(folder, time.time() - ABANDONED)
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
