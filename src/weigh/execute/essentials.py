"""What a short budget leaves of the heads: first what answers further questions goes (learning curve, order check, the leaders once more without
suspected labels, words), then all repeats but one. Only after that are models left out (`budget.late_models`).

Before it: timings. After it: `planner.py`. Decided once, and kept with the study for this budget; what a user set himself stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from weigh.execute.budget import SHARE, Clock
from weigh.execute.choices import Choose
from weigh.language import Text, text
from weigh.plan.jobs import group_jobs
from weigh.plan.prepare import Prepared
from weigh.plan.runs import plan_runs
from weigh.run import RECIPES, Candidate, Setting
from weigh.spec import StudySpec

__all__ = ["keep_essentials"]

OFF = {"curve": False, "order_check": False, "cleaned": False}  # of the design; each answers a question of its own


def keep_essentials(
    prepared: Prepared,
    candidates: Collection[Candidate],
    setting: Setting,
    timing_of: Callable[[str], dict[str, Any]],
    choose: Choose,
    clock: Clock,
) -> tuple[Prepared, Setting, Text | None]:
    """The study with what there is time for, and what is said of the rest.

    Args:
        timing_of: Address -> timing of a model.
    """
    spec = prepared.spec
    if clock.budget is None or spec.design.crossed is not None:
        return prepared, setting, None

    def fits(level: int) -> bool:
        less, own = _reduced(prepared, level), _quiet(setting, spec, level)
        plan = plan_runs(less.examples, less.spec, tuple(candidates), variants=less.variants, copies=less.copies)
        heads = [run for run in plan.runs if RECIPES.get(run.recipe).trains == "head"]
        timings = {model: timing_of(model) for model in dict.fromkeys(run.model for run in heads)}
        jobs = group_jobs(heads, own, timings, len(less.examples))
        return sum(job.predicted_seconds for job in jobs) <= SHARE * clock.left()

    key = f"essentials:{spec.design.budget}:{','.join(candidate.id for candidate in candidates)}"
    level = choose(key, lambda: next((level for level in (0, 1) if fits(level)), 2))
    reduced = _reduced(prepared, level)
    if reduced.spec == spec and _quiet(setting, spec, level) == setting:
        return prepared, setting, None
    words = text(
        "Within {b} there is no time for the learning curve, the order check and what else is asked beyond the comparison{r}; a longer --budget brings it.",
        "在 {b} 内来不及做学习曲线、顺序检查等比较之外的分析{r}；预算更长（--budget）时会补上。",
        b=spec.design.budget,
        r=text(", nor for more than one repeat of heads", "，分类头也只重复一次") if level > 1 else "",
    )
    return reduced, _quiet(setting, spec, level), words


def _reduced(prepared: Prepared, level: int) -> Prepared:
    """The study without what goes at this level: 0, nothing; 1, further questions; 2, also later repeats of heads."""
    spec = prepared.spec
    if not level:
        return prepared
    own = spec.design.model_fields_set
    design = {name: off for name, off in OFF.items() if name not in own}
    spec = spec.model_copy(update={"design": spec.design.model_copy(update=design)})
    if level > 1 and spec.design.repeats is None:
        recipes = [
            recipe.model_copy(update={"repeats": 1})
            if RECIPES.get(recipe.name).trains == "head" and recipe.repeats is None
            else recipe
            for recipe in spec.recipes
        ]
        spec = spec.model_copy(update={"recipes": recipes})
    return replace(prepared, spec=spec, variants=prepared.variants if spec.design.order_check else ())


def _quiet(setting: Setting, spec: StudySpec, level: int) -> Setting:
    """Words are not asked for unless the user wants them."""
    return setting if not level or "words" in spec.output.model_fields_set else replace(setting, words=False)
