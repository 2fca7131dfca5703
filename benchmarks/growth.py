"""What grows with what: time, memory and disk against pictures, folds, repeats, candidates and classes.

    python -m benchmarks.growth                 about twenty minutes on two cores
    python -m benchmarks.growth --large         with 100,000 pictures
    python -m benchmarks.growth --only classes

One thing grows, the rest stays as in `BASE`. Pictures are synthetic JPEGs of 64 pixels, the model is tiny with random weights: the
point is not the network but everything around it. Each point is a process of its own with a fresh cache. `peak` is what
the system counts (`getrusage`), with mapped files; `own` is the largest memory that is the process's own (RssAnon, looked at 20
times a second), without files of the cache that are only mapped. The page is written by `python -m benchmarks.speed publish`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.records import load, machine, save
from benchmarks.speed.study75 import call
from benchmarks.speed.work import clock

__all__ = ["AXES", "BASE", "points"]

BASE = {"pictures": 1000, "folds": 5, "repeats": 5, "candidates": 2, "classes": 2}
AXES: dict[str, tuple[int, ...]] = {
    "pictures": (1000, 3000, 10_000, 30_000),
    "folds": (2, 5, 10, 20),
    "repeats": (1, 5, 10, 20),
    "candidates": (1, 2, 5, 10),
    "classes": (2, 10, 100, 1000),
}
FIXED = {"classes": {"pictures": 10_000, "repeats": 1, "candidates": 1}}  # ten pictures of each of a thousand classes
LARGE, SIDE, MODEL = 100_000, 64, "test_resnet"


def points(only: list[str], large: bool) -> Iterator[tuple[str, dict[str, int]]]:
    """Axis and design of each point."""
    for axis, values in AXES.items():
        if only and axis not in only:
            continue
        for value in (*values, *((LARGE,) if large and axis == "pictures" else ())):
            yield axis, {**BASE, **FIXED.get(axis, {}), axis: value}


def write_pictures(folder: Path, pictures: int, classes: int) -> None:
    """JPEGs in one folder per class; a colour says the class, noise does the rest."""
    from PIL import Image

    rng = np.random.default_rng(0)
    colours = rng.uniform(40, 215, (classes, 3))
    for k in range(classes):
        (folder / f"class-{k:04d}").mkdir(parents=True)
    for i in range(pictures):
        k = i % classes
        small = colours[k] + rng.normal(0, 45, (8, 8, 3))
        picture = Image.fromarray(small.clip(0, 255).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        picture.save(folder / f"class-{k:04d}" / f"{i:06d}.jpg", quality=85)


def write_models(folder: Path, count: int) -> list[str]:
    """Addresses of tiny networks that differ in their random weights."""
    import timm
    import torch
    from safetensors.torch import save_file

    addresses = []
    for m in range(count):
        torch.manual_seed(m)
        save_file(timm.create_model(MODEL, pretrained=False).state_dict(), folder / f"tiny{m}.safetensors")
        addresses.append(f"file:{folder / f'tiny{m}.safetensors'}@timm:{MODEL}")
    return addresses


def study(given: dict[str, Any]) -> dict[str, Any]:
    """One study, measured from inside."""
    os.environ["WEIGH_CACHE"] = given["cache"]
    from weigh.execute.driver import run_study
    from weigh.execute.listener import Silent
    from weigh.study import Study

    imported = _status("VmRSS")
    recipe = {"name": "probe", "image_size": SIDE}
    settings = [f"design.{key}={given[key]}" for key in ("folds", "repeats")]
    settings += ["run.offline=true", f"run.threads={given['threads']}"]
    made = Study.from_data(given["data"], given["models"], [recipe], settings=settings, folder=given["folder"])
    made.folder.mkdir(parents=True, exist_ok=True)
    with _Watch() as watch:
        with clock() as running:
            run_study(made.spec, made.folder, Silent())
        with clock() as reporting:
            opened = Study.open(made.folder)
            opened.write()
    records = opened.results().records
    return {
        "run": running.seconds,
        "report": reporting.seconds,
        "runs": len(records),
        "failed": sum(record.status != "done" for record in records),
        "imported_bytes": imported,
        "own_bytes": watch.own,
        "cache_bytes": _bytes_below(Path(given["cache"])),
        "arrays_bytes": _bytes_below(made.folder / "arrays"),
        "study_bytes": _bytes_below(made.folder),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


class _Watch:
    """The largest RssAnon while it is entered; 0 where the system does not say."""

    def __enter__(self) -> _Watch:
        self.own, self._ended = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.own = max(self.own, _status("RssAnon"))


def _status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def measure(only: list[str], *, large: bool, threads: int, limit: float, folder: Path | None = None) -> dict[str, Any]:
    """Measure and keep results/growth.json after every point; axes that are not measured now keep their rows."""
    kept = [row for row in load("growth", folder).get("growth", {}).get("rows", []) if only and row["axis"] not in only]
    content = {"part": "growth", "base": BASE, "machine": machine(), "threads": threads, "rows": kept}
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        root = Path(made)
        models = write_models(root, max(AXES["candidates"]))
        for number, (axis, design) in enumerate(points(only, large)):
            data = root / f"pictures-{design['pictures']}-{design['classes']}"
            if not data.exists():
                write_pictures(data, design["pictures"], design["classes"])
            place = {"folder": str(root / f"study-{number}"), "cache": str(root / f"cache-{number}")}
            given = {**design, **place, "data": str(data), "models": models[: design["candidates"]], "threads": threads}
            started = time.perf_counter()
            row: dict[str, Any] = {"axis": axis, **design, "processor": content["machine"]["processor"]}
            content["rows"].append(row)
            try:
                row |= call("study", given, module="benchmarks.growth", limit=limit)
            except subprocess.TimeoutExpired:
                row["stopped"] = limit
                print(f"{axis} {design[axis]:,}: stopped after {limit:.0f} s", flush=True)
                continue
            finally:
                save("growth", content, folder)
            said = f"run {row['run']:.1f} s, report {row['report']:.1f} s, peak {row['peak_bytes'] / 1e6:.0f} MB"
            print(f"{axis} {design[axis]:,}: {said} ({time.perf_counter() - started:.0f} s)", flush=True)
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="axes, separated by commas")
    parser.add_argument("--large", action="store_true", help=f"also {LARGE:,} pictures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--limit", type=float, default=300, help="seconds after which a point is stopped; the page says so"
    )
    given = parser.parse_args()
    only = [axis for axis in given.only.split(",") if axis]
    measure(only, large=given.large, threads=given.threads, limit=given.limit)


if __name__ == "__main__":
    if sys.argv[1:2] == ["study"]:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        print(json.dumps(study(json.loads(sys.argv[2]))), file=answers, flush=True)
    else:
        main()
