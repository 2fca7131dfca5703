"""Findings of numbers, entities and texts: all can be read, and say what is true of these kinds and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.findings.kinds import TYPES, entity_study, number_study, text_study
from tests.findings.planned import add_runs
from tests.findings.reading import by_id, check
from tests.findings.synthetic import make_results
from weigh.findings.errors.entities import match_entities
from weigh.findings.file import findings_file
from weigh.findings.registry import read_findings
from weigh.findings.tokens import find as find_tokens
from weigh.kinds.base import rows_of
from weigh.kinds.tags import code_spans, pack_tags
from weigh.language import text
from weigh.metrics.base import METRICS
from weigh.problem import Problem
from weigh.record.choice_of_winner import find_suspects
from weigh.report.html import Page
from weigh.report.pictures import Album
from weigh.report.story import tell

STUDIES = {
    "numbers": lambda **options: number_study(test=80, **options),
    "entities": lambda **options: entity_study(test=80, **options),
    "texts": text_study,
    "labels": lambda **options: text_study(several=True, **options),
}
FAILED = {"failed": [("fair", 0, 1, "out of memory")]}


@pytest.mark.parametrize("primary", ["own", "other"])
@pytest.mark.parametrize("kind", STUDIES)
def test_everything_is_read_in_both_languages(kind, primary):
    metrics = {"numbers": "mse", "entities": "entity_f1_macro", "texts": "matthews", "labels": "f1_micro"}
    chosen = {} if primary == "own" else {"metrics": {"primary": metrics[kind]}}
    slices = {
        "slices": {
            "source": np.array(["news", "web", "talk"])[np.arange(300 if kind in ("numbers", "entities") else 200) % 3]
        }
    }
    results = STUDIES[kind](**chosen, **slices, **FAILED)
    findings = read_findings(results)
    assert not [f for f in findings if f.kind == "internal"]
    for finding in findings:
        check(finding, results)
    assert by_id(findings)["verdict"].candidates[0] == "good"


def test_the_default_metric_suits_the_task():
    assert findings_file(number_study()).study["primary"] == "pearson_spearman"
    assert findings_file(entity_study()).study["primary"] == "entity_f1"
    assert findings_file(text_study()).study["primary"] == "balanced_accuracy"


@pytest.mark.parametrize("kind", ["numbers", "entities"])
def test_what_cannot_be_asked_is_said(kind):
    file = findings_file(STUDIES[kind]())
    assert {"calibration", "errors:labels"} <= file.study["skipped"].keys()
    assert not any(f.kind in ("calibration", "label-errors") for f in file.findings)
    assert "skipped" in by_id(file.findings)["order"].sentence.en


def test_a_useless_run_is_named_and_the_baseline_beaten():
    for results, useless, answer in (
        (number_study(), "flat", "the mean"),
        (entity_study(), "blind", "no entity at all"),
    ):
        found = by_id(read_findings(results))
        assert found["stability:degenerate"].candidates == [useless]
        base = found["performance:baseline"]
        assert base.verdict == "yes"
        assert answer in base.sentence.en
        assert base.estimates["baseline"].value == 0


def test_the_baseline_of_a_squared_error_is_the_variance():
    results = number_study(metrics={"primary": "mse"})
    base = by_id(read_findings(results))["performance:baseline"]
    assert base.estimates["baseline"].value == pytest.approx(results.examples.target.var())
    assert base.verdict == "yes"


def test_residuals_are_those_of_the_mean_prediction():
    results = number_study()
    found = by_id(read_findings(results))["errors:hardest"]
    mean = results.out_of_fold("good").answers[..., 0].mean(axis=0)
    off = np.abs(mean - results.examples.target)
    assert found.estimates["mean_error"].value == pytest.approx(off.mean(), rel=1e-5)
    assert found.examples[0] == results.examples.path[off.argmax()]
    assert len(found.examples) == len(found.table) == 24
    assert "texts below" in found.next[0].en


def test_small_errors_beside_a_huge_one_are_not_written_as_none():
    target = np.linspace(1, 5, 100)
    answers = target + 0.0015
    answers[7] += 10_000
    results = make_results(
        {"a": answers[None, :, None]}, target, classes=(), texts=[(f"s{i}",) for i in range(100)], task="text-regression",
        metrics={"primary": "mae"},
    )  # fmt: skip
    sentence = by_id(read_findings(results))["errors:hardest"].sentence
    assert "half of them by 0.0015 at most" in sentence.en
    assert "一半的偏差不超过 0.0015" in sentence.zh


def test_planted_mistakes_of_entities_are_counted():
    tokens = [tuple("abcdef")] * 60
    target = rows_of([((0, 2, 0), (4, 5, 1))] * 60)
    said = [[(0, 2, 0), (4, 5, 1)]] * 20 + [[(0, 2, 1), (4, 5, 1)]] * 10 + [[(0, 1, 0)]] * 10
    said += [[(1, 3, 2), (4, 5, 1)]] * 10 + [[(0, 2, 0), (4, 5, 1), (3, 4, 2)]] * 10
    codes = [code_spans(spans, 6) for spans in said]
    logits = pack_tags(codes, [np.zeros(6)] * 60, 6)[None]
    results = make_results({"one": logits}, target, classes=TYPES, tokens=tokens, task="token-classification")
    found = by_id(read_findings(results))
    mistakes = found["errors:entities"]
    expected = {
        "right": 80,
        "wrong_type": 10,
        "wrong_border": 10,
        "wrong_type_and_border": 10,
        "missed": 10,
        "invented": 10,
    }
    assert {name: mistakes.estimates[name].value for name in expected} == expected
    assert mistakes.estimates["entities"].value == 120
    assert {"mistake": "wrong type", "given": "location", "predicted": "person", "n": 10.0} in mistakes.table
    hardest = found["errors:hardest"]
    assert hardest.table[0]["given"] == "ab [location]; e [person]".replace("ab", "a b")
    types = {row["class"]: row for row in found["performance:classes"].table}
    assert types["location"]["recall"] == 0.5
    assert types["product"]["n"] == 0


def test_every_entity_is_matched_once():
    given, said = [(0, 2, 0), (2, 4, 0)], [(1, 3, 0), (3, 4, 0)]
    assert sorted(match_entities(given, said)) == [("wrong border", 0, 0), ("wrong border", 0, 0)]
    assert match_entities([(0, 4, 0)], [(0, 1, 0), (2, 3, 1)]) == [("wrong border", 0, 0), ("invented", -1, 1)]
    assert match_entities([(0, 1, 0)], []) == [("missed", 0, -1)]


def test_entity_f1_of_a_study_is_that_of_its_sentences():
    results = entity_study(repeats=1)
    found = by_id(read_findings(results))["verdict"]
    own = results.out_of_fold("good")
    assert found.estimates["score"].value == METRICS.get("entity_f1").score(own.prediction(0), own.target)


@pytest.mark.parametrize("primary", ["mse", "pearson", "spearman", "mae"])
def test_two_that_hardly_differ_are_not_settled(primary):
    rng = np.random.default_rng(5)
    target = rng.normal(50, 20, 200)
    answers = {name: (target + rng.normal(0, 9, 200))[None, :, None] for name in ("one", "two")}
    results = make_results(
        {k: v.astype(np.float32) for k, v in answers.items()},
        target,
        classes=(),
        texts=[(str(i),) for i in range(200)],
        task="text-regression",
        metrics={"primary": primary},
    )
    findings = read_findings(results)
    for finding in findings:
        check(finding, results)
    assert next(f for f in findings if f.id.startswith("comparison:")).relation == "undecided"


@pytest.mark.parametrize("primary", ["own", "mse"])
@pytest.mark.parametrize("kind", ["numbers", "entities"])
def test_further_runs_and_further_sets_are_read_too(kind, primary):
    if primary == "mse" and kind == "entities":
        primary = "entity_f1_macro"
    results = STUDIES[kind](
        recipes={"good": "finetune"}, **({} if primary == "own" else {"metrics": {"primary": primary}})
    )
    part = results.examples.part.astype("<U20")
    part[-40:] = "shift:web"
    copies = Problem("duplicate", text("copies", "副本"), pairs=(tuple(map(str, results.examples.path[:3])),))
    results = replace(results, examples=replace(results.examples, part=part), problems=(copies,))
    good, fair = (results.out_of_fold(name).answers for name in ("good", "fair"))
    blend = np.where(np.arange(good.shape[1])[:, None] % 2 > 0, good, fair)  # half as much to learn from
    for share, logits in ((0.25, fair), (0.5, blend)):
        results = add_runs(results, "good", "curve", logits, variant=f"size:{share}", n_train=int(240 * share))
    results = add_runs(results, "good", "components", blend[::-1], variant="init:1")
    suspects = find_suspects(results)
    assert (suspects.labels, suspects.copies) == (0, 2)
    for name, logits in (("fair", fair), ("good", good)):
        results = add_runs(results, name, "cleaned", logits, left_out=suspects.mask[: good.shape[1]])
    findings = read_findings(results)
    assert not [f for f in findings if f.kind == "internal"]
    for finding in findings:
        check(finding, results)
    found = by_id(findings)
    assert {"shift:web", "shift:web:ranking", "generalisation:test", "variation"} <= found.keys()
    assert any(f.kind == "curve" for f in findings)
    assert any(f.kind == "cleaned" for f in findings)


def test_a_study_is_cited_with_the_year_it_was_run_in():
    """Records keep seconds since 1970: cut to four digits they once gave the year 1795."""
    results = text_study(measured={name: {"started": 1767600000.0} for name in ("good", "fair")})
    file = findings_file(results)
    assert file.measured["started"] == "2026-01-05T08:00:00+00:00"
    assert Page(file, tell(file), None, "en", Album(None)).citation().endswith(", 2026.")


def test_long_sentences_of_entities_are_not_said_to_be_cut():
    """They are read in windows; a vocabulary that does not fit them is told as of texts."""
    counted = {
        "examples": 200, "unknown_share": 0.0, "tokens_per_character": 0.3, "cut": 40, "length": 64, "lost_share": 0.2,
    }  # fmt: skip
    strange = {**counted, "unknown_share": 0.3}
    for study, ids in ((text_study, ["tokens:cut:timm:good"]), (entity_study, [])):
        assert [finding.id for finding in find_tokens(study(models={"timm:good": {"texts": counted}}))] == ids
        (first, *_) = find_tokens(study(models={"timm:good": {"texts": strange}}))
        assert first.id == "tokens:timm:good"
        assert "If that is because of their language" in first.sentence.en  # signs that it lacks may be emoji
        assert "若原因在于语言" in first.sentence.zh
