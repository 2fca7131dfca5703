"""A threshold is said: how many labels are not the most probable class, and what both decisions score, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from tests.findings.reading import by_id, check
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.file import findings_file
from weigh.findings.registry import read_findings
from weigh.report.card import model_card
from weigh.report.html import render_html

BIAS = [-0.9, 0.3, 0.6]


def study(bias=BIAS, repeats=2, n=400, **options):
    rng = np.random.default_rng(3)
    target = simulate_target(rng, n, [0.7, 0.2, 0.1])
    logits = {
        "good": simulate_logits(rng, target, separation=1.5, repeats=repeats),
        "poor": simulate_logits(rng, target, separation=0.3, repeats=repeats),
    }
    given = {} if bias is None else {"bias": {"good": bias}}
    return make_results(logits, target, winner="good", **given, **options), logits["good"], target


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("task", ["image-classification", "text-classification"])
def test_both_decisions_are_those_of_scikit_learn(task, repeats):
    texts = {"texts": [(f"text {i}",) for i in range(400)]} if task.startswith("text") else {}
    results, logits, target = study(repeats=repeats, task=task, **texts)
    found = by_id(read_findings(results))["decision"]
    check(found, results)
    decided, probable = (logits + np.array(BIAS)).argmax(axis=2), logits.argmax(axis=2)
    expected = {
        "score_decided": np.mean([balanced_accuracy_score(target, said) for said in decided]),
        "score_most_probable": np.mean([balanced_accuracy_score(target, said) for said in probable]),
        "accuracy_decided": np.mean([accuracy_score(target, said) for said in decided]),
        "accuracy_most_probable": np.mean([accuracy_score(target, said) for said in probable]),
        "differing": 100 * (decided != probable).mean(),
    }
    assert {name: found.estimates[name].value for name in expected} == pytest.approx(expected, abs=1e-9)
    assert found.verdict == "no"
    assert "metrics.decision=argmax" in found.next[0].en


@pytest.mark.parametrize("case", ["no bias", "zeros", "no labels differ"])
def test_nothing_is_claimed_where_nothing_differs(case):
    results, _, _ = study({"no bias": None, "zeros": [0.0, 0.0, 0.0], "no labels differ": [1e-9, 0.0, 0.0]}[case])
    found = by_id(read_findings(results)).get("decision")
    if case == "no labels differ":
        assert found is not None
        assert (found.verdict, found.severity, found.next) == ("yes", "detail", [])
        check(found, results)
    else:
        assert found is None


def test_page_and_card_say_it():
    results, _, _ = study()
    file = findings_file(results)
    sentence = by_id(file.findings)["decision"].sentence
    assert sentence.en.split(",")[0] in render_html(file, results, language="en", picture=None)
    assert "概率最大的类别" in render_html(file, results, language="zh", picture=None)
    card = model_card(file, results, facts={"decision": "threshold", "bias": BIAS, "temperature": 1.2})
    assert "most probable class" in card
    assert "metrics.decision" in card
