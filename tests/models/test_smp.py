"""Models of segmentation_models_pytorch: maps of the encoder, its decoder with the head; weights, seeds, files, and what is refused."""

from __future__ import annotations

import sys

import pytest
import torch

from tests.models.test_decoded import network_for_masks, noise
from weigh.errors import MissingExtra, ModelError
from weigh.heads.network_task import network_task
from weigh.models.address import parse_address
from weigh.models.listing import list_models
from weigh.models.pretrained import load_model

DECODERS = ["unet", "linknet", "fpn", "deeplabv3plus", "segformer"]
TINY = "tu-test_resnet"


def test_an_address_names_decoder_and_encoder():
    address = parse_address("smp:unet/tu-resnet18.a1_in1k")
    assert (address.source, address.name, address.weights) == ("smp", "unet", "tu-resnet18.a1_in1k")
    inside = parse_address("file:/weights/a@b.pth@smp:unet/resnet18")
    assert (inside.path, inside.architecture) == ("/weights/a@b.pth", "smp:unet/resnet18")


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(MissingExtra, match=r"pip install 'weigh\[segmentation\]'"):
        load_model("smp:unet/resnet18", pretrained=True, offline=True)
    assert list_models("smp:*", offline=True) == []


@pytest.fixture
def smp():
    return pytest.importorskip("segmentation_models_pytorch")


@pytest.mark.parametrize("decoder", DECODERS)
def test_maps_and_decoder_give_what_the_library_gives_and_the_frozen_encoder_may_be_kept(decoder, smp):
    model = load_model(f"smp:{decoder}/{TINY}", pretrained=False, offline=True)
    with torch.inference_mode():
        own = model.module.eval()
        theirs = own.decoder(own.encoder(noise()))
    _, network = network_for_masks(f"smp:{decoder}/{TINY}", outputs=3)
    network.eval()
    assert all(
        a < b or decoder == "deeplabv3plus"
        for a, b in zip(network.body.strides, network.body.strides[1:], strict=False)
    )
    with torch.inference_mode():
        torch.testing.assert_close(network(noise()), network.head.last(theirs))
    stage = network.split(shape=(96, 64), native=160, address=decoder, at="head")
    with torch.inference_mode():
        kept = stage.prefix(noise())
        torch.testing.assert_close(stage.tail.eval()(kept), network(noise()))
    stage.tail.train()(kept.clone()[:1]).square().mean().backward()  # also a batch of one
    learning = {n for n, p in network.named_parameters() if p.grad is not None}
    assert any(n.startswith("head.decoder.") for n in learning)
    assert not any(n.startswith("body.") for n in learning)


def test_the_last_stage_is_refused_with_the_recipes_that_remain(smp):
    model = load_model(f"smp:unet/{TINY}", pretrained=False, offline=True)
    with pytest.raises(ModelError, match="finetune, decoder, scratch"):
        model.require_cut("last-stage", "semantic-segmentation")
    model.require_cut("head")


def test_the_decoder_is_drawn_by_the_seed_and_is_no_part_of_what_the_weights_are(smp):
    a, b = (load_model(f"smp:unet/{TINY}", pretrained=False, offline=True, rng_seed=seed) for seed in (1, 2))
    assert not torch.equal(*(next(m.module.decoder.parameters()) for m in (a, b)))
    b.module.encoder.load_state_dict(a.module.encoder.state_dict())
    assert a.digest == b.digest


def test_layers_of_the_encoder_lie_at_different_depths(smp):
    for address in (f"smp:unet/{TINY}", "smp:unet/resnet18", "smp:fpn/tu-test_convnext"):
        _, network = network_for_masks(address, outputs=3)
        depth = network.depths()
        body = {d for name, d in depth.items() if name.startswith("body")}
        assert len(body) >= 4
        assert {d for name, d in depth.items() if name.startswith("head")} == {max(body) + 1}


def test_a_checkpoint_has_the_decoder_too(smp, tmp_path):
    torch.manual_seed(5)
    theirs = smp.create_model("unet", encoder_name=TINY, encoder_weights=None, classes=7)
    paths = [tmp_path / "a.pth", tmp_path / "b.pth"]
    torch.save(theirs.state_dict(), paths[0])
    with torch.no_grad():
        next(theirs.decoder.parameters()).mul_(2)
    torch.save(theirs.state_dict(), paths[1])
    a, b = (load_model(f"file:{p}@smp:unet/{TINY}", pretrained=True, offline=True, rng_seed=9) for p in paths)
    torch.testing.assert_close(2 * next(a.module.decoder.parameters()), next(b.module.decoder.parameters()))
    assert a.digest != b.digest


@pytest.mark.parametrize(
    ("address", "says"),
    [("smp:unett/resnet18", "smp:unet/resnet18"), ("smp:unet", "smp:unet/resnet34"), ("smp:unet/resnet19", "smp:unet/resnet"),
     ("smp:dpt/resnet18", "Decoders: unet"), ("smp:unet/tu-nothing", "no model called 'nothing'")],
)  # fmt: skip
def test_what_it_does_not_know_is_refused_with_what_is_near(address, says, smp):
    with pytest.raises(ModelError, match=says):
        load_model(address, pretrained=False, offline=True)


def test_it_is_for_masks_alone_and_is_listed(smp):
    model = load_model(f"smp:unet/{TINY}", pretrained=False, offline=True)
    with pytest.raises(ModelError, match="It is for: semantic-segmentation"):
        network_task("image-classification").require(model)
    assert "smp:unet/resnet18" in {row.address for row in list_models("smp:unet/*", offline=True, language="en")}


@pytest.mark.weights
def test_an_encoder_of_timm_has_the_weights_that_its_source_finds(smp):
    pytest.importorskip("timm")
    model = load_model("smp:unet/tu-tf_efficientnet_lite0", pretrained=True, offline=True)
    theirs = load_model("timm:tf_efficientnet_lite0", pretrained=True, offline=True)
    assert model.provenance.source == "package"
    assert "decoder starts from random weights" in model.provenance.note
    pictures = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = model.module.encoder.eval()(pictures)[-1]
        expected = theirs.module.eval().forward_features(pictures)
        if expected.shape != ours.shape:  # theirs ends in one more convolution
            expected = theirs.module.blocks(theirs.module.bn1(theirs.module.conv_stem(pictures)))
    torch.testing.assert_close(ours, expected)
