"""Frozen features: one pass of the body over every picture, kept on disk by content.

One pass serves every fold, repeat, strength and order check, and tomorrow's extra repeats. Batches are always the same
and in the same order, so the numbers are too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.models.network import Network, make_network
from weigh.models.pretrained import Preprocessing, load_model, weights_digest
from weigh.run import Setting
from weigh.train.device import autocast
from weigh.train.pictures import crops

__all__ = ["Featurised", "extract", "features_of"]


class Featurised(NamedTuple):
    """Features `(n, width)` float32 of all examples, with facts about the model and the network they came from."""

    features: np.ndarray
    network: Network
    preparation: Preprocessing
    model: dict[str, Any]


def features_of(address: str, examples: Examples, setting: Setting, *, image_size: int | None = None,
                progress: Callable[[str, int, int], None] | None = None) -> Featurised:
    """Load the model of `address` and compute, or read from the cache, the features of all examples."""
    model = load_model(address, pretrained=True, offline=setting.offline)
    preparation = model.preprocessing.at(image_size) if image_size else model.preprocessing
    facts = {**model.facts(), "input_size": preparation.size}
    classes = examples.target.shape[1] if examples.multilabel else len(examples.classes)
    network = make_network(model, classes)
    return Featurised(extract(network, preparation, examples, setting, progress), network, preparation, facts)


def extract(network: Network, preparation: Preprocessing, examples: Examples, setting: Setting,
            progress: Callable[[str, int, int], None] | None = None) -> np.ndarray:
    """Features of all examples `(n, width)` float32; time linear in n, memory n × width × 4 bytes."""
    from weigh.data import cache

    key = _key(network, preparation, examples, setting)
    if setting.cache is not None and (stored := cache.load(key)) is not None:
        return stored
    device = torch.device(setting.device)
    body = network.body.eval().to(device)
    if setting.channels_last:
        body = body.to(memory_format=torch.channels_last)
    found, done = None, 0
    with torch.inference_mode(), autocast(setting.device, setting.precision):
        for block in crops(examples, preparation, setting.batch):
            pictures = preparation.normalise(torch.from_numpy(block).to(device))
            rows = body(pictures).float().cpu().numpy()
            if found is None:
                found = np.empty((len(examples), rows.shape[1]), dtype=np.float32)
            found[done : done + len(rows)] = rows
            done += len(rows)
            if progress:
                progress("features", done, len(examples))
    network.body.cpu()
    assert found is not None
    return found if setting.cache is None else cache.store(key, found)


def _key(network: Network, preparation: Preprocessing, examples: Examples, setting: Setting) -> str:
    parts = (weights_digest(network.body), preparation, "\n".join(examples.content), setting.precision, setting.batch, setting.channels_last,
             setting.device.split(":")[0], setting.threads, torch.__version__)  # fmt: skip
    return "features-" + hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
