"""A file of weights, read without running any code: the sets of tensors in it, and the one that fits an architecture.

Safetensors, or a pickle of torch. Objects that lie beside the weights (settings, a trainer's state) are not built: an inert stand-in takes
their place. A call of a function is refused. Names of parameters carry the traces of how they were saved (`module.`, `_orig_mod.`, `model.`):
the prefix that makes the most of them fit is taken off. Before it: a path. After it: `file.py`, `torchvision.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from weigh.errors import ModelError, no_file
from weigh.files import read_json
from weigh.language import text
from weigh.models.inert_pickle import VALUES, LeftOut, needs_code, rewrite, unpickle, unreadable
from weigh.models.limits import check_header, files_of_index

__all__ = ["Fitted", "files_of_checkpoint", "fit", "read_checkpoint"]

INDEX = ".index.json"  # ending of a file that says which files beside it hold which tensors
State = dict[str, torch.Tensor]
WRAPPERS = re.compile(r"_orig_mod\.|_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.")  # of torch, at any depth
SECOND = re.compile(
    r"ema|teacher|averag|momentum|target|swa|shadow", re.IGNORECASE
)  # sets that stand beside the trained one
LONGEST_NAME = 500  # characters


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
        share: Of the architecture's numbers that come from the file.
        stored: What they are stored in where that is not single precision: "bfloat16".
        left_out: What of the file is not used, in words.
    """

    state: State
    headless: bool
    share: float
    stored: str
    left_out: tuple[str, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """The sets of weights in a file.

    Raises:
        ModelError: Not there, not a checkpoint, or one that cannot be read without running its code.
    """
    if path.name.endswith(INDEX):
        return _sharded(path)
    if not path.is_file():
        raise no_file(path, ModelError)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        check_header(path)
        try:
            content: Any = load_file(path)
        except Exception as error:  # SafetensorError, OSError, MemoryError of a false header
            raise unreadable(path, error) from None
        kinds, objects = (), {}
    else:
        content, kinds, objects = unpickle(path)
    if isinstance(content, LeftOut):
        raise needs_code(path, content.kind)
    sets = _sets(content, path)
    objects = {key: kind for key, kind in objects.items() if not kind.startswith(VALUES)}
    if not sets and objects:
        key = min(objects, key=lambda key: "model" not in key)
        raise needs_code(path, f"{objects[key]} ({key})")
    if not sets:
        raise ModelError(
            text(
                "{p} holds no weights: no dictionary of tensors by name.",
                "{p} 中没有权重：没有按名称存放的张量字典。",
                p=path,
            ),
            do=rewrite(path),
        )
    for name, tensor in (item for state in sets.values() for item in state.items()):
        if odd := _odd(tensor):
            raise unreadable(path, f"{name} is {odd}")
    return Checkpoint(sets, kinds)


def files_of_checkpoint(path: Path) -> list[Path]:
    """The file, and those that it names where it is an index."""
    return [path, *files_of_index(path)] if path.name.endswith(INDEX) else [path]


def _sharded(path: Path) -> Checkpoint:
    """The one set that an index of the transformers library describes: names of tensors, and which file beside it holds each."""
    state: State = {}
    for part in files_of_index(path):
        state |= read_checkpoint(part).plain
    names = read_json(path)["weight_map"]
    if absent := [name for name in names if name not in state]:
        raise unreadable(path, f"{absent[0][:100]} is in none of its files")
    return Checkpoint({"": {name: state[name] for name in names}})


def _odd(tensor: torch.Tensor) -> str:
    """Why these are no weights; "" where they are."""
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.is_quantized:
        return "quantised"
    if tensor.device.type != "cpu":
        return "without values"
    stored = tensor.untyped_storage().nbytes()
    return "larger than what is stored of it" if tensor.numel() * tensor.element_size() > stored else ""


def fit(
    checkpoint: Checkpoint, own: State, *, head: set[str], path: Path, architecture: str, beside: tuple[str, ...] = ()
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
        for where, state in checkpoint.sets.items()
        for named in [{WRAPPERS.sub("", name): tensor for name, tensor in state.items()}]
        for prefix, covered in _prefixes(named, own).most_common(8) or [("", 0)]
    ]
    best = max(candidates, key=lambda one: (one.covered, one.first))  # of equals the one that stands first in the file
    rivals = [one for one in candidates if (one.covered, one.first) == (best.covered, best.first)]
    if any(one is not best and not _equal(best.tensors(), one.tensors(), own) for one in rivals):
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
    counted = {
        name for name, tensor in own.items() if not tensor.is_floating_point()
    }  # numbers of batches, tables of positions
    missing = sorted(own.keys() - chosen.keys() - head - counted)
    owners = {name.rpartition(".")[0] + "." for name in head}
    unexpected = sorted(
        name
        for name in chosen.keys() - own.keys()
        if chosen[name].is_floating_point() and not name.startswith((*owners, *beside))
    )
    changed = {n for n in own.keys() & chosen.keys() if own[n].shape != chosen[n].shape}
    shapes = sorted(
        n for n in changed if n not in head and not (len(changed) <= 2 and own[n].shape[1:] == chosen[n].shape[1:])
    )
    fitting = {name: chosen[name] for name in own if name in chosen and name not in changed}
    share = sum(own[n].numel() for n in fitting if n not in counted)
    share /= max(1, sum(t.numel() for n, t in own.items() if n not in counted))
    if missing or unexpected or shapes:
        raise _does_not_fit(path, architecture, missing, unexpected, [(n, own[n], chosen[n]) for n in shapes], share)
    weights = {name: tensor for name, tensor in fitting.items() if name not in counted}
    _check_values(path, weights)
    stored = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in weights.values()).most_common(1)
    lost = {n for n in head if n not in chosen} | changed
    outside = [name for name in best.state if not name.startswith(best.prefix)]
    other_sets = [name for name in checkpoint.sets if name != best.where]
    unused = [*checkpoint.left_out, *other_sets, *_tops(outside, best.prefix), *(n for n in chosen if n not in own)]
    precision = "" if not stored or stored[0][0] == "float32" else stored[0][0]
    return Fitted({**own, **fitting}, bool(lost), share, precision, tuple(dict.fromkeys(unused)))


