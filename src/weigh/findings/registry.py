"""All findings of a study, in the order of the report.

Each file of this folder answers one kind of question: it has a function `find(results) -> list[Finding]` and
registers it with `@FINDINGS.named("kind")`. `read_findings` runs them all. A file that raises never takes the report
with it: its place is taken by a visible finding of kind "internal" (and the tests
assert that none occurs). Findings about the data itself come from `data_problems.py`, which reads `results.problems`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from weigh.findings.evidence import read_evidence
from weigh.findings.learning import nothing_learnt
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.language import text
from weigh.record.results import Results
from weigh.registry import Registry

__all__ = ["FINDINGS", "Find", "read_findings", "section_of", "unasked"]

Find = Callable[[Results], list[Finding]]
MODULES = {  # where each kind of finding is made: the room is its section of the report
    "progress": "progress",
    "reading": "performance.reading",
    "tokens": "tokens",
    "performance": "performance.headline",
    "decision": "performance.decision",
    "saved": "performance.saved",
    "comparison": "comparison.pairs",
    "ensemble": "comparison.ensemble",
    "choice": "comparison.choice",
    "finalists": "comparison.finalists",
    "time": "comparison.left_out",
    "racing": "comparison.racing",
    "inner-choice": "comparison.inner_choice",
    "cleaned": "comparison.cleaned",
    "generalisation": "generalisation.independent_test",
    "curve": "generalisation.curve",
    "shift": "generalisation.shift",
    "order": "generalisation.order",
    "familiar": "generalisation.familiar",
    "stability": "stability.spread",
    "variation": "stability.variation",
    "training": "stability.training",
    "calibration": "calibration.stated",
    "slices": "slices",
    "errors": "errors.hardest",
    "cost": "cost",
    "advice": "advice.next_steps",
}
ORDER = tuple(MODULES)
ALSO = {"label-errors": "errors", "internal": "other"}  # kinds that are made beside others
RANKING = (  # what compares, explains or promises a score, and so says nothing where no run has learnt anything
    "comparison",
    "ensemble",
    "choice",
    "cleaned",
    "generalisation",
    "curve",
    "shift",
    "order",
    "stability:spread",
    "stability:agreement",
    "variation",
    "calibration",
    "slices",
    "errors",
    "cost",
)
NOTHING_LEARNT = text("no candidate has learnt anything", "没有任何候选方案学到东西")
FINDINGS: Registry[Find] = Registry(
    text("finding", "结论"), modules=tuple(f"weigh.findings.{module}" for module in MODULES.values())
)
log = logging.getLogger(__name__)


def read_findings(results: Results) -> list[Finding]:
    """Every finding of the study, in the order of the report; the same records give the same findings.

    Kinds and single findings (by id) that `targets.left_out` names are left out: they cannot be asked of these records.
    """
    findings: list[Finding] = []
    skipped = unasked(results)
    finders = dict(FINDINGS.items())
    for kind in [*(k for k in ORDER if k in finders), *(k for k in finders if k not in ORDER)]:
        if kind in skipped:
            continue
        try:
            findings += [finding for finding in finders[kind](results) if finding.id not in skipped]
        except Exception as error:  # a bug in one file must not hide what the others found
            log.exception("the finding %s failed", kind)
            findings.append(_internal(kind, error))
    return findings


def unasked(results: Results) -> dict[str, Any]:
    """Kinds and ids of findings that these records cannot answer, and why. Where no candidate learnt anything, rankings are among them."""
    reasons = {**results.examples.kind.meaningless, **results.skipped}
    try:
        learnt = not read_evidence(results).once(nothing_learnt)
    except Exception:  # then every finding that reads the evidence says so
        return reasons
    return reasons if learnt else {**dict.fromkeys(RANKING, NOTHING_LEARNT), **reasons}


def section_of(kind: str) -> str | None:
    """The section of the report that a kind of finding stands in: the room that makes it. None: about the data, or a plugin's."""
    return ALSO.get(kind) or MODULES.get(kind, "").split(".")[0] or None


def _internal(kind: str, error: Exception) -> Finding:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return Finding(
        id=f"internal:{kind}",
        kind="internal",
        **asked("internal", "no"),
        severity="problem",
        sentence=text(
            "The part '{k}' of this report could not be computed, a mistake in weigh: {e}. Everything else stands.",
            "由于 weigh 自身的错误，报告的“{k}”部分未能算出：{e}。其余内容不受影响。",
            k=kind,
            e=type(error).__name__,
        ),
        next=[text("Please report it together with log.txt.", "请把此问题连同 log.txt 一并反馈给我们。")],
        table=[
            {
                "error": f"{type(error).__name__}: {error}",
                "file": where.filename.rsplit("/", 1)[-1],
                "function": where.name,
            }
        ],
    )
