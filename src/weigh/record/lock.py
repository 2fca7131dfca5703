"""One writer per study: a lock that the system takes back when its process ends, however it ends."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weigh.disk import TAKEN, storage_error, storage_errors, sweep, take_lock
from weigh.errors import StudyLocked
from weigh.language import text

__all__ = ["is_being_written", "lock_study"]


@contextmanager
def lock_study(folder: Path) -> Iterator[None]:
    """Only this process writes to the study in `folder`; what killed writers left there half written is deleted.

    Raises:
        StudyLocked: Another process holds it.
        StorageError: The folder cannot be written, or its file system has no locks.
    """
    path, started = folder / ".lock", time.time()
    with storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            take_lock(handle)
        except OSError as error:
            raise (_locked(folder) if error.errno in TAKEN else storage_error(error, path)) from None
        sweep(folder, started)
        yield
    finally:
        os.close(handle)  # gives the lock back


def is_being_written(folder: Path) -> bool:
    """Whether another process holds the study in `folder`; no where that cannot be known."""
    try:
        handle = os.open(folder / ".lock", os.O_RDWR)
    except OSError:
        return False
    try:
        take_lock(handle)
    except OSError as error:
        return error.errno in TAKEN
    finally:
        os.close(handle)
    return False


def _locked(folder: Path) -> StudyLocked:
    return StudyLocked(
        text("Another process is writing to {f}.", "另一个进程正在写入 {f}。", f=folder),
        text("Two writers would mix their records.", "两个进程同时写入会混淆记录。"),
        text(
            "Wait for it or stop it; `weigh report {f}` works meanwhile.",
            "请等待或停止它；其间 `weigh report {f}` 可照常使用。",
            f=shlex.quote(str(folder)),
        ),
    )
