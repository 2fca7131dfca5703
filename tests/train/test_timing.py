"""The cost of a prediction is a fact about the model: no other work on the machine changes it, and that work is noticed."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest
import torch

from weigh.train.timing import read_pass


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
