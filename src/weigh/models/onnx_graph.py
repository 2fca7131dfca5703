"""ONNX files, read and checked before anything runs them: which operations they need, where their weights lie, how large they would get.

The weights of a large model lie in other files, named inside; a name that leads out of the folder would make any file of this machine
part of the model. Operations outside ONNX itself would need somebody's library. Before it: a path. After it: `onnx.py`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from weigh.errors import MissingExtra, ModelError, no_file, reason_of
from weigh.files import open_regular
from weigh.language import Text, text
from weigh.models.limits import MOST_OPERATIONS, written_out

__all__ = ["check_sizes", "cut_model", "outside_files", "read_onnx", "refused", "shape_of", "stand_in"]

DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}  # what onnxruntime computes by itself
ENDLESS = {"Loop", "Scan"}
MOST_BYTES = 2 << 30  # of a message of protocol buffers
FEW = 64  # values of a weight that may be a shape, a scale or the like
MOST_VALUES = 1 << 28  # of one tensor while a picture is computed: 1 GB


def read_onnx(path: Path) -> Any:
    """The model in a file, its external weights not read; calls of its own functions written out.

    Raises:
        MissingExtra: The package onnx is not installed.
        ModelError: Not there, damaged, or with operations or files that weigh does not touch.
    """
    try:
        import onnx
        import onnx.inliner
    except ImportError:
        raise MissingExtra("onnx", text("reading ONNX files", "读取 ONNX 文件"), "onnx") from None
    if not path.is_file():
        do = text(
            "Write the path of the .onnx file: onnx:FOLDER/model.onnx",
            "请写出 .onnx 文件的路径：onnx:文件夹/model.onnx",
        )
        raise no_file(path, ModelError, do)
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > MOST_BYTES:
            raise refused(path, text("{n} bytes in one file", "单个文件有 {n} 字节", n=f"{size:,}"))
        content = file.read(size)  # a longer read would first make room for all of it
    try:
        model = onnx.ModelProto()
        model.ParseFromString(content)
        if not model.graph.node:
            raise refused(path, text("it holds no operations", "其中没有运算"))
        if model.functions:
            own = {(function.domain, function.name) for function in model.functions}
            _check_operations((node for function in model.functions for node in function.node), path, own)
            _check_calls(model, own, path)
            model = onnx.inliner.inline_local_functions(model)
    except ModelError:
        raise
    except Exception as error:  # DecodeError of protobuf, or of the inliner
        raise refused(path, reason_of(error)) from None
    _check_operations(model.graph.node, path, set())
    outside_files(model, path)
    return model


def _check_calls(model: Any, own: set[tuple[str, str]], path: Path) -> None:
    """Raise an error for functions that call each other: calls are written out, and these would never end."""
    names = {f"{domain}.{name}" for domain, name in own}

    def called(nodes: Iterable[Any]) -> list[str]:
        return [name for node in operations_in(nodes) if (name := f"{node.domain}.{node.op_type}") in names]

    calls = {f"{function.domain}.{function.name}": called(function.node) for function in model.functions}
    lengths = {f"{function.domain}.{function.name}": len(function.node) for function in model.functions}
    try:
        sizes = written_out(calls, lengths)
    except ValueError as error:
        raise refused(path, str(error)) from None
    if len(model.graph.node) + sum(sizes[name] for name in called(model.graph.node)) > MOST_OPERATIONS:
        raise refused(
            path,
            text(
                "with its functions written out it has more than {n} operations",
                "展开函数后的运算超过 {n} 个",
                n=f"{MOST_OPERATIONS:,}",
            ),
        )


def _check_operations(nodes: Iterable[Any], path: Path, own: set[tuple[str, str]]) -> None:
    """Raise an error for operations that are not of ONNX itself, or that may go on for ever."""
    for node in operations_in(nodes):
        if (node.domain, node.op_type) in own:
            continue
        if node.domain not in DOMAINS:
            raise ModelError(
                text("{p} needs the operation {d}.{o}.", "{p} 需要运算 {d}.{o}。", p=path, d=node.domain[:60], o=node.op_type[:60]),
                text(
                    "It is not part of ONNX: it would need a library of somebody's, which weigh does not load.",
                    "它不属于 ONNX：需要他人的库，而 weigh 不会加载。",
                ),
                text("Export the model with ONNX's own operations.", "请只用 ONNX 自带的运算导出模型。"),
            )  # fmt: skip
        if node.op_type in ENDLESS:
            raise ModelError(
                text("{p} needs the operation {o}.", "{p} 需要运算 {o}。", p=path, o=node.op_type),
                text("A loop may never end.", "循环可能永不结束。"),
                text("Export the model without loops.", "请导出不含循环的模型。"),
            )


def operations_in(nodes: Iterable[Any]) -> Iterator[Any]:
    """All nodes, those inside branches too."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                waiting += graph.node


