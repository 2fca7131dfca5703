"""A short timing per model: what a pass costs here, for the prediction. Stored once per study, never redone."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

from weigh.errors import ModelError
from weigh.models.depthwise import speed_up_depthwise
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.models.stage import split_last_stage
from weigh.run import Setting
from weigh.train.device import autocast, fast_bf16

__all__ = ["time_model"]

DECODE_SECONDS = 0.004  # one picture on one thread; decoding runs beside the network, so only the excess counts


def time_model(
    address: str,
    setting: Setting,
    *,
    network: bool,
    frozen: bool = False,
    precision: str,
    pretrained: bool = True,
    image_size: int | None = None,
) -> dict[str, Any]:
    """Seconds per example of a forward pass and of a training step, in the arithmetic that is chosen.

    Args:
        network: Time a training step too.
        frozen: Time a step of the last stage alone too; nothing is said of a network that has none (its runs will say why).
        precision: "auto", or what the user asked for.
        pretrained: Load the weights, so that a missing one is said before anything runs.

    Returns:
        seconds_per_example, seconds_per_step_example, seconds_per_tail_step_example, precision_head, precision_network, channels_last;
        of a pretrained model also `model`, what the study knows of it from now on (`Setting.model`).
    """
    model = load_model(address, pretrained=pretrained, offline=setting.offline)
    known = model.known() if pretrained else None
    size = image_size or model.preprocessing.size
    device = torch.device(setting.device)
    net = make_network(model, max(2, len(setting.classes))).to(device).to(memory_format=torch.channels_last)
    if setting.device == "cpu":
        speed_up_depthwise(net)
    pictures = torch.rand(16 if network else 8, 3, size, size, device=device).contiguous(
        memory_format=torch.channels_last
    )

    def forward(chosen: str) -> None:
        net.eval()
        with torch.inference_mode(), autocast(setting.device, chosen):
            net(pictures)

    def step(chosen: str) -> None:
        net.train()
        with autocast(setting.device, chosen):
            loss = net(pictures).float().logsumexp(dim=1).mean()
        loss.backward()
        net.zero_grad(set_to_none=True)

    # Which arithmetic is used must not depend on a stopwatch: the same study on the same machine gives the same numbers.
    chosen = precision if precision != "auto" else "bf16" if fast_bf16(setting.device) else "fp32"
    seconds = _seconds(forward, chosen, setting.device) / len(pictures)
    found: dict[str, Any] = {
        "precision_head": chosen,
        "precision_network": chosen,
        "seconds_per_example": max(seconds, DECODE_SECONDS),
        "channels_last": True,
        "model": None if known is None else {**known, "seconds_per_picture": seconds},
    }
    if network:
        found["seconds_per_step_example"] = _seconds(step, chosen, setting.device) / len(pictures)
    if frozen:
        with suppress(ModelError):
            stage = split_last_stage(net, size=size, native=model.preprocessing.size, address=address)
            net, pictures = stage.tail, torch.rand(len(pictures), *stage.shape, device=device)
            found["seconds_per_tail_step_example"] = _seconds(step, chosen, setting.device) / len(pictures)
    return found


def _seconds(work: Callable[[str], None], option: str, device: str) -> float:
    """The faster of two calls after one that warms up."""

    def once() -> float:
        started = time.perf_counter()
        work(option)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - started

    once()
    return min(once(), once())
