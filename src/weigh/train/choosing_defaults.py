"""What can be set of the recipes that choose inside the training folds: `auto` among recipes, `tuned` among settings of `finetune`. No torch.

Before it: `recipe_defaults.py`. After it: `recipes.py` registers them; `plan/contenders.py` says what they choose among.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from weigh.language import text
from weigh.run import Options
from weigh.spec_errors import WrongSettingError
from weigh.train.recipe_defaults import (
    BatchSize,
    Classes,
    FinetunedPictures,
    FinetunedSpans,
    FinetunedTexts,
    ImageSize,
    InSteps,
    MaxLength,
    Pooling,
    Steps,
    Validation,
)

__all__ = ["INNER_PARTS", "AutoPictures", "AutoTexts", "TunedPictures", "TunedSpans", "TunedTexts"]

INNER_PARTS = 5  # the training examples of a run are dealt into so many parts; contenders are compared on one of them, or on several in turn
T = TypeVar("T")


def _each_once(names: list[T]) -> list[T]:
    if len(set(names)) < len(names):
        raise WrongSettingError(text("each name once", "每个名称只能出现一次"))
    return names


InnerFolds = Annotated[
    int,
    Field(
        ge=1,
        le=INNER_PARTS,
        description=f"On so many of {INNER_PARTS} parts of the training folds contenders are compared, one after the other; those clearly behind drop out between two.",
    ),
]
Trials = Annotated[
    int,
    Field(
        ge=2,
        le=1000,
        description="Settings of learning_rate, weight_decay and epochs that are tried, the defaults first.",
    ),
]


class Auto(InSteps, Classes):
    """What is set here holds for every recipe tried that has such a setting. Which of the recipes are for a task is checked when its runs are planned."""

    recipes: Annotated[
        list[Literal["probe", "last-stage", "lora", "finetune", "lp-ft"]],
        Field(min_length=2, description="Tried in this order, the cheapest first: of equals the first is taken."),
        AfterValidator(_each_once),
    ] = ["probe", "finetune"]  # noqa: RUF012
    inner_folds: InnerFolds = 2
    batch_size: BatchSize = 16
    validation: Validation = 0.2


class AutoPictures(Auto):
    image_size: ImageSize = None


class AutoTexts(Auto):
    steps: Steps = 200
    batch_size: BatchSize = 32
    validation: Validation = 0.1
    max_length: MaxLength = None
    pooling: Pooling = None


class Searched(Options):
    """What is set by hand of learning_rate, weight_decay and epochs is not searched."""

    trials: Trials = 8
    inner_folds: InnerFolds = 1


class TunedPictures(Searched, FinetunedPictures):
    pass


class TunedTexts(Searched, FinetunedTexts):
    pass


class TunedSpans(Searched, FinetunedSpans):
    pass
