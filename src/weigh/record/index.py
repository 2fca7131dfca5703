"""The index of the examples, kept in the study folder so that a report needs neither the data nor torch."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from weigh.data.examples import Examples
from weigh.data.written import Written
from weigh.disk import seal, storage_errors, unseal, write_file
from weigh.errors import RecordError
from weigh.kinds.base import Kind, kind_named, rows_of
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.kinds.number import NUMBER
from weigh.kinds.spans import SPANS
from weigh.language import text
from weigh.media import medium_named
from weigh.notices import notice

__all__ = ["read_index", "write_index"]

NAME = "examples.npz"


def write_index(folder: Path, examples: Examples) -> None:
    """Keep `examples` as examples.npz (fixed-width text and numbers; texts of any length as JSON in UTF-8; no pickle)."""
    columns: dict[str, Any] = {
        "path": examples.path.astype(str),
        "kind": np.array(examples.kind.name),
        "medium": np.array(examples.medium.name),
        "target": examples.kind.store(examples.target),
        "part": examples.part.astype(str),
        "order": examples.order,
        "content": examples.content.astype(str),
        "classes": np.array(examples.classes, dtype=str),
        "fingerprint": np.array(examples.fingerprint),
        "root": np.array(str(examples.root)),
        "order_source": np.array(examples.order_source),
        "slice_names": np.array(list(examples.slices), dtype=str),
    }
    if examples.group is not None:
        columns["group"] = examples.group.astype(str)
    if examples.rows is not None:
        columns["rows"] = _pack(examples.rows)
    if examples.written is not None:
        columns["written"] = np.array(json.dumps(examples.written.as_json(), ensure_ascii=False))
    columns |= {f"slice_{i}": column.astype(str) for i, column in enumerate(examples.slices.values())}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    path = folder / NAME
    if path.exists() and _read(path) is None:
        notice(text("{p} was damaged; it is written anew.", "{p} 已损坏，现重新写入。", p=path))
    write_file(path, seal(buffer.getvalue()))


def _read(path: Path) -> bytes | None:
    """What was written; None where it is damaged."""
    with storage_errors(path):
        content = path.read_bytes()
    try:
        return unseal(content)
    except ValueError:
        return None


def _pack(rows: np.ndarray) -> np.ndarray:
    """Rows of any length as bytes: fixed width would cost what the longest text takes, for every row."""
    packed = json.dumps(rows.tolist(), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return np.frombuffer(packed, dtype=np.uint8)


def _unpack(packed: np.ndarray) -> np.ndarray:
    """`(n,)` object: tuples, of tuples where rows held lists."""
    listed = json.loads(packed.tobytes().decode("utf-8", "surrogatepass"))
    return rows_of([tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in listed])


def _kind_of_old(stored: np.ndarray) -> Kind:
    """The kind of targets in a folder of 2026-11-27 or earlier, which does not name it."""
    if stored.dtype == np.uint8:
        return LABELS if stored.ndim == 2 else SPANS
    return NUMBER if stored.dtype.kind == "f" else LABEL


def _medium_of_old(stored: Any) -> str:
    """The medium of examples in a folder of 2026-11-27 or earlier, which does not name it."""
    return "sentences" if "tokens" in stored else "texts" if "texts" in stored else "pictures"


def read_index(folder: Path) -> Examples:
    """The examples of the study in `folder`.

    Raises:
        RecordError: The file is missing or damaged.
    """
    path = folder / NAME
    content = _read(path) if path.exists() else None
    if content is None:
        raise RecordError(
            text("{p} is missing or damaged.", "{p} 缺失或已损坏。", p=path),
            text("It says which example is which.", "它记录了各个样本的身份。"),
            text("Run the study again: it is written anew from the data.", "请再次运行研究：会根据数据重新写入。"),
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        names = [str(name) for name in stored["slice_names"]]
        rows = next(
            (_unpack(stored[name]) for name in ("rows", "tokens", "texts") if name in stored), None
        )  # the last two: of old
        kind = kind_named(str(stored["kind"])) if "kind" in stored else _kind_of_old(stored["target"])
        return Examples(
            root=Path(str(stored["root"])),
            path=stored["path"],
            kind=kind,
            target=kind.restore(stored["target"]),
            classes=tuple(str(name) for name in stored["classes"]),
            part=stored["part"],
            order=stored["order"],
            content=stored["content"],
            group=stored.get("group"),
            order_source=str(stored["order_source"]),  # type: ignore[arg-type]
            slices={name: stored[f"slice_{i}"] for i, name in enumerate(names)},
            fingerprint=str(stored["fingerprint"]),
            rows=rows,
            medium=medium_named(str(stored["medium"]) if "medium" in stored else _medium_of_old(stored)),
            written=Written.from_json(json.loads(str(stored["written"]))) if "written" in stored else None,
        )
