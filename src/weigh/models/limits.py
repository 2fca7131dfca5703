"""Limits of what a stranger's configuration may ask for: checked before anything is built from it.

Ten million layers are a line of text, and so is a vocabulary of a billion words. Before it: config.json. After it: `huggingface.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from weigh.errors import ModelError
from weigh.files import open_regular, read_json
from weigh.language import text
from weigh.models.inert_pickle import rewrite, unreadable

__all__ = ["MOST_OPERATIONS", "check_header", "check_settings", "check_size", "files_of_index", "written_out"]

MOST_LAYERS = 1_000  # the deepest encoders have some hundred
MOST_NUMBER = 100_000_000  # of any other setting: words, positions, widths, a base of rotary embeddings
MOST_ITEMS = 1_000_000  # values in all
MOST_HEADER = (
    10_000_000  # bytes that name the tensors of a safetensors file; of the largest models some hundred thousand
)
MOST_OPERATIONS = 1_000_000  # of a stored graph: thirty functions that call the next one twice are a thousand million
MOST_PARAMETERS = 3_000_000_000  # of a network without a file of weights: 12 GB
OF_A_TRAINER = (
    "training_args",
    "optimizer",
    "scheduler",
    "scaler",
    "rng_state",
    "random_states",
)  # pickles that lie beside weights and hold none
OF_OTHERS = {"from_tf": "h5", "from_flax": "msgpack"}  # option of transformers that reads it -> ending
LAYERS = re.compile(r"(^|_)(n_?)?(layers?|blocks?|depths?|groups|hidden_layers|memory|experts|stages)$")


def check_settings(address: str, settings: Any) -> None:
    """Refuse numbers that no model has, and code.

    Raises:
        ModelError: Names the code, or the setting, its value and the limit.
    """
    if not isinstance(settings, dict):
        raise ModelError(text("{a}: config.json holds no settings.", "{a}：config.json 中没有设置。", a=address))
    if settings.get("auto_map"):
        raise _wants_code(address, settings["auto_map"])
    waiting: list[tuple[str, Any]] = list(settings.items())
    seen = 0
    while waiting:
        name, value = waiting.pop()
        seen += 1
        if isinstance(value, dict):
            waiting += [(f"{name}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in value]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            limit = MOST_LAYERS if LAYERS.search(name.rpartition(".")[2]) else MOST_NUMBER
            if math.isfinite(value) and abs(value) > limit and not (isinstance(value, float) and limit == MOST_NUMBER):
                raise _too_much(address, name, value, limit)
        if seen > MOST_ITEMS:
            raise _too_much(address, name, seen, MOST_ITEMS)


def check_size(folder: Path, parameters: int, *, pretrained: bool) -> None:
    """Refuse a network that has many more parameters than its file of weights, or that is too large to be drawn at random; and weights that
    are not read: pickles, or what lies outside of the folder.

    Raises:
        ModelError: Names both numbers, or the file.
    """
    if not pretrained:
        if parameters > MOST_PARAMETERS:
            raise _too_much(folder.name or "config.json", "parameters", parameters, MOST_PARAMETERS)
        return
    stored_count = sum(map(_parameters_in, _weights_in(folder)))
    if stored_count and parameters > 2 * stored_count + 10_000_000:  # a head, tied or absent parts may differ
        raise ModelError(
            text(
                "{f}: the configuration describes {n} parameters, the weights hold {m}.",
                "{f}：配置描述了 {n} 个参数，而权重文件中只有 {m} 个。",
                f=folder,
                n=f"{parameters:,}",
                m=f"{stored_count:,}",
            ),
            text("The rest would be random.", "其余参数将是随机的。"),
            text("Use the config.json that belongs to the weights.", "请使用与权重对应的 config.json。"),
        )


def check_header(path: Path) -> None:
    """Refuse a safetensors file that names more tensors than any model has: each of them takes memory, also without a number in it.

    Raises:
        ModelError: Names the length of its header and the limit.
    """
    with open_regular(path) as file:
        length = int.from_bytes(file.read(8), "little")
    if MOST_HEADER < length < path.stat().st_size:  # longer ones are damaged, which their reader says
        raise ModelError(
            text(
                "{p}: its header has {n} bytes; the limit is {m}.",
                "{p}：文件头有 {n} 字节，上限为 {m}。",
                p=path,
                n=f"{length:,}",
                m=f"{MOST_HEADER:,}",
            ),
            text("The names of so many tensors would fill the memory.", "这么多张量的名称会占满内存。"),
            text("Ask whoever made it for a file of one model.", "请向提供者索取单个模型的文件。"),
        )


def _weights_in(folder: Path) -> list[Path]:
    """The safetensors files that the transformers library reads."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if index.is_file():
        return files_of_index(index)
    what = text("{f} holds no model.safetensors.", "{f} 中没有 model.safetensors。", f=folder)
    pickles = [
        path
        for ending in ("bin", "pt", "pth", "ckpt")
        for path in sorted(folder.glob(f"*.{ending}"))
        if not path.name.startswith(OF_A_TRAINER)
    ]
    if pickles:
        why = text("Of the transformers library weights are read from safetensors alone: {p} may run code.", "transformers 的权重只从 safetensors 读取：{p} 可能会运行代码。", p=pickles[0].name)  # fmt: skip
        raise ModelError(what, why, rewrite(pickles[0], folder / "model.safetensors"))
    for option, ending in OF_OTHERS.items():
        if others := sorted(folder.glob(f"*.{ending}")):
            raise ModelError(
                what,
                text("{p} is written by TensorFlow or Flax and is not read.", "{p} 由 TensorFlow 或 Flax 写出，无法读取。", p=others[0].name),
                text(
                    "Convert it with version 4 of the transformers library: AutoModel.from_pretrained(FOLDER, {o}=True).save_pretrained(FOLDER)",
                    "请用 transformers 第 4 版转换：AutoModel.from_pretrained(文件夹, {o}=True).save_pretrained(文件夹)",
                    o=option,
                ),
            )  # fmt: skip
    raise ModelError(
        what,
        do=text("Save it with model.save_pretrained(FOLDER).", "请用 model.save_pretrained(文件夹) 保存。"),
    )


