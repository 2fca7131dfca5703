"""A file of weights, read without running any code: the sets of tensors in it, and the one that fits an architecture.

Safetensors, or a pickle of torch. Objects that lie beside the weights (settings, a trainer's state) are not built: an inert stand-in takes
their place. A call of a function is refused. Names of parameters carry the traces of how they were saved (`module.`, `_orig_mod.`, `model.`):
the prefix that makes the most of them fit is taken off. Before it: a path. After it: `file.py`, `torchvision.py`.
"""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from weigh.errors import ModelError, reason_of
from weigh.files import open_regular
from weigh.language import Text, text

__all__ = ["Checkpoint", "Fitted", "fit", "read_checkpoint"]

warnings.filterwarnings("ignore", message="Detected pickle protocol")  # what cannot be read is said by us

State = dict[str, torch.Tensor]
WRAPPERS = re.compile(r"_orig_mod\.|_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.")  # of torch, at any depth
SECOND = re.compile(
    r"ema|teacher|averag|momentum|target|swa|shadow", re.IGNORECASE
)  # sets that stand beside the trained one
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


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        sets: Tensors by name, by where they lie in the file ("" for the file itself, "state_dict", "model.ema").
        left_out: Kinds of objects beside them that were not built ("argparse.Namespace").
    """

    sets: dict[str, State]
    left_out: tuple[str, ...] = ()

    @property
    def plain(self) -> State:
        """The first set: the only one of a file that holds nothing but weights."""
        return next(iter(self.sets.values()))


@dataclass(frozen=True)
class Fitted:
    """Tensors under the names of the architecture.

    Attributes:
        state: All of them; those of the head that do not fit keep the architecture's own.
        headless: The head is not the file's.
        left_out: What of the file is not used, in words.
    """

    state: State
    headless: bool
    left_out: tuple[str, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """The sets of weights in a file.

    Raises:
        ModelError: Not there, not a checkpoint, or one that cannot be read without running its code.
    """
    if not path.is_file():
        raise ModelError(text("There is no file {p}.", "没有文件 {p}。", p=path))
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            held: Any = load_file(path)
        except Exception as error:  # SafetensorError, OSError, MemoryError of a false header
            raise _unreadable(path, error) from None
        names: tuple[str, ...] = ()
    else:
        held, names = _unpickle(path)
    if isinstance(held, _LeftOut):
        raise _needs_code(path, held.kind)
    sets = _sets(held)
    if not sets:
        raise ModelError(
            text(
                "{p} holds no weights: no dictionary of tensors by name.",
                "{p} 中没有权重：没有按名称存放的张量字典。",
                p=path,
            ),
            do=_rewrite(path),
        )
    return Checkpoint(sets, names)


def fit(
    held: Checkpoint, own: State, *, head: set[str], path: Path, architecture: str, beside: tuple[str, ...] = ()
) -> Fitted:
    """The tensors that the architecture needs, from the set and under the prefix that cover most of it.

    Args:
        own: The architecture's state.
        head: Names of the parameters of its head: they may be absent, or of another number of classes.
        beside: Beginnings of names of what the architecture leaves away.

    Raises:
        ModelError: Tensors are missing, too many or of another shape; two sets fit equally well.
    """
    candidates = [
        _Candidate(covered, not SECOND.search(f"{where}.{prefix}"), where, prefix, named)
        for where, state in held.sets.items()
        for named in [{WRAPPERS.sub("", name): tensor for name, tensor in state.items()}]
        for prefix, covered in _prefixes(named, own).most_common(8) or [("", 0)]
    ]
    best = max(candidates, key=lambda one: (one.covered, one.first))  # of equals the one that stands first in the file
    rivals = [one for one in candidates if (one.covered, one.first) == (best.covered, best.first)]
    if any(not _equal(best.tensors(), one.tensors(), own) for one in rivals):
        raise ModelError(
            text(
                "{p} holds several sets of weights that fit {a}: {r}.",
                "{p} 中有多组权重都符合 {a}：{r}。",
                p=path,
                a=architecture,
                r=", ".join(f"{one.where}.{one.prefix}".strip(".") or "–" for one in rivals),
            ),
            do=text("Save the one that is meant in a file of its own.", "请把所需的那一组单独保存为一个文件。"),
        )
    chosen = best.tensors()
    missing = sorted(n for n in own.keys() - chosen.keys() if n not in head and not n.endswith("num_batches_tracked"))
    owners = {name.rpartition(".")[0] + "." for name in head}
    unexpected = sorted(n for n in chosen.keys() - own.keys() if not n.startswith((*owners, *beside)))
    changed = {n for n in own.keys() & chosen.keys() if own[n].shape != chosen[n].shape}
    shapes = sorted(
        n for n in changed if n not in head and not (len(changed) <= 2 and own[n].shape[1:] == chosen[n].shape[1:])
    )
    if missing or unexpected or shapes:
        raise _does_not_fit(path, architecture, missing, unexpected, [(n, own[n], chosen[n]) for n in shapes])
    lost = {n for n in head if n not in chosen} | changed
    outside = [name for name in best.state if not name.startswith(best.prefix)]
    other_sets = [name for name in held.sets if name != best.where]
    unused = [*held.left_out, *other_sets, *_tops(outside), *(n for n in chosen if n not in own)]
    fitted = {name: chosen[name] if name in chosen and name not in changed else own[name] for name in own}
    return Fitted(fitted, bool(lost), tuple(dict.fromkeys(unused)))


class _Candidate(NamedTuple):
    """One set of a file read under one prefix; `first`: not an average, a teacher or the like."""

    covered: int
    first: bool
    where: str
    prefix: str
    state: State

    def tensors(self) -> State:
        return {n.removeprefix(self.prefix): tensor for n, tensor in self.state.items() if n.startswith(self.prefix)}


def _equal(a: State, b: State, own: State) -> bool:
    return all(
        a[name].shape == b[name].shape and torch.equal(a[name], b[name]) for name in own.keys() & a.keys() & b.keys()
    )


def _prefixes(state: State, own: State) -> Counter[str]:
    """How many of the architecture's names each prefix covers."""
    found: Counter[str] = Counter()
    for name in state:
        at = 0
        while True:
            if name[at:] in own:
                found[name[:at]] += 1
            at = name.find(".", at) + 1
            if not at:
                break
    return found


