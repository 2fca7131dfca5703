"""Detectors of torchvision in their two parts (`own_boxes.py`): SSD and SSDLite, RetinaNet, FCOS, Faster R-CNN.

Pictures come prepared and stand in a frame, so the library's own scaling is left out; what it does with what is left of its frames (proposals
and detections end where the picture does) is done here too. Matching, losses and what is dropped as the same are the library's functions.

Regions that are not trained on: places and proposals that lie in one and answer for no box have no loss.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection import FCOS
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteFeatureExtractorMobileNet
from torchvision.ops import box_iou

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.maps import Pyramid
from weigh.models.own_boxes import Drawn, Found, detector_anatomy, in_regions, pyramid_of, renewed, shallow, sides_of

__all__ = ["DETECTORS"]

QUIET = 30.0  # a logit of a place in an ignored region: so certain that it adds nothing to the loss
SURE = 0.01  # score of a class that is drawn anew, before training (Lin et al. 2017, Focal loss, §4.1)
OF_A_BOX = 0.5  # a proposal that overlaps a box by so much may answer for it
SHADOW = ("backbone", "transform")  # what a detector has besides its parts


# ---- backbones and necks


class _Row(nn.Module):
    """Blocks one after the other: the output of each is a map."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        maps = [pictures]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps[1:]


