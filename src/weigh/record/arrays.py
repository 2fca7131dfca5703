"""Predictions on disk: one small file per run, never pickled, known to the ledger by its digest. Their kind says how precisely they are kept."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from weigh.data.contents import hash_file, identity
from weigh.disk import write_file
from weigh.kinds.base import Kind, kind_named
from weigh.kinds.label import LABEL
from weigh.run import Kept

__all__ = ["intact", "read_kept", "read_predictions", "write_predictions"]

_intact: dict[Path, tuple] = {}  # the identity and digest under which this process has seen a file to be intact


def write_predictions(
    path: Path,
    key: str,
    kind: Kind,
    indices: np.ndarray,
    answers: np.ndarray,
    target: np.ndarray,
    kept: Kept | None = None,
) -> str:
    """Keep the predictions of one run; returns the digest of the file, which the ledger keeps.

    Args:
        key: Of the run: no two files are alike.
        indices: `(n,)` into the examples of the study.
        answers: `(n, k)`, as `results.OutOfFold.answers` of one repeat.
        target: Of these examples, as in `Examples.target`: of classes the true one is always kept.
        kept: Some answers as they are.
    """
    named = {"run": np.array(key), "kind": np.array(kind.name), "indices": indices.astype(np.int32)}
    if kept is not None:
        named |= {"kept": kept.examples.astype(np.int32), "kept_answers": kind.store(kept.answers)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **named, **kind.pack(answers, target))
    content = buffer.getvalue()
    write_file(path, content, flush=False)
    return _digest(content)


def intact(path: Path, digest: str) -> bool:
    """Whether the file holds what was written; a file that has not changed since is not read again by this process."""
    now = (identity(path), digest)
    if now[0] is None:
        return False
    if _intact.get(path) != now:
        if hash_file(path) != digest:
            return False
        _intact[path] = now
    return True


def read_predictions(path: Path, digest: str) -> tuple[np.ndarray, np.ndarray]:
    """`(indices, answers (n, k))`, as their kind keeps them.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not what was written.
    """
    with _opened(path, digest) as stored:
        return stored["indices"].astype(np.int64), _kind_of(stored).unpack(stored)


def read_kept(path: Path, digest: str) -> Kept | None:
    """The answers that were kept as they are; None where none were.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not what was written.
    """
    with _opened(path, digest) as stored:
        if "kept" not in stored:
            return None
        return Kept(stored["kept"].astype(np.int64), _kind_of(stored).restore(stored["kept_answers"]))


def _opened(path: Path, digest: str) -> NpzFile:
    content = path.read_bytes()
    if _digest(content) != digest:
        raise ValueError("it is not what was written")
    return np.load(io.BytesIO(content), allow_pickle=False)


def _kind_of(stored: NpzFile) -> Kind:
    """Until 2026-11-27 all were kept as classes are."""
    return kind_named(str(stored["kind"])) if "kind" in stored else LABEL


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
