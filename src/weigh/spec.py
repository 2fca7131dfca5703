"""What a user asks for: study.yaml as pydantic models (its section `data`: `spec_data.py`).

Everything has a default but the data. Unknown keys are errors, and all errors are reported at once
(`load_spec`). Sections: data, models, recipes, design, metrics, pretrain, output, run. `run` holds what must not change a
conclusion (device, jobs, offline) and is left out of every content hash but for `precision`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from pydantic_core import PydanticKnownError

from weigh.kinds.base import KINDS
from weigh.language import text
from weigh.spec_data import ColumnsSpec, DataSpec, Name, Section
from weigh.spec_errors import WrongSettingError
from weigh.tasks import TASKS

__all__ = [
    "ColumnsSpec",
    "DataSpec",
    "DesignSpec",
    "MetricsSpec",
    "OutputSpec",
    "PretrainSpec",
    "RecipeSpec",
    "RunSpec",
    "Section",
    "StudySpec",
    "default_recipes",
    "settings_called",
]


def _known_task(name: str) -> str:
    """A task that is registered."""
    names = tuple(TASKS)
    if name not in names:
        listed = ", ".join(f"'{one}'" for one in names[:-1]) + f" or '{names[-1]}'"
        raise PydanticKnownError("literal_error", {"expected": listed})
    return name


class RecipeSpec(Section):
    """How the pretrained weights are used. All other settings are the recipe's own options (`run.Options`), which know what may be set."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="Of a recipe; `weigh recipes` lists them.")
    label: str | None = Field(default=None, description="Set it to use one recipe twice with different overrides.")
    repeats: Annotated[int, Field(ge=1, le=1000)] | None = Field(default=None, description="Overrides design.repeats.")

    @property
    def overrides(self) -> dict[str, Any]:
        """What was set of the recipe's own options."""
        return {name: value for name, value in (self.model_extra or {}).items() if value is not None}


