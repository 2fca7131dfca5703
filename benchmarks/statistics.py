"""How long the statistics take: scores of a million predictions with their intervals, many models, `weigh read`.

    python -m benchmarks.statistics

Medians of repeats, in seconds; start-up is not in them, except for `weigh read`, which is timed as a command from its start to
the written report. Simulated ten-class predictions; measuring is included. `WEIGH_TEST_DATA` adds the predictions of
thirty published models.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.boxes import measure_boxes
from tests.arrays import kind_of
from weigh.kinds.base import Prediction, rows_of
from weigh.kinds.label import decide_class
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import MaskStatistics
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold
from weigh.stats.comparison import compare
from weigh.stats.resampling import make_units

COUNTS = (
    *("accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "f1_weighted"),
    *("precision_macro", "precision_weighted", "recall_macro", "recall_micro", "recall_weighted"),
)
MODELS, EXAMPLES, CLASSES = 30, 10_000, 10


class Timing(NamedTuple):
    """Seconds of the repeats of one thing."""

    name: str
    seconds: tuple[float, ...]

    def written(self) -> str:
        """A line of the table."""
        low, high = min(self.seconds), max(self.seconds)
        return f"| {self.name} | {statistics.median(self.seconds):.2f} | {low:.2f} to {high:.2f} |"


def predict(rng: np.random.Generator, target: np.ndarray, classes: int) -> Prediction:
    """Probabilities of a learner that is right in about three of four cases."""
    raised = rng.standard_exponential((len(target), classes))
    raised[np.arange(len(target)), target] += 3.0
    p = raised / raised.sum(axis=1, keepdims=True)
    return Prediction(p, decide_class(p))


def timed(name: str, work: Callable[[], object], repeats: int) -> Timing:
    """Seconds of `repeats` calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return Timing(name, tuple(seconds))


def measure() -> Iterator[Timing]:
    """All rows, each as soon as it is measured."""
    yield from measure_influences()
    yield from measure_masks()
    yield from (timed(*what) for what in measure_boxes())
    yield from measure_readings()


def measure_influences(n: int = 1_000_000) -> Iterator[Timing]:
    """Scores of many predictions with the influence of each, which is what their intervals are made of; and all pairs of many models."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 10, n)
    prediction = predict(rng, target, 10)
    few = target % 2
    binary = predict(rng, few, 2)
    metrics = [METRICS.get(name) for name in COUNTS]
    yield timed(
        f"10 count metrics of {n:,} predictions: scores and intervals by influence",
        lambda: [metric.influence_on(metric.measure(prediction, target)) for metric in metrics],
        5,
    )
    auroc = METRICS.get("auroc")
    yield timed(
        f"AUROC of {n:,} (two classes): score and interval by influence",
        lambda: auroc.influence_on(auroc.measure(binary, few)),
        3,
    )
    models = {}
    small = rng.integers(0, 10, EXAMPLES)
    for m in range(MODELS):
        p = predict(rng, small, 10).probabilities[None]
        found = OutOfFold(
            np.arange(len(small)),
            np.log(p),
            np.zeros((1, len(small)), np.int16),
            small,
            np.zeros_like(p),
            kind=kind_of(small),
        )
        models[f"m{m}"] = measure_design(METRICS.get("accuracy"), found)
    yield timed(
        "all 435 pairs of 30 models on 10,000 examples",
        lambda: compare(models, make_units(kind_of(small), small), rng=rng, claim="these_models"),
        3,
    )


def measure_masks(n: int = 1000, classes: int = 20) -> Iterator[Timing]:
    """The same of pictures whose masks were answered; the counts are simulated."""
    rng = np.random.default_rng(0)
    metrics = [metric for _, metric in METRICS.items() if "masks" in metric.kinds]
    statistics = MaskStatistics(np.zeros((n, MaskStatistics.width(classes))), classes)
    actual = rng.integers(1, 20_000, (n, classes)) * (rng.random((n, classes)) < 0.5)
    hit = rng.binomial(actual, 0.7)
    statistics.counts[:] = np.stack([hit, hit + rng.integers(0, 5000, hit.shape) * (actual > 0), actual], axis=2)
    border = np.stack([actual // 50] * 2, axis=2)
    statistics.borders[:] = np.stack([rng.binomial(border, 0.6), border], axis=3).reshape(n, classes, 4)
    target = rows_of([LabelMap(600, 800, tuple(row), b"") for row in actual.tolist()])
    prediction = Prediction(statistics.rows, statistics.rows)
    mean_iou = METRICS.get("mean_iou")
    yield timed(
        f"mean IoU of {n:,} pictures × {classes} classes: score and interval by influence",
        lambda: mean_iou.influence_on(mean_iou.measure(prediction, target)),
        5,
    )
    yield timed(
        f"all {len(metrics)} metrics of masks, the same",
        lambda: [metric.influence_on(metric.measure(prediction, target)) for metric in metrics],
        5,
    )


def measure_readings(models: int = MODELS, examples: int = EXAMPLES, repeats: int = 3) -> Iterator[Timing]:
    """`weigh read`, from the start of the command to its two pages and findings.json."""
    size = f"{models} models × {examples:,} examples"
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        root = Path(made)
        table, labels, arrays = write_predictions(root, models, examples)
        to = root / "report"
        yield timed(f"`weigh read` of a table with probabilities (CSV): {size}", lambda: read(to, table), repeats)
        yield timed(
            f"`weigh read` of a folder of arrays: {size}", lambda: read(to, arrays, "--labels", labels), repeats
        )
        given = os.environ.get("WEIGH_TEST_DATA")
        folder = Path(given or "") / "shift" / "cifar10.1-predictions"
        named = folder.parent / "cifar10-label-errors/original_test_labels/cifar10_test_set_original_labels.npy"
        if given and folder.is_dir() and named.is_file():
            predictions, later = folder / "model_predictions", folder / "datasets" / "cifar10.1_v6_labels.npy"
            words = (predictions / "original_predictions", predictions / "v6_predictions", "--labels", named)
            yield timed(
                "`weigh read` of 30 published models on CIFAR-10 (10,000) and CIFAR-10.1 (2,000)",
                lambda: read(to, *words, "--labels", later, "--set", "metrics.primary=accuracy"),
                repeats,
            )


def write_predictions(root: Path, models: int, examples: int) -> tuple[Path, Path, Path]:
    """A table, and the same as labels and a folder of arrays."""
    import polars

    rng = np.random.default_rng(0)
    target = rng.integers(0, CLASSES, examples)
    arrays, labels, table = root / "arrays", root / "labels.npy", root / "predictions.csv"
    arrays.mkdir()
    np.save(labels, target)
    frames = []
    for m in range(models):
        p = predict(rng, target, CLASSES).probabilities
        np.save(arrays / f"model-{m:02d}.npy", p.astype(np.float32))
        columns = {f"p:{k}": p[:, k].round(6) for k in range(CLASSES)}
        frames.append(
            polars.DataFrame({"example": np.arange(examples), "label": target, "model": [f"model-{m:02d}"] * examples})
            .with_columns(polars.lit(1).alias("run"))
            .with_columns(**columns)
        )
    polars.concat(frames).write_csv(table)
    return table, labels, arrays


def read(to: Path, *words: str | Path) -> None:
    """The command `weigh read`.

    Raises:
        CalledProcessError: It failed.
    """
    command = [sys.executable, "-m", "weigh", "read", *map(str, words), "--output", str(to)]
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    print("| what | seconds, median | range |\n|---|---|---|")
    for timing in measure():
        print(timing.written(), flush=True)


if __name__ == "__main__":
    main()
