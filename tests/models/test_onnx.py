"""Models in ONNX files: what is found in them, what they compute, and what is refused before anything runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.stored_graphs import expected, onnx_classifier
from weigh.errors import ModelError
from weigh.models.address import parse_address
from weigh.models.pretrained import load_model
from weigh.study import Study

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FAST = ["design.folds=3", "design.repeats=1", "design.test=0.25", "run.offline=true", "run.threads=1"]


def load(path: Path | str, options: str = ""):
    return load_model(f"onnx:{path}{options}", pretrained=True, offline=True)


def pictures(n: int = 3, size: int = 32) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 3, size, size)).astype(np.float32)


# ---- what is found --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ({}, ""),
        ({"last": True}, ""),
        ({"batch": 1}, ""),
        ({"softmax": False}, ""),
        ({"dtype": TensorProto.UINT8}, ""),
        ({"dtype": TensorProto.UINT8, "last": True, "batch": 1}, ""),
        ({"size": "side"}, "@size=32"),
        ({"outside": "weights.bin"}, ""),
    ],
    ids=str,
)
def test_layout_size_values_and_the_last_linear_layer_are_found(made, options, tmp_path):
    model = load(onnx_classifier(tmp_path / "m.onnx", **made), options)
    assert (model.preprocessing.size, model.classes, model.ports) == (32, 5, {"features"})
    assert model.preprocessing.std == (1 / 255,) * 3  # the graph divides by 255 itself
    batch = pictures()
    wanted = expected(batch)
    with torch.inference_mode():
        head = model.module(torch.from_numpy(batch))
        assert model.width() == 8
        features = model.module(torch.from_numpy(batch))
    np.testing.assert_allclose(features.numpy(), wanted["vector"], atol=1e-4)
    np.testing.assert_allclose(head.numpy(), wanted["logits"], atol=1e-3)
    facts = model.facts()
    assert facts["parameters"] == 8 * 27 + 8 * 5 + 5
    assert facts["macs"] == 16 * 16 * 8 * 27 + 8 * 5
    assert "features vector" in facts["note"]


@pytest.mark.parametrize(
    ("values", "mean", "std"),
    [
        ("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("-1..1", (0.5,) * 3, (0.5,) * 3),
        ("0..1", (0.0,) * 3, (1.0,) * 3),
        ("0..255", (0.0,) * 3, (1 / 255,) * 3),
    ],
)
def test_values_that_the_file_does_not_tell_are_asked_for(values, mean, std, tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", divide=False)
    with pytest.raises(ModelError) as asked:
        load(path)
    assert f"{path}@values={values}" in asked.value.render("en")
    assert f"{path}@values={values}" in asked.value.render("zh")
    preparation = load(path, f"@values={values}").preprocessing
    assert (preparation.mean, preparation.std) == (mean, std)


def test_values_that_would_be_rounded_away_are_refused(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", dtype=TensorProto.UINT8)
    with pytest.raises(ModelError, match=r"whole numbers \(uint8\)[\s\S]*leave @values away"):
        load(path, "@values=-1..1")
    assert load(path, "@values=0..255").preprocessing.std == (1 / 255,) * 3


def test_a_size_that_is_free_is_asked_for(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", size="side")
    with pytest.raises(ModelError, match="@size=224"):
        load(path)
    assert load(path, "@size=48").preprocessing.size == 48


def test_the_user_names_features_and_head(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx")
    maps = load(path, "@features=active")
    assert maps.width() == 8  # a map is averaged over its places
    batch = pictures()
    with torch.inference_mode():
        np.testing.assert_allclose(maps.module(torch.from_numpy(batch)).numpy(), expected(batch)["vector"], atol=1e-4)
    assert maps.classes == 0
    both = load(path, "@features=active@head=logits")
    assert (both.classes, both.width()) == (5, 8)


def test_maps_are_averaged_over_places_whatever_the_layout_of_pictures(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", last=True)
    model, batch = load(path, "@features=active"), pictures()
    assert model.width() == 8
    with torch.inference_mode():
        np.testing.assert_allclose(model.module(torch.from_numpy(batch)).numpy(), expected(batch)["vector"], atol=1e-4)


def test_features_that_are_no_vectors_are_refused(tmp_path):
    extra = [helper.make_node("Unsqueeze", ["vector", "one"], ["tokens"]),
             helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.array([1])))][::-1]  # fmt: skip
    with pytest.raises(ModelError, match=r"shape \(1, 1, 8\)[\s\S]*@features=TENSOR"):
        load(onnx_classifier(tmp_path / "m.onnx", extra=extra), "@features=tokens").width()


@pytest.mark.parametrize("options", ["@features=vektor", "@head=logit", "@features=VECTOR"])
def test_a_tensor_that_is_not_there_gives_the_nearest(options, tmp_path):
    with pytest.raises(ModelError, match="there is no tensor"):
        load(onnx_classifier(tmp_path / "m.onnx"), options)


def test_two_heads_are_a_question(tmp_path):
    extra = [helper.make_node("MatMul", ["logits", "square"], ["second"]),
             helper.make_node("Constant", [], ["square"], value=numpy_helper.from_array(np.eye(5, dtype=np.float32)))]  # fmt: skip
    path = onnx_classifier(tmp_path / "m.onnx", extra=extra[::-1], outputs=["probabilities", "second"])
    with pytest.raises(ModelError, match="several outputs: probabilities, second") as asked:
        load(path)
    assert "@head=probabilities" in asked.value.render("zh")
    assert load(path, "@head=second").classes == 5


def test_a_model_without_a_linear_layer_gives_its_output(tmp_path):
    model = load(onnx_classifier(tmp_path / "m.onnx", outputs=["vector"]))
    assert (model.classes, model.width()) == (0, 8)
    assert "no head" in model.provenance.note


def test_probabilities_without_a_linear_layer_are_a_question(tmp_path):
    nodes = [helper.make_node("Softmax", ["vector"], ["odd"])]
    with pytest.raises(ModelError, match="cannot be told") as asked:
        load(onnx_classifier(tmp_path / "m.onnx", extra=nodes, outputs=["odd"]))
    assert "@features=" in asked.value.render("en")


def test_the_key_changes_with_weights_and_with_where_it_is_cut(tmp_path):
    first = load(onnx_classifier(tmp_path / "a.onnx"))
    assert first.identity == load(onnx_classifier(tmp_path / "b.onnx")).identity  # not with the name
    others = [
        load(onnx_classifier(tmp_path / "c.onnx", width=9)), load(tmp_path / "a.onnx", "@features=active"),
        load(tmp_path / "a.onnx", "@values=0..1"),
    ]  # fmt: skip
    outside = load(onnx_classifier(tmp_path / "d" / "d.onnx", outside="w.bin"))
    weights = bytearray((tmp_path / "d" / "w.bin").read_bytes())
    weights[3] ^= 1
    (tmp_path / "d" / "w.bin").write_bytes(weights)
    changed = load(tmp_path / "d" / "d.onnx")
    assert len({model.identity for model in (first, *others, outside, changed)}) == 6
    assert "onnxruntime" in first.module.runtime


def test_it_crosses_process_borders_and_keeps_to_torchs_threads(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx")
    from weigh.models.onnx import _Runner

    model = _Runner(path.read_bytes(), path, parse_address(f"onnx:{path}"))
    batch = pictures()
    threads = torch.get_num_threads()
    first = model.run("probabilities", "pixels", batch)
    try:
        torch.set_num_threads(2)
        model.run("probabilities", "pixels", batch)
        assert model._session.get_session_options().intra_op_num_threads == 2
    finally:
        torch.set_num_threads(threads)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.run("probabilities", "pixels", batch), first)


# ---- studies ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def probed(photos, tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("onnx")
    path = onnx_classifier(folder / "mine.onnx", size=48)
    return Study.from_data(photos, [f"onnx:{path}"], ["probe"], settings=FAST, folder=folder / "study").run()


def test_it_is_probed_predicts_and_is_reported(probed, photos):
    assert {record.status for record in probed.results().records} == {"done"}
    files = sorted(photos.rglob("*.png"))[:6]
    assert {row["label"] for row in probed.predict(files)} <= {"circle", "stripe"}
    for language in ("en", "zh"):
        assert "mine.onnx" in probed.report("md", language)


def test_a_saved_probe_refuses_another_file_under_the_name(probed, photos, tmp_path):
    path = Path(parse_address(probed.spec.models[0]).path)
    kept = path.read_bytes()
    onnx_classifier(path, size=48, width=8, classes=6)
    try:
        with pytest.raises(ModelError, match="replaced"):
            probed.predict(sorted(photos.rglob("*.png"))[:1])
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("recipe", ["finetune", "last-stage", "lp-ft", "textbook"])
def test_training_is_refused_by_the_plan(recipe, photos, tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", size=48)
    study = Study.from_data(photos, [f"onnx:{path}"], ["probe", recipe], settings=FAST, folder=tmp_path / "study")
    with pytest.raises(ModelError, match="no weights that can be trained") as refused:
        study.plan()
    assert "Recipes that remain for it: probe. To train the same network" in refused.value.render("en")
    assert "timm:" in refused.value.render("zh")


def test_the_onnx_file_of_a_saved_model_is_a_model_again(finished, photos, tmp_path):
    from weigh.saved.model import load_saved
    from weigh.saved.onnx_file import export_onnx

    pytest.importorskip("onnxscript")
    path = tmp_path / "own.onnx"
    export_onnx(finished.folder / "model", path)
    saved = load_saved(finished.folder / "model")
    model = load(path)
    assert model.preprocessing == saved.preparation
    assert (model.classes, model.width()) == (2, saved.network.width)
    batch = torch.rand(2, 3, saved.preparation.size, saved.preparation.size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(model.module(batch), saved.network.features(batch), atol=1e-3, rtol=1e-3)
