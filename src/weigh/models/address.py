"""Model addresses: `timm:NAME`, `torchvision:NAME[/WEIGHTS]`, `hf:OWNER/NAME[@REVISION]`, `smp:DECODER/ENCODER`,
`file:PATH@timm:NAME`, `tf:PATH`, `tf:PATH@timm:NAME`, `onnx:PATH`, `python:MODULE:FACTORY`. Torch-free.

The address says which source is asked; a source is one file that registers itself in `pretrained.MODEL_SOURCES`, and
third parties add one through the entry point `model-source.NAME` of the group `weigh.plugins`. How the part after the colon is
read stands here, one line per source in `SPELLINGS`; addresses of plugins are read like those of torchvision.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

from weigh.errors import ModelError
from weigh.language import join_texts, text

__all__ = ["BUILT_IN", "Address", "OwnModel", "check_trust", "is_trusted", "parse_address"]

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
_PAGE = re.compile(
    r"https?://(?:www\.)?huggingface\.co/(?!datasets/|spaces/)([A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*)"
)  # of a model, on the hub
_ENDINGS = {  # of files that people name without a source -> the address that reads them
    ".keras": "keras:{f}", ".h5": "keras:{f}@NAME", ".onnx": "onnx:{f}", ".pb": "tf:{f}",
    **dict.fromkeys((".safetensors", ".index.json", ".pt", ".pth", ".ckpt", ".bin"), "file:{f}@timm:NAME"),
}  # fmt: skip
_APPLICATION = re.compile(  # of keras.applications; no other source writes them with these capitals
    r"Xception|VGG1[69]|ResNet(50|101|152)(V2)?|Inception(V3|ResNetV2)|MobileNet(V2|V3Small|V3Large)?|DenseNet(121|169|201)|NASNetLarge|"
    r"EfficientNet(B[0-7]|V2(B[0-3]|[SML]))|ConvNeXt(Tiny|Small|Base|Large|XLarge)"
)
_REVISION = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.\-/]{0,120}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,120}")


@cache
def source_names() -> tuple[str, ...]:
    """Known sources; those of plugins are read from their names, without importing them."""
    points = entry_points(group="weigh.plugins")
    plugged = [point.name.split(".", 1)[1] for point in points if point.name.startswith("model-source.")]
    return (*SPELLINGS, *plugged)


def _likely(name: str) -> str:
    """The address that a bare name most likely stands for: the ending of a file tells who reads it, models of texts stand on the hub, under their owners.
    An address of the web names its repository; another path is a folder.
    """
    if (page := _PAGE.match(name)) is not None:
        return f"hf:{page[1]}"
    if ":" in name[2:] or len(name) > 200:
        return "timm:resnet18"
    if (ending := next(filter(name.endswith, _ENDINGS), None)) is not None:
        return _ENDINGS[ending].format(f=name)
    if _APPLICATION.fullmatch(name):
        return f"keras:{name}"
    owner = next((owner for start, owner in OWNERS.items() if name.lower().startswith(start)), None)
    if owner is not None and _REPOSITORY.fullmatch(name):
        return f"hf:{name if '/' in name else f'{owner}/{name}'}"
    if "/" in name:  # a repository of the hub, or a folder
        return f"hf:{name}"
    return f"timm:{name}" if _NAME.fullmatch(name) else "timm:resnet18"


@dataclass(frozen=True)
class Address:
    """A parsed address.

    Attributes:
        written: As the user wrote it.
        source: "timm", "torchvision", "hf", "smp", "file", "tf", "onnx", "keras" or "python".
        name: Architecture, as its source knows it ("tf_efficientnet_lite0", "resnet18.a1_in1k"); for `hf:` a repository of the
            hub, or a folder ("./mine", "/models/mine").
        weights: Weights of torchvision ("IMAGENET1K_V2"), or None for the default ones; of `smp:` the encoder.
        path: File of a `file:`, `tf:`, `onnx:` or `keras:` address.
        revision: Of a repository of the hub: a branch, a tag or a commit; None: the newest.
        architecture: For `file:`, the address of the architecture; otherwise the address itself.
        options: Of `python:`, what follows the question mark: the name that reports show, and the preparation. Of `tf:`, `onnx:` and `keras:` what
            the user says of a file that does not say it itself (`STATED`).
        runs_code: Loading it runs code that is not of weigh or of a library that it depends on.
    """

    written: str
    source: str
    name: str
    weights: str | None = None
    path: str | None = None
    architecture: str = ""
    options: tuple[tuple[str, str], ...] = ()
    runs_code: bool = False
    revision: str | None = None

    @property
    def short(self) -> str:
        """For figures: "resnet18" of "timm:resnet18", "mine" of "file:/there/mine.safetensors@timm:resnet18"."""
        if self.path:
            return Path(self.path).stem
        return dict(self.options).get("name") or self.written.partition(":")[2].partition("?")[0]


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
        # what stands behind the name of a source that is none
        bare = rest if colon and len(source) > 1 and "://" not in written else written
        example = f"{near[0]}:{rest}" if colon and near else _likely(bare)
        forms = [form for spelling in SPELLINGS.values() for form in spelling.forms]
        raise ModelError(
            text("'{w}' is not a model address.", "“{w}”不是模型地址。", w=written[:200]),
            text(
                "An address says where a model comes from: {f}.",
                "地址说明模型的来源：{f}。",
                f=join_texts(forms, ", ", "、"),
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
    """OWNER/NAME of the hub, OWNER/NAME@REVISION, or a folder: what begins with a dot, a slash or a tilde, or is called as no repository is."""
    if rest.startswith((".", "/", "~")):
        return Address(written, "hf", rest, None, None, written)
    name, at, revision = rest.partition("@")
    if _REPOSITORY.fullmatch(name):
        if at and not _REVISION.fullmatch(revision):
            raise ModelError(
                text("'{w}': '{r}' is no revision.", "“{w}”：“{r}”不是版本。", w=written[:200], r=revision[:80]),
                do=text(
                    "After @ stands a branch, a tag or a commit: hf:{n}@main",
                    "@ 之后应为分支、标签或提交号：hf:{n}@main",
                    n=name,
                ),
            )
        return Address(written, "hf", name, None, None, written, revision=revision or None)
    if "/" in name and "://" not in name:  # no repository is called so, but a folder may be: "studies/reviews/model"
        return Address(written, "hf", f"./{rest}", None, None, written)
    return _name_and_weights(written, rest)


def _file(written: str, rest: str) -> Address:
    """PATH@ADDRESS of the architecture."""
    path, at, architecture = rest.rpartition("@")
    if path.rpartition("@")[2].startswith("hf:"):  # PATH@hf:NAME@REVISION
        path, _, name = path.rpartition("@")
        architecture = f"{name}@{architecture}"
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
    return Address(written, "file", inner.name, None, path, inner.written, runs_code=inner.runs_code)


def _factory(written: str, rest: str) -> Address:
    """MODULE:FACTORY, or MODULE:FACTORY?name=…&size=…"""
    place, mark, query = rest.partition("?")
    module, _, factory = place.partition(":")
    try:
        options = (
            tuple(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else (("", ""),) * bool(mark)
        )
    except ValueError:
        options = (("", query),)
    parts = (*module.split("."), *factory.split("."))
    if not all(part.isidentifier() for part in parts) or any(not name or not value for name, value in options):
        raise ModelError(
            text(
                "'{w}' does not name a function of a module.",
                "“{w}”没有指明模块中的函数。",
                w=written[:200],
            ),
            do=text(
                "Write python:MODULE:FUNCTION, for example python:my_models:build of a file my_models.py; what weigh.model returns in Python is such an address.",
                "请写成 python:模块:函数，例如文件 my_models.py 中的 python:my_models:build；Python 中 weigh.model 返回的就是这样的地址。",
            ),
        )
    return Address(written, "python", place, None, None, written, options, runs_code=True)


class OwnModel(str):
    """A `python:` address that was made from the function itself (`weigh.model`): who wrote that has imported its code."""


def is_trusted(addresses: Iterable[str]) -> bool:
    """Whether there are own models among them, and all were made by a caller that has imported their code."""
    own = [one for one in addresses if _runs_code(one)]
    return bool(own) and all(isinstance(one, OwnModel) for one in own)


def _runs_code(written: str) -> bool:
    try:
        return parse_address(written).runs_code
    except ModelError:  # said where addresses are checked
        return False


def check_trust(addresses: Iterable[str], *, trust_code: bool) -> None:
    """Raise an error for the first address whose loading would run code that nobody at this command trusts.

    Raises:
        ModelError: Says what would run, and how to allow it.
    """
    for written in addresses if not trust_code else ():
        if parse_address(written).runs_code:
            raise ModelError(
                text(
                    "{w} is a model of its own: loading it runs the code of its module.",
                    "{w} 是自定义模型：加载它会运行其模块中的代码。",
                    w=written[:200],
                ),
                text(
                    "Code can do anything on this machine. A study.yaml or a study folder may come from somebody else, so only whoever starts a "
                    "command can allow it, each time.",
                    "代码可以在本机上做任何事。study.yaml 或研究文件夹可能来自他人，因此只有启动命令的人才能允许，而且每次都要明确允许。",
                ),
                text(
                    "If you trust that code, add --trust-code to the command (in Python: trust_code=True).",
                    "如果您信任这些代码，请在命令中加上 --trust-code（Python 中：trust_code=True）。",
                ),
            )


STATED = ("values", "size", "input", "features", "head")


def _graph(written: str, rest: str) -> Address:
    """PATH of a stored graph, then any number of @WORD=VALUE; or @ADDRESS of the architecture whose weights it holds."""
    path, stated = _stated(written, rest)
    source = written.partition(":")[0]
    before, at, architecture = path.rpartition("@")
    if at and architecture.partition(":")[0] in SPELLINGS and ":" in architecture:
        inner = parse_address(architecture)
        said_before = re.search(rf"@({'|'.join(STATED)})=", before)
        if source != "tf" or inner.source != "timm" or stated or said_before:
            raise ModelError(
                text("'{w}' cannot be read.", "无法读取“{w}”。", w=written[:200]),
                text(
                    "Weights of a graph of TensorFlow can be put into an architecture of timm, and nothing else is said then.",
                    "TensorFlow 图的权重可以装入 timm 的架构，此时不再附加其他说明。",
                ),
                text("Write tf:{p}@timm:NAME", "请写成 tf:{p}@timm:名称", p=before.partition("@")[0] or "PATH.pb"),
            )
        return Address(written, source, inner.name, None, before, f"tf:@{inner.written}")
    if not path:
        raise ModelError(
            text("'{w}' names no file.", "“{w}”没有指定文件。", w=written[:200]),
            do=text("Write {f}", "请写成 {f}", f=SPELLINGS[source].forms[0]),
        )
    return Address(
        written, source, path.replace("\\", "/").rstrip("/").rpartition("/")[2], None, path, written, tuple(stated)
    )


def _stated(written: str, rest: str, words: tuple[str, ...] = STATED) -> tuple[str, list[tuple[str, str]]]:
    """What stands before any number of @WORD=VALUE, and these."""
    path, stated = rest, []
    while match := re.fullmatch(r"(.*)@(\w+)=([^@]+)", path):
        if match[2] not in words or match[2] in dict(stated):
            near = difflib.get_close_matches(match[2], words, n=1)
            raise ModelError(
                text("'{w}': @{k}= cannot be said here.", "“{w}”：此处不能使用 @{k}=。", w=written[:200], k=match[2]),
                text(
                    "Each of these may stand once: {s}.",
                    "以下各项最多出现一次：{s}。",
                    s=", ".join(f"@{k}=" for k in words),
                ),
                text("Did you mean @{n}={v}?", "您是想写 @{n}={v} 吗？", n=near[0] if near else words[0], v=match[3]),
            )
        path, stated = match[1], [(match[2], match[3]), *stated]
    return path, stated


def _keras(written: str, rest: str) -> Address:
    """NAME of keras.applications, PATH of a file, PATH of weights @NAME, or hub:PRESET; then any number of @WORD=VALUE."""
    before, stated = _stated(written, rest, ("values", "size"))
    path, at, name = before.rpartition("@")
    if not at and before.endswith(".h5"):
        raise ModelError(
            text("'{w}' does not say which architecture the weights are of.", "“{w}”没有说明权重对应的架构。", w=written[:200]),
            do=text("Write keras:{p}@NAME, for example keras:{p}@MobileNetV2", "请写成 keras:{p}@名称，例如 keras:{p}@MobileNetV2", p=before),
        )  # fmt: skip
    if at:
        return Address(written, "keras", _valid(name, written), None, path, written, tuple(stated))
    if before.endswith(".keras"):
        return Address(
            written, "keras", before.replace("\\", "/").rpartition("/")[2], None, before, written, tuple(stated)
        )
    if before.startswith("hub:"):
        return Address(written, "keras", before, None, None, written, tuple(stated))
    if "/" in before:
        raise ModelError(
            text("'{w}' is no .keras file.", "“{w}”不是 .keras 文件。", w=written[:200]), do=text("A folder that TensorFlow or Keras 2 saved: tf:{p}", "TensorFlow 或 Keras 2 保存的文件夹：tf:{p}", p=before),
        )  # fmt: skip
    return Address(written, "keras", _valid(before, written), None, None, written, tuple(stated))


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
    "hf": _Spelling(("hf:OWNER/NAME[@REVISION]",), _repository),
    "smp": _Spelling(("smp:DECODER/ENCODER",), _name_and_weights),
    "file": _Spelling(("file:PATH@timm:NAME",), _file),
    "tf": _Spelling(("tf:PATH", "tf:PATH.pb@timm:NAME"), _graph),
    "onnx": _Spelling(("onnx:PATH",), _graph),
    "keras": _Spelling(("keras:NAME", "keras:PATH.keras", "keras:PATH.weights.h5@NAME", "keras:hub:PRESET"), _keras),
    "words": _Spelling(("words:tfidf",), _name),
    "python": _Spelling(("python:MODULE:FACTORY",), _factory),
}
BUILT_IN = tuple(SPELLINGS)
