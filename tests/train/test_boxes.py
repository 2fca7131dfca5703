"""Detectors in training: every recipe learns drawn rectangles, what is kept of a frozen part is the network itself, the threshold is chosen
inside the training folds and saved.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from tests.box_scenes import CLASSES, draw_rectangles
from weigh.data.examples import Examples
from weigh.heads.network_task import network_task
from weigh.kinds.box_statistics import BoxStatistics
from weigh.kinds.boxes import BOXES
from weigh.metrics.base import METRICS
from weigh.models.pretrained import load_model
from weigh.run import RECIPES, Setting
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.tasks import OBJECT_DETECTION
from weigh.train.determinism import computing


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Examples:
    folder = tmp_path_factory.mktemp("rectangles")
    names, target = draw_rectangles(folder, 36)
    part = np.array(["test" if i % 3 == 0 else "train" for i in range(len(names))])
    return Examples(folder, names, target, CLASSES, part, np.arange(len(names)), names, BOXES)


@pytest.fixture
def box_run(scenes, make_run, tmp_path):
    """`box_run(recipe, **options) -> (run, setting)`."""

    def make(recipe: str, **options):
        asked = RECIPES.get(recipe).options_for(OBJECT_DETECTION)(**options).model_dump()
        run = make_run("finetune", keep_weights=True)
        train, test = scenes.where("train"), scenes.where("test")
        run = replace(run, recipe=recipe, options=BOXES.resolved(asked, scenes.target), train=train, test=test)
        return run, Setting(OBJECT_DETECTION, CLASSES, "map_50", offline=True, batch=8, cache=tmp_path / "cache")

    return make


def fit(run, setting, examples):
    name, function = RECIPES.get(run.recipe).fit.split(":")
    with computing(threads=setting.threads):
        return next(getattr(import_module(name), function)([run], setting, examples, None))


def map_50(outcome, scenes, run) -> float:
    return METRICS.get("map_50").score(BOXES.decide(outcome.answers), scenes.target[run.test])


@pytest.mark.parametrize("recipe", ["decoder", "last-stage"])
def test_kept_maps_give_what_the_whole_network_gives(recipe, scenes, box_run):
    run, setting = box_run(recipe)
    model = load_model(run.model, pretrained=True, offline=True)
    preparation = model.configure(run.options)
    network = network_task(setting.task).build(model, scenes, torch.Generator().manual_seed(0)).eval()
    at = "head" if recipe == "decoder" else "last-stage"
    stage = network.split(shape=preparation.shape, native=64, address=run.model, at=at)
    batch = torch.randn(preparation.blank(3).shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole, cut = network(batch), stage.tail(stage.prefix(batch))
    np.testing.assert_allclose(cut, whole, rtol=1e-4, atol=1e-3)
    trained = sum(p.numel() for p in stage.tail.parameters() if p.requires_grad)
    assert (trained == sum(p.numel() for p in network.head.parameters())) == (recipe == "decoder")


@pytest.mark.parametrize(
    ("recipe", "options", "least"),  # the tiny network has random weights: what is frozen of it helps little
    [("decoder", {"epochs": 8}, 0.05), pytest.param("last-stage", {"epochs": 10}, 0.05, marks=pytest.mark.thorough), ("finetune", {"epochs": 14, "augment": "light"}, 0.3), ("scratch", {"epochs": 2}, 0)],
)  # fmt: skip
def test_recipes_learn_rectangles_and_the_saved_model_answers_as_the_run_did(
    recipe, options, least, scenes, box_run, tmp_path
):
    run, setting = box_run(recipe, learning_rate=0.01, batch_size=4, patience=20, **options)
    outcome = fit(run, setting, scenes)
    assert outcome.status == "done", outcome.cause
    test, statistics = scenes.target[run.test], BoxStatistics(outcome.answers, 3)
    assert statistics.drawn[..., 0].sum() == sum(len(boxes.classes) for boxes in test)
    assert map_50(outcome, scenes, run) >= least
    threshold = outcome.facts["settled"]["threshold"]
    assert 0 < threshold < 1
    assert (outcome.answers[:, 0] == np.float32(threshold)).all()
    save_model(
        tmp_path / "model", address=run.model, weights=outcome.weights, options=run.options, frozen=False, facts={},
        meaning=Meaning(setting.task, BOXES, CLASSES, 1.0, np.zeros(len(CLASSES))),
    )  # fmt: skip
    saved = load_saved(tmp_path / "model")
    answers = saved.outputs(scenes.subset(run.test))
    again = BoxStatistics(BOXES.recorded(answers, test), 3)
    assert (again.thresholds == statistics.thresholds).all()
    np.testing.assert_allclose(again.told.sum(axis=(0, 1)), statistics.told.sum(axis=(0, 1)), atol=1)
    assert [(one.height, one.width) for one in answers] == [(one.height, one.width) for one in test]


def test_a_refit_takes_the_threshold_of_the_cross_validation(scenes, box_run):
    run, setting = box_run("decoder", learning_rate=0.01, batch_size=4)
    outcome = fit(replace(run, epochs=1, settled={"threshold": 0.125}), setting, scenes)
    assert outcome.facts["settled"] == {"threshold": 0.125}
    assert (outcome.answers[:, 0] == 0.125).all()
    assert outcome.weights["head.threshold"] == 0.125


def test_the_same_run_gives_the_same_numbers(scenes, box_run):
    run, setting = box_run("finetune", epochs=1, learning_rate=0.01, batch_size=4)
    first = fit(run, setting, scenes)
    torch.manual_seed(77)
    second = fit(run, setting, scenes)
    assert (first.answers == second.answers).all()
