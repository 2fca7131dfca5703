"""Layers that torch is slow at on a processor, replaced by equal ones: applied before every training on a processor."""

from __future__ import annotations

from torch import nn

from weigh.models.encoder import Encoder
from weigh.models.processor.depthwise import speed_up_depthwise
from weigh.models.processor.dropout import speed_up_dropout

__all__ = ["speed_up"]

LONG = 200  # tokens from which on the fused kernel is faster on a processor; it also keeps nothing that grows with their square


def speed_up(network: nn.Module, device: str) -> None:
    """Replace layers by faster ones, in place; on accelerators nothing is replaced. Names and order of weights stay."""
    if device == "cpu":
        speed_up_depthwise(network)
        speed_up_dropout(network)
        speed_up_attention(network)


def speed_up_attention(network: nn.Module) -> None:
    """Plain attention for short texts in every encoder, in place: training then takes less time than with the fused kernel."""
    for module in network.modules():
        if isinstance(module, Encoder):
            module.plain_below = LONG
