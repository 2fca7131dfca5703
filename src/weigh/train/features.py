"""Frozen features of all examples of a study: one pass per model serves every fold, repeat, strength and check.

Before it: `models/`. After it: `probe.py`, `weigh features`. Batches are cut in the order of the examples, so the same
examples always stand in the same batch and the numbers do not depend on which runs ask for them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.models.adapt import forward_features
from weigh.models.network import Network, make_network
from weigh.models.pretrained import Preprocessing, Pretrained, load_model
from weigh.run import Setting
from weigh.tasks.base import TASKS

__all__ = [
    "Featurised",
    "Progress",
    "decoded_batches",
    "extract_features",
    "features_key",
    "features_of",
    "forward_all",
]

Progress = Callable[[str, int, int], None] | None


class Featurised(NamedTuple):
    """Features `(n, width)` float32 of all examples, the network they came from with an empty head, facts on the model."""

    features: np.ndarray
    network: Network
    model: dict[str, Any]


def features_of(
    address: str, examples: Examples, setting: Setting, *, image_size: int | None = None, progress: Progress = None
) -> Featurised:
    """Load the model of `address` and compute, or read from the cache, the features of all examples."""
    model = load_model(address, pretrained=True, offline=setting.offline)
    facts = {**model.facts(), **({"input_size": image_size} if image_size else {})}
    features = extract_features(model, examples, setting, progress, image_size=image_size)
    model.module.cpu()
    classes = examples.target.shape[1] if examples.multilabel else len(examples.classes)
    return Featurised(features, make_network(model, classes), facts)


def extract_features(
    model: Pretrained, examples: Examples, setting: Setting, progress: Progress = None, *, image_size: int | None = None
) -> np.ndarray:
    """`(n, d)` float32: what goes into the model's last linear layer, for every example, in their order.

    Taken from the cache if the same weights have seen the same pictures in the same way.

    Raises:
        PictureError: A picture that cannot be decoded (the checks of the data set those aside before).
        ModelError: A network without such features.
    """
    prepared = model.preprocessing.at(image_size) if image_size else model.preprocessing
    cache = _cache(setting)
    key = features_key(model, prepared, examples, setting)
    if cache is not None and (found := cache.load(key)) is not None and len(found) == len(examples):
        return np.array(found)
    features = forward_all(model, prepared, examples, setting, progress, forward=forward_features)
    if cache is not None:
        cache.store(key, features)
    return features


def forward_all(
    model: Pretrained,
    prepared: Preprocessing,
    examples: Examples,
    setting: Setting,
    progress: Progress,
    *,
    forward: Callable[[torch.nn.Module, torch.Tensor], torch.Tensor],
    what: str = "features",
) -> np.ndarray:
    """`forward(module, pictures)` of every example in eval mode: `(n, …)` float32."""
    device = torch.device(setting.device)
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    module = model.module.eval().to(device, memory_format=layout)  # type: ignore[call-overload]
    rows: list[np.ndarray] = []
    done = 0
    with torch.inference_mode():
        for pictures in decoded_batches(examples, np.arange(len(examples)), prepared, setting):
            x = prepared.normalise(torch.from_numpy(pictures).to(device)).contiguous(memory_format=layout)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=setting.precision == "bf16"):
                rows.append(forward(module, x).float().cpu().numpy())
            done += len(pictures)
            if progress is not None:
                progress(what, done, len(examples))
    return np.concatenate(rows).astype(np.float32, copy=False)


def decoded_batches(
    examples: Examples, indices: np.ndarray, prepared: Preprocessing, setting: Setting
) -> Iterator[np.ndarray]:
    """Decoded pictures `(batch, size, size, 3)` uint8, a few batches ahead of their use, in threads."""
    decode = TASKS.get(setting.task).decode
    workers = max(2, min(8, os.cpu_count() or 1))
    ahead = 2 * setting.batch
    with ThreadPoolExecutor(workers) as pool:
        waiting: list[Any] = [pool.submit(decode, examples, int(i), prepared) for i in indices[:ahead]]
        asked = len(waiting)
        for start in range(0, len(indices), setting.batch):
            size = min(setting.batch, len(indices) - start)
            batch, waiting = waiting[:size], waiting[size:]
            try:
                pictures = np.stack([future.result() for future in batch])
            except BaseException:
                for future in waiting:
                    future.cancel()
                raise
            more = indices[asked : asked + size]
            waiting += [pool.submit(decode, examples, int(i), prepared) for i in more]
            asked += len(more)
            yield pictures


def features_key(model: Pretrained, prepared: Preprocessing, examples: Examples, setting: Setting) -> str:
    """What the features depend on: weights, preparation, contents in their order, precision, layout, batch, threads."""
    digest = hashlib.blake2b(digest_size=16)
    how = (setting.precision, setting.channels_last, setting.batch, setting.device.split(":")[0], setting.threads)
    for part in (model.digest, str(prepared), str(how), torch.__version__, *map(str, examples.content)):
        digest.update(part.encode() + b"\x1f")
    return f"features-{digest.hexdigest()}"


def _cache(setting: Setting):
    """The cache of arrays, or None where it is switched off."""
    if setting.cache is None:
        return None
    try:
        return import_module("weigh.data.cache")
    except ImportError:
        return None
