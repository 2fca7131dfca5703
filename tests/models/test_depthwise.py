"""Depthwise convolutions with a backward pass of our own: torch's gradients, torch's names, torch for the unusual.

Tolerances are shares of the largest value. The gradient of pictures is the same sum: equal to a few units of the last
place. The gradient of a weight sums thousands of products in another order: 1e-5 in fp32; in bf16 the sum itself is
rounded to 8 bits, so 2**-7 (two roundings).
"""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.models.processor.depthwise import Depthwise, Geometry, _Depthwise, can_replace, depthwise, speed_up_depthwise

# Where the processor does not compute in bf16 (weigh never trains in it there), torch's own two orders of memory add up in bf16 and differ by six units.
IN_BF16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
OF_PICTURES = {torch.float32: 1e-6, torch.bfloat16: 2**-8 if IN_BF16 else 2**-5}
OF_WEIGHT = {torch.float32: 1e-5, torch.bfloat16: 2**-7}


def close(got: torch.Tensor, expected: torch.Tensor, tolerance: float) -> bool:
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    return bool((got.double() - expected.double()).abs().max() <= tolerance * expected.double().abs().max())


def gradients(function, *arguments: torch.Tensor) -> tuple[torch.Tensor, ...]:
    leaves = [argument.detach().clone(memory_format=torch.preserve_format).requires_grad_() for argument in arguments]
    found = function(*leaves)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).to(found.dtype)
    found.backward(weights.contiguous(memory_format=torch.channels_last))
    return found.detach(), *(leaf.grad for leaf in leaves)


KERNELS = [  # size, and the border at the top, at the bottom, left and right
    ((3, 3), (1, 1, 1, 1)), ((3, 3), (0, 1, 0, 1)), ((3, 3), (0, 0, 0, 0)), ((5, 5), (2, 2, 2, 2)),
    ((5, 5), (1, 2, 1, 2)), ((5, 5), (0, 1, 2, 2)), ((7, 7), (3, 3, 3, 3)), ((3, 5), (1, 0, 2, 1)), ((4, 4), (1, 2, 1, 2)),
]  # fmt: skip
STRIDES = [(1, 1), (2, 2), (2, 1), (3, 3)]
SIZES = [(16, 16), (15, 13), (7, 8)]
ORDERS = [torch.channels_last, torch.contiguous_format]
DTYPES = [torch.float32, torch.bfloat16]

# Every kernel with every stride in both types; among them every pair of the other values, which the full product held six times.
CASES = [
    (DTYPES[d], ORDERS[(k + s + d) % 2], SIZES[(k + s) % 3], STRIDES[s], *KERNELS[k])
    for k in range(len(KERNELS))
    for s in range(len(STRIDES))
    for d in range(len(DTYPES))
]


def test_the_cases_hold_every_pair_of_values():
    columns = list(zip(*CASES, strict=True))
    columns = [*columns[:4], list(zip(*columns[4:], strict=True))]
    for first, second in itertools.combinations(columns, 2):
        assert len(set(zip(first, second, strict=True))) == len(set(first)) * len(set(second))


@pytest.mark.parametrize(("dtype", "order", "size", "stride", "kernel", "pads"), CASES)
def test_gradients_are_those_of_torch(dtype, order, size, stride, kernel, pads):
    compare_gradients(dtype, order, size, stride, kernel, pads)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (4, 4), (3, 9)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
@pytest.mark.parametrize(
    ("kernel", "pads"),
    [
        ((3, 3), (1, 1, 1, 1)),
        ((5, 5), (2, 2, 2, 2)),
        ((7, 7), (3, 3, 3, 3)),
        ((5, 3), (2, 2, 1, 1)),
    ],
)
def test_gradients_on_maps_that_are_lower_than_the_kernel(dtype, size, stride, kernel, pads):
    compare_gradients(dtype, torch.channels_last, size, stride, kernel, pads)


def test_a_three_by_three_layer_takes_the_new_path_on_small_maps_alone(monkeypatch):
    layer = nn.Conv2d(8, 8, 3, padding=1, groups=8)
    assert can_replace(layer)
    used = []
    original = _Depthwise.apply
    monkeypatch.setattr(_Depthwise, "apply", lambda *given: used.append(1) or original(*given))
    for side, calls in ((7, 0), (2, 1)):
        used.clear()
        Depthwise(layer)(torch.randn(2, 8, side, side))
        assert len(used) == calls


def compare_gradients(dtype, order, size, stride, kernel, pads):
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(3, 24, *size, generator=generator).to(dtype).contiguous(memory_format=order)
    weight = torch.randn(24, 1, *kernel, generator=generator).to(dtype)
    bias = torch.randn(24, generator=generator).to(dtype)
    top, bottom, left, right = pads

    def native(x, w, b):
        return F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, stride, 0, 1, 24)

    def ours(x, w, b):
        return _Depthwise.apply(x, w, b, Geometry(stride, *pads))

    expected, got = gradients(native, pictures, weight, bias), gradients(ours, pictures, weight, bias)
    assert close(got[0], expected[0], OF_PICTURES[dtype])
    assert close(got[1], expected[1], OF_PICTURES[dtype])
    assert close(got[2], expected[2], OF_WEIGHT[dtype])
    assert close(got[3], expected[3], OF_WEIGHT[dtype])
    again = gradients(ours, pictures, weight, bias)
    assert all(torch.equal(a, b) for a, b in zip(got, again, strict=True))


