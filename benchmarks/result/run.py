"""One contender on one data set with one budget: started, watched, ended where it does not end, and kept as a record.

Counted is the wall clock of the whole training process, imports and start-up included, up to the moment when the trained model exists (for weigh: when
`weigh run` has written its report and its model). Predicting the test part is timed apart, for all alike.

Before it: `sets.py`. After it: `judge.py` reads the records. A record that exists is not made again.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.result.contenders import CONTENDERS, INTERPRETERS, OURS
from benchmarks.result.sets import write_set
from benchmarks.result.work import Work, write_weights
from benchmarks.speed.contenders import versions
from benchmarks.speed.records import environment, load, machine, save

__all__ = ["GRACE", "KILL", "is_late", "read_records", "run_contender"]

GRACE = 0.25  # of the budget: whoever ends later than this has no prediction, which counts as the most frequent class of the training part
KILL = 2.5  # budgets after which a process is ended; what is late but ends before is recorded, and told
STAGES = ("feature", "train", "words")  # seconds of a run that weigh records
PREDICTING = 420.0  # seconds after which predicting is ended


def is_late(record: dict[str, Any]) -> bool:
    """Whether it ended after the grace, or not at all."""
    return record["seconds"] is None or record["seconds"] > (1 + GRACE) * record["budget"]


def read_records(folder: Path) -> list[dict[str, Any]]:
    """All records of a folder."""
    return list(load("*", folder / "records").values())


@dataclass
class _Ended:
    """How a process ended: exit code (None: ended by us), seconds, and its lines with the second at which each was written."""

    code: int | None
    seconds: float
    lines: list[tuple[float, str]]


def run_contender(folder: Path, set_name: str, contender: str, budget: float) -> dict[str, Any] | None:
    """Run it, unless it is recorded; None where it was."""
    name = f"{set_name}+{budget:g}+{contender.replace(', ', '-').replace(' ', '-')}"
    if load(name, folder / "records"):
        return None
    place = write_set(set_name, folder)
    about = json.loads((place / "set.json").read_text("utf-8"))
    weights = write_weights(about["model"], folder)
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    record: dict[str, Any] = {
        "set": set_name, "contender": contender, "budget": budget, "machine": machine(), "versions": versions(contender, CONTENDERS),
        "pinned": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }  # fmt: skip
    started = time.time()
    work = Work(
        shown=str(place / "shown"), medium=about["medium"], model=about["model"], weights=str(weights),
        classes=tuple(about["classes"]), budget=budget, deadline=started + budget, scratch=str(scratch),
    )  # fmt: skip
    record |= (_run_weigh if contender in OURS else _run_worker)(work, contender, folder)
    record["wall_seconds"] = time.time() - started
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    record["processor_seconds"] = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    save(name, record, folder / "records")
    return record


def _watched(command: list[str], env: dict[str, str], limit: float, trained: Path | None = None) -> _Ended:
    """Run a command. It is ended after `limit` seconds; where the file `trained` is there by then, PREDICTING seconds later."""
    started, lines = time.time(), list[tuple[float, str]]()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=env
    )

    def listen() -> None:
        for line in process.stdout or ():
            lines.append((round(time.time() - started, 1), line.rstrip()[:300]))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    code: int | None = None
    while code is None:
        try:
            code = process.wait(0.05)
        except subprocess.TimeoutExpired:
            passed = time.time() - started
            if passed > limit + PREDICTING or (passed > limit and not (trained and trained.exists())):
                process.kill()
                process.wait()
                break
    seconds = time.time() - started
    listener.join(5)
    return _Ended(code, seconds, lines)


def _cause(ended: _Ended) -> str:
    said = [line for _, line in ended.lines if line.strip()]
    return (
        f"ended by the benchmark after {ended.seconds:.0f} s"
        if ended.code is None
        else (said[-1] if said else f"exit {ended.code}")
    )


def _run_worker(work: Work, contender: str, _folder: Path) -> dict[str, Any]:
    scratch, named = Path(work.scratch), CONTENDERS[contender]
    python, env = sys.executable, environment(1)
    if contender in INTERPRETERS:  # with its own packages, and these benchmarks
        python, env = os.environ[INTERPRETERS[contender]], {**env, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [python, "-m", "benchmarks.result.worker", named.module, work.to_json()]
    start = work.deadline - work.budget
    ended = _watched(command, env, KILL * work.budget, scratch / "trained.json")
    row: dict[str, Any] = {"seconds": None, "predict_seconds": None, "predictions": None}
    if (scratch / "trained.json").exists():
        trained = json.loads((scratch / "trained.json").read_text("utf-8"))
        row |= {"seconds": trained["at"] - start, "facts": trained["facts"]}
        row["predict_seconds"] = ended.seconds - row["seconds"]
    row["predictions"] = _read_predictions(scratch / "predictions.csv", "prediction")
    if row["predictions"] is None:
        row |= {"seconds": None, "cause": _cause(ended), "lines": ended.lines[-30:]}
    return row


def _run_weigh(work: Work, contender: str, folder: Path) -> dict[str, Any]:
    scratch, shown = Path(work.scratch), Path(work.shown)
    study = scratch / "study"
    for kept in (folder / "cache").glob("*"):  # what a first run finds: unpacked weights, no features
        if kept.name != "models":
            shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    pictures = work.medium == "pictures"
    command = [sys.executable, "-m", "weigh", "run", str(shown / ("train" if pictures else "train.csv"))]
    if CONTENDERS[contender].options.get("one"):
        command += ["--models", work.model, "--recipes", "multilayer,finetune"]
    command += [
        "--budget",
        f"{work.budget:g}s",
        "--set",
        "metrics.primary=accuracy",
        "--offline",
        "--yes",
        "--lang",
        "en",
    ]
    ended = _watched([*command, "--output", str(study)], environment(1), KILL * work.budget)
    row: dict[str, Any] = {"predict_seconds": None, "predictions": None, "lines": _stages(ended.lines)}
    row["seconds"] = ended.seconds if ended.code == 0 else None
    if ended.code != 0:
        return {**row, "cause": _cause(ended)}
    target = scratch / "predicted.csv"
    predicting = [
        sys.executable,
        "-m",
        "weigh",
        "predict",
        str(study),
        str(shown / ("test" if pictures else "test.csv")),
    ]
    predicted = _watched([*predicting, "--output", str(target)], environment(1), PREDICTING)
    row |= {"predict_seconds": predicted.seconds, "facts": _study_facts(study)}
    row["predictions"] = _read_predictions(target, "label")
    if row["predictions"] is None:
        row |= {"seconds": None, "cause": _cause(predicted)}
    return row


def _stages(lines: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """What it said while it ran, up to the report."""
    before = next((i for i, (_, line) in enumerate(lines) if line.startswith("weigh · ")), len(lines))
    return [(second, line) for second, line in lines[: before + 1] if line.strip()]


def _study_facts(study: Path) -> dict[str, Any]:
    """The winner, and runs with their seconds by candidate and purpose."""
    from weigh.study import Study

    opened = Study.open(study)
    runs = opened.table("runs")
    groups: dict[str, dict[str, float]] = {}
    for run in runs.iter_rows(named=True):
        one = groups.setdefault(f"{run['candidate']} {run['purpose']} {run['status']}", {"runs": 0})
        one["runs"] += 1
        for stage in STAGES:
            one[stage] = round(one.get(stage, 0.0) + float(run.get(f"{stage}_seconds") or 0.0), 1)
    winner = next(
        (finding.candidates[0] for finding in opened.read() if finding.kind == "performance" and finding.candidates),
        None,
    )
    return {"winner": winner, "runs": groups}


def _read_predictions(path: Path, column: str) -> dict[str, str] | None:
    """Example -> class; None where nothing was predicted."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {Path(row["path"]).name if "path" in row else row.get("example") or row["row"]: row[column] for row in rows}
