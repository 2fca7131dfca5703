"""Features of several layers: which maps they are the means of, and that nothing else is changed."""

from __future__ import annotations

import pytest
import torch

from weigh.errors import ModelError
from weigh.models.layers import SideBySide, quarters
from weigh.models.network import make_network
from weigh.models.pretrained import load_model

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
