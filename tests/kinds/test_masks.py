"""The kind of masks: how targets are read, kept and spread over folds, what a run records, and what people see."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from tests import mask_reference as reference
from tests.findings.synthetic import make_results
from weigh.kinds.base import KINDS, LEAST_MINORITY, kind_named, rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import MaskStatistics, compare_masks, squared_tolerance
from weigh.kinds.masks import MASKS, MaskRow
from weigh.record.arrays import read_predictions, write_predictions
from weigh.tasks import TASKS

NAMES = ("sky", "road", "sign")


def target_of(*pictures, classes=3):
    return rows_of([LabelMap.of(np.array(one), classes) for one in pictures])


def drawn(n=20, classes=3, seed=0):
    return MASKS.draw(np.random.default_rng(seed), n, classes)


# Targets


def test_it_is_registered_and_is_a_task_of_pictures():
    assert KINDS.get("masks") is MASKS
    assert pickle.loads(pickle.dumps(MASKS)) is MASKS
    assert TASKS.get("semantic-segmentation").kinds == ("masks",)
    assert TASKS.get("semantic-segmentation").medium == "pictures"
    assert kind_named("label").recorded(np.ones((2, 2)), np.zeros(2)).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("n", [0, 1, 20])
@pytest.mark.parametrize("classes", [1, 3, 300])
def test_targets_come_back_from_the_index_as_they_were(n, classes):
    target = drawn(n, classes)[1]
    stored = MASKS.store(target)
    assert stored.dtype == np.uint8
    assert list(MASKS.restore(stored)) == list(target)
    assert MASKS.bytes_of(target) == MASKS.bytes_of(MASKS.restore(stored))


@pytest.mark.parametrize("other", [[[0, 1], [1, 1]], [[0, 1, 1, 0]], [[0, -1], [1, 0]], [[0, 1]]])
def test_other_masks_have_another_fingerprint(other):
    assert MASKS.bytes_of(target_of([[0, 1], [1, 0]])) != MASKS.bytes_of(target_of(other))


def test_rows_of_a_reader_are_counted_and_turned_to_the_classes_of_all():
    row = MaskRow(("void", "road", "sign", "sky"), LabelMap.of(np.array([[0, 1, 3, 7]]), 4))
    assert MASKS.named(row) == ("void", "road", "sky")
    same, other = MASKS.encode([MaskRow(NAMES, target_of([[0, 1, 2]])[0]), row], NAMES)
    assert same.indices().tolist() == [[0, 1, 2]]
    assert other.indices().tolist() == [[255, 1, 0, 255]]  # "void" is no class: ignored, as what was ignored
    assert other.counts == (1, 1, 0)


def test_classes_that_stand_in_every_picture_say_nothing_to_folds():
    target = target_of([[0, 1]], [[0, 0]], [[0, 2]], [[0, 1]])
    strata = MASKS.strata(target)
    assert (strata.n, strata.count) == (4, 3)  # road, sign, and none of them
    assert list(zip(strata.example.tolist(), strata.stratum.tolist(), strict=True)) == [(0, 0), (1, 2), (2, 1), (3, 0)]
    assert MASKS.strata(target_of([[0, 1]], [[1, 0]])).count == 1
    assert MASKS.class_counts(target, 3).tolist() == [4, 2, 1]  # pictures
    assert MASKS.members(target, 3)[2].tolist() == [True, False, True]


def test_as_many_pictures_are_told_as_would_share_the_classes_evenly():
    assert MASKS.informative(target_of(*[[[0, 1]]] * 8)) == (8, 1)
    assert MASKS.informative(target_of(*[[[0, 1]]] * 8, [[-1]], [[-1]])) == (8, 1)  # nothing is known of two
    rare = [[[0, 1]]] * 8 + [[[0, 2]]] * 2  # of each class's third, the two of signs hold a tenth, nothing and a half
    assert MASKS.informative(target_of(*rare)) == (round(1 / (8 * (0.225 / 3) ** 2 + 2 * 0.2**2)), 1)
    assert MASKS.informative(target_of([[0] * 1000], *[[[0]]] * 8)) == (1, 1)  # one large picture
    assert MASKS.informative(target_of([[-1]], [[-1]])) == (0, 1)


def test_masks_vary_where_enough_of_them_hold_a_second_class():
    assert MASKS.varied(target_of(*[[[0, 0, 1]]] * LEAST_MINORITY, [[0, 0]]))
    assert not MASKS.varied(target_of(*[[[0, 0, 1]]] * (LEAST_MINORITY - 1), *[[[0, 0]]] * 9))
    assert not MASKS.varied(target_of(*[[[-1, -1]]] * 9))


@pytest.mark.parametrize("rows", [0, 3])
def test_targets_that_nobody_knows(rows):
    blank = MASKS.blank(rows, 3)
    assert len(blank) == rows
    assert MASKS.members(blank, 3).shape == (rows, 3)
    assert not MASKS.class_counts(blank, 3).any()
    assert not MASKS.varied(blank)
    assert MASKS.strata(blank).n == rows


# Answers


def test_what_is_recorded_is_exact_also_beyond_single_precision(tmp_path):
    """2^24 + 1 pixels are more than float32 can count."""
    prediction, target = drawn()
    counts = prediction.labels.copy()
    counts[0, 0] = 2**24 + 1
    digest = write_predictions(tmp_path / "a.npz", "k", MASKS, np.arange(20), counts, target)
    indices, back = read_predictions(tmp_path / "a.npz", digest)
    assert (back == counts).all()
    results = make_results({"one": np.zeros((1, 20, 2), np.float32)}, np.arange(20) % 2, folds=2)
    examples = replace(results.examples, kind=MASKS, target=target)
    kept = {run.key: np.flatnonzero(indices % 2 == run.fold) for run in results.runs()}
    results = replace(results, examples=examples, predictions=lambda key: (kept[key], back[kept[key]]))
    runs = results.out_of_fold("one")
    assert (runs.answers[0] == counts).all()
    assert (runs.prediction(0).labels == counts).all()
    assert runs.bias.dtype == np.float32


def test_answers_about_new_pictures_are_shares_of_their_classes():
    maps = target_of([[0, 0], [0, 2]], [[1, 1]])
    decided = MASKS.decide(maps)
    assert decided.labels is maps
    assert decided.probabilities.tolist() == [[0.75, 0, 0.25], [0, 1, 0]]
    assert MASKS.row(decided, 0, NAMES) == {"area:sky": 0.75, "area:road": 0.0, "area:sign": 0.25}
    assert MASKS.row(None, 0, NAMES) == {"area:sky": None, "area:road": None, "area:sign": None}


def test_how_far_an_answer_is_off_is_the_share_of_known_pixels_that_are_wrong():
    target = target_of([[0, 1, 2, -1]], [[0, 0, 0, 0]], [[-1, -1]])
    answers = target_of([[0, 1, 1, 0]], [[0, 0, 0, 0]], [[0, 0]])
    assert MASKS.distances(MASKS.recorded(answers, target), target) == pytest.approx([1 / 3, 0, 0])
    assert MASKS.distances(np.zeros((0, 10)), target[:0]).tolist() == []


@pytest.mark.parametrize("seed", range(3))
def test_the_answer_that_looks_at_nothing_is_counted_as_any_other(seed):
    _, target = drawn(seed=seed)
    most = int(np.sum([mask.counts for mask in target], axis=0).argmax())
    statistics = MaskStatistics(MASKS.blind(target, 3).prediction.labels, 3)
    for i, mask in enumerate(target):
        indices = mask.indices()
        truth = [[None if c == 255 else c for c in row] for row in indices.tolist()]
        counts = reference.compare(np.full(indices.shape, most).tolist(), truth)
        expected = [[one[c] for one in counts[:7]] for c in range(3)]
        assert np.concatenate([statistics.counts, statistics.borders], axis=2)[i].tolist() == expected
        assert statistics.confusion[i].tolist() == [[counts.confused[a, p] for p in range(3)] for a in range(3)]
    assert np.isnan(statistics.depths).all()  # not worked out, and so never taken for 0
    assert np.isnan(statistics.objects).all()
    assert MASKS.same_answer(statistics.rows, target, NAMES) == NAMES[most]
    assert MASKS.same_answer(drawn()[0].labels, target, NAMES) == ""


def test_totals_of_classes_are_pixels_under_any_weights():
    prediction, target = drawn()
    weights = np.random.default_rng(0).integers(0, 3, 20).astype(float)
    counts = MASKS.counts(prediction, target, weights, 3)
    assert counts.actual.tolist() == (weights @ np.array([mask.counts for mask in target])).tolist()
    assert counts.predicted.sum() == counts.actual.sum() >= counts.hit.sum()


def test_an_answer_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 3,"):
        compare_masks(target_of([[0, 1, 1]]), target_of([[0, 1]]))
    with pytest.raises(ValueError):
        compare_masks(target_of([[0, 1]]), target_of([[0, 1]], classes=4))


@pytest.mark.parametrize(("size", "squared"), [((1, 1), 1), ((360, 480), 20), ((300, 400), 14), ((3000, 4000), 1406)])
def test_the_tolerance_is_three_quarters_of_a_hundredth_of_the_diagonal(size, squared):
    assert squared_tolerance(*size) == squared
    assert squared <= max(1, (0.0075 * np.hypot(*size)) ** 2) < squared + 1


@pytest.mark.parametrize("dtype_at", [254, 255, 60_000])
def test_classes_beyond_a_byte(dtype_at):
    answer, mask = np.array([[0, 1, dtype_at - 1]]), np.array([[0, 0, dtype_at - 1]])
    statistics = MaskStatistics(compare_masks(*(target_of(one, classes=dtype_at) for one in (answer, mask))), dtype_at)
    assert statistics.confusion is None
    assert statistics.counts[0, [0, 1, dtype_at - 1]].tolist() == [[1, 1, 2], [0, 1, 0], [1, 1, 1]]


def test_the_width_of_a_row_says_what_it_holds():
    assert MaskStatistics.width(11) == 7 * 11 + 2 * 5 + 2 * 3 + 121
    assert MaskStatistics.width(33) == 7 * 33 + 16


def test_a_street_scene_is_counted_as_pixel_by_pixel():
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(-1, 11, (9, 12)), np.ones((40, 40), int))
    answered = np.maximum(np.roll(coarse, 3, axis=1), 0)
    mask, answer = LabelMap.of(coarse, 11), LabelMap.of(answered, 11)
    both = compare_masks([answer] * 2, [mask] * 2)
    np.testing.assert_array_equal(both[0], both[1])
    labelled = coarse >= 0
    counts = MaskStatistics(both, 11).counts[0]
    for label in range(11):
        true, chosen = (coarse == label) & labelled, (answered == label) & labelled
        assert counts[label].tolist() == [(true & chosen).sum(), chosen.sum(), true.sum()]


# For people


def test_a_mask_and_what_was_recorded_of_an_answer_read_alike():
    target = target_of([[0, 0, 0, 1], [0, 0, 2, -1]])
    recorded = MASKS.recorded(target_of([[0, 0, 0, 0], [0, 0, 2, 2]]), target)
    assert MASKS.quote(target[0], NAMES) == "sky 71%, road 14%, sign 14%"
    assert MASKS.shown(recorded[0], NAMES) == "sky 86%, sign 14%"
    assert [json.loads(cell) for cell in MASKS.cells(target, NAMES)] == [{"sky": 5, "road": 1, "sign": 1}]
    assert [json.loads(cell) for cell in MASKS.cells(recorded, NAMES)] == [{"sky": 6, "sign": 1}]
    assert MASKS.quote(target_of([[-1]])[0], NAMES) == "–"
    assert MASKS.quote(target_of([[0, 1, 2, 3]], classes=4)[0], ("a", "b", "c", "d")).endswith(", …")


def test_what_has_no_meaning_is_said_in_both_languages():
    for reason in (MASKS.unordered, *MASKS.meaningless.values()):
        assert reason.en
        assert reason.zh
    assert {"calibration", "errors:labels", "stability:agreement"} <= MASKS.meaningless.keys()
