"""How what was detected in a picture compares with the boxes that were drawn: one row of numbers per picture, from which scores and findings are made.

Matching is COCO's (`pycocotools.cocoeval`), class by class: detections in the order of their scores, of equal scores the first first, at
most 100 of a class; each takes the free box that it overlaps most, of equal overlaps the last one, if the overlap reaches the threshold. A
box is *ignored* in a range of areas that its area is not in, and a crowd always is; ignored boxes are taken only where no other can be, a
crowd by any number of detections. A detection that took an ignored box is ignored, and so is one that took none and whose own area is not
in the range. A box of no class that the study knows counts as a crowd of every class.

Before it: boxes and detections (`box_list.py`). After it: `boxes.py` (what a run records) and `metrics/detection.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from weigh.kinds.box_list import Boxes, Detections, overlaps

__all__ = ["IOUS", "MOST", "BoxStatistics", "compare_boxes", "detections_of", "stacked"]

IOUS = np.linspace(0.5, 0.95, 10)
AREAS = (
    ("all", 0.0, 1e10),
    ("small", 0.0, 32.0**2),
    ("medium", 32.0**2, 96.0**2),
    ("large", 96.0**2, 1e10),
)  # square pixels, both ends in
MOST = 100  # detections of one class in one picture
LOWS, HIGHS = (np.array([area[i] for area in AREAS]) for i in (1, 2))
BITS = 1 << np.arange(len(AREAS) * len(IOUS), dtype=np.int64)  # area by area, each from the lowest IoU to the highest
HEAD = 1  # numbers before the places
# A place is a detection: class + 1, score, four corners, bits of hits and of being ignored, index + 1 of the box that it took at IoU .5;
# or, the first ones, what was drawn of a class: -(class + 1), the number of its boxes that count in each area; or empty: all 0
PLACE = 9


class Found(NamedTuple):
    """The detections of many pictures, `d` in all: picture by picture, in each the highest score first.

    Attributes:
        picture, classes: `(d,)` int64 indices.
        scores: `(d,)`.
        corners: `(d, 4)` pixels.
        hits, ignored: `(d,)` int64: the bit `10 * area + iou` says whether it took a box that counts, and whether it does not count itself
            (`AREAS`, `IOUS`); where neither is set it is a false alarm.
        took: `(d,)` index in `Boxes` of the box, counted or ignored, that it took at IoU .5 among all areas; -1: none.
        told: `(d,)` bool: its score reaches the threshold of its run.
    """

    picture: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    corners: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    took: np.ndarray
    told: np.ndarray

    def hit(self, iou: int = 0, area: int = 0) -> np.ndarray:
        """`(d,)` bool."""
        return (self.hits >> (len(IOUS) * area + iou) & 1).astype(bool)

    def counted(self, iou: int = 0, area: int = 0) -> np.ndarray:
        """`(d,)` bool: not ignored."""
        return (self.ignored >> (len(IOUS) * area + iou) & 1) == 0

    @property
    def rank(self) -> np.ndarray:
        """`(d,)` how many detections of the same class in the same picture come before it."""
        order = np.lexsort((self.classes, self.picture))  # stable: scores stay in order
        picture, classes = self.picture[order], self.classes[order]
        start = np.append(True, (picture[1:] != picture[:-1]) | (classes[1:] != classes[:-1]))[: len(order)]
        first = np.maximum.accumulate(np.where(start, np.arange(len(order)), 0))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - first
        return rank


@dataclass(frozen=True)
class BoxStatistics:
    """Named views of `rows` `(n, k)` float64; more zeros at the right change nothing.

    Attributes:
        rows: One row per picture, as `compare_boxes` makes them.
        classes: How many there are.
    """

    rows: np.ndarray
    classes: int

    @classmethod
    def occurring(cls, rows: np.ndarray, least: int = 0) -> BoxStatistics:
        """The statistics in these rows, with as many classes as occur in them."""
        return cls(rows, max(least, int(np.abs(cls(rows, 0).places[..., 0]).max(initial=0.0))))

    @property
    def thresholds(self) -> np.ndarray:
        """`(n,)` the score from which on detections are told."""
        return self.rows[:, 0]

    @property
    def places(self) -> np.ndarray:
        """`(n, places, 9)`, see `PLACE`."""
        return self.rows[:, HEAD:].reshape(len(self.rows), (self.rows.shape[1] - HEAD) // PLACE, PLACE)

    @cached_property
    def drawn(self) -> np.ndarray:
        """`(n, classes, 4)` boxes that count, in each range of areas."""
        counts = np.zeros((len(self.rows), self.classes, len(AREAS)))
        picture, place = np.nonzero(self.places[..., 0] < 0)
        own = self.places[picture, place]
        counts[picture, -own[:, 0].astype(np.int64) - 1] = own[:, 1 : 1 + len(AREAS)]
        return counts

    @cached_property
    def detections(self) -> Found:
        """All detections."""
        picture, place = np.nonzero(self.places[..., 0] > 0)
        own = self.places[picture, place]
        classes, hits, ignored, took = (own[:, i].astype(np.int64) for i in (0, 6, 7, 8))
        is_told = own[:, 1] >= self.thresholds[picture]
        return Found(picture, classes - 1, own[:, 1], own[:, 2:6], hits, ignored, took - 1, is_told)

    @property
    def told(self) -> np.ndarray:
        """`(n, classes, 3)` boxes: hit by a detection that is told (IoU .5), told (those ignored left out), drawn."""
        detected = self.detections
        counts = np.zeros((len(self.rows), self.classes, 3))
        for i, some in enumerate((detected.told & detected.hit(), detected.told & detected.counted())):
            np.add.at(counts[..., i], (detected.picture[some], detected.classes[some]), 1.0)
        counts[..., 2] = self.drawn[..., 0]
        return counts


def compare_boxes(answers: Sequence[Detections] | np.ndarray, target: Sequence[Boxes] | np.ndarray) -> np.ndarray:
    """`(n, k)` statistics of answers, pair by pair; k depends on the pair with the most detections and classes."""
    rows = [_compare(answer, boxes) for answer, boxes in zip(answers, target, strict=True)]
    return stacked([row.threshold for row in rows], [row.places for row in rows])


class _Row(NamedTuple):
    threshold: float
    places: np.ndarray


def stacked(thresholds: Sequence[float] | np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
    """`(n, k)` rows of a threshold and `(places, 9)` each, empty places at the right."""
    rows = np.zeros((len(places), HEAD + PLACE * max(map(len, places), default=0)))
    rows[:, 0] = thresholds
    for row, own in zip(rows, places, strict=True):
        row[HEAD : HEAD + own.size] = own.ravel()
    return rows


def detections_of(row: np.ndarray, boxes: Boxes) -> Detections:
    """The answer that a row was made of, as far as it was kept."""
    detected = BoxStatistics(row[None], 0).detections
    return Detections(boxes.height, boxes.width, detected.corners, detected.classes, detected.scores, float(row[0]))


def _compare(answer: Detections, boxes: Boxes) -> _Row:
    kept = _most_of_each(answer)
    classes, corners = answer.classes[kept], answer.corners[kept].astype(np.float64)
    ignored = (
        (boxes.area[:, None] < LOWS) | (boxes.area[:, None] > HIGHS) | (boxes.crowd | (boxes.classes < 0))[:, None]
    )
    drawn = np.unique(boxes.classes[~ignored.all(axis=1)])
    places = np.zeros((len(drawn) + len(kept), PLACE))
    places[: len(drawn), 0] = -(drawn + 1)
    places[: len(drawn), 1 : 1 + len(AREAS)] = (boxes.classes == drawn[:, None]).astype(np.int64) @ ~ignored
    detected = places[len(drawn) :]
    detected[:, 0], detected[:, 1], detected[:, 2:6] = classes + 1, answer.scores[kept], corners
    taken, took_ignored, detected[:, 8] = _match(classes, corners, boxes, ignored)
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    outside = (area[:, None] < LOWS) | (area[:, None] > HIGHS)
    left_out = took_ignored | (~taken & outside[:, :, None])
    detected[:, 6] = (taken & ~took_ignored).reshape(len(kept), len(BITS)) @ BITS
    detected[:, 7] = left_out.reshape(len(kept), len(BITS)) @ BITS
    return _Row(answer.threshold, places)


def _most_of_each(answer: Detections) -> np.ndarray:
    """Indices of the detections in the order of their scores, at most `MOST` of each class."""
    order = np.argsort(-answer.scores, kind="stable")
    if len(order) <= MOST:
        return order
    classes = answer.classes[order]
    by_class = np.argsort(classes, kind="stable")
    ranked = classes[by_class]
    rank = np.empty(len(order), dtype=np.int64)
    rank[by_class] = np.arange(len(order)) - np.searchsorted(ranked, ranked)
    return order[rank < MOST]


def _match(
    classes: np.ndarray, corners: np.ndarray, boxes: Boxes, ignored: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each detection took, `(d, areas, ious)` bool whether anything and whether an ignored box; and `(d,)` index + 1 of the box at IoU .5.

    Args:
        ignored: `(boxes, areas)` bool.
    """
    shape = (len(classes), len(AREAS), len(IOUS))
    taken, took_ignored, took = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(len(classes), np.int64)
    if not len(boxes.classes) or not len(classes):
        return taken, took_ignored, took
    shared = boxes.crowd | (boxes.classes < 0)  # taken by any number of detections
    iou = overlaps(corners, boxes.corners, shared)
    near = (iou >= IOUS[0]) & ((boxes.classes == classes[:, None]) | (boxes.classes < 0))
    free = np.ones((len(boxes.classes), *shape[1:]), dtype=bool)
    counts = np.where(ignored, 0.0, 2.0)[:, :, None]  # a box that counts comes before any that is ignored
    for d in np.flatnonzero(near.any(axis=1)).tolist():
        own = np.flatnonzero(near[d])
        possible = free[own] & (iou[d, own][:, None] >= IOUS)[:, None]
        if len(own) == 1:
            best = np.zeros(shape[1:], dtype=np.int64)
            any_of_it = possible[0]
        else:
            worth = np.where(possible, iou[d, own][:, None, None] + counts[own], 0.0)
            best = len(own) - 1 - worth[::-1].argmax(axis=0)  # of equal ones the last
            any_of_it = possible.any(axis=0)
        taken[d] = any_of_it
        took_ignored[d] = any_of_it & ignored[own][best, np.arange(len(AREAS))[:, None]]
        if any_of_it[0, 0]:
            took[d] = own[best[0, 0]] + 1
        for i, box in enumerate(own.tolist()):
            if not shared[box]:
                free[box] &= ~(any_of_it & (best == i))
    return taken, took_ignored, took
