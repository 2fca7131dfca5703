"""What the records decide: the winner on cross-validation alone, and how long to train its refit."""

from __future__ import annotations

import statistics

from weigh.metrics.base import METRICS
from weigh.record.results import Results

__all__ = ["choose_winner", "median_epochs"]


def choose_winner(results: Results) -> str | None:
    """The candidate with the best cross-validated primary metric; the earlier one of a tie; never a control.

    The test part is not looked at. Whether the winner is really better than the next is a finding, not decided here.
    """
    from weigh.metrics.design import score_design

    metric = METRICS.get(results.spec.metrics.primary)
    best, best_score = None, None
    for candidate in results.candidates:
        if candidate.control:
            continue
        out_of_fold = results.out_of_fold(candidate.id)
        if out_of_fold is None or not out_of_fold.complete.any():
            continue
        score = score_design(metric, out_of_fold).overall
        score = score if metric.greater_is_better else -score
        if score == score and (best_score is None or score > best_score):
            best, best_score = candidate.id, score
    return best


def median_epochs(results: Results, candidate: str) -> int | None:
    """Median of the best epochs over the finished runs of the main design, at least 1; None where none has any."""
    best = [
        run.facts["best_epoch"] for run in results.runs(candidate=candidate) if run.facts.get("best_epoch") is not None
    ]
    return max(1, round(statistics.median(best))) if best else None
