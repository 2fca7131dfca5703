"""The saved winner as one ONNX file that says what it needs: plain inputs, calibrated outputs, and the facts as metadata.

Before it: `model.py`. Inputs are `pictures`, or `input_ids`, `attention_mask` and `token_type_ids` (with `_2` for the second text of
pairs that are encoded apart). Of classes the outputs are `logits`, `probabilities` (calibrated) and `label` (the index of the class as
`weigh predict` decides); of numbers `value`; of entities `logits` per token; of masks `logits` and `label` of every pixel
of the frame that was given, of any size in steps of 32 where the network takes it; of boxes `boxes`, corners in pixels of that frame, and
`scores` of every class, of all places: what overlaps is left to the program that reads them (a detector of its own says in `overlap` from which
share on two boxes of a class are the same). Metadata hold what `model/config.json` holds.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from weigh.disk import WRITING, replacing, storage_errors, write_file
from weigh.errors import MissingExtra, ModelError, reason_of
from weigh.language import text
from weigh.models.preparation import WITH_WEIGH, PlainInputs
from weigh.saved.meaning import Meaning
from weigh.saved.model import SavedModel, load_saved

__all__ = ["Graph", "export_onnx", "facts_of", "free_dimensions", "plain_inputs", "require_onnx", "write_graph"]

SIDES = {1: "length", 2: "height", 3: "width"}  # names of dimensions that are free
MOST_APART = 1e-2  # `Apart.judged` from which on a file is not that of the model
LEAST_NUMBER = 1e-12  # least size of the numbers that a difference is a share of


class _Answering(nn.Module):
    """The network between plain inputs and the answers of `weigh predict`."""

    def __init__(self, saved: SavedModel, join: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        meaning = saved.meaning
        self.network, self.kind, self.temperature, self.join = saved.network, meaning.kind, meaning.temperature, join
        self.exported = saved.network.exported
        self.register_buffer("bias", torch.tensor(meaning.bias, dtype=torch.float32))

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        batch = self.join(*inputs)
        logits = self.network(batch)
        if self.exported is not None:
            return self.exported.outputs(logits, batch)
        if not self.kind.typed:
            return (logits[:, 0],)
        if not self.kind.probable:
            return (logits,)
        if not self.kind.exclusive:
            return logits, torch.sigmoid(logits / self.temperature), (logits > 0).long()
        probabilities = torch.softmax(logits / self.temperature, dim=-1)
        return logits, probabilities, (torch.log_softmax(logits, dim=-1) + self.bias).argmax(dim=-1)


class Graph(NamedTuple):
    """What is written as one file.

    Attributes:
        answering: Plain inputs in, outputs out.
        inputs: Name -> three examples.
        free: Of each input: dimension besides the first that may vary -> name, least and greatest size. Those of one name vary together.
        step: Sizes of the free dimensions are multiples of it.
        names: Of the outputs.
        metadata: Name -> JSON.
    """

    answering: nn.Module
    inputs: dict[str, torch.Tensor]
    free: Sequence[dict[int, tuple[str, int, int]]]
    step: int
    names: list[str]
    metadata: dict[str, str]


class Apart(NamedTuple):
    """How far the outputs of a file are from those of torch; infinite where only one of both is a number, or their shapes differ.

    Attributes:
        most: The greatest difference of any output, in its own unit.
        judged: The same, of the output `value` as a share of the greatest one: the unit of labels may be anything.
    """

    most: float
    judged: float

    def and_also(self, other: Apart) -> Apart:
        """The greater of both."""
        return Apart(max(self.most, other.most), max(self.judged, other.judged))


def export_onnx(folder: Path, path: Path, *, trust_code: bool = False) -> float:
    """Write the saved model of `folder` as ONNX and check it against torch; returns the greatest difference of its outputs.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
        ModelError: The exported model disagrees with torch.
    """
    require_onnx()
    saved = load_saved(folder, trust_code=trust_code)
    plain = plain_inputs(saved)
    answering = _Answering(saved, plain.join).eval()
    metadata = _metadata(saved, folder, path)
    free = [free_dimensions(plain)] * len(plain.examples)
    return write_graph(Graph(answering, plain.examples, free, plain.step, _names_of_outputs(saved), metadata), path)


def free_dimensions(plain: PlainInputs, ending: str = "") -> dict[int, tuple[str, int, int]]:
    """The free dimensions as a graph has them, with names that end in `ending`."""
    return {k: (SIDES[k] + ending, low, high) for k, (low, high) in plain.free.items()}


def require_onnx() -> None:
    """Raise an error if a package that writes ONNX is missing.

    Raises:
        MissingExtra: onnx, onnxruntime or onnxscript is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", text("exporting to ONNX", "导出 ONNX"), "onnx") from None


