"""What goes into a run and what comes out: the one contract between the two wings.

`plan/` makes `Run`s and groups them into `Job`s; `execute/worker.py` hands a job to its recipe; the recipe yields an `Outcome` per run; the driver
writes outcomes to the ledger. All of them are plain picklable values: no torch, no open files, no global state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import ValidationError, create_model

from weigh.errors import SpecError
from weigh.kinds.base import KINDS
from weigh.language import Text, join_texts, text
from weigh.media import MEDIA
from weigh.registry import Registry
from weigh.spec import RecipeSpec, Section
from weigh.spec_errors import explain
from weigh.tasks import TASKS

__all__ = [
    "ANY",
    "ASKED_WORDS",
    "LAYERS_RULE",
    "RECIPES",
    "Candidate",
    "Job",
    "Kept",
    "Options",
    "Outcome",
    "Recipe",
    "Run",
    "Sample",
    "Setting",
    "checked_recipe",
    "meant_recipe",
    "recipe_options",
    "recipes_for",
]


class AskedWords(NamedTuple):
    """About which words a run asks what they did (`train/words.py`); the report says it.

    Attributes:
        texts: Of a run, those with the largest loss.
        words: Of a text, the first ones.
        characters: Longer texts are not asked about.
    """

    texts: int = 8
    words: int = 40
    characters: int = 400


ASKED_WORDS = AskedWords()


class Options(Section):
    """What can be set of a recipe: a class of its own for each recipe and medium, whose fields say what they take and what they are by default.

    A field whose default is None takes the model's own value.
    """


@dataclass(frozen=True)
class Recipe:
    """How pretrained weights are used. Facts only; the work is in `fit`.

    Attributes:
        name: As in study.yaml.
        title: One line for readers.
        trains: "head": only a linear head on frozen features (all runs of a model are one job);
            "network": the weights of the network (one run is one job).
        pretrained: False for `scratch`.
        frozen: Where the network is cut: what stands before stays as it was pretrained, so its activations are computed once per model;
            "last-stage", or "head" of maps; "": all of it is trained.
        low_rank: The network stays as it was pretrained; adapters beside its layers are trained and then added to them.
        control: A yardstick (`scratch`, `textbook`): never recommended.
        options: What can be set, and the defaults, by the kind of the targets where it has its own, else by what the model reads
            (`Medium.reads`; ANY: whatever is not named). What a model reads that is not there, the recipe is not for.
        layers: It stands on several layers of the network, not on the last alone.
        per_example: It fits a linear head on one vector per example; only for kinds that have such a head (`Kind.linear`).
        probable: It gives probabilities; only for kinds that have them (`Kind.probable`).
        model: Address of what it stands on in place of the study's models; then it is one candidate, however many models there are.
        placed: Name of the recipe that is meant where answers have a place in the picture (`Kind.placed`), and this one is not for them.
        chooses: What it chooses inside the training folds, by comparing on parts of them: a "recipe", or "settings" (`plan/contenders.py`); "": nothing.
        unlabelled: How it uses the texts of the section `pretrain`: "before" training, "beside" it; None: not at all.
        fit: "module:function" in the compute wing with the signature
            `(runs: Sequence[Run], setting: Setting, examples: Examples, progress) -> Iterator[Outcome]`.
    """

    name: str
    title: Text
    trains: Literal["head", "network"]
    options: Mapping[str, type[Options]]
    fit: str
    layers: bool = False
    per_example: bool = False
    probable: bool = False
    model: str = ""
    placed: str = ""
    unlabelled: Literal["before", "beside"] | None = None
    pretrained: bool = True
    frozen: Literal["", "last-stage", "head"] = ""
    low_rank: bool = False
    control: bool = False
    chooses: Literal["", "recipe", "settings"] = ""

    def options_for(self, task: str | None) -> type[Options] | None:
        """What can be set for a task (of any task where it is not known yet); None where the recipe is not for it."""
        if task is None:
            return self._of_any
        chosen = TASKS.get(task)
        if self.per_example and not all(KINDS.get(kind).linear for kind in chosen.kinds):
            return None
        if self.probable and not all(KINDS.get(kind).probable for kind in chosen.kinds):
            return None
        names = (*chosen.kinds, MEDIA.get(chosen.medium).reads, ANY)
        chosen_options = next((self.options[name] for name in names if name in self.options), None)
        placed = any(KINDS.get(kind).placed for kind in chosen.kinds)
        return None if placed and chosen_options is not self.options.get(chosen.kinds[0]) else chosen_options

    @cached_property
    def _of_any(self) -> type[Options]:
        """All options that the recipe has for some task; where two have one of the same name, the first says what it may be."""
        meant = RECIPES.get(self.placed).options.values() if self.placed else ()
        of_each = reversed((*self.options.values(), *meant))
        fields = {name: field for options in of_each for name, field in options.model_fields.items()}
        return create_model(self.name, __base__=Options, **{n: (f.annotation, f) for n, f in fields.items()})  # type: ignore[call-overload]


ANY = ""  # in `Recipe.options`: what models of all other media understand
LAYERS_RULE = 2  # raised where heads on several layers read other ones (`models/layers.py`): features, results, saved models are kept apart
RECIPES: Registry[Recipe] = Registry(text("recipe", "训练方案"), modules=("weigh.train.recipes",))


@dataclass(frozen=True)
class Candidate:
    """One model with one recipe.

    Attributes:
        id: "timm:resnet18 × probe": unique in the study, shown to readers.
        model: Model address.
        recipe: Name of the recipe as registered ("probe").
        label: Short name for figures.
        control: True for `scratch` and `textbook`: a yardstick; never recommended, never in the multiplicity count.
        cheap: True where a run costs only a linear head on cached features.
        weights: `Pretrained.identity` of what its runs start from; "" where nobody knows it, as in a report.
    """

    id: str
    model: str
    recipe: str
    label: str
    control: bool = False
    cheap: bool = False
    weights: str = ""


@dataclass(frozen=True)
class Run:
    """One candidate, one split, one set of seeds, one purpose.

    Attributes:
        key: Content hash (hex) of everything below and of the data's fingerprint: determines the numbers.
        candidate: Candidate id.
        model: Model address.
        recipe: Name in `RECIPES`.
        options: The recipe's defaults with the user's overrides; nothing unset.
        purpose, variant, repeat, fold: As in the record.
        train, test: `(n,)` int64 indices into `Examples`, ascending. `test` may be empty (a refit without a test part).
        seeds: For "init", "order", "augmentation", "split" (inner splits and folds).
        keep_weights: The outcome must carry the trained weights (the refitted winner).
        epochs: For refits of networks: train exactly so many epochs, no validation part; None otherwise.
        settled: For them too: what would have been chosen on a validation part (`heads.base.Head.settle`), the means of the cross-validation.
        weights: `Pretrained.identity` of the model; "": any.
    """

    key: str
    candidate: str
    model: str
    recipe: str
    options: dict[str, Any]
    purpose: str
    variant: str
    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray
    seeds: dict[str, int]
    keep_weights: bool = False
    epochs: int | None = None
    weights: str = ""
    settled: dict[str, float] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether its loss weighs rare classes as much as frequent ones."""
        return self.options.get("class_weights") == "balanced"


