"""What a network computes besides its weights, as a hash: types and settings of its layers."""

from __future__ import annotations

import hashlib
from typing import Any

from torch import nn

__all__ = ["design_digest"]


def design_digest(module: nn.Module) -> str:
    """Hash over types and settings of all layers: two networks with the same weights may still compute different things (`quickgelu`)."""
    digest = hashlib.blake2b(digest_size=16)
    for name, layer in module.named_modules():
        settings = {key: _plain(value) for key, value in vars(layer).items() if key[0] != "_" and key != "training"}
        kinds = [(weight, str(tensor.dtype)) for weight, tensor in layer.named_parameters(recurse=False)]
        digest.update(f"{name} {type(layer).__qualname__} {sorted(settings.items())} {kinds}\n".encode())
    return digest.hexdigest()


def _plain(value: Any) -> str:
    """A setting of a layer as text that is the same in every process."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_plain, value))})"
    if isinstance(value, dict):
        return _plain(sorted((str(key), _plain(inner)) for key, inner in value.items()))
    if hasattr(value, "to_json_string"):  # a configuration of transformers
        return value.to_json_string()
    return getattr(value, "__qualname__", type(value).__qualname__)  # a function by its name
