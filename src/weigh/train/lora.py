"""Low-rank adapters (`lora`): small matrices beside the linear layers of a text encoder are trained, the layers are not.

Before training `add_adapters` puts them in, after it `Adapters.merge` adds them to the weights: what is predicted with, saved
and exported is a plain network, as after `finetune`. The training loop knows nothing of them.

References:
    Hu et al. (2021), LoRA: low-rank adaptation of large language models. Biderman et al. (2024), LoRA learns less and forgets less.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import nn

from weigh.errors import MissingExtra, ModelError
from weigh.language import text
from weigh.models.network import Network
from weigh.train.determinism import forked

__all__ = ["Adapters", "add_adapters", "require_peft"]

# Query and value projections by the names that encoders give them; where one matrix holds query, key and value, that one.
QUERY_VALUE = {
    "query", "value", "q", "v", "q_lin", "v_lin", "q_proj", "v_proj", "query_proj", "value_proj",
    "qkv", "qkv_proj", "query_key_value", "Wqkv", "in_proj",
}  # fmt: skip


class Adapters(NamedTuple):
    """What was put into a network.

    Attributes:
        tuner: `peft.LoraModel` around the encoder.
        n_trained: Parameters that are trained, the head included.
        layers: How many linear layers have an adapter.
    """

    tuner: Any
    n_trained: int
    layers: int

    def merge(self) -> None:
        """Add the adapters to the weights and take them out: the network has its plain layers again."""
        with torch.no_grad():
            self.tuner.merge_and_unload()
        self.tuner.model.requires_grad_(True)


def require_peft() -> None:
    """Raise an error if the package is missing.

    Raises:
        MissingExtra: It is not installed.
    """
    if find_spec("peft") is None:
        raise MissingExtra("peft", text("the recipe lora", "方案 lora "), "lora")


def add_adapters(network: Network, options: dict[str, Any], *, rng_seed: int, address: str) -> Adapters:
    """Freeze the encoder of `network` and put adapters beside its linear layers; they start as zero.

    Args:
        options: rank, alpha (the product of the two matrices is scaled by alpha / rank), dropout, targets.
        rng_seed: Draws the matrices that do not start as zero; peft takes no generator.
        address: Of the model, for the message.

    Raises:
        MissingExtra: peft is not installed.
        ModelError: No layer to adapt.
    """
    require_peft()
    from peft import LoraConfig, LoraModel

    encoder = network.inner()
    names = _targets(encoder, options["targets"])
    if not names:
        raise ModelError(
            text(
                "{a} has no layers for recipe lora with targets={t}.",
                "{a} 中没有可供方案 lora（targets={t}）适配的层。",
                a=address,
                t=options["targets"],
            ),
            text("Adapters stand beside the linear layers of an encoder of texts.", "适配器加在文本编码器的线性层旁。"),
            text(
                "Set recipes.lora.targets=all-linear, or use probe or finetune for this model.",
                "请设 recipes.lora.targets=all-linear，或对该模型使用 probe 或 finetune。",
            ),
        )
    config = LoraConfig(
        r=options["rank"], lora_alpha=options["alpha"], lora_dropout=options["dropout"], target_modules=names
    )
    with forked(rng_seed):
        tuner = LoraModel(encoder, config, "default")
    return Adapters(tuner, sum(p.numel() for p in network.parameters() if p.requires_grad), len(names))


def _targets(encoder: nn.Module, targets: str) -> list[str]:
    """Full names of linear layers; a pooling layer, which our encoders do not use, is none of them."""
    linear = [name for name, part in encoder.named_modules() if isinstance(part, nn.Linear) and "pooler" not in name]
    return linear if targets == "all-linear" else [name for name in linear if name.rpartition(".")[2] in QUERY_VALUE]
