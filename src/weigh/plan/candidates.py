"""The candidates of a study: every model with every recipe, controls last."""

from __future__ import annotations

from weigh.errors import SpecError
from weigh.language import text
from weigh.models.address import parse_address
from weigh.plan.contenders import check_search
from weigh.run import RECIPES, Candidate
from weigh.spec import RecipeSpec, StudySpec

__all__ = ["candidate_id", "cross_candidates", "needs_models", "recipe_of", "recipes_of_models"]

CHEAP_REPEATS, TRAINED_REPEATS = 5, 1  # a head costs milliseconds; a network costs minutes


def candidate_id(model: str, recipe: RecipeSpec) -> str:
    """ "timm:resnet18 × probe"."""
    return f"{model} × {recipe.label or recipe.name}"


def recipes_of_models(spec: StudySpec) -> tuple[RecipeSpec, ...]:
    """The recipes that are tried with every model, in the order of the specification; the others stand on what they bring (`Recipe.model`)."""
    return tuple(recipe for recipe in spec.recipes if not RECIPES.get(recipe.name).model)


def needs_models(spec: StudySpec) -> bool:
    """Whether there is something to try models with."""
    return bool(recipes_of_models(spec)) or not spec.recipes


def cross_candidates(spec: StudySpec) -> tuple[Candidate, ...]:
    """Models × recipes in the order of the specification, then what stands on no model of the study; yardsticks (`scratch`, `textbook`) last.

    Raises:
        SpecError: A model that only a recipe of its own can use, models that no recipe is for, or a search of nothing.
    """
    of_models = recipes_of_models(spec)
    crossed = [(model, chosen) for model in spec.models for chosen in of_models]
    crossed += [(RECIPES.get(r.name).model, r) for r in spec.recipes if r not in of_models]
    _check_all_used(spec)
    check_search(spec.recipes)
    candidates = [
        Candidate(
            id=candidate_id(model, chosen),
            model=model,
            recipe=chosen.name,
            label=_label(model, chosen, spec),
            control=RECIPES.get(chosen.name).control,
            cheap=RECIPES.get(chosen.name).trains == "head",
        )
        for model, chosen in crossed
    ]
    return tuple(sorted(candidates, key=lambda c: c.control))  # sorted is stable


def _check_all_used(spec: StudySpec) -> None:
    own = {recipe.model: name for name, recipe in RECIPES.items() if recipe.model}
    for model in spec.models:
        if model in own:
            raise SpecError(
                text("{m} is no model that recipes are tried with.", "{m} 不是可与各方案组合的模型。", m=model),
                text("Only the recipe {r} uses it, and brings it along.", "只有方案 {r} 使用它，并会自动带上。", r=own[model]),
                text("Leave it out, and name the recipe: --recipes {r}", "请去掉它，并指定方案：--recipes {r}", r=own[model]),
            )  # fmt: skip
    if spec.models and not needs_models(spec):
        raise SpecError(
            text("No recipe is for the models {m}.", "没有方案用到模型 {m}。", m=", ".join(spec.models)),
            text("{r} uses no model of the study.", "{r} 不使用研究中的模型。", r=", ".join(r.name for r in spec.recipes)),
            text("Leave --models out, or add a recipe: --recipes probe,{r}", "请去掉 --models，或再加一个方案：--recipes probe,{r}",
                 r=",".join(r.name for r in spec.recipes)),
        )  # fmt: skip


def _label(model: str, recipe: RecipeSpec, spec: StudySpec) -> str:
    """The shortest name that tells the candidates of this study apart."""
    name = recipe.label or recipe.name
    if RECIPES.get(recipe.name).model:
        return name
    short = parse_address(model).short
    if sum(parse_address(m).short == short for m in spec.models) > 1:
        short = model
    if len(recipes_of_models(spec)) == 1:
        return short
    return name if len(spec.models) == 1 else f"{short} × {name}"


def recipe_of(spec: StudySpec, candidate: Candidate) -> RecipeSpec:
    """The recipe, with the user's overrides, of a candidate; how it decides is the study's choice where the recipe has none."""
    recipe = next(
        r for r in spec.recipes if r.name == candidate.recipe and candidate_id(candidate.model, r) == candidate.id
    )
    chosen, options = spec.metrics.decision, RECIPES.get(recipe.name).options_for(spec.task)
    if chosen == "auto" or "decision" in recipe.overrides or options is None or "decision" not in options.model_fields:
        return recipe
    return recipe.model_copy(update={"decision": chosen})


def planned_repeats(spec: StudySpec, recipe: RecipeSpec) -> int:
    """Repeats of a recipe: its own, the design's, or what its price suggests."""
    default = CHEAP_REPEATS if RECIPES.get(recipe.name).trains == "head" else TRAINED_REPEATS
    return recipe.repeats or spec.design.repeats or default
