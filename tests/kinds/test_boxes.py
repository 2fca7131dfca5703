"""The kind of boxes: how targets are kept and spread over folds, what a run records, and what people see."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from tests.boxes import measured
from weigh.kinds.base import KINDS, LEAST_HOLDERS, LEAST_MINORITY, rows_of
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.box_statistics import BoxStatistics, compare_boxes, detections_of
from weigh.kinds.boxes import BOXES, BoxRow
from weigh.record.arrays import read_predictions, write_predictions
from weigh.tasks import TASKS

NAMES = ("cat", "dog", "cow")


def boxes_of(*drawn, crowd=None):
    """Of (class, left, top, right, bottom)."""
    values = np.array(drawn, dtype=float).reshape(-1, 5)
    return Boxes.of(100, 200, values[:, 1:], values[:, 0], crowd)


def found_of(*found, threshold=0.5):
    """Of (class, score, left, top, right, bottom)."""
    values = np.array(found, dtype=float).reshape(-1, 6)
    return Detections.of(100, 200, values[:, 2:], values[:, 0], values[:, 1], threshold)


def drawn(n=20, classes=3, seed=0):
    return BOXES.draw(np.random.default_rng(seed), n, classes)


# Targets


def test_it_is_registered_and_is_a_task_of_pictures():
    assert KINDS.get("boxes") is BOXES
    assert pickle.loads(pickle.dumps(BOXES)) is BOXES
    assert TASKS.get("object-detection").kinds == ("boxes",)
    assert TASKS.get("object-detection").medium == "pictures"


def same_boxes(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("n", [0, 1, 20])
def test_targets_come_back_from_the_index_as_they_were(n):
    target = drawn(n)[1]
    stored = BOXES.store(target)
    assert stored.dtype == np.uint8
    back = BOXES.restore(stored)
    assert all(same_boxes(one, other) for one, other in zip(back, target, strict=True))
    assert BOXES.bytes_of(target) == BOXES.bytes_of(back)
    assert [one.corners.dtype for one in back] == [np.float64] * n


@pytest.mark.parametrize(
    "other",
    [boxes_of((0, 1, 1, 9, 9.5)), boxes_of((1, 1, 1, 9, 9)), boxes_of((0, 1, 1, 9, 9), crowd=[True]), boxes_of()],
)
def test_other_boxes_have_another_fingerprint(other):
    assert BOXES.bytes_of(rows_of([boxes_of((0, 1, 1, 9, 9))])) != BOXES.bytes_of(rows_of([other]))


def test_classes_of_a_reader_are_matched_by_name():
    row = BoxRow(("dog", "cat", "axolotl"), boxes_of((0, 0, 0, 9, 9), (1, 0, 0, 8, 8), (2, 0, 0, 7, 7)))
    assert BOXES.named(row) == ("dog", "cat", "axolotl")
    (encoded,) = BOXES.encode([row], NAMES)
    assert encoded.classes.tolist() == [1, 0, -1]
    assert BOXES.class_counts(rows_of([encoded]), 3).tolist() == [1, 1, 0]


def test_classes_of_folds_and_of_judgement():
    """Boxes are counted, but what is judged and spread over folds are pictures; crowds are no objects."""
    pictures = [boxes_of((0, 0, 0, 9, 9), (0, 0, 0, 8, 8))] * LEAST_HOLDERS + [boxes_of((1, 0, 0, 9, 9))] * 3
    target = rows_of([*pictures, boxes_of((2, 0, 0, 9, 9), crowd=[True]), boxes_of()])
    assert BOXES.class_counts(target, 3).tolist() == [2 * LEAST_HOLDERS, 3, 0]
    assert BOXES.judged(target, 3).tolist() == [True, False, False]
    strata = BOXES.strata(target)
    assert (strata.n, len(strata.example)) == (len(target), len(target))
    assert BOXES.members(target, 3).sum(axis=0).tolist() == [LEAST_HOLDERS, 3, 0]
    assert BOXES.informative(target) == (8, 1)  # those of the class that can be judged
    assert BOXES.informative(rows_of(pictures[4:])) == (round(1 / (1 / 4 / 4 + 1 / 3 / 4)), 1)  # no class can


def test_pictures_vary_where_enough_of_them_hold_anything():
    assert BOXES.varied(rows_of([boxes_of((0, 0, 0, 9, 9))] * LEAST_MINORITY))
    assert not BOXES.varied(rows_of([boxes_of((0, 0, 0, 9, 9))] * (LEAST_MINORITY - 1) + [boxes_of()] * 9))


@pytest.mark.parametrize("rows", [0, 3])
def test_targets_that_nobody_knows(rows):
    blank = BOXES.blank(rows, 3)
    assert len(blank) == rows
    assert BOXES.members(blank, 3).shape == (rows, 3)
    assert not BOXES.class_counts(blank, 3).any()
    assert not BOXES.varied(blank)
    assert BOXES.strata(blank).n == rows
    assert BOXES.sizes(blank).shape == (rows, 2)


# Answers


def test_what_a_row_holds():
    target = boxes_of((0, 0, 0, 10, 10), (0, 20, 0, 60, 40), (2, 0, 50, 20, 60))
    answer = found_of((1, 0.6, 0, 0, 10, 10), (0, 0.9, 20, 0, 60, 38), (0, 0.3, 100, 0, 150, 50))
    statistics = BoxStatistics(compare_boxes([answer], [target]), 3)
    assert statistics.drawn[0].tolist() == [[2, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
    found = statistics.detections
    assert found.scores.tolist() == [0.9, 0.6, 0.3]
    assert found.took.tolist() == [1, -1, -1]
    assert [found.hit(iou).tolist() for iou in (0, 9)] == [[True, False, False]] * 2
    assert found.hit(9, 2).tolist() == [True, False, False]  # a box of medium size
    assert found.counted(0, 1).tolist() == [
        False,
        True,
        False,
    ]  # of small ones the first took an ignored box, the last is none itself
    assert found.told.tolist() == [True, True, False]
    assert statistics.told[0].tolist() == [[1, 1, 2], [0, 1, 0], [0, 0, 1]]
    back = detections_of(statistics.rows[0], target)
    assert same_boxes(back, answer)


def test_a_box_of_no_known_class_is_ignored_like_a_crowd_of_every_class():
    target = boxes_of((-1, 0, 0, 40, 40), (0, 100, 0, 140, 40))
    answer = found_of((0, 0.9, 0, 0, 40, 38), (1, 0.8, 10, 10, 30, 30), (0, 0.7, 100, 0, 140, 40))
    found = BoxStatistics(compare_boxes([answer], [target]), 2).detections
    assert found.hit().tolist() == [False, False, True]
    assert found.counted().tolist() == [False, False, True]


def test_what_is_recorded_comes_back_from_disk(tmp_path):
    prediction, target = drawn()
    digest = write_predictions(tmp_path / "a.npz", "k", BOXES, np.arange(20), prediction.labels, target)
    _, back = read_predictions(tmp_path / "a.npz", digest)
    assert (back == prediction.labels).all()
    thirds = prediction.labels.copy()
    thirds[:, 1:].reshape(20, -1, 9)[..., 1] *= 1 / 3  # scores that single precision would change
    assert (BOXES.unpack(BOXES.pack(thirds, target)) == thirds).all()
    assert BOXES.unpack(BOXES.pack(prediction.labels[:0], target[:0])).shape[0] == 0


def test_more_zeros_at_the_right_change_nothing():
    prediction, _ = drawn()
    wider = np.pad(prediction.labels, ((0, 0), (0, 27)))
    assert (BoxStatistics(wider, 3).told == BoxStatistics(prediction.labels, 3).told).all()
    assert (
        BOXES.pack(wider, prediction.labels)["places"].tolist()
        == BOXES.pack(prediction.labels, wider)["places"].tolist()
    )


def test_how_far_an_answer_is_off_is_what_f1_lacks():
    target = [boxes_of((0, 0, 0, 10, 10), (1, 50, 0, 60, 10)), boxes_of(), boxes_of(), boxes_of((0, 0, 0, 10, 10))]
    answers = [
        found_of((0, 0.9, 0, 0, 10, 10)),
        found_of(),
        found_of((0, 0.9, 0, 0, 9, 9)),
        found_of((0, 0.1, 0, 0, 9, 9)),
    ]
    prediction, boxes = measured(answers, target)
    assert BOXES.distances(prediction.labels, boxes) == pytest.approx([1 / 3, 0, 1, 1])
    blind = BOXES.blind(boxes, 2).prediction
    assert BOXES.distances(blind.labels, boxes).tolist() == [1, 0, 0, 1]
    assert BOXES.same_answer(blind.labels, boxes, NAMES) == "∅"
    assert BOXES.same_answer(prediction.labels, boxes, NAMES) == ""
    counts = BOXES.counts(prediction, boxes, np.array([2.0, 1, 1, 1]), 3)
    assert [part.tolist() for part in counts] == [[2, 0, 0], [3, 0, 0], [3, 2, 0]]


def test_a_full_picture_is_compared_alike_alone_and_among_others():
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 300, (20, 2))
    corners = np.concatenate([start, start + rng.uniform(20, 100, (20, 2))], axis=1)
    target = Boxes.of(400, 400, corners, rng.integers(0, 3, 20))
    answer = Detections.of(
        400, 400, np.repeat(corners, 5, 0) + rng.normal(0, 3, (100, 4)), rng.integers(0, 3, 100), rng.random(100)
    )
    alone, among = compare_boxes([answer], [target]), compare_boxes([answer] * 10, [target] * 10)
    for row in among:
        np.testing.assert_array_equal(row, alone[0])


# For people


def test_boxes_detections_and_what_was_recorded_read_alike():
    target = boxes_of((0, 0, 0, 10, 10), (0, 20, 0, 30, 10), (2, 0, 50, 20, 60))
    answer = found_of((0, 0.9, 0, 0, 10, 10), (1, 0.4, 0, 0, 10, 10))
    recorded = compare_boxes([answer], [target])
    assert BOXES.quote(target, NAMES) == "2 × cat, 1 × cow"
    assert BOXES.quote(answer, NAMES) == BOXES.quote(recorded[0], NAMES) == "1 × cat"
    assert BOXES.quote(boxes_of(), NAMES) == "∅"
    assert [json.loads(cell) for cell in BOXES.cells(rows_of([target]), NAMES)] == [{"cat": 2, "cow": 1}]
    assert [json.loads(cell) for cell in BOXES.cells(recorded, NAMES)] == [{"cat": 1}]


def test_a_row_of_predict_counts_what_is_told_and_says_how_far_it_may_be_off():
    target = [
        boxes_of((0, 0, 0, 10, 10)),
        boxes_of((0, 0, 0, 10, 10), (0, 50, 0, 60, 10), (1, 0, 20, 20, 40)),
        boxes_of(),
    ]
    answers = [
        found_of((0, 0.9, 0, 0, 10, 10), (1, 0.4, 0, 0, 10, 10)), found_of((2, 0.9, 0, 0, 5, 5)), found_of((0, 0.6, 0, 0, 9, 9))
    ]  # fmt: skip
    decided = BOXES.decide(rows_of(answers))
    assert BOXES.row(decided, 0, NAMES) == {"count:cat": 1, "count:dog": 0, "count:cow": 0}
    assert BOXES.row(None, 0, NAMES) == {"count:cat": None, "count:dog": None, "count:cow": None}
    errors = BOXES.errors(compare_boxes(answers, target), rows_of(target), 3)
    assert errors.tolist() == [[0, 0, 0], [2, 1, 1], [1, 0, 0]]
    told = BOXES.ranges(decided, 1, NAMES, np.array([2.0, 1.0, 1.0]))
    assert [told[f"count_low:{name}"] for name in NAMES] == [0, 0, 0]
    assert [told[f"count_high:{name}"] for name in NAMES] == [2, 1, 2]


def test_what_has_no_meaning_is_said_in_both_languages():
    for reason in (BOXES.unordered, *BOXES.meaningless.values()):
        assert reason.en
        assert reason.zh
