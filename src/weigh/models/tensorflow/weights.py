"""The weights of a frozen graph under the names of an architecture of timm: `tf:PATH.pb@timm:mobilenetv1_100`. TensorFlow is not needed.

The layers of the graph, in the order in which they compute, are laid beside those of the architecture. They must agree in kind, shape,
stride, padding, activation and in the epsilon of their batch norms; then the two compute the same, and the network can be trained. timm builds its
networks as TensorFlow pads them (`pad_type="same"`) where it has the architecture; narrower MobileNets than timm names are built alike.
Before it: `graph.py`. After it: a `Pretrained` with all ports.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import nn

from weigh.errors import ModelError, reason_of
from weigh.language import Text, text
from weigh.models.address import Address
from weigh.models.outside import SIZES, VALUES, imagenet_order, scaled_as
from weigh.models.pretrained import Pretrained, Provenance
from weigh.models.tensorflow.graph import Graph, Node, broken, constants, producer
from weigh.models.timm import ANATOMY

__all__ = ["load_into_timm"]

EPSILON = 1e-3  # of TF-Slim's batch norms
SIZE = 224  # pixels of a side, where the graph takes any
NARROW = re.compile(r"(mobilenetv[12])_(\d{3})")  # widths of TF-Slim that timm has no name for: mobilenetv1_050


@dataclass(frozen=True)
class Layer:
    """A convolution or a linear layer of a graph, as torch lays it out.

    Attributes:
        name: Of its node.
        weight: `(out, in / groups, height, width)`; a linear layer's too, with sides of 1.
        groups: Of the convolution.
        stride: Same in both directions.
        same: Whether the result has as many places as the input, over the stride.
        bias: `(out,)`; None: it has none.
        norm: gamma, beta, mean, variance of the batch norm behind it; None: there is none.
        epsilon: Of the batch norm.
        activation: Behind both: "Relu6", "Relu", "".
    """

    name: str
    weight: np.ndarray
    groups: int
    stride: int
    same: bool
    bias: np.ndarray | None = None
    norm: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
    epsilon: float = EPSILON
    activation: str = ""


def load_into_timm(address: Address, graph: Graph | None, path: Path) -> Pretrained:
    """The architecture with the weights of the graph; None: with random ones.

    Raises:
        ModelError: No such architecture, or one that the graph does not fit; says which share fitted.
    """
    layers = []
    if graph is not None:
        with broken(path):
            layers = layers_of(graph)
    module: Any = _built(address, layers)
    size = SIZE if graph is None else _size(graph)
    preprocessing = scaled_as("-1..1", size, VALUES, address.written)
    if graph is None:
        return Pretrained(address, module, preprocessing, Provenance("random"), 0, anatomy=ANATOMY)
    left = _fill(module, layers, address, path)
    note = "TensorFlow's padding and epsilon; values -1..1"
    if left:
        note += f"; left out: {', '.join(left[:3])}" + (" …" if len(left) > 3 else "")
    files = (
        tuple(sorted(file.resolve() for file in path.rglob("*") if file.is_file()))
        if path.is_dir()
        else (path.resolve(),)
    )
    classes = int(module.num_classes)
    return Pretrained(
        address, module, preprocessing, Provenance("file", path.name, note=note, files=files), classes, anatomy=ANATOMY,
        imagenet=imagenet_order(classes),
    )  # fmt: skip


def _size(graph: Graph) -> int:
    """Pixels of a side of the pictures that the graph is for."""
    shapes = [node.shape or () for node in graph.nodes.values() if node.op == "Placeholder"]
    sides = [
        shape[1] for shape in shapes if len(shape) == 4 and shape[1] == shape[2] and SIZES[0] <= shape[1] <= SIZES[1]
    ]
    return sides[0] if sides else SIZE


# The layers of a graph ---------------------------------------------------------------------------------------------------


def layers_of(graph: Graph) -> list[Layer]:
    """Convolutions and linear layers with fixed weights, in the order in which they compute."""
    ends = [name for name, node in graph.nodes.items() if not graph.consumers.get(name) and node.data]
    look = constants(graph)
    layers = []
    for node in graph.before(*ends):
        if node.op not in ("Conv2D", "DepthwiseConv2dNative", "MatMul") or len(node.data) != 2:
            continue
        weight = look(node.data[1])
        if weight is None or weight.ndim != (2 if node.op == "MatMul" else 4):
            continue
        layers.append(_behind(graph, node, _plain(node, weight), look))
    return layers


def _plain(node: Node, weight: np.ndarray) -> Layer:
    weight = weight.astype(np.float32)
    if node.op == "MatMul":
        matrix = weight if node.flag("transpose_b") else weight.T
        return Layer(node.name, np.ascontiguousarray(matrix[:, :, None, None]), 1, 1, same=True)
    strides = node.ints("strides") or [1, 1, 1, 1]
    stride = max(strides)
    dilated = [d for d in node.ints("dilations") if d != 1]
    same = node.string("padding") == "SAME" and not dilated and node.string("data_format") in ("", "NHWC")
    if node.op == "Conv2D":
        return Layer(node.name, np.ascontiguousarray(weight.transpose(3, 2, 0, 1)), 1, stride, same)
    height, width, channels, times = weight.shape
    turned = weight.transpose(2, 3, 0, 1).reshape(channels * times, 1, height, width)
    return Layer(node.name, np.ascontiguousarray(turned), channels, stride, same)


def _behind(graph: Graph, node: Node, layer: Layer, look: Callable[[str], np.ndarray | None]) -> Layer:
    """The layer with the bias, the batch norm and the activation that follow it."""
    values: dict[str, Any] = {}
    at = node
    for _ in range(6):
        takers = graph.consumers.get(at.name, [])
        if len(takers) != 1:
            break
        at = takers[0]
        fixed = [look(one) for one in at.data]
        if at.op in ("Relu", "Relu6"):
            values["activation"] = at.op
            break
        if at.op.startswith("FusedBatchNorm") and all(one is not None for one in fixed[1:5]) and "norm" not in values:
            values |= {"norm": tuple(fixed[1:5]), "epsilon": at.real("epsilon", 1e-4)}
        elif (
            at.op in ("BiasAdd", "Add", "AddV2") and sum(one is not None for one in fixed) == 1 and "norm" not in values
        ):
            bias = next(one for one in fixed if one is not None)
            if bias.size != len(layer.weight):
                break
            values["bias"] = bias.reshape(-1)
        elif at.op == "Mul" and (unfused := _unfused(graph, at, look)) is not None:
            values |= {"norm": unfused[0], "epsilon": unfused[1]}
            at = graph.consumers[at.name][0]
        elif at.op not in ("Identity", "Squeeze", "Reshape"):
            break
    return Layer(**{**vars(layer), **values})


def _unfused(graph: Graph, scaled: Node, look: Callable[[str], np.ndarray | None]) -> tuple[Any, float] | None:
    """A batch norm written out: x · (rsqrt(variance + epsilon) · gamma) + (beta - mean · that)."""

    def made_by(tensor: str) -> Node | None:
        return graph.nodes.get(producer(tensor))

    def split(node: Node | None, op: tuple[str, ...]) -> tuple[list[Node], list[np.ndarray]]:
        if node is None or node.op not in op:
            return [], []
        fixed = [look(one) for one in node.data]
        return (
            [other for one, value in zip(node.data, fixed, strict=True) if value is None and (other := made_by(one))],
            [value for value in fixed if value is not None],
        )

    takers = graph.consumers.get(scaled.name, [])
    if len(takers) != 1 or takers[0].op not in ("Add", "AddV2"):
        return None
    scales = [node for one in scaled.data if (node := made_by(one)) is not None and node.op in ("Mul", "Rsqrt")]
    for scale in scales:
        roots, gammas = split(scale, ("Mul",)) if scale.op == "Mul" else ([scale], [])
        for root in roots:
            sums = [node for one in root.data if root.op == "Rsqrt" and (node := made_by(one)) is not None]
            _, parts = split(sums[0] if sums else None, ("Add", "AddV2"))
            variance = next((part for part in parts if part.size > 1), None)
            epsilon = next((float(part) for part in parts if part.size == 1), None)
            shifts = [node for one in takers[0].data if (node := made_by(one)) is not None and node.op == "Sub"]
            products, betas = split(shifts[0] if shifts else None, ("Sub",))
            _, means = split(products[0] if products else None, ("Mul",))
            if variance is not None and epsilon is not None and betas and means:
                gamma = gammas[0] if gammas else np.ones_like(variance)
                return (gamma, betas[0], means[0], variance), epsilon
    return None


# The architecture --------------------------------------------------------------------------------------------------------


def _built(address: Address, layers: list[Layer]) -> nn.Module:
    """The architecture, padding as TensorFlow does, with as many outputs as the file's head."""
    options = {"pad_type": "same", "bn_eps": EPSILON}
    narrow = NARROW.fullmatch(address.name)
    try:
        if not timm.is_model(address.name):
            if narrow is None:
                raise ModelError(
                    text("timm has no model called '{n}'.", "timm 中没有名为“{n}”的模型。", n=address.name),
                    do=text("`weigh models 'timm:mobilenet*'` lists some that TensorFlow has.", "`weigh models 'timm:mobilenet*'` 会列出 TensorFlow 也有的一些模型。"),
                )  # fmt: skip
            module = _narrow(narrow[1], int(narrow[2]) / 100, options)
        else:
            module = timm.create_model(address.name, pretrained=False, **options)
    except (TypeError, RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(
            text("timm cannot build {n} as TensorFlow pads its pictures.", "timm 无法按 TensorFlow 的填充方式构建 {n}。", n=address.name),
            text("{e}", "{e}", e=reason_of(error)),
            text(
                "Architectures that it can: mobilenetv1_100, mobilenetv2_100, tf_efficientnet_lite0 and their kin. For features alone: tf:{p}",
                "可以的架构：mobilenetv1_100、mobilenetv2_100、tf_efficientnet_lite0 及同类。若只需特征：tf:{p}",
                p=address.path or "PATH.pb",
            ),
        ) from None  # fmt: skip
    head: Any = module.get_classifier()  # type: ignore[operator]
    at = len(_parts(module)) - 1
    if at == len(layers):  # a file without a head
        module.reset_classifier(0)  # type: ignore[operator]
    elif at < len(layers) and layers[at].weight.shape[1:] == (head.in_features, 1, 1):
        module.reset_classifier(len(layers[at].weight))  # type: ignore[operator]
    return module.eval()


def _narrow(family: str, multiplier: float, options: dict[str, Any]) -> nn.Module:
    """timm's own builder of the family, which its names call with a few widths."""
    from timm.models import efficientnet

    build: Callable[..., nn.Module] = {
        "mobilenetv1": partial(efficientnet._gen_mobilenet_v1, "mobilenetv1_100"),
        "mobilenetv2": partial(efficientnet._gen_mobilenet_v2, "mobilenetv2_100"),
    }[family]
    return build(multiplier, **options)


def _parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Convolutions and linear layers by name, in the order of definition, which for chains is that of computing."""
    return [(name, part) for name, part in module.named_modules() if isinstance(part, (nn.Conv2d, nn.Linear))]


def _fill(module: nn.Module, layers: list[Layer], address: Address, path: Path) -> list[str]:
    """Put the weights in; returns the layers of the file that have no place, its head's among them where it has none."""
    parts, modules = _parts(module), list(module.named_modules())
    order = {name: i for i, (name, _) in enumerate(modules)}
    norms = [(order[name], name, part) for name, part in modules if isinstance(part, nn.BatchNorm2d)]
    state: dict[str, np.ndarray] = {}
    fitted, first = 0, None
    for i, (name, part) in enumerate(parts):
        beyond = order[parts[i + 1][0]] if i + 1 < len(parts) else len(modules)
        norm = next(((own, norm) for at, own, norm in norms if order[name] < at < beyond), None)
        layer = layers[i] if i < len(layers) else None
        wrong = (
            text("the file has no such layer", "文件中没有这一层") if layer is None else _difference(part, norm, layer)
        )
        if wrong is None and layer is not None:
            state |= _tensors(name, part, norm, layer)
            fitted += sum(t.numel() for t in (*part.parameters(), *(norm[1].parameters() if norm else ())))
        else:
            first = first or (name, "–" if layer is None else layer.name, wrong)
    if first is not None:
        total = sum(parameter.numel() for parameter in module.parameters())
        raise _does_not_fit(address, path, first, fitted / total)
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()}, strict=False)
    return [layer.name for layer in layers[len(parts) :]]