def plain_inputs(saved: SavedModel) -> PlainInputs:
    """What other programs feed it with.

    Raises:
        ModelError: Its answers, or its inputs, cannot be written as a graph.
    """
    if not saved.network.exportable:
        raise ModelError(
            text("A detector of two stages cannot be written as ONNX.", "两阶段检测器无法写成 ONNX。"),
            text(
                "It proposes regions first: how many it goes on with follows from the picture.",
                "它先提出候选区域：后续处理多少个区域取决于图片。",
            ),
            text(
                "Predict with weigh: weigh predict STUDY …; or train a detector of one stage, e.g. torchvision:ssdlite320_mobilenet_v3_large",
                "请用 weigh 预测：weigh predict 研究 …；或训练单阶段检测器，例如 torchvision:ssdlite320_mobilenet_v3_large",
            ),
        )
    if not hasattr(saved.preparation, "plain"):
        raise ModelError(
            text(
                "Models that read {r} cannot be written as ONNX.",
                "处理{r}的模型无法写成 ONNX。",
                r=saved.meaning.medium.title,
            ),
            text("Nothing says which plain inputs they take.", "没有说明它们接受哪些普通输入。"),
            WITH_WEIGH,
        )
    return saved.preparation.plain(apart=saved.frozen and saved.meaning.pair)


def write_graph(graph: Graph, path: Path) -> float:
    """Write it and check the file against torch; returns the greatest difference of its outputs.

    Raises:
        ModelError: It cannot be written, or disagrees with torch.
        StorageError: The disk does not take it.
    """
    import onnxruntime

    def checked(written: Path, inputs: dict[str, torch.Tensor]) -> Apart:
        # the session is let go at the end: Windows could not move its files
        session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
        return _difference(graph.answering, session, inputs, graph.names)

    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=WRITING, dir=path.parent) as beside:
            written = Path(beside) / path.name
            apart = Apart(np.inf, np.inf)
            if graph.step > 1:
                with suppress(
                    Exception
                ):  # torch's and onnxruntime's own: a network that is made for one size of pictures
                    smaller = {
                        name: value[:, :, : 2 * graph.step, : 3 * graph.step] for name, value in graph.inputs.items()
                    }
                    _write_any_size(graph, written)
                    apart = checked(written, smaller)
            try:
                if not apart.judged < MOST_APART:
                    _write(graph, written)
                    apart = Apart(0.0, 0.0)
                apart = apart.and_also(checked(written, graph.inputs))
            except (OSError, MemoryError):
                raise
            except Exception as error:  # of torch, onnx or onnxruntime: layers that they cannot write
                raise ModelError(
                    text(
                        "This network cannot be written as ONNX: {e}",
                        "该网络无法写成 ONNX：{e}",
                        e=reason_of(error, 300),
                    ),
                    do=WITH_WEIGH,
                ) from error
            if not apart.judged < MOST_APART:
                raise ModelError(
                    text(
                        "The exported model differs from torch by {d}.",
                        "导出的模型与 torch 相差 {d}。",
                        d=f"{apart.most:.2g}",
                    ),
                    text("Its answers would not be those that were measured.", "它的回答将与评估过的不同。"),
                    WITH_WEIGH,
                )
            for file in sorted(
                Path(beside).iterdir(), key=lambda file: file == written
            ):  # beyond 2 GB weights lie in a second file
                with replacing(path.parent / file.name) as temporary:
                    os.replace(file, temporary)
    return apart.most


def _names_of_outputs(saved: SavedModel) -> list[str]:
    kind, exported = saved.meaning.kind, saved.network.exported
    if exported is not None:
        return list(exported.names)
    return ["logits", "probabilities", "label"] if kind.probable else ["logits"] if kind.typed else ["value"]


