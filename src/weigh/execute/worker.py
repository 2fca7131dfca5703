"""One job, from start to end: the place where work enters the compute wing.

A job is a picklable value and so is what comes back, so the same function serves this process, worker processes and a cluster. A run
that fails becomes a failed outcome with its cause; it never stops the study.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from weigh.data.examples import Examples
from weigh.notices import Progress
from weigh.run import RECIPES, Job, Outcome, Setting
from weigh.settings import cache_folder

__all__ = ["environment", "run_job", "settle"]

PACKAGES = (
    "weigh",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "peft",
    "optuna",
    "numpy",
)  # stated where they are installed


def run_job(job: Job, examples: Examples, progress: Progress | None = None) -> list[Outcome]:
    """Execute the runs of `job`; one outcome per run, in any order.

    Runs that failed for numerical reasons are tried once more in a more exact arithmetic, and say so.

    Raises:
        WeightsReplaced, StorageError: What is not the run's failure: nothing is recorded, and the same command tries again.
    """
    from weigh.train.failures import MORE_EXACT

    job = settle(job)
    outcomes = _attempt(job, examples, progress)
    precision = MORE_EXACT[RECIPES.get(job.runs[0].recipe).trains].get(job.setting.precision)
    failed = {outcome.key: outcome for outcome in outcomes if outcome.remedy == "exact"}
    if precision is None or not failed:
        return outcomes
    runs = tuple(run for run in job.runs if run.key in failed)
    again = _attempt(replace(job, runs=runs, setting=replace(job.setting, precision=precision)), examples, progress)
    done = {
        outcome.key: replace(
            outcome, cause=f"done in {precision}, after in {job.setting.precision}: {failed[outcome.key].cause}"
        )
        for outcome in again
        if outcome.status == "done"
    }
    return [done.get(outcome.key, outcome) for outcome in outcomes]


def settle(job: Job) -> Job:
    """The job as this machine runs it: with the cache folder of this machine, on a device that is here.

    Precision and threads stay what the study began with, so that all its runs are computed alike; what was used is recorded (`environment`).

    Raises:
        SpecError: The device is not here.
    """
    from weigh.train.device import resolve_device

    cache = None if job.setting.cache is None else cache_folder()
    return replace(job, setting=replace(job.setting, device=resolve_device(job.setting.device), cache=cache))


def _attempt(job: Job, examples: Examples, progress: Progress | None) -> list[Outcome]:
    from weigh.train.failures import failed_outcome

    started, outcome_by_key = time.time(), {}
    module, function = RECIPES.get(job.runs[0].recipe).fit.split(":")
    try:
        fit = getattr(import_module(module), function)
        for outcome in _compute(fit, job, examples, progress):
            outcome_by_key[outcome.key] = outcome
    except Exception as error:  # the cause is recorded; the study goes on
        outcome_by_key = {run.key: failed_outcome(run.key, error) for run in job.runs} | outcome_by_key
    for run in job.runs:
        if run.key not in outcome_by_key:
            nothing = "the recipe returned nothing for this run"
            outcome_by_key[run.key] = Outcome(run.key, "failed", cause=nothing)
    facts = environment(job.setting, {run.model for run in job.runs})
    return [_stamp(outcome_by_key[run.key], facts, started) for run in job.runs]


def _compute(fit: Callable, job: Job, examples: Examples, progress: Progress | None) -> Iterator[Outcome]:
    """Outcomes as the recipe makes them; on a GPU by deterministic operators alone.

    Where a network needs an operator that has no deterministic form, the runs that are left are computed with it, and their
    environment says `"deterministic": False`: another start may give other last bits.
    """
    from weigh.train.determinism import computing, is_nondeterministic

    left, strict, promise = list(job.runs), job.setting.device.startswith("cuda"), {}
    while left:
        try:
            with computing(threads=job.setting.threads, strict=strict):
                for outcome in fit(left, job.setting, examples, progress):
                    left = [run for run in left if run.key != outcome.key]
                    yield replace(outcome, environment={**promise, **outcome.environment})
            return
        except RuntimeError as error:
            if not (strict and is_nondeterministic(error)):
                raise
            strict, promise = False, {"deterministic": False}


def _stamp(outcome: Outcome, facts: dict, started: float) -> Outcome:
    return replace(
        outcome, environment={**facts, **outcome.environment}, measured={"started": started, **outcome.measured}
    )


def environment(setting: Setting, models: Iterable[str] = ()) -> dict:
    """Versions, processor, threads and arithmetic: what a reader needs to judge whether numbers can be repeated."""
    from weigh.models.pretrained import libraries_of

    versions = {}
    for package in dict.fromkeys((*PACKAGES, *(name for model in sorted(models) for name in libraries_of(model)))):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "versions": versions,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": setting.device,
        "threads": setting.threads,
        "precision": setting.precision,
    }
