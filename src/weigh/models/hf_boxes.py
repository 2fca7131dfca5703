"""Detectors of the transformers library in their two parts (`own_boxes.py`): DETR and its kin, which answer with a set of boxes, and YOLOS.

Boxes are matched with the drawn ones by the library's own loss. The library's whole model runs, on maps that were computed before: in place
of its backbone stands something that hands them over. Models that were trained with a mask of what is picture get one: boxes are then
counted from the picture in the frame. A set of boxes has no place for a region that is not trained on: crowds are left out of what is drawn.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from weigh.files import read_json
from weigh.models.anatomy import Anatomy
from weigh.models.maps import Pyramid
from weigh.models.own_boxes import Drawn, Found, detector_anatomy, pyramid_of, renewed, shallow, sides_of
from weigh.models.preprocessing import RESAMPLING, Preprocessing

__all__ = ["FAMILIES", "anatomy_of", "class_names", "is_of_boxes", "preprocessing_of_boxes"]


class Family(NamedTuple):
    """How a family of detectors is taken apart.

    Attributes:
        backbone: Path of what gives maps; "": backbone and detector are one network.
        masked: It looks at what of the frame is picture.
    """

    backbone: str = "model.backbone"
    masked: bool = False


# by the library's own name of the kind of model
FAMILIES = {
    "detr": Family(masked=True),
    "table-transformer": Family(masked=True),
    "conditional_detr": Family(masked=True),
    "deformable_detr": Family(masked=True),
    "rt_detr": Family(),
    "rt_detr_v2": Family(),
    "d_fine": Family(),
    "yolos": Family(backbone=""),
}
OF_CLASSES = ("class_labels_classifier", "class_embed", "enc_score_head", "denoising_class_embed")  # in names of layers
SURE = 0.01  # score of a class that is drawn anew, where every class has a score of its own
BILINEAR = 2  # number of a filter in Pillow


def is_of_boxes(config: Any) -> bool:
    """Whether its weights were trained to answer with boxes, by a loss that is known here."""
    named = any(str(name).endswith("ForObjectDetection") for name in getattr(config, "architectures", None) or ())
    return named and config.model_type in FAMILIES


def class_names(config: Any) -> tuple[str, ...]:
    """Names of the classes, by their index; "" where a class has none."""
    names = [str(config.id2label.get(i, "")) for i in range(config.num_labels)]
    return tuple("" if name == "N/A" or name.startswith("LABEL_") else name for name in names)


def preprocessing_of_boxes(folder: Path) -> Preprocessing:
    """What preprocessor_config.json says; pictures are scaled into the frame of the study, whatever size they had there.

    Raises:
        ValueError: It is not there.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise ValueError("it has no preprocessor_config.json, which says how its pictures were prepared")
    written = read_json(path)
    size = written.get("size") or 800
    if isinstance(size, dict):
        size = size.get("shortest_edge") or size.get("height") or 800
    normal = written.get("do_normalize", True)
    usual = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
    mean, std = (
        tuple(written.get(name) or usual[name]) if normal else (plain,) * 3
        for name, plain in (("image_mean", 0.0), ("image_std", 1.0))
    )
    filters = {int(number): name for name, number in RESAMPLING.items()}
    return Preprocessing(int(size), int(size), mean, std, filters.get(written.get("resample", BILINEAR), "bilinear"))