def _difference(part: Any, norm: tuple[str, Any] | None, layer: Layer) -> Text | None:
    """In what the two differ; None: they compute the same."""
    shape = tuple(part.weight.shape) + (1, 1) * (part.weight.ndim == 2)
    if shape != layer.weight.shape:
        return text("shape {a} ≠ {b}", "形状 {a} ≠ {b}", a=shape, b=layer.weight.shape)
    if isinstance(part, nn.Conv2d):
        if (part.groups > 1) != (layer.groups > 1) or part.stride[0] != layer.stride:
            return text("stride {a} ≠ {b}", "步长 {a} ≠ {b}", a=part.stride[0], b=layer.stride)
        if not layer.same:
            return text("padding or dilation", "填充或膨胀")
    if (norm is None) != (layer.norm is None):
        if norm is None:
            return text("a batch norm that timm does not have", "timm 中没有的批归一化")
        return text("its batch norm is folded into its weights", "批归一化已并入权重")
    if norm is None:
        return None if (part.bias is None) == (layer.bias is None) else text("bias", "偏置")
    if abs(layer.epsilon - norm[1].eps) > 1e-8:
        return text("epsilon {a} ≠ {b}", "epsilon {a} ≠ {b}", a=norm[1].eps, b=layer.epsilon)
    own = {nn.ReLU6: "Relu6", nn.ReLU: "Relu", nn.Identity: ""}.get(type(getattr(norm[1], "act", nn.Identity())), "?")
    if own != layer.activation:
        return text("activation {a} ≠ {b}", "激活函数 {a} ≠ {b}", a=own or "–", b=layer.activation or "–")
    return None


