"""Boxes: a light one-stage detector on the maps of any picture model.

The maps at strides 8, 16 and 32 are brought to one width, the coarser ones are added to the finer ones and these to the coarser ones again (Liu et
al. 2018, Path aggregation network, §3), with depthwise and pointwise convolutions. One head serves all strides: at every place it says which
class is there and how far the four sides are. Its score is trained to be the overlap of its box with the drawn one (Li et al. 2020,
Generalized focal loss, §3), so that scores rank boxes. It has group norms, which do not depend on the batch.

A network's "logits" are `(n, places, classes + 4 + 3)`: of each place the logits of the classes, the corners of its box in pixels of the
frame, and its x, y and stride: loss and answers need nothing else. Which place answers for which box: `box_assignment.py`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import batched_nms

from weigh.heads.base import HEADS, Exported, Head, number_of_classes, same_total
from weigh.heads.box_assignment import NOBODY, SIDE, assign, inside, overlap_of_pairs
from weigh.inputs.augment import augment_boxes
from weigh.inputs.base import Batch, Placed
from weigh.kinds.base import rows_of
from weigh.kinds.box_list import Detections
from weigh.kinds.box_thresholds import best_threshold
from weigh.kinds.boxes import BoxesKind
from weigh.models.maps import Pyramid
from weigh.models.own_boxes import IGNORED, NOTHING, SEEN
from weigh.models.preprocessing import fitted

__all__ = ["Detector"]

STRIDES = (8, 16, 32)
WIDTH = 96  # channels of neck and head
DEPTH = 2  # pairs of convolutions before classes, and before sides
PRIOR = 0.01  # score of every class before training (Lin et al. 2017, Focal loss, §4.1)
FARTHEST = 4.0  # most of the logarithm of a predicted distance: exp(4) = 55 times that of the square around a place
OF_PLACES = 0.25  # factor on the loss of the places: about four of them answer for a box
OF_SIDES = 2.0  # weight of the overlap beside that of the scores (Li et al. 2020)
# Of what is answered: the least score, the places that are compared, the detections of a picture.
LEAST_SCORE, MOST_RANKED, MOST = 0.001, 1000, 100
SAME = 0.6  # detections of a class that overlap by more are the same


class _Separable(nn.Sequential):
    """A depthwise and a pointwise convolution."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH, bias=False), nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
            nn.GroupNorm(8, WIDTH), nn.ReLU(inplace=True),
        )  # fmt: skip


