"""Whole detectors of torchvision: boxes and losses are the library's own, classes become the user's, what is not trained on has no loss."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.detection.image_list import ImageList

from tests.own_detectors import TARGETS, noise
from weigh.errors import ModelError
from weigh.heads.base import HEADS
from weigh.kinds.boxes import BOXES
from weigh.models import torchvision as source
from weigh.models.download import Kept
from weigh.models.network import Network, make_network
from weigh.models.own_boxes import make_own_boxes
from weigh.models.pretrained import load_model
from weigh.models.torchvision_boxes import DETECTORS
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model

LIGHT = ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"]
KINDS = [*LIGHT, "fcos_resnet50_fpn", pytest.param("retinanet_resnet50_fpn", marks=pytest.mark.thorough)]
CLASSES = ("__background__", "b", "c", "a")
USERS = ("a", "B", "c")
OWN = [3, 1, 2]  # their numbers in the library


class Plain(nn.Module):
    """In place of the library's scaling: pictures stand in the frame as they are."""

    def __init__(self, seen=None) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, pictures, targets=None):
        return ImageList(pictures, self.seen or [tuple(pictures.shape[2:])] * len(pictures)), targets

    def postprocess(self, detections, *_sizes):
        return detections


def _measure_norms(model, frame) -> None:
    """Statistics of batch norms from one batch, so that maps of random weights differ from place to place."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train().backbone(noise(4, 3, *frame, seed=9) if norms else torch.zeros(1, 3, *frame))
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


@pytest.fixture(scope="module")
def made():
    """`made(name) -> (the library's model of three classes, ours of the same weights)`; scores spread."""
    kept = {}

    def make(name: str) -> tuple[nn.Module, Network]:
        if name not in kept:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=4)
                _measure_norms(model, (288, 288) if "vgg" in name else (96, 128))
            generator = torch.Generator().manual_seed(2)
            with torch.no_grad():
                for weight_name in sorted(DETECTORS.head(model)):
                    weight = model.get_parameter(weight_name)
                    if weight.ndim > 1:
                        weight.normal_(0, 0.05, generator=generator)
                if hasattr(model.head if hasattr(model, "head") else None, "classification_head"):
                    head = model.head.classification_head
                    if hasattr(head, "cls_logits"):  # a class 0 that nothing is: the library would tell it
                        head.cls_logits.bias.view(-1, 4)[:, 0] = -1e4
            pyramid = DETECTORS.boxes(model, torch.zeros(1, 3, 64, 64))
            pyramid.own = pyramid.own._replace(names=CLASSES)
            network = Network(
                pyramid, make_own_boxes(pyramid, USERS, None), HEADS.get("boxes").own, DETECTORS, of_maps=True
            )
            kept[name] = model, network
        return kept[name]

    return make


@pytest.mark.parametrize(
    ("name", "seen"), [*((name, [(96, 120), (70, 128)]) for name in KINDS[:3]), pytest.param("retinanet_resnet50_fpn", [(96, 120), (70, 128)], marks=pytest.mark.thorough), *((name, None) for name in LIGHT), pytest.param("ssd300_vgg16", [(288, 250)], marks=[pytest.mark.slow, pytest.mark.thorough])]
)  # fmt: skip
def test_boxes_are_the_librarys_own(name, seen, made):
    model, network = made(name)
    frame = (288, 288) if "vgg" in name else (96, 128)
    model.eval(), network.eval()
    model.transform = Plain(seen)
    at = model.roi_heads if hasattr(model, "roi_heads") else model
    at.score_thresh, at.detections_per_img = 0.001, 100
    pictures = noise(1 if "vgg" in name else 2, 3, *frame)
    with torch.inference_mode():
        theirs = model(pictures)
        ours = network.get_submodule("head").find(
            network.features(pictures), seen or [frame] * 2, least=0.001, most=100
        )
    for one, other in zip(ours, theirs, strict=True):
        assert len(one.scores) == len(other["scores"]) > 10
        assert [OWN[c] for c in one.classes.tolist()] == other["labels"].tolist()
        np.testing.assert_allclose(one.scores, other["scores"], atol=1e-6)
        np.testing.assert_allclose(one.corners, other["boxes"], atol=1e-3)


@pytest.mark.parametrize("name", KINDS)
def test_the_loss_is_the_sum_of_the_librarys_losses(name, made):
    model, network = made(name)
    model.train(), network.train()
    model.transform, pictures = Plain(), noise(2, 3, 96, 128)
    boxes = TARGETS[0, [0, 2]]
    labels = torch.tensor([OWN[int(c)] for c in boxes[:, 4]])
    theirs = [{"boxes": boxes[:, :4], "labels": labels}, {"boxes": torch.zeros(0, 4), "labels": labels[:0]}]
    without_crowd = TARGETS.clone()
    without_crowd[0, 1] = TARGETS[1, 0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)  # Faster R-CNN draws the places that it learns from
        expected = sum(model(pictures, theirs).values())
        torch.manual_seed(5)
        loss = network.loss(pictures, without_crowd)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    empty = network.loss(pictures[:1], TARGETS[1:])
    empty.backward()
    assert torch.isfinite(empty)


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_learnt_from_a_crowd(name, made):
    """With a region over all of the picture the places that answer for no box have no gradient; without boxes nothing has."""
    _, network = made(name)
    network.eval().train()
    whole = torch.tensor([0.0, 0, 128, 96, -1])
    crowd = torch.stack([TARGETS[1], TARGETS[1]])
    crowd[:, 0] = whole
    pictures = noise(2, 3, 96, 128)
    torch.manual_seed(5)
    assert network.loss(pictures, crowd).item() < 1e-6
    boxed = TARGETS.clone()
    torch.manual_seed(5)
    plain = network.loss(pictures, boxed).item()
    boxed[:, 1] = whole
    torch.manual_seed(5)
    loss = network.loss(pictures, boxed).item()
    assert loss > 0
    assert loss < plain or "rcnn" in name  # the mean over places that it draws, of which fewer are easy ones now


@pytest.mark.parametrize("name", KINDS[:1])
def test_a_step_lowers_the_loss_and_pictures_without_boxes_train(name, made):
    network = made(name)[1].train()
    pictures, losses = noise(2, 3, 96, 128), []
    empty = TARGETS[[1, 1]]
    network.zero_grad()
    loss = network.loss(pictures, empty)
    loss.backward()
    assert torch.isfinite(loss)
    weights = [weight.detach().clone() for weight in network.parameters()]
    for _ in range(2):
        network.zero_grad()
        torch.manual_seed(5)
        loss = network.loss(pictures, TARGETS)
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for weight in network.parameters():
                if weight.grad is not None:
                    weight -= 1e-4 * weight.grad
    assert losses[1] < losses[0]
    with torch.no_grad():
        for weight, before in zip(network.parameters(), weights, strict=True):
            weight.copy_(before)


# ---- through the source


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The server of torchvision answers with random weights of all COCO classes."""

    def answer(url: str, *, offline: bool) -> Kept:
        name = next(name for name in LIGHT if name.split("_fpn")[0] in url or name in url)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            model = torchvision.models.get_model(name, weights=None, weights_backbone=None)
        torch.save(model.state_dict(), tmp_path / f"{name}.pth")
        return Kept(tmp_path / f"{name}.pth")

    monkeypatch.setattr(source, "_fetch", answer)


