"""Training, cross-validation, test; looks at the test part; the luck of choosing."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.findings.reading import by_id, check
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.generalisation import independent_test as generalisation


def study(test_separation=2.0, n=500, m=600, candidates=2, separation=2.0, **options):
    rng = np.random.default_rng(0)
    target, tested = simulate_target(rng, n), simulate_target(rng, m)
    names = [f"m{i}" for i in range(candidates)]
    logits = {name: simulate_logits(rng, target, separation=separation, repeats=3) for name in names}
    test = {name: simulate_logits(rng, tested, separation=test_separation)[0] for name in names}
    return make_results(logits, target, test=test, test_target=tested, **options)


def test_the_score_holds():
    results = study()
    found = by_id(generalisation.find(results))["generalisation:test"]
    check(found, results)
    assert found.claim == "these_models"
    assert found.verdict == "yes"
    assert "scored once" in found.sentence.en
    assert {row["stage"] for row in found.figure.rows} == {"cv", "test"}
    assert len(found.table) == 2


def test_the_score_does_not_hold():
    results = study(test_separation=0.8)
    found = by_id(generalisation.find(results))["generalisation:test"]
    check(found, results)
    assert found.verdict == "no"
    assert found.severity == "problem"
    assert found.estimates["gap"].high < 0


def test_a_small_test_part_settles_nothing():
    results = study(m=30)
    found = by_id(generalisation.find(results))["generalisation:test"]
    check(found, results)
    assert found.verdict == "undecided"


def test_no_interval_is_called_too_wide():
    """Of a single test example there is none."""
    results = study(m=1)
    found = by_id(generalisation.find(results))["generalisation:test"]
    check(found, results)
    assert (found.verdict, found.estimates["gap"].low) == ("undecided", None)
    assert "cannot be told" in found.sentence.en
    assert not re.search("too wide|区间太宽", found.sentence.en + found.sentence.zh)


@pytest.mark.parametrize("drawn", [False, True])
def test_a_better_test_score_is_no_problem_but_no_confirmation(drawn):
    results = study(test_separation=4.0, design={"test": 0.5 if drawn else 0.0})
    found = by_id(generalisation.find(results))["generalisation:test"]
    check(found, results)
    assert (found.verdict, found.severity) == ("yes", "evidence")
    assert found.estimates["gap"].low > 1
    assert "better than cross-validation promised" in found.sentence.en
    assert "The score holds" not in found.sentence.en
    assert ("from elsewhere" in found.sentence.en) == (not drawn)
    assert found.assumptions[1].outcome == "doubtful"


def test_a_test_score_within_the_noise_of_cross_validation_is_not_called_higher():
    found = by_id(generalisation.find(study()))["generalisation:test"]
    assert "better than cross-validation promised" not in found.sentence.en
    assert "The score holds" in found.sentence.en


def test_more_looks_are_counted_and_doubted():
    results = study(test_looks=4)
    found = by_id(generalisation.find(results))["generalisation:test"]
    check(found, results)
    assert "4 times" in found.sentence.en
    assert found.assumptions[0].outcome == "doubtful"


def test_no_test_part_is_said():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 200)
    results = make_results({"a": simulate_logits(rng, target)}, target)
    found = by_id(generalisation.find(results))
    check(found["generalisation:test"], results)
    assert found["generalisation:test"].verdict == "undecided"
    assert found["generalisation:test"].next
    assert "generalisation:optimism" not in found


def test_the_training_gap():
    facts = {f"m{i}": {"train_scores": {"balanced_accuracy": 0.999}} for i in range(2)}
    results = study(facts=facts)
    found = by_id(generalisation.find(results))["generalisation:train"]
    check(found, results)
    assert found.verdict == "yes"
    assert "memorised" in found.sentence.en
    assert "generalisation:train" not in by_id(generalisation.find(study()))


def test_optimism_of_many_equal_candidates():
    results = study(n=100, candidates=8, separation=0.7)
    found = by_id(generalisation.find(results))["generalisation:optimism"]
    check(found, results)
    assert found.verdict == "yes"
    assert found.estimates["corrected"].value < found.estimates["reported"].value
