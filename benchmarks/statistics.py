"""How long the statistics take: resamples of a million predictions, paired differences, many models.

python -m benchmarks.statistics

Medians of repeats, in seconds; start-up is not in them. Simulated ten-class predictions; measuring is included.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from weigh.metrics.base import METRICS, Prediction, decide
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold
from weigh.stats.cells import draw_scores
from weigh.stats.comparison import compare
from weigh.stats.resampling import make_units

COUNTS = (
    *("accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "f1_weighted"),
    *("precision_macro", "precision_weighted", "recall_macro", "recall_micro", "recall_weighted"),
)


def predict(rng: np.random.Generator, target: np.ndarray, classes: int) -> Prediction:
    """Probabilities of a learner that is right in about three of four cases."""
    raised = rng.standard_exponential((len(target), classes))
    raised[np.arange(len(target)), target] += 3.0
    p = raised / raised.sum(axis=1, keepdims=True)
    return Prediction(p, decide(p))


def timed(name: str, work: Callable[[], object], repeats: int) -> None:
    """Print the median and the spread of `repeats` calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    print(f"| {name} | {statistics.median(seconds):.2f} | {min(seconds):.2f} to {max(seconds):.2f} |", flush=True)


def main() -> None:
    rng = np.random.default_rng(0)
    n, draws = 1_000_000, 1000
    target = rng.integers(0, 10, n)
    one, two = (predict(rng, target, 10) for _ in range(2))
    few = target % 2
    binary = predict(rng, few, 2)
    metrics = [METRICS.get(name) for name in COUNTS]
    print("| what | seconds, median | range |\n|---|---|---|")
    timed(
        "10 count metrics, 1,000,000 predictions, 1,000 resamples",
        lambda: draw_scores(metrics, {"a": one}, target, rng=rng, draws=draws),
        5,
    )
    timed(
        "the same for two models, paired",
        lambda: draw_scores(metrics, {"a": one, "b": two}, target, rng=rng, draws=draws),
        3,
    )
    auroc = METRICS.get("auroc")
    timed(
        "AUROC of 1,000,000 (two classes): score and interval by influence",
        lambda: auroc.influence_on(auroc.measure(binary, few)),
        3,
    )
    timed(
        "AUROC of 1,000,000 (two classes), 20 resamples",
        lambda: draw_scores([auroc], {"a": binary}, few, rng=rng, draws=20),
        1,
    )
    models = {}
    small = rng.integers(0, 10, 10_000)
    for m in range(30):
        p = predict(rng, small, 10).probabilities[None]
        found = OutOfFold(
            np.arange(len(small)), np.log(p), np.zeros((1, len(small)), np.int16), small, np.zeros_like(p)
        )
        models[f"m{m}"] = measure_design(METRICS.get("accuracy"), found)
    timed(
        "all 435 pairs of 30 models on 10,000 examples",
        lambda: compare(models, make_units(small), rng=rng, claim="these_models"),
        3,
    )


if __name__ == "__main__":
    main()
