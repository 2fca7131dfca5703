"""From a specification to examples that can be trained on: read, check, set bad files aside, hold out a test part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from weigh.data.examples import Examples
from weigh.data.fold_checks import fold_warnings
from weigh.errors import DataError, SpecError
from weigh.language import Text, text
from weigh.metrics.tables import require_metric
from weigh.notices import Progress
from weigh.plan.candidates import needs_models
from weigh.plan.runs import group_of, hold_out_test, merge_groups, units_of
from weigh.problem import Problem, refuse_errors
from weigh.run import RECIPES, recipe_options
from weigh.spec import RecipeSpec, StudySpec
from weigh.spec_recipes import recipes_of_study
from weigh.tasks import TASKS

__all__ = ["Prepared", "positive_last", "prepare"]

FINALISTS, BUDGET = 2, "10m"


@dataclass(frozen=True)
class Prepared:
    """Examples ready for a design.

    Attributes:
        spec: With the task and the positive class filled in.
        examples: Without the files that were set aside; test part marked.
        problems: What was found.
        copies: `(n,)` ids of sets of identical pictures, which stay in one fold.
        variants: Order checks worth running.
    """

    spec: StudySpec
    examples: Examples
    problems: tuple[Problem, ...]
    copies: np.ndarray
    variants: tuple[str, ...]


def prepare(spec: StudySpec, *, progress: Progress | None = None) -> Prepared:
    """Read and check the data of `spec`.

    Raises:
        SpecError: A task that cannot be recognised or is not built yet, or a recipe that is not for it.
        DataError, DesignError: Data or groups that cannot be used.
    """
    from weigh.data.benchmarks import complete_spec
    from weigh.data.copies import duplicate_groups
    from weigh.data.readers import read_and_check
    from weigh.data.unlabelled import read_unlabelled
    from weigh.stats.order import order_check_variants

    spec, recognised = complete_spec(spec)
    task = _task(spec)
    spec = _choosing(spec)
    recipes = recipes_of_study(spec, task)
    _check_different(recipes, task)
    spec = spec.model_copy(update={"task": task, "recipes": recipes})
    columns = spec.data.columns.model_copy(update={"kept": spec.design.group_by})
    data = spec.data.model_copy(update={"columns": columns})  # a column that groups is kept whatever it holds
    examples, problems = read_and_check(data, task, offline=spec.run.offline, progress=progress)
    problems = [*recognised, *problems]
    require_metric(spec.primary, examples.kind)
    for name in spec.metrics.also or []:
        require_metric(name, examples.kind, "metrics.also")
    examples = positive_last(examples, spec)
    refuse_errors(problems)
    # a misspelt column is reported before anything slow happens; inner splits and intervals respect the same groups
    examples = replace(examples, group=group_of(examples, spec))
    unlabelled, left_out = read_unlabelled(spec, examples, progress=progress)
    examples, problems = replace(examples, unlabelled=unlabelled), [*problems, *left_out]
    copies = duplicate_groups(problems, examples)
    examples = hold_out_test(examples, spec, copies)
    train = examples.where("train")
    dealt = merge_groups(group_of(examples, spec), copies)
    alone = fold_warnings(
        examples.kind,
        examples.target[train],
        spec.design.folds,
        examples.classes,
        None if dealt is None else dealt[train],
        units=units_of(examples, spec),
    )
    refuse_errors(alone)
    problems += alone
    in_order = examples.target[train][np.argsort(examples.order[train], kind="stable")]
    ordered = spec.design.order_check and examples.kind.unordered is None
    variants = tuple(order_check_variants(examples.kind, in_order, spec.design.folds)) if ordered else ()
    return Prepared(spec, examples, tuple(problems), copies, variants)


def _choosing(spec: StudySpec) -> StudySpec:
    """Where no models are named, a study whose design is to choose: heads of all, networks of the best, within a time. What the user set stays,
    also where it is null.
    """
    if spec.models or not needs_models(spec):
        return spec
    design = {"finalists": FINALISTS, "budget": BUDGET}
    unset = {name: value for name, value in design.items() if name not in spec.design.model_fields_set}
    return spec.model_copy(update={"design": spec.design.model_copy(update=unset)})


def _check_different(recipes: Sequence[RecipeSpec], task: str) -> None:
    """Raise an error if a recipe is not for this task or trains as another one does: before anything slow happens."""
    options = [recipe_options(recipe, task) for recipe in recipes]
    ways = [
        replace(RECIPES.get(recipe.name), name="", title=Text("", ""), options={}, per_example=False)
        for recipe in recipes
    ]
    for (i, one), (k, other) in combinations(enumerate(recipes), 2):
        if one.name != other.name and (ways[i], options[i]) == (ways[k], options[k]):
            raise SpecError(
                text("{a} and {b} are the same training for this task: every option is equal.",
                     "对该任务，{a} 与 {b} 的训练完全相同：所有选项都一样。", a=one.name, b=other.name),
                text("Every network would be trained twice, and the report would compare it with itself.",
                     "每个网络都会训练两次，报告也只是把它与自己比较。"),
                text("Leave {b} out, or set an option of it to something else (weigh recipes lists them).",
                     "请去掉 {b}，或改变它的某个选项（见 weigh recipes）。", b=other.name),
            )  # fmt: skip


def _task(spec: StudySpec) -> str:
    from weigh.data.readers import task_of

    return TASKS.get(task_of(spec.data, spec.task)).name


def positive_last(examples: Examples, spec: StudySpec) -> Examples:
    """Two classes: the class of interest is the last one, as the metrics expect. Default: the rarer one, or the later name.

    Raises:
        SpecError: A class of interest is named where there are not two.
        DataError: There is no such class.
    """
    positive, two = spec.data.positive, len(examples.classes) == 2 and examples.kind.exclusive
    if positive is not None and not two:
        raise SpecError(
            text(
                "data.positive names one of two classes; there are {k}.",
                "data.positive 用于两个类别的任务，而这里有 {k} 个类别。",
                k=len(examples.classes),
            )
            if examples.kind.exclusive
            else text("data.positive does not count for {k}.", "data.positive 对{k}不起作用。", k=examples.kind.title),
            do=text("Leave it out.", "请去掉该设置。"),
        )
    if positive is not None and positive not in examples.classes:
        raise DataError(
            text("data.positive: there is no class '{p}'.", "data.positive：没有类别“{p}”。", p=positive),
            do=text("Classes: {c}.", "类别：{c}。", c=", ".join(examples.classes)),
        )
    if not two:
        return examples
    if positive is None:
        counts = np.bincount(examples.target[examples.where("train")], minlength=2)
        positive = examples.classes[0 if counts[0] < counts[1] else 1]
    if positive == examples.classes[1]:
        return examples
    return replace(examples, classes=examples.classes[::-1], target=1 - examples.target)
