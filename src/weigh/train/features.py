"""Frozen features of all examples of a study: one pass per model serves every fold, repeat, strength and check.

Before it: `models/`. After it: `probe.py`, `weigh features`. Batches are cut in the order of the examples, so the same
examples always stand in the same batch and the numbers do not depend on which runs ask for them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
import torch

from weigh.data import cache
from weigh.data.examples import Examples
from weigh.errors import ModelError, WeightsReplaced
from weigh.files import stamps
from weigh.heads.network_task import network_task
from weigh.language import text
from weigh.models.network import Network
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import SEVERAL, Pretrained, load_model
from weigh.models.tokenisation import Tokenisation
from weigh.notices import Progress
from weigh.run import LAYERS_RULE, Setting
from weigh.train.device import HALF, autocast, computed_on
from weigh.train.timing import read_pass

__all__ = [
    "Featurised",
    "features_key",
    "features_of",
    "forward_all",
    "has_features",
    "load_for",
    "own_operations",
    "prediction_seconds",
    "weights_replaced",
]

# What was read of models that had to be loaded for it (those of texts, with their tokenizers), so that a refit or a later repeat in the same process
# does not load them again: their weights are those that the study began with, and their examples the same.
MOST_LOADED = 8
_CHECKED: set[tuple[str, str, str]] = (
    set()
)  # (address, identity, stamps of its files) of models that were found to be the study's in this process
_LOADED: dict[tuple, tuple[Any, dict[str, Any], str]] = {}


class Featurised(NamedTuple):
    """Frozen features and where they came from.

    Attributes:
        features: `(n, width)` float32, all examples in their order.
        model: Facts on the model.
        seconds_per_example: One forward pass of one picture in a batch.
        key: What the features depend on, hashed: for what is derived from them and kept too.
        operations: "macs", where pictures have another size than the model's own (`own_operations`).
        load_seconds: Of loading the model, where it had to be.
        prepared: How examples were prepared.
    """

    features: np.ndarray
    model: dict[str, Any]
    seconds_per_example: float
    key: str
    operations: dict[str, Any]
    load_seconds: float
    prepared: Preprocessing | Tokenisation


def features_of(
    address: str,
    examples: Examples,
    setting: Setting,
    *,
    options: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Featurised:
    """The features of all examples, in their order: from the cache if the same weights have seen the same pictures in the same way.

    A model that the study knows (`Setting.model`) is loaded only where its features are not in the cache.

    Raises:
        PictureError: A picture that cannot be decoded (the checks of the data set those aside before).
        ModelError, WeightsUnreachable: No such model, no weights, not those of the study, or a network without such features.
    """
    options, task, started = options or {}, network_task(setting.task), time.perf_counter()
    key, prepared, facts, model = _describe(address, examples, setting, options)
    features = cache.load(key, setting.cache)
    features = features if features is not None and len(features) == len(examples) else None
    is_new = features is None
    seconds, operations, body = _known_seconds(options, setting), {}, None
    if features is None or seconds is None:
        if model is None:
            model = load_for(address, setting)
            model.configure(options)
        network = task.build(model, examples, frozen=True)
        operations = own_operations(network, model, prepared)
        body = network.frozen(prepared.blank(2, setting.device))
    loaded = time.perf_counter() - started
    if body is not None:
        if features is None:
            features = forward_all(body, prepared, examples, setting, progress)
        seconds = seconds or _forward_seconds(body, prepared, setting)
    if features.ndim != 2:
        raise ModelError(
            text(
                "{a} has no single feature vector per {o}.",
                "{a} 不能为每{o}给出单个特征向量。",
                a=address,
                o=examples.medium.noun.one,
            ),
            do=text("Choose another model.", "请选择其他模型。"),
        )
    if is_new:
        features = cache.store(key, features, setting.cache)
    return Featurised(features, facts, seconds, key, operations, loaded, prepared)


def own_operations(network: Network, model: Pretrained, preparation: Any) -> dict[str, Any]:
    """What a prediction takes where that is not what the model takes at its own size: pictures of another size, a decoder on its maps."""
    blank = preparation.blank(1)
    if not network.of_maps and blank.shape == model.preprocessing.blank(1).shape:
        return {}
    return {"macs": model.anatomy.operations(network.eval(), blank)}


class _Described(NamedTuple):
    """What features depend on; `model` where it had to be loaded to know."""

    key: str
    prepared: Preprocessing | Tokenisation
    facts: dict[str, Any]
    model: Pretrained | None


def _describe(address: str, examples: Examples, setting: Setting, options: dict[str, Any]) -> _Described:
    task, model = network_task(setting.task), None
    known = (
        address,
        setting.weights,
        setting.task,
        json.dumps(options, sort_keys=True),
        examples.fingerprint,
        len(examples),
    )
    if setting.model and "built" in setting.model and task.feed.restored is not None:
        prepared = task.feed.restored(setting.model["preprocessing"]).configured(options)
        facts, built = (
            {**setting.model["facts"], "input_size": prepared.size},
            setting.model["built"] + (options.get("layers") or ""),
        )
    elif known in _LOADED:
        prepared, facts, built = _LOADED[known]
    else:
        model = load_for(address, setting)
        prepared = model.configure(options)
        facts, built = task.facts(model, prepared, examples), model.built + " of ".join(model.settings.values())
        if setting.weights and examples.fingerprint:
            _LOADED[known] = prepared, facts, built
            while len(_LOADED) > MOST_LOADED:
                del _LOADED[next(iter(_LOADED))]
    if options.get("layers") == SEVERAL:
        built += f" rule {LAYERS_RULE}"
    return _Described(features_key(facts["sha256"], prepared, examples, setting, built), prepared, facts, model)


def has_features(address: str, examples: Examples, setting: Setting, options: dict[str, Any]) -> bool:
    """Whether `features_of` would find them in the cache."""
    key = None if setting.cache is None else _describe(address, examples, setting, options).key
    return key is not None and cache.load(key, setting.cache) is not None


def load_for(address: str, setting: Setting, *, pretrained: bool = True, rng_seed: int = 0) -> Pretrained:
    """The model of `address`, the one that the study began with.

    Args:
        pretrained: False: random weights drawn with `rng_seed`.

    Raises:
        WeightsReplaced: Another model lies under this name now; and what `load_model` raises.
    """
    model = load_model(
        address, pretrained=pretrained, offline=setting.offline, rng_seed=rng_seed, trust_code=setting.trust_code
    )
    files = json.dumps(stamps(model.provenance.files))
    if not setting.weights or ("code" not in model.extra and (address, setting.weights, files) in _CHECKED):
        return model
    if setting.weights != model.identity:
        raise weights_replaced(address, model.provenance.files)
    _CHECKED.add((address, setting.weights, files))
    return model


def weights_replaced(address: str, files: Iterable[Path | str]) -> WeightsReplaced:
    """The error that names what was replaced and says what to do."""
    names = ", ".join(map(str, files))
    where = text(" ({f})", "（{f}）", f=names) if names else text("", "")
    return WeightsReplaced(
        text(
            "{a}{w} is not the model that the study began with: its weights, its code, its tokenizer or its configuration were replaced since.",
            "{a}{w} 已不是研究开始时的模型：其权重、代码、分词器或配置此后被替换过。",
            a=address,
            w=where,
        ),
        text("Results of different weights must not be mixed under one name.", "不同权重的结果不能混在同一名称下。"),
        text(
            "Put the former files back and run the same command again; or start a study with the new ones in another folder: --output studies/NAME",
            "请恢复原来的文件并再次运行同一命令；或用新文件在另一个文件夹中开始新的研究：--output studies/名称",
        ),
    )


def forward_all(
    module: torch.nn.Module,
    prepared: Preprocessing | Tokenisation,
    examples: Examples,
    setting: Setting,
    progress: Progress | None = None,
) -> np.ndarray:
    """`module(pictures)` of every example in eval mode: `(n, …)` float32."""
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    module = module.eval().to(torch.device(setting.device), memory_format=layout)  # type: ignore[call-overload]
    features: np.ndarray | None = None
    done = 0
    with torch.inference_mode():
        for positions, batch in network_task(setting.task).feed.stream(examples, prepared, setting):
            with autocast(setting.device, setting.precision):
                values = module(batch.inputs).float().cpu().numpy()
            if not np.isfinite(values).all():
                raise _not_finite(
                    examples, positions[~np.isfinite(values).reshape(len(values), -1).all(axis=1)], setting
                )
            if features is None:
                features = cache.room((len(examples), *values.shape[1:]), np.float32, setting.cache)
            features[positions] = values
            done += len(positions)
            if progress is not None:
                progress("features", done, len(examples))
    assert features is not None, "no examples"
    return features


def _not_finite(examples: Examples, rows: np.ndarray, setting: Setting) -> Exception:
    """Half precision may be too narrow for a network: another one is tried then. If single precision is, nothing helps."""
    name = str(examples.path[rows[0]])
    if setting.precision in HALF:
        return FloatingPointError(f"the features of {name} are not finite in {setting.precision}")
    return ModelError(
        text("The features of {n} are not finite.", "{n} 的特征不是有限数值。", n=name),
        text("No head can be fitted to them.", "无法在其上拟合线性头。"),
        text(
            "Look at this example and at the weights; or choose another model.",
            "请检查该样本和模型权重，或换一个模型。",
        ),
    )


def prediction_seconds(
    module: torch.nn.Module, prepared: Preprocessing | Tokenisation, options: dict[str, Any], setting: Setting
) -> float:
    """Seconds of one prediction: as the study read them at its first start, so that they are the same for all recipes of a model."""
    return _known_seconds(options, setting) or _forward_seconds(module, prepared, setting)


def _known_seconds(options: dict[str, Any], setting: Setting) -> float | None:
    """As the study timed them; None where it did not, or only at another size than that of this recipe."""
    resized = options.get("image_size") or options.get("max_length")
    return None if resized or not setting.model else setting.model.get("seconds_per_picture")


def _forward_seconds(
    module: torch.nn.Module, prepared: Preprocessing | Tokenisation, setting: Setting, examples: int = 8
) -> float:
    """Seconds per example of a small batch (`timing.read_pass`)."""
    module = module.eval().to(setting.device)
    x = prepared.blank(examples, setting.device)
    if setting.channels_last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():  # in single precision, as the saved model predicts
        return read_pass(lambda: module(x), setting.device, module).seconds / examples


def features_key(
    weights: str, prepared: Preprocessing | Tokenisation, examples: Examples, setting: Setting, built: str
) -> str:
    """What the features depend on, hashed: weights, network, preparation, decoder, contents in their order, precision, layout, batch, threads.

    Args:
        weights: Their hash.
        built: `Pretrained.built`, and of texts how tokens become one vector.
    """
    digest = hashlib.blake2b(digest_size=16)
    arithmetic = (
        setting.precision,
        setting.channels_last,
        setting.batch,
        computed_on(setting.device),
        setting.threads,
    )
    libraries = (torch.__version__, PIL.__version__)
    for part in (weights, str(prepared), str(arithmetic), built, *libraries, *map(str, examples.content)):
        digest.update(part.encode() + b"\x1f")
    return f"features-{digest.hexdigest()}"
