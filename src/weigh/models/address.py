"""Model addresses: `timm:NAME`, `torchvision:NAME[/WEIGHTS]`, `hf:OWNER/NAME`, `smp:DECODER/ENCODER`,
`file:PATH@timm:NAME`. Torch-free.

The address says which source is asked; a source is one file that registers itself in `pretrained.MODEL_SOURCES`, and
third parties add one through the entry point `model-source.NAME` of the group `weigh.plugins`. How the part after the colon is
read stands here, one line per source in `SPELLINGS`; addresses of plugins are read like those of torchvision.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import NamedTuple

from weigh.errors import ModelError
from weigh.language import Text, text

__all__ = ["BUILT_IN", "Address", "parse_address", "source_names"]

_REPOSITORY = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.\-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9_.\-]{0,95}")
OWNERS = {  # beginnings of names that people write without their owner, and whose repository on the hub they mean
    "bert-": "google-bert",
    "distilbert": "distilbert",
    "distilroberta": "distilbert",
    "roberta-": "FacebookAI",
    "xlm-roberta": "FacebookAI",
    "albert-": "albert",
    "electra-": "google",
    "deberta-": "microsoft",
    "chinese-": "hfl",
    "e5-": "intfloat",
    "multilingual-e5": "intfloat",
    "bge-": "BAAI",
    "all-minilm": "sentence-transformers",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,120}")


@cache
def source_names() -> tuple[str, ...]:
    """Known sources; those of plugins are read from their names, without importing them."""
    points = entry_points(group="weigh.plugins")
    plugged = [point.name.split(".", 1)[1] for point in points if point.name.startswith("model-source.")]
    return (*SPELLINGS, *plugged)


def _likely(name: str) -> str:
    """The address that a bare name most likely stands for: models of texts stand on the hub, under their owners."""
    owner = next((owner for start, owner in OWNERS.items() if name.lower().startswith(start)), None)
    if owner is not None and _REPOSITORY.fullmatch(name):
        return f"hf:{name if '/' in name else f'{owner}/{name}'}"
    if "/" in name and _REPOSITORY.fullmatch(name):
        return f"hf:{name}"
    return f"timm:{name}" if _NAME.fullmatch(name) else "timm:resnet18"


@dataclass(frozen=True)
class Address:
    """A parsed address.

    Attributes:
        written: As the user wrote it.
        source: "timm", "torchvision", "hf", "smp" or "file".
        name: Architecture, as its source knows it ("tf_efficientnet_lite0", "resnet18.a1_in1k"); for `hf:` a repository of the
            hub, or a folder ("./mine", "/models/mine").
        weights: Weights of torchvision ("IMAGENET1K_V2"), or None for the default ones; of `smp:` the encoder.
        path: Checkpoint of a `file:` address.
        architecture: For `file:`, the address of the architecture; otherwise the address itself.
    """

    written: str
    source: str
    name: str
    weights: str | None = None
    path: str | None = None
    architecture: str = ""


class _Spelling(NamedTuple):
    """How the addresses of a source are written.

    Attributes:
        forms: For messages.
        read: `(written, rest) -> Address`, of the whole address and of what follows its first colon.
    """

    forms: tuple[str, ...]
    read: Callable[[str, str], Address]


def parse_address(written: str) -> Address:
    """Parse an address; nothing is looked up.

    Raises:
        ModelError: Not an address; says the nearest thing that is one.
    """
    written = written.strip()
    if not written.isprintable() or len(written) > 4096:
        raise ModelError(
            text("'{w}' is not a model address.", "“{w}”不是模型地址。", w=ascii(written[:80])[1:-1]),
            text("It is too long, or holds characters that cannot be printed.", "它过长，或含有无法显示的字符。"),
        )
    source, colon, rest = written.partition(":")
    sources = source_names()
    if not colon or source not in sources:
        near = difflib.get_close_matches(source, sources, n=1)
        example = f"{near[0]}:{rest}" if colon and near else _likely(written)
        forms = [form for spelling in SPELLINGS.values() for form in spelling.forms]
        raise ModelError(
            text("'{w}' is not a model address.", "“{w}”不是模型地址。", w=written[:200]),
            text(
                "An address says where a model comes from: {f}.",
                "地址说明模型的来源：{f}。",
                f=Text(", ".join(forms), "、".join(forms)),
            ),
            text("Did you mean {e}?", "您是想用 {e} 吗？", e=example),
        )
    return (SPELLINGS[source] if source in SPELLINGS else SPELLINGS["torchvision"]).read(written, rest)


def _name(written: str, rest: str) -> Address:
    """NAME."""
    return Address(written, written.partition(":")[0], _valid(rest, written), None, None, written)


def _name_and_weights(written: str, rest: str) -> Address:
    """NAME or NAME/WEIGHTS."""
    name, slash, weights = rest.partition("/")
    if slash:
        _valid(weights, written)
    return Address(written, written.partition(":")[0], _valid(name, written), weights or None, None, written)


def _repository(written: str, rest: str) -> Address:
    """OWNER/NAME of the hub, or a folder."""
    if _REPOSITORY.fullmatch(rest) or rest.startswith((".", "/", "~")):
        return Address(written, "hf", rest, None, None, written)
    return _name_and_weights(written, rest)


def _file(written: str, rest: str) -> Address:
    """PATH@ADDRESS of the architecture."""
    path, at, architecture = rest.rpartition("@")
    if not at or not path:
        raise ModelError(
            text(
                "'{w}' does not say which architecture the file holds.",
                "“{w}”没有说明文件对应的架构。",
                w=written[:200],
            ),
            do=text("Write file:{p}@timm:NAME", "请写成 file:{p}@timm:名称", p=rest or "PATH"),
        )
    inner = parse_address(architecture)
    if inner.source == "file":
        raise ModelError(
            text(
                "'{w}': a file cannot stand on another file.",
                "“{w}”：文件不能以另一个文件为架构。",
                w=written[:200],
            )
        )
    return Address(written, "file", inner.name, None, path, inner.written)


def _valid(name: str, written: str) -> str:
    """The name of an architecture or of weights.

    Raises:
        ModelError: It cannot be one.
    """
    if _NAME.fullmatch(name):
        return name
    raise ModelError(
        text("'{w}' has no valid model name.", "“{w}”中没有有效的模型名称。", w=written[:200]),
        do=text(
            "`weigh models '{s}:*'` lists the names.",
            "`weigh models '{s}:*'` 会列出名称。",
            s=written.partition(":")[0],
        ),
    )


SPELLINGS = {
    "timm": _Spelling(("timm:NAME",), _name),
    "torchvision": _Spelling(("torchvision:NAME[/WEIGHTS]",), _name_and_weights),
    "hf": _Spelling(("hf:OWNER/NAME",), _repository),
    "smp": _Spelling(("smp:DECODER/ENCODER",), _name_and_weights),
    "file": _Spelling(("file:PATH@timm:NAME",), _file),
}
BUILT_IN = tuple(SPELLINGS)
