"""Worker processes: a dead one loses its job and nothing else, and all of them end with their driver."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.execute.deadly import Deadly, Hungry
from weigh.errors import ExecutionError
from weigh.execute.executor import open_executor
from weigh.execute.listener import Silent
from weigh.execute.planner import plan_study
from weigh.execute.pool import STARTS
from weigh.report.json_file import strip_measured
from weigh.study import Study

SETTINGS = ["design.folds=2", "design.repeats=1", "run.offline=true", "run.threads=1", "design.curve=false"]
ORPHAN_SECONDS = 5.0
TRIES = 2  # instead of three: for each a process loads torch
pytestmark = pytest.mark.alone


def test_a_dead_worker_loses_its_job_and_nothing_else(photos, tiny, tmp_path, monkeypatch):
    """One job kills its first worker, one every worker, one has no memory left beside others, two are calm: four are done with the numbers of this process, one is failed."""
    monkeypatch.setattr("weigh.execute.pool.TRIES", TRIES)
    strengths = {"kills once": 1.0, "kills always": 10.0, "hungry": 0.1, "calm": 100.0, "the same as calm": 100.0}
    recipes = [{"name": "probe", "label": name, "strengths": [value]} for name, value in strengths.items()]
    prediction = plan_study(Study.from_data(photos, [tiny], recipes, settings=SETTINGS).spec, None, Silent())
    examples, said = prediction.prepared.examples, []
    jobs = {job.runs[0].candidate.rpartition(" × ")[2]: job for job in prediction.jobs}
    with open_executor(1, examples, said.append) as here:
        expected = {job.id: outcomes for job, outcomes in here.run(list(jobs.values()))}
    for name, times in (("kills once", 1), ("kills always", 99)):
        (tmp_path / name).mkdir()
        job = jobs[name]
        jobs[name] = replace(
            job, setting=replace(job.setting, model={**job.setting.model, "deadly": Deadly(tmp_path / name, times)})
        )
    (tmp_path / "hungry").mkdir()
    jobs["hungry"] = replace(jobs["hungry"], setting=replace(jobs["hungry"].setting, model=Hungry(tmp_path / "hungry")))
    with open_executor(2, examples, said.append) as workers:
        outcomes_by_job = {job.id: outcomes for job, outcomes in workers.run(list(jobs.values()))}
        again = {job.id: outcomes for job, outcomes in workers.run([jobs["calm"]])}  # the workers serve further jobs
    assert not [child for child in multiprocessing.active_children() if child.name == "weigh-worker"]
    for name, job in jobs.items():
        for mine, theirs in zip(outcomes_by_job[job.id], expected[job.id], strict=True):
            assert mine.key == theirs.key
            if name == "kills always":
                assert mine.status == "failed"
                assert f"each of {TRIES} times" in mine.cause
                assert "SIGKILL" in mine.cause
                assert "--retry-failed" in mine.cause
            else:
                assert mine.status == "done", mine.cause
                assert np.array_equal(mine.answers, theirs.answers)
    assert [
        np.array_equal(a.answers, b.answers)
        for a, b in zip(again[jobs["calm"].id], expected[jobs["calm"].id], strict=True)
    ]
    assert len(list((tmp_path / "kills always").iterdir())) == TRIES
    assert len(list((tmp_path / "kills once").iterdir())) == 1
    # one death of the first job, those of the second that were not the last, and the third without memory
    assert sorted(("SIGKILL" in sentence.en, "out of memory" in sentence.en) for sentence in said) == [
        (False, True),
        *[(True, False)] * TRIES,
    ]
    assert all("重试" in sentence.zh for sentence in said)


def test_workers_that_never_begin_are_an_error_and_not_failed_runs(photos, tiny, tmp_path):
    """Examples that kill whoever receives them: no job was begun, so none has failed."""
    prediction = plan_study(Study.from_data(photos, [tiny], ["probe"], settings=SETTINGS).spec, None, Silent())
    examples = replace(prediction.prepared.examples, root=Deadly(tmp_path, 99))
    with pytest.raises(ExecutionError, match="--jobs 1"), open_executor(2, examples, lambda said: None) as workers:
        list(workers.run(prediction.jobs))
    assert STARTS <= len(list(tmp_path.iterdir())) <= STARTS + 2


# ---- processes of their own


def children_of(driver: int) -> list[int]:
    """Worker processes of a driver; where it is gone already, none."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == driver and b"spawn_main" in (stat.parent / "cmdline").read_bytes():
                children.append(int(stat.parent.name))
        except (OSError, ValueError, IndexError):
            continue
    return children


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def statuses(study: Path) -> list[str]:
    try:
        with closing(sqlite3.connect(f"file:{study / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
            return [status for (status,) in ledger.execute("SELECT status FROM runs")]
    except sqlite3.OperationalError:
        return []


def findings(study: Path) -> str:
    return json.dumps(strip_measured(json.loads((study / "findings.json").read_text("utf-8"))), sort_keys=True)


DRIVER = """
import sys, time
from weigh.execute.pool import _start
from tests.execute.deadly import Endless
if __name__ == "__main__":
    workers = [_start(), _start()]
    for worker in workers:
        assert worker.pipe.recv()[0] == "started"
    workers[0].pipe.send(Endless())  # busy for ever, in Python; the other one waits
    print(*(worker.process.pid for worker in workers), flush=True)
    time.sleep(600)
"""
QUICK = """
import sys
from weigh.cli.main import main
from weigh.execute import choices
choices.TIMED = 0.0  # as in conftest.py
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@needs_proc
def test_workers_end_when_their_driver_is_killed(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    root = str(Path(__file__).parents[2])  # so that the script can import this folder's jobs
    driver = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert driver.stdout is not None
    workers = [int(number) for number in driver.stdout.readline().split()]
    assert len(workers) == 2
    assert all(map(alive, workers))
    driver.kill()
    driver.wait()
    driver.stdout.close()
    wait_for(lambda: not any(map(alive, workers)), ORPHAN_SECONDS)


@pytest.mark.slow
@needs_proc
def test_a_killed_worker_and_a_terminated_driver_change_nothing(photos, tiny, tmp_path):
    """A study with two workers, one of them killed, asked to end while it trains: resumed, its findings are those of an undisturbed one."""
    settings = [
        *SETTINGS,
        "design.folds=3",
        "recipes.finetune.epochs=1",
        "recipes.finetune.image_size=32",
        "design.order_check=false",
    ]
    command = [sys.executable, "-c", QUICK, "run", str(photos), "--models", tiny, "--recipes", "probe,finetune", "--quiet", "--jobs", "2",
               "--output", str(tmp_path / "torn"), *(part for setting in settings for part in ("--set", setting))]  # fmt: skip
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    wait_for(lambda: len(children_of(driver.pid)) == 2)
    killed = children_of(driver.pid)[0]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: statuses(tmp_path / "torn") or driver.poll() is not None)
    workers = children_of(driver.pid)
    driver.send_signal(signal.SIGTERM)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, err
    assert "goes on from here" in err
    assert "Traceback" not in err
    wait_for(lambda: not any(map(alive, workers)), ORPHAN_SECONDS)
    assert set(statuses(tmp_path / "torn")) == {"done"}
    settings = [*settings, "run.jobs=1"]
    study = Study.from_data(photos, [tiny], ["probe", "finetune"], settings=settings, folder=tmp_path / "torn").run()
    calm = Study.from_data(photos, [tiny], ["probe", "finetune"], settings=settings, folder=tmp_path / "calm").run()
    assert findings(study.folder) == findings(calm.folder)
