"""What the refits that follow a cross-validation are predicted to take, as far as it is known by then for how long they train.

Before it: the plan and its timings. After it: `budget.py`, which keeps the time free for them, and `planner.py`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from weigh.plan.jobs import predict_seconds
from weigh.plan.prepare import Prepared
from weigh.plan.runs import Plan, refit_run
from weigh.run import RECIPES, Candidate

__all__ = ["everyone_refitted", "refit_seconds", "refits_of_networks"]

MEMBERS = 3  # candidates that an average is taken to have, where one is to be saved
Known = Mapping[str, Sequence[int]]  # candidate -> epochs that runs of its cross-validation chose (`Clock.best_epochs`)
UNKNOWN: Known = MappingProxyType({})


def refit_seconds(
    plan: Plan, prepared: Prepared, timings: dict, known: Known = UNKNOWN, pace: float = 1.0, *, workers: int = 1
) -> float:
    """Predicted time of the refits that follow.

    Args:
        pace: How many times as long as predicted networks took so far (`Clock.pace`).
        workers: That share them, for the time by the clock; 1: all refits one after the other, as whoever keeps time free for them counts.
    """
    costs = _seconds(plan, prepared, timings, plan.candidates, known)
    return max([sum(costs) / workers, *costs]) * _pace_of_refits(pace, known)


def refits_of_networks(
    plan: Plan, prepared: Prepared, timings: dict, known: Known = UNKNOWN, pace: float = 1.0
) -> dict[str, float]:
    """Candidate -> predicted seconds of its refit, of those that train networks; arguments as for `refit_seconds`."""
    networks = [c for c in plan.candidates if RECIPES.get(c.recipe).trains == "network"]
    factor = _pace_of_refits(pace, known)
    return {c.id: sum(_seconds(plan, prepared, timings, [c], known)) * factor for c in networks}


def _pace_of_refits(pace: float, known: Known) -> float:
    """Folds that stopped early were faster than predicted for the epochs that they did not run; a refit for a known number of epochs runs all of them."""
    return max(1.0, pace) if known else pace


def everyone_refitted(prepared: Prepared) -> bool:
    """Whether all candidates are refitted, not the winner alone."""
    return bool((prepared.examples.part != "train").any()) or prepared.spec.output.ensemble != "never"


def _seconds(
    plan: Plan, prepared: Prepared, timings: dict, candidates: Collection[Candidate], known: Known
) -> list[float]:
    """Predicted seconds of each network that may be refitted, as many of the dearest as are."""
    examples = prepared.examples
    has_test = bool((examples.part != "train").any())
    costs = []
    for candidate in candidates:
        if RECIPES.get(candidate.recipe).trains == "network":
            epochs = _most_epochs(plan, candidate, known)
            run = refit_run(examples, prepared.spec, candidate, epochs=epochs, keep_weights=False)
            costs.append(predict_seconds([run], timings.get(candidate.model, {}), len(examples)))
    refitted = len(costs) if has_test else MEMBERS if prepared.spec.output.ensemble != "never" else 1
    return sorted(costs)[-refitted:] if costs else []


def _most_epochs(plan: Plan, candidate: Candidate, known: Known) -> int | None:
    """The most epochs that a refit can train for: the median of what the runs of the cross-validation chose (`record/choice_of_winner.py`), if all that
    have not run yet choose as many as they may. None: as many as the recipe has.
    """
    chosen = known.get(candidate.id, ())
    if not chosen or RECIPES.get(candidate.recipe).chooses:
        return None
    planned = sum((run.candidate, run.purpose) == (candidate.id, "main") for run in plan.runs)
    most = statistics.median([*chosen, *[math.inf] * (planned - len(chosen))])
    return None if most == math.inf else round(most)
