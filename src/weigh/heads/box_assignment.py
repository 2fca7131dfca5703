"""Which place of a detector answers for which drawn box: adaptive training sample selection (ATSS), for a whole batch at once.

Before it: `boxes.py` says where places are. Of each stride the places nearest to the middle of a box are its candidates. Those whose square
overlaps the box by more than the mean of all candidates plus one standard deviation, and that lie inside it, answer for it. A box between all
places is answered by the best candidate, so that no box is without one. Nothing has to be tuned to the sizes of a data set.

References:
    Zhang et al. (2020), Bridging the gap between anchor-based and anchor-free detection via adaptive training sample selection, §4.
"""

from __future__ import annotations

import torch

__all__ = ["NOBODY", "SIDE", "assign", "inside", "overlap_of_pairs"]

SIDE = 5  # strides: side of the square around a place
NEAREST = 9  # candidates of each stride
NOBODY = -1


def assign(places: torch.Tensor, corners: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """`(n, places)` int64: the box that each place answers for, or `NOBODY`.

    Args:
        places: `(places, 3)` x, y and stride; those of a stride follow one another.
        corners: `(n, m, 4)` left, top, right, bottom.
        real: `(n, m)` bool: which of them are boxes to be found.
    """
    middles, strides = places[:, :2], places[:, 2:]
    squares = torch.cat([middles - strides * SIDE / 2, middles + strides * SIDE / 2], dim=1)
    overlap = overlap_of_pairs(corners[:, :, None], squares)  # (n, m, places)
    distance = ((corners[..., None, :2] + corners[..., None, 2:]) / 2 - middles).square().sum(dim=3)
    nearest, start = [], 0
    for size in torch.unique_consecutive(strides[:, 0], return_counts=True)[1].tolist():
        part = distance[..., start : start + size]
        nearest.append(part.topk(min(NEAREST, size), dim=2, largest=False).indices + start)
        start += size
    candidates = torch.cat(nearest, dim=2)
    shared = overlap.gather(2, candidates)
    least = shared.mean(dim=2, keepdim=True) + shared.std(dim=2, keepdim=True, unbiased=False)
    answering = (shared >= least) & inside(middles, corners).gather(2, candidates)
    best = shared == shared.amax(dim=2, keepdim=True)
    answering = (answering | (best & ~answering.any(dim=2, keepdim=True))) & real[..., None]
    claims = torch.full_like(overlap, -1).scatter(2, candidates, torch.where(answering, shared, -1))
    most, box = claims.max(dim=1)
    return torch.where(most >= 0, box, NOBODY)


def inside(points: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """`(n, m, points)` bool: which points `(points, 2)` lie inside which boxes `(n, m, 4)`."""
    low, high = corners[:, :, None, :2], corners[:, :, None, 2:]
    return ((points > low) & (points < high)).all(dim=3)


def overlap_of_pairs(first: torch.Tensor, second: torch.Tensor, *, generalised: bool = False) -> torch.Tensor:
    """Intersection over union of boxes `(…, 4)`, pair by pair; 0 where both are empty.

    Args:
        generalised: Less the share of the smallest box around both that neither covers (Rezatofighi et al. 2019), so that boxes that do not
            meet have a gradient too.
    """
    wide, high = (
        torch.minimum(first[..., i + 2], second[..., i + 2]) - torch.maximum(first[..., i], second[..., i])
        for i in (0, 1)
    )
    shared = wide.clamp_min(0) * high.clamp_min(0)
    own, other = ((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]) for boxes in (first, second))
    union = (own + other - shared).clamp_min(1e-6)
    if not generalised:
        return shared / union
    wide, high = (
        torch.maximum(first[..., i + 2], second[..., i + 2]) - torch.minimum(first[..., i], second[..., i])
        for i in (0, 1)
    )
    around = (wide * high).clamp_min(1e-6)
    return shared / union - (around - union) / around
