"""Augmentation in batches, on tensors: what a picture becomes depends on its draw, not on the batch it is in.

"standard": a random crop of 35 to 100 % of the area (aspect 3/4 to 4/3) resized to the input, mirrored half of the
time (Szegedy et al. 2015, §6; the lower bound is raised from 8 % for small data sets). "light": a shift of up to 12 %
and mirroring; "gentle" a crop of 60 to 100 %, for boxes, whose sizes tell classes apart; "contrast" a crop of 20 to 100 %, for two views of one picture (Chen et al. 2020, appendix A). One affine grid
and one bilinear sampling serve all pictures of a batch.
"""

from __future__ import annotations

import math

import torch

__all__ = ["augment", "augment_boxes", "augment_labels", "draw", "draw_colours", "recolour"]

LEAST_AREA = {"standard": 0.35, "contrast": 0.2, "gentle": 0.6}
LEAST_SEEN = 0.3  # of a box: where a crop shows less, it is no longer an example of its class
JITTER, GREY = 0.4, 0.2  # brightness, contrast and saturation change by up to so much; share of pictures without colour


def draw(n: int, kind: str, generator: torch.Generator) -> torch.Tensor:
    """`(n, 5)`: per picture the crop's width and height (share of the square), its centre x and y in [-1, 1], mirror sign."""
    u = torch.rand(n, 5, generator=generator)
    if kind == "light":
        width = height = torch.full((n,), 0.88)
    else:
        least = LEAST_AREA[kind]
        area = least + (1 - least) * u[:, 0]
        aspect = torch.exp((2 * u[:, 1] - 1) * math.log(4 / 3))
        width, height = (area * aspect).sqrt().clamp_max(1), (area / aspect).sqrt().clamp_max(1)
    x, y = (2 * u[:, 2] - 1) * (1 - width), (2 * u[:, 3] - 1) * (1 - height)
    return torch.stack([width, height, x, y, torch.where(u[:, 4] < 0.5, -1.0, 1.0)], dim=1)


def augment(squares: torch.Tensor, drawn: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Crops of `(n, height, width, 3)` uint8 as `(n, *shape, 3)` uint8."""
    grid = _grid(drawn.to(squares.device), shape)
    pictures = squares.permute(0, 3, 1, 2).float()
    sampled = torch.nn.functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return sampled.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def augment_labels(labels: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """`(n, height, width)` class indices, cut and mirrored as `augment` does it with the pictures; no two are mixed."""
    grid = _grid(drawn.to(labels.device), tuple(labels.shape[1:]))
    values = labels[:, None].to(torch.float32)  # exact up to 16 million
    moved = torch.nn.functional.grid_sample(
        values, grid, mode="nearest", padding_mode="reflection", align_corners=False
    )
    return moved[:, 0].to(labels.dtype)


def augment_boxes(
    corners: torch.Tensor, drawn: torch.Tensor, shape: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where boxes lie once `augment` has cut and mirrored their pictures.

    Args:
        corners: `(n, m, 4)` left, top, right, bottom, in pixels of pictures of this shape.

    Returns:
        `(n, m, 4)`, what is seen of each (nothing: no width or no height), and `(n, m)` bool: whether that is enough to know it by.
    """
    width, height, x, y, mirror = (value[:, None, None] for value in drawn.to(corners.device).unbind(dim=1))
    most = corners.new_tensor(shape[::-1])
    low, high = (
        corners[..., i : i + 2] / most * 2 - 1 for i in (0, 2)
    )  # as `affine_grid` counts: -1 and 1 are the borders
    middle, scale = torch.cat([x, y], dim=2), torch.cat([width * mirror, height], dim=2)
    first, second = ((side - middle) / scale for side in (low, high))
    moved = torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=2)
    moved = (moved + 1) / 2 * most.repeat(2)
    seen = torch.minimum(moved.clamp_min(0), most.repeat(2))
    whole, part = ((box[..., 2:] - box[..., :2]).prod(dim=2) for box in (moved, seen))
    return seen, part >= LEAST_SEEN * whole


def _grid(drawn: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Where each pixel of the crops lies in its picture."""
    width, height, x, y, mirror = drawn.unbind(dim=1)
    zero = torch.zeros_like(x)
    affine = torch.stack([torch.stack([width * mirror, zero, x], 1), torch.stack([zero, height, y], 1)], 1)
    return torch.nn.functional.affine_grid(affine, [len(drawn), 3, *shape], align_corners=False)


def draw_colours(n: int, generator: torch.Generator) -> torch.Tensor:
    """`(n, 3)`: factors of brightness, contrast and saturation, the last 0 for a fifth of the pictures."""
    u = torch.rand(n, 4, generator=generator)
    factors = 1 + JITTER * (2 * u[:, :3] - 1)
    return torch.cat([factors[:, :2], torch.where(u[:, 3:] < GREY, 0.0, factors[:, 2:])], dim=1)


def recolour(pictures: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """`(n, size, size, 3)` uint8 in other colours, as uint8; the contrast is about each picture's mean grey."""
    brightness, contrast, saturation = drawn.to(pictures.device).view(len(drawn), 3, 1, 1, 1).unbind(dim=1)
    x = pictures.float() * brightness
    grey = (x * x.new_tensor([0.299, 0.587, 0.114])).sum(dim=3, keepdim=True)
    middle = grey.mean(dim=(1, 2), keepdim=True)
    x = grey + saturation * (x - grey)
    x = middle + contrast * (x - middle)
    return x.round_().clamp_(0, 255).to(torch.uint8)