def _tensors(name: str, part: Any, norm: tuple[str, Any] | None, layer: Layer) -> dict[str, np.ndarray]:
    tensors = {f"{name}.weight": layer.weight.reshape(part.weight.shape)}
    if layer.norm is not None and norm is not None:
        tensors |= {
            f"{norm[0]}.{own}": np.asarray(array, np.float32).reshape(-1)
            for own, array in zip(("weight", "bias", "running_mean", "running_var"), layer.norm, strict=True)
        }
    elif layer.bias is not None:
        tensors[f"{name}.bias"] = np.asarray(layer.bias, np.float32)
    return tensors


def _does_not_fit(address: Address, path: Path, first: tuple[str, str, Any], share: float) -> ModelError:
    return ModelError(
        text(
            "{p} does not fit {a}: {s} of its weights have a place in the file; first {n} ({t}): {w}.",
            "{p} 与 {a} 不匹配：其 {s} 的权重在文件中有对应；首个不符：{n}（{t}）：{w}。",
            p=path, a=f"timm:{address.name}", s=f"{share:.0%}", n=first[0], t=first[1], w=first[2],
        ),
        text("A network that fits only in part would be half random.", "只有部分匹配的网络会有一半是随机的。"),
        text(
            "Name the architecture that the graph is of (mobilenetv1_100, mobilenetv1_050, mobilenetv2_100, …); for features alone: tf:{p}",
            "请指明该图的架构（mobilenetv1_100、mobilenetv1_050、mobilenetv2_100 等）；若只需特征：tf:{p}",
            p=address.path,
        ),
    )  # fmt: skip
