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
from weigh.errors import ModelError, reason_of
from weigh.heads.base import head_of
from weigh.heads.network_task import network_task
from weigh.kinds.base import rows_of
from weigh.language import text
from weigh.models.address import parse_address
from weigh.models.layers import SideBySide
from weigh.models.network import Network
from weigh.models.preparation import Preparation
from weigh.models.pretrained import MODEL_SOURCES, Pretrained, load_model, outline_of
from weigh.notices import Progress, notice
from weigh.run import LAYERS_RULE, Setting
from weigh.saved.folder import FORMAT, check_format, read_config, write_model
from weigh.saved.meaning import Each, Meaning, blank_examples

__all__ = ["SavedModel", "load_saved", "save_model"]

HEAD = "weigh_head."  # what the names of the head's weights begin with; no encoder has parts that are called so
BATCH = 32


@dataclass(frozen=True)
class SavedModel:
    """A model ready to predict.

    Attributes:
        meaning: What its outputs mean.
        network: In eval mode.
        preparation: How pictures, or texts, are prepared.
        frozen: Only the head was trained (then pairs of texts are encoded apart).
    """

    meaning: Meaning
    network: Network
    preparation: Preparation
    frozen: bool = False

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
        task, setting = (
            network_task(self.meaning.task),
            Setting(self.meaning.task, self.meaning.classes, "", batch=BATCH),
        )
        width = head_of(examples).width(examples)
        answers: np.ndarray | None = None
        with torch.inference_mode():
            for positions, batch in task.feed.stream(
                examples, self.preparation, setting, frozen=self.frozen, failed=failed
            ):
                rows = self.network.answers(batch, width)
                if answers is None:
                    shape = (len(examples), *rows.shape[1:])
                    blank = rows.dtype == object  # answers that are objects (label maps, boxes), as targets are
                    answers = examples.target.copy() if blank else np.zeros(shape, rows.dtype)
                answers[positions] = rows
                done(len(positions))
        return np.zeros((len(examples), width), np.float32) if answers is None else answers

    def predict_new(
        self, new: NewExamples, *, progress: Progress | None = None, each: Each | None = None
    ) -> list[dict[str, Any]]:
        """One dictionary per example, in order (`Meaning.predict_new`)."""
        return self.meaning.predict_new(new, self.outputs, progress=progress, each=each)