def files_of_index(path: Path) -> list[Path]:
    """The files that an index names (`model.safetensors.index.json`), each once.

    Raises:
        ModelError: It names none, or some that do not lie beside it.
    """
    index = read_json(path)
    names = index.get("weight_map") if isinstance(index, dict) else None
    if (
        not isinstance(names, dict)
        or not names
        or not all(isinstance(n, str) and Path(n).name == n for n in names.values())
    ):
        raise unreadable(path, "it is no index of files that lie beside it")
    return [path.with_name(name) for name in dict.fromkeys(names.values())]


def _parameters_in(path: Path) -> int:
    """Numbers in a safetensors file, from its header."""
    from safetensors import safe_open

    check_header(path)
    with safe_open(path, "pt") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118


def _wants_code(address: str, named: Any) -> ModelError:
    classes = [str(value)[:100] for value in (named.values() if isinstance(named, dict) else [named])]
    return ModelError(
        text(
            "{a}: config.json names code of its own (auto_map: {c}).",
            "{a}：config.json 指定了自带的代码（auto_map：{c}）。",
            a=address,
            c=ascii(", ".join(classes[:2]))[1:-1],
        ),
        text(
            "Code of a repository is never run, and without it the same weights may compute something else.",
            "仓库中的代码绝不会运行，而没有这些代码，同样的权重可能计算出别的东西。",
        ),
        text(
            "Take a model that the transformers library has itself; or, of pictures and if you trust that code, build it in a function of yours: python:MODULE:FACTORY",
            "请使用 transformers 库自带的模型；或者（图片模型，且您信任该代码时）在自己的函数中构建它：python:模块:函数",
        ),
    )


def written_out(calls: Mapping[str, Sequence[str]], lengths: Mapping[str, int]) -> dict[str, int]:
    """How many operations each function of a stored graph has once all that it calls is written out; at most a million are counted.

    Args:
        calls: Function -> those that it calls, once for each time.
        lengths: Function -> its own operations.

    Raises:
        ValueError: Functions that call each other, whose text would never end; names one.
    """
    sizes: dict[str, int] = {}
    try:
        for name in TopologicalSorter(calls).static_order():
            sizes[name] = min(MOST_OPERATIONS + 1, lengths[name] + sum(sizes[one] for one in calls[name]))
    except CycleError as error:
        raise ValueError(f"the function {str(error.args[1][0])[:80]} calls itself") from None
    return sizes


def _too_much(address: str, name: str, value: float, limit: int) -> ModelError:
    return ModelError(
        text(
            "{a}: {n} is {v}; the limit is {m}.",
            "{a}：{n} 为 {v}，上限为 {m}。",
            a=address,
            n=name[:100],
            v=f"{value:,}" if abs(value) < 1e18 else f"{float(value):.2e}" if abs(value) < 1e300 else "> 1e300",
            m=f"{limit:,}",
        ),
        text("Building such a network would fill the memory or never end.", "构建这样的网络会占满内存或永不结束。"),
        text("Correct config.json, or take another model.", "请更正 config.json，或换用其他模型。"),
    )
