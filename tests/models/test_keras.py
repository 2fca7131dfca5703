"""Models of Keras become torch networks that compute the same; what cannot be translated gives frozen features and says so."""

from __future__ import annotations

import importlib.machinery
import json
import os
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.keras_models import difference, family, random_statistics, write_mobilenet
from weigh.errors import MissingExtra, ModelError, WeightsUnreachable
from weigh.models.keras.source import APPLICATIONS, SCALINGS
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import load_model

os.environ.setdefault("KERAS_BACKEND", "torch")  # as weigh does; its own default is TensorFlow
keras = pytest.importorskip("keras")


def load(address: str, *, pretrained: bool = True):
    return load_model(address, pretrained=pretrained, offline=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network with most kinds of layers, some used twice, models within models, a softmax inside its head and random statistics."""
    layers, ops = keras.layers, keras.ops
    shared = layers.Conv2D(8, 3, padding="same", activation="relu", name="shared")
    inner = keras.Sequential([layers.Conv2D(8, 1), layers.BatchNormalization(), layers.LeakyReLU(0.1)], name="inner")
    x = pictures = keras.Input((33, 33, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.RandomFlip()(x)
    measured = layers.Normalization()
    measured.adapt(np.random.default_rng(3).normal(0.2, 0.5, (4, 33, 33, 3)).astype(np.float32))
    x = measured(x)
    x = layers.Conv2D(8, 4, strides=2, padding="same", dilation_rate=1, use_bias=False)(x)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.Activation("swish")(x)
    y = inner(shared(x))
    x = layers.Add()([shared(y), x])
    x = x + 3.0
    x = ops.multiply(x, 1 / 6)
    x = layers.SeparableConv2D(12, 3, padding="same", depth_multiplier=2)(x)
    x = layers.LayerNormalization()(x)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    y = layers.DepthwiseConv2D(5, padding="same", depth_multiplier=2)(layers.ZeroPadding2D(((1, 0), (0, 1)))(x))
    y = layers.Cropping2D(((1, 0), (0, 1)))(y)
    x = layers.Concatenate()([layers.AveragePooling2D(3, 1, padding="same")(x), layers.ReLU(6.0)(y)])
    x = layers.AveragePooling2D(2, 2, padding="same")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Dense(36, activation="hard_sigmoid")(gate)
    x = layers.Multiply()([x, gate])
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.Flatten()(layers.MaxPooling2D(5)(x))
    x = layers.Dropout(0.2)(layers.Dense(16, activation="gelu")(x))
    model = keras.Model(pictures, layers.Dense(5, activation="softmax")(x))
    random_statistics(model, np.random.default_rng(0))
    path = tmp_path_factory.mktemp("keras") / "small.keras"
    model.save(path)
    return path, model


def logits_of(model, pictures: np.ndarray) -> np.ndarray:
    """Without the softmax at its end."""
    before = keras.Model(model.inputs, model.layers[-1].input)
    kernel, bias = model.layers[-1].get_weights()
    return np.array(before(pictures, training=False).detach().cpu()) @ kernel + bias


@torch.no_grad()
def test_many_kinds_of_layers_compute_the_same(small):
    path, model = small
    ours = load(f"keras:{path}")
    assert (ours.classes, ours.ports) == (5, {"features", "layers", "maps", "network"})
    assert ours.preprocessing.size == 33
    assert ours.preprocessing.std == pytest.approx((1 / 255,) * 3), (
        "its first layer divides by 127.5, so pictures go from 0 to 255"
    )
    pictures = np.random.default_rng(1).uniform(0, 255, (3, 33, 33, 3)).astype(np.float32)
    theirs = logits_of(model, pictures)
    given = ours.module(torch.from_numpy(pictures).permute(0, 3, 1, 2)).numpy()
    assert np.abs(given - theirs).max() < 1e-5 * np.abs(theirs).max()
    assert ours.width() == 16
    assert ours.module(torch.from_numpy(pictures).permute(0, 3, 1, 2)).shape == (3, 16)


@pytest.mark.parametrize("name", ["MobileNetV3Small", pytest.param("EfficientNetB0", marks=pytest.mark.thorough)])
def test_families_compute_the_same(tmp_path, name):
    """All families: python -m benchmarks.keras_models families."""
    assert difference(family(name, 64, tmp_path)) < 1e-5


@torch.no_grad()
def test_the_same_weights_give_the_same_answers_as_torchvision(tmp_path):
    write_mobilenet(tmp_path / "mobilenet.keras")
    ours = load(f"keras:{tmp_path / 'mobilenet.keras'}@values=imagenet@size=225")
    theirs = load("torchvision:mobilenet_v2")
    pictures = torch.randn(2, 3, 225, 225, generator=torch.Generator().manual_seed(0))
    assert (ours.module(pictures) - theirs.module(pictures)).abs().max() < 1e-4
    assert ours.classes == 1000


@torch.no_grad()
def test_weights_of_a_named_architecture_with_and_without_head(tmp_path):
    for head in (True, False):
        model = keras.applications.MobileNetV2(
            weights=None, input_shape=(64, 64, 3), include_top=head, classifier_activation=None
        )
        random_statistics(model, np.random.default_rng(2))
        path = tmp_path / f"own{head}.weights.h5"
        model.save_weights(path)
        ours = load(f"keras:{path}@MobileNetV2@size=64")
        assert ours.classes == (1000 if head else 0)
        assert ("without the head" in ours.provenance.note) is not head
        pictures = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        theirs = model(pictures.permute(0, 2, 3, 1).numpy(), training=False)
        theirs = theirs.reshape(-1) if head else theirs.mean((1, 2)).reshape(-1)
        given = ours.module(pictures)
        given = given.mean((2, 3)) if given.ndim == 4 else given
        assert (given.reshape(-1) - theirs).abs().max() < 1e-4 * theirs.abs().max()
    with pytest.raises(ModelError, match="weights do not fit"):
        load(f"keras:{path}@MobileNet@size=64")


@torch.no_grad()
def test_weights_of_keras_2_are_taken_in_their_order(tmp_path):
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    h5py = pytest.importorskip("h5py")
    model = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), classifier_activation=None)
    random_statistics(model, np.random.default_rng(3))
    with h5py.File(tmp_path / "old.h5", "w") as file:  # layers without numbers are listed too
        save_weights_to_hdf5_group(file, model)
    pictures = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    theirs = model(pictures.permute(0, 2, 3, 1).numpy(), training=False).cpu()
    ours = load(f"keras:{tmp_path / 'old.h5'}@MobileNetV2@size=64").module(pictures)
    assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


def test_what_keras_refuses_on_torch_is_not_listed():
    from weigh.models.keras.source import names

    assert names("NASNet*") == ["NASNetLarge"]
    assert len(names("*")) == len(APPLICATIONS) - 1
    with pytest.raises(ModelError, match="not available with the torch backend"):
        load("keras:NASNetMobile", pretrained=False)


@pytest.mark.parametrize(("name", "licence"), [("MobileNetV2", "Apache-2.0"), ("MobileNetV3Small", "")])
def test_the_licence_is_that_of_the_weights_and_unknown_where_keras_states_none(monkeypatch, name, licence):
    from weigh.models.keras import source

    built = source.application
    monkeypatch.setattr(source, "application", lambda *names, **made: built(*names, **{**made, "pretrained": False}))
    assert load(f"keras:{name}@size=64").facts()["licence"] == licence


def test_no_licence_of_keras_is_written_for_weights_of_others():
    from weigh.models.keras.source import LICENCES

    assert set(LICENCES) < set(APPLICATIONS)
    assert [LICENCES[name] for name in ("VGG16", "ResNet50", "DenseNet121")] == ["CC-BY-4.0", "MIT", "BSD-3-Clause"]


@pytest.mark.parametrize(
    "last",
    [
        "MobileNet",
        "ConvNeXtTiny",
        *(
            pytest.param(one, marks=pytest.mark.thorough)
            for one in ("MobileNetV3Small", "EfficientNetV2B0", "ResNet50")
        ),
    ],
)
def test_what_keras_has_downloaded_is_known_as_such(monkeypatch, tmp_path, last):
    from weigh.models.keras.source import cached

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsUnreachable) as caught:
        load(f"keras:{last}")
    file = re.search(rf"{re.escape(str(tmp_path))}\S*?\.h5", caught.value.render("en"))
    assert file, "the error says where the file would lie"
    (tmp_path / "models").mkdir(exist_ok=True)
    assert not cached(last)
    Path(file[0]).touch()
    assert [name for name in APPLICATIONS if cached(name)] == [last]


@pytest.mark.parametrize(
    "module",
    [
        "mobilenet",
        "mobilenet_v2",
        "resnet",
        "resnet_v2",
        "vgg16",
        "inception_v3",
        "xception",
        "densenet",
        "efficientnet",
        "convnext",
        "mobilenet_v3",
    ],
)
def test_values_are_scaled_as_keras_scales_them(module):
    named = {"mobilenet": "MobileNet", "mobilenet_v2": "MobileNetV2", "resnet": "ResNet50", "resnet_v2": "ResNet50V2", "vgg16": "VGG16",
             "inception_v3": "InceptionV3", "xception": "Xception", "densenet": "DenseNet121", "efficientnet": "EfficientNetB0",
             "convnext": "ConvNeXtTiny", "mobilenet_v3": "MobileNetV3Small"}[module]  # fmt: skip
    values = APPLICATIONS[named].values
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    theirs = getattr(keras.applications, module).preprocess_input(pictures.astype(np.float32))
    ours = Preprocessing(8, 8, *SCALINGS[values]).normalise(torch.from_numpy(pictures)).permute(0, 2, 3, 1).numpy()
    assert np.allclose(ours[..., ::-1] if values == "caffe" else ours, theirs, atol=1e-4)


@torch.no_grad()
def test_blue_comes_first_where_it_did_in_training():
    ours = load("keras:VGG16@size=32", pretrained=False)
    picture = torch.rand(1, 3, 32, 32)
    first, rest = ours.module[0], ours.module[1:]
    assert torch.equal(first(picture), picture.flip(1))
    assert torch.equal(ours.module(picture), rest(picture.flip(1)))


@torch.no_grad()
def test_a_file_of_a_model_that_sees_blue_first(tmp_path):
    layers = keras.layers
    steps = [keras.Input((16, 16, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = keras.Sequential(steps)
    model.save(tmp_path / "blue.keras")
    with pytest.raises(ModelError, match="@values=caffe"):
        load(f"keras:{tmp_path / 'blue.keras'}")
    ours = load(f"keras:{tmp_path / 'blue.keras'}@values=caffe")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    theirs = model(keras.applications.resnet.preprocess_input(pictures.astype(np.float32)), training=False).cpu()
    given = ours.module(ours.preprocessing.normalise(torch.from_numpy(pictures)))
    assert torch.allclose(given, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("values", ["-1..1", "caffe"])
def test_scaling_inside_the_graph_is_read_where_it_can_be(tmp_path, values):
    """As the guides of Keras put it together: augmentation, `preprocess_input`, a frozen model, a head."""
    layers, prepare = keras.layers, {"-1..1": keras.applications.mobilenet_v2, "caffe": keras.applications.resnet}
    inner = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()], name="inner")
    inner.trainable = False
    pictures = keras.Input((16, 16, 3))
    x = inner(prepare[values].preprocess_input(layers.RandomFlip()(pictures)), training=False)
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    keras.Model(pictures, x).save(tmp_path / "guide.keras")
    if values == "caffe":  # turns channels round with an operation that is no layer
        with pytest.raises(ModelError, match="not among those that are known"):
            load(f"keras:{tmp_path / 'guide.keras'}")
        return
    ours = load(f"keras:{tmp_path / 'guide.keras'}")
    assert ours.preprocessing.std == pytest.approx((1 / 255,) * 3)
    assert (ours.classes, ours.ports) == (3, {"features", "layers", "maps", "network"})


@pytest.fixture(scope="module")
def upward(tmp_path_factory):
    """A network with a layer that is not translated."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((24, 24, 3)), layers.Rescaling(1 / 255), layers.Conv2DTranspose(6, 3, activation="relu"),
                              layers.GlobalAveragePooling2D(), layers.Dense(4)])  # fmt: skip
    path = tmp_path_factory.mktemp("keras") / "upward.keras"
    model.save(path)
    return path, model


