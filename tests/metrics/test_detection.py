"""What holds of the metrics of boxes whatever was drawn and found, and which classes a score speaks of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.boxes import measured, simulated, twelve
from weigh.kinds.base import LEAST_HOLDERS, Prediction, rows_of
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.box_statistics import IOUS, BoxStatistics, compare_boxes
from weigh.kinds.boxes import BOXES
from weigh.metrics import ranked_boxes
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold

SIDE = 200


@st.composite
def pictures(draw, *, number=3, crowds=True):
    """Detections, with scores that all differ, and boxes of `number` pictures, on whole pixels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    answers, target = [], []
    for _ in range(number):
        m = draw(st.integers(0, 5))
        start = rng.integers(0, 100, (m, 2))
        corners = np.concatenate([start, start + rng.integers(5, 100, (m, 2))], axis=1)
        crowd = rng.random(m) < 0.2 if crowds else None
        target.append(Boxes.of(SIDE, SIDE, corners, rng.integers(0, 2, m), crowd))
        answers.append(simulated(rng, target[-1:], 2, noise=2)[0])
    return answers, target


@given(pictures(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_detections_are_handed_over_does_not_matter(some, random):
    answers, target = some
    shuffled = []
    for one in answers:
        order = random.sample(range(len(one.scores)), len(one.scores))
        shuffled.append(Detections.of(SIDE, SIDE, one.corners[order], one.classes[order], one.scores[order]))
    assert (compare_boxes(shuffled, target) == compare_boxes(answers, target)).all()


@given(pictures(), st.sampled_from([0.25, 2.0, 4.0]))
@settings(max_examples=40, deadline=None)
def test_pictures_of_another_size_match_the_same(some, factor):
    """All but what small, medium and large mean."""
    answers, target = some
    larger = [one._replace(corners=one.corners * factor) for one in answers]
    boxes = [one._replace(corners=one.corners * factor, area=one.area * factor**2) for one in target]
    one, other = (BoxStatistics(compare_boxes(*pair), 2) for pair in ((answers, target), (larger, boxes)))
    whole = (1 << len(IOUS)) - 1
    assert (one.detections.hits & whole == other.detections.hits & whole).all()
    assert (one.detections.ignored & whole == other.detections.ignored & whole).all()
    assert (one.detections.took == other.detections.took).all()


@given(pictures(), st.integers(0, 2), st.integers(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_false_alarm_below_all_scores_and_away_from_all_boxes_raises_nothing(some, picture, of):
    answers, target = some
    before = twelve(answers, target)
    own = answers[picture]
    corners = np.concatenate([own.corners, [[500, 500, 560, 560]]])
    answers[picture] = Detections.of(SIDE, SIDE, corners, [*own.classes, of], [*own.scores, 1e-6])
    after = twelve(answers, target)
    assert (np.isnan(after) == np.isnan(before)).all()
    assert (np.nan_to_num(after) <= np.nan_to_num(before) + 1e-12).all()


@given(pictures(crowds=False))
@settings(max_examples=40, deadline=None)
def test_a_perfect_answer_scores_1_and_all_scores_lie_between_0_and_1(some):
    answers, target = some
    perfect = [
        Detections.of(SIDE, SIDE, one.corners, one.classes, np.linspace(1, 0.5, len(one.classes))) for one in target
    ]
    scores = twelve(perfect, target)[[0, 1, 2, 8]]
    anything = any(len(one.classes) for one in target)
    assert np.isnan(scores).all() if not anything else scores == pytest.approx(1, abs=1e-12)
    scores = twelve(answers, target)
    assert (np.isnan(scores) | ((scores >= 0) & (scores <= 1 + 1e-12))).all()


@given(pictures(), st.sampled_from([0.1, 1 / 3, 7.5, 1e-6]))
@settings(max_examples=40, deadline=None)
def test_the_scale_of_weights_does_not_matter(some, scale):
    """Also where rounding makes a recall of exactly so many hundredths a little less."""
    np.testing.assert_allclose(twelve(*some, np.full(3, scale)), twelve(*some), rtol=1e-9)


def test_a_class_without_boxes_has_no_score_and_one_of_which_nothing_was_found_has_0():
    target = [Boxes.of(SIDE, SIDE, [[0, 0, 50, 50]], [0])]
    right, wrong = (Detections.of(SIDE, SIDE, [[0, 0, 50, 50]], [of], [0.9]) for of in (0, 1))
    assert twelve([right], target)[0] == 1
    assert twelve([wrong], target)[0] == 0  # class 1 is nowhere: its false alarm has no score of its own
    assert np.isnan(twelve([wrong], [Boxes.of(SIDE, SIDE, [], [])])).all()
    assert np.isnan(twelve([right], target)[3])  # no small box


def test_what_is_told_is_counted():
    target = [Boxes.of(SIDE, SIDE, [[0, 0, 50, 50], [100, 0, 150, 50]], [0, 1]), Boxes.of(SIDE, SIDE, [], [])]
    answers = [
        Detections.of(SIDE, SIDE, [[0, 0, 50, 45], [100, 0, 150, 50], [0, 99, 50, 150]], [0, 1, 0], [0.9, 0.3, 0.6]),
        Detections.of(SIDE, SIDE, [[0, 0, 50, 50]], [1], [0.8]),
    ]
    prediction, boxes = measured(answers, target)
    scores = {name: METRICS.get(name).score(prediction, boxes) for name in ("box_f1", "box_precision", "box_recall")}
    assert scores == pytest.approx({"box_f1": 2 / 5, "box_precision": 1 / 3, "box_recall": 1 / 2})
    assert METRICS.get("count_error").score(prediction, boxes) == pytest.approx((1 + 1 + 1) / 2)


# Which classes


def design(rng, n=40, folds=4, repeats=2, rare=LEAST_HOLDERS - 1):
    """Pictures with a class that all hold, and one that `rare` of them hold, and what a detector found in them, time and again."""
    corners = [[0, 0, 40, 40], [60, 60, 160, 160], [170, 170, 190, 190], [100, 0, 180, 50]]
    held = [3 + (i < rare) for i in range(n)]
    target = rows_of([Boxes.of(SIDE, SIDE, corners[:m], [0, 0, 0, 1][:m]) for m in held])
    rows = [compare_boxes(simulated(rng, target, 2, skill=0.6), target) for _ in range(repeats)]
    answers = np.zeros((repeats, n, max(one.shape[1] for one in rows)))
    for repeat, one in enumerate(rows):
        answers[repeat, :, : one.shape[1]] = one
    fold = np.stack([rng.permutation(n) % folds for _ in range(repeats)]).astype(np.int16)
    return OutOfFold(np.arange(n), answers, fold, target, np.zeros_like(answers), BOXES)


@pytest.mark.parametrize("rare", [LEAST_HOLDERS - 1, LEAST_HOLDERS])
@pytest.mark.parametrize("name", ["map", "map_50", "map_medium", "average_recall_1", "average_recall_medium"])
def test_a_class_in_fewer_than_eight_pictures_is_outside_of_what_is_reported(name, rare):
    """In every fold and under all weights, though it stands in fewer pictures there; benchmarks score all classes."""
    runs, metric, enough = design(np.random.default_rng(0), rare=rare), METRICS.get(name), rare >= LEAST_HOLDERS
    assert metric.judged(runs.target).tolist() == BOXES.judged(runs.target, 2).tolist() == [True, enough]
    without = runs.answers.copy()
    places = without[:, :, 1:].reshape(*without.shape[:2], -1, 9)
    without[:, :, 1:] = np.where(np.abs(places[..., :1]) == 2, 0, places).reshape(without[:, :, 1:].shape)
    whole, alone = (measure_design(metric, replace(runs, answers=part)) for part in (runs.answers, without))
    weights = np.random.default_rng(0).exponential(size=(5, 40))
    for repeat in range(2):
        scores = (one.score_repeat(repeat, weights) for one in (whole, alone))
        assert np.allclose(*scores, rtol=1e-12) != enough
    everything = measure_design(replace(metric, judged=None), runs).score()
    assert np.array_equal(everything.fold, whole.score().fold) == enough
    first = runs.fold[0] == 0
    prediction = Prediction(*(part[first] for part in runs.prediction(0)))
    assert everything.fold[0, 0] == metric.score(prediction, runs.target[first])


def test_two_parts_that_are_compared_speak_of_the_classes_that_can_be_judged_on_both():
    cv, test = (design(np.random.default_rng(0), n=n, folds=2, rare=rare) for n, rare in ((40, 20), (16, 3)))
    metric = METRICS.get("map")
    assert metric.judged_on(cv.target).tolist() == [0, 1]
    assert metric.judged_on(cv.target, test.target).tolist() == metric.judged_on(test.target, cv.target).tolist() == [0]
    alone = measure_design(metric.within(test.target), cv).score().overall
    assert cv.measured(metric, test.target).score().overall == alone != cv.measured(metric).score().overall
    assert METRICS.get("box_f1").judged_on(cv.target) is None
    assert cv.measured(METRICS.get("box_f1"), test.target) is cv.measured(METRICS.get("box_f1"))


def test_metrics_of_all_boxes_together_and_of_other_kinds_speak_of_all_classes():
    runs = design(np.random.default_rng(0))
    for metric in (METRICS.get(name) for name in ("box_f1", "count_error", "accuracy", "mean_iou")):
        assert metric.within(runs.target) is metric


# Leaving out


def test_the_derivative_stands_for_leaving_out_one_by_one(monkeypatch):
    """With many pictures the two agree; leaving out moves the hundredths of recall besides, so its spread is a little larger."""
    rng = np.random.default_rng(0)
    runs = design(rng, n=150, folds=1, repeats=1, rare=40)
    metric = METRICS.get("map")
    statistics = measure_design(metric, runs).statistics[0]
    unit = np.arange(150) // 2
    exact = metric.change_without(statistics, unit, 75)
    monkeypatch.setattr(ranked_boxes, "EXACT", 0)
    told = metric.change_without(statistics, unit, 75)
    assert np.corrcoef(exact, told)[0, 1] > 0.95
    assert np.square(told).sum() == pytest.approx(np.square(exact).sum(), rel=0.2)
    assert not np.array_equal(exact, told)


@pytest.mark.parametrize("name", ["map", "map_50"])
@pytest.mark.parametrize("seed", range(6))
def test_by_how_much_a_score_is_too_high_does_not_depend_on_the_order_of_pictures(name, seed):
    """Many scores are equal, and so are many derivatives."""
    prediction, target = BOXES.draw(np.random.default_rng(seed), 20, 3)
    statistics = METRICS.get(name).measure(prediction, target)
    order = np.random.default_rng(seed + 99).permutation(20)
    parts, moved = METRICS.get(name).parts(statistics), METRICS.get(name).parts(statistics[order])
    assert parts.too_high == pytest.approx(moved.too_high, abs=1e-12)
    np.testing.assert_allclose(parts.size, moved.size, atol=1e-9)
