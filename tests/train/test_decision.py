"""The threshold of F1: chosen where nothing was trained on, and the same for the model that is saved as for those that were scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.train.test_recipes import fit
from weigh.kinds.label import LABEL
from weigh.train.decision import choose_bias, choose_decision

TARGET = np.repeat([0, 1], [30, 10])
HELD = np.repeat([0, 1], [12, 4])


def unseen():
    """Answers that favour the common class: the best threshold is another one than even odds."""
    second = np.where(HELD == 1, -0.4, -1.6) + np.linspace(-0.1, 0.1, len(HELD))
    return np.stack([np.zeros(len(HELD)), second], axis=1).astype(np.float32), HELD


@pytest.mark.parametrize("decision", ["auto", "threshold", "argmax"])
@pytest.mark.parametrize("primary", ["f1", "f1_macro", "balanced_accuracy", "accuracy"])
def test_only_what_was_chosen_on_a_validation_part_is_handed_to_the_refit(primary, decision):
    fold = choose_decision(LABEL, decision, primary, TARGET, 2, unseen, {})
    if not primary.startswith("f1") or decision == "argmax":
        alone = choose_decision(LABEL, decision, primary, TARGET, 2, None, {"bias": 9.0})
        assert fold == alone == (choose_bias(LABEL, decision, primary, TARGET, None, 2), {})
        return
    assert fold.bias is not None
    assert fold.bias[1] > 0.4
    assert fold.chosen == {"bias": fold.bias[1]}
    assert choose_decision(LABEL, decision, primary, TARGET, 2, None, {"bias": 0.25}) == ([0.0, 0.25], {"bias": 0.25})
    assert choose_decision(LABEL, decision, primary, TARGET, 2, None, {"bias": 0.0}).bias is None


def test_three_classes_are_decided_in_the_refit_as_in_the_folds():
    target, held = np.repeat([0, 1, 2], [20, 10, 10]), np.repeat([0, 1, 2], [3, 3, 2])
    answers = np.zeros((len(held), 3), np.float32)
    fold = choose_decision(LABEL, "threshold", "f1_macro", target, 3, lambda: (answers, held), {})
    assert fold == choose_decision(LABEL, "threshold", "f1_macro", target, 3, None, {})


def test_a_refitted_network_decides_by_the_thresholds_of_the_cross_validation(examples, setting, make_run):
    setting = replace(setting, primary="f1")
    first, second = (np.flatnonzero((examples.target == k) & (examples.part == "train")) for k in (0, 1))
    few = np.union1d(first, second[:6])
    run = make_run("finetune", epochs=1, image_size=32, batch_size=8, augment="none", train=few)
    (fold,) = fit([run], setting, examples)
    assert fold.status == "done", fold.cause
    assert fold.facts["settled"] == {"bias": fold.facts.get("bias", [0.0, 0.0])[1]}
    (refit,) = fit([replace(run, epochs=1, settled={"bias": 0.75})], setting, examples)
    assert refit.facts["bias"] == [0.0, 0.75]
    assert refit.facts["settled"] == {"bias": 0.75}


def test_classes_that_the_loss_weighed_alike_are_not_weighed_once_more():
    """Their probabilities are divided by the frequencies already; a threshold that somebody asks for is still chosen."""
    asked = "balanced_accuracy", TARGET, None, 2
    assert choose_bias(LABEL, "auto", *asked) is not None
    assert choose_bias(LABEL, "auto", *asked, weighed=True) is None
    assert choose_bias(LABEL, "threshold", *asked, weighed=True) == choose_bias(LABEL, "threshold", *asked)
    assert choose_decision(LABEL, "auto", "balanced_accuracy", TARGET, 2, unseen, {}, weighed=True) == (None, {})
    for_f1 = [choose_decision(LABEL, "auto", "f1", TARGET, 2, unseen, {}, weighed=one) for one in (False, True)]
    assert for_f1[0] == for_f1[1]
    assert for_f1[0].bias is not None


def test_runs_whose_loss_weighs_classes_answer_with_the_most_probable_one(examples, setting, make_run):
    first, second = (np.flatnonzero((examples.target == k) & (examples.part == "train")) for k in (0, 1))
    few = np.union1d(first, second[:6])
    network = {"epochs": 1, "image_size": 32, "batch_size": 8, "augment": "none"}
    for recipe, options in (("probe", {}), ("finetune", network)):
        runs = [make_run(recipe, train=few, class_weights=weights, **options) for weights in ("none", "balanced")]
        plain, weighed = (fit([run], setting, examples)[0] for run in runs)
        assert plain.facts["bias"][1] > 0, recipe
        assert "bias" not in weighed.facts, recipe