@torch.no_grad()
def test_what_cannot_be_translated_gives_the_features_that_keras_computes(upward):
    path, model = upward
    ours = load(f"keras:{path}")
    assert ours.ports == {"features"}
    with pytest.raises(ModelError, match=r"Conv2DTranspose[\s\S]*Recipes that remain[\s\S]*probe"):
        ours.require("network", "image-classification")
    assert ours.width() == 6
    pictures = torch.rand(2, 3, 24, 24) * 255
    theirs = keras.Model(model.inputs, model.layers[-2].output)(pictures.permute(0, 2, 3, 1).numpy())
    assert torch.allclose(ours.module(pictures), theirs.cpu(), atol=1e-5)


def test_values_that_nobody_states_are_asked_for(tmp_path):
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]
    )
    model.save(tmp_path / "plain.keras")
    with pytest.raises(ModelError, match=r"@values=-1\.\.1"):
        load(f"keras:{tmp_path / 'plain.keras'}")
    assert load(f"keras:{tmp_path / 'plain.keras'}@values=-1..1").width() == 4


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("keras:MobilNetV2", "MobileNetV2"),
        ("keras:nowhere.keras", "no file nowhere.keras"),
        ("keras:own.weights.h5", "own.weights.h5@NAME"),
        ("keras:MobileNetV2@value=0..1", "@values="),
        ("keras:MobileNetV2@values=1..2", "is not known"),
    ],
)
def test_mistakes_are_said_with_what_to_write(address, said):
    with pytest.raises(ModelError) as caught:
        load(address)
    assert said in caught.value.render("en")


