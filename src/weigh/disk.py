"""The one way in which files are written, and what to say when a disk does not take them.

A file is written to a temporary name in the same folder, flushed, renamed, and the folder flushed: whoever reads sees all of it
or nothing, also after a power cut. What a kill leaves behind begins with `WRITING` and is swept by the next writer.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from weigh.errors import StorageError
from weigh.language import Text, text

__all__ = [
    "TAKEN",
    "WRITING",
    "errno_of",
    "flush_folder",
    "is_read_only",
    "is_storage_fault",
    "make_folder",
    "replacing",
    "seal",
    "storage_error",
    "storage_errors",
    "sweep",
    "take_lock",
    "unseal",
    "write_file",
]

WRITING = ".writing-"
SEAL = b"\nsealed\n"  # before the checksum at the end of a sealed file
NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})
TAKEN = frozenset(
    {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
)  # of `take_lock`: another process has it
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DENIED = frozenset({errno.EACCES, errno.EPERM})
IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTDIR})
FAULTS = FULL | DENIED | NO_LOCKS | {errno.EIO, errno.EROFS, errno.ESTALE, errno.ENXIO}
# What SQLite reports instead of an errno: its primary code, and the extended codes that speak of locks.
OF_SQLITE = {13: errno.ENOSPC, 10: errno.EIO, 8: errno.EROFS, 14: errno.EACCES, 3: errno.EACCES, 15: errno.ENOLCK}
LOCKS_OF_SQLITE = frozenset({2058, 2314, 3594, 3850})
NOT_FLUSHABLE = frozenset({errno.EINVAL, errno.EBADF, errno.EACCES, errno.EPERM, errno.EISDIR}) | NO_LOCKS


def write_file(path: Path, content: bytes | str, *, flush: bool = True) -> None:
    """All of `content` under `path`, or nothing.

    Args:
        content: Text is written as UTF-8.
        flush: Also flush the folder; False where `flush_folder` follows after many files.

    Raises:
        StorageError: The disk does not take it.
    """
    with replacing(path, flush=flush) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` for others to write to; it becomes `path` when the block ends without an error.

    Raises:
        StorageError: The disk does not take it.
    """
    temporary = path.parent / f"{WRITING}{secrets.token_hex(8)}"
    with storage_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        if flush:
            flush_folder(path.parent)


def make_folder(folder: Path) -> None:
    """A folder for what is computed next: one that cannot be made is told now, and not when everything is computed.

    Raises:
        StorageError: It cannot be made, or nothing can be written into it.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def flush_folder(folder: Path) -> None:
    """The names in `folder` are on the disk when this returns, where a file system can do that."""
    if os.name == "nt":
        return  # folders cannot be opened there
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in NOT_FLUSHABLE:
            raise storage_error(error, folder) from None


def take_lock(handle: int) -> None:
    """An open file for this process alone, until it is closed; the system takes the lock back however the process ends.

    Raises:
        OSError: Another process has it (its number is one of `TAKEN`), or the file system has no locks.
    """
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Path, before: float) -> int:
    """Delete what killed writers left in `folder` and below, if it is older than `before` (seconds since 1970); how many."""
    swept = 0
    for base, _, names in os.walk(folder):
        for name in names:
            if name.startswith(WRITING):
                path = Path(base) / name
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < before:
                        path.unlink()
                        swept += 1
    return swept


def seal(content: bytes, name: str = "") -> bytes:
    """`content` with a checksum behind it, of itself and of the name under which it is looked up."""
    return content + SEAL + _checksum(content, name)


def unseal(sealed: bytes, name: str = "") -> bytes:
    """What `seal` was given.

    Raises:
        ValueError: It is damaged, or belongs to another name.
    """
    content, mark, checksum = sealed[:-24], sealed[-24:-16], sealed[-16:]
    if mark != SEAL or checksum != _checksum(content, name):
        raise ValueError("it is not what was written")
    return content


def _checksum(content: bytes, name: str) -> bytes:
    digest = hashlib.blake2b(content, digest_size=16)
    digest.update(b"\0" + name.encode("utf-8", "surrogatepass"))
    return digest.digest()


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Errors of the disk inside the block are raised as `StorageError` that names `path`, where they name none themselves."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if errno_of(error) is None or isinstance(
            error, BrokenPipeError
        ):  # the pipe has no reader: no fault of the disk
            raise
        raise storage_error(error, path) from error


def is_storage_fault(error: BaseException) -> bool:
    """Whether the machine is at fault and not what it was computing: then nothing is recorded, and a resume tries again."""
    return isinstance(error, StorageError) or errno_of(error) in FAULTS


def is_read_only(error: StorageError) -> bool:
    """Whether the place cannot be written to at all, so that another one may be tried."""
    return error.__cause__ is not None and errno_of(error.__cause__) in DENIED | {errno.EROFS}


def errno_of(error: BaseException) -> int | None:
    """The errno of an error, also of SQLite's; None where it is no fault of the disk."""
    if isinstance(error, OSError):
        return error.errno
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) or 0
        return errno.ENOLCK if code in LOCKS_OF_SQLITE else OF_SQLITE.get(code & 0xFF)
    return None


