"""Models of TensorFlow: `tf:PATH` of a SavedModel or a frozen graph, for features; `tf:PATH@timm:NAME`, whose weights are put into timm.

Before it: `tensorflow/`. The graph is read, checked and cut here; TensorFlow runs it in a process of its own, started when the first
features are asked for. A SavedModel is first made a frozen graph, once, in the cache.
"""

from __future__ import annotations

import gc
import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from weigh.data.contents import hash_file, made_once
from weigh.disk import write_file
from weigh.errors import ModelError
from weigh.language import text
from weigh.models.address import Address
from weigh.models.only_features import only_features
from weigh.models.outside import FIXED, Entry, batches, described, entry_of, imagenet_order, refuse_options
from weigh.models.penultimate import Cut, Step, no_such_tensor, stated_cut, values_expected
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.models.tensorflow.graph import (
    TYPES,
    Graph,
    Node,
    SavedModel,
    Signature,
    broken,
    constants,
    parse_graph,
    placeholder,
    producer,
    read_graph,
    read_saved_model,
    tensor_name,
)  # fmt: skip
from weigh.models.tensorflow.inert import INERT, VARIABLES, needed_part
from weigh.models.tensorflow.process import TensorFlow, require_tensorflow, tensorflow_version
from weigh.models.tensorflow.weights import load_into_timm
from weigh.settings import cache_folder, user_path

__all__ = ["load"]

DECODED = "tf:@timm:"  # weights that are put into an architecture of timm, without TensorFlow

SLIM = (  # scopes of TF-Slim's networks whose pictures are scaled to [-1, 1] (its inception_preprocessing)
    "MobilenetV1", "MobilenetV2", "InceptionV1", "InceptionV2", "InceptionV3", "InceptionV4", "InceptionResnetV2",
)  # fmt: skip
TRAINED = text(
    "To train the same network: keras:PATH.keras; or its weights in an architecture of timm, tf:PATH@timm:mobilenetv1_100.",
    "若要训练同一网络：keras:PATH.keras；或把其权重装入 timm 的架构，如 tf:PATH@timm:mobilenetv1_100。",
)
COUNTED = {"Conv2D", "DepthwiseConv2dNative", "MatMul"}


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:  # noqa: ARG001 - of every source
    """See `pretrained.load_model`; there are no random weights of a stored graph, and nothing is downloaded."""
    path = _path(address)
    if address.architecture.startswith(DECODED):
        return load_into_timm(address, _frozen(address).graph if pretrained else None, path)
    require_tensorflow()
    stored = _frozen(address)
    with broken(path):
        return _features_of(address, stored, path)


class _Stored(NamedTuple):
    """A frozen graph, and a hash of the files that it comes from."""

    graph: Graph
    source: str


def _path(address: Address) -> Path:
    return user_path(address.path or "")


def _frozen(address: Address) -> _Stored:
    """The graph of a `.pb`, or of a SavedModel with its variables as constants."""
    path = _path(address)
    if not path.is_dir():
        return _Stored(read_graph(path), hash_file(path))
    model = read_saved_model(path)
    with broken(path):
        return _freeze(model, path, address)


def _freeze(model: SavedModel, path: Path, address: Address) -> _Stored:
    """Made by TensorFlow from the part that answers; kept in the cache under the contents of the folder."""
    signature = _signature(model, address)
    inputs, outputs = [t for t, _, _ in signature.inputs.values()], [t for t, _, _ in signature.outputs.values()]
    restoring = any(node.op in VARIABLES for node in model.graph.before(*map(producer, outputs)))
    restore = model.restore if restoring else ""
    part = needed_part(model.graph, outputs, path, restore=restore)
    files = sorted(file for file in (path / "variables").rglob("*") if file.is_file())
    digest = hashlib.blake2b(digest_size=16)
    for piece in (part, *(hash_file(file).encode() for file in files)):
        digest.update(piece + b"\x1f")
    folder = cache_folder() / "models" / f"saved-model-{digest.hexdigest()}"

    def fill(made: Path) -> None:
        runner = TensorFlow(
            part, threads=torch.get_num_threads(), written=address.written, restore=restore, filename=tensor_name(model.filename),
            variables=(path / "variables" / "variables").resolve(),
        )  # fmt: skip
        try:
            write_file(made / "frozen.pb", runner.freeze([*map(tensor_name, inputs)], [*map(tensor_name, outputs)]))
        finally:
            runner.close()

    return _Stored(parse_graph((made_once(folder, fill) / "frozen.pb").read_bytes()), digest.hexdigest())


