"""Which training of networks fits into the time that is left, where the whole does not, and which networks cannot be trained at all: decided once,
with what was timed, and kept with the study. Steps of training are timed only of networks that may fit by the time of their forward pass.

Where heads run beside them, all networks may go. Where nothing else runs (boxes, masks, entities), the slowest go first and the fastest stays in any case.

Before it: `planner.py`, which has a plan without these networks. After it: the plan with them (`plan/less_training.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from weigh.execute.budget import SEEN_SHARE, SHARE, Clock, fits_budget, impossible_networks
from weigh.execute.choices import Choose, ModelTimings
from weigh.language import Text, text
from weigh.plan.finalists import chooses_finalists, narrowed
from weigh.plan.jobs import HEAD_SECONDS, least_timing, predict_seconds
from weigh.plan.less_training import (
    LessTraining,
    heads_of,
    possible,
    share_of_training,
    with_less,
    with_networks,
)
from weigh.plan.prepare import Prepared
from weigh.plan.purposes import CLEANED_REPEATS, may_suspect
from weigh.plan.runs import Plan, plan_runs
from weigh.run import RECIPES, Candidate
from weigh.spec import StudySpec

__all__ = ["Fitting", "all_at_once", "may_train_less", "networks_of", "only_networks"]


# A model that came first is trained for less before a later one in full, where one training is at least this share of a whole one, in so many folds.
WORTH_SHARE, WORTH_FOLDS = 1 / 3, 2


def may_train_less(spec: StudySpec, plan: Plan) -> bool:
    """Whether networks may run in some folds only: there is a budget, and heads that run in all of them to be compared with, or nothing but
    networks, which then all run in the same folds.

    Not where they race, or where other purposes need them in full.
    """
    heads = any(c.cheap and not c.control for c in plan.candidates)
    comparable = heads or (only_networks(plan) and not chooses_finalists(spec))
    return spec.design.budget is not None and comparable and not _needed_in_full(spec)


def _needed_in_full(spec: StudySpec) -> bool:
    return bool(spec.design.race or spec.design.curve or spec.design.crossed)


def only_networks(plan: Plan) -> bool:
    """Whether networks are to be run, and nothing else."""
    return bool(plan.candidates) and not any(candidate.cheap for candidate in plan.candidates)


@dataclass(frozen=True)
class Fitting:
    """What decides.

    Attributes:
        whole: The design with all networks in full.
        plan: What runs besides.
        recorded: Keys of runs.
        workers: That share the runs.
    """

    prepared: Prepared
    whole: Plan
    plan: Plan
    model_timings: ModelTimings
    recorded: Collection[str]
    clock: Clock
    workers: int

    def choose(self, narrow: Plan, order: Sequence[str], *, open_choice: bool) -> LessTraining | None:
        """How networks are trained in less time; None where they are left as they are.

        Args:
            narrow: Without what only finalists run.
            order: Models of which one is to go on, the likeliest first; empty where no finalists are chosen.
            open_choice: The order is known, and who goes on in full was not decided before.
        """
        spec, everyone = self.prepared.spec, networks_of(self.whole)
        if not may_train_less(spec, narrow):
            return None
        chooses, networks = chooses_finalists(spec), len(narrow.candidates) > len(self.plan.candidates)
        if networks and chooses:  # somebody goes on in full
            return self._likelier(narrow, order) if open_choice else None
        if networks and (self._in_time(narrow, self.prepared) or self._ran_once(narrow)):
            return None  # everybody can go on in full, or did
        choices = [(model,) for model in order] if chooses else [everyone]
        less = self.find([models for models in choices if models])
        return self.least(everyone) if less is None and only_networks(self.whole) else less

    def _likelier(self, narrow: Plan, order: Sequence[str]) -> LessTraining | None:
        """Less training of a model that came before the only one that can be trained in full; None where there is none that is worth it.

        On SST-2 the third of three models was trained in full within ten minutes, which ended after less than four; trained for less the first one had
        won on a slower machine, where no other fitted in full.
        """
        alone = networks_of(narrow)
        began = any(run.key in self.recorded for run in narrow.runs if RECIPES.get(run.recipe).trains == "network")
        heads = {candidate.id for candidate in self.plan.candidates}
        # heads that only the finalist has would otherwise run with nobody
        more_heads = any(candidate.cheap and candidate.id not in heads for candidate in narrow.candidates)
        if len(alone) != 1 or alone[0] not in order or began or more_heads:
            return None

        def worth(less: LessTraining) -> bool:
            share = share_of_training(self.whole, less, self._sizes)
            return less.folds >= WORTH_FOLDS and share >= WORTH_SHARE

        return self.find([(model,) for model in order[: order.index(alone[0])]], worth)

    def over_words(self, less: LessTraining) -> Text | None:
        """That nothing but networks runs and even this takes longer than there is time; None where it does not."""
        if not only_networks(self.whole) or self._fits(less, share=1.0):
            return None
        return text(
            "Even that is predicted to take longer than {b}; it runs to its end in any case. A smaller model (--models) takes less time.",
            "即便如此，预计也会超过 {b}；它仍会训练完。换用更小的模型（--models）会更快。",
            b=self.prepared.spec.design.budget,
        )

    def find(
        self, choices: Sequence[Sequence[str]], worth: Callable[[LessTraining], bool] = lambda _: True
    ) -> LessTraining | None:
        """The most training that fits, of the first models for which any does.

        Args:
            choices: Addresses of models that are trained together, the likeliest first.
            worth: What comes into question.
        """
        for models in choices:
            for less in filter(worth, self._possible(models)):
                if self._once_timed(models, partial(self._fits, less)):
                    return less
        return None

    def least(self, models: Sequence[str]) -> LessTraining | None:
        """The least training of these models; None where there is none that is less than the whole."""
        return next(reversed(list(self._possible(models))), None)

    def one_more_fold(self, less: LessTraining) -> LessTraining | None:
        """The same training in one more fold, as long as the slowest before it; None where there is no time for it, or no fold."""
        more, slow = replace(less, folds=less.folds + 1), replace(self, clock=self.clock.at_its_slowest())
        fits = less.folds < self.prepared.spec.design.folds and slow._fits(more, share=SEEN_SHARE)
        return more if fits else None

    def fits_in_full(self) -> bool:
        """Whether one repeat of the whole design ends in the time."""
        return self._once_timed(networks_of(self.whole), partial(self._in_time, self.whole, self.prepared))

    def impossible(self, networks: Sequence[str]) -> frozenset[str]:
        """Candidates of `whole` that cannot be trained in the time, neither in full nor for less. One stays where nothing else runs.

        Args:
            networks: Addresses of their models.
        """
        if only_networks(self.whole):
            return self._beyond_the_fastest()
        while True:
            gone = impossible_networks(
                self.whole, self.prepared, self.model_timings.least, self.recorded, self.clock, self.workers
            )
            if gone and self.find([networks]) is not None:
                gone = frozenset()
            if not self.model_timings.time_steps(networks_of(self.whole, without=gone)):
                return gone

    def _beyond_the_fastest(self) -> frozenset[str]:
        """Candidates that go so that the others can be trained, in full or for less.

        Who ran already stays, or else the fastest that is no control. Then the next slower one is added, as long as all together fit. Models are
        timed only when it is their turn.
        """
        everyone = self.whole.candidates
        order = sorted(everyone, key=lambda c: (c.control, self._seconds(c)))  # of equal ones the likelier first
        ran = {run.candidate for run in self.whole.runs if run.purpose == "main" and run.key in self.recorded}
        kept = [c.id for c in order if c.id in ran] or [c.id for c in order[:1]]
        for candidate in order:
            more = [*kept, candidate.id]
            rest = replace(self, whole=self.whole.only(more))
            if candidate.id not in kept and not (rest.fits_in_full() or rest.find([networks_of(rest.whole)])):
                break
            kept = more
        gone = frozenset(c.id for c in everyone if c.id not in kept)
        self.model_timings.time_steps(networks_of(self.whole, without=gone))
        return gone

    def _ran_once(self, narrow: Plan) -> bool:
        """Whether all have a repeat in full already: what is recorded stays."""
        return all(run.key in self.recorded for run in narrow.runs if (run.purpose, run.repeat) == ("main", 0))

    def _seconds(self, candidate: Candidate) -> float:
        """The least that its first repeat can take by its forward pass alone: steps are not timed of all."""
        runs = [run for run in self.whole.runs if (run.candidate, run.repeat) == (candidate.id, 0)]
        known = self.model_timings.known.get(candidate.model, {})
        timing = least_timing({name: value for name, value in known.items() if not name.endswith("step_example")})
        return sum(predict_seconds([run], timing, len(self.prepared.examples)) for run in runs)

    def _once_timed(self, models: Sequence[str], fits: Callable[[], bool]) -> bool:
        """Whether something fits with measured steps of training. Models are timed one by one, the fastest first, until it does not fit."""
        for model in sorted(models, key=lambda model: self.model_timings.of(model).get("seconds_per_example", 0.0)):
            if not fits():
                return False
            self.model_timings.time_steps([model])
        return fits()

    @property
    def _sizes(self) -> dict[str, int]:
        """Address -> side in pixels of the pictures that a model reads, where it reads any."""
        known = self.model_timings.known
        return {address: timing["image_size"] for address, timing in known.items() if timing.get("image_size")}

    def _possible(self, models: Sequence[str]) -> Iterator[LessTraining]:
        return possible(self.prepared.spec, self.whole, models, self._sizes)

    def _fits(self, less: LessTraining, share: float = SHARE) -> bool:
        prepared = replace(self.prepared, spec=with_less(self.prepared.spec, less))
        plan = with_networks(self.plan, self.whole, prepared.examples, prepared.spec, less)
        if not plan.folds:
            return False
        # the two leading heads once more on cleaned data
        suspected = may_suspect(prepared.examples, prepared.problems, prepared.copies)
        repeated = prepared.spec.design.cleaned and self.plan.candidates and suspected
        cleaned = 2 * CLEANED_REPEATS * prepared.spec.design.folds * HEAD_SECONDS if repeated else 0.0
        after = replace(self.clock, budget=(self.clock.budget or 0.0) - cleaned * self.clock.pace("head"))
        return self._in_time(plan, prepared, after, share)

    def _in_time(self, plan: Plan, prepared: Prepared, clock: Clock | None = None, share: float = 1.0) -> bool:
        return fits_budget(
            plan, prepared, self.model_timings.least, self.recorded, clock or self.clock, share, self.workers
        )


def all_at_once(
    prepared: Prepared,
    candidates: Sequence[Candidate],
    model_timings: ModelTimings,
    recorded: Collection[str],
    choose: Choose,
    clock: Clock,
    workers: int,
) -> Prepared:
    """The study without finalists where nothing but networks runs and there is no time for the first recipe with all models: then all candidates are
    trained for less, as many as can be. Decided once with this budget.
    """
    spec = prepared.spec
    if clock.budget is None or not chooses_finalists(spec) or _needed_in_full(spec):
        return prepared
    plan = plan_runs(prepared.examples, spec, tuple(candidates), variants=prepared.variants, copies=prepared.copies)
    if not only_networks(plan):
        return prepared
    first = narrowed(plan, spec, ())
    fitting = Fitting(prepared, first, heads_of(first), model_timings, recorded, clock, max(1, workers))
    key = f"finalists:{spec.design.budget}:{','.join(candidate.id for candidate in candidates)}:{plan.digest}"
    if choose(key, fitting.fits_in_full):
        return prepared
    return replace(
        prepared, spec=spec.model_copy(update={"design": spec.design.model_copy(update={"finalists": None})})
    )


def networks_of(plan: Plan, *, without: Collection[str] = ()) -> tuple[str, ...]:
    """Addresses of the models whose networks are trained.

    Args:
        without: Candidates that do not count.
    """
    trained = (c.model for c in plan.candidates if not c.cheap and c.id not in without)
    return tuple(dict.fromkeys(trained))
