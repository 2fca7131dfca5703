"""From a study folder to `Results`: what findings read, at any moment, finished or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from weigh.data.examples import Examples
from weigh.errors import SpecError
from weigh.language import Text
from weigh.notices import notice
from weigh.plan.candidates import cross_candidates
from weigh.plan.finalists import tried
from weigh.plan.less_training import LessTraining, with_less
from weigh.plan.racing import Race
from weigh.plan.runs import Plan
from weigh.record.choice_of_winner import choose_winner
from weigh.record.ledger import Ledger
from weigh.record.problems import problems_from_json
from weigh.record.results import Results
from weigh.record.saved_checks import FACT, failed_checks
from weigh.record.study_folders import never_started, not_to_be_resumed, of_another_version, read_as_it_ran
from weigh.run import Candidate
from weigh.spec import StudySpec
from weigh.spec_stored import dump_stored, stored_spec
from weigh.spec_yaml import dump_spec, load_spec

__all__ = ["main_results", "read_results", "read_spec"]


class SpecAsRun(NamedTuple):
    """The specification that a study ran with.

    Attributes:
        written: What its study.yaml may hold, if nobody has changed it.
        refusal: Why this version does not go on with it; None: it does.
    """

    spec: StudySpec
    written: tuple[str, ...]
    refusal: SpecError | None = None


def read_spec(ledger: Ledger) -> SpecAsRun:
    """The specification that a study ran with; what this version refuses of it is told.

    Raises:
        RecordError: Nothing ran, or this version cannot even read it.
    """
    folder, content = ledger.folder, ledger.fact("spec")
    if content is None:
        raise never_started(folder)
    try:
        spec = load_spec(content, base=folder.resolve())
    except SpecError as error:
        version = ledger.fact("version") or "?"
        try:
            spec, refused = stored_spec(content, error, base=folder.resolve())
        except SpecError:
            raise of_another_version(folder, error, version) from None
        notice(read_as_it_ran(folder, refused, version))
        return SpecAsRun(spec, (dump_stored(content),), not_to_be_resumed(folder, error, version))
    return SpecAsRun(spec, (dump_spec(spec),))


def read_results(ledger: Ledger, spec: StudySpec, examples: Examples, candidates: Sequence[Candidate]) -> Results:
    """The records of the present design; the winner is the leader of what is recorded so far.

    Args:
        candidates: All of the specification, or those that `design.finalists` leaves.
    """
    stopped, less = ledger.fact("stopped") or (), LessTraining.from_json(ledger.fact("less"))
    average = ledger.fact("saved_average") or {"shares": {}}
    spec = with_less(spec, less)
    candidates = tried(spec, candidates, ledger.fact("finalists"), stopped)
    ids = {candidate.id for candidate in candidates} | set(stopped)
    results = Results(
        name=ledger.fact("name") or spec.title,
        spec=spec,
        examples=examples,
        problems=problems_from_json(ledger.fact("problems") or []),
        candidates=candidates,
        records=ledger.records(),
        predictions=ledger.predictions,
        kept=ledger.kept,
        skipped={key: Text(*value) for key, value in (ledger.fact("skipped") or {}).items()},
        test_looks=ledger.test_looks(),
        models=_models(ledger, candidates),
        unfinished=ledger.unfinished(),
        race=Race.from_json(ledger.fact("race")),
        untried=tuple(candidate for candidate in cross_candidates(spec) if candidate.id not in ids),
        stopped=tuple(candidate for candidate in cross_candidates(spec) if candidate.id in stopped),
        saved_checks=failed_checks(ledger.fact(FACT), _saved(ledger)),
        averaged=average["shares"],
        average_outdated=bool(average.get("outdated")),
        lost=ledger.lost_sentence(),
        less=less,
    )
    return results.with_winner(choose_winner(results))


def _saved(ledger: Ledger) -> set[str]:
    """Keys of the refits whose models are saved."""
    return {str(ledger.fact("saved_model")), *(ledger.fact("saved_average") or {"runs": []})["runs"]}


def main_results(ledger: Ledger, plan: Plan, spec: StudySpec, examples: Examples) -> Results:
    """The cross-validation of a plan as far as it is recorded, to decide by while the study runs."""
    return Results(
        name=spec.title,
        spec=spec,
        examples=examples,
        problems=(),
        candidates=plan.candidates,
        records=ledger.records(run for run in plan.runs if run.purpose == "main"),
        predictions=ledger.predictions,
    )


def _models(ledger: Ledger, candidates: Sequence[Candidate]) -> dict[str, dict[str, Any]]:
    """Address -> facts on the model as its first candidate uses it, whatever the order in which runs ended."""
    facts_by_candidate, facts_by_address = ledger.models(), {}
    for candidate in candidates:
        if candidate.id in facts_by_candidate:
            facts_by_address.setdefault(candidate.model, facts_by_candidate[candidate.id])
    return dict(sorted(facts_by_address.items()))
