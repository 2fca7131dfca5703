"""Files of Keras from strangers: refused in words, with nothing run, nothing read from elsewhere and no memory taken."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from weigh.errors import ModelError
from weigh.models.pretrained import load_model

os.environ.setdefault("KERAS_BACKEND", "torch")  # as weigh does; its own default is TensorFlow
keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> Path:
    layers = keras.layers
    model = keras.Sequential([keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)])  # fmt: skip
    path = tmp_path_factory.mktemp("keras") / "honest.keras"
    model.save(path)
    return path


def changed(honest: Path, folder: Path, *, config=None, weights=None, more=()) -> Path:
    """A copy whose configuration or weights were changed by a function, with further entries."""
    path = folder / "stranger.keras"
    with zipfile.ZipFile(honest) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name in source.namelist():
            held = source.read(name)
            if name == "config.json" and config is not None:
                content = json.loads(held)
                held = json.dumps(config(content) or content).encode()
            if name == "model.weights.h5" and weights is not None:
                (folder / "w.h5").write_bytes(held)
                with h5py.File(folder / "w.h5", "r+") as file:
                    weights(file)
                held = (folder / "w.h5").read_bytes()
            made.writestr(name, held)
        for name, held in more:
            made.writestr(name, held)
    return path


def layer(of: str, settings: dict, module: str = "keras.layers", registered: str | None = None):
    """Put a layer of another class in the place of the convolution."""

    def change(content):
        content["config"]["layers"][2].update(
            class_name=of, module=module, registered_name=registered, config={"name": "evil", **settings}
        )

    return change


def setting(place: int, **settings):
    def change(content):
        content["config"]["layers"][place]["config"].update(settings)

    return change


CODE = {"class_name": "__lambda__", "config": {"value": "4wEAAAAA"}}
CONFIGURATIONS = {
    "Lambda": (layer("Lambda", {"function": CODE}), "Lambda, which can run code"),
    "TFSMLayer": (layer("TFSMLayer", {"filepath": "/tmp/x"}), "TFSMLayer, which can run code"),
    "TorchModuleWrapper": (layer("TorchModuleWrapper", {"module": "gASV"}), "TorchModuleWrapper, which can run code"),
    "any class": (layer("Popen", {"args": ["touch", "canary"]}, module="subprocess"), "subprocess.Popen"),
    "a registered class": (layer("Own", {}, module="mine", registered="mine>Own"), "Own"),
    "a known name of elsewhere": (layer("Conv2D", {"filters": 4, "kernel_size": [3, 3]}, module="evil.layers"), "evil.layers.Conv2D"),
    "an object as a setting": (setting(2, kernel_size=CODE), "no plain value"),
    "an object as an activation": (setting(2, activation={"module": "os", "class_name": "function", "config": "system"}), "os.system"),
    "a huge layer": (setting(2, filters=9_999_999), "numbers"),
    "a huge number": (setting(2, filters=10**30), "more than"),
    "a model of another class": (lambda content: {**content, "class_name": "Evil", "module": "evil"}, "not a functional or sequential model"),
    "a name with control characters": (setting(2, name="a\x1b[2J"), "no valid name"),
    "no layers": (lambda content: content["config"].update(layers={}), "Keras 3 lists them"),
    "text": (lambda content: "hello", "not that of a Keras model"),
    "a setting that is not there": (lambda content: content["config"]["layers"][1]["config"].pop("scale") and None, "cannot be read"),
    "a text in the place of a number": (setting(1, scale="much"), "cannot be read"),
    "a number in the place of a shape": (setting(0, batch_shape=7), "cannot be read"),
    "too many layers": (lambda content: content["config"].update(layers=content["config"]["layers"] * 2_000), "more than"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_could_run_code_or_take_the_memory_is_refused_by_name(honest, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    change, said = CONFIGURATIONS[name]
    path = changed(honest, tmp_path, config=change)
    with pytest.raises(ModelError) as caught:
        load_model(f"keras:{path}", pretrained=True, offline=True)
    for language in ("en", "zh"):
        assert "Traceback" not in caught.value.render(language)
    assert said in caught.value.render("en")
    assert not (tmp_path / "canary").exists()


def kernel(file) -> str:
    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) and item.ndim == 4 else None
    )
    return names[0]


def _external_link(file) -> None:
    name = kernel(file)
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft_link(file) -> None:
    name = kernel(file)
    file.move(name, "elsewhere")
    file[name] = h5py.SoftLink("/elsewhere")


def _external_storage(file) -> None:
    name = kernel(file)
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _virtual(file) -> None:
    name = kernel(file)
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape=shape)
    file.create_virtual_dataset(name, layout)


def _another_shape(file) -> None:
    name = kernel(file)
    del file[name]
    file.create_dataset(name, (1 << 20, 1 << 20), "f4", chunks=(1024, 1024), compression="gzip")


def _text(file) -> None:
    name = kernel(file)
    del file[name]
    file[name] = "hello"


def _not_finite(file) -> None:
    file[kernel(file)][0, 0, 0, 0] = np.nan


def _missing(file) -> None:
    del file[kernel(file)]


WEIGHTS = {"a link to another file": (_external_link, "link"), "a link": (_soft_link, "link"), "values in another file": (_external_storage, "another file"),
           "values of another file": (_virtual, "another file"), "four terabytes": (_another_shape, "shape"), "text": (_text, "no numbers"), "NaN": (_not_finite, "not finite"),
           "nothing": (_missing, "nothing at")}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_lead_elsewhere_or_do_not_fit_are_refused(honest, tmp_path, name):
    change, said = WEIGHTS[name]
    path = changed(honest, tmp_path, weights=change)
    with pytest.raises(ModelError) as caught:
        load_model(f"keras:{path}", pretrained=True, offline=True)
    assert said in caught.value.render("en")


def test_an_archive_that_leads_outside_is_refused(honest, tmp_path):
    path = changed(honest, tmp_path, more=[("../../canary", b"x")])
    with pytest.raises(ModelError, match="outside"):
        load_model(f"keras:{path}", pretrained=True, offline=True)
    assert not (tmp_path.parent.parent / "canary").exists()


def test_an_archive_with_two_configurations_is_refused(honest, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = changed(honest, tmp_path, more=[("config.json", b"{}")])
    with pytest.raises(ModelError, match="2 entries called"):
        load_model(f"keras:{path}", pretrained=True, offline=True)


def test_a_bomb_is_refused_before_it_is_unpacked(honest, tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(honest) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("config.json", source.read("config.json"))
        made.writestr("model.weights.h5", np.zeros(300_000_000, np.uint8).tobytes())
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ModelError, match="would become 300,000,000 bytes"):
        load_model(f"keras:{path}", pretrained=True, offline=True)


@pytest.mark.parametrize("known", [True, False])
def test_maps_that_grow_until_the_memory_ends_are_refused(tmp_path, known):
    """A layer that is called again and again, in models that are translated and in those that only Keras computes."""
    layers = keras.layers
    pictures, up = keras.Input((64, 64, 3)), layers.UpSampling2D(8)
    x = layers.Rescaling(1 / 255)(pictures)
    x = x if known else layers.Conv2DTranspose(4, 3)(x)
    keras.Model(pictures, layers.GlobalAveragePooling2D()(up(up(up(x))))).save(tmp_path / "growing.keras")
    with pytest.raises(ModelError, match="numbers of one picture"):
        load_model(f"keras:{tmp_path / 'growing.keras'}", pretrained=True, offline=True)


@pytest.mark.parametrize("held", [b"", b"PK\x03\x04", b"hello" * 100])
def test_what_is_no_such_file_is_refused(tmp_path, held):
    (tmp_path / "x.keras").write_bytes(held)
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(f"keras:{tmp_path / 'x.keras'}", pretrained=True, offline=True)


def test_the_honest_file_is_read(honest):
    assert load_model(f"keras:{honest}", pretrained=True, offline=True).width() == 4


def two_inputs(layers):
    pictures, number = keras.Input((16, 16, 3)), keras.Input((2,))
    vector = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(pictures))
    return keras.Model([pictures, number], layers.Dense(3)(layers.Concatenate()([vector, number])))


def two_heads(layers, *, apart: bool):
    pictures = keras.Input((16, 16, 3))
    vector = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(pictures))
    parts = [layers.Dense(width)(vector) for width in (5, 7)] if apart else [vector, vector]
    return keras.Model(pictures, [layers.Dense(2)(part) for part in parts])


@pytest.mark.parametrize("made", [two_inputs, lambda layers: two_heads(layers, apart=True)], ids=["inputs", "heads"])
def test_more_inputs_than_pictures_and_heads_of_their_own_are_said(tmp_path, made):
    made(keras.layers).save(tmp_path / "several.keras")
    with pytest.raises(ModelError) as caught:
        load_model(f"keras:{tmp_path / 'several.keras'}@values=0..255", pretrained=True, offline=True)
    assert "pictures as its only input" in caught.value.render("en")
    assert "part.keras" in caught.value.render("zh")


def test_heads_on_the_same_vector_leave_no_doubt(tmp_path):
    two_heads(keras.layers, apart=False).save(tmp_path / "shared.keras")
    model = load_model(f"keras:{tmp_path / 'shared.keras'}@values=0..255", pretrained=True, offline=True)
    assert model.width() == 3


def test_what_is_said_of_grey_pictures_can_be_done(tmp_path):
    layers = keras.layers
    model = keras.Sequential([keras.Input((16, 16, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)])
    model.save(tmp_path / "grey.keras")
    with pytest.raises(ModelError, match="for pictures in colour") as caught:
        load_model(f"keras:{tmp_path / 'grey.keras'}", pretrained=True, offline=True)
    assert "@input" not in caught.value.render("en")


def test_a_model_whose_channels_stand_first_gives_what_keras_computes(tmp_path):
    layers, first = keras.layers, {"data_format": "channels_first"}
    model = keras.Sequential([keras.Input((3, 16, 16)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3, **first),
                              layers.GlobalAveragePooling2D(**first), layers.Dense(2)])  # fmt: skip
    model.save(tmp_path / "first.keras")
    ours = load_model(f"keras:{tmp_path / 'first.keras'}", pretrained=True, offline=True)
    assert (ours.ports, ours.width()) == ({"features"}, 4)
    pictures = torch.rand(2, 3, 16, 16) * 255
    theirs = keras.Model(model.inputs, model.layers[-2].output)(pictures.numpy())
    with torch.inference_mode():
        np.testing.assert_allclose(ours.module(pictures).numpy(), theirs.detach().cpu().numpy(), atol=1e-4)
