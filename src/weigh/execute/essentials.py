"""What a short budget leaves of the heads: first what answers further questions goes (learning curve, order check, the leaders once more without
suspected labels, words), then all repeats but one. Only after that are models left out (`budget.late_models`).

Before it: timings. After it: `planner.py`. Decided once, and kept with the study for this budget; what a user set himself stays. The study's own
specification stays as it was asked for, so that a longer budget brings back what was left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from weigh.execute.budget import SHARE, Clock
from weigh.execute.choices import Choose
from weigh.language import Text, text
from weigh.plan.jobs import group_jobs
from weigh.plan.prepare import Prepared
from weigh.plan.runs import Plan, plan_runs
from weigh.run import RECIPES, Candidate, Setting

__all__ = ["Essentials", "keep_essentials"]

OFF = {"curve": False, "order_check": False, "cleaned": False}  # of the design; each answers a question of its own
CALLED = {  # what is left out: purposes of runs, and repeats
    "curve": text("the learning curve", "做学习曲线"),
    "order-check": text("the order check", "做顺序检查"),
    "cleaned": text("the leaders once more without suspected labels", "去掉可疑标注后重跑领先方案"),
    "repeats": text("more than one repeat of heads", "重复训练分类头"),
}


class Essentials(NamedTuple):
    """What there is time for.

    Attributes:
        prepared: The study without the rest.
        setting: For its jobs.
        words: What is said of the rest; None where nothing is left out.
        skipped: Purpose of runs -> why there are none (`Plan.skipped`).
    """

    prepared: Prepared
    setting: Setting
    words: Text | None = None
    skipped: Mapping[str, Text] = MappingProxyType({})


class _Less(NamedTuple):
    """A decision, as it is kept with the study.

    Attributes:
        off: Names of the design that are turned off.
        quiet: Words are not asked for.
        once: Heads run in one repeat, unless another number is set.
        without: What does not run for that (`CALLED`).
    """

    off: list[str]
    quiet: bool
    once: bool
    without: list[str]


def keep_essentials(
    prepared: Prepared,
    candidates: Collection[Candidate],
    setting: Setting,
    timing_of: Callable[[str], dict[str, Any]],
    choose: Choose,
    clock: Clock,
) -> Essentials:
    """The study with what there is time for.

    Args:
        timing_of: Address -> timing of a model.
    """
    spec = prepared.spec
    if clock.budget is None or spec.design.crossed is not None:
        return Essentials(prepared, setting)

    def plan_of(less: _Less) -> Plan:
        study = _reduced(prepared, less)
        return plan_runs(study.examples, study.spec, tuple(candidates), variants=study.variants, copies=study.copies)

    def fits(less: _Less, plan: Plan) -> bool:
        heads = [run for run in plan.runs if RECIPES.get(run.recipe).trains == "head"]
        timings = {model: timing_of(model) for model in dict.fromkeys(run.model for run in heads)}
        jobs = group_jobs(heads, _quiet(setting, less), timings, len(prepared.examples))
        return sum(job.predicted_seconds for job in jobs) <= SHARE * clock.left()

    def decide() -> _Less:
        whole = _Less([], quiet=False, once=False, without=[])
        planned = plan_of(whole)
        if fits(whole, planned):
            return whole
        off = [name for name in OFF if name not in spec.design.model_fields_set]
        less = _Less(off, quiet="words" not in spec.output.model_fields_set, once=False, without=[])
        plan = plan_of(less)
        without = sorted({run.purpose for run in planned.runs} - {run.purpose for run in plan.runs})
        if spec.design.cleaned and "cleaned" in off:
            without.append("cleaned")
        if not fits(less, plan):
            less = less._replace(once=True)
            if plan_of(less).repeats != plan.repeats:
                without.append("repeats")
        return less._replace(without=without)

    key = f"short-budget:{spec.design.budget}:{','.join(candidate.id for candidate in candidates)}"
    less = _Less(**choose(key, lambda: decide()._asdict()))
    study, own, called = _reduced(prepared, less), _quiet(setting, less), [CALLED[name] for name in less.without]
    if not called:
        return Essentials(study, own)
    words = text(
        "Within {b} there is no time for {w}; a longer --budget brings it.",
        "在 {b} 内来不及{w}；预算更长（--budget）时会补上。",
        b=spec.design.budget,
        w=Text(", ".join(one.en for one in called), "、".join(one.zh for one in called)),
    )
    skipped = {
        name: text("{b} is too short for {w}.", "{b} 内来不及{w}。", b=spec.design.budget, w=CALLED[name])
        for name in less.without
        if name != "repeats"
    }
    return Essentials(study, own, words, skipped)


def _reduced(prepared: Prepared, less: _Less) -> Prepared:
    """The study with less."""
    spec = prepared.spec
    if less.off:
        design = spec.design.model_copy(update={name: OFF[name] for name in less.off})
        spec = spec.model_copy(update={"design": design})
    if less.once and spec.design.repeats is None:
        recipes = [
            recipe.model_copy(update={"repeats": 1})
            if RECIPES.get(recipe.name).trains == "head" and recipe.repeats is None
            else recipe
            for recipe in spec.recipes
        ]
        spec = spec.model_copy(update={"recipes": recipes})
    return replace(prepared, spec=spec, variants=prepared.variants if spec.design.order_check else ())


def _quiet(setting: Setting, less: _Less) -> Setting:
    return replace(setting, words=False) if less.quiet else setting
