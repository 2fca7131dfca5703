"""The cost of a prediction is a fact about the model: no other work on the machine changes it, and that work is noticed."""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from tests.text_models import save_tiny_encoder
from tests.train.test_vocabulary import SETTING, examples_of
from weigh.kinds.base import rows_of
from weigh.plan.jobs import least_timing
from weigh.run import RECIPES
from weigh.train import timing
from weigh.train.averaging import state_of
from weigh.train.timing import read_pass, time_model


def trained(*recipes: str):
    """Recipes as `time_model` takes them."""
    return [(RECIPES.get(name), {}) for name in recipes]


def burn(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1000))


def test_a_pass_costs_what_one_thread_computes_and_waiting_is_told_apart():
    def work():
        until = time.thread_time() + 0.03
        while time.thread_time() < until:
            pass
        time.sleep(0.06)

    reading = read_pass(work, "cpu")
    assert reading.seconds == pytest.approx(0.03, rel=0.2)
    assert reading.delay > 2


def test_the_number_of_threads_changes_no_cost_and_comes_back():
    before = torch.get_num_threads()
    layer = torch.nn.Conv2d(16, 16, 3)
    x, seen = torch.rand(8, 16, 64, 64), []

    def work():
        seen.append(torch.get_num_threads())
        with torch.inference_mode():
            layer(x)

    torch.set_num_threads(2)
    try:
        assert read_pass(work, "cpu").seconds > 0
        assert torch.get_num_threads() == 2
        with pytest.raises(ZeroDivisionError):
            read_pass(lambda: 1 / 0, "cpu")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_a_crowded_machine_gives_the_same_cost(tmp_path):
    layer = torch.nn.Linear(512, 512)
    x = torch.rand(512, 512)

    def work():
        with torch.inference_mode():
            for _ in range(4):
                layer(x)

    alone = read_pass(work, "cpu")
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=burn, args=(20,), daemon=True) for _ in range(3 * (os.cpu_count() or 1))]
    for process in others:
        process.start()
    try:
        crowded = read_pass(work, "cpu")
    finally:
        for process in others:
            process.terminate()
    assert crowded.delay > 1.5
    assert crowded.seconds < 2 * alone.seconds


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_a_few_long_texts_do_not_set_the_price_of_all(tmp_path, monkeypatch, task):
    """Batches of a study hold texts of about one length; eight texts of any length would be filled up to the longest."""
    address, plain = save_tiny_encoder(tmp_path / "model"), examples_of(task)
    words = [("music",) * (50 if i % 5 == 2 else 4) for i in range(len(plain))]
    rows = rows_of(words if task.startswith("token") else [(" ".join(one),) for one in words])
    examples = replace(plain, rows=rows)
    seen: list[tuple[int, ...]] = []

    def spy(work, device, network, enough):
        with network.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape))):
            work()
        return timing.Reading(8.0, 1.0, 8.0)

    monkeypatch.setattr(timing, "read_pass", spy)
    setting = replace(SETTING, task=task)
    known = time_model(address, setting, trained("probe"), precision="auto", examples=examples, enough=0.0)
    assert seen == [(8, seen[0][1], 6)]  # not 52
    assert known["model"]["seconds_per_picture"] == 1.0


@pytest.mark.parametrize(
    ("asked", "head", "network"), [("auto", "fp32", "bf16"), ("bf16", "bf16", "bf16"), ("fp32", "fp32", "fp32")]
)
def test_half_precision_is_for_training_alone_unless_it_is_asked_for(monkeypatch, tiny, asked, head, network):
    monkeypatch.setattr(timing, "best_precision", lambda _device: "bf16")
    computed_in: list[str] = []

    def spy(_device, precision):
        computed_in.append(precision)
        return nullcontext()

    monkeypatch.setattr(timing, "autocast", spy)
    setting = replace(SETTING, task="image-classification")
    known = time_model(tiny, setting, trained("scratch"), precision=asked, enough=0.0)
    assert (known["precision_head"], known["precision_network"]) == (head, network)
    assert computed_in[0] == "fp32"  # what a prediction of the saved model costs
    assert list(dict.fromkeys(computed_in)) == list(dict.fromkeys(["fp32", head, network]))
    least = least_timing({name: value for name, value in known.items() if "step" not in name})
    passes = least["seconds_per_step_example"] / known["seconds_per_pass_example"]
    assert passes == pytest.approx(0.5 if head != network else 2.0)
    assert known["seconds_per_update"] > 0.0


def test_timing_steps_of_the_optimiser_leaves_the_weights_as_they_are():
    network = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
    before = state_of(network)
    assert timing._seconds_of_update(network, "cpu", enough=1.0) > 0.0
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
