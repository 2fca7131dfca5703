"""Files of weights as people save them: what loads without running code loads, and says what was left out; the rest is refused by name."""

from __future__ import annotations

import argparse
import datetime
import os
import pickle
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from weigh.errors import ModelError
from weigh.models.checkpoint import read_checkpoint
from weigh.models.pretrained import load_model


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return timm.create_model("test_resnet", pretrained=False).eval()


@pytest.fixture(scope="module")
def state(network):
    return dict(network.state_dict())


@dataclass
class Settings:  # a class of a user, which weigh does not know
    rate: float = 0.1


class Attributes(dict):
    pass


class Calls:
    """Pickled as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def named(state, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


FORMS = {
    "plain": lambda s: s,
    "_orig_mod.": lambda s: named(s, "_orig_mod."),
    "module._orig_mod.": lambda s: named(s, "module._orig_mod."),
    "_orig_mod.module.": lambda s: named(s, "_orig_mod.module."),
    "net.": lambda s: named(s, "net."),
    "backbone.encoder.": lambda s: named(s, "backbone.encoder."),
    "compiled part": lambda s: {n.replace("layer1.", "layer1._orig_mod."): t for n, t in s.items()},
    "fsdp": lambda s: {n.replace("layer2.", "layer2._fsdp_wrapped_module."): t for n, t in s.items()},
    "lightning": lambda s: {"state_dict": named(s, "model."), "epoch": 3, "optimizer_states": [{"state": {}}], "callbacks": {}},
    "lightning, loss": lambda s: {"state_dict": {**named(s, "model."), "criterion.weight": torch.ones(2)}},
    "model of a trainer": lambda s: {"model": s, "args": argparse.Namespace(lr=1.0, data=Path("x"))},
    "ema only": lambda s: {"state_dict_ema": s},
    "ema beside": lambda s: {"state_dict": s, "state_dict_ema": {n: t + 1 for n, t in s.items()}},
    "teacher beside": lambda s: {"student": s, "teacher": {n: t + 1 for n, t in s.items()}},
    "two prefixes": lambda s: {**named(s, "net."), **named({n: t + 1 for n, t in s.items()}, "net_ema.")},
    "numpy scalar": lambda s: {"state_dict": s, "best": np.float64(0.5), "seen": np.int32(3)},
    "numpy array": lambda s: {"state_dict": s, "curve": np.arange(4.0), "names": np.array(["a"], dtype=object)},
    "user's class": lambda s: {"state_dict": s, "settings": Settings()},
    "user's dictionary": lambda s: {"state_dict": s, "hyper_parameters": Attributes(a=1, b=Attributes(c=2))},
    "dates": lambda s: {"state_dict": s, "when": datetime.datetime(2024, 1, 2), "where": Path("a/b")},
    "old torch": lambda s: {n: t for n, t in s.items() if not n.endswith("num_batches_tracked")},
    "nested": lambda s: {"checkpoint": {"model_state": s, "step": 3}},
}  # fmt: skip


def follow(advice: str) -> None:
    """Do what the advice says, in this process."""
    words = shlex.split(advice[advice.index("python -c") :])
    exec(words[2], {})


def load(path):
    return load_model(f"file:{path}@timm:test_resnet", pretrained=True, offline=True)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_weights_load_however_they_were_saved(network, state, tmp_path, form, zipped):
    path = tmp_path / "w.pth"
    torch.save(FORMS[form](state), path, _use_new_zipfile_serialization=zipped)
    loaded = load(path)
    for name, tensor in loaded.module.state_dict().items():
        assert torch.equal(tensor, state[name]) or name.endswith("num_batches_tracked"), name
    assert loaded.classes == network.num_classes


@pytest.mark.parametrize(
    ("form", "left_out"),
    [("model of a trainer", "argparse.Namespace"), ("numpy scalar", "scalar"), ("user's class", "Settings"), ("ema beside", "state_dict_ema"),
     ("lightning, loss", "criterion"), ("two prefixes", "net_ema"), ("user's dictionary", "Attributes"), ("teacher beside", "teacher")],
)  # fmt: skip
def test_what_is_left_out_is_said(state, tmp_path, caplog, form, left_out):
    path = tmp_path / "w.pth"
    torch.save(FORMS[form](state), path)
    assert left_out in load(path).provenance.note
    assert left_out in caplog.text


def test_plain_weights_need_no_word(state, tmp_path, caplog):
    save_file(state, tmp_path / "w.safetensors")
    assert load(tmp_path / "w.safetensors").provenance.note == ""
    assert not caplog.text


@pytest.mark.parametrize("head", ["none", "other classes", "own layers"])
def test_a_head_of_others_is_left_out_and_never_evaluated(network, state, photos, tmp_path, capsys, head):
    from weigh.cli.main import main

    body = {n: t for n, t in state.items() if not n.startswith("fc.")}
    if head == "other classes":
        body |= {"fc.weight": torch.zeros(7, state["fc.weight"].shape[1]), "fc.bias": torch.zeros(7)}
    if head == "own layers":
        body |= {"fc.0.weight": torch.zeros(5, 5), "fc.2.bias": torch.zeros(7)}
    path = tmp_path / "w.pth"
    torch.save({"state_dict": named(body, "model.")}, path)
    loaded = load(path)
    assert loaded.classes == 0
    assert "head" in loaded.provenance.note
    for name, tensor in loaded.module.state_dict().items():
        assert name.startswith("fc.") or torch.equal(tensor, state[name]), name
    folder = tmp_path / "d"
    for i, name in enumerate(("0", "1")):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.png").write_bytes(sorted(photos.rglob("*.png"))[i].read_bytes())
    assert main(["evaluate", str(folder), "--models", f"file:{path}@timm:test_resnet", "--offline", "--quiet"]) == 2
    assert "has no head of its own" in capsys.readouterr().err


HOSTILE = {
    "os.system": lambda: Calls(os.system, "touch OWNED"),
    "builtins.eval": lambda: Calls(eval, "open('OWNED', 'w')"),
    "subprocess.Popen": lambda: Calls(subprocess.Popen, ["touch", "OWNED"]),
    "shutil.copy": lambda: Calls(__import__("shutil").copy, "w.pth", "OWNED"),
    "getattr": lambda: Calls(getattr, Settings, "rate"),
    "torch.hub": lambda: Calls(torch.hub.load, "a/b", "c"),
    "runpy": lambda: Calls(__import__("runpy").run_path, "x.py"),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["beside", "inside", "alone"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_call_is_refused_by_name_and_not_made(state, tmp_path, monkeypatch, name, place, zipped):
    monkeypatch.chdir(tmp_path)
    hostile = HOSTILE[name]()
    content = {
        "beside": {"state_dict": state, "x": hostile},
        "inside": {"state_dict": {**state, "x": hostile}},
        "alone": hostile,
    }[place]
    torch.save(content, "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="without running its code") as raised:
        read_checkpoint(Path("w.pth"))
    assert name.rpartition(".")[2].split("(")[0] in str(raised.value.what) or name == "torch.hub"
    assert not Path("OWNED").exists()


def test_a_whole_module_is_refused_and_the_advice_works(network, state, tmp_path):
    path = tmp_path / "whole.pth"
    torch.save(network, path)
    with pytest.raises(ModelError, match=r"timm\.models\.resnet\.ResNet") as raised:
        load(path)
    assert raised.value.do
    follow(raised.value.do.en)
    assert load_file(tmp_path / "whole.safetensors").keys() == state.keys()
    assert load(tmp_path / "whole.safetensors").classes


@pytest.mark.parametrize("wrong", ["larger", "other", "part", "two", "shape"])
def test_what_fits_only_in_part_is_refused(state, tmp_path, wrong):
    content = {
        "larger": {**state, "layer1.9.conv1.weight": torch.ones(3)},
        "other": timm.create_model("test_vit", pretrained=False).state_dict(),
        "part": dict(list(state.items())[:9]),
        "two": {"a": state, "b": {n: t + 1 for n, t in state.items()}},
        "shape": {n: t[..., :1] if n == "layer2.0.conv1.weight" else t for n, t in state.items()},
    }[wrong]
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="several sets" if wrong == "two" else "does not fit") as raised:
        load(tmp_path / "w.pth")
    assert raised.value.do


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"not weights", b"\x80\x02.", pickle.dumps({"a": 1}, 4), b"\x80\x02}q\x00(", b"\xff" * 300],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_are_refused_in_plain_words(tmp_path, content, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError) as raised:
        read_checkpoint(path)
    said = raised.value.render()
    assert path.name in said
    assert "\x1b" not in said
    assert "weights_only" not in said.partition("python -c")[0]
    assert raised.value.do


def test_a_cut_file_and_one_without_tensors(state, tmp_path):
    torch.save(state, tmp_path / "w.pth")
    raw = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(ModelError, match="cannot be read as weights"):
        read_checkpoint(tmp_path / "w.pth")
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="holds no weights"):
        read_checkpoint(tmp_path / "w.pth")
