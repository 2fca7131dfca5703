"""Runs a study: the one process that decides, hands out jobs and writes the ledger.

    plan (`planner.py`) -> jobs that are not recorded -> finalists, race -> winner -> refits -> model/, ensemble/

Everything here may be interrupted at any moment and started again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weigh.data.examples import Examples
from weigh.disk import write_file
from weigh.execute.averaging import choose_average
from weigh.execute.budget import Clock
from weigh.execute.choices import forget_unused_choices, stored_timings
from weigh.execute.executor import Executor, open_executor
from weigh.execute.forecast import Forecast, duration
from weigh.execute.identity import identity_of
from weigh.execute.interruption import Interruption, interruptible
from weigh.execute.listener import Listener
from weigh.execute.planner import Planner, begin
from weigh.execute.racing import run_race
from weigh.execute.refits import refit_seconds
from weigh.execute.saving import Keeper
from weigh.language import Text, text
from weigh.notices import notice
from weigh.plan.candidates import recipe_of
from weigh.plan.finalists import chooses_finalists, finalist_words, with_first_recipe
from weigh.plan.identity import Split
from weigh.plan.jobs import group_jobs, next_block
from weigh.plan.less_training import epochs_given
from weigh.plan.purposes import CLEANED_REPEATS, cleaned_runs
from weigh.plan.runs import Plan, refit_run
from weigh.record.choice_of_winner import find_suspects, leading_heads, mean_settled, median_epochs
from weigh.record.index import write_index
from weigh.record.ledger import Ledger
from weigh.record.lock import lock_study
from weigh.record.problems import problems_to_json
from weigh.record.reading import read_results
from weigh.record.results import Results
from weigh.run import RECIPES, Job, Run, recipe_options
from weigh.spec import StudySpec
from weigh.spec_yaml import changed_settings, dump_spec, kept_spec
from weigh.train.length import epochs_of

__all__ = ["run_study"]

log = logging.getLogger("weigh")


def run_study(
    spec: StudySpec, folder: Path, listener: Listener, *, retry_failed: bool = False, trust_code: bool = False
) -> bool:
    """Run what is not recorded yet; False if the listener declined.

    Args:
        trust_code: Models may run code of the user's (`python:`).

    Raises:
        WeighError: A mistake that the user can act on. KeyboardInterrupt passes through; the ledger is valid.
    """
    with interruptible() as interruption, lock_study(folder):
        ledger = Ledger(folder, create=True)
        if lost := ledger.lost_sentence():
            listener.stage(lost)
        ledger.forgets_failed = retry_failed
        forget_unused_choices(ledger, spec)
        planner = begin(spec, ledger, listener, trust_code=trust_code, check=interruption.check)
        forecast = planner.forecast()
        spec, examples = forecast.prepared.spec, forecast.prepared.examples
        if not listener.planned(forecast):
            return False
        if retry_failed:
            ledger.forget_failed()
        _remember(ledger, forecast)
        planner.keep_left_out(forecast)
        ledger.keep_copy()
        with open_executor(forecast.workers, examples, listener.stage) as executor:
            recorder = _Recorder(executor, examples, ledger, listener, interruption, planner.clock)
            forecast = _choose_finalists(planner, forecast, recorder)
            forecast, plan = _use_time_left(planner, forecast, _run_networks(planner, forecast, recorder), recorder)
            results = read_results(ledger, forecast.prepared.spec, examples, plan.candidates)
            shares = choose_average(results)
            refits = [*_cleaned_runs(results, plan, ledger), *_refit_runs(results, results.spec, examples, shares)]
            ledger.set_planned([*plan.runs, *refits])
            recorded = ledger.recorded()
            keeper = Keeper.of(ledger, results, refits, shares, interruption.check)
            needed = [run for run in refits if run.key not in recorded or keeper.lacks(run)]
            if needed:
                jobs = group_jobs(needed, forecast.setting, stored_timings(ledger, spec, needed), len(examples))
                listener.stage(_refit_words(jobs, shares, forecast.shared_seconds(jobs)))
                listener.ahead(forecast.shared_seconds(jobs))
                recorder.execute(jobs, keeper)
            keeper.close()
        ledger.set_facts(finished=True)
        ledger.keep_copy()
    return True


def _choose_finalists(planner: Planner, forecast: Forecast, recorder: _Recorder) -> Forecast:
    """The first recipe with every model, where the others run only with those that come first; then the plan of what is left."""
    spec = forecast.prepared.spec
    chooses = forecast.finalists is None and chooses_finalists(spec)
    if not (chooses or planner.may_drop_models):
        return forecast
    compared = with_first_recipe(spec, forecast.plan.candidates) if chooses else forecast.plan.candidates
    ids = {candidate.id for candidate in compared if candidate.cheap or chooses}
    _run_first(planner, forecast, [job for job in forecast.jobs if job.runs[0].candidate in ids], recorder)
    forecast = planner.forecast()
    recorder.listener.ahead(forecast.seconds)
    _remember_decided(recorder.ledger, planner, forecast)
    if not chooses:
        return forecast
    for words in (
        finalist_words(spec, forecast.plan.candidates, forecast.finalists),
        forecast.cut if forecast.less else None,
    ):
        if words is not None:
            recorder.listener.stage(words)
    return forecast


def _run_first(planner: Planner, forecast: Forecast, jobs: Sequence[Job], recorder: _Recorder) -> None:
    """These jobs; where weigh chose the models one after the other, the shortest first, so that the clock can leave models out and take them back.

    A slow model that is likely to be good took the whole minute when it came first, and faster ones that were better were left out for it
    (docs/benchmarks/result.md).
    """
    if not planner.may_drop_models:
        recorder.execute(jobs)
        return
    plan, first, ran = forecast.plan, {job.runs[0].candidate for job in jobs}, set[str]()
    while jobs:
        shortest = sorted(jobs, key=lambda job: job.predicted_seconds)[: planner.workers]
        recorder.execute(shortest)
        ran |= {job.runs[0].candidate for job in shortest}
        plan, words = planner.keep_models(plan)
        if words is not None:
            recorder.listener.stage(words)
        ahead = first.union(c.id for c in plan.candidates if c.cheap) - ran
        jobs = forecast.missing_jobs((run for run in plan.runs if run.candidate in ahead), recorder.ledger.recorded())
        if words is not None:
            _tell_ahead(forecast, plan, recorder)


def _run_networks(planner: Planner, forecast: Forecast, recorder: _Recorder) -> Plan:
    """Everything that is left of the plan; with a budget block by block, so that the clock can shorten it. What was run of it."""

    def keep_time(plan: Plan) -> Plan:
        kept, words = planner.keep_time(plan, racing=forecast.race is not None)
        if words is not None:
            recorder.listener.stage(words)
            _tell_ahead(forecast, kept, recorder)
        return kept

    ledger = recorder.ledger
    plan, jobs = run_race(forecast, ledger, recorder.execute, recorder.listener.stage, keep_time)
    while jobs:
        recorder.execute(next_block(jobs) if planner.clock.budget else jobs)
        plan = keep_time(plan)
        jobs = forecast.missing_jobs(plan.runs, ledger.recorded())
    return plan


def _tell_ahead(forecast: Forecast, plan: Plan, recorder: _Recorder) -> None:
    """How long what is left of `plan` is predicted to take, refits included: it is no longer what the forecast said."""
    jobs = forecast.missing_jobs(plan.runs, recorder.ledger.recorded())
    best = recorder.clock.best_epochs
    refits = refit_seconds(plan, forecast.prepared, forecast.timings, best, workers=forecast.workers)
    recorder.listener.ahead(forecast.shared_seconds(jobs) + refits)


def _use_time_left(planner: Planner, forecast: Forecast, plan: Plan, recorder: _Recorder) -> tuple[Forecast, Plan]:
    """With a budget, run what was left out of the heads and fits after all, one thing after the other; returns what was run in the end."""
    while planner.clock.budget is not None and forecast.race is None and (more := planner.with_more(plan)) is not None:
        planner, words = more
        recorder.listener.stage(words)
        forecast = planner.forecast()
        recorder.listener.ahead(forecast.seconds)
        _remember_decided(recorder.ledger, planner, forecast)
        plan = _run_networks(planner, forecast, recorder)
    return forecast, plan


def _remember_decided(ledger: Ledger, planner: Planner, forecast: Forecast) -> None:
    """Store what may have changed with a plan that was made while the study runs."""
    ledger.set_planned(forecast.plan.runs)
    ledger.set_facts(finalists=forecast.finalists, less=_less(forecast), skipped=_skipped(forecast))
    planner.keep_left_out(forecast)


@dataclass(frozen=True)
class _Recorder:
    """Hands jobs to the executor and records what comes back, unless the study was interrupted meanwhile."""

    executor: Executor
    examples: Examples
    ledger: Ledger
    listener: Listener
    interruption: Interruption
    clock: Clock

    def execute(self, jobs: Sequence[Job], keeper: Keeper | None = None) -> None:
        """Run and record.

        Args:
            keeper: Saves refits.
        """
        for count, (job, outcomes) in enumerate(self.executor.run(jobs, self._progress), 1):
            self.interruption.check()  # a job that an interruption ended is no failed job
            self.ledger.commit(job.runs, outcomes, self.examples)
            started = [outcome.measured["started"] for outcome in outcomes if "started" in outcome.measured]
            # the wall clock of both processes: somebody may have set it, or the machine slept
            took = time.time() - min(started, default=time.time())
            self.clock.job_done(job, min(max(0.0, took), time.monotonic() - self.clock.began), outcomes)
            failed = [outcome for outcome in outcomes if outcome.status == "failed"]
            for outcome in failed:
                log.warning("run %s failed: %s\n%s", outcome.key, outcome.cause, outcome.measured.get("traceback", ""))
            self.listener.job_done(job, len(failed), count, len(jobs))
            for run, outcome in zip(job.runs, outcomes, strict=True):
                if run.keep_weights and keeper is not None:
                    keeper.keep(run, outcome, trust_code=job.setting.trust_code)

    def _progress(self, what: str, done: int, total: int) -> None:
        self.interruption.check()  # a library may have swallowed the interrupt
        self.listener.progress(what, done, total)


def _refit_words(jobs: Sequence[Job], shares: Collection[str], seconds: float) -> Text:
    """What is refitted; of an average, how many members and how long all refits take by the clock, in `seconds`."""
    words = text("Refitting on all training data", "用全部训练数据重新拟合")
    members = sum(run.candidate in shares and run.keep_weights for job in jobs for run in job.runs)
    if not members:
        return words
    return words + text(
        "(members of an average among them: {m}; about {t} in all)",
        "（其中平均模型的成员：{m} 个；共约 {t}）",
        m=members,
        t=duration(seconds),
    )


def _refit_runs(results: Results, spec: StudySpec, examples: Examples, averaged: Collection[str]) -> list[Run]:
    """The refits: with a test part every candidate is refitted and scored once; without one only the winner is, and the candidates that are averaged."""
    has_test = bool((examples.part != "train").any())
    runs = []
    for candidate in results.candidates:
        keep = (candidate.id == results.winner and spec.output.refit) or candidate.id in averaged
        if not (keep or has_test) or not results.runs(candidate=candidate.id):
            continue
        if results.race is not None and candidate.id in results.race.out:
            continue  # it cannot be the best: no training and no look at the test part for it
        epochs, settled = None, {}
        if not candidate.cheap:
            options = recipe_options(recipe_of(spec, candidate), spec.task)
            chooses = bool(RECIPES.get(candidate.recipe).chooses)
            epochs = None if chooses else median_epochs(results, candidate.id)
            if chooses:  # by the procedure that was scored; where less is trained, for so many epochs
                epochs = None if results.less is None else epochs_given(spec, candidate, results.less)
            elif epochs is None:
                epochs = epochs_of(options, int((examples.part == "train").sum()))
            settled = {} if chooses else mean_settled(results, candidate.id)
        runs.append(refit_run(examples, spec, candidate, epochs=epochs, keep_weights=keep, settled=settled))
    return runs


def _cleaned_runs(results: Results, plan: Plan, ledger: Ledger) -> list[Run]:
    """The two leading heads without the suspects; why not is remembered where there is nothing to run."""
    spec, examples = results.spec, results.examples
    heads = leading_heads(results)
    suspects = find_suspects(results)
    runs: list[Run] = []
    late = plan.skipped.get("cleaned")  # there was no time for them
    if not spec.design.cleaned and late is None:
        reason = text("design.cleaned is off.", "design.cleaned 已关闭。")
    elif len(heads) < 2:
        reason = text(
            "Two candidates that train only a head are needed; this study has {n}.",
            "需要两个只训练线性头的候选方案，本研究有 {n} 个。",
            n=len(heads),
        )
    elif suspects.contradicted and not suspects.mask.any():
        reason = text(
            "{n} {n:|label is|labels are} contradicted: so many are rather errors of the models than of the labels.",
            "有 {n} 个标签与模型矛盾：数量如此之多，更可能是模型出错，而非标注出错。",
            n=suspects.contradicted,
        )
    elif not suspects.mask.any():
        reason = text("Nothing is suspected.", "没有可疑的样本。")
    elif late is not None:
        reason = late
    else:
        reason = None
        splits = [
            Split(run.repeat, run.fold, run.train, run.test)
            for run in plan.runs
            if run.purpose == "main" and run.candidate == heads[0] and run.repeat < CLEANED_REPEATS
        ]
        runs = cleaned_runs(examples, spec, [results.candidate(name) for name in heads], splits, suspects.mask)
    skipped = {key: value for key, value in (ledger.fact("skipped") or {}).items() if key != "cleaned"}
    ledger.set_facts(skipped=skipped | ({} if reason is None else {"cleaned": [reason.en, reason.zh]}))
    return runs


def _skipped(forecast: Forecast) -> dict[str, list[str]]:
    """What does not run though it usually does or was asked for -> why, in both languages."""
    reasons = {
        **forecast.plan.skipped,
        "passed-over": forecast.passed,
        "budget": forecast.cut,
        "models": forecast.chosen,
    }
    return {key: [reason.en, reason.zh] for key, reason in reasons.items() if reason}


def _less(forecast: Forecast) -> dict[str, Any] | None:
    """How networks are trained in less time, as far as it is decided."""
    return forecast.less.as_json if forecast.less is not None and forecast.less_is_decided else None


def _remember(ledger: Ledger, forecast: Forecast) -> None:
    from weigh import __version__

    spec, examples, plan = forecast.asked, forecast.prepared.examples, forecast.plan
    changed = changed_settings(ledger.fact("spec"), kept_spec(spec))
    if changed:
        notice(text("Changed since the last run: {c}", "与上次运行相比的改动：{c}", c="; ".join(changed)))
    write_index(ledger.folder, examples)
    write_file(ledger.folder / "study.yaml", dump_spec(spec))
    ledger.set_facts(
        spec=kept_spec(spec),
        identity=identity_of(spec, examples),
        version=__version__,
        name=spec.title,
        problems=problems_to_json(forecast.prepared.problems),
        skipped=_skipped(forecast),
        finished=False,
        race=None if forecast.race is None else forecast.race.as_json,
        finalists=forecast.finalists,
        less=_less(forecast),
        stopped=forecast.stopped,
    )
    ledger.set_planned(plan.runs)
