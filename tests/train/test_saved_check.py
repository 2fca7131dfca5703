"""What was saved is opened again and asked what the refit was asked; where it answers otherwise, people are told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.train.test_recipes import fit
from weigh.kinds.base import KINDS
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.departure import relative_departure
from weigh.kinds.label import LABEL
from weigh.kinds.label_map import LabelMap
from weigh.kinds.tags import pack_tags
from weigh.models import layers
from weigh.run import Sample
from weigh.saved.check import EXACT, ROUGH, allowed, departure_of, keep_failed
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.train.sample import LEAST, MOST, sample_of


def save(folder, run, outcome, examples, **changes):
    values = {
        "preparation": outcome.preparation,
        "frozen": run.recipe != "finetune",
        "weights": outcome.weights,
        **changes,
    }
    meaning = Meaning("image-classification", LABEL, examples.classes, 1.0, np.zeros(len(examples.classes)))
    save_model(folder, address=run.model, meaning=meaning, options=run.options, facts={}, **values)
    return folder


@pytest.fixture
def refit(examples, setting, make_run):
    """`refit(recipe, **options) -> (run, outcome)`."""

    def make(recipe, **options):
        run = make_run(recipe, keep_weights=True, image_size=64, **options)
        outcome = fit([run], setting, examples)[0]
        assert outcome.status == "done", outcome.cause
        return run, outcome

    return make


@pytest.mark.parametrize(("recipe", "options"), [("probe", {}), ("multilayer", {}), ("finetune", {"epochs": 2})])
def test_a_saved_model_answers_as_its_refit_and_one_that_prepares_otherwise_does_not(
    recipe, options, examples, refit, tmp_path
):
    run, outcome = refit(recipe, **options)
    sample = outcome.sample
    assert set(sample.examples) <= set(run.train), "test examples are not looked at"
    assert len(sample.examples) == MOST
    assert allowed(sample) == EXACT
    assert departure_of(save(tmp_path / "model", run, outcome, examples), examples, sample) < EXACT / 4
    for place, other in enumerate((outcome.preparation.at(96), replace(outcome.preparation, mean=(0.0, 0.0, 0.0)))):
        changed = save(tmp_path / f"other{place}", run, outcome, examples, preparation=other)
        assert departure_of(changed, examples, sample) > EXACT


def test_what_half_precision_trained_is_scored_as_it_is_served(examples, setting, make_run, tmp_path):
    """Weights rounded to bf16 are another network: its answers are off in one direction, by which pictures that are much alike change sides."""
    run = make_run("finetune", keep_weights=True, image_size=64, epochs=1)
    (outcome,) = fit([run], replace(setting, precision="bf16"), examples)
    assert outcome.status == "done", outcome.cause
    assert outcome.sample.exact
    assert departure_of(save(tmp_path / "model", run, outcome, examples), examples, outcome.sample) < 1e-4


def test_weights_that_are_a_little_off_are_seen(examples, refit, tmp_path):
    run, outcome = refit("probe")
    weights = {name: array * 1.1 if "bn1.running_var" in name else array for name, array in outcome.weights.items()}
    assert (
        departure_of(save(tmp_path / "model", run, outcome, examples, weights=weights), examples, outcome.sample)
        > EXACT
    )


def test_a_model_whose_check_failed_says_so_when_it_is_opened(examples, refit, tmp_path, recwarn):
    from weigh.notices import notices_to

    run, outcome = refit("probe")
    folder = save(tmp_path / "model", run, outcome, examples)
    told = []
    with notices_to(told.append):
        load_saved(folder)
        assert not told
        keep_failed(folder, 0.5, EXACT)
        load_saved(folder)
    assert "does not answer as its training left it" in told[0].en
    assert "不一致" in told[0].zh


def test_no_sample_is_taken_of_a_run_that_is_not_saved_and_a_slow_model_is_asked_less(examples, setting, make_run):
    def answer(rows):
        return np.zeros((len(rows), 2), np.float32)

    kept = make_run("probe", keep_weights=True)
    assert sample_of(make_run("probe"), setting, 0.1, answer) is None
    assert len(sample_of(kept, setting, 0.1, answer).examples) == MOST
    assert len(sample_of(kept, setting, 60.0, answer).examples) == LEAST
    assert allowed(sample_of(kept, replace(setting, precision="bf16"), 0.1, answer)) == ROUGH
    few = sample_of(replace(kept, train=kept.train[:1]), setting, 0.1, answer)
    assert few.examples.tolist() == kept.train[:1].tolist()


def test_layers_are_found_at_the_size_that_the_network_was_built_with(examples, refit, tmp_path, monkeypatch):
    sizes, own = [], layers.maps_in_order
    monkeypatch.setattr(layers, "maps_in_order", lambda body, native: sizes.append(native) or own(body, native))
    run, outcome = refit("multilayer")
    load_saved(save(tmp_path / "model", run, outcome, examples))
    assert sizes
    assert len(set(sizes)) == 1
    assert sizes[0] != outcome.preparation.size
    config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))["weigh"]
    assert (config["native"]["size"], config["preprocessing"]["size"]) == (sizes[0], 64)


def recorded(kind: str, rng, shift: float):
    """What two models record of the same examples; the second one's answers are moved by `shift`."""
    classes, target = 3, None
    if kind in ("label", "labels"):
        former = rng.normal(size=(8, classes)) * 4
        return former + shift, former
    if kind == "number":
        former = rng.normal(size=(8, 1)) * 10 + 500
        return former + 10 * shift, former
    if kind == "spans":
        codes = [np.array([0, 1, 2, 0]), np.array([0, 3])]
        former = pack_tags(codes, [np.full(len(own), -0.1) for own in codes], 4)
        again = pack_tags(
            codes, [np.full(len(own), -0.1 - shift) for own in codes], 9
        )  # of a study with longer sentences
        return again, former
    if kind == "masks":
        made = [rng.integers(0, classes, (2, 20, 20)) for _ in range(4)]
        target = [LabelMap.of(true, classes) for true, _ in made]
        moved = [np.where(rng.random(given.shape) < shift, (given + 1) % classes, given) for _, given in made]
        pair = [[LabelMap.of(one, classes) for one in side] for side in (moved, [given for _, given in made])]
    else:
        corners = [
            np.sort(rng.integers(0, 100, (6, 2, 2)), axis=1).reshape(6, 4) + np.array([0, 0, 3, 3]) for _ in range(4)
        ]
        target = [Boxes.of(120, 120, own[:3], np.arange(3)) for own in corners]
        scores = np.linspace(0.2, 0.9, 6)
        pair = [
            [Detections.of(120, 120, own, np.arange(6) % 3, level) for own in corners]
            for level in (scores * (1 - shift), scores)
        ]
    own = KINDS.get(kind)
    return tuple(own.recorded(side, target) for side in pair)


@pytest.mark.parametrize("kind", [name for name, _ in KINDS.items()])
def test_every_kind_tells_the_same_answers_from_others(kind):
    own = KINDS.get(kind)
    for shift, low, high in ((0.0, 0.0, 1e-9), (0.4, EXACT, 2.0)):
        again, former = recorded(kind, np.random.default_rng(0), shift)
        assert low <= own.departure(again, former, 3) <= high


def test_answers_that_cannot_be_compared_are_infinitely_far():
    former = np.ones((2, 3))
    assert relative_departure(np.full((2, 3), np.nan), former, 1.0) == np.inf
    assert relative_departure(np.ones((2, 4)), former, 1.0) == np.inf
    assert allowed(Sample(np.arange(2), former, exact=False)) == ROUGH
