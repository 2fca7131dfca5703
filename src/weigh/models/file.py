"""Local checkpoints on a named architecture: `file:PATH@timm:NAME`. Safetensors, or pickles read with weights only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.address import Address
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance, load_model

__all__ = ["load", "read_checkpoint"]


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`. The head may have another number of classes; everything else must fit."""
    path = Path(address.path or "").expanduser()
    base = load_model(address.architecture, pretrained=False, offline=offline)
    if pretrained:
        state = read_checkpoint(path)
        own = base.module.state_dict()
        head = {
            name
            for name in own
            if name in state and own[name].shape != state[name].shape and own[name].shape[1:] == state[name].shape[1:]
        }
        missing = sorted(own.keys() - state.keys())
        unexpected = sorted(state.keys() - own.keys())
        shapes = sorted(
            name for name in own.keys() & state.keys() if own[name].shape != state[name].shape and name not in head
        )
        if missing or unexpected or shapes or len(head) > 2:
            raise ModelError(
                text(
                    "{p} does not fit {a}: {m} keys missing ({x}), {u} unexpected ({y}), {s} of another shape.",
                    "{p} 与 {a} 不匹配：缺少 {m} 个键（{x}），多出 {u} 个键（{y}），{s} 个形状不同。",
                    p=path,
                    a=address.architecture,
                    m=len(missing),
                    x=", ".join(missing[:3]) or "–",
                    u=len(unexpected),
                    y=", ".join(unexpected[:3]) or "–",
                    s=len(shapes),
                ),
                text(
                    "A checkpoint that fits only in part would be a half random model.",
                    "只有部分匹配的检查点会得到一个一半随机的模型。",
                ),
                text("Name the architecture that the file was saved from.", "请指明保存该文件时所用的架构。"),
            )
        base.module.load_state_dict({name: own[name] if name in head else tensor for name, tensor in state.items()})
    provenance = Provenance("file", path.name, files=(path.resolve(),)) if pretrained else Provenance("random")
    return Pretrained(address, base.module, base.preprocessing, provenance, base.classes)


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """The state dict in a file; common wrappings ("state_dict", "model", "module.") are taken off.

    Raises:
        ModelError: Not there, not a checkpoint, or a pickle that would execute code.
    """
    if not path.is_file():
        raise ModelError(text("There is no file {p}.", "没有文件 {p}。", p=path))
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            text(
                "{p} cannot be read as weights: {e}",
                "无法把 {p} 作为权重读取：{e}",
                p=path,
                e=str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__,
            ),
            text(
                "weigh reads weights only: a pickle that would execute code is refused.",
                "weigh 只读取权重：会执行代码的 pickle 一律拒绝。",
            ),
            text(
                "Save the state dict: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')",
                "请保存状态字典：safetensors.torch.save_file(model.state_dict(), 'model.safetensors')",
            ),
        ) from None
    for wrapping in ("state_dict", "model", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(wrapping), dict):
            state = state[wrapping]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()) or not state:
        raise ModelError(text("{p} holds no state dict.", "{p} 中没有状态字典。", p=path))
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


MODEL_SOURCES.register("file", ModelSource(load, lambda _pattern: []))
