"""One run from what determines its numbers: seeds derived per source, and the key that is a hash of everything.

Before it: a candidate, the examples it trains and is tested on. After it: `runs.py` (the design) and `purposes.py` (what
findings need besides).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from weigh.data.examples import Examples
from weigh.media import MEDIA
from weigh.plan.candidates import recipe_of
from weigh.plan.contenders import choice_options
from weigh.run import LAYERS_RULE, RECIPES, Candidate, Run, recipe_options
from weigh.seeds import seed
from weigh.spec import StudySpec

__all__ = ["NUMBERS", "SOURCES", "Split", "make_run"]

NUMBERS = (
    5  # raised when a change of the code changes the numbers of a run: old records are then not mixed with new ones
)
DECISION_RULE = 2  # raised where runs whose loss weighs classes alike decide by other thresholds (`train/decision.py`)
SOURCES = ("init", "order", "augmentation", "split")  # "split" here: inner folds and validation parts


class Split(NamedTuple):
    """One fold of one repeat (-1 and -1: a refit): `(n,)` indices of the examples trained on and tested, ascending."""

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray


def make_run(
    examples: Examples,
    spec: StudySpec,
    candidate: Candidate,
    purpose: str,
    variant: str,
    split: Split,
    *,
    epochs: int | None = None,
    settled: Mapping[str, float] | None = None,
    keep_weights: bool = False,
    paired: bool = False,
    changed: Mapping[str, int] | None = None,
) -> Run:
    """The run with its seeds and its key.

    Args:
        split: Indices into `examples`.
        paired: Take the seeds of the main run of the same repeat and fold, so that only what the purpose changes differs.
        changed: Source -> number of another seed for it (0 is the seed that it has anyway).
    """
    repeat, fold, train, test = split
    recipe = recipe_of(spec, candidate)
    options, vary, base = recipe_options(recipe, spec.task), spec.design.vary, spec.design.seed
    options = examples.kind.resolved(options, examples.target) | choice_options(recipe, spec.task)
    changed = changed or {}
    further: dict[str, Any] = {}
    if RECIPES.get(recipe.name).unlabelled and examples.unlabelled is not None:  # by content, not by path
        assert spec.pretrain is not None
        medium = examples.unlabelled.medium
        unused = {field for _, other in MEDIA.items() for field in (other.reads, *other.pretraining)}
        pretrain = spec.pretrain.model_dump(exclude=unused - set(medium.pretraining))
        pretrain |= {"of": medium.reads, "n": len(examples.unlabelled)}
        options = {**options, "pretrain": pretrain}
        further = {"unlabelled": examples.unlabelled.digest}

    def derived(source: str) -> int:  # a source that is not varied has one seed for all repeats
        parts = (base, source, "main" if paired else purpose, repeat if source in vary else 0, fold)
        return seed(*parts, "again", changed[source]) if changed.get(source) else seed(*parts)

    seeds = {source: derived(source) for source in SOURCES}
    trained = {one["recipe"] for one in options.get("contenders", [{"recipe": recipe.name}])}
    if any(RECIPES.get(name).layers for name in trained):
        further |= {"layers": LAYERS_RULE}
    if examples.kind.exclusive and spec.primary == "balanced_accuracy" and _weighs_classes(options):
        further |= {"decision": DECISION_RULE}
    identity: dict[str, Any] = {
        "numbers": NUMBERS,
        "data": examples.fingerprint,
        "classes": list(examples.classes),
        "task": spec.task,
        "model": candidate.model,
        "weights": candidate.weights,
        "recipe": recipe.name,
        "options": options,
        "purpose": purpose,
        "variant": variant,
        "repeat": repeat,
        "fold": fold,
        "train": _digest(train),
        "test": _digest(test),
        "seeds": seeds,
        "epochs": epochs,
        "primary": spec.primary,
        "precision": spec.run.precision,
        **further,
        **({"settled": dict(settled)} if settled else {}),
    }
    key = hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=16).hexdigest()
    return Run(
        key,
        candidate.id,
        candidate.model,
        recipe.name,
        options,
        purpose,
        variant,
        repeat,
        fold,
        train,
        test,
        seeds,
        keep_weights,
        epochs,
        candidate.weights,
        dict(settled or {}),
    )


def _weighs_classes(options: Mapping[str, Any]) -> bool:
    """Whether a run with these options, or one of those that it chooses among, has a loss that weighs classes alike and decides as "auto" does."""
    settings = [options, *(one["options"] for one in options.get("contenders", ()))]
    return any(one.get("class_weights") == "balanced" and one.get("decision") == "auto" for one in settings)


def _digest(indices: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(indices, dtype=np.int64).tobytes(), digest_size=16).hexdigest()
