"""Studies whose workers answer from planted accuracies: what is planned, decided and told, without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from weigh.execute import choices, local, planner, saving
from weigh.execute.driver import run_study
from weigh.execute.listener import Silent
from weigh.run import Outcome, Setting
from weigh.study import Study

SETTINGS = ["design.folds=4", "design.repeats=3", "run.offline=true", "design.test=0.2", "run.jobs=1"]


def planted(accuracy: Mapping[str, float], calls: list | None = None, fail: str = "", stop_after: int | None = None):
    """A worker that answers from a planted accuracy instead of training; the same run always gives the same answer.

    Args:
        accuracy: Of a candidate by its id, or else by its recipe's label; otherwise a half.
    """
    import numpy as np

    def run_job(job, examples, progress=None):
        outcomes = []
        for run in job.runs:
            if calls is not None:
                if stop_after is not None and len(calls) >= stop_after:
                    raise KeyboardInterrupt
                calls.append((run.candidate, run.purpose, run.repeat, run.fold))
            label = run.candidate.rpartition(" × ")[2]
            if fail in (label, run.candidate):
                outcomes.append(Outcome(run.key, "failed", cause="planted"))
                continue
            rng = np.random.default_rng(int(run.key[:8], 16))
            right = rng.random(len(run.test)) < accuracy.get(run.candidate, accuracy.get(label, 0.5))
            target = examples.target[run.test]
            answer = np.where(right, target, 1 - target)
            logits = (4.0 * np.eye(2)[answer] + rng.normal(0, 0.1, (len(answer), 2))).astype(np.float32)
            weights = {"planted": np.zeros(1, np.float32)} if run.keep_weights else None
            outcomes.append(Outcome(run.key, "done", answers=logits, facts={"best_epoch": 1}, weights=weights))
        return outcomes

    return run_job


def planted_study(
    photos: Path, folder: Path, monkeypatch, models: Sequence[str], recipes: Sequence, accuracy: Mapping[str, float],
    *, settings: Sequence[str] = (), seconds: Mapping[str, float] | None = None, **given,
) -> Study:  # fmt: skip
    """A study whose workers are planted: no network is made, nothing is timed, nothing but records is saved.

    Args:
        seconds: Of a pass of one example, by model.
        given: See `planted`.
    """
    monkeypatch.setattr("weigh.execute.local.run_job", planted(accuracy, **given))
    monkeypatch.setattr(saving, "save_refit", lambda folder, run, outcome, results, trust_code: 1.0)
    monkeypatch.setattr(saving, "model_there", lambda folder: True)
    monkeypatch.setattr(
        choices,
        "time_address",
        lambda address, *others, **more: {"seconds_per_example": (seconds or {}).get(address, 0.001)},
    )
    monkeypatch.setattr(planner, "name_weights", lambda candidates, *given: candidates)
    monkeypatch.setattr(planner, "check_weights", lambda *given: None)
    monkeypatch.setattr(planner, "less_features", lambda jobs, *given: jobs)
    monkeypatch.setattr(planner, "choose_setting", lambda spec, examples, choose: _setting(spec, examples))
    return Study.from_data(photos, models, recipes, settings=[*SETTINGS, *settings], folder=folder)


def keep_epoch(monkeypatch, epoch: int) -> None:
    """The planted workers of the study that was made last report that this epoch was kept; otherwise it is the first."""
    work = local.run_job

    def run_job(job, examples, progress=None):
        outcomes = work(job, examples, progress)
        return [replace(outcome, facts={**outcome.facts, "best_epoch": epoch}) for outcome in outcomes]

    monkeypatch.setattr(local, "run_job", run_job)


def _setting(spec, examples) -> Setting:
    return Setting(spec.task, examples.classes, spec.primary)


def records_only(study: Study) -> Study:
    """Run without reports."""
    assert run_study(study.spec, study.folder, Silent())
    return Study.open(study.folder)


def main_runs(study) -> dict[str, int]:
    """Recipe's label -> number of its runs."""
    runs: dict[str, int] = {}
    for record in study.results().runs("main", status=None):
        label = record.candidate.rpartition(" × ")[2]
        runs[label] = runs.get(label, 0) + 1
    return runs
