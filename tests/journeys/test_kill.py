"""`kill -9` at a random moment loses at most the run in progress, and the resumed study says the same, byte for byte.

Three kills here; `WEIGH_KILLS=20 pytest tests/journeys/test_kill.py` for the long proof.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

KILLS = int(os.environ.get("WEIGH_KILLS", "3"))


def command(photos: Path, tiny: str, folder: Path) -> list[str]:
    settings = [
        "design.folds=3",
        "design.repeats=2",
        "design.test=0.2",
        "recipes.finetune.epochs=2",
        "recipes.finetune.repeats=1",
        "recipes.finetune.image_size=32",
    ]
    sets = [part for setting in settings for part in ("--set", setting)]
    return [sys.executable, "-m", "weigh", "run", str(photos), "--models", tiny, "--recipes", "probe,finetune", "--offline",
            "--quiet", "--output", str(folder), *sets]  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "WEIGH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}


def without_measured(path: Path) -> str:
    from weigh.report.json_file import strip_measured

    return json.dumps(strip_measured(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True)


def recorded(study: Path) -> int:
    """Runs in the ledger, while another process writes it; -1 before there is one."""
    try:
        with closing(sqlite3.connect(f"file:{study / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
            return ledger.execute("SELECT COUNT(*) FROM runs").fetchone()[0]
    except sqlite3.OperationalError:
        return -1


@pytest.mark.slow
def test_killed_and_resumed_equals_undisturbed(photos, tiny, tmp_path):
    calm = tmp_path / "calm"
    subprocess.run(command(photos, tiny, calm / "study"), env=environment(calm), check=True, capture_output=True)
    expected, whole = without_measured(calm / "study" / "findings.json"), recorded(calm / "study")
    rng, interrupted = random.Random(1123), 0
    for kill in range(KILLS):
        folder = tmp_path / f"kill-{kill}"
        process = subprocess.Popen(
            command(photos, tiny, folder / "study"),
            env=environment(folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # at a random number of recorded runs: how long a run takes depends on what else the machine does
        wanted, deadline = rng.randrange(whole), time.monotonic() + 300
        while process.poll() is None and recorded(folder / "study") < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            interrupted += 1
        done = subprocess.run(
            command(photos, tiny, folder / "study"),
            env=environment(folder),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert without_measured(folder / "study" / "findings.json") == expected, f"kill {kill}"
        again = subprocess.run(
            [sys.executable, "-m", "weigh", "report", str(folder / "study"), "--format", "json"],
            env=environment(folder),
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(again.stdout)["study"]["runs"]["failed"] == 0
    assert interrupted >= KILLS * 0.6, f"only {interrupted} of {KILLS} were killed in time"


@pytest.mark.slow
def test_nine_repeats_are_five_and_four_also_when_killed_among_the_heads(photos, tiny, tmp_path):
    """Killed as soon as the features lie in the cache: they are not computed again, and nine say the same as nine."""

    def run(folder: Path, repeats: int) -> list[str]:
        return [sys.executable, "-m", "weigh", "run", str(photos), "--models", tiny, "--recipes", "probe", "--offline", "--quiet",
                "--output", str(folder / "study"), "--set", "design.folds=3", "--set", f"design.repeats={repeats}"]  # fmt: skip

    calm, torn = tmp_path / "calm", tmp_path / "torn"
    subprocess.run(run(calm, 9), env=environment(calm), check=True, capture_output=True)
    process = subprocess.Popen(
        run(torn, 5), env=environment(torn), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (stored := list((torn / "cache" / "arrays").glob("features-*.npy"))):
        assert process.poll() is None, "it ended without features in the cache"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.wait()
    written = stored[0].stat().st_ino
    for repeats in (5, 9):
        subprocess.run(run(torn, repeats), env=environment(torn), check=True, capture_output=True)
    assert [path.stat().st_ino for path in (torn / "cache" / "arrays").glob("features-*.npy")] == [written]
    assert without_measured(torn / "study" / "findings.json") == without_measured(calm / "study" / "findings.json")
