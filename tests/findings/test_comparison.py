"""Pairs of candidates: relation, interval and words agree; what would settle an open question."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.findings.reading import by_id, check
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh import findings
from weigh.findings.advice import next_steps as advice
from weigh.findings.comparison import pairs as comparison
from weigh.findings.comparison.settling import _two_digits_up
from weigh.findings.evidence import read_evidence
from weigh.record.choice_of_winner import ranked


def study(separations, n=400, repeats=3, seed=0, **options):
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n)
    logits = {f"m{i}": simulate_logits(rng, target, separation=s, repeats=repeats) for i, s in enumerate(separations)}
    return make_results(logits, target, **options)


def test_one_candidate_needs_no_comparison():
    assert comparison.find(study([1.0])) == []


def test_better():
    results = study([2.5, 1.0, 0.0])
    found = by_id(comparison.find(results))
    assert list(found) == ["comparison:m0:m1", "comparison:m0:m2", "comparison:matrix"]
    pair = found["comparison:m0:m1"]
    check(pair, results)
    assert (pair.relation, pair.verdict) == ("better", "yes")
    assert "m0 is better than m1 by" in pair.sentence.en
    assert pair.estimates["difference"].unit == "points"
    assert pair.estimates["pairs"].value == 3
    assert not pair.next
    assert found["comparison:matrix"].verdict == "yes"
    assert found["comparison:matrix"].candidates == ["m0"]
    assert {row["relation"] for row in pair.figure.rows} == {"better"}
    assert pair.figure.options["rope"] == 0.01


@pytest.mark.parametrize(
    ("strengths", "named"),
    [
        ({"m0": 1e-6}, "m0:"),
        ({"m1": 1e-4}, "m1:"),
        ({"m0": 1e-6, "m1": 1e-9}, "m0, m1:"),
        ({"m0": 0.003, "m1": 1.0}, ""),
        ({}, ""),
    ],
)
def test_a_head_without_a_penalty_makes_what_folds_say_doubtful(strengths, named):
    results = study([2.5, 1.0], facts={name: {"strength": value} for name, value in strengths.items()})
    pair = comparison.find(results)[0]
    check(pair, results)
    doubts = [a for a in pair.assumptions if a.name.en == "Folds tell about all the data"]
    assert [a.outcome for a in doubts] == (["doubtful"] if named else [])
    assert all(a.detail.en.startswith(named) for a in doubts)


def test_undecided_says_what_could_have_been_found_and_what_would_settle_it():
    results = study([1.5, 1.45], n=200)
    pair = comparison.find(results)[0]
    check(pair, results)
    assert (pair.relation, pair.verdict) == ("undecided", "undecided")
    assert pair.estimates["detectable"].value > pair.estimates["difference"].value
    assert "would have been found in 80 %" in pair.sentence.en
    assert pair.next
    assert not re.search("is better|优于", pair.sentence.en + pair.sentence.zh)


@given(st.floats(1, 1e7))
def test_no_fewer_examples_are_asked_for_than_are_needed(number):
    """Where 1,049 examples nearly do, "about 1000 would be needed" is fewer than there are."""
    asked_for = _two_digits_up(number)
    assert number <= asked_for + 1e-3
    assert asked_for <= max(1.1 * number, number + 1) + 1e-3
    assert float(f"{asked_for:.2g}") == pytest.approx(asked_for)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"n": 8}, "more examples are needed"), ({"groups": np.arange(400) // 50}, "more groups are needed")],
)
def test_further_runs_are_not_asked_for_where_examples_are_too_few(options, words):
    pair = comparison.find(study([1.5, 1.4], **options))[0]
    assert "cannot be compared" in pair.sentence.en
    assert [words in step.en for step in pair.next] == [True]


def test_no_interval_is_said_to_hold_where_there_is_none():
    rest = comparison.find(study([1.5] * 10, n=8))[0]
    assert rest.id == "comparison:rest"
    assert "intervals" not in rest.sentence.en


def test_of_the_same_answers_neither_more_repeats_nor_more_examples_are_advised():
    """A recipe that chooses, and always chose the other candidate of the study."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 60)
    logits = simulate_logits(rng, target, separation=1.5, repeats=1)
    results = make_results({"m0": logits, "m1": logits.copy()}, target)
    pair = comparison.find(results)[0]
    check(pair, results)
    assert "So far both gave the same answers" in pair.sentence.en
    assert "examples of the same kind" not in " ".join(step.en for step in pair.next)
    other = comparison.find(make_results({"m0": logits, "m1": logits + rng.normal(size=logits.shape)}, target))[0]
    assert "the same answers" not in other.sentence.en


