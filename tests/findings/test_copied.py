"""Copies that are counted as examples: the headline says by how much its interval is too narrow, and takes back a lead that rests on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.findings.reading import by_id, check
from tests.findings.studies import shifted
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings import slices
from weigh.findings.calibration import stated
from weigh.findings.generalisation import independent_test, shift
from weigh.findings.performance import headline
from weigh.findings.stability import spread
from weigh.language import text
from weigh.problem import Problem
from weigh.record.results import Results

SETS, EACH = 80, 4


def copied(separations: dict[str, float], *, seed: int = 0, listed: int = SETS) -> tuple[Results, Results]:
    """A study of sets of copies, which all get the same answer and stay in one fold: as it is, and with the sets named as groups.

    Args:
        listed: Sets that the checks found.
    """
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, SETS)
    fold = np.tile(rng.permutation(SETS) % 5, (3, 1))
    logits = {name: simulate_logits(rng, target, separation=s, repeats=3) for name, s in separations.items()}
    whole = {name: np.tile(one, (1, EACH, 1)) for name, one in logits.items()}
    of = np.tile(np.arange(SETS), EACH)  # far apart in the order
    arrays = {"fold": np.tile(fold, (1, EACH)), "winner": next(iter(separations))}
    results = make_results(whole, target[of], **arrays)
    pairs = tuple(tuple(results.examples.path[of == i].tolist()) for i in range(listed))
    grouped = make_results(whole, target[of], groups=of.astype(str), **arrays)
    return replace(results, problems=(Problem("duplicate", text("copies", "副本"), pairs=pairs),)), grouped


def test_the_factor_is_what_groups_of_copies_give():
    results, grouped = copied({"m": 2.0})
    found = by_id(headline.find(results))["verdict"]
    check(found, results)
    assert "240 of the 320 examples are copies of others" in found.sentence.en
    assert "about 2.0 times as wide" in found.sentence.en
    assert found.assumptions[0].outcome == "violated"
    width, wide = (
        one.high - one.low
        for one in (by_id(headline.find(r))["verdict"].estimates["score"] for r in (results, grouped))
    )
    assert wide / width == pytest.approx(found.estimates["factor_of_copies"].value, rel=0.15)
    assert "copies of others" not in by_id(headline.find(grouped))["verdict"].sentence.en


def test_a_few_copies_are_no_caveat():
    results, _ = copied({"m": 2.0}, listed=2)
    assert "copies of others" not in by_id(headline.find(results))["verdict"].sentence.en


@pytest.mark.parametrize(("better", "seed"), [(4.0, 3), (3.0, 0)])
def test_a_lead_that_rests_on_copies_is_taken_back(better, seed):
    results, grouped = copied({"a": better, "b": better - 2}, seed=seed)
    plain, told, honest = (
        by_id(headline.find(one))["verdict"] for one in (replace(results, problems=()), results, grouped)
    )
    check(told, results)
    assert plain.verdict == "yes"
    assert told.verdict == honest.verdict == ("yes" if better == 3 else "undecided")
    assert ("Then the lead over the runner-up is not settled either" in told.sentence.en) == (better == 4)


def test_a_part_of_copies_is_judged_by_its_sets():
    results, grouped = copied({"m": 2.0})
    told, honest, plain = (
        by_id(slices.find(one))["slices"] for one in (results, grouped, replace(results, problems=()))
    )
    check(told, results)
    assert told.table == honest.table != plain.table
    assert "copies" in told.assumptions[1].name.en


@pytest.mark.parametrize(
    ("find", "id", "name"),
    [(stated.find, "calibration", "brier"), (spread.find, "stability:agreement", "churn")],
)
def test_probabilities_and_changed_answers_are_judged_by_sets_of_copies(find, id, name):
    results, grouped = copied({"m": 2.0})
    told, honest, plain = (by_id(find(one))[id] for one in (results, grouped, replace(results, problems=())))
    check(told, results)
    width, wide, narrow = (one.estimates[name].high - one.estimates[name].low for one in (told, honest, plain))
    assert width == pytest.approx(wide, rel=0.15)
    assert narrow < 0.7 * width
    assert told.estimates[name].n == SETS
    assert any("copies" in assumption.name.en for assumption in told.assumptions)
    assert not any("copies" in assumption.name.en for assumption in plain.assumptions)


def test_copies_in_a_test_part_are_said_below_its_score():
    rng = np.random.default_rng(0)
    target, tested = simulate_target(rng, 200), simulate_target(rng, 40)
    logits = {"m": simulate_logits(rng, target, separation=2.0)}
    test = {"m": np.tile(simulate_logits(rng, tested, separation=2.0)[0], (EACH, 1))}
    results = make_results(logits, target, test=test, test_target=np.tile(tested, EACH))
    paths = results.examples.path[results.examples.part == "test"].reshape(EACH, -1).T
    sets = Problem("duplicate", text("copies", "副本"), pairs=tuple(map(tuple, paths.tolist())))
    for one, outcome in ((results, "unchecked"), (replace(results, problems=(sets,)), "violated")):
        found = by_id(independent_test.find(one))["generalisation:test"]
        check(found, one)
        assert (found.assumptions[0].outcome == "violated") == (outcome == "violated")
        assert any("120 of the 160 examples are copies" in str(a.detail) for a in found.assumptions) == (
            outcome == "violated"
        )


def test_copies_in_a_further_test_set_are_said_below_its_drop():
    rng = np.random.default_rng(0)
    target, tested = simulate_target(rng, 200), simulate_target(rng, 40)
    test = {"m": np.tile(simulate_logits(rng, tested, separation=2.0)[0], (EACH, 1))}
    logits = {"m": simulate_logits(rng, target, separation=2.0)}
    results = shifted(make_results(logits, target, test=test, test_target=np.tile(tested, EACH)), "winter")
    paths = results.examples.path[results.examples.part == "shift:winter"].reshape(2, -1).T
    sets = Problem("duplicate", text("copies", "副本"), pairs=tuple(map(tuple, paths.tolist())))
    told, plain = (by_id(shift.find(one))["shift:winter"] for one in (replace(results, problems=(sets,)), results))
    check(told, results)
    (copies,) = [assumption for assumption in told.assumptions if assumption.outcome == "violated"]
    assert "'winter'" in copies.name.en
    assert "40 of the 80 examples are copies" in copies.detail.en
    assert told.assumptions[:-1] == plain.assumptions
