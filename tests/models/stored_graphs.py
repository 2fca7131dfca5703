"""Small stored graphs for tests: ONNX through its own package, TensorFlow's written byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from weigh.models.protobuf import message_field

FLOAT, INT32, STRING = 1, 3, 7  # of types.proto


# ---- ONNX ----------------------------------------------------------------------------------------------------------------


def onnx_classifier(
    path: Path, *, size: int | str = 32, batch: int | str = "n", last: bool = False, dtype: int = 1, divide: bool = True,
    classes: int = 5, softmax: bool = True, width: int = 8, extra: list[Any] | None = None, outputs: list[str] | None = None,
    outside: str = "", metadata: dict[str, str] | None = None, domains: tuple[str, ...] = (),
) -> Path:  # fmt: skip
    """Pictures, divided by 255, through a convolution, a mean over places and a linear layer.

    Args:
        extra: Further nodes.
        outside: Location of the weights in another file.
    """
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {
        "kernel": rng.normal(size=(width, 3, 3, 3)).astype(np.float32),
        "matrix": rng.normal(size=(width, classes)).astype(np.float32),
        "bias": rng.normal(size=classes).astype(np.float32),
        "scale": np.float32(255.0),
    }
    nodes, at = [], "pixels"
    if dtype != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [at], ["cast"], to=TensorProto.FLOAT))
        at = "cast"
    if last:
        nodes.append(helper.make_node("Transpose", [at], ["turned"], perm=[0, 3, 1, 2]))
        at = "turned"
    if divide:
        nodes.append(helper.make_node("Div", [at, "scale"], ["scaled"]))
        at = "scaled"
    nodes += [
        helper.make_node("Conv", [at, "kernel"], ["maps"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
        helper.make_node("Gemm", ["vector", "matrix", "bias"], ["logits"]),
        *([helper.make_node("Softmax", ["logits"], ["probabilities"])] if softmax else []),
        *(extra or []),
    ]
    shape = [batch, size, size, 3] if last else [batch, 3, size, size]
    held = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    if outside:
        for tensor in held[:1]:
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=outside)
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info("pixels", dtype, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs or ["probabilities" if softmax else "logits"]],
        held,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if metadata:
        helper.set_model_props(model, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    if outside and "/" not in outside and "\\" not in outside:
        (path.parent / outside).write_bytes(weights["kernel"].tobytes())
    return path


def expected(pictures: np.ndarray, *, scale: float = 255.0, width: int = 8, classes: int = 5) -> dict[str, np.ndarray]:
    """What `onnx_classifier` gives for `(n, 3, size, size)`, by torch."""
    import torch

    rng = np.random.default_rng(0)
    kernel, matrix = rng.normal(size=(width, 3, 3, 3)), rng.normal(size=(width, classes))
    bias = rng.normal(size=classes)
    kernel, matrix, bias = (torch.from_numpy(array.astype(np.float32)) for array in (kernel, matrix, bias))
    maps = torch.conv2d(torch.from_numpy(pictures.astype(np.float32)) / scale, kernel, stride=2, padding=1)
    vector = maps.relu().mean(dim=(2, 3))
    return {"vector": vector.numpy(), "logits": (vector @ matrix + bias).numpy()}


# ---- TensorFlow ------------------------------------------------------------------------------------------------------------


def node(name: str, op: str, *inputs: str, **attributes: bytes) -> bytes:
    """A NodeDef; `attributes` are AttrValues (`typed`, `listed`, …)."""
    parts = [message_field(1, name.encode()), message_field(2, op.encode())]
    parts += [message_field(3, one.encode()) for one in inputs]
    for key, value in attributes.items():
        parts.append(message_field(5, message_field(1, key.encode()) + message_field(2, value)))
    return b"".join(parts)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def typed(kind: int) -> bytes:
    return number(6, kind)


def real(value: float) -> bytes:
    return bytes([4 << 3 | 5]) + struct.pack("<f", value)


def string(value: str) -> bytes:
    return message_field(2, value.encode())


def listed(*values: int) -> bytes:
    return message_field(1, message_field(3, b"".join(map(varint, values))))


def called(name: str) -> bytes:
    return message_field(10, message_field(1, name.encode()))


def shape(*sides: int) -> bytes:
    return b"".join(message_field(2, number(1, side)) for side in sides)


def constant(name: str, array: Any, *, sides: tuple[int, ...] | None = None) -> bytes:
    """A Const; with `sides` of another shape than its values have."""
    array = np.asarray(array)
    kind = {"float32": FLOAT, "int32": INT32}[array.dtype.name]
    content = number(1, kind) + message_field(2, shape(*(array.shape if sides is None else sides)))
    content += message_field(4, array.tobytes()) if sides is None else message_field(5, array.tobytes())
    return node(name, "Const", dtype=typed(kind), value=message_field(8, content))


def placeholder(name: str, *sides: int, kind: int = FLOAT) -> bytes:
    return node(name, "Placeholder", dtype=typed(kind), shape=message_field(7, shape(*sides)))


def function(name: str, *nodes: bytes) -> bytes:
    return message_field(1, message_field(1, name.encode())) + b"".join(message_field(3, one) for one in nodes)


def graph_bytes(*nodes: bytes, functions: tuple[bytes, ...] = ()) -> bytes:
    library = b"".join(message_field(1, one) for one in functions)
    return b"".join(message_field(1, one) for one in nodes) + (message_field(2, library) if functions else b"")


def saved_model(folder: Path, graph: bytes, *, output: str, input_: str = "pixels:0") -> Path:
    """A SavedModel of one signature."""

    def tensors(field: int, name: str, tensor: str) -> bytes:
        info = message_field(1, tensor.encode()) + number(2, FLOAT)
        return message_field(field, message_field(1, name.encode()) + message_field(2, info))

    signature = tensors(1, "x", input_) + tensors(2, "y", output)
    entry = message_field(1, b"serving_default") + message_field(2, signature)
    meta = message_field(1, message_field(4, b"serve")) + message_field(2, graph) + message_field(5, entry)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(number(1, 1) + message_field(2, meta))
    return folder


def tiny_nodes(*, size: int = 32, width: int = 8, classes: int = 5) -> list[bytes]:
    """The same network as `onnx_classifier`, its channels last, padded as TensorFlow pads, on values 0 to 255."""
    rng = np.random.default_rng(0)
    kernel, matrix = rng.normal(size=(width, 3, 3, 3)), rng.normal(size=(width, classes))
    bias = rng.normal(size=classes)
    return [
        placeholder("pixels", -1, size, size, 3),
        constant("scale", np.float32(255.0)),
        node("scaled", "RealDiv", "pixels", "scale", T=typed(FLOAT)),
        constant("kernel", kernel.astype(np.float32).transpose(2, 3, 1, 0).copy()),
        node("maps", "Conv2D", "scaled", "kernel", T=typed(FLOAT), strides=listed(1, 2, 2, 1), padding=string("SAME")),
        node("active", "Relu", "maps", T=typed(FLOAT)),
        constant("places", np.array([1, 2], np.int32)),
        node("vector", "Mean", "active", "places", T=typed(FLOAT), Tidx=typed(INT32)),
        constant("matrix", matrix.astype(np.float32)),
        node("product", "MatMul", "vector", "matrix", T=typed(FLOAT)),
        constant("bias", bias.astype(np.float32)),
        node("logits", "BiasAdd", "product", "bias", T=typed(FLOAT)),
        node("probabilities", "Softmax", "logits", T=typed(FLOAT)),
    ]


def slim_mobilenet(
    module: Any, *, fused: bool = True, epsilon: float = 1e-3, head: bool = True, size: int = 224
) -> bytes:
    """A frozen graph as TF-Slim writes a MobileNetV1 or V2, with the weights of one of timm."""
    slim = _Slim(
        {name: tensor.numpy() for name, tensor in module.state_dict().items()}, fused=fused, epsilon=epsilon, size=size
    )
    slim.layer("conv_stem", "bn1", 2)
    for name, block in module.named_modules():
        if name.count(".") != 2 or not name.startswith("blocks"):
            continue
        before = slim.at
        if hasattr(block, "conv_pwl"):  # expanded, and narrowed without an activation
            slim.layer(f"{name}.conv_pw", f"{name}.bn1")
            slim.layer(f"{name}.conv_dw", f"{name}.bn2", block.conv_dw.stride[0], depthwise=True)
            slim.layer(f"{name}.conv_pwl", f"{name}.bn3", active=False)
            if block.has_skip:
                slim.nodes.append(node(f"{name}/sum", "Add", slim.at, before))
                slim.at = f"{name}/sum"
        else:
            slim.layer(f"{name}.conv_dw", f"{name}.bn1", block.conv_dw.stride[0], depthwise=True)
            slim.layer(f"{name}.conv_pw", f"{name}.bn2", active=type(block.bn2.act).__name__ != "Identity")
    if "conv_head.weight" in slim.state:
        slim.layer("conv_head", "bn2")
    slim.nodes.append(constant("places", np.array([1, 2], np.int32)))
    slim.nodes.append(node("MobilenetV1/Logits/pool", "Mean", slim.at, "places", keep_dims=number(5, 1)))
    if head:
        how = {"strides": listed(1, 1, 1, 1), "padding": string("SAME")}
        slim.nodes += [
            constant("head/weights", slim.state["classifier.weight"].T[None, None].copy()),
            constant("head/biases", slim.state["classifier.bias"]),
            node("head/conv", "Conv2D", "MobilenetV1/Logits/pool", "head/weights", **how),
            node("head/BiasAdd", "BiasAdd", "head/conv", "head/biases"),
        ]
    return graph_bytes(*slim.nodes)


class _Slim:
    """A graph that grows layer by layer, as TF-Slim names them."""

    def __init__(self, state: dict[str, np.ndarray], *, fused: bool, epsilon: float, size: int) -> None:
        self.state, self.fused, self.epsilon = state, fused, epsilon
        self.nodes, self.at, self.count = [placeholder("input", -1, size, size, 3)], "input", 0

    def layer(
        self, convolution: str, norm: str, stride: int = 1, *, depthwise: bool = False, active: bool = True
    ) -> None:
        name, self.count = f"MobilenetV1/Conv2d_{self.count}", self.count + 1
        kernel = self.state[f"{convolution}.weight"].transpose(2, 3, 1, 0)
        kind = "DepthwiseConv2dNative" if depthwise else "Conv2D"
        how = {"strides": listed(1, stride, stride, 1), "padding": string("SAME")}
        gamma, beta, mean, variance = (f"{name}/{part}" for part in ("gamma", "beta", "mean", "variance"))
        self.nodes += [
            constant(f"{name}/weights", (kernel.transpose(0, 1, 3, 2) if depthwise else kernel).copy()),
            node(f"{name}/weights/read", "Identity", f"{name}/weights"),
            node(f"{name}/conv", kind, self.at, f"{name}/weights/read", **how),
            *(constant(own, self.state[f"{norm}.{key}"]) for own, key in
              ((gamma, "weight"), (beta, "bias"), (mean, "running_mean"), (variance, "running_var"))),
        ]  # fmt: skip
        if self.fused:
            inputs = (f"{name}/conv", gamma, beta, mean, variance)
            self.nodes.append(node(f"{name}/norm", "FusedBatchNormV3", *inputs, epsilon=real(self.epsilon)))
        else:
            self.nodes += [
                constant(f"{name}/eps", np.float32(self.epsilon)), node(f"{name}/sum", "Add", variance, f"{name}/eps"),
                node(f"{name}/root", "Rsqrt", f"{name}/sum"), node(f"{name}/mul", "Mul", f"{name}/root", gamma),
                node(f"{name}/mul_2", "Mul", mean, f"{name}/mul"), node(f"{name}/sub", "Sub", beta, f"{name}/mul_2"),
                node(f"{name}/mul_1", "Mul", f"{name}/conv", f"{name}/mul"),
                node(f"{name}/norm", "Add", f"{name}/mul_1", f"{name}/sub"),
            ]  # fmt: skip
        self.at = f"{name}/norm"
        if active:
            self.nodes.append(node(f"{name}/Relu6", "Relu6", self.at))
            self.at = f"{name}/Relu6"
