"""Predictions on disk: one small file per run, never pickled, known to the ledger by its digest. Their kind says how precisely they are kept."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from weigh.data.contents import hash_file, identity
from weigh.disk import write_file
from weigh.kinds.base import Kind, kind_named
from weigh.kinds.label import LABEL

__all__ = ["intact", "read_predictions", "write_predictions"]

_intact: dict[Path, tuple] = {}  # the identity and digest under which this process has seen a file to be intact


def write_predictions(
    path: Path, key: str, kind: Kind, indices: np.ndarray, answers: np.ndarray, target: np.ndarray
) -> str:
    """Keep the predictions of one run; returns the digest of the file, which the ledger keeps.

    Args:
        key: Of the run: no two files are alike.
        indices: `(n,)` into the examples of the study.
        answers: `(n, k)`, as `results.OutOfFold.answers` of one repeat.
        target: Of these examples, as in `Examples.target`: of classes the true one is always kept.
    """
    named = {"run": np.array(key), "kind": np.array(kind.name), "indices": indices.astype(np.int32)}
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
    content = path.read_bytes()
    if _digest(content) != digest:
        raise ValueError("it is not what was written")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        indices = stored["indices"].astype(np.int64)
        kind = (
            kind_named(str(stored["kind"])) if "kind" in stored else LABEL
        )  # until 2026-11-27 they were all kept as classes are
        return indices, kind.unpack(stored)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
