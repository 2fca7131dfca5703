"""Fine-tuning: pictures a second over a whole epoch of real files, every contender in turn, round by round.

Each contender is a process that stays alive and sleeps between its turns; a round asks each for one epoch. Reading the
result: `weigh` / `textbook` is a ratio of speeds within one round (paired.py).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.speed.contenders import CONTENDERS, LEFT_OUT, missing
from benchmarks.speed.paired import in_turn, ratios
from benchmarks.speed.pictures import PicturesMissing, link_pictures
from benchmarks.speed.records import machine, save
from benchmarks.speed.work import Work
from benchmarks.speed.worker import Called, ContenderFailed

__all__ = ["INSTALL", "MODELS", "measure", "speeds"]

MODELS = {"resnet18": (32, 512), "resnet50": (16, 192), "tf_efficientnet_lite0": (32, 512)}  # batch, pictures
INSTALL = "pip install --no-deps -r requirements/bench.txt"


def measure(
    data: str,
    model: str,
    *,
    contenders: Sequence[str] = tuple(CONTENDERS),
    rounds: int = 3,
    pictures: int | None = None,
    batch: int | None = None,
    threads: int = 2,
    folder: Path | None = None,
) -> dict[str, Any] | None:
    """Measure and keep `results/finetune-DATA-MODEL.json` after every round; None where the data are missing."""
    size, most = MODELS.get(model, (32, 256))
    size, most = batch or size, pictures or most
    absent = {name: f"not installed: {', '.join(missing(name))} ({INSTALL})" for name in contenders if missing(name)}
    for name, why in absent.items():
        print(f"{name}: {why}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        root = Path(made)
        try:
            count = link_pictures(data, most, root / "all")
            few = link_pictures(data, 2 * size, root / "few")
        except PicturesMissing as error:
            print(f"{data}: skipped: {error}", flush=True)
            return None
        weights = str(write_weights(model, root / "weights.safetensors"))
        work = Work(str(root / "all"), model, weights, 2, count, size, threads)
        warm = replace(work, folder=str(root / "few"), pictures=few)
        content: dict[str, Any] = {
            "part": "finetune", "data": data, "model": model, "batch": size, "pictures": count, "threads": threads,
            "machine": machine(), "absent": {**absent, **LEFT_OUT}, "versions": {}, "rounds": [],
        }  # fmt: skip
        called = _start([name for name in contenders if name not in absent], work, warm, root, content)
        try:
            for number in range(rounds):
                content["rounds"].append(_round(called, number, content))
                save(f"finetune-{data}-{model}", content, folder)
        finally:
            for one in called.values():
                one.close()
    return content


def write_weights(model: str, file: Path) -> Path:
    """Random weights, the same for all contenders: speed does not depend on what they are."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(timm.create_model(model, pretrained=False).state_dict(), file)
    return file


def _start(names: Sequence[str], work: Work, warm: Work, root: Path, content: dict[str, Any]) -> dict[str, Called]:
    called = {}
    for name in names:
        try:
            called[name] = Called(name, work, warm, root / f"{name}.log")
            content["versions"][name] = called[name].versions
        except ContenderFailed as error:
            content["absent"][name] = f"failed: {error}"
            print(f"{name}: failed: {error}", flush=True)
    return called


def _round(called: dict[str, Called], number: int, content: dict[str, Any]) -> dict[str, Any]:
    row = {}
    for name in in_turn(list(called), number):
        try:
            epoch, peak = called[name].epoch()
        except ContenderFailed as error:
            content["absent"][name] = f"failed: {error}"
            print(f"{name}: failed: {error}", flush=True)
            called.pop(name).close()
            continue
        row[name] = {"images": epoch.images, "seconds": epoch.seconds, "peak_bytes": peak, **epoch.also}
        said = f"{content['data']} {content['model']} round {number + 1}: {name}"
        print(f"{said}: {epoch.images / epoch.seconds:.1f} pictures/s", flush=True)
    return row


def speeds(content: dict[str, Any]) -> list[dict[str, float]]:
    """Pictures a second by contender, a row for each round; "NAME, decoding too" where decoding was apart."""
    rows = []
    for measured in content["rounds"]:
        row = {name: one["images"] / one["seconds"] for name, one in measured.items()}
        row |= {
            f"{name}, decoding too": one["images"] / (one["seconds"] + one["decode"])
            for name, one in measured.items()
            if "decode" in one
        }
        rows.append(row)
    return rows


def show(content: dict[str, Any]) -> None:
    """Ratios on the terminal."""
    rows = speeds(content)
    for name in dict.fromkeys(name for row in rows for name in row):
        found = ratios(rows, "weigh", name)
        if found is not None:
            print(f"weigh / {name}: {found.written()}")
