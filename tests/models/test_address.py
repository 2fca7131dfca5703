"""Model addresses: what is understood, what is refused, and how it is said."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weigh.errors import ModelError, WeightsUnreachable
from weigh.models.address import parse_address
from weigh.report.card import _repository as repository_of


@pytest.mark.parametrize(
    ("written", "source", "name", "weights", "path", "architecture"),
    [
        ("timm:resnet18", "timm", "resnet18", None, None, "timm:resnet18"),
        ("timm:resnet18.a1_in1k", "timm", "resnet18.a1_in1k", None, None, "timm:resnet18.a1_in1k"),
        ("torchvision:resnet50", "torchvision", "resnet50", None, None, "torchvision:resnet50"),
        ("torchvision:resnet50/IMAGENET1K_V2", "torchvision", "resnet50", "IMAGENET1K_V2", None, None),
        ("file:w/a@b.pt@timm:resnet18", "file", "resnet18", None, "w/a@b.pt", "timm:resnet18"),
        ("file:x.pth@torchvision:mobilenet_v2", "file", "mobilenet_v2", None, "x.pth", "torchvision:mobilenet_v2"),
    ],
)
def test_addresses(written, source, name, weights, path, architecture):
    found = parse_address(written)
    assert (found.source, found.name, found.weights, found.path) == (source, name, weights, path)
    if architecture:
        assert found.architecture == architecture


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("resnet18", "timm:resnet18"),
        ("tim:resnet18", "timm:resnet18"),
        ("https://huggingface.co/someone/vit", "hf:someone/vit"),
        ("https://huggingface.co/someone/vit/tree/main", "hf:someone/vit"),
        ("torchvison:resnet18", "torchvision:resnet18"),
        ("mine.keras", "keras:mine.keras"),
        ("tensorflow:graph.pb", "tf:graph.pb"),
        ("https://example.com/mine.keras", "timm:resnet18"),
        ("./models/mine.onnx", "onnx:./models/mine.onnx"),
        ("old/graph.pb", "tf:old/graph.pb"),
        ("mine.weights.h5", "keras:mine.weights.h5@NAME"),
        ("/there/best.pth", "file:/there/best.pth@timm:NAME"),
        ("model.safetensors.index.json", "file:model.safetensors.index.json@timm:NAME"),
        ("MobileNetV2", "keras:MobileNetV2"),
        ("./mine", "hf:./mine"),
        ("studies/reviews/model", "hf:studies/reviews/model"),
        ("file:weights.pt", "@timm:NAME"),
        ("keras:./saved/", "tf:./saved/"),
        ("file:a@file:b", None),
        ("timm:", None),
        ("timm:../../etc/passwd", None),
        ("torchvision:resnet18/", None),
        ("timm:a\nb", None),
        ("", None),
    ],
)
def test_refusals_help(written, hint):
    with pytest.raises(ModelError) as error:
        parse_address(written)
    if hint:
        assert hint in error.value.render("en")
        assert hint in error.value.render("zh").replace("名称", "NAME")


@given(st.text(max_size=200))
def test_any_text_gives_an_address_or_a_clear_error(written):
    try:
        found = parse_address(written)
    except ModelError as error:
        refused = error
    else:
        assert found.source in ("timm", "torchvision", "file")
        return
    assert refused.what.zh
    assert "\n" not in refused.what.en


def test_addresses_recipes_and_catalogue_need_no_torch():
    code = (
        "import sys, weigh.models.address, weigh.models.catalogue, weigh.train.recipes; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("written", "name", "revision"),
    [
        ("hf:someone/vit", "someone/vit", None),
        ("hf:someone/vit@v1.0", "someone/vit", "v1.0"),
        ("hf:someone/vit@refs/pr/3", "someone/vit", "refs/pr/3"),
        ("hf:vit@" + "0f" * 20, "vit", "0f" * 20),
        ("hf:./mine@home", "./mine@home", None),
        ("hf:studies/reviews/model", "./studies/reviews/model", None),
        ("hf:studies/reviews/", "./studies/reviews/", None),
        ("hf:my models/bert", "./my models/bert", None),
    ],
)
def test_a_revision_of_the_hub_follows_its_name(written, name, revision):
    parsed = parse_address(written)
    assert (parsed.source, parsed.name, parsed.revision, parsed.written) == ("hf", name, revision, written)


def test_a_checkpoint_on_a_revision_of_the_hub():
    parsed = parse_address("file:/some@where/x.safetensors@hf:someone/vit@v1")
    assert (parsed.path, parsed.architecture) == ("/some@where/x.safetensors", "hf:someone/vit@v1")


@pytest.mark.parametrize("revision", ["", "a..b", "-x", "a b", "@", "x" * 200])
def test_what_is_no_revision_is_refused(revision):
    with pytest.raises(ModelError):
        parse_address(f"hf:someone/vit@{revision}")


def test_a_folder_that_is_called_like_a_repository_is_pointed_out(tmp_path, monkeypatch):
    from weigh.models.hf_folder import find_folder

    monkeypatch.chdir(tmp_path)
    address = parse_address("hf:mine/model")
    with pytest.raises(WeightsUnreachable) as caught:
        find_folder(address, None, pretrained=True, offline=True)
    assert "hf:./" not in caught.value.render("en")
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(WeightsUnreachable, match=r"hf:\./mine/model"):
        find_folder(address, None, pretrained=True, offline=True)


@pytest.mark.parametrize(
    ("address", "repository"),
    [
        ("hf:someone/vit@refs/pr/3", "someone/vit"),
        ("hf:vit", "vit"),
        ("hf:studies/reviews/model", None),
        ("hf:./mine", None),
        ("timm:resnet18", None),
    ],
)
def test_a_model_card_names_repositories_and_no_folders(address, repository):
    assert repository_of(address) == repository


@pytest.mark.parametrize(
    "written",
    ["mine.keras", "mine.onnx", "graph.pb", "./mine.weights.h5", "best.pth", "./mine", "a/b/c", "MobileNetV2"],
)
def test_the_address_that_a_refusal_proposes_is_one(written):
    with pytest.raises(ModelError) as refused:
        parse_address(written)
    assert refused.value.do is not None
    proposed = refused.value.do.en.removeprefix("Did you mean ").removesuffix("?")
    assert parse_address(proposed).written == proposed


def test_every_model_of_keras_is_proposed_by_its_bare_name():
    from weigh.models.keras.source import names

    for name in names("*"):
        with pytest.raises(ModelError, match=f"Did you mean keras:{name}\\?"):
            parse_address(name)


def test_a_saved_model_of_tensorflow_is_told_its_own_address(tmp_path):
    from weigh.models.hf_folder import find_folder

    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelError, match=r"no config\.json") as refused:
        find_folder(parse_address(f"hf:{tmp_path}"), None, pretrained=True, offline=True)
    assert refused.value.do is not None
    assert refused.value.do.en.endswith(f"tf:{tmp_path}")
