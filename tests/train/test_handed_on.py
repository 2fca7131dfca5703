"""A saved model answers as the refit did, whichever packaged weights it stands on: nothing is decided anew when it is saved or opened.

Weights of a package may stand in for others that want pictures of another size, or resized in another way; a saved model once prepared pictures
for the weights that it did not have.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.arrays import kind_of
from tests.train.test_recipes import fit
from weigh.data.examples import Examples
from weigh.kinds.base import rows_of
from weigh.kinds.label import LABEL
from weigh.media import medium_named
from weigh.models.catalogue import CATALOGUE
from weigh.run import RECIPES, Run, Setting
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model

PACKAGED = sorted({entry.address for entry in CATALOGUE if entry.locate()})
# One of weights that stand in for others and were made for pictures resized in another way, and one of texts.
ALWAYS = {"timm:mobilenetv2_100", "hf:sentence-transformers/paraphrase-MiniLM-L3-v2"}
TEXTS = [
    "a fine film",
    "it was awful, and long",
    "what a day",
    "nobody laughed",
    "music and light",
    "no",
    "yes",
    "rain",
]


def few_texts() -> Examples:
    n, target = len(TEXTS), np.arange(len(TEXTS)) % 2
    names = np.array([str(i) for i in range(n)])
    part = np.array(["train"] * n)
    return Examples(
        Path(), names, target, ("bad", "good"), part, np.arange(n), names,
        rows=rows_of([(text,) for text in TEXTS]), medium=medium_named("texts"), kind=kind_of(target),
    )  # fmt: skip


@pytest.mark.parametrize(
    "address", [pytest.param(name, marks=[] if name in ALWAYS else pytest.mark.thorough) for name in PACKAGED]
)
def test_it_answers_as_the_refit_did(address, examples, tmp_path):
    texts = address.startswith("hf:")
    some = few_texts() if texts else examples.subset(np.arange(8))
    task = "text-classification" if texts else "image-classification"
    setting = Setting(task, some.classes, "accuracy", offline=True, batch=8, words=False)
    options = RECIPES.get("multilayer").options["texts" if texts else "pictures"]().model_dump()
    rows = np.arange(len(some))
    seeds = dict.fromkeys(("init", "order", "augmentation", "split"), 0)
    run = Run("key", "c", address, "multilayer", options, "refit", "", 0, 0, rows, rows, seeds, keep_weights=True)
    outcome = fit([run], setting, some)[0]
    assert outcome.status == "done", outcome.cause
    save_model(
        tmp_path / "model", address=address, weights=outcome.weights, options=options, preparation=outcome.preparation, frozen=True,
        meaning=Meaning(task, LABEL, some.classes, 1.0, np.zeros(len(some.classes))), facts={},
    )  # fmt: skip
    saved = load_saved(tmp_path / "model")
    np.testing.assert_allclose(saved.outputs(some), outcome.answers, rtol=1e-3, atol=2e-2)
    if not texts:
        assert saved.preparation == outcome.preparation


def test_what_the_run_prepared_with_is_saved_and_not_what_its_model_says(examples, setting, make_run, tmp_path):
    run = make_run("probe", keep_weights=True, image_size=64)
    outcome = fit([run], setting, examples)[0]
    other = outcome.preparation.at(96)
    save_model(
        tmp_path / "model", address=run.model, weights=outcome.weights, options=run.options, preparation=other, frozen=True,
        meaning=Meaning("image-classification", LABEL, examples.classes, 1.0, np.zeros(len(examples.classes))), facts={},
    )  # fmt: skip
    assert outcome.preparation.size == 64
    assert load_saved(tmp_path / "model").preparation == other