def test_of_a_tie_the_head_comes_before_the_network():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 60)
    logits = simulate_logits(rng, target, separation=1.5, repeats=1)
    results = make_results({"m0": logits, "m1": logits.copy()}, target)
    for network in ("m0", "m1"):
        candidates = tuple(replace(one, cheap=one.id != network) for one in results.candidates)
        assert ranked(replace(results, candidates=candidates))[1] == network


def test_after_two_runs_that_differ_nothing_is_said_about_examples():
    """One repeat of two folds, one of which failed to learn: an interval of ± 19 points once said "choose by cost"."""
    rng = np.random.default_rng(1)
    target = simulate_target(rng, 4000)
    fold = np.arange(4000)[None] % 2
    steady = simulate_logits(rng, target, separation=2.0)
    shaky = np.where(
        fold[..., None] == 0, simulate_logits(rng, target, separation=2.1), simulate_logits(rng, target, separation=1.7)
    )
    networks = {"steady": "finetune", "shaky": "finetune"}
    results = make_results({"steady": steady, "shaky": shaky}, target, folds=2, fold=fold, recipes=networks)
    pair = comparison.find(results)[0]
    check(pair, results)
    assert pair.relation == "undecided"
    assert pair.next[0].en.startswith("More repeats come first (design.repeats): 2 runs")
    assert "choose by cost" not in str(pair.next)
    assert any("more repeats (design.repeats) come first" in step.en for step in advice.find(results)[0].next)


def test_no_difference_is_said_to_be_found_that_is_larger_than_scores_can_be():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 40)
    fold = np.arange(40)[None] % 2
    good, poor = (simulate_logits(rng, target, separation=s) for s in (6.0, 0.0))
    shaky = np.where(fold[..., None] == 0, good, poor)  # one of two trainings learnt nothing
    logits = {"a": simulate_logits(rng, target, separation=2.0), "b": shaky}
    results = make_results(logits, target, folds=2, fold=fold, recipes=dict.fromkeys(logits, "finetune"))
    pair = comparison.find(results)[0]
    check(pair, results)
    assert "No difference, however large, would have been found" in pair.sentence.en
    assert "detectable" not in pair.estimates


def test_a_copy_is_practically_equal_in_a_large_study():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 1500)
    logits = simulate_logits(rng, target, repeats=2)
    results = make_results({"a": logits, "b": logits.copy()}, target)
    pair = comparison.find(results)[0]
    check(pair, results)
    assert (pair.relation, pair.verdict) == ("equal", "no")
    assert "practically equal" in pair.sentence.en


def test_a_real_but_negligible_difference_is_called_negligible():
    results = study([2.5, 1.0], n=600, metrics={"rope": 0.5})
    pair = comparison.find(results)[0]
    check(pair, results)
    assert pair.relation == "better"
    assert "less than the" in pair.sentence.en


def test_losses_are_turned_so_that_positive_is_better():
    results = study([2.5, 0.5], metrics={"primary": "log_loss"})
    pair = comparison.find(results)[0]
    check(pair, results)
    assert pair.relation == "better"
    assert pair.estimates["difference"].low > 0
    assert pair.estimates["difference"].unit == "nats"


