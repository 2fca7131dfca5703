"""Where to compute: "auto" and user's words resolved to a device that exists."""

from __future__ import annotations

import torch

from weigh.errors import SpecError
from weigh.language import text

__all__ = ["autocast", "empty_cache", "fast_bf16", "peak_bytes", "resolve_device"]


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


def empty_cache(device: str) -> None:
    """Give memory that torch holds in reserve back to the accelerator, after it ran out."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


def peak_bytes(device: str) -> int:
    """Most memory held so far: of the accelerator since its counter was reset, or of this process."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def fast_bf16(device: str) -> bool:
    """Whether bf16 has instructions of its own here; otherwise it is emulated and slower."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def autocast(device: str, precision: str):
    """A context in which convolutions and matrix products run in `precision`."""
    return torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=precision == "bf16")
