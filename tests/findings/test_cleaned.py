"""The verdict without suspects: the same, another, or open, and never a claim that scores rose because of cleaning."""

from __future__ import annotations

import numpy as np

from tests.findings.planned import add_runs
from tests.findings.reading import check
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.comparison import cleaned
from weigh.findings.errors import suspects as suspects_of
from weigh.findings.evidence import read_evidence
from weigh.language import text
from weigh.problem import Problem
from weigh.record.choice_of_winner import find_suspects, leading_heads
from weigh.report.story import answer_of


def study(before, after, *, n=800, wrong=40, seed=0, **options):
    """Two probes with separations `before`; `wrong` labels are flipped; runs on cleaned data have separations `after`."""
    rng = np.random.default_rng(seed)
    truth = simulate_target(rng, n)
    target = truth.copy()
    flipped = rng.choice(n, wrong, replace=False)
    target[flipped] = 1 - target[flipped]
    logits = {name: simulate_logits(rng, truth, separation=s, repeats=3, sharpness=2.0) for name, s in before.items()}
    results = make_results(logits, target, **options)
    mask = find_suspects(results).mask
    for name, separation in after.items():
        made = simulate_logits(rng, truth, separation=separation, repeats=2, sharpness=2.0)
        results = add_runs(results, name, "cleaned", made, left_out=mask)
    return results, flipped, mask


def test_a_clear_winner_stays():
    results, *_ = study({"a": 4.0, "b": 2.0}, {"a": 4.5, "b": 2.2})
    (found,) = cleaned.find(results)
    check(found, results)
    assert (found.verdict, found.relation) == ("yes", None), "the question is not which one is better"
    assert answer_of(found, "en") == "Yes"
    assert found.sentence.en.count("(better)") == 2
    assert "comes out the same" in found.sentence.en
    assert found.estimates["score_after"].value > found.estimates["score_before"].value
    assert found.severity == "evidence"


def test_a_verdict_that_rests_on_the_suspects_is_a_problem():
    results, *_ = study({"a": 4.0, "b": 2.0}, {"a": 2.0, "b": 4.5})
    (found,) = cleaned.find(results)
    check(found, results)
    assert (found.verdict, found.severity, answer_of(found, "zh")) == ("no", "problem", "否")
    assert "(worse)" in found.sentence.en
    assert found.next


def test_what_is_open_stays_open():
    results, *_ = study({"a": 2.6, "b": 2.5}, {"a": 2.6, "b": 2.5}, n=300)
    (found,) = cleaned.find(results)
    check(found, results)
    assert found.verdict == "undecided"
    results, *_ = study({"a": 4.0, "b": 2.0}, {"a": 2.5, "b": 2.5}, n=300, seed=1)
    (found,) = cleaned.find(results)
    check(found, results)
    assert found.verdict == "undecided"
    assert "one case only" in found.sentence.en


def test_flipped_labels_are_among_the_suspects():
    results, flipped, mask = study({"a": 4.0, "b": 3.5}, {})
    assert mask[flipped].mean() > 0.8
    assert mask.sum() < 4 * len(flipped)
    assert cleaned.find(results) == []  # nothing ran
    assert set(find_suspects(results).mask.nonzero()[0]) == set(mask.nonzero()[0])


def test_where_most_labels_are_contradicted_the_models_are_wrong_and_nothing_is_left_out():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 200)
    results = make_results({name: simulate_logits(rng, 1 - target, separation=4.0) for name in ("a", "b")}, target)
    suspects = find_suspects(results)
    assert (suspects.mask.sum(), suspects.labels) == (0, 0)
    assert suspects.contradicted > 50
    (labels,) = suspects_of.find_labels(read_evidence(results))
    assert "no label is suspected" in labels.sentence.en, "the report says the same in both places"


def test_suspects_are_those_of_all_candidates_together():
    results, *_ = study({"a": 4.0, "b": 3.5}, {})
    order = find_suspects(results).mask
    swapped = make_results(
        {name: results.out_of_fold(name).answers for name in ("b", "a")},
        results.examples.target,
        fold=results.out_of_fold("a").fold,
    )
    assert (find_suspects(swapped).mask == order).all()


def test_copies_but_one_and_conflicting_labels_are_left_out():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 100)
    logits = {"a": simulate_logits(rng, target, separation=8.0)}
    paths = make_results(logits, target).examples.path
    words = text("x", "x")
    problems = [
        Problem("duplicate", words, tuple(paths[:3]), pairs=(tuple(paths[:3]),)),
        Problem("label-conflict", words, tuple(paths[10:12]), pairs=(tuple(paths[10:12]),)),
    ]
    suspects = find_suspects(make_results(logits, target, problems=problems))
    assert {1, 2, 10, 11} <= set(suspects.mask.nonzero()[0])
    assert not suspects.mask[0]
    assert suspects.copies == 4


def test_leading_heads_leave_networks_and_controls_aside():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 200)
    logits = {f"m{i}": simulate_logits(rng, target, separation=s) for i, s in enumerate((1.0, 3.0, 2.0, 4.0))}
    results = make_results(logits, target, recipes={"m3": "finetune"})
    assert leading_heads(results) == ["m1", "m2"]
