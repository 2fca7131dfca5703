"""Did everything that was planned run within the time? What was left out for want of it (`execute/budget.py`).

Time was short, whatever the scores were: nothing is claimed about what did not run.
"""

from __future__ import annotations

from weigh.findings.amounts import count
from weigh.findings.budget import longer_budget
from weigh.findings.evidence import read_evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.record.results import Results

__all__ = ["find"]


@FINDINGS.named("time")
def find(results: Results) -> list[Finding]:
    """One finding where something was left out."""
    if "budget" not in results.skipped:
        return []
    estimates = {"stopped": count(len(results.stopped), "candidates")} if results.stopped else {}
    longer = longer_budget(results.spec.design.budget)
    next_step = text(
        "To run it too, give it more time: --set design.budget={b}; what is recorded is kept.",
        "若要补上，请给更多时间：--set design.budget={b}；已有记录会保留。",
        b=longer,
    )
    if results.less is not None:
        heads = any(candidate.cheap for candidate in results.candidates)
        next_step = text(
            "To train in full, in all folds, give it more time: --set design.budget={b}"
            + ("; the heads that are recorded are kept." if heads else "."),
            "若要完整训练并跑完所有折，请给更多时间：--set design.budget={b}"
            + ("；已有的线性头记录会保留。" if heads else "。"),
            b=longer,
        )
    return [
        Finding(
            id="time",
            kind="time",
            **asked("time", "no"),
            claim=read_evidence(results).claim,
            severity="evidence" if results.stopped or results.less is not None else "detail",
            sentence=(results.skipped["budget"] + _what_it_stands_on(results)),
            estimates=estimates,
            candidates=[candidate.id for candidate in results.stopped],
            next=[next_step],
            table=[{"candidate": candidate.label} for candidate in results.stopped],
        )
    ]


def _what_it_stands_on(results: Results) -> Text:
    """What may be said of networks that ran in some folds only."""
    if results.less is None:
        return Text("", "")
    evidence, models = read_evidence(results), results.less.models
    trained = [c.id for c in results.candidates if c.model in models and not c.cheap and c.id in evidence.out_of_fold]
    if not trained:
        return Text("", "")
    words = text(
        "Scores of networks, and every comparison with them, stand on the folds that were run, and so do the intervals.",
        "网络的得分以及与之相关的每一项比较，都只依据跑过的折，区间也是如此。",
    )
    if min(evidence.folds_run(name) for name in trained) == 1:
        words += text(
            "How much one training differs from the next cannot be seen from a single one, so these intervals are made wider.",
            "只训练一次看不出各次训练相差多少，因此相应区间已放宽。",
        )
    return words
