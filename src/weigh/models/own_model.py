"""A user's own model: `python:MODULE:FACTORY`. What it offers is found by trying it with pictures of noise.

The factory is called where somebody trusts its code (`address.check_trust`). Before it: `own_code.py`. After it: what any other source gives.
"""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from functools import cache
from typing import Any

import torch
from torch import nn

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.address import Address
from weigh.models.anatomy import TORCH
from weigh.models.maps import find_maps
from weigh.models.own_code import Code, find_code, running
from weigh.models.own_ports import Tried, features_by, nature_of, say_once, try_ports
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.models.transforms import checked

__all__ = ["load"]

USUAL = Preprocessing(224, 256, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
DRAWN = 0.5  # a model of whose body more is drawn at random is not pretrained


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`. The factory decides by itself what it reads, also where no network may be asked.

    Raises:
        ModelError: Nothing that can be used as a model of pictures; or weights that are drawn at random where pretrained ones are wanted.
    """
    del offline
    preprocessing = preprocessing_of(address)
    with torch.random.fork_rng(devices=[]):  # what the factory draws must not depend on what was imported before
        code = find_code(address.name)
        tried = _try(address, code.digest, pretrained=pretrained)
    chance = tried.drawn > DRAWN
    if pretrained and chance:
        raise _not_pretrained(address, tried.drawn)
    module = _make(address, code, pretrained=pretrained)
    module = copy.deepcopy(module) if tried.shared else module
    note = ""
    if pretrained:
        _tell_usual(address, preprocessing)
    if pretrained and tried.drawn:
        share = f"{tried.drawn:.1%}"
        say_once(text("{a}: {s} of the weights of its body are drawn at random.", "{a}：其主干中 {s} 的权重是随机生成的。", a=address.written, s=share))  # fmt: skip
        note = f"{share} of the weights of its body are drawn at random"
    provenance = Provenance("random" if chance else "file", code.files[0].name, note=note, files=code.files)
    anatomy = replace(
        TORCH,
        features=None if "features" in tried.lacking else features_by(tried.way, tried.head, tried.width),
        layers=None if "maps" in tried.lacking else TORCH.layers,
        maps=None if "maps" in tried.lacking else find_maps,
        trainable="network" not in tried.lacking,
        head=lambda module: {n for n in module.state_dict() if tried.head and n.rpartition(".")[0] == tried.head},
        lacking=tried.lacking,
    )
    classes = tried.width if tried.head else 0
    return Pretrained(address, module, preprocessing, provenance, classes, {"code": code.digest}, anatomy)


def preprocessing_of(address: Address) -> Preprocessing:
    """The preparation in its options; what they do not say is as usual for ImageNet.

    Raises:
        ModelError: An option that is none, or a value that cannot be.
    """
    kinds = {field.name: str(field.type) for field in fields(Preprocessing)}
    values: dict[str, Any] = {}
    for name, written in address.options:
        if name == "name":
            continue
        try:
            values[name] = _value(kinds[name], written)
        except (KeyError, ValueError):
            known = ", ".join(["name", *kinds])
            raise ModelError(
                text("{a}: {n}={v} cannot be read.", "{a}：无法理解 {n}={v}。", a=address.written, n=name, v=written),
                do=text(
                    "Options are: {k}; for example size=96&mean=0.5:0.5:0.5",
                    "可用选项：{k}；例如 size=96&mean=0.5:0.5:0.5",
                    k=known,
                ),
            ) from None
    if "size" in values:
        values = {"resize": round(values["size"] * USUAL.resize / USUAL.size), **values}
    return checked(replace(USUAL, **values))


def _tell_usual(address: Address, preprocessing: Preprocessing) -> None:
    """Say what of its preparation nobody said."""
    options = dict(address.options)
    usual = {
        "size": f"{preprocessing.size} px",
        "mean": f"mean {preprocessing.mean}",
        "std": f"std {preprocessing.std}",
    }
    if unsaid := [shown for name, shown in usual.items() if name not in options]:
        say_once(
            text(
                "{a}: how its pictures are prepared was not said; as usual for ImageNet: {u}. weigh.model(…, preprocess=…) says otherwise.",
                "{a}：没有说明图片的预处理方式，采用 ImageNet 的常用设置：{u}。可用 weigh.model(…, preprocess=…) 另行指定。",
                a=address.written,
                u=", ".join(unsaid),
            )
        )


def _value(kind: str, written: str) -> Any:
    if kind.startswith("tuple"):
        return tuple(float(part) for part in written.split(":"))
    if kind == "bool":
        return {"1": True, "0": False, "true": True, "false": False}[written.lower()]
    return {"int": int, "float": float}.get(kind, str)(written)


def _not_pretrained(address: Address, share: float) -> ModelError:
    return ModelError(
        text(
            "{a}: {s} of the weights of its body are drawn at random each time that its factory is called.",
            "{a}：每次调用工厂函数时，其主干中 {s} 的权重都是随机生成的。",
            a=address.written,
            s=f"{share:.0%}",
        ),
        text(
            "Nothing was learnt in them: the results would be those of noise under the name of a pretrained model.",
            "这些权重没有学到任何东西：结果只是噪声，却挂着预训练模型的名字。",
        ),
        text(
            "Load its weights in the factory, or give a checkpoint: file:PATH@{a}. To train it from random weights: recipe scratch.",
            "请在工厂函数中加载权重，或给出检查点：file:路径@{a}。若要从随机权重开始训练，请用方案 scratch。",
            a=address.written,
        ),
    )


def _make(address: Address, code: Code, *, pretrained: bool) -> nn.Module:
    """What the factory returns, as a network on the processor in single precision that can be trained."""
    with running(address.name, text("was called", "被调用")):
        module = code.make(pretrained=pretrained)
        while isinstance(module, nn.Module) and type(module).__name__ in ("OptimizedModule", "DataParallel"):
            module = module._orig_mod if hasattr(module, "_orig_mod") else module.module
        if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
            kind = f"{type(module).__module__}.{type(module).__qualname__}".removeprefix("builtins.")
            raise ModelError(
                text(
                    "{a} returned {k}, not a torch.nn.Module.",
                    "{a} 返回了 {k}，而不是 torch.nn.Module。",
                    a=address.name,
                    k=kind,
                ),
                text(
                    "A head has to be put on it, which a compiled or foreign object does not allow.",
                    "需要在其上接新的头，而编译过的或其他类型的对象不允许这样做。",
                ),
                text(
                    "Return the module itself, without torch.jit or a wrapper.",
                    "请直接返回模块本身，不要用 torch.jit 或其他包装。",
                ),
            )
        module = module.cpu().float().eval()
        if any(isinstance(p, nn.UninitializedParameter) for p in module.parameters()):  # lazy layers
            with torch.no_grad():
                module(preprocessing_of(address).blank(1))
        for parameter in module.parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_(True)
    return module


@cache
def _try(address: Address, _digest: str, *, pretrained: bool) -> Tried:
    """Call the factory twice, at other seeds, and look at what it gives. Once for each state of its files in a process."""
    code = find_code(address.name)
    (noise,) = preprocessing_of(address).plain(apart=False).examples.values()
    torch.default_generator.manual_seed(0)
    first = _make(address, code, pretrained=pretrained)
    torch.default_generator.manual_seed(1)
    other = _make(address, code, pretrained=pretrained)
    return try_ports(first, noise, address.name, nature_of(first.state_dict(), other.state_dict()))


MODEL_SOURCES.register("python", ModelSource(load, lambda _pattern: []))
