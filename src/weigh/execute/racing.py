"""The racing loop: run the next blocks of the living candidates, read the records, decide, until the race is over.

Killed at any moment it goes on as if nothing had happened: every decision is replayed from the records. What was decided is
stored in the ledger with its numbers, and the planned runs shrink to what is left, so that a report at any moment is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from weigh.data.examples import Examples
from weigh.execute.forecast import Forecast
from weigh.language import Text, text
from weigh.plan.racing import Race, kept_runs, start_race
from weigh.plan.runs import Plan
from weigh.record.ledger import Ledger
from weigh.record.racing import replay_race
from weigh.record.reading import main_results
from weigh.run import Job
from weigh.spec import StudySpec

__all__ = ["race_so_far", "run_race"]


def race_so_far(ledger: Ledger | None, plan: Plan, spec: StudySpec, examples: Examples) -> Race | None:
    """The race of a plan as the records decide it; None where no candidate races."""
    race = start_race(spec, plan.candidates, plan.repeats)
    if race is None or ledger is None:
        return race
    return replay_race(main_results(ledger, plan, spec, examples), race)


def run_race(
    forecast: Forecast,
    ledger: Ledger,
    execute: Callable[[Sequence[Job]], None],
    say: Callable[[Text], None],
    keep_time: Callable[[Plan], Plan],
) -> tuple[Plan, Sequence[Job]]:
    """Heads first, then the race; returns the plan of what is left and its jobs that are not run yet.

    Args:
        execute: Runs jobs and records them.
        say: Tells whoever watches.
        keep_time: The plan without what the time is too short for.
    """
    plan, jobs = forecast.plan, forecast.jobs
    if forecast.race is None:
        return plan, jobs
    spec, examples = forecast.prepared.spec, forecast.prepared.examples
    heads = {c.id for c in plan.candidates if c.cheap}
    first = [job for job in jobs if job.runs[0].candidate in heads]
    if first:
        execute(first)
    announced = 0
    while True:
        plan = keep_time(plan)
        race = race_so_far(ledger, forecast.whole, spec, examples)
        assert race is not None
        ledger.set_facts(race=race.as_json)
        left = replace(plan, runs=kept_runs(plan.runs, race))
        ledger.set_planned(left.runs)
        for drop in race.dropped[announced:]:
            say(
                text(
                    "Dropped after {k} of {n} folds: {c}",
                    "已退出（{n} 折中跑了 {k} 折）：{c}",
                    k=drop.blocks,
                    n=drop.planned,
                    c=drop.candidate,
                )
            )
        announced = len(race.dropped)
        recorded = ledger.recorded()
        if race.upto is None:
            return left, forecast.missing_jobs(left.runs, recorded)
        alive = set(race.planned) - race.out
        block = [
            run
            for run in left.runs
            if run.purpose == "main" and run.candidate in alive and run.repeat * race.folds + run.fold < race.upto
        ]
        jobs = forecast.missing_jobs(block, recorded)
        if not jobs:  # no time is left: nothing to decide by
            return left, forecast.missing_jobs(left.runs, recorded)
        execute(jobs)
