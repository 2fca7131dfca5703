"""A pickle of torch, read without its code: tensors and plain values. Objects that lie beside the weights are not built, an inert stand-in
takes their place; a call of a function is refused, and so is a file that would unpack to more than it can hold.

Before it: a path. After it: `checkpoint.py`.
"""

from __future__ import annotations

import json
import pickletools
import re
import shlex
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from weigh.errors import ModelError, reason_of
from weigh.files import open_regular
from weigh.language import Text, text

__all__ = ["VALUES", "LeftOut", "needs_code", "rewrite", "unpickle", "unreadable"]

warnings.filterwarnings("ignore", message="Detected pickle protocol")  # what cannot be read is said by us

# Their constructors are called in pickles of plain values; the stand-in is inert all the same.
VALUES = (
    "numpy",
    "pathlib",
    "datetime",
    "collections",
    "argparse",
    "decimal",
    "fractions",
    "uuid",
    "copyreg",
    "omegaconf",
    "types",
)
CHUNK = 1 << 20
MOST_KINDS = 60  # of objects beside the weights


FREE = 64_000_000  # bytes to which any zipped file may unpack: torch itself packs nothing
UNPICKLER = re.compile(r"WeightsUnpickler error:\s*(.*)")


class _Call(Exception):
    """The pickle calls a function."""


class LeftOut(OrderedDict):
    """Stands for an object that is not built. (What the unpickler fills is a plain OrderedDict; see `_stand_in`.)"""

    kind = ""


class _StandIn(type):
    """Classes and functions that a pickle names, without what they do."""

    def __call__(cls, *_args: Any, **_options: Any) -> Any:
        if not cls.kind.startswith(VALUES):  # type: ignore[attr-defined]
            raise _Call(cls.kind)  # type: ignore[attr-defined]
        return cls.__new__(cls)


def _stand_in(kind: str, made: dict[int, tuple[str, Any]]) -> type:
    """A class whose objects are empty: a dictionary, since the unpickler fills nothing else; for numpy's, one that ignores its state."""

    def new(cls: type, *_args: Any) -> Any:
        empty: Any = object.__new__(cls) if kind.startswith("numpy") else OrderedDict()
        made[id(empty)] = (kind, empty)
        return empty

    return _StandIn(
        kind.replace(".", "_"), (), {"kind": kind, "__new__": new, "__setstate__": lambda _self, _state: None}
    )


class Unpickled(NamedTuple):
    """What a file holds.

    Attributes:
        content: Tensors and plain values.
        kinds: Of the objects that were left out of it.
        objects: Those of them that its dictionary holds itself: key -> kind.
    """

    content: Any
    kinds: tuple[str, ...]
    objects: dict[str, str]


def unpickle(path: Path) -> Unpickled:
    """What the file holds, and what was left out of it.

    Raises:
        ModelError: Code would have to be run, more would be unpacked than the file can hold, or it is no such file.
    """
    _check_packed(path)
    kinds = _kinds_in(path)
    while True:
        made: dict[int, tuple[str, Any]] = {}
        stand_ins = [(_stand_in(kind, made), kind) for kind in sorted(kinds)]
        try:
            with open_regular(path) as file, torch.serialization.safe_globals(stand_ins):  # type: ignore[arg-type]
                content = torch.load(file, map_location="cpu", weights_only=True)
        except _Call as call:
            raise needs_code(path, str(call)) from None
        except ModelError:
            raise
        except Exception as error:  # UnpicklingError, or almost anything of a damaged file
            named = re.search(r"GLOBAL (\S+) (was not|whose module)", str(error))
            if named and named[2] == "was not" and named[1] not in kinds and len(kinds) < MOST_KINDS:
                kinds |= {named[1], f"builtins.{named[1]}"} if "." not in named[1] else {named[1]}
                continue
            refused = named[1] if named else _first_name(path) if "operand" in str(error) else ""
            raise (needs_code(path, refused) if refused else unreadable(path, error)) from None
        if id(content) in made:
            kind = made[id(content)][0]
            content = LeftOut()
            content.kind = kind
        named = content.items() if isinstance(content, dict) else ()
        objects = {str(key): made[id(value)][0] for key, value in named if id(value) in made}
        return Unpickled(content, tuple(sorted(kinds & {kind for kind, _ in made.values()})), objects)


