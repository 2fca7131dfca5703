"""Files of Keras models, read as what they are: a zip with JSON and HDF5. Nothing in them is run, and nothing is unpacked unseen.

Of an HDF5 file only the arrays that a network needs are read, each of exactly the shape that it needs. Links to other files, arrays that
are put together from others, and arrays that hold far more than the file are refused (CVE-2026-1462, CVE-2026-0897).
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from weigh.errors import MissingExtra, ModelError, reason_of
from weigh.language import text
from weigh.models.keras.settings import refused

__all__ = ["archive_config", "check_fits", "opened_weights", "read_arrays"]

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MOST_CONFIG = (
    8_000_000  # bytes; those of keras.applications have less than 2 million, and numbers take ten times the memory
)
MOST_WEIGHTS = 8_000_000_000  # bytes
MOST_TIMES = 200  # the size of an entry of the zip, packed: numbers of a network hardly shrink
SMALL = 50_000_000  # bytes that may be had from any file
MOST_CHUNK = 64_000_000  # bytes of an array that HDF5 unpacks at a time
MOST_NAMES = 10_000


def _entry(archive: zipfile.ZipFile, name: str, most: int, address: str) -> zipfile.ZipInfo:
    entries = [entry for entry in archive.infolist() if entry.filename == name]
    if len(entries) != 1:
        raise refused(address, text("its zip has {n} entries called {f}", "其压缩包中有 {n} 个名为 {f} 的条目", n=len(entries), f=name))  # fmt: skip
    entry = entries[0]
    if entry.file_size > most or entry.file_size > max(SMALL, MOST_TIMES * entry.compress_size):
        raise refused(address, text("{f} would become {n} bytes", "{f} 解压后将有 {n} 字节", f=name, n=f"{entry.file_size:,}"))  # fmt: skip
    return entry


@contextmanager
def _archive(path: Path, address: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            outside = [n for n in archive.namelist() if n.startswith(("/", "\\")) or ".." in n.replace("\\", "/").split("/") or ":" in n]  # fmt: skip
            if outside:
                raise refused(address, text("its zip has an entry outside of it: {n}", "其压缩包中有指向外部的条目：{n}", n=outside[0][:80]))  # fmt: skip
            yield archive
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ModelError(
            text("{a} cannot be read: {e}", "无法读取 {a}：{e}", a=address, e=reason_of(error)),
            do=text(
                "Copy the file again, or save the model again in Keras.",
                "请重新复制该文件，或在 Keras 中重新保存模型。",
            ),
        ) from None


def archive_config(path: Path, address: str) -> Any:
    """What config.json of a `.keras` file says, uncleaned.

    Raises:
        ModelError: No such file, or none that should be read.
    """
    with _archive(path, address) as archive:
        entry = _entry(archive, CONFIG, MOST_CONFIG, address)
        with archive.open(entry) as stream:
            written = stream.read(MOST_CONFIG + 1)
    try:
        return json.loads(written)
    except (ValueError, RecursionError) as error:
        raise refused(address, text("its config.json is not read: {e}", "无法读取其 config.json：{e}", e=reason_of(error))) from None  # fmt: skip


@contextmanager
def opened_weights(path: Path, address: str) -> Iterator[Any]:
    """The HDF5 file of a `.keras` archive, or the file itself; an `h5py.File`.

    Raises:
        ModelError: Not there, or none that should be read.
    """
    try:
        import h5py
    except ImportError:
        raise MissingExtra("h5py", text("models of Keras", "Keras 模型"), "keras") from None
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix == ".keras":
            unpacked = Path(folder) / "weights.h5"
            with _archive(path, address) as archive:
                entry = _entry(archive, WEIGHTS, MOST_WEIGHTS, address)
                with archive.open(entry) as stream, unpacked.open("wb") as copy:
                    shutil.copyfileobj(stream, copy, 1 << 20)
            path = unpacked
        try:
            with h5py.File(path, "r") as file:
                yield file
        except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
            raise ModelError(
                text(
                    "The weights of {a} cannot be read: {e}", "无法读取 {a} 的权重：{e}", a=address, e=reason_of(error)
                ),
                do=text(
                    "Copy the file again, or save the weights again in Keras.",
                    "请重新复制该文件，或在 Keras 中重新保存权重。",
                ),
            ) from None


def check_fits(path: Path, parameters: int, address: str) -> None:
    """Raise an error for a network whose numbers cannot stand in the file.

    Raises:
        ModelError: Names both sizes.
    """
    size = path.stat().st_size
    if 4 * parameters > 8 * size + SMALL:
        raise refused(address, text("its layers need {n} numbers, the file has {m} bytes", "其各层需要 {n} 个数，而文件只有 {m} 字节", n=f"{parameters:,}", m=f"{size:,}"))  # fmt: skip


def read_arrays(file: Any, places: Sequence[str], shapes: Sequence[Sequence[tuple[int, ...]]], address: str) -> list[list[np.ndarray]]:  # fmt: skip
    """The arrays of layers: those of Keras 3 by their place, those of Keras 2 by their order.

    Args:
        places: For each layer with numbers, its group in a file of Keras 3.
        shapes: What each of its arrays must be like.
    """
    if "layer_names" in file.attrs or "model_weights" in file:
        inside = _inside(file, "model_weights", address) if "model_weights" in file else file
        return _by_order(inside, shapes, address)
    arrays = []
    for place, own in zip(places, shapes, strict=True):
        names = [f"{place}/vars/{i}" for i in range(len(own))]
        arrays.append([_array(file, name, shape, address) for name, shape in zip(names, own, strict=True)])
    return arrays


def _by_order(file: Any, shapes: Sequence[Sequence[tuple[int, ...]]], address: str) -> list[list[np.ndarray]]:
    layers = [
        (name, _names(_inside(file, name, address), "weight_names", address))
        for name in _names(file, "layer_names", address)
    ]
    layers = [(name, weights) for name, weights in layers if weights]
    if len(layers) != len(shapes):
        raise _misfit(address, text("it has the weights of {n} layers, the architecture has {m}", "文件中有 {n} 层的权重，而架构有 {m} 层", n=len(layers), m=len(shapes)))  # fmt: skip
    arrays = []
    for (name, weights), own in zip(layers, shapes, strict=True):
        if len(weights) != len(own):
            raise _misfit(address, text("the layer {l} has {n} arrays instead of {m}", "层 {l} 有 {n} 个数组，而不是 {m} 个", l=name, n=len(weights), m=len(own)))  # fmt: skip
        arrays.append(
            [_array(file, f"{name}/{weight}", shape, address) for weight, shape in zip(weights, own, strict=True)]
        )
    return arrays


def _names(group: Any, attribute: str, address: str) -> list[str]:
    """A list of names in an attribute, split over several where it is long."""
    names: list[str] = []
    parts = [attribute] if attribute in group.attrs else []
    while f"{attribute}{len(parts)}" in group.attrs and len(parts) < 100:
        parts.append(f"{attribute}{len(parts)}")
    for part in parts:
        stored = group.attrs.get_id(part)
        n = math.prod(stored.shape)
        if n == 0:  # a layer without numbers; HDF5 does not even tell its size
            continue
        if n > MOST_NAMES or stored.get_storage_size() > SMALL:
            raise refused(address, text("it lists {n} names", "其中列出了 {n} 个名称", n=n))
        names += [n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in np.ravel(group.attrs[part])]
    return names


def _inside(file: Any, place: str, address: str) -> Any:
    """What lies at a place, reached without following a link."""
    import h5py

    here = file
    for step in place.split("/"):
        link = here.get(step, getlink=True) if isinstance(here, h5py.Group) and step not in ("", ".", "..") else None
        if link is None:
            raise _misfit(address, text("it has nothing at {p}", "其中没有 {p}", p=place[:200]))
        if not isinstance(link, h5py.HardLink):
            raise refused(address, text("{p} is a link to another place or file", "{p} 是指向其他位置或文件的链接", p=place[:200]))  # fmt: skip
        here = here[step]
    return here


def _array(file: Any, place: str, shape: tuple[int, ...], address: str) -> np.ndarray:
    import h5py

    stored = _inside(file, place, address)
    if not isinstance(stored, h5py.Dataset) or stored.dtype.kind not in "fiu":
        raise refused(address, text("{p} holds no numbers", "{p} 中没有数值", p=place[:200]))
    if stored.is_virtual or stored.external:
        raise refused(address, text("{p} lies in another file", "{p} 的内容在另一个文件中", p=place[:200]))
    if tuple(stored.shape) != tuple(shape):
        raise _misfit(address, text("{p} has the shape {a}, the architecture {b}", "{p} 的形状为 {a}，而架构需要 {b}", p=place[:200], a=str(stored.shape), b=str(shape)))  # fmt: skip
    chunk = math.prod(stored.chunks or (0,)) * stored.dtype.itemsize
    stored_bytes = stored.id.get_storage_size()
    if chunk > MOST_CHUNK or (stored.nbytes > 1_000_000 and stored.nbytes > MOST_TIMES * stored_bytes):
        raise refused(address, text("{p} would become {n} bytes", "{p} 解压后将有 {n} 字节", p=place[:200], n=f"{max(chunk, stored.nbytes):,}"))  # fmt: skip
    numbers = np.asarray(stored[()])
    if not np.isfinite(numbers).all():
        raise refused(
            address,
            text("{p} holds numbers that are not finite", "{p} 中有非有限的数值", p=place[:200]),
            text("Its training went astray: take weights of an earlier epoch.", "训练已经发散：请使用较早轮次的权重。"),
        )
    return numbers


def _misfit(address: str, what: Any) -> ModelError:
    return ModelError(
        text("{a}: the weights do not fit: {w}.", "{a}：权重与架构不匹配：{w}。", a=address, w=what),
        text("What does not fit would stay random.", "不匹配的部分将保持随机。"),
        text(
            "Name the architecture that they were saved from: keras:PATH.weights.h5@NAME; or save the whole model as PATH.keras.",
            "请写出保存权重时的架构：keras:路径.weights.h5@名称；或将整个模型保存为 路径.keras。",
        ),
    )