def test_weights_that_are_not_here_are_said_with_where_to_put_them(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsUnreachable) as caught:
        load("keras:MobileNetV2")
    told = caught.value.render("en")
    assert str(tmp_path / "models") in told
    assert "https://storage.googleapis.com" in told


@pytest.mark.parametrize("offline", [True, False])
def test_a_preset_of_keras_hub_that_cannot_be_had_is_said_and_nothing_is_asked_offline(monkeypatch, offline):
    import socket
    import urllib.request

    def from_preset(_preset, load_weights):
        urllib.request.urlopen("http://presets.invalid/model")

    asked = []
    stand_in = types.ModuleType("keras_hub")
    stand_in.__spec__ = importlib.machinery.ModuleSpec("keras_hub", None)
    stand_in.models = types.SimpleNamespace(Backbone=types.SimpleNamespace(from_preset=from_preset))
    monkeypatch.setitem(sys.modules, "keras_hub", stand_in)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_: asked.append(host) or [][0])
    with pytest.raises(WeightsUnreachable, match="presets"):
        load_model("keras:hub:resnet_18_imagenet@values=imagenet", pretrained=True, offline=offline)
    assert asked == ([] if offline else ["presets.invalid"])


def test_without_keras_the_install_line_is_said(monkeypatch):
    monkeypatch.setattr("weigh.models.keras.reference.find_spec", lambda name: None)
    from weigh.models.keras.reference import _keras

    _keras.cache_clear()
    with pytest.raises(MissingExtra, match=r"weigh\[keras\]"):
        load("keras:MobileNetV2", pretrained=False)


