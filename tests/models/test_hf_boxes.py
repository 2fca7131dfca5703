"""Whole detectors of transformers: answers are those of the library's own processors, the loss is the library's, classes become the user's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.own_detectors import KINDS, NAMES, TARGETS, noise, save_tiny, tiny_of_transformers
from weigh.errors import ModelError
from weigh.heads.base import HEADS
from weigh.models.hf_boxes import FAMILIES, anatomy_of
from weigh.models.network import Network, make_network
from weigh.models.own_boxes import make_own_boxes
from weigh.models.pretrained import load_model

pytest.importorskip("transformers")
FRAME, SEEN = (96, 128), [(96, 120), (70, 128)]


def network_of(model, classes=("red", "cat", "blue"), generator=None) -> Network:
    anatomy = anatomy_of(model.config)
    pyramid = anatomy.boxes(model, torch.zeros(1, 3, 64, 64))
    return Network(pyramid, make_own_boxes(pyramid, classes, generator), HEADS.get("boxes").own, anatomy, of_maps=True)


def mask_of(seen) -> torch.Tensor:
    mask = torch.zeros(len(seen), *FRAME, dtype=torch.long)
    for row, (height, width) in zip(mask, seen, strict=True):
        row[:height, :width] = 1
    return mask


def processor_of(kind: str):
    import transformers as hf

    name = {
        "detr": "Detr",
        "conditional_detr": "ConditionalDetr",
        "deformable_detr": "DeformableDetr",
        "yolos": "Yolos",
    }
    return getattr(hf, f"{name.get(kind.partition(' ')[0], 'RTDetr')}ImageProcessor")()


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_the_librarys_own_processor(kind):
    model = tiny_of_transformers(kind).eval()
    network = network_of(model).eval()
    masked, pictures = FAMILIES[model.config.model_type].masked, noise(2, 3, *FRAME)
    more = {"pixel_mask": mask_of(SEEN)} if masked else {}
    with torch.inference_mode():
        outputs = model(pixel_values=pictures, **more)
        sizes = torch.tensor(SEEN if masked else [FRAME] * 2)
        theirs = processor_of(kind).post_process_object_detection(outputs, threshold=0.001, target_sizes=sizes)
        ours = network.get_submodule("head").find(network.features(pictures), SEEN, least=0.001, most=100)
    for one, other in zip(ours, theirs, strict=True):
        order = other["scores"].argsort(descending=True, stable=True)[:100]
        # RT-DETR's tells as many as it has queries, always more than a hundred in those that are published
        n = len(order) if processor_of(kind).__class__.__name__.startswith("RTDetr") else len(one.scores)
        assert len(order) == n > 0
        expected = rows_of(other["scores"][order], other["labels"][order], other["boxes"][order])
        np.testing.assert_allclose(rows_of(one.scores[:n], one.classes[:n], one.corners[:n]), expected, atol=1e-3)


def rows_of(scores, classes, corners) -> np.ndarray:
    """In an order that ties of scores do not change."""
    rows = np.column_stack([scores, classes, corners])
    return rows[np.lexsort((rows[:, 3].round(1), rows[:, 2].round(1), rows[:, 1], -rows[:, 0].round(3)))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_librarys_and_a_step_lowers_it(kind):
    model = tiny_of_transformers(kind).train()
    network = network_of(model).train()
    pictures, targets = noise(2, 3, *FRAME), TARGETS.clone()
    targets[:, -1, 2:4] = torch.tensor([[120, 96], [128, 70]])
    masked = FAMILIES[model.config.model_type].masked
    height, width = (96, 120) if masked else FRAME
    corners = TARGETS[0, [0, 2], :4] / torch.tensor([width, height] * 2)
    boxes = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], dim=1)
    labels = [
        {"class_labels": TARGETS[0, [0, 2], 4].long(), "boxes": boxes},
        {"class_labels": torch.zeros(0, dtype=torch.int64), "boxes": torch.zeros(0, 4)},
    ]
    more = {"pixel_mask": mask_of(SEEN)} if masked else {}
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        expected = model(pixel_values=pictures, labels=labels, **more).loss
        for _ in range(2):
            torch.manual_seed(3)
            network.zero_grad()
            loss = network.loss(pictures, targets)
            loss.backward()
            losses.append(loss.item())
            with torch.no_grad():
                for weight in network.parameters():
                    if weight.grad is not None:
                        weight -= 1e-5 * weight.grad
        assert torch.isfinite(network.loss(pictures, TARGETS[[1, 1]])), "pictures without boxes"
    assert losses[0] == pytest.approx(expected.item(), rel=1e-5)
    assert losses[1] < losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_classes_that_it_knows_by_name_are_kept_and_others_drawn(kind):
    model = tiny_of_transformers(kind).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    network = network_of(model, ("Blue", "gizmo"), torch.Generator().manual_seed(0)).eval()
    layers = network.get_submodule("head").parts._layers()
    assert layers
    for name, layer in layers.items():
        own, new = before[f"{name}.weight"], layer.weight
        nothing = len(own) - len(NAMES)
        torch.testing.assert_close(new[0], own[2])
        assert nothing == 0 or torch.equal(new[-1], own[-1])
        assert 0 < float(new[1].detach().abs().max()) < 0.2
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()), "the model stays"
    with torch.inference_mode():
        assert network(noise(1, 3, *FRAME)).shape[2] == 2 + 4


@pytest.mark.parametrize("kind", ["detr", "yolos"])
def test_four_pictures_are_learnt_by_heart(kind):
    network = network_of(tiny_of_transformers(kind), generator=torch.Generator().manual_seed(0)).train()
    pictures, targets = noise(4, 3, 64, 96), TARGETS[[0, 1, 0, 1]].clone()
    targets[2, 0] = torch.tensor([40, 20, 90, 60, 0.0])
    targets[..., :4] = targets[..., :4].clamp_max(64)
    optimiser, losses = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0), []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(25):
            optimiser.zero_grad()
            loss = network.loss(pictures, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1)
            optimiser.step()
            losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.75 * losses[0]


def test_a_folder_is_loaded_with_names_and_preparation(tmp_path):
    model = load_model(save_tiny("rt_detr_v2", tmp_path), pretrained=True, offline=True)
    assert (model.ports, model.names) == ({"network", "boxes"}, ("red", "cat", "blue"))
    assert (model.preprocessing.size, model.preprocessing.mean) == (800, (0.5, 0.5, 0.5))
    network = make_network(model, 2, None, HEADS.get("boxes").on(model.ports), port="boxes", classes=("red", "gizmo"))
    norms = [part for part in network.train().modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)  # of neck and head too: they were pretrained
    assert len(set(network.depths().values())) == 3


def test_what_is_one_network_is_trained_whole(tmp_path):
    model = load_model(save_tiny("yolos", tmp_path), pretrained=True, offline=True)
    with pytest.raises(ModelError, match="Recipes that remain for it: finetune, scratch"):
        model.require_cut("head", "object-detection")
