"""What is said where a network ran in one fold and the heads in all of several repeats: there was no time for more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.findings.reading import check
from tests.findings.studies import MODELS, file_of, pictures, raced, results_of, shifted
from weigh.findings.comparison.choice import find as find_choice
from weigh.findings.comparison.cleaned import find as find_cleaned
from weigh.findings.comparison.left_out import find as find_time
from weigh.findings.cost import find as find_cost
from weigh.findings.evidence import read_evidence
from weigh.findings.file import findings_file
from weigh.findings.generalisation.independent_test import find as find_generalisation
from weigh.findings.generalisation.shift import find as find_shift
from weigh.findings.performance.headline import find as find_performance
from weigh.findings.stability.spread import find as find_spread
from weigh.language import text
from weigh.plan.less_training import LessTraining
from weigh.report.card import model_card
from weigh.report.html import render_html

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


def kept(results, runs, **options):
    """The study with those runs of the cross-validation only: (candidate, repeat, fold) -> bool."""
    return replace(
        results,
        records=tuple(
            run for run in results.records if run.purpose != "main" or runs(run.candidate, run.repeat, run.fold)
        ),
        **options,
    )


def headline(results):
    return next(finding for finding in find_performance(results) if finding.id == "verdict")


def spread(results):
    return next(finding for finding in find_spread(results) if finding.id == "stability:spread")


def test_scores_of_other_folds_stand_beside_those_of_all_as_their_folds_in_common_put_them():
    results = raced(dropped=True)
    evidence = read_evidence(results)
    assert evidence.on_other_folds("m1")
    assert not evidence.on_other_folds("m0")
    ahead = evidence.comparisons.of("m1", "m0").estimate.value
    assert evidence.comparable["m1"] == pytest.approx(evidence.scores["m0"].value + ahead)
    assert evidence.comparable["m1"] != pytest.approx(evidence.scores["m1"].value, abs=1e-6)
    (cost,) = find_cost(results)
    shown = {row["candidate"]: row["score"] for row in cost.figure.rows}
    assert shown[evidence.label("m1")] == pytest.approx(evidence.comparable["m1"], abs=1e-4)
    (choice,) = find_choice(results)
    assert [row["on_other_folds"] for row in choice.table] == [False, True]
    assert "on_other_folds" not in find_choice(raced(dropped=False))[0].table[0]


def test_who_has_no_folds_in_common_with_the_winner_stands_beside_nobody():
    first_only = kept(
        pictures((2.0, 1.0), repeats=2, winner="m0"),
        lambda name, repeat, fold: (
            (name == "m0" and fold < 5 and repeat == 0) or (name == "m1" and repeat == 1 and fold == 0)
        ),
    )
    evidence = read_evidence(first_only)
    assert np.isnan(evidence.comparable["m1"])
    assert evidence.ranked == ["m0", "m1"]


def test_half_a_repeat_is_not_counted_as_one():
    whole = pictures((3.0, 1.0), repeats=2, winner="m0")
    half = kept(whole, lambda name, repeat, fold: repeat == 0 or fold < 2)
    told = headline(half)
    assert "5 folds × 1 repeat and 2 of further repeats" in told.sentence.en
    assert told.estimates["repeats"].value == 1
    assert told.estimates["further_folds"].value == 2
    variation = spread(half)
    assert variation.estimates["repeats"].value == 1
    assert "sd_repeats" not in variation.estimates
    assert "5 folds × 2 repeats" in headline(whole).sentence.en


def test_failed_folds_are_not_counted_as_run():
    results = kept(pictures((3.0, 1.0), repeats=1, winner="m0"), lambda name, repeat, fold: fold or name == "m1")
    told = headline(results)
    check(told, results)
    assert "240 examples, 4 of 5 folds" in told.sentence.en
    assert "240 个样本，5 折中的 4 折" in told.sentence.zh
    assert "5 folds × " not in told.sentence.en


def test_folds_of_several_repeats_make_no_whole_one():
    whole = pictures((3.0, 1.0), repeats=2, test=100, winner="m0")
    results = kept(whole, lambda name, repeat, fold: name == "m1" or fold != repeat)
    told = headline(results)
    check(told, results)
    assert "286 examples, 8 folds of repeats of 5, none of which is whole" in told.sentence.en
    assert "286 个样本，8 折（每次重复 5 折，没有一次完整）" in told.sentence.zh
    assert told.estimates["further_folds"].value == 8
    assert "folds_run" not in told.estimates
    details = {one.name.en: one.detail for one in told.assumptions}
    assert details["Some folds tell enough"].en == "No repeat ran in all of its 5 folds."
    variation = spread(results)
    check(variation, results)
    assert "Without a repeat of all folds it cannot be told how much the split" in variation.sentence.en
    assert "没有一次覆盖全部折的重复" in variation.sentence.zh
    assert variation.estimates["repeats"].value == 0
    tested = next(one for one in find_generalisation(results) if one.id == "generalisation:test")
    check(tested, results)
    assert "8 folds of several repeats of 5 said" in tested.sentence.en
    assert "held-out folds (8, no whole repeat of 5)" in model_card(findings_file(results), results, facts={})


def test_a_higher_test_score_is_set_against_the_folds_that_ran():
    whole = pictures((2.0, 1.0, 1.2), n=1500, test=400, tested=(2.0, 1.0, 6.0), recipes={"m2": "finetune"}, winner="m2")
    first = kept(whole, lambda name, repeat, fold: name != "m2" or (repeat, fold) == (0, 0))
    results = replace(first, less=LessTraining(("timm:m2",), 1))
    told = {one.id: one for one in find_generalisation(results)}
    check(told["generalisation:test"], results)
    assert "it is better than the 1 of 5 folds that ran promised" in told["generalisation:test"].sentence.en
    assert "反而比全部 5 折中跑过的 1 折给出的更好" in told["generalisation:test"].sentence.zh
    details = {one.name.en: one.detail for one in told["generalisation:test"].assumptions}
    assert "count on the score of the 1 of 5 folds that ran" in details["New examples are like the test part"].en
    assert "cross-validation" not in details["New examples are like the test part"].en
    check(told["generalisation:choice"], results)
    assert "in the 1 of 5 folds that ran m" in told["generalisation:choice"].sentence.en
    assert "在全部 5 折中跑过的 1 折中" in told["generalisation:choice"].sentence.zh


def test_a_further_set_is_compared_with_the_folds_that_ran():
    whole = shifted(pictures((2.0, 4.0), test=200, recipes={"m1": "finetune"}, winner="m1"), "winter")
    part = np.where(whole.examples.part == "test", "shift:summer", whole.examples.part)  # there is no test part
    first = kept(whole, lambda name, repeat, fold: name != "m1" or (repeat, fold) == (0, 0))
    results = replace(first, examples=replace(whole.examples, part=part), less=LessTraining(("timm:m1",), 1))
    told = find_shift(results)[0]
    check(told, results)
    assert "on the 1 of 5 folds that ran" in told.sentence.en


def test_a_check_without_suspects_counts_the_folds_that_ran():
    whole = results_of("clean-stays")
    failed = tuple(run for run in whole.records if (run.purpose, run.repeat, run.fold) != ("cleaned", 1, 4))
    for results, ran in ((whole, "(2 repeats)"), (replace(whole, records=failed), "(9 of 10 folds)")):
        (told,) = find_cleaned(results)
        check(told, results)
        assert ran in told.sentence.en


def test_scores_of_some_folds_are_marked_wherever_they_stand_beside_others():
    results = replace(raced(dropped=True), models=MODELS)
    trained = {"train_scores": {"balanced_accuracy": 1.0}}
    results = replace(results, records=tuple(replace(run, facts=trained) for run in results.records))
    found = {one.id: one for one in find_performance(results)}
    assert [row["on_other_folds"] for row in found["performance:metrics"].table] == [False, True]
    totals = [row for row in found["verdict"].figure.rows if "fold" not in row]
    assert [row["on_other_folds"] for row in totals] == [False, True]
    figure = next(one.figure for one in find_generalisation(results) if one.figure)
    assert [row["on_other_folds"] for row in figure.rows if row["stage"] == "cv"] == [False, True]
    (cost,) = find_cost(results)
    assert [row["by_common_folds"] for row in cost.figure.rows] == [False, True]
    for language, words in (("en", "Some folds only: these may be"), ("zh", "“仅部分折”：这些折")):
        page = render_html(findings_file(results), None, language=language, picture=None)
        assert words in page
        assert {"en": "Ran in some folds only: what is shown is", "zh": "只跑了部分折：图中是"}[language] in page
        assert f"{read_evidence(results).label('m1')} *" in page
    alike = replace(raced(dropped=False), models=MODELS)
    page = render_html(findings_file(alike), None, language="en", picture=None)
    assert "ome folds only" not in page
    assert all("on_other_folds" not in row for one in find_performance(alike) for row in one.table)


def test_nothing_is_said_of_intervals_of_networks_that_have_not_run_yet():
    results = replace(results_of("some-folds"), skipped={"budget": text("Time was short.", "时间不够。")})
    (told,) = find_time(results)
    assert "so these intervals are made wider" in told.sentence.en
    (told,) = find_time(kept(results, lambda name, *_: name != WINNER, winner=None))
    assert told.sentence.en == "Time was short."


def test_repeats_that_did_not_fit_the_time_are_not_asked_for_alone():
    results = pictures((3.0, 1.0), repeats=1, recipes={"m0": "finetune"}, winner="m0")
    (step,) = spread(replace(results, less=LessTraining(("timm:m0",), 5, 3))).next
    assert "design.budget" in step.en
    (step,) = spread(results).next
    assert "design.budget" not in step.en


def test_more_repeats_are_not_priced_where_not_all_could_be_trained_in_full():
    times = {name: {"train_seconds": 1.0} for name in ("m0", "m1")}
    whole = pictures((2.0, 1.9), n=100, repeats=2, noise=2.0, recipes={"m0": "finetune"}, winner="m0", measured=times)
    (priced,), (short,) = (
        find_choice(results) for results in (whole, replace(whole, less=LessTraining(("timm:m0",), 5, 3)))
    )
    assert "With twice as many repeats it would be" in priced.sentence.en
    assert "expected_loss_after" in priced.estimates
    assert "Another 10 minutes would pay for" in priced.measured["sentence"]["en"]
    assert "there was no time to train every candidate in all folds and to the end" in short.sentence.en
    assert "expected_loss_after" not in short.estimates
    assert short.measured["sentence"]["en"] == "Added up, the runs compared here took 20 seconds."


def test_a_machine_reads_which_folds_ran():
    ran = {one["id"]: (one["folds_run"], one["whole_repeats"]) for one in file_of("some-folds").study["candidates"]}
    assert ran == {"m0": (5, 3), "m1": (5, 3), WINNER: (1, 0)}
    page = render_html(file_of("some-folds"), None, language="en", picture=None)
    assert "1 / 5" in page
    assert "1 / 5" not in render_html(findings_file(pictures((2.0, 1.0))), None, language="en", picture=None)
