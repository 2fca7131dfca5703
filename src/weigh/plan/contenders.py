"""What a recipe that chooses inside the training folds chooses among, as a run carries it (`Run.options`): recipes with all their options.

They are part of a run's options, so that other defaults of a recipe that is tried make another run.
Before it: the specification. After it: `identity.py` puts them into runs, `jobs.py` prices them, `train/inner_choice.py` compares them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from weigh.errors import SpecError
from weigh.language import text
from weigh.run import RECIPES, Run, recipe_options
from weigh.spec import RecipeSpec
from weigh.train.choosing_defaults import INNER_PARTS

__all__ = [
    "SEARCHED",
    "check_search",
    "choice_options",
    "contending_runs",
    "searched_settings",
    "trained_recipes",
]

SEARCHED = {  # setting -> values from the default divided by this factor to the default times it are drawn, evenly on a logarithmic scale
    "learning_rate": 10.0,
    "weight_decay": 10.0,
    "epochs": 2.0,
}


def choice_options(recipe: RecipeSpec, task: str | None) -> dict[str, Any]:
    """What `Run.options` holds besides: `contenders`, each with its `recipe` and `options`, and of a search `search` (`SEARCHED`); nothing where
    the recipe does not choose.

    Raises:
        SpecError: A recipe that is to be tried is not for this task.
    """
    chooses = RECIPES.get(recipe.name).chooses
    if not chooses:
        return {}
    own = recipe_options(recipe, task)
    if chooses == "settings":
        options = {name: own[name] for name in _names("finetune", task)}
        return {"contenders": [{"recipe": "finetune", "options": options}], "search": searched_settings(recipe)}
    contenders = []
    for name in own["recipes"]:
        shared = {key: own[key] for key in own.keys() & set(_names(name, task)) if own[key] is not None}
        contenders.append({"recipe": name, "options": recipe_options(RecipeSpec(name=name, **shared), task)})
    return {"contenders": contenders}


def searched_settings(recipe: RecipeSpec) -> dict[str, float]:
    """The settings among `SEARCHED` that the user did not set by hand."""
    return {name: factor for name, factor in SEARCHED.items() if name not in recipe.overrides}


def check_search(recipes: Iterable[RecipeSpec]) -> None:
    """Raise an error if a search has nothing to search.

    Raises:
        SpecError: All that could be searched is set by hand.
    """
    for recipe in recipes:
        if RECIPES.get(recipe.name).chooses == "settings" and not searched_settings(recipe):
            raise SpecError(
                text(
                    "recipes.{r}: {s} are all set, so there is nothing left to search.",
                    "recipes.{r}：{s} 都已设定，没有可搜索的设置。",
                    r=recipe.label or recipe.name,
                    s=", ".join(SEARCHED),
                ),
                do=text("Leave one of them out, or use the recipe finetune.", "请去掉其中之一，或改用方案 finetune。"),
            )


def trained_recipes(recipe: RecipeSpec, task: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Name and options of every recipe that may be trained for this one: itself, or what it chooses among."""
    contenders = choice_options(recipe, task).get("contenders")
    if contenders is None:
        return [(recipe.name, recipe_options(recipe, task))]
    return [(contender["recipe"], contender["options"]) for contender in contenders]


def contending_runs(run: Run) -> tuple[list[Run], list[Run]]:
    """What a run that chooses may have to train, to predict its price: every training for the choice, if none drops out; and each that may be the final one."""
    contenders = [
        replace(run, recipe=contender["recipe"], options=contender["options"])
        for contender in run.options["contenders"]
    ]
    held = len(run.train) // INNER_PARTS
    inner = [
        replace(contender, train=run.train[held:], test=run.train[:held], fold=-1, purpose="inner")
        for contender in contenders
        for _ in range(run.options.get("trials", 1) * run.options["inner_folds"])
    ]
    return inner, contenders


def _names(name: str, task: str | None) -> list[str]:
    """Its settings.

    Raises:
        SpecError: It is not for this task.
    """
    return list(recipe_options(RecipeSpec(name=name), task))
