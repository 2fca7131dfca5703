"""Features of every candidate on every data set, computed once and kept as .npz files in a folder of their own.

    python -m benchmarks.choosing features FOLDER

One pass of a network gives its features, those of the cut network and the answers of its ImageNet head. The pass runs in onnxruntime on one
thread; the seconds that a policy is charged for a picture are those of weigh's own pass (torch, folded batch norms, one thread), read here once per
candidate, with the seconds of reading and scaling the picture. After it: `replays.py`.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.choosing.encoders import CANDIDATES, NETWORKS, Network, network_of
from benchmarks.choosing.pools import POOLS, Labelled, draw_pool

__all__ = ["Pool", "load_pool", "make_features"]

BATCH = 16


class Pool(NamedTuple):
    """One data set as the candidates see it.

    Attributes:
        target: `(n,)` class numbers.
        features: Candidate -> `(n, width)` float32.
        chances: Candidate with an ImageNet head -> `(n, 1000)` probabilities of its classes.
        seconds: Candidate -> seconds of processor time for the features of one picture.
    """

    target: np.ndarray
    features: dict[str, np.ndarray]
    chances: dict[str, np.ndarray]
    seconds: dict[str, float]


def make_features(folder: Path) -> None:
    """Whatever is missing in the folder."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for network_name in NETWORKS:
        missing = [name for name in POOLS if not _path(folder, name, network_name).exists()]
        if not missing and (folder / f"{network_name}.json").exists():
            continue
        network = network_of(network_name)
        run = _session(network) if missing else None
        for name in missing:
            _write_features(_path(folder, name, network_name), draw_pool(name), network, run)
        seconds = {view: _seconds(network, view) for view in ("features", "cut")}
        (folder / f"{network_name}.json").write_text(json.dumps(seconds))
        print(network_name, seconds, flush=True)


def _path(folder: Path, pool: str, network: str) -> Path:
    return folder / f"{pool.replace(' ', '-').replace(',', '')}.{network}.npz"


def _session(network: Network) -> Any:
    import onnxruntime

    kept, options = io.BytesIO(), onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    blank = network.preparation.blank(BATCH)
    torch.onnx.export(
        network.module, (blank,), kept, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}, opset_version=17
    )
    session = onnxruntime.InferenceSession(kept.getvalue(), options)
    noise = torch.rand(blank.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for mine, theirs in zip(network.module(noise), session.run(None, {"x": noise.numpy()}), strict=True):
            spread = float(mine.std())
            assert np.abs(mine.numpy() - theirs).max() < 1e-3 * spread + 1e-5, (
                "the exported network computes something else"
            )
    return session


def _write_features(path: Path, examples: list[Labelled], network: Network, session: Any) -> None:
    outputs: list[list[np.ndarray]] = []
    reading = 0.0
    for start in range(0, len(examples), BATCH):
        started = time.process_time()
        pixels = np.stack([network.preparation.crop(one.open()) for one in examples[start : start + BATCH]])
        pictures = network.preparation.normalise(torch.from_numpy(pixels))
        reading += time.process_time() - started
        outputs.append(session.run(None, {"x": pictures.contiguous().numpy()}))
    features, cut, logits = (np.concatenate([batch[i] for batch in outputs]) for i in range(3))
    label = np.array([one.label for one in examples])
    temporary = path.with_suffix(".part.npz")
    np.savez(
        temporary,
        features=features,
        cut=cut,
        logits=logits.astype(np.float32),
        label=label,
        reading=reading / len(examples),
    )
    temporary.rename(path)


class _Reached(Exception):
    pass


def _seconds(network: Network, view: str) -> float:
    """Processor seconds of one picture on one thread, as weigh computes features: the quickest of five batches, for others may be at work."""
    from weigh.models.fold import fold_batch_norms

    body, blank = network.module.module, network.preparation.blank(BATCH)
    cut = next(name for name, part in body.named_modules() if part is network.cut)
    body = fold_batch_norms(body, blank).to(memory_format=torch.channels_last)
    blank = blank.contiguous(memory_format=torch.channels_last)
    if view == "cut":

        def stop(_module: Any, _inputs: Any, _output: Any) -> None:
            raise _Reached

        body.get_submodule(cut).register_forward_hook(stop)
    read = []
    with torch.inference_mode():
        for _ in range(5):
            started = time.process_time()
            with contextlib.suppress(_Reached):
                body(blank)
            read.append((time.process_time() - started) / BATCH)
    return min(read)


def load_pool(folder: Path, name: str) -> Pool:
    """One data set.

    Raises:
        FileNotFoundError: Its features are not all there.
    """
    target, features, chances, seconds = None, {}, {}, {}
    stored = {network: np.load(_path(folder, name, network)) for network in NETWORKS}
    passes = {network: json.loads((folder / f"{network}.json").read_text()) for network in NETWORKS}
    for candidate, one in CANDIDATES.items():
        file = stored[one.network]
        features[candidate] = file[one.view]
        seconds[candidate] = passes[one.network][one.view] + float(file["reading"])
        if one.head:
            logits = file["logits"].astype(np.float64)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            chances[candidate] = odds / odds.sum(axis=1, keepdims=True)
        target = np.unique(file["label"], return_inverse=True)[1] if target is None else target
    assert target is not None
    return Pool(target, features, chances, seconds)
