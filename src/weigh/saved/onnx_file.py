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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from weigh.disk import WRITING, replacing, storage_errors, write_file
from weigh.errors import MissingExtra, ModelError, reason_of
from weigh.language import text
from weigh.models.preparation import PlainInputs
from weigh.saved.model import SavedModel, load_saved

__all__ = ["export_onnx"]

SIDES = {1: "length", 2: "height", 3: "width"}  # names of dimensions that are free


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


def export_onnx(folder: Path, path: Path, *, trust_code: bool = False) -> float:
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
    saved = load_saved(folder, trust_code=trust_code)
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
            text("Predict with weigh: weigh predict STUDY …", "请用 weigh 预测：weigh predict 研究 …"),
        )
    plain = saved.preparation.plain(apart=saved.frozen and saved.meaning.pair)
    answering = _Answering(saved, plain.join).eval()
    names = _names_of_outputs(saved)
    metadata = _metadata(saved, folder, path)

    def checked(written: Path, inputs: dict[str, torch.Tensor]) -> float:
        # the session is let go at the end: Windows could not move its files
        session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
        return _difference(answering, session, inputs, names)

    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=WRITING, dir=path.parent) as beside:
            written = Path(beside) / path.name
            difference = np.inf
            if plain.step > 1:
                with suppress(
                    Exception
                ):  # torch's and onnxruntime's own: a network that is made for one size of pictures
                    smaller = {
                        name: value[:, :, : 2 * plain.step, : 3 * plain.step] for name, value in plain.examples.items()
                    }
                    _write_any_size(answering, plain, names, metadata, written)
                    difference = checked(written, smaller)
            try:
                if not difference < 1e-2:
                    _write(answering, plain, names, metadata, written)
                    difference = 0.0
                difference = max(difference, checked(written, plain.examples))
            except (OSError, MemoryError):
                raise
            except Exception as error:  # of torch, onnx or onnxruntime: layers that they cannot write
                raise ModelError(
                    text(
                        "This network cannot be written as ONNX: {e}",
                        "该网络无法写成 ONNX：{e}",
                        e=reason_of(error, 300),
                    ),
                    do=text("Predict with weigh: weigh predict STUDY …", "请用 weigh 预测：weigh predict 研究 …"),
                ) from error
            if not difference < 1e-2:
                raise ModelError(
                    text(
                        "The exported model differs from torch by {d}.",
                        "导出的模型与 torch 相差 {d}。",
                        d=f"{difference:.2g}",
                    )
                )
            for file in sorted(
                Path(beside).iterdir(), key=lambda file: file == written
            ):  # beyond 2 GB weights lie in a second file
                with replacing(path.parent / file.name) as temporary:
                    os.replace(file, temporary)
    return difference


def _names_of_outputs(saved: SavedModel) -> list[str]:
    kind, exported = saved.meaning.kind, saved.network.exported
    if exported is not None:
        return list(exported.names)
    return ["logits", "probabilities", "label"] if kind.probable else ["logits"] if kind.typed else ["value"]


def _write_any_size(
    answering: _Answering, plain: PlainInputs, names: list[str], metadata: dict[str, str], path: Path
) -> None:
    """By tracing one pass: torch's newer exporter takes nine minutes for free sides of pictures (EfficientNet-Lite0), this takes a second. What
    is written is compared with torch at two sizes afterwards.
    """
    import onnx

    axes = {0: "batch", **{k: SIDES[k] for k in plain.free}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will go some day, and warns of every shape that it keeps
        torch.onnx.export(
            answering, tuple(value[:2] for value in plain.examples.values()), str(path), dynamo=False, opset_version=18,
            input_names=list(plain.examples), output_names=names, dynamic_axes=dict.fromkeys(plain.examples, axes),
        )  # fmt: skip
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, str(path))


def _write(answering: _Answering, plain: PlainInputs, names: list[str], metadata: dict[str, str], path: Path) -> None:
    """Of a fixed size of pictures; texts of any length."""
    free: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
    if plain.step == 1:
        free |= {k: torch.export.Dim(SIDES[k], min=low, max=high) for k, (low, high) in plain.free.items()}
    program = torch.onnx.export(
        answering, tuple(value[:2] for value in plain.examples.values()), dynamo=True,
        dynamic_shapes=((free,) * len(plain.examples),), input_names=list(plain.examples), output_names=names, verbose=False,
    )  # fmt: skip
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(str(path))


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
    meaning = saved.meaning
    facts = {
        "task": meaning.task,
        "classes": list(meaning.classes),
        "temperature": meaning.temperature,
        "decision": "threshold" if meaning.by_threshold else "argmax",
        "bias": meaning.bias.tolist(),
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
