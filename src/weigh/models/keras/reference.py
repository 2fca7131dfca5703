"""Keras itself, where it is needed: to build a model of `keras.applications` and to see that a translation computes the same.

The only file that imports Keras, and only while a model is loaded. Keras is set to compute with torch unless the user says otherwise
(`KERAS_BACKEND`); numbers go in and out as numpy arrays, so another of its backends serves as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weigh.errors import MissingExtra, ModelError, reason_of
from weigh.language import Text, text
from weigh.models.download import fetch_url, mirrored
from weigh.models.hub import unreachable
from weigh.models.hub_refusals import Refusal
from weigh.models.keras.settings import cleaned, refused

__all__ = ["Reference", "application", "config_of", "from_config", "hub_backbone", "keras_cache"]

HDF5 = b"\x89HDF\r\n\x1a\n"  # first bytes of every such file
MOST_PARAMETERS = 2_000_000_000
MOST_NUMBERS = 64_000_000  # that a layer gives for one picture


class Reference:
    """A model of Keras, and its layers by the names of the models around them."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.layers = dict(_layers(model, ()))

    @property
    def parameters(self) -> int:
        return int(self.model.count_params())

    def shapes(self, path: tuple[str, ...]) -> list[tuple[int, ...]]:
        """The shapes of the arrays of a layer."""
        layer = self.layers.get(path)
        return [tuple(weight.shape) for weight in layer.weights] if layer is not None else []

    def arrays(self, path: tuple[str, ...]) -> list[np.ndarray]:
        """The arrays of a layer."""
        return [_numpy(weight) for weight in self.layers[path].weights]

    def fill(self, path: tuple[str, ...], arrays: Sequence[np.ndarray]) -> None:
        self.layers[path].set_weights(list(arrays))

    def compute(self, pictures: torch.Tensor) -> torch.Tensor:
        """`(n, 3, size, size)` to what the model returns, in inference, in the precision of the model itself."""
        # autocast would round inside layers of Keras, which computes with torch, while a saved model is asked without it
        alone = torch.autocast("cpu", enabled=False)
        with torch.no_grad(), alone, _on_processor(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The structure of `inputs`")  # one input, in a list or not
            laid = pictures.detach().cpu() if self.channels_first else pictures.detach().cpu().permute(0, 2, 3, 1)
            outputs = self.model(laid.contiguous().numpy(), training=False)
        computed = torch.from_numpy(np.array(_numpy(outputs))).to(pictures.device)
        return computed.permute(0, 3, 1, 2) if computed.ndim == 4 and not self.channels_first else computed

    @property
    def channels_first(self) -> bool:
        """Whether pictures enter as `(n, 3, size, size)`; its maps then have their channels first too."""
        shapes = [tuple(one.shape) for one in getattr(self.model, "inputs", None) or ()]
        return len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][1] == 3 != shapes[0][3]

    @property
    def single(self) -> bool:
        """Whether pictures are all that enters, and one vector is meant: one output, or dense layers on the same one. Not of a model that knows no input."""
        try:
            inputs, outputs = list(self.model.inputs), list(self.model.outputs)
        except (AttributeError, ValueError):  # of a sequential model that was never built: it has no numbers either
            return False
        if len(inputs) != 1 or len(outputs) < 2:
            return len(inputs) == len(outputs) == 1
        ends = [output._keras_history.operation for output in outputs]
        return all(type(end).__name__ == "Dense" for end in ends) and len({id(end.input) for end in ends}) == 1

    def without_head(self) -> Reference:
        """Up to what enters its last dense layer."""
        last = self.model.layers[-1]
        if type(last).__name__ != "Dense":
            return self
        return Reference(_keras().Model(self.model.inputs, last.input))


