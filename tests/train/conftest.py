"""Small studies for recipes: pictures made on the fly, a tiny network with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.arrays import kind_of
from weigh.data.examples import Examples
from weigh.run import RECIPES, Run, Setting


@pytest.fixture(scope="session")
def examples(photos: Path) -> Examples:
    """The 48 pictures of `photos`, 36 to train on."""
    files = sorted(photos.rglob("*.png"), key=lambda p: p.name)
    classes = tuple(sorted({f.parent.name for f in files}))
    return Examples(
        root=photos,
        path=np.array([f.relative_to(photos).as_posix() for f in files]),
        target=np.array([classes.index(f.parent.name) for f in files]),
        classes=classes,
        part=np.array(["test" if i % 4 == 0 else "train" for i in range(len(files))]),
        order=np.arange(len(files)),
        content=np.array([f"content-{i}" for i in range(len(files))]),
        kind=kind_of(np.array([classes.index(f.parent.name) for f in files])),
    )


@pytest.fixture
def setting(examples, tmp_path) -> Setting:
    return Setting(
        "image-classification", examples.classes, "balanced_accuracy", offline=True, batch=16, cache=tmp_path / "cache"
    )


@pytest.fixture
def make_run(examples, tiny):
    """`make_run(recipe, fold=0, **fields and options)`: one run of a three-fold split."""

    def make(
        recipe: str,
        fold: int = 0,
        *,
        refit_epochs=None,
        keep_weights=False,
        model=tiny,
        seeds=None,
        train=None,
        **options,
    ):
        inside = examples.where("train")
        held = np.arange(len(inside)) % 3 == fold
        return Run(
            f"{recipe}-{fold}", f"{model} × {recipe}", model, recipe, {**RECIPES.get(recipe).options["pictures"]().model_dump(), **options},
            "main", "", 0, fold, inside[~held] if train is None else train, inside[held],
            {"init": 1, "order": 2, "augmentation": 3, "split": 4, **(seeds or {})}, keep_weights, refit_epochs,
        )  # fmt: skip

    return make
