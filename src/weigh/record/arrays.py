"""Predictions on disk: one small file per run, never pickled, known to the ledger by its digest.

Logits are kept in half precision. Up to `DENSE_BYTES` the whole matrix; beyond it the `TOP` greatest logits of every
example, that of its true class, and the log of what the others add up to, so that log loss and calibration stay
exact to half precision and a study of 1,000 classes × 50,000 examples takes 9 MB a run instead of 100. Predicted numbers are kept
as they are: a label's unit may be anything. Codes of tags are small whole numbers, which half precision holds.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from weigh.data.contents import hash_file, identity
from weigh.data.examples import kind_of
from weigh.disk import write_file

__all__ = ["DENSE_BYTES", "TOP", "intact", "read_predictions", "write_predictions"]

DENSE_BYTES = 32 * 2**20
TOP = 20
FLOAT16_MAX = 60_000.0
_intact: dict[Path, tuple] = {}  # the identity and digest under which this process has seen a file to be intact


def write_predictions(path: Path, key: str, indices: np.ndarray, logits: np.ndarray, target: np.ndarray) -> str:
    """Keep the predictions of one run; returns the digest of the file, which the ledger keeps.

    Args:
        key: Of the run: no two files are alike.
        indices: `(n,)` into the examples of the study.
        logits: `(n, k)` float32, as `results.OutOfFold.logits` of one repeat.
        target: Of these examples, as in `Examples.target`: of classes the true one is always kept.
    """
    kind = kind_of(target)
    arrays: dict[str, Any] = {"run": np.array(key), "indices": indices.astype(np.int32)}
    if kind != "number":
        logits = np.clip(logits, -FLOAT16_MAX, FLOAT16_MAX)  # half precision overflows beyond; NaN stays NaN
    if kind == "number":
        arrays["logits"] = logits.astype(np.float32)
    elif kind != "label" or logits.size * 2 <= DENSE_BYTES or logits.shape[1] <= TOP + 1:
        arrays["logits"] = logits.astype(np.float16)
    else:
        top = np.argpartition(-logits, TOP, axis=1)[:, :TOP]
        values = np.take_along_axis(logits, top, axis=1)
        true = np.take_along_axis(logits, target[:, None], axis=1)
        kept = np.concatenate([top, target[:, None]], axis=1)
        rest = logits.astype(np.float64).copy()
        np.put_along_axis(rest, kept, -np.inf, axis=1)
        highest = rest.max(axis=1, keepdims=True)
        arrays |= {
            "top": kept.astype(np.int32),
            "top_logits": np.concatenate([values, true], axis=1).astype(np.float16),
            "rest": (highest[:, 0] + np.log(np.exp(rest - highest).sum(axis=1))).astype(np.float32),
            "classes": np.array(logits.shape[1], dtype=np.int32),
        }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()
    write_file(path, content, flush=False)
    return _digest(content)


def intact(path: Path, digest: str) -> bool:
    """Whether the file holds what was written; a file that nobody touched since is not read again by this process."""
    now = (identity(path), digest)
    if now[0] is None:
        return False
    if _intact.get(path) != now:
        if hash_file(path) != digest:
            return False
        _intact[path] = now
    return True


def read_predictions(path: Path, digest: str) -> tuple[np.ndarray, np.ndarray]:
    """`(indices, logits float32 (n, classes))`; classes that were not kept share the remaining mass equally.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not what was written.
    """
    content = path.read_bytes()
    if _digest(content) != digest:
        raise ValueError("it is not what was written")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        indices = stored["indices"].astype(np.int64)
        if "logits" in stored:
            return indices, stored["logits"].astype(np.float32)
        classes, top = int(stored["classes"]), stored["top"]
        kept = np.zeros((len(top), classes), dtype=bool)
        np.put_along_axis(kept, top, True, axis=1)
        others = np.maximum(classes - kept.sum(axis=1), 1)
        logits = np.repeat((stored["rest"] - np.log(others))[:, None], classes, axis=1).astype(np.float32)
        np.put_along_axis(logits, top, stored["top_logits"].astype(np.float32), axis=1)
        return indices, logits


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