def _check_packed(path: Path) -> None:
    """Refuse a zip that unpacks to much more than its own size, and the archives of torch before 0.2."""
    try:
        entries = zipfile.ZipFile(path).infolist() if zipfile.is_zipfile(path) else []
    except Exception as error:  # a damaged directory
        raise unreadable(path, error) from None
    size, unpacked = path.stat().st_size, sum(entry.file_size for entry in entries)
    if unpacked > FREE + 2 * size:
        raise ModelError(
            text(
                "{p} would unpack to {n} MB; it has {m} MB itself.",
                "{p} 解压后有 {n} MB，而文件本身只有 {m} MB。",
                p=path,
                n=f"{unpacked / 1e6:,.0f}",
                m=f"{size / 1e6:,.1f}",
            ),
            text(
                "torch packs nothing: such a file is made to fill the memory.",
                "torch 不压缩内容：这样的文件是为了占满内存而制作的。",
            ),
            text("Ask whoever made it for safetensors.", "请向提供者索取 safetensors 文件。"),
        )
    if not entries and tarfile.is_tarfile(path):
        raise needs_code(path, "the .tar format of torch 0.1")


def _first_name(path: Path) -> str:
    """What a pickle that torch did not write names first; "" where it is none."""
    strings: list[str] = []
    try:
        with open_regular(path) as file:
            for operation, value, _ in pickletools.genops(file.read(CHUNK)):
                if operation.name in ("GLOBAL", "INST"):
                    return str(value).replace(" ", ".")
                if operation.name == "STACK_GLOBAL":
                    return ".".join(strings[-2:])
                if isinstance(value, str):
                    strings.append(value)
    except Exception:  # no pickle, or the end of what was looked at
        pass
    return ""


def _kinds_in(path: Path) -> set[str]:
    """What a zipped pickle names that torch does not build by itself; of older files it is learnt one by one."""
    try:
        if zipfile.is_zipfile(path):
            return set(torch.serialization.get_unsafe_globals_in_checkpoint(str(path))[:MOST_KINDS])
    except Exception:  # the reading itself will say what is wrong
        pass
    return set()


def rewrite(path: Path, target: Path | None = None) -> Text:
    """The line that writes the weights alone, for whoever trusts the file."""
    target = target or path.with_suffix(".safetensors")
    if target.exists():
        target = path.with_name(f"{path.stem}-weights.safetensors")
    code = (  # double quotes inside, so that a shell's single ones around it need no escapes
        'import torch, safetensors.torch as s; first = lambda k: k not in ("state_dict", "model"); '
        'w = lambda m: m.state_dict() if hasattr(m, "state_dict") else {} if not isinstance(m, dict) else m if any(map(torch.is_tensor, m.values())) '
        'else next(filter(None, (w(m[k]) for k in sorted(m, key=first) if "optim" not in str(k))), {}); '
        f'm = torch.load({json.dumps(str(path))}, map_location="cpu", weights_only=False); '
        f's.save_file({{k: v.clone().contiguous() for k, v in w(m).items() if torch.is_tensor(v)}}, {json.dumps(str(target))}, metadata={{"format": "pt"}})'
    )
    return text(
        "If you trust the file, write its weights alone, where its code is installed: {l}",
        "如果您信任此文件，请在装有其代码的环境中单独写出权重：{l}",
        l=f"python -c {shlex.quote(code)}",
    )


def needs_code(path: Path, kind: str) -> ModelError:
    """The error that names what would have been called."""
    return ModelError(
        text(
            "{p} cannot be read without running its code: it needs {k}.",
            "不运行其代码就无法读取 {p}：它需要 {k}。",
            p=path,
            k=kind,
        ),
        text(
            "weigh reads weights only: a pickle that would execute code is refused.",
            "weigh 只读取权重：会执行代码的 pickle 一律拒绝。",
        ),
        rewrite(path),
    )


def unreadable(path: Path, error: Exception | str) -> ModelError:
    """The error of a file that holds no weights, or damaged ones."""
    inner = UNPICKLER.search(str(error))
    reason = (
        inner[1]
        if inner
        else reason_of(error if isinstance(error, Exception) else ValueError(error), 1000).split("weights_only")[0]
    )[:150].strip() or type(error).__name__
    return ModelError(
        text("{p} cannot be read as weights: {e}", "无法把 {p} 作为权重读取：{e}", p=path, e=reason),
        text("It is damaged, or no file of safetensors or torch.", "文件已损坏，或不是 safetensors 或 torch 文件。"),
        text(
            "Save the state dict: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')",
            "请保存状态字典：safetensors.torch.save_file(model.state_dict(), 'model.safetensors')",
        ),
    )
