"""Intervals and comparisons of masks: the units are pictures or groups of them, never pixels, and few large ones are told as few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.audit.mask_designs import MaskDesign, mask_study, true_score
from weigh.kinds.masks import MASKS
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import compare
from weigh.stats.interval import score_estimate
from weigh.stats.resampling import make_units, resample

NAMES = [name for name, metric in METRICS.items() if "masks" in metric.kinds]


def measured_as(name, seed=0, n=24):
    """Statistics of small pictures on a metric, as a test part."""
    prediction, target = MASKS.draw(np.random.default_rng(seed), n, 3)
    metric = METRICS.get(name)
    shape = (1, n)
    statistics = metric.measure(prediction, target)[None]
    return MeasuredDesign(metric, statistics, np.zeros(shape, np.int16), np.ones(shape, bool), target)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_units_are_left_out_one_by_one(name, grouped):
    """The variance is that of the jackknife, and equals one that is made by hand."""
    measured = measured_as(name)
    groups = np.arange(24) // 4 if grouped else None
    units = make_units(MASKS, measured.target, groups)
    ones = np.ones(24)
    left = np.array([measured.score_repeat(0, np.where(units.of == u, 0.0, 1.0)) for u in range(units.count)])
    m = units.count
    by_hand = (m - 1) / m * np.square(left - left.mean()).sum()
    moves = resample(measured, np.ones((1, 24)), units).mean_influence
    assert m / (m - 1) * np.square(moves).sum() == pytest.approx(by_hand, rel=1e-9)
    assert moves.sum() == pytest.approx(0, abs=1e-12)
    assert np.isfinite(float(measured.score_repeat(0, ones)))


def test_a_class_that_one_picture_alone_holds_is_not_certain():
    """Its derivative is 0, for the class's score is that picture's; leaving the picture out changes the mean."""
    study = mask_study(MaskDesign(n=12, classes=3), np.random.default_rng(0))
    measured = study.measured["m0"]
    statistics = measured.statistics.copy().reshape(1, 12, 3, 3)
    statistics[:, 1:, 2] = 0
    statistics[:, 0, 2] = [10, 100, 100]
    measured = replace(measured, statistics=statistics.reshape(1, 12, 9))
    own = resample(measured, np.ones((1, 12)), make_units(MASKS, measured.target)).mean_influence
    without_it = measured.metric.influence_on(measured.statistics[0])
    assert abs(own[0]) > 3 * abs(without_it[0])


@pytest.mark.parametrize("copies", [10, 1000])
def test_more_pixels_of_the_same_pictures_say_nothing_more(copies):
    """A size in pixels would make the interval of a mask of 100 x 100 a hundred times shorter than that of one of 10 x 10."""
    study = mask_study(MaskDesign(n=20, classes=4), np.random.default_rng(1))
    measured = study.measured["m0"]
    finer = replace(measured, statistics=measured.statistics * copies)
    one, other = (score_estimate(m, study.units, claim="these_models") for m in (measured, finer))
    assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-9)
    parts = measured.parts(0)
    assert parts.size == pytest.approx(finer.parts(0).size, rel=1e-9)


@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_a_class_without_errors_or_hits_is_worth_its_pictures(wrong):
    """All classes right (or wrong) everywhere: nothing varies, and the interval is that of as many pictures."""
    study = mask_study(MaskDesign(n=20, classes=4), np.random.default_rng(1))
    measured = study.measured["m0"]
    counts = measured.statistics.reshape(1, 20, 4, 3).copy()
    counts[..., 1] = counts[..., 2]
    counts[..., 0] = counts[..., 2] * (1 - wrong)
    estimate = score_estimate(
        replace(measured, statistics=counts.reshape(1, 20, 12)), study.units, claim="these_models"
    )
    assert estimate.value == 1 - wrong
    assert estimate.high - estimate.low > 0.02


def test_one_picture_of_very_many_pixels_is_not_worth_many():
    target = mask_study(MaskDesign(n=20, classes=4), np.random.default_rng(1)).measured["m0"].target
    sizes = [mask.counts for mask in target]
    large = target.copy()
    large[0] = large[0]._replace(counts=tuple(1000 * c for c in sizes[0]))
    assert make_units(MASKS, large).smallest < 5 < make_units(MASKS, target).smallest <= 20


@pytest.mark.parametrize("sequences", [4, 6])
def test_few_sequences_give_a_wide_interval_and_no_verdict(sequences):
    """However many frames they have."""
    design = MaskDesign(n=60, classes=4, sequences=sequences, gap=1.0)
    study = mask_study(design, np.random.default_rng(2))
    grouped = score_estimate(study.measured["m0"], study.units, claim="these_models")
    shuffled = score_estimate(
        study.measured["m0"], make_units(MASKS, study.measured["m0"].target), claim="these_models"
    )
    assert grouped.high - grouped.low > 1.5 * (shuffled.high - shuffled.low)
    assert grouped.n_unit == "groups"
    pair = compare(study.measured, study.units, rng=np.random.default_rng(0), claim="these_models").of("m0", "m1")
    assert (pair.relation, pair.estimate.low) == ("undecided", None)


def test_a_difference_of_thirty_pictures_can_be_found():
    """The rule of three for pictures that are right or wrong as a whole would leave 10 points open."""
    study = mask_study(MaskDesign(n=30, classes=11, gap=0.5), np.random.default_rng(3))
    pair = compare(study.measured, study.units, rng=np.random.default_rng(0), claim="these_models").of("m0", "m1")
    assert pair.relation == "better"
    assert 0 < pair.least < pair.estimate.value < 0.1


def test_the_same_answers_twice_are_not_told_to_be_equal():
    """Nothing moves the difference, so nothing is known about what could."""
    study = mask_study(MaskDesign(n=30, classes=4), np.random.default_rng(3))
    twice = {"m0": study.measured["m0"], "m1": study.measured["m0"]}
    pair = compare(twice, study.units, rng=np.random.default_rng(0), claim="these_models").of("m0", "m1")
    assert (pair.relation, pair.negligible) == ("undecided", False)


def test_what_is_left_of_a_pooled_score_without_its_last_picture():
    """Three pictures of which one has known pixels: leaving it out leaves no score, and changes nothing that can be told."""
    metric = METRICS.get("mean_iou")
    statistics = np.zeros((3, 6))
    statistics[0] = [1, 2, 2, 3, 4, 4]
    assert metric.change_without(statistics, np.arange(3), 3) == pytest.approx([0, 0, 0])
    assert metric.change_without(statistics[:1], np.zeros(1, int), 2) == pytest.approx([0, 0])


@pytest.mark.parametrize(
    "design",
    [
        MaskDesign(n=30, classes=11, rare=2), MaskDesign(n=60, classes=4, sequences=5),
        pytest.param(MaskDesign(n=30, uneven=1.5), marks=pytest.mark.thorough),
    ],
    ids=["rare classes", "five sequences", "sizes that differ a hundredfold"],
)  # fmt: skip
@pytest.mark.parametrize("studies", [75, pytest.param(150, marks=pytest.mark.thorough)])
def test_intervals_hold_and_equal_candidates_are_hardly_ever_told_apart(design, studies):
    """Of all studies 95 % covered and at most 5 % claims; four standard errors away is a broken rule."""
    rng, truth = np.random.default_rng(5), true_score(design)
    covered = claims = 0
    for _ in range(studies):
        study = mask_study(design, rng)
        estimate = score_estimate(study.measured["m0"], study.units, claim="these_models")
        covered += estimate.low <= truth <= estimate.high
        pair = compare(study.measured, study.units, rng=rng, claim="these_models").of("m0", "m1")
        claims += pair.relation in ("better", "worse")
    assert covered / studies > 0.95 - 4 * np.sqrt(0.05 * 0.95 / studies)
    assert claims / studies < 0.05 + 4 * np.sqrt(0.05 * 0.95 / studies)
