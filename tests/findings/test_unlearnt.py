"""Where nobody learnt anything: that is the verdict, nothing is ranked, and the first advice is what of the training to change."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from tests.findings.reading import by_id, check
from tests.findings.studies import NETWORK, file_of, history, hopeless, pictures
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings import learning
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.file import findings_file
from weigh.findings.learning import nothing_learnt
from weigh.findings.registry import RANKING
from weigh.findings.stability.training import what_to_change
from weigh.report.story import tell
from weigh.report.terminal import render_terminal, summary_line
from weigh.spec import RecipeSpec
from weigh.stats.estimate import Estimate

KINDS = ("heads", "networks", "numbers", "entities")


def several_labels():
    rng = np.random.default_rng(0)
    target = rng.integers(2, size=(200, 3))
    logits = np.tile(np.array([-2.0, 1.0, -2.0], np.float32), (2, 200, 1))
    return make_results({"a": logits, "b": 2 * logits}, target, classes=("x", "y", "z"), winner="a")


@pytest.mark.parametrize("kind", [*KINDS, "labels"])
def test_nothing_learnt_is_the_verdict_and_nothing_is_ranked(kind):
    results = several_labels() if kind == "labels" else hopeless(kind)
    file = findings_file(results)
    top = by_id(file.findings)["verdict"]
    check(top, results)
    assert top.verdict == "no"
    assert top.sentence.en.startswith("Nothing was learnt: all")
    assert top.sentence.zh.startswith("没有学到任何东西")
    kinds = {finding.kind for finding in file.findings}
    assert not kinds & {kind for kind in RANKING if ":" not in kind}
    assert "errors" in file.study["skipped"]
    for language, words in (
        ("en", "comes out best|score holds|practically equal|more repeats|has the best score"),
        ("zh", "排名第一|得分成立|实际相当|增加重复"),
    ):
        assert not re.search(words, render_terminal(file, language=language, width=100))
        assert summary_line(file, language) == top.sentence.render(language)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_advice_is_what_to_change(kind):
    first = tell(file_of(f"hopeless-{kind}")).next[0].sentence.en
    assert re.match("Train|Lower the learning rate", first)
    assert len(tell(file_of(f"hopeless-{kind}")).next) <= 3


@pytest.mark.parametrize(
    ("losses", "advice"),
    [
        ((1.0, 1.3, 1.6), "Lower the learning rate"),
        ((1.0, 0.99, 0.98), "hardly fell"),
        ((1.0, 0.7, 0.4), "still falling"),
        ((), "Train the network itself"),
    ],
)
def test_what_to_change_follows_from_the_loss(losses, advice):
    target = simulate_target(np.random.default_rng(0), 200)
    constant = np.tile(np.array([2.0, 0.0], np.float32), (1, 200, 1))
    facts = {"history": [{"epoch": i, "loss": loss} for i, loss in enumerate(losses, 1)], "best_epoch": 3}
    results = make_results({"a": constant}, target, facts={"a": facts} if losses else {})
    top = by_id(findings_file(results).findings)["verdict"]
    assert advice in top.next[0].en


def test_decisions_that_are_all_the_same_may_still_rank():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 400, (0.95, 0.05))
    logits = simulate_logits(rng, target, separation=1.5)
    logits[..., 0] += 20
    results = make_results({"a": logits}, target, metrics={"primary": "accuracy"})
    top = by_id(findings_file(results).findings)["verdict"]
    check(top, results)
    assert "do rank the examples" in top.sentence.en
    ranked = make_results({"a": logits}, target, metrics={"primary": "auroc"})
    assert "Nothing was learnt" not in by_id(findings_file(ranked).findings)["verdict"].sentence.en


def test_one_candidate_that_learnt_nothing_is_compared_all_the_same():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 300)
    constant = np.tile(np.array([2.0, 0.0], np.float32), (2, 300, 1))
    results = make_results({"good": simulate_logits(rng, target, repeats=2), "blank": constant}, target)
    assert not read_evidence(results).once(nothing_learnt)
    found = by_id(findings_file(results).findings)
    assert found["comparison:good:blank"].verdict == "yes"
    assert found["stability:degenerate"].candidates == ["blank"]


def test_who_is_not_shown_to_be_better_than_a_guess_does_not_come_out_best():
    for name in ("chance", "useless"):
        top = by_id(file_of(name).findings)["verdict"]
        assert "comes out best" not in top.sentence.en
        assert "排名第一" not in top.sentence.zh


@pytest.mark.parametrize(
    ("facts", "verdict", "longer"),
    [
        (history(10), "no", True),
        (history(4), "yes", False),
        ({**history(10), "best_epoch": 0}, "yes", False),
        (history(10, rising=False), "undecided", False),
        ({"history": [{"epoch": e, "loss": 1 / e} for e in range(1, 6)], "best_epoch": 5}, "undecided", False),
    ],
)
def test_train_longer_only_where_the_last_epoch_was_the_best(facts, verdict, longer):
    """With the best epoch 0 the head of a probe, which training began with, was kept. The last: nothing was held back, so the best epoch is the last by definition."""
    results = pictures(facts={"m0": facts}, **NETWORK)
    file = findings_file(results)
    found = by_id(file.findings)["training"]
    check(found, results)
    assert found.verdict == verdict
    assert bool(found.next) == longer
    assert ("no epoch was clearly better" in found.sentence.en) == (facts["best_epoch"] == 0)
    advice = " ".join(item.en for item in by_id(file.findings)["advice"].next)
    assert ("Train longer" in advice) == longer


def test_loss_curves_are_kept_and_drawn():
    from weigh.report.figures import draw_figure

    found = by_id(file_of("short").findings)["training"]
    rows = [row for row in found.figure.rows if row["stage"] == "loss"]
    assert [row["epoch"] for row in rows] == list(range(1, 11))
    assert rows[0]["value"] == pytest.approx(0.9)
    drawn = draw_figure(found.figure, "zh")
    assert "训练损失" in drawn
    assert "留出样本上的得分" in drawn
    assert "training" not in {finding.kind for finding in file_of("clear").findings}


@pytest.mark.parametrize(("low", "verdict"), [(8.7e-19, "undecided"), (0.001, "yes")])
def test_an_end_that_is_nought_but_for_rounding_shows_nothing(low, verdict, monkeypatch):
    """Average precision of .0045 from a detector that had hardly learnt anything: the interval begins at 0."""
    score = Estimate(value=0.0045, low=low, high=0.1, unit="score")
    monkeypatch.setattr(learning, "winner_score", lambda _: score)
    evidence = SimpleNamespace(
        winner="m", blind=SimpleNamespace(score=0.0), metric=SimpleNamespace(greater_is_better=True)
    )
    assert learning.usefulness(evidence) == verdict


@pytest.mark.parametrize(
    ("weights", "metric", "en", "zh"),
    [
        ("none", "balanced_accuracy", "Balance the classes (class_weights: balanced).", "平衡各类别（class_weights: balanced）。"),
        ("none", "accuracy", "Balance the classes (class_weights: balanced), or judge by balanced accuracy.",
         "平衡各类别（class_weights: balanced），或改用平衡准确率评判。"),
        ("balanced", "accuracy", "Judge by balanced accuracy.", "改用平衡准确率评判。"),
        ("balanced", "balanced_accuracy", "", ""),
    ],
)  # fmt: skip
def test_who_balances_the_classes_already_is_not_told_to(weights, metric, en, zh, monkeypatch):
    recipe = RecipeSpec(name="probe", class_weights=weights)
    monkeypatch.setattr(Evidence, "recipe", lambda evidence, name: recipe)
    target = np.arange(80) % 2
    results = make_results({"a": np.zeros((2, 80, 2), np.float32)}, target, metrics={"primary": metric})
    told = [one for one in what_to_change(read_evidence(results)) if "balance" in one.en.lower()]
    assert [(one.en, one.zh) for one in told] == ([(en, zh)] if en else [])
