"""The calibration error: designs whose probabilities are right, and designs in which they are wrong by a known amount.

Confidences are drawn, and answers that are right as often as `accuracy` says; the truth is the error in the report's own bins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from weigh.stats.calibration import BINS, calibration_error

__all__ = ["PART"]

MANY, DRAWS = 200_000, 200
CONFIDENCE = {  # parameters of a beta distribution between 1 / classes and 1, and the number of classes
    "spread": (1.2, 1.0, 2),
    "sure": (6.0, 1.0, 2),
    "very sure": (30.0, 0.6, 2),
    "ten classes": (2.0, 1.0, 10),
}
ACCURACY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "calibrated": lambda c: c,
    "too sure by 2 points": lambda c: np.clip(c - 0.02, 0, 1),
    "too sure by 10 points": lambda c: np.clip(c - 0.1, 0, 1),
    "too sure by a temperature of 1.5": lambda c: 1 / (1 + (1 / np.minimum(c, 1 - 1e-9) - 1) ** (1 / 1.5)),
    "now too sure, now too unsure": lambda c: np.clip(c + 0.06 * np.sin(8 * c), 0, 1),
}


def rows(studies: int, seed: int) -> Iterator[Row]:
    """Truth below the interval, truth above it, mean error of the estimate in points."""
    for sure, shape in CONFIDENCE.items():
        for name, accuracy in ACCURACY.items():
            for n in (150, 600):
                rng, shown = stream(seed, f"calibration {sure} {name} {n}"), []
                confidence = _draw(rng, shape, MANY)
                gap = np.bincount(_bins(confidence), confidence - accuracy(confidence), BINS)
                truth = np.abs(gap).sum() / MANY
                for _ in range(studies):
                    confidence = _draw(rng, shape, n)
                    right = rng.random(n) < accuracy(confidence)
                    statistics, of, each = np.zeros((1, n, 3, BINS)), _bins(confidence), np.arange(n)
                    for i, values in enumerate((1.0, confidence, right)):
                        statistics[0, each, i, of] = values
                    error = calibration_error(statistics, rng.standard_exponential((DRAWS, n)))
                    below, above = truth < (error.low or 0) - 1e-12, truth > (error.high or 1) + 1e-12
                    shown.append((below, above, 100 * (error.value - truth)))
                yield Row(f"{sure}, {name}, {n} examples", studies, *np.mean(shown, axis=0))


def _draw(rng: np.random.Generator, shape: tuple[float, float, int], n: int) -> np.ndarray:
    a, b, classes = shape
    return 1 / classes + (1 - 1 / classes) * rng.beta(a, b, n)


def _bins(confidence: np.ndarray) -> np.ndarray:
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def _promise(rows: Sequence[Mapping[str, float]]) -> Kept:
    below, above = (100 * np.mean([row[k] for row in rows]) for k in ("first", "second"))
    null = [row for row in rows if ", calibrated" in row["design"]]
    missed = exact_p([{**row, "missed": row["first"] + row["second"]} for row in rows], "missed", 0.07)
    false = exact_p(null, "first", 0.05)
    return Kept(
        f"Promised: 93 % and more covered, on both sides alike. Covered {100 - below - above:.1f} %; truth below in {below:.1f} %, above in {above:.1f} %; smallest "
        f"exact p of a design for less than 93 %, Holm: {smallest(missed):.3f}. Calibrated designs are called off in "
        f"{100 * np.mean([row['first'] for row in null]):.1f} % (at most 5 promised; smallest exact p, Holm: {smallest(false):.3f}).",
        missed + false,
    )


PART = Part(
    "What it states and how often it is right",
    ("truth below, %", "truth above, %", "mean error, points"),
    rows,
    _promise,
)
