"""How far a saved model's answers are from those of its refit: rounding, and models that are opened otherwise than they were trained.

    WEIGH_TEST_DATA=… python -m benchmarks.saved_models

For every packaged model a head (`probe`) on 40 photos of ants and bees, or on 60 texts of SST-2; for the first one its network too. The table has
`Kind.departure` of a folder that holds what the refit had, computed in single precision and in bfloat16, and of folders with one thing changed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from weigh.data.examples import Examples
from weigh.kinds.base import rows_of
from weigh.kinds.label import LABEL
from weigh.media import medium_named
from weigh.models.catalogue import CATALOGUE
from weigh.run import RECIPES, Outcome, Run, Setting
from weigh.saved.check import departure_of
from weigh.saved.meaning import Meaning
from weigh.saved.model import save_model
from weigh.train.determinism import computing


def photos(folder: Path) -> Examples:
    files = [file for name in ("ants", "bees") for file in sorted(folder.rglob(f"{name}/*.jpg"))[:20]]
    target = np.array([file.parent.name == "bees" for file in files]).astype(np.int64)
    names = np.array([file.relative_to(folder).as_posix() for file in files])
    return Examples(
        folder, names, target, ("ants", "bees"), np.full(len(files), "train"), np.arange(len(files)), names, LABEL
    )


def texts(file: Path) -> Examples:
    table = pl.read_csv(
        file, separator="\t", has_header=False, new_columns=["sentence", "label"], quote_char=None
    ).head(60)
    rows, target = table["sentence"].to_list(), table["label"].to_numpy().astype(np.int64)
    names = np.array([str(i) for i in range(len(rows))])
    return Examples(
        Path(), names, target, ("bad", "good"), np.full(len(rows), "train"), np.arange(len(rows)), names, LABEL,
        rows=rows_of([(one,) for one in rows]), medium=medium_named("texts"),
    )  # fmt: skip


def refit(
    address: str, recipe: str, examples: Examples, task: str, precision: str, **changes: Any
) -> tuple[Run, Outcome]:
    medium = "pictures" if task == "image-classification" else "texts"
    options = {**RECIPES.get(recipe).options[medium]().model_dump(), **changes}
    rows, seeds = np.arange(len(examples)), dict.fromkeys(("init", "order", "augmentation", "split"), 0)
    run = Run("key", "c", address, recipe, options, "refit", "", -1, -1, rows, rows[:0], seeds, keep_weights=True)
    epochs = changes.get("epochs")
    setting = Setting(task, examples.classes, "accuracy", offline=True, precision=precision, words=False)
    module, function = RECIPES.get(recipe).fit.split(":")
    with computing(threads=1):
        (outcome,) = getattr(import_module(module), function)([replace(run, epochs=epochs)], setting, examples, None)
    assert outcome.status == "done", outcome.cause
    return run, outcome


def changed(preparation: Any) -> Iterator[tuple[str, Any]]:
    """Preparations that a saved model might be opened with by mistake."""
    if preparation.reads == "texts":
        yield "tokens at most 16", replace(preparation, size=16)
        yield "another prefix", replace(preparation, prefix="passage: ")
        return
    yield "resized 14 % larger before the crop", replace(preparation, resize=round(preparation.resize * 1.14))
    yield "pictures a quarter smaller", preparation.at(preparation.size * 3 // 4)
    other = "bilinear" if preparation.interpolation == "bicubic" else "bicubic"
    yield f"resized {other}", replace(preparation, interpolation=other)
    yield "values from -1 to 1", replace(preparation, mean=(0.5,) * 3, std=(0.5,) * 3)


def measure(address: str, recipe: str, examples: Examples, task: str, precision: str, **changes: Any) -> None:
    run, outcome = refit(address, recipe, examples, task, precision, **changes)
    meaning = Meaning(task, LABEL, examples.classes, 1.0, np.zeros(len(examples.classes)))
    with tempfile.TemporaryDirectory() as folder:

        def departure(preparation: Any) -> float | None:
            assert outcome.weights is not None
            assert outcome.sample is not None
            save_model(
                Path(folder), address=address, weights=outcome.weights, meaning=meaning, options=run.options,
                preparation=preparation, frozen=recipe == "probe", facts={},
            )  # fmt: skip
            return departure_of(Path(folder), examples, outcome.sample)

        cells = [("as saved", departure(outcome.preparation))]
        if precision == "fp32":
            cells += [(what, departure(other)) for what, other in changed(outcome.preparation)]
    for what, value in cells:
        print(f"| {address} | {recipe} | {precision} | {what} | {value:.5f} |", flush=True)


def main() -> None:
    data = Path(os.environ["WEIGH_TEST_DATA"])
    of_photos, of_texts = photos(data / "images" / "ants-bees"), texts(data / "text" / "sst2" / "dev.tsv")
    print("| model | recipe | arithmetic | folder | departure |\n|---|---|---|---|---|")
    addresses = sorted({entry.address for entry in CATALOGUE if entry.locate()})
    for address in addresses:
        given = (of_texts, "text-classification") if address.startswith("hf:") else (of_photos, "image-classification")
        for precision in ("fp32", "bf16"):
            measure(address, "probe", *given, precision)
    first = next(address for address in addresses if not address.startswith("hf:"))
    for precision in ("fp32", "bf16"):
        measure(first, "finetune", of_photos, "image-classification", precision, image_size=96, epochs=1)


if __name__ == "__main__":
    main()
