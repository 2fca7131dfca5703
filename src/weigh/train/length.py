"""How long a network is trained: the epochs that a recipe's options mean for so many examples. No torch, so that plans ask it too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["FEWEST_EPOCHS", "MOST_EPOCHS", "epochs_of", "scored_every"]

FEWEST_EPOCHS = 8  # between these two, epochs follow from `steps`
MOST_EPOCHS = 40
ENOUGH = (
    500  # training examples that say well enough how well they are known, where the time decides how long is trained
)


def epochs_of(options: Mapping[str, Any], examples: int) -> int:
    """Most passes over the training folds: `epochs` where they are set, else as many as `steps` steps of the optimiser take.

    Args:
        options: Of a recipe that trains a network.
        examples: Of the training folds; the part of them that chooses the epoch makes no steps.
    """
    if options["epochs"] is not None:
        return options["epochs"]
    steps_of_one = math.ceil(examples * (1 - options["validation"]) / options["batch_size"])
    return min(max(math.ceil(options["steps"] / max(1, steps_of_one)), FEWEST_EPOCHS), MOST_EPOCHS)


def scored_every(run_epochs: int | None, examples: int) -> int:
    """Every which training example is scored once more at the end: all where the recipe decides how long is trained.

    Args:
        run_epochs: `Run.epochs`.
        examples: Of the training folds.
    """
    return 1 if run_epochs is None else max(1, math.ceil(examples / ENOUGH))
