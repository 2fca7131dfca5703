"""The finding on the choice: a planted best is probable, equals are not; times stand apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.findings.reading import check
from tests.findings.studies import pictures, raced, results_of
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from tests.findings.test_copied import copied
from weigh.findings.comparison.choice import find
from weigh.findings.evidence import read_evidence
from weigh.findings.registry import read_findings
from weigh.report.rows import table_of


def planted(separations, *, n=300, repeats=3, seed=0, **options):
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n, (0.6, 0.4))
    logits = {f"m{i}": simulate_logits(rng, target, separation=s, repeats=repeats) for i, s in enumerate(separations)}
    return make_results(logits, target, **options)


def choice_of(separations, **options):
    findings = read_findings(planted(separations, **options))
    return next((finding for finding in findings if finding.kind == "choice"), None), findings


def test_a_planted_best_is_found_with_certainty():
    finding, _ = choice_of([6.0, 0.5, 0.5])
    assert finding.verdict == "yes"
    assert "more than 99 %" in finding.sentence.en
    assert finding.table[0]["p_best"] > 0.99, "a program reads the number"
    assert "&gt; 0.99" in table_of(finding.table, "en", caption="ranking")
    assert finding.table[0]["candidate"] == "m0"
    assert finding.estimates["expected_loss"].value < 0.05
    assert "repeats" not in finding.sentence.en, "nothing is left to gain"


def test_equals_leave_the_choice_open():
    finding, findings = choice_of([1.0] * 6)
    assert finding.verdict == "undecided"
    assert finding.estimates["p_best"].value < 60
    assert finding.estimates["expected_loss"].value > 0.1
    assert sum(row["p_best"] for row in finding.table) == pytest.approx(1, abs=0.01)
    later = finding.estimates.get("expected_loss_after")
    assert ("hardly lower" in finding.sentence.en) == (later is None)
    assert later is None or later.value < finding.estimates["expected_loss"].value
    matrix = next(one for one in findings if one.id == "comparison:matrix")
    assert {row["candidate"] for row in finding.table if row["possibly_best"]} == set(matrix.candidates)
    assert "among these" not in finding.sentence.en, "the set is the matter of the other finding"


def test_one_repeat_is_said_to_be_one():
    finding, _ = choice_of([1.0, 1.1, 1.2], repeats=1)
    assert "cannot be told from a single one" in finding.sentence.en
    assert "expected_loss_after" not in finding.estimates


def test_heads_that_are_fitted_side_by_side_take_as_long_as_the_clock_says():
    """Sixteen threads were said to take sixteen times as long, and ten more minutes to buy a sixteenth of the repeats."""
    times = {f"m{i}": {"train_seconds": 12.0, "feature_seconds": 4.0} for i in range(3)}
    results = planted([1.0] * 3, measured=times)

    def told(threads: int) -> str:
        records = tuple(replace(run, environment={"threads": threads}) for run in results.records)
        (finding,) = find(replace(results, records=records))
        return finding.measured["sentence"]["en"]

    assert "Added up, the runs compared here took 540 seconds." in told(1), "45 runs"
    assert "would pay for about 5 more repeats" in told(1)
    assert "Added up, the runs compared here took 270 seconds." in told(4)
    assert "would pay for about 20 more repeats" in told(4)


@pytest.mark.parametrize(
    ("jobs", "minutes"), [("auto", "10 minutes would"), (1, "10 minutes would"), (4, "10 minutes of one worker would")]
)
def test_minutes_are_those_of_one_worker_where_there_are_several(jobs, minutes):
    results = planted([1.0] * 3, measured={f"m{i}": {"train_seconds": 12.0, "feature_seconds": 4.0} for i in range(3)})
    spec = results.spec.model_copy(update={"run": results.spec.run.model_copy(update={"jobs": jobs})})
    (finding,) = find(replace(results, spec=spec))
    said = finding.measured["sentence"]
    assert "Added up, " in said["en"]
    assert "相加" in said["zh"]
    assert f"Another {minutes} pay for" in said["en"]
    assert ("单个进程" in said["zh"]) == (jobs == 4)


@pytest.mark.parametrize("separations", [[1.0]], ids=["alone"])
def test_one_candidate_is_no_choice(separations):
    assert choice_of(separations)[0] is None


def test_controls_are_not_chosen_among():
    finding, _ = choice_of([1.0, 1.1, 5.0], controls=("m2",))
    assert {row["candidate"] for row in finding.table} == {"m0", "m1"}


def test_times_stand_under_measured_only():
    finding, _ = choice_of([1.0, 1.1])
    assert "second" not in finding.sentence.en
    assert "seconds" not in finding.table[0]


def test_scores_of_the_features_are_columns_and_change_nothing_else():
    kept = {"m1": {"transferability": {"logme": -0.25, "h_score": 1.0, "knn": 0.9}}}
    plain, _ = choice_of([1.0, 1.1, 0.9])
    finding, _ = choice_of([1.0, 1.1, 0.9], facts=kept)
    names = ("logme", "h_score", "knn")
    assert {row["candidate"]: tuple(row[name] for name in names) for row in finding.table} == {
        "m0": (None, None, None),
        "m1": (-0.25, 1.0, 0.9),
        "m2": (None, None, None),
    }
    for row in finding.table:
        for name in names:
            del row[name]
    assert finding == plain


def rare_class(rare: int, common: int):
    """Two classes, of which one has next to no examples: m0 always answers right, m1 never on the rare class."""
    target = np.array([1] * rare + [0] * common)
    right = np.where(target[:, None] == np.arange(2), 4.0, 0.0)
    always_common = np.tile([4.0, 0.0], (len(target), 1))
    logits = {"m0": np.stack([right] * 3), "m1": np.stack([always_common] * 3)}
    findings = read_findings(make_results(logits, target, folds=2))
    return next((finding for finding in findings if finding.kind == "choice"), None), findings


def test_two_examples_of_a_class_make_nobody_certainly_the_best():
    """They never disagree with each other, so their own variance is none: what two examples could still show bounds it."""
    finding, findings = rare_class(2, 30)
    matrix = next(one for one in findings if one.id == "comparison:matrix")
    assert "not settled" in matrix.sentence.en
    assert finding.verdict == "undecided"
    assert finding.estimates["p_best"].value < 90
    assert finding.estimates["expected_loss"].value > 1


def test_of_six_examples_no_probability_is_told():
    finding, findings = rare_class(3, 3)
    assert finding is None
    assert any(one.id == "comparison:matrix" for one in findings)


def test_who_dropped_out_of_a_race_comes_last_though_its_few_folds_went_well():
    results = raced(dropped=True, separations=(2.0, 1.9, 0.5))
    evidence = read_evidence(results)
    assert evidence.scores["m1"].value > evidence.scores["m2"].value
    assert evidence.ranked == ["m0", "m2", "m1"]
    findings = read_findings(results)
    verdict = next(one for one in findings if one.id == "verdict")
    assert verdict.candidates == ["m0", "m2"], "the runner-up is still in the race"
    choice = next(one for one in findings if one.kind == "choice")
    assert [row["candidate"] for row in choice.table] == ["m0", "m2", "m1"]


def test_who_ran_in_other_folds_stands_where_its_difference_in_common_folds_puts_it():
    """Folds that m2 did not run are hard: its own score is the highest, and in its folds m0 and m1 are better."""
    rng = np.random.default_rng(2)
    target = np.arange(400) % 2
    fold = np.tile(np.arange(400) // 80, (1, 1)).astype(np.int16)
    hard = fold[0] >= 2
    logits = {}
    for name, (easy, difficult) in {"m0": (4.0, 0.5), "m1": (3.0, 0.3), "m2": (2.0, 0.0)}.items():
        logits[name] = np.where(
            hard[:, None],
            simulate_logits(rng, target, separation=difficult)[0],
            simulate_logits(rng, target, separation=easy)[0],
        )[None]
    failed = [("m2", 0, k, "stopped") for k in (2, 3, 4)]
    evidence = read_evidence(make_results(logits, target, fold=fold, failed=failed, winner="m0"))
    assert evidence.scores["m2"].value > evidence.scores["m1"].value
    assert evidence.ranked == ["m0", "m1", "m2"]


def test_errors_of_neighbours_that_are_alike_make_the_choice_less_sure():
    """The headline did not hold the lead to be settled, and the leader was said to be the best with hardly a doubt."""
    results = pictures((2.0, 1.85), n=800, alike=0.9, repeats=5, seed=1)
    (finding,) = find(results)
    check(finding, results)
    assert finding.verdict == "undecided"
    assert "Errors of neighbours are alike" in finding.sentence.en
    assert "there is less certainty than they state" in finding.sentence.en
    assert "实际把握没有这么大" in finding.sentence.zh
    (clear,) = find(results_of("clear"))
    assert clear.verdict == "yes"
    assert "less certainty" not in clear.sentence.en


def test_copies_that_are_counted_make_the_choice_less_sure():
    results, grouped = copied({"a": 4.0, "b": 2.0}, seed=3)
    (told,), (honest,) = find(results), find(grouped)
    check(told, results)
    assert "240 of the 320 examples are copies of others" in told.sentence.en
    assert "there is less certainty than they state" in told.sentence.en
    assert told.verdict == "undecided"
    assert "less certainty" not in honest.sentence.en


def test_a_study_with_all_the_repeats_that_there_may_be_is_not_said_to_lack_time(monkeypatch):
    times = {f"m{i}": {"train_seconds": 12.0, "feature_seconds": 4.0} for i in range(3)}
    results = planted([1.0] * 3, measured=times)
    monkeypatch.setattr("weigh.findings.comparison.choice.MOST_REPEATS", 3)
    (finding,) = find(results)
    assert finding.measured["sentence"]["en"] == "Added up, the runs compared here took 540 seconds."
