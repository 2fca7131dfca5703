"""Tables of predictions with known truth, written as strangers would write them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import weigh
from tests.findings.reading import by_id, check

__all__ = ["findings", "kinds", "rows_of", "write"]


def rows_of(
    *,
    n: int = 300,
    classes: Sequence[str] = ("bee", "ant"),
    models: dict[str, float] | None = None,
    runs: int = 1,
    folds: int = 0,
    probable: bool = True,
    noise: float = 0.6,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Rows of models whose separation (about: how good they are) is given; errors of models and runs are correlated."""
    rng = np.random.default_rng(seed)
    k = len(classes)
    target = rng.permutation(np.arange(n) % k)
    difficulty = rng.standard_normal((n, k))
    fold = [rng.permutation(n) % folds for _ in range(runs)] if folds else []
    rows = []
    for model, separation in (models or {"good": 2.5, "poor": 1.0}).items():
        for run in range(runs):
            logits = difficulty + noise * rng.standard_normal((n, k))
            logits[np.arange(n), target] += separation
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            for i in range(n):
                row = {"example": f"e{i}", "label": classes[target[i]], "model": model, "run": f"r{run}"}
                if folds:
                    row["fold"] = int(fold[run][i])
                if probable:
                    row |= {f"p:{c}": round(float(p[i, j]), 7) for j, c in enumerate(classes)}
                else:
                    row["prediction"] = classes[int(p[i].argmax())]
                rows.append(row)
    return rows


def write(path: Path, rows: Iterable[dict[str, Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """The rows as a table; columns are those of all rows."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def findings(path, *more, **options):
    """Findings by id, each checked; none is internal."""
    reading = weigh.read_predictions(path, *more, **options)
    found = by_id(reading.findings())
    for finding in found.values():
        assert finding.kind != "internal", finding.table
        if not finding.sentence.en.startswith("None of the"):  # the check takes the word for Python's
            check(finding, reading.results)
    return found


def kinds(found):
    return {finding.kind for finding in found.values()}
