"""Where the head of a stored graph begins: its last linear layer. What goes into that layer are the features of the model.

Told from the operations alone, by walking back from an output, so that nothing has to be run. Graphs of TensorFlow and of ONNX are asked
through the same two functions. Before it: `tensorflow/graph.py`, `onnx_graph.py`. After it: `outside.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from weigh.errors import ModelError
from weigh.language import text

__all__ = ["Cut", "Step", "no_such_tensor", "stated_cut", "values_expected"]

ANSWERING = {"Softmax", "LogSoftmax", "Sigmoid"}  # what makes probabilities of the outputs of a head
PASSING = ANSWERING | {  # what may stand between the last linear layer and the output
    "Identity", "IdentityN", "Reshape", "Squeeze", "Unsqueeze", "ExpandDims", "Flatten", "BiasAdd", "Add", "AddV2", "Sub", "Mul", "Div",
    "RealDiv", "Cast", "Dropout", "StopGradient", "PlaceholderWithDefault", "EnsureShape",
}  # fmt: skip
POOLING = {"Mean", "ReduceMean", "AvgPool", "AveragePool", "GlobalAveragePool", "MaxPool", "GlobalMaxPool"}
BEFORE_POOLING = PASSING | {"Relu", "Relu6", "Clip"}  # in networks whose head is a convolution over maps (SqueezeNet)
LONGEST = 200  # steps from an output to its head


class Step(NamedTuple):
    """The operation that makes a tensor: its kind, the tensors that it takes, in order, and whether it turns its second matrix round."""

    op: str
    inputs: tuple[str, ...]
    transposed: bool = False


class Cut(NamedTuple):
    """Where a graph is cut.

    Attributes:
        features: Tensor `(n, width)`, or a map, to be averaged over its places.
        logits: Tensor of the head's outputs; None: the graph has no head, its output are the features.
        classes: Number of outputs of the head; 0 without one.
    """

    features: str
    logits: str | None = None
    classes: int = 0


def no_such_tensor(written: str, tensor: str, known: Collection[str]) -> ModelError:
    """The error of a tensor that the user names and the graph does not have.

    Args:
        written: The address, for messages.
    """
    near = difflib.get_close_matches(tensor, known, n=3, cutoff=0.4)
    return ModelError(
        text("{a}: there is no tensor {t}.", "{a}：没有张量 {t}。", a=written, t=tensor[:120]),
        do=text("Near: {n}.", "相近的有：{n}。", n=", ".join(near) or "–"),
    )


def stated_cut(
    stated: Mapping[str, str], outputs: Iterable[str], made_by: Callable[[str], Step | None],
    constant: Callable[[str], np.ndarray | None], written: str,
) -> Cut:  # fmt: skip
    """The cut as the user says, or before the last linear layer.

    Args:
        stated: Options of the address; "features" and "head" name tensors of the graph.
        outputs: Those that may be meant where no head is named.
        made_by: `(tensor) -> Step`; None: it is an input.
        constant: `(tensor) -> values`; None: it depends on the input.
        written: The address, for messages.

    Raises:
        ModelError: Several outputs with heads of their own, or none that is understood; says which option tells it.
    """
    if "features" in stated and "head" not in stated:
        return Cut(stated["features"])
    cut = _find_cut([stated["head"]] if "head" in stated else outputs, made_by, constant, written)
    return cut._replace(features=stated.get("features", cut.features))


def _find_cut(
    outputs: Iterable[str], made_by: Callable[[str], Step | None], constant: Callable[[str], np.ndarray | None], written: str
) -> Cut:  # fmt: skip
    """The cut before the last linear layer in front of the outputs."""
    outputs = list(outputs)
    cuts = {output: cut for output in outputs if (cut := _cut_before(output, made_by, constant)) is not None}
    with_head = {output: cut for output, cut in cuts.items() if cut.logits is not None}
    meant = with_head or cuts
    if len({cut.features for cut in meant.values()}) == 1:
        return next(iter(meant.values()))
    listed = ", ".join(outputs[:8]) + (" …" if len(outputs) > 8 else "") or "–"
    if meant:
        raise ModelError(
            text("{a} has several outputs: {o}.", "{a} 有多个输出：{o}。", a=written, o=listed),
            text(
                "Each has a head of its own; weigh cannot know which is meant.",
                "它们各有自己的分类头，weigh 无法判断该用哪一个。",
            ),
            text("Say which: {a}@head={f}", "请指明：{a}@head={f}", a=written, f=outputs[0]),
        )
    raise ModelError(
        text("Where the head of {a} begins cannot be told (outputs: {o}).", "无法判断 {a} 的分类头从何处开始（输出：{o}）。", a=written, o=listed),
        text("Its features are what goes into its last linear layer, and none was found.", "特征是最后一个线性层的输入，而未找到线性层。"),
        text(
            "Name the tensor that holds the features: {a}@features=TENSOR (the output itself: {a}@features={f})",
            "请指定存放特征的张量：{a}@features=张量（若就是输出本身：{a}@features={f}）",
            a=written,
            f=outputs[0] if outputs else "TENSOR",
        ),
    )  # fmt: skip


def _cut_before(
    output: str, made_by: Callable[[str], Step | None], constant: Callable[[str], np.ndarray | None]
) -> Cut | None:
    """Before the linear layer that makes this output, or at the output itself where that is features; None where it is neither."""
    tensor, logits, answering, passing = output, output, False, PASSING
    for _ in range(LONGEST):
        step = made_by(tensor)
        if step is None:
            return None
        moving = [name for name in step.inputs if name and constant(name) is None]
        classes = _classes(step, constant) if len(moving) == 1 else 0
        if classes:
            return Cut(moving[0], logits, classes)
        if step.op in ANSWERING:
            answering, logits = True, moving[0] if moving else logits
        if step.op in POOLING and answering:  # a convolution over maps that is averaged afterwards
            passing = BEFORE_POOLING
        elif step.op not in passing or not moving:
            return None if answering or step.op in ("ArgMax", "TopK", "TopKV2") else Cut(output)
        elif len(moving) > 1 and step.op not in (
            "Reshape",
            "Squeeze",
        ):  # a sum of branches; the shape of a reshape may be computed
            return None if answering else Cut(output)
        tensor = moving[0]
    return None


def _classes(step: Step, constant: Callable[[str], np.ndarray | None]) -> int:
    """Outputs of a linear layer whose weights are fixed; 0: it is none."""
    weight = constant(step.inputs[1]) if len(step.inputs) > 1 else None
    if weight is None:
        return 0
    if step.op in ("MatMul", "Gemm") and weight.ndim == 2:
        return int(weight.shape[0 if step.transposed else 1])
    if step.op == "Conv2D" and weight.ndim == 4 and weight.shape[:2] == (1, 1):
        return int(weight.shape[3])
    if step.op == "Conv" and weight.ndim == 4 and weight.shape[2:] == (1, 1):
        return int(weight.shape[0])
    return 0


def values_expected(steps: Iterable[tuple[str, np.ndarray]]) -> str | None:
    """Which values a graph wants for its pictures, told by its first arithmetic with a constant: what divides by 255 wants 0 to 255.

    Args:
        steps: Operation and constant of what the input goes through first, in order.

    Returns:
        "0..255", "0..1", or None where nothing tells.
    """
    for op, values in steps:
        if not values.size or values.size not in (1, 3):
            return None
        size = float(np.abs(values).mean())
        if op in ("Mul",) and size < 0.05:
            return "0..255"
        if op in ("Div", "RealDiv") and size > 20:
            return "0..255"
        if op in ("Sub", "Add", "AddV2") and size > 20:
            return "0..255"
        if op == "Sub" and 0.3 < size < 0.6:
            return "0..1"
        if op == "Mul" and size == 2:
            return "0..1"
    return None
