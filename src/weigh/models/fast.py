"""Layers that torch is slow at on a processor, replaced by equal ones: what every training there goes through first."""

from __future__ import annotations

from torch import nn

from weigh.models.depthwise import speed_up_depthwise
from weigh.models.dropout import speed_up_dropout
from weigh.models.encoder import speed_up_attention

__all__ = ["speed_up"]


def speed_up(network: nn.Module, device: str) -> None:
    """In place; on accelerators nothing is replaced. Names and order of weights stay."""
    if device == "cpu":
        speed_up_depthwise(network)
        speed_up_dropout(network)
        speed_up_attention(network)
