"""Networks trained for less than a study would train them, so that they end in the time that there is (`design.budget`).

Three things may be less: the folds that a network is trained and scored in, the passes over the training folds, and the size of pictures. What is
less is the same for the cross-validation and for the refit, so the score speaks of the model that is saved. The folds are the first ones of the
study's own, so that every difference to a head is paired. What a user set is not touched.

The learning rate falls to zero within the passes that there are (Li, Yumer & Ramanan 2020), and no part is held back to choose an epoch by.
Figures and what else was tried: docs/decisions/budget.md. Before it: `runs.py`, the whole design. After it: `execute/less_training.py`, which
chooses by what was timed; `record/reading.py`, which reads results with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from weigh.data.examples import Examples
from weigh.language import Text, text
from weigh.media import MEDIA, Medium
from weigh.plan.candidates import candidate_id, recipe_of
from weigh.plan.contenders import SEARCHED, searched_settings
from weigh.plan.identity import Split, make_run
from weigh.plan.runs import Plan
from weigh.run import RECIPES, Candidate, Run, recipe_options
from weigh.spec import RecipeSpec, StudySpec
from weigh.tasks import TASKS
from weigh.train.length import epochs_of

__all__ = [
    "LessTraining",
    "epochs_given",
    "heads_of",
    "less_of",
    "less_words",
    "possible",
    "share_of_training",
    "with_less",
    "with_networks",
]

# On the one fold that was measured, a probe's head was a worse start for few steps.
FROM_RANDOM = {"head": "random", "learning_rate": 1e-3}
SMALL = 128  # least side in pixels that pictures are scaled to, where a model reads larger ones
BETWEEN = (192, 160)  # sides between the model's own and the least
ALL = 10_000  # passes: as many as the recipe's own
# (folds, passes, side of the pictures where the model reads larger ones; None: the model's own), from the most to the least; the first that fits is
# taken. Passes are raised to as many as make the least steps. Neighbours differ by a third of the time at the most, as far as there is something
# between them: with pictures of 128 pixels or 5 passes next to the whole training, half of the time was left over (docs/decisions/budget.md).
LADDER = (
    (3, ALL, None), (2, ALL, None),
    *((folds, ALL, side) for side in (*BETWEEN, SMALL) for folds in (3, 2)),
    *((3, passes, SMALL) for passes in (30, 22, 16, 12, 9, 7)),
    (2, 7, SMALL), (2, 5, SMALL), (1, ALL, SMALL), (1, 5, SMALL), (2, 3, SMALL), (1, 3, SMALL), (1, 2, SMALL), (1, 1, SMALL),
)  # fmt: skip


@dataclass(frozen=True)
class LessTraining:
    """How networks are trained in less time.

    Attributes:
        models: Addresses of the models whose networks are trained so.
        folds: The first so many folds of the first repeat.
        epochs: Passes over the training folds; None: as many as the recipe's own.
        image_size: Side of the pictures in pixels; None: the recipe's own.
    """

    models: tuple[str, ...]
    folds: int
    epochs: int | None = None
    image_size: int | None = None

    @property
    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> LessTraining | None:
        return None if not stored else cls(**{**stored, "models": tuple(stored["models"])})


def possible(spec: StudySpec, whole: Plan, models: Sequence[str], sizes: Mapping[str, int]) -> Iterator[LessTraining]:
    """Ways to train the networks of `models` for less, from the most to the least; nothing that is no less than the whole design.

    Args:
        sizes: Address -> side in pixels of the pictures that a model reads; models of texts are missing.
    """
    runs = [run for run in whole.runs if run.model in models and RECIPES.get(run.recipe).trains == "network"]
    own = [recipe for recipe in spec.recipes if "epochs" in recipe.overrides]
    free = [run for run in runs if not any(_belongs(run, recipe) for recipe in own)]
    # one number for all recipes: none is trained for longer than by itself
    usual = min((epochs_of(run.options, len(run.train)) for run in free), default=0)
    steps = min((math.ceil(len(run.train) / run.options["batch_size"]) for run in free), default=1)
    fewest = math.ceil((Medium if spec.task is None else MEDIA.get(TASKS.get(spec.task).medium)).least_steps / steps)
    own_side = min((sizes.get(model, 0) for model in models), default=0)
    tried = set()
    for folds, most, side in LADDER if runs else ():
        epochs = min(max(most, fewest), usual)
        size = side if side is not None and side < own_side else None
        one = LessTraining(tuple(models), min(folds, spec.design.folds), epochs if epochs < usual else None, size)
        if one not in tried:
            tried.add(one)
            yield one


def share_of_training(whole: Plan, less: LessTraining, sizes: Mapping[str, int]) -> float:
    """How much of one whole training one shorter one is: by its passes and by the area of its pictures.

    Args:
        whole: The design with these networks in full.
        sizes: As for `possible`.
    """
    runs = [run for run in whole.runs if run.model in less.models and RECIPES.get(run.recipe).trains == "network"]
    usual = max(epochs_of(run.options, len(run.train)) for run in runs)
    side = 1.0 if less.image_size is None else min(less.image_size / sizes[model] for model in less.models)
    return (usual if less.epochs is None else less.epochs) / usual * side**2


def less_words(spec: StudySpec, whole: Plan, less: LessTraining, *, known: bool = True) -> Text:
    """What is less than usual, and why: "finetune trains 3 epochs instead of 8, in 2 of 5 folds, to fit into 10m." Empty where nothing is: there was
    time for one more fold after the other.

    Args:
        known: These models go on; else they are the slowest of those that may.
    """
    words = Text("", "")
    for recipe in spec.recipes:
        runs = [run for run in whole.runs if run.model in less.models and _belongs(run, recipe)]
        if RECIPES.get(recipe.name).trains != "network" or not runs:
            continue
        parts = []
        changed = less_of(spec, recipe, less)
        usual = max(epochs_of(run.options, len(run.train)) for run in runs)
        if "epochs" in changed and RECIPES.get(recipe.name).chooses == "settings":
            parts.append(_without_search(changed))
        elif "epochs" in changed:
            epochs = changed["epochs"]
            parts.append(text("{e} {e:|epoch|epochs} instead of {u}", "{e} 轮（而非 {u} 轮）", e=epochs, u=usual))
        if "image_size" in changed:
            parts.append(text("on pictures of {s} pixels", "图片缩至 {s} 像素", s=changed["image_size"]))
        if less.folds < spec.design.folds:
            parts.append(text("in {k} of {f} folds", "只在 {f} 折中的 {k} 折", k=less.folds, f=spec.design.folds))
        elif (repeats := 1 + max(run.repeat for run in runs)) > 1:
            parts.append(text("in one of {r} repeats", "只做 {r} 次重复中的一次", r=repeats))
        if not parts:
            continue
        values = {
            "b": spec.design.budget,
            "r": recipe.label or recipe.name,
            "p": Text(", ".join(part.en for part in parts), "，".join(part.zh for part in parts)),
            "m": ", ".join(dict.fromkeys(run.model for run in runs)),
        }
        words += (
            text(
                "To fit into {b}, {r} trains {p}, with {m}.",
                "为在 {b} 内完成，{r} 与 {m} 的组合只训练：{p}。",
                **values,
            )
            if known
            else text(
                "To fit into {b}, {r} trains {p}, if it goes on with {m}.",
                "为在 {b} 内完成，{r} 若用于 {m}，则只训练：{p}。",
                **values,
            )
        )
    return words


def _without_search(changed: Mapping[str, Any]) -> Text:
    """ "5 epochs every time (learning_rate, epochs are not searched)": how long a recipe that searches settings trains."""
    fixed = [name for name in SEARCHED if name in changed]
    return text(
        "{e} {e:|epoch|epochs} every time ({s} {n:|is|are} not searched)",
        "每次都是 {e} 轮（不搜索 {s}）",
        e=changed["epochs"],
        s=", ".join(fixed),
        n=len(fixed),
    )


def less_of(spec: StudySpec, recipe: RecipeSpec, less: LessTraining) -> dict[str, Any]:
    """The options of a recipe that are changed, with their new values; options that the user set are not changed, and of a search something is left to
    search.
    """
    own = recipe_options(recipe, spec.task)
    options: dict[str, Any] = {}
    if less.epochs is not None and "epochs" in own and "epochs" not in recipe.overrides:
        options["epochs"] = less.epochs
        if own.get("head") == "probe" and not recipe.overrides.keys() & FROM_RANDOM.keys():
            options |= FROM_RANDOM
        searches = RECIPES.get(recipe.name).chooses == "settings"
        if searches and not searched_settings(recipe.model_copy(update=options)):
            options = {}
    if less.image_size and "image_size" in own and "image_size" not in recipe.overrides:
        options["image_size"] = less.image_size
    return options


def with_less(spec: StudySpec, less: LessTraining | None) -> StudySpec:
    """The specification as networks are trained by it; the same where nothing is less."""
    if less is None:
        return spec
    recipes = [
        recipe.model_copy(update=less_of(spec, recipe, less))
        if RECIPES.get(recipe.name).trains == "network"
        else recipe
        for recipe in spec.recipes
    ]
    return spec.model_copy(update={"recipes": recipes})


def heads_of(plan: Plan) -> Plan:
    """The plan without networks."""
    return plan.only({candidate.id for candidate in plan.candidates if candidate.cheap})


def with_networks(plan: Plan, whole: Plan, examples: Examples, spec: StudySpec, less: LessTraining) -> Plan:
    """A plan of heads, and with them the networks of `less.models` for as long as it says.

    Args:
        plan: What runs besides.
        whole: The design with these networks in full: candidates and folds are taken from it.
        spec: As from `with_less`.
    """
    added = [c for c in whole.candidates if not c.cheap and c.model in less.models]
    runs = [
        _shorter(run, examples, spec, candidate, less)
        for candidate in added
        for run in whole.runs
        if run.candidate == candidate.id and run.purpose == "main" and run.repeat == 0 and run.fold < less.folds
    ]
    ids = {candidate.id for candidate in added}
    kept = {candidate.id for candidate in plan.candidates} | ids
    candidates = tuple(c for c in whole.candidates if c.id in kept)
    repeats = {c.id: 1 if c.id in ids else plan.repeats[c.id] for c in candidates}
    return replace(
        plan, candidates=candidates, runs=(*plan.runs, *runs), repeats=repeats, folds=dict.fromkeys(ids, less.folds)
    )


def epochs_given(spec: StudySpec, candidate: Candidate, less: LessTraining) -> int | None:
    """For how many epochs a network is trained, with no part held back; None: as without `less`, or as the user set it.

    Args:
        spec: As from `with_less`.
    """
    options = recipe_options(recipe_of(spec, candidate), spec.task)
    return less.epochs if options.get("epochs") == less.epochs else None


def _belongs(run: Run, recipe: RecipeSpec) -> bool:
    return run.candidate == candidate_id(run.model, recipe)


def _shorter(run: Run, examples: Examples, spec: StudySpec, candidate: Candidate, less: LessTraining) -> Run:
    """A run of the whole design as it is trained in less time."""
    epochs = epochs_given(spec, candidate, less)
    split = Split(run.repeat, run.fold, run.train, run.test)
    return make_run(examples, spec, candidate, "main", "", split, epochs=epochs)
