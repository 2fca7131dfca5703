"""Advice follows from facts: each item appears when its fact does, in the order of what spoils most."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.findings.reading import by_id, check
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.advice.next_steps import find
from weigh.findings.evidence import read_evidence
from weigh.findings.registry import read_findings
from weigh.language import text
from weigh.problem import Problem
from weigh.record.choice_of_winner import find_suspects

LEAK = Problem(
    "leak", text("a", "甲"), do=text("Remove the copies from the test part.", "请删除测试部分中的重复样本。")
)


def study(seed=0, n=300, separations=(2.0, 1.9), repeats=5, **options):
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n)
    logits = {
        name: simulate_logits(rng, target, separation=s, repeats=repeats)
        for name, s in zip(("good", "near"), separations, strict=False)
    }
    return make_results(logits, target, **options)


def words(results):
    return [item.en for item in find(results)[0].next]


def test_what_spoils_scores_comes_first():
    said = words(study(problems=[LEAK], failed=[("near", 0, 1, "loss became infinite in epoch 3")], test_looks=2))
    assert said[0] == LEAK.do.en
    assert said[1].startswith("Runs that failed: 1")
    assert "scored 2 times" in said[2]


def test_open_comparison_asks_for_examples_or_repeats_and_a_clear_one_for_neither():
    (finding,) = find(study(separations=(2.0, 1.95)))
    assert any("is open" in item.en for item in finding.next)
    assert (
        "that good is better than near" in finding.sentence.en or "that near is better than good" in finding.sentence.en
    )
    (clear,) = find(study(separations=(4.0, 0.2)))
    assert not any("is open" in item.en for item in clear.next)
    assert "is better than" not in clear.sentence.en


def test_equal_and_cheaper_is_recommended():
    rng = np.random.default_rng(1)
    target = simulate_target(rng, 4000)
    logits = simulate_logits(rng, target, separation=5, repeats=3)
    results = make_results(
        {"big": logits, "small": logits},
        target,
        winner="big",
        models={"timm:big": {"macs": 2e9}, "timm:small": {"macs": 1e9}},
    )
    assert any(item.startswith("small is practically equal to big") for item in words(results))


def test_missing_controls_repeats_and_test_part_are_asked_for():
    networks = {"recipes": {"good": "finetune", "near": "finetune"}, "design": {"purpose": "publish"}}
    said = " ".join(words(study(repeats=1, **networks)))
    for part in ("scratch", "design.repeats", "test folder"):
        assert part in said
    rng = np.random.default_rng(2)
    target = simulate_target(rng, 200)
    logits = {name: simulate_logits(rng, target, separation=s, repeats=5) for name, s in (("a", 3), ("s", 0))}
    part = {name: rng.normal(size=(50, 2)).astype(np.float32) for name in logits}
    complete = make_results(
        logits, target, controls=["s"], recipes={"s": "scratch"}, test=part, test_target=np.arange(50) % 2
    )
    said = " ".join(words(complete))
    for part in ("scratch", "design.repeats", "test folder"):
        assert part not in said


def test_small_classes_are_named():
    rng = np.random.default_rng(3)
    target = simulate_target(rng, 200, [0.97, 0.03])
    said = words(make_results({"a": simulate_logits(rng, target)}, target, classes=["common", "rare"]))
    assert any("Label more examples of rare" in item for item in said)


def test_limits_are_always_said_and_numbers_agree():
    for results in (study(), study(failed=[("near", 0, 0, "out of memory")], test_looks=4)):
        (finding,) = find(results)
        assert "This study does not show" in finding.sentence.en
        assert "本研究不能说明" in finding.sentence.zh
        assert "from elsewhere" in finding.sentence.en
        assert sorted(re.findall(r"\d+", finding.sentence.en)) == sorted(re.findall(r"\d+", finding.sentence.zh))
        values = {str(int(e.value)) for e in finding.estimates.values()}
        for item in finding.next:
            said = re.sub(r"design\.\w+: [\d.]+", "", item.en)  # a proposed setting is no finding
            assert set(re.findall(r"\d+", said)) <= values
        assert finding.estimates["items"].value == len(finding.next)


def test_suspected_labels_reach_the_advice_of_a_whole_report():
    rng = np.random.default_rng(4)
    target = simulate_target(rng, 300)
    logits = simulate_logits(rng, target, separation=8, repeats=3)
    target[:10] = 1 - target[:10]
    advice = read_findings(make_results({"a": logits}, target))[-1]
    assert advice.kind == "advice"
    assert any("suspected labels (10)" in item.en for item in advice.next)
    assert not [f for f in read_findings(make_results({"a": logits}, target)) if f.kind == "internal"]


def test_study_without_any_run():
    rng = np.random.default_rng(5)
    target = simulate_target(rng, 60)
    nothing = np.full((1, 60, 2), np.nan, dtype=np.float32)
    (finding,) = find(make_results({"a": nothing}, target, winner=None))
    assert finding.next


# ---- every proposal has a condition under which it changes something


def domains(n=300, folds=5, **options):
    """As many groups as folds: every repeat makes the same parts."""
    return {"groups": np.arange(n) * folds // n, "folds": folds, **options}


def test_no_more_repeats_where_they_would_be_identical():
    results = study(repeats=1, **domains())
    assert not read_evidence(results).more_repeats_help("good", "near")
    for finding in read_findings(results):
        for said in (finding.sentence, *finding.next):
            assert not re.search("more repeats (may|can settle|come)|Run more repeats|design.repeats", said.en), said.en
            assert not re.search("增加重复次数可能|请为|首先应增加重复|design.repeats", said.zh), said.zh


def test_repeats_that_came_out_identical_are_called_so():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 300)
    logits = {
        name: np.repeat(simulate_logits(rng, target, separation=s), 3, axis=0) for name, s in (("a", 2), ("b", 1))
    }
    results = make_results(logits, target, **domains())
    found = by_id(read_findings(results))
    assert found["stability:spread"].verdict == "undecided"
    assert "identical" in found["stability:spread"].sentence.en
    assert found["variation"].verdict != "yes"


def test_networks_vary_from_repeat_to_repeat_even_where_folds_do_not():
    networks = {"recipes": {"good": "finetune", "near": "finetune"}}
    assert read_evidence(study(repeats=1, **domains(), **networks)).more_repeats_help("good")
    assert read_evidence(study(repeats=1)).more_repeats_help("good")


def new_domain(fail: bool):
    """A model that is sure and right, but for one of five domains where it is sure and wrong."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 300)
    shown = target.copy()
    if fail:
        shown[240:] = np.where(rng.random(60) < 0.6, 1 - target[240:], target[240:])
    else:
        shown[::40] = 1 - target[::40]
    logits = simulate_logits(rng, shown, separation=8)
    groups = {} if fail is None else domains()
    return make_results({"a": logits}, target, **groups)


