"""Cross-validation and a test part speak of the same classes where they are compared, and it is said which."""

from __future__ import annotations

import numpy as np
import pytest

from tests.findings.planted_boxes import CLASSES, Detector, planted_boxes, scene
from weigh.findings.evidence import read_evidence
from weigh.findings.generalisation.independent_test import find
from weigh.kinds.base import LEAST_MINORITY
from weigh.kinds.boxes import BOXES

HELD = 12  # pictures of cross-validation that hold the rare class


def rarely(least, tested):
    """Scenes in which the last class stands in `HELD` of 40 pictures of cross-validation, and in `tested` of the test part."""

    def drawn(rng, i):
        boxes = scene(rng, i, (4, 9))
        classes = np.where(boxes.classes == 2, 0, boxes.classes)
        classes[0], classes[1] = 0, 1
        if i % 40 < (HELD if i < 40 else tested):
            classes[2] = 2
        return boxes._replace(classes=classes)

    return planted_boxes(Detector(missed=0.3), Detector(missed=0.4), n=40, drawn=drawn, test=least)


def test_both_speak_of_the_classes_that_can_be_judged_on_both():
    results = rarely(20, 3)
    evidence = read_evidence(results)
    tested = results.test(evidence.winner)
    assert [BOXES.judged(part, 3).tolist() for part in (evidence.out_of_fold["m0"].target, tested.target)] == [[True] * 3, [True, True, False]]  # fmt: skip
    finding = find(results)[0]
    assert finding.id == "generalisation:test"
    assert "Both speak of the 2 classes" in finding.sentence.en
    assert "2 个类别" in finding.sentence.zh
    assert finding.estimates["judged_on_both"].value == 2
    alone = evidence.beside(tested.target)
    assert finding.estimates["cross_validation"].value != evidence.scores[str(evidence.winner)].value
    for name, cv in alone.measured.items():
        rare = np.abs(cv.statistics[..., ::2]) // 2**20 == len(CLASSES)
        assert not rare.any(), name


def test_where_the_same_classes_can_be_judged_nothing_is_said():
    finding = find(rarely(30, 12))[0]
    assert "Both speak" not in finding.sentence.en
    assert "judged_on_both" not in finding.estimates


@pytest.mark.parametrize("least", [LEAST_MINORITY, 7])
def test_a_test_part_on_which_no_class_can_be_judged_has_no_score(least):
    finding = find(rarely(least, 0))[0]
    assert finding.verdict == "undecided"
    assert "speaks of no class" in finding.sentence.en
    assert "too much alike" not in finding.sentence.en
