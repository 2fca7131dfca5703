"""The recipe `last-stage`: the same numbers as the whole network with a frozen part, and one pass of that part for all runs."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

import weigh.train.activations as module
from weigh.heads.network_task import label_of, network_task
from weigh.inputs.pictures import Pictures, prepare_squares
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.run import RECIPES
from weigh.train.determinism import computing, torch_generator
from weigh.train.features import features_key
from weigh.train.loop import Loop

FAST = {"epochs": 3, "image_size": 64, "batch_size": 8, "learning_rate": 0.02}  # a rate that moves random weights


def fit(runs, setting, examples):
    name, function = RECIPES.get("last-stage").fit.split(":")
    with computing(threads=setting.threads):
        return list(getattr(import_module(name), function)(runs, setting, examples, None))


def cut(address, run, examples, size=64):
    model = load_model(address, pretrained=True, offline=True)
    model.facts()
    network = network_task("image-classification").build(model, examples, torch_generator(run.seeds["init"]))
    network.to(memory_format=torch.channels_last)
    prepared = model.preprocessing.at(size)
    return model, network.split(shape=(size, size), native=model.preprocessing.size, address=address), prepared


def slow_logits(run, setting, examples):
    """The whole network on pictures in every step, its frozen part in eval mode: what the cache must reproduce."""
    _, stage, prepared = cut(run.model, run, examples)
    whole = stage.whole
    frozen = [m for m in whole.modules() if not any(p.requires_grad for p in m.parameters())]
    inside = {id(m) for m in stage.tail.modules()}

    def train(mode=True):
        torch.nn.Module.train(whole, mode)
        for part in frozen:
            if id(part) not in inside:
                part.eval()
        return whole

    whole.train = train
    squares = prepare_squares(examples, prepared, folder=None)
    with computing(threads=setting.threads):
        augment, label = run.options.get("augment", "none"), label_of(examples, setting)
        inputs = Pictures(squares, prepared, augment, setting.device, label)
        loop = Loop(whole, inputs, run.options, setting, run.seeds, run.epochs, run.train)
        for epoch in range(1, run.epochs + 1):
            loop.epoch(epoch)
        whole.eval()
        with torch.inference_mode():
            block = torch.from_numpy(np.ascontiguousarray(prepared.middle(squares[run.test])))
            return whole(prepared.normalise(block)).numpy()


@pytest.mark.parametrize(("kept_as", "tolerance"), [(np.float32, 5e-3), (np.float16, 2e-2)])
def test_cached_activations_give_the_numbers_of_the_slow_path(  # but for rounding, which three epochs let grow
    kept_as, tolerance, examples, setting, make_run, monkeypatch
):
    monkeypatch.setattr(module, "KEPT_AS", np.dtype(kept_as))
    # rates per layer are counted within what is trained, so they are the same only without decay
    run = make_run("last-stage", **FAST, views=1, layer_decay=1.0, refit_epochs=3)
    outcome = fit([run], setting, examples)[0]
    assert outcome.status == "done", outcome.cause
    expected = slow_logits(run, setting, examples)
    assert expected.std() > 0.1
    np.testing.assert_allclose(outcome.answers, expected, atol=tolerance * expected.std())


def test_one_pass_serves_all_folds_and_seeds(examples, setting, make_run, monkeypatch):
    first = fit([make_run("last-stage", **FAST)], setting, examples)[0]
    monkeypatch.setattr(module, "_compute", None)  # a second pass would fail
    again = fit([make_run("last-stage", **FAST)], setting, examples)[0]
    np.testing.assert_array_equal(first.answers, again.answers)
    others = fit(
        [make_run("last-stage", fold, **FAST, seeds={"init": 9, "order": 9}) for fold in (1, 2)], setting, examples
    )
    assert [o.status for o in others] == ["done", "done"]
    for changed in ({"precision": "bf16"}, {"batch": 8}):
        with pytest.raises(TypeError):
            fit([make_run("last-stage", **FAST)], replace(setting, **changed), examples)
    for options in ({"image_size": 96}, {"views": 3}):
        with pytest.raises(TypeError):
            fit([make_run("last-stage", **{**FAST, **options})], setting, examples)


def test_without_a_cache_the_numbers_are_the_same(examples, setting, make_run):
    run = make_run("last-stage", **FAST)
    with_cache, without = (fit([run], s, examples)[0] for s in (setting, replace(setting, cache=None)))
    np.testing.assert_array_equal(with_cache.answers, without.answers)


def test_the_saved_network_is_whole_and_only_its_last_stage_has_changed(examples, setting, make_run):
    run = make_run("last-stage", **FAST, keep_weights=True)
    outcome = fit([run], setting, examples)[0]
    model = load_model(run.model, pretrained=True, offline=True)
    network = make_network(model, 2)
    pretrained = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
    changed = {name for name, array in outcome.weights.items() if not np.array_equal(array, pretrained[name])}
    assert any(name.endswith("running_mean") for name in changed)
    assert {name.split(".")[1] for name in changed if name.startswith("body")} == {outcome.facts["trained_from"]}
    network.load_state_dict({name: torch.from_numpy(array) for name, array in outcome.weights.items()})
    network.eval()
    prepared = model.preprocessing.at(64)
    squares = prepare_squares(examples.subset(run.test), prepared, folder=None)
    with torch.inference_mode():
        logits = network(prepared.normalise(torch.from_numpy(np.ascontiguousarray(prepared.middle(squares))))).numpy()
    assert logits.std() > 0.02
    np.testing.assert_allclose(logits, outcome.answers, atol=5e-3 * logits.std())
    assert outcome.facts["n_trained"] < outcome.facts["n_parameters"]


def test_views_are_the_picture_its_mirror_image_and_crops(examples, setting, make_run):
    run = make_run("last-stage", **FAST)
    model, stage, prepared = cut(run.model, run, examples)
    key = features_key(model.digest, prepared, examples, setting, model.built)
    made = module.activations_of(stage, prepared, examples, setting, views=4, features_key=key)
    assert made.bytes_per_picture == 4 * 2 * np.prod(stage.shape)
    squares = prepare_squares(examples, prepared, folder=None)
    pictures = prepared.normalise(torch.from_numpy(np.ascontiguousarray(prepared.middle(squares[:5]))))
    with torch.inference_mode():
        for view, x in ((0, pictures), (1, pictures.flip(3))):
            expected = stage.prefix(x)
            scale = expected.abs().max().item()
            np.testing.assert_allclose(made.views[view][:5], expected.numpy(), rtol=2**-10, atol=1e-3 * scale)
    assert len({view.tobytes() for view in made.views}) == 4
    drawn = made.draw(2000, torch_generator(0))
    assert (torch.bincount(drawn, minlength=4) > 400).all()
    indices = np.array([7, 3, 7, 40])
    batch = made.batch(indices, torch.tensor([3, 0, 1, 2])).inputs
    for row, (index, view) in enumerate(zip(indices, (3, 0, 1, 2), strict=True)):
        np.testing.assert_array_equal(batch[row].numpy(), made.views[view][index].astype(np.float32))
    np.testing.assert_array_equal(made.batch(indices).inputs.numpy(), made.views[0][indices].astype(np.float32))


def test_values_beyond_float16_are_kept_as_float32(examples, setting, make_run, monkeypatch):
    run = make_run("last-stage", **FAST)
    model, stage, prepared = cut(run.model, run, examples)

    class Loud(torch.nn.Module):
        def forward(self, pictures):
            return stage.prefix(pictures) * (1e6 if pictures.shape[0] != setting.batch else 1.0)

    loud = replace(stage.whole.anatomy, fold=lambda *_: Loud())
    monkeypatch.setattr(stage.whole, "anatomy", loud)
    some = examples.subset(np.arange(setting.batch + 3))  # the second block is beyond the range
    key = features_key(model.digest, prepared, some, setting, model.built)
    view = module.activations_of(stage, prepared, some, setting, views=1, features_key=key).views[0]
    assert view.dtype == np.float32
    assert np.abs(view[-3:]).max() > np.finfo(np.float16).max
    assert np.abs(view[: setting.batch]).max() > 0
