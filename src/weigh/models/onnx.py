"""Models in ONNX files: `onnx:PATH`, for features and for the answers of their own head, computed by onnxruntime.

The graph is cut in front of its last linear layer. Files that weigh wrote say how their pictures are prepared; of others the address says
what the file does not. Before it: `onnx_graph.py`. After it: `outside.py`.
"""

from __future__ import annotations

import hashlib
import json
import math
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weigh.data.contents import hash_file
from weigh.errors import MissingExtra, ModelError, reason_of
from weigh.language import text
from weigh.models.address import Address
from weigh.models.only_features import only_features
from weigh.models.onnx_graph import check_sizes, cut_model, outside_files, read_onnx, refused, shape_of, stand_in
from weigh.models.outside import FIXED, SIZES, Entry, batches, described, entry_of, imagenet_order, refuse_options
from weigh.models.penultimate import Cut, Step, no_such_tensor, stated_cut, values_expected
from weigh.models.preprocessing import RESAMPLING, Preprocessing
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.settings import user_path

__all__ = ["load"]

FLOATS = {1: "float32", 10: "float16", 11: "float64", 2: "uint8"}  # numbers of onnx.proto
TRAINED = text(
    "To train the same network, name it where its weights come from: timm:NAME, hf:OWNER/NAME, keras:PATH.keras, or a checkpoint, "
    "file:PATH@timm:NAME.",
    "若要训练同一网络，请使用其权重的来源：timm:名称、hf:所有者/名称、keras:PATH.keras，或检查点 file:PATH@timm:名称。",
)
ARITHMETIC = {"Mul", "Sub", "Add", "Div"}


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:  # noqa: ARG001 - of every source
    """See `pretrained.load_model`; there are no random weights of a stored graph, and nothing is downloaded."""
    if find_spec("onnxruntime") is None:
        raise MissingExtra("onnxruntime", text("running ONNX files", "运行 ONNX 文件"), "onnx")
    path = user_path(address.path or "")
    model = read_onnx(path)
    try:
        return _features_of(address, model, path)
    except ValueError as error:  # of a damaged tensor
        raise refused(path, reason_of(error)) from None


def _features_of(address: Address, model: Any, path: Path) -> Pretrained:
    graph = _Graph(model)
    cut = _cut(address, graph)
    smaller = cut_model(model, list(dict.fromkeys(name for name in (cut.features, cut.logits) if name)))
    placed = _input(address, graph, smaller)
    values, told_by = values_expected(graph.first_steps(placed.name)), "the graph's first step"
    written_with = _preparation(model)
    dtype = FLOATS[placed.type.tensor_type.elem_type]
    told_by = "as weigh wrote the file" if written_with is not None else told_by
    entry = entry_of(address, placed.name, shape_of(placed), dtype, values, told_by, written_with)
    sides = (entry.size, entry.size, 3) if entry.last else (3, entry.size, entry.size)
    check_sizes(smaller, path, placed.name, (1, *sides))
    beside = outside_files(smaller, path)
    runner = _Runner(smaller.SerializeToString(deterministic=True), path, address)
    parts = ([hash_file(file) for file in (path, *beside)], cut, entry.preprocessing)
    digest = hashlib.sha256(repr(parts).encode())
    used = [stand_in(tensor) for tensor in smaller.graph.initializer]

    def run(tensor: str):
        return batches(entry, lambda array: runner.run(tensor, entry.name, array), address.written, last=False)

    return only_features(
        address, run(cut.features), entry.preprocessing,
        Provenance("file", path.name, note=described(entry, cut), files=tuple(file.resolve() for file in (path, *beside))),
        digest=digest.hexdigest(), parameters=sum(array.size for array in used if array.ndim),
        size=len(runner.model) + sum(file.stat().st_size for file in beside), operations=lambda: _operations(smaller, runner, entry),
        logits=run(cut.logits) if cut.logits else None, classes=cut.classes, imagenet=imagenet_order(cut.classes), configure=refuse_options(address, entry),
        lacking={"network": FIXED}, instead=TRAINED, runtime=f"onnxruntime {version('onnxruntime')}",
    )  # fmt: skip


class _Graph:
    """What is asked of a graph, tensor by tensor."""

    def __init__(self, model: Any) -> None:
        self.nodes = model.graph.node
        self.made = {name: node for node in self.nodes for name in node.output if name}
        self.fixed = {tensor.name: tensor for tensor in model.graph.initializer}
        self.inputs = {value.name: value for value in model.graph.input if value.name not in self.fixed}
        self.outputs = [value.name for value in model.graph.output]

    def constant(self, name: str) -> np.ndarray | None:
        """Values, or a stand-in of their shape; None: they depend on the input."""
        if name in self.fixed:
            return stand_in(self.fixed[name])
        node = self.made.get(name)
        if node is None or node.op_type not in ("Constant", "Identity"):
            return None
        if node.op_type == "Identity":
            return stand_in(self.fixed[node.input[0]]) if node.input and node.input[0] in self.fixed else None
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if "value" in attributes:
            return stand_in(attributes["value"].t)
        for key, field in (
            ("value_float", "f"),
            ("value_int", "i"),
            ("value_floats", "floats"),
            ("value_ints", "ints"),
        ):
            if key in attributes:
                return np.array(getattr(attributes[key], field), dtype=float)
        return None

    def made_by(self, name: str) -> Step | None:
        node = self.made.get(name)
        if node is None:
            return None
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        return Step(node.op_type, tuple(node.input), turned)

    def first_steps(self, name: str) -> list[tuple[str, np.ndarray]]:
        """The constants that the pictures meet first."""
        steps = []
        for _ in range(8):
            takers = [node for node in self.nodes if name in node.input]
            if len(takers) != 1:
                break
            fixed = [values for one in takers[0].input if (values := self.constant(one)) is not None]
            if takers[0].op_type in ARITHMETIC and len(fixed) == 1:
                steps.append((takers[0].op_type, fixed[0]))
            elif takers[0].op_type not in ("Identity", "Cast", "Transpose"):
                break
            name = takers[0].output[0]
        return steps


