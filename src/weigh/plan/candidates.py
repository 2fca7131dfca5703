"""The candidates of a study: every model with every recipe, controls last."""

from __future__ import annotations

from pathlib import Path

from weigh.errors import SpecError
from weigh.language import text
from weigh.run import RECIPES, Candidate
from weigh.spec import RecipeSpec, StudySpec

__all__ = ["candidate_id", "cross_candidates", "recipe_of", "recipe_options"]

CHEAP_REPEATS, TRAINED_REPEATS = 5, 1  # a head costs milliseconds; a network costs minutes


def candidate_id(model: str, recipe: RecipeSpec) -> str:
    """ "timm:resnet18 × probe"."""
    return f"{model} × {recipe.label or recipe.name}"


def cross_candidates(spec: StudySpec) -> tuple[Candidate, ...]:
    """Models × recipes in the order of the specification; yardsticks (`scratch`, `textbook`) last."""
    crossed = []
    for model in spec.models:
        for given in spec.recipes:
            recipe = RECIPES.get(given.name)
            crossed.append(
                Candidate(
                    id=candidate_id(model, given),
                    model=model,
                    recipe=given.name,
                    label=_label(model, given, spec),
                    control=recipe.control,
                    cheap=recipe.trains == "head",
                )
            )
    return tuple(sorted(crossed, key=lambda c: c.control))  # sorted is stable


def _label(model: str, recipe: RecipeSpec, spec: StudySpec) -> str:
    """The shortest name that tells the candidates of this study apart."""
    name = recipe.label or recipe.name
    short = _short(model)
    if sum(_short(m) == short for m in spec.models) > 1:
        short = model
    if len(spec.recipes) == 1:
        return short
    return name if len(spec.models) == 1 else f"{short} × {name}"


def _short(model: str) -> str:
    """ "resnet18" of "timm:resnet18", "mine" of "file:/there/mine.safetensors@timm:resnet18"."""
    source, _, name = model.partition(":")
    return Path(name.rpartition("@")[0]).stem if source == "file" else name


def recipe_of(spec: StudySpec, candidate: Candidate) -> RecipeSpec:
    """The recipe, with the user's overrides, of a candidate."""
    return next(r for r in spec.recipes if candidate_id(candidate.model, r) == candidate.id)


def recipe_options(given: RecipeSpec, task: str | None) -> dict:
    """The recipe's defaults for this task with the user's overrides; nothing unset.

    Args:
        task: None where it is not known yet: then options of any task are allowed, and the defaults are those of pictures.

    Raises:
        SpecError: The recipe is not for this task, or has no such option.
    """
    recipe = RECIPES.get(given.name)
    defaults = recipe.options_for(task)
    if defaults is None:
        raise SpecError(
            text("Recipe {r} is not for {t}.", "方案 {r} 不适用于 {t}。", r=given.name, t=task),
            do=text("For this task: {n}.", "该任务可用：{n}。", n=", ".join(_recipes_for(task))),
        )
    known = defaults if task is not None else {**recipe.defaults, **(recipe.texts or {})}
    overrides = given.model_dump(exclude_none=True, exclude={"name", "label", "repeats"})
    for field in overrides.keys() - known.keys():
        raise SpecError(
            text(
                "recipes: {r} has no setting '{f}'. It has: {k}.",
                "recipes：{r} 没有设置“{f}”。可用：{k}。",
                r=given.name,
                f=field,
                k=", ".join(known),
            )
        )
    return {**defaults, **overrides}


def _recipes_for(task: str | None) -> list[str]:
    return [name for name, recipe in RECIPES.items() if recipe.options_for(task) is not None]


def planned_repeats(spec: StudySpec, given: RecipeSpec) -> int:
    """Repeats of a recipe: its own, the design's, or what its price suggests."""
    default = CHEAP_REPEATS if RECIPES.get(given.name).trains == "head" else TRAINED_REPEATS
    return given.repeats or spec.design.repeats or default
