"""The refitted winner on disk: what was saved is what predicts, without network, pickle or the original weights."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from weigh.data.pictures.decoding import open_picture
from weigh.data.pictures.unlabelled import new_pictures
from weigh.errors import MissingExtra, ModelError, StorageError
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.saved.onnx_file import export_onnx

CLASSES = ("circle", "<img src=x>")


@pytest.fixture
def folder(tmp_path, tiny) -> Path:
    return save(tmp_path / "model", tiny)


def save(
    folder: Path, address: str, *, seed: int = 0, task: str = "image-classification", kind=LABEL, classes=CLASSES, bias=(0.0, 0.5),
    options=None,
) -> Path:  # fmt: skip
    width = 2 if classes else 1
    network = make_network(
        load_model(address, pretrained=True, offline=True), width, torch.Generator().manual_seed(seed)
    )
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    meaning = Meaning(task, kind, classes, 2.0, np.zeros(len(classes)) if bias is None else np.array(bias))
    save_model(
        folder, address=address, weights=weights, meaning=meaning, options=options or {"image_size": 64}, frozen=True,
        facts={"sha256": "x"},
    )  # fmt: skip
    return folder


def test_predictions_are_those_of_the_network(folder, photos, tiny, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
    files = sorted(map(str, photos.rglob("*.png")))[:5]
    told = []
    rows = load_saved(folder).predict_new(new_pictures(files), progress=lambda *said: told.append(said))
    model = load_model(tiny, pretrained=True, offline=True)
    network = make_network(model, 2, torch.Generator().manual_seed(0)).eval()
    at = model.preprocessing.at(64)
    with torch.inference_mode():
        pictures = torch.from_numpy(np.stack([at.crop(open_picture(f)) for f in files]))
        logits = network(at.normalise(pictures)).double()
    expected = torch.softmax(logits / 2.0, dim=1).numpy()
    got = np.array([[row[f"p:{name}"] for name in CLASSES] for row in rows])
    np.testing.assert_allclose(got, expected, atol=1e-6)
    labels = [CLASSES[i] for i in (np.log(expected) + np.array([0.0, 0.5])).argmax(axis=1)]
    assert [row["label"] for row in rows] == labels
    assert [row["most_probable"] for row in rows] == [CLASSES[i] for i in expected.argmax(axis=1)]
    assert all(row["probability"] == row[f"p:{row['label']}"] for row in rows)
    assert told[-1][1:] == (5, 5)


def test_unreadable_files_are_rows_of_their_own(folder, photos, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    good = str(next(photos.rglob("*.png")))
    rows = load_saved(folder).predict_new(new_pictures([str(broken), good, str(tmp_path / "absent.jpg")]))
    assert [bool(row.get("error")) for row in rows] == [True, False, True]
    assert rows[0]["label"] == ""
    assert rows[0]["p:circle"] is None
    assert load_saved(folder).predict_new(new_pictures([])) == []
    alone = load_saved(folder).predict_new(new_pictures([good]))[0]
    assert alone["probability"] == pytest.approx(rows[1]["probability"], abs=1e-6)


def test_several_labels_have_a_sigmoid_each(tmp_path, tiny, photos):
    folder = save(tmp_path / "model", tiny, kind=LABELS, bias=None)
    row = load_saved(folder).predict_new(new_pictures([str(next(photos.rglob("*.png")))]))[0]
    on = [name for name in CLASSES if row[f"p:{name}"] > 0.5]
    assert row["label"] == "|".join(on)


@pytest.mark.parametrize(
    "damage", ["no weights", "cut weights", "no config", "bad config", "newer format", "older format", "other classes"]
)
def test_damage_is_said(folder, damage):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if damage == "no weights":
        (folder / "model.safetensors").unlink()
    if damage == "cut weights":
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    if damage == "no config":
        (folder / "config.json").unlink()
    if damage == "bad config":
        (folder / "config.json").write_text("{", encoding="utf-8")
    if damage == "newer format":
        (folder / "config.json").write_text(json.dumps({"weigh": {**config["weigh"], "format": 99}}), encoding="utf-8")
    if damage == "older format":
        (folder / "config.json").write_text(json.dumps({"format": 2, "weigh": "0.3"}), encoding="utf-8")
    if damage == "other classes":
        changed = {"weigh": {**config["weigh"], "classes": ["a", "b", "c"]}}
        (folder / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(ModelError) as error:
        load_saved(folder)
    assert error.value.do
    assert ("format" in str(error.value)) == ("format" in damage)


@pytest.mark.parametrize(
    "name", ["../beside.txt", "sub/../../beside.txt", "/etc/hostname", "C:/beside.txt", "..\\beside.txt"]
)
def test_files_outside_of_the_folder_are_neither_read_nor_copied(folder, tmp_path, name):
    from weigh.saved.folder import copy_model, read_config, write_config

    (tmp_path / "beside.txt").write_text("of somebody")
    write_config(folder, read_config(folder), ["model.safetensors", name])  # with the digest that it has
    with pytest.raises(ModelError, match="outside of its folder"):
        load_saved(folder)
    (tmp_path / "copies" / "copy").mkdir(parents=True)
    with pytest.raises(ValueError, match="outside of its folder"):
        copy_model(folder, tmp_path / "copies" / "copy")
    assert list((tmp_path / "copies").rglob("*.txt")) == []


@pytest.mark.parametrize(
    "changed", [{"architecture": 5}, {"classes": 5}, {"preprocessing": "no"}, {"task": ["no"]}], ids=str
)
def test_values_of_another_kind_are_said(folder, changed):
    from weigh.saved.folder import read_config, write_config

    config = read_config(folder)
    write_config(folder, {**config, "weigh": {**config["weigh"], **changed}}, ["model.safetensors"])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_saved(folder)


def test_a_saved_model_needs_not_the_file_it_came_from(tmp_path, tiny):
    copied = tmp_path / "weights.safetensors"
    path, architecture = tiny.removeprefix("file:").rsplit("@", 1)
    copied.write_bytes(Path(path).read_bytes())
    folder = save(tmp_path / "model", f"file:{copied}@{architecture}")
    copied.unlink()
    assert str(copied) not in (folder / "config.json").read_text(encoding="utf-8")
    load_saved(folder)


def test_onnx_computes_the_same(folder, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    target = tmp_path / "model.onnx"
    assert export_onnx(folder, target) < 1e-4
    pictures = (
        np.random.default_rng(0).normal(size=(7, 3, 64, 64)).astype(np.float32)
    )  # a batch it was not exported with
    session = onnxruntime.InferenceSession(str(target))
    logits, probabilities, label = session.run(["logits", "probabilities", "label"], {"pictures": pictures})
    saved = load_saved(folder)
    with torch.inference_mode():
        ours = saved.network(torch.from_numpy(pictures)).numpy()
    np.testing.assert_allclose(logits, ours, atol=1e-4)
    expected, decided = saved.meaning.decide(ours.astype(np.float64))
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert label.tolist() == decided.tolist()
    facts = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert facts["classes"] == list(CLASSES)
    assert facts["temperature"] == 2.0
    assert (facts["decision"], facts["bias"]) == ("threshold", [0.0, 0.5])
    assert facts["preprocessing"] == saved.preparation.as_json() | {
        k: list(facts["preprocessing"][k]) for k in ("mean", "std")
    }


@pytest.mark.parametrize("fault", ["the disk is full", "it is interrupted"])
def test_an_onnx_file_is_replaced_whole_or_not_at_all(folder, tmp_path, monkeypatch, fault):
    import errno

    from weigh.saved import onnx_file

    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    target = tmp_path / "out" / "model.onnx"
    target.parent.mkdir()
    target.write_bytes(b"the last one")

    def writes_half(_graph, path: Path) -> None:
        path.write_bytes(b"half")
        if fault == "it is interrupted":
            raise KeyboardInterrupt
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    for name in ("_write_any_size", "_write"):
        monkeypatch.setattr(onnx_file, name, writes_half)
    with pytest.raises(StorageError if fault == "the disk is full" else KeyboardInterrupt):
        export_onnx(folder, target)
    assert [f.name for f in target.parent.iterdir()] == ["model.onnx"]
    assert target.read_bytes() == b"the last one"


def test_onnx_says_what_is_missing(folder, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match="onnx"):
        export_onnx(folder, tmp_path / "model.onnx")


def difference(name: str, ours: list[float], theirs: list[float]):
    """What is found between torch that answers `ours` and a file that answers `theirs`, of three examples."""
    from weigh.saved.onnx_file import _difference

    def answering(rows):
        return (torch.tensor(ours, dtype=torch.float32)[: len(rows)],)

    class Session:
        def run(self, _names, fed):
            return [np.array(theirs, np.float32)[: len(fed["pictures"])]]

    return _difference(answering, Session(), {"pictures": torch.zeros(3, 1)}, [name])


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.5], 0.5),
        ([1.0, 2.0, 3.0], [NAN, NAN, NAN], INF),
        ([1.0, 2.0, 3.0], [1.0, 2.0, INF], INF),
        ([NAN, -INF, 3.0], [NAN, -INF, 3.0], 0.0),
        ([1.0, 2.0, 3.0], [1.0], INF),
    ],
)
def test_an_onnx_file_without_numbers_does_not_pass_for_equal(ours, theirs, expected):
    assert difference("logits", ours, theirs).judged == expected
    assert (difference("value", ours, theirs).judged > 0.01) is (expected > 0)


@pytest.mark.parametrize(("size", "agrees"), [(3e5, True), (3e-5, False)])
def test_numbers_of_any_unit_are_compared_as_shares_of_the_greatest(size, agrees):
    """Prices differ by more than a hundredth where single precision rounds; shares of a gram by less where the file is wrong."""
    from weigh.saved.onnx_file import MOST_APART

    off = 1e-7 * size if agrees else 0.5 * size
    assert (difference("value", [size] * 3, [size + off] * 3).judged < MOST_APART) is agrees
    assert (difference("logits", [size] * 3, [size + off] * 3).judged < MOST_APART) is not agrees
