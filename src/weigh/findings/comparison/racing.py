"""Did all candidates run to the end? Who was dropped after how many folds, by what numbers, and why the race is over.

A dropped candidate did not fail: it could not be the best any more. Before it: the decisions in the records. Beside it:
`pairs.py`, which compares dropped candidates on the folds that both have, at a level that allows for all looks.
"""

from __future__ import annotations

from weigh.findings.amounts import amount, as_gain, count, share, whole_percent, written_level
from weigh.findings.model import Assumption, Finding
from weigh.findings.questions import asked
from weigh.findings.references import HSU
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.metrics.base import METRICS
from weigh.plan.racing import Dropped, Race
from weigh.record.results import Results
from weigh.stats.estimate import Estimate

__all__ = ["find"]

LISTED = 8  # dropped candidates that are told of in the sentence; the table has them all
WHY = {
    "one left": text("nobody else can be the best any more", "其他方案都不可能再成为最好的"),
    "no network": text("no network can be the best any more", "训练网络的方案都不可能再成为最好的"),
    "equal": text("those left are practically equal", "剩下的方案实际相当"),
    "futile": text(
        "the rest of the design could hardly settle who of those left is best",
        "余下的运行几乎不可能在剩下的方案中分出最好的",
    ),
    "spent": text("the design was spent", "设计的运行已全部完成"),
}
REFERENCES = [
    "Pocock (1977), Group sequential methods in the design and analysis of clinical trials, Biometrika 64",
    "Jennison & Turnbull (1989), Interim analyses: the repeated confidence interval approach, JRSS B 51",
    HSU,
]


@FINDINGS.named("racing")
def find(results: Results) -> list[Finding]:
    """One finding where candidates race."""
    race = results.race
    if race is None:
        return []
    planned, kept = sum(race.planned.values()), sum(race.ends.values())
    labels = {c.id: c.label for c in results.candidates}
    estimates = {
        "runs_made": count(kept, "runs"),
        "planned": count(planned, "runs"),
        "share": share(kept / planned),
        "level": share(results.spec.design.level),
    }
    if race.stop is None:
        sentence = text(
            "The race of {c} {c:|network|networks} is not over.", "{c} 个网络的竞速尚未结束。", c=len(race.planned)
        )
        estimates["racing"] = count(len(race.planned), "candidates")
        for name in ("runs_made", "planned", "share"):
            estimates.pop(name)
    else:
        estimates["last"] = count(race.history[-1]["blocks"] if race.history else race.looks[-1], "folds")
        estimates["longest"] = count(max(race.planned.values()), "folds")
        sentence = text(
            "The race took {k} of {n} planned runs of networks ({p} %). It ended after {b} of {m} folds: {w}.",
            "训练网络的运行计划了 {n} 次，竞速用了其中 {k} 次（{p} %），在 {m} 折中的第 {b} 折后结束：{w}。",
            k=kept,
            n=planned,
            p=whole_percent(100 * kept / planned),
            b=int(estimates["last"].value),
            m=int(estimates["longest"].value),
            w=WHY["no network" if race.out >= race.planned.keys() else race.stop],
        )
    for index, drop in enumerate(race.dropped[:LISTED]):
        sentence += _dropped(results, drop, index, labels, estimates)
    if len(race.dropped) > LISTED:
        estimates["further"] = count(len(race.dropped) - LISTED, "candidates")
        sentence += text(
            "{k} more {k:|was|were} dropped; see the table.",
            "另有 {k} 个方案退出，见表。",
            k=len(race.dropped) - LISTED,
        )
    if race.dropped:
        sentence += text(
            "The truly best candidate is not among the dropped with {l} % confidence, all looks together.",
            "计入每一次查看，真正最好的方案不在退出者之中的置信度为 {l} %。",
            l=written_level(results.spec.design.level),
        )
    return [
        Finding(
            id="racing",
            kind="racing",
            **asked("racing", "no" if kept < planned else "yes" if race.stop else "undecided"),
            claim=results.spec.design.claim,
            severity="evidence",
            sentence=sentence,
            estimates=estimates,
            assumptions=_assumptions(race),
            candidates=[drop.candidate for drop in race.dropped],
            next=[
                text(
                    "To run what was left out: --set design.race=false; what is recorded is kept.",
                    "若要补齐未运行的部分：--set design.race=false；已有记录会保留。",
                )
            ]
            if kept < planned
            else [],
            table=_table(race, labels),
            references=REFERENCES,
        )
    ]


def _dropped(
    results: Results, drop: Dropped, index: int, labels: dict[str, str], estimates: dict[str, Estimate]
) -> Text:
    """ "b was dropped after 2 of 25 folds: a was ahead by 12.3 points [4.0, 20.6]." """
    metric = METRICS.get(results.spec.primary)
    lead = Estimate(
        value=drop.value,
        low=drop.low,
        high=drop.high,
        level=results.spec.design.level,
        n=drop.examples,
        unit=metric.unit,
        method="at the look that dropped it; simultaneous over all pairs and looks",
    )
    gain = as_gain(lead, metric)
    estimates[f"dropped_{index + 1}"] = gain
    estimates[f"dropped_{index + 1}_folds"] = count(drop.blocks, "folds")
    estimates[f"dropped_{index + 1}_planned"] = count(drop.planned, "folds")
    sentence = text(
        "Dropped after {k} of {n} folds: {c}, {d} behind {a}",
        "{c} 在 {n} 折中跑完 {k} 折后退出：落后 {a} {d}",
        k=drop.blocks,
        n=drop.planned,
        c=labels.get(drop.candidate, drop.candidate),
        a=labels.get(drop.leader, drop.leader),
        d=amount(gain),
    )
    if gain.low is not None and gain.low <= 0:
        return sentence + text(
            "(as a pair this is open; that it is the best is excluded, which asks for less).",
            "（单看这一对尚无定论；但“它是最好的”已可排除，后者所需证据较少）。",
        )
    return Text(sentence.en + ".", sentence.zh + "。")


def _table(race: Race, labels: dict[str, str]) -> list[dict]:
    gone = {drop.candidate: drop for drop in race.dropped}
    rows = []
    for name, planned in race.planned.items():
        drop = gone.get(name)
        rows.append(
            {
                "candidate": labels.get(name, name),
                "runs": race.ends[name],
                "planned": planned,
                "behind": labels.get(drop.leader, drop.leader) if drop else "",
            }
        )
    return rows


def _assumptions(race: Race) -> list[Assumption]:
    return [
        Assumption(
            name=text("Looking often is allowed for", "已计入多次查看"),
            outcome="holds",
            detail=text(
                "{k} {k:|look was|looks were} planned before the first run; every interval of a difference in this report is wide enough for all of them.",
                "第一次运行之前就安排了 {k} 次查看；报告中的每个差异区间都已为此放宽。",
                k=len(race.looks),
            ),
        ),
        Assumption(
            name=text("What a candidate shows in its first folds it would show later", "前几折的表现能代表后面"),
            outcome="unchecked",
            detail=text(
                "A collapse of single runs that has not happened yet cannot be seen.",
                "尚未发生过的个别训练失常是看不到的。",
            ),
        ),
    ]