class DesignSpec(Section):
    """Folds, repeats, and which sources of variation are varied."""

    folds: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=5, description="Parts that the examples are dealt into; each is predicted once."
    )
    repeats: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Default: 5 for recipes that train only a head, 1 for recipes that train the network."
    )
    group_by: Name | None = Field(
        default=None, description="Metadata column whose values stay on one side of every split."
    )
    stratify: bool = Field(default=True, description="Folds hold the classes in equal shares.")
    vary: list[Literal["split", "init", "order", "augmentation"]] = Field(
        default=["split", "init", "order", "augmentation"],
        description="What differs between repeats: how folds are dealt, how heads begin, in which order examples come, how they are augmented.",
    )
    crossed: Annotated[int, Field(ge=2, le=100)] | None = Field(
        default=None,
        description="Seeds of each source (init, order, augmentation) tried in every fold, the others held fixed: tells "
        "the sources apart (finetune and the like; 2 seeds cost four times the runs). Default: not crossed.",
    )
    curve: bool | None = Field(
        default=None,
        description="Learning curve from nested parts of the training folds; default: only recipes that train a head; "
        "true: all recipes, and two more sizes (a quarter, three quarters).",
    )
    cleaned: bool = Field(
        default=True,
        description="Run the two leading heads again without suspected labels and copies: does the verdict stand?",
    )
    test: Annotated[float, Field(ge=0, lt=0.9)] = Field(
        default=0.0, description="Share held out as a test part, read once."
    )
    budget: str | None = Field(
        default=None,
        description="Time the study may take ('30m', '2h'): what does not fit is left out or shortened, fine-tuning first, then further questions, repeats, "
        "and models that weigh chose. Default: none; where no models are named 10m.",
    )
    purpose: Literal["ship", "publish"] = Field(
        default="ship", description="ship: claims about this data; publish: about new data."
    )
    race: bool | None = Field(
        default=None,
        description="Candidates that train networks run fold by fold, and who cannot be the best any more is dropped; "
        "default: with more than four candidates.",
    )
    finalists: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="The first recipe runs with every model, the others only with so many of them: those that came first with it. "
        "Default: every recipe runs with every model.",
    )
    order_check: bool = Field(default=True, description="Score contiguous blocks against shuffled folds (probes only).")
    level: Annotated[float, Field(gt=0.5, lt=1)] = Field(default=0.95, description="Coverage of the intervals.")
    seed: Annotated[int, Field(ge=0, le=2**53)] = Field(default=0, description="All other seeds follow from it.")

    @property
    def claim(self) -> Literal["this_data", "new_data"]:
        """What a conclusion from its cross-validation speaks about."""
        return "this_data" if self.purpose == "ship" else "new_data"

    @field_validator("vary")
    @classmethod
    def _no_repeats_in_vary(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise WrongSettingError(text("each source of variation may be named once", "每种变异来源只能列出一次"))
        return value


class PretrainSpec(Section):
    """Data without labels for the recipes `adapted` and `joint`: hidden words are guessed, two views of a picture are told
    from those of others."""

    texts: str | None = Field(
        default=None, description="Table with a text column, or a file with one text per line; no labels are read."
    )
    pictures: str | None = Field(default=None, description="Folder of pictures, at any depth; no labels are read.")
    epochs: Annotated[int, Field(ge=1, le=10_000)] = Field(default=3, description="Passes over them (`adapted`).")
    learning_rate: Annotated[float, Field(gt=0, le=100)] = Field(default=1e-4, description="Of these passes.")
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = Field(default=32, description="Examples of one step.")
    mask: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.15, description="Share of the tokens that are hidden.")
    temperature: Annotated[float, Field(gt=0, le=10)] = Field(
        default=0.1, description="Pictures: of the contrastive loss (smaller: the most alike others count more)."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> PretrainSpec:
        if (self.texts is None) == (self.pictures is None):
            raise WrongSettingError(
                text(
                    "give either texts or pictures, for example pretrain.texts=more.csv",
                    "请给出 texts 或 pictures 之一，例如 pretrain.texts=more.csv",
                )
            )
        return self


class MetricsSpec(Section):
    primary: str | None = Field(
        default=None,
        description="Carries the headline, the selection and the corrections; default: balanced_accuracy, for numbers "
        "pearson_spearman, for entities entity_f1, for masks mean_iou, for boxes map.",
    )
    also: list[str] | None = Field(default=None, description="Described beside it; default: all that the task has.")
    rope: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Region of practical equivalence; default: per metric."
    )
    decision: Literal["auto", "argmax", "threshold"] = Field(
        default="auto",
        description="How probabilities become a label. argmax: the most probable class, always. auto: so that the primary metric "
        "is best, which for balanced accuracy and F1 of unbalanced classes is not always the most probable class. threshold: "
        "rare classes are answered earlier, whatever the metric. A recipe's own `decision` comes first.",
    )


class OutputSpec(Section):
    folder: str | None = Field(default=None, description="The study folder; default: studies/<data name>.")
    words: bool = Field(
        default=True,
        description="Of texts: which words pushed the predictions of the hardest ones (a few hundred short passes for each run "
        "of the first repeat); runs that are recorded already are not asked again.",
    )
    masks: bool = Field(
        default=False,
        description="Of masks: keep every predicted mask of the cross-validation and of the test part in the study folder (2 to 20 kB each), "
        "not only the few of each run that the report may draw; runs that are recorded already keep what they have.",
    )
    refit: bool = Field(default=True, description="Refit the winner on all training data and save it in model/.")
    ensemble: Literal["never", "auto", "always"] = Field(
        default="never",
        description="Refit the members of the best average of several candidates and save it in ensemble/, beside the winner: auto, where it is "
        "shown to be better than the winner; always. `weigh predict STUDY FILE --ensemble` uses it.",
    )


class RunSpec(Section):
    """How it is computed: must not change a conclusion."""

    device: str = Field(default="auto", description="auto (the fastest there is), cpu, cuda, cuda:1, mps.")
    jobs: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        default="auto", description="Worker processes; auto: this process alone."
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        default="auto", description="Threads of one worker process."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Arithmetic of training; auto: half precision where the device has instructions for it, and single precision for features and answers.",
    )
    offline: bool = Field(default=False, description="No network call at all.")


def default_recipes(models: Any) -> list[str]:
    """Where no recipes are named; without models the study is to choose, and takes what was best on the whole (docs/decisions/multilayer.md)."""
    return ["probe"] if models else ["multilayer", "finetune"]


