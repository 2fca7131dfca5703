"""Counts and metrics of masks equal those of a slow reference written from the definitions, and scikit-learn's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score

from tests import mask_reference as reference
from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import MaskStatistics
from weigh.kinds.masks import MASKS
from weigh.metrics.base import METRICS
from weigh.metrics.tables import per_class

CASES, CHUNKS = 160, 4
NAMES = [name for name, metric in METRICS.items() if "masks" in metric.kinds]


def drawn_picture(rng, classes):
    """An answer and a mask, -1 where it is ignored: blocks of some classes, noise, and every kind of corner case."""
    height, width = [(1, 1), (1, 9), (8, 5), (5, 12), (11, 11)][rng.integers(5)]
    held = rng.permutation(classes)[: rng.integers(1, classes + 1)]
    block = int(rng.integers(1, 4))
    coarse = rng.choice(held, (2, -(-height // block), -(-width // block)))
    answer, mask = np.kron(coarse, np.ones((1, block, block), int))[:, :height, :width]
    answer = np.where(rng.random(mask.shape) < rng.choice([0.0, 0.7, 1.0]), mask, answer)
    mask = np.where(rng.random(mask.shape) < rng.choice([0.0, 0.2, 1.0], p=[0.5, 0.4, 0.1]), -1, mask)
    return answer, mask


def drawn_case(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.choice([1, 2, 3, 6, 40]))
    pictures = [drawn_picture(rng, classes) for _ in range(rng.integers(1, 5))]
    if seed % 20 == 0:  # borders may lie two or three pixels apart in a picture this long
        mask = np.repeat(rng.integers(-1, min(classes, 3), (2, 60)), 7, axis=1)
        pictures.append((np.roll(np.maximum(mask, 0), rng.integers(-5, 6), axis=1), mask))
    return rng, classes, pictures


def as_kept(pictures, classes):
    answers, masks = ([LabelMap.of(one, classes) for one in side] for side in zip(*pictures, strict=True))
    target = rows_of(masks)
    return MASKS.decide(MASKS.recorded(rows_of(answers), target)), target


def as_lists(pictures):
    return [
        (answer.tolist(), [[None if c < 0 else c for c in row] for row in mask.tolist()]) for answer, mask in pictures
    ]


@pytest.mark.parametrize("chunk", [0, 1, *(pytest.param(one, marks=pytest.mark.thorough) for one in range(2, CHUNKS))])
def test_drawn_cases_equal_the_reference(chunk):
    for seed in range(chunk, CASES, CHUNKS):
        rng, classes, pictures = drawn_case(seed)
        prediction, target = as_kept(pictures, classes)
        counts = [reference.compare(*one) for one in as_lists(pictures)]
        same_counts(MaskStatistics(prediction.labels, classes), counts)
        for weights in (np.ones(len(target)), rng.integers(0, 3, len(target)), rng.exponential(size=len(target))):
            for name in NAMES:
                score = METRICS.get(name).score(prediction, target, weights.astype(float))
                expected = reference.METRICS[name](counts, weights.tolist(), classes)
                np.testing.assert_allclose(score, expected, rtol=0, atol=1e-12, err_msg=f"{name}, seed {seed}")


def same_counts(statistics, counts):
    by_class = [[[one[k][c] for k in range(7)] for c in range(statistics.classes)] for one in counts]
    assert np.concatenate([statistics.counts, statistics.borders], axis=2).tolist() == by_class
    assert statistics.depths.tolist() == [[[one.wrong_at[b], one.pixels_at[b]] for b in range(5)] for one in counts]
    assert statistics.objects.tolist() == [[[one.missed[s], one.objects[s]] for s in range(3)] for one in counts]
    if statistics.confusion is not None:
        every = range(statistics.classes)
        assert statistics.confusion.tolist() == [[[one.confused[a, p] for p in every] for a in every] for one in counts]
    assert statistics.rows.shape[1] == MaskStatistics.width(statistics.classes)


@pytest.mark.parametrize("chunk", [0, 1, *(pytest.param(one, marks=pytest.mark.thorough) for one in range(2, CHUNKS))])
def test_drawn_cases_equal_scikit_learn(chunk):
    for seed in range(chunk, CASES, CHUNKS):
        _, classes, pictures = drawn_case(seed)
        prediction, target = as_kept(pictures, classes)
        known = [mask >= 0 for _, mask in pictures]
        given, actual = (np.concatenate([one[i][k] for one, k in zip(pictures, known, strict=True)]) for i in (0, 1))
        if not len(actual):
            assert all(np.isnan(METRICS.get(name).score(prediction, target)) for name in NAMES)
            continue
        labels = np.union1d(given, actual)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a single class
            expected = {
                "mean_iou": jaccard_score(actual, given, labels=labels, average="macro"),
                "frequency_weighted_iou": jaccard_score(actual, given, labels=labels, average="weighted"),
                "mean_dice": f1_score(actual, given, labels=labels, average="macro"),
                "pixel_accuracy": (given == actual).mean(),
            }
            matrix = confusion_matrix(actual, given, labels=range(classes))
        for name, score in expected.items():
            assert METRICS.get(name).score(prediction, target) == pytest.approx(score, abs=1e-12), (name, seed)
        statistics = MaskStatistics(prediction.labels, classes)
        if statistics.confusion is not None:
            assert (statistics.confusion.sum(axis=0) == matrix).all()
        scores = per_class(MASKS, prediction, target, classes=classes)
        assert (scores.support == matrix.sum(axis=1)).all()
        expected_f1 = f1_score(actual, given, labels=range(classes), average=None, zero_division=np.nan)
        np.testing.assert_allclose(scores.f1, expected_f1, atol=1e-12)
