"""The candidates of a study: every model with every recipe, controls last."""

from __future__ import annotations

from weigh.models.address import parse_address
from weigh.run import RECIPES, Candidate
from weigh.spec import RecipeSpec, StudySpec

__all__ = ["candidate_id", "cross_candidates", "recipe_of"]

CHEAP_REPEATS, TRAINED_REPEATS = 5, 1  # a head costs milliseconds; a network costs minutes


def candidate_id(model: str, recipe: RecipeSpec) -> str:
    """ "timm:resnet18 × probe"."""
    return f"{model} × {recipe.label or recipe.name}"


def cross_candidates(spec: StudySpec) -> tuple[Candidate, ...]:
    """Models × recipes in the order of the specification; yardsticks (`scratch`, `textbook`) last."""
    crossed = []
    for model in spec.models:
        for chosen in spec.recipes:
            recipe = RECIPES.get(chosen.name)
            crossed.append(
                Candidate(
                    id=candidate_id(model, chosen),
                    model=model,
                    recipe=chosen.name,
                    label=_label(model, chosen, spec),
                    control=recipe.control,
                    cheap=recipe.trains == "head",
                )
            )
    return tuple(sorted(crossed, key=lambda c: c.control))  # sorted is stable


def _label(model: str, recipe: RecipeSpec, spec: StudySpec) -> str:
    """The shortest name that tells the candidates of this study apart."""
    name = recipe.label or recipe.name
    short = parse_address(model).short
    if sum(parse_address(m).short == short for m in spec.models) > 1:
        short = model
    if len(spec.recipes) == 1:
        return short
    return name if len(spec.models) == 1 else f"{short} × {name}"


def recipe_of(spec: StudySpec, candidate: Candidate) -> RecipeSpec:
    """The recipe, with the user's overrides, of a candidate; how it decides is the study's choice where the recipe has none."""
    recipe = next(r for r in spec.recipes if candidate_id(candidate.model, r) == candidate.id)
    chosen, options = spec.metrics.decision, RECIPES.get(recipe.name).options_for(spec.task)
    if chosen == "auto" or "decision" in recipe.overrides or options is None or "decision" not in options.model_fields:
        return recipe
    return recipe.model_copy(update={"decision": chosen})


def planned_repeats(spec: StudySpec, recipe: RecipeSpec) -> int:
    """Repeats of a recipe: its own, the design's, or what its price suggests."""
    default = CHEAP_REPEATS if RECIPES.get(recipe.name).trains == "head" else TRAINED_REPEATS
    return recipe.repeats or spec.design.repeats or default
