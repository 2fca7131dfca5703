"""Where the last stage begins, and that the network can be resumed there exactly."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from weigh.errors import ModelError
from weigh.models.network import Network, make_network
from weigh.models.pretrained import load_model

PLACES = {  # address -> where its maps reach their final size, or its last quarter of equal blocks begins
    "timm:test_resnet": "layer4",
    "timm:test_efficientnet": "blocks.4",
    "timm:test_convnext": "stages.3",
    "timm:test_vit": "blocks.4",
    "timm:regnetx_002": "s4.b1",
    "torchvision:mobilenet_v2": "features.14",
    "torchvision:shufflenet_v2_x0_5": "stage4",
}


def split(address: str, size: int | None = None):
    model = load_model(address, pretrained=False, offline=True)
    native = model.preprocessing.size
    network = make_network(model, 3, torch.Generator().manual_seed(1))
    return network.split(shape=(size or native, size or native), native=native, address=address), size or native


@pytest.mark.parametrize("address", PLACES)
def test_the_two_halves_are_the_network(address):
    stage, size = split(address)
    assert stage.first == PLACES[address]
    pictures = torch.randn(5, 3, size, size, generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        activations = stage.prefix(pictures)
        assert activations.shape == (5, *stage.shape)
        torch.testing.assert_close(stage.tail(activations), stage.whole(pictures), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [48, 96])
def test_the_place_does_not_depend_on_the_size_of_the_pictures(size):
    assert split("timm:test_resnet", size)[0].first == PLACES["timm:test_resnet"]


def test_the_tail_shares_the_weights_that_are_trained_and_the_rest_takes_no_gradients():
    stage, size = split("timm:test_vit")
    trained = {name for name, p in stage.whole.named_parameters() if p.requires_grad}
    assert trained == {
        name
        for name, _ in stage.whole.named_parameters()
        if name.startswith(("body.blocks.4", "body.blocks.5", "body.norm", "head"))
    }
    assert trained == {name for name, p in stage.tail.named_parameters() if p.requires_grad}
    own = dict(stage.whole.named_parameters())
    assert all(own[name] is p for name, p in stage.tail.named_parameters() if p.requires_grad)
    with torch.no_grad():
        stage.tail.head.bias.add_(5)
        activations = stage.prefix(torch.zeros(2, 3, size, size))
        torch.testing.assert_close(stage.tail(activations), stage.whole(torch.zeros(2, 3, size, size)))


class Bypassed(nn.Module):
    """The stem's maps are used again at the very end: no place has a single tensor that goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.stage1 = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.stage2 = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.last = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem = self.stem(x)
        return self.last(self.stage2(self.stage1(stem))).mean(dim=(2, 3)) + stem.mean(dim=(2, 3))


def test_a_network_without_such_a_place_is_refused_with_what_to_use_instead():
    with pytest.raises(ModelError, match="probe") as refused:
        Network(Bypassed(), nn.Linear(8, 2)).split(shape=(64, 64), native=64, address="file:x@timm:y")
    assert "finetune" in refused.value.render("zh")
