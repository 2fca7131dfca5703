"""What is said where a network ran in one fold and the heads in all of several repeats: there was no time for more."""

from __future__ import annotations

import numpy as np

from tests.findings.studies import file_of, results_of
from weigh.findings.evidence import read_evidence
from weigh.report.card import model_card

FOUND = {finding.id: finding for finding in file_of("some-folds").findings}
WINNER = "m2"


def predicted() -> np.ndarray:
    return read_evidence(results_of("some-folds")).out_of_fold[WINNER].present.any(axis=0)


def test_the_folds_that_ran_are_counted():
    evidence = read_evidence(results_of("some-folds"))
    assert evidence.winner == WINNER
    assert [evidence.folds_run(name) for name in ("m0", WINNER)] == [5, 1]
    assert [evidence.partial(name) for name in ("m0", WINNER)] == [False, True]


def test_hardest_examples_are_those_that_all_got_wrong_who_predicted_them():
    finding = FOUND["errors:hardest"]
    assert finding.estimates["examples"].value == 300
    assert "their 6 to 7 out-of-fold predictions, by every candidate that predicted it" in finding.sentence.en
    wrong = finding.estimates["always_wrong"].value
    assert len(finding.table) == wrong > 0
    assert {row["why"] for row in finding.table} <= {"6/6", "7/7"}
    assert "6/6" in {row["why"] for row in finding.table}, "also those that the network did not predict"
    assert all(0 <= row["probability_of_given"] < 0.5 for row in finding.table)


def test_a_temperature_of_one_fold_is_not_called_judged():
    finding = FOUND["calibration"]
    assert finding.verdict == "undecided"
    assert "on the other folds" not in finding.sentence.en
    assert "what it states then has not been judged" in finding.sentence.en
    assert finding.estimates["calibration_error"].n == predicted().sum()
    assert [row["calibration_error"] == "–" for row in finding.table] == [False, False, True]
    stages = [{r["stage"] for r in finding.figure.rows if r["candidate"] == row["candidate"]} for row in finding.table]
    assert stages == [{"before", "after"}, {"before", "after"}, {"before"}]


def test_parts_are_counted_in_what_was_predicted():
    rows = [row for row in FOUND["slices"].table if row["slice"] == "source"]
    assert sum(row["n"] for row in rows) == predicted().sum()


def test_no_step_asks_for_repeats_that_a_short_time_would_not_run():
    for finding in FOUND.values():
        if WINNER in finding.candidates:
            assert not [step for step in finding.next if "design.repeats" in step.en], finding.id


def test_what_a_score_stands_on_is_called_by_its_name():
    told = FOUND["generalisation:test"]
    assert "rests on the 1 of 5 folds that ran" in told.sentence.en
    assert "5 折中跑过的 1 折" in told.sentence.zh
    assumptions = {one.name.en: one for finding in FOUND.values() for one in finding.assumptions}
    assert "Only 1 of 5 folds ran" in assumptions["Some folds tell enough"].detail.en


def test_the_card_says_what_its_temperature_was_fitted_on():
    card = model_card(file_of("some-folds"), results_of("some-folds"), facts={"temperature": 1.2})
    assert "fitted on the examples of one fold and not judged on others" in card
    assert "Probabilities are calibrated" not in card
    assert "held-out folds (1 of 5)" in card


def test_classes_are_described_in_the_folds_that_ran():
    assert "in the 1 of 5 folds that ran" in FOUND["performance:classes"].sentence.en
    confusion = FOUND["performance:confusion"]
    assert confusion.estimates["wrong"].n == predicted().sum()
    assert "cross-validation" not in confusion.sentence.en
