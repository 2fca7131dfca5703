"""The headline claims what the numbers allow, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.findings.reading import by_id, check
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.comparison import pairs as comparison
from weigh.findings.generalisation import independent_test as generalisation
from weigh.findings.generalisation import order
from weigh.findings.performance import headline as performance
from weigh.findings.registry import FINDINGS, read_findings
from weigh.findings.stability import spread as stability

MINE = (performance, comparison, generalisation, order, stability)


def study(separations, n=400, repeats=3, seed=0, prevalence=(0.6, 0.4), **options):
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n, prevalence)
    logits = {f"m{i}": simulate_logits(rng, target, separation=s, repeats=repeats) for i, s in enumerate(separations)}
    return make_results(logits, target, **options)


def test_a_clear_winner():
    results = study([2.5, 0.5])
    found = by_id(performance.find(results))
    top = found["verdict"]
    check(top, results)
    assert top.severity == "headline"
    assert top.verdict == "yes"
    assert top.claim == "this_data"
    assert top.candidates == ["m0", "m1"]
    assert "better than the runner-up, m1" in top.sentence.en
    assert top.estimates["score"].low < top.estimates["score"].value < top.estimates["score"].high
    assert found["performance:baseline"].verdict == "yes"
    assert found["performance:baseline"].estimates["baseline"].value == 0.5
    rows = [row for row in top.figure.rows if "fold" in row and row["candidate"] == "m0"]
    assert len(rows) == 15


def test_equals_are_not_ranked_with_confidence():
    results = study([1.5, 1.5, 1.5])
    top = by_id(performance.find(results))["verdict"]
    check(top, results)
    assert top.verdict == "undecided"
    assert "not settled" in top.sentence.en
    assert "None of the 3 candidates is shown to be worse than another." in top.sentence.en


def test_publishing_claims_recipes_in_general():
    results = study([2.5, 0.5], design={"purpose": "publish"})
    top = by_id(performance.find(results))["verdict"]
    assert top.claim == "new_data"
    assert "other data sets of this size" in top.sentence.en


def test_nothing_learnt_is_said():
    results = study([0.0], n=200)
    found = by_id(performance.find(results))
    assert found["verdict"].verdict != "yes"
    assert "most frequent answer (0.500)" in found["verdict"].sentence.en
    assert found["performance:baseline"].severity == "problem"


def test_worse_than_nothing():
    results = study([-2.0, -3.0], n=400)
    assert by_id(performance.find(results))["verdict"].verdict == "no"


def test_controls_are_compared_but_never_win():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 300)
    logits = {
        "a": simulate_logits(rng, target, separation=1.0, repeats=2),
        "scratch": simulate_logits(rng, target, separation=3.0, repeats=2),
    }
    results = make_results(logits, target, controls=["scratch"])
    found = by_id(performance.find(results))
    assert found["verdict"].candidates == ["a"]
    control = found["performance:control:scratch"]
    check(control, results)
    assert control.relation == "worse"
    assert control.verdict == "no"
    check(found["verdict"], results)
    assert "Yet the control scratch is better, by " in found["verdict"].sentence.en
    assert found["verdict"].verdict == "undecided", "not recommended without reserve"


def test_only_a_control_of_the_same_model_is_the_same_kind_of_network():
    results = study([2.0, 1.0], repeats=1, controls=["m1"], recipes={"m1": "scratch"})
    alike = replace(results, candidates=tuple(replace(c, model="timm:m0") for c in results.candidates))
    for some, en, zh in (
        (results, "better than a network without pretraining (m1)", "优于一个未经预训练的网络（m1）"),
        (alike, "better than the same kind of network without pretraining (m1)", "优于同类但未经预训练的网络（m1）"),
    ):
        sentence = by_id(performance.find(some))["performance:control:m1"].sentence
        assert en in sentence.en
        assert zh in sentence.zh


def test_all_runs_failed_is_a_finding_not_an_error():
    failed = [("m0", r, f, "out of memory") for r in range(3) for f in range(5)]
    results = study([1.0], failed=failed)
    findings = [f for module in MINE for f in module.find(results)]
    found = by_id(findings)
    assert found["verdict"].verdict == "undecided"
    assert found["stability:failed"].verdict == "no"
    for finding in findings:
        check(finding, results)


@pytest.mark.parametrize(
    "primary", ["balanced_accuracy", "accuracy", "auroc", "f1", "f1_macro", "log_loss", "brier", "ece"]
)
@pytest.mark.parametrize("prevalence", [(0.5, 0.5), (0.5, 0.3, 0.2)])
def test_every_primary_metric_reads_well(primary, prevalence):
    results = study([1.5, 1.3], n=240, repeats=2, prevalence=prevalence, metrics={"primary": primary})
    for module in MINE:
        for finding in module.find(results):
            check(finding, results)


@given(
    seed=st.integers(0, 10_000),
    n=st.sampled_from([12, 30, 90, 250]),
    candidates=st.integers(1, 4),
    repeats=st.integers(1, 3),
    folds=st.integers(2, 5),
    grouped=st.booleans(),
    spoil=st.integers(0, 4),
)
@settings(max_examples=40, deadline=None)
def test_any_study_gives_findings_whose_numbers_agree(seed, n, candidates, repeats, folds, grouped, spoil):
    rng = np.random.default_rng(seed)
    failed = [
        (f"m{rng.integers(candidates)}", int(rng.integers(repeats)), int(rng.integers(folds)), "loss became infinite")
        for _ in range(spoil)
    ]
    results = study(
        rng.uniform(-0.5, 3, candidates),
        n=n,
        repeats=repeats,
        folds=folds,
        seed=seed,
        failed=failed,
        groups=rng.integers(0, max(n // 3, folds), n) if grouped else None,
    )
    for module in MINE:
        for finding in module.find(results):
            check(finding, results)
            if finding.relation in ("better", "worse"):
                gain = finding.estimates["difference"]
                assert gain.low * gain.high > 0


def test_several_labels_per_example():
    rng = np.random.default_rng(0)
    target = (rng.random((200, 4)) < 0.3).astype(np.int64)
    logits = {
        f"m{i}": (rng.standard_normal((2, 200, 4)) + (2 - i) * (2 * target - 1)).astype(np.float32) for i in range(2)
    }
    results = make_results(logits, target, metrics={"primary": "f1_macro"})
    for module in MINE:
        for finding in module.find(results):
            check(finding, results)


def test_hostile_names_do_not_break_templates():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 120)
    logits = {"a{0}": simulate_logits(rng, target, separation=2.0), "b<script>": simulate_logits(rng, target)}
    results = make_results(logits, target, classes=["{x}", "<img src=x onerror=alert(1)>"])
    for module in MINE:
        for finding in module.find(results):
            assert finding.sentence.zh
    classes = by_id(performance.find(results))["performance:classes"]
    assert {row["class"] for row in classes.table} == {"{x}", "<img src=x onerror=alert(1)>"}


def test_the_registry_reads_all_without_internal_findings():
    results = study([2.0, 1.0])
    found = read_findings(results)
    assert found[0].id == "verdict"
    assert not [f.sentence.en for f in found if f.kind == "internal"]


def test_a_broken_finding_is_visible_and_does_no_harm(monkeypatch):
    list(FINDINGS)
    entries = dict(FINDINGS._entries)
    entries["order"] = lambda _: 1 / 0
    monkeypatch.setattr(FINDINGS, "_entries", entries)
    found = by_id(read_findings(study([2.0, 1.0])))
    assert found["internal:order"].kind == "internal"
    assert found["internal:order"].verdict == "no"
    assert "verdict" in found


def test_the_same_records_give_the_same_findings():
    one, two = ([f.model_dump() for f in performance.find(study([1.5, 1.4]))] for _ in range(2))
    assert one == two


@pytest.mark.parametrize(("separation", "n", "rare"), [(60.0, 200, True), (60.0, 20, False), (3.0, 200, False)])
def test_a_perfect_score_is_said_to_be_rare(separation, n, rare):
    """As of a folder of pictures and their masks: 1.000 is rarer than data that give the classes away."""
    results = study([separation, 1.0], n=n)
    top = by_id(performance.find(results))["verdict"]
    check(top, results)
    assert ("which is rare" in top.sentence.en) == ("很少见" in top.sentence.zh) == rare


@pytest.mark.parametrize("candidates", [2, 5, 16])
def test_the_headline_is_without_the_luck_of_choosing(candidates):
    results = study([0.8] * candidates, n=150)
    found = {**by_id(performance.find(results)), **by_id(generalisation.find(results))}
    top, shown = found["verdict"], found["verdict"].estimates["score"]
    check(top, results)
    luck = found["generalisation:optimism"].estimates
    assert shown == luck["corrected"]
    as_measured = next(row for row in top.figure.rows if row["candidate"] == top.candidates[0])
    assert as_measured["value"] == luck["reported"].value > shown.value
    assert (as_measured["low"], as_measured["high"]) == (luck["reported"].low, luck["reported"].high)
    assert shown.low < as_measured["low"]
    assert f"shows {as_measured['value']:.3f}: the best of {candidates} scores is partly luck" in top.sentence.en
    assert f"{candidates} 个得分中最好的那个总有运气成分" in top.sentence.zh
    assert found["performance:baseline"].estimates["score"] == shown


def test_one_candidate_was_not_chosen():
    top = by_id(performance.find(study([0.8], n=150)))["verdict"]
    assert "luck" not in top.sentence.en
    assert "reported" not in top.estimates
    row = next(row for row in top.figure.rows if row["candidate"] == "m0")
    assert top.estimates["score"].value == row["value"]
    assert top.estimates["score"].low == row["low"]


def test_the_best_of_many_hopeless_ones_has_not_learnt():
    """Each has a chance of 2.5 % of an interval above the baseline: of forty, one would have it."""
    learnt = [
        by_id(performance.find(study([0.0] * 20, n=80, repeats=1, seed=s)))["performance:baseline"].verdict
        for s in range(6)
    ]
    assert "yes" not in learnt


def test_a_runner_up_that_is_better_in_the_runs_in_common_is_not_called_chance():
    """The winner has the best score over its own runs, and not over those that both have."""
    results = study([1.0, 2.5], winner="m0")
    top = by_id(performance.find(results))["verdict"]
    check(top, results)
    assert top.verdict == "undecided"
    assert top.estimates["difference"].low > 0
    assert "the runner-up, m1, is better, by" in top.sentence.en
    assert "第二名 m1 更好" in top.sentence.zh
    assert "chance" not in top.sentence.en
    choice = next(one for one in read_findings(results) if one.id == "choice")
    check(choice, results)
    assert "less than 1 %" in choice.sentence.en
