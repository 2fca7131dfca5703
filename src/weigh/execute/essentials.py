"""What a short budget leaves of the heads: first what answers further questions goes (learning curve, order check, the leaders once more without
suspected labels, words), then all repeats but one. Only after that are models left out (`budget.late_models`). Where time is left in the end, as heads
were faster than predicted, it comes back: repeats first (`bring_back`).

Before it: timings. After it: `planner.py`. Decided once, and kept with the study for this budget; what a user set himself stays. The study's own
specification stays as it was asked for, so that a longer budget brings back what was left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from weigh.execute.budget import SHARE, Clock
from weigh.execute.choices import Choose
from weigh.language import Text, text
from weigh.plan.jobs import HEAD_SECONDS, group_jobs, wider
from weigh.plan.prepare import Prepared
from weigh.plan.purposes import CLEANED_REPEATS, may_suspect
from weigh.plan.runs import Plan, plan_runs
from weigh.record.ledger import Ledger
from weigh.run import RECIPES, Candidate, Run, Setting

__all__ = ["Essentials", "Recorded", "bring_back", "keep_essentials"]

OFF = {"curve": False, "order_check": False, "cleaned": False}  # of the design; each answers a question of its own
CALLED = {  # what is left out: purposes of runs, and repeats
    "curve": text("the learning curve", "做学习曲线"),
    "order-check": text("the order check", "做顺序检查"),
    "cleaned": text(
        "the leaders once more without suspected labels or copies (if there are any)",
        "去掉可疑标注或副本（如果有）后重跑领先方案",
    ),
    "repeats": text("more than one repeat of heads", "重复训练线性头"),
    "all repeats": text("all repeats of heads", "完成线性头的全部重复"),
}


# Seconds of a head for each class, before any head ran: more than most take. What is left out because of it is brought back once it is known what
# heads take; but a job that runs cannot be shortened. (Ten classes of digits took 1.2 s a head where .15 s were expected, and a study with a budget
# of a minute ended after 83 s.)
WARY = HEAD_SECONDS
UNKNOWN = 2 * HEAD_SECONDS  # of a head, where none of its model ran
# What is brought back after repeats, in this order. Words are not: they belong to runs that are recorded by then.
BACK = ("curve", "order_check", "cleaned")


class _Less(NamedTuple):
    """A decision, as it is kept with the study.

    Attributes:
        off: Names of the design that are turned off.
        quiet: Words are not asked for.
        repeats: So many of heads, unless another number is set; None: as many as usual.
        without: What does not run for that (`CALLED`).
    """

    off: list[str]
    quiet: bool
    repeats: int | None
    without: list[str]


class Recorded(NamedTuple):
    """What a study did before this start.

    Attributes:
        keys: Of its runs.
        purposes: What they were for.
        left_out: Candidates that the last start left out for want of time.
    """

    keys: Collection[str] = ()
    purposes: frozenset[str] = frozenset()
    left_out: Collection[str] = ()

    @classmethod
    def of(cls, ledger: Ledger | None) -> Recorded:
        return cls() if ledger is None else cls(ledger.recorded(), ledger.purposes(), ledger.fact("stopped") or ())


NOTHING = Recorded()


class Essentials(NamedTuple):
    """What there is time for.

    Attributes:
        prepared: The study without the rest.
        setting: For its jobs.
        whole: The study as it was asked for, and the setting of that.
        less: What was decided.
        key: Under which it is kept.
    """

    prepared: Prepared
    setting: Setting
    whole: tuple[Prepared, Setting]
    less: _Less
    key: str = ""

    @property
    def words(self) -> Text | None:
        """What is said of the rest; None where nothing is left out."""
        called = [CALLED[name] for name in self.less.without]
        if not called:
            return None
        return text(
            "Within {b} there is no time for {w}; a longer --budget brings {k:|it|them}.",
            "在 {b} 内来不及{w}；预算更长（--budget）时会补上。",
            b=self.prepared.spec.design.budget,
            w=Text(", ".join(one.en for one in called), "、".join(one.zh for one in called)),
            k=len(called),
        )

    def regained(self, before: Essentials) -> Text:
        """What is said of what there is time for after all."""
        back = [CALLED[name] for name in before.less.without if name not in self.less.without]
        return text(
            "There is time for {w} after all.",
            "仍有时间{w}。",
            w=Text(", ".join(one.en for one in back), "、".join(one.zh for one in back)),
        )

    def keep(self, ledger: Ledger) -> None:
        """Remember it, in the place of what was decided before."""
        ledger.set_facts(**{f"choice:{self.key}": self.less._asdict()})

    @property
    def skipped(self) -> dict[str, Text]:
        """Purpose of runs -> why there are none (`Plan.skipped`)."""
        budget = self.prepared.spec.design.budget
        return {
            name: text("{b} is too short for {w}.", "{b} 内来不及{w}。", b=budget, w=CALLED[name])
            for name in self.less.without
            if name != "repeats"
        }


def keep_essentials(
    prepared: Prepared,
    candidates: Collection[Candidate],
    setting: Setting,
    timing_of: Callable[[str], dict[str, Any]],
    choose: Choose,
    clock: Clock,
    design: str,
    recorded: Recorded = NOTHING,
) -> Essentials:
    """The study with what there is time for. What is recorded costs nothing and stays, also where a longer budget allowed it.

    Args:
        timing_of: Address -> timing of a model.
        design: Of the whole study (`Plan.digest`).
        recorded: What ran at earlier starts.
    """
    spec, whole = prepared.spec, (prepared, setting)
    everything = _Less([], quiet=False, repeats=None, without=[])
    if clock.budget is None or spec.design.crossed is not None:
        return Essentials(prepared, setting, whole, everything)

    wary = WARY * max(1, len(prepared.examples.classes)) * wider(recipe.name for recipe in spec.recipes)

    def fits(less: _Less, plan: Plan) -> bool:
        heads = [run for run in _heads(plan) if run.key not in recorded.keys]
        models = dict.fromkeys(run.model for run in heads)
        timings = {model: {**timing_of(model), "seconds_per_head": wary} for model in models}
        jobs = group_jobs(heads, _quiet(setting, less), timings, len(prepared.examples))
        return sum(job.predicted_seconds for job in jobs) <= SHARE * clock.left()

    def decide() -> _Less:
        if fits(everything, _plan_of(whole, everything, candidates)):
            return everything
        heads = sum(candidate.cheap and not candidate.control for candidate in candidates)
        # a single head has no runs on cleaned data, and nor have data of which nothing can be suspected
        cleaned = heads > 1 and may_suspect(prepared.examples, prepared.problems, prepared.copies)
        costly = [name for name in OFF if name != "cleaned" or cleaned]
        off = [name for name in costly if name not in spec.design.model_fields_set]
        less = _Less(off, quiet="words" not in spec.output.model_fields_set, repeats=None, without=[])
        if not fits(less, _plan_of(whole, less, candidates)):
            less = less._replace(repeats=1)
        return less._replace(without=_without(whole, less, candidates))

    key = f"essentials:{spec.design.budget}:{','.join(candidate.id for candidate in candidates)}:{design}"
    less = _Less(**choose(key, lambda: decide()._asdict()))
    return _with(whole, _with_recorded(whole, less, candidates, recorded), key)


def _with_recorded(
    whole: tuple[Prepared, Setting], less: _Less, candidates: Collection[Candidate], recorded: Recorded
) -> _Less:
    """A decision, but with everything that all heads have recorded already; heads that the last start left out do not count."""
    if not (recorded.keys and less.without):
        return less
    plan = _plan_of(whole, less._replace(off=[], repeats=None), candidates)
    heads = [run for run in _heads(plan) if run.candidate not in recorded.left_out]
    missing = [run for run in heads if run.key not in recorded.keys]
    purposes = recorded.purposes - {run.purpose for run in missing if run.purpose != "main"}
    repeats = less.repeats
    if repeats is not None and heads:
        usual = max(plan.repeats.values())
        complete = min((run.repeat for run in missing if run.purpose == "main"), default=usual)
        repeats = None if complete == usual else max(repeats, complete)
    off = [name for name in less.off if name.replace("_", "-") not in purposes]
    kept = less._replace(off=off, repeats=repeats)
    return less if kept == less else kept._replace(without=_without(whole, kept, candidates))


def bring_back(
    lean: Essentials,
    candidates: Collection[Candidate],
    timings: Mapping[str, dict[str, Any]],
    recorded: Collection[str],
    clock: Clock,
    refits: float,
) -> Essentials | None:
    """The study with the first of what was left out that there is time for now; None where there is none for anything.

    Args:
        timings: Address -> timing. Features of models that ran are kept, and what their heads take is known by now (`Clock.per_head`).
        recorded: Keys of runs.
        refits: Seconds of networks that are still to be trained.
    """
    less, whole = lean.less, lean.whole
    if (
        clock.budget is None or not lean.key or "head" not in clock.took
    ):  # a study that was finished before does not change its mind
        return None
    known = {model: {**timing, "load_seconds": 0.0, "seconds_per_example": 0.0} for model, timing in timings.items()}

    def seconds_of(candidate: Candidate, heads: Sequence[Run]) -> float:
        unknown = UNKNOWN * wider([candidate.recipe])
        timing = {**known.get(candidate.model, {}), "seconds_per_head": clock.per_head.get(candidate.id, unknown)}
        own = [run for run in heads if run.candidate == candidate.id]
        jobs = group_jobs(own, lean.setting, {**known, candidate.model: timing}, len(whole[0].examples))
        return sum(job.predicted_seconds for job in jobs)

    def fits(more: _Less) -> bool:
        plan = _plan_of(whole, more, candidates)
        heads = [run for run in _heads(plan) if run.key not in recorded]
        seconds = sum(seconds_of(candidate, heads) for candidate in candidates)
        if "cleaned" in less.off and "cleaned" not in more.off:
            slowest = max(clock.per_head.values(), default=UNKNOWN)
            seconds += 2 * CLEANED_REPEATS * whole[0].spec.design.folds * slowest
        return seconds <= SHARE * (clock.left() - refits)

    for more in _fuller(whole, less, candidates):
        without = _without(whole, more, candidates)
        if without != less.without and fits(more):
            return _with(whole, more._replace(without=without), lean.key)
    return None


def _fuller(whole: tuple[Prepared, Setting], less: _Less, candidates: Collection[Candidate]) -> Iterator[_Less]:
    """With one thing more each: as many repeats as there may be, then fewer, then one of the further questions after the other."""
    if less.repeats is not None:
        usual = max(_plan_of(whole, less._replace(repeats=None), candidates).repeats.values(), default=1)
        for repeats in range(usual, less.repeats, -1):
            yield less._replace(repeats=None if repeats == usual else repeats)
    for name in BACK:
        if name in less.off:
            yield less._replace(off=[other for other in less.off if other != name])


def _heads(plan: Plan) -> list[Run]:
    return [run for run in plan.runs if RECIPES.get(run.recipe).trains == "head"]


def _plan_of(whole: tuple[Prepared, Setting], less: _Less, candidates: Collection[Candidate]) -> Plan:
    study = _reduced(whole[0], less)
    return plan_runs(study.examples, study.spec, tuple(candidates), variants=study.variants, copies=study.copies)


def _without(whole: tuple[Prepared, Setting], less: _Less, candidates: Collection[Candidate]) -> list[str]:
    """What does not run that would run in the whole study: names of `CALLED`."""
    planned, plan = _plan_of(whole, less._replace(off=[], repeats=None), candidates), _plan_of(whole, less, candidates)
    without = sorted({run.purpose for run in planned.runs} - {run.purpose for run in plan.runs})
    if whole[0].spec.design.cleaned and "cleaned" in less.off:
        without.append("cleaned")
    if plan.repeats != planned.repeats:
        without.append("repeats" if less.repeats == 1 else "all repeats")
    return without


def _with(whole: tuple[Prepared, Setting], less: _Less, key: str) -> Essentials:
    prepared, setting = whole
    return Essentials(_reduced(prepared, less), _quiet(setting, less), whole, less, key)


def _reduced(prepared: Prepared, less: _Less) -> Prepared:
    """The study with less."""
    spec = prepared.spec
    if less.off:
        design = spec.design.model_copy(update={name: OFF[name] for name in less.off})
        spec = spec.model_copy(update={"design": design})
    if less.repeats is not None and spec.design.repeats is None:
        recipes = [
            recipe.model_copy(update={"repeats": less.repeats})
            if RECIPES.get(recipe.name).trains == "head" and recipe.repeats is None
            else recipe
            for recipe in spec.recipes
        ]
        spec = spec.model_copy(update={"recipes": recipes})
    return replace(prepared, spec=spec, variants=prepared.variants if spec.design.order_check else ())


def _quiet(setting: Setting, less: _Less) -> Setting:
    return replace(setting, words=False) if less.quiet else setting