def test_the_brier_score_of_many_classes_may_be_above_one():
    """Of more than two classes a certain wrong answer costs 2: intervals that end at 1 did not hold their own score."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 300, [0.4, 0.3, 0.3])
    logits = {
        name: simulate_logits(rng, target, separation=separation, repeats=2, sharpness=30)
        for name, separation in (("good", 6.0), ("bad", -3.0))
    }
    results = make_results(logits, target, metrics={"primary": "brier"}, winner="good")
    evidence = read_evidence(results)
    assert 1.5 < evidence.scores["bad"].low < evidence.scores["bad"].value < evidence.scores["bad"].high <= 2
    pair = comparison.find(results)[0]
    check(pair, results)
    assert pair.relation == "better"
    assert pair.estimates["difference"].value > 150
    two = make_results({"a": simulate_logits(rng, np.arange(80) % 2)}, np.arange(80) % 2, metrics={"primary": "brier"})
    assert read_evidence(two).metric.highest == 1


@pytest.mark.parametrize("primary", ["balanced_accuracy", "log_loss"])
def test_the_figure_of_many_candidates_tells_how_far_the_winner_is_ahead(primary):
    """Of an error that is smaller by 0.2 the winner is ahead by 0.2, not by −0.2."""
    results = study([2.5, *[0.5] * 9], repeats=2, metrics={"primary": primary}, winner="m0")
    rest = comparison.find(results)[0]
    assert "ahead" in rest.figure.title.en
    assert {row["relation"] for row in rest.figure.rows} == {"better"}
    assert all(row["high"] > row["value"] > row["low"] > 0 for row in rest.figure.rows)


def test_a_given_winner_that_is_worse_is_not_called_better():
    results = study([0.5, 2.5], winner="m0")
    pair = comparison.find(results)[0]
    check(pair, results)
    assert (pair.relation, pair.verdict) == ("worse", "no")
    assert "m1 is better than m0" in pair.sentence.en


def test_missing_runs_are_said():
    results = study([2.0, 1.0], failed=[("m1", 0, 0, "memory")])
    pair = comparison.find(results)[0]
    check(pair, results)
    doubtful = [a for a in pair.assumptions if a.outcome == "doubtful"]
    assert any("14 runs" in a.detail.en for a in doubtful if a.detail)


@pytest.mark.parametrize("repeats", [1, 3])
def test_one_repeat_is_an_assumption(repeats):
    pair = comparison.find(study([2.0, 1.0], repeats=repeats))[0]
    assert any(a.outcome == "doubtful" for a in pair.assumptions) == (repeats == 1)


def test_what_is_left_out_of_the_best_without_being_shown_worse_is_explained():
    """One side of a question needs less than both: the two answers may differ, and then a sentence says why."""
    for seed in range(60):
        results = study([1.7, 1.4], n=300, repeats=2, seed=seed)
        pair, best = comparison.find(results)
        check(best, results)
        explained = "Left out, though no pair alone shows it to be worse" in best.sentence.en
        assert explained == (pair.relation == "undecided" and len(best.candidates) == 1)
        if explained:
            other = next(c for c in ("m0", "m1") if c not in best.candidates)
            assert f"worse: {other}." in best.sentence.en
            assert "单侧问题" in best.sentence.zh
            assert "The only pair is not settled." in best.sentence.en
            return
    raise AssertionError("no such study among sixty")


def test_no_probability_of_being_better_is_stated_anywhere():
    """Whether one is calibrated depends on what is not known: whether the candidates differ at all."""
    for separations in ([1.5, 1.45], [2.5, 1.0], [1.5, 1.5, 1.4]):
        results = study(separations, n=200)
        found = comparison.find(results)
        assert not any(key.startswith("probab") for f in found for key in f.estimates)
        assert not any("probab" in f.sentence.en or "概率" in f.sentence.zh for f in found)
        pair = found[0]
        assert 0 <= pair.estimates["wins"].value <= 100


def test_every_kind_of_problem_can_be_named_for_fail_on():
    from weigh.findings.data_problems import QUESTIONS
    from weigh.findings.kinds import KINDS

    assert set(QUESTIONS) <= set(KINDS)


def test_fail_on_takes_every_kind_that_can_be_a_problem_and_no_other():
    """Read from the code: the severities with which each kind of finding is made. `spread.py` and others give theirs in one expression."""
    from weigh.findings.kinds import KINDS, NEVER_A_PROBLEM
    from weigh.findings.registry import ORDER

    problems = set()
    for path in Path(findings.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                written = {keyword.arg: keyword.value for keyword in node.keywords}
                kind, severity = written.get("kind"), written.get("severity")
                if isinstance(kind, ast.Constant) and severity is not None and "'problem'" in ast.unparse(severity):
                    problems.add(kind.value)
    assert problems == (set(ORDER) | {"internal"}) - set(NEVER_A_PROBLEM)
    assert problems <= set(KINDS)
