"""Calibration of the winner: says yes, no or undecided as the planted truth allows, in the same numbers twice."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.findings.reading import check
from tests.findings.studies import pictures
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.calibration import measured
from weigh.findings.calibration.stated import TOLERANCE, find, judge_error
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.stats.estimate import Estimate


def numbers(sentence: str) -> list[str]:
    return sorted(re.findall(r"-?\d+(?:\.\d+)?", sentence))


def study(seed=0, n=1500, temperature=1.0, repeats=2, **options):
    """A winner whose logits are `temperature` times too large, and a worse candidate."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, size=(n, 3))
    target = (LABEL.probabilities(logits).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    noisy = logits + rng.normal(0, 3, size=logits.shape)
    stack = {"good": np.stack([logits * temperature] * repeats), "poor": np.stack([noisy] * repeats)}
    return make_results({k: v.astype(np.float32) for k, v in stack.items()}, target, winner="good", **options)


def test_overconfident_winner_is_cured_by_temperature():
    (finding,) = find(study(temperature=3.0))
    estimates = finding.estimates
    assert estimates["temperature"].value == pytest.approx(3, rel=0.15)
    assert estimates["calibration_error_before"].low > TOLERANCE
    assert estimates["confidence_minus_accuracy"].low > 0
    assert "too sure" in finding.sentence.en
    assert "过于自信" in finding.sentence.zh
    assert estimates["calibration_error"].high < estimates["calibration_error_before"].low
    assert estimates["log_loss_gain"].low > 0
    assert finding.verdict == "yes"


def test_what_no_temperature_can_cure_is_not_called_calibrated():
    rng = np.random.default_rng(1)
    n = 3000
    target = np.arange(n) % 2
    strange = np.zeros((1, n, 2), dtype=np.float32)
    side = rng.random(n) < 0.5
    # Sure and always right on one half, equally sure and hardly better than chance on the other.
    correct = np.where(side, 1.0, np.where(rng.random(n) < 0.5, 1.0, -1.0))
    strange[0, np.arange(n), target] = correct * np.where(side, 0.4, 4.0)
    (finding,) = find(make_results({"odd": strange}, target))
    assert finding.verdict == "no"
    assert "face value" not in finding.sentence.en
    assert finding.next


def test_few_examples_are_undecided():
    (finding,) = find(study(seed=2, n=60, repeats=1))
    assert finding.verdict == "undecided"
    assert "cannot settle" in finding.sentence.en
    assert finding.next


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.0, 0.05, "yes"),
        (0.0, 0.0501, "undecided"),
        (0.05, 0.2, "undecided"),
        (0.051, 0.2, "no"),
        (None, None, "undecided"),
    ],
)
def test_verdict_follows_the_interval(low, high, verdict):
    assert judge_error(Estimate(value=0.04, low=low, high=high)) == verdict


def test_an_interval_beside_the_tolerance_is_written_on_its_side_of_it(monkeypatch):
    beyond = Estimate(value=0.03, low=0.0102, high=0.0504)
    monkeypatch.setattr(measured, "_at_least", lambda error, excess: beyond)
    (finding,) = find(study(n=300))
    assert "[0.0102, 0.0504]" in finding.sentence.en
    assert "values on both sides of 0.05" in finding.sentence.en


def test_both_languages_and_the_estimates_have_the_same_numbers():
    for temperature in (0.4, 1.0, 3.0):
        (finding,) = find(study(temperature=temperature, n=400))
        said = numbers(finding.sentence.en)
        assert said == numbers(finding.sentence.zh)
        known = {TOLERANCE}
        for estimate in finding.estimates.values():
            known |= {estimate.value, estimate.low, estimate.high}
        for number in said:
            digits = len(number.partition(".")[2])
            assert any(k is not None and f"{k:.{digits}f}" == number for k in known), number


def test_reliability_rows_and_a_row_for_every_candidate():
    (finding,) = find(study(n=300))
    assert finding.figure.kind == "reliability"
    assert {row["stage"] for row in finding.figure.rows} == {"before", "after"}
    for candidate in ("good", "poor"):
        rows = [r for r in finding.figure.rows if r["candidate"] == candidate and r["stage"] == "before"]
        assert sum(row["n"] for row in rows) == pytest.approx(300, abs=1)
    assert [row["candidate"] for row in finding.table] == ["good", "poor"]


def test_the_winner_is_drawn_first():
    results = study(n=300)
    (finding,) = find(replace(results, candidates=results.candidates[::-1]))
    assert [finding.figure.rows[at]["candidate"] for at in (0, -1)] == ["good", "poor"]


def test_same_records_same_finding_and_failed_runs_are_survived():
    assert find(study(n=200)) == find(study(n=200))
    (finding,) = find(study(n=400, failed=[("good", 0, 2, "loss became infinite")]))
    assert np.isfinite(finding.estimates["calibration_error"].value)


@pytest.mark.parametrize(
    ("n", "factor", "outcome"), [(2500, 3.0, "holds"), (40, 3.0, "unchecked"), (40, 30.0, "violated")]
)
def test_test_part_checks_the_temperature(n, factor, outcome):
    """A few test examples whose wide interval overlaps that of the folds confirm nothing."""
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, size=(n, 3))
    target = (LABEL.probabilities(logits).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    results = study(temperature=3.0, test={"good": (factor * logits).astype(np.float32)}, test_target=target)
    (finding,) = find(results)
    assert finding.assumptions[0].outcome == outcome
    assert "calibration_error_test" in finding.estimates
    assert ("too few to confirm" in finding.assumptions[0].detail.en) == (outcome == "unchecked")


def test_multilabel():
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, size=(600, 3))
    target = (rng.random(logits.shape) < LABELS.probabilities(logits)).astype(np.uint8)
    (finding,) = find(
        make_results({"a": logits[None].astype(np.float32)}, target, metrics={"primary": "f1_macro"}, winner="a")
    )
    assert finding.estimates["temperature"].value == pytest.approx(1, abs=0.15)


def test_a_few_right_answers_are_not_certainty_and_distances_do_not_fall_below_their_mean():
    rng = np.random.default_rng(3)
    for n, sharpness in ((20, 3.0), (60, 0.3), (200, 0.3)):
        target = simulate_target(rng, n)
        logits = {"m": simulate_logits(rng, target, separation=12.0 if n == 20 else 3.0, sharpness=sharpness)}
        finding = find(make_results(logits, target))[0]
        error = finding.estimates["calibration_error_before"]
        excess = finding.estimates["confidence_minus_accuracy"]
        said = finding.sentence.en.partition("temperature")[0]
        assert ("unsure" in said or "sure of itself" in said) == (error.low > 0 and not excess.low <= 0 <= excess.high)
        if error.low > 0:
            assert error.value >= abs(excess.value) - 1e-9
        if n == 20:
            assert error.high >= 0.14
        assert error.low <= error.value <= error.high


@pytest.mark.parametrize(("high", "settled"), [(0.0499, False), (0.0205, True)])
def test_what_an_interval_as_wide_as_neighbours_ask_for_would_not_settle_is_said(monkeypatch, high, settled):
    narrow = Estimate(value=0.04 if high > 0.03 else 0.02, low=0.0195, high=high)
    monkeypatch.setattr(measured, "_at_least", lambda error, excess: narrow)
    results = pictures((2.0, 1.85), n=800, alike=0.9, repeats=5, seed=1)
    (finding,) = find(results)
    check(finding, results)
    assert finding.verdict == "yes"
    assert ("would not be settled" in finding.sentence.en) == (not settled)
    assert ("factor" in finding.estimates) == (not settled)
