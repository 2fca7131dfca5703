"""Models of the transformers library that answer for every pixel: folders of tiny ones with random weights."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from tests.models.test_decoded import network_for_masks
from weigh.errors import ModelError
from weigh.heads.network_task import network_task
from weigh.models.huggingface import rebuild
from weigh.models.pretrained import load_model

hf = pytest.importorskip("transformers")
SIZE = (64, 64)
CLASSES = 5
SMALL = {"num_labels": CLASSES}
MADE = {
    "segformer": lambda: hf.SegformerForSemanticSegmentation(
        hf.SegformerConfig(hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=12, **SMALL)),
    "upernet": lambda: hf.UperNetForSemanticSegmentation(
        hf.UperNetConfig(backbone_config=hf.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1] * 4,
                                                           out_features=["stage1", "stage2", "stage3", "stage4"]),
                         hidden_size=12, auxiliary_channels=8, auxiliary_in_channels=16, **SMALL)),
    "beit": lambda: hf.BeitForSemanticSegmentation(
        hf.BeitConfig(hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
                      out_indices=[1, 2, 3, 4], auxiliary_channels=8, **SMALL)),
    "dpt": lambda: hf.DPTForSemanticSegmentation(
        hf.DPTConfig(hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
                     backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8] * 4, fusion_hidden_size=12, **SMALL)),
    "mobilenet_v2": lambda: hf.MobileNetV2ForSemanticSegmentation(hf.MobileNetV2Config(depth_multiplier=0.35, **SMALL)),
}  # fmt: skip
PREPARATION = {
    "size": {"height": 64, "width": 64}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2,
}  # fmt: skip


@pytest.fixture(scope="module", params=list(MADE))
def saved(request, tmp_path_factory):
    """A model, and the folder that it was saved in."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        own = MADE[request.param]().eval()
    folder = tmp_path_factory.mktemp("hf") / request.param
    own.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARATION))
    return own, folder


def noise() -> torch.Tensor:
    return torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def test_with_its_own_classifier_it_answers_as_it_does_there(saved):
    own, folder = saved
    _, network = network_for_masks(f"hf:{folder}", pretrained=True, outputs=CLASSES)
    network.eval()
    convolutions = [
        (n, p) for n, p in own.named_modules() if isinstance(p, torch.nn.Conv2d) and p.out_channels == CLASSES
    ]
    last = [part for name, part in convolutions if "auxiliary" not in name][-1]
    with torch.inference_mode():
        network.head.last.weight.copy_(last.weight)
        network.head.last.bias.copy_(last.bias)
        ours, theirs = network(noise()), own(pixel_values=noise()).logits
    aligned = folder.name == "dpt"  # it scales by two behind its classifier, which is the same before it
    ours = functional.interpolate(ours, size=theirs.shape[2:], mode="bilinear", align_corners=aligned)
    torch.testing.assert_close(ours, theirs)
    assert float(theirs.abs().max()) > 0


@pytest.mark.parametrize("at", ["head", "last-stage"])
def test_both_halves_give_what_the_whole_gives(saved, at):
    _, folder = saved
    model, network = network_for_masks(f"hf:{folder}", pretrained=True, outputs=CLASSES)
    stage = network.eval().split(shape=SIZE, native=64, address=model.address.written, at=at)
    with torch.inference_mode():
        kept = stage.prefix(noise())
        torch.testing.assert_close(stage.tail.eval()(kept), network(noise()))
    stage.tail.train()(kept.clone()[:1]).square().mean().backward()
    learning = {n for n, p in network.named_parameters() if p.grad is not None}
    assert bool(learning - {"head.last.weight", "head.last.bias"}) == (at == "last-stage")
    depth = network.depths()
    assert depth["head.last.weight"] == max(depth.values()) > 1


def test_it_is_rebuilt_from_its_configuration_and_is_for_masks_alone(saved):
    _, folder = saved
    model = load_model(f"hf:{folder}", pretrained=True, offline=True)
    again = rebuild("hf:./elsewhere", model.extra["config"], model.preprocessing.as_json(), str)
    shapes = [{n: t.shape for n, t in m.module.state_dict().items()} for m in (model, again)]
    assert shapes[0] == shapes[1]
    assert not any("auxiliary" in name for name in shapes[0])
    with pytest.raises(ModelError, match="It is for: semantic-segmentation"):
        network_task("image-classification").require(model)


def test_weights_without_a_decoder_are_no_pretrained_model(saved, tmp_path):
    _, folder = saved
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    parts = ("decode_head", "segmentation_head", "head.")
    kept = {n: t for n, t in weights.items() if not n.startswith(parts)}
    assert len(kept) < len(weights)
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="its weights lack"):
        load_model(f"hf:{tmp_path}", pretrained=True, offline=True)


@pytest.mark.parametrize(
    ("kind", "named"),
    [("mask2former", "Mask2FormerForUniversalSegmentation"), ("maskformer", "MaskFormerForInstanceSegmentation"),
     ("oneformer", "OneFormerForUniversalSegmentation")],
)  # fmt: skip
def test_models_that_answer_with_a_set_of_masks_are_refused(kind, named, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "architectures": [named]}))
    with pytest.raises(ModelError, match=named) as refused:
        load_model(f"hf:{tmp_path}", pretrained=False, offline=True)
    assert "SegFormer" in refused.value.render("en")
    assert "SegFormer" in refused.value.render("zh")
