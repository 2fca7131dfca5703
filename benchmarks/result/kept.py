"""Records of measured contenders, small enough to stay with the source, so that the page can be written again and the next measurement adds to them.

    results/10-minutes.jsonl        one line for each data set and contender

Predictions are kept as numbers of classes, in the order of the test part (`sets.py` draws it again from the data). Before it: `run.py`. After it:
`publish.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.result.judge import read_truth

__all__ = ["KEPT", "keep", "processor_of", "read_kept"]

KEPT = Path(__file__).parent / "results"
LINES = 40  # of what weigh printed, from the start: where its minutes went
Record = dict[str, Any]


def read_kept(folder: Path, kept: Path = KEPT) -> list[Record]:
    """All kept records, with predictions as `run.py` writes them.

    Args:
        folder: Of `sets/`, where the data sets are written.
    """
    lines = [line for file in sorted(kept.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()]
    return [_with_predictions(json.loads(line), folder) for line in lines]


def keep(records: Sequence[Record], folder: Path, kept: Path = KEPT) -> list[Record]:
    """Add records to the kept ones, in place of earlier ones of the same set, contender, budget and processor; returns all that are kept then."""
    held = {_key(record): record for record in [*read_kept(folder, kept), *records]}
    kept.mkdir(parents=True, exist_ok=True)
    for budget in sorted({record["budget"] for record in held.values()}):
        rows = [_with_numbers(held[key], folder) for key in sorted(held) if held[key]["budget"] == budget]
        written = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
        (kept / f"{budget / 60:g}-minutes.jsonl").write_text(written, "utf-8")
    return list(held.values())


def processor_of(machine: Mapping[str, Any]) -> str:
    """The kind of processor, with what decides how fast half precision is."""
    return f"{machine['processor']} ({', '.join(machine['instructions']) or 'without bf16'})"


def _key(record: Mapping[str, Any]) -> tuple[float, str, str, str]:
    return record["budget"], record["set"], record["contender"], processor_of(record["machine"])


def _order(record: Mapping[str, Any], folder: Path) -> tuple[list[str], list[str]]:
    """Examples of the test part, and classes, in the order of their numbers."""
    place = folder / "sets" / record["set"]
    return list(read_truth(place)), json.loads((place / "set.json").read_text("utf-8"))["classes"]


def _with_numbers(record: Record, folder: Path) -> Record:
    examples, classes = _order(record, folder)
    row = {**record, "lines": record.get("lines", [])[:LINES]}
    predicted = row.pop("predictions")
    if predicted is None:
        return {**row, "answers": None}
    number = {name: i for i, name in enumerate(classes)}
    return {**row, "answers": [number.get(predicted.get(example, ""), -1) for example in examples]}  # -1: none of them


def _with_predictions(row: Record, folder: Path) -> Record:
    examples, classes = _order(row, folder)
    record = dict(row)
    answers = record.pop("answers")
    if answers is None:
        return {**record, "predictions": None}
    return {**record, "predictions": {e: classes[n] for e, n in zip(examples, answers, strict=True) if n >= 0}}
