"""Which models the records make finalists: those that came first with the first recipe (`plan/finalists.py`)."""

from __future__ import annotations

from weigh.plan.finalists import with_first_recipe
from weigh.plan.runs import Plan
from weigh.record.choice_of_winner import ranked
from weigh.record.results import Results

__all__ = ["rank_models"]


def rank_models(results: Results, plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Addresses, best first, by what they score with the first recipe; and those that were trained with another one already, in all
    folds of a repeat: what is recorded is read. None while runs of the first recipe are missing.
    """
    first = {candidate.id: candidate.model for candidate in with_first_recipe(results.spec, plan.candidates)}
    recorded = {run.key for run in results.runs("main", status=None)}
    main = [run for run in plan.runs if run.purpose == "main"]
    if any(run.key not in recorded for run in main if run.candidate in first):
        return None
    once = [run for run in main if run.candidate not in first and run.repeat == 0]
    missing = {run.candidate for run in once if run.key not in recorded}
    trained = {run.model for run in once if run.candidate not in missing}
    order = tuple(first[name] for name in ranked(results) if name in first)
    return order, tuple(model for model in results.spec.models if model in trained)
