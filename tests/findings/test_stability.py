"""Spread, agreement, failed and degenerate runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.findings.reading import by_id, check
from tests.findings.synthetic import assign_folds, make_results, simulate_logits, simulate_target
from weigh.findings.stability import spread as stability
from weigh.language import text


def study(separations=(2.0, 0.5), n=400, repeats=4, noise=0.5, **options):
    rng = np.random.default_rng(0)
    target = simulate_target(rng, n)
    logits = {
        f"m{i}": simulate_logits(rng, target, separation=s, repeats=repeats, noise=noise)
        for i, s in enumerate(separations)
    }
    return make_results(logits, target, **options), logits, target


def test_a_leader_in_all_repeats():
    results, *_ = study()
    found = by_id(stability.find(results))
    spread = found["stability:spread"]
    check(spread, results)
    assert spread.verdict == "yes"
    assert "leads in 4 of 4 repeats" in spread.sentence.en
    assert spread.estimates["sd_repeats"].value < spread.estimates["sd_folds"].value
    assert spread.assumptions[0].outcome == "violated"
    assert len(spread.figure.rows) == 2 * 4 * 5
    assert found["stability:failed"].verdict == "yes"
    assert "stability:degenerate" not in found


@pytest.mark.parametrize(
    ("separations", "repeats", "verdict"),
    [((2.0, 1.8), 3, "undecided"), ((2.0, 1.8), 5, "yes"), ((2.0, 0.5), 3, "yes"), ((2.0, 0.5), 2, "undecided")],
)
def test_three_repeats_prove_no_leader_that_the_comparison_does_not_show(separations, repeats, verdict):
    """Of two equal candidates one leads in all of three repeats in one study of four."""
    results, *_ = study(separations=separations, repeats=repeats)
    spread = by_id(stability.find(results))["stability:spread"]
    check(spread, results)
    assert f"leads in {repeats} of {repeats} repeats" in spread.sentence.en
    assert spread.verdict == verdict
    assert (f"in one study of {2 ** (repeats - 1)}." in spread.sentence.en) == (verdict == "undecided")


def test_who_is_level_with_another_does_not_lead():
    """Two candidates without an error have no winner that other splits would give again."""
    results, *_ = study(separations=(40.0, 40.0), repeats=5)
    spread = by_id(stability.find(results))["stability:spread"]
    check(spread, results)
    assert "leads in 0 of 5 repeats. In 5 it is level with another." in spread.sentence.en
    assert spread.verdict == "undecided"


def test_one_repeat_cannot_tell():
    results, *_ = study(repeats=1)
    found = by_id(stability.find(results))
    check(found["stability:spread"], results)
    assert found["stability:spread"].verdict == "undecided"
    assert found["stability:spread"].next
    assert "stability:agreement" not in found


def test_churn_is_measured():
    results, *_ = study(noise=0.0)
    calm = by_id(stability.find(results))["stability:agreement"]
    check(calm, results)
    assert calm.verdict == "yes"
    assert calm.estimates["churn"].value == 0
    results, logits, _ = study(noise=3.0)
    restless = by_id(stability.find(results))["stability:agreement"]
    check(restless, results)
    assert restless.verdict == "no"
    labels = logits["m0"].argmax(axis=2)
    by_hand = np.mean([(labels[i] != labels[j]).mean() for i in range(4) for j in range(i)])
    assert abs(restless.estimates["churn"].value - 100 * by_hand) < 1e-9


def test_churn_of_a_single_group_has_no_interval():
    folds = np.stack([np.roll(np.arange(60) % 5, repeat) for repeat in range(4)])
    results, *_ = study(n=60, groups=np.array(["one"] * 60), fold=folds)
    alone = by_id(stability.find(results))["stability:agreement"]
    check(alone, results)
    assert alone.verdict == "undecided"
    assert alone.estimates["churn"].low is None
    assert "[" not in alone.sentence.en


def test_failed_runs_are_counted_with_their_causes():
    failed = [("m1", 0, 1, "out of memory"), ("m1", 2, 1, "out of memory"), ("m0", 0, 0, "loss became infinite")]
    results, *_ = study(failed=failed)
    found = by_id(stability.find(results))["stability:failed"]
    check(found, results)
    assert found.verdict == "no"
    assert "3 of 40 runs failed" in found.sentence.en
    assert "out of memory" in found.sentence.zh
    assert len(found.table) == 3


def test_degenerate_runs_are_named():
    rng = np.random.default_rng(1)
    _, logits, target = study()
    fold = assign_folds(rng, target, 5, 4)
    for repeat, k in ((0, 2), (3, 1)):
        logits["m1"][repeat, fold[repeat] == k] = [4.0, 0.0]
    results = make_results(logits, target, fold=fold)
    found = by_id(stability.find(results))["stability:degenerate"]
    check(found, results)
    assert found.severity == "problem"
    assert "2 of 40 runs give every example the same answer" in found.sentence.en
    assert {(row["repeat"], row["fold"]) for row in found.table} == {(0, 2), (3, 1)}


def test_runs_that_differ_leave_a_share_to_the_runs():
    rng = np.random.default_rng(1)
    _, logits, target = study(separations=(2.0,), n=1000)
    fold = assign_folds(rng, target, 5, 4)
    for repeat in range(4):
        for k in range(5):
            logits["m0"][repeat, fold[repeat] == k] += rng.standard_normal(2) * 1.5
    found = by_id(stability.find(make_results(logits, target, fold=fold)))["stability:spread"]
    assert "share_examples" not in found.estimates  # the finding on variation tells it, with an interval
    results = make_results(logits, target, fold=fold, skipped={"variation": text("not asked", "未考察")})
    found = by_id(stability.find(results))["stability:spread"]
    check(found, results)
    assert found.estimates["share_examples"].value < 60


@pytest.mark.parametrize(("other", "verdict"), [(6.0, "undecided"), (-3.0, "yes")])
def test_a_fold_does_not_lead_over_a_repeat(other, verdict):
    """A candidate that has one fold could win in other repeats, unless that fold shows it to be worse."""
    results, *_ = study(separations=(2.0, 0.5, other), repeats=3, winner="m0")
    ran = tuple(run for run in results.records if run.candidate != "m2" or (run.repeat, run.fold) == (0, 0))
    spread = by_id(stability.find(dataclasses.replace(results, records=ran)))["stability:spread"]
    check(spread, results)
    assert spread.verdict == verdict
    assert ("Of the others it cannot be told" in spread.sentence.en) == (verdict == "undecided")
    assert "leads in 3 of 3 repeats, among the 2 candidates" in spread.sentence.en
    alone = tuple(run for run in ran if run.candidate != "m1")
    spread = by_id(stability.find(dataclasses.replace(results, records=alone)))["stability:spread"]
    check(spread, results)
    assert spread.verdict == "undecided"
    assert "cannot be told" in spread.sentence.en
    assert "leads in" not in spread.sentence.en
