"""Limits of what a stranger's configuration may ask for: checked before anything is built from it.

Ten million layers are a line of text, and so is a vocabulary of a billion words. Before it: config.json. After it: `huggingface.py`.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from weigh.errors import ModelError
from weigh.files import open_regular
from weigh.language import text

__all__ = ["check_header", "check_settings", "check_size"]

MOST_LAYERS = 1_000  # the deepest encoders have some hundred
MOST_NUMBER = 100_000_000  # of any other setting: words, positions, widths, a base of rotary embeddings
MOST_ITEMS = 1_000_000  # values in all
MOST_HEADER = (
    10_000_000  # bytes that name the tensors of a safetensors file; of the largest models some hundred thousand
)
MOST_PARAMETERS = 3_000_000_000  # of a network without a file of weights: 12 GB
LAYERS = re.compile(r"(^|_)(n_?)?(layers?|blocks?|depths?|groups|hidden_layers|memory|experts|stages)$")


def check_settings(address: str, settings: Any) -> None:
    """Refuse numbers that no model has.

    Raises:
        ModelError: Names the setting, its value and the limit.
    """
    if not isinstance(settings, dict):
        raise ModelError(text("{a}: config.json holds no settings.", "{a}：config.json 中没有设置。", a=address))
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
    """Refuse a network that has many more parameters than its file of weights, or that is too large to be drawn at random.

    Raises:
        ModelError: Names both numbers.
    """
    if not pretrained:
        if parameters > MOST_PARAMETERS:
            raise _too_much(folder.name or "config.json", "parameters", parameters, MOST_PARAMETERS)
        return
    held = _parameters_in(folder)
    if held and parameters > 2 * held + 10_000_000:  # a head, tied or absent parts may differ
        raise ModelError(
            text(
                "{f}: the configuration describes {n} parameters, the weights hold {m}.",
                "{f}：配置描述了 {n} 个参数，而权重文件中只有 {m} 个。",
                f=folder,
                n=f"{parameters:,}",
                m=f"{held:,}",
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


def _parameters_in(folder: Path) -> int:
    """Numbers in the safetensors files of a folder, from their headers."""
    from safetensors import safe_open

    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        check_header(path)
        with safe_open(path, "pt") as held:
            total += sum(math.prod(held.get_slice(name).get_shape()) for name in held.keys())  # noqa: SIM118
    return total


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
