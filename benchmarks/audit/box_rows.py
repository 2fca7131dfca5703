"""Drawn boxes and detections as a run records them, measured as a study measures them: what is audited is the code that reads real studies.

Before it: `box_designs.py`. After it: `readings/boxes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from benchmarks.audit.box_designs import SIZES, BoxDesign, Drawn, Found, draw_boxes
from weigh.kinds.base import Prediction, rows_of
from weigh.kinds.box_list import Boxes
from weigh.kinds.box_statistics import IOUS, PLACE, stacked
from weigh.kinds.boxes import BOXES
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign, measure_design
from weigh.stats.resampling import Units, make_units

__all__ = ["BoxStudy", "box_study", "judged", "recorded_rows", "true_ap"]

TOLD = 0.5  # the score from which detections are told; AP does not look at it
POPULATION, CHUNK = 60_000, 2_000
EVERY = (1 << len(IOUS)) - 1


class BoxStudy(NamedTuple):
    """The measured answers of two candidates, what is independent, and the classes that the scores speak of."""

    measured: dict[str, MeasuredDesign]
    units: Units
    classes: np.ndarray


@dataclass(frozen=True)
class _OutOfFold:
    """Recorded rows, one array for each repeat, as `metrics.design.measure_design` wants them."""

    rows: list[np.ndarray]
    fold: np.ndarray
    target: np.ndarray
    seeded: bool

    @property
    def present(self) -> np.ndarray:
        return np.ones(self.fold.shape, dtype=bool)

    def prediction(self, repeat: int) -> Prediction:
        return BOXES.decide(self.rows[repeat])


def box_study(design: BoxDesign, rng: np.random.Generator, metric: str = "map") -> BoxStudy:
    """Draw a study in which at least one class can be judged, and measure it."""
    while True:
        drawn = draw_boxes(design, rng)
        target = _targets(drawn)
        classes = judged(target)
        if len(classes):
            break
    measured = {}
    for name, found in zip(("m0", "m1"), drawn.found, strict=True):
        rows = [recorded_rows(drawn.objects, of_repeat) for of_repeat in found]
        out_of_fold = _OutOfFold(rows, drawn.fold, target, design.between > 0)
        measured[name] = measure_design(METRICS.get(metric), out_of_fold)
    groups = drawn.group.astype(str) if design.groups else None
    return BoxStudy(measured, make_units(BOXES, target, groups), classes)


def judged(target: np.ndarray) -> np.ndarray:
    """Indices of the classes that a score speaks of."""
    return np.flatnonzero(BOXES.judged(target, 0))


def _targets(drawn: Drawn) -> np.ndarray:
    """Boxes without a place: nothing but their classes is asked."""
    counts = drawn.objects.sum(axis=2)
    of = [np.repeat(np.arange(counts.shape[1]), row) for row in counts]
    return rows_of([Boxes.of(1, 1, np.zeros((len(own), 4)), own) for own in of])


def recorded_rows(objects: np.ndarray, found: Found) -> np.ndarray:
    """`(n, k)` what a run records (`kinds/box_statistics.py`) of these objects and detections."""
    at, of = np.nonzero(objects.any(axis=2))
    own = objects[at, of]
    drawn = np.zeros((len(at), PLACE))
    drawn[:, 0], drawn[:, 1], drawn[:, 2 : 2 + SIZES] = -(of + 1), own.sum(axis=1), own
    places = np.zeros((len(found.of), PLACE))
    places[:, 0], places[:, 1], places[:, 8] = found.of + 1, found.score, (found.overlap >= IOUS[0]) * (found.item + 1)
    hits = (found.overlap[:, None] >= IOUS) @ (1 << np.arange(len(IOUS)))  # at the lowest overlaps, so bits of ones
    for size in range(SIZES):
        shift, mine = (size + 1) * len(IOUS), found.size == size
        places[mine, 6] = hits[mine] + (hits[mine] << shift)
        places[~mine, 7] += float(EVERY << shift)  # the object, and so what found it, is of another size
    picture = np.concatenate([at, found.picture])
    order = np.lexsort((-np.concatenate([np.full(len(at), 2.0), found.score]), picture))
    ends = np.cumsum(np.bincount(picture, minlength=len(objects)))[:-1]
    return stacked(np.full(len(objects), TOLD), np.split(np.concatenate([drawn, places])[order], ends))


@lru_cache(maxsize=256)
def true_ap(design: BoxDesign, candidate: int = 0) -> np.ndarray:
    """`(classes,)` the AP of each class over very many pictures, each of a group of its own, of a run as good as runs are on average.

    Worked out without weigh: the best precision at each recall from there on, mean over 101 recalls and ten overlaps.
    """
    alone = replace(design, n=CHUNK, groups=0, between=0.0, scale=0.0, folds=1, repeats=1)
    rng, number, parts = np.random.default_rng(0), np.zeros(design.classes), []
    for _ in range(POPULATION // CHUNK):
        drawn = draw_boxes(alone, rng)
        number += drawn.objects.sum(axis=(0, 2))
        parts.append(drawn.found[candidate][0])
    of, score, overlap = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("of", "score", "overlap")
    )
    values = np.zeros(design.classes)
    for c in range(design.classes):
        mine = np.flatnonzero(of == c)
        mine = mine[np.argsort(-score[mine])]
        for least in IOUS:
            hits = np.cumsum(overlap[mine] >= least)
            best = np.maximum.accumulate((hits / np.arange(1, len(mine) + 1))[::-1])[::-1]
            reached = np.searchsorted(hits / number[c], np.linspace(0, 1, 101))
            values[c] += np.append(best, 0.0)[reached].mean() / len(IOUS)
    return values
