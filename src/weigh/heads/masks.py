"""Masks: the class of every pixel. A light decoder on the maps of any picture model, or one linear layer for every pixel behind a
model's own decoder; cross entropy over the pixels that are not ignored.

The decoder brings every map to one width, adds the coarser ones to the finer ones (Lin et al. 2017, Feature pyramid networks, §3) and
smooths the finest with one depthwise and one pointwise convolution, as LR-ASPP and other light heads do (Howard et al. 2019, §6.4). It has
group norms, which do not depend on the batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from weigh.heads.base import HEADS, Exported, Head, number_of_classes, same_total
from weigh.inputs.augment import augment_labels
from weigh.inputs.base import Batch, Placed
from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap, ignored_mark
from weigh.kinds.masks import Masks
from weigh.models.maps import OwnDecoder, Pyramid
from weigh.models.preprocessing import fitted

__all__ = ["Decoder", "PixelClassifier", "decoder_of"]

IGNORED = -100  # torch's own mark of what a loss leaves out
WIDTH = 96  # channels of the decoder
FINEST, COARSEST = 4, 32  # strides of the maps that are used, where the model has them


class Decoder(nn.Module):
    """`[(n, width, h, w), …]`, finest first, to logits `(n, outputs, h, w)` at the stride of the finest map that is used.

    Args:
        generator: Draws its weights; None: zeros in the last layer.
    """

    def __init__(self, pyramid: Pyramid, outputs: int, generator: torch.Generator | None) -> None:
        super().__init__()
        widths = pyramid.widths
        wanted = [i for i, stride in enumerate(pyramid.strides) if FINEST <= stride <= COARSEST]
        self.used = wanted or [len(widths) - 1]
        self.out_features = outputs
        self.narrow = nn.ModuleList(nn.Conv2d(widths[i], WIDTH, 1) for i in self.used)
        self.norms = nn.ModuleList(nn.GroupNorm(8, WIDTH) for _ in self.used)
        self.smooth = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH, bias=False), nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
            nn.GroupNorm(8, WIDTH), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.last = nn.Conv2d(WIDTH, outputs, 1)
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d):
                    if layer.bias is not None:
                        layer.bias.zero_()
                    fan_in = layer.weight[0].numel()
                    scale = 0.01 if layer is self.last else fan_in**-0.5
                    layer.weight.zero_() if generator is None else layer.weight.normal_(0, scale, generator=generator)

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        sum_of_coarser: torch.Tensor | None = None
        for place, narrow, norm in reversed(list(zip(self.used, self.narrow, self.norms, strict=True))):
            own = functional.relu(norm(narrow(maps[place])))
            if sum_of_coarser is not None:
                size = own.shape[2:]
                own = own + functional.interpolate(sum_of_coarser, size=size, mode="bilinear", align_corners=False)
            sum_of_coarser = own
        assert sum_of_coarser is not None
        return self.last(self.smooth(sum_of_coarser))


class PixelClassifier(nn.Module):
    """One linear layer for every pixel behind the model's own decoder: `[(n, width, h, w), …]` to logits `(n, outputs, h, w)`.

    Args:
        generator: Draws its weights (normal, sd 0.01); None: zeros.
    """

    def __init__(self, own: OwnDecoder, outputs: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.used, self.out_features = list(own.used), outputs
        self.decoder, self.last = own.module, nn.Conv2d(own.width, outputs, 1)
        with torch.no_grad():
            self.last.bias.zero_()
            self.last.weight.zero_() if generator is None else self.last.weight.normal_(0, 0.01, generator=generator)

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        return self.last(self.decoder(maps))


def decoder_of(pyramid: Pyramid, outputs: int, generator: torch.Generator | None) -> nn.Module:
    """From the maps of a model to logits: behind its own decoder, if it has one."""
    if pyramid.own is not None:
        return PixelClassifier(pyramid.own, outputs, generator)
    return Decoder(pyramid, outputs, generator)


def _targets(target: np.ndarray, _batch: torch.Tensor, placed: Placed | None) -> torch.Tensor:
    """`(n, *frame)` int64: the class of every pixel that the network sees, `IGNORED` beside the picture and where nobody knows it."""
    assert placed is not None
    labels = torch.full((len(target), *placed.frame), IGNORED, dtype=torch.int32)
    for row, mask in zip(labels, target, strict=True):
        height, width = fitted((mask.height, mask.width), placed.frame)
        row[:height, :width] = _scaled(mask, height, width)
    if placed.drawn is not None:
        labels = augment_labels(labels, placed.drawn)
    return labels.to(torch.int64)


def _scaled(mask: LabelMap, height: int, width: int) -> torch.Tensor:
    """`(height, width)` int32: every pixel takes the class of the nearest one; classes are never mixed."""
    indices = mask.indices()
    classes = torch.from_numpy(indices.astype(np.int32))
    classes[torch.from_numpy(indices == ignored_mark(indices.dtype))] = IGNORED
    if (height, width) == tuple(classes.shape):
        return classes
    scaled = functional.interpolate(classes[None, None].float(), size=(height, width), mode="nearest-exact")
    return scaled[0, 0].to(torch.int32)


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Mean over the pixels that are not ignored; `weight` is per class."""
    logits = functional.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False)
    known = (target != IGNORED).sum().clamp_min(1)
    # divided by the pixels, not by their weights, so that gradients of batches are comparable
    return functional.cross_entropy(logits, target, weight=weight, ignore_index=IGNORED, reduction="sum") / known