class _Body(nn.Module):
    """Its maps as a list."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        return list(self.body(pictures).values())


class _FeaturePyramid(nn.Module):
    """Maps of a backbone to maps of one width, by name."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.fpn, self.names = backbone.fpn, list(backbone.body.return_layers.values())

    def forward(self, maps: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.fpn(OrderedDict(zip(self.names, maps, strict=True)))


class _Further(nn.Module):
    """SSD: the maps and coarser ones; VGG's map is brought to length 1 times a trained scale."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.extra, self.scale_weight = backbone.extra, getattr(backbone, "scale_weight", None)

    def forward(self, maps: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        made, last = list(maps), maps[-1]
        if self.scale_weight is not None:
            made[-1] = self.scale_weight.view(1, -1, 1, 1) * functional.normalize(last)
        for block in self.extra:
            last = block(last)
            made.append(last)
        return OrderedDict((str(i), one) for i, one in enumerate(made))


# ---- parts


class _Behind(nn.Module):
    """What all of them share: the library's model without its backbone, and what its functions are given."""

    stages = 1

    def __init__(self, model: Any, neck: nn.Module) -> None:
        super().__init__()
        self.model, self.neck = model, neck

    @property
    def overlap(self) -> float:
        return self.model.nms_thresh

    def images(self, n: int, frame: tuple[int, int], seen: list[tuple[int, int]], like: torch.Tensor) -> ImageList:
        """Pictures as the library hands them on, without their pixels."""
        return ImageList(like.new_zeros(1).expand(n, 3, *frame), seen)


def _layers(model: Any) -> list[tuple[str, nn.Module]]:
    """The layers of a one-stage detector that give classes, by their names in its head of classes."""
    head = model.head.classification_head
    if not isinstance(model, SSD):
        return [("cls_logits", head.cls_logits)]
    return [
        (f"module_list.{i}.{len(block) - 1}", block[-1])
        if isinstance(block, nn.Sequential)
        else (f"module_list.{i}", block)
        for i, block in enumerate(head.module_list)
    ]


def _targets(drawn: list[Drawn], first: int) -> list[dict[str, torch.Tensor]]:
    """Boxes as the library takes them; `first`: the number of the first class."""
    return [{"boxes": one.corners, "labels": one.classes + first} for one in drawn]


def _found(detections: list[dict[str, torch.Tensor]], first: int) -> list[Found]:
    return [Found(one["boxes"], one["labels"] - first, one["scores"]) for one in detections]


class OneStage(_Behind):
    """SSD, RetinaNet, FCOS: every place of every map answers. Only SSD has a class for nothing, its first."""

    def __init__(self, model: Any, neck: nn.Module) -> None:
        super().__init__(model, neck)
        self.first = int(isinstance(model, SSD))
        if not self.first:  # the library counts classes from 1 there too, and trains a class 0 that nothing is
            self._renew(list(range(1, model.head.classification_head.num_classes)), None)

    def of_classes(self) -> list[nn.Parameter]:
        return [weight for _, layer in _layers(self.model) for weight in layer.parameters()]

    def renew(self, kept: Sequence[int | None], generator: torch.Generator | None) -> None:
        if self.first:
            self._renew([0, *kept], generator)
        else:
            self._renew([None if i is None else i - 1 for i in kept], generator)

    def _renew(self, rows: Sequence[int | None], generator: torch.Generator | None) -> None:
        # a head of its own: the model that it was taken from keeps its classes
        self.model = shallow(self.model, f"head.classification_head.{_layers(self.model)[0][0].partition('.')[0]}")
        head = self.model.head.classification_head
        if self.first:
            blocks = (shallow(block) if isinstance(block, nn.Sequential) else block for block in head.module_list)
            head._modules["module_list"] = nn.ModuleList(blocks)
        own = head.num_columns if self.first else head.num_classes
        for name, layer in _layers(self.model):
            places = layer.out_channels // own  # type: ignore[operator]
            bias = 0.0 if self.first else -float(torch.log(torch.tensor((1 - SURE) / SURE)))
            made = renewed(
                layer, rows, generator, own=own, groups=places, scale=0.03 if self.first else 0.01, bias=bias
            )
            head.set_submodule(name, made)
        if self.first:
            head.num_columns = len(rows)
        else:
            head.num_classes = len(rows)

    def _outputs(
        self, maps: list[torch.Tensor], images: ImageList
    ) -> tuple[dict[str, torch.Tensor], list[torch.Tensor], list[int]]:
        """Outputs of all places, their boxes before training, and the number of places of each map."""
        try:
            features = list(self.neck(maps).values())
        except RuntimeError as error:
            if "Kernel size" not in str(error):
                raise
            raise _too_small(tuple(images.tensors.shape[-2:])) from None
        outputs = self.model.head(features)
        anchors = self._anchors(images, features)
        pixels = [one.shape[2] * one.shape[3] for one in features]
        each = outputs["bbox_regression"].shape[1] // sum(pixels)
        return outputs, anchors, [n * each for n in pixels]

    def _anchors(self, images: ImageList, features: list[torch.Tensor]) -> list[torch.Tensor]:
        """Of SSD they are made here, so that they follow the size of the frame in an exported network too. SSD300 says how far its places lie
        apart; in another frame its coarsest would lie outside, and are spread evenly.
        """
        generator, frame = self.model.anchor_generator, images.tensors.shape[-2:]
        if not self.first:
            return generator(images, features)
        grids = [one.shape[-2:] for one in features]
        steps = generator.steps or [0] * len(grids)
        if any((n - 0.5) * step > side for grid, step in zip(grids, steps, strict=True) for n, side in zip(grid, frame, strict=True)):  # fmt: skip
            generator = shallow(generator)
            generator.steps = None
        shares = generator._grid_default_boxes(grids, frame, dtype=features[0].dtype).to(features[0].device)
        middles, sides = shares.split(2, dim=1)
        corners = torch.cat([middles - sides / 2, middles + sides / 2], dim=1) * sides_of(frame, shares)  # type: ignore[arg-type]
        return [corners] * len(images.image_sizes)

    def places(self, maps: list[torch.Tensor], frame: tuple[int, int]) -> torch.Tensor:
        images = self.images(maps[0].shape[0], frame, [frame], maps[0])
        outputs, (anchors,), _ = self._outputs(maps, images)
        logits, sides = outputs["cls_logits"], outputs["bbox_regression"]
        around = anchors[None].expand(sides.shape[0], -1, -1)
        scores = logits.softmax(dim=2)[..., 1:] if self.first else logits.sigmoid()
        if isinstance(self.model, FCOS):
            scores = (scores * outputs["bbox_ctrness"].sigmoid()).sqrt()
            corners = self.model.box_coder.decode(sides, around)
        else:
            corners = self.model.box_coder.decode_single(sides.flatten(0, 1), around.flatten(0, 1))
        corners = corners.reshape(sides.shape)
        return torch.cat([scores, torch.minimum(corners.clamp_min(0), sides_of(frame, corners))], dim=2)

    def loss(self, maps: list[torch.Tensor], frame: tuple[int, int], drawn: list[Drawn]) -> torch.Tensor:
        outputs, anchors, sizes = self._outputs(maps, self.images(len(drawn), frame, [frame] * len(drawn), maps[0]))
        targets = _targets(drawn, self.first)

        def losses(targets: list, outputs: dict, anchors: list, matched: list) -> dict[str, torch.Tensor]:
            quiet = self._quiet(outputs["cls_logits"], anchors, matched, drawn)
            outputs = {**outputs, "cls_logits": quiet}
            if self.first:
                return self.model.compute_loss(targets, outputs, anchors, matched)
            return self.model.head.compute_loss(targets, outputs, anchors, matched)

        if self.first:
            matched = [self._match(one["boxes"], around) for one, around in zip(targets, anchors, strict=True)]
            return sum(losses(targets, outputs, anchors, matched).values())  # type: ignore[return-value]
        # the library's own matching, which then hands over to the losses above
        standing_in = SimpleNamespace(
            head=SimpleNamespace(compute_loss=losses),
            proposal_matcher=getattr(self.model, "proposal_matcher", None),
            center_sampling_radius=getattr(self.model, "center_sampling_radius", None),
        )
        more = (sizes,) if isinstance(self.model, FCOS) else ()
        return sum(type(self.model).compute_loss(standing_in, targets, outputs, anchors, *more).values())  # type: ignore[return-value]

    def _match(self, boxes: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
        if not len(boxes):
            return torch.full((len(anchors),), -1, dtype=torch.int64, device=anchors.device)
        return self.model.proposal_matcher(box_iou(boxes, anchors))

    def _quiet(
        self, logits: torch.Tensor, anchors: list[torch.Tensor], matched: list[torch.Tensor], drawn: list[Drawn]
    ) -> torch.Tensor:
        """The logits, where places that answer for no box and lie in a region that is not trained on say "nothing" for certain."""
        if not any(len(one.ignored) for one in drawn):
            return logits
        aside = torch.stack(
            [
                in_regions(around, one.ignored) & (of < 0)
                for around, of, one in zip(anchors, matched, drawn, strict=True)
            ]
        )
        silent = torch.full_like(logits, -QUIET)
        if self.first:
            silent[..., 0] = QUIET
        return torch.where(aside[..., None], silent, logits)

    def find(
        self, maps: list[torch.Tensor], frame: tuple[int, int], seen: list[tuple[int, int]], least: float, most: int
    ) -> list[Found]:
        outputs, anchors, sizes = self._outputs(maps, self.images(len(seen), frame, seen, maps[0]))
        self.model.score_thresh, self.model.detections_per_img = least, most
        if self.first:
            return _found(self.model.postprocess_detections(outputs, anchors, seen), 1)
        split = {name: list(one.split(sizes, dim=1)) for name, one in outputs.items()}
        return _found(self.model.postprocess_detections(split, [list(one.split(sizes)) for one in anchors], seen), 0)


class TwoStages(_Behind):
    """Faster R-CNN: regions are proposed, then each is told its class and a better box. Class 0 is nothing."""

    stages = 2

    @property
    def overlap(self) -> float:
        return self.model.roi_heads.nms_thresh

    def of_classes(self) -> list[nn.Parameter]:
        return list(self.model.roi_heads.box_predictor.parameters())

    def renew(self, kept: Sequence[int | None], generator: torch.Generator | None) -> None:
        self.model = shallow(self.model, "roi_heads.box_predictor.cls_score")
        predictor, rows = self.model.roi_heads.box_predictor, [0, *kept]
        own = predictor.cls_score.out_features
        for name, each, scale in (("cls_score", 1, 0.01), ("bbox_pred", 4, 0.001)):
            layer = predictor.get_submodule(name)
            predictor._modules[name] = renewed(layer, rows, generator, own=own, each=each, scale=scale)

    def places(self, maps: list[torch.Tensor], frame: tuple[int, int]) -> torch.Tensor:
        """Its detections, best first; zeros below."""
        classes = self.model.roi_heads.box_predictor.cls_score.out_features - 1
        detections = self.find(maps, frame, [frame] * len(maps[0]), 0.05, 100)
        places = maps[0].new_zeros(len(detections), max(len(one.scores) for one in detections), classes + 4)
        for row, one in zip(places, detections, strict=True):
            row[torch.arange(len(one.scores), device=row.device), one.classes] = one.scores
            row[: len(one.scores), classes:] = one.corners
        return places

    def loss(self, maps: list[torch.Tensor], frame: tuple[int, int], drawn: list[Drawn]) -> torch.Tensor:
        images = self.images(len(drawn), frame, [frame] * len(drawn), maps[0])
        features, rpn, targets = self.neck(maps), self.model.rpn, _targets(drawn, 1)
        levels = list(features.values())
        objectness, sides = rpn.head(levels)
        anchors = rpn.anchor_generator(images, levels)
        sizes = [one[0].numel() for one in objectness]
        objectness, sides = concat_box_prediction_layers(objectness, sides)
        boxes = rpn.box_coder.decode(sides.detach(), anchors).view(len(drawn), -1, 4)
        proposals, _ = rpn.filter_proposals(boxes, objectness, images.image_sizes, sizes)
        labels, wanted = rpn.assign_targets_to_anchors(anchors, targets)
        labels = [
            torch.where(in_regions(around, one.ignored) & (of == 0), -1.0, of)  # -1: takes no part
            for around, of, one in zip(anchors, labels, drawn, strict=True)
        ]
        losses = [objectness.sum() * 0, sides.sum() * 0]
        if any(bool((of >= 0).any()) for of in labels):  # of no place at all the library's mean is not defined
            losses += rpn.compute_loss(objectness, sides, labels, rpn.box_coder.encode(wanted, anchors))
        proposals = [_apart(own, one) for own, one in zip(proposals, drawn, strict=True)]
        if sum(map(len, proposals)) + sum(len(one.corners) for one in drawn):
            losses += self.model.roi_heads(features, proposals, images.image_sizes, targets)[1].values()
        return sum(losses)  # type: ignore[return-value]

    def find(
        self, maps: list[torch.Tensor], frame: tuple[int, int], seen: list[tuple[int, int]], least: float, most: int
    ) -> list[Found]:
        images = self.images(len(seen), frame, seen, maps[0])
        features, heads = self.neck(maps), self.model.roi_heads
        heads.score_thresh, heads.detections_per_img = least, most
        proposals, _ = self.model.rpn(images, features)
        return _found(heads(features, proposals, images.image_sizes)[0], 1)


def _too_small(frame: tuple[int, ...]) -> ModelError:
    height, width = frame
    return ModelError(
        text("A frame of {w} x {h} pixels is too small for this detector.", "{w} x {h} 像素的画面对该检测器来说太小。", w=width, h=height),
        text("Its coarsest maps would have no pixel left.", "其最粗的特征图将不剩任何像素。"),
        text(
            "Scale pictures up: --set recipes.finetune.image_size=416; or use another detector, e.g. torchvision:ssdlite320_mobilenet_v3_large",
            "请放大图片：--set recipes.finetune.image_size=416；或换用其他检测器，例如 torchvision:ssdlite320_mobilenet_v3_large",
        ),
    )  # fmt: skip


def _apart(proposals: torch.Tensor, drawn: Drawn) -> torch.Tensor:
    """The proposals without those that lie in a region that is not trained on and on no box."""
    if not len(drawn.ignored):
        return proposals
    on_box = torch.zeros(len(proposals), dtype=torch.bool, device=proposals.device)
    if len(drawn.corners):
        on_box = box_iou(proposals, drawn.corners).amax(dim=1) >= OF_A_BOX
    return proposals[on_box | ~in_regions(proposals, drawn.ignored)]


# ---- a model of the library in two parts


def _take(module: Any, blank: torch.Tensor) -> Pyramid:
    backbone = module.backbone
    behind = shallow(module)
    for name in SHADOW:
        del behind._modules[name]
    if isinstance(module, GeneralizedRCNN):
        return pyramid_of(_Body(backbone.body), TwoStages(behind, _FeaturePyramid(backbone)), (), blank)
    if isinstance(module, SSD):
        blocks = backbone.features if isinstance(backbone, SSDLiteFeatureExtractorMobileNet) else [backbone.features]
        return pyramid_of(_Row(blocks), OneStage(behind, _Further(backbone)), (), blank)
    return pyramid_of(_Body(backbone.body), OneStage(behind, _FeaturePyramid(backbone)), (), blank)


def _head(module: Any) -> set[str]:
    """Names of the weights that give classes."""
    if isinstance(module, GeneralizedRCNN):
        return {f"roi_heads.box_predictor.{name}" for name in module.roi_heads.box_predictor.state_dict()}
    names = {f"head.classification_head.{name}" for name, _ in _layers(module)}
    return {name for name in module.state_dict() if name.rpartition(".")[0] in names}


DETECTORS = detector_anatomy(_take, lambda module: hasattr(module, "transform"), _head)
