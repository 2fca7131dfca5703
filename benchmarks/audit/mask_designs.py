"""Studies of masks whose truth is known: counts of pixels are simulated picture by picture, no pixel is drawn.

A picture holds some classes, of sizes that vary from picture to picture. How much of a class is found there depends on how hard the
picture is, how hard the class is in it (both alike for all candidates), and on luck of the candidate's own; what is missed is given to
the other classes. Pictures of one sequence resemble each other in everything. Equal candidates are equal by symmetry; the true mean
IoU is that of very many pictures.

Before it: nothing. After it: `readings/masks.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import expit, ndtri

from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.masks import MASKS
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.stats.resampling import Units, make_units

__all__ = ["MaskDesign", "MaskStudy", "mask_study", "true_score"]

SIDE = 200  # of a picture: sizes of classes are shares of its pixels
LEAST_PICTURES = 2  # that every class stands in
POPULATION, CHUNK = 200_000, 20_000
ABSENT = 0.03  # how much weaker a class that is not in the picture attracts what is missed


@dataclass(frozen=True)
class MaskDesign:
    """What is simulated.

    Attributes:
        n: Pictures.
        classes: The first third of them, at least one, stands in every picture, the others in six of ten.
        rare: How many classes, the last ones, stand in `rarely` of the pictures only.
        sequences: How many there are, whole in one fold; 0: pictures are independent.
        alike: Share of all variances that the pictures of a sequence have in common.
        uneven: Standard deviation of the logarithm of pictures' pixels.
        level: Log odds of a pixel of a class of middling difficulty.
        hard: Standard deviation of these log odds between classes.
        picture, place: Between pictures; between classes in a picture.
        own: The same, of a candidate's own.
        between: Of whole runs.
        gap: What the first candidate has more than the second, in log odds.
        folds, repeats: Of the study; one fold: trained models on a test part.
        metric: That is measured.
    """

    n: int = 30
    classes: int = 11
    rare: int = 0
    rarely: float = 0.1
    sequences: int = 0
    alike: float = 0.6
    uneven: float = 0.0
    level: float = 1.0
    hard: float = 1.2
    picture: float = 0.6
    place: float = 0.9
    own: float = 0.5
    between: float = 0.0
    gap: float = 0.0
    folds: int = 1
    repeats: int = 1
    metric: str = "mean_iou"


@dataclass(frozen=True)
class MaskStudy:
    """The measured answers of two candidates, and what is independent."""

    measured: dict[str, MeasuredDesign]
    units: Units


def mask_study(design: MaskDesign, rng: np.random.Generator) -> MaskStudy:
    """Draw pictures, every class in at least two, and the answers of two candidates."""
    while True:
        sequence = np.arange(design.n) * design.sequences // design.n if design.sequences else np.arange(design.n)
        sizes = _sizes(design, sequence, rng)
        if (sizes > 0).sum(axis=0).min() >= LEAST_PICTURES:
            break
    ease = _ease(design, sequence, rng)
    of_units = np.arange(sequence[-1] + 1)
    fold = np.stack([(rng.permutation(of_units) % design.folds)[sequence] for _ in range(design.repeats)])
    target = rows_of([LabelMap(SIDE, SIDE, tuple(row), b"") for row in sizes.astype(int).tolist()])
    metric, measured = METRICS.get(design.metric), {}
    for name, side in (("m0", 0.5), ("m1", -0.5)):
        own = _spread(design.own, design, sequence, rng) + side * design.gap
        level = design.between * rng.standard_normal((design.repeats, design.folds))
        luck = np.sqrt(0.5) * design.own * rng.standard_normal((design.repeats, *sizes.shape))
        statistics = []
        for repeat in range(design.repeats):
            odds = ease + own + luck[repeat] * (design.repeats > 1) + level[repeat, fold[repeat], None]
            counts = _answers(sizes, odds)
            statistics.append(
                counts.reshape(design.n, -1) if metric.name != "mean_iou_per_picture" else _per_picture(counts)
            )
        measured[name] = MeasuredDesign(
            metric, np.stack(statistics), fold, np.ones(fold.shape, bool), target, design.between > 0
        )
    return MaskStudy(measured, make_units(MASKS, target, sequence.astype(str) if design.sequences else None))


def _per_picture(counts: np.ndarray) -> np.ndarray:
    hit, predicted, actual = np.moveaxis(counts, 2, 0)
    union = predicted + actual - hit
    score = np.where(union > 0, hit / np.maximum(union, 1), 0.0).sum(axis=1) / (union > 0).sum(axis=1)
    return np.stack([score, np.ones(len(score))], axis=1)


@lru_cache(maxsize=64)
def true_score(design: MaskDesign, candidate: int = 0) -> float:
    """The score of the first or second candidate over very many pictures, each of a sequence of its own."""
    rng = np.random.default_rng(0)
    alone = replace(design, n=CHUNK, sequences=0)
    totals, per_picture = np.zeros((design.classes, 3)), []
    for _ in range(POPULATION // CHUNK):
        sequence = np.arange(CHUNK)
        sizes = _sizes(alone, sequence, rng)
        odds = _ease(alone, sequence, rng) + _spread(design.own, alone, sequence, rng) + (0.5 - candidate) * design.gap
        counts = _answers(sizes, odds)
        totals += counts.sum(axis=0)
        per_picture.append(_per_picture(counts)[:, 0])
    if design.metric == "mean_iou_per_picture":
        return float(np.mean(per_picture))
    return float(METRICS.get(design.metric).reduce(totals.reshape(1, -1), np.ones(1)))


def _spread(scale: float, design: MaskDesign, sequence: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`(n, classes)` normal, a share of the variance common to a sequence."""
    shape = (len(sequence), design.classes)
    if not design.sequences:
        return scale * rng.standard_normal(shape)
    common = rng.standard_normal((int(sequence[-1]) + 1, design.classes))[sequence]
    return scale * (np.sqrt(design.alike) * common + np.sqrt(1 - design.alike) * rng.standard_normal(shape))


def _ease(design: MaskDesign, sequence: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`(n, classes)` log odds that a pixel is found, before what is a candidate's own."""
    of_class = design.level + design.hard * ndtri(
        (np.arange(design.classes) * 7 % design.classes + 0.5) / design.classes
    )
    of_picture = _spread(design.picture, replace(design, classes=1), sequence, rng)
    return of_class + of_picture + _spread(design.place, design, sequence, rng)


def _sizes(design: MaskDesign, sequence: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`(n, classes)` pixels of each class."""
    always = max(design.classes // 3, 1)
    chance = np.where(np.arange(design.classes) < always, 1.0, 0.6)
    chance[design.classes - design.rare :] = design.rarely
    held = _spread(1.0, design, sequence, rng) < ndtri(chance)
    size = np.exp(_spread(0.8, design, sequence, rng)) / (1 + np.arange(design.classes)) * held
    pixels = SIDE**2 * np.exp(design.uneven * rng.standard_normal((len(sequence), 1)))
    return np.ceil(size / size.sum(axis=1, keepdims=True) * pixels)


def _answers(sizes: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """`(n, classes, 3)` pixels hit, predicted and actual; what is missed goes to other classes, mostly those in the picture."""
    hit = np.round(sizes * expit(odds))
    missed = sizes - hit
    pull = (sizes > 0) + ABSENT
    given = missed / (pull.sum(axis=1, keepdims=True) - pull)  # for every unit of pull of another class
    taken = pull * (given.sum(axis=1, keepdims=True) - given)
    return np.stack([hit, hit + np.round(taken), sizes], axis=2)