def _cut(address: Address, graph: _Graph) -> Cut:
    """Where the graph is cut: as the user says, or before the last linear layer; of several outputs the logits are meant, which is what weigh calls them."""
    options = dict(address.options)
    for key in ("features", "head"):
        if key in options and options[key] not in graph.made:
            raise no_such_tensor(address.written, options[key], graph.made)
    outputs = ["logits"] if "logits" in graph.outputs else graph.outputs
    return stated_cut(options, outputs, graph.made_by, graph.constant, address.written)


def _input(address: Address, graph: _Graph, smaller: Any) -> Any:
    """The only input that is needed: pictures."""
    needed = [value for value in smaller.graph.input if value.name in graph.inputs]
    kinds = {value.name: value.type.tensor_type.elem_type for value in needed}
    if any(
        kind in (6, 7) and len(shape_of(value) or ()) == 2 for value, kind in zip(needed, kinds.values(), strict=True)
    ):
        raise ModelError(
            text("{a} reads tokens (inputs: {i}).", "{a} 读取的是词元（输入：{i}）。", a=address.written, i=", ".join(kinds)[:200]),
            text("Models of texts are not read from ONNX files.", "文本模型不能从 ONNX 文件读取。"),
            text("Use the model's folder with its tokenizer: hf:./FOLDER", "请使用带分词器的模型文件夹：hf:./文件夹"),
        )  # fmt: skip
    named_input = dict(address.options).get("input")
    if len(needed) == 1 and named_input in (None, needed[0].name) and kinds[needed[0].name] in FLOATS:
        return needed[0]
    raise ModelError(
        text(
            "{a} does not take pictures alone: its inputs are {i}.",
            "{a} 并非只接受图片：其输入为 {i}。",
            a=address.written,
            i=", ".join(kinds)[:300] or "–",
        ),
        text("weigh gives it numbers of pictures and nothing else.", "weigh 只向它提供图片数值。"),
        text("Export it with the pictures as its only input.", "请导出为仅以图片为输入的模型。"),
    )


def _preparation(model: Any) -> Preprocessing | None:
    """How weigh prepared the pictures of a model that it wrote; None: another program wrote it, or of whole pictures."""
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    try:
        fields = json.loads(metadata["preprocessing"])
        prepared = Preprocessing.from_json(fields)
        numbers = (*prepared.mean, *prepared.std)
        sound = (
            type(prepared) is Preprocessing and SIZES[0] <= prepared.size <= prepared.resize <= 4 * SIZES[1] and len(numbers) == 6
            and all(math.isfinite(number) for number in numbers) and min(prepared.std) > 0 and prepared.interpolation in RESAMPLING
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return prepared if sound else None


def _operations(model: Any, runner: _Runner, entry: Entry) -> int:
    """Multiply-accumulates of one picture: values that a layer with fixed weights gives, times those that go into each."""
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    layers = [
        (node.output[0], weights[node.input[1]], node.op_type)
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm", "MatMul") and len(node.input) > 1 and node.input[1] in weights
    ]
    if not layers:
        return 0
    part = _Runner(cut_model(model, [name for name, _, _ in layers]).SerializeToString(), runner.path, runner.address)
    blank = entry.lay(torch.zeros(1, 3, entry.size, entry.size))
    total = 0
    for (_, weight, kind), made in zip(
        layers, part.run_all([name for name, _, _ in layers], entry.name, blank), strict=True
    ):
        outputs = made.shape[1] if kind == "Conv" else made.shape[-1]
        total += made.size * (math.prod(weight) // max(1, outputs))
    return total


class _Runner:
    """A model in onnxruntime, opened once somebody asks; another process opens it anew."""

    def __init__(self, model: bytes, path: Path, address: Address) -> None:
        self.model, self.path, self.address = model, path, address
        self._session: Any = None
        self._threads = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_session": None}

    def run(self, output: str, input_: str, array: np.ndarray) -> np.ndarray:
        """The values of a tensor for a batch: float32."""
        return np.asarray(self.run_all([output], input_, array)[0], dtype=np.float32)

    def run_all(self, outputs: list[str], input_: str, array: np.ndarray) -> list[np.ndarray]:
        """The values of some tensors for a batch."""
        try:
            return self._opened().run(outputs, {input_: array})
        except Exception as error:  # onnxruntime's own kinds
            raise ModelError(
                text("onnxruntime cannot run {a}: {e}", "onnxruntime 无法运行 {a}：{e}", a=self.address.written, e=reason_of(error, 300)),
                do=text("Export the model again, or take another one.", "请重新导出模型，或换用其他模型。"),
            ) from None  # fmt: skip

    def _opened(self) -> Any:
        """The session, with as many threads as torch has here."""
        import onnxruntime

        threads = torch.get_num_threads()
        if self._session is None or self._threads != threads:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.log_severity_level = 4
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            folder = str(self.path.resolve().parent)
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
            providers = ["CPUExecutionProvider"]
            self._session = onnxruntime.InferenceSession(self.model, options, providers=providers)
            self._threads = threads
        return self._session


MODEL_SOURCES.register(
    "onnx", ModelSource(load, lambda _pattern: [], libraries=lambda _: ("onnxruntime", "onnxruntime-gpu"))
)
