"""The headline says that average precision of few pictures comes out too high, where it does."""

from __future__ import annotations

import pytest

from tests.findings.planted_boxes import Detector, planted_boxes
from weigh.findings.performance.headline import find

POOR = Detector(missed=0.35, background=2.0, apart=0.1)


@pytest.mark.parametrize(
    ("detector", "metric", "told"),
    [(POOR, "map", True), (POOR, "box_f1", False), (Detector(missed=0.0, jitter=0.0), "map", False)],
    ids=["few pictures", "counts are not ranked", "nothing wrong"],
)
def test_the_headline_says_by_how_much(detector, metric, told):
    verdict = find(planted_boxes(detector, n=40, metrics={"primary": metric}))[0]
    assert ("comes out too high" in verdict.sentence.en) == told
    assert ("往往偏高" in verdict.sentence.zh) == told
    assert ("too_high" in verdict.estimates) == told
    if told:
        assert 0.5 < verdict.estimates["too_high"].value < 10
        score = verdict.estimates["score"]
        assert score.value - score.low > score.high - score.value
