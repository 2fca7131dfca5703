"""Dropout from random bytes does what torch's own does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from weigh.models.processor.dropout import BytesDropout, speed_up_dropout


@pytest.mark.parametrize("p", [0.001, 0.5, *(pytest.param(p, marks=pytest.mark.thorough) for p in (0.05, 0.1, 0.999))])
def test_share_scale_and_gradient(p):
    torch.manual_seed(1)
    x = torch.full((4000, 2003), 2.0, requires_grad=True)
    y = BytesDropout(p)(x)
    dropped = (y == 0).float().mean().item()
    error = (p * (1 - p) / x.numel()) ** 0.5
    assert dropped == pytest.approx(p, abs=4 * error), "not the nearest of 256 shares"
    assert y.double().mean().item() == pytest.approx(2.0, abs=4 * 2 * error / (1 - p))
    y.sum().backward()
    assert torch.equal(x.grad == 0, y == 0), "the gradient passes where the value passed"
    kept = y[y != 0]
    assert torch.allclose(kept, torch.full_like(kept, 2 / (1 - p)))


def test_values_are_dropped_independently():
    torch.manual_seed(2)
    y = (BytesDropout(0.5)(torch.ones(4000, 64)) > 0).float()
    correlation = torch.corrcoef(y.T) - torch.eye(64)
    assert correlation.abs().max() < 0.09  # 2,016 pairs of 4,000 draws: five standard errors


def test_off_in_eval_and_the_same_for_a_seed():
    layer = BytesDropout(0.1)
    x = torch.randn(3, 5, dtype=torch.bfloat16)
    assert torch.equal(layer.eval()(x), x)
    layer.train()
    torch.manual_seed(3)
    first = layer(x)
    torch.manual_seed(3)
    assert torch.equal(first, layer(x))
    assert first.dtype == torch.bfloat16


def test_only_what_drops_is_replaced():
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1), nn.Sequential(nn.Dropout(0.0), nn.Dropout(0.2))).eval()
    speed_up_dropout(network)
    kinds = [type(m) for m in network.modules() if "Dropout" in type(m).__name__]
    assert kinds == [BytesDropout, nn.Dropout, BytesDropout]
    assert not any(m.training for m in network.modules())
