"""Runs that learnt nothing: the same class, the same number or no entity for every example of their part.

Before it: `findings/learning.py` looked through the runs. After it: `spread.py`, which reports them beside failed runs.
"""

from __future__ import annotations

from collections import Counter

from weigh.findings.amounts import count
from weigh.findings.evidence import Evidence
from weigh.findings.learning import constant_runs
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.stability.training import what_to_change
from weigh.language import text

__all__ = ["find_degenerate"]

AT_TIMES = text(
    "Lower the learning rate, or train longer with warm-up: now and then a training fails to start.",
    "请降低学习率，或延长带预热的训练：偶尔会有训练没有起步。",
)


def find_degenerate(evidence: Evidence) -> list[Finding]:
    """One finding where there are such runs."""
    rows, looked, throughout = evidence.once(constant_runs)
    if not rows:
        return []
    worst, number = Counter(row["candidate"] for row in rows).most_common(1)[0]
    return [
        Finding(
            id="stability:degenerate",
            kind="stability",
            **asked("stability:degenerate", "no", w=evidence.results.examples.kind.apart),
            severity="problem",
            sentence=text(
                "{k} of {n} runs {k:|gives|give} every example the same answer; most often {c} ({m})."
                + (
                    " {k:|It counts|They count} in the scores: it can happen again."
                    if len(rows) < sum(looked.values())
                    else ""
                ),
                "{n} 次运行中有 {k} 次对所有样本给出同样的回答；最多的是 {c}（{m} 次）。"
                + ("它们仍计入得分，因为这种情况还可能再发生。" if len(rows) < sum(looked.values()) else ""),
                k=len(rows),
                n=sum(looked.values()),
                c=evidence.label(worst),
                m=number,
            ),
            estimates={
                "degenerate": count(len(rows), "runs"),
                "runs": count(sum(looked.values()), "runs"),
                "most_common": count(number, "runs"),
            },
            candidates=list(dict.fromkeys(row["candidate"] for row in rows)),
            next=what_to_change(evidence, worst if worst in throughout else throughout[0])
            if throughout
            else [AT_TIMES],
            table=rows,
            references=["Mosbach, Andriushchenko & Klakow (2021), On the Stability of Fine-tuning BERT, ICLR"],
        )
    ]
