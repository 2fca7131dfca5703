"""The training loop's fast paths against its slow ones, and two runs against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from weigh.inputs.augment import augment, draw
from weigh.inputs.pictures import Pictures
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.run import RECIPES
from weigh.tasks.base import TASKS
from weigh.train.determinism import computing
from weigh.train.loop import Loop
from weigh.train.network import fit


@pytest.fixture
def make_loop(setting, tiny):
    def make() -> Loop:
        model = load_model(tiny, pretrained=True, offline=True)
        network = make_network(model, 2, torch.Generator().manual_seed(0))
        pictures = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
        return Loop(
            network, Pictures(pictures, model.preprocessing.at(64), "standard", setting.device), np.arange(12) % 2, TASKS.get(setting.task),
            {**RECIPES.get("finetune").defaults, "batch_size": 4}, setting, {"order": 1, "augmentation": 2}, 3, np.arange(12),
        )  # fmt: skip

    return make


def test_the_fused_optimiser_takes_the_steps_of_the_plain_one(make_loop):
    fused, plain = make_loop(), make_loop()
    assert fused.optimiser.defaults["fused"]
    plain.optimiser = torch.optim.AdamW(
        [{key: value for key, value in group.items() if key != "fused"} for group in plain.optimiser.param_groups],
        lr=plain.options["learning_rate"], foreach=False, fused=False,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    start = torch.cat([p.detach().flatten().clone() for p in fused.network.parameters()])
    for _ in range(20):  # the same gradients for both, so that what differs is the optimiser
        for a, b in zip(fused.network.parameters(), plain.network.parameters(), strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        fused.optimiser.step()
        plain.optimiser.step()
    ends = [torch.cat([p.detach().flatten() for p in loop.network.parameters()]) for loop in (fused, plain)]
    moved = (ends[1] - start).abs().max()
    assert moved > 0
    assert (ends[0] - ends[1]).abs().max() <= 1e-5 * moved


@pytest.mark.parametrize("model", ["timm:mobilenetv3_small_050", "timm:tf_efficientnet_lite0"])
def test_a_depthwise_network_trains_to_the_same_bits_again(model, examples, setting, make_run):
    run = make_run("scratch", model=model, epochs=1, image_size=64, batch_size=8)
    found = []
    for _ in range(2):
        with computing(threads=1):
            found += fit([run], replace(setting, precision="bf16"), examples)
    assert found[0].status == "done", found[0].cause
    np.testing.assert_array_equal(found[0].logits, found[1].logits)
    assert found[0].facts["history"] == found[1].facts["history"]


def test_a_picture_becomes_what_its_draw_says_whatever_the_batch():
    pictures = torch.randint(0, 256, (12, 80, 80, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    drawn = draw(12, "standard", torch.Generator().manual_seed(1))
    together = augment(pictures, drawn, 64)
    for batch in (1, 5):
        parts = [augment(pictures[i : i + batch], drawn[i : i + batch], 64) for i in range(0, 12, batch)]
        assert torch.equal(torch.cat(parts), together)
