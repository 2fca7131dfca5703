"""Random studies, read back: numbers and comparatives of both languages claim no more than the records allow.

Sentences are parsed as a reader would read them. What they say is checked against scores computed here with
scikit-learn and against the intervals that stand in the sentence itself.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.evidence import read_evidence
from weigh.findings.generalisation.optimism import winner_score
from weigh.findings.model import Finding
from weigh.findings.registry import read_findings
from weigh.metrics.base import METRICS
from weigh.record.results import Results

NUMBER = r"(-?\d+(?:\.\d+)?)"
ENDS = rf"\[{NUMBER}, {NUMBER}\]"
BETTER = {
    "en": re.compile(rf"(\bm\d) is better than (m\d) by {NUMBER} points {ENDS}"),
    "zh": re.compile(rf"(m\d) 优于 (m\d)，领先 {NUMBER} 个百分点 {ENDS}"),
}
EQUAL = {
    "en": re.compile(
        rf"(m\d) and (m\d) are practically equal: the difference of {NUMBER} points {ENDS} lies within ±{NUMBER}"
    ),
    "zh": re.compile(rf"(m\d) 与 (m\d) 实际相当：差值 {NUMBER} 个百分点 {ENDS} 落在 ±{NUMBER}"),
}
OPEN = {
    "en": re.compile(rf"Between (m\d) and (m\d) nothing is settled: the difference is {NUMBER} points {ENDS}"),
    "zh": re.compile(rf"(m\d) 与 (m\d) 孰优孰劣尚无定论：差值为 {NUMBER} 个百分点 {ENDS}"),
}
LEARNT = {
    "en": re.compile(rf"It has learnt something: the [^;]+? of (m\d) is {NUMBER} {ENDS}; .* reaches {NUMBER}\."),
    "zh": re.compile(rf"确实学到了东西：(m\d) 的.+?为 {NUMBER} {ENDS}，.*则为 {NUMBER}。"),
}
USELESS = {
    "en": re.compile(
        rf"is {NUMBER} {ENDS} \(.*That is worse than always giving the most frequent answer \({NUMBER}\): do not use it\."
    ),
    "zh": re.compile(rf"为 {NUMBER} {ENDS}（.*这还不如总是回答最常见的类别（{NUMBER}）：请不要使用。"),
}
FIRST = {"en": re.compile(r"(m\d) comes out best"), "zh": re.compile(r"(m\d) (?:与 m\d(?: 等)? ?并列第一|排名第一)")}
SET = {"en": re.compile(r"is among these (\d+): ([m\d, ]+)\."), "zh": re.compile(r"在这 (\d+) 个之中：([m\d, ]+)。")}
# Words that compare, and words that take a comparison back
COMPARES = {
    "en": re.compile(r"\b(better|worse|higher|lower|drops?|falls?|rises?|gains?|improves?)\b"),
    "zh": re.compile(r"优于|劣于|更好|更差|更高|更低|下降|上升|提高|领先"),
}
HEDGES = {
    "en": re.compile(
        r"whether|not shown|nothing is settled|may be|cannot|no part|undecided|not settled|not certain|if |neither is shown|none of the \d+ candidates is shown",
        re.I,
    ),
    "zh": re.compile(r"是否|没有证据|尚无证据|尚无定论|可能|不能|无法|没有哪个|尚不能|未|若|如果"),
}
SCORES = {
    "balanced_accuracy": balanced_accuracy_score,
    "accuracy": accuracy_score,
    "f1_macro": lambda y, p: f1_score(y, p, average="macro", zero_division=0),
}


def score_of(results: Results, name: str) -> float:
    found = results.out_of_fold(name)
    metric = SCORES[results.spec.primary]
    return float(np.mean([metric(found.target, logits.argmax(axis=1)) for logits in found.answers]))


def read_sentence(said: str, language: str, results: Results) -> list[tuple]:
    """What a sentence claims, each claim checked; returned to be compared between languages."""
    rope = 100 * (0.01 if results.spec.metrics.rope is None else results.spec.metrics.rope)
    claims = []
    for a, b, value, low, high in BETTER[language].findall(said):
        gain = 100 * (score_of(results, a) - score_of(results, b))
        assert float(low) > 0, said
        assert float(low) <= float(value) <= float(high), said
        assert abs(gain - float(value)) < 0.06, (said, gain)
        claims.append(("better", a, b, value, low, high))
    for a, b, value, low, high, within in EQUAL[language].findall(said):
        assert float(within) == pytest.approx(rope), said
        assert -rope <= float(low) <= 0 <= float(high) <= rope, said
        claims.append(("equal", a, b, value, low, high))
    for a, b, value, low, high in OPEN[language].findall(said):
        assert float(low) <= 0 <= float(high), said
        assert not (-rope < float(low) and float(high) < rope), said
        assert abs(100 * (score_of(results, a) - score_of(results, b)) - float(value)) < 0.06, said
        claims.append(("open", a, b, value, low, high))
    for name, value, low, high, baseline in LEARNT[language].findall(said):
        assert float(baseline) <= float(low), said
        measured, expected = (
            score_of(results, name),
            winner_score(read_evidence(results)).value,
        )  # less luck of the choice
        assert abs(expected - float(value)) < 6e-4, said
        assert expected <= measured + 1e-9 or not METRICS.get(results.spec.primary).greater_is_better, said
        claims.append(("learnt", name, value, low, high, baseline))
    for value, low, high, baseline in USELESS[language].findall(said):
        assert float(high) < float(baseline), said
        claims.append(("useless", value, low, high, baseline))
    for name in FIRST[language].findall(said):
        best = max(score_of(results, c.id) for c in results.candidates)
        assert score_of(results, name) >= best - 1e-9, said
        claims.append(("first", name))
    for number, names in SET[language].findall(said):
        assert int(number) == len(names.split(", ")), said
        claims.append(("set", number, names))
    return claims


def no_more_than_allowed(finding: Finding) -> None:
    """A comparison whose interval has both signs is taken back in the same sentence, in both languages."""
    for name, estimate in finding.estimates.items():
        if not re.search("difference|drop|gain|gap", name) or estimate.low is None:
            continue
        if estimate.low < 0 < estimate.high:
            for language in ("en", "zh"):
                said = re.sub(r"That is worse than always giving[^.]*", "", getattr(finding.sentence, language))
                said = re.sub(r"（正值表示[^）]*）", "", said)  # what the sign of a difference means claims nothing
                if COMPARES[language].search(said):
                    assert HEDGES[language].search(said), (finding.id, name, estimate, said)
                assert not BETTER[language].search(said) or name != "difference", said


STUDIES = {
    "seed": st.integers(0, 2**20),
    "n": st.sampled_from([30, 80, 200, 600]),
    "candidates": st.integers(1, 4),
    "repeats": st.integers(1, 4),
    "spread": st.sampled_from([0.0, 0.1, 1.0]),
    "prevalence": st.sampled_from([(0.5, 0.5), (0.85, 0.15), (0.4, 0.3, 0.3)]),
    "primary": st.sampled_from(sorted(SCORES)),
    "rope": st.sampled_from([None, 0.0, 0.05, 0.2]),
    "purpose": st.sampled_from(["ship", "publish"]),
    "shared": st.booleans(),
}


@given(**STUDIES)
@settings(max_examples=15, deadline=None)
def test_sentences_claim_no_more_than_the_records(**drawn):
    sentences_claim_no_more(**drawn)


@pytest.mark.thorough
@given(**STUDIES)
@settings(max_examples=200, deadline=None)
def test_sentences_of_many_studies_claim_no_more_than_the_records(**drawn):
    sentences_claim_no_more(**drawn)


def sentences_claim_no_more(seed, n, candidates, repeats, spread, prevalence, primary, rope, purpose, shared):
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n, prevalence)
    difficulty = rng.standard_normal((n, len(prevalence))) if shared else None
    logits = {
        f"m{i}": simulate_logits(
            rng,
            target,
            separation=rng.uniform(0, 2.5) if spread == 1 else 1.2 + spread * rng.standard_normal(),
            classes=len(prevalence),
            repeats=repeats,
            noise=rng.choice([0.0, 0.5]),
            difficulty=difficulty,
        )
        for i in range(candidates)
    }
    asked = {"metrics": {"primary": primary, "rope": rope}, "design": {"purpose": purpose}}
    best = max(logits, key=lambda name: np.mean([SCORES[primary](target, x.argmax(axis=1)) for x in logits[name]]))
    results = make_results(logits, target, winner=best, **asked)
    for finding in read_findings(results):
        assert finding.kind != "internal", finding.table
        assert read_sentence(finding.sentence.en, "en", results) == read_sentence(finding.sentence.zh, "zh", results)
        no_more_than_allowed(finding)
        if finding.relation in ("better", "worse", "equal", "undecided") and finding.kind == "comparison":
            assert re.search("new examples|data sets|cannot be compared", finding.sentence.en), finding.sentence.en
            assert re.search("新样本|数据集|无法比较", finding.sentence.zh), finding.sentence.zh


def test_the_reader_would_catch_a_claim_too_many():
    """The check can fail: sentences that say more than their interval."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 80, (0.5, 0.5))
    logits = {f"m{i}": simulate_logits(rng, target, separation=1.2) for i in range(2)}
    results = make_results(logits, target, metrics={"primary": "accuracy"})
    a, b = ("m0", "m1") if score_of(results, "m0") >= score_of(results, "m1") else ("m1", "m0")
    gain = 100 * (score_of(results, a) - score_of(results, b))
    for said in (
        f"{a} is better than {b} by {gain:.1f} points [-1.0, 9.0].",
        f"{b} is better than {a} by {gain + 1:.1f} points [0.1, 99.0].",
        f"{a} and {b} are practically equal: the difference of 0.1 points [-3.0, 3.0] lies within ±1.0 points.",
        f"Between {a} and {b} nothing is settled: the difference is {gain:.1f} points [0.5, 9.0].",
    ):
        with pytest.raises(AssertionError):
            read_sentence(said, "en", results)
