"""Weights from installed packages, renamed to the keys of the architecture they fit."""

from __future__ import annotations

import re

import torch
from torch import nn

from weigh.errors import ModelError, reason_of
from weigh.language import text
from weigh.models.catalogue import PackagedWeights, find_packaged
from weigh.models.pretrained import Provenance

__all__ = ["load_packaged"]


def load_packaged(address: str, module: nn.Module) -> Provenance | None:
    """Fill `module` from an installed package of the catalogue; None where there is none.

    Raises:
        ModelError: The package's file does not fit (another version than the catalogue knows).
    """
    entry = find_packaged(address)
    path = entry.locate() if entry else None
    if entry is None or path is None:
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    try:
        module.load_state_dict(_renamed(state, module, entry), strict=True)
    except (RuntimeError, KeyError, IndexError, StopIteration) as error:
        raise ModelError(
            text("The weights in {p} do not fit {a}.", "{p} 中的权重与 {a} 不匹配。", p=entry.package, a=address),
            text("{e}", "{e}", e=reason_of(error, 300)),
            text("Reinstall it: {i}", "请重新安装：{i}", i=entry.install),
        ) from None
    return Provenance("package", f"{entry.package} {entry.version()}", entry.licence, entry.note, (path,))


def _renamed(state: dict[str, torch.Tensor], module: nn.Module, entry: PackagedWeights) -> dict[str, torch.Tensor]:
    if entry.layout == "torchvision":
        return state
    if entry.layout == "torchvision-order":  # the same tensors in the same order under other names
        own = module.state_dict()
        if len(own) != len(state):
            raise KeyError(f"{len(state)} tensors for {len(own)}")
        return dict(zip(own, state.values(), strict=True))
    stages = [len(stage) for stage in module.blocks]  # type: ignore[arg-type]
    place = [(s, i) for s, n in enumerate(stages) for i in range(n)]
    outside = {"_conv_stem": "conv_stem", "_conv_head": "conv_head", "_fc": "classifier", "_bn0": "bn1", "_bn1": "bn2"}
    first = {"_depthwise_conv": "conv_dw", "_project_conv": "conv_pw", "_bn1": "bn1", "_bn2": "bn2"}
    later = {
        "_expand_conv": "conv_pw",
        "_depthwise_conv": "conv_dw",
        "_project_conv": "conv_pwl",
        "_bn0": "bn1",
        "_bn1": "bn2",
        "_bn2": "bn3",
    }
    renamed = {}
    for key, tensor in state.items():
        if match := re.fullmatch(r"_blocks\.(\d+)\.([^.]+)\.(.+)", key):
            stage, index = place[int(match[1])]
            renamed[f"blocks.{stage}.{index}.{(first if stage == 0 else later)[match[2]]}.{match[3]}"] = tensor
        else:
            name, _, rest = key.partition(".")
            renamed[f"{outside[name]}.{rest}"] = tensor
    return renamed
