"""Studies of boxes whose truth is known: objects and detections are simulated picture by picture, no box is drawn.

A picture holds objects of some classes. How surely one is found, how high it is scored and how well its box sits depends on how hard the picture,
the class in it and the object are (all alike for the two candidates) and on luck of the candidate's own. Besides there are places that look like an
object; those, too, both candidates have before them. Pictures of one group resemble each other in everything. The scores of different runs are on
scales of their own. Equal candidates are equal by symmetry; the true AP of a class is that of very many pictures.

Before it: nothing. After it: `box_rows.py`, which writes them as a run records them, and `readings/boxes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, ndtri

__all__ = ["SIZES", "BoxDesign", "Drawn", "Found", "draw_boxes"]

SIZES = 3  # of objects: small, medium, large
JUST_SEEN = -0.8  # what lies below is not even a detection of low score
CONFUSING = -0.9  # how far a usual place that looks like an object lies below a usual object


@dataclass(frozen=True)
class BoxDesign:
    """What is simulated.

    Attributes:
        n: Pictures.
        classes: The first third of them, at least one, is common: in eight of ten pictures, with `crowded` objects each.
        usual: Share of the pictures that the other classes stand in.
        rare: How many classes, the last ones, stand in `rarely` of the pictures only.
        crowded: Objects of a common class in a picture that holds it, on average; of other classes 1.7.
        groups: How many there are, whole in one fold; 0: pictures are independent.
        alike: Share of all variances that the pictures of a group have in common.
        level: How far a usual object lies above one that is just found, in standard deviations of an object.
        hard: Standard deviation of this between classes.
        picture, place: Between pictures; between classes in a picture.
        own: Of a candidate's own, for every object and place: small where both find the same.
        mistaken: Places that look like an object, per picture and class.
        between: Of whole runs.
        scale: Of the scores of whole runs, which says nothing about how good they are.
        gap: How much further the first candidate sees than the second.
        folds, repeats: Of the study; one fold: trained models on a test part.
    """

    n: int = 72
    classes: int = 3
    usual: float = 0.5
    rare: int = 0
    rarely: float = 0.04
    crowded: float = 4.0
    groups: int = 0
    alike: float = 0.5
    level: float = 1.2
    hard: float = 0.6
    picture: float = 0.5
    place: float = 0.4
    own: float = 0.5
    mistaken: float = 0.4
    between: float = 0.0
    scale: float = 0.5
    gap: float = 0.0
    folds: int = 1
    repeats: int = 1


class Found(NamedTuple):
    """The detections of a candidate in all pictures of a repeat, `(m,)` each.

    Attributes:
        picture, of: Index of the picture and of the class.
        score: In (0, 1).
        overlap: With the object that it belongs to; 0: with none.
        size: Of the object or place: 0 small, 1 medium, 2 large.
        item: The object or place; objects come first, picture by picture and in it class by class.
    """

    picture: np.ndarray
    of: np.ndarray
    score: np.ndarray
    overlap: np.ndarray
    size: np.ndarray
    item: np.ndarray


class Drawn(NamedTuple):
    """A drawn study.

    Attributes:
        objects: `(n, classes, sizes)` their numbers.
        group: `(n,)`.
        fold: `(repeats, n)`.
        found: Candidate by candidate, repeat by repeat.
    """

    objects: np.ndarray
    group: np.ndarray
    fold: np.ndarray
    found: tuple[list[Found], list[Found]]


def draw_boxes(design: BoxDesign, rng: np.random.Generator) -> Drawn:
    """Draw pictures and what two candidates find in them."""
    n, classes = design.n, design.classes
    group = np.arange(n) * design.groups // n if design.groups else np.arange(n)
    fold = np.stack([(rng.permutation(group[-1] + 1) % design.folds)[group] for _ in range(design.repeats)])
    counts = _counts(design, group, rng)
    picture = _spread(design.picture, design, group, 1, rng)
    ease = picture + _spread(design.place, design, group, classes, rng) + _of_classes(design)

    at, of = np.nonzero(counts)
    at, of = np.repeat(at, counts[at, of]), np.repeat(of, counts[at, of])
    size, real = rng.integers(0, SIZES, len(at)), len(at)
    objects = np.zeros((n, classes, SIZES), dtype=np.int64)
    np.add.at(objects, (at, of, size), 1)

    # Places that look like an object, of any class; a crowded picture has more of them
    number = rng.poisson(design.mistaken * classes * np.exp(_spread(0.3, design, group, 1, rng)[:, 0]))
    number += rng.poisson(0.2 * counts.sum(axis=1))
    where = np.repeat(np.arange(n), number)
    at, of = np.concatenate([at, where]), np.concatenate([of, rng.integers(0, classes, len(where))])
    size = np.concatenate([size, rng.integers(0, SIZES, len(where))])
    is_object = np.arange(len(at)) < real
    usual = np.where(is_object, ease[at, of] + 0.3 * (size - 1), CONFUSING - 0.3 * picture[at, 0])
    strength, sits = usual + rng.standard_normal(len(at)), rng.standard_normal(len(at))

    found: tuple[list[Found], list[Found]] = ([], [])
    for side, of_repeats in zip((0.5, -0.5), found, strict=True):
        own = rng.standard_normal(len(at))
        for repeat in range(design.repeats):
            luck = own if design.repeats == 1 else np.sqrt(0.5) * (own + rng.standard_normal(len(at)))
            run = design.between * rng.standard_normal(design.folds)
            scale = design.scale * rng.standard_normal(design.folds)
            better = side * design.gap + run[fold[repeat, at]]
            seen = strength + design.own * luck + np.where(is_object, better, -better)
            score = expit(1.2 * seen + 0.5 * design.own * rng.standard_normal(len(at)) + scale[fold[repeat, at]])
            box = expit(1.3 + 0.3 * seen + 0.6 * sits + 0.8 * design.own * rng.standard_normal(len(at)))
            overlap = np.where(is_object, box, 0.0)
            kept = np.flatnonzero(seen > JUST_SEEN)
            of_repeats.append(Found(*(values[kept] for values in (at, of, score, overlap, size)), kept))
    return Drawn(objects, group, fold, found)


def _spread(scale: float, design: BoxDesign, group: np.ndarray, columns: int, rng: np.random.Generator) -> np.ndarray:
    """`(n, columns)` normal, a share of the variance common to a group."""
    shape = (len(group), columns)
    if not design.groups:
        return scale * rng.standard_normal(shape)
    common = rng.standard_normal((int(group[-1]) + 1, columns))[group]
    return scale * (np.sqrt(design.alike) * common + np.sqrt(1 - design.alike) * rng.standard_normal(shape))


def _of_classes(design: BoxDesign) -> np.ndarray:
    """`(classes,)` how easily its objects are found; easy and hard ones are mixed."""
    place = (np.arange(design.classes) * 7 % design.classes + 0.5) / design.classes
    return design.level + design.hard * ndtri(place)


def _counts(design: BoxDesign, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`(n, classes)` objects."""
    common = np.arange(design.classes) < max(design.classes // 3, 1)
    chance = np.where(common, 0.8, design.usual)
    chance[design.classes - design.rare :] = design.rarely
    held = _spread(1.0, design, group, design.classes, rng) < ndtri(chance)
    more = np.where(common, design.crowded - 1, 0.7)
    return held * (1 + rng.poisson(more * np.exp(_spread(0.4, design, group, design.classes, rng) - 0.08)))
