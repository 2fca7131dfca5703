"""Features of several layers: which maps they are the means of, and that nothing else is changed."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import timm
import torch
import transformers
from torchvision.models import SwinTransformer, VisionTransformer

from weigh.errors import ModelError
from weigh.models.hf_pictures import PictureEncoder
from weigh.models.layers import SideBySide, quarters, side_by_side
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.run import LAYERS_RULE, Setting
from weigh.saved.model import _check_layers as check_layers
from weigh.train import features

# address -> widths of the maps, in the order in which the network makes them, and of its own features
WIDTHS = {
    "timm:tf_efficientnet_lite0": ([40, 80, 112, 192, 320], 1280),
    "torchvision:mobilenet_v2": ([32, 64, 96, 160, 320], 1280),
    "torchvision:resnet18": ([128, 256], 512),
    "torchvision:squeezenet1_1": ([128, 256, 256, 384], 512),
    "timm:test_vit": ([64, 64, 64], 64),
}


def several(address: str) -> tuple[SideBySide, torch.nn.Module]:
    model = load_model(address, pretrained=False, offline=True)
    model.configure({"layers": "several"})
    body = make_network(model, 2).eval().body
    assert isinstance(body, SideBySide)
    return body, model.module


@pytest.mark.parametrize("address", WIDTHS)
def test_the_last_map_of_each_stage_and_the_features(address):
    body, module = several(address)
    widths, own = WIDTHS[address]
    size = 224 if "vit" not in address else 160
    pictures = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    kept: dict[str, torch.Tensor] = {}
    hooks = [
        module.get_submodule(level.name).register_forward_hook(
            lambda _module, _inputs, output, name=level.name: kept.__setitem__(name, output)
        )
        for level in body.levels
    ]
    with torch.inference_mode():
        expected = module(pictures)
        for hook in hooks:
            hook.remove()
        features = body(pictures)
    parts = features.split([*(level.width for level in body.levels), own], dim=1)
    assert torch.equal(parts[-1], expected), "its own features, unchanged"
    for level, part in zip(body.levels, parts, strict=False):
        values = kept[level.name]
        grid = (size // level.stride) ** 2
        means = (
            values.mean(dim=(2, 3)) if values.ndim == 4 else values[:, -grid:].mean(dim=1)
        )  # tokens without that of the class
        torch.testing.assert_close(part, means)
    assert [level.width for level in body.levels] == widths


def names_of(module: torch.nn.Module, *, side: int, width: int = -1) -> list[str]:
    body, _ = side_by_side(module, width, torch.zeros(1, 3, side, side))
    assert isinstance(body, SideBySide)
    return [level.name for level in body.levels]


# of equal blocks those a quarter, a half and three quarters of the way up; of stages the last map of each
NAMES = {
    "test_vit": ["blocks.1", "blocks.2", "blocks.3"],
    "test_convnext": ["stages.1", "stages.2"],
    "test_resnet": ["layer2", "layer3"],
    "test_efficientnet": ["blocks.2", "blocks.3", "blocks"],
}


@pytest.mark.parametrize("name", NAMES)
def test_which_layers_of_timm(name):
    module = timm.create_model(name, pretrained=False, num_classes=0)
    assert names_of(module, side=160, width=module.num_features) == NAMES[name]


def test_which_layers_of_torchvision():
    vit = VisionTransformer(
        image_size=64, patch_size=16, num_layers=8, num_heads=2, hidden_dim=64, mlp_dim=256, num_classes=2
    )
    blocks = [f"encoder.layers.encoder_layer_{number}" for number in (1, 3, 5)]
    assert names_of(vit, side=64, width=64) == blocks
    swin = SwinTransformer([4, 4], 16, [1, 1, 2, 1], [1, 2, 4, 8], [2, 2], num_classes=2)
    assert names_of(swin, side=64, width=128) == ["features.3", "features.5"]


@pytest.mark.parametrize("patch", [14, 16])
@pytest.mark.parametrize("family", ["ViT", "Dinov2", "CLIPVision", "SiglipVision"])
def test_which_layers_of_transformers(family, patch):
    """224 pixels are 16 patches of 14, 256 pixels are no whole number of them; and of 384 two pixels are left over."""
    side = {"ViT": 224, "Dinov2": 224, "CLIPVision": 224, "SiglipVision": 384}[family]
    sizes = {"hidden_size": 32, "num_hidden_layers": 12, "num_attention_heads": 2, "patch_size": patch}
    sizes |= {"image_size": side} | ({} if family == "Dinov2" else {"intermediate_size": 64})
    encoder = transformers.AutoModel.from_config(getattr(transformers, f"{family}Config")(**sizes))
    body = PictureEncoder(encoder)
    names = names_of(body, side=side, width=32)
    assert [name.rpartition(".")[2] for name in names] == ["2", "5", "8"]
    assert all(re.search(r"layers?\.\d+$", name) for name in names)


def test_which_layers_of_transformers_with_stages():
    swin = transformers.SwinConfig(
        embed_dim=16, depths=[1, 1, 2, 1], num_heads=[1, 1, 2, 2], image_size=64, window_size=2
    )
    convnext = transformers.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1])
    for config, stages in ((swin, "layers.0 layers.1"), (convnext, "stages.1 stages.2")):
        body = PictureEncoder(transformers.AutoModel.from_config(config))
        names = [name for name in names_of(body, side=64, width=-1) if "encoder" in name]
        assert [".".join(name.split(".")[-2:]) for name in names] == stages.split()


def test_features_of_other_layers_are_kept_apart(monkeypatch):
    class Counted(list):
        fingerprint = ""

    examples = Counted()
    known = {"built": "b", "preprocessing": {}, "facts": {"sha256": "w"}}
    restored = SimpleNamespace(configured=lambda _options: SimpleNamespace(size=8))
    monkeypatch.setattr(
        features, "network_task", lambda _: SimpleNamespace(feed=SimpleNamespace(restored=lambda _: restored))
    )
    setting = Setting("image-classification", ("a", "b"), "accuracy", model=known)

    def keys() -> tuple[str, str]:
        options = ({"layers": "several"}, {})
        return tuple(features._describe("a", examples, setting, one).key for one in options)

    monkeypatch.setattr(features, "features_key", lambda *parts: parts[-1])
    before = keys()
    monkeypatch.setattr(features, "LAYERS_RULE", 99)
    assert keys()[0] != before[0]
    assert keys()[1] == before[1]


def test_a_head_saved_with_other_layers_of_a_transformer_is_refused(tmp_path):
    vit, resnet = (
        side_by_side(timm.create_model(name, num_classes=0), 64, torch.zeros(1, 3, 160, 160))[0]
        for name in ("test_vit", "test_resnet")
    )
    before, now = {"architecture": "timm:test_vit"}, {"architecture": "timm:test_vit", "layers_rule": LAYERS_RULE}
    check_layers(vit, now, tmp_path)
    check_layers(resnet, before, tmp_path)
    with pytest.raises(ModelError, match="trained on other layers of timm:test_vit"):
        check_layers(vit, before, tmp_path)


def test_the_maps_do_not_depend_on_the_size_of_the_pictures():
    at = {}
    for size in (64, 96, 224):
        model = load_model("timm:tf_efficientnet_lite0", pretrained=False, offline=True)
        model.preprocessing = model.preprocessing.at(size)  # as a saved model has it
        model.configure({"layers": "several"})
        at[size] = [level.name for level in make_network(model, 2).body.levels]
    assert at[64] == at[96] == at[224]


def test_only_where_it_is_asked_for():
    model = load_model("timm:test_resnet", pretrained=False, offline=True)
    assert model.settings == {}
    model.configure({"layers": "several"})
    assert model.settings == {"layers": "several"}
    assert isinstance(make_network(model, 2).body, SideBySide)
    plain = load_model("timm:test_resnet", pretrained=False, offline=True)
    plain.configure({})
    assert make_network(plain, 2).body is plain.module


def test_folding_computes_the_same():
    model = load_model("timm:tf_efficientnet_lite0", pretrained=False, offline=True)
    model.configure({"layers": "several"})
    network = make_network(model, 2).eval()
    pictures = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    folded = network.frozen(pictures)
    assert folded is not network.body
    with torch.inference_mode():
        torch.testing.assert_close(folded(pictures), network.body(pictures), rtol=1e-3, atol=1e-3)


def test_a_model_that_shows_its_last_layer_alone_is_refused():
    model = load_model("words:tfidf", pretrained=True, offline=True)
    with pytest.raises(ModelError, match="has no vectors of several layers") as refused:
        model.require("layers", "image-classification")
    assert "multilayer" not in str(refused.value.do)


@pytest.mark.parametrize(
    ("n", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (6, [2, 3, 4, 6]), (12, [3, 6, 9, 12])]
)
def test_quarters(n, expected):
    assert quarters(n) == expected