def settings_called(name: str) -> list[str]:
    """Settings of this name in the sections that a user may have left out: "folds" stands in "design", so it is "design.folds"."""
    sections = {
        "data": DataSpec, "data.columns": ColumnsSpec, "design": DesignSpec, "metrics": MetricsSpec, "output": OutputSpec, "run": RunSpec,
    }  # fmt: skip
    return [f"{where}.{name}" for where, section in sections.items() if name in section.model_fields]


class StudySpec(Section):
    """The whole of study.yaml."""

    name: str | None = Field(default=None, description="Name of the study in its report; default: that of the data.")
    task: Annotated[str, AfterValidator(_known_task)] | None = Field(
        default=None,
        description="Recognised from the data where it can be.",
        json_schema_extra=lambda schema: schema.update(enum=[*TASKS, None]),
    )
    data: DataSpec
    models: list[str] = Field(
        default=[],
        description="Addresses: timm:NAME, torchvision:NAME[/WEIGHTS], hf:OWNER/NAME or hf:./FOLDER, smp:DECODER/ENCODER, file:PATH@timm:NAME, keras:NAME, "
        "tf:PATH, onnx:PATH, python:MODULE:FACTORY (with --trust-code). Without any, weigh chooses among those that fit the data and whose weights are "
        "within reach.",
    )
    recipes: list[RecipeSpec] = Field(
        default=[], description="Default: probe; where no models are named multilayer and finetune."
    )
    design: DesignSpec = DesignSpec()
    metrics: MetricsSpec = MetricsSpec()
    pretrain: PretrainSpec | None = None
    output: OutputSpec = OutputSpec()
    run: RunSpec = RunSpec()
    # of recipes that nobody named, by name: which of them run can be told once the task is known (`spec_recipes.recipes_of_study`)
    _options: dict[str, dict[str, Any]] = PrivateAttr(default_factory=dict)

    @property
    def usual_options(self) -> dict[str, dict[str, Any]]:
        """Name of a recipe -> what was set of it, where no recipes were named."""
        return self._options

    def with_usual_options(self, options: dict[str, dict[str, Any]]) -> StudySpec:
        """The same with these `usual_options`."""
        spec = self.model_copy()
        spec._options = options
        return spec

    @model_validator(mode="before")
    @classmethod
    def _accept_short_forms(cls, value: Any) -> Any:
        """`data: photos/`, `models: a`, `recipes: [probe, {name: finetune, epochs: 5}]` are understood."""
        if not isinstance(value, dict):
            return value
        value = dict(value)
        if isinstance(value.get("data"), str):
            value["data"] = {"train": value["data"]}
        for key in ("models", "recipes"):
            if isinstance(value.get(key), (str, dict)):
                value[key] = [value[key]]
        if not value.get("recipes"):
            value.pop("recipes", None)
        if isinstance(value.get("pretrain"), str):
            value["pretrain"] = {"texts": value["pretrain"]}
        if isinstance(value.get("recipes"), list):
            value["recipes"] = [{"name": r} if isinstance(r, str) else r for r in value["recipes"]]
        return value

    @model_validator(mode="after")
    def _usual_recipes(self) -> StudySpec:
        """The usual recipes where none are named; `model_fields_set` lacks them then, so that those that are not for the task can be exchanged."""
        if not self.recipes:
            self.__dict__["recipes"] = [RecipeSpec(name=name) for name in default_recipes(self.models)]
        return self

    @model_validator(mode="after")
    def _no_twins(self) -> StudySpec:
        for what, names in (("models", self.models), ("recipes", [r.label or r.name for r in self.recipes])):
            twins = sorted({name for name in names if names.count(name) > 1})
            if twins:
                raise WrongSettingError(
                    text("{w}: {n} is listed twice", "{w}：{n} 列出了两次", w=what, n=", ".join(twins))
                )
        return self

    @property
    def primary(self) -> str:
        """Name of the primary metric: the user's choice, or what suits the task."""
        kinds = TASKS.get(self.task).kinds if self.task in TASKS else tuple(KINDS)
        return self.metrics.primary or KINDS.get(kinds[0]).primary

    @property
    def title(self) -> str:
        """Name of the study: given, or that of the data."""
        return self.name or Path(self.data.train.rstrip("/")).name.removesuffix(Path(self.data.train).suffix) or "study"
