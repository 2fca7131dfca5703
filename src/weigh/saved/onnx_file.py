"""The saved winner as one ONNX file that says what it needs: plain inputs, calibrated outputs, and the facts as metadata.

Before it: `model.py`. Inputs are `pictures`, or `input_ids`, `attention_mask` and `token_type_ids` (with `_2` for the second text of
pairs that are encoded apart). Of classes the outputs are `logits`, `probabilities` (calibrated) and `label` (the index of the class as
`weigh predict` decides); of numbers `value`; of entities `logits` per token. Metadata hold what `model/config.json` holds.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from weigh.disk import WRITING, replacing, storage_errors, write_file
from weigh.errors import MissingExtra, ModelError
from weigh.language import text
from weigh.models.pretrained import Preprocessing
from weigh.models.tokenisation import Tokenisation
from weigh.saved.model import SavedModel, load_saved

__all__ = ["export_onnx"]

TOKEN_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class _Answering(nn.Module):
    """The network between plain inputs and the answers of `weigh predict`."""

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.network, self.kind, self.temperature = saved.network, saved.kind, saved.temperature
        self.pictures = isinstance(saved.preparation, Preprocessing)
        self.segments = isinstance(saved.preparation, Tokenisation) and saved.preparation.segments
        self.register_buffer("bias", torch.tensor(saved.bias, dtype=torch.float32))

    def batch(self, *inputs: torch.Tensor) -> torch.Tensor:
        """What the network takes: pictures as they are, tokens of one text or two in one tensor."""
        if self.pictures:
            return inputs[0]
        each = 3 if self.segments else 2
        rows = []
        for start in range(0, len(inputs), each):
            ids, mask, *segments = inputs[start : start + each]
            rows += [ids, mask, segments[0] if segments else torch.zeros_like(ids)]
        return torch.stack(rows, dim=1)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits = self.network(self.batch(*inputs))
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
    answering = _Answering(saved).eval()
    inputs, free = _for_export(saved)
    names = (
        ["logits", "probabilities", "label"] if saved.kind.probable else ["logits"] if saved.kind.typed else ["value"]
    )
    program = torch.onnx.export(
        answering, tuple(value[:2] for value in inputs.values()), dynamo=True, dynamic_shapes=((free,) * len(inputs),),
        input_names=list(inputs), output_names=names, verbose=False,
    )  # fmt: skip
    assert program is not None
    program.model.metadata_props.update(_metadata(saved, folder, path))
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=WRITING, dir=path.parent) as beside:
            written = Path(beside) / path.name
            program.save(str(written))
            session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
            difference = _difference(answering, session, inputs, names)
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
    if isinstance(saved.preparation, Tokenisation):
        beside = folder / "tokenizer.json"
        if path.resolve().parent != folder.resolve():
            beside = path.with_suffix(".tokenizer.json")
            write_file(beside, saved.preparation.written)
        facts["tokenizer"] = beside.name
    return {name: json.dumps(value, ensure_ascii=False) for name, value in facts.items()}


def _for_export(saved: SavedModel) -> tuple[dict[str, torch.Tensor], dict[int, Any]]:
    """Three examples by name of the input, and which of their dimensions are free."""
    generator, free = torch.Generator().manual_seed(0), {0: torch.export.Dim("batch", min=1)}
    blank = saved.preparation.blank(3)
    if isinstance(saved.preparation, Preprocessing):
        return {"pictures": torch.rand(blank.shape, generator=generator) * 4 - 2}, free
    words = saved.preparation.tokenizer.get_vocab_size()
    blank[:, 0] = torch.randint(words // 2, words, blank[:, 0].shape, generator=generator)
    blank[0, :, 20:] = 0  # one is shorter
    used = TOKEN_INPUTS if saved.preparation.segments else TOKEN_INPUTS[:2]
    suffixes = ("", "_2") if saved.frozen and saved.pair else ("",)
    inputs = {name + suffix: blank[:, k].contiguous() for suffix in suffixes for k, name in enumerate(used)}
    return inputs, {**free, 1: torch.export.Dim("length", min=2, max=saved.preparation.size)}
