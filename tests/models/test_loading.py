"""Weights: from files, from packages, never from the network when offline, and never from a pickle that runs code."""

from __future__ import annotations

import csv
import os
import pickle
import socket

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from weigh.errors import ModelError, WeightsUnreachable
from weigh.models.catalogue import CATALOGUE, find_packaged
from weigh.models.fold import fold_batch_norms
from weigh.models.listing import list_models
from weigh.models.network import make_network
from weigh.models.pretrained import load_model

SLOW_PACKAGES = ("hf:intfloat/multilingual-e5-small",)  # of half a gigabyte


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to open a connection or to resolve a name fails the test."""
    asked = []

    def refuse(*args, **_):
        asked.append(args)
        raise AssertionError(f"the network was used: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not asked


@pytest.fixture
def dead_network(monkeypatch):
    """A machine without a network: every look-up fails at once."""
    from weigh.models.hub import reachable

    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    reachable.cache_clear()
    yield
    reachable.cache_clear()


def state_of(name: str = "test_resnet", **extra) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return timm.create_model(name, pretrained=False, **extra).state_dict()


def test_file_holds_the_weights(tmp_path):
    state = state_of()
    save_file(state, tmp_path / "a.safetensors")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "b.pth")
    x = torch.rand(2, 3, 64, 64)
    own = timm.create_model("test_resnet", pretrained=False)
    own.load_state_dict(state)
    for name in ("a.safetensors", "b.pth"):
        found = load_model(f"file:{tmp_path / name}@timm:test_resnet", pretrained=True, offline=True)
        assert torch.equal(found.module(x), own.eval()(x))
        assert found.provenance.source == "file"
        assert found.facts()["sha256"] == found.digest


def test_another_number_of_classes_is_fine_but_nothing_else(tmp_path):
    save_file(state_of(num_classes=7), tmp_path / "seven.safetensors")
    found = load_model(f"file:{tmp_path / 'seven.safetensors'}@timm:test_resnet", pretrained=True, offline=True)
    assert torch.equal(found.module.state_dict()["conv1.0.weight"], state_of(num_classes=7)["conv1.0.weight"])

    state = state_of()
    gone = next(iter(state))
    save_file({k: v for k, v in state.items() if k != gone} | {"surplus": torch.zeros(1)}, tmp_path / "bad.safetensors")
    with pytest.raises(ModelError) as error:
        load_model(f"file:{tmp_path / 'bad.safetensors'}@timm:test_resnet", pretrained=True, offline=True)
    assert gone in str(error.value)
    assert "surplus" in str(error.value)

    wrong = {k: (v[..., :1] if v.ndim == 4 else v).contiguous() for k, v in state.items()}
    save_file(wrong, tmp_path / "shape.safetensors")
    with pytest.raises(ModelError):
        load_model(f"file:{tmp_path / 'shape.safetensors'}@timm:test_resnet", pretrained=True, offline=True)


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_pickle_that_would_execute_code_is_refused(tmp_path, writer):
    sprung, path = tmp_path / "sprung", tmp_path / "evil.pth"
    content = {"weight": torch.zeros(2), "trap": Trap(str(sprung))}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    with pytest.raises(ModelError, match="refused"):
        load_model(f"file:{path}@timm:test_resnet", pretrained=True, offline=True)
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken", b"\x80\x04N."])
def test_files_that_are_no_checkpoints(tmp_path, content):
    for name in ("x.pth", "x.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError):
            load_model(f"file:{tmp_path / name}@timm:test_resnet", pretrained=True, offline=True)
    with pytest.raises(ModelError, match="no file"):
        load_model(f"file:{tmp_path / 'absent.pth'}@timm:test_resnet", pretrained=True, offline=True)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("address", ["timm:resnet18", "torchvision:resnet18", "timm:test_resnet.r160_in1k"])
def test_offline_asks_nobody_and_says_what_to_do(address, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    with pytest.raises(WeightsUnreachable) as error:
        load_model(address, pretrained=True, offline=True)
    assert address in str(error.value)
    assert "--offline" in str(error.value)
    assert load_model(address, pretrained=False, offline=True).provenance.source == "random"


@pytest.mark.usefixtures("dead_network")
def test_without_a_network_the_error_names_a_mirror():
    with pytest.raises(WeightsUnreachable) as error:
        load_model("timm:resnet18.a1_in1k", pretrained=True, offline=False)
    assert "HF_ENDPOINT" in str(error.value)


def test_unknown_names_get_near_ones():
    for address, near in [("timm:resnet1888", "resnet18"), ("torchvision:resnt18", "resnet18")]:
        with pytest.raises(ModelError, match=near):
            load_model(address, pretrained=False, offline=True)
    with pytest.raises(ModelError, match="IMAGENET1K_V2"):
        load_model("torchvision:resnet50/IMAGENET1K_V3", pretrained=True, offline=True)


def test_random_weights_follow_the_seed_and_leave_the_global_generator_alone():
    before = torch.random.get_rng_state()
    a, b, c = (load_model("timm:test_resnet", pretrained=False, offline=True, rng_seed=s).digest for s in (1, 1, 2))
    assert a == b != c
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_byobnet", "test_convnext", "test_vit"])
def test_folded_batch_norms_compute_the_same(name):
    module = load_model(f"timm:{name}", pretrained=False, offline=True).module
    with torch.no_grad():  # statistics as after training, not zeros and ones
        for layer in module.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
                layer.running_var.uniform_(0.5, 2, generator=torch.Generator().manual_seed(2))
    x = torch.rand(2, 3, 160, 160)
    folded = fold_batch_norms(module, torch.zeros(2, 3, 160, 160))
    norms = sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in module.modules())
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in folded.modules())
    assert (folded is module) == (norms == 0)
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), module(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "address", ["timm:test_resnet", "timm:test_vit", "torchvision:mobilenet_v2", "torchvision:squeezenet1_1"]
)
def test_any_network_gets_a_new_head_and_an_order_of_depth(address):
    model = load_model(address, pretrained=False, offline=True)
    size = model.preprocessing.size
    network = make_network(model, 5, torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        features = network.body(torch.rand(2, 3, size, size))
        assert features.shape == (2, network.head.in_features)
    depth = network.depths()
    assert set(depth) == {name for name, _ in network.named_parameters()}
    assert depth["head.weight"] == max(depth.values()) > 3
    assert min(depth.values()) == 0


def test_listing_builds_nothing_and_says_where_weights_are():
    rows = list_models("timm:tf_efficientnet_lite*", offline=True, language="en")
    assert {"timm:tf_efficientnet_lite0", "timm:tf_efficientnet_lite4"} <= {row.address for row in rows}
    assert any(row.address.startswith("torchvision:") for row in list_models("*resnet50", offline=True))
    assert list_models("timm:no_such_*", offline=True) == []


@pytest.mark.weights
@pytest.mark.parametrize(
    "entry",
    [pytest.param(one, marks=pytest.mark.thorough if one.address in SLOW_PACKAGES else []) for one in CATALOGUE],
    ids=lambda e: e.address,
)
@pytest.mark.usefixtures("no_network")
def test_packages_fit_their_architectures(entry):
    if entry.locate() is None:
        pytest.skip(f"{entry.package} is not installed")
    found = load_model(entry.address, pretrained=True, offline=True)
    assert found.provenance.source == "package"
    assert entry.package in found.provenance.name
    assert found.provenance.licence
    assert found.facts()["macs"] > 1e8


def test_catalogue_finds_tagged_names():
    assert find_packaged("timm:tf_efficientnet_lite0.in1k") is find_packaged("timm:tf_efficientnet_lite0")
    assert find_packaged("timm:resnet18") is None


@pytest.mark.shared
@pytest.mark.weights
@pytest.mark.thorough
def test_own_preprocessing_is_right_on_real_pictures(shared):
    """A slip in mean, size, crop or interpolation costs 7 to 11 points of top-1; `journeys/test_evaluate_photos.py` sees it on every third picture."""
    from weigh.data.pictures.decoding import open_picture

    folder = shared / "imagenet" / "nips150"
    rows = list(csv.DictReader((folder / "dev_dataset.csv").read_text(encoding="utf-8").splitlines()))
    model = load_model("timm:tf_efficientnet_lite0", pretrained=True, offline=True)
    files = {path.stem: path for path in (folder / "images").iterdir()}
    pictures = np.stack([model.preprocessing.crop(open_picture(files[row["ImageId"]])) for row in rows])
    target = np.array([int(row["TrueLabel"]) - 1 for row in rows])
    with torch.inference_mode():
        logits = torch.cat(
            [
                model.module(model.preprocessing.normalise(torch.from_numpy(pictures[i : i + 50])))
                for i in range(0, 150, 50)
            ]
        )
    assert (logits.argmax(dim=1).numpy() == target).mean() >= 0.86


def test_a_package_with_other_weights_is_taken_only_where_the_hub_has_none(tmp_path, monkeypatch):
    """4-bit numbers in place of the hub's: the hub comes first, and what stands in says so."""
    from weigh.models import hf_folder, packaged_texts
    from weigh.models.address import parse_address
    from weigh.models.catalogue import PackagedWeights

    address = parse_address("hf:intfloat/multilingual-e5-small")
    other = find_packaged(address.written)
    assert other is not None
    assert not other.same
    monkeypatch.setattr(PackagedWeights, "locate", lambda _entry: tmp_path)
    monkeypatch.setattr(PackagedWeights, "version", lambda _entry: "1.0")
    monkeypatch.setattr(packaged_texts, "unpack", lambda _entry, path: path / "unpacked")

    def look() -> tuple[str, str]:
        folder, provenance = hf_folder.find_folder(address, other, pretrained=True, offline=False)
        return folder.name, provenance.note

    monkeypatch.setattr(hf_folder, "_from_hub", lambda *_, **__: tmp_path / "hub")
    assert look() == ("hub", "")

    def refuse(*_, **__):
        raise WeightsUnreachable(None, None, None)

    monkeypatch.setattr(hf_folder, "_from_hub", refuse)
    name, note = look()
    assert name == "unpacked"
    assert "other than those of the hub's hf:intfloat/multilingual-e5-small" in note