def _layers(model: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for layer in model.layers:
        own = (*path, layer.name)
        if hasattr(layer, "layers"):
            yield from _layers(layer, own)
        else:
            yield own, layer


def _numpy(value: Any) -> np.ndarray:
    return np.asarray(_keras().ops.convert_to_numpy(value))


@cache
def _keras() -> Any:
    """The library.

    Raises:
        MissingExtra: Not installed, or Keras 2.
        ModelError: It cannot be imported.
    """
    needed = text("models of Keras", "Keras 模型")
    if find_spec("keras") is None:
        raise MissingExtra("keras", needed, "keras")
    set_here = "KERAS_BACKEND" not in os.environ and "keras" not in sys.modules
    if set_here:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except Exception as error:  # its backend is imported with it, and may fail in any way
        raise ModelError(
            text("Keras cannot be imported: {e}", "无法导入 Keras：{e}", e=reason_of(error)),
            text("KERAS_BACKEND is {b}.", "KERAS_BACKEND 为 {b}。", b=os.environ.get("KERAS_BACKEND", "–")),
            text("Let it compute with torch: KERAS_BACKEND=torch", "请让它使用 torch：KERAS_BACKEND=torch"),
        ) from None
    finally:
        if set_here:
            del os.environ["KERAS_BACKEND"]
    if int(keras.__version__.partition(".")[0]) < 3:
        raise MissingExtra("keras>=3.15", needed, "keras")
    return keras


@contextmanager
def _on_processor(device: str = "cpu") -> Iterator[None]:
    keras = _keras()
    with keras.device(device) if keras.backend.backend() == "torch" else contextlib.nullcontext():
        yield


def config_of(reference: Reference, address: str) -> dict[str, Any]:
    """Its configuration, cleaned."""
    return cleaned(json.loads(reference.model.to_json()), address)


def from_config(config: dict[str, Any], address: str, *, most_parameters: int) -> Reference:
    """A model from a cleaned configuration. (Keras empties what it is given.)

    Args:
        most_parameters: More cannot stand in its file; it is built without memory first, and counted.

    Raises:
        ModelError: More than that, or Keras refuses it.
    """
    keras = _keras()
    try:
        if keras.backend.backend() == "torch":
            with _on_processor("meta"):
                blank = keras.saving.deserialize_keras_object(deepcopy(config), safe_mode=True)
            for layer in _layers(blank, ()):
                _check_output(layer[1], address)
            if blank.count_params() > most_parameters:
                raise refused(address, text("its layers need {n} numbers, more than its file can hold", "其各层需要 {n} 个数，超过文件所能容纳的数量", n=f"{blank.count_params():,}"))  # fmt: skip
        with _on_processor():
            return Reference(keras.saving.deserialize_keras_object(deepcopy(config), safe_mode=True))
    except ModelError:
        raise
    except Exception as error:  # it is given settings that a stranger wrote
        raise ModelError(
            text("{a}: Keras cannot build it: {e}", "{a}：Keras 无法构建它：{e}", a=address, e=reason_of(error, 300)),
            do=text(
                "Save it again with this version of Keras: {v}.",
                "请用此版本的 Keras 重新保存：{v}。",
                v=keras.__version__,
            ),
        ) from None


def _check_output(layer: Any, address: str) -> None:
    """Raise an error if a call of a layer makes too many numbers; a layer that is called twice has no single `output`."""
    for node in layer._inbound_nodes:
        for made in node.output_tensors:
            if float(np.prod([side or 1 for side in made.shape], dtype=np.float64)) > MOST_NUMBERS:
                raise refused(address, text("the layer {n} makes {k} numbers of one picture", "层 {n} 会从一张图片生成 {k} 个数", n=layer.name, k=str(made.shape)))  # fmt: skip


def application(name: str, address: str, *, size: int, head: bool, pretrained: bool, offline: bool) -> tuple[Reference, tuple[Path, ...]]:  # fmt: skip
    """A model of `keras.applications`, and the files its weights were read from.

    Raises:
        WeightsUnreachable: They are neither in Keras's cache nor to be had from its server.
    """
    keras, files = _keras(), []
    options: dict[str, Any] = {"include_top": head, "input_shape": (size, size, 3)}
    if head:
        options["classifier_activation"] = None
    try:
        with _on_processor():
            if not pretrained:
                return Reference(getattr(keras.applications, name)(weights=None, **options)), ()
            with _downloads(address, offline=offline) as files:
                return Reference(getattr(keras.applications, name)(weights="imagenet", **options)), tuple(files)
    except (OSError, KeyError) as error:  # of h5py: a file without a stated hash that is not whole
        raise _unreadable(address, files, error) from None
    except ValueError as error:  # NASNetMobile does not run on torch; a size that is too small
        raise ModelError(
            text("{a}: Keras cannot build it: {e}", "{a}：Keras 无法构建它：{e}", a=address, e=reason_of(error, 300)),
            do=text("`weigh models 'keras:*'` lists others.", "`weigh models 'keras:*'` 会列出其他模型。"),
        ) from None


@contextmanager
def _downloads(address: str, *, offline: bool) -> Iterator[list[Path]]:
    """While Keras builds a model, its files come from its cache, or from its server if that may be asked and answers; what was read."""
    from keras.src.utils import file_utils

    usual: Callable[..., str] = file_utils.get_file
    files: list[Path] = []

    def get_file(fname: str, origin: str, **options: Any) -> str:
        cached, url = (
            keras_cache() / options.get("cache_subdir", "models") / fname,
            mirrored(origin, "WEIGH_KERAS_ENDPOINT"),
        )
        digest = options.get("file_hash") or ""
        kept = fetch_url(
            url, cached, digest=digest, kind="sha256" if len(digest) == 64 else "md5", begins=HDF5, offline=offline
        )
        if kept.path is None:
            refusal = kept.refusal._replace(do=kept.refusal.do or _by_hand(url, cached))
            raise unreachable(address, refusal, offline=offline, packaged=None)
        files.append(kept.path)
        return str(kept.path)

    file_utils.get_file = get_file
    try:
        yield files
    finally:
        file_utils.get_file = usual


def _unreadable(address: str, files: Sequence[Path], error: Exception) -> ModelError:
    where = ", ".join(map(str, files)) or "–"
    return ModelError(
        text("{a}: its weights in {f} cannot be read: {e}.", "{a}：无法读取 {f} 中的权重：{e}。", a=address, f=where, e=reason_of(error, 120)),
        text("An earlier download may have broken off.", "以前的下载可能中断过。"),
        text("Delete that file and run the same command again.", "请删除该文件，再运行同一命令。"),
    )  # fmt: skip


def _by_hand(origin: str, cached: Path) -> Text:
    return text(
        "Run once with a connection, or fetch {u} elsewhere and put it at {c}; or give a file: keras:PATH.keras",
        "请先联网运行一次，或在别处下载 {u} 并放到 {c}；也可以给出文件：keras:路径.keras",
        u=origin,
        c=str(cached),
    )


def keras_cache() -> Path:
    """Where Keras keeps what it has downloaded; without importing it."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def hub_backbone(preset: str, address: str, *, pretrained: bool, offline: bool) -> Reference:
    """A backbone of KerasHub.

    Raises:
        MissingExtra: KerasHub is not installed.
        WeightsUnreachable: The preset is not on this machine, and its server does not answer.
    """
    _keras()
    if find_spec("keras_hub") is None:
        raise MissingExtra("keras-hub", text("presets of KerasHub", "KerasHub 的预设模型"))
    if preset.startswith((".", "/", "~")) or "://" in preset:
        raise refused(
            address,
            text(
                "a folder or repository of KerasHub may name any class of it",
                "KerasHub 的文件夹或仓库可以指定它的任意类",
            ),
            text(
                "Save the backbone as PATH.keras, or give the name of a preset.",
                "请将主干网络保存为 路径.keras，或给出预设名称。",
            ),
        )
    try:
        import keras_hub

        with _on_processor(), contextlib.redirect_stdout(sys.stderr), _only_cached(offline=offline):
            backbone = keras_hub.models.Backbone.from_preset(preset, load_weights=pretrained)
    except Exception as error:  # no connection, no such preset, no licence: whatever its servers' clients raise
        tried = text("KerasHub: {e}", "KerasHub：{e}", e=reason_of(error))
        do = text(
            "Run once with a connection; names of presets: keras.io/keras_hub/presets",
            "请先联网运行一次；预设名称见 keras.io/keras_hub/presets",
        )
        raise unreachable(address, Refusal(tried, do), offline=offline, packaged=None) from None
    output = backbone.output
    if isinstance(output, dict):
        output = list(output.values())[-1]
    return Reference(_keras().Model(backbone.inputs, output))


@contextmanager
def _only_cached(*, offline: bool) -> Iterator[None]:
    """While it lasts, nothing in this process finds a server: kagglehub has no switch for that, and heeds no proxy."""
    usual, hub = socket.getaddrinfo, os.environ.get("HF_HUB_OFFLINE")

    def nowhere(*_args: Any, **_named: Any) -> Any:
        raise OSError("offline")

    if offline:
        socket.getaddrinfo, os.environ["HF_HUB_OFFLINE"] = nowhere, "1"
    try:
        yield
    finally:
        socket.getaddrinfo = usual
        if offline:
            os.environ.pop("HF_HUB_OFFLINE") if hub is None else os.environ.__setitem__("HF_HUB_OFFLINE", hub)
