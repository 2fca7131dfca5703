"""Average precision of detections under any weights of the pictures, for a thousand weightings at once: what COCO's mAP is made of.

Of each class detections are sorted by score once. Under weights, what was hit and what was detected up to each score are cumulative sums; the
precision at a recall is the best that any recall as high or higher has, and the score is its mean at 101 recalls, as COCO defines it
(Lin et al. 2014; `pycocotools.cocoeval`).

Detections of equal score count together, so that the order of the pictures does not matter and a weight of 2 is the same picture twice.
pycocotools takes them one after the other, picture by picture in the order of their ids. Where no scores tie the two agree to rounding;
where they do, ours is what pycocotools gives if the false alarms among them come first, so no order of the pictures scores less.

Before it: `kinds/box_statistics.py`. After it: `detection.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from weigh.kinds.box_statistics import IOUS, BoxStatistics
from weigh.metrics.parts import Parts, among_pictures
from weigh.metrics.shares import mean_where, share

__all__ = [
    "average_precision_without",
    "classes_that_count",
    "measure_ranks",
    "parts_of_ranks",
    "ranks_of_class",
    "reduce_ranks",
]

STEPS = 100
# COCO compares recalls with np.linspace(0, 1, 101). Some of its values are a rounding error above the hundredth that they stand for, and a recall
# of exactly that hundredth does not reach them. The same is done here, with 1e-10 of room, as sums of weights are not exact.
HUNDREDTHS = np.arange(STEPS + 1) / STEPS
RECALLS = HUNDREDTHS + np.where(np.linspace(0.0, 1.0, STEPS + 1) > HUNDREDTHS, 1e-10, -1e-10)
CELLS = 500_000  # weightings times detections that are summed at a time
EXACT = 2_000_000  # units times detections of a class that are left out one by one: a tenth of a second
BITS = 1 << len(IOUS)
# AP of few pictures is too high, and that of half of them higher still. The pictures are halved at random so many times; what AP is too high by is
# taken to be `FADES` times the difference between the mean AP of the halves and the AP of all.
SPLITS = 8
FADES = 2.0


def measure_ranks(rows: np.ndarray, classes: np.ndarray | None, area: int, ious: slice) -> np.ndarray:
    """`(n, 2 * places)`: pairs (code, value) of what counts in one range of areas; more zeros at the right change nothing.

    Of a detection the code is ((class + 1) * 1024 + bits of hits) * 1024 + bits of being ignored, and the value its score; of a class of which
    boxes were drawn -(class + 1) and their number.

    Args:
        rows: Of `BoxStatistics`.
        classes: Those that the score speaks of; None: all.
        ious: Which of `IOUS`.
    """
    places = BoxStatistics(rows, 0).places
    head = places[..., 0]  # of a detection class + 1, of a class of which boxes were drawn -(class + 1)
    mask = sum(1 << i for i in range(*ious.indices(len(IOUS))))
    hits, ignored = (places[..., i].astype(np.int64) >> (len(IOUS) * area) & mask for i in (6, 7))
    detected, drawn = head > 0, head < 0
    code = np.where(detected, (head * BITS + hits) * BITS + ignored, head)
    value = np.where(detected, places[..., 1], places[..., 1 + area] * drawn)
    used = (detected & (ignored != mask)) | (drawn & (value > 0))
    if classes is not None:
        used &= np.isin(np.abs(head), np.asarray(classes) + 1)
    pairs = np.where(used[..., None], np.stack([code, value], axis=2), 0.0)
    order = np.argsort(~used, axis=1, kind="stable")  # empty places to the right, and off where all rows have them
    pairs = np.take_along_axis(pairs, order[..., None], axis=1)[:, : int(used.sum(axis=1).max(initial=0))]
    return pairs.reshape(len(rows), pairs.shape[1] * 2)


def ranks_of_class(statistics: np.ndarray, c: int) -> np.ndarray:
    """`(n, 2 * places)` those of one class (`Metric.alone`)."""
    pairs = statistics.reshape(len(statistics), -1, 2)
    code = pairs[..., 0]
    own = np.where(code > 0, code // (BITS * BITS), -code) == c + 1
    order = np.argsort(~own, axis=1, kind="stable")[:, : int(own.sum(axis=1).max(initial=0))]
    kept = np.take_along_axis(np.where(own[..., None], pairs, 0.0), order[..., None], axis=1)
    return kept.reshape(len(statistics), -1)


def classes_that_count(statistics: np.ndarray) -> np.ndarray:
    """Indices of the classes of which a box was drawn in this range of areas (`Metric.counting`)."""
    code = statistics[:, ::2]
    return np.unique(-code[code < 0]).astype(np.int64) - 1


class _Class(NamedTuple):
    """The detections of one class that count at some IoU, the highest score first, and the pictures that have to do with it.

    Attributes:
        index: Of the class.
        pictures: `(p,)` indices of the pictures with a detection or a box of it.
        own: `(d,)` which of these each detection is in.
        last: `(d,)` index of the last detection of the same score.
        hits, ignored: `(d,)` bits of the IoUs.
        drawn: `(p,)` number of boxes.
    """

    index: int
    pictures: np.ndarray
    own: np.ndarray
    last: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    drawn: np.ndarray


def _classes(statistics: np.ndarray) -> Iterator[_Class]:
    """Every class of which a box was drawn."""
    pairs = statistics.reshape(len(statistics), statistics.shape[1] // 2, 2)
    picture, place = np.nonzero(pairs[..., 0])
    code, value = pairs[picture, place, 0].astype(np.int64), pairs[picture, place, 1]
    of = np.where(code > 0, code // (BITS * BITS), -code)
    # Class by class; in each detections from the highest score on, then what was drawn
    order = np.lexsort((-value, code < 0, of))
    picture, code, value, of = (values[order] for values in (picture, code, value, of))
    ends = (_ends(of) + 1).tolist()
    for start, end in zip([0, *ends[:-1]], ends, strict=False):
        middle = start + int((code[start:end] > 0).sum())
        if middle == end:  # nothing was drawn
            continue
        pictures, own = np.unique(picture[start:end], return_inverse=True)
        scores, bits = value[start:middle], code[start:middle]
        ties = _ends(scores)
        last = ties[np.searchsorted(ties, np.arange(len(scores)))]
        drawn = np.bincount(own[middle - start :], value[middle:end], minlength=len(pictures))
        yield _Class(int(of[start]) - 1, pictures, own[: middle - start], last, bits // BITS % BITS, bits % BITS, drawn)


def _ends(values: np.ndarray) -> np.ndarray:
    """Indices of the last of every run of equal values."""
    return np.flatnonzero(np.append(values[1:] != values[:-1], [True] * bool(len(values))))


def _average_precision(one: _Class, weights: np.ndarray, ious: range) -> np.ndarray:
    """`(b,)` mean over the IoUs; NaN where no box has weight. `weights` are `(b, p)`, of the pictures of the class."""
    total = weights @ one.drawn
    summed = np.zeros(len(weights))
    if len(one.own):
        weight_of_detected = weights[:, one.own]
        everything = np.cumsum(weight_of_detected, axis=1)
        for iou in ious:
            hit = np.flatnonzero(one.hits >> iou & 1)
            if not len(hit):
                continue
            left_out = one.ignored >> iou & 1
            up_to = one.last[hit]
            ends = _ends(up_to)  # of several hits of one score the last
            up_to = up_to[ends]
            detected = everything[:, up_to]
            if left_out.any():
                detected = np.cumsum(weight_of_detected * (1 - left_out), axis=1)[:, up_to]
            hits = np.cumsum(weight_of_detected[:, hit], axis=1)[:, ends]
            summed += _area(hits, detected, total)
    return np.where(total > 0, summed / len(ious), np.nan)


def _area(hits: np.ndarray, detected: np.ndarray, total: np.ndarray) -> np.ndarray:
    """`(b,)` mean over 101 recalls of the best precision at that recall or a higher one, from `(b, points)` cumulated weights."""
    precision = np.divide(hits, detected, out=np.zeros_like(hits), where=detected > 0)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / np.where(total > 0, total, 1.0)[:, None]
    reached = _recalls_up_to(recall)
    reached[:, 1:] -= reached[:, :-1].copy()
    return np.einsum("bp,bp->b", best, reached) / len(RECALLS)


def _recalls_up_to(recall: np.ndarray) -> np.ndarray:
    """How many of `RECALLS` are at most so much."""
    near = np.minimum((recall * STEPS).astype(np.int64), STEPS)
    upper = np.minimum(near + 1, STEPS)
    return near + (RECALLS[near] <= recall) + ((RECALLS[upper] <= recall) & (upper > near))


def ap_of_classes(statistics: np.ndarray, weights: np.ndarray, ious: range) -> np.ndarray:
    """`(classes, b)` of the classes of which boxes were drawn; NaN where none of them has weight."""
    rows = np.atleast_2d(weights)
    values = []
    for one in _classes(statistics):
        step = max(1, CELLS // max(len(one.own), 1))
        blocks = [rows[start : start + step, one.pictures] for start in range(0, len(rows), step)]
        values.append(np.concatenate([_average_precision(one, block, ious) for block in blocks]))
    return np.stack(values) if values else np.full((0, len(rows)), np.nan)


def reduce_ranks(statistics: np.ndarray, weights: np.ndarray, ious: range) -> np.ndarray:
    """Mean over the classes that are defined: () or (b,)."""
    values = ap_of_classes(statistics, weights, ious)
    mean = mean_where(np.nan_to_num(values.T), ~np.isnan(values.T))
    return mean[0] if weights.ndim == 1 else mean


def average_precision_without(statistics: np.ndarray, unit: np.ndarray, units: int, ious: range) -> np.ndarray:
    """`(units,)` the score without the pictures of each unit (`Metric.without`).

    Of each class only the units that have to do with it are left out, one by one: O(units x detections) for each class. Where that is more
    than `EXACT`, each unit is one of many, and what it takes away is told by the derivative, in O(detections).
    """
    summed, defined = np.zeros(units), np.zeros(units)
    for one in _classes(statistics):
        concerned, own = np.unique(unit[one.pictures], return_inverse=True)
        whole = float(_average_precision(one, np.ones((1, len(one.pictures))), ious)[0])
        values = np.full(units, whole)
        if len(concerned) * len(one.own) > EXACT:
            values[concerned] -= np.bincount(own, np.mean([_slopes(one, iou) for iou in ious], axis=0))
        else:
            step = max(1, CELLS // max(len(one.own), 1))
            for start in range(0, len(concerned), step):
                some = np.arange(start, min(start + step, len(concerned)))
                values[concerned[some]] = _average_precision(one, (own != some[:, None]).astype(np.float64), ious)
        there = ~np.isnan(values)
        summed[there] += values[there]
        defined += there
    return share(summed, defined)


def _slopes(one: _Class, iou: int) -> np.ndarray:
    """`(p,)` derivative of the average precision of a class by the weight of each of its pictures, where all weigh the same.

    A picture moves the best precisions by its hits and false alarms up to the score at which each is reached, and the recalls by its hits and
    its boxes. As steps of a hundredth of recall have no derivative, recall is taken as continuous there.
    """
    total, pictures = float(one.drawn.sum()), len(one.pictures)
    hit, counted = (one.hits >> iou & 1).astype(bool), (one.ignored >> iou & 1) == 0
    if not hit.any():
        return np.zeros(pictures)
    up_to = np.unique(one.last[hit])
    hits, detected = (np.cumsum(some)[up_to].astype(np.float64) for some in (hit, counted))
    precision = hits / detected
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = (
        len(best) - 1 - np.maximum.accumulate(np.where(precision[::-1] == best[::-1], np.arange(len(best)), 0))[::-1]
    )  # where each best precision is reached
    gained = np.diff(hits, prepend=0.0) / total
    weight = np.bincount(at, gained, minlength=len(best)) / detected
    later_hits, later_detected = (np.cumsum(part[::-1])[::-1] for part in (weight, weight * precision))
    place = np.searchsorted(up_to, one.last)  # the first point that a detection is part of; none after the last hit
    later_hits, later_detected = (np.append(part, 0.0)[place] for part in (later_hits, later_detected))
    own = hit * (later_hits + np.append(best, 0.0)[place] / total) - counted * later_detected
    return np.bincount(one.own, own, minlength=pictures) - one.drawn * float(best @ gained) / total


def parts_of_ranks(statistics: np.ndarray, ious: range) -> Parts:
    """The AP of the classes, each among pictures, and by how much each is too high (`Metric.parts`)."""
    scored = list(_classes(statistics))
    weight, score, squares, optimism = np.zeros((4, max((one.index for one in scored), default=-1) + 1))
    amounts = np.ones((2, len(weight)))
    for one in scored:
        weight[one.index] = 1 / len(scored)
        score[one.index] = _average_precision(one, np.ones((1, len(one.pictures))), ious)[0]
        slopes = np.mean([_slopes(one, iou) for iou in ious], axis=0)
        squares[one.index] = np.square(slopes).sum()
        amounts[:, one.index] = one.drawn.sum(), np.square(one.drawn).sum()
        optimism[one.index] = _too_high(one, slopes, score[one.index], ious)
    return among_pictures(weight, score, amounts, squares, optimism)


def _too_high(one: _Class, slopes: np.ndarray, whole: float, ious: range) -> float:
    """By how much the average precision of a class is too high on average, as it is where few boxes are ranked.

    A hit is among the detections that its own precision is taken over, and the best of several precisions is the luckiest. Both fade with
    more pictures, together about like their power -0.6: halves of them are higher than all by about half of what all are too high
    (docs/decisions/boxes.md).

    Args:
        slopes: Of the pictures: halves are drawn in an order that is that of no list.

    References:
        Quenouille (1956), Notes on bias in estimation, Biometrika 43; leaving out one picture instead is a noisy estimate of the same.
    """
    rng, halves = np.random.default_rng(len(slopes)), np.zeros((SPLITS, len(slopes)))
    # Sums are rounded, since they depend on the order of the pictures in the last digit; of equal ones what else is known of a picture decides
    alike = [np.bincount(one.own, of, minlength=len(slopes)) for of in (one.last, one.hits, one.ignored)]
    order = np.lexsort((*alike, np.round(slopes, 12), one.drawn))
    holding = one.drawn[order] > 0
    for split in halves:
        for some in (order[holding], order[~holding]):
            split[rng.permutation(some)[::2]] = 1.0  # as many with boxes on both sides
    values = _average_precision(one, np.concatenate([halves, 1.0 - halves]), ious)
    return FADES * (float(np.nanmean(values)) - whole)
