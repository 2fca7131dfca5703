"""Who is measured: names, what they are, and which packages they need (requirements/bench.txt)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["CONTENDERS", "LEFT_OUT", "Named", "missing", "versions"]


@dataclass(frozen=True)
class Named:
    """One contender: its module here, its options, the packages it needs, and what a reader is told."""

    module: str
    what: str
    needs: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


CONTENDERS: dict[str, Named] = {
    "bare": Named(
        "bare", "the limit: forward, backward, AdamW on tensors in memory, in weigh's arithmetic, no loading at all"
    ),
    "weigh": Named("ours", "weigh's training loop in its own arithmetic (bf16 where the processor has it)"),
    "weigh-fp32": Named("ours", "the same in fp32", options={"precision": "fp32"}),
    "textbook": Named("textbook", "the loop of PyTorch's transfer-learning tutorial, fp32, two loading processes"),
    "transformers": Named("transformers", "Hugging Face Trainer", needs=("transformers", "accelerate")),
    "transformers-bf16": Named(
        "transformers", "the same with bf16=True", needs=("transformers", "accelerate"), options={"bf16": True}
    ),
    "fastai": Named("fastai", "fastai's Learner, fit_one_cycle", needs=("fastai",)),
    "timm": Named("timm", "timm's loaders, optimiser and the loop of its training script", needs=("timm",)),
    "lightning": Named("lightning", "Lightning's Trainer", needs=("lightning",)),
    "lightning-bf16": Named(
        "lightning", "the same with precision='bf16-mixed'", needs=("lightning",), options={"precision": "bf16-mixed"}
    ),
}

# Who is not measured, and why: printed with the table.
LEFT_OUT = {
    "AutoGluon MultiModal": "not measured: for autogluon.multimodal 1.6.3 on Python 3.11 pip chooses timm 1.0.3 and an older "
    "torch (a dry run), weigh needs timm>=1.0.15: they cannot share an environment, so equal terms were not to be had.",
}


def missing(name: str, contenders: Mapping[str, Named] = CONTENDERS) -> list[str]:
    """Packages that a contender needs and that are not installed here."""
    return [package for package in contenders[name].needs if _version(package) is None]


def versions(name: str, contenders: Mapping[str, Named] = CONTENDERS) -> dict[str, str]:
    """Installed versions of what a contender runs on."""
    packages = dict.fromkeys(("torch", "timm", "torchvision", *contenders[name].needs))
    return {package: found for package in packages if (found := _version(package)) is not None}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
