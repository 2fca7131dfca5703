"""Intervals and comparisons of mean AP: units are pictures or groups, few pictures make AP too high, and rare classes are not judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.audit.box_designs import BoxDesign, draw_boxes
from benchmarks.audit.box_rows import box_study, recorded_rows, true_ap
from weigh.kinds.boxes import BOXES
from weigh.metrics.base import METRICS
from weigh.metrics.detection import KINDS
from weigh.stats.comparison import compare
from weigh.stats.interval import score_estimate
from weigh.stats.power import what_settles
from weigh.stats.racing import drop_out, planned_looks

RANKS = [name for name, metric in METRICS.items() if metric.kinds == KINDS and metric.pooling == "rank"]


def study_of(seed=0, metric="map", **design):
    return box_study(BoxDesign(**design), np.random.default_rng(seed), metric)


def pair_of(study, claim="these_models"):
    return compare(study.measured, study.units, rng=np.random.default_rng(0), claim=claim).of("m0", "m1")


@pytest.mark.parametrize("name", RANKS)
def test_the_simulated_rows_are_those_of_a_run(name):
    """Every metric of AP reads them, and none of them twice the same: sizes of objects are told apart."""
    study = study_of(n=20, metric=name)
    score = study.measured["m0"].score().overall
    assert 0.05 < score < 0.95
    assert len(RANKS) == 6
    everything = {metric: study_of(n=20, metric=metric).measured["m0"].score().overall for metric in RANKS}
    assert len(set(everything.values())) == len(RANKS)


def test_detections_and_objects_are_all_recorded():
    drawn = draw_boxes(BoxDesign(n=12), np.random.default_rng(0))
    rows = recorded_rows(drawn.objects, drawn.found[0][0])
    found = drawn.found[0][0]
    told = BOXES.decide(rows)
    counts = BOXES.counts(told, np.empty(12, object), np.ones(12), 3)
    assert counts.actual.tolist() == drawn.objects.sum(axis=(0, 2)).tolist()
    surely = found.score >= 0.5
    assert counts.predicted.sum() == surely.sum()
    assert counts.hit.sum() == (surely & (found.overlap >= 0.5)).sum()


@pytest.mark.parametrize("groups", [0, 12])
def test_the_parts_are_classes_among_pictures(groups):
    """A common class is not worth its hundreds of boxes, and no class more than its pictures would be if each were right in part."""
    study = study_of(n=60, groups=groups)
    measured = study.measured["m0"]
    parts = measured.parts(0)
    assert parts.weight.sum() == pytest.approx(1)
    assert float(parts.weight @ parts.share) == pytest.approx(measured.score().overall)
    assert parts.ranked


@pytest.mark.parametrize("n", [30, pytest.param(60, marks=pytest.mark.thorough)])
def test_halves_tell_that_few_pictures_make_average_precision_too_high(n):
    """Over many data sets what is told is near what is true; leaving out single pictures would tell less than half of it."""
    design, rng, told, too_high = BoxDesign(n=n), np.random.default_rng(3), [], []
    for _ in range(25):
        study = box_study(design, rng)
        truth = float(true_ap(design)[study.classes].mean())
        for measured in study.measured.values():
            parts = measured.parts(0)
            told.append(float(parts.weight @ parts.optimism))
            too_high.append(measured.score().overall - truth)
    assert np.mean(too_high) > 0
    assert np.mean(told) == pytest.approx(np.mean(too_high), abs=3 * np.std(too_high) / np.sqrt(len(told)))
    assert np.mean(told) > 0.002


def test_what_is_told_does_not_depend_on_the_order_of_the_pictures():
    measured = study_of(n=40).measured["m0"]
    order = np.random.default_rng(1).permutation(40)
    shuffled = replace(measured, statistics=measured.statistics[:, order])
    for name in ("share", "size", "optimism", "weight"):
        one, other = (getattr(m.parts(0), name) for m in (measured, shuffled))
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12, err_msg=name)


def test_the_interval_reaches_down_further_by_what_is_too_high():
    study = study_of(n=30)
    measured = study.measured["m0"]
    parts = measured.parts(0)
    without = replace(measured.metric, parts=lambda s: replace(measured.metric.parts(s), optimism=None))
    plain, own = (
        score_estimate(m, study.units, claim="these_models") for m in (replace(measured, metric=without), measured)
    )
    more = max(0.0, float(parts.weight @ parts.optimism))
    assert own.high == pytest.approx(plain.high)
    assert own.low == pytest.approx(plain.low - more)


def test_a_detector_without_errors_is_not_certain():
    """Nothing varies, and the interval is that of as many pictures."""
    study = study_of(n=24, level=30.0, mistaken=0.0, own=0.0, metric="map_50")
    measured = study.measured["m0"]
    estimate = score_estimate(measured, study.units, claim="these_models")
    assert estimate.value > 0.9
    assert estimate.high - estimate.low > 0.02


def test_classes_in_fewer_than_eight_pictures_are_outside_the_score():
    """Whatever is found of them."""
    design = BoxDesign(n=60, classes=8, rare=5, rarely=0.05)
    drawn = draw_boxes(design, np.random.default_rng(2))
    pictures = (drawn.objects.sum(axis=2) > 0).sum(axis=0)
    study = study_of(2, n=60, classes=8, rare=5, rarely=0.05)
    assert study.classes.tolist() == np.flatnonzero(pictures >= 8).tolist()
    assert 0 < len(study.classes) < 8
    assert (study.measured["m0"].parts(0).weight > 0).nonzero()[0].tolist() == study.classes.tolist()


def test_the_same_detections_twice_are_not_told_to_be_equal():
    study = study_of(n=30)
    twice = study._replace(measured={"m0": study.measured["m0"], "m1": study.measured["m0"]})
    assert (pair_of(twice).relation, pair_of(twice).negligible) == ("undecided", False)


def test_few_groups_give_no_verdict():
    study = study_of(n=60, groups=6, gap=2.0)
    assert (pair_of(study).relation, pair_of(study).estimate.low) == ("undecided", None)


def test_a_difference_of_seventy_pictures_can_be_found():
    """The rule of three for pictures that are right or wrong as a whole would leave four points open."""
    pair = pair_of(study_of(n=72, gap=0.5))
    assert pair.relation == "better"
    assert pair.least < 0.03


@pytest.mark.parametrize(("n", "gap", "out"), [(72, 2.0, ["m1"]), (72, 0.0, []), (20, 3.0, [])])
def test_a_race_drops_a_detector_on_what_both_found_in_the_same_folds(n, gap, out):
    """After two folds of five; eight pictures are too few for any."""
    study = study_of(n=n, gap=gap, folds=5)
    begun = {name: replace(m, present=m.fold < 2) for name, m in study.measured.items()}
    options = {"claim": "this_data", "level": 0.95, "rope": 0.01, "looks": planned_looks(5, 1), "field": 2}
    look = drop_out(begun, study.units, rng=np.random.default_rng(0), blocks=2, **options)
    assert [drop.name for drop in look.dropped] == out
    assert look.stop in (("one left",) if out else (None,))


def test_more_pictures_are_asked_for_where_nothing_is_decided_and_none_are_foretold():
    """What would settle a comparison follows from its own variance; before a run nothing is said of boxes."""
    pair = pair_of(study_of(n=60, gap=0.1))
    settled = what_settles(pair, 0.0)
    assert pair.relation == "undecided"
    assert settled.factor > 1
    assert settled.units == pytest.approx(settled.factor * 60)
    assert not BOXES.detectable


@pytest.mark.parametrize(
    "design",
    [
        pytest.param(BoxDesign(n=40), marks=pytest.mark.thorough),
        BoxDesign(n=72, classes=12, rare=8, crowded=2),
        pytest.param(BoxDesign(n=60, groups=12), marks=pytest.mark.thorough),
    ],
    ids=["40 pictures", "rare classes", "twelve groups"],
)
def test_intervals_hold_and_equal_detectors_are_hardly_ever_told_apart(design):
    """15 studies: four standard errors away is a broken rule."""
    rng, studies, covered, claims = np.random.default_rng(5), 15, 0, 0
    for _ in range(studies):
        study = box_study(design, rng)
        truth = float(true_ap(design)[study.classes].mean())
        estimate = score_estimate(study.measured["m0"], study.units, claim="these_models")
        covered += estimate.low <= truth <= estimate.high
        claims += pair_of(study).relation in ("better", "worse")
    assert covered / studies > 0.95 - 4 * np.sqrt(0.05 * 0.95 / studies)
    assert claims / studies < 0.05 + 4 * np.sqrt(0.05 * 0.95 / studies)