def _signature(model: SavedModel, address: Address) -> Signature:
    """The one that serves."""
    usable = {name: one for name, one in model.signatures.items() if one.inputs and one.outputs}
    if "serving_default" in usable:
        return usable["serving_default"]
    if len(usable) == 1:
        return next(iter(usable.values()))
    raise ModelError(
        text(
            "{a} has no signature 'serving_default' (signatures: {s}).",
            "{a} 没有签名“serving_default”（签名：{s}）。",
            a=address.written,
            s=", ".join(sorted(usable))[:200] or "–",
        ),
        text("It says which tensors are input and output.", "签名说明哪些张量是输入和输出。"),
        text(
            "Export it with one: model.export('FOLDER') of Keras.",
            "请以带签名的方式导出：Keras 的 model.export('文件夹')。",
        ),
    )


# Features ----------------------------------------------------------------------------------------------------------------


def _features_of(address: Address, stored: _Stored, path: Path) -> Pretrained:
    """Cut, checked, and ready to be run."""
    graph = _entered_at(address, stored.graph)
    cut = _cut(address, graph)
    wanted = [tensor for tensor in (cut.features, cut.logits) if tensor]
    part = needed_part(graph, wanted, path)
    placed = _input(address, graph, wanted)
    values, told_by = values_expected(_first_steps(graph, placed.name)), "the graph's first step"
    if values is None and (scopes := {name.partition("/")[0] for name in graph.nodes} & set(SLIM)):
        values, told_by = "-1..1", f"TF-Slim's {min(scopes)}"
    dtype = np.dtype(TYPES.get(placed.dtype, np.float32)).name
    entry = entry_of(address, tensor_name(placed.name), placed.shape, dtype, values, told_by)
    runner = _Runner(part, address, entry.name)
    inside = parse_graph(part).nodes.values()
    constants_of_graph = [node.constant() for node in inside if node.op == "Const" and node.dtype == 1]
    last = not any(node.string("data_format") == "NCHW" for node in inside)

    def run(tensor: str):
        return batches(entry, lambda array: runner.run(tensor_name(tensor), array), address.written, last=last)

    parts = (stored.source, address.options, entry.preprocessing)  # no names: TensorFlow may number them anew
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return only_features(
        address, run(cut.features), entry.preprocessing, Provenance("file", path.name, note=described(entry, cut), files=tuple(f.resolve() for f in files)),
        digest=digest, parameters=sum(array.size for array in constants_of_graph if array.ndim), size=len(part),
        operations=lambda: runner.operations(graph, entry),
        logits=run(cut.logits) if cut.logits else None, classes=cut.classes, imagenet=imagenet_order(cut.classes), elsewhere=lambda: runner.seconds,
        configure=refuse_options(address, entry), lacking={"network": FIXED}, instead=TRAINED, runtime=f"tensorflow {tensorflow_version()}",
    )  # fmt: skip


def _entered_at(address: Address, graph: Graph) -> Graph:
    """The graph with `@input` in place of what makes that tensor."""
    named_input = dict(address.options).get("input")
    if named_input is None:
        return graph
    node = _there(address, graph, named_input)
    return replace(graph, nodes={**graph.nodes, node.name: placeholder(node.name, node.dtype or 1)})


def _there(address: Address, graph: Graph, tensor: str) -> Node:
    """The node of a tensor that the user names."""
    name = producer(tensor)
    if name in graph.nodes:
        return graph.nodes[name]
    raise no_such_tensor(address.written, name, graph.nodes)


def _cut(address: Address, graph: Graph) -> Cut:
    """Where the graph is cut: as the user says, or before the last linear layer."""
    stated, look = dict(address.options), constants(graph)
    for name in ("features", "head"):
        if name in stated:
            _there(address, graph, stated[name])

    def made_by(tensor: str) -> Step | None:
        node = graph.nodes.get(producer(tensor))
        if node is None or node.op == "Placeholder":
            return None
        if node.op == "IdentityN":
            return Step("Identity", node.data[_place(tensor) :][:1])
        return Step(node.op, node.data, bool(node.flag("transpose_b")))

    return stated_cut(stated, _ends(graph), made_by, look, address.written)


