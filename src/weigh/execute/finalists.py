"""Who goes on from the first recipe to the others: decided when the first recipe has run with every model, and kept with the study.

Further repeats of heads that come back later change neither who is trained nor what is said of those that are not: they were not too slow because
they rank behind.

Before it: the rule (`plan/finalists.py`) and what the records say (`record/finalists.py`). After it: `planner.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

from weigh.plan.finalists import Chosen, chooses_finalists, dearest_first, narrowed, take_finalists, with_first_recipe
from weigh.plan.less_training import LessTraining
from weigh.plan.prepare import Prepared
from weigh.plan.runs import Plan
from weigh.record.finalists import rank_models, trained_models
from weigh.record.ledger import Ledger
from weigh.record.reading import main_results
from weigh.spec import StudySpec

__all__ = ["Narrow", "finalists_key", "narrow"]


class Narrow(NamedTuple):
    """What finalists leave of a plan.

    Attributes:
        plan: Without what only finalists run, but for them.
        finalists: None while they are unknown (then the plan reckons with the slowest).
        passed: Models that were passed over for want of time.
        order: All models, the likeliest first, or the slowest while nothing is known; empty where no finalists are chosen.
    """

    plan: Plan
    finalists: tuple[str, ...] | None
    passed: tuple[str, ...]
    order: tuple[str, ...]


def finalists_key(spec: StudySpec, whole: Plan) -> str:
    """The name of the fact that holds the finalists: with other folds, options or weights, or with another budget, they are chosen anew.

    Args:
        spec: As it was asked for.
        whole: The runs of that.
    """
    main = "".join(run.key for run in whole.runs if run.purpose == "main")
    digest = hashlib.blake2b(main.encode(), digest_size=8).hexdigest()
    return f"decided-finalists:{spec.design.budget}:{spec.design.finalists}:{digest}"


def narrow(
    plan: Plan,
    less: LessTraining | None,
    recorded: Collection[str],
    ledger: Ledger | None,
    key: str,
    prepared: Prepared,
    timings: Mapping[str, dict[str, Any]],
    fits: Callable[..., bool],
) -> Narrow:
    """The plan without what only finalists run. Who was chosen stays chosen, and who was trained in full stays in the plan.

    Args:
        less: What was decided: these models go on, and not in full.
        recorded: Keys of runs.
        key: As from `finalists_key`.
        timings: Address -> timing.
        fits: (plan, known=whether the finalists are) -> whether it can be run in the time.
    """
    spec = prepared.spec
    if not chooses_finalists(spec):
        return Narrow(plan, None, (), ())
    ranking, trained, decided = None, (), None
    if ledger is not None:
        results = main_results(ledger, plan, spec, prepared.examples)
        ranking, trained = rank_models(results, plan), trained_models(results, plan)
        decided = _decided(plan, spec, recorded, ledger, key)
    known = ranking is not None or decided is not None
    if ranking is not None:
        order = ranking
    elif decided is not None:
        order = decided.order
    else:
        order = dearest_first(plan, spec, timings, len(prepared.examples))
    planned = {candidate.model for candidate in plan.candidates}
    order = tuple(model for model in order if model in planned)
    taken, passed = ((), ()) if decided is None else (decided.finalists, decided.passed)
    taken = tuple(model for model in taken if model in planned)
    if less is not None:
        return Narrow(narrowed(plan, spec, ()), () if known else None, passed, order)
    if not taken:
        taken, passed = take_finalists(plan, spec, order, partial(fits, known=known))
    taken = tuple(dict.fromkeys([*taken, *trained]))
    passed = tuple(model for model in passed if model not in trained)
    if taken and not known:
        passed = ()  # whoever comes first may be a faster one: nobody is passed over yet
    return Narrow(narrowed(plan, spec, taken), taken if known else None, passed, order)


def _decided(plan: Plan, spec: StudySpec, recorded: Collection[str], ledger: Ledger, key: str) -> Chosen | None:
    """Who was chosen to go on; None where nobody was, or where the first recipe has to run with a model that did not take part in the choice."""
    stored = ledger.fact(key)
    if stored is None:
        return None
    decided = Chosen.from_json(stored)
    first = {candidate.id for candidate in with_first_recipe(spec, plan.candidates)}
    missing = {run.model for run in plan.runs if run.candidate in first and run.key not in recorded}
    return decided if missing <= set(decided.order) else None
