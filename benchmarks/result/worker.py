"""One contender in a process of its own: trains, says when that ended, predicts.

    python -m benchmarks.result.worker MODULE WORK.json

Writes SCRATCH/trained.json (the time, what was trained, versions), then SCRATCH/predictions.csv (example, prediction). Started by `run.py`.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.result.work import Work, read_test


def main(module: str, work: Work) -> None:
    import torch

    torch.set_num_threads(1)
    trained = import_module(f"benchmarks.result.contenders.{module}").train(work)
    scratch = Path(work.scratch)
    (scratch / "trained.json").write_text(json.dumps({"at": time.time(), "facts": trained.facts}), "utf-8")
    numbers, names = trained.predict(), read_test(work)[1]
    with (scratch / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("example", "prediction"))
        writer.writerows((name, work.classes[i]) for name, i in zip(names, numbers, strict=True))


if __name__ == "__main__":
    main(sys.argv[1], Work.from_json(sys.argv[2]))
