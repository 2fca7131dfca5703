"""How long detections take to evaluate under many weights, beside pycocotools and hotcoco, which evaluate again each time.

    WEIGH_TEST_DATA=FOLDER python -m benchmarks.boxes

The 128 pictures of coco128 (929 boxes of 71 classes) and simulated detections. Of the others it is timed how long evaluating what is already
loaded takes, which leaves out making each resampled data set; hotcoco's own paired bootstrap is timed too. Before it: `statistics.py`, which
lists these rows among its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tests.boxes import TWELVE, annotations_of, coco, coco128, found_of, measured, simulated
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.boxes import BOXES
from weigh.metrics.base import METRICS

WEIGHTINGS = 1000
AGAIN = 10  # evaluations of the others that are timed


def measure_boxes() -> Iterator[tuple[str, Callable[[], object], int]]:
    """What is timed, and how often; nothing where the data are missing."""
    folder = Path(os.environ.get("WEIGH_TEST_DATA") or ".")
    if not (folder / "boxes/coco128").is_dir():
        return
    target, classes = coco128(folder)
    answers = simulated(np.random.default_rng(0), target, classes, noise=8)
    weights = np.random.default_rng(1).exponential(size=(WEIGHTINGS, len(target)))
    prediction, boxes = measured(answers, target)
    size = f"128 pictures, {sum(len(one.scores) for one in answers):,} detections"

    def weighed(names: tuple[str, ...]) -> None:
        for name in names:
            metric = METRICS.get(name)
            metric.reduce(metric.measure(prediction, boxes), weights)

    yield f"matching detections with boxes (10 overlaps × 4 areas): {size}", lambda: BOXES.recorded(answers, boxes), 5
    yield f"mAP of the same under {WEIGHTINGS:,} weightings", lambda: weighed(("map",)), 5
    yield f"all twelve numbers of COCO under {WEIGHTINGS:,} weightings", lambda: weighed(TWELVE), 3
    if find_spec("pycocotools"):
        evaluation = coco(answers, target, classes)
        yield f"pycocotools, evaluating {AGAIN} times", lambda: [_again(evaluation) for _ in range(AGAIN)], 3
    if find_spec("hotcoco"):
        yield from _hotcoco(answers, target, classes)


def _again(evaluation: Any) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()


def _hotcoco(
    answers: list[Detections], target: list[Boxes], classes: int
) -> Iterator[tuple[str, Callable[[], object], int]]:
    import hotcoco

    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        gold, told = Path(made) / "gold.json", Path(made) / "found.json"
        gold.write_text(json.dumps(annotations_of(target, classes)), encoding="utf-8")
        told.write_text(json.dumps(found_of(answers)), encoding="utf-8")
        truth = hotcoco.COCO(str(gold))
        one, other = (hotcoco.COCOeval(truth, truth.load_res(str(told)), "bbox") for _ in range(2))
        yield f"hotcoco, evaluating {AGAIN} times", lambda: [_again(one) for _ in range(AGAIN)], 3
        other.evaluate()
        yield (
            f"hotcoco, its paired bootstrap of two results, {WEIGHTINGS:,} resamples",
            lambda: hotcoco.compare(one, other, n_bootstrap=WEIGHTINGS),
            3,
        )


def main() -> None:
    for name, work, repeats in measure_boxes():
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        print(f"{sorted(seconds)[len(seconds) // 2]:8.3f} s  {name}", flush=True)


if __name__ == "__main__":
    main()