class Sample(NamedTuple):
    """What a refit answered about a few training examples: `(m,)` ascending indices, `(m, k)` as recorded; exact: in single precision on a CPU."""

    examples: np.ndarray
    answers: np.ndarray
    exact: bool


class Kept(NamedTuple):
    """Answers of a run that are kept as the network gave them, beside what is recorded of all (`Kind.recorded`).

    Attributes:
        examples: `(m,)` int64 indices into `Examples`, ascending.
        answers: `(m,)` in the form of targets.
    """

    examples: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True)
class Setting:
    """How a job is executed; everything that timing or memory decided, stored at the first start of a study.

    Attributes:
        task: Name of the task.
        classes: Class names.
        primary: Name of the primary metric: epochs, strengths and thresholds are chosen by it, inside the training folds.
        device: "cpu", "cuda:0", "mps" … (resolved, never "auto").
        threads: Threads inside torch for one job.
        precision: "fp32", "bf16" or "fp16" (resolved); "fp64" only for heads, where "fp32" failed.
        precisions: "head" and "network" (`Recipe.trains`) -> precision of such recipes, for those that choose between them.
        channels_last: Memory layout of convolutions.
        batch: Examples per pass when extracting features or predicting.
        offline: No network call at all.
        trust_code: Models may run code of the user's (`python:`): said at this start of the study, never recorded.
        words: Whether runs ask which words pushed their predictions (`train/words.py`).
        keep_all: Whether a run keeps all its answers to be drawn, not only those furthest off (`output.masks`).
        cache: Folder for features and decoded pictures; whoever runs the job puts in that of its machine. None: no cache.
        model: What the study knows of the job's pretrained model since its first start (`Pretrained.known`, and seconds of one pass); None: load it.
        weights: `Pretrained.identity` of the job's model: another one is refused; "": any.
    """

    task: str
    classes: tuple[str, ...]
    primary: str
    device: str = "cpu"
    threads: int = 1
    precision: str = "fp32"
    precisions: Mapping[str, str] = field(default_factory=dict)
    channels_last: bool = True
    batch: int = 32
    offline: bool = False
    trust_code: bool = False
    words: bool = True
    keep_all: bool = False
    cache: Path | None = None
    model: dict[str, Any] | None = None
    weights: str = ""


