"""The refitted winner on disk: safetensors and JSON files; loaded without the network, without pickle.

`model/config.json` holds everything a prediction needs: architecture, task, classes, preprocessing, temperature, decision
bias. `model/model.safetensors` holds the whole network, body and head; `model/tokenizer.json` the tokenizer of a model of texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weigh.data.examples import Examples, Kind, rows_of
from weigh.data.pictures import PictureError, open_picture
from weigh.errors import ModelError
from weigh.language import text
from weigh.metrics.outputs import predict, probabilities
from weigh.models.encoder import Encoder
from weigh.models.network import Network
from weigh.models.pretrained import Preprocessing, Pretrained, load_model
from weigh.models.tokenisation import Tokenisation
from weigh.run import Setting
from weigh.tasks.base import TASKS

__all__ = ["SavedModel", "export_onnx", "load_saved", "save_model"]

FORMAT = 2
BATCH = 32
STRETCH = 1024  # texts whose batches are cut together


@dataclass(frozen=True)
class SavedModel:
    """A model ready to predict.

    Attributes:
        network: In eval mode.
        task: Name of the task.
        preparation: How pictures, or texts, are prepared.
        classes: Class names, in the order of the outputs; of entities their types; empty for numbers.
        temperature: Logits are divided by it.
        bias: `(classes,)` added to log probabilities before the decision.
        kind: What is predicted: "label", "labels", "number" or "spans".
        frozen: Only the head was trained (then pairs of texts are encoded apart).
        pair: Texts come in pairs.
    """

    network: Network
    task: str
    preparation: Preprocessing | Tokenisation
    classes: tuple[str, ...]
    temperature: float
    bias: np.ndarray
    kind: Kind
    frozen: bool = False
    pair: bool = False

    @property
    def multilabel(self) -> bool:
        return self.kind == "labels"

    @property
    def reads(self) -> str:
        """What an example is: "pictures" or "texts"."""
        return TASKS.get(self.task).reads

    @property
    def nothing(self) -> dict[str, Any]:
        """The answer for an example that cannot be read."""
        if self.kind in ("number", "spans"):
            return {"value": None} if self.kind == "number" else {"entities": None}
        return {"label": "", "probability": None, **{f"p:{name}": None for name in self.classes}}

    def predict(self, batch: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated probabilities `(n, classes)` and decisions of a prepared batch."""
        with torch.inference_mode():
            return self._calibrated(self.network(batch).double().numpy())

    def _calibrated(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The decision bias was chosen on probabilities as trained, so it is applied before the temperature."""
        calibrated = probabilities(logits / self.temperature, multilabel=self.multilabel)
        return calibrated, predict(logits, self.kind, self.bias).labels

    def outputs(self, examples: Examples) -> np.ndarray:
        """`(n, k)` of texts or sentences, as a run records them."""
        task, setting = TASKS.get(self.task), Setting(self.task, self.classes, "", batch=BATCH)
        width = task.width(examples)
        found = np.zeros((len(examples), width), np.float32)
        if self.frozen:
            batches = task.stream(examples, self.preparation, setting)
        else:
            inputs, everything = task.inputs(examples, self.preparation, setting, {}, None), np.arange(len(examples))
            batches = ((rows, inputs.batch(rows)) for rows in inputs.cut(everything, BATCH))
        with torch.inference_mode():
            for positions, batch in batches:
                found[positions] = task.outputs(self.network(batch), batch, width)
        return found

    def predict_texts(
        self, texts: Sequence[tuple[str, ...]], *, progress: Callable[[str, int, int], None] | None = None
    ) -> list[dict[str, Any]]:
        """One dictionary per text (or pair), in order: label, probability, p:<class>…; for numbers: value.

        For entities each text is a sentence of tokens: entities, a list of {"start", "end", "type", "text"} in tokens.
        """
        rows: list[dict[str, Any]] = []
        for i in range(0, len(texts), STRETCH):
            rows += self._answers(texts[i : i + STRETCH])
            if progress:
                progress("predicting", len(rows), len(texts))
        return rows

    def _answers(self, texts: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
        examples = _examples(self.kind, self.classes, texts, tokens=self.kind == "spans")
        outputs = self.outputs(examples)
        if self.kind == "number":
            return [{"value": float(value)} for value in outputs[:, 0]]
        if self.kind == "spans":
            spans = predict(outputs, self.kind).labels
            return [
                {
                    "entities": [
                        {"start": a, "end": b, "type": self.classes[kind], "text": " ".join(tokens[a:b])}
                        for a, b, kind in of_sentence
                    ]
                }
                for tokens, of_sentence in zip(texts, spans, strict=True)
            ]
        return [self._answer(*one) for one in zip(*self._calibrated(outputs.astype(np.float64)), strict=True)]

    def predict_rows(
        self, paths: list[str], *, progress: Callable[[str, int, int], None] | None = None
    ) -> list[dict[str, Any]]:
        """One dictionary per path: path, label, probability, p:<class>…; "error" where a file cannot be read."""
        rows: list[dict[str, Any]] = []
        for i in range(0, len(paths), BATCH):
            chunk, opened, prepared = paths[i : i + BATCH], [], []
            for path in chunk:
                try:
                    prepared.append(self.preparation.crop(open_picture(path, draft_size=self.preparation.resize)))
                    opened.append(None)
                except (PictureError, OSError) as error:
                    opened.append(error)
            found = iter(
                zip(*self.predict(self.preparation.normalise(torch.from_numpy(np.stack(prepared)))), strict=True)
                if prepared
                else ()
            )
            rows += [
                self._row(path, None if error else next(found), error)
                for path, error in zip(chunk, opened, strict=True)
            ]
            if progress:
                progress("predicting", len(rows), len(paths))
        return rows

    def _row(
        self, path: str, predicted: tuple[np.ndarray, np.ndarray] | None, error: Exception | None
    ) -> dict[str, Any]:
        if predicted is None:
            return {"path": path, **self.nothing, "error": str(error).splitlines()[0]}
        return {"path": path, **self._answer(*predicted)}

    def _answer(self, probability: np.ndarray, decision: np.ndarray) -> dict[str, Any]:
        if self.multilabel:
            label = "|".join(name for name, on in zip(self.classes, decision, strict=True) if on)
            sure = float(np.where(decision > 0, probability, 1 - probability).min())
        else:
            label, sure = self.classes[int(decision)], float(probability[int(decision)])
        return {
            "label": label,
            "probability": sure,
            **{f"p:{n}": float(p) for n, p in zip(self.classes, probability, strict=True)},
        }


def _examples(
    kind: Kind, classes: tuple[str, ...], texts: Sequence[tuple[str, ...]], *, tokens: bool = False
) -> Examples:
    """Examples without labels: what a task needs to build a network and to prepare texts."""
    n = len(texts)
    target = {
        "label": np.zeros(n, np.int64),
        "labels": np.zeros((n, len(classes)), np.uint8),
        "number": np.zeros(n),
        "spans": rows_of([()] * n),
    }[kind]
    blank, rows = np.array([""] * n), rows_of([tuple(row) for row in texts])
    return Examples(
        Path(), np.arange(n).astype(str), target, classes, blank, np.arange(n), blank,
        texts=None if tokens else rows, tokens=rows if tokens else None,
    )  # fmt: skip


def save_model(
    folder: Path, *, address: str, weights: dict[str, np.ndarray], task: str, kind: Kind, pair: bool, classes: tuple[str, ...],
    options: dict[str, Any], frozen: bool, temperature: float, bias: list[float] | None, facts: dict[str, Any],
) -> None:  # fmt: skip
    """Write model.safetensors, then config.json: a folder with a config.json is complete."""
    from safetensors.numpy import save_file

    from weigh import __version__

    model = load_model(address, pretrained=False, offline=True)
    preparation, encoder = model.configure(options), model.module
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)
    temporary = folder / ".model.safetensors"
    save_file(
        {name: np.ascontiguousarray(array) for name, array in weights.items()}, temporary, metadata={"format": "pt"}
    )
    temporary.replace(folder / "model.safetensors")
    config = {
        "format": FORMAT, "weigh": __version__, "architecture": model.address.architecture, "task": task, "kind": kind,
        "pair": pair, "frozen": frozen, "classes": list(classes), "preprocessing": preparation.as_json(),
        "options": {"pooling": encoder.pooling, "layers": encoder.layers} if isinstance(encoder, Encoder) else {},
        "encoder": model.extra.get("config"), "temperature": temperature, "bias": bias, "facts": facts,
    }  # fmt: skip
    if isinstance(preparation, Tokenisation):
        (folder / "tokenizer.json").write_text(preparation.written, encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def load_saved(folder: Path) -> SavedModel:
    """The saved model in `folder`.

    Raises:
        ModelError: Not there, another format, or files that do not fit together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["format"] != FORMAT:
            raise ModelError(
                text(
                    "The model in {f} is of format {a}; this version reads format {b}.",
                    "{f} 中的模型为格式 {a}；当前版本读取格式 {b}。",
                    f=folder,
                    a=config["format"],
                    b=FORMAT,
                ),
                do=text(
                    "Open it with the version that wrote it: {v}.",
                    "请用写入它的版本打开：{v}。",
                    v=config.get("weigh", "?"),
                ),
            )
        pretrained = _architecture(config, folder)
        kind, classes = config["kind"], tuple(config["classes"])
        like = _examples(kind, classes, [("", "")] if config["pair"] else [("",)])
        network = TASKS.get(config["task"]).build(pretrained, like, frozen=config["frozen"])
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            text(
                "The model in {f} cannot be loaded: {e}",
                "无法加载 {f} 中的模型：{e}",
                f=folder,
                e=str(error).splitlines()[0][:200],
            ),
            do=text(
                "Delete the folder and run the study again: only the refit is repeated.",
                "删除该文件夹并重新运行研究：只会重做重新拟合。",
            ),
        ) from None
    network.eval()
    bias = np.zeros(len(classes)) if config["bias"] is None else np.asarray(config["bias"])
    return SavedModel(
        network, config["task"], pretrained.preprocessing, classes, config["temperature"], bias, kind, config["frozen"],
        config["pair"],
    )  # fmt: skip


