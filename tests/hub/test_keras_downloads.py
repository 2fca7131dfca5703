"""Weights of keras.applications from a server on this machine: whole and as stated, or not at all; and presets of KerasHub that do not come."""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
import sys
import types
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tests.hub_server import Fault
from weigh.errors import ModelError, WeightsUnreachable
from weigh.models.pretrained import load_model

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from weigh.models.keras.reference import HDF5, _downloads  # noqa: E402  # after Keras has its backend

FOLDER = "/tensorflow/keras-applications"
ORIGIN = f"https://storage.googleapis.com{FOLDER}/small.h5"
CONTENT = HDF5 + np.random.default_rng(0).bytes(5000)
HASHES = {"md5": hashlib.md5(CONTENT).hexdigest(), "sha256": hashlib.sha256(CONTENT).hexdigest(), "none stated": None}


@pytest.fixture
def cache(hub, tmp_path, monkeypatch) -> Path:
    """Keras's own cache, empty; its server is the one on this machine, which has one file."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("WEIGH_KERAS_ENDPOINT", hub.url)
    hub.plain[f"{FOLDER}/small.h5"] = CONTENT
    return tmp_path / "keras" / "models"


def fetch(*, offline: bool = False, file_hash: str | None = None) -> Path:
    """As Keras asks for a file while it builds a model."""
    from keras.src.utils import file_utils

    with _downloads("keras:Small", offline=offline) as files:
        path = file_utils.get_file("small.h5", ORIGIN, cache_subdir="models", file_hash=file_hash)
    assert files == [Path(path)]
    return files[0]


def refused(**options) -> str:
    with pytest.raises(WeightsUnreachable) as error:
        fetch(**options)
    assert "keras:Small" in str(error.value)
    assert all(error.value.render(language).count("\n") == 2 for language in ("en", "zh"))
    return str(error.value)


def files_in(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir()] if cache.is_dir() else []


@pytest.mark.parametrize("stated", HASHES)
@pytest.mark.parametrize("fault", [None, Fault(cut=2000, times=2, method="GET"), "redirect"])
def test_a_file_comes_once_and_whole(hub, cache, stated, fault):
    if fault == "redirect":
        hub.plain["/elsewhere/small.h5"] = CONTENT
        hub.faults[f"{FOLDER}/small.h5"] = Fault(302, (("Location", f"{hub.url}/elsewhere/small.h5"),))
    elif fault is not None:
        hub.faults["small.h5"] = fault

    path = fetch(file_hash=HASHES[stated])

    assert path.read_bytes() == CONTENT
    assert files_in(cache) == ["small.h5"]
    hub.requests.clear()
    assert fetch(file_hash=HASHES[stated], offline=True) == path
    assert hub.requests == []


CASES = {
    "404": (Fault(404, method="GET"), ["status 404", "fetch http"]),
    "403": (Fault(403, method="GET"), ["status 403", "fetch http"]),
    "410": (Fault(410, method="GET"), ["status 410"]),
    "429": (Fault(429, method="GET"), ["status 429", "in some minutes"]),
    "503": (Fault(503, method="GET"), ["status 503", "in some minutes"]),
    "truncated for ever": (Fault(cut=0, method="GET"), ["does not answer"]),
    "round and round": ("loop", ["status 302"]),
    "redirected to nowhere": (Fault(302, (("Location", "http://127.0.0.1:9/x"),), method="GET"), ["does not answer"]),
    "redirected to a file of this machine": (Fault(302, (("Location", "file:///etc/hostname"),), method="GET"), ["status 302"]),
    "a page": ("page", ["no file of weights", "deleted"]),
    "other bytes": ("swap", ["another content", "deleted", "same command again"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_does_not_come_is_explained_and_nothing_stays(hub, cache, case):
    fault, words = CASES[case]
    path, stated = f"{FOLDER}/small.h5", None
    if fault == "loop":
        hub.faults[path] = Fault(302, (("Location", f"{hub.url}{path}"),), method="GET")
    elif fault == "page":
        hub.plain[path] = b"<html>log in first</html>"
    elif fault == "swap":
        hub.plain[path], stated = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), HASHES["md5"]
    else:
        hub.faults[path] = fault

    message = refused(file_hash=stated)

    for word in words:
        assert word in message
    assert files_in(cache) == []
    hub.faults.clear()  # the advice: once more
    hub.plain[path] = CONTENT
    assert fetch(file_hash=stated).read_bytes() == CONTENT


def test_offline_nothing_is_asked(hub, cache):
    message = refused(offline=True)

    assert str(cache / "small.h5") in message
    assert "put it at" in message
    assert hub.requests == []


def test_a_file_of_the_cache_that_is_damaged_is_not_used(hub, cache):
    fetch(file_hash=HASHES["md5"]).write_bytes(CONTENT[:-7])

    assert "is damaged" in refused(offline=True, file_hash=HASHES["md5"])
    assert fetch(file_hash=HASHES["md5"]).read_bytes() == CONTENT


def test_a_whole_model_comes_from_there_and_a_broken_one_says_what_to_do(hub, cache, tmp_path):
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    h5py = pytest.importorskip("h5py")
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"
    with h5py.File(tmp_path / name, "w") as file:
        save_weights_to_hdf5_group(file, keras.applications.MobileNetV2(weights=None, classifier_activation=None))
    content = (tmp_path / name).read_bytes()
    hub.plain[f"{FOLDER}/mobilenet_v2/{name}"] = content
    hub.faults[name] = Fault(cut=len(content) // 2, times=1, method="GET")

    model = load_model("keras:MobileNetV2", pretrained=True, offline=False)

    assert model.classes == 1000
    assert model.provenance.files == (cache / name,)
    assert (cache / name).read_bytes() == content
    (cache / name).write_bytes(
        content[: len(content) // 2]
    )  # as earlier versions of Keras left it; no hash is stated for it
    with pytest.raises(ModelError, match="cannot be read") as error:
        load_model("keras:MobileNetV2", pretrained=True, offline=True)
    assert str(cache / name) in str(error.value)
    assert "Delete that file" in str(error.value)


@pytest.mark.parametrize(
    "fault", [Fault(404), Fault(403), Fault(cut=10), Fault(302, (("Location", "http://127.0.0.1:9/"),))]
)
def test_a_preset_of_keras_hub_that_does_not_come_is_explained(hub, monkeypatch, fault):
    hub.plain["/preset/config.json"] = b"{" + b" " * 100 + b"}"
    hub.faults["config.json"] = fault

    def from_preset(_preset, load_weights):
        with urllib.request.urlopen(f"{hub.url}/preset/config.json") as answer:
            return answer.read()

    stand_in = types.ModuleType("keras_hub")  # the library itself wants TensorFlow
    stand_in.__spec__ = importlib.machinery.ModuleSpec("keras_hub", None)
    stand_in.models = types.SimpleNamespace(Backbone=types.SimpleNamespace(from_preset=from_preset))
    monkeypatch.setitem(sys.modules, "keras_hub", stand_in)
    with pytest.raises(WeightsUnreachable) as error:
        load_model("keras:hub:some_preset", pretrained=True, offline=False)
    assert "KerasHub" in str(error.value)
    assert "keras.io/keras_hub/presets" in str(error.value)
