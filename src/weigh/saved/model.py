"""The refitted winner on disk: safetensors and JSON files; loaded without the network, without pickle.

`model/config.json` holds everything a prediction needs in its section `weigh`: architecture, task, classes, preprocessing,
temperature, how it decides. `model/model.safetensors` holds the whole network, body and head.

The folder of a model of texts is also one that the transformers library opens (`AutoModel`, `AutoTokenizer`): its configuration stands
at the top of config.json, the weights of the encoder have the library's own names, and `tokenizer.json` lies beside them. The linear
head, which the library has no class for, is `weigh_head.weight` and `weigh_head.bias` in the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weigh.data.examples import Examples, NewExamples
from weigh.data.written import Written
from weigh.errors import ModelError, reason_of
from weigh.heads.base import head_of
from weigh.heads.network_task import network_task
from weigh.kinds.base import Kind, Prediction, kind_named, rows_of
from weigh.language import text
from weigh.media import Medium
from weigh.models.address import parse_address
from weigh.models.network import Network
from weigh.models.preparation import Preparation
from weigh.models.pretrained import MODEL_SOURCES, Pretrained, load_model
from weigh.run import Setting
from weigh.saved.folder import FORMAT, read_config, write_model

__all__ = ["SavedModel", "load_saved", "save_model"]

HEAD = "weigh_head."  # of the names of weights: no encoder has parts that are called so
BATCH = 32
STRETCH = 1024  # examples whose batches are cut together


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
        kind: What is predicted.
        frozen: Only the head was trained (then pairs of texts are encoded apart).
        pair: Texts come in pairs.
        written: How the training data were written; new texts are read in the same way.
        margins: How far the quantities of `Kind.errors` may be off (`stats/conformal.py`); None: nobody knows.
    """

    network: Network
    task: str
    preparation: Preparation
    classes: tuple[str, ...]
    temperature: float
    bias: np.ndarray
    kind: Kind
    frozen: bool = False
    pair: bool = False
    written: Written | None = None
    margins: np.ndarray | None = None

    @property
    def medium(self) -> Medium:
        """What an example is made of."""
        return network_task(self.task).medium

    @property
    def nothing(self) -> dict[str, Any]:
        """The answer for an example that cannot be read."""
        return self.kind.row(None, 0, self.classes, threshold=self.by_threshold)

    @property
    def by_threshold(self) -> bool:
        """Whether the label may be another class than the most probable one; then each answer tells both."""
        return bool(self.bias.any())

    def decide(self, answers: np.ndarray) -> Prediction:
        """Where there are probabilities they are calibrated; the bias was chosen on those as trained, so decisions are made before that."""
        answers = answers if answers.dtype == object else answers.astype(np.float64)
        prediction = self.kind.decide(answers, self.bias)
        if not self.kind.probable:
            return prediction
        return prediction._replace(probabilities=self.kind.probabilities(answers / self.temperature))

    def outputs(
        self,
        examples: Examples,
        *,
        failed: dict[int, Exception] | None = None,
        done: Callable[[int], None] = lambda _: None,
    ) -> np.ndarray:
        """`(n, k)` of examples, as a run records them.

        Args:
            failed: Takes those that cannot be read, and why; None: the first one is an error.
            done: Told how many examples a batch held.
        """
        task, setting = network_task(self.task), Setting(self.task, self.classes, "", batch=BATCH)
        width = head_of(examples).width(examples)
        answers: np.ndarray | None = None
        with torch.inference_mode():
            for positions, batch in task.feed.stream(
                examples, self.preparation, setting, frozen=self.frozen, failed=failed
            ):
                rows = self.network.answers(batch, width)
                if answers is None:
                    shape = (len(examples), *rows.shape[1:])
                    blank = rows.dtype == object  # then an answer has the form of a target
                    answers = examples.target.copy() if blank else np.zeros(shape, rows.dtype)
                answers[positions] = rows
                done(len(positions))
        return np.zeros((len(examples), width), np.float32) if answers is None else answers

    def predict_new(
        self, new: NewExamples, *, progress: Callable[[str, int, int], None] | None = None,
        each: Callable[[int, Any], None] = lambda _i, _decision: None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """One dictionary per example, in order: what names it, label, probability, p:<class>…; for numbers: value; "error" where it cannot be read.

        Where a threshold decides, `most_probable` follows: the class that would be the label without it.

        For entities: entities, a list of {"start", "end", "type", "text"} in tokens. For masks: the share of each class.

        Args:
            each: Called with the position and the decision of every example that could be read.
        """
        readable = [i for i in range(len(new.named)) if i not in new.failed]
        answers: dict[int, dict[str, Any]] = {i: {**self.nothing, "error": new.failed[i]} for i in new.failed}

        def done(n: int) -> None:
            counted[0] += n
            if progress:
                progress("predicting", counted[0], len(readable))

        counted = [0]
        for start in range(0, len(readable), STRETCH):
            some = readable[start : start + STRETCH]
            rows = None if new.rows is None else new.rows[some]
            examples = _examples(self.kind, self.classes, self.medium, new.path[some], rows)
            failed: dict[int, Exception] = {}
            prediction = self.decide(self.outputs(examples, failed=failed, done=done))
            for k, i in enumerate(some):
                answers[i] = self._answer(prediction, k, examples.row(k) or ())
                if k in failed:
                    answers[i] = {**self.nothing, "error": reason_of(failed[k], 1000)}
                else:
                    each(i, prediction.labels[k])
        return [{**named, **answers[i]} for i, named in enumerate(new.named)]

    def _answer(self, prediction: Prediction, i: int, row: Any) -> dict[str, Any]:
        answer = self.kind.row(prediction, i, self.classes, tokens=row, threshold=self.by_threshold)
        if self.margins is None:
            return answer
        return answer | self.kind.ranges(prediction, i, self.classes, self.margins)


def _examples(
    kind: Kind, classes: tuple[str, ...], medium: Medium, path: np.ndarray, rows: np.ndarray | None
) -> Examples:
    """Examples without labels: what a task needs to build a network and to prepare them."""
    n = len(path)
    blank = np.full(n, "")
    return Examples(
        Path(), path, kind.blank(n, len(classes)), classes, blank, np.arange(n), blank, kind, rows=rows, medium=medium
    )


def save_model(
    folder: Path, *, address: str, weights: dict[str, np.ndarray], task: str, kind: Kind, pair: bool, classes: tuple[str, ...],
    options: dict[str, Any], frozen: bool, temperature: float, bias: list[float] | None, facts: dict[str, Any],
    written: Written | None = None, margins: list[float] | None = None, trust_code: bool = False,
) -> None:  # fmt: skip
    """Write the files of a model (`folder.py`)."""
    from weigh import __version__

    model = load_model(address, pretrained=False, offline=True, trust_code=trust_code)
    preparation = model.configure(options)
    body = _body_prefix(weights, model)
    kept = {_renamed(name, {"head.": HEAD, body: ""}): np.ascontiguousarray(array) for name, array in weights.items()}
    own = {
        "format": FORMAT, "version": __version__, "architecture": model.address.architecture, "task": task, "kind": kind.name,
        "pair": pair, "frozen": frozen, "classes": list(classes), "preprocessing": preparation.as_json(),
        "options": model.settings,
        "temperature": temperature, "decision": "argmax" if bias is None else "threshold", "bias": bias, "facts": facts,
        "written": None if written is None else written.as_json(), "margins": margins,
    }  # fmt: skip
    if "network" not in model.ports:  # its weights stay where they are, and must be the same when it predicts
        own["identity"] = load_model(address, pretrained=True, offline=True, trust_code=trust_code).identity
    if "code" in model.extra:
        own["code"] = model.extra["code"]
    write_model(folder, kept, {**model.extra.get("config", {}), "weigh": own}, preparation.files())


def _body_prefix(names: Iterable[str], model: Pretrained) -> str:
    """What stands before a library's own names of the weights of a network (`Anatomy.inner_name`); "" where it has none."""
    inner = model.anatomy.inner_name
    return next((name.partition(inner)[0] + inner for name in names if inner and inner in name), "")


def _renamed(name: str, prefixes: dict[str, str]) -> str:
    """`name` with the first of `prefixes` that it begins with exchanged."""
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def load_saved(folder: Path, *, trust_code: bool = False) -> SavedModel:
    """The saved model in `folder`.

    Args:
        trust_code: Its network may be built by code of the user's (`python:`).

    Raises:
        ModelError: Not there, another format, or files that do not fit together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        whole = read_config(folder)
        config = whole["weigh"]
        if isinstance(config, str):  # formats 1 and 2: the version stood here
            config = {**whole, "version": config}
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
                    v=config.get("version", "?"),
                ),
            )
        library = {name: value for name, value in whole.items() if name != "weigh"}
        pretrained = _architecture(config, library, folder, trust_code=trust_code)
        weights = load_file(folder / "model.safetensors")
        pretrained.anatomy.take_sizes(pretrained.module, {name: tensor.shape for name, tensor in weights.items()})
        kind, classes = kind_named(config["kind"]), tuple(config["classes"])
        task = network_task(config["task"])
        like = _examples(kind, classes, task.medium, np.array(["like"]), rows_of([("",) * (1 + config["pair"])]))
        network = task.build(pretrained, like, frozen=config["frozen"])
        body = _body_prefix(network.state_dict(), pretrained)
        network.load_state_dict({_renamed(name, {HEAD: "head.", "": body}): weight for name, weight in weights.items()})
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            text(
                "The model in {f} cannot be loaded: {e}",
                "无法加载 {f} 中的模型：{e}",
                f=folder,
                e=reason_of(error),
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
        config["pair"], Written.from_json(config.get("written")),
        None if config.get("margins") is None else np.asarray(config["margins"]),
    )  # fmt: skip


def _architecture(
    config: dict[str, Any], library: dict[str, Any], folder: Path, *, trust_code: bool = False
) -> Pretrained:
    """The network without its weights, from what lies in the folder alone; one that only has features, as it lies elsewhere.

    Args:
        library: What config.json holds for the library that the model comes from.
    """
    address, fields, elsewhere = config["architecture"], config["preprocessing"], "identity" in config
    rebuild = MODEL_SOURCES.get(parse_address(address).source).rebuild
    if rebuild is not None and not elsewhere:
        model = rebuild(address, library, fields, lambda name: (folder / name).read_text(encoding="utf-8"))
    else:
        model, restored = (
            load_model(address, pretrained=elsewhere, offline=True, trust_code=trust_code),
            network_task(config["task"]).feed.restored,
        )
        if elsewhere and model.identity != config["identity"]:
            raise ValueError(f"{address} is not what it was trained on: its weights were replaced")
        if model.extra.get("code") != config.get("code"):
            files = ", ".join(path.name for path in model.provenance.files)
            raise ModelError(
                text(
                    "The code of {a} is not that with which the model in {f} was trained: {c} changed since.",
                    "{a} 的代码已不是训练 {f} 中的模型时所用的代码：{c} 此后被修改过。",
                    a=address,
                    f=folder,
                    c=files,
                ),
                text(
                    "The same weights in another network give other answers.",
                    "同样的权重放进不同的网络会得到不同的答案。",
                ),
                text(
                    "Put the former code back; or run the study again in another folder: --output studies/NAME",
                    "请恢复原来的代码；或在另一个文件夹中重新运行研究：--output studies/名称",
                ),
            )
        model = model if restored is None else replace(model, preprocessing=restored(fields))
    model.configure(config["options"])
    return model
