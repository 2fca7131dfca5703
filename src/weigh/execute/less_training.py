"""Which training of networks fits into the time that is left, where the whole does not, and which networks cannot be trained at all: decided once,
with what was timed, and kept with the study. Steps of training are timed only of networks that may fit by the time of their forward pass.

Before it: `planner.py`, which has a plan without these networks. After it: the plan with them (`plan/less_training.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from weigh.execute.budget import SHARE, Clock, fits_budget, impossible_networks
from weigh.execute.choices import ModelTimings
from weigh.plan.jobs import HEAD_SECONDS
from weigh.plan.less_training import LessTraining, possible, with_less, with_networks
from weigh.plan.prepare import Prepared
from weigh.plan.purposes import CLEANED_REPEATS
from weigh.plan.runs import Plan
from weigh.run import RECIPES
from weigh.spec import StudySpec

__all__ = ["Fitting", "may_train_less", "networks_of"]


def may_train_less(spec: StudySpec, plan: Plan) -> bool:
    """Whether networks may run in some folds only: there is a budget, and heads that run in all of them to be compared with.

    Not where they race, or where other purposes need them in full.
    """
    heads = any(c.cheap and not c.control for c in plan.candidates)
    asked = spec.design.race or spec.design.curve or spec.design.crossed
    return spec.design.budget is not None and heads and not asked


@dataclass(frozen=True)
class Fitting:
    """What decides.

    Attributes:
        whole: The design with all networks in full.
        plan: What runs besides.
        recorded: Keys of runs.
    """

    prepared: Prepared
    whole: Plan
    plan: Plan
    model_timings: ModelTimings
    recorded: Collection[str]
    clock: Clock

    def find(self, choices: Sequence[Sequence[str]]) -> LessTraining | None:
        """The most training that fits, of the first models for which any does.

        Args:
            choices: Addresses of models that are trained together, the likeliest first.
        """
        sizes = {
            address: timing["image_size"]
            for address, timing in self.model_timings.known.items()
            if timing.get("image_size")
        }
        for models in choices:
            for less in possible(self.prepared.spec, self.whole, models, sizes):
                if self._fits(less) and (not self.model_timings.time_steps(models) or self._fits(less)):
                    return less
        return None

    def impossible(self, networks: Sequence[str], workers: int) -> frozenset[str]:
        """Candidates of `whole` that cannot be trained in the time, neither in full nor for less.

        Args:
            networks: Addresses of their models.
        """
        while True:
            gone = impossible_networks(
                self.whole, self.prepared, self.model_timings.least, self.recorded, self.clock, workers
            )
            if gone and self.find([networks]) is not None:
                gone = frozenset()
            if not self.model_timings.time_steps(networks_of(self.whole, without=gone)):
                return gone

    def _fits(self, less: LessTraining) -> bool:
        prepared = replace(self.prepared, spec=with_less(self.prepared.spec, less))
        plan = with_networks(self.plan, self.whole, prepared.examples, prepared.spec, less)
        if not plan.folds:
            return False
        # the two leading heads once more on cleaned data
        cleaned = (
            2 * CLEANED_REPEATS * prepared.spec.design.folds * HEAD_SECONDS if prepared.spec.design.cleaned else 0.0
        )
        after = replace(self.clock, budget=(self.clock.budget or 0.0) - cleaned * self.clock.pace("head"))
        return fits_budget(plan, prepared, self.model_timings.least, self.recorded, after, SHARE)


def networks_of(plan: Plan, *, without: Collection[str] = ()) -> tuple[str, ...]:
    """Addresses of the models whose networks are trained.

    Args:
        without: Candidates that do not count.
    """
    trained = (c.model for c in plan.candidates if RECIPES.get(c.recipe).trains == "network" and c.id not in without)
    return tuple(dict.fromkeys(trained))
