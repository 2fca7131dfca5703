"""Which recipes a study runs: those that are named, or the usual ones for its task with what was set of them.

`--set recipes.finetune.epochs=3` names no recipe: it speaks of one that runs by itself. Which ones do can be told once the task is known.

Before it: `spec.py` and the registry of recipes. After it: `spec_yaml.py`, and `plan/prepare.py` where the task was recognised from the data.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from weigh.errors import SpecError
from weigh.language import join_texts, text
from weigh.spec import RecipeSpec, StudySpec, default_recipes
from weigh.spec_errors import explain
from weigh.tasks import TASKS

__all__ = ["recipes_of_study"]


def recipes_of_study(spec: StudySpec, task: str | None) -> list[RecipeSpec]:
    """The recipes under the names that are meant for the task; of the usual ones, where the user named none, those that are for it, with what
    was set of them. Where none of these is: fine-tuning.

    Args:
        task: None where it is not known yet.

    Raises:
        SpecError: Something was set of a recipe that does not run.
    """
    from weigh.run import RECIPES, checked_recipe, meant_recipe, recipe_options

    if "recipes" in spec.model_fields_set:
        return [meant_recipe(recipe, task) if recipe.name in RECIPES else recipe for recipe in spec.recipes]
    if task is None:
        unknown = next((name for name in spec.usual_options if name not in RECIPES), None)
        if unknown is not None:
            usual = [name for one in TASKS for name in _usual_names(spec, one)]
            raise _runs_not(
                unknown, next(iter(spec.usual_options[unknown])), list(dict.fromkeys(usual)), undecided=True
            )
        for written, values in spec.usual_options.items():
            if not RECIPES.get(written).placed:  # else the options are those of another recipe where places are told
                recipe_options(_with_options(written, values), None)
        return list(spec.recipes)
    usual = _usual_names(spec, task)
    options: dict[str, dict[str, Any]] = {}
    for written, values in spec.usual_options.items():
        if _meant_name(written, task) not in usual:
            raise _runs_not(written, next(iter(values)), usual, undecided=False)
        options.setdefault(_meant_name(written, task), {}).update(values)
    fitting = [name for name in usual if not RECIPES.get(name).model or name in options]
    own = {name: checked_recipe(_with_options(name, values), task) for name, values in options.items()}
    return [own.get(name) or RecipeSpec(name=name) for name in fitting]


def _usual_names(spec: StudySpec, task: str) -> list[str]:
    """Names of the recipes that run where none are named; where weigh chooses models, with those that it tries beside them."""
    from weigh.run import RECIPES

    usual = [_meant_name(name, task) for name in default_recipes(spec.models)]
    fitting = [name for name in usual if RECIPES.get(name).options_for(task) is not None] or ["finetune"]
    own = [name for name, recipe in RECIPES.items() if recipe.model and recipe.options_for(task) is not None]
    return [*fitting, *([] if spec.models else own)]


def _meant_name(name: str, task: str) -> str:
    from weigh.run import RECIPES, meant_recipe

    return meant_recipe(RecipeSpec(name=name), task).name if name in RECIPES else name


def _with_options(name: str, values: dict[str, Any]) -> RecipeSpec:
    try:
        return RecipeSpec.model_validate({"name": name, **values})
    except ValidationError as error:
        lines = explain({**item, "loc": ("recipes", name, *item["loc"])} for item in error.errors(include_url=False))
        raise SpecError(join_texts(lines, " ", " ")) from None


def _runs_not(name: str, field: str, usual: list[str], *, undecided: bool) -> SpecError:
    """The error that something was set of a recipe that does not run.

    Args:
        usual: Names of those that do.
        undecided: The task is not known yet, so these are those of all tasks.
    """
    by_task = text(", depending on the task", "（视任务而定）") if undecided else text("", "")
    return SpecError(
        text("--set recipes.{n}.{f}: {n} does not run in this study.", "--set recipes.{n}.{f}：本研究不运行 {n}。", n=name, f=field),
        text("No recipes are named, and without --recipes these run{t}: {r}.", "没有指定方案；不写 --recipes 时运行{t}：{r}。", r=", ".join(usual), t=by_task),
        text("Set it of one of these, or name the recipes with --recipes.", "请改为设置其中之一，或用 --recipes 指定方案。"),
    )  # fmt: skip