class _Encoder(nn.Module):
    """Its maps as a list."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        whole = torch.ones(len(pictures), *pictures.shape[2:], device=pictures.device)
        return [made for made, _ in self.backbone(pictures, whole)]


class _Pictures(nn.Module):
    """The pictures themselves, where a network is not taken apart."""

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        return [pictures]


class _Handed(nn.Module):
    """Stands in the place of a backbone: maps that were computed before, each with the part of it that is picture."""

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[torch.Tensor] = []

    def forward(self, _pictures: torch.Tensor, mask: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        masks = [nn.functional.interpolate(mask[None].float(), size=one.shape[2:])[0].bool() for one in self.maps]
        return list(zip(self.maps, masks, strict=True))


class SetOfBoxes(nn.Module):
    """The library's model behind its backbone."""

    stages, overlap = 1, 1.0

    def __init__(self, model: Any, family: Family) -> None:
        super().__init__()
        self.family = family
        self.model = shallow(model, family.backbone) if family.backbone else model
        if family.backbone:
            self.model.set_submodule(family.backbone, _Handed())

    # ---- classes

    def _layers(self) -> dict[str, Any]:
        """The layers that give classes or know them, by name."""
        config = self.model.config
        numbers = (config.num_labels, config.num_labels + 1)
        layers = {}
        for name, layer in self.model.named_modules(remove_duplicate=False):
            outputs = getattr(layer, "out_features", getattr(layer, "num_embeddings", None))
            if any(part in name for part in OF_CLASSES) and outputs in numbers:
                layers[name] = layer
        return layers

    def of_classes(self) -> list[nn.Parameter]:
        return [weight for layer in self._layers().values() for weight in layer.parameters()]

    def renew(self, kept: Sequence[int | None], generator: torch.Generator | None) -> None:
        layers, own = self._layers(), self.model.config.num_labels
        self.model = shallow(self.model, *layers)
        config = copy.deepcopy(self.model.config)
        config.num_labels = len(kept)
        for module in self.model.modules():
            if getattr(module, "config", None) is self.model.config and module is not self.model:
                module.config = config
        self.model.config = config
        made: dict[int, Any] = {}  # layers that are one, or share their weights, stay so
        for name, layer in layers.items():
            nothing = getattr(layer, "out_features", getattr(layer, "num_embeddings", None)) > own
            rows = [*kept, *([own] if nothing else [])]
            bias = 0.0 if nothing else -float(torch.log(torch.tensor((1 - SURE) / SURE)))
            if id(layer.weight) not in made:
                made[id(layer.weight)] = renewed(layer, rows, generator, own=own + nothing, scale=0.01, bias=bias)
            self.model.set_submodule(name, made[id(layer.weight)])

    # ---- passes

    def _run(
        self, maps: list[torch.Tensor], frame: tuple[int, int], seen: list[tuple[int, int]], labels: list | None = None
    ) -> Any:
        n = maps[0].shape[0]  # traced, other than len()
        if not self.family.backbone:
            return self.model(pixel_values=maps[0], labels=labels)
        self.model.get_submodule(self.family.backbone).maps = maps
        pictures = maps[0].new_zeros(1).expand(n, 3, *frame)
        mask = None
        if self.family.masked and seen:
            mask = torch.zeros(n, *frame, dtype=torch.long, device=maps[0].device)
            for own, (height, width) in zip(mask, seen, strict=True):
                own[:height, :width] = 1
        return self.model(pixel_values=pictures, pixel_mask=mask, labels=labels)

    def _scores(self, outputs: Any) -> tuple[torch.Tensor, bool]:
        """`(n, queries, classes)`, and whether a query gives one class at most: it then says "nothing" too."""
        logits = outputs.logits
        if logits.shape[2] > self.model.config.num_labels:
            return logits.softmax(dim=2)[..., :-1], True
        return logits.sigmoid(), False

    def _within(self, frame: tuple[int, int], seen: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Height and width that its boxes are shares of."""
        return seen if self.family.masked else [frame] * len(seen)

    def places(self, maps: list[torch.Tensor], frame: tuple[int, int]) -> torch.Tensor:
        outputs = self._run(maps, frame, [])
        sides = sides_of(frame, maps[0])
        return torch.cat([self._scores(outputs)[0], (_corners(outputs.pred_boxes) * sides).clamp_min(0)], dim=2)

    def loss(self, maps: list[torch.Tensor], frame: tuple[int, int], drawn: list[Drawn]) -> torch.Tensor:
        seen = [one.seen for one in drawn]
        labels = []
        for one, (height, width) in zip(drawn, self._within(frame, seen), strict=True):
            shares = one.corners / one.corners.new_tensor([width, height] * 2)
            middles, sides = (shares[:, :2] + shares[:, 2:]) / 2, shares[:, 2:] - shares[:, :2]
            labels.append({"class_labels": one.classes, "boxes": torch.cat([middles, sides], dim=1)})
        try:
            return self._run(maps, frame, seen, labels).loss
        except ValueError as error:
            if "corner" not in str(error):
                raise
            return maps[0].new_full((), float("nan"))  # the library's word for boxes that are not finite

    def find(
        self, maps: list[torch.Tensor], frame: tuple[int, int], seen: list[tuple[int, int]], least: float, most: int
    ) -> list[Found]:
        outputs = self._run(maps, frame, seen)
        scores, single = self._scores(outputs)
        detections = []
        for own, boxes, (height, width) in zip(
            scores, _corners(outputs.pred_boxes), self._within(frame, seen), strict=True
        ):
            classes = own.argmax(dim=1) if single else torch.arange(own.numel(), device=own.device) % own.shape[1]
            score = own.amax(dim=1) if single else own.flatten()
            score, order = score.topk(min(most, len(score)))
            order, score = order[score > least], score[score > least]
            query = order if single else order // own.shape[1]
            detections.append(Found(boxes[query] * boxes.new_tensor([width, height] * 2), classes[order], score))
        return detections


def _corners(boxes: torch.Tensor) -> torch.Tensor:
    middles, sides = boxes.split(2, dim=-1)
    return torch.cat([middles - sides / 2, middles + sides / 2], dim=-1)


def _take(module: Any, blank: torch.Tensor) -> Pyramid:
    family = FAMILIES[module.config.model_type]
    encoder = _Encoder(module.get_submodule(family.backbone)) if family.backbone else _Pictures()
    return pyramid_of(encoder, SetOfBoxes(module, family), class_names(module.config), blank)


def anatomy_of(config: Any) -> Anatomy:
    """The anatomy of a model with this configuration."""
    return ANATOMY if FAMILIES[config.model_type].backbone else replace(ANATOMY, cuts=frozenset())


ANATOMY = detector_anatomy(_take, lambda module: hasattr(module, "config_class"), lambda _module: set())
