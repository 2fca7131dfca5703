"""Boxes from networks of all shapes: convolutions, transformers with one map, channels last, a decoder for masks that is not needed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.box_scenes import CLASSES, draw_rectangles
from weigh.data.examples import Examples
from weigh.heads.base import HEADS
from weigh.heads.network_task import network_task
from weigh.inputs.base import Batch, Placed
from weigh.kinds.boxes import BOXES
from weigh.models.pretrained import load_model
from weigh.tasks import OBJECT_DETECTION
from weigh.train.determinism import torch_generator

FRAME = (96, 64)
MODELS = [
    "timm:test_vit",
    "timm:test_efficientnet",
    "timm:test_convnext",
    "timm:test_resnet",
    "torchvision:lraspp_mobilenet_v3_large",
]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Examples:
    folder = tmp_path_factory.mktemp("scenes")
    names, target = draw_rectangles(folder, 3)
    return Examples(folder, names, target, CLASSES, np.array(["train"] * 3), np.arange(3), names, BOXES)


@pytest.mark.parametrize("address", MODELS)
def test_a_detector_trains_and_answers_on_any_network_with_maps(address, scenes):
    model = load_model(address, pretrained=False, offline=True)
    frame = FRAME if "vit" not in address else (model.preprocessing.size,) * 2
    model.configure({"frame": frame})
    network = network_task(OBJECT_DETECTION).build(model, scenes, torch_generator(0)).train()
    pictures = torch.randn(3, 3, *frame, generator=torch_generator(1))
    targets = HEADS.get(BOXES.name).targets(scenes.target, pictures, Placed(frame, None))
    network.loss(pictures, targets).backward()
    reached = [
        name for name, weight in network.body.named_parameters() if weight.grad is not None and weight.grad.any()
    ]
    assert reached, "the network learns, not its head alone"
    network.eval()
    with torch.inference_mode():
        logits = network(pictures)
        answers = network.answers(Batch(pictures, sizes=BOXES.sizes(scenes.target), frame=frame), 3)
    assert len(logits[0, :, -1].unique()) == 3
    for boxes, answer in zip(scenes.target, answers, strict=True):
        assert (answer.height, answer.width) == (boxes.height, boxes.width)
        assert (answer.corners >= 0).all()
        assert (answer.corners <= [boxes.width, boxes.height] * 2).all()


@pytest.mark.parametrize("at", ["head", "last-stage"])
@pytest.mark.parametrize("address", MODELS)
def test_what_is_kept_of_the_frozen_part_gives_the_same(address, at, scenes):
    model = load_model(address, pretrained=False, offline=True)
    frame = FRAME if "vit" not in address else (model.preprocessing.size,) * 2
    network = network_task(OBJECT_DETECTION).build(model, scenes, torch_generator(0)).eval()
    pictures = torch.randn(2, 3, *frame, generator=torch_generator(1))
    stage = network.split(shape=frame, native=model.preprocessing.size, address=address, at=at)
    with torch.inference_mode():
        whole, cut = network(pictures), stage.tail(stage.prefix(pictures))
    np.testing.assert_allclose(cut, whole, rtol=1e-4, atol=1e-3)