@pytest.mark.parametrize("name", LIGHT)
def test_what_it_knows_by_name_is_kept_and_batch_norms_stay_as_they_were(name, hub):
    model = load_model(f"torchvision:{name}", pretrained=True, offline=True)
    assert model.provenance.source == "hub"
    assert (model.ports, model.names[1], model.classes) == ({"network", "boxes"}, "person", 91)
    frozen = [part for part in model.module.modules() if type(part).__name__ == "FrozenBatchNorm2d"]
    assert bool(frozen) == ("rcnn" in name)
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    network = make_network(
        model, 3, torch.Generator().manual_seed(0), HEADS.get("boxes").on(model.ports), port="boxes", classes=("zebra", "Dog", "gizmo")
    )  # fmt: skip
    after = network.state_dict()
    if "rcnn" in name:
        own, new = (state for state in (before["roi_heads.box_predictor.cls_score.weight"], after["head.parts.model.roi_heads.box_predictor.cls_score.weight"]))  # fmt: skip
        rows = [0, model.names.index("zebra"), model.names.index("dog")]
    else:
        key = "head.classification_head.module_list.0.1.weight"
        own, new = before[key].view(-1, 91, 672), after[f"head.parts.model.{key}"].view(-1, 4, 672)
        own, new = own[0], new[0]
        rows = [0, model.names.index("zebra"), model.names.index("dog")]
    torch.testing.assert_close(new[:3], own[rows])
    assert 0 < float(new[3].abs().max()) < 0.2  # drawn
    norms = {key: value.clone() for key, value in after.items() if "running" in key}
    network.train()
    network.loss(noise(2, 3, 96, 128), TARGETS).backward()
    assert norms
    assert all(torch.equal(network.state_dict()[key], value) for key, value in norms.items())
    depths = network.depths()
    assert {depths[key] for key in depths if key.startswith("body.")} == {0}
    assert max(depths.values()) == 12  # what gives classes learns fastest


