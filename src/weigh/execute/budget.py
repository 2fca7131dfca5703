"""The time that a study may take (`design.budget`): fewer repeats before it begins, and fewer while it runs where it turns out slower; fewer
models where weigh itself chose them.

Before it: timings (`choices.py`) and the plan. After it: `planner.py`, and `driver.py`, which asks again after every block of runs.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from weigh.execute.choices import Choose
from weigh.execute.refits import everyone_refitted, refit_seconds, refits_of_networks
from weigh.language import Text, text
from weigh.plan.jobs import cut_to_budget, cut_to_time, heads_in, pass_seconds, predict_seconds
from weigh.plan.prepare import Prepared
from weigh.plan.runs import Plan, plan_runs
from weigh.run import RECIPES, Job, Outcome, Run
from weigh.spec_yaml import parse_duration

__all__ = [
    "SEEN_SHARE",
    "SHARE",
    "Clock",
    "fits_budget",
    "impossible_networks",
    "keep_budget",
    "keep_time",
    "late_models",
    "shortened",
]

# Kept free for conclusions, the report and the end of the process: so many seconds, and of a short budget a tenth. They take about 3.5 s on the
# machine of docs/decisions/budget.md; where they take four times as long, a budget is still kept within 15 %.
REPORT, REPORT_SHARE = 15.0, 0.1
# The refit of a head whose features are there takes so many times as long as loading the network once: the network is loaded, written and hashed, and
# what was saved is opened again and asked a few examples (`saved/check.py`).
LOADS = 3.0
LATE = 0.1  # share of the budget by which a refit may end too late before its network is left out
SHARE = 0.85  # share of the time left that may be planned: how slow something is shows only afterwards
SEEN_SHARE = 0.95  # the same for work of which a part ran: its pace is known
TRUST = 10.0  # seconds added to both forecast and measured time, so that the first short job does not decide the pace
KEPT = 0.05  # a pass that took less than this share of its forecast found its features in the cache and tells no pace


@dataclass
class Clock:
    """What of the time is spent, and how jobs turned out against their forecasts.

    Attributes:
        budget: Seconds that this start of the study may take; None: any.
        began: When it began, by `time.monotonic`.
        predicted, took: "pass" (through a network, for features), "head" or "network" -> seconds of such work in the jobs that are done.
        per_head: Candidate -> seconds of one of its heads, its features being there; recipes of one model differ.
        loading: Address -> seconds of loading the model.
        slowest: Predicted and taken seconds of the network that took longest against its forecast; None: none ran.
        best_epochs: Candidate -> the epochs that runs of the cross-validation kept, where they chose them.
    """

    budget: float | None
    began: float = field(default_factory=time.monotonic)
    predicted: dict[str, float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    per_head: dict[str, float] = field(default_factory=dict)
    loading: dict[str, float] = field(default_factory=dict)
    slowest: tuple[float, float] | None = None
    best_epochs: dict[str, list[int]] = field(default_factory=dict)

    def job_done(self, job: Job, seconds: float, outcomes: Sequence[Outcome] = ()) -> None:
        """A job took so long.

        Args:
            outcomes: Of its runs.
        """
        recipe, model, candidate = RECIPES.get(job.runs[0].recipe), job.runs[0].model, job.runs[0].candidate
        loads = [outcome.measured.get("load_seconds", 0.0) for outcome in outcomes]
        self.loading[model] = max([self.loading.get(model, 0.0), *loads])
        alone = [
            o.measured["train_seconds"] - o.measured.get("feature_seconds", 0.0)
            for o in outcomes
            if "train_seconds" in o.measured
        ]
        if recipe.trains == "head":
            # Side by side, one on each thread; where no model is, one after the other (`train/naive_bayes.py`).
            heads = sum(alone) / (min(job.setting.threads, len(alone)) if len(alone) > 1 and not recipe.model else 1)
            words = sum(outcome.measured.get("words_seconds", 0.0) for outcome in outcomes)
            passing = max(0.0, seconds - heads - words)
            if candidate not in self.per_head and passing > KEPT * job.pass_seconds > 0:
                self._add("pass", job.pass_seconds, passing)
            self._add("head", job.predicted_seconds - job.pass_seconds, heads + words)
            if alone:
                self.per_head[candidate] = heads / len(alone)
        else:
            self._add("network", job.predicted_seconds, seconds)
            own = (job.predicted_seconds, seconds)
            self.slowest = max(self.slowest or own, own, key=lambda pair: _pace(*pair))
            for run, outcome in zip(job.runs, outcomes, strict=False):
                best = outcome.facts.get("best_epoch")
                if best is not None and run.purpose == "main" and run.epochs is None:
                    self.best_epochs.setdefault(candidate, []).append(best)

    def _add(self, work: str, predicted: float, took: float) -> None:
        self.predicted[work] = self.predicted.get(work, 0.0) + predicted
        self.took[work] = self.took.get(work, 0.0) + took

    def pace(self, work: str = "network") -> float:
        """How many times as long as predicted such work took so far. Before the first: as other work that was timed (not heads, whose forecast is a
        guess), where that took longer; that it was faster says nothing about this.
        """
        paces = {kind: _pace(self.predicted[kind], seconds) for kind, seconds in self.took.items() if seconds}
        return paces.get(work, max([1.0, *(pace for kind, pace in paces.items() if kind != "head")]))

    def at_its_slowest(self) -> Clock:
        """This clock, with networks as slow as the one that took longest against its forecast: others may have stopped early."""
        if self.slowest is None:
            return self
        predicted, took = self.slowest
        return replace(self, predicted={**self.predicted, "network": predicted}, took={**self.took, "network": took})

    def of_heads(self, runs: Sequence[Run], timing: dict, n_examples: int) -> float:
        """Predicted seconds of heads of one candidate, as passes and heads turned out so far.

        Args:
            n_examples: That are to be passed through the network; 0: the features are there.
        """
        passing = pass_seconds(runs, timing, n_examples) * self.pace("pass")
        each = self.per_head.get(runs[0].candidate)
        if each is not None:
            return passing + heads_in(runs) * each
        return passing + predict_seconds(runs, timing, 0) * self.pace("head")

    def left(self) -> float:
        """Seconds for runs: without those for the report, and for loading and saving the winner."""
        assert self.budget is not None
        saving = LOADS * max(self.loading.values(), default=0.0)
        report = min(REPORT, REPORT_SHARE * self.budget)
        return max(0.0, self.budget - report - saving - (time.monotonic() - self.began))


def _pace(predicted: float, took: float) -> float:
    return (took + TRUST) / (predicted + TRUST)


def keep_budget(
    plan: Plan, prepared: Prepared, timings: dict, choose: Choose, recorded: Collection[str], workers: int = 1
) -> tuple[Plan, Text | None, Text | None]:
    """Fewer repeats where `design.budget` says so; the decision is stored with the design it was made for. Also what is said of what is
    left out, and of a prediction that is still too long: nothing is left out for that. Repeats that are recorded cost nothing and stay.

    Args:
        recorded: Keys of runs.
        workers: That share the work at this start; they change nothing of what is planned.
    """
    spec = prepared.spec
    if spec.design.budget is None:
        return plan, None, None
    budget = parse_duration(spec.design.budget)
    seconds, fixed = _costs(plan, prepared, timings, recorded)
    done = plan.complete(recorded)
    key = f"repeats:{spec.design.budget}:{plan.digest}:" + ",".join(f"{c}={n}" for c, n in plan.repeats.items())
    cut = choose(key, lambda: cut_to_budget(plan.repeats, seconds, fixed, budget, done))
    cut = {c: max(many, done.get(c, 0)) for c, many in cut.items()}
    total = fixed + sum(max(0, cut[c] - done.get(c, 0)) * seconds[c] for c in cut)
    missing = any(run.purpose == "main" and run.key not in recorded for run in plan.runs)
    fewer = over = None
    if cut != plan.repeats:
        fewer = text(
            "To keep the budget of {b}, {n} of {m} repeats {n:|is|are} planned.",
            "为不超出 {b} 的预算，{m} 次重复中只计划运行 {n} 次。",
            b=spec.design.budget,
            n=sum(cut.values()),
            m=sum(plan.repeats.values()),
        )
    if missing and total / workers > budget:
        over = text(
            "Even one repeat of everything is predicted to take longer than {b}.",
            "即使每项只重复一次，预计也会超过 {b}。",
            b=spec.design.budget,
        )
        if not any(candidate.cheap for candidate in plan.candidates):  # then one network runs to its end in any case
            over += text(
                "One network runs to its end in any case: to make that shorter, name one small model (--models) or ask for fewer folds (--set design.folds=2).",
                "无论如何总有一个网络会训练完；若要缩短，请只指定一个小模型（--models）或减少折数（--set design.folds=2）。",
            )
    shorter = plan_runs(
        prepared.examples, spec, plan.candidates, variants=prepared.variants, copies=prepared.copies, repeats=cut
    )
    return replace(shorter, skipped=plan.skipped), fewer, over


def fits_budget(
    plan: Plan,
    prepared: Prepared,
    timings: dict,
    recorded: Collection[str],
    clock: Clock,
    share: float = 1.0,
    workers: int = 1,
) -> bool:
    """Whether what is missing of one repeat of every candidate is predicted to end in the time that is left; always where there is no budget.

    Args:
        recorded: Keys of runs.
        share: Of that time which may be used.
        workers: That share the networks.
    """
    if clock.budget is None:
        return True
    units, fixed = _missing_seconds(plan, prepared, timings, recorded, clock)
    fixed += refit_seconds(plan, prepared, timings, clock.best_epochs, clock.pace())
    first = {unit: seconds for unit, seconds in units.items() if not unit[1] or unit[0] in plan.folds}
    runs = sum(1 if name in plan.folds else prepared.spec.design.folds for name, _ in first)
    return fixed + sum(first.values()) / max(1, min(workers, runs)) <= share * clock.left()


def late_models(
    plan: Plan, prepared: Prepared, timings: dict, recorded: Collection[str], clock: Clock
) -> tuple[str, ...]:
    """Models that are left out so that the heads of the others end in the time that is left.

    For models that weigh chose (a user's own are never left out). Whoever takes longest goes first, so that as many as can be are compared; nobody
    goes who ran already. One model stays in any case. Asked again after every model, for others may have been faster than predicted.
    """
    if clock.budget is None:
        return ()
    seconds, ran = dict[str, float](), set[str]()
    for candidate in plan.candidates:
        if candidate.cheap and candidate.model in prepared.spec.models:
            own = [run for run in plan.runs if run.candidate == candidate.id]
            missing = [run for run in own if run.key not in recorded]
            if len(missing) < len(own):  # its features are there
                ran.add(candidate.model)
            n = 0 if candidate.model in ran else len(prepared.examples)
            took = clock.of_heads(missing, timings.get(candidate.model, {}), n) if missing else 0.0
            seconds[candidate.model] = seconds.get(candidate.model, 0.0) + took
    late = []
    while len(seconds) > 1 and sum(seconds.values()) > SHARE * clock.left():
        fresh = [model for model in seconds if model not in ran]
        if not fresh:
            break
        late.append(max(reversed(fresh), key=lambda model: seconds[model]))  # of equal ones the less likely
        del seconds[late[-1]]
    return tuple(late)


def impossible_networks(
    plan: Plan, prepared: Prepared, timings: dict, recorded: Collection[str], clock: Clock, workers: int
) -> frozenset[str]:
    """Networks whose first repeat could not end in the time that is left if heads took none of it, as heads may be faster than predicted.

    Args:
        timings: With the least that steps can cost, where they are not timed (`ModelTimings.least`).
    """
    networks = tuple(c for c in plan.candidates if RECIPES.get(c.recipe).trains == "network")
    units, fixed = _missing_seconds(replace(plan, candidates=networks), prepared, timings, recorded, clock)
    first = {unit: seconds / workers for unit, seconds in units.items() if not unit[1]}
    refits = refits_of_networks(plan, prepared, timings, clock.best_epochs, clock.pace())
    everyone = everyone_refitted(prepared)
    return cut_to_time(first, fixed, refits, refits.keys(), clock.left(), all_refitted=everyone)[1]


def keep_time(
    plan: Plan,
    prepared: Prepared,
    timings: dict,
    recorded: Collection[str],
    clock: Clock,
    workers: int,
    *,
    racing: bool,
) -> tuple[Plan, frozenset[str], Text | None]:
    """The plan with what can still be run in the time that is left, as runs turned out so far; who is stopped, and what is to be said of it.

    Later repeats go first, or later folds where less than a repeat is run (`less_training.py`), then a network whose first one is not complete:
    a part of a cross-validation says little. In a race nobody is stopped but by its results.
    """
    if clock.budget is None:
        return plan, frozenset(), None
    units, fixed = _missing_seconds(plan, prepared, timings, recorded, clock)
    refits = refits_of_networks(plan, prepared, timings, clock.best_epochs, clock.pace())
    everyone = everyone_refitted(prepared)
    stoppable = set(list(refits)[len(refits) == len(plan.candidates) :]) if not racing else set()
    shared = {unit: seconds / workers for unit, seconds in units.items()}
    dropped, stopped = cut_to_time(shared, fixed, refits, stoppable, clock.left(), all_refitted=everyone)
    waiting, late = {name for name, _ in shared.keys() - dropped}, clock.left() + LATE * clock.budget
    if len(refits) < len(plan.candidates):  # else the refit of another network would be as late
        stopped |= {name for name in plan.folds if name not in waiting and fixed + refits.get(name, 0.0) > late}
    if not (dropped or stopped):
        return plan, frozenset(), None
    left = {
        name: min([many, *(number for candidate, number in dropped if candidate == name)])
        for name, many in plan.counts.items()
    }
    return shortened(plan, left, stopped), stopped, _stopped_words(plan, left, stopped)


def shortened(plan: Plan, counts: Mapping[str, int], stopped: Collection[str]) -> Plan:
    """The plan without later repeats, and without candidates that were stopped.

    Args:
        counts: Candidate -> repeats that are run, or folds (`Plan.counts`); as planned where it is missing.
        stopped: Candidates.
    """
    candidates = tuple(c for c in plan.candidates if c.id not in stopped)
    kept = {c.id: min(plan.counts[c.id], counts.get(c.id, plan.counts[c.id])) for c in candidates}
    runs = tuple(
        run
        for run in plan.runs
        if run.candidate in kept and (run.purpose != "main" or plan.number(run) < kept[run.candidate])
    )
    repeats = {name: plan.repeats[name] if name in plan.folds else many for name, many in kept.items()}
    folds = {name: many for name, many in kept.items() if name in plan.folds}
    return replace(plan, candidates=candidates, runs=runs, repeats=repeats, folds=folds)


def _stopped_words(plan: Plan, counts: Mapping[str, int], stopped: Collection[str]) -> Text:
    labels = [candidate.id for candidate in plan.candidates if candidate.id in stopped]
    left_out = {name for name, many in counts.items() if name not in stopped and many < plan.counts[name]}
    fewer, folds = sorted(left_out - set(plan.folds)), sorted(left_out & set(plan.folds))
    words = Text("", "")
    if folds:
        words += text(
            "The time that is left is too short for all that was planned: to keep to the budget, later folds of {c} are left out.",
            "剩余时间不够完成全部计划：为不超出预算时间，略去 {c} 靠后的折。",
            c=", ".join(folds),
        )
    if fewer:
        words += text(
            "The time that is left is too short for all that was planned: to keep to the budget, later repeats of {c} are left out.",
            "剩余时间不够完成全部计划：为不超出预算时间，略去 {c} 靠后的重复。",
            c=", ".join(fewer),
        )
    if labels:
        words += text(
            "The time that is left is too short for all that was planned: to keep to the budget, {c} {n:|is|are} not trained to the end, and nothing is said about {n:|it|them}.",
            "剩余时间不够完成全部计划：为不超出预算时间，{c} 未训练完，因此不对其作任何结论。",
            c=", ".join(labels),
            n=len(labels),
        )
    return words


def _missing_seconds(
    plan: Plan, prepared: Prepared, timings: dict, recorded: Collection[str], clock: Clock
) -> tuple[dict[tuple[str, int], float], float]:
    """(candidate, number of the repeat or fold: `Plan.number`) -> seconds of the networks that are not trained yet; and those of everything else
    that is missing, but refits.
    """
    examples, units, fixed = prepared.examples, dict[tuple[str, int], float](), 0.0
    for candidate in plan.candidates:
        timing = timings.get(candidate.model, {})
        own = [run for run in plan.runs if run.candidate == candidate.id]
        missing = [run for run in own if run.key not in recorded]
        if RECIPES.get(candidate.recipe).trains == "head":
            n = 0 if len(missing) < len(own) else len(examples)
            fixed += clock.of_heads(missing, timing, n) if missing else 0.0
            continue
        for run in missing:
            seconds = predict_seconds([run], timing, len(examples)) * clock.pace()
            if run.purpose == "main":
                unit = (candidate.id, plan.number(run))
                units[unit] = units.get(unit, 0.0) + seconds
            else:
                fixed += seconds
    return units, fixed


def _costs(plan: Plan, prepared: Prepared, timings: dict, recorded: Collection[str]) -> tuple[dict[str, float], float]:
    """Seconds of one repeat by candidate; and those that no cut of repeats saves (feature passes, refits, other purposes), as far as they are not
    recorded.
    """
    examples = prepared.examples
    missing = [run for run in plan.runs if run.key not in recorded]
    waiting = {run.candidate for run in missing}
    once = {
        c.id: [run for run in plan.runs if run.candidate == c.id and run.purpose == "main" and run.repeat == 0]
        for c in plan.candidates
    }
    seconds = {}
    for candidate in plan.candidates:
        timing = timings.get(candidate.model, {})
        # the feature pass of a head is paid once, whatever the number of repeats
        seconds[candidate.id] = predict_seconds(once[candidate.id], timing, 0 if candidate.cheap else len(examples))
    fixed = sum(
        pass_seconds(once[c.id], timings.get(c.model, {}), len(examples))
        for c in plan.candidates
        if c.cheap and c.id in waiting
    )
    cheap = {c.id for c in plan.candidates if c.cheap}
    fixed += sum(  # networks that are trained for the curve or for crossed seeds, whatever the number of repeats
        predict_seconds([run], timings.get(run.model, {}), len(examples))
        for run in missing
        if run.purpose != "main" and run.candidate not in cheap
    )
    fixed += refit_seconds(plan, prepared, timings)
    return seconds, fixed