def test_gradients_of_bf16_are_as_near_the_truth_as_those_of_torch():
    pictures, weight = torch.randn(4, 32, 20, 20), torch.randn(32, 1, 5, 5)
    geometry = Geometry((2, 2), 1, 2, 1, 2)

    def native(x, w):
        return F.conv2d(F.pad(x, (1, 2, 1, 2)), w, None, 2, 0, 1, 32)

    rounded = pictures.bfloat16(), weight.bfloat16()
    truth = gradients(native, *(t.double() for t in rounded))
    for i in (1, 2):
        errors = [
            (found[i].double() - truth[i]).abs().mean()
            for found in (
                gradients(native, *rounded),
                gradients(lambda x, w: depthwise(x, w, None, geometry), *rounded),
            )
        ]
        assert errors[1] <= 1.05 * errors[0]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(8, 8, 5, groups=8, dilation=2),
        nn.Conv2d(8, 16, 5, groups=8),
        nn.Conv2d(8, 8, 5, groups=4),
        nn.Conv2d(8, 8, 5),
        nn.Conv2d(8, 8, 5, groups=8, padding=2, padding_mode="reflect"),
        nn.Conv2d(8, 8, 5, groups=8, padding="same"),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 5, groups=8)),
    ],
)
def test_the_unusual_stays_with_torch(layer):
    network = nn.Sequential(layer)
    assert not can_replace(layer)
    assert speed_up_depthwise(network) == 0
    assert network[0] is layer


def test_layers_with_hooks_stay():
    layer = nn.Conv2d(8, 8, 5, groups=8)
    layer.register_forward_hook(lambda *_: None)
    assert not can_replace(layer)


@pytest.mark.parametrize(
    ("dtype", "stride", "pads"),
    [(torch.float64, 1, 2), (torch.float32, 2, 2), (torch.bfloat16, 1, 4)],  # 4: wider than the kernel's half
)
def test_what_is_not_covered_is_computed_by_torch(dtype, stride, pads):
    pictures, weight = torch.randn(2, 8, 9, 9).to(dtype), torch.randn(8, 1, 5, 5).to(dtype)
    geometry = Geometry((stride, stride), pads, pads, pads, pads)
    found = depthwise(pictures.requires_grad_(), weight.requires_grad_(), None, geometry)
    assert "Convolution" in type(found.grad_fn).__name__
    assert torch.equal(found, F.conv2d(pictures, weight, None, stride, pads, 1, 8))


def test_covered_layers_take_our_backward():
    found = depthwise(
        torch.randn(2, 8, 9, 9).bfloat16(), torch.randn(8, 1, 5, 5).bfloat16().requires_grad_(), None,
        Geometry((2, 2), 2, 2, 2, 2),
    )  # fmt: skip
    assert "Depthwise" in type(found.grad_fn).__name__


def test_frozen_layers_need_no_gradient_of_their_own():
    layer = Depthwise(nn.Conv2d(8, 8, 5, 2, 2, groups=8)).bfloat16().requires_grad_(False)
    pictures = torch.randn(2, 8, 9, 9).bfloat16().requires_grad_()
    layer(pictures).sum().backward()
    assert pictures.grad is not None
    assert layer.weight.grad is None


@pytest.mark.parametrize(
    "name",
    [pytest.param("tf_efficientnet_lite0", marks=pytest.mark.thorough), "mobilenetv3_small_100", "convnext_atto"],
)
def test_a_network_keeps_its_names_outputs_and_gradients(name):
    model = load_model(f"timm:{name}", pretrained=False, offline=True)
    network = make_network(model, 3, torch.Generator().manual_seed(0)).to(memory_format=torch.channels_last)
    fast = copy.deepcopy(network)
    assert speed_up_depthwise(fast) > 0
    assert list(fast.state_dict()) == list(network.state_dict())
    assert [n for n, _ in fast.named_parameters()] == [n for n, _ in network.named_parameters()]
    pictures = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        torch.testing.assert_close(fast.eval()(pictures), network.eval()(pictures), rtol=0, atol=0)
    for precise in (True, False):
        for each in (network, fast):
            each.train().zero_grad()
            torch.manual_seed(0)  # stochastic depth
            with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
                loss = each(pictures).float().square().mean()
            loss.backward()
        pairs = list(zip(fast.parameters(), network.parameters(), strict=True))
        got, expected = (torch.cat([pair[i].grad.flatten() for pair in pairs]) for i in (0, 1))
        error = (got - expected).norm() / expected.norm()
        assert error <= (1e-4 if precise else 0.02), (precise, error)  # bf16: rounding is carried on through the layers
    restored = make_network(load_model(f"timm:{name}", pretrained=False, offline=True), 3)
    restored.load_state_dict(fast.state_dict())  # what is saved is read by an ordinary network


def test_a_copy_computes_the_same():
    layer = Depthwise(nn.Conv2d(8, 8, 5, 2, 2, groups=8))
    pictures = torch.randn(2, 8, 9, 9)
    twin = copy.deepcopy(layer)
    assert torch.equal(twin(pictures), layer(pictures))
    assert twin.weight is not layer.weight
