"""One row of docs/reliability.md: how often something was tried and how often the promise held."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """`promise` held in `held` of `tried` tries; `failures` names the others, so that each can be repeated."""

    part: str
    promise: str
    tried: int
    held: int
    seconds: float
    command: str
    failures: list[str] = field(default_factory=list)


def save(part: str, rows: list[Row]) -> Path:
    """Writes the rows of one part beside those of the others; a part run again replaces its own rows."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{part}.json"
    content = {"part": part, "date": str(date.today()), "machine": machine(), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def machine() -> str:
    """Processor and number of processors that may be used, for the table."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return f"{name}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} processors"
