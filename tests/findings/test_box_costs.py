"""What mistakes of boxes cost: equal to TIDE as its paper describes it, planted mistakes found, and whatever is drawn as a crowd left out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.boxes import simulated
from tests.findings.planted_boxes import CLASSES, Detector, planted_boxes, scene
from tests.findings.reading import by_id, check
from tests.findings.tide import tide
from weigh.findings.errors import hardest
from weigh.findings.errors.box_costs import mended, mistakes_in
from weigh.findings.errors.box_mistakes import IGNORED, MISSED, RIGHT, SORTS, mistakes_of
from weigh.findings.errors.sightings import Sightings
from weigh.kinds.base import rows_of
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.boxes import BOXES
from weigh.metrics.base import METRICS

THEIRS = {
    "wrong class": "Cls",
    "badly placed": "Loc",
    "both": "Both",
    "double": "Dupe",
    "background": "Bkg",
    "missed": "Miss",
}


def ours(answers, target, classes):
    """mAP at .5, costs and numbers, as the findings work them out, of one model on all pictures."""
    rows = BOXES.recorded(rows_of(answers), rows_of(target))
    sightings = Sightings(rows[None], np.ones((1, len(rows)), bool), rows_of(target), classes)
    mistakes, metric = mistakes_in(sightings), METRICS.get("map_50")

    def score(of):
        return metric.score(BOXES.decide(of), rows_of(target))

    whole = score(rows)
    costs = {sort: score(mended(sightings, mistakes, k)[0]) - whole for k, sort in enumerate(SORTS)}
    numbers = {sort: sum(int((m.sort == k).sum()) for m in mistakes[0]) for k, sort in enumerate(SORTS)}
    return whole, costs, numbers | {"missed": sum(int(m.missed.sum()) for m in mistakes[0])}


def crowded(rng, n, classes):
    """Pictures whose boxes overlap each other; some hold nothing."""
    target = []
    for i in range(n):
        m = int(rng.integers(0, 9)) * bool(i % 5)
        start = rng.uniform(0, 120, (m, 2))
        corners = np.concatenate([start, start + rng.uniform(15, 80, (m, 2))], axis=1)
        target.append(Boxes.of(200, 200, corners, rng.integers(0, classes, m)))
    return target


@pytest.mark.parametrize("seed", range(8))
def test_costs_are_those_of_the_paper(seed):
    rng = np.random.default_rng(seed)
    target = crowded(rng, 12, 3)
    answers = simulated(rng, target, 3, skill=0.7 + 0.03 * seed, noise=4.0)
    _same(ours(answers, target, 3), tide(answers, target, 3))


def _same(one, other):
    assert one[0] == pytest.approx(other[0], abs=1e-9)
    assert one[2] == other[2]
    assert one[1] == pytest.approx(other[1], abs=1e-9)
    assert min(one[1].values()) >= -1e-9  # so no interval may reach below 0


@pytest.fixture(scope="module")
def bccd():
    """Pictures of blood cells with their boxes, and what a simulated detector finds in them."""
    root = Path(os.environ.get("WEIGH_TEST_DATA", "/nowhere")) / "boxes" / "bccd" / "Annotations"
    if not root.is_dir():
        pytest.skip("WEIGH_TEST_DATA has no boxes/bccd")
    target, names = [], ["RBC", "WBC", "Platelets"]
    for file in sorted(root.glob("*.xml"))[:150]:
        tree = ElementTree.parse(file)
        corners = [
            [float(box.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax")] for box in tree.iter("bndbox")
        ]
        classes = [names.index(one.findtext("name")) for one in tree.iter("object")]
        kept = [c[2] > c[0] and c[3] > c[1] for c in corners]
        target.append(Boxes.of(480, 640, np.array(corners)[kept], np.array(classes)[kept]))
    return target, simulated(np.random.default_rng(0), target, 3)


def test_costs_on_blood_cells_are_those_of_the_paper(bccd):
    target, answers = bccd
    _same(ours(answers, target, 3), tide(answers, target, 3))


def test_costs_on_blood_cells_are_those_of_hotcoco(bccd, tmp_path):
    hotcoco = pytest.importorskip("hotcoco", reason="hotcoco is not installed: pip install hotcoco")
    target, answers = bccd

    def written(corners):
        return [corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]]

    gold = [
        {"image_id": i, "category_id": int(c) + 1, "bbox": written(b.tolist()), "area": float(a), "iscrowd": 0}
        for i, boxes in enumerate(target)
        for b, c, a in zip(boxes.corners, boxes.classes, boxes.area, strict=True)
    ]
    found = [
        {"image_id": i, "category_id": int(c) + 1, "bbox": written(b.tolist()), "score": float(s)}
        for i, one in enumerate(answers)
        for b, c, s in zip(one.corners, one.classes, one.scores, strict=True)
    ]
    images = [{"id": i, "width": 640, "height": 480} for i in range(len(target))]
    names = [{"id": c + 1, "name": str(c)} for c in range(3)]
    whole = {"images": images, "annotations": [{**a, "id": k + 1} for k, a in enumerate(gold)], "categories": names}
    for name, content in (("gold", whole), ("found", found)):
        (tmp_path / name).write_text(json.dumps(content))
    truth = hotcoco.COCO(str(tmp_path / "gold"))
    evaluation = hotcoco.COCOeval(truth, truth.load_res(str(tmp_path / "found")), "bbox")
    evaluation.evaluate()
    theirs = evaluation.tide_errors()
    score, costs, numbers = ours(answers, target, 3)
    assert score == pytest.approx(theirs["ap_base"], abs=1e-6)
    assert numbers == {sort: theirs["counts"][name] for sort, name in THEIRS.items()}
    assert costs == pytest.approx({sort: theirs["delta_ap"][name] for sort, name in THEIRS.items()}, abs=1e-6)


def one_picture(found, drawn, crowd=None):
    boxes = Boxes.of(100, 100, [box for box, _ in drawn], [c for _, c in drawn], crowd)
    answer = Detections.of(100, 100, [b for b, _, _ in found], [c for _, c, _ in found], [s for *_, s in found])
    sightings = Sightings(BOXES.recorded([answer], [boxes])[None], np.ones((1, 1), bool), rows_of([boxes]), 3)
    return mistakes_of(sightings.at(0, 0), boxes)


A, B = (10, 10, 30, 30), (60, 60, 80, 80)


@pytest.mark.parametrize(
    ("found", "sort", "mends"),
    [
        ((A, 0, 0.9), RIGHT, -1),
        ((A, 1, 0.9), SORTS.index("wrong class"), 0),
        (((20, 10, 40, 30), 0, 0.9), SORTS.index("badly placed"), 0),
        (((20, 10, 40, 30), 1, 0.9), SORTS.index("both"), -1),
        (((45, 45, 55, 55), 0, 0.9), SORTS.index("background"), -1),
        (((29, 29, 49, 49), 0, 0.9), SORTS.index("background"), -1),
    ],
)
def test_each_sort_is_told_from_the_others(found, sort, mends):
    mistakes = one_picture([found], [(A, 0), (B, 0)])
    assert (mistakes.sort.tolist(), mistakes.mends.tolist()) == ([sort], [mends])
    assert mistakes.missed.tolist() == [sort not in (RIGHT, 0, 1), True]


def test_of_two_boxes_on_one_object_the_less_sure_is_double():
    mistakes = one_picture([(A, 0, 0.6), (A, 0, 0.9), (A, 1, 0.5)], [(A, 0)])
    assert mistakes.sort.tolist() == [RIGHT, SORTS.index("double"), SORTS.index("wrong class")]
    assert mistakes.mends.tolist() == [-1, -1, -1]  # the object is found


def test_of_two_that_could_be_mended_the_surer_is():
    mistakes = one_picture([((20, 10, 40, 30), 0, 0.6), (A, 1, 0.9)], [(A, 0)])
    assert mistakes.mends.tolist() == [0, -1]
    assert mistakes.sort.tolist() == [SORTS.index("wrong class"), SORTS.index("badly placed")]


@pytest.mark.parametrize("drawn", [[(A, 0), (B, 0)], [(A, -1), (B, 0)]])
def test_what_lies_in_a_crowd_is_no_mistake(drawn):
    mistakes = one_picture([(A, 0, 0.9), ((12, 12, 28, 28), 0, 0.8)], drawn, [drawn[0][1] == 0, False])
    assert mistakes.sort.tolist() == [IGNORED, IGNORED]
    assert mistakes.missed.tolist() == [False, True]


PLANTED = {
    "missed": Detector(missed=0.5),
    "wrong class": Detector(missed=0.02, wrong_class=0.5, apart=0.0),
    "badly placed": Detector(missed=0.02, badly=0.5, apart=0.0),
    "double": Detector(missed=0.02, double=0.9, apart=-0.05),
    "background": Detector(missed=0.02, background=6.0, apart=-0.1),
}


@pytest.mark.parametrize("sort", PLANTED)
def test_a_planted_mistake_costs_most(sort):
    results = planted_boxes(PLANTED[sort], n=60)
    finding = by_id(hardest.find(results))["errors:costs"]
    check(finding, results)
    costs = {name: finding.estimates[name] for name in SORTS if name in finding.estimates}
    assert max(costs, key=lambda name: costs[name].value) == sort
    assert finding.verdict == "yes"
    assert costs[sort].low > 0
    assert all(cost.low is None or cost.low >= 0 for cost in costs.values())


def test_two_mistakes_that_cost_alike_are_not_ranked():
    results = planted_boxes(Detector(missed=0.15, wrong_class=0.08, badly=0.08), n=24)
    finding = by_id(hardest.find(results))["errors:costs"]
    check(finding, results)
    assert finding.verdict == "undecided"
    assert "not settled" in finding.sentence.en


def test_a_faultless_detector_has_no_mistakes():
    assert "errors:costs" not in by_id(hardest.find(planted_boxes(Detector(missed=0.0, jitter=0.0), n=20)))


@pytest.mark.parametrize(
    "detectors",
    [
        [Detector(missed=1.0, background=2.0)],
        [Detector(missed=1.0)],
        [Detector(), Detector(missed=1.0, background=2.0)],
    ],
)
def test_detectors_that_find_nothing_break_nothing(detectors):
    results = planted_boxes(*detectors, n=20, failed=[(f"m{len(detectors) - 1}", 0, 1, "out of memory")])
    for finding in hardest.find(results):
        check(finding, results)


def test_the_interval_covers_what_many_pictures_show():
    """The cost of missed objects in 600 pictures lies in most intervals of 40."""
    detector, covered = Detector(missed=0.3, background=1.0), 0
    whole = ours(*_many(detector, 600, 99), len(CLASSES))[1]["missed"]
    for seed in range(8):
        finding = by_id(hardest.find(planted_boxes(detector, n=40, seed=seed)))["errors:costs"]
        covered += finding.estimates["missed"].covers(100 * whole)
    assert covered >= 7


def _many(detector, n, seed):
    rng = np.random.default_rng(seed)
    target = [scene(rng, i) for i in range(n)]
    return [detector(rng, boxes) for boxes in target], target


def test_objects_that_nobody_finds_are_missed_whatever_the_threshold():
    assert one_picture([], [(A, 0), (B, 1)]).missed.tolist() == [True, True]
    assert SORTS.index("missed") == MISSED
