"""Models of torchvision: `torchvision:NAME` or `torchvision:NAME/WEIGHTS`. Those for masks (DeepLabV3, LR-ASPP, FCN) keep their own decoder, those
for boxes are whole detectors (`torchvision_boxes.py`).
"""

from __future__ import annotations

import difflib
import fnmatch
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
import torchvision
from torch import nn
from torch.nn import functional

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.address import Address
from weigh.models.anatomy import TORCH
from weigh.models.catalogue import find_packaged
from weigh.models.checkpoint import read_checkpoint
from weigh.models.decoded import Parted, decoded_anatomy
from weigh.models.download import Kept, fetch_url, mirrored
from weigh.models.frozen_norms import freeze_norms, freeze_norms_as_kept
from weigh.models.hub import unreachable
from weigh.models.packaged import load_packaged
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.models.torchvision_boxes import DETECTORS
from weigh.models.transforms import of_preset

__all__ = ["load", "names"]

OF_OTHERS = ("keypointrcnn", "maskrcnn")  # answer with more than boxes
TRAINED_NORMS = ("_v2", "ssd")  # in names of detectors whose batch norms the library goes on training
NO_EPS = ("fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn")  # their weights were trained so

ENDPOINT = "WEIGH_TORCH_ENDPOINT"  # environment variable: a mirror of torchvision's server
AUXILIARY = "aux_classifier."  # helped to train the weights


