"""The saved winner as one ONNX file that says what it needs: plain inputs, calibrated outputs, and the facts as metadata.

Before it: `model.py`. Inputs are `pictures`, or `input_ids`, `attention_mask` and `token_type_ids` (with `_2` for the second text of
pairs that are encoded apart). Of classes the outputs are `logits`, `probabilities` (calibrated) and `label` (the index of the class as
`weigh predict` decides); of numbers `value`; of entities `logits` per token; of masks `logits` and `label` of every pixel
of the frame that was given, of any size in steps of 32 where the network takes it. Metadata hold what `model/config.json` holds.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from weigh.disk import WRITING, replacing, storage_errors, write_file
from weigh.errors import MissingExtra, ModelError
from weigh.kinds.base import Kind
from weigh.language import text
from weigh.models.preparation import PlainInputs
from weigh.saved.model import SavedModel, load_saved

__all__ = ["export_onnx"]


class _Answering(nn.Module):
    """The network between plain inputs and the answers of `weigh predict`."""

    def __init__(self, saved: SavedModel, join: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.network, self.kind, self.temperature, self.join = saved.network, saved.kind, saved.temperature, join
        self.register_buffer("bias", torch.tensor(saved.bias, dtype=torch.float32))

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        batch = self.join(*inputs)
        logits = self.network(batch)
        if self.kind.placed:
            logits = functional.interpolate(logits, size=batch.shape[2:], mode="bilinear", align_corners=False)
            return logits, logits.argmax(dim=1)
        if not self.kind.typed:
            return (logits[:, 0],)
        if not self.kind.probable:
            return (logits,)
        if not self.kind.exclusive:
            return logits, torch.sigmoid(logits / self.temperature), (logits > 0).long()
        probabilities = torch.softmax(logits / self.temperature, dim=-1)
        return logits, probabilities, (torch.log_softmax(logits, dim=-1) + self.bias).argmax(dim=-1)


def export_onnx(folder: Path, path: Path) -> float:
    """Write the saved model of `folder` as ONNX and check it against torch; returns the greatest difference of its outputs.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
        ModelError: The exported model disagrees with torch.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", text("Exporting to ONNX", "导出 ONNX"), "onnx") from None
    saved = load_saved(folder)
    if not hasattr(saved.preparation, "plain"):
        raise ModelError(
            text(
                "Models that read {r} cannot be written as ONNX.", "处理{r}的模型无法写成 ONNX。", r=saved.medium.title
            ),
            text("Nothing says which plain inputs they take.", "没有说明它们接受哪些普通输入。"),
            text("Predict with weigh: weigh predict STUDY …", "请用 weigh 预测：weigh predict 研究 …"),
        )
    plain = saved.preparation.plain(apart=saved.frozen and saved.pair)
    inputs, answering = plain.examples, _Answering(saved, plain.join).eval()
    names = _names_of_outputs(saved.kind)
    program = _exported(answering, plain, names)
    program.model.metadata_props.update(_metadata(saved, folder, path))
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=WRITING, dir=path.parent) as beside:
            written = Path(beside) / path.name
            program.save(str(written))
            session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
            difference = _difference(answering, session, inputs, names)
            if any(isinstance(side, str) for side in session.get_inputs()[0].shape[2:]):
                smaller = {name: value[:, :, : 2 * plain.step, : 3 * plain.step] for name, value in inputs.items()}
                difference = max(difference, _difference(answering, session, smaller, names))
            if not difference < 1e-2:
                raise ModelError(
                    text(
                        "The exported model differs from torch by {d}.",
                        "导出的模型与 torch 相差 {d}。",
                        d=f"{difference:.2g}",
                    )
                )
            del session  # or Windows would not let its files be moved
            for file in sorted(
                Path(beside).iterdir(), key=lambda file: file == written
            ):  # beyond 2 GB weights lie in a second file
                with replacing(path.parent / file.name) as temporary:
                    os.replace(file, temporary)
    return difference


def _names_of_outputs(kind: Kind) -> list[str]:
    if kind.placed:
        return ["logits", "label"]
    return ["logits", "probabilities", "label"] if kind.probable else ["logits"] if kind.typed else ["value"]


def _exported(answering: _Answering, plain: PlainInputs, names: list[str]) -> Any:
    """The program with every free dimension, or, of a network that is made for one size of pictures, with the batch alone."""
    named = {1: "length", 2: "height", 3: "width"}
    batch: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
    free = dict(batch)
    for k, (low, high) in plain.free.items():
        steps = torch.export.Dim(named[k], min=low // plain.step, max=high // plain.step)
        free[k] = steps if plain.step == 1 else plain.step * steps
    for dimensions in (free, batch):
        try:
            program = torch.onnx.export(
                answering, tuple(value[:2] for value in plain.examples.values()), dynamo=True,
                dynamic_shapes=((dimensions,) * len(plain.examples),), input_names=list(plain.examples), output_names=names,
                verbose=False,
            )  # fmt: skip
        except torch.onnx.OnnxExporterError:
            if dimensions is batch or plain.step == 1:
                raise
        else:
            assert program is not None
            return program
    raise AssertionError("the last attempt returns or raises")


def _difference(answering: _Answering, session: Any, inputs: dict[str, torch.Tensor], names: list[str]) -> float:
    """The greatest difference of any output between torch and the file."""
    difference = 0.0
    for n in (1, 3):  # another batch size than the exported one
        some = {name: value[:n] for name, value in inputs.items()}
        with torch.inference_mode():
            expected = [value.numpy() for value in answering(*some.values())]
        got = session.run(names, {name: value.numpy() for name, value in some.items()})
        told = [(a, b) for name, a, b in zip(names, expected, got, strict=True) if name != "label"]
        difference = max([difference, *(float(np.abs(a - b).max()) for a, b in told)])
    return difference


def _metadata(saved: SavedModel, folder: Path, path: Path) -> dict[str, str]:
    """The facts that a program needs to use the file alone; values are JSON. The tokenizer is copied beside the file."""
    facts = {
        "task": saved.task,
        "classes": list(saved.classes),
        "temperature": saved.temperature,
        "decision": "threshold" if saved.by_threshold else "argmax",
        "bias": saved.bias.tolist(),
        "preprocessing": saved.preparation.as_json(),
    }
    for name, content in saved.preparation.files().items():
        if isinstance(content, str):
            beside = folder / name
            if path.resolve().parent != folder.resolve():
                beside = path.with_suffix(f".{name}")
                write_file(beside, content)
            facts[Path(name).stem] = beside.name
    return {name: json.dumps(value, ensure_ascii=False) for name, value in facts.items()}
