"""The refitted winner on disk: safetensors and a JSON file; loaded without the network, without pickle.

`model/config.json` holds everything a prediction needs: architecture, classes, preprocessing, temperature, decision
bias. `model/model.safetensors` holds the whole network, body and head.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weigh.data.pictures import PictureError, open_picture
from weigh.errors import ModelError
from weigh.language import text
from weigh.metrics.base import decide
from weigh.models.network import Network, make_network
from weigh.models.pretrained import Preprocessing, load_model

__all__ = ["SavedModel", "export_onnx", "load_saved", "save_model"]

FORMAT = 1
BATCH = 32


@dataclass(frozen=True)
class SavedModel:
    """A model ready to predict.

    Attributes:
        network: In eval mode.
        preparation: How pictures are prepared.
        classes: Class names, in the order of the outputs.
        temperature: Logits are divided by it.
        bias: `(classes,)` added to log probabilities before the decision.
        multilabel: A sigmoid per class instead of a softmax.
    """

    network: Network
    preparation: Preprocessing
    classes: tuple[str, ...]
    temperature: float
    bias: np.ndarray
    multilabel: bool

    def predict(self, pictures: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated probabilities `(n, classes)` and decisions of prepared `(n, 3, size, size)` pictures.

        The decision bias was chosen on probabilities as trained, so it is applied before the temperature.
        """
        with torch.inference_mode():
            z = self.network(pictures).double()
        turn = torch.sigmoid if self.multilabel else lambda logits: torch.softmax(logits, dim=1)
        return turn(z / self.temperature).numpy(), decide(turn(z).numpy(), self.bias, multilabel=self.multilabel)

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
            empty = {f"p:{name}": None for name in self.classes}
            return {"path": path, "label": "", "probability": None, **empty, "error": str(error).splitlines()[0]}
        probability, decision = predicted
        if self.multilabel:
            label = "|".join(name for name, on in zip(self.classes, decision, strict=True) if on)
            sure = float(np.where(decision > 0, probability, 1 - probability).min())
        else:
            label, sure = self.classes[int(decision)], float(probability[int(decision)])
        return {
            "path": path,
            "label": label,
            "probability": sure,
            **{f"p:{n}": float(p) for n, p in zip(self.classes, probability, strict=True)},
        }


def save_model(
    folder: Path, *, address: str, weights: dict[str, np.ndarray], classes: tuple[str, ...], options: dict[str, Any],
    temperature: float, bias: list[float] | None, multilabel: bool, facts: dict[str, Any],
) -> None:  # fmt: skip
    """Write model.safetensors, then config.json: a folder with a config.json is complete."""
    from safetensors.numpy import save_file

    from weigh import __version__

    model = load_model(address, pretrained=False, offline=True)
    preparation = model.preprocessing.at(options["image_size"]) if options.get("image_size") else model.preprocessing
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)
    temporary = folder / ".model.safetensors"
    save_file(
        {name: np.ascontiguousarray(array) for name, array in weights.items()}, temporary, metadata={"format": "pt"}
    )
    temporary.replace(folder / "model.safetensors")
    config = {
        "format": FORMAT, "weigh": __version__, "architecture": model.address.architecture, "classes": list(classes),
        "preprocessing": asdict(preparation), "temperature": temperature, "bias": bias, "multilabel": multilabel,
        "facts": facts,
    }  # fmt: skip
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
        pretrained = load_model(config["architecture"], pretrained=False, offline=True)
        network = make_network(pretrained, len(config["classes"]))
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
    prepared = {
        **config["preprocessing"],
        "mean": tuple(config["preprocessing"]["mean"]),
        "std": tuple(config["preprocessing"]["std"]),
    }
    bias = np.zeros(len(config["classes"])) if config["bias"] is None else np.asarray(config["bias"])
    return SavedModel(
        network, Preprocessing(**prepared), tuple(config["classes"]), config["temperature"], bias, config["multilabel"]
    )


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
    size = saved.preparation.size
    examples = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0)) * 4 - 2
    batch = torch.export.Dim("batch", min=1)
    program = torch.onnx.export(saved.network, (examples[:2],), dynamo=True, dynamic_shapes=({0: batch},), input_names=["pictures"],
                                output_names=["logits"], verbose=False)  # fmt: skip
    assert program is not None
    program.save(str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    difference = 0.0
    for n in (1, 3):  # another batch size than the exported one
        with torch.inference_mode():
            expected = saved.network(examples[:n]).numpy()
        got = session.run(["logits"], {"pictures": examples[:n].numpy()})[0]
        difference = max(difference, float(np.abs(expected - got).max()))
    if not difference < 1e-2:
        raise ModelError(
            text(
                "The exported model differs from torch by {d}.", "导出的模型与 torch 相差 {d}。", d=f"{difference:.2g}"
            )
        )
    return difference