def storage_error(error: OSError | sqlite3.Error, path: Path | str | Text | None = None) -> StorageError:
    """What went wrong at `path`, why it matters and what to do now."""
    code, named = errno_of(error), path
    if isinstance(error, OSError) and isinstance(error.filename, (str, bytes)):
        written = os.fsdecode(error.filename)
        named = path if path is not None and WRITING in written else written
    reason = getattr(error, "strerror", None) or str(error)
    where = {"p": "?" if named is None else named, "e": reason}
    return StorageError(*(part and text(part.en, part.zh, **where) for part in _words(code)))


_KEPT = Text("What was recorded before is kept.", "此前的记录都已保存。")


def _words(code: int | None) -> tuple[Text, Text | None, Text]:
    if code in FULL:
        return (
            Text("There is no room left on the disk for {p} ({e}).", "磁盘空间不足，无法写入 {p}（{e}）。"),
            _KEPT,
            Text(
                "Make room (weigh cache --clear deletes what can be computed again), then run the same command again: it goes on from here.",
                "请腾出空间（weigh cache --clear 会删除可重新计算的缓存），再运行同一命令即可继续。",
            ),
        )
    if code == errno.EROFS:
        return (
            Text("{p} cannot be written: its file system is read-only ({e}).", "无法写入 {p}：文件系统只读（{e}）。"),
            _KEPT,
            Text(
                "Make it writable, or name another folder (--output); then run the same command again.",
                "请将其改为可写，或另选文件夹（--output），再运行同一命令。",
            ),
        )
    if code in DENIED:
        return (
            Text("There is no permission to use {p} ({e}).", "没有访问 {p} 的权限（{e}）。"),
            _KEPT,
            Text(
                "Change its permissions, or name another folder (--output); then run the same command again.",
                "请修改权限，或另选文件夹（--output），再运行同一命令。",
            ),
        )
    if code in NO_LOCKS:
        return (
            Text("The file system of {p} cannot lock files ({e}).", "{p} 所在的文件系统不支持文件锁（{e}）。"),
            Text(
                "Without a lock, two processes could write to one study and mix their records.",
                "没有文件锁，两个进程可能同时写入同一研究，造成记录混淆。",
            ),
            Text(
                "Run the same command again when locks work, or with --output in a folder on a local disk.",
                "请在文件锁可用后再运行同一命令，或用 --output 指定本地磁盘上的文件夹。",
            ),
        )
    if code in (errno.EIO, errno.ESTALE, errno.ENXIO):
        return (
            Text("The disk reports an error at {p} ({e}).", "磁盘在 {p} 处报错（{e}）。"),
            _KEPT,
            Text(
                "Check the disk or the network drive, then run the same command again: it goes on from here.",
                "请检查磁盘或网络驱动器，再运行同一命令即可继续。",
            ),
        )
    if code in IN_THE_WAY:
        return (
            Text(
                "{p} cannot be read or written: a file stands where a folder is needed ({e}).",
                "无法读写 {p}：需要文件夹的位置上是一个文件（{e}）。",
            ),
            None,
            Text(
                "Move that file away, or name another folder (--output), then run the same command again.",
                "请移走该文件，或另选文件夹（--output），再运行同一命令。",
            ),
        )
    if code == errno.EISDIR:
        return (
            Text(
                "{p} cannot be read or written: it is a folder, and a file is needed ({e}).",
                "无法读写 {p}：它是文件夹，而这里需要文件（{e}）。",
            ),
            None,
            Text("Name a file in it, then run the same command again.", "请指定其中的一个文件，再运行同一命令。"),
        )
    return (
        Text("{p} cannot be read or written ({e}).", "无法读写 {p}（{e}）。"),
        None,
        Text(
            "Mend that, or name another folder (--output), then run the same command again.",
            "请排除该问题，或另选文件夹（--output），再运行同一命令。",
        ),
    )
