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
from weigh.models.network import make_network
from weigh.models.pretrained import Preprocessing, Pretrained, load_model
from weigh.run import Setting
from weigh.tasks.base import TASKS
from weigh.train.device import autocast
from weigh.train.pictures import crops

__all__ = [
    "Featurised",
    "Progress",
    "array_cache",
    "features_key",
    "features_of",
    "forward_all",
    "forward_seconds",
    "load_for",
]

Progress = Callable[[str, int, int], None] | None


class Featurised(NamedTuple):
    """Frozen features and where they came from.

    Attributes:
        features: `(n, width)` float32, all examples in their order.
        model: Facts on the model.
        seconds_per_example: One forward pass of one picture in a batch.
        key: What the features depend on, hashed: for what is derived from them and kept too.
    """

    features: np.ndarray
    model: dict[str, Any]
    seconds_per_example: float
    key: str


def features_of(
    address: str, examples: Examples, setting: Setting, *, image_size: int | None = None, progress: Progress = None
) -> Featurised:
    """The features of all examples, in their order: from the cache if the same weights have seen the same pictures in the same way.

    A model that the study knows (`Setting.model`) is loaded only where its features are not in the cache.

    Raises:
        PictureError: A picture that cannot be decoded (the checks of the data set those aside before).
        ModelError, WeightsUnreachable: No such model, no weights, not those of the study, or a network without such features.
    """
    model = None if setting.model else load_for(address, setting)
    known = setting.model if model is None else model.known()
    assert known is not None
    prepared = Preprocessing.from_json(known["preprocessing"])
    prepared = prepared.at(image_size) if image_size else prepared
    facts = {**known["facts"], **({"input_size": image_size} if image_size else {})}
    key, cache = features_key(facts["sha256"], prepared, examples, setting), array_cache(setting)
    found = None if cache is None else cache.load(key)
    features = np.array(found) if found is not None and len(found) == len(examples) else None
    seconds = None if image_size else known.get("seconds_per_picture")  # timed at the model's own size
    if features is None or seconds is None:
        body = make_network(model or load_for(address, setting), len(examples.classes)).body
        if features is None:
            body = fold_batch_norms(body, prepared.size)
            features = forward_all(body, prepared, examples, setting, progress)
            found = None
        seconds = seconds or forward_seconds(body, prepared, setting)
    if features.ndim != 2:
        raise ModelError(
            text("{a} has no single feature vector per picture.", "{a} 没有每张图片一个特征向量。", a=address),
            do=text("Choose another model.", "请选择其他模型。"),
        )
    if cache is not None and found is None:
        cache.store(key, features)
    return Featurised(features, facts, seconds, key)


def load_for(address: str, setting: Setting) -> Pretrained:
    """The pretrained model of `address`, with the weights that the study began with.

    Raises:
        ModelError: Its weights have changed since; and what `load_model` raises.
    """
    model = load_model(address, pretrained=True, offline=setting.offline)
    if setting.model and setting.model["facts"]["sha256"] != model.digest:
        raise ModelError(
            text(
                "The weights of {a} are not those that the study began with.",
                "{a} 的权重与研究开始时的不同。",
                a=address,
            ),
            text(
                "Results of different weights must not be mixed under one name.", "不同权重的结果不能混在同一名称下。"
            ),
            text(
                "Put the former weights back, or start a new study: --output studies/NAME",
                "请恢复原来的权重，或另开新的研究：--output studies/名称",
            ),
        )
    return model


def forward_all(
    module: torch.nn.Module,
    prepared: Preprocessing,
    examples: Examples,
    setting: Setting,
    progress: Progress = None,
    *,
    what: str = "features",
) -> np.ndarray:
    """`module(pictures)` of every example in eval mode: `(n, …)` float32."""
    device = torch.device(setting.device)
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    module = module.eval().to(device, memory_format=layout)  # type: ignore[call-overload]
    rows: list[np.ndarray] = []
    done = 0
    with torch.inference_mode():
        for pictures in crops(examples, prepared, setting.batch, decode=TASKS.get(setting.task).decode):
            x = prepared.normalise(torch.from_numpy(pictures).to(device)).contiguous(memory_format=layout)
            with autocast(setting.device, setting.precision):
                rows.append(module(x).float().cpu().numpy())
            done += len(pictures)
            if progress is not None:
                progress(what, done, len(examples))
    return np.concatenate(rows).astype(np.float32, copy=False)


def forward_seconds(module: torch.nn.Module, prepared: Preprocessing, setting: Setting, pictures: int = 8) -> float:
    """Seconds per picture of a small batch, after one that warms up."""
    module = module.eval().to(setting.device)
    x = torch.zeros(pictures, 3, prepared.size, prepared.size, device=setting.device)
    if setting.channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), autocast(setting.device, setting.precision):
        for _ in range(2):
            started = time.perf_counter()
            float(module(x).flatten()[0])  # reading a value waits for an accelerator
            seconds = time.perf_counter() - started
    return seconds / pictures


def features_key(weights: str, prepared: Preprocessing, examples: Examples, setting: Setting) -> str:
    """What the features depend on: weights (their hash), preparation, contents in their order, precision, layout, batch, threads."""
    digest = hashlib.blake2b(digest_size=16)
    how = (setting.precision, setting.channels_last, setting.batch, setting.device.split(":")[0], setting.threads)
    for part in (weights, str(prepared), str(how), torch.__version__, *map(str, examples.content)):
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
