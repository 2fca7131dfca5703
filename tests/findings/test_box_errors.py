"""Missed objects, counts, the hardest pictures, the classes that a score speaks about: what was planted is found, what was not is not claimed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.findings.planted_boxes import CLASSES, SIZES, Detector, planted_boxes, scene
from tests.findings.reading import by_id, check
from weigh.findings.errors import hardest
from weigh.findings.performance import headline
from weigh.findings.registry import read_findings
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.boxes import BOXES


def found_in(results):
    found = by_id(hardest.find(results))
    for finding in found.values():
        check(finding, results)
    return found


@pytest.mark.parametrize(("small", "verdict"), [(0.5, "yes"), (0.0, "undecided")])
def test_small_objects_that_are_missed(small, verdict):
    found = found_in(planted_boxes(Detector(missed=0.1, small=small), n=60))["errors:objects"]
    assert found.verdict == verdict
    assert found.estimates["missed_first"].covers(100 * (1 - 0.9 * (1 - small)))
    assert found.estimates["missed_last"].covers(10)
    assert [row["sort"]["en"] for row in found.table] == ["small", "medium"]
    assert "medium-sized" in found.question.en


def test_of_one_size_nothing_is_compared():
    def of_one_size(rng, i):
        boxes = scene(rng, i)
        return boxes._replace(area=np.full(len(boxes.area), 100.0))

    assert "errors:objects" not in found_in(planted_boxes(Detector(), drawn=of_one_size, n=20))


def missing(where):
    """Misses half of the objects there."""

    def detector(rng, boxes):
        answer = Detector(missed=0.05)(rng, boxes)
        there = where(answer)
        return Detections.of(
            answer.height, answer.width, answer.corners[~there], answer.classes[~there], answer.scores[~there], 0.3
        )

    return detector


def at_the_edge(answer):
    return (answer.corners[:, 0] < 4) & (np.arange(len(answer.scores)) % 2 == 0)


def cut_off(rng, i):
    """Objects of the first column touch the left edge."""
    boxes = scene(rng, i)
    corners = boxes.corners.copy()
    corners[corners[:, 0] < 5, 0] = 0.0
    return boxes._replace(corners=corners)


@pytest.mark.parametrize(("detector", "verdict"), [(missing(at_the_edge), "yes"), (Detector(missed=0.25), "undecided")])
def test_objects_at_the_edge_that_are_missed(detector, verdict):
    found = found_in(planted_boxes(detector, drawn=cut_off, n=60))["errors:edges"]
    assert found.verdict == verdict
    assert "edge of the picture" in found.question.en
    assert "(no further from it than 0.5 % of the side, or a pixel)" in found.sentence.en
    assert "距边缘不超过边长的 0.5 % 或一个像素" in found.sentence.zh


def overlapping(rng, i):
    """In every cell of the grid that is used a second object stands beside the first, in half of them overlapping it."""
    boxes = scene(rng, i, (2, 6))
    sides = boxes.corners[:, 2:3] - boxes.corners[:, :1]
    apart = np.where(np.arange(len(sides)) % 2 == 0, 0.6, 1.1)[:, None] * sides
    beside = boxes.corners + np.concatenate([np.zeros_like(apart), apart] * 2, axis=1)
    return Boxes.of(240, 240, np.concatenate([boxes.corners, beside]), np.tile(boxes.classes, 2))


def without_neighbours(rng, boxes):
    """Of two that overlap it finds the first one only."""
    answer = Detector(missed=0.02, jitter=0.0)(rng, boxes)
    order = np.argsort(answer.corners[:, 1], kind="stable")
    keep = np.ones(len(order), bool)
    for k, i in enumerate(order):
        for j in order[:k]:
            low, high = (
                np.maximum(answer.corners[i, :2], answer.corners[j, :2]),
                np.minimum(answer.corners[i, 2:], answer.corners[j, 2:]),
            )
            keep[i] &= not (keep[j] and (high > low).all())
    return Detections.of(240, 240, answer.corners[keep], answer.classes[keep], answer.scores[keep], 0.3)


@pytest.mark.parametrize(("detector", "verdict"), [(without_neighbours, "yes"), (Detector(missed=0.2), "undecided")])
def test_crowded_objects_that_are_missed(detector, verdict):
    found = found_in(planted_boxes(detector, drawn=overlapping, n=60))["errors:crowding"]
    assert found.verdict == verdict


# Counts


@pytest.mark.parametrize(
    ("detector", "of", "way"),
    [
        (Detector(missed=0.3), -0.3, "too few"),
        (Detector(missed=0.0, double=0.25, apart=0.1), 0.25, "too many"),
        (Detector(missed=0.1, double=0.111, apart=0.1), 0.0, "neither too many nor too few"),
    ],
)
def test_counts_are_off_as_planted(detector, of, way):
    results = planted_boxes(detector, n=60, repeats=2)
    found = found_in(results)["errors:counts"]
    drawn = np.mean([len(boxes.classes) for boxes in results.examples.target])
    assert found.estimates["drawn"].value == pytest.approx(drawn)
    assert found.estimates["surplus"].covers(of * drawn)
    assert way in found.sentence.en.split(". ")[0]
    rows = {row["class"] if isinstance(row["class"], str) else row["class"]["en"]: row for row in found.table}
    assert set(rows) == {*CLASSES, "all together"}
    assert rows["all together"]["drawn"] == pytest.approx(drawn, abs=0.01)


def test_a_class_of_few_pictures_is_counted_without_an_interval():
    def rare(rng, i):
        boxes = scene(rng, i)
        return boxes._replace(classes=np.where((boxes.classes == 2) & (i >= 5), 0, boxes.classes))

    found = found_in(planted_boxes(Detector(), drawn=rare, n=40))["errors:counts"]
    assert found.estimates["not_judged"].value == 1
    rows = {row["class"]: row for row in found.table if isinstance(row["class"], str)}
    assert "[" in rows["red"]["count_off"]
    assert "[" not in rows["platelet"]["count_off"]


# Pictures


def test_the_hardest_pictures_come_first():
    def worse_and_worse(rng, boxes):
        worse_and_worse.at += 1
        return Detector(missed=worse_and_worse.at / 50)(rng, boxes)

    worse_and_worse.at = -1
    results = planted_boxes(worse_and_worse, n=40)
    found = found_in(results)["errors:hardest"]
    assert len(found.examples) == 12
    distances = BOXES.distances(results.out_of_fold("m0").answers[0], results.examples.target)
    assert found.examples == [results.examples.path[i] for i in np.argsort(-distances, kind="stable")[:12]]
    assert "objects missed" in found.table[0]["mistakes"]["en"]
    assert "漏检" in found.table[0]["mistakes"]["zh"]


def test_runs_that_are_missing_are_left_out():
    found = found_in(planted_boxes(Detector(missed=0.3), n=40, failed=[("m0", 0, 1, "out of memory")]))
    assert found["errors:hardest"].estimates["examples"].value == 32
    assert found["errors:counts"].estimates["count_off"].n == 32


# The classes that a score speaks about


def of_71_classes(rng, i):
    """24 classes stand in enough pictures, 47 in fewer than eight."""
    boxes = scene(rng, i, (6, 9))
    common = rng.integers(0, 24, len(boxes.classes))
    common[0] = 24 + i % 47
    return boxes._replace(classes=common)


NAMES = tuple(f"class {c:02}" for c in range(71))


@pytest.fixture(scope="module")
def many():
    results = planted_boxes(Detector(missed=0.2), drawn=of_71_classes, classes=NAMES, n=120)
    return results, by_id(headline.find(results))


def test_the_headline_says_of_which_classes_it_speaks(many):
    results, found = many
    for finding in found.values():
        check(finding, results)
    said = found["verdict"].sentence
    assert "the mean over 24 of 71 classes: the other 47 stand in fewer than 8 pictures and cannot be judged" in said.en
    assert "71 个类别中 24 个的平均：其余 47 个类别所在的图片不足 8 张" in said.zh
    judged = found["performance:judged"]
    assert len(judged.table) == 47
    assert {row["class"] for row in judged.table} == set(NAMES[24:])
    assert all(row["examples"] < 8 for row in judged.table)
    assert "too high on average" in judged.sentence.en
    assert "never put into one ranking" in judged.sentence.en
    assert "most of that cancels" in judged.sentence.en


def test_every_class_has_its_ap_with_an_interval(many):
    table = {row["class"]: row for row in many[1]["performance:classes"].table}
    assert len(table) == 71
    for name, row in table.items():
        assert ("[" in row["AP"]) == ("[" in row["AP 50"]) == (name < "class 24")
        assert (row["note"] == "too few to tell") == (name >= "class 24")
    values = [float(row["AP"].split()[0]) for row in list(table.values())[:24]]
    assert np.mean(values) == pytest.approx(many[1]["performance:baseline"].estimates["score"].value, abs=0.05)


def all_but_platelets(rng, boxes):
    """Everything exactly, and half of the platelets."""
    answer = Detector(missed=0.0, jitter=0.0)(rng, boxes)
    kept = (answer.classes != 2) | (rng.random(len(answer.classes)) < 0.5)
    return Detections.of(240, 240, answer.corners[kept], answer.classes[kept], answer.scores[kept], 0.3)


def test_classes_of_one_score_are_all_the_best():
    results = planted_boxes(all_but_platelets, n=40)
    found = by_id(headline.find(results))["performance:classes"]
    check(found, results)
    assert "does best on 2 that all have AP 1.000 ('red', 'white') and worst on 'platelet' (" in found.sentence.en
    assert "有 2 个类别最好，AP 均为 1.000（“red”、“white”），在“platelet”上最差（" in found.sentence.zh


def test_the_score_of_a_class_is_that_of_a_study_of_it_alone():
    results = planted_boxes(Detector(missed=0.3, background=1.0), n=40)
    row = {row["class"]: row for row in by_id(headline.find(results))["performance:classes"].table}["red"]
    alone = planted_boxes(of_red, n=40, labelled=only_red)
    score = by_id(headline.find(alone))["performance:baseline"].estimates["score"].value
    assert float(row["AP"].split()[0]) == pytest.approx(
        score, abs=0.02
    )  # folds of other sizes: pictures without it drop out
    assert row["recall"] == pytest.approx(0.7, abs=0.1)


def only_red(rng, there):
    return [Boxes.of(240, 240, b.corners[b.classes == 0], b.classes[b.classes == 0]) for b in there]


def of_red(rng, boxes):
    answer = Detector(missed=0.3, background=1.0)(rng, boxes)
    own = answer.classes == 0
    return Detections.of(240, 240, answer.corners[own], answer.classes[own], answer.scores[own], 0.3)


def test_a_score_of_all_classes_says_so():
    found = by_id(headline.find(planted_boxes(Detector(), n=30)))
    assert "the mean over all 3 classes" in found["verdict"].sentence.en


def test_of_one_class_nothing_is_a_mean():
    sentence = by_id(headline.find(planted_boxes(of_red, n=30, labelled=only_red)))["verdict"].sentence
    one = planted_boxes(Detector(), n=30, classes=("cell",), drawn=of_one_class)
    assert "classes" not in by_id(headline.find(one))["verdict"].sentence.en
    assert "the mean over 1 of 3 classes: the other 2 stand in fewer" in sentence.en


def of_one_class(rng, i):
    boxes = scene(rng, i)
    return boxes._replace(classes=np.zeros(len(boxes.classes), np.int64))


def test_a_share_of_few_objects_says_of_how_many():
    def at_one_edge(rng, i):
        boxes = scene(rng, i)
        return boxes._replace(corners=boxes.corners - [2, 2, 2, 2]) if i == 0 else boxes

    found = found_in(planted_boxes(Detector(missed=0.2), drawn=at_one_edge, n=30))["errors:edges"]
    assert "Too few to judge: objects at the edge of the picture" in found.sentence.en
    assert "in 1 picture)" in found.sentence.en
    assert found.verdict == "undecided"


def test_nothing_breaks_and_what_has_no_meaning_is_not_asked():
    results = planted_boxes(Detector(), Detector(missed=0.3), n=30, repeats=2, test=12)
    found = by_id(read_findings(results))
    assert not [f.sentence.en for f in found.values() if f.kind == "internal"]
    assert not found.keys() & BOXES.meaningless.keys()
    assert SIZES[0] < 32 < SIZES[1]
    for finding in found.values():
        if finding.kind in ("performance", "errors", "comparison"):
            check(finding, results)


def one_small_class(rng, i):
    """Red boxes are small, all others are not."""
    boxes = scene(rng, i)
    return boxes._replace(area=np.where(boxes.classes == 0, 500.0, 2000.0))


@pytest.mark.parametrize("metric", ["map_small", "average_recall_small"])
def test_of_small_boxes_the_classes_without_any_are_not_in_the_mean(metric):
    results = planted_boxes(Detector(), n=40, drawn=one_small_class, metrics={"primary": metric})
    found = by_id(headline.find(results))
    for name in ("verdict", "performance:judged"):
        check(found[name], results)
    said = found["verdict"].sentence
    assert "It is the mean over 1 of 3 classes: the other 2 have no box that counts in it." in said.en
    assert "其余 2 个类别没有计入该得分的框" in said.zh
    assert "Of 2 classes no box counts in it (white, platelet)." in found["performance:judged"].sentence.en
