"""Is the study finished? A report of half a study is valid, but it must say that it is half a study."""

from __future__ import annotations

from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import text
from weigh.record.results import Results
from weigh.stats.estimate import Estimate

__all__ = ["GO_ON", "RETRY", "find"]

GO_ON = text("Run the same command again: it goes on where it stopped.", "再次运行同一命令：将从中断处继续。")
RETRY = text("Remove the cause, then run with --retry-failed.", "请消除原因，然后用 --retry-failed 重新运行。")


@FINDINGS.named("progress")
def find(results: Results) -> list[Finding]:
    """One finding while planned runs are missing; none for a finished study."""
    if not results.unfinished:
        return []
    missing, recorded = sum(results.unfinished.values()), len(results.records)
    untouched = [c.id for c in results.candidates if not results.runs(candidate=c.id, status=None)]
    sentence = text(
        "{m} of {n} planned {n:|run|runs} {m:|is|are} not done yet: everything below speaks only of what is finished, and the order of the candidates may change.",
        "计划的 {n} 次运行中还有 {m} 次没有完成：以下内容只涉及已完成的部分，各候选方案的排名仍可能改变。",
        m=missing,
        n=missing + recorded,
    )
    if results.lost:
        sentence += results.lost
    if untouched:
        sentence += text("Nothing is known yet about: {c}.", "以下候选方案尚无任何结果：{c}。", c=", ".join(untouched))
    counts = {"missing": missing, "recorded": recorded}
    return [
        Finding(
            id="progress",
            kind="progress",
            **asked("progress", "no"),
            severity="problem",
            sentence=sentence,
            estimates={
                name: Estimate(value=n, n=n, unit="1", n_unit="runs", method="count") for name, n in counts.items()
            },
            candidates=list(results.unfinished),
            next=[GO_ON],
        )
    ]
