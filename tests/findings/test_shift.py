"""Further test sets: the drop, the ranking, class shares; without a test part against cross-validation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.findings.reading import by_id, check
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.generalisation import independent_test as generalisation
from weigh.findings.generalisation import shift
from weigh.findings.registry import read_findings
from weigh.kinds.label import LABEL


def study(separations, *, n=500, m=600, further=500, test=True, prevalence=(0.5, 0.5), seed=0, **options):
    """Candidates with (cross-validation and test, elsewhere) separations."""
    rng = np.random.default_rng(seed)
    target, tested = simulate_target(rng, n), simulate_target(rng, m if test else 0)
    there = simulate_target(rng, further, prevalence)
    everywhere = np.concatenate([tested, there])
    logits, refitted = {}, {}
    for name, (here, elsewhere) in separations.items():
        logits[name] = simulate_logits(rng, target, separation=here, repeats=2)
        parts = [simulate_logits(rng, t, separation=s, classes=2)[0] for t, s in ((tested, here), (there, elsewhere))]
        refitted[name] = np.concatenate(parts)
    results = make_results(logits, target, test=refitted, test_target=everywhere, **options)
    part = results.examples.part.astype("<U20")
    part[n + len(tested) :] = "shift:winter"
    return dataclasses.replace(results, examples=dataclasses.replace(results.examples, part=part))


def test_a_drop_is_found_and_the_ranking_kept():
    results = study({"a": (3.0, 1.5), "b": (1.5, 0.6)})
    found = by_id(shift.find(results))
    for one in found.values():
        check(one, results)
    drop = found["shift:winter"]
    assert drop.verdict == "no"
    assert drop.severity == "problem"
    assert drop.claim == "these_models"
    assert "worse there, beyond" in drop.sentence.en
    assert drop.estimates["drop"].low > 0
    assert {row["stage"] for row in drop.figure.rows} == {"test", "winter"}
    assert found["shift:winter:ranking"].verdict == "yes"
    test = by_id(generalisation.find(results))["generalisation:test"]
    assert test.estimates["examples"].value == 600  # the further set is no part of the test part
    assert not [f for f in read_findings(results) if f.kind == "internal"]


def test_no_difference_is_not_called_a_drop():
    alarms = 0
    for seed in range(20):
        results = study({"a": (2.0, 2.0), "b": (1.5, 1.5)}, seed=seed)
        found = by_id(shift.find(results))
        check(found["shift:winter"], results)
        alarms += found["shift:winter"].verdict == "no"
        assert found["shift:winter:ranking"].verdict != "no"
    assert alarms <= 3


def test_a_ranking_that_swaps():
    results = study({"a": (3.0, 0.3), "b": (1.2, 1.6)}, further=1000)
    found = by_id(shift.find(results))["shift:winter:ranking"]
    check(found, results)
    assert found.verdict == "no"
    assert "wrong choice" in found.sentence.en
    assert found.table == [{"better_on_first": "a", "better_on_second": "b"}]


def test_few_examples_settle_nothing():
    results = study({"a": (2.0, 1.8), "b": (1.9, 1.9)}, further=25)
    for found in shift.find(results):
        check(found, results)
        assert found.verdict == "undecided"


@pytest.mark.parametrize(("primary", "outcome"), [("balanced_accuracy", "holds"), ("accuracy", "violated")])
def test_other_class_shares_are_said(primary, outcome):
    results = study({"a": (1.5, 1.5)}, prevalence=(0.9, 0.1))
    for key in results.predictions.__self__:  # class 0 is nearly always recognised, class 1 often not
        results.predictions.__self__[key][1][:, 0] += 1.0
    metrics = results.spec.metrics.model_copy(update={"primary": primary})
    (found,) = shift.find(dataclasses.replace(results, spec=results.spec.model_copy(update={"metrics": metrics})))
    check(found, results)
    assert [a.outcome for a in found.assumptions if "shares" in a.name.en] == [outcome]


def test_without_a_test_part_it_is_compared_with_cross_validation():
    results = study({"a": (3.0, 1.0), "b": (1.5, 0.6)}, test=False)
    found = by_id(shift.find(results))["shift:winter"]
    check(found, results)
    assert "cross-validation" in found.sentence.en
    assert found.claim == "these_models"  # as on a test part: these trained models are scored there
    assert found.verdict == "no"


def test_a_candidate_that_ran_in_one_fold_only_takes_nothing_with_it():
    failed = [("b", repeat, k, "x") for repeat in range(2) for k in range(5) if (repeat, k) != (0, 0)]
    results = study({"a": (3.0, 1.0), "b": (1.5, 0.6)}, test=False, failed=failed)
    found = by_id(read_findings(results))
    assert not [one.id for one in found.values() if one.kind == "internal"]
    assert {"verdict", "shift:winter", "advice"} <= set(found)
    check(found["shift:winter"], results)


def test_no_further_set_no_finding():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 200)
    results = make_results({"a": simulate_logits(rng, target)}, target)
    assert shift.find(results) == []


@pytest.mark.parametrize("subject", [None, "a"])
def test_tables_of_others_use_the_same_words(subject):
    from tests.stats.test_shift import measured_set, skilled

    rng = np.random.default_rng(0)
    sets = {
        "old": measured_set(skilled(rng, 2000, [0.95, 0.9, 0.8])),
        "new": measured_set(skilled(rng, 1000, [0.9, 0.8, 0.65])),
        "newer": measured_set(skilled(rng, 1000, [0.9, 0.8, 0.6])),
    }
    sets = {k: s._replace(measured=dict(zip("abc", s.measured.values(), strict=True))) for k, s in sets.items()}
    found = by_id(shift.read_shift(LABEL, sets, rng=rng, subject=subject))
    assert set(found) == {"shift:new", "shift:new:ranking", "shift:newer", "shift:newer:ranking"}
    assert found["shift:new"].verdict == "no"
    assert ("on average" in found["shift:new"].sentence.en) == (subject is None)
    assert '"new"' in found["shift:new"].sentence.en
    assert "“new”" in found["shift:new"].sentence.zh
