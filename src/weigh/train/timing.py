"""A short timing per model: what a pass costs here, for the prediction of the study and for the cost of a prediction. Stored once per study.

The two are different numbers. How long the study will take is wall-clock time with all its threads, on the machine as busy as it is. What a
prediction costs is a fact about the model: on a processor the time of one thread that computes, without the time that others took away
from it, the least of several readings. So candidates with the same network have the same cost, whatever else the machine did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn

from weigh.data.examples import Examples
from weigh.errors import ModelError
from weigh.heads.network_task import label_of, network_task
from weigh.inputs.base import Inputs, Placed
from weigh.models.network import Network, make_network
from weigh.models.only_features import Computed
from weigh.models.pretrained import Pretrained, load_model
from weigh.models.processor.layers import speed_up
from weigh.run import Recipe, Setting
from weigh.train.determinism import single_thread
from weigh.train.device import autocast, best_precision
from weigh.train.lora import add_adapters
from weigh.train.schedule import clip
from weigh.train.vocabulary import shorten_vocabulary

__all__ = ["Reading", "read_example", "read_pass", "time_model"]

CUTS: dict[Literal["last-stage", "head"], str] = {
    "last-stage": "tail",
    "head": "head",
}  # `Recipe.frozen` -> what is timed then
ENOUGH, CALLS = 1.0, 8  # seconds of timing, and calls, at most
UPDATES = 0.1  # seconds of timing steps of the optimiser, which are a small part of training
LONG = 3.0  # times as long as that, and calls are not repeated: eight pictures through a detector take seconds
SAMPLE = 256  # examples whose batches are looked at for one of usual size

Timed = TypeVar("Timed", bound=tuple[float, ...])


class Reading(NamedTuple):
    """What one pass costs.

    Attributes:
        seconds: Of one thread of the processor; of an accelerator by the clock. The least of several calls.
        delay: How many times as long they took by the clock: 1 on a machine that does nothing else.
        wall: The least by the clock, of one thread too.
    """

    seconds: float
    delay: float
    wall: float


def time_model(
    address: str,
    setting: Setting,
    trained: Sequence[tuple[Recipe, dict[str, Any]]],
    *,
    passes: bool = True,
    steps: bool = True,
    precision: str,
    examples: Examples | None = None,
    enough: float = ENOUGH,
) -> dict[str, Any]:
    """Seconds per example of a forward pass and of a training step, each in its own arithmetic.

    Args:
        trained: The recipes that the model is for, with their options: a model that one of them cannot use is refused, steps of training are timed as
            each of them trains, of adapters those of the dearest, and weights are loaded where one begins with them, so that a missing one is said
            before anything runs. Of a network that cannot be cut where a recipe freezes it no step is timed: its runs will say why.
        passes, steps: Time passes, training steps; of what is not timed nothing is returned.
        precision: "auto", or what the user asked for.
        examples: Of the study; texts are timed at their own lengths.
        enough: Seconds after which calls are no longer repeated; zero: each is made once, and the numbers are rough.

    Returns:
        load_seconds; seconds_per_example (with reading it), seconds_per_pass_example (without), seconds_per_step_example, seconds_per_tail_step_example,
        seconds_per_head_step_example, seconds_per_low_rank_step_example, seconds_per_update (of the optimiser, once for each batch of all weights), precision_head, precision_network, channels_last; of square pictures image_size, their side in pixels;
        of a pretrained model also `model`, what the study knows of it from now on (`Setting.model`): what names it, and `seconds_per_picture`
        and `delay` of a `Reading`.
    """
    began = time.perf_counter()
    recipes = [recipe for recipe, _ in trained]
    network = any(recipe.trains == "network" for recipe in recipes)
    pretrained = any(recipe.pretrained for recipe in recipes)
    frozen = {recipe.frozen for recipe in recipes}
    model = load_model(address, pretrained=pretrained, offline=setting.offline, trust_code=setting.trust_code)
    loaded = time.perf_counter() - began
    task = network_task(setting.task)
    ports = [*(["network"] if network else []), *(["layers"] if any(recipe.layers for recipe in recipes) else [])]
    balanced = any(options.get("class_weights") == "balanced" for _, options in trained)
    task.require(model, *ports, cuts=frozen, balanced=balanced)
    known = model.known() if pretrained else None
    net, batch, n, inputs = _network_and_batch(model, setting, 16 if network and steps else 8, examples)
    speed_up(net, setting.device)
    targets = _targets(examples, setting, batch)

    def forward(chosen: str) -> None:
        net.eval()
        with torch.inference_mode(), autocast(setting.device, chosen):
            net(batch)

    def step(chosen: str) -> None:
        net.train()
        with autocast(setting.device, chosen):
            loss = net.blank_loss(batch) if targets is None else net.loss(batch, targets())
        loss.backward()
        net.zero_grad(set_to_none=True)

    # Which arithmetic is used must not depend on a stopwatch: the same study on the same machine gives the same numbers. Half precision
    # is for training; features and answers are computed as the saved model computes them (docs/decisions/arithmetic.md).
    chosen, answering = (best_precision(setting.device), "fp32") if precision == "auto" else (precision, precision)
    timed: dict[str, Any] = {}
    if passes:
        # what a prediction costs: saved models answer in single precision, whatever features are computed in
        reading = read_pass(lambda: forward("fp32"), setting.device, net, enough)
        alike = answering == "fp32" and (setting.device != "cpu" or setting.threads == 1)  # as the study computes
        seconds = (reading.wall if alike else _seconds(forward, answering, setting.device, enough)) / n
        cost = {"seconds_per_picture": reading.seconds / n, "delay": reading.delay}
        timed |= {
            "precision_head": answering,
            "precision_network": chosen,
            "seconds_per_example": max(seconds, task.feed.reading_seconds),
            "seconds_per_pass_example": seconds,
            "load_seconds": loaded,
            "channels_last": True,
            "model": None if known is None else {**known, **cost},
        }
        if batch.ndim == 4 and (examples is None or not examples.kind.placed):
            timed["image_size"] = batch.shape[-1]
    if not steps:
        return timed
    if network:
        if inputs is not None and task.feed.tokens is not None:
            shorten_vocabulary(net, task.feed.tokens(inputs))  # as in training
        timed["seconds_per_step_example"] = _seconds(step, chosen, setting.device, enough) / n
        timed["seconds_per_update"] = _seconds_of_update(net, setting.device, enough)
    for options in (options for recipe, options in trained if recipe.low_rank):
        adapters = add_adapters(net, options, rng_seed=0, address=address)
        seconds = _seconds(step, chosen, setting.device, enough) / n
        timed["seconds_per_low_rank_step_example"] = max(seconds, timed.get("seconds_per_low_rank_step_example", 0.0))
        adapters.merge()
    whole, shape = net, (batch.shape[2], batch.shape[3]) if batch.ndim == 4 else (0, 0)
    for at, name in CUTS.items():
        if at in frozen:
            with suppress(ModelError):
                stage = whole.split(shape=shape, native=model.preprocessing.size, address=address, at=at)
                net, batch = stage.tail, torch.rand(len(batch), *stage.shape, device=setting.device)
                timed[f"seconds_per_{name}_step_example"] = _seconds(step, chosen, setting.device, enough) / n
    return timed


def _seconds_of_update(network: nn.Module, device: str, enough: float) -> float:
    """Seconds of one step of the optimiser over all weights. Gradients and the learning rate are zero, so the weights stay what they are."""
    parameters = list(network.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=0.0, weight_decay=0.0, fused=device != "mps")
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)

    def update(_precision: str) -> None:
        clip(parameters)
        optimiser.step()

    seconds = _seconds(update, "", device, min(enough, UPDATES))
    network.zero_grad(set_to_none=True)
    return seconds


def _targets(examples: Examples | None, setting: Setting, batch: torch.Tensor) -> Callable[[], torch.Tensor] | None:
    """What makes the targets of a batch, as in training: of examples of the study, where these have a place in the picture; None: the loss costs next to
    nothing. That of masks looks at every pixel of the frame.
    """
    if examples is None or not examples.kind.placed:
        return None
    label, frame = label_of(examples, setting), (batch.shape[2], batch.shape[3])
    some = np.linspace(0, len(examples) - 1, len(batch)).astype(int)
    return lambda: label(some, batch, Placed(frame, None))


def _network_and_batch(
    model: Pretrained, setting: Setting, n: int, examples: Examples | None
) -> tuple[Network, torch.Tensor, int, Inputs | None]:
    """A network with a head, a batch for it of about `n` examples, how many it holds, and where examples differ in cost the inputs that the batch
    comes from.
    """
    task = network_task(setting.task)
    resolved = {} if examples is None else examples.kind.resolved({}, examples.target)
    if examples is not None and resolved.get("frame"):  # pictures whole, in the frame of these
        blank = model.configure(resolved).blank(min(n, 8))
        net = task.build(model, examples).to(setting.device).to(memory_format=torch.channels_last)
        batch = torch.rand(blank.shape, device=setting.device)
        return net, batch.contiguous(memory_format=torch.channels_last), len(batch), None
    if not task.feed.alike and examples is not None:
        some = examples.subset(np.linspace(0, len(examples) - 1, min(SAMPLE, len(examples))).astype(int))
        preparation = model.configure({})
        if "network" not in model.ports:
            batches = task.feed.stream(some, preparation, replace(setting, batch=n), frozen=True)
            batch, size = _usual((batch.inputs, len(positions)) for positions, batch in batches)
            return task.build(model, examples, frozen=True).to(setting.device), batch, size, None
        inputs = task.inputs(some, preparation, setting, {})
        parts = inputs.cut(np.arange(len(some)), n, training=True)
        whole = [part for part in parts if len(part) == n] or parts
        batch, size = _usual((inputs.batch(part).inputs, len(part)) for part in whole)
        return task.build(model, examples).to(setting.device), batch, size, inputs
    net = make_network(model, max(2, len(setting.classes))).to(setting.device).to(memory_format=torch.channels_last)
    batch = torch.rand(model.preprocessing.blank(n).shape, device=setting.device)
    return net, batch.contiguous(memory_format=torch.channels_last), len(batch), None


def _usual(batches: Iterable[tuple[torch.Tensor, int]]) -> tuple[torch.Tensor, int]:
    """The batch whose examples are nearest to the mean length, and how many examples it holds.

    Batches are of texts of about one length, in a study too. A batch of any few texts would be filled up to the longest of them: eight of 11,987 short
    reviews were priced at nine times of what all of them took.
    """
    sized = list(batches)
    mean = sum(batch.numel() for batch, _ in sized) / sum(n for _, n in sized)
    return min(sized, key=lambda one: abs(one[0].numel() / one[1] - mean))


def read_pass(
    work: Callable[[], Any], device: str, network: nn.Module | None = None, enough: float = ENOUGH
) -> Reading:
    """What `work` with a network costs, from three to eight calls after one that warms up, or fewer where they are long; where `enough` is zero,
    from a single one.
    """
    on_processor = device == "cpu"
    elsewhere = [part for part in (network.modules() if network else ()) if isinstance(part, Computed)]

    def clock() -> float:
        if not on_processor:
            return time.perf_counter()
        return time.thread_time() + sum(part.seconds_elsewhere for part in elsewhere)

    def once() -> tuple[float, float]:
        began, started = time.perf_counter(), clock()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return clock() - started, time.perf_counter() - began

    with single_thread() if on_processor else nullcontext():
        calls = _repeat(once, 3, enough)
    spent, passed = (sum(column) for column in zip(*calls, strict=True))
    least, wall = (min(column) for column in zip(*calls, strict=True))
    return Reading(least, round(passed / max(spent, 1e-9), 2), wall)


def read_example(model: Pretrained) -> Reading:
    """What one example costs on one thread of the processor: a picture of the model's own size, a text of 32 tokens; with its own head."""
    blank, network = model.preprocessing.blank(1), model.module.eval()
    if blank.is_floating_point():
        blank = torch.rand(blank.shape).contiguous(memory_format=torch.channels_last)
        network = network.to(memory_format=torch.channels_last)
    speed_up(network, "cpu")

    def forward() -> None:
        with torch.inference_mode():
            network(blank)

    return read_pass(forward, "cpu", network)


def _seconds(work: Callable[[str], None], option: str, device: str, enough: float) -> float:
    """The fastest of several calls after one that warms up: short ones are repeated for a second, for a busy machine delays some.

    Where `enough` is zero, a single call.
    """

    def once() -> tuple[float]:
        started = time.perf_counter()
        work(option)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return (time.perf_counter() - started,)

    return min(_repeat(once, 2, enough))[0]


def _repeat(once: Callable[[], Timed], least: int, enough: float) -> list[Timed]:
    """What several calls returned, after one that warms up: `least` of them, or fewer where these take more than `LONG` times `enough` seconds, and
    more where they take less than `enough`. Where `enough` is zero, a single call.

    Args:
        once: Makes one; last of what it returns is how long it took by the clock.
    """
    calls = [once()]
    if enough > 0:
        calls = [once()]
    while (seconds := sum(call[-1] for call in calls)) < LONG * enough and len(calls) < CALLS:
        if seconds >= enough and len(calls) >= least:
            break
        calls.append(once())
    return calls
