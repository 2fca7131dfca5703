"""`kill -9` at a random moment loses at most the run in progress, and the resumed study says the same, byte for byte.

One kill here, six with `thorough`; `WEIGH_KILLS=20 pytest tests/journeys/test_kill.py` for the long proof.
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

from weigh.cli.main import main
from weigh.report.json_file import strip_measured
from weigh.study import Study

KILLS = [1, pytest.param(6, marks=pytest.mark.thorough)]
if "WEIGH_KILLS" in os.environ:
    KILLS = [int(os.environ["WEIGH_KILLS"])]


def arguments(photos: Path, tiny: str, folder: Path, recipes: str, *settings: str) -> list[str]:
    """Of `weigh`."""
    sets = [part for setting in ("run.threads=1", *settings) for part in ("--set", setting)]
    return [
        "run",
        str(photos),
        "--models",
        tiny,
        "--recipes",
        recipes,
        "--offline",
        "--quiet",
        "--output",
        str(folder),
        *sets,
    ]


def both(photos: Path, tiny: str, folder: Path) -> list[str]:
    """Probes and small trainings."""
    finetune = ["recipes.finetune.epochs=2", "recipes.finetune.repeats=1", "recipes.finetune.image_size=32"]
    design = ["design.folds=2", "design.repeats=2", "design.test=0.2"]
    return arguments(photos, tiny, folder, "probe,finetune", *design, *finetune)


QUICK = """
import sys
from weigh.cli.main import main
from weigh.execute import choices
choices.TIMED = 0.0  # as in conftest.py
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def started(given: list[str], cache: Path) -> subprocess.Popen:
    """`weigh` in a process that may be killed."""
    return subprocess.Popen(
        [sys.executable, "-c", QUICK, *given], env={**os.environ, "WEIGH_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


@pytest.fixture
def undisturbed(monkeypatch):
    """`weigh` in this process, with a cache of its own."""

    def run(given: list[str], cache: Path) -> None:
        monkeypatch.setenv("WEIGH_CACHE", str(cache))
        assert main(given) == 0

    return run


def without_measured(path: Path) -> str:
    return json.dumps(strip_measured(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True)


def recorded(study: Path) -> int:
    """Runs in the ledger, while another process writes it; -1 before there is one."""
    try:
        with closing(sqlite3.connect(f"file:{study / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
            return ledger.execute("SELECT COUNT(*) FROM runs").fetchone()[0]
    except sqlite3.OperationalError:
        return -1


@pytest.mark.slow
@pytest.mark.parametrize("kills", KILLS)
def test_killed_and_resumed_equals_undisturbed(photos, tiny, tmp_path, undisturbed, kills):
    """Each study is killed up to three times."""
    calm = tmp_path / "calm"
    undisturbed(both(photos, tiny, calm / "study"), calm / "cache")
    expected, whole = without_measured(calm / "study" / "findings.json"), recorded(calm / "study")
    assert json.loads(expected)["study"]["runs"]["failed"] == 0
    rng, interrupted = random.Random(1123), 0
    for first in range(0, kills, 3):
        torn = tmp_path / f"torn-{first}"
        for wanted in sorted(rng.randrange(whole) for _ in range(min(3, kills - first))):
            wanted = max(wanted, recorded(torn / "study") + 1)  # it has begun to go on
            process = started(both(photos, tiny, torn / "study"), torn / "cache")
            # at a random number of recorded runs: how long a run takes depends on what else the machine does
            deadline = time.monotonic() + 300
            while process.poll() is None and recorded(torn / "study") < wanted:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.05))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                interrupted += 1
            process.wait()
        undisturbed(both(photos, tiny, torn / "study"), torn / "cache")
        assert without_measured(torn / "study" / "findings.json") == expected, f"study {first}"
        again = Study.open(torn / "study").report("json")
        assert json.dumps(strip_measured(json.loads(again)), sort_keys=True) == expected
    assert interrupted >= kills / 2, f"only {interrupted} of {kills} were killed in time"


@pytest.mark.slow
def test_five_repeats_are_three_and_two_also_when_killed_among_the_heads(photos, tiny, tmp_path, undisturbed):
    """Killed as soon as the features lie in the cache: they are not computed again, and five say the same as five."""

    def given(folder: Path, repeats: int) -> list[str]:
        return arguments(photos, tiny, folder / "study", "probe", "design.folds=2", f"design.repeats={repeats}")

    calm, torn = tmp_path / "calm", tmp_path / "torn"
    undisturbed(given(calm, 5), calm / "cache")
    process = started(given(torn, 3), torn / "cache")
    deadline = time.monotonic() + 300
    while not (stored := list((torn / "cache" / "arrays").glob("features-*.npy"))):
        assert process.poll() is None, "it ended without features in the cache"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.wait()
    written = stored[0].stat().st_ino
    for repeats in (3, 5):
        undisturbed(given(torn, repeats), torn / "cache")
    assert [path.stat().st_ino for path in (torn / "cache" / "arrays").glob("features-*.npy")] == [written]
    assert without_measured(torn / "study" / "findings.json") == without_measured(calm / "study" / "findings.json")
