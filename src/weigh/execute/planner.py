"""From a specification to what is to be run, as far as it is decided by now: what was timed or chosen once is kept with the study.

    prepare (data) -> models, where none are named -> choices (timed once, stored) -> plan -> jobs that are not recorded

Before it: `plan/`, which knows neither clocks nor records. After it: `driver.py`, which runs the jobs and asks again where results decide.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from weigh.data.confirmation import what_was_read
from weigh.execute.averaging import check_average
from weigh.execute.budget import Clock, fits_budget, keep_budget, keep_time, late_models, refit_seconds, shortened
from weigh.execute.choices import (
    Choose,
    ModelTimings,
    check_weights,
    choose_setting,
    chooser,
    count_workers,
    less_features,
    name_weights,
)
from weigh.execute.essentials import Essentials, keep_essentials
from weigh.execute.forecast import Forecast
from weigh.execute.identity import check_same_study
from weigh.execute.less_training import Fitting, may_train_less
from weigh.execute.listener import Listener
from weigh.execute.racing import race_so_far
from weigh.execute.shortlist import complete_models
from weigh.language import Text, text
from weigh.models.address import check_trust
from weigh.plan.candidates import cross_candidates
from weigh.plan.finalists import chooses_finalists, dearest_first, narrowed, passed_over, take_finalists
from weigh.plan.jobs import group_jobs
from weigh.plan.less_training import LessTraining, heads_of, less_words, with_less, with_networks
from weigh.plan.prepare import Prepared, prepare
from weigh.plan.racing import kept_runs
from weigh.plan.runs import Plan, plan_runs
from weigh.record.finalists import rank_models
from weigh.record.ledger import Ledger
from weigh.record.reading import main_results
from weigh.run import RECIPES, Candidate, Run, Setting
from weigh.spec import StudySpec
from weigh.spec_yaml import parse_duration

__all__ = ["Planner", "begin", "plan_study"]

BUSY = 1.6  # `delay` of a timing from which a user is told


def plan_study(spec: StudySpec, ledger: Ledger | None, listener: Listener, *, trust_code: bool = False) -> Forecast:
    """Everything that is decided before the first run. With a ledger, choices are stored or taken from it."""
    return begin(spec, ledger, listener, trust_code=trust_code).forecast()


def begin(spec: StudySpec, ledger: Ledger | None, listener: Listener, *, trust_code: bool) -> Planner:
    """Read the data, choose the setting, time the models."""
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
    choose, workers = chooser(ledger), count_workers(spec)
    prepared, chosen = complete_models(prepared, ledger, choose)
    if chosen is not None:
        listener.stage(chosen)
    spec = prepared.spec
    setting = replace(choose_setting(spec, examples, choose), trust_code=trust_code)
    crossed = cross_candidates(spec)
    timings = ModelTimings(
        spec,
        setting,
        crossed,
        examples,
        choose,
        listener.stage,
        late=chooses_finalists(spec),
    )
    candidates = name_weights(crossed, choose, timings.of, setting)
    if (delay := max((of_busy_machine(timing) for timing in timings.known.values()), default=1.0)) > BUSY:
        listener.stage(
            text(
                "This machine is busy with other work: a pass took {x} times as long as it computed. The study takes longer so; how much is predicted anew while it runs.",
                "本机正忙于其他任务：一次前向计算的用时是其实际计算时间的 {x} 倍。研究因此会更慢，剩余时间会在运行中重新估计。",
                x=round(delay, 1),
            )
        )
    clock = Clock(None if spec.design.budget is None else parse_duration(spec.design.budget), began=began)
    lean = keep_essentials(prepared, candidates, setting, timings.of, choose, clock)
    return Planner(lean, spec, ledger, candidates, workers, choose, timings, chosen, clock)


def of_busy_machine(timing: dict[str, Any]) -> float:
    """How many times as long a timed pass took by the clock as it computed."""
    return (timing.get("model") or {}).get("delay") or 1.0


class _Narrow(NamedTuple):
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


@dataclass(frozen=True)
class Planner:
    """What plans are made from. It stays the same while a study runs; what is planned changes with what is recorded.

    Attributes:
        lean: What there is time for.
        asked: The specification as it is kept with the study.
        candidates: All of the specification, with the identities of their weights.
        choose: As from `choices.chooser`.
        model_timings: What passes of the models cost here.
        chosen: Which models weigh chose, where none were named.
        clock: What of the budget is spent.
    """

    lean: Essentials
    asked: StudySpec
    ledger: Ledger | None
    candidates: tuple[Candidate, ...]
    workers: int
    choose: Choose
    model_timings: ModelTimings
    chosen: Text | None
    clock: Clock

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
        plan = plan_runs(examples, spec, self.candidates, variants=prepared.variants, copies=prepared.copies)
        plan = replace(plan, skipped={**plan.skipped, **self.lean.skipped})
        recorded = ledger.recorded() if ledger is not None else {}
        missing = [run for run in plan.runs if run.key not in recorded]
        for model in dict.fromkeys(run.model for run in (plan.runs if self._average_missing else missing)):
            self.model_timings.of(model)
        plan, late, words = self._without_late(plan, recorded)
        design, stored = plan, self._stored_less
        plan, finalists, passed, order = self._narrow(plan, stored)
        missing = [run for run in plan.runs if run.key not in recorded]
        _require_packages(missing)
        if ledger is not None:
            ids = {run.candidate for run in missing}
            check_weights([candidate for candidate in plan.candidates if candidate.id in ids], ledger, self.setting)
        narrow = plan
        plan, cut, over = keep_budget(narrow, prepared, timings, self.choose)
        less = stored or self._train_less(design, narrow, order, recorded, over)
        if less is not None:
            plan, cut, over = keep_budget(heads_of(narrow), prepared, timings, self.choose)
            plan = with_networks(plan, design, examples, with_less(spec, less), less)
            cut = (cut or Text("", "")) + less_words(spec, design, less)
            passed = order[: order.index(less.models[0])] if order else ()
            finalists = None if finalists is None else less.models
            self._store_less(less, finalists)
        if finalists is not None:
            self.model_timings.time_steps(_networks_of(plan))
        whole, race = plan, None if plan.folds else race_so_far(ledger, plan, spec, examples)
        sentences = [one for one in (self.lean.words, words, cut) if one is not None]
        plan, cut = self._left_out(plan, sum(sentences[1:], sentences[0]) if sentences else None)
        plan = replace(plan, runs=kept_runs(plan.runs, race))
        missing = [run for run in plan.runs if run.key not in recorded]
        jobs = group_jobs(missing, self.setting, timings, len(examples))
        if ledger is not None and ledger.fact("identity") is not None:
            jobs = less_features(jobs, examples, timings)
        seconds = sum(job.predicted_seconds for job in jobs) / max(1, min(self.workers, len(jobs)))
        if missing or self._average_missing:
            seconds += refit_seconds(plan, replace(prepared, spec=with_less(spec, less)), timings)
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
            chosen=self.chosen,
            over=over,
            less=less,
            asked=self.asked,
            late=words,
            stopped=tuple(dict.fromkeys([*(self._decided or {"stopped": ()})["stopped"], *late])),
        )

    def keep_time(self, plan: Plan, *, racing: bool) -> Plan:
        """The plan with what can still be run in the time; what is left out stays so at the next start with the same budget."""
        ledger = self.ledger
        assert ledger is not None
        prepared = replace(self.prepared, spec=with_less(self.prepared.spec, self._stored_less))
        kept, stopped, words = keep_time(
            plan, prepared, self.timings, ledger.recorded(), self.clock, max(1, self.workers), racing=racing
        )
        if words is not None:
            self.keep_left_out(stopped, words, kept.counts)
            ledger.set_planned(kept.runs)
        return kept

    def keep_models(self, plan: Plan) -> Plan:
        """The plan with the models whose heads can still be run in the time, of those that weigh chose; also kept for the next start."""
        assert self.ledger is not None
        kept, late, words = self._without_late(plan, self.ledger.recorded())
        if words is None:
            return plan
        self.keep_left_out(late, words, {})
        self.ledger.set_planned(kept.runs)
        return kept

    @property
    def may_drop_models(self) -> bool:
        """Whether models may be left out for want of time: weigh chose them itself."""
        return self.chosen is not None and self.clock.budget is not None

    @property
    def _average_missing(self) -> bool:
        """Whether members of an average may have to be refitted though all else is recorded."""
        wanted = self.prepared.spec.output.ensemble != "never"
        return wanted and (self.ledger is None or self.ledger.fact("saved_average") is None)

    @property
    def _budget_key(self) -> str:
        return f"left-out:{self.prepared.spec.design.budget}"

    @property
    def _decided(self) -> dict[str, Any] | None:
        """What was left out while the study ran with this budget."""
        return None if self.ledger is None or self.clock.budget is None else self.ledger.fact(self._budget_key)

    def keep_left_out(self, stopped: Collection[str], words: Text, repeats: Mapping[str, int]) -> None:
        """Remember that these candidates are stopped, and which repeats are run, for this start and the next ones with the same budget."""
        ledger, before = self.ledger, self._decided or {"repeats": {}, "stopped": [], "words": []}
        assert ledger is not None
        everyone = sorted({*before["stopped"], *stopped})
        sentences = [*before["words"], [words.en, words.zh]]
        decided = {"repeats": before["repeats"] | dict(repeats), "stopped": everyone, "words": sentences}
        told = Text(*(ledger.fact("skipped") or {}).get("budget", ["", ""])) + words
        skipped = (ledger.fact("skipped") or {}) | {"budget": [told.en, told.zh]}
        ledger.set_facts(**{self._budget_key: decided}, stopped=everyone, skipped=skipped)

    def _without_late(self, plan: Plan, recorded: Collection[str]) -> tuple[Plan, frozenset[str], Text | None]:
        """The plan without models that the time is too short for, where weigh chose them; their candidates, and what is said of them, where
        that is decided now.
        """
        gone = set((self._decided or {"stopped": ()})["stopped"])
        models = {candidate.model for candidate in plan.candidates if candidate.cheap and candidate.id in gone}
        kept = shortened(plan, {}, {c.id for c in plan.candidates if c.model in models})
        if not self.may_drop_models:
            return kept, frozenset(), None
        late, words = late_models(kept, self.prepared, self.timings, recorded, self.clock)
        return shortened(kept, {}, late), late, words

    def _left_out(self, plan: Plan, cut: Text | None) -> tuple[Plan, Text | None]:
        """The plan without what an earlier start with the same budget left out while it ran, and what was said of it."""
        decided = self._decided
        if decided is None:
            return plan, cut
        words = sum((Text(*one) for one in decided["words"]), cut or Text("", ""))
        return shortened(plan, decided["repeats"], decided["stopped"]), words

    @property
    def _less_key(self) -> str:
        candidates = ",".join(candidate.id for candidate in self.candidates)
        return f"less-training:{self.prepared.spec.design.budget}:{candidates}"

    @property
    def _stored_less(self) -> LessTraining | None:
        """How much less networks are trained, where that was decided with this budget."""
        stored = self.ledger is not None and self.clock.budget is not None and self.ledger.fact(self._less_key)
        return LessTraining.from_json(stored or None)

    def _train_less(
        self, design: Plan, narrow: Plan, order: Sequence[str], recorded: Collection[str], over: Text | None
    ) -> LessTraining | None:
        """How networks are trained in less time; None where they are left as they are.

        Args:
            design: All candidates in full.
            narrow: Without what only finalists run.
            order: Models of which one is to go on, the likeliest first; empty where no finalists are chosen.
            over: That the plan is too long, where it is.
        """
        spec, heads = self.prepared.spec, heads_of(narrow)
        if not may_train_less(spec, heads):
            return None
        chooses = chooses_finalists(spec)
        if len(heads.candidates) < len(narrow.candidates) and (chooses or over is None):
            return None  # somebody goes on in full, or everybody can
        networks = tuple(dict.fromkeys(c.model for c in design.candidates if c not in heads.candidates))
        choices = [(model,) for model in order] if chooses else [networks]
        fitting = Fitting(self.prepared, design, heads, self.model_timings, recorded, self.clock)
        return fitting.find([models for models in choices if models])

    def _store_less(self, less: LessTraining, finalists: Sequence[str] | None) -> None:
        """Keep what is decided, once the finalists are known."""
        if self.ledger is not None and (finalists is not None or not chooses_finalists(self.prepared.spec)):
            self.ledger.set_facts(**{self._less_key: less.as_json})

    def _fits(self, plan: Plan, *, known: bool, recorded: Collection[str]) -> bool:
        """Whether a plan with these finalists ends in the time.

        Args:
            known: They are, so what their networks cost is timed, unless it is too much even by a rough guess.
            recorded: Keys of runs.
        """
        fits = fits_budget(plan, self.prepared, self.timings, recorded, self.clock)
        if fits and known and self.model_timings.time_steps(_networks_of(plan)):
            fits = fits_budget(plan, self.prepared, self.timings, recorded, self.clock)
        return fits

    @property
    def timings(self) -> dict[str, dict[str, Any]]:
        """Address -> timing, as far as they are timed."""
        return self.model_timings.known

    def _narrow(self, plan: Plan, less: LessTraining | None) -> _Narrow:
        """The plan without what only finalists run.

        Args:
            less: What was decided: these models go on, and not in full.
        """
        prepared, ledger, spec = self.prepared, self.ledger, self.prepared.spec
        if not chooses_finalists(spec):
            return _Narrow(plan, None, (), ())
        ranking, recorded = None, {}
        if ledger is not None:
            recorded = ledger.recorded()
            ranking = rank_models(main_results(ledger, plan, spec, prepared.examples), plan)
        order, trained = ranking or (dearest_first(plan, spec, self.timings, len(prepared.examples)), ())
        order = tuple(model for model in order if any(candidate.model == model for candidate in plan.candidates))
        taken, passed = (), ()
        if less is None:
            taken, passed = take_finalists(
                plan, spec, order, partial(self._fits, known=ranking is not None, recorded=recorded)
            )
            taken = tuple(dict.fromkeys([*taken, *trained]))
            passed = tuple(model for model in passed if model not in trained)
            if taken and ranking is None:
                passed = ()  # whoever comes first may be a faster one: nobody is passed over yet
        return _Narrow(narrowed(plan, spec, taken), taken if ranking else None, passed, order)


def _networks_of(plan: Plan) -> list[str]:
    """Addresses of the models whose networks are trained."""
    return [c.model for c in plan.candidates if RECIPES.get(c.recipe).trains == "network"]


def _require_packages(runs: Collection[Run]) -> None:
    """Nothing, or the error that a package is missing which these runs need.

    Raises:
        MissingExtra: peft or Optuna is not installed.
    """
    names = {one["recipe"] for run in runs for one in run.options.get("contenders", [{"recipe": run.recipe}])}
    if any(RECIPES.get(name).low_rank for name in names):
        from weigh.train.lora import require_peft

        require_peft()
    if any("search" in run.options for run in runs):
        from weigh.train.search import require_optuna

        require_optuna()
