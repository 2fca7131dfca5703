"""Studies that are seldom met, and what must not be said of them: each of these sentences was once untrue, or its advice did not work."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.findings.kinds import number_study
from tests.findings.reading import by_id, check
from tests.findings.studies import file_of, pictures, results_of
from tests.findings.synthetic import assign_folds, make_results, simulate_logits, simulate_target
from weigh.findings.budget import longer_budget
from weigh.findings.calibration.stated import find as find_calibration
from weigh.findings.errors import entities
from weigh.findings.evidence import read_evidence
from weigh.findings.file import findings_file
from weigh.findings.generalisation.choice import _ahead
from weigh.findings.performance.decision import find as find_decision
from weigh.kinds.base import rows_of
from weigh.language import text
from weigh.plan.less_training import LessTraining
from weigh.plan.racing import Dropped, Race
from weigh.report.html import render_html
from weigh.report.story import tell
from weigh.report.words import WORDS
from weigh.spec import RecipeSpec
from weigh.stats.estimate import Estimate

TIME = text("Within 1m there is no time for more than one repeat of heads.", "在 1m 内来不及重复训练线性头。")


def findings_of(results):
    return by_id(findings_file(results).findings)


def constants(answers, prevalence=(0.5, 0.5), n=200, **options):
    """Runs that give all examples of their fold one class: `answers`, one for each of five folds."""
    target = simulate_target(np.random.default_rng(0), n, prevalence)
    fold = assign_folds(np.random.default_rng(0), target, 5, 1)
    logits = np.zeros((1, n, 2), np.float32)
    logits[0, np.arange(n), np.asarray(answers)[fold[0]]] = 3
    return make_results({"a": logits}, target, fold=fold, **options)


# ---- how well it does


def test_classes_that_are_recognised_alike_are_not_called_best_and_least():
    results = pictures((30.0,))
    found = findings_of(results)["performance:classes"]
    check(found, results)
    assert "recognises all classes alike (recall 1.000)" in found.sentence.en
    assert "识别效果相同" in found.sentence.zh
    assert "least" not in found.sentence.en


def test_classes_that_share_the_highest_recall_are_all_called_the_best():
    target = np.arange(90) % 3
    logits = np.zeros((1, 90, 3), np.float32)
    given = np.where((target == 2) & (np.arange(90) % 2 == 0), 0, target)
    logits[0, np.arange(90), given] = 3
    results = make_results({"a": logits}, target)
    found = findings_of(results)["performance:classes"]
    check(found, results)
    assert "recognises 'class0', 'class1' best (recall 1.000) and 'class2' least (recall 0.500)" in found.sentence.en
    assert "对“class0”、“class1”识别得最好（召回率 1.000），对“class2”最差（召回率 0.500）" in found.sentence.zh


def test_runs_that_each_give_another_answer_did_not_all_give_the_first_one():
    found = findings_of(constants([0, 1, 0, 1, 1]))["verdict"]
    assert "all 5 runs give one answer each ('class0', 'class1')" in found.sentence.en
    assert "各自只给出一种回答（“class0”、“class1”）" in found.sentence.zh
    same = findings_of(constants([1] * 5))["verdict"]
    assert "all 5 runs give every example the same answer ('class1')" in same.sentence.en


def test_a_constant_answer_that_is_rarely_right_is_no_match_for_the_most_frequent_one():
    results = constants([1] * 5, (0.8, 0.2), metrics={"primary": "accuracy"})
    found = findings_of(results)["verdict"]
    check(found, results)
    assert "The accuracy is 0.200; always giving the most frequent answer reaches 0.800." in found.sentence.en
    assert "准确率为 0.200，总是回答最常见的类别则为 0.800" in found.sentence.zh


def test_a_test_part_that_was_scored_is_not_called_unscored_where_nothing_was_learnt():
    test = {"a": np.tile(np.array([2.0, 0.0], np.float32), (40, 1))}
    results = constants([0] * 5, test=test, test_target=np.arange(40) % 2)
    said = [point.sentence.en for point in tell(findings_file(results)).may_not]
    assert WORDS["missing_claim_test_waits"].en not in said
    assert WORDS["missing_claim_test"].en not in said


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_a_verdict_no_candidate_is_called_the_only_one_and_no_count_a_score(language):
    file = findings_file(results_of("empty"))
    assert tell(file).estimate is None
    page = render_html(file, None, language=language, picture=None)
    assert 'class="eyebrow"' not in page
    assert 'class="big"' not in page


# ---- what to do


def test_failed_runs_are_run_again_only_when_that_is_asked_for():
    failed = [("m0", 0, 1, "out of memory.")]
    found = findings_of(pictures((2.0, 1.0), failed=failed))
    assert "--retry-failed" in found["stability:failed"].next[0].en
    item = next(item for item in found["advice"].next if item.en.startswith("Runs that failed"))
    assert "out of memory. Remove it and run the same command with --retry-failed." in item.en
    assert "out of memory。" in item.zh
    everything = [("m0", repeat, fold, "x") for repeat in range(3) for fold in range(5)]
    (again,) = findings_of(pictures((2.0,), failed=everything))["verdict"].next
    assert "--retry-failed" in again.en


def test_the_setting_for_more_repeats_is_the_one_that_brings_them():
    results = make_results(
        {"timm:m0 × probe": simulate_logits(np.random.default_rng(0), np.arange(200) % 2)}, np.arange(200) % 2
    )
    results = replace(results, candidates=tuple(replace(one, model="timm:m0") for one in results.candidates))
    (name,) = (one.id for one in results.candidates)
    assert read_evidence(results).more_repeats(name) == "design.repeats"
    assert read_evidence(replace(results, skipped={"budget": TIME})).more_repeats(name) == "design.budget"
    waiting = replace(results, skipped={"budget": TIME}, unfinished={name: 20})
    assert read_evidence(waiting).more_repeats(name) == "design.repeats", "they are still to run"
    found = findings_of(waiting)
    assert not found["stability:spread"].next, "the same command brings them"
    assert found["advice"].next[0].en == "Run the same command again: it goes on where it stopped."
    own = results.spec.model_copy(update={"recipes": [RecipeSpec(name="probe", repeats=1)]})
    alone = replace(results, spec=own)
    assert read_evidence(alone).more_repeats(name) == "recipes.probe.repeats"
    assert "Set recipes.probe.repeats: 5 to see it." in findings_of(alone)["stability:spread"].next[0].en


@pytest.mark.parametrize(("written", "longer"), [(None, "10h"), ("10m", "10h"), ("12h", "24h"), ("10h30m", "21h")])
def test_more_time_is_more_than_there_was(written, longer):
    assert longer_budget(written) == longer


def test_who_learnt_nothing_is_told_what_to_change_in_its_own_training():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 300)
    blank = np.tile(np.array([2.0, 0.0], np.float32), (2, 300, 1))
    logits = {"good": simulate_logits(rng, target, repeats=2), "blank": blank}
    found = findings_of(make_results(logits, target, recipes={"blank": "finetune"}))["stability:degenerate"]
    assert found.candidates == ["blank"]
    assert found.next[0].en == "Train longer: set more epochs (epochs)."


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_network_that_had_too_little_time_is_not_told_to_train_the_network(epochs):
    history = [{"epoch": i, "loss": 1 - 0.1 * i} for i in range(1, epochs + 1)]
    results = constants([0] * 5, recipes={"a": "finetune"}, facts={"a": {"history": history}}, design={"budget": "10m"})
    results = replace(results, less=LessTraining(("timm:a",), 5, epochs))
    found = findings_of(results)["verdict"]
    written = {1: "1 epoch", 3: "3 epochs"}[epochs]
    assert found.next[0].en.endswith(f"(--set design.budget=10h). Within 10m there was time for {written} only.")


def test_a_threshold_of_a_recipe_is_switched_off_at_the_recipe():
    target = simulate_target(np.random.default_rng(0), 200)
    logits = simulate_logits(np.random.default_rng(0), target)
    results = make_results({"timm:m0 × probe": logits}, target, bias={"timm:m0 × probe": [0.8, 0.0]})
    results = replace(results, candidates=tuple(replace(one, model="timm:m0") for one in results.candidates))
    assert "metrics.decision=argmax" in find_decision(results)[0].next[0].en
    own = results.spec.model_copy(update={"recipes": [RecipeSpec(name="probe", decision="threshold")]})
    assert "recipes.probe.decision=argmax" in find_decision(replace(results, spec=own))[0].next[0].en


@pytest.mark.parametrize(("bias", "rare"), [([0.0, 1.0], True), ([1.0, 0.0], False)])
def test_a_threshold_that_favours_the_common_class_does_not_favour_rare_ones(bias, rare):
    target = simulate_target(np.random.default_rng(0), 300, (0.7, 0.3))
    logits = simulate_logits(np.random.default_rng(0), target, separation=1.0)
    sentence = find_decision(make_results({"a": logits}, target, bias={"a": bias}, winner="a"))[0].sentence
    assert "does not always answer" in sentence.en
    assert ("rare classes are answered earlier" in sentence.en) == rare
    assert ("少数类" in sentence.zh) == rare


# ---- other findings


def test_a_race_that_goes_on_has_not_been_run_to_the_end():
    found = by_id(file_of("racing").findings)["racing"]
    assert (found.verdict, found.answer) == ("undecided", None)
    assert "looks were planned" in found.assumptions[0].detail.en


def test_heads_that_are_left_are_not_settled_by_a_race_of_networks():
    """Both networks dropped out, and two heads stand as close as before: more repeats of theirs do not race."""
    names, separations = ("net0", "net1", "head0", "head1"), (0.5, 0.4, 2.0, 2.0)
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 300)
    logits = {
        name: simulate_logits(rng, target, separation=s, repeats=3) for name, s in zip(names, separations, strict=True)
    }
    results = make_results(logits, target, recipes={"net0": "finetune", "net1": "finetune"})
    out = tuple(Dropped(name, "head0", 5, 15, 0.3, 0.2, 0.4, 300) for name in names[:2])
    race = Race(dict.fromkeys(names[:2], 15), 5, (5, 10, 15), 4, dict.fromkeys(names[:2], 5), out, stop="one left")
    ran = tuple(run for run in results.records if run.candidate in names[2:] or run.repeat == 0)
    results = replace(results, records=ran, race=race)
    sentence = findings_of(results)["racing"].sentence
    assert "It ended after 15 of 15 folds: no network can be the best any more." in sentence.en
    assert "训练网络的方案都不可能再成为最好的" in sentence.zh
    evidence = read_evidence(results)
    assert evidence.more_repeats("head0", "head1") == "design.repeats"
    assert evidence.more_repeats("head0", "net0") == "design.race: false"


def test_two_scores_that_are_the_same_are_level():
    level = _ahead(Estimate(value=0.0, low=-1.0, high=1.0, unit="points"), "a", "b")
    assert level.en == "a and b are level (0.0 points [-1.0, 1.0])"
    assert level.zh.startswith("a 与 b 得分相同")


def test_two_models_are_one_pair():
    (found,) = [f for f in file_of("held").findings if f.id == "shift:winter:ranking"]
    assert "1 pairs" not in found.sentence.en
    assert found.sentence.en.startswith("The two models are shown to be in the same order")


def test_what_is_not_saved_is_not_spoken_of():
    results = pictures((1.0,), sharpness=3.0)
    assert "(in the saved model: " in findings_of(results)["calibration"].sentence.en
    output = results.spec.output.model_copy(update={"refit": False})
    without = replace(results, spec=results.spec.model_copy(update={"output": output}))
    assert "(over all: " in findings_of(without)["calibration"].sentence.en


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_predictions_that_are_right_on_average_are_neither_too_high_nor_too_low(shift):
    target = np.linspace(1, 5, 100)
    answers = (target + np.where(np.arange(100) % 2, 0.5, -0.5) + shift)[None, :, None]
    results = make_results(
        {"a": answers}, target, classes=(), texts=[(f"s{i}",) for i in range(100)], task="text-regression",
        metrics={"primary": "mae"},
    )  # fmt: skip
    sentence = findings_of(results)["errors:hardest"].sentence
    assert ("neither too high nor too low" in sentence.en) == (not shift)
    assert ("too high by" in sentence.en) == bool(shift)
    assert "less than" not in sentence.en


def test_a_slice_with_a_larger_error_is_worse_and_not_less():
    results = number_study(metrics={"primary": "mae"})
    target = results.examples.target
    answers = np.repeat(target[None, :, None], 2, axis=0) + 0.1 * np.sign(
        np.random.default_rng(0).normal(size=(2, 300, 1))
    )
    site = np.where(np.arange(300) % 3 == 0, "far", "near")
    answers[:, site == "far"] += np.where(np.arange((site == "far").sum()) % 2, 1.0, -1.0)[None, :, None]
    study = make_results(
        {"a": answers}, target, classes=(), texts=list(results.examples.rows), task="text-regression",
        metrics={"primary": "mae"}, slices={"site": site},
    )  # fmt: skip
    sentence = findings_of(study)["slices"].sentence
    assert "site = far (mean absolute error" in sentence.en
    assert "worse than the rest by" in sentence.en
    assert "比其余部分差" in sentence.zh


def entity_mistakes(target, labels, present):
    """The finding about these spans."""
    runs = SimpleNamespace(target=rows_of(target), prediction=lambda repeat: SimpleNamespace(labels=rows_of(labels)))
    evidence = SimpleNamespace(
        out_of_fold={"a": runs},
        measured={"a": SimpleNamespace(present=np.asarray(present))},
        results=SimpleNamespace(in_some_folds=False, examples=SimpleNamespace(classes=tuple("ABCD"))),
        label=str,
    )
    return entities.find_mistakes(evidence, "a")[0]


def test_the_types_most_often_confused_are_counted_with_right_and_wrong_borders():
    target = [((0, 1, 0),)] * 3 + [((0, 1, 2),)] * 4 + [((0, 2, 0),)] * 2
    labels = [((0, 1, 1),)] * 3 + [((0, 1, 3),)] * 4 + [((1, 3, 1),)] * 2
    found = entity_mistakes(target, labels, np.ones((1, 9), dtype=bool))
    assert "'A' taken for 'B' (5)" in found.sentence.en


def test_a_repeat_that_is_not_whole_takes_no_entities_away():
    target = [((0, 1, 0),)] * 10
    present = np.array([[True] * 10, [True] * 2 + [False] * 8])
    assert entity_mistakes(target, target, present).sentence.en.startswith("Of 10 entities in the data")


def test_labels_that_are_stated_too_often_are_not_called_too_sure():
    """A label that is stated with .3 and is there in one of ten examples is doubted too little, which is not being too sure."""
    rng = np.random.default_rng(0)
    logits = rng.normal(-1.4, 1.0, (1, 800, 3)).astype(np.float32)
    target = (rng.random((800, 3)) < 1 / (1 + np.exp(1.0 - logits[0]))).astype(np.int64)
    found = find_calibration(make_results({"a": logits}, target, classes=("x", "y", "z"), winner="a"))[0]
    assert "the probabilities that it states of labels and how often these are there differ by" in found.sentence.en
    assert "labels are stated to be too probable, by" in found.sentence.en
    assert "标签的概率整体偏高" in found.sentence.zh
    assert "too sure" not in found.sentence.en
