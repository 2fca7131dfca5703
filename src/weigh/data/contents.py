"""What a file holds, as a hash: remembered, so that an unchanged file is read once.

Before it: an index of paths. After it: checks and caches, which are keyed by content, never by name or time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from weigh.data.examples import Examples
from weigh.data.memo import Memo
from weigh.data.pages import page_content, split_page
from weigh.disk import write_file
from weigh.files import stamps
from weigh.language import text
from weigh.lookahead import look_ahead
from weigh.notices import Progress, notice
from weigh.problem import Problem

__all__ = [
    "content_hashes",
    "fingerprint",
    "hash_file",
    "identified",
    "identity",
    "is_whole",
    "keep_digests",
    "made_once",
    "text_hashes",
]

SETTLED_SECONDS = 2.0  # a file changed this recently may change again within one tick of its time stamp
CHUNK, AHEAD = 1 << 20, 64
DIGESTS = ".digests"  # of the files of a folder in the cache
_WHOLE: dict[
    Path, dict[str, list[int] | None]
] = {}  # folders that were found whole in this process -> stamps of their files then


def content_hashes(examples: Examples, *, progress: Progress | None = None) -> np.ndarray:
    """`(n,)` hash of each file's bytes; "" where a file cannot be read (the checks then name it)."""
    memo = Memo("contents")
    now = time.time()
    hashes = [""] * len(examples)
    todo: list[tuple[int, str | None]] = []
    stamps = [_stamp(examples.root / p, now) for p in examples.path]
    stored = memo.get_many([s for s in stamps if s])
    for i, stamp in enumerate(stamps):
        if stamp and stamp in stored:
            hashes[i] = stored[stamp].decode()
        else:
            todo.append((i, stamp))
    if todo:
        new = {}
        ahead = look_ahead(lambda item: hash_file(examples.root / examples.path[item[0]]), todo, threads=2, count=AHEAD)
        for done, ((i, stamp), value) in enumerate(ahead, 1):
            hashes[i] = value
            if stamp and value:
                new[stamp] = value.encode()
            if progress and (done % 64 == 0 or done == len(todo)):
                progress("reading", done, len(todo))
        memo.put_many(new)
    return np.array(hashes, dtype=str)


def hash_file(path: Path) -> str:
    """BLAKE2b (128 bits, hex) of the file's bytes, or of one page of it ("stack.tif#3"); "" if it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        if (page := split_page(path)) is not None:
            digest.update(page_content(*page))
            return digest.hexdigest()
        if not path.is_file():  # a pipe or a device would block for ever
            return ""
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except (OSError, EOFError, ValueError):
        return ""
    return digest.hexdigest()


def identity(file: Path | BinaryIO) -> tuple[int, int, int] | None:
    """What changes when somebody writes to a file: number, size, time; None where there is none. For one process's memory only."""
    try:
        status = os.stat(file if isinstance(file, Path) else file.fileno())
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def keep_digests(folder: Path) -> None:
    """Note what the files of a finished folder hold, for `is_whole`."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    write_file(folder / DIGESTS, json.dumps({file.relative_to(folder).as_posix(): hash_file(file) for file in files}))


def made_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder of the cache, made where it is not there or is damaged; two processes may do so at a time.

    Args:
        fill: Writes its files into a folder that is empty.
    """
    if is_whole(folder):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        fill(made)
        keep_digests(made)
        try:
            made.rename(folder)
        except OSError:  # another process was faster
            if not is_whole(folder):
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def is_whole(folder: Path) -> bool:
    """Whether a folder of the cache is complete and undamaged; one that is not is reported and must be made anew. Read once in a process, unless its
    files change: hundreds of megabytes are hashed in a second.
    """
    try:
        digests = json.loads((folder / DIGESTS).read_text("utf-8"))
        now = stamps(folder / name for name in (DIGESTS, *digests))
        if _WHOLE.get(folder) == now:
            return True
        if all(hash_file(folder / name) == digest for name, digest in digests.items()):
            _WHOLE[folder] = now
            return True
    except (OSError, ValueError, AttributeError):
        pass
    if folder.exists() and any(folder.iterdir()):
        notice(
            text(
                "Made anew: {f} in the cache (damaged, unfinished or of an older version).",
                "重新生成：缓存中的 {f}（已损坏、未完成或来自旧版本）。",
                f=folder.name,
            )
        )
    return False


def text_hashes(rows: np.ndarray) -> np.ndarray:
    """`(n,)` hash of each row of texts, tokens or numbers: of all of them and where one ends and the next begins."""
    return np.array([hashlib.blake2b(_packed(row), digest_size=16).hexdigest() for row in rows.tolist()], dtype=str)


def identified(examples: Examples, problems: list[Problem]) -> tuple[Examples, list[Problem]]:
    """Examples that are rows, with the hashes of their contents and of all of it; the problems as they came."""
    assert examples.rows is not None
    examples = replace(examples, content=text_hashes(examples.rows))
    return replace(examples, fingerprint=fingerprint(examples)), problems


def _packed(row: tuple) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")


def fingerprint(examples: Examples) -> str:
    """Names the data set: contents, labels, groups, parts and their order along the file; not where it lies, nor when.

    Two copies of a data set in different folders have the same fingerprint; renaming a file that keeps its place in the
    order does not change it; a changed pixel, label, group or part does.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in examples.classes:
        digest.update(name.encode("utf-8", "surrogatepass") + b"\0")
    digest.update(examples.kind.bytes_of(examples.target))
    digest.update(np.ascontiguousarray(examples.order, dtype=np.int64).tobytes())
    for column in (examples.content, examples.part, examples.group):
        rows = () if column is None else column.tolist()
        digest.update(("\0".join(map(str, rows)) + "\1").encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _stamp(path: Path, now: float) -> str | None:
    """What identifies an unchanged file: place, size and times; None for a file that changed a moment ago."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if now - max(status.st_mtime, status.st_ctime) < SETTLED_SECONDS:
        return None
    return f"{os.path.abspath(path)}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\0{status.st_ino}"
