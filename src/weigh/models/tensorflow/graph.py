"""TensorFlow's graphs as they lie in files: nodes, constants, functions, signatures. Read as protocol buffers; TensorFlow is not started.

Before it: `protobuf.py`. After it: `inert.py` (what may be run), `weights.py` (weights for an architecture of timm).
The numbers of the fields are those of TensorFlow's graph.proto, node_def.proto, tensor.proto, function.proto and saved_model.proto.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from weigh.errors import ModelError, no_file
from weigh.files import open_regular
from weigh.language import Text, text
from weigh.models.limits import MOST_OPERATIONS
from weigh.models.protobuf import Message, ProtobufError, message_field

__all__ = [
    "TYPES", "Function", "Graph", "Node", "SavedModel", "Signature", "broken", "constants", "parse_graph", "placeholder", "producer",
    "read_graph", "read_saved_model", "tensor_name",
]  # fmt: skip

MOST_BYTES = 2 << 30  # a message of protocol buffers cannot hold more
MOST_REPEATED = 64 << 20  # bytes of a constant whose file holds one value for all
TYPES: dict[int, Any] = {  # numbers of types.proto
    1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8, 9: np.int64, 10: np.bool_, 17: np.uint16,
    19: np.float16, 22: np.uint32, 23: np.uint64,
}  # fmt: skip
# type -> field of its values in a tensor, and how many bytes a value has there (0: numbers without a fixed size)
VALUES = {
    1: (5, 4), 2: (6, 8), 3: (7, 0), 4: (7, 0), 5: (7, 0), 6: (7, 0), 9: (10, 0), 10: (11, 0), 17: (7, 0), 19: (13, 0),
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A node of a graph or of a function.

    Attributes:
        raw: The message as it stands in the file.
        inputs: "node", "node:1", "^node" (it only waits for that one); in functions "node:output:0".
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict[str, Message]
    raw: memoryview

    @property
    def data(self) -> tuple[str, ...]:
        """Inputs that carry values."""
        return tuple(name for name in self.inputs if not name.startswith("^"))

    def ints(self, name: str) -> list[int]:
        """A list of numbers."""
        return self.attributes[name].message(1).varints(3) if name in self.attributes else []

    def string(self, name: str) -> str:
        """A text; "" where there is none."""
        return self.attributes[name].text(2) if name in self.attributes else ""

    def real(self, name: str, default: float) -> float:
        """A number."""
        return self.attributes[name].float(4) if name in self.attributes else default

    def flag(self, name: str) -> bool:
        """A yes or no."""
        return name in self.attributes and bool(self.attributes[name].number(5))

    @property
    def dtype(self) -> int:
        """Number of the type of its values; 0 where it does not say."""
        for name in ("dtype", "T"):
            if name in self.attributes:
                return self.attributes[name].number(6)
        return 0

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of a placeholder or a constant, -1 where a side is free; None where even the number of sides is."""
        if "shape" in self.attributes:
            return _shape(self.attributes["shape"].message(7))
        return _shape(self.attributes["value"].message(8).message(2)) if "value" in self.attributes else None

    @property
    def called(self) -> set[str]:
        """Names of functions among its attributes."""
        names: set[str] = set()
        for value in self.attributes.values():
            functions = [*value.messages(10), *(f for listed in value.messages(1) for f in listed.messages(9))]
            names |= {function.text(1) for function in functions}
        return names

    def check_size(self) -> None:
        """A constant whose shape is much larger than what the file holds of it would fill the memory.

        Raises:
            ProtobufError: It is such a constant.
        """
        if self.op == "Const" and "value" in self.attributes:
            tensor = self.attributes["value"].message(8)
            kind, shape = tensor.number(1), _shape(tensor.message(2)) or ()
            size = math.prod(shape) * np.dtype(TYPES.get(kind, np.int64)).itemsize
            if min(shape, default=0) < 0 or size > max(MOST_REPEATED, 16 * len(tensor.data)):
                raise ProtobufError(
                    f"{self.name[:80]} has the shape {shape}, and {len(tensor.data):,} bytes in the file"
                )

    def constant(self) -> np.ndarray:
        """The values of a `Const`.

        Raises:
            ProtobufError: Of a type that is no number, or of a shape that its values do not fill.
        """
        self.check_size()
        return _array(self.attributes["value"].message(8) if "value" in self.attributes else Message(b""), self.name)


@dataclass(frozen=True)
class Function:
    """A function of a graph's library."""

    name: str
    nodes: tuple[Node, ...]
    raw: memoryview


