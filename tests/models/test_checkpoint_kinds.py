"""The eleven kinds of checkpoints that people have, each through its address: what fits is said with its share, what does not fit is refused."""

from __future__ import annotations

import argparse
import json
import shlex
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from weigh.errors import ModelError
from weigh.models.pretrained import load_model
from weigh.study import Study

NAME = "test_resnet"


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return timm.create_model(NAME, pretrained=False).eval()


@pytest.fixture(scope="module")
def state(network):
    return dict(network.state_dict())


def named(state, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def body_of(state):
    return {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}


def optimizer_of(network):
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return optimizer.state_dict()


def trained(network):
    copied = timm.create_model(NAME, pretrained=False)
    copied.load_state_dict(network.state_dict())
    return optimizer_of(copied)


def scalars():
    return {
        "best": np.float64(0.5),
        "seen": np.int32(3),
        "curve": np.arange(3.0),
        "args": argparse.Namespace(lr=0.1, data=Path("x")),
    }


KINDS = {  # kind -> (what the file holds, what is said of it, whether it has the head)
    "prefixes": (lambda n, s: named(s, "backbone.model.net."), "", True),
    "ddp and compile": (lambda n, s: named(s, "module._orig_mod."), "", True),
    "nested state_dict": (lambda n, s: {"checkpoint": {"state_dict": named(s, "model.")}, "epoch": 3}, "", True),
    "model_ema beside": (lambda n, s: {"model": s, "model_ema": {k: t + 1 for k, t in s.items()}, "epoch": 3}, "model_ema", True),
    "without head": (lambda n, s: body_of(s), "no head", False),
    "other classes": (lambda n, s: {**s, "fc.weight": torch.zeros(7, s["fc.weight"].shape[1]), "fc.bias": torch.zeros(7)}, "no head", False),
    "half": (lambda n, s: {k: t.half() if t.is_floating_point() else t for k, t in s.items()}, "float16", True),
    "bfloat16": (lambda n, s: {k: t.bfloat16() if t.is_floating_point() else t for k, t in s.items()}, "bfloat16", True),
    "double": (lambda n, s: {k: t.double() if t.is_floating_point() else t for k, t in s.items()}, "float64", True),
    "lightning": (
        lambda n, s: {
            "epoch": 3, "global_step": 90, "pytorch-lightning_version": "2.5.0", "state_dict": OrderedDict({**named(s, "model."), "loss.weight": torch.ones(2)}),
            "loops": {"fit_loop": {"state_dict": {}}}, "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5)}},
            "optimizer_states": [trained(n)], "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.1},
        }, "loss", True,
    ),
    "timm's train script": (
        lambda n, s: {
            "epoch": 3, "arch": NAME, "state_dict": s, "optimizer": trained(n), "version": 2, "args": argparse.Namespace(model=NAME, lr=0.1),
            "amp_scaler": {"scale": 65536.0}, "state_dict_ema": {k: t + 1 for k, t in s.items()}, "metric": 81.3,
        }, "state_dict_ema", True,
    ),
    "values beside": (lambda n, s: {"net": s, **scalars()}, "argparse.Namespace", True),
    "optimizer beside": (lambda n, s: {"model_state_dict": s, "optimizer_state_dict": trained(n), "loss": 0.3}, "", True),
    "a detector's backbone": (
        lambda n, s: {**named(body_of(s), "backbone.body."), "backbone.fpn.layer.weight": torch.ones(2), "rpn.head.weight": torch.ones(2)}, "rpn", False,
    ),
    "an encoder beside a decoder": (lambda n, s: {**named(body_of(s), "encoder."), "decoder.up.weight": torch.ones(2)}, "decoder", False),
    "a contrastive pair": (lambda n, s: {"state_dict": {**named(body_of(s), "module.encoder_q."), **named({k: t + 1 for k, t in body_of(s).items()},
                           "module.encoder_momentum."), "module.queue": torch.ones(4, 4)}}, "queue", False),
    "tables beside": (lambda n, s: {**s, "layer1.positions": torch.arange(4)}, "positions", True),
}  # fmt: skip


def load(path, architecture=f"timm:{NAME}"):
    return load_model(f"file:{path}@{architecture}", pretrained=True, offline=True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_loads_without_code_loads(network, state, tmp_path, caplog, kind):
    make, words, with_head = KINDS[kind]
    path = tmp_path / "w.pth"
    torch.save(make(network, state), path)
    loaded = load(path)
    tolerance = 1e-2 if kind in ("half", "bfloat16") else 0
    for name, tensor in loaded.module.state_dict().items():
        if with_head or not name.startswith("fc."):
            assert torch.allclose(tensor, state[name], rtol=tolerance, atol=tolerance / 100), name
        assert tensor.dtype == state[name].dtype
    assert loaded.classes == (network.num_classes if with_head else 0)
    assert words in loaded.provenance.note
    assert words in caplog.text
    if words:
        body = sum(
            t.numel() for n, t in state.items() if t.is_floating_point() and (with_head or not n.startswith("fc."))
        )
        share = body / sum(t.numel() for t in state.values() if t.is_floating_point())
        assert f"{share:.1%} of the weights of timm:{NAME} come from it" in caplog.text
    else:
        assert not caplog.text


def test_what_is_said_is_said_in_both_languages(state, tmp_path):
    from weigh.notices import notices_to

    path, told = tmp_path / "w.pth", []
    torch.save({"state_dict": body_of(state), "x": np.float64(1)}, path)
    with notices_to(told.append):
        load(path)
    assert (
        "come from it; the file has no head of this architecture, which is drawn anew; left out of the file: numpy"
        in told[0].en
    )
    assert "来自该文件；文件中没有该架构的分类头" in told[0].zh


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_shards_are_read_by_their_index(state, tmp_path, form):
    names = list(state)
    parts = {f"model-0000{i}-of-00002.{form}": dict.fromkeys(names[i - 1 :: 2]) for i in (1, 2)}
    for file, held in parts.items():
        tensors = {name: state[name] for name in held}
        save_file(tensors, tmp_path / file) if form == "safetensors" else torch.save(tensors, tmp_path / file)
    index = tmp_path / f"model.{form}.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, held in parts.items() for name in held}}))
    provenance = load(index).provenance
    assert provenance.note == ""
    assert {file.name for file in provenance.files} == {index.name, *parts}  # another shard is another model
    with pytest.raises(ModelError, match=r"of its weights are in the file"):
        load(tmp_path / f"model-00001-of-00002.{form}")
    (tmp_path / f"model-00002-of-00002.{form}").unlink()
    with pytest.raises(ModelError, match="no file"):
        load(index)


def test_a_real_detector_and_a_real_segmenter_give_their_backbones(tmp_path):
    detector = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None)
    torch.save(detector.state_dict(), tmp_path / "d.pth")
    with pytest.raises(ModelError, match="does not fit"):  # its last convolution was left away
        load(tmp_path / "d.pth", "torchvision:resnet18")
    segmenter = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, aux_loss=True)
    torch.save(segmenter.state_dict(), tmp_path / "s.pth")
    loaded = load(tmp_path / "s.pth", "torchvision:resnet50")
    assert torch.equal(loaded.module.layer4[2].conv3.weight, segmenter.backbone.layer4[2].conv3.weight)
    assert "aux_classifier" in loaded.provenance.note
    assert loaded.classes == 0