@dataclass(frozen=True)
class Job:
    """Runs that share computation and are executed and recorded together; of `predicted_seconds` the feature pass takes `pass_seconds`."""

    id: str
    runs: tuple[Run, ...]
    setting: Setting
    predicted_seconds: float = 0.0
    pass_seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes:
        key: The run's key.
        status, cause: Words for a reader of why it failed ("loss became infinite in epoch 3"), or failed in a lower precision before it was done.
        remedy: What may help a failed run: "exact" arithmetic, where numbers left what it holds; to be "alone", where memory ran out; "": nothing.
        answers: `(len(run.test), k)` float32 (logits of classes), in the order of `run.test`; None if failed.
        facts: Decided or observed, the same on every execution (see `RunRecord.facts`).
        measured: Seconds, bytes (changes from run to run).
        environment: Versions, device, processor.
        weights: Name -> array, if `keep_weights`: the state dict of the whole network with its head, ready to predict.
        preparation: With them: how its inputs were prepared (`models.preparation.Preparation`); None: as its model says.
        sample: With them: what the saved model must answer again.
        model: Facts about the model (parameters, macs, size_bytes, weights provenance, licence, input size, sha256).
        words: As in `RunRecord`.
        kept: Some of the answers, where `answers` holds only what is recorded of them.
    """

    key: str
    status: Literal["done", "failed"]
    cause: str = ""
    answers: np.ndarray | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, np.ndarray] | None = None
    preparation: Any = None
    sample: Sample | None = None
    model: dict[str, Any] = field(default_factory=dict)
    remedy: Literal["", "exact", "alone"] = ""
    words: list[dict[str, Any]] = field(default_factory=list)
    kept: Kept | None = None


def recipe_options(spec: RecipeSpec, task: str | None) -> dict[str, Any]:
    """The recipe's defaults for this task with the user's overrides; nothing unset.

    Args:
        task: None where it is not known yet: then options of any task are allowed.

    Raises:
        SpecError: The recipe is not for this task, has no such option, or does not take this value.
    """
    recipe = RECIPES.get(spec.name)
    options = recipe.options_for(task)
    if options is None:
        raise SpecError(
            text("Recipe {r} is not for {t}.", "方案 {r} 不适用于 {t}。", r=spec.name, t=task),
            do=text("For this task: {n}.", "该任务可用：{n}。", n=", ".join(recipes_for(task))),
        )
    for unknown in spec.overrides.keys() - options.model_fields.keys():
        raise SpecError(
            text(
                "recipes: {r} has no setting '{f}'. It has: {k}.",
                "recipes：{r} 没有设置“{f}”。可用：{k}。",
                r=spec.name,
                f=unknown,
                k=", ".join(options.model_fields),
            )
        )
    try:
        chosen = options(**spec.overrides).model_dump()
    except ValidationError as error:
        where = ("recipes", spec.label or spec.name)
        lines = explain({**item, "loc": (*where, *item["loc"])} for item in error.errors(include_url=False))
        raise SpecError(join_texts(lines, " ", " ")) from None
    if chosen.get("class_weights") == "balanced" and task is not None:
        kind = KINDS.get(TASKS.get(task).kinds[0])
        if not kind.weighable:
            raise SpecError(
                text(
                    "recipes.{r}.class_weights: balanced weighs classes, and {k} have none that could be weighed.",
                    "recipes.{r}.class_weights：balanced 用于给类别加权，而{k}没有可加权的类别。",
                    r=spec.name,
                    k=kind.title,
                ),
                do=text("Leave class_weights out.", "请去掉 class_weights。"),
            )
    return chosen


def meant_recipe(spec: RecipeSpec, task: str | None) -> RecipeSpec:
    """The recipe that a name means for this task: a probe of masks is a light decoder, with the options of that."""
    recipe = RECIPES.get(spec.name)
    if task is None or not recipe.placed or not KINDS.get(TASKS.get(task).kinds[0]).placed:
        return spec
    return spec.model_copy(update={"name": recipe.placed})


def checked_recipe(spec: RecipeSpec, task: str | None) -> RecipeSpec:
    """A recipe with its options as they are read ("3" as 3), under the name that is meant for the task.

    Raises:
        SpecError: No such recipe, and what `recipe_options` raises.
    """
    spec = meant_recipe(spec, task)
    chosen = recipe_options(spec, task)
    common = {name: getattr(spec, name) for name in RecipeSpec.model_fields}
    return RecipeSpec(**common, **{name: chosen[name] for name in spec.overrides})


def recipes_for(task: str | None) -> list[str]:
    """Names of the recipes that this task can be trained with."""
    return [name for name, recipe in RECIPES.items() if recipe.options_for(task) is not None]
