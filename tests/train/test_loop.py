"""The training loop's fast paths against its slow ones, and two runs against each other."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from weigh.heads.network_task import label_of, network_task
from weigh.inputs.augment import augment, draw
from weigh.inputs.pictures import Pictures
from weigh.models.pretrained import load_model
from weigh.run import RECIPES
from weigh.train.determinism import computing
from weigh.train.device import ahead, make_scaler
from weigh.train.loop import Loop
from weigh.train.network import fit


@pytest.fixture
def make_loop(examples, setting, tiny):
    def make() -> Loop:
        model = load_model(tiny, pretrained=True, offline=True)
        some = replace(examples.subset(np.arange(12)), target=np.arange(12) % 2)
        network = network_task(setting.task).build(model, some, torch.Generator().manual_seed(0))
        pictures = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
        label = label_of(some, setting)
        return Loop(
            network, Pictures(pictures, model.preprocessing.at(64), "standard", setting.device, label),
            {**RECIPES.get("finetune").options["pictures"]().model_dump(), "batch_size": 4, "learning_rate": 1e-3}, setting, {"order": 1, "augmentation": 2}, 3, np.arange(12),
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


@pytest.mark.parametrize(
    "model", ["timm:mobilenetv3_small_050", pytest.param("timm:tf_efficientnet_lite0", marks=pytest.mark.thorough)]
)
def test_a_depthwise_network_trains_to_the_same_bits_again(model, examples, setting, make_run):
    run = make_run("scratch", model=model, epochs=1, image_size=32, batch_size=8)
    found = []
    for _ in range(2):
        with computing(threads=1):
            found += fit([run], replace(setting, precision="bf16"), examples)
    assert found[0].status == "done", found[0].cause
    np.testing.assert_array_equal(found[0].answers, found[1].answers)
    assert found[0].facts["history"] == found[1].facts["history"]


def test_fp16_with_its_scaled_loss_takes_the_steps_of_fp32(setting, make_loop):
    """What a GPU without bf16 does, on the processor: the loss is scaled, gradients unscaled before they are clipped."""
    plain, half = make_loop(), make_loop()
    half.setting = replace(setting, precision="fp16")
    half.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    assert not plain.scaler.is_enabled()
    start = torch.cat([p.detach().flatten().clone() for p in plain.network.head.parameters()])
    losses = [[loop.epoch(number) for number in (1, 2)] for loop in (plain, half)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.01)
    ends = [torch.cat([p.detach().flatten() for p in loop.network.head.parameters()]) for loop in (plain, half)]
    moved = [end - start for end in ends]
    assert torch.nn.functional.cosine_similarity(moved[0], moved[1], dim=0) > 0.95


def test_fp16_is_scaled_without_being_asked(examples, setting, make_run):
    run = make_run("finetune", epochs=2, image_size=64, batch_size=8)
    (outcome,) = fit([run], replace(setting, precision="fp16"), examples)
    assert outcome.status == "done", outcome.cause
    assert np.isfinite(outcome.answers).all()
    enabled = {p: make_scaler(replace(setting, precision=p)).is_enabled() for p in ("fp16", "bf16", "fp32")}
    assert enabled == {"fp16": True, "bf16": False, "fp32": False}


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_batches_made_ahead_are_those_made_when_asked_for(count):
    made = []

    def make(item):
        made.append(item)
        return item * 10

    assert list(ahead(make, range(5), "cpu", count)) == [(i, i * 10) for i in range(5)]
    assert made == list(range(5))
    first = ahead(make, range(5), "cpu", count)
    next(first)
    first.close()  # an epoch that ends early leaves no thread behind
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPool") and t.is_alive()]


def test_an_error_in_the_thread_reaches_the_loop():
    def make(item):
        if item == 1:
            raise MemoryError("no room")
        return item

    with pytest.raises(MemoryError, match="no room"):
        list(ahead(make, range(3), "cpu", 2))


def test_an_epoch_fed_from_a_thread_equals_one_that_is_not(make_loop, monkeypatch):
    losses = []
    for count in (0, 2):
        monkeypatch.setattr(
            "weigh.train.loop.ahead", lambda make, items, device, count=count: ahead(make, items, device, count)
        )
        loop = make_loop()
        losses.append([loop.epoch(number) for number in (1, 2)])
    assert losses[0] == losses[1]


def test_a_picture_becomes_what_its_draw_says_whatever_the_batch():
    pictures = torch.randint(0, 256, (12, 80, 80, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    drawn = draw(12, "standard", torch.Generator().manual_seed(1))
    together = augment(pictures, drawn, (64, 64))
    for batch in (1, 5):
        parts = [augment(pictures[i : i + batch], drawn[i : i + batch], (64, 64)) for i in range(0, 12, batch)]
        assert torch.equal(torch.cat(parts), together)
