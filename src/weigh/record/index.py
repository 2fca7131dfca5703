"""The index of the examples, kept in the study folder so that a report needs neither the data nor torch."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from weigh.data.examples import Examples
from weigh.record.arrays import write_atomically

__all__ = ["read_index", "write_index"]

NAME = "examples.npz"


def write_index(folder: Path, examples: Examples) -> None:
    """Keep `examples` as examples.npz (fixed-width text and integers; no pickle)."""
    columns = {
        "path": examples.path.astype(str),
        "target": examples.target,
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
    columns |= {f"slice_{i}": column.astype(str) for i, column in enumerate(examples.slices.values())}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    write_atomically(folder / NAME, buffer.getvalue())


def read_index(folder: Path) -> Examples:
    """The examples of the study in `folder`."""
    with np.load(folder / NAME, allow_pickle=False) as stored:
        names = [str(name) for name in stored["slice_names"]]
        return Examples(
            root=Path(str(stored["root"])),
            path=stored["path"],
            target=stored["target"],
            classes=tuple(str(name) for name in stored["classes"]),
            part=stored["part"],
            order=stored["order"],
            content=stored["content"],
            group=stored.get("group"),
            order_source=str(stored["order_source"]),  # type: ignore[arg-type]
            slices={name: stored[f"slice_{i}"] for i, name in enumerate(names)},
            fingerprint=str(stored["fingerprint"]),
        )
