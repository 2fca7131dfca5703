"""COCO's twelve numbers against pycocotools: small random cases of every sort, and real annotations with simulated detections."""

from __future__ import annotations

import numpy as np
import pytest

from tests.boxes import bccd, coco, coco128, measured, simulated, twelve
from weigh.kinds.box_list import Boxes, Detections
from weigh.metrics.base import METRICS

pytest.importorskip("pycocotools", reason="pycocotools is not installed: pip install 'weigh[dev]'")


def drawn(rng, *, pictures, classes):
    """Boxes of all sizes, with crowds, empty pictures, and areas that are not those of the boxes."""
    target = []
    for _ in range(pictures):
        m = int(rng.integers(0, 7))
        start = rng.uniform(0, 60, (m, 2))
        corners = np.concatenate(
            [start, start + rng.choice([12, 31, 33, 60, 97, 150], (m, 2)) * rng.uniform(0.8, 1.2, (m, 2))], 1
        )
        own = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
        target.append(
            Boxes.of(300, 300, corners, rng.integers(0, classes, m), rng.random(m) < 0.15, own * rng.uniform(0.5, 1, m))
        )
    return target


def same(ours, theirs):
    """-1 is pycocotools' undefined."""
    expected = np.where(np.array(theirs) == -1, np.nan, theirs)
    np.testing.assert_allclose(ours, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("block", [0, *(pytest.param(one, marks=pytest.mark.thorough) for one in (1, 2))])
def test_thirty_random_cases(block):
    for case in range(30):
        rng = np.random.default_rng([block, case])
        classes = int(rng.integers(1, 5))
        target = drawn(rng, pictures=int(rng.integers(1, 8)), classes=classes)
        answers = simulated(rng, target, classes, skill=rng.uniform(0, 1), noise=rng.uniform(0.2, 8))
        if sum(len(one.classes) for one in answers):
            same(twelve(answers, target), coco(answers, target, classes).stats)


def test_more_than_a_hundred_detections_of_a_class():
    rng = np.random.default_rng(0)
    target = drawn(rng, pictures=3, classes=2)
    answers = simulated(rng, target, 2, noise=260)
    assert max(np.bincount(one.classes).max() for one in answers) > 120
    same(twelve(answers, target), coco(answers, target, 2).stats)


def test_boxes_on_a_grid_whose_overlaps_are_exactly_thresholds():
    """Whole numbers: many overlaps are exactly .5, .6 or .75, and many are equal."""
    rng = np.random.default_rng(0)
    start = 10 * rng.integers(0, 3, (40, 6, 2))
    sides = 10 * rng.integers(1, 5, (40, 6, 2))
    target = [Boxes.of(99, 99, np.concatenate([s, s + w], 1), np.zeros(6)) for s, w in zip(start, sides, strict=True)]
    answers = [
        Detections.of(99, 99, np.roll(boxes.corners, 1, axis=0) + 10 * rng.integers(0, 2, (6, 4)) * [0, 0, 1, 1], np.zeros(6), rng.random(6))
        for boxes in target
    ]  # fmt: skip
    same(twelve(answers, target), coco(answers, target, 1).stats)


@pytest.mark.shared
@pytest.mark.parametrize("annotations", [coco128, bccd])
def test_real_annotations(annotations, shared):
    target, classes = annotations(shared)
    answers = simulated(np.random.default_rng(0), target, classes)
    theirs = coco(answers, target, classes).stats
    assert 0.2 < theirs[0] < 0.8
    same(twelve(answers, target), theirs)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(one, marks=pytest.mark.thorough) for one in (2, 3, 4))])
def test_whole_weights_are_copies_of_pictures(seed):
    rng = np.random.default_rng(seed)
    target = drawn(rng, pictures=12, classes=3)
    answers = simulated(rng, target, 3)
    weights = rng.integers(0, 4, 12)
    copies = [(answers[i], target[i]) for i, w in enumerate(weights) for _ in range(w)]
    ours = twelve(answers, target, weights.astype(float))
    again, pictures = zip(*copies, strict=True)
    np.testing.assert_array_equal(ours, twelve(again, pictures))
    same(ours, coco(again, pictures, 3).stats)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(one, marks=pytest.mark.thorough) for one in (2, 3, 4))])
def test_where_scores_tie_ours_is_what_no_order_of_the_pictures_falls_below(seed):
    """pycocotools takes equal scores one after the other, in the order of the pictures: another order, another score."""
    rng = np.random.default_rng(seed)
    target = drawn(rng, pictures=20, classes=2)
    answers = [one._replace(scores=np.ceil(one.scores * 4) / 4) for one in simulated(rng, target, 2, noise=1)]
    theirs, ours = [], []
    for _ in range(4):
        order = rng.permutation(20)
        shuffled = [[side[i] for i in order] for side in (answers, target)]
        theirs.append(coco(*shuffled, 2).stats[:3])
        ours.append(twelve(*shuffled)[:3])
    assert np.ptp(ours, axis=0).max() < 1e-12
    assert np.ptp(theirs, axis=0).max() > 1e-3
    assert (np.array(ours) <= np.array(theirs) + 1e-12).all()


def test_every_class_alone():
    rng = np.random.default_rng(1)
    target = drawn(rng, pictures=30, classes=5)
    target[3] = target[3]._replace(classes=np.full(len(target[3].classes), 5))  # a class of one picture
    answers = simulated(rng, target, 7)
    prediction, boxes = measured(answers, target)
    precision = coco(answers, target, 7).eval["precision"]  # (overlaps, recalls, classes, areas, most)
    for name, area in (("map", 0), ("map_medium", 2)):
        metric = METRICS.get(name)
        statistics = metric.measure(prediction, boxes)
        ours = [metric.reduce(metric.alone(statistics, c), np.ones(30)) for c in range(7)]
        same(ours, precision[:, :, :, area, 2].mean(axis=(0, 1)))
        assert np.isnan(ours[6])
