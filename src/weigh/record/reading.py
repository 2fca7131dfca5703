"""From a study folder to `Results`: what findings read, at any moment, finished or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from weigh.data.examples import Examples
from weigh.language import Text
from weigh.plan.racing import Race
from weigh.record.ledger import Ledger, problems_from_json
from weigh.record.results import Results
from weigh.record.selection import choose_winner
from weigh.run import Candidate
from weigh.spec import StudySpec

__all__ = ["read_results"]


def read_results(ledger: Ledger, spec: StudySpec, examples: Examples, candidates: Sequence[Candidate]) -> Results:
    """The records of the present design; the winner is the leader of what is recorded so far."""
    results = Results(
        name=ledger.fact("name") or spec.title,
        spec=spec,
        examples=examples,
        problems=problems_from_json(ledger.fact("problems") or []),
        candidates=tuple(candidates),
        records=ledger.records(),
        predictions=ledger.predictions,
        skipped={key: Text(*value) for key, value in (ledger.fact("skipped") or {}).items()},
        test_looks=ledger.test_looks(),
        models=ledger.models(),
        unfinished=ledger.unfinished(),
        race=Race.from_json(ledger.fact("race")),
        lost=ledger.lost_sentence(),
    )
    return replace(results, winner=choose_winner(results))