def test_a_study_trains_it_and_its_saved_model_needs_no_keras(small, photos, tmp_path, capsys, monkeypatch):
    from weigh.cli.main import main

    path, _ = small
    study = tmp_path / "s"
    command = ["run", str(photos), "--models", f"keras:{path}", "--recipes", "finetune", "--offline", "-o", str(study)]
    small_design = ["design.folds=2", "recipes.finetune.epochs=1", "run.threads=1", "design.curve=false"]
    assert main([*command, *(part for one in small_design for part in ("--set", one))]) == 0
    config = json.loads((study / "model" / "config.json").read_text("utf-8"))
    assert config["keras"]["config"]["class_name"] == "Functional"
    monkeypatch.setitem(sys.modules, "keras", None)
    capsys.readouterr()
    assert main(["predict", str(study), str(next(photos.rglob("*.png"))), "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["label"] in ("circle", "stripe")


def test_a_model_that_fell_back_to_frozen_features_is_saved_so_that_it_opens(
    small, photos, tmp_path, capsys, monkeypatch
):
    from weigh.cli.main import main
    from weigh.models.keras import source

    monkeypatch.setattr(source, "CLOSE", -1.0)  # no translation is close enough
    path, _ = small
    study = tmp_path / "s"
    command = ["run", str(photos), "--models", f"keras:{path}", "--recipes", "probe", "--offline", "-o", str(study)]
    small_design = ["design.folds=2", "design.repeats=1", "run.threads=1", "design.curve=false"]
    assert main([*command, *(part for one in small_design for part in ("--set", one))]) == 0
    report = json.loads((study / "findings.json").read_text("utf-8"))
    assert not [finding for finding in report["findings"] if finding["kind"] == "saved"]
    capsys.readouterr()
    assert main(["predict", str(study), str(next(photos.rglob("*.png"))), "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["label"] in ("circle", "stripe")