def _write_any_size(graph: Graph, path: Path) -> None:
    """Write a graph for any size by tracing one pass: torch's newer exporter takes nine minutes for free sides of pictures (EfficientNet-Lite0), this takes a second. What
    is written is compared with torch at two sizes afterwards.
    """
    import onnx

    axes = [{0: "batch", **{k: name for k, (name, *_) in free.items()}} for free in graph.free]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its deprecation, and of every shape that it writes as fixed
        torch.onnx.export(
            graph.answering, tuple(value[:2] for value in graph.inputs.values()), str(path), dynamo=False, opset_version=18,
            input_names=list(graph.inputs), output_names=graph.names, dynamic_axes=dict(zip(graph.inputs, axes, strict=True)),
        )  # fmt: skip
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, graph.metadata)
    onnx.save(model, str(path))


def _write(graph: Graph, path: Path) -> None:
    """Write a graph for one size of pictures, or for texts of any length."""
    named: dict[str, Any] = {}
    shapes: list[dict[int, Any]] = []
    batch = torch.export.Dim("batch", min=1)
    for free in graph.free:
        shapes.append({0: batch})
        for k, (name, low, high) in free.items() if graph.step == 1 else ():
            shapes[-1][k] = named.setdefault(name, torch.export.Dim(name, min=low, max=high))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names of axes; what is written is compared with torch afterwards
        program = torch.onnx.export(
            graph.answering, tuple(value[:2] for value in graph.inputs.values()), dynamo=True, dynamic_shapes=(tuple(shapes),),
            input_names=list(graph.inputs), output_names=graph.names, verbose=False,
        )  # fmt: skip
    assert program is not None
    program.model.metadata_props.update(graph.metadata)
    program.save(str(path))


def _difference(answering: nn.Module, session: Any, inputs: dict[str, torch.Tensor], names: list[str]) -> Apart:
    """The greatest difference of any output between torch and the file; where both say the same of what is no number, that is none."""
    apart, unit = Apart(0.0, 0.0), 1.0
    for n in (3, 1):  # another batch size than the exported one
        some = {name: value[:n] for name, value in inputs.items()}
        with torch.inference_mode():
            expected = [value.numpy() for value in answering(*some.values())]
        if n > 1 and names == ["value"]:
            unit = max(float(np.abs(expected[0][np.isfinite(expected[0])]).max(initial=0.0)), LEAST_NUMBER)
        got = session.run(names, {name: value.numpy() for name, value in some.items()})
        pairs = [(a, b) for name, a, b in zip(names, expected, got, strict=True) if name != "label"]
        most = max(_farthest(a, b) for a, b in pairs)
        apart = apart.and_also(Apart(most, most / unit))
    return apart


def _farthest(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The greatest difference of two arrays; infinite where their shapes differ or only one of both is a number."""
    if ours.shape != theirs.shape:
        return np.inf
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0.0, np.abs(ours.astype(np.float64) - theirs))
    return float(np.where(np.isnan(distance), np.inf, distance).max(initial=0.0))


def facts_of(meaning: Meaning) -> dict[str, Any]:
    """What a program needs to use the outputs."""
    return {
        "task": meaning.task,
        "classes": list(meaning.classes),
        "temperature": meaning.temperature,
        "decision": "threshold" if meaning.by_threshold else "argmax",
        "bias": meaning.bias.tolist(),
    }


def _metadata(saved: SavedModel, folder: Path, path: Path) -> dict[str, str]:
    """The facts that a program needs to use the file alone; values are JSON. The tokenizer is copied beside the file."""
    facts = {
        **facts_of(saved.meaning),
        "preprocessing": saved.preparation.as_json(),
        **saved.network.settled,
        **saved.network.told,
    }
    for name, content in saved.preparation.files().items():
        if isinstance(content, str):
            beside = folder / name
            if path.resolve().parent != folder.resolve():
                beside = path.with_suffix(f".{name}")
                write_file(beside, content)
            facts[Path(name).stem] = beside.name
    return {name: json.dumps(value, ensure_ascii=False) for name, value in facts.items()}