def norms(network: nn.Module) -> list[tuple[str, float]]:
    return [(type(part).__name__, part.eps) for part in network.modules() if "BatchNorm" in type(part).__name__]


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_saved_detector_has_the_batch_norms_that_it_was_trained_with(pretrained, hub, tmp_path, monkeypatch):
    name, classes = LIGHT[1], ("zebra", "dog")
    monkeypatch.setattr(source, "NO_EPS", (name,))  # in place of fasterrcnn_resnet50_fpn, which takes ten times as long
    address = f"torchvision:{name}"
    model = load_model(address, pretrained=pretrained, offline=True)
    first = next(part for part in model.module.backbone.modules() if "BatchNorm" in type(part).__name__)
    first.running_var.fill_(1e-5)  # then an epsilon counts
    how = (torch.Generator().manual_seed(0), HEADS.get("boxes").on(model.ports))
    network = make_network(model, 2, *how, port="boxes", classes=classes).eval()
    assert set(norms(network)) == {("FrozenBatchNorm2d", 0.0) if pretrained else ("BatchNorm2d", 1e-5)}
    save_model(
        tmp_path / "model", address=address, weights={key: value.numpy() for key, value in network.state_dict().items()},
        meaning=Meaning("object-detection", BOXES, classes, 1.0, np.zeros(len(classes))), options={"frame": [64, 96]},
        frozen=False, facts={},
    )  # fmt: skip
    opened = load_saved(tmp_path / "model").network
    assert norms(opened) == norms(network)
    with torch.inference_mode():
        for ours, theirs in zip(opened.body(noise(1, 3, 64, 96)), network.body(noise(1, 3, 64, 96)), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_file_of_frozen_batch_norms_is_read_as_such(frozen, tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        state = torchvision.models.get_model(LIGHT[1], weights=None, weights_backbone=None).state_dict()
    if frozen:  # as torchvision writes those that were trained from its pretrained weights
        state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "own.pth")
    model = load_model(f"file:{tmp_path / 'own.pth'}@torchvision:{LIGHT[1]}", pretrained=True, offline=True)
    assert {name for name, _ in norms(model.module.backbone)} == {"FrozenBatchNorm2d" if frozen else "BatchNorm2d"}


def test_a_network_is_not_cut_at_its_last_stage_and_the_error_names_what_remains():
    model = load_model(f"torchvision:{LIGHT[0]}", pretrained=False, offline=True)
    with pytest.raises(ModelError, match="not cut where last-stage begins") as refused:
        model.require_cut("last-stage", "object-detection")
    for language in ("en", "zh"):
        assert "finetune, decoder, scratch" in refused.value.render(language)
    model.require_cut("head")


@pytest.mark.slow
def test_a_frame_that_is_too_small_is_an_error_in_words(made):
    _, network = made("ssd300_vgg16")
    with pytest.raises(ModelError, match="128 x 96 pixels is too small"):
        network.eval()(noise(1, 3, 96, 128))


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"])
def test_what_answers_with_more_than_boxes_is_refused(name):
    with pytest.raises(ModelError, match="more than boxes") as refused:
        load_model(f"torchvision:{name}", pretrained=True, offline=True)
    assert "torchvision:fasterrcnn_resnet50_fpn" in refused.value.render("zh")


def test_a_file_of_another_number_of_classes_gives_all_but_what_gives_classes(tmp_path):
    name = LIGHT[1]
    other = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=7)
    torch.save(other.state_dict(), tmp_path / "mine.pth")
    model = load_model(f"file:{tmp_path / 'mine.pth'}@torchvision:{name}", pretrained=True, offline=True)
    assert (model.ports, model.classes) == ({"network", "boxes"}, 0)
    torch.testing.assert_close(model.module.rpn.head.cls_logits.weight, other.rpn.head.cls_logits.weight)
    assert model.boxes().own.names == ()  # its classes are not COCO's


def test_recorded_answers_are_in_pixels_of_the_picture(made):
    _, network = made(LIGHT[0])
    sizes = np.array([(192, 256), (60, 100)])
    batch = SimpleNamespace(inputs=noise(2, 3, 96, 128), sizes=sizes, frame=(96, 128))
    with torch.inference_mode():
        answers = network.eval().answers(batch, 3)
    target = BOXES.blank(2, 3)
    for answer, (height, width) in zip(answers, sizes.tolist(), strict=True):
        assert 10 < len(answer.scores) <= 100
        assert (answer.scores > 0.001).all()
        assert (answer.corners >= 0).all()
        assert (answer.corners <= [width, height] * 2).all()
        assert answer.corners[:, 2:].max() > 0.9 * min(height, width)
    assert len(target) == 2
