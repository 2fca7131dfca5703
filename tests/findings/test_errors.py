"""Hardest examples and suspected labels: planted ones are found, and every path is named."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.errors.hardest import find
from weigh.findings.kinds import is_problem


def study(seed=0, n=400, planted=12, repeats=3, separation=6.0, **options):
    """Easy data of which `planted` examples carry the other label."""
    rng = np.random.default_rng(seed)
    true = simulate_target(rng, n, [0.5, 0.5])
    difficulty = rng.standard_normal((n, 2))
    logits = {
        name: simulate_logits(rng, true, separation=s, repeats=repeats, difficulty=difficulty)
        for name, s in (("good", separation), ("fair", separation - 1))
    }
    target = true.copy()
    target[:planted] = 1 - target[:planted]
    return make_results(logits, target, winner="good", **options)


def numbers(sentence):
    return sorted(re.findall(r"-?\d+(?:\.\d+)?", sentence))


def test_planted_labels_are_suspected_with_every_path():
    hardest, labels = find(study())
    planted = {str(path) for path in study().examples.path[:12]}
    assert planted <= set(labels.examples)
    assert len(labels.examples) == int(labels.estimates["flagged"].value) == len(labels.table)
    assert set(labels.examples[:8]) <= planted  # the most suspicious first
    assert planted <= set(hardest.examples)
    row = labels.table[0]
    assert set(row) == {"path", "given", "predicted", "probability_of_given", "why"}
    assert row["given"] != row["predicted"]
    assert labels.kind == "label-errors"
    assert labels.verdict == "undecided"  # a model cannot tell wrong labels from hard examples
    assert is_problem(labels)  # all the same `--fail-on label-errors` stops for a look


def test_nothing_suspected_stops_nobody():
    _, labels = find(study(planted=0))
    assert labels.examples == []
    assert not is_problem(labels)


def test_words_are_careful():
    _, labels = find(study())
    assert "look wrong to a model" in labels.sentence.en
    assert "How many of them are wrong cannot be told" in labels.sentence.en
    assert "可疑" in labels.sentence.zh


def test_nothing_to_suspect():
    _, labels = find(study(planted=0, separation=9))
    assert labels.verdict == "no"
    assert labels.examples == []
    assert not labels.next


def test_one_prediction_each_is_undecided():
    rng = np.random.default_rng(1)
    target = simulate_target(rng, 100)
    hardest = find(make_results({"a": simulate_logits(rng, target, separation=1)}, target))[0]
    assert hardest.verdict == "undecided"
    assert "bad luck" in hardest.sentence.en


def test_controls_are_not_asked():
    rng = np.random.default_rng(2)
    target = simulate_target(rng, 200)
    logits = {
        "good": simulate_logits(rng, target, separation=8, repeats=2),
        "scratch": simulate_logits(rng, target, separation=-8, repeats=2),
    }
    hardest, _ = find(make_results(logits, target, controls=["scratch"], winner="good"))
    assert hardest.candidates == ["good"]
    assert len(hardest.examples) == int(hardest.estimates["always_wrong"].value) < 10


def test_both_languages_have_the_same_numbers_and_they_are_estimates():
    for planted in (0, 12):
        for finding in find(study(planted=planted)):
            said = numbers(finding.sentence.en)
            assert said == numbers(finding.sentence.zh)
            for number in said:
                digits = len(number.partition(".")[2])
                known = [v for e in finding.estimates.values() for v in (e.value, e.low, e.high) if v is not None]
                assert any(f"{v:.{digits}f}" == number for v in known), number


def test_multilabel():
    rng = np.random.default_rng(3)
    target = rng.integers(2, size=(200, 3))
    logits = (8.0 * (target - 0.5) + rng.normal(0, 0.3, target.shape))[None].repeat(2, axis=0).astype(np.float32)
    logits[:, 5, 1] *= -2
    hardest, labels = find(make_results({"a": logits}, target, metrics={"primary": "f1_macro"}, winner="a"))
    path = str(make_results({"a": logits}, target, metrics={"primary": "f1_macro"}, winner="a").examples.path[5])
    assert path in hardest.examples
    assert labels.examples[0] == path


@pytest.mark.parametrize(("given", "said"), [(0, r": 1\.00 ≥ 0\.\d\d$"), (1, r": 0\.00 ≤ 0\.\d\d$")])
def test_of_several_labels_the_probability_is_that_of_the_label(given, said):
    """A label that the model holds for absent is not said to be there with a high probability."""
    rng = np.random.default_rng(3)
    target = rng.integers(2, size=(200, 3))
    target[5, 1] = given
    logits = (8.0 * (target - 0.5) + rng.normal(0, 0.3, target.shape))[None].repeat(2, axis=0).astype(np.float32)
    logits[:, 5, 1] *= -2
    _, labels = find(make_results({"a": logits}, target, metrics={"primary": "f1_macro"}, winner="a"))
    assert re.search(said, labels.table[0]["why"])


def test_failed_runs_are_survived():
    hardest, labels = find(study(failed=[("good", 0, 1, "loss became infinite")]))
    assert hardest.verdict == "yes"
    assert labels.verdict == "undecided"  # a model cannot tell wrong labels from hard examples


def test_a_model_that_is_mostly_wrong_suspects_nothing():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 400, [0.25] * 4)
    logits = {"lost": simulate_logits(rng, target, separation=0.0, classes=4, repeats=2, sharpness=8.0)}
    labels = find(make_results(logits, target))[1]
    assert labels.verdict == "undecided"
    assert labels.estimates["share_flagged"].value > 25
    assert [labels.examples, labels.table, labels.next] == [[], [], []]
    assert labels.assumptions[0].outcome == "doubtful"
    assert numbers(labels.sentence.en) == numbers(labels.sentence.zh)


@pytest.mark.parametrize("members", [1, 12])
def test_what_no_model_had_trained_on_is_left_out(members):
    """A class of one example, or one whose examples stand in one fold: wrong in every run, whatever the pictures are like."""
    rng = np.random.default_rng(5)
    target = np.array([0, 1] * 60 + [2] * members)
    logits = np.full((3, len(target), 3), -4.0, np.float32)
    logits[:, np.arange(len(target)), np.where(target == 2, 0, target)] = 4
    logits[:, 7] = logits[:, 7, ::-1][:, [1, 2, 0]] if target[7] == 0 else [[4, -4, -4]] * 3  # one that is hard
    folds = np.tile(np.arange(len(target)) % 5, (3, 1))
    folds[:, 120:] = 2
    logits += rng.normal(0, 0.2, logits.shape).astype(np.float32)
    results = make_results(
        {"a": logits, "b": logits.copy()}, target, classes=("x", "y", "lone"), winner="a", fold=folds
    )
    hardest = find(results)[0]
    assert hardest.examples == [str(results.examples.path[7])]
    assert hardest.estimates["unknown"].value == members
    assert "(lone)" in hardest.sentence.en


def test_where_no_label_could_be_looked_at_none_is_cleared():
    """Every class stands in one fold: no run that was tested on it had trained on it."""
    target = np.array([0, 1] * 30)
    logits = np.random.default_rng(0).normal(size=(1, 60, 2)).astype(np.float32)
    labels = find(make_results({"a": logits}, target, winner="a", fold=target[None].astype(np.int16)))[1]
    assert labels.verdict == "undecided"
    assert labels.sentence.en.startswith("No label can be looked at.")
    assert "60 labels" in labels.sentence.en


def test_a_class_of_models_that_were_trained_elsewhere_is_not_left_out():
    rng = np.random.default_rng(5)
    target = np.array([0, 1] * 30 + [2])
    logits = np.full((2, 61, 3), -4.0, np.float32)
    logits[:, np.arange(61), np.where(target == 2, 0, target)] = 4
    results = replace(
        make_results({"a": logits + rng.normal(0, 0.2, logits.shape).astype(np.float32)}, target, winner="a"),
        origin="models",
    )
    hardest = find(results)[0]
    assert hardest.examples == [str(results.examples.path[60])]
    assert "unknown" not in hardest.estimates


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05])
def test_what_is_flagged_is_compared_with_what_right_labels_would_give(share):
    """A calibrated model of classes that overlap: flags are not more than by chance, and never a "yes"."""
    rng = np.random.default_rng(3)
    verdicts, unusual = set(), 0
    for seed in range(10):
        rng = np.random.default_rng([3, seed])
        signal = 2.0 * rng.standard_normal(500)
        p = 1 / (1 + np.exp(-signal))
        target = (rng.random(500) < p).astype(np.int64)
        flipped = rng.random(500) < share
        logits = np.stack([np.zeros(500), signal], axis=1)[None].astype(np.float32)
        _, labels = find(make_results({"m": logits}, np.where(flipped, 1 - target, target)))
        verdicts.add(labels.verdict)
        chance = labels.estimates["by_chance"]
        unusual += labels.estimates["flagged"].value > chance.high
        assert ("these are more" in labels.sentence.en) == (labels.estimates["flagged"].value > chance.high)
    assert verdicts == {"undecided"}
    if not share:
        assert unusual <= 1


def test_labels_of_groups_where_the_model_fails_are_not_expected_to_be_contradicted_elsewhere():
    """Of 400 labels outside the strange group a dozen are wrong; 95 were said to be contradicted by chance, since those 200 counted."""
    rng = np.random.default_rng(0)
    target, elsewhere = simulate_target(rng, 600), np.arange(600) < 200
    logits = simulate_logits(rng, target, separation=8.0, repeats=2)
    logits[:, elsewhere] = simulate_logits(rng, target[elsewhere], separation=0.0, repeats=2, noise=0.1, sharpness=4.0)
    target[205::33] = 1 - target[205::33]
    group = np.where(elsewhere, "elsewhere", [f"g{i // 20}" for i in range(600)])
    results = make_results({"a": logits}, target, groups=group)
    found = next(finding for finding in find(results) if finding.id == "errors:labels")
    assert found.estimates["strange"].value > 50
    assert found.estimates["flagged"].value == 12
    assert found.estimates["by_chance"].value < 20
    assert found.estimates["by_chance"].n == 400