def _tops(names: list[str]) -> list[str]:
    """Names by their first part."""
    return list(dict.fromkeys(name.partition(".")[0] for name in names))


def _sets(held: Any, where: str = "", depth: int = 0) -> dict[str, State]:
    """Dictionaries of tensors, the outer ones first, at most three levels deep."""
    if not isinstance(held, dict) or depth > 2:
        return {}
    tensors = {str(k): v for k, v in held.items() if isinstance(v, torch.Tensor)}
    if tensors and 2 * len(tensors) >= len(held):
        return {where: tensors}
    found: dict[str, State] = {}
    for key, inner in held.items():
        if "optimizer" not in str(key).lower():
            found |= _sets(inner, f"{where}.{key}".strip("."), depth + 1)
    return found


# Pickles without their code ---------------------------------------------------------------------------------------------


class _Call(Exception):
    """The pickle calls a function."""


class _LeftOut(OrderedDict):
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


def _unpickle(path: Path) -> tuple[Any, tuple[str, ...]]:
    """What the file holds, and the kinds of objects that were left out of it."""
    kinds = _kinds_in(path)
    while True:
        made: dict[int, tuple[str, Any]] = {}
        stand_ins = [(_stand_in(kind, made), kind) for kind in sorted(kinds)]
        try:
            with open_regular(path) as file, torch.serialization.safe_globals(stand_ins):  # type: ignore[arg-type]
                held = torch.load(file, map_location="cpu", weights_only=True)
        except _Call as call:
            raise _needs_code(path, str(call)) from None
        except ModelError:
            raise
        except Exception as error:  # UnpicklingError, or almost anything of a damaged file
            named = re.search(r"GLOBAL (\S+) (was not|whose module)", str(error))
            if named and named[2] == "was not" and named[1] not in kinds and len(kinds) < MOST_KINDS:
                kinds |= {named[1], f"builtins.{named[1]}"} if "." not in named[1] else {named[1]}
                continue
            refused = named[1] if named else _first_name(path) if "operand" in str(error) else ""
            raise (_needs_code(path, refused) if refused else _unreadable(path, error)) from None
        if id(held) in made:
            kind = made[id(held)][0]
            held = _LeftOut()
            held.kind = kind
        return held, tuple(sorted(kind for kind in kinds if any(kind == one for one, _ in made.values())))


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


# Errors -----------------------------------------------------------------------------------------------------------------


def _rewrite(path: Path) -> Text:
    line = (
        f"python -c \"import torch, safetensors.torch as s; m = torch.load({str(path)!r}, map_location='cpu', weights_only=False); "
        "m = m.get('state_dict', m.get('model', m)) if isinstance(m, dict) else m; m = m if isinstance(m, dict) else m.state_dict(); "
        f's.save_file({{k: v.clone() for k, v in m.items() if isinstance(v, torch.Tensor)}}, {str(path.with_suffix(".safetensors"))!r})"'
    )
    return text(
        "If you trust the file, write its weights alone, where its code is installed: {l}",
        "如果您信任此文件，请在装有其代码的环境中单独写出权重：{l}",
        l=line,
    )


def _needs_code(path: Path, kind: str) -> ModelError:
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
        _rewrite(path),
    )


def _unreadable(path: Path, error: Exception) -> ModelError:
    reason = reason_of(error, 1000).split("weights_only")[0][:150].strip() or type(error).__name__
    return ModelError(
        text("{p} cannot be read as weights: {e}", "无法把 {p} 作为权重读取：{e}", p=path, e=reason),
        text("It is damaged, or no file of safetensors or torch.", "文件已损坏，或不是 safetensors 或 torch 文件。"),
        text(
            "Save the state dict: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')",
            "请保存状态字典：safetensors.torch.save_file(model.state_dict(), 'model.safetensors')",
        ),
    )


def _does_not_fit(
    path: Path,
    architecture: str,
    missing: list[str],
    unexpected: list[str],
    shapes: list[tuple[str, torch.Tensor, torch.Tensor]],
) -> ModelError:
    first = ", ".join(f"{n} {tuple(a.shape)} ≠ {tuple(b.shape)}" for n, a, b in shapes[:2])
    return ModelError(
        text(
            "{p} does not fit {a}: {m} keys missing ({x}), {u} unexpected ({y}), {s} of another shape ({z}).",
            "{p} 与 {a} 不匹配：缺少 {m} 个键（{x}），多出 {u} 个键（{y}），{s} 个形状不同（{z}）。",
            p=path, a=architecture, m=len(missing), x=", ".join(missing[:3]) or "–", u=len(unexpected), y=", ".join(unexpected[:3]) or "–",
            s=len(shapes), z=first or "–",
        ),
        text("A checkpoint that fits only in part would be a half random model.", "只有部分匹配的检查点会得到一个一半随机的模型。"),
        text(
            "Name the architecture that the file was saved from: its keys begin with those above. `weigh models 'timm:*'` lists names.",
            "请指明保存该文件时所用的架构：其键名如上所示。`weigh models 'timm:*'` 可列出名称。",
        ),
    )  # fmt: skip