class Detector(nn.Module):
    """`[(n, width, h, w), …]`, finest first, to `(n, places, outputs + 4 + 3)` float32, whatever the passes run in.

    A stride that the model lacks is made of the nearest one that it has.

    Args:
        generator: Draws its weights; None: zeros.

    Attributes:
        threshold: From this score on a detection is told to people (`Head.settle`).
    """

    threshold: torch.Tensor

    def __init__(self, pyramid: Pyramid, outputs: int, generator: torch.Generator | None) -> None:
        super().__init__()
        near = [min(range(len(pyramid.strides)), key=lambda i: abs(math.log(pyramid.strides[i] / s))) for s in STRIDES]
        self.used, self.out_features = list(dict.fromkeys(near)), outputs
        self.near = near
        self.scale = [2.0 ** round(math.log2(pyramid.strides[i] / s)) for i, s in zip(near, STRIDES, strict=True)]
        self.strides = [pyramid.strides[i] / scale for i, scale in zip(near, self.scale, strict=True)]
        self.narrow = nn.ModuleList(nn.Conv2d(pyramid.widths[i], WIDTH, 1) for i in near)
        self.norms = nn.ModuleList(nn.GroupNorm(8, WIDTH) for _ in near)
        self.finer = nn.ModuleList(_Separable() for _ in near[1:])
        self.coarser = nn.ModuleList(_Separable() for _ in near[1:])
        self.classes, self.sides = (nn.Sequential(*(_Separable() for _ in range(DEPTH))) for _ in range(2))
        self.last_classes, self.last_sides = nn.Conv2d(WIDTH, outputs, 1), nn.Conv2d(WIDTH, 4, 1)
        self.reach = nn.Parameter(torch.ones(len(near)))  # what a stride makes of the logarithms of distances
        self.register_buffer("threshold", torch.tensor(0.5))
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d):
                    if layer.bias is not None:
                        layer.bias.zero_()
                    last = layer in (self.last_classes, self.last_sides)
                    scale = 0.01 if last else layer.weight[0].numel() ** -0.5
                    layer.weight.zero_() if generator is None else layer.weight.normal_(0, scale, generator=generator)
            self.last_classes.bias.fill_(-math.log(1 / PRIOR - 1))  # type: ignore[union-attr]

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        parts = [self._answers(i, level) for i, level in enumerate(self._neck(maps))]
        return torch.cat(parts, dim=1)

    def _neck(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """The maps of all strides, each with what the others know."""
        levels = []
        for place, scale, narrow, norm in zip(self.near, self.scale, self.narrow, self.norms, strict=True):
            own = functional.relu(norm(narrow(maps[place])))
            if scale != 1:
                own = functional.interpolate(own, scale_factor=scale, mode="bilinear", align_corners=False)
            levels.append(own)
        for i in reversed(range(len(self.finer))):
            above = functional.interpolate(levels[i + 1], size=levels[i].shape[2:], mode="nearest")
            levels[i] = self.finer[i](levels[i] + above)
        for i, coarser in enumerate(self.coarser):
            below = functional.interpolate(
                levels[i], size=levels[i + 1].shape[2:], mode="bilinear", align_corners=False
            )
            levels[i + 1] = coarser(levels[i + 1] + below)
        return levels

    def _answers(self, i: int, level: torch.Tensor) -> torch.Tensor:
        """`(n, h * w, outputs + 4 + 3)` of one stride; the last layers are exact: bfloat16 would move a side of 100 pixels by half a pixel."""
        of_classes, of_sides, stride = self.classes(level), self.sides(level), self.strides[i]
        with torch.autocast(level.device.type, enabled=False):
            logits = self.last_classes(of_classes.float())
            reach = (self.last_sides(of_sides.float()) * self.reach[i]).clamp_max(FARTHEST).exp() * (stride * SIDE / 2)
            y = (torch.arange(level.shape[2], device=level.device, dtype=torch.float32) + 0.5) * stride
            x = (torch.arange(level.shape[3], device=level.device, dtype=torch.float32) + 0.5) * stride
            x, y = (values[:, None].expand_as(reach[:, :1]) for values in (x[None, None], y[None, :, None]))
            left, top, right, bottom = reach.split(1, dim=1)
            whole = [logits, x - left, y - top, x + right, y + bottom, x, y, torch.full_like(x, stride)]
            return torch.cat(whole, dim=1).flatten(2).transpose(1, 2)


def _split(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of classes, corners, and places."""
    classes, corners, places = logits.split([logits.shape[2] - 7, 4, 3], dim=2)
    return classes, corners, places


# ---- targets and loss


def _targets(target: np.ndarray, _batch: torch.Tensor, placed: Placed | None) -> torch.Tensor:
    """`(n, m, 5)` float32: corners in pixels of the frame, and the class; `IGNORED` of regions that are not trained on, `NOTHING` of empty rows,
    `SEEN` in the last row: the part of the frame that the picture fills.
    """
    assert placed is not None
    rows = torch.full((len(target), 1 + max(1, *(len(boxes.classes) for boxes in target)), 5), float(NOTHING))
    for row, boxes in zip(rows, target, strict=True):
        height, width = fitted((boxes.height, boxes.width), placed.frame)
        scale = np.array([width / boxes.width, height / boxes.height] * 2)
        unknown = boxes.crowd | (boxes.classes < 0)
        classes = np.where(unknown, IGNORED, boxes.classes)
        whole = np.column_stack([boxes.corners * scale, classes])
        row[: len(whole)] = torch.from_numpy(whole.astype(np.float32))
        row[-1, :4] = torch.tensor([0.0, 0.0, width, height])
    if placed.drawn is not None:
        rows[..., :4], shown = augment_boxes(rows[..., :4], placed.drawn, placed.frame)
        rows[..., 4] = torch.where(shown | (rows[..., 4] < 0), rows[..., 4], IGNORED)
    empty = (rows[..., 2] <= rows[..., 0]) | (rows[..., 3] <= rows[..., 1])
    rows[..., 4].masked_fill_(empty, NOTHING)
    rows[:, -1, 4] = SEEN
    return rows


def _loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Quality focal loss of the scores and generalised overlap of the boxes, over the drawn boxes and pictures; `weight` is per class."""
    scores, corners, places = _split(logits)
    drawn, classes = target[..., :4], target[..., 4].long()
    with torch.no_grad():
        box = assign(places[0], drawn, classes >= 0)
        picture, place = torch.nonzero(box != NOBODY, as_tuple=True)
        answered = box[picture, place]
        wanted = drawn[picture, answered]
        of_class = classes[picture, answered]
        quality = torch.zeros_like(scores)
        quality[picture, place, of_class] = overlap_of_pairs(corners[picture, place], wanted)
        known = ~(inside(places[0, :, :2], drawn) & (classes == IGNORED)[..., None]).any(dim=1) | (box != NOBODY)
        weights = torch.ones_like(scores) * known[..., None]
        if weight is not None:
            weights[picture, place, of_class] *= weight[of_class]
    far = (scores.sigmoid() - quality).square()
    of_scores = (functional.binary_cross_entropy_with_logits(scores, quality, reduction="none") * far * weights).sum()
    apart = 1 - overlap_of_pairs(corners[picture, place], wanted, generalised=True)
    if weight is not None:
        apart = apart * weight[of_class]
    return OF_PLACES * (of_scores + OF_SIDES * apart.sum()) / _count(target)


def _count(target: torch.Tensor) -> int:
    """The drawn boxes, and one for each picture: a picture without boxes has something to teach too."""
    return len(target) + int((target[..., 4] >= 0).sum())


def _balance(target: np.ndarray, classes: int) -> torch.Tensor:
    """Weights of the classes that give each the same total, counted in boxes; crowds do not count."""
    counts = np.zeros(classes)
    for boxes in target:
        counts += np.bincount(boxes.classes[(boxes.classes >= 0) & ~boxes.crowd], minlength=classes)
    return same_total(counts)


# ---- answers


def _answers(head: nn.Module, logits: torch.Tensor, batch: Batch, _width: int) -> np.ndarray:
    """`(n,)` object: the `Detections` of each picture, in its own pixels."""
    assert batch.sizes is not None
    assert batch.frame is not None
    threshold = float(head.threshold)
    scores, corners, _ = _split(logits.float())
    detections = []
    for own, boxes, (height, width) in zip(scores.sigmoid(), corners, batch.sizes.tolist(), strict=True):
        high, wide = fitted((height, width), batch.frame)
        place, of_class = torch.nonzero(own > LEAST_SCORE, as_tuple=True)
        score = own[place, of_class]
        score, ranked = score.sort(descending=True, stable=True)
        score, place, of_class = score[:MOST_RANKED], place[ranked[:MOST_RANKED]], of_class[ranked[:MOST_RANKED]]
        pixels, seen = _in_picture(boxes[place], (height, width), (high, wide))
        score, of_class, pixels = score[seen], of_class[seen], pixels[seen]
        kept = batched_nms(pixels, score, of_class, SAME)[:MOST]
        arrays = (value[kept].cpu().numpy() for value in (pixels, of_class, score))
        detections.append(Detections.of(height, width, *arrays, threshold))
    return rows_of(detections)


def _in_picture(
    corners: torch.Tensor, size: tuple[int, int], inside: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Corners in pixels of a picture, and `(m,)` bool: which boxes have an area in it.

    Args:
        corners: `(m, 4)` in pixels of the frame.
        size, inside: Its height and width, and those that it has in the frame.
    """
    scale = corners.new_tensor([size[1] / inside[1], size[0] / inside[0]] * 2)
    pixels = torch.minimum((corners * scale).clamp_min(0), corners.new_tensor([size[1], size[0]] * 2))
    return pixels, (pixels[:, 2:] > pixels[:, :2]).all(dim=1)


def _own_answers(head: nn.Module, maps: list[torch.Tensor], batch: Batch, _width: int) -> np.ndarray:
    """The answers of a model's own detector, which drops repeated detections in its own way."""
    assert batch.sizes is not None
    assert batch.frame is not None
    threshold, detections = float(head.threshold), []
    sizes = [(height, width) for height, width in batch.sizes.tolist()]
    inside = [fitted(size, batch.frame) for size in sizes]
    for own, size, fits in zip(head.find(maps, inside, least=LEAST_SCORE, most=MOST), sizes, inside, strict=True):
        pixels, seen = _in_picture(own.corners, size, fits)
        arrays = (value[seen].cpu().numpy() for value in (pixels, own.classes, own.scores))
        detections.append(Detections.of(*size, *arrays, threshold))
    return rows_of(detections)


def _own_exported(places: torch.Tensor, _pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
    scores, corners = places.split([places.shape[2] - 4, 4], dim=2)
    return corners, scores


def _settle(recorded: np.ndarray, _target: np.ndarray) -> dict[str, float]:
    return {"threshold": best_threshold(recorded)}


def _exported(logits: torch.Tensor, _pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Corners in pixels of the frame, and the score of every class, of all places."""
    scores, corners, _ = _split(logits)
    return corners, scores.sigmoid()


# the loss of a model's own detector is its own (`models.own_boxes`)
OWN = Head(
    number_of_classes, number_of_classes, _targets, _loss, len, _own_answers, port="boxes", settle=_settle,  # type: ignore[arg-type]
    exported=Exported(("boxes", "scores"), _own_exported),
)  # fmt: skip
HEADS.register(
    BoxesKind.name,
    Head(
        number_of_classes, number_of_classes, _targets, _loss, _count, _answers, balance=_balance, port="maps",
        decoder=Detector, settle=_settle, exported=Exported(("boxes", "scores"), _exported), own=OWN,
    ),
)  # fmt: skip
