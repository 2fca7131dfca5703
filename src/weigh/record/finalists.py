"""Which models the records make finalists: those that came first with the first recipe (`plan/finalists.py`)."""

from __future__ import annotations

from weigh.plan.finalists import with_first_recipe
from weigh.plan.runs import Plan
from weigh.record.choice_of_winner import ranked
from weigh.record.results import Results

__all__ = ["rank_models", "trained_models"]


def rank_models(results: Results, plan: Plan) -> tuple[str, ...] | None:
    """Addresses, best first, by what they score with the first recipe; None while runs of it are missing."""
    first = {candidate.id: candidate.model for candidate in with_first_recipe(results.spec, plan.candidates)}
    recorded = _recorded(results)
    if any(run.key not in recorded for run in plan.runs if run.purpose == "main" and run.candidate in first):
        return None
    return tuple(first[name] for name in ranked(results) if name in first)


def trained_models(results: Results, plan: Plan) -> tuple[str, ...]:
    """Addresses of the models that were trained with another recipe than the first already, in all folds of a repeat: what is recorded is read."""
    first = {candidate.id for candidate in with_first_recipe(results.spec, plan.candidates)}
    recorded = _recorded(results)
    once = [run for run in plan.runs if (run.purpose, run.repeat) == ("main", 0) and run.candidate not in first]
    missing = {run.candidate for run in once if run.key not in recorded}
    trained = {run.model for run in once if run.candidate not in missing}
    return tuple(model for model in results.spec.models if model in trained)


def _recorded(results: Results) -> set[str]:
    """Keys of the runs of the cross-validation that are recorded, whatever came of them."""
    return {run.key for run in results.runs("main", status=None)}
