"""From a specification to what is to be run, as far as it is decided by now: what was timed or chosen once is kept with the study.

    prepare (data) -> models, where none are named -> choices (timed once, stored) -> plan -> jobs that are not recorded

Before it: `plan/`, which knows neither clocks nor records. After it: `driver.py`, which runs the jobs and asks again where results decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

from weigh.data.confirmation import what_was_read
from weigh.execute.averaging import check_average
from weigh.execute.budget import Clock, fits_budget, keep_budget, keep_time, late_models, shortened
from weigh.execute.choices import (
    Choose,
    ModelTimings,
    check_weights,
    choose_setting,
    chooser,
    count_workers,
    less_features,
    name_weights,
    require_packages,
    require_recipes,
)
from weigh.execute.essentials import Essentials, Recorded, bring_back, keep_essentials
from weigh.execute.finalists import Narrow, finalists_key, narrow
from weigh.execute.forecast import Forecast
from weigh.execute.identity import check_same_study
from weigh.execute.left_out import LeftOut, joined, too_short_for, with_heads, without_models
from weigh.execute.less_training import Fitting, all_at_once, may_train_less, networks_of
from weigh.execute.listener import Listener
from weigh.execute.racing import race_so_far
from weigh.execute.refits import refit_seconds
from weigh.execute.shortlist import complete_models
from weigh.language import Text, text
from weigh.models.address import check_trust
from weigh.plan.candidates import cross_candidates
from weigh.plan.finalists import Chosen, chooses_finalists, narrowed, passed_over
from weigh.plan.jobs import group_jobs, shared_seconds
from weigh.plan.less_training import LessTraining, heads_of, less_words, with_less, with_networks
from weigh.plan.prepare import Prepared, prepare
from weigh.plan.racing import kept_runs
from weigh.plan.runs import Plan, plan_runs
from weigh.record.ledger import Ledger
from weigh.run import Candidate, Setting
from weigh.spec import StudySpec
from weigh.spec_yaml import parse_duration

__all__ = ["Planner", "begin", "plan_study"]


def plan_study(spec: StudySpec, ledger: Ledger | None, listener: Listener, *, trust_code: bool = False) -> Forecast:
    """Everything that is decided before the first run. With a ledger, choices are stored or taken from it."""
    return begin(spec, ledger, listener, trust_code=trust_code).forecast()


def begin(
    spec: StudySpec,
    ledger: Ledger | None,
    listener: Listener,
    *,
    trust_code: bool,
    check: Callable[[], None] = lambda: None,
) -> Planner:
    """Read the data, choose the setting, time the models.

    Args:
        check: Raises if somebody asked for the end.
    """
    check_trust(spec.models, trust_code=trust_code)
    began = time.monotonic()
    listener.stage(text("Reading the data", "读取数据"))
    prepared = prepare(spec, progress=listener.progress)
    spec, examples = prepared.spec, prepared.examples
    check_average(spec.output, examples.kind)
    for line in what_was_read(examples, prepared.problems):
        listener.stage(line)
    if ledger is not None:
        check_same_study(ledger, spec, examples)
    choose, workers = chooser(ledger, check), count_workers(spec)
    if ledger is None or not ledger.recorded():
        require_recipes(spec)

    @cache
    def setting() -> Setting:
        return replace(choose_setting(spec, examples, choose), trust_code=trust_code)

    def timings_of(spec: StudySpec, known: Mapping[str, dict[str, Any]]) -> ModelTimings:
        late = chooses_finalists(spec) or spec.design.budget is not None
        crossed = cross_candidates(spec)
        return ModelTimings(spec, setting(), crossed, examples, choose, listener.stage, late=late, known=known)

    prepared, chosen, timed = complete_models(prepared, ledger, choose, listener.stage, partial(timings_of, known={}))
    asked = prepared.spec
    crossed, timings = cross_candidates(asked), timings_of(asked, timed)
    candidates = name_weights(crossed, choose, timings.of, setting())
    if (busy := timings.busy_words()) is not None:
        listener.stage(busy)
    clock = Clock(None if asked.design.budget is None else parse_duration(asked.design.budget), began=began)
    recorded = {} if ledger is None else ledger.recorded()
    prepared = all_at_once(prepared, candidates, timings, recorded, choose, clock, workers)
    earlier = Recorded.of(ledger)
    whole = plan_runs(prepared.examples, prepared.spec, candidates, variants=prepared.variants, copies=prepared.copies)
    lean = keep_essentials(prepared, candidates, setting(), timings.of, choose, clock, whole.digest, earlier)
    left_out = LeftOut.read(ledger, asked.design.budget, candidates, whole.complete(recorded), whole.digest, chosen)
    return Planner(lean, asked, ledger, candidates, whole, workers, choose, timings, chosen, clock, left_out)


@dataclass(frozen=True)
class Planner:
    """What plans are made from. It stays the same while a study runs; what is planned changes with what is recorded.

    Attributes:
        lean: What there is time for.
        asked: The specification as it is kept with the study.
        candidates: All of the specification, with the identities of their weights.
        whole: Their runs, as they were asked for.
        choose: As from `choices.chooser`.
        model_timings: What passes of the models cost here.
        chosen: What is said of the models that weigh chose, given those that there is no time for; None where the user named them.
        clock: What of the budget is spent.
        left_out: What was left out for want of time.
    """

    lean: Essentials
    asked: StudySpec
    ledger: Ledger | None
    candidates: tuple[Candidate, ...]
    whole: Plan
    workers: int
    choose: Choose
    model_timings: ModelTimings
    chosen: Callable[[Collection[str]], Text] | None
    clock: Clock
    left_out: LeftOut

    @property
    def prepared(self) -> Prepared:
        """The data, and the specification as there is time for."""
        return self.lean.prepared

    @property
    def setting(self) -> Setting:
        return self.lean.setting

    def forecast(self) -> Forecast:
        """What is to be run, as far as the records decide it by now."""
        prepared, ledger, timings = self.prepared, self.ledger, self.timings
        spec, examples = prepared.spec, prepared.examples
        plan = self._designed()
        recorded = ledger.recorded() if ledger is not None else {}
        missing = [run for run in plan.runs if run.key not in recorded]
        for model in dict.fromkeys(run.model for run in (plan.runs if self._average_missing else missing)):
            self.model_timings.of(model)
        models, stored = self._late_models(plan, recorded), self._stored_less
        design, impossible = self._without_impossible(without_models(plan, models), recorded)
        plan, finalists, passed, order = self._narrow(design, stored, recorded)
        missing = [run for run in plan.runs if run.key not in recorded]
        require_packages(missing)
        if ledger is not None:
            ids = {run.candidate for run in missing}
            check_weights([candidate for candidate in plan.candidates if candidate.id in ids], ledger, self.setting)
        in_full = plan
        plan, cut, over = keep_budget(in_full, prepared, timings, self.choose, recorded, self.workers)
        fitting = self._fitting(design, heads_of(narrowed(design, spec, ())), recorded)
        open_choice = finalists is not None and (ledger is None or ledger.fact(self._finalists_key) is None)
        less = stored or fitting.choose(in_full, order, open_choice=open_choice)
        if less is not None:
            plan, cut, over = keep_budget(fitting.plan, prepared, timings, self.choose, recorded, self.workers)
            plan = with_networks(plan, design, examples, with_less(spec, less), less)
            over = over or fitting.over_words(less)
            known = finalists is not None or not chooses_finalists(spec)
            words = less_words(spec, design, less, known=known)
            cut = joined([cut, words if words.en else None])
            if stored is None or open_choice:  # who stands before them did not fit, not even for less
                passed = order[: order.index(less.models[0])] if order else ()
            finalists = None if finalists is None else less.models
            less = less if words.en else None  # in the end all folds fitted
        if finalists is not None:
            self.model_timings.time_steps(networks_of(plan))
        whole, race = plan, None if plan.folds else race_so_far(ledger, plan, spec, examples)
        lacking = joined([self.lean.words, cut])
        cut = joined([self.left_out.words(lacking, models), self.left_out.stopped_words(impossible)])
        plan = self.left_out.without(plan)
        plan = replace(plan, runs=kept_runs(plan.runs, race))
        missing = [run for run in plan.runs if run.key not in recorded]
        jobs = group_jobs(missing, self.setting, timings, len(examples))
        if ledger is not None and ledger.fact("identity") is not None:
            jobs = less_features(jobs, examples)
        seconds = shared_seconds(jobs, self.workers)
        if missing or self._average_missing:
            shorter = replace(prepared, spec=with_less(spec, less))
            seconds += refit_seconds(plan, shorter, timings, self.clock.best_epochs, workers=self.workers)
        failed = sum(recorded.get(run.key) == "failed" for run in plan.runs)
        return Forecast(
            prepared=prepared,
            plan=plan,
            whole=whole,
            jobs=jobs,
            setting=self.setting,
            workers=self.workers,
            seconds=seconds,
            recorded=len(plan.runs) - len(missing),
            failed=failed,
            cut=cut,
            timings=timings,
            race=race,
            finalists=finalists,
            passed=passed_over(spec, passed) if passed else None,
            decided=None if finalists is None else Chosen(order, finalists, passed),
            chosen=None if self.chosen is None else self.chosen(models),
            over=over,
            less=less,
            asked=self.asked,
            lacking=lacking,
            late=models,
            impossible=impossible,
            stopped=self.left_out.everyone(models, impossible),
        )

    def keep_time(self, plan: Plan, *, racing: bool) -> tuple[Plan, Text | None]:
        """The plan with what can still be run in the time, and what is left out now; it stays so at the next start with the same budget."""
        ledger = self.ledger
        assert ledger is not None
        prepared = replace(self.prepared, spec=with_less(self.prepared.spec, self._stored_less))
        kept, stopped, words = keep_time(
            plan, prepared, self.timings, ledger.recorded(), self.clock, max(1, self.workers), racing=racing
        )
        if words is not None:
            fewer = {name: many for name, many in kept.counts.items() if many < plan.counts[name]}
            self.left_out.keep_stopped(stopped, words, fewer)
            ledger.set_planned(kept.runs)
        return kept, words

    def keep_models(self, plan: Plan) -> tuple[Plan, Text | None]:
        """The plan with the models whose heads can be run in the time, of those that weigh chose, as runs turned out so far; and what became
        other. A model that was left out at this start comes back where it fits after all.
        """
        assert self.ledger is not None
        whole, before = self._designed(), self.left_out.models
        models = self._late_models(whole, self.ledger.recorded())
        if set(models) == set(before):
            return plan, None
        self.left_out.keep_models(models)
        kept = without_models(with_heads(plan, whole, before), models)
        self.ledger.set_planned(kept.runs)
        back = [model for model in before if model not in models]
        words = text("There is time for {m} after all.", "仍有时间尝试 {m}。", m=", ".join(back)) if back else None
        late = too_short_for(self.left_out.budget, [model for model in models if model not in before])
        return kept, joined([words, late])

    def with_more(self, plan: Plan) -> tuple[Planner, Text] | None:
        """The planner of a study that also does the first of what was left out of the heads, or one more fold of networks that run in some, where
        there is time for it now, and what is said of it; None where there is none for anything. Kept for the next starts.

        Args:
            plan: What ran.
        """
        assert self.ledger is not None
        prepared = replace(self.prepared, spec=with_less(self.prepared.spec, self._stored_less))
        refits = refit_seconds(plan, prepared, self.timings, self.clock.best_epochs, self.clock.pace())
        more = bring_back(self.lean, plan.candidates, self.timings, self.ledger.recorded(), self.clock, refits)
        if more is None:
            return self._with_one_more_fold(plan)
        more.keep(self.ledger)
        return replace(self, lean=more), more.regained(self.lean)

    def _with_one_more_fold(self, plan: Plan) -> tuple[Planner, Text] | None:
        assert self.ledger is not None
        less, recorded = self._stored_less, self.ledger.recorded()
        if "network" not in self.clock.took:  # a study that was finished before does not change its mind
            return None
        if less is None or set(plan.folds.values()) != {less.folds}:  # or later folds took too long
            return None
        if any(recorded.get(run.key) == "failed" for run in plan.runs if run.candidate in plan.folds):
            return None
        whole = shortened(without_models(self._designed(), self.left_out.models), {}, self.left_out.stopped)
        more = self._fitting(whole, heads_of(plan), recorded).one_more_fold(less)
        if more is None:
            return None
        self.ledger.set_facts(**{self._less_key: more.as_json})
        words = text(
            "There is time for one more fold of {c}.", "还有时间为 {c} 再训练一折。", c=", ".join(sorted(plan.folds))
        )
        return self, words

    def keep_left_out(self, forecast: Forecast) -> None:
        """Remember what a plan leaves out for want of time, and who goes on and how long networks are trained, once that is known: all at once, for
        what is said of one goes by the others.
        """
        decided: dict[str, Any] = {}
        if forecast.decided is not None:
            decided[self._finalists_key] = forecast.decided._asdict()
        if forecast.less is not None and forecast.less_is_decided:
            decided[self._less_key] = forecast.less.as_json
        self.left_out.keep_plan(forecast.lacking, forecast.late, forecast.impossible, decided)

    @property
    def may_drop_models(self) -> bool:
        """Whether models may be left out for want of time: weigh chose them itself."""
        return self.chosen is not None and self.clock.budget is not None

    @property
    def _average_missing(self) -> bool:
        """Whether members of an average may have to be refitted though all else is recorded."""
        wanted = self.prepared.spec.output.ensemble != "never"
        saved = None if self.ledger is None else self.ledger.fact("saved_average")
        return wanted and (saved is None or bool(saved.get("outdated")))

    def _designed(self) -> Plan:
        """Everything that there is time to ask for, of all models."""
        prepared = self.prepared
        plan = plan_runs(
            prepared.examples, prepared.spec, self.candidates, variants=prepared.variants, copies=prepared.copies
        )
        return replace(plan, skipped={**plan.skipped, **self.lean.skipped})

    def _late_models(self, plan: Plan, recorded: Collection[str]) -> tuple[str, ...]:
        """Models that are not tried because the time is too short for their heads: those of an earlier start, and where weigh chose the models
        those that are too slow now.
        """
        earlier = self.left_out.earlier
        if not self.may_drop_models:
            return earlier
        rest = without_models(plan, earlier)
        return (*earlier, *late_models(rest, self.prepared, self.timings, recorded, self.clock))

    def _without_impossible(self, plan: Plan, recorded: Collection[str]) -> tuple[Plan, tuple[str, ...]]:
        """The plan without networks that cannot be trained in the time, by what their forward pass costs, where all would be trained; and those
        that are found now. Where finalists are chosen, `_narrow` passes them over.
        """
        spec = self.prepared.spec
        if chooses_finalists(spec):
            return plan, ()
        plan = shortened(plan, {}, self.left_out.stopped)
        networks, impossible = networks_of(plan), frozenset[str]()
        if self.clock.budget is not None and networks:
            if self._stored_less is None and may_train_less(spec, plan):
                impossible = self._fitting(plan, heads_of(plan), recorded).impossible(networks)
            else:
                self.model_timings.time_steps(networks)
        return shortened(plan, {}, impossible), tuple(sorted(impossible))

    def _fitting(self, whole: Plan, plan: Plan, recorded: Collection[str]) -> Fitting:
        return Fitting(self.prepared, whole, plan, self.model_timings, recorded, self.clock, max(1, self.workers))

    @property
    def _less_key(self) -> str:
        candidates = ",".join(candidate.id for candidate in self.candidates)
        return f"less-training:{self.prepared.spec.design.budget}:{candidates}:{self.whole.digest}"

    @property
    def _stored_less(self) -> LessTraining | None:
        """How much less networks are trained, where that was decided with this budget; None where they were trained in full with another one:
        what is recorded stays.
        """
        stored = self.ledger is not None and self.clock.budget is not None and self.ledger.fact(self._less_key)
        less = LessTraining.from_json(stored or None)
        return None if less is None or self._trained_in_full(less.models) else less

    def _trained_in_full(self, models: Collection[str]) -> bool:
        """Whether a repeat of all networks of these models is recorded, as it was asked for."""
        complete = self.left_out.complete
        stopped = self.left_out.stopped
        networks = [c for c in self.whole.candidates if c.model in models and not c.cheap and c.id not in stopped]
        return bool(networks) and all(c.id in complete for c in networks)

    def _fits(self, plan: Plan, *, known: bool, recorded: Collection[str]) -> bool:
        """Whether a plan with these finalists ends in the time.

        Args:
            known: They are, so steps of their networks are timed, unless the least that they can cost is too much.
            recorded: Keys of runs.
        """
        if known:
            fits = fits_budget(plan, self.prepared, self.model_timings.least, recorded, self.clock)
            if not (fits and self.model_timings.time_steps(networks_of(plan))):
                return fits
        return fits_budget(plan, self.prepared, self.timings, recorded, self.clock)

    @property
    def timings(self) -> dict[str, dict[str, Any]]:
        """Address -> timing, as far as they are timed."""
        return self.model_timings.known

    def _narrow(self, plan: Plan, less: LessTraining | None, recorded: Collection[str]) -> Narrow:
        fits = partial(self._fits, recorded=recorded)
        return narrow(plan, less, recorded, self.ledger, self._finalists_key, self.prepared, self.timings, fits)

    @cached_property
    def _finalists_key(self) -> str:
        return finalists_key(self.asked, self.whole)
