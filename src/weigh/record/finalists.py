"""Which models the records make finalists: those that came first with the first recipe (`plan/finalists.py`)."""

from __future__ import annotations

from weigh.plan.finalists import with_first_recipe
from weigh.plan.runs import Plan
from weigh.record.choice_of_winner import ranked
from weigh.record.results import Results

__all__ = ["choose_finalists"]


def choose_finalists(results: Results, plan: Plan) -> tuple[str, ...] | None:
    """Addresses of the finalists, best first; None where all models go on, or runs of the first recipe are missing.

    A model that was trained with another recipe already is one too: what is recorded is read.
    """
    spec = results.spec
    if spec.design.finalists is None:
        return None
    first = {candidate.id: candidate.model for candidate in with_first_recipe(spec, plan.candidates)}
    recorded = {run.key for run in results.runs("main", status=None)}
    main = [run for run in plan.runs if run.purpose == "main"]
    if any(run.key not in recorded for run in main if run.candidate in first):
        return None
    best = [first[name] for name in ranked(results) if name in first][: spec.design.finalists]
    trained = {run.model for run in main if run.candidate not in first and run.key in recorded}
    return (*best, *(model for model in spec.models if model in trained and model not in best))
