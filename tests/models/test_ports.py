"""What a model offers: features, maps, tokens, weights that can be trained; and what is said where it lacks one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.media.test_new_medium import registered
from weigh.errors import ModelError
from weigh.models.anatomy import TORCH, depth_of_parameters
from weigh.models.network import make_network
from weigh.models.only_features import only_features
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance, load_model
from weigh.study import Study

FAST = ["design.folds=3", "design.repeats=1", "design.test=0.25", "run.offline=true", "run.threads=1"]


# ---- a model that only has features ----------------------------------------------------------------------------------


def thumbnail(pictures: torch.Tensor) -> torch.Tensor:
    """`(n, 48)`: colours of four by four fields; no network."""
    return torch.nn.functional.adaptive_avg_pool2d(pictures, 4).flatten(1)


def load_toy(asked, *, pretrained, offline) -> Pretrained:
    preparation = Preprocessing(32, 32, (0.5,) * 3, (0.25,) * 3)
    return only_features(
        asked, thumbnail, preparation, Provenance("package", "toy"), width=48, digest=f"{asked.name}-{VERSION['toy']}"
    )


VERSION = {"toy": "1"}


@pytest.fixture(scope="module", autouse=True)
def _registered():
    with registered([(MODEL_SOURCES, "toy", ModelSource(load_toy, lambda _pattern: ["thumb"]))], "toy"):
        yield


@pytest.fixture(scope="module")
def probed(photos, tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("thumbs") / "study"
    return Study.from_data(photos, ["toy:thumb"], ["probe"], settings=FAST, folder=folder).run()


def test_it_is_probed_predicts_and_is_reported(probed, photos):
    results = probed.results()
    assert {record.status for record in results.records} == {"done"}
    files = sorted(photos.rglob("*.png"))[:6]
    rows = probed.predict(files)
    assert np.mean([row["label"] == path.parent.name for row, path in zip(rows, files, strict=True)]) > 0.5
    assert "toy:thumb" in probed.report("md", "en")
    assert "toy:thumb" in probed.report("md", "zh")


@pytest.mark.parametrize("recipe", ["finetune", "last-stage", "lp-ft", "textbook"])
def test_the_plan_says_that_it_cannot_be_trained_before_anything_runs(recipe, photos, tmp_path):
    study = Study.from_data(photos, ["toy:thumb"], ["probe", recipe], settings=FAST, folder=tmp_path / "study")
    for door in (study.plan, study.run):
        with pytest.raises(ModelError, match="toy:thumb has no weights that can be trained") as refused:
            door()
        assert "Recipes that remain for it: probe." in refused.value.render("en")
        assert "probe" in refused.value.render("zh")
    assert not list((tmp_path / "study").rglob("*.npz"))  # nothing was computed


@pytest.mark.parametrize("port", ["network", "tokens", "maps"])
def test_what_it_lacks_is_an_error_with_what_remains(port):
    model = load_model("toy:thumb", pretrained=True, offline=True)
    assert model.ports == {"features"}
    with pytest.raises(ModelError, match="toy:thumb"):
        model.require(port)
    with pytest.raises(ModelError):
        model.maps()
    with pytest.raises(ModelError):
        make_network(model, 2, port="tokens")


def test_a_saved_head_refuses_features_of_another_version(probed, photos, monkeypatch):
    monkeypatch.setitem(VERSION, "toy", "2")
    with pytest.raises(ModelError, match="replaced"):
        probed.predict(sorted(photos.rglob("*.png"))[:1])


# ---- maps -------------------------------------------------------------------------------------------------------------

PYRAMIDS = {  # address -> strides, widths
    "timm:test_resnet": ((2, 4, 8, 16, 32), (32, 32, 48, 192, 96)),
    "timm:test_efficientnet": ((2, 4, 8, 16, 32), None),
    "timm:test_vit": ((16,), (64,)),
    "timm:test_convnext": ((4, 8, 16, 32), None),
    "torchvision:resnet18": ((2, 4, 8, 16, 32), (64, 64, 128, 256, 512)),
    "torchvision:mobilenet_v2": ((2, 4, 8, 16, 32), (16, 24, 32, 96, 1280)),
}


@pytest.mark.parametrize(
    "address",
    [pytest.param(one, marks=pytest.mark.thorough if one == "torchvision:resnet18" else []) for one in PYRAMIDS],
)
def test_maps_have_the_strides_and_widths_that_they_promise(address):
    model = load_model(address, pretrained=False, offline=True)
    pyramid, size = model.maps(), model.preprocessing.size
    strides, widths = PYRAMIDS[address]
    assert pyramid.strides == strides
    assert widths is None or pyramid.widths == widths
    pictures = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    maps = pyramid(pictures)
    assert [tuple(m.shape) for m in maps] == [
        (2, width, size // stride, size // stride) for width, stride in zip(pyramid.widths, strides, strict=True)
    ]
    pyramid.train()
    sum(m.square().mean() for m in pyramid(pictures)).backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in model.module.parameters())


@pytest.mark.parametrize(
    ("address", "widths"),
    [
        pytest.param("timm:densenet121", (64, 256, 512, 1024, 1024), marks=pytest.mark.thorough),
        ("torchvision:densenet121", (64, 256, 512, 1024, 1024)),
        pytest.param("timm:inception_v3", (64, 192, 288, 768, 2048), marks=pytest.mark.thorough),
        ("timm:mobilenetv3_small_050", (16, 8, 16, 24, 288)),
        ("timm:ghostnet_050", (8, 12, 20, 56, 480)),
        pytest.param("torchvision:vgg11", (128, 256, 512, 512, 512), marks=pytest.mark.thorough),
    ],
)
def test_the_last_map_of_a_stage_is_taken_before_it_is_narrowed(address, widths):
    pyramid = load_model(address, pretrained=False, offline=True).maps()
    assert (pyramid.strides, pyramid.widths) == ((2, 4, 8, 16, 32), widths)


@pytest.mark.parametrize("address", ["timm:test_resnet", "timm:test_vit", "timm:test_convnext"])
def test_a_map_shows_what_lies_at_its_place(address):
    """What is changed in a corner of the picture changes the map there most."""
    pyramid = load_model(address, pretrained=False, offline=True).maps().eval()
    size = 160
    plain = torch.zeros(1, 3, size, size)
    marked = plain.clone()
    marked[:, :, : size // 4, -size // 4 :] = 3.0
    with torch.inference_mode():
        for before, after, stride in zip(pyramid(plain), pyramid(marked), pyramid.strides, strict=True):
            if size // stride < 8:
                continue
            change = (after - before).square().sum(dim=1)[0]
            quarter = change.shape[0] // 4
            assert change[:quarter, -quarter:].mean() > 2 * change[-quarter:, :quarter].mean()


def test_the_maps_of_timm_are_those_of_its_own_extractor():
    timm = pytest.importorskip("timm")
    model = load_model("timm:test_resnet", pretrained=False, offline=True)
    theirs = timm.create_model("test_resnet", features_only=True)
    theirs.load_state_dict(model.module.state_dict(), strict=False)
    pictures = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    pyramid = model.maps()
    assert (pyramid.strides, pyramid.widths) == (
        tuple(theirs.feature_info.reduction()),
        tuple(theirs.feature_info.channels()),
    )
    with torch.inference_mode():
        for own, other in zip(pyramid.eval()(pictures), theirs.eval()(pictures), strict=True):
            torch.testing.assert_close(own, other)


# ---- picture models of the transformers library ------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["vit", "resnet", "convnext", "swin"])
def hf_pictures(request, tmp_path_factory):
    """A tiny model of pictures with random weights in a folder, and what its maps should be."""
    hf = pytest.importorskip("transformers")
    torch.manual_seed(0)
    made = {
        "vit": lambda: hf.ViTModel(
            hf.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
                         image_size=64, patch_size=16), add_pooling_layer=False),
        "resnet": lambda: hf.ResNetModel(
            hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic")),
        "convnext": lambda: hf.ConvNextModel(
            hf.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], image_size=64)),
        "swin": lambda: hf.SwinModel(
            hf.SwinConfig(embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4, image_size=64, patch_size=4)),
    }[request.param]()  # fmt: skip
    folder = tmp_path_factory.mktemp("hf") / request.param
    made.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"size": {"height": 64, "width": 64}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2}'
    )
    strides = {"vit": (16,), "resnet": (4, 8, 16, 32), "convnext": (4, 8, 16, 32), "swin": (4, 8)}[request.param]
    return made.eval(), folder, strides


def test_a_picture_model_of_the_hub_gives_features_and_maps(hf_pictures):
    own, folder, strides = hf_pictures
    model = load_model(f"hf:{folder}", pretrained=True, offline=True)
    assert model.reads == "pictures"
    assert (model.preprocessing.size, model.preprocessing.squash) == (64, True)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    network = make_network(model, 3).eval()
    with torch.inference_mode():
        features, theirs = network.features(pictures), own(pixel_values=pictures)
    assert features.shape == (2, network.width)
    hidden = theirs.last_hidden_state
    expected = theirs.pooler_output.flatten(1) if getattr(theirs, "pooler_output", None) is not None else hidden[:, 0]
    torch.testing.assert_close(features, expected)
    pyramid = model.maps()
    assert pyramid.strides == strides
    for level, made in zip(pyramid.levels, pyramid(pictures), strict=True):
        assert tuple(made.shape) == (2, level.width, 64 // level.stride, 64 // level.stride)


def test_a_picture_model_of_the_hub_is_studied_and_saved(hf_pictures, photos, tmp_path):
    _, folder, _ = hf_pictures
    if folder.name != "vit":
        pytest.skip("one is enough for a whole study")
    study = Study.from_data(photos, [f"hf:{folder}"], ["probe", "finetune"], folder=tmp_path / "s",
                            settings=[*FAST, "recipes.finetune.epochs=1"]).run()  # fmt: skip
    assert {record.status for record in study.results().records} == {"done"}
    assert study.predict(sorted(photos.rglob("*.png"))[:2])[0]["label"] in ("circle", "stripe")


# ---- a source answers for its models -------------------------------------------------------------------------------------


def test_depth_operations_and_folding_are_asked_of_the_source(tiny):
    asked = []

    def noting(name, function):
        return lambda *given, **named: (asked.append(name), function(*given, **named))[1]

    own = replace(
        TORCH,
        depths=noting("depths", depth_of_parameters),
        operations=lambda _module, _blank: 77,
        fold=noting("fold", TORCH.fold),
        split=noting("split", TORCH.split),
    )
    model = load_model(tiny, pretrained=True, offline=True)
    model = replace(model, anatomy=replace(own, features=model.anatomy.features))
    assert model.facts()["macs"] == 77
    network = make_network(model, 2)
    network.depths()
    network.frozen(model.preprocessing.blank(2))
    network.split(shape=(64, 64), native=64, address=tiny)
    assert asked == ["depths", "fold", "split"]


def test_nobody_outside_reaches_into_a_network():
    """`.head` and `.body` of a network belong to models/network.py."""
    import weigh

    reach = re.compile(r"\b(?:network|net|whole|tail|work\.network)\.(?:head|body)\b")
    sources = Path(weigh.__file__).parent.rglob("*.py")
    assert [str(p) for p in sources if reach.search(p.read_text("utf-8"))] == []
