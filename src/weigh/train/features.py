"""Frozen features of all examples of a study: one pass per model serves every fold, repeat, strength and check.

Before it: `models/`. After it: `probe.py`, `weigh features`. Batches are cut in the order of the examples, so the same
examples always stand in the same batch and the numbers do not depend on which runs ask for them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.errors import ModelError
from weigh.language import text
from weigh.models.fold import fold_batch_norms
from weigh.models.network import Network
from weigh.models.pretrained import Preprocessing, Pretrained, load_model
from weigh.models.tokenisation import Tokenisation
from weigh.run import Setting
from weigh.tasks.base import TASKS
from weigh.train.device import autocast

__all__ = [
    "Featurised",
    "Progress",
    "array_cache",
    "features_key",
    "features_of",
    "forward_all",
    "forward_seconds",
]

Progress = Callable[[str, int, int], None] | None


class Featurised(NamedTuple):
    """Frozen features and where they came from.

    Attributes:
        features: `(n, width)` float32, all examples in their order.
        network: The network they came from, with an empty head.
        model: Facts on the model.
        seconds_per_example: One forward pass of one picture in a batch, measured now (features may be from the cache).
        key: What the features depend on, hashed: for what is derived from them and kept too.
    """

    features: np.ndarray
    network: Network
    model: dict[str, Any]
    seconds_per_example: float
    key: str


def features_of(
    address: str,
    examples: Examples,
    setting: Setting,
    *,
    options: dict[str, Any] | None = None,
    progress: Progress = None,
) -> Featurised:
    """Load the model of `address` and compute, or read from the cache, the features of all examples, in their order.

    Taken from the cache if the same weights have seen the same pictures in the same way.

    Raises:
        PictureError: A picture that cannot be decoded (the checks of the data set those aside before).
        ModelError, WeightsUnreachable: No such model, no weights, or a network without such features.
    """
    model = load_model(address, pretrained=True, offline=setting.offline)
    prepared = model.configure(options or {})
    task = TASKS.get(setting.task)
    facts = task.facts(model, prepared, examples)
    key = features_key(model, prepared, examples, setting)
    network = task.build(model, examples, frozen=True)
    cache = array_cache(setting)
    if cache is not None and (found := cache.load(key)) is not None and len(found) == len(examples):
        seconds = forward_seconds(network.body, prepared, setting)
        return Featurised(np.array(found), network, facts, seconds, key)
    body = fold_batch_norms(network.body, prepared.blank(2, setting.device))
    features = forward_all(body, prepared, examples, setting, progress)
    seconds = forward_seconds(body, prepared, setting)
    network.body.cpu()
    if features.ndim != 2:
        raise ModelError(
            text("{a} has no single feature vector per picture.", "{a} 没有每张图片一个特征向量。", a=address),
            do=text("Choose another model.", "请选择其他模型。"),
        )
    if cache is not None:
        cache.store(key, features)
    return Featurised(features, network, facts, seconds, key)


def forward_all(
    module: torch.nn.Module,
    prepared: Preprocessing | Tokenisation,
    examples: Examples,
    setting: Setting,
    progress: Progress = None,
    *,
    what: str = "features",
) -> np.ndarray:
    """`module(pictures)` of every example in eval mode: `(n, …)` float32."""
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    module = module.eval().to(torch.device(setting.device), memory_format=layout)  # type: ignore[call-overload]
    found: np.ndarray | None = None
    done = 0
    with torch.inference_mode():
        for positions, batch in TASKS.get(setting.task).stream(examples, prepared, setting):
            with autocast(setting.device, setting.precision):
                values = module(batch).float().cpu().numpy()
            if found is None:
                found = np.empty((len(examples), *values.shape[1:]), np.float32)
            found[positions] = values
            done += len(positions)
            if progress is not None:
                progress(what, done, len(examples))
    assert found is not None, "no examples"
    return found


def forward_seconds(
    module: torch.nn.Module, prepared: Preprocessing | Tokenisation, setting: Setting, examples: int = 8
) -> float:
    """Seconds per example of a small batch, after one that warms up."""
    module = module.eval().to(setting.device)
    x = prepared.blank(examples, setting.device)
    if setting.channels_last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), autocast(setting.device, setting.precision):
        for _ in range(2):
            started = time.perf_counter()
            float(module(x).flatten()[0])  # reading a value waits for an accelerator
            seconds = time.perf_counter() - started
    return seconds / examples


def features_key(
    model: Pretrained, prepared: Preprocessing | Tokenisation, examples: Examples, setting: Setting
) -> str:
    """What the features depend on: weights, preparation, contents in their order, precision, layout, batch, threads."""
    digest = hashlib.blake2b(digest_size=16)
    pooled = (getattr(model.module, "pooling", ""), getattr(model.module, "layers", ""))
    how = (setting.precision, setting.channels_last, setting.batch, setting.device.split(":")[0], setting.threads)
    for part in (
        model.digest,
        str(prepared),
        str(how),
        *pooled,
        setting.task if any(pooled) else "",
        torch.__version__,
        *map(str, examples.content),
    ):
        digest.update(part.encode() + b"\x1f")
    return f"features-{digest.hexdigest()}"


def array_cache(setting: Setting):
    """The cache of arrays, or None where it is switched off."""
    if setting.cache is None:
        return None
    try:
        return import_module("weigh.data.cache")
    except ImportError:
        return None
