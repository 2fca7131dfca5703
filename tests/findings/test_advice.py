"""Advice follows from facts: each item appears when its fact does, in the order of what spoils most."""

from __future__ import annotations

import re

import numpy as np

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.data.examples import Problem
from weigh.findings.advice import find
from weigh.findings.registry import read_findings
from weigh.language import text

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
