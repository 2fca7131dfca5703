"""Files that grow block by block and outlive a kill.

Until they are whole, what is written of each stands in NAME.part beside its place. Beside the first of them NAME.part.json says what the files
are made of, and how much of each was written when that was last kept. A process that finds it, and makes the same files of the same things, goes
on from there: what was written after it is cut off and made again. Before it: `disk.py`. After it: `weigh predict`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from weigh.disk import TAKEN, flush_folder, make_folder, storage_error, storage_errors, take_lock, write_file
from weigh.errors import StorageError
from weigh.language import text

__all__ = ["GrowingFiles", "check_place", "part_of", "unfinished_names"]

FORMAT = 1
KEEP_EVERY = 5.0  # seconds: what was marked is on the disk so much later at most
CHUNK = 1 << 20
DAMAGED, GONE = "files", "answers"  # in `changed`


@dataclass
class _Part:
    """One of the files: how much of it is written, and the hash of that."""

    file: BinaryIO
    digest: Any
    size: int = 0


class GrowingFiles:
    """Several files that become whole together. A context: left without `finish` it keeps what was marked last.

    Memory: none of what was written. Files that are gone on with are read once, to see that they are as they were kept.

    Args:
        targets: Where the files stand when they are whole; all different. None at all: every call does nothing.
        described: Name -> what decides the contents (data, model, options). A beginning that is described otherwise is not gone on with.
        resumes: False: nothing is gone on with, and what was not finished is deleted.
        lacks: Given the notes of a beginning, says whether other files that were made with it are gone.

    Attributes:
        kept: What `mark` was told last by the process that is gone on from; empty: the files begin anew.
        changed: Why a beginning that was found is not gone on with: names of `described` that differ, "files" where it was damaged, "answers" where
            `lacks` said so.

    Raises:
        StorageError: The disk does not take them, another process writes them, or something else stands in their place.
    """

    def __init__(
        self, targets: Sequence[Path], described: Mapping[str, str], *, resumes: bool = True,
        lacks: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:  # fmt: skip
        self.targets, self.described, self.resumes, self.lacks = list(targets), dict(described), resumes, lacks
        self.kept: dict[str, Any] = {}
        self.changed: tuple[str, ...] = ()
        self._parts: dict[Path, _Part] = {}
        self._new: list[Path] = []  # parts that this process made
        self._named: set[str] = set()  # places of all files that were begun with this description
        self._marked: dict[str, Any] | None = None
        self._last_kept = time.monotonic()

    def __enter__(self) -> GrowingFiles:
        for target in self.targets:
            check_place(target)
        try:
            for target in self.targets:
                self._open(target)
            if self.targets:
                self._begin()
        except BaseException:
            self._rename_and_close(lambda: self._delete(self._new))
            raise
        return self

    def __exit__(self, *_) -> None:
        if not self._parts:  # finished
            return
        keeps = self.resumes and self._marked is not None
        try:
            if keeps:
                with contextlib.suppress(StorageError):  # what ended the block is told
                    self._keep()
        finally:
            self._rename_and_close(lambda: None if keeps else self._delete([*map(part_of, self.targets), self._state]))

    # ---- growing

    def size(self, target: Path) -> int:
        """Bytes that are written of a file."""
        return self._parts[target].size

    def append(self, target: Path, content: bytes) -> None:
        """`content` at the end of a file."""
        part = self._parts[target]
        with storage_errors(part_of(target)):
            part.file.write(content)
        part.digest.update(content)
        part.size += len(content)

    @property
    def marked(self) -> dict[str, Any]:
        """What `mark` was told last, by this process or the one that it goes on from; empty: nothing."""
        return self._marked["notes"] if self._marked else {}

    def mark(self, **notes: Any) -> None:
        """All files are complete up to here; a later process is given `notes` (values of JSON) as `kept`. On the disk within seconds."""
        sizes = {self._place(target): [part.size, part.digest.hexdigest()] for target, part in self._parts.items()}
        self._marked = {"notes": notes, "sizes": sizes}
        if self.resumes and time.monotonic() - self._last_kept >= KEEP_EVERY:
            self._keep()

    def finish(self) -> None:
        """The files get their names."""
        parts = dict(self._parts)
        for target, part in parts.items():
            with storage_errors(target):
                part.file.flush()
                os.fsync(part.file.fileno())
        if not parts:
            return

        def rename() -> None:
            for target in parts:
                with storage_errors(target):
                    os.replace(part_of(target), target)
            with storage_errors(self._state):
                self._state.unlink(missing_ok=True)

        self._rename_and_close(rename)
        for folder in {target.parent for target in parts}:
            flush_folder(folder)

    # ---- what lies on the disk

    @property
    def _state(self) -> Path:
        return _state_of(self.targets[0])

    def _place(self, target: Path) -> str:
        """What the description calls a file: as it is found from there, so that a folder may be moved."""
        try:
            return Path(os.path.relpath(target, self._state.parent)).as_posix()
        except ValueError:  # on another drive of Windows
            return os.path.abspath(target)

    def _open(self, target: Path) -> None:
        """Open the part of a file, for this process alone."""
        path = part_of(target)
        with storage_errors(path):
            made = not path.exists()
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            self._parts[target] = _Part(os.fdopen(handle, "r+b"), hashlib.blake2b(digest_size=16))
            try:
                take_lock(handle)
            except OSError as error:
                if error.errno in TAKEN:
                    raise _taken(path) from None
                # file systems without locks: nothing but a second process at the same time is lost
            if not (path.exists() and os.path.samestat(os.fstat(handle), path.stat())):
                raise _taken(path)  # it was finished, and renamed, meanwhile
            if (
                made
            ):  # known only now: two processes may both have found no part, and one without the lock must not delete it
                self._new.append(path)

    def _begin(self) -> None:
        """Go on from what was kept, or begin anew."""
        lies_there = self._state.exists()
        earlier = self._read_state() if lies_there else {}
        filled = [target for target, part in self._parts.items() if os.fstat(part.file.fileno()).st_size]
        if lies_there and not earlier and not filled:
            raise _strange(self._state)
        if not lies_there or earlier:  # a damaged one cannot say what belongs to it
            strange = [target for target in filled if self._place(target) not in earlier.get("targets", ())]
            if strange:
                raise _strange(part_of(strange[0]))
        self._named = {*earlier.get("targets", ()), *map(self._place, self.targets)}
        if self.resumes and lies_there and len(self._new) < len(self.targets):
            self.changed = self._differing(earlier)
            if earlier.get("marked") and not self.changed:
                self.kept, self._marked = earlier["marked"]["notes"], earlier["marked"]
                return
        self._keep()  # first: a part without a description would be nobody's
        for part in self._parts.values():
            part.file.seek(0)
            part.file.truncate()
            part.digest, part.size = hashlib.blake2b(digest_size=16), 0

    def _differing(self, earlier: Mapping[str, Any]) -> tuple[str, ...]:
        """Why what lies there is not gone on with; of nothing that was kept there is nothing to say."""
        if not earlier:
            return (DAMAGED,)
        if earlier["marked"] is None:
            return ()
        names = tuple(name for name, value in self.described.items() if earlier["described"].get(name) != value)
        sizes = earlier["marked"]["sizes"]
        if not names and not all(self._goes_on(target, sizes) for target in self.targets):
            return (DAMAGED,)
        return names or ((GONE,) if self.lacks and self.lacks(earlier["marked"]["notes"]) else ())

    def _read_state(self) -> dict[str, Any]:
        """The description that lies there; empty where there is none, or none that can be read."""
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            if state["format"] != FORMAT or not isinstance(state["described"], dict):
                return {}
            if not all(isinstance(place, str) for place in state["targets"]):
                return {}
            marked = state["marked"]
            if marked is not None:
                whole = all(isinstance(n, int) and isinstance(digest, str) for n, digest in marked["sizes"].values())
                if not (whole and isinstance(marked["notes"], dict)):
                    return {}
            return state
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _goes_on(self, target: Path, sizes: Mapping[str, Any]) -> bool:
        """Whether what was kept of a file is there; what follows it is cut off."""
        part = self._parts[target]
        size, digest = sizes.get(self._place(target), (0, ""))
        part.file.seek(0)
        while part.size < size and (chunk := part.file.read(min(CHUNK, size - part.size))):
            part.digest.update(chunk)
            part.size += len(chunk)
        if part.digest.hexdigest() != digest:
            return False
        part.file.seek(size)
        part.file.truncate()
        return True

    def _keep(self) -> None:
        """What was marked, and what it speaks of, on the disk."""
        if self._marked:
            for target, part in self._parts.items():
                with storage_errors(part_of(target)):
                    part.file.flush()
                    os.fsync(part.file.fileno())
        state = {"format": FORMAT, "described": self.described, "targets": sorted(self._named), "marked": self._marked}
        write_file(self._state, json.dumps(state, indent=1) + "\n")
        self._last_kept = time.monotonic()

    def _rename_and_close(self, rename: Callable[[], None]) -> None:
        """Change the names of the parts while no other process can take them; where open files keep their names, close them before."""
        try:
            if os.name == "nt":
                self._close()
            rename()
        finally:
            self._close()

    def _close(self) -> None:
        parts, self._parts = self._parts, {}
        for part in parts.values():
            with contextlib.suppress(OSError):  # a full disk, which was told when it was flushed
                part.file.close()

    def _delete(self, paths: Sequence[Path]) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink()


def part_of(target: Path) -> Path:
    """Where a file stands until it is whole."""
    return target.with_name(f"{target.name}.part")


def _state_of(first: Path) -> Path:
    """Where it is written what the files are made of, of which `first` is the first."""
    return first.with_name(f"{first.name}.part.json")


def unfinished_names(target: Path) -> list[Path]:
    """What stands beside a file until it is whole, and may belong to nothing else."""
    return [part_of(target), _state_of(target)]


def check_place(target: Path) -> None:
    """Raise an error if no file can stand there: told before anything is computed.

    Raises:
        StorageError: A folder, a device or a pipe stands there, or its folder cannot be written.
    """
    make_folder(target.parent)
    if target.is_dir():
        raise storage_error(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target)))
    if target.exists() and not target.is_file():
        raise StorageError(
            text("{p} is no file but a device or a pipe.", "{p} 不是文件，而是设备或管道。", p=target),
            text("What is written gets its name when it is whole.", "内容写完之后才会改为该名称。"),
            text("Name a file.", "请指定一个文件。"),
        )


def _taken(path: Path) -> StorageError:
    return StorageError(
        text("Another process is writing {p}.", "另一个进程正在写入 {p}。", p=path),
        text("Two of them would mix what they write.", "两个进程同时写入会混淆内容。"),
        text("Wait for it or stop it; or name another file.", "请等待或停止它；或指定另一个文件。"),
    )


def _strange(path: Path) -> StorageError:
    return StorageError(
        text("{p} is in the way.", "{p} 占用了所需的文件名。", p=path),
        text(
            "A file of this name is needed until all is written, and nothing says that weigh wrote this one for the same command.",
            "全部写完之前需要使用该文件名，而没有记录表明现有文件是 weigh 为同一命令写下的。",
        ),
        text("Move it away or delete it, then run the same command again.", "请移走或删除它，再运行同一命令。"),
    )
