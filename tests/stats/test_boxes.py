"""Average precision is worked out within folds, and so is what leaving a picture out takes from it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.metrics.test_detection import design
from weigh.kinds.boxes import BOXES
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.stats.comparison import compare
from weigh.stats.interval import score_estimate
from weigh.stats.resampling import make_units, resample


@pytest.mark.parametrize("name", ["map", "map_50", "average_recall_100", "box_f1"])
@pytest.mark.parametrize("groups", [None, 13])
@pytest.mark.parametrize("folds", [1, 4])
def test_what_a_unit_moves_is_what_leaving_it_out_takes_away(name, groups, folds):
    rng = np.random.default_rng(5)
    runs = design(rng, folds=folds, rare=9)
    runs.fold[0, 3:7] = -1  # a hole
    measured = measure_design(METRICS.get(name), runs)
    of = np.arange(measured.n) if groups is None else rng.permutation(measured.n) % groups
    units = make_units(BOXES, runs.target, None if groups is None else of)
    resampled = resample(measured, np.ones((1, measured.n)), units)
    for repeat in range(2):
        left = (units.of != np.arange(units.count)[:, None]).astype(float)
        change = measured.score_repeat(repeat, np.ones(measured.n)) - measured.score_repeat(repeat, left)
        there = np.unique(units.of[measured.present[repeat]])
        expected = np.zeros(units.count)
        expected[there] = (change[there] - change[there].mean()) * (len(there) - 1) / len(there)
        np.testing.assert_allclose(resampled.influence[repeat], expected, atol=1e-12)
        if folds > 1 and groups is None:
            scores, _ = measured.score_folds(repeat, np.ones(measured.n))
            for fold in range(folds):
                rows = np.flatnonzero(measured.fold[repeat] == fold)
                change = scores[fold] - measured.score_folds(repeat, left[rows])[0][fold]
                expected = (change - change.mean()) * (len(rows) - 1) / len(rows)
                np.testing.assert_allclose(resampled.fold_influence[repeat, rows], expected, atol=1e-12)


def test_scores_of_boxes_get_intervals_and_the_same_detector_twice_is_no_difference():
    runs = design(np.random.default_rng(0), rare=20)
    measured = measure_design(METRICS.get("map"), runs)
    units = make_units(BOXES, runs.target)
    estimate = score_estimate(measured, units, claim="this_data")
    assert 0 < estimate.low < estimate.value < estimate.high < 1
    other = measure_design(METRICS.get("map"), design(np.random.default_rng(0), rare=20))
    told = compare({"a": measured, "b": other}, units, rng=np.random.default_rng(0), claim="this_data").of("a", "b")
    assert told.estimate.value == 0
