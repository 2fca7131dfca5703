"""Which models go on from the first recipe to the others, where `design.finalists` asks for it.

The first recipe of the study runs with every model; the others run only with those that came first with it. This decides what time is
spent on and claims nothing: a network that nobody trained might have been the best, and the report says so.
Before it: `runs.py`. After it: `record/finalists.py`, which reads the records; `findings/comparison/finalists.py`, which tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from weigh.errors import DesignError
from weigh.language import Text, text
from weigh.plan.candidates import candidate_id, recipes_of_models
from weigh.plan.jobs import predict_seconds
from weigh.plan.runs import Plan
from weigh.run import RECIPES, Candidate
from weigh.spec import StudySpec

__all__ = [
    "Chosen",
    "chooses_finalists",
    "dearest_first",
    "finalist_words",
    "narrowed",
    "passed_over",
    "take_finalists",
    "tried",
    "with_first_recipe",
]


class Chosen(NamedTuple):
    """Who goes on, as it was decided once the first recipe had run with every model; kept with the study.

    Attributes:
        order: Addresses of the models, best first by what they scored then.
        finalists: Those that go on; none where there was no time for any.
        passed: Those that were passed over for want of time.
    """

    order: tuple[str, ...]
    finalists: tuple[str, ...]
    passed: tuple[str, ...]

    @classmethod
    def from_json(cls, stored: Mapping[str, Sequence[str]]) -> Chosen:
        return cls(*(tuple(stored[name]) for name in cls._fields))


def chooses_finalists(spec: StudySpec) -> bool:
    """Whether some recipes may run with some models only."""
    return spec.design.finalists is not None and len(recipes_of_models(spec)) > 1


def with_first_recipe(spec: StudySpec, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates by which the models are compared before networks are trained.

    Raises:
        DesignError: The first recipe is a yardstick, which no model is chosen by.
    """
    first = recipes_of_models(spec)[0]
    if RECIPES.get(first.name).control:
        raise DesignError(
            text(
                "design.finalists: the first recipe, {r}, is a yardstick.",
                "design.finalists：第一个方案 {r} 是对照方案。",
                r=first.label or first.name,
            ),
            text(
                "Models go on to the other recipes by what they score with the first.",
                "模型凭第一个方案的得分进入其余方案。",
            ),
            text("Name another recipe first, for example probe.", "请把别的方案放在第一位，例如 probe。"),
        )
    ids = {candidate_id(model, first) for model in spec.models}
    return tuple(candidate for candidate in candidates if candidate.id in ids)


def tried(
    spec: StudySpec, candidates: Sequence[Candidate], models: Collection[str] | None, stopped: Collection[str] = ()
) -> tuple[Candidate, ...]:
    """The candidates that run: all with the first recipe, all of the finalists, and what stands on no model of the study.

    Args:
        models: Addresses of the finalists; None: they are not chosen, or everybody is one.
        stopped: Candidates that the time was too short for (`execute/budget.py`).
    """
    candidates = [candidate for candidate in candidates if candidate.id not in stopped]
    if models is None or not chooses_finalists(spec):
        return tuple(candidates)
    always = {candidate.id for candidate in with_first_recipe(spec, candidates)}
    always |= {candidate.id for candidate in candidates if candidate.model not in spec.models}
    return tuple(candidate for candidate in candidates if candidate.id in always or candidate.model in models)


def narrowed(plan: Plan, spec: StudySpec, models: Collection[str]) -> Plan:
    """The plan with nothing but what these finalists need."""
    return plan.only({candidate.id for candidate in tried(spec, plan.candidates, models)})


def dearest_first(
    plan: Plan, spec: StudySpec, timings: Mapping[str, dict[str, Any]], n_examples: int
) -> tuple[str, ...]:
    """The models, those first whose other recipes take longest: what a plan must reckon with before finalists are known."""
    first = {candidate.id for candidate in with_first_recipe(spec, plan.candidates)}
    seconds = dict.fromkeys(spec.models, 0.0)
    for run in plan.runs:
        if run.model in seconds and run.candidate not in first:
            seconds[run.model] += predict_seconds([run], timings.get(run.model, {}), n_examples)
    return tuple(sorted(seconds, key=lambda model: -seconds[model]))


def take_finalists(
    plan: Plan, spec: StudySpec, order: Sequence[str], fits: Callable[[Plan], bool]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first of `order` with whom the plan fits into the time, as many as the design asks for; and those who were passed over for it.

    Args:
        fits: Whether a plan can be run in the time that there is.
    """
    taken: list[str] = []
    passed: list[str] = []
    for model in order:
        if len(taken) == spec.design.finalists:
            break
        (taken if fits(narrowed(plan, spec, [*taken, model])) else passed).append(model)
    return tuple(taken), tuple(passed)


def passed_over(spec: StudySpec, models: Sequence[str]) -> Text:
    """The sentence on models that scored better than the finalists, whose other recipes there is no time for."""
    return text(
        "{o} would take longer than {b} with {m}, and so {n:|does|do} not run with {k:|it|them}.",
        "{o} 与 {m} 组合所需的时间会超过 {b}，因此不运行。",
        o=", ".join(recipe.label or recipe.name for recipe in recipes_of_models(spec)[1:]),
        n=len(recipes_of_models(spec)) - 1,
        b=spec.design.budget,
        m=", ".join(models),
        k=len(models),
    )


def finalist_words(spec: StudySpec, candidates: Sequence[Candidate], models: Collection[str] | None) -> Text | None:
    """What a plan says about it.

    Args:
        candidates: All that are planned.
        models: The finalists; None: they are not chosen yet, and the plan reckons with the slowest for whom there is time.
    """
    tried_models = {candidate.model for candidate in candidates} & set(spec.models)
    if not chooses_finalists(spec) or spec.design.finalists >= len(tried_models):
        return None
    first, *others = (recipe.label or recipe.name for recipe in recipes_of_models(spec))
    if models is not None and not models:
        return None  # all were passed over, which is said
    if models is not None:
        return text(
            "{o}: only with {m}, by what the models score with {f}.",
            "{o}：只用于 {m}（按各模型用 {f} 的得分选定）。",
            o=", ".join(others),
            f=first,
            m=", ".join(models),
        )
    heads = {candidate.id for candidate in with_first_recipe(spec, candidates)}
    reckoned = [m for m in spec.models if any(c.model == m and c.id not in heads for c in candidates)]
    if not reckoned:
        return None  # there is no time for any of them, which is said
    return text(
        "All {k} models run with {f}; {o} {c:|runs|run} only with the {n} that {n:|comes|come} first with it{t}. The time below is with {m}. Off: design.finalists=null.",
        "{k} 个模型都用 {f} 运行；{o} 只用于其中领先的 {n} 个{t}。下面的时间按 {m} 估计。关闭：design.finalists=null。",
        k=len(tried_models),
        f=first,
        o=", ".join(others),
        c=len(others),
        n=spec.design.finalists,
        t=text("", "") if spec.design.budget is None else text(", as far as there is time", "（在时间允许的范围内）"),
        m=", ".join(reckoned),
    )
