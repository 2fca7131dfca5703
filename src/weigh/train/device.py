"""Where to compute: "auto" and user's words resolved to a device that exists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from weigh.errors import SpecError
from weigh.language import text
from weigh.lookahead import look_ahead
from weigh.run import Setting

__all__ = [
    "HALF",
    "ahead",
    "autocast",
    "best_precision",
    "computed_on",
    "empty_cache",
    "make_scaler",
    "peak_bytes",
    "resolve_device",
]

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
AHEAD = 2  # batches that a GPU finds ready

Item = TypeVar("Item")
Batch = TypeVar("Batch")


def resolve_device(asked: str = "auto") -> str:
    """ "auto" takes CUDA, then MPS, then the processor; anything else must exist.

    Raises:
        SpecError: Not a device, or not on this machine.
    """
    if asked == "auto":
        if torch.cuda.is_available():
            return "cuda:0"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    known = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    known += ["mps"] if torch.backends.mps.is_available() else []
    name = "cuda:0" if asked == "cuda" else asked
    if device is None or name not in known:
        raise SpecError(
            text("--device {d}: not on this machine.", "--device {d}：这台机器上没有。", d=asked[:80]),
            do=text("Here: {k}; or auto.", "可用：{k}；或 auto。", k=", ".join(known)),
        )
    return name


def computed_on(device: str) -> str:
    """What of a device changes the last digits, for the names of what is kept: GPUs once rounded what enters a convolution (`determinism.py`)."""
    kind = device.split(":")[0]
    return "cuda without TF32" if kind == "cuda" else kind


def empty_cache(device: str) -> None:
    """Give memory that torch holds in reserve back to the accelerator, after it ran out."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


def peak_bytes(device: str) -> int:
    """Most memory that this process has held so far, of the accelerator or of the machine: what ran in it before counts too."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def best_precision(device: str) -> str:
    """bf16 where it has instructions of its own, fp16 on older GPUs, else fp32: what is emulated is slower."""
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return "bf16"
    return "fp32"


def autocast(device: str, precision: str):
    """A context in which convolutions and matrix products run in `precision`."""
    return torch.autocast(device.split(":")[0], dtype=HALF.get(precision, torch.bfloat16), enabled=precision in HALF)


def make_scaler(setting: Setting) -> torch.amp.GradScaler:
    """Scales the loss in fp16, whose gradients would fall below its least number; other precisions pass unchanged."""
    return torch.amp.GradScaler(setting.device.split(":")[0], enabled=setting.precision == "fp16")


def ahead(
    make: Callable[[Item], Batch], items: Sequence[Item], device: str, count: int | None = None
) -> Iterator[tuple[Item, Batch]]:
    """Every item with what `make` makes of it, in order, a few made in a thread before they are asked for.

    A GPU computes meanwhile. A processor makes each when it is asked for: a second thread would only take its cores.

    Args:
        count: How many at most are ready at a time; None: as the device says.
    """
    count = (AHEAD if device.startswith("cuda") else 0) if count is None else count
    if count == 0:
        for item in items:
            yield item, make(item)
        return
    yield from look_ahead(make, items, threads=1, count=count)
