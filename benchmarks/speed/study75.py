"""A study of 75 heads: three backbones x 5 folds x 5 repeats on all solar cells, fresh cache, next to what it must not exceed.

A round measures in turn: the study with its default extras (order check, learning curve, cleaned) and its four repeats more; the
same without extras; the limit; scikit-learn's heads; one epoch of the textbook's loop with ResNet-18. Every part is a
process of its own, so that start-up can be counted or not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.finetune import write_weights
from benchmarks.speed.paired import in_turn
from benchmarks.speed.pictures import link_pictures
from benchmarks.speed.records import environment, machine, save
from benchmarks.speed.work import Work
from benchmarks.speed.worker import Called

__all__ = ["PARTS", "measure", "quantities"]

PARTS = ("default", "plain", "limit", "textbook", "sklearn")
REPEATS, MORE = 5, 4


def measure(
    *,
    rounds: int = 3,
    threads: int = 2,
    heads_folds: int = 5,
    parts: Sequence[str] = PARTS,
    pictures: int | None = None,
    models: Sequence[str] = (),
    folder: Path | None = None,
) -> dict[str, Any]:
    """Measure and keep results/study75.json after every round.

    Args:
        heads_folds: Of the 25 runs of each backbone, how many scikit-learn fits; its time is scaled, which the table says.
        pictures, models: Fewer pictures or other backbones, for smoke runs.
    """
    content: dict[str, Any] = {
        "part": "study75",
        "threads": threads,
        "machine": machine(),
        "rounds": [],
    }
    common = {"threads": threads, "pictures": pictures, "models": list(models), "repeats": REPEATS}
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="bench-") as made:
            root, row = Path(made), {}
            order = [part for part in in_turn(PARTS[:-1], number) if part in parts]
            order += ["sklearn"] if "sklearn" in parts else []  # needs the features that the limit kept
            for part in order:
                row[part] = _measure_part(part, root, common, heads_folds)
                print(f"round {number + 1}: {part}: {_brief(row[part])}", flush=True)
        content["rounds"].append(row)
        save("study75", content, folder)
    return content


def call(
    step: str, given: dict[str, Any], module: str = "benchmarks.speed.steps", limit: float | None = None
) -> dict[str, Any]:
    """A step in a process of its own; adds `wall`, the seconds from its start to its end.

    Raises:
        RuntimeError: It failed; with the end of what it wrote.
        TimeoutExpired: It took more than `limit` seconds and was ended.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, step, json.dumps(given)],
        capture_output=True,
        text=True,
        env=environment(given["threads"]),
        check=False,
        timeout=limit,
    )
    wall = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{step} failed:\n{done.stderr[-2000:]}")
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "wall": wall}


def _measure_part(part: str, root: Path, common: dict[str, Any], heads_folds: int) -> dict[str, Any]:
    place = {"folder": str(root / part / "study"), "cache": str(root / part / "cache"), "keep": str(root)}
    given = {**common, **place, "extras": part == "default", "heads_folds": heads_folds}
    Path(given["folder"]).mkdir(parents=True, exist_ok=True)
    if part in ("default", "plain"):
        first = call("study", given)
        more = call("study", {**given, "repeats": REPEATS + MORE})
        shutil.rmtree(root / part)
        return {**first, "more": more}
    if part == "textbook":
        return _textbook_epoch(root, common)
    return call(part, given)


def _textbook_epoch(root: Path, common: dict[str, Any]) -> dict[str, Any]:
    count = link_pictures("cells", common["pictures"], root / "all")
    few = link_pictures("cells", 32, root / "few")
    weights = str(write_weights("resnet18", root / "resnet18.safetensors"))
    work = Work(str(root / "all"), "resnet18", weights, 2, count, 32, common["threads"])
    warm = Work(str(root / "few"), "resnet18", weights, 2, few, 32, common["threads"])
    called = Called("textbook", work, warm, root / "textbook.log")
    try:
        epoch, peak = called.epoch()
    finally:
        called.close()
        shutil.rmtree(root / "all")
        shutil.rmtree(root / "few")
    return {"seconds": epoch.seconds, "images": epoch.images, "peak_bytes": peak}


def _brief(row: dict[str, Any]) -> str:
    shown = {k: v for k, v in row.items() if isinstance(v, float)}
    if "more" in row:
        shown["more"] = row["more"]["run"]
    return ", ".join(f"{k} {v:.1f}" for k, v in shown.items())


def quantities(content: dict[str, Any]) -> list[dict[str, float]]:
    """Seconds by name, a row for each round, as the ratios of the page need them."""
    rows = []
    for measured in content["rounds"]:
        row: dict[str, float] = {}
        for part in ("default", "plain"):
            if part not in measured:
                continue
            one = measured[part]
            row[part] = one["run"]
            row[f"{part}, all"] = one["wall"]
            row[f"{part}, report"] = one["report"]
            row[f"{part}, start-up"] = one["wall"] - one["inside"]
            row[f"{part}, heads"] = one["stages"].get("heads", 0.0)
            row[f"{part}, more"] = one["more"]["run"]
            row[f"{part}, more, all"] = one["more"]["wall"]
        if "limit" in measured:
            row["limit"] = measured["limit"]["pass"] + measured["limit"]["decode"]
            row["limit, folded"] = measured["limit"]["pass_folded"] + measured["limit"]["decode"]
            row["decode"] = measured["limit"]["decode"]
        if "sklearn" in measured:
            one = measured["sklearn"]
            row["sklearn"] = one["heads"] * one["planned"] / one["fits"]
        if "textbook" in measured:
            row["textbook"] = measured["textbook"]["seconds"]
        rows.append(row)
    return rows