def _architecture(config: dict[str, Any], folder: Path) -> Pretrained:
    """The network without its weights, from what lies in the folder alone."""
    said = config["preprocessing"]
    if config["encoder"] is None:
        preparation = Preprocessing(**{**said, "mean": tuple(said["mean"]), "std": tuple(said["std"])})
        return replace(load_model(config["architecture"], pretrained=False, offline=True), preprocessing=preparation)
    from weigh.models.huggingface import rebuild

    if "pooling" not in config["options"]:  # a model's own way is not in its configuration; older folders lack it
        raise ValueError("it does not say how the vectors of tokens become one")
    written = (folder / "tokenizer.json").read_text(encoding="utf-8")
    model = rebuild(config["architecture"], config["encoder"], Tokenisation(written=written, **said))
    model.configure(config["options"])
    return model


def export_onnx(folder: Path, path: Path) -> float:
    """Write the network (logits, before the temperature) as ONNX and check it against torch; returns the greatest difference.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
        ModelError: The exported model disagrees with torch.
    """
    from weigh.errors import MissingExtra

    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", text("Exporting to ONNX", "导出 ONNX"), "onnx") from None
    saved = load_saved(folder)
    name = "pictures" if isinstance(saved.preparation, Preprocessing) else "tokens"
    examples, free = _for_export(saved)
    program = torch.onnx.export(saved.network, (examples[:2],), dynamo=True, dynamic_shapes=(free,), input_names=[name],
                                output_names=["logits"], verbose=False)  # fmt: skip
    assert program is not None
    program.save(str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    difference = 0.0
    for n in (1, 3):  # another batch size than the exported one
        with torch.inference_mode():
            expected = saved.network(examples[:n]).numpy()
        got = session.run(["logits"], {name: examples[:n].numpy()})[0]
        difference = max(difference, float(np.abs(expected - got).max()))
    if not difference < 1e-2:
        raise ModelError(
            text(
                "The exported model differs from torch by {d}.", "导出的模型与 torch 相差 {d}。", d=f"{difference:.2g}"
            )
        )
    return difference


def _for_export(saved: SavedModel) -> tuple[torch.Tensor, dict[int, Any]]:
    """Three examples, and which of their dimensions are free."""
    generator, free = torch.Generator().manual_seed(0), {0: torch.export.Dim("batch", min=1)}
    blank = saved.preparation.blank(3)
    if isinstance(saved.preparation, Preprocessing):
        return torch.rand(blank.shape, generator=generator) * 4 - 2, free
    words = saved.preparation.tokenizer.get_vocab_size()
    blank[:, 0] = torch.randint(words // 2, words, blank[:, 0].shape, generator=generator)
    blank[0, :, 20:] = 0  # one is shorter
    batch = torch.cat([blank, blank], dim=1) if saved.frozen and saved.pair else blank
    return batch, {**free, 2: torch.export.Dim("length", min=2, max=saved.preparation.size)}