def _with_dice(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Cross entropy plus 1 - the soft Dice of the classes in the batch (Milletari et al. 2016, §3)."""
    known = (target != IGNORED)[:, None]
    whole = functional.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False)
    answered = whole.softmax(dim=1) * known
    actual = functional.one_hot(target.clamp_min(0), whole.shape[1]).permute(0, 3, 1, 2) * known
    both, either = (answered * actual).sum(dim=(0, 2, 3)), (answered + actual).sum(dim=(0, 2, 3))
    occurs = actual.sum(dim=(0, 2, 3)) > 0
    dice = (2 * both[occurs] / either[occurs]).mean() if bool(occurs.any()) else whole.new_ones(())
    return _cross_entropy(logits, target, weight) + 1 - dice


def _pixels(target: torch.Tensor) -> int:
    return int((target != IGNORED).sum())


def _answers(_head: nn.Module, logits: torch.Tensor, batch: Batch, _width: int) -> np.ndarray:
    """`(n,)` object: a `LabelMap` in the size of each picture, from logits that are scaled up to it."""
    frame = batch.frame
    assert batch.sizes is not None
    assert frame is not None
    maps = []
    for own, (height, width) in zip(logits, batch.sizes.tolist(), strict=True):
        seen = functional.interpolate(own[None].float(), size=frame, mode="bilinear", align_corners=False)
        inside = fitted((height, width), frame)
        seen = seen[:, :, : inside[0], : inside[1]]
        if inside != (height, width):
            seen = functional.interpolate(seen, size=(height, width), mode="bilinear", align_corners=False)
        classes = seen[0].argmax(dim=0).to(torch.int32).cpu().numpy()
        maps.append(LabelMap.of(classes, logits.shape[1]))
    return rows_of(maps)


def _balance(target: np.ndarray, _classes: int) -> torch.Tensor:
    """Weights of the classes that give each the same total, counted in pixels."""
    return same_total(np.sum([mask.counts for mask in target], axis=0, dtype=np.float64))


def _exported(logits: torch.Tensor, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Logits and classes of every pixel of the frame."""
    logits = functional.interpolate(logits, size=pictures.shape[2:], mode="bilinear", align_corners=False)
    return logits, logits.argmax(dim=1)


HEADS.register(
    Masks.name,
    Head(
        number_of_classes, number_of_classes, _targets, _cross_entropy, _pixels, _answers, balance=_balance,
        losses={"cross-entropy": _cross_entropy, "cross-entropy+dice": _with_dice}, port="maps", decoder=decoder_of,
        exported=Exported(("logits", "label"), _exported),
    ),
)  # fmt: skip
