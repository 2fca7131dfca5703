"""A task of GLUE by its name on the hub, written once into the cache as the folder that GLUE itself hands out.

Before it: what the user typed ("glue/RTE", "nyu-mll/glue/rte"). After it: `tasks.py`, for which it is a folder like any other.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from weigh.data.contents import is_whole, keep_digests
from weigh.data.rows.hub import load_raw
from weigh.disk import write_file
from weigh.settings import cache_folder, user_path

__all__ = ["fetch_glue", "named_on_hub"]

REPOSITORY = "nyu-mll/glue"
CONFIGURATIONS = {
    "CoLA": "cola", "SST-2": "sst2", "MRPC": "mrpc", "STS-B": "stsb", "QQP": "qqp",
    "MNLI": "mnli", "QNLI": "qnli", "RTE": "rte", "WNLI": "wnli",
}  # fmt: skip
FILES = {
    "train": "train", "validation": "dev", "test": "test",
    "validation_matched": "dev_matched", "validation_mismatched": "dev_mismatched",
    "test_matched": "test_matched", "test_mismatched": "test_mismatched",
}  # fmt: skip
NUMBERED = ("CoLA", "SST-2", "MRPC", "QQP", "WNLI")  # GLUE's own files say 0 and 1 where the hub has names for them


def named_on_hub(source: str) -> str | None:
    """The task that a name like "glue/RTE" means, where no such folder is here; else None."""
    match = re.fullmatch(r"(?:hub:)?(?:nyu-mll/)?glue/([\w-]+)", source.rstrip("/"), flags=re.IGNORECASE)
    if match is None or user_path(source).exists():
        return None
    wanted = re.sub(r"\W", "", match[1]).casefold()
    return next((name for name in CONFIGURATIONS if re.sub(r"\W", "", name).casefold() == wanted), None)


def fetch_glue(task: str, *, offline: bool, typed: str = "") -> Path:
    """The folder of `task`, downloaded at its first use.

    Args:
        typed: What the user called it, for errors.

    Raises:
        MissingExtra: `datasets` is not installed.
        DataError: Offline and not downloaded before, or it cannot be loaded.
    """
    folder = cache_folder() / "glue" / task
    if not is_whole(folder):
        splits = dict(load_raw(REPOSITORY, CONFIGURATIONS[task], offline=offline, typed=typed))
        if task == "MNLI":
            _write(folder / "diagnostic.jsonl", load_raw(REPOSITORY, "ax", offline=offline, typed=typed)["test"], task)
        for split in splits:
            _write(folder / f"{FILES.get(split, split)}.jsonl", splits[split], task)
        keep_digests(folder)
    return folder


def _write(file: Path, rows: Any, task: str) -> None:
    """One JSON object a line: texts keep their quotes and line breaks. Labels that GLUE keeps secret (-1) are left out."""
    names = getattr(rows.features["label"], "names", None)
    lines = []
    for row in rows:
        label = row.pop("label")
        row.pop("idx", None)
        if label is not None and label >= 0:
            row["label"] = names[label] if names is not None and task not in NUMBERED else label
        lines.append(json.dumps(row, ensure_ascii=False))
    write_file(file, "\n".join(lines) + "\n")