def save_model(
    folder: Path,
    *,
    address: str,
    weights: dict[str, np.ndarray],
    meaning: Meaning,
    options: dict[str, Any],
    frozen: bool,
    facts: dict[str, Any],
    preparation: Preparation | None = None,
    trust_code: bool = False,
) -> None:
    """Write the files of a model (`folder.py`).

    Args:
        address: Of the pretrained model that was trained.
        meaning: What its outputs mean.
        options: Of its recipe.
        frozen: Only the head was trained.
        facts: What is kept with it for readers.
        preparation: How the run prepared its inputs. Its model is not asked again: where other weights of a package stand in for those that an
            address means, it says another size without them. None: as the model says.
    """
    from weigh import __version__

    # a body without weights of its own: with its pretrained ones such a model only gives features, whatever it would offer without them
    bodiless = all(name.startswith("head.") for name in weights)
    whole = {"pretrained": True, "offline": True, "trust_code": trust_code}
    model = load_model(address, **whole) if bodiless else outline_of(address, trust_code=trust_code)
    configured = model.configure(options)
    prepared: Preparation = configured if preparation is None else preparation
    # what its body was built with: maps and layers are found in a pass of this size, whatever size a recipe asks for
    native = prepared if configured == model.preprocessing else model.preprocessing
    body = _body_prefix(weights, model)
    kept = {_renamed(name, {"head.": HEAD, body: ""}): np.ascontiguousarray(array) for name, array in weights.items()}
    own = {
        "format": FORMAT,
        "version": __version__,
        "architecture": model.address.architecture,
        **meaning.as_json(),
        "frozen": frozen,
        "preprocessing": prepared.as_json(),
        "native": native.as_json(),
        "options": model.settings,
        "facts": facts,
        "layers_rule": LAYERS_RULE,
    }
    if "network" not in model.ports:  # its weights stay where they are, and must be the same when it predicts
        own["identity"] = (model if bodiless else load_model(address, **whole)).identity
    if "code" in model.extra:
        own["code"] = model.extra["code"]
    write_model(folder, kept, {**model.extra.get("config", {}), "weigh": own}, prepared.files())


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
        check_format(config, folder)
        library = {name: value for name, value in whole.items() if name != "weigh"}
        pretrained, preparation = _architecture(config, library, folder, trust_code=trust_code)
        weights = load_file(folder / "model.safetensors")
        pretrained.anatomy.take_sizes(pretrained.module, {name: tensor.shape for name, tensor in weights.items()})
        meaning = Meaning.from_json(config)
        task, rows = network_task(meaning.task), rows_of([("",) * (1 + meaning.pair)])
        like = blank_examples(meaning.kind, meaning.classes, task.medium, np.array(["like"]), rows)
        network = task.build(pretrained, like, frozen=config["frozen"])
        body = _body_prefix(network.state_dict(), pretrained)
        _check_layers(network, config, folder)
        network.load_state_dict({_renamed(name, {HEAD: "head.", "": body}): weight for name, weight in weights.items()})
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
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
    if "departure" in config["facts"]:
        notice(
            text(
                "The model in {f} does not answer as its training left it: that was seen when it was saved, and the report of its study says by how much. Do not rely on its predictions.",
                "{f} 中的模型与训练结束时的回答不一致：保存时已发现，其研究的报告中说明了相差多少。请不要依赖它的预测。",
                f=folder,
            ),
            always=True,
        )
    return SavedModel(meaning, network, preparation, config["frozen"])


def _check_layers(network: Network, config: dict[str, Any], folder: Path) -> None:
    """Raise an error if the head was trained on other layers of a transformer than are read now.

    Raises:
        ModelError: It was: they are as many and as wide, so nothing else would tell.
    """
    equal = any(isinstance(part, SideBySide) and part.equal for part in network.modules())
    if not equal or config.get("layers_rule") == LAYERS_RULE:
        return
    raise ModelError(
        text(
            "The head in {f} was trained on other layers of {a} than this version reads.",
            "{f} 中的线性头所用的层与当前版本从 {a} 读取的层不同。",
            f=folder,
            a=config["architecture"],
        ),
        text(
            "An earlier version read the embedding of the patches in place of the blocks of a vision transformer.",
            "早期版本读取的是视觉 Transformer 的图块嵌入，而不是其各个块。",
        ),
        text(
            "Delete the folder and run the study again, or open it with the version that wrote it: {v}.",
            "请删除该文件夹并重新运行研究，或用写入它的版本打开：{v}。",
            v=config.get("version", "?"),
        ),
    )


def _architecture(
    config: dict[str, Any], library: dict[str, Any], folder: Path, *, trust_code: bool = False
) -> tuple[Pretrained, Preparation]:
    """The network without its weights, from what lies in the folder alone; one that only has features, as it lies elsewhere. And how examples are
    prepared: not always as the network was made for, which is what its maps and layers are found with.

    Args:
        library: What config.json holds for the library that the model comes from.
    """
    address, fields, elsewhere = config["architecture"], config["preprocessing"], "identity" in config
    restored, native = network_task(config["task"]).feed.restored, config.get("native", fields)
    rebuild = MODEL_SOURCES.get(parse_address(address).source).rebuild
    if rebuild is not None and not elsewhere:
        own = fields if restored is None else native
        model = rebuild(address, library, own, lambda name: (folder / name).read_text(encoding="utf-8"))
    else:
        model = load_model(address, pretrained=elsewhere, offline=True, trust_code=trust_code)
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
        model = model if restored is None else replace(model, preprocessing=restored(native))
    model.configure(config["options"])
    return model, model.preprocessing if restored is None else restored(fields)
