"""Numbers of workers: 2 and 4 with 1, 2 and 4 threads each find what one finds with as many threads."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.torture.rows import Row
from benchmarks.torture.trials.processes import Bench, differs, findings

COMMAND = "python -m benchmarks.torture parallel"


def compare_jobs(bench: Bench, times: int) -> tuple[int, list[str]]:
    """2 and 4 workers with 1, 2 and 4 threads each against one worker with as many threads."""
    done, wrong = 0, []
    for threads in (1, 2, 4):
        calm = bench.new_study()
        code, _ = bench.finish(calm, jobs=1, threads=threads)
        assert code == 0, "the undisturbed study failed"
        for _ in range(times):
            for jobs in (2, 4):
                study = bench.new_study()
                code, _ = bench.finish(study, jobs=jobs, threads=threads)
                done += 1
                if said := differs(study, findings(calm), code):
                    wrong.append(f"{jobs} workers, {threads} threads: {said}")
    return done, wrong


def run(*, count: int | None, seed: int) -> list[Row]:
    """20 studies for each number of workers and threads, or `count`; nothing is random but the machine."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weigh-torture-") as folder:
        done, wrong = compare_jobs(Bench(Path(folder)), count or 20)
    promise = "2 and 4 workers with 1, 2 and 4 threads find what one finds with as many threads"
    return [Row("parallel", promise, done, done - len(wrong), time.monotonic() - started, COMMAND, wrong)]