@dataclass(frozen=True)
class Graph:
    """Nodes by name, and the functions that they may call.

    Attributes:
        versions: The message as it stands in the file.
    """

    nodes: dict[str, Node]
    functions: dict[str, Function]
    versions: memoryview

    @cached_property
    def consumers(self) -> dict[str, list[Node]]:
        """Name of a node -> those that take its values."""
        taking: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            for name in node.data:
                taking.setdefault(producer(name), []).append(node)
        return taking

    def before(self, *names: str) -> Iterator[Node]:
        """The nodes that these need, themselves included, each after what it needs; through control inputs too.

        Raises:
            ProtobufError: A node that is not there, or nodes that need each other.
        """
        done: set[str] = set()
        open_nodes: set[str] = set()
        stack = [(name, False) for name in reversed(names)]
        while stack:
            name, left = stack.pop()
            if left:
                open_nodes.discard(name)
                done.add(name)
                yield self.nodes[name]
                continue
            if name in done:
                continue
            if name in open_nodes:
                raise ProtobufError(f"the node {name[:80]} needs itself")
            if name not in self.nodes:
                raise ProtobufError(f"there is no node {name[:80]}")
            open_nodes.add(name)
            stack.append((name, True))
            stack += [(producer(one), False) for one in reversed(self.nodes[name].inputs)]


@dataclass(frozen=True)
class Signature:
    """Named inputs and outputs of a SavedModel: name -> (tensor, type, shape)."""

    name: str
    inputs: dict[str, tuple[str, int, tuple[int, ...] | None]]
    outputs: dict[str, tuple[str, int, tuple[int, ...] | None]]


@dataclass(frozen=True)
class SavedModel:
    """The graph of a SavedModel that serves.

    Attributes:
        restore: Name of the node that fills its variables; "" where it has none.
        filename: Name of the tensor that takes the path of their files.
    """

    graph: Graph
    signatures: dict[str, Signature]
    restore: str
    filename: str


def placeholder(name: str, dtype: int) -> Node:
    """A node that takes what is fed to it, for one that computed it."""
    kind = message_field(1, b"dtype") + message_field(2, bytes([6 << 3, dtype]))
    return _node(
        memoryview(message_field(1, name.encode()) + message_field(2, b"Placeholder") + message_field(5, kind))
    )


def producer(tensor: str) -> str:
    """The node that a tensor comes from."""
    return tensor.removeprefix("^").partition(":")[0]


def tensor_name(name: str) -> str:
    """The name of a tensor as a session has it: "node:0"."""
    return name if ":" in name else f"{name}:0"


def read_graph(path: Path) -> Graph:
    """The graph in a `.pb` file.

    Raises:
        ModelError: Not there, damaged, or no frozen graph.
    """
    with broken(path):
        graph = parse_graph(_bytes_of(path))
    if not graph.nodes:
        raise refused(path, text("it holds no nodes", "其中没有节点"))
    return graph


def read_saved_model(folder: Path) -> SavedModel:
    """What a folder with `saved_model.pb` holds.

    Raises:
        ModelError: No such folder, or damaged.
    """
    path = folder / "saved_model.pb"
    if not path.is_file():
        raise ModelError(
            text(
                "{f} is no SavedModel: it has no saved_model.pb.",
                "{f} 不是 SavedModel：其中没有 saved_model.pb。",
                f=folder,
            ),
            do=text(
                "Name the folder that holds saved_model.pb, or a frozen graph (.pb).",
                "请指定包含 saved_model.pb 的文件夹，或一个冻结图（.pb）。",
            ),
        )
    with broken(path):
        tagged = [_meta_graph(message) for message in Message(_bytes_of(path)).messages(2)]
    serving = [model for tags, model in tagged if "serve" in tags] or [model for _, model in tagged]
    if not serving or not serving[0].graph.nodes:
        raise refused(path, text("it holds no graph", "其中没有计算图"))
    return serving[0]


def parse_graph(data: memoryview | bytes) -> Graph:
    """A GraphDef from its bytes, by names; `ProtobufError` where it is damaged, too large or has two nodes of one name."""
    message = Message(data)
    nodes = [_node(part) for part in message.parts(1)]
    if len(nodes) > MOST_OPERATIONS:
        raise ProtobufError(f"{len(nodes):,} nodes")
    by_name = {node.name: node for node in nodes}
    if len(by_name) != len(nodes):
        raise ProtobufError("two nodes have one name")
    library = message.message(2)
    functions = [
        Function(Message(part).message(1).text(1), tuple(_node(inner) for inner in Message(part).parts(3)), part)
        for part in library.parts(1)
    ]
    return Graph(by_name, {function.name: function for function in functions}, message.message(4).data)


