"""Kills: nothing that did not fail is recorded as failed, no process is left over, and the findings are the same.

Each try is a study of 48 small pictures with a tiny network. An undisturbed study with `--jobs 1` says what the findings are
(findings.json without `measured`).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.torture.rows import Row
from benchmarks.torture.trials.processes import Bench, differs, failed_runs, findings, left_over, workers_of

COMMAND = "python -m benchmarks.torture workers"
KILLS_PER_STUDY = 3


def wait_for(condition: Callable[[], object], process: subprocess.Popen) -> None:
    while process.poll() is None and not condition():
        time.sleep(0.005)


def kill_workers(bench: Bench, expected: str, seconds: float, rng: random.Random, kills: int) -> tuple[int, list[str]]:
    """One or two workers of a study are killed at random moments; it goes on by itself."""
    done, wrong = 0, []
    while done < kills:
        study, here = bench.new_study(), 0
        driver = bench.start(study, jobs=2)
        for _ in range(min(2, kills - done)):
            wait_for(lambda driver=driver: workers_of(driver.pid), driver)
            time.sleep(rng.uniform(0, seconds / 2))
            if workers := workers_of(driver.pid):
                try:
                    os.kill(rng.choice(workers), signal.SIGKILL)
                    here += 1
                except ProcessLookupError:
                    continue
        code = driver.wait(timeout=600)
        if said := differs(study, expected, code):
            wrong += [f"{study.name}: {said}"] * max(here, 1)
        done += here
    return done, wrong


def kill_drivers(bench: Bench, expected: str, seconds: float, rng: random.Random, kills: int) -> tuple[int, list[str]]:
    """A driver is killed a few times at random moments and started again each time; by SIGKILL, or asked by SIGTERM."""
    done, wrong = 0, []
    while done < kills:
        study, here = bench.new_study(), 0
        for _ in range(min(KILLS_PER_STUDY, kills - done)):
            driver = bench.start(study, jobs=2)
            time.sleep(rng.uniform(0.2, seconds))
            workers = workers_of(driver.pid)
            if driver.poll() is not None:
                break
            driver.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            driver.wait(timeout=60)
            here += 1
            if orphans := left_over(workers):
                wrong.append(f"{study.name}: {len(orphans)} workers left over")
            if failed := failed_runs(study):
                wrong.append(f"{study.name}: {failed} failed runs after a kill")
        code, _ = bench.finish(study, jobs=2)
        if said := differs(study, expected, code):
            wrong += [f"{study.name}: {said}"] * max(here, 1)
        done += here
    return done, wrong


def run(*, count: int | None, seed: int) -> list[Row]:
    """60 kills of workers and 60 of drivers; with `count` so many of each."""
    rng, rows = random.Random(seed), []

    def add(promise: str, done: int, wrong: list[str], started: float) -> None:
        rows.append(
            Row("workers", promise, done, max(0, done - len(wrong)), time.monotonic() - started, COMMAND, wrong)
        )
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory(prefix="weigh-torture-") as folder:
        bench = Bench(Path(folder))
        calm = bench.new_study()
        code, _ = bench.finish(calm, jobs=1)
        assert code == 0, Path(f"{calm}-log.txt").read_text()
        expected = findings(calm)
        _, seconds = bench.finish(bench.new_study(), jobs=2)
        started = time.monotonic()
        done, wrong = kill_workers(bench, expected, seconds, rng, count or 60)
        add("A killed worker of two loses no run and changes no finding", done, wrong, started)
        started = time.monotonic()
        done, wrong = kill_drivers(bench, expected, seconds, rng, count or 60)
        add(
            "A killed driver leaves no worker after 5 s and no failed run; resumed, the findings are the same",
            done,
            wrong,
            started,
        )
    return rows
