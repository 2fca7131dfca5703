"""Interrupts while weights are loaded: none becomes a failed run, and the findings are the same afterwards (`trials/interrupted.py`)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.torture.rows import Row

COMMAND = "python -m benchmarks.torture interrupts"
TRIALS = "benchmarks.torture.trials.interrupted"
ROOT = Path(__file__).parents[2]


def interrupt_loading(seed: int, times: int) -> tuple[int, list[str], str]:
    """See `trials/interrupted.py`, which runs in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="weigh-torture-") as folder:
        command = [sys.executable, "-m", TRIALS, folder, str(times), str(seed)]
        said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if said.returncode != 0:
        return 0, [said.stderr.strip().splitlines()[-1]], ""
    content = json.loads(said.stdout.splitlines()[-1])
    return content["done"], content["wrong"], content["fates"]


def run(*, count: int | None, seed: int) -> list[Row]:
    """100 interrupts, or `count`."""
    started = time.monotonic()
    done, wrong, fates = interrupt_loading(seed, count or 100)
    promise = f"An interrupt while weights are loaded is no failed run; findings as ever ({fates})"
    return [Row("interrupts", promise, done, max(0, done - len(wrong)), time.monotonic() - started, COMMAND, wrong)]