class _Backbone(nn.Module):
    """Its maps as a list."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        return list(self.backbone(pictures).values())


class _Single(nn.Module):
    """DeepLabV3, FCN: all layers of the classifier but the last, on the last map."""

    def __init__(self, classifier: nn.Sequential) -> None:
        super().__init__()
        self.layers = nn.Sequential(*list(classifier)[:-1])

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        return self.layers(maps[-1])


class _Pair(nn.Module):
    """LR-ASPP: its two classifiers are added, which is one classifier of the two maps in a row."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.cbr, self.scale = classifier.cbr, classifier.scale

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        fine, coarse = maps
        weighed = self.cbr(coarse) * self.scale(coarse)
        scaled = functional.interpolate(weighed, size=fine.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([fine, scaled], dim=1)


def _parted(module: nn.Module) -> Parted:
    classifier = module.classifier
    decoder = _Single(classifier) if isinstance(classifier, nn.Sequential) else _Pair(classifier)  # type: ignore[arg-type]
    return Parted(_Backbone(module.backbone), decoder)  # type: ignore[arg-type]


def _last_classifiers(module: nn.Module) -> set[str]:
    owners = ("classifier.4", "classifier.low_classifier", "classifier.high_classifier")
    return {name for name in module.state_dict() if name.rpartition(".")[0] in owners}


SEGMENTERS = decoded_anatomy(_parted, _last_classifiers, beside=(AUXILIARY,))


def names(pattern: str) -> list[str]:
    """Models for labels, masks and boxes that match a pattern with * and ?."""
    return fnmatch.filter((*_of_labels(), *_of_masks(), *_of_boxes()), pattern)


def _of_labels() -> list[str]:
    return torchvision.models.list_models(module=torchvision.models)


def _of_masks() -> list[str]:
    return torchvision.models.list_models(module=torchvision.models.segmentation)


def _of_boxes() -> list[str]:
    known = torchvision.models.list_models(module=torchvision.models.detection)
    return [name for name in known if not name.startswith(OF_OTHERS)]


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`."""
    of_masks, of_boxes = _of_masks(), _of_boxes()
    known = [*_of_labels(), *of_masks, *of_boxes]
    if address.name.startswith(OF_OTHERS):
        raise ModelError(
            text("{a} answers with more than boxes.", "{a} 给出的不只是检测框。", a=address.written),
            text("Its loss asks for masks or points of every object.", "其损失函数需要每个目标的掩码或关键点。"),
            text(
                "Use torchvision:fasterrcnn_resnet50_fpn in its place.", "请改用 torchvision:fasterrcnn_resnet50_fpn。"
            ),
        )
    if address.name not in known:
        near = difflib.get_close_matches(address.name, known, n=3)
        raise ModelError(
            text("torchvision has no model called '{n}'.", "torchvision 中没有名为“{n}”的模型。", n=address.name),
            do=text(
                "Near: {x}. `weigh models 'torchvision:*'` lists all.",
                "相近的有：{x}。`weigh models 'torchvision:*'` 会列出全部。",
                x=", ".join(near) or "–",
            ),
        )
    weights = _weights(address)
    # torchvision sets the second where it loads the weights itself: they were made for values from -1 to 1
    extra = {"init_weights": True, "transform_input": True} if address.name in ("googlenet", "inception_v3") else {}
    if address.name in (*of_masks, *of_boxes):
        extra = {"weights_backbone": None}
    module = torchvision.models.get_model(address.name, weights=None, **extra)
    provenance = Provenance("random")
    packaged = find_packaged(f"torchvision:{address.name}")
    first = next((option for option in type(weights) if option.name.endswith("V1")), None)  # what packages hold
    alone = packaged is not None and first is not None and address.weights is None
    if pretrained:
        provenance = None
        if packaged is not None and weights is first:
            provenance = load_packaged(packaged.address, module)
        fetched = Kept(None)
        if provenance is None:
            fetched = _fetch(weights.url, offline=offline)
        if provenance is None and fetched.path is not None:
            state = read_checkpoint(fetched.path).plain
            module.load_state_dict({name: value for name, value in state.items() if not name.startswith(AUXILIARY)})
            name = f"torchvision {address.name}/{weights.name}"
            provenance = Provenance("hub", name, "BSD-3-Clause", files=(fetched.path,))
        if provenance is None and alone:
            provenance = load_packaged(packaged.address, module)
            if provenance is not None:
                note = f"{first.name} of the package in place of {weights.name}, which could not be reached"
                provenance, weights = replace(provenance, note=note), first  # and the preparation of what was loaded
        if provenance is None:
            installs = packaged if address.weights is None or weights is first else None
            raise unreachable(address.written, fetched.refusal, offline=offline, packaged=installs, mirror=ENDPOINT)
    if address.name in of_boxes:
        return _detector(address, module, weights, provenance)
    preprocessing = of_preset(weights.transforms())
    anatomy, classes = (SEGMENTERS, len(weights.meta["categories"])) if address.name in of_masks else (TORCH, 1000)
    return Pretrained(address, module, preprocessing, provenance, classes, anatomy=anatomy)


def _detector(address: Address, module: Any, weights: Any, provenance: Provenance) -> Pretrained:
    """A whole detector, which scales and normalises pictures by itself where it is not taken apart."""
    anatomy = DETECTORS
    if not any(part in address.name for part in TRAINED_NORMS):
        eps = 0.0 if address.name in NO_EPS else 1e-5
        anatomy = replace(DETECTORS, take_sizes=partial(freeze_norms_as_kept, eps=eps))
        if provenance.source != "random":
            freeze_norms(module.backbone, eps)
    own = module.transform
    size = (own.fixed_size or own.min_size)[-1]
    preprocessing = Preprocessing(size, size, tuple(own.image_mean), tuple(own.image_std), "bilinear")
    names = tuple(weights.meta["categories"])
    shown = tuple("" if i == 0 or name == "N/A" else name for i, name in enumerate(names))
    return Pretrained(address, module, preprocessing, provenance, len(names), anatomy=anatomy, names=shown)


def _weights(address: Address):
    options = torchvision.models.get_model_weights(address.name)
    if address.weights is None:
        return options.DEFAULT
    if address.weights not in options.__members__:
        raise ModelError(
            text("{n} has no weights called '{w}'.", "{n} 没有名为“{w}”的权重。", n=address.name, w=address.weights),
            do=text("Known: {k}.", "可用：{k}。", k=", ".join(options.__members__)),
        )
    return options[address.weights]


def _fetch(url: str, *, offline: bool) -> Kept:
    """From torch's own cache or its server. Names of its files end with the beginning of their hash."""
    digest = Path(urlsplit(url).path).stem.rpartition("-")[2]
    prefix_of_digest = digest if len(digest) >= 8 and set(digest) <= set("0123456789abcdef") else ""
    return fetch_url(mirrored(url, ENDPOINT), _cache_path(url), digest=prefix_of_digest, offline=offline)


def _cached(name: str) -> bool:
    return _cache_path(torchvision.models.get_model_weights(name).DEFAULT.url).is_file()


def _cache_path(url: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name


MODEL_SOURCES.register("torchvision", ModelSource(load, names, _cached))