def _check_values(path: Path, weights: State) -> None:
    """Raises ModelError where weights are whole numbers that mean something only with their scales, or are no numbers at all."""
    for name, tensor in weights.items():
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(
                text("{p}: {n} is stored as {k}.", "{p}：{n} 以 {k} 存储。", p=path, n=name, k=kind),
                text("Quantised weights mean nothing without their scales.", "量化后的权重离开其缩放系数就没有意义。"),
                text("Save the weights as they were before that.", "请保存量化之前的权重。"),
            )
        if not bool(torch.isfinite(tensor.float()).all()):
            raise ModelError(
                text("{p}: {n} holds values that are not finite.", "{p}：{n} 中有非有限数值。", p=path, n=name),
                text("Everything that is computed with them is nan.", "用它们计算出的一切都是 nan。"),
                text("Take an earlier checkpoint: the training had diverged.", "请使用更早的检查点：训练已经发散。"),
            )


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
    names = own.keys() & a.keys() & b.keys()
    return all(a[name].shape == b[name].shape and torch.equal(a[name], b[name]) for name in names)


def _prefixes(state: State, own: State) -> Counter[str]:
    """How many of the architecture's names each prefix covers."""
    covered: Counter[str] = Counter()
    for name in state:
        at = 0
        while True:
            if name[at:] in own:
                covered[name[:at]] += 1
            at = name.find(".", at) + 1
            if not at:
                break
    return covered


def _tops(names: list[str], prefix: str) -> list[str]:
    """Names up to the first part in which they differ from the prefix."""
    parts = prefix.split(".")

    def top(name: str) -> str:
        split = name.split(".")
        common = next((i for i, (a, b) in enumerate(zip(split, parts, strict=False)) if a != b), 0)
        return ".".join(split[: common + 1])

    return list(dict.fromkeys(map(top, names)))


def _sets(
    content: Any, path: Path, where: str = "", depth: int = 0, seen: frozenset[int] | set[int] = frozenset()
) -> dict[str, State]:
    """Dictionaries of tensors, the outer ones first, at most three levels deep; each once, however often the file names it."""
    seen = seen or set()
    if not isinstance(content, dict) or depth > 2 or id(content) in seen:
        return {}
    seen.add(id(content))  # type: ignore[union-attr]
    named = {key: value for key, value in content.items() if isinstance(key, str)}
    tensors = {key: value for key, value in named.items() if isinstance(value, torch.Tensor)}
    for key, value in named.items():
        if isinstance(value, (torch.Tensor, dict)) and not (key.isprintable() and len(key) <= LONGEST_NAME):
            raise unreadable(path, "one of its names is too long or cannot be printed")
    if tensors and 2 * len(tensors) >= len(content):
        return {where: tensors}
    states: dict[str, State] = {}
    for key, inner in named.items():
        if "optimizer" not in key.lower():
            states |= _sets(inner, path, f"{where}.{key}".strip("."), depth + 1, seen)
    return states


# Errors --------------------------------------------------------------------------------------------------------------


def _does_not_fit(
    path: Path,
    architecture: str,
    missing: list[str],
    unexpected: list[str],
    shapes: list[tuple[str, torch.Tensor, torch.Tensor]],
    share: float,
) -> ModelError:
    first = ", ".join(f"{n} {tuple(a.shape)} ≠ {tuple(b.shape)}" for n, a, b in shapes[:2])
    return ModelError(
        text(
            "{p} does not fit {a}: {f} of its weights are in the file; {m} keys missing ({x}), {u} unexpected ({y}), {s} of another shape ({z}).",
            "{p} 与 {a} 不匹配：文件中只有其 {f} 的权重；缺少 {m} 个键（{x}），多出 {u} 个键（{y}），{s} 个形状不同（{z}）。",
            p=path, a=architecture, f=f"{share:.1%}", m=len(missing), x=", ".join(missing[:3]) or "–", u=len(unexpected), y=", ".join(unexpected[:3]) or "–",
            s=len(shapes), z=first or "–",
        ),
        text(
            "All weights but those of the head must be there: one layer of random ones in between spoils what the others compute.",
            "除分类头外，所有权重都必须齐全：中间只要有一层是随机的，其余各层的结果就被破坏。",
        ),
        text(
            "Name the architecture that the file was saved from: its keys begin with those above. `weigh models 'timm:*'` lists names.",
            "请指明保存该文件时所用的架构：其键名如上所示。`weigh models 'timm:*'` 可列出名称。",
        ),
    )  # fmt: skip
