"""Did everything that was planned run within the time? What was left out for want of it (`execute/budget.py`).

Time was short, whatever the scores were: nothing is claimed about what did not run.
"""

from __future__ import annotations

from weigh.findings.amounts import bilingual, count
from weigh.findings.evidence import read_evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import text
from weigh.record.results import Results

__all__ = ["find"]


@FINDINGS.named("time")
def find(results: Results) -> list[Finding]:
    """One finding where something was left out."""
    if "budget" not in results.skipped:
        return []
    estimates = {"stopped": count(len(results.stopped), "candidates")} if results.stopped else {}
    return [
        Finding(
            id="time",
            kind="time",
            **asked("time", "no"),
            claim=read_evidence(results).claim,
            severity="evidence" if results.stopped else "detail",
            sentence=bilingual(results.skipped["budget"]),
            estimates=estimates,
            candidates=[candidate.id for candidate in results.stopped],
            next=[
                bilingual(
                    text(
                        "To run it too, give it more time: --set design.budget=10h; what is recorded is kept.",
                        "若要补上，请给更多时间：--set design.budget=10h；已有记录会保留。",
                    )
                )
            ],
            table=[{"candidate": candidate.label} for candidate in results.stopped],
        )
    ]
