"""What holds of the metrics of masks whatever the pictures are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import MaskStatistics
from weigh.kinds.masks import MASKS
from weigh.metrics.base import METRICS

NAMES = [name for name, metric in METRICS.items() if "masks" in metric.kinds]
POOLED = [name for name in NAMES if not name.endswith("per_picture")]
CLASSES = 3


@st.composite
def pairs(draw, *, ignored=True, number=3):
    """Answers and masks, `number` of each, of a few sizes."""
    out = []
    for _ in range(number):
        height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
        pixels = st.lists(st.integers(0, CLASSES - 1), min_size=height * width, max_size=height * width)
        answer = np.array(draw(pixels)).reshape(height, width)
        mask = np.array(draw(pixels)).reshape(height, width)
        if ignored:
            left_out = st.lists(st.booleans(), min_size=height * width, max_size=height * width)
            mask = np.where(np.array(draw(left_out)).reshape(height, width), -1, mask)
        out.append((answer, mask))
    return out


def measured(pictures, classes=CLASSES):
    answers, masks = (rows_of([LabelMap.of(one, classes) for one in side]) for side in zip(*pictures, strict=True))
    return MASKS.decide(MASKS.recorded(answers, masks)), masks


def scores(pictures, names=NAMES, weights=None):
    prediction, target = measured(pictures)
    return np.array([METRICS.get(name).score(prediction, target, weights) for name in names])


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_counts_agree_with_one_another(pictures):
    prediction, target = measured(pictures)
    statistics = MaskStatistics(prediction.labels, CLASSES)
    hit, predicted, actual = np.moveaxis(statistics.counts, 2, 0)
    known = actual.sum(axis=1)
    assert (hit <= np.minimum(predicted, actual)).all()
    assert (predicted.sum(axis=1) == known).all()
    assert known.tolist() == [sum(mask.counts) for mask in target]
    assert (statistics.depths[..., 1].sum(axis=1) == known).all()
    assert (statistics.depths[..., 0].sum(axis=1) == known - hit.sum(axis=1)).all()
    assert (statistics.objects[..., 0] <= statistics.objects[..., 1]).all()
    assert (statistics.borders[..., 0] <= statistics.borders[..., 1]).all()
    assert (statistics.borders[..., 2] <= statistics.borders[..., 3]).all()
    assert ((statistics.borders[..., 0] > 0) == (statistics.borders[..., 2] > 0)).all()  # near is mutual
    assert (statistics.borders[..., 3] <= actual).all()
    assert (statistics.confusion.sum(axis=2) == actual).all()


@given(pairs(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_what_is_answered_at_an_ignored_pixel_changes_nothing(pictures, random):
    changed = [(np.where(mask < 0, random.randrange(CLASSES), answer), mask) for answer, mask in pictures]
    assert (measured(pictures)[0].labels == measured(changed)[0].labels).all()


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_turned_pictures_and_renamed_classes_score_the_same(pictures):
    expected = scores(pictures)
    for turn in (np.fliplr, np.flipud, np.transpose):
        np.testing.assert_allclose(scores([(turn(a), turn(m)) for a, m in pictures]), expected, atol=1e-12)
    renamed = np.array([2, 0, 1, -1])  # the last one is what -1 points to
    np.testing.assert_allclose(scores([(renamed[a], renamed[m]) for a, m in pictures]), expected, atol=1e-12)


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_a_perfect_answer_scores_1_and_all_scores_lie_between_0_and_1(pictures):
    perfect = scores([(np.maximum(mask, 0), mask) for _, mask in pictures])
    assert all(np.isnan(one) or one == pytest.approx(1, abs=1e-12) for one in perfect)
    known = any((mask >= 0).any() for _, mask in pictures)
    assert np.isnan(perfect[NAMES.index("mean_iou")]) != known
    drawn = scores(pictures)
    assert ((np.isnan(drawn)) | ((drawn >= 0) & (drawn <= 1 + 1e-12))).all()


@given(pairs(ignored=False))
@settings(max_examples=40, deadline=None)
def test_overlap_and_borders_do_not_mind_which_side_is_the_truth(pictures):
    names = ["mean_iou", "mean_dice", "border_f1", "pixel_accuracy", "mean_iou_per_picture", "dice_per_picture"]
    np.testing.assert_allclose(scores([(m, a) for a, m in pictures], names), scores(pictures, names), atol=1e-12)


@given(pairs(), st.lists(st.integers(0, 3), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_whole_weights_are_copies(pictures, weights):
    copies = [one for one, w in zip(pictures, weights, strict=True) for _ in range(w)]
    expected = scores(copies) if copies else np.full(len(NAMES), np.nan)
    np.testing.assert_allclose(scores(pictures, weights=np.array(weights, dtype=float)), expected, atol=1e-12)


@given(pairs())
@settings(max_examples=40, deadline=None)
def test_pooled_scores_do_not_mind_how_pixels_are_cut_into_pictures(pictures):
    """All but borders: cutting takes borders away."""
    names = [name for name in POOLED if name != "border_f1"]
    rows = [(a[i : i + 1], m[i : i + 1]) for a, m in pictures for i in range(len(a))]
    np.testing.assert_allclose(scores(rows, names), scores(pictures, names), atol=1e-12)


def test_the_two_ways_of_averaging_differ_where_pictures_differ():
    """A picture of 100 pixels that is all wrong, and one of 4 that is all right: in pixels nearly nothing is right, in pictures half."""
    zeros, ones = np.zeros((10, 10), int), np.ones((10, 10), int)
    pictures = [(zeros, ones), (np.array([[0, 0, 1, 1]]),) * 2]
    names = ["mean_iou", "mean_iou_per_picture", "pixel_accuracy"]
    assert scores(pictures, names) == pytest.approx([2 / 102, 0.5, 4 / 104])


def test_a_class_of_which_nothing_is_there_is_undefined_and_one_that_is_only_answered_is_0():
    mask = np.array([[0, 0, 1, 1]])
    assert scores([(mask, mask)], ["mean_iou"]) == 1
    assert scores([(np.array([[0, 0, 1, 2]]), mask)], ["mean_iou"]) == pytest.approx((1 + 0.5 + 0) / 3)
    empty = np.full((2, 2), -1)
    assert np.isnan(scores([(np.zeros((2, 2), int), empty)])).all()
    assert np.isnan(scores([(np.zeros((2, 2), int), np.zeros((2, 2), int))], ["border_f1"])).all()  # no border anywhere


@pytest.mark.parametrize("band", [1, 2])
def test_a_border_may_run_in_an_ignored_band_but_an_ignored_hole_is_none(band):
    """As in Pascal VOC: the class changes where nothing is known. A hole in one class has the same class all around."""
    mask = np.zeros((8, 12), int)
    mask[:, 6:] = 1
    mask[:, 6 : 6 + band] = -1
    beside = np.zeros((8, 12), int)
    beside[:, 3:] = 1
    right, wrong = np.where(mask < 0, 0, mask), beside
    assert scores([(right, mask)], ["border_f1"]) == 1
    assert scores([(wrong, mask)], ["border_f1"]) == 0
    hole = np.zeros((8, 12), int)
    hole[3:5, 3:5] = -1
    assert np.isnan(scores([(np.zeros((8, 12), int), hole)], ["border_f1"]))


def test_titles_say_which_average_it_is():
    for name in NAMES:
        title = METRICS.get(name).title
        per_picture = name.endswith("per_picture")
        assert ("per picture" in title.en, "pooled" in title.en) == (per_picture, not per_picture)
        assert ("逐图" in title.zh, "合计" in title.zh) == (per_picture, not per_picture)
