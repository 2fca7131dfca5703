"""What all tests of findings ask of a sentence: both languages, the same numbers, every number among the estimates."""

from __future__ import annotations

import math
import re

from weigh.findings.model import Finding
from weigh.metrics.base import METRICS
from weigh.record.results import Results

NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:\.\d+)?")


def numbers(sentence: str, names: list[str]) -> list[float]:
    """Numbers of a sentence, without those inside names of candidates and classes; magnitudes."""
    for name in sorted(names, key=len, reverse=True):
        sentence = sentence.replace(name, " NAME ")
    return sorted(abs(float(found.replace("−", "-"))) for found in NUMBER.findall(sentence))


def check(finding: Finding, results: Results) -> None:
    """Assert what holds for every finding of this part."""
    names = [c.label for c in results.candidates] + list(results.examples.classes)
    names += [*METRICS.get(results.spec.primary or results.examples.kind.primary).title]
    texts = [finding.sentence, finding.question, *finding.next, *(a.name for a in finding.assumptions)]
    texts += [a.detail for a in finding.assumptions if a.detail]
    for said in texts:
        assert said.en
        assert said.zh
        assert not re.search(r"[{}]|nan|None(?! of the)|inf\b", said.en + said.zh), said
        assert numbers(said.en, names) == numbers(said.zh, names), said
        assert not re.search(r"[a-z]\.[A-Z]|  |\s[,.;]", said.en), said.en
        assert "个百分点 的" not in said.zh
    finding.model_dump_json()
    plain = [v for row in [*finding.table, *(finding.figure.rows if finding.figure else [])] for v in row.values()]
    plain += [v for e in finding.estimates.values() for v in (e.value, e.low, e.high)]
    assert all(math.isfinite(v) for v in plain if isinstance(v, float)), finding
    known = []
    for estimate in finding.estimates.values():
        known += [abs(v) for v in (estimate.value, estimate.low, estimate.high) if v is not None]
    for value in numbers(finding.sentence.en, names):
        written = [abs(round(k, digits) - value) < 1e-9 for k in known for digits in range(7)]
        assert any(written), (value, finding.sentence.en, finding.estimates)
    if finding.relation is not None:
        assert finding.claim is not None
    for estimate in finding.estimates.values():
        if estimate.low is not None and estimate.high is not None:
            assert estimate.low <= estimate.value + 1e-9
            assert estimate.value <= estimate.high + 1e-9


def by_id(findings: list[Finding]) -> dict[str, Finding]:
    """Findings by id; ids are unique."""
    assert len({f.id for f in findings}) == len(findings)
    return {f.id: f for f in findings}