def test_labels_of_a_domain_that_the_model_never_saw_are_not_suspected():
    results = new_domain(fail=True)
    found = by_id(read_findings(results))
    check(found["errors:labels"], results)
    assert len(found["errors:labels"].examples) < 3
    assert "it never saw these groups" in found["errors:labels"].sentence.en
    assert not any("suspected labels" in item.en for item in found["advice"].next)
    assert not find_suspects(results).mask[240:].any()
    scattered = by_id(read_findings(new_domain(fail=False)))
    assert len(scattered["errors:labels"].examples) >= 7
    assert any("suspected labels" in item.en for item in scattered["advice"].next)


def one_group_alone(several=False):
    """Class c stands in one group only, so no model that is tested on it has trained on it."""
    rng = np.random.default_rng(1)
    target = np.repeat([0, 1, 0, 1, 2], 60)
    target[:120] = rng.integers(2, size=120)
    logits = np.full((2, 300, 3), -8.0, np.float32)
    logits[:, np.arange(300), np.where(target == 2, 0, target)] = 8
    logits += rng.normal(0, 0.5, logits.shape).astype(np.float32)
    if several:
        target = np.eye(3, dtype=int)[target]
    return make_results({"m": logits}, target, classes=("a", "b", "rare"), winner="m", **domains())


@pytest.mark.parametrize("several", [False, True])
def test_right_labels_of_a_class_that_one_group_has_are_not_suspected(several):
    results = one_group_alone(several)
    found = by_id(read_findings(results))
    labels = found["errors:labels"]
    assert not labels.examples
    assert "60 labels of classes that no model had trained on" in labels.sentence.en
    assert "rare" in labels.sentence.zh
    assert not any("suspected labels" in item.en for item in found["advice"].next)
    assert not find_suspects(results).mask.any()
    assert "had trained on them" in found["verdict"].sentence.en
    assert "从未训练过它们：rare" in found["verdict"].sentence.zh


@pytest.mark.parametrize("several", [False, True])
def test_examples_of_a_class_that_one_group_has_are_not_hard(several):
    hardest = by_id(read_findings(one_group_alone(several)))["errors:hardest"]
    assert not hardest.examples
    assert (hardest.estimates["examples"].value, hardest.estimates["unknown"].value) == (240, 60)
    assert (
        "Left out: 60 examples of classes that no model had trained on when it was tested (rare)."
        in hardest.sentence.en
    )
    assert "未计入：60 个样本" in hardest.sentence.zh


def test_blocks_are_proposed_only_where_examples_are_worth_less_than_they_count():
    from tests.findings.studies import file_of, pictures

    alike = by_id(file_of("alike").findings)["order:neighbours"]
    assert any("number blocks" in item.en for item in alike.next)
    for seed in range(12):
        found = by_id(read_findings(pictures((2.0,), n=300, seed=seed)))["order:neighbours"]
        factor = found.estimates.get("factor")
        if factor is None or not factor.low > 1:
            assert not found.next


def test_scratch_is_for_publications_of_networks_and_networks_for_studies_of_heads():
    heads = " ".join(words(study()))
    assert "last-stage or finetune" in heads
    assert "scratch" not in heads
    trained = " ".join(words(study(recipes={"good": "finetune", "near": "probe"})))
    assert "finetune" not in trained
    assert "scratch" not in trained
    published = " ".join(words(study(recipes={"good": "finetune"}, design={"purpose": "publish"})))
    assert "Add the recipe scratch" in published
    perfect = " ".join(words(study(separations=(30.0, 29.0))))
    assert "finetune" not in perfect


def test_at_most_three_proposals_are_shown_first():
    from weigh.findings.file import findings_file
    from weigh.report.html import render_html
    from weigh.report.story import tell
    from weigh.report.terminal import render_terminal

    results = study(problems=[LEAK], failed=[("near", 0, 1, "x")], test_looks=2, repeats=2)
    file = findings_file(results)
    story = tell(file)
    assert len(story.next) == 3
    assert len(story.later) > 1
    shown = render_terminal(file, language="en", width=2000)
    opening = shown[shown.index("What to do next") : shown.index("How well does it do?")]
    assert opening.count("→") == 3
    assert f"Further proposals: {len(story.later)}" in opening
    page = render_html(file, None, language="en", picture=None)
    first = page[page.index('<ol class="steps">') :]
    assert first[: first.index("</ol>")].count("<li>") == 3