def _ends(graph: Graph) -> list[str]:
    """Nodes that depend on an input and that nobody takes values from."""
    dependent: set[str] = set()
    waiting = [node.name for node in graph.nodes.values() if node.op == "Placeholder"]
    while waiting:
        name = waiting.pop()
        if name not in dependent:
            dependent.add(name)
            waiting += [node.name for node in graph.consumers.get(name, ())]
    ends = [
        node
        for name, node in graph.nodes.items()
        if name in dependent and not graph.consumers.get(name) and node.op in INERT
    ]
    return [
        f"{node.name}:{i}" if i else node.name
        for node in ends
        for i in range(len(node.data) if node.op == "IdentityN" else 1)
    ]


def _place(tensor: str) -> int:
    """Which output of its node a tensor is."""
    place = tensor.partition(":")[2]
    return int(place) if place.isascii() and place.isdigit() else 0


def _input(address: Address, graph: Graph, outputs: list[str]) -> Node:
    """The only input that the outputs need."""
    inputs = [node for node in graph.before(*map(producer, outputs)) if node.op in ("Placeholder", "PlaceholderV2")]
    if len(inputs) == 1:
        return inputs[0]
    raise ModelError(
        text("{a} has {n} inputs: {i}.", "{a} 有 {n} 个输入：{i}。", a=address.written, n=len(inputs),
             i=", ".join(node.name for node in inputs)[:300] or "–"),
        text("weigh gives it pictures and nothing else.", "weigh 只向它提供图片。"),
        text(
            "Export it with the pictures as its only input; where they enter at another tensor: {a}@input=TENSOR",
            "请导出为仅以图片为输入的模型；若图片从其他张量输入：{a}@input=张量",
            a=address.written,
        ),
    )  # fmt: skip


def _first_steps(graph: Graph, name: str) -> list[tuple[str, np.ndarray]]:
    """The constants that the pictures meet first."""
    look, steps = constants(graph), []
    for _ in range(8):
        takers = graph.consumers.get(name, [])
        if len(takers) != 1:
            break
        node = takers[0]
        fixed = [values for one in node.data if (values := look(one)) is not None]
        if node.op in ("Mul", "Sub", "Add", "AddV2", "RealDiv", "Div") and len(fixed) == 1:
            steps.append((node.op, fixed[0]))
        elif node.op not in ("Identity", "Cast", "PlaceholderWithDefault"):
            break
        name = node.name
    return steps


class _Runner:
    """A part of a graph, run by TensorFlow once somebody asks."""

    def __init__(self, part: bytes, address: Address, input_: str) -> None:
        self.part, self.address, self.input = part, address, input_
        self._process: TensorFlow | None = None
        self._spent = 0.0  # by processes that have ended

    @property
    def seconds(self) -> float:
        """Seconds of processor time."""
        return self._spent + (self._process.seconds if self._process else 0.0)

    def run(self, tensor: str, array: np.ndarray) -> np.ndarray:
        return self._running().run(self.input, tensor, array)

    def operations(self, graph: Graph, entry: Entry) -> int:
        """Multiply-accumulates of one picture: values that a layer gives, times those that go into each."""
        look, inside = constants(graph), parse_graph(self.part).nodes
        weights = {n.name: w for n in inside.values() if n.op in COUNTED and (w := look(n.data[1])) is not None}
        blank = entry.lay(torch.zeros(1, 3, entry.size, entry.size))
        sizes = self._running().sizes(self.input, list(weights), blank)
        taken = {"Conv2D": 3, "DepthwiseConv2dNative": 2, "MatMul": 1}  # sides of the weights that belong to one output
        return sum(sizes[name] * math.prod(weight.shape[: taken[inside[name].op]]) for name, weight in weights.items())

    def _running(self) -> TensorFlow:
        """The process, with as many threads as torch has here."""
        threads = torch.get_num_threads()
        if self._process is None or self._process.threads != threads or not self._process.alive:
            if self._process is not None:
                self._spent += self._process.seconds
                self._process.close()
            gc.collect()  # processes of models that nobody holds any more end now, not some day
            self._process = TensorFlow(self.part, threads=threads, written=self.address.written)
        return self._process


def _libraries(address: Address) -> tuple[str, ...]:
    return () if address.architecture.startswith(DECODED) else ("tensorflow", "tensorflow-cpu")


MODEL_SOURCES.register("tf", ModelSource(load, lambda _pattern: [], libraries=_libraries))
