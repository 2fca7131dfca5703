"""The table of every run: what was recorded, one row per run, failed ones included.

Before it: `record/results.py`. After it: `html.py`. The score of a run is the primary metric on the run's own test
fold, with the decision that the run made; a run whose score is undefined (a class missing in its fold) shows a dash.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from weigh.errors import WeighError
from weigh.metrics.base import METRICS, Metric
from weigh.record.results import Results, RunRecord

__all__ = ["run_rows", "score_run"]


def run_rows(results: Results) -> list[dict[str, Any]]:
    """Flat rows with the keys of `columns.COLUMNS`; candidates by their label."""
    labels = {candidate.id: candidate.label for candidate in results.candidates}
    rows = []
    ours = results.origin == "study"
    for run in results.records if ours else results.runs("main"):
        rows.append(
            {
                "candidate": labels.get(run.candidate, run.candidate),
                "purpose": run.purpose if ours else None,
                "variant": run.variant,
                "repeat": run.repeat if run.repeat >= 0 else None,
                "fold": run.fold if run.fold >= 0 and results.origin != "models" else None,
                "status": run.status,
                "score": _rounded(score_run(results, run)),
                "n_train": run.n_train or None,
                "seconds": _rounded(run.measured.get("train_seconds")),
                "seeds": " ".join(f"{name}={value}" for name, value in sorted(run.seeds.items())),
                "cause": run.cause,
            }
        )
    for key in ("purpose", "variant", "fold", "n_train", "seconds", "cause", "seeds"):  # columns without any value
        if all(row[key] in (None, "") for row in rows):
            for row in rows:
                del row[key]
    return rows


def _primary(results: Results) -> Metric | None:
    try:
        return METRICS.get(results.spec.primary)
    except WeighError:  # a study made with a plugin that is not installed here: the runs are shown without scores
        return None


def score_run(results: Results, run: RunRecord) -> float | None:
    """The primary metric of a run on its own test fold; None where there is none: it failed, or saw no test example."""
    metric = _primary(results)
    if metric is None or run.status != "done":
        return None
    which, logits = results.predictions(run.key)
    if not len(which) or not np.isfinite(logits).all():
        return None
    examples = results.examples
    prediction = examples.kind.decide(logits, np.asarray(run.facts.get("bias", 0.0)))
    parts = np.isin(examples.part, np.unique(examples.part[which]))
    with np.errstate(all="ignore"):
        return metric.within(examples.target[parts]).score(prediction, examples.target[which])


def _rounded(value: Any) -> float | None:
    return round(float(value), 4) if isinstance(value, (int, float)) and math.isfinite(value) else None
