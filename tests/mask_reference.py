"""What is counted of an answer and a mask, and every metric of masks, from their definitions: loops over pixels, slow and plain.

Masks are lists of rows of class indices, None where a pixel is ignored. Nothing of weigh is used.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

Mask = list[list["int | None"]]
CROSS = ((-1, 0), (1, 0), (0, -1), (0, 1))
AROUND = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))
DEPTHS = (0, 2, 4, 8, 16)


class Counts(NamedTuple):
    """Of one picture; by class, by (class, class), by the bin of depths, or by small, medium and large."""

    hit: Counter
    predicted: Counter
    actual: Counter
    near_of_answer: Counter
    border_of_answer: Counter
    near_of_mask: Counter
    border_of_mask: Counter
    wrong_at: Counter
    pixels_at: Counter
    missed: Counter
    objects: Counter
    confused: Counter


def compare(answer: Mask, mask: Mask) -> Counts:
    known = {(y, x): c for y, row in enumerate(mask) for x, c in enumerate(row) if c is not None}
    answered = {place: answer[place[0]][place[1]] for place in known}
    ignored = {(y, x) for y, row in enumerate(mask) for x, c in enumerate(row) if c is None}
    reach = max(1.0, 0.0075 * math.hypot(len(mask), len(mask[0])))
    edges = [_border(side, ignored, reach) for side in (answered, known)]
    near = [_near(own, other, reach) for own, other in (edges, edges[::-1])]
    depth = _depths(set(edges[1]) | ignored, len(mask), len(mask[0]))
    bins = {place: max(i for i, begin in enumerate(DEPTHS) if depth.get(place, math.inf) >= begin) for place in known}
    wrong = [place for place in known if answered[place] != known[place]]
    missed, objects = Counter(), Counter()
    for c, places in _objects(known):
        share = len(places) / (len(mask) * len(mask[0]))
        size = 0 if share < 0.001 else 1 if share < 0.01 else 2
        objects[size] += 1
        missed[size] += sum(answered[place] == c for place in places) < len(places) / 2
    return Counts(
        Counter(c for place, c in known.items() if answered[place] == c),
        Counter(answered.values()),
        Counter(known.values()),
        near[0],
        Counter(edges[0].values()),
        near[1],
        Counter(edges[1].values()),
        Counter(bins[place] for place in wrong),
        Counter(bins.values()),
        missed,
        objects,
        Counter((c, answered[place]) for place, c in known.items()),
    )


def _border(pixels: dict, ignored: set, reach: float) -> dict:
    """Pixels beside another class, or beside ignored ones with another class not far: the border may run in between."""
    steps, border = _within(max(3.0, 2 * max(1, math.floor(reach**2 + 1e-9)) ** 0.5)), {}
    for (y, x), c in pixels.items():
        beside = [(y + dy, x + dx) for dy, dx in CROSS]
        hidden = any(place in ignored for place in beside)
        if any(pixels.get(place, c) != c for place in beside) or (
            hidden and any(pixels.get((y + dy, x + dx), c) != c for dy, dx in steps)
        ):
            border[y, x] = c
    return border


def _within(reach: float) -> list[tuple[int, int]]:
    r = int(reach)
    return [(y, x) for y in range(-r, r + 1) for x in range(-r, r + 1) if math.hypot(y, x) <= reach + 1e-9]


def _near(own: dict, other: dict, reach: float) -> Counter:
    steps = _within(reach)
    return Counter(c for (y, x), c in own.items() if any(other.get((y + dy, x + dx)) == c for dy, dx in steps))


def _depths(start: set, height: int, width: int) -> dict:
    """Steps to the nearest of `start`, rings of neighbours one after another."""
    depth, ring, d = dict.fromkeys(start, 0), start, 0
    while ring:
        d += 1
        ring = {(y + dy, x + dx) for y, x in ring for dy, dx in AROUND if 0 <= y + dy < height and 0 <= x + dx < width}
        ring -= depth.keys()
        depth |= dict.fromkeys(ring, d)
    return depth


def _objects(known: dict) -> list[tuple[int, set]]:
    left, objects = dict(known), []
    while left:
        place, c = left.popitem()
        members, ring = {place}, [place]
        while ring:
            y, x = ring.pop()
            for other in ((y + dy, x + dx) for dy, dx in AROUND):
                if left.get(other) == c:
                    del left[other]
                    members.add(other)
                    ring.append(other)
        objects.append((c, members))
    return objects


# Metrics ------------------------------------------------------------------------------------------------------------

Of = Callable[[float, float, float], float]


def iou(hit: float, predicted: float, actual: float) -> float:
    return hit / (predicted + actual - hit)


def dice(hit: float, predicted: float, actual: float) -> float:
    return 2 * hit / (predicted + actual)


def pooled(counts: list[Counts], weights: list[float], classes: int) -> list[tuple[float, float, float] | None]:
    """(hit, predicted, actual) of every class over all pictures; None for a class that does not occur."""
    totals = [
        tuple(sum(w * one[k][c] for one, w in zip(counts, weights, strict=True)) for k in range(3))
        for c in range(classes)
    ]
    return [t if t[1] + t[2] > 0 else None for t in totals]


def mean(values: list[float], weights: list[float] | None = None) -> float:
    weights = [1.0] * len(values) if weights is None else weights
    total = sum(weights)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total if total > 0 else math.nan


def over_classes(of: Of) -> Callable[[list[Counts], list[float], int], float]:
    return lambda counts, weights, classes: mean([of(*t) for t in pooled(counts, weights, classes) if t])


def over_pictures(of: Of) -> Callable[[list[Counts], list[float], int], float]:
    def metric(counts: list[Counts], weights: list[float], classes: int) -> float:
        scored = [(over_classes(of)([one], [1.0], classes), w) for one, w in zip(counts, weights, strict=True)]
        scored = [(score, w) for score, w in scored if not math.isnan(score)]
        return mean([score for score, _ in scored], [w for _, w in scored])

    return metric


def pixel_accuracy(counts: list[Counts], weights: list[float], classes: int) -> float:
    totals = [t for t in pooled(counts, weights, classes) if t]
    known = sum(actual for *_, actual in totals)
    return sum(hit for hit, *_ in totals) / known if known else math.nan


def frequency_weighted_iou(counts: list[Counts], weights: list[float], classes: int) -> float:
    totals = [t for t in pooled(counts, weights, classes) if t]
    return mean([iou(*t) for t in totals], [actual for *_, actual in totals])


def border_f1(counts: list[Counts], weights: list[float], classes: int) -> float:
    scores = []
    for c in range(classes):
        near_answer, answer, near_mask, mask = (
            sum(w * one[k][c] for one, w in zip(counts, weights, strict=True)) for k in range(3, 7)
        )
        if answer + mask > 0:
            precision, recall = near_answer / answer if answer else 0.0, near_mask / mask if mask else 0.0
            scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return mean(scores)


METRICS = {
    "mean_iou": over_classes(iou),
    "mean_dice": over_classes(dice),
    "pixel_accuracy": pixel_accuracy,
    "frequency_weighted_iou": frequency_weighted_iou,
    "border_f1": border_f1,
    "mean_iou_per_picture": over_pictures(iou),
    "dice_per_picture": over_pictures(dice),
}
