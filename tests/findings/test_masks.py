"""A study of masks is read as any other: pooled scores, comparisons, the answer that looks at nothing; what has no meaning is left out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.findings.masks import mask_study
from weigh.findings.registry import read_findings
from weigh.kinds.masks import MASKS
from weigh.metrics.base import METRICS


@pytest.fixture(scope="module")
def findings():
    results = mask_study(tested=12)
    return results, {finding.id: finding for finding in read_findings(results)}


def test_nothing_breaks_and_what_has_no_meaning_is_not_asked(findings):
    _, by_id = findings
    assert not [f.sentence.en for f in by_id.values() if f.kind == "internal"]
    assert not by_id.keys() & MASKS.meaningless.keys()
    assert by_id["order"].verdict == "undecided"


def test_the_better_candidate_wins_and_its_score_is_the_pooled_one(findings):
    results, by_id = findings
    assert results.winner == "good"
    assert by_id["verdict"].verdict == "yes"
    assert by_id["comparison:good:poor"].relation == "better"
    runs = results.out_of_fold("good")
    metric = METRICS.get("mean_iou")
    expected = np.mean([metric.score(runs.prediction(r), runs.target) for r in range(2)])
    assert by_id["performance:baseline"].estimates["score"].value == pytest.approx(expected)


def test_the_answer_that_looks_at_nothing_stands_beside_the_score(findings):
    results, by_id = findings
    runs = results.out_of_fold("good")
    blind = METRICS.get("mean_iou").score(MASKS.blind(runs.target, 4).prediction, runs.target)
    assert by_id["performance:baseline"].verdict == "yes"
    assert f"{blind:.3f}" in by_id["performance:baseline"].sentence.en
    assert "most frequent class" in by_id["performance:baseline"].sentence.en


def test_of_five_sequences_nothing_is_claimed():
    """The same pictures: 40 frames of five sequences are five independent things."""
    findings = {f.id: f for f in read_findings(mask_study(groups=np.arange(40) // 8))}
    assert findings["comparison:good:poor"].relation == "undecided"
    assert not [f for f in findings.values() if f.kind == "internal"]


def test_one_class_everywhere_is_noticed_as_no_answer_at_all():
    results = mask_study()
    for key, (where, _) in ((run.key, results.predictions(run.key)) for run in results.runs(candidate="poor")):
        blind = MASKS.blind(results.examples.target[where], 4).prediction.labels
        results.predictions.__self__[key] = (where, blind)
    findings = {f.id: f for f in read_findings(results)}
    assert "poor" in findings["stability:degenerate"].candidates
    assert {row["predicted"] for row in findings["stability:degenerate"].table} <= {"sky", "road"}
