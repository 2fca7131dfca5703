"""Tiny studies in processes of their own, and what is left of them: for `workers.py` and `parallel.py`."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

SETTINGS = ["design.folds=2", "design.repeats=1", "design.curve=false", "design.order_check=false", "recipes.finetune.epochs=1",
            "recipes.finetune.image_size=32"]  # fmt: skip
ORPHAN_SECONDS = 5.0


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
        log = Path(f"{study}-log.txt").open("a")  # noqa: SIM115 - the process keeps it
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
        lines = Path(f"{study}-log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
        return f"exit code {code}: {' / '.join(line for line in lines[-12:] if line.strip())[-600:]}"
    if failed_runs(study):
        return f"{failed_runs(study)} failed runs"
    return "" if findings(study) == expected else "other findings"