def outside_files(model: Any, path: Path) -> list[Path]:
    """Files beside the model that hold weights; each lies in its folder.

    Raises:
        ModelError: A file elsewhere, one that is not there, or one that is too short.
    """
    import onnx

    folder, files = path.resolve().parent, {}
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        windows = PureWindowsPath(location)
        parts = location.replace("\\", "/").split("/")
        file = (folder / location).resolve() if "\0" not in location else folder
        if (
            not location
            or windows.is_absolute()
            or windows.drive
            or location.startswith("/")
            or ".." in parts
            or folder not in file.parents
        ):
            raise ModelError(
                text("{p} names weights outside its folder: {l}.", "{p} 引用了其文件夹之外的权重：{l}。", p=path, l=ascii(location[:120])),
                text("A model must not read other files of this machine.", "模型不得读取本机的其他文件。"),
                text("Put all files of the model into one folder and export it there.", "请把模型的所有文件放在同一文件夹中并在此导出。"),
            )  # fmt: skip
        if not file.is_file():
            raise ModelError(
                text(
                    "{p} keeps its weights in {l}, which is not there.",
                    "{p} 的权重在 {l} 中，但该文件不存在。",
                    p=path,
                    l=location[:200],
                ),
                do=text("Put the file beside the model: {f}", "请把该文件放在模型旁边：{f}", f=file),
            )
        with open_regular(file) as opened:
            size = os.fstat(opened.fileno()).st_size
        numbers = [entries.get(key) or "0" for key in ("offset", "length")]
        if not all(n.isascii() and n.isdigit() and len(n) < 20 for n in numbers) or sum(map(int, numbers)) > size:
            raise refused(path, text("{l} is shorter than it should be", "{l} 比应有的长度短", l=location[:200]))
        files[file] = None
    return list(files)


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in operations_in(model.graph.node):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from graph.initializer


def cut_model(model: Any, outputs: list[str]) -> Any:
    """The model that gives these tensors: only the nodes and weights that they need."""
    import onnx

    made_by = {name: i for i, node in enumerate(model.graph.node) for name in node.output if name}
    needed: set[int] = set()
    waiting, wanted = list(outputs), set()
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        wanted.add(name)
        at = made_by.get(name)
        if at is not None and at not in needed:
            needed.add(at)
            node = model.graph.node[at]
            inner = [name for one in operations_in([node]) for name in one.input]  # branches see what is outside
            waiting += [*node.input, *inner]
    smaller = _like(model)
    smaller.graph.node.extend(node for i, node in enumerate(model.graph.node) if i in needed)
    smaller.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in wanted)
    smaller.graph.sparse_initializer.extend(one for one in model.graph.sparse_initializer if one.values.name in wanted)
    smaller.graph.input.extend(value for value in model.graph.input if value.name in wanted)
    smaller.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    return smaller


def _like(model: Any) -> Any:
    """An empty model of the same versions."""
    import onnx

    empty = onnx.ModelProto(ir_version=model.ir_version)
    empty.opset_import.extend(model.opset_import)
    empty.graph.name = model.graph.name or "graph"
    return empty


def shape_of(value: Any) -> tuple[int, ...] | None:
    """The shape of an input or output, -1 where a side is free; None: unknown."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else -1 for side in kind.shape.dim)


def check_sizes(model: Any, path: Path, input_: str, shape: tuple[int, ...]) -> None:
    """Raise an error if one picture makes tensors of unsound sizes, as far as the file tells.

    Raises:
        ModelError: One that would fill the memory.
    """
    import onnx

    fixed = _like(model)
    fixed.graph.node.extend(model.graph.node)
    fixed.graph.input.extend(model.graph.input)
    fixed.graph.output.extend(model.graph.output)
    fixed.graph.initializer.extend(  # of large weights the shape is enough
        tensor
        if math.prod(tensor.dims) <= FEW
        else onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
        for tensor in model.graph.initializer
    )
    for value in fixed.graph.input:
        if value.name == input_:
            del value.type.tensor_type.shape.dim[:]
            for side in shape:
                value.type.tensor_type.shape.dim.add().dim_value = side
    try:
        inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    except Exception:  # of the checker: onnxruntime will say what is wrong
        return
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        sides = shape_of(value)
        if sides is None:
            continue
        if math.prod(abs(side) for side in sides) > MOST_VALUES:
            raise ModelError(
                text("{p}: the tensor {n} would have the shape {s}.", "{p}：张量 {n} 的形状将为 {s}。", p=path, n=value.name[:100], s=sides),
                text("It would fill the memory.", "它会占满内存。"),
                text("Take another model, or smaller pictures: @size=224.", "请换用其他模型，或更小的图片：@size=224。"),
            )  # fmt: skip


def refused(path: Path, reason: str | Text) -> ModelError:
    """The error for a file that is no ONNX file, or a damaged one."""
    return ModelError(
        text("{p} cannot be read as ONNX: {e}.", "无法把 {p} 作为 ONNX 读取：{e}。", p=path, e=reason),
        text("It is damaged, or another kind of file.", "文件已损坏，或是其他类型的文件。"),
        text("Export the model again, or name another file.", "请重新导出模型，或指定其他文件。"),
    )


def stand_in(tensor: Any) -> np.ndarray:
    """The values of a weight where they are few; of others, which may lie in another file, the shape alone."""
    from onnx import TensorProto, numpy_helper

    shape = tuple(tensor.dims)
    if any(side < 0 for side in shape):
        raise ValueError(f"{tensor.name[:80]} has the shape {shape}")
    if math.prod(shape) <= FEW and tensor.data_location != TensorProto.EXTERNAL:
        return numpy_helper.to_array(tensor)
    return np.broadcast_to(np.float32(0), shape)
