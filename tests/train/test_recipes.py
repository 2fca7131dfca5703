"""Recipes through their one door, `fit(runs, setting, examples, progress)`: what comes out, and that it repeats."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from weigh.errors import WeightsReplaced
from weigh.inputs.pictures import crops, prepare_squares
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.kinds.spans import SPANS
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.run import RECIPES
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.saved.onnx_file import export_onnx
from weigh.train.determinism import computing
from weigh.train.features import features_of

FAST = {"epochs": 2, "image_size": 32, "batch_size": 8}
NETWORKS = ["finetune", "last-stage", "lp-ft", "scratch", "textbook"]


def fit(runs, setting, examples, progress=None):
    module, function = RECIPES.get(runs[0].recipe).fit.split(":")
    with computing(threads=setting.threads):
        return list(getattr(import_module(module), function)(runs, setting, examples, progress))


def test_probe_runs_do_not_depend_on_their_job(examples, setting, make_run):
    runs = [make_run("probe", fold, image_size=64) for fold in range(3)]
    told = []
    together = fit(runs, setting, examples, lambda *said: told.append(said))
    assert [o.key for o in together] == [r.key for r in runs]
    assert told[-1] == ("heads", 3, 3)
    for run, outcome in zip(runs, together, strict=True):
        alone = fit([run], replace(setting, threads=2), examples)[0]
        assert alone.status == outcome.status == "done", alone.cause + outcome.cause
        np.testing.assert_array_equal(alone.answers, outcome.answers)
        assert alone.facts == outcome.facts
        assert outcome.status == "done", (outcome.cause, outcome.measured)
        assert outcome.answers.shape == (len(run.test), 2)
        assert outcome.answers.dtype == np.float32
        assert outcome.facts["strength"] in run.options["strengths"]
        assert set(outcome.facts["train_scores"]) == {"balanced_accuracy", "accuracy"}
        assert outcome.measured["predict_seconds_per_example"] > 0
        assert outcome.measured["peak_bytes"] > 0
        assert outcome.model["weights"] == "file"


def test_features_are_cached_by_what_they_depend_on(examples, setting, tiny, monkeypatch):
    first = features_of(tiny, examples, setting, options={"image_size": 64})
    import weigh.train.features as module

    monkeypatch.setattr(module, "forward_all", None)  # a second pass would fail
    second = features_of(tiny, examples, setting, options={"image_size": 64})
    np.testing.assert_array_equal(first.features, second.features)
    for changed in ({"precision": "bf16"}, {"batch": 8}):
        with pytest.raises(TypeError):
            features_of(tiny, examples, replace(setting, **changed), options={"image_size": 64})
    with pytest.raises(TypeError):
        features_of(tiny, examples, setting, options={"image_size": 96})
    with pytest.raises(TypeError):
        features_of(tiny, replace(examples, content=examples.content[::-1]), setting, options={"image_size": 64})


def test_operations_are_counted_at_the_size_of_the_pictures(examples, setting, tiny):
    model = load_model(tiny, pretrained=True, offline=True)
    assert features_of(tiny, examples, setting).operations == {}, "at its own size the model's facts say it"
    smaller = features_of(tiny, examples, setting, options={"image_size": 64})
    assert smaller.operations["macs"] == pytest.approx(model.macs * (64 / model.preprocessing.size) ** 2, rel=0.1)
    assert features_of(tiny, examples, setting, options={"image_size": 64}).operations == smaller.operations


def test_a_model_that_the_study_knows_is_not_loaded_for_features_that_are_there(examples, setting, tiny, monkeypatch):
    import weigh.train.features as module

    known = {**load_model(tiny, pretrained=True, offline=True).known(), "seconds_per_picture": 0.25}
    study = replace(setting, model=json.loads(json.dumps(known)))  # as the ledger keeps it
    first, unknown = features_of(tiny, examples, study), features_of(tiny, examples, setting)
    assert first.key == unknown.key
    assert first.model == unknown.model
    monkeypatch.setattr(module, "load_model", None)  # loading would fail
    again = features_of(tiny, examples, study)
    np.testing.assert_array_equal(again.features, first.features)
    assert (again.model, again.seconds_per_example) == (first.model, 0.25)


def test_other_weights_under_the_same_name_are_refused(examples, setting, tiny):
    with pytest.raises(WeightsReplaced, match="not the model that the study began with"):
        features_of(tiny, examples, replace(setting, weights="those of last week"))


def test_features_are_what_goes_into_the_head(examples, setting, tiny):
    made = features_of(tiny, examples, replace(setting, cache=None))
    model = load_model(tiny, pretrained=True, offline=True)
    block = next(crops(examples, model.preprocessing, 5))
    network = make_network(model, 2).eval()
    with torch.inference_mode():
        expected = network.body(model.preprocessing.normalise(torch.from_numpy(block)))
    np.testing.assert_allclose(made.features[:5], expected.numpy(), rtol=1e-3, atol=1e-4)


def test_saved_probe_predicts_what_the_run_predicted(examples, setting, make_run):
    run = make_run("probe", keep_weights=True)
    outcome = fit([run], setting, examples)[0]
    model = load_model(run.model, pretrained=False, offline=True)
    network = make_network(model, 2).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in outcome.weights.items()})
    block = np.concatenate(list(crops(examples.subset(run.test), model.preprocessing, 8)))
    with torch.inference_mode():
        logits = network(model.preprocessing.normalise(torch.from_numpy(block))).numpy()
    np.testing.assert_allclose(logits, outcome.answers, atol=5e-3)


def test_a_saved_head_on_several_layers_predicts_what_the_run_predicted(examples, setting, make_run, tmp_path):
    run = make_run("multilayer", keep_weights=True, image_size=64)
    outcome = fit([run], setting, examples)[0]
    assert outcome.status == "done", outcome.cause
    save_model(
        tmp_path / "model", address=run.model, weights=outcome.weights, options=run.options, frozen=True, facts={},
        meaning=Meaning("image-classification", LABEL, examples.classes, 1.0, np.zeros(len(examples.classes))),
    )  # fmt: skip
    saved = load_saved(tmp_path / "model")
    assert saved.network.width > make_network(load_model(run.model, pretrained=False, offline=True), 2).width
    np.testing.assert_allclose(saved.outputs(examples.subset(run.test)), outcome.answers, atol=5e-3)
    pytest.importorskip("onnxscript")
    assert export_onnx(tmp_path / "model", tmp_path / "model.onnx") < 1e-4, "and so does the file for other programs"


def test_features_of_several_layers_are_kept_apart(examples, setting, tiny):
    known = {**load_model(tiny, pretrained=True, offline=True).known(), "seconds_per_picture": 0.25}
    for one in (replace(setting, model=json.loads(json.dumps(known))), replace(setting, cache=None)):
        last = features_of(tiny, examples, one, options={"image_size": 64})
        several = features_of(tiny, examples, one, options={"image_size": 64, "layers": "several"})
        assert last.key != several.key
        width = last.features.shape[1]
        assert several.features.shape[1] > width
        np.testing.assert_allclose(several.features[:, -width:], last.features, rtol=1e-3, atol=1e-4)
    assert several.key == features_of(tiny, examples, one, options={"image_size": 64, "layers": "several"}).key


@pytest.mark.parametrize("recipe", NETWORKS)
def test_networks_train_and_repeat(recipe, examples, setting, make_run):
    options = {k: v for k, v in FAST.items() if k in RECIPES.get(recipe).options["pictures"]().model_dump()}
    run = make_run(recipe, **options, keep_weights=True)
    one, two = fit([run], setting, examples)[0], fit([run], setting, examples)[0]
    assert one.status == "done", one.cause
    np.testing.assert_array_equal(one.answers, two.answers)
    assert one.facts == two.facts
    assert len(one.facts["history"]) == 2
    assert (recipe not in ("finetune", "lp-ft")) <= one.facts["best_epoch"] <= 2
    assert one.facts["n_parameters"] > 1000
    assert ("validation" in one.facts["history"][0]) == (recipe != "textbook")
    model = load_model(run.model, pretrained=False, offline=True)
    make_network(model, 2).load_state_dict({k: torch.from_numpy(v) for k, v in one.weights.items()})


@pytest.mark.parametrize(
    ("source", "recipe"), [("init", "finetune"), ("order", "finetune"), ("augmentation", "finetune")]
)
def test_each_seed_is_a_source_of_its_own(source, recipe, examples, setting, make_run):
    base = fit([make_run(recipe, **FAST, head="random")], setting, examples)[0]
    other = fit([make_run(recipe, **FAST, head="random", seeds={source: 99})], setting, examples)[0]
    assert not np.array_equal(base.answers, other.answers)


def test_dropout_is_seeded_too(examples, setting, make_run):
    run = make_run("scratch", **{**FAST, "epochs": 1, "image_size": 32}, model="torchvision:mobilenet_v2")
    one = fit([run], setting, examples)[0]
    torch.rand(7)  # whatever happened before
    two = fit([run], setting, examples)[0]
    np.testing.assert_array_equal(one.answers, two.answers)


def test_a_refit_trains_for_its_epochs_on_everything(examples, setting, make_run):
    outcome = fit([make_run("finetune", **{**FAST, "epochs": 9}, refit_epochs=2)], setting, examples)[0]
    assert outcome.facts["best_epoch"] == 2
    assert [set(entry) for entry in outcome.facts["history"]] == [{"epoch", "loss"}] * 2


def test_patience_ends_a_run_and_the_best_epoch_is_restored(examples, setting, make_run):
    run = make_run("finetune", **{**FAST, "epochs": 12}, patience=1, learning_rate=0.02, head="random")
    facts = fit([run], setting, examples)[0].facts
    scores = [entry["validation"] for entry in facts["history"]]
    assert facts["best_epoch"] == 1 + int(np.argmax(scores))
    assert len(scores) == min(12, facts["best_epoch"] + 1)


def test_divergence_is_a_failed_run_with_words(examples, setting, make_run):
    outcome = fit([make_run("textbook", learning_rate=100.0, epochs=3)], setting, examples)[0]
    if outcome.status == "done":  # batch norm can survive a lot
        outcome = fit([make_run("finetune", **FAST, learning_rate=1e2, weight_decay=10)], setting, examples)[0]
    assert outcome.status in ("done", "failed")
    if outcome.status == "failed":
        assert "Traceback" not in outcome.cause


def test_infinite_loss_names_the_epoch(examples, setting, make_run, monkeypatch):
    monkeypatch.setattr("weigh.models.network.Network.loss", lambda self, batch, _: self(batch).sum() * float("nan"))
    outcome = fit([make_run("finetune", **FAST)], setting, examples)[0]
    assert outcome.status == "failed"
    assert "nan in epoch 1" in outcome.cause


@pytest.mark.parametrize(("kind", "epochs", "kept"), [(LABEL, 3, 1), (SPANS, 4, 4)])
def test_ties_stop_training_but_for_entities(kind, epochs, kept, examples, setting, make_run, monkeypatch):
    """F1 of entities is 0 until the first one is found."""
    monkeypatch.setattr("weigh.train.network._validate", lambda *_: 0.0)
    monkeypatch.setattr(type(examples.kind), "from_nothing", kind.from_nothing)
    run = make_run("finetune", **{**FAST, "epochs": 4}, patience=2, head="random")
    facts = fit([run], setting, examples)[0].facts
    assert (len(facts["history"]), facts["best_epoch"]) == (epochs, kept)


def test_out_of_memory_halves_the_batch(examples, setting, make_run, monkeypatch):
    from weigh.models.network import Network

    original = Network.loss

    def limited(self, batch, targets):
        if len(batch) > 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")
        return original(self, batch, targets)

    monkeypatch.setattr(Network, "loss", limited)
    outcome = fit([make_run("finetune", **{**FAST, "batch_size": 12, "image_size": 64})], setting, examples)[0]
    assert outcome.status == "done"
    assert (outcome.facts["batch_size"], outcome.facts["accumulated"]) == (12, 4)

    monkeypatch.setattr(Network, "loss", lambda *_: (_ for _ in ()).throw(MemoryError()))
    outcome = fit([make_run("finetune", **FAST)], setting, examples)[0]
    assert outcome.status == "failed"
    assert "memory ran out" in outcome.cause


def test_accumulated_gradients_are_those_of_the_whole_batch(examples, setting, make_run, monkeypatch):
    """Without batch norm, two halves make the same step as the whole."""
    from weigh.train.loop import Loop

    address = "timm:test_vit"
    run = make_run("scratch", **{**FAST, "epochs": 1, "image_size": None}, model=address, augment="none")
    whole = fit([run], setting, examples)[0]
    original = Loop.__init__

    def halved(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.accumulated = 2

    monkeypatch.setattr(Loop, "__init__", halved)
    np.testing.assert_allclose(fit([run], setting, examples)[0].answers, whole.answers, atol=2e-3)


def test_several_labels(examples, setting, make_run):
    labels = np.stack([examples.target == 0, np.arange(len(examples)) % 3 == 0], axis=1).astype(np.uint8)
    several, setting = replace(examples, target=labels, kind=LABELS), replace(setting, primary="f1_macro")
    for recipe in ("probe", "finetune"):
        options = {k: v for k, v in FAST.items() if k in RECIPES.get(recipe).options["pictures"]().model_dump()}
        outcome = fit([make_run(recipe, **options, class_weights="balanced")], setting, several)[0]
        assert outcome.status == "done", outcome.cause
        assert outcome.answers.shape[1] == 2


def test_validation_never_contains_groups_of_the_rest(examples, make_run):
    from weigh.train.network import _split

    grouped = replace(examples, group=np.array([str(i // 3) for i in range(len(examples))]))
    run = make_run("finetune")
    training, validation = _split(run, grouped)
    assert len(validation) > 0
    assert not set(grouped.group[training]) & set(grouped.group[validation])
    assert sorted([*training, *validation]) == sorted(run.train)


def test_squares_are_decoded_once(examples, setting, tiny, monkeypatch):
    import weigh.inputs.pictures as module

    preparation = load_model(tiny, pretrained=False, offline=True).preprocessing
    first = prepare_squares(examples, preparation, folder=setting.cache)
    monkeypatch.setattr(module, "crops", None)
    np.testing.assert_array_equal(prepare_squares(examples, preparation, folder=setting.cache), first)


def test_many_squares_are_mapped_from_disk(examples, setting, tiny, monkeypatch, tmp_path):
    preparation = load_model(tiny, pretrained=False, offline=True).preprocessing
    small = prepare_squares(examples, preparation, folder=None)
    monkeypatch.setattr("weigh.data.cache.IN_MEMORY", 1000)
    large = prepare_squares(examples, preparation, folder=None)
    assert isinstance(large, np.memmap)
    np.testing.assert_array_equal(small, large)


def test_a_run_that_fails_leaves_its_neighbours_alone(examples, setting, make_run):
    runs = [
        make_run("probe", 0, image_size=64),
        make_run("probe", 1, image_size=64, train=np.array([], dtype=np.int64)),
    ]
    good, bad = fit(runs, setting, examples)
    assert (good.status, bad.status) == ("done", "failed")
    assert bad.cause