class broken:
    """Inside the block what is wrong with a file is a `ModelError` that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, ProtobufError):
            raise refused(self.path, str(error)) from None


def refused(path: Path, reason: str | Text) -> ModelError:
    return ModelError(
        text("{p} cannot be read as a graph of TensorFlow: {e}.", "无法把 {p} 作为 TensorFlow 计算图读取：{e}。", p=path, e=reason),
        text("It is damaged, or another kind of file.", "文件已损坏，或是其他类型的文件。"),
        text(
            "Write it anew as a SavedModel (model.export('FOLDER') of Keras, tf.saved_model.save), or take another address: keras:PATH.keras, "
            "onnx:PATH.onnx.",
            "请重新写成 SavedModel（Keras 的 model.export('文件夹')，或 tf.saved_model.save），或改用其他地址：keras:PATH.keras、onnx:PATH.onnx。",
        ),
    )  # fmt: skip


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise no_file(path, ModelError)
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > MOST_BYTES:
            raise refused(path, f"{size:,} > {MOST_BYTES:,} bytes")
        return file.read(size)  # a longer read would first make room for all of it


def _node(part: memoryview) -> Node:
    message = Message(part)
    return Node(message.text(1), message.text(2), tuple(message.texts(3)), message.mapping(5), part)


def _shape(message: Message) -> tuple[int, ...] | None:
    return None if message.number(3) else tuple(side.number(1) for side in message.messages(2))


def _meta_graph(message: Message) -> tuple[list[str], SavedModel]:
    saver = message.message(3)

    def tensors(by_name: dict[str, Message]) -> dict[str, tuple[str, int, tuple[int, ...] | None]]:
        return {
            name: (one.text(1), one.number(2), _shape(one.message(3)) if one.parts(3) else None)
            for name, one in by_name.items()
        }

    signatures = {
        name: Signature(name, tensors(one.mapping(1)), tensors(one.mapping(2)))
        for name, one in message.mapping(5).items()
    }
    model = SavedModel(parse_graph(message.message(2).data), signatures, producer(saver.text(3)), saver.text(1))
    return message.message(1).texts(4), model


def _array(tensor: Message, name: str) -> np.ndarray:
    kind, shape = tensor.number(1), _shape(tensor.message(2)) or ()
    if kind not in TYPES:
        raise ProtobufError(f"{name[:80]} holds values of the type {kind}")
    count = math.prod(shape)
    content = tensor.parts(4)
    values = np.frombuffer(content[-1], TYPES[kind]) if content and len(content[-1]) else _listed(tensor, kind)
    if len(values) == count:
        return values.reshape(shape)
    if 0 < len(values) < count and not content:  # the last one is meant for the rest
        return np.concatenate([values, np.full(count - len(values), values[-1], values.dtype)]).reshape(shape)
    if count and not len(values):
        return np.zeros(shape, TYPES[kind])
    raise ProtobufError(f"{name[:80]} holds {len(values)} values for the shape {shape}")


def _listed(tensor: Message, kind: int) -> np.ndarray:
    number, size = VALUES.get(kind, (7, 0))
    if size:
        return np.frombuffer(tensor.fixed(number, size), TYPES[kind])
    values = np.array(tensor.varints(number), np.int64)
    return values.astype(np.uint16).view(np.float16) if kind == 19 else values.astype(TYPES[kind])


def constants(graph: Graph) -> Callable[[str], np.ndarray | None]:
    """`(tensor) -> values`, where they are fixed: those of a constant, also behind nodes that hand it on in another shape."""

    def look(tensor: str, depth: int = 0) -> np.ndarray | None:
        node = graph.nodes.get(producer(tensor))
        if node is None or depth > 20:
            return None
        if node.op == "Const":
            return node.constant() if node.dtype in TYPES else None
        if node.op not in ("Identity", "StopGradient", "Snapshot", "Reshape", "Squeeze", "ExpandDims") or not node.data:
            return None
        values = look(node.data[0], depth + 1)
        sides = [look(one, depth + 1) for one in node.data[1:2]]
        if values is None or any(side is None for side in sides):
            return None
        try:
            if node.op == "Squeeze":
                return np.squeeze(values, tuple(node.ints("squeeze_dims")) or None)
            if node.op == "ExpandDims":
                return np.expand_dims(values, int(sides[0]))  # type: ignore[arg-type]
            return values.reshape(sides[0]) if node.op == "Reshape" else values  # type: ignore[arg-type]
        except (ValueError, TypeError, IndexError):
            raise ProtobufError(f"{node.name[:80]} cannot change a shape like that") from None

    return look