PARTS = {  # what is wrong -> (what the file holds, what is said)
    "nothing": (lambda s: {f"other.{i}": torch.ones(2) for i in range(9)}, "0.0% of its weights"),
    "another architecture": (lambda s: timm.create_model("test_vit", pretrained=False).state_dict(), "0.0% of its weights"),
    "one layer less": (lambda s: {k: t for k, t in s.items() if not k.startswith("layer2.0.conv1")}, "layer2.0.conv1.weight"),
    "the head alone": (lambda s: {k: t for k, t in s.items() if k.startswith("fc.")}, "keys missing"),
    "whole numbers": (lambda s: {k: (t * 100).to(torch.int8) if k.startswith("layer1.0.conv1") else t for k, t in s.items()}, "stored as int8"),
    "nan": (lambda s: {k: t * torch.nan if k.startswith("layer1.0.conv1") else t for k, t in s.items()}, "not finite"),
    "infinite": (lambda s: {k: t.half() * 1e5 * 1e5 if k.startswith("layer3.0.conv1") else t for k, t in s.items()}, "not finite"),
    "complex": (lambda s: {k: t.to(torch.complex64) if k.startswith("layer1.0.conv1") else t for k, t in s.items()}, "stored as complex64"),
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_what_fits_only_in_part_is_refused_with_its_share(photos, state, tmp_path, part):
    make, words = PARTS[part]
    path = tmp_path / "w.pth"
    torch.save(make(state), path)
    with pytest.raises(ModelError) as raised:
        load(path)
    assert words in raised.value.what.en
    assert raised.value.do
    study = Study.from_data(photos, [f"file:{path}@timm:{NAME}"], settings=["run.offline=true"], folder=tmp_path / "s")
    with pytest.raises(ModelError, match=r"of its weights|layer"):
        study.plan()


class Trainer(nn.Module):
    """A class that is pickled with its weights."""

    def __init__(self, net):
        super().__init__()
        self.net = net


WHOLE = {
    "the module": lambda n: n,
    "under model": lambda n: {"epoch": 3, "model": n, "optimizer": trained(n)},
    "under another name": lambda n: {"optimizer": trained(n), "epoch": 3, "network": n},
    "under ema alone": lambda n: {"ema": n, "updates": 3},
    "wrapped": lambda n: Trainer(n),
}


@pytest.mark.parametrize("name", ["whole.pth", "a b'c$(touch OWNED).pt", '"quoted".ckpt'])
@pytest.mark.parametrize("whole", WHOLE)
def test_what_needs_code_is_refused_and_the_line_works(network, state, tmp_path, monkeypatch, whole, name):
    monkeypatch.chdir(tmp_path)
    torch.save(WHOLE[whole](network), name)
    with pytest.raises(ModelError, match="without running its code: it needs") as raised:
        load(name)
    line = raised.value.do.en
    words = shlex.split(line[line.index("python -c") :])
    assert words[:2] == ["python", "-c"]
    exec(words[2], {})
    written = Path(name).with_suffix(".safetensors")
    loaded = load(written)
    assert all(torch.equal(tensor, state[n]) for n, tensor in loaded.module.state_dict().items())
    with pytest.raises(ModelError, match=r"-weights\.safetensors"):  # what is there already is not written over
        load(name)
    assert not Path("OWNED").exists()
