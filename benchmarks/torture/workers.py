"""Kills, interrupts and workers: nothing that did not fail is recorded as failed, no process is left over, and the findings are the same.

Each try is a study of 48 small pictures with a tiny network. An undisturbed study with `--jobs 1` says what the findings are
(findings.json without `measured`).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks.torture.rows import Row

COMMAND = "python -m benchmarks.torture workers"
SETTINGS = ["design.folds=2", "design.repeats=1", "design.curve=false", "design.order_check=false", "recipes.finetune.epochs=1",
            "recipes.finetune.image_size=32"]  # fmt: skip
ORPHAN_SECONDS, KILLS_PER_STUDY = 5.0, 3
INTERRUPTS = Path(__file__).parent / "trials" / "interrupted.py"


class Bench:
    """Pictures, a checkpoint and a cache in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        import timm
        import torch
        from safetensors.torch import save_file

        from tests.conftest import make_photos

        self.folder, self.photos = folder, make_photos(folder / "photos")
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), folder / "tiny.safetensors")
        self.model = f"file:{folder / 'tiny.safetensors'}@timm:test_resnet"
        self.count = 0

    def new_study(self) -> Path:
        self.count += 1
        return self.folder / f"study-{self.count}"

    def start(self, study: Path, *, jobs: int, threads: int = 1) -> subprocess.Popen:
        sets = [part for setting in [*SETTINGS, f"run.threads={threads}"] for part in ("--set", setting)]
        command = [sys.executable, "-m", "weigh", "run", str(self.photos), "--models", self.model, "--recipes", "probe,finetune", "--offline",
                   "--quiet", "--output", str(study), "--jobs", str(jobs), *sets]  # fmt: skip
        # a cache of its own: a study that finds another one's features does less that could go wrong
        environment = {**os.environ, "WEIGH_CACHE": f"{study}-cache", "OMP_NUM_THREADS": str(threads)}
        log = (self.folder / "log.txt").open("a")
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def finish(self, study: Path, *, jobs: int, threads: int = 1) -> tuple[int, float]:
        """Exit code and seconds."""
        started = time.monotonic()
        return self.start(study, jobs=jobs, threads=threads).wait(timeout=600), time.monotonic() - started


def workers_of(driver: int) -> list[int]:
    workers = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == driver and b"spawn_main" in (stat.parent / "cmdline").read_bytes():
                workers.append(int(stat.parent.name))
        except (OSError, ValueError, IndexError):
            continue
    return workers


def left_over(processes: list[int]) -> list[int]:
    """Those that are still there after five seconds."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline and any(map(_alive, processes)):
        time.sleep(0.02)
    return [process for process in processes if _alive(process)]


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def failed_runs(study: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{study / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
            return ledger.execute("SELECT count(*) FROM runs WHERE status = 'failed'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def findings(study: Path) -> str:
    from weigh.report.json_file import strip_measured

    content = strip_measured(json.loads((study / "findings.json").read_text(encoding="utf-8")))
    return json.dumps(content, sort_keys=True)


def differs(study: Path, expected: str, code: int) -> str:
    """What is wrong with a finished study; "" where nothing is."""
    if code != 0:
        return f"exit code {code}"
    if failed_runs(study):
        return f"{failed_runs(study)} failed runs"
    return "" if findings(study) == expected else "other findings"


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


def interrupt_loading(seed: int, times: int) -> tuple[int, list[str], str]:
    """See `trials/interrupted.py`, which runs in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="weigh-torture-") as folder:
        command = [sys.executable, str(INTERRUPTS), folder, str(times), str(seed)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        return 0, [said.stderr.strip().splitlines()[-1]], ""
    content = json.loads(said.stdout.splitlines()[-1])
    return content["done"], content["wrong"], content["fates"]


def run(*, count: int | None, seed: int) -> list[Row]:
    """60 kills of workers, 60 of drivers, 100 interrupts, 20 studies for each number of workers and threads; with `count` so many of each."""
    rng, rows = random.Random(seed), []

    def add(promise: str, done: int, wrong: list[str], started: float) -> None:
        rows.append(
            Row("workers", promise, done, max(0, done - len(wrong)), time.monotonic() - started, COMMAND, wrong)
        )
        print(rows[-1], flush=True)

    started = time.monotonic()
    done, wrong, fates = interrupt_loading(seed, count or 100)
    add(f"An interrupt while weights are loaded is no failed run; findings as ever ({fates})", done, wrong, started)
    with tempfile.TemporaryDirectory(prefix="weigh-torture-") as folder:
        bench = Bench(Path(folder))
        calm = bench.new_study()
        code, _ = bench.finish(calm, jobs=1)
        assert code == 0, (bench.folder / "log.txt").read_text()
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
        started = time.monotonic()
        done, wrong = compare_jobs(bench, count or 20)
        add("2 and 4 workers with 1, 2 and 4 threads find what one finds with as many threads", done, wrong, started)
    return rows
