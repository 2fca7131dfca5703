"""What of a graph is handed to TensorFlow: the nodes that an answer needs, all of them arithmetic. Everything else stays in the file.

A graph may read and write files, call Python, open sockets or loop for ever. TensorFlow checks none of it, so each operation is looked
up in a list of those that only compute, before TensorFlow is started; what is not needed for the answer (savers, initialisers, training)
is left out instead. Before it: `graph.py`. After it: `process.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.limits import MOST_OPERATIONS, written_out
from weigh.models.protobuf import ProtobufError, message_field
from weigh.models.tensorflow.graph import Graph, Node, broken, producer

__all__ = ["INERT", "VARIABLES", "needed_part"]

_ARITHMETIC = """
Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh BatchMatMul BatchMatMulV2 BatchMatMulV3 Ceil Cast
ClipByValue Cos Cosh Cross Cumprod Cumsum Div DivNoNan Einsum Equal Erf Erfc Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual
HistogramFixedWidth Inv InvGrad IsFinite IsInf IsNan Less LessEqual LinSpace Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max Maximum
Mean Min Minimum Mod Mul MulNoNan Neg NotEqual Pow Prod RealDiv Reciprocal Rint Round Rsqrt Select SelectV2 Sigmoid Sign Sin Sinh Sqrt
Square SquaredDifference Sub Sum Tan Tanh TruncateDiv TruncateMod Xdivy Xlogy
"""
_LAYERS = """
AvgPool AvgPool3D BatchNormWithGlobalNormalization BiasAdd BiasAddV1 Conv2D Conv2DBackpropInput Conv3D DepthToSpace
DepthwiseConv2dNative Dequantize Dilation2D Elu ExtractImagePatches FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
FakeQuantWithMinMaxVarsPerChannel FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 L2Loss LRN LeakyRelu LogSoftmax MaxPool MaxPool3D
MaxPoolV2 MirrorPad Pad PadV2 QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeV2 Relu Relu6 Selu Softmax Softplus Softsign
SpaceToBatch SpaceToBatchND SpaceToDepth BatchToSpace BatchToSpaceND TopK TopKV2
"""
_SHAPES = """
BroadcastArgs BroadcastTo Concat ConcatV2 ConjugateTranspose Const ExpandDims EnsureShape Fill Gather GatherNd GatherV2 Identity IdentityN
InvertPermutation MatrixBandPart NoOp OneHot OnesLike Pack Placeholder PlaceholderV2 PlaceholderWithDefault PreventGradient Range Rank
Reshape Reverse ReverseV2 ScatterNd Shape ShapeN Size Slice Snapshot Split SplitV Squeeze StopGradient StridedSlice
TensorScatterUpdate Tile Transpose Unpack Where ZerosLike
"""
_PICTURES = """
AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize HSVToRGB RGBToHSV ResizeArea ResizeBicubic ResizeBilinear
ResizeNearestNeighbor ScaleAndTranslate
"""
_BRANCHES = "If Merge PartitionedCall StatefulPartitionedCall StatelessIf Switch"  # no loops: one may never end
INERT = frozenset(f"{_ARITHMETIC} {_LAYERS} {_SHAPES} {_PICTURES} {_BRANCHES}".split())
VARIABLES = frozenset(["ReadVariableOp", "ResourceGather", "VarHandleOp", "Variable", "VariableV2"])
RESTORING = frozenset(
    ["Assign", "AssignVariableOp", "Const", "Identity", "NoOp", "Pack", "RestoreV2", "ShardedFilename", "StringJoin"]
)


def needed_part(graph: Graph, outputs: Iterable[str], path: Path, *, restore: str = "") -> bytes:
    """The part of a graph that its outputs need, as a message; every node of it only computes.

    Args:
        outputs: Tensors.
        restore: The node that fills variables; "": there must be none.

    Raises:
        ModelError: Names the operation that does more, and where it stands.
    """
    with broken(path):
        answering = list(graph.before(*map(producer, outputs)))
        filling = list(graph.before(restore)) if restore else []
        allowed = INERT | VARIABLES if restore else INERT
        called = _check(answering, graph, allowed, path)
        called |= _check(filling, graph, RESTORING | allowed, path)
        _check_calls([*answering, *filling], called, graph)
        kept = {node.name: node for node in (*answering, *filling)}
        library = b"".join(message_field(1, graph.functions[name].raw) for name in sorted(called))
        nodes = b"".join(message_field(1, node.raw) for node in kept.values())
        return nodes + message_field(2, library) + message_field(4, graph.versions)


def _check(nodes: list[Node], graph: Graph, allowed: frozenset[str], path: Path) -> set[str]:
    """Names of the functions that these nodes call, after a look at every operation."""
    called: set[str] = set()
    waiting: list[tuple[str, Iterable[Node]]] = [("", nodes)]
    while waiting:
        where, some = waiting.pop()
        for node in some:
            if node.op not in allowed and node.op not in graph.functions:
                raise _not_inert(path, node, where, variable=node.op in VARIABLES)
            node.check_size()
            for name in sorted(_called(node, graph) - called):
                if name not in graph.functions:
                    raise ProtobufError(f"there is no function {name[:80]}")
                called.add(name)
                waiting.append((name, graph.functions[name].nodes))
    return called


def _called(node: Node, graph: Graph) -> set[str]:
    return node.called | ({node.op} & graph.functions.keys())


def _check_calls(nodes: list[Node], called: set[str], graph: Graph) -> None:
    """Raise an error for functions that call each other: TensorFlow writes calls out, and these would never end.

    Raises:
        ProtobufError: They do, or it would be far too much.
    """
    calls = {name: [one for node in graph.functions[name].nodes for one in _called(node, graph)] for name in called}
    try:
        sizes = written_out(calls, {name: len(graph.functions[name].nodes) for name in called})
    except ValueError as error:
        raise ProtobufError(str(error)) from None
    if len(nodes) + sum(sizes[one] for node in nodes for one in _called(node, graph)) > MOST_OPERATIONS:
        raise ProtobufError(f"with its functions written out it has more than {MOST_OPERATIONS:,} nodes")


def _not_inert(path: Path, node: Node, where: str, *, variable: bool) -> ModelError:
    place = f"{where}/{node.name}" if where else node.name
    if variable:
        return ModelError(
            text("{p} is no frozen graph: {n} is a variable.", "{p} 不是冻结图：{n} 是变量。", p=path, n=place[:120]),
            text("Its values lie in another file.", "变量的值存放在另一个文件中。"),
            text("Name the folder of the SavedModel that holds both.", "请指定同时包含两者的 SavedModel 文件夹。"),
        )
    return ModelError(
        text("{p} needs the operation {o} ({n}).", "{p} 需要运算 {o}（{n}）。", p=path, o=node.op[:80], n=place[:120]),
        text(
            "weigh runs only operations that compute: others may read or write files, call code or never end.",
            "weigh 只运行纯计算的运算：其他运算可能读写文件、调用代码或永不结束。",
        ),
        text(
            "Where it only decodes pictures, name the tensor behind it: tf:PATH@input=TENSOR. Otherwise export the model for serving "
            "(model.export('FOLDER') of Keras), or as ONNX: onnx:PATH.onnx.",
            "若它只是解码图片，请指明其后的张量：tf:PATH@input=张量。否则请以推理形式导出模型（Keras 的 model.export('文件夹')），"
            "或导出为 ONNX：onnx:PATH.onnx。",
        ),
    )
