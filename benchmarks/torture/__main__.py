"""`make torture`, part by part.

python -m benchmarks.torture PART [--count N] [--seed S]     one part; its rows go to benchmarks/torture/results/PART.json
python -m benchmarks.torture all                             every part
python -m benchmarks.torture publish                         docs/reliability.md from what was run

A part is a module of this folder with a function `run(*, count: int | None, seed: int) -> list[Row]`; `count` None means the
number of tries that docs/reliability.md states.
"""

from __future__ import annotations

import argparse
import importlib
import json
import signal
from pathlib import Path

from benchmarks.torture.rows import RESULTS, save

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reliability.md"
PARTS = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("__init__", "__main__", "rows"))


def run_part(part: str, *, count: int | None, seed: int) -> bool:
    """Runs one part and stores its rows; True when every promise held."""
    rows = importlib.import_module(f"benchmarks.torture.{part}").run(count=count, seed=seed)
    for row in rows:
        print(f"{row.held}/{row.tried}  {row.promise}  ({row.seconds:.0f} s)", flush=True)
        for failure in row.failures[:20]:
            print(f"    {failure}", flush=True)
    save(part, rows)
    return all(row.held == row.tried for row in rows)


def publish() -> Path:
    """Writes docs/reliability.md: one line per promise, with how often it was tried and held."""
    lines = [
        "# What happens when things go wrong",
        "",
        "Kills, interrupts, full disks, damaged files and hostile inputs, tried in numbers. Made by `make torture`; each line can be run",
        "alone with the command that stands in it. A try that does not hold is named below the table.",
        "",
        "| promise | held | tried | seconds | command | date, machine |",
        "|---|---|---|---|---|---|",
    ]
    failures: list[str] = []
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for row in content["rows"]:
            lines.append(
                f"| {row['promise']} | {row['held']} | {row['tried']} | {row['seconds']:.0f} | `{row['command']}` "
                f"| {content['date']}, {content['machine']} |"
            )
            failures += [f"- {row['part']}: {failure}" for failure in row["failures"]]
    if failures:
        lines += ["", "## Tries that did not hold", "", *failures]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return PAGE


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("part", choices=[*PARTS, "all", "publish"])
parser.add_argument("--count", type=int, default=None)
parser.add_argument("--seed", type=int, default=0)

if __name__ == "__main__":
    # A shell's background jobs and `nohup` ignore signals, and so would everything that is interrupted here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    options = parser.parse_args()
    if options.part == "publish":
        print(publish())
    else:
        parts = PARTS if options.part == "all" else [options.part]
        held = [run_part(part, count=options.count, seed=options.seed) for part in parts]
        raise SystemExit(0 if all(held) else 1)
