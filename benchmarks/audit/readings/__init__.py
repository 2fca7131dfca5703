"""Every sentence that says yes or no: designs in which it is false (null) and true (alternative), and how often it is wrong.

    python -m benchmarks.audit readings --seed 103 --studies 200 --only headline      while rules are chosen
    python -m benchmarks.audit readings                                               the published run, on a sealed seed

One file per sentence, each with a `PART` (several where sentences share their designs). After it: `publish.py`, which puts the tables into docs/audit.md.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.audit.readings import boxes, calibration, curve, equal, headline, labels, masks, order, shift
from benchmarks.audit.readings.part import COLUMNS, Kept, Part, read_rows, table

__all__ = ["PARTS", "READINGS", "readings_section", "run_readings"]

READINGS = 20261128  # sealed: run once, after the rules were fixed
PARTS: dict[str, Part] = {
    "curve": curve.PART,
    "labels": labels.PART,
    "headline": headline.PART,
    "calibration": calibration.PART,
    "equal": equal.PART,
    "detectable": equal.DETECTABLE,
    "shift": shift.NULL,
    "shift power": shift.POWER,
    "shift holds": shift.HOLDS,
    "ranking": shift.RANKING,
    "order": order.PART,
    "masks": masks.SCORES,
    "masks equal": masks.EQUAL,
    "masks different": masks.DIFFERENT,
    "boxes": boxes.SCORES,
    "boxes equal": boxes.EQUAL,
    "boxes different": boxes.DIFFERENT,
    "boxes other": boxes.OTHERS,
}


def run_readings(studies: int, seed: int, file: Path, only: Sequence[str] = ()) -> None:
    """Write one row for each design; rows of parts that are not run stay as they are in `file`."""
    kept = [row for row in _read(file) if only and row["part"] not in only]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([row[k] for k in COLUMNS] for row in kept)
        for name, part in PARTS.items():
            for row in part.rows(studies, seed) if not only or name in only else ():
                writer.writerow([name, row.design, row.studies, *(f"{v:.5g}" for v in row[2:])])
                out.flush()
                print(name, *row, flush=True)


def _read(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def readings_section(file: Path) -> Kept:
    """The section of docs/audit.md, and the p-values of all its promises."""
    text, p, rows = [_HEAD.format(seed=READINGS)], [], read_rows(file)
    for name, part in PARTS.items():
        chosen = [row for row in rows if row["part"] == name]
        if chosen:
            kept = part.promise(chosen)
            text.append(f"### {part.title}\n\n{kept.sentence}\n\n{table(part.header, chosen)}")
            p += [(f"{name}, {design}", value) for design, value in kept.p]
    return Kept("\n\n".join(text), p)


_HEAD = """## Every sentence that says yes or no

Each sentence of a report, on designs in which it is known to be false and on designs in which it is true: how often is it wrong, how often is it said?
One run on a sealed seed ({seed}; commit 089e175, of masks 254454a, of boxes dba29bf); all of it is simulated."""
