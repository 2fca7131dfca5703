"""Which candidates may be the best of all, and how every two of them compare.

A pair asks "which of the two is better?" in both directions, for all pairs at once. Whether a candidate may still be the best
asks less: does any other one beat it? So a candidate can be left out though no pair alone shows it to be worse; then the
sentence says why. Before it: `pairs.py`, which sets the winner against each other candidate.
"""

from __future__ import annotations

import math
from itertools import combinations

from weigh.findings.amounts import count, share, written_level
from weigh.findings.assumptions import assumptions_of
from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.neighbours import dependence
from weigh.findings.generalisation.widened import lost_among_neighbours
from weigh.findings.model import Figure, Finding
from weigh.findings.questions import asked
from weigh.findings.references import HSU, WESTFALL_YOUNG
from weigh.language import Text, text
from weigh.stats.comparison import Comparisons
from weigh.stats.estimate import Estimate
from weigh.stats.luck_of_choosing import may_be_best

__all__ = ["find_best", "listed"]

LISTED = 10  # names in a sentence
REFERENCES = [
    HSU,
    WESTFALL_YOUNG,
]


def find_best(evidence: Evidence) -> list[Finding]:
    """The candidates that may be best, with the relations of all pairs."""
    comparisons = evidence.comparisons
    assert comparisons is not None
    rows = _rows(evidence, comparisons)
    settled = sum(row["relation"] != "undecided" for row in rows)
    possible = may_be_best(comparisons)
    estimates = {
        "pairs": count(len(rows), "pairs"),
        "settled": count(settled, "pairs"),
        "level": share(evidence.level),
        "may_be_best": count(len(possible), "candidates"),
    }
    values = {
        "n": len(rows),
        "k": settled,
        "l": written_level(evidence.level),
        "p": len(possible),
        "c": listed(evidence, possible, estimates, "further"),
    }
    if len(rows) > 1:
        sentence = text("Pairs settled: {k} of {n}.", "{n} 对比较中有 {k} 对分出了结果。", **values)
    elif settled:
        sentence = text("The only pair is settled.", "唯一的一对比较已分出结果。")
    else:
        sentence = text("The only pair is not settled.", "唯一的一对比较尚无定论。")
    if len(possible) == 1:
        sentence += text(
            "With {l} % confidence the best candidate is {c}.", "以 {l} % 的置信度，最好的候选方案是 {c}。", **values
        )
    else:
        sentence += text(
            "With {l} % confidence the best candidate is among these {p}: {c}.",
            "以 {l} % 的置信度，最好的候选方案在这 {p} 个之中：{c}。",
            **values,
        )
    sentence += _left_out(evidence, comparisons, possible, estimates)
    sentence += _lost(evidence, comparisons, estimates)
    return [
        Finding(
            id="comparison:matrix",
            kind="comparison",
            **asked(
                "comparison:matrix", "yes" if len(possible) == 1 and "lost_pairs" not in estimates else "undecided"
            ),
            claim=evidence.claim,
            severity="detail",
            sentence=sentence,
            estimates=estimates,
            assumptions=assumptions_of(evidence, evidence.rivals),
            candidates=possible,
            figure=Figure(
                kind="matrix",
                title=text("Relations between candidates", "候选方案之间的关系"),
                rows=rows,
                fields={"value": text("difference in {m}", "{m}之差", m=evidence.metric.title)},
            ),
            references=REFERENCES,
        )
    ]


def _left_out(
    evidence: Evidence, comparisons: Comparisons, possible: list[str], estimates: dict[str, Estimate]
) -> Text:
    """Candidates that cannot be the best though no pair alone shows that they are worse, and why that is no contradiction."""
    names = [
        name
        for name in evidence.ranked
        if name not in possible
        and all(comparisons.of(other, name).relation != "better" for other in evidence.ranked if other != name)
    ]
    if not names:
        return text("", "")
    return text(
        "Left out, though no pair alone shows it to be worse: {x}. Whether a candidate may be the best is a one-sided question, "
        "which asks for less evidence than telling of every pair which one is better.",
        "以下方案不在其中，尽管没有哪一对比较能单独证明它更差：{x}。“是否可能最好”是单侧问题，所需的证据少于在每一对中都判出高下。",
        x=listed(evidence, names, estimates, "left_out"),
    )


def _lost(evidence: Evidence, comparisons: Comparisons, estimates: dict[str, Estimate]) -> Text:
    """How many pairs are settled only while neighbours with like errors count as independent examples ("lost_pairs" of `estimates`)."""
    factor, pairs = evidence.once(dependence), list(combinations(evidence.ranked, 2))
    lost = sum(lost_among_neighbours(evidence, comparisons.of(a, b)) for a, b in pairs)
    if factor is None or not lost:
        return text("", "")
    estimates |= {"lost_pairs": count(lost, "pairs"), "factor": factor}
    return text(
        "Errors of neighbours are alike: with intervals about {f} times as wide {k} settled {k:|pair|pairs} would not be settled, and more candidates might be the best.",
        "相邻样本的误差彼此相似：区间若放宽到约 {f} 倍，已分出结果的比较中有 {k} 对便没有定论，可能最好的候选方案也会更多。",
        f=factor.format(1, 1.0),
        k=lost,
    )


def _rows(evidence: Evidence, comparisons: Comparisons) -> list[dict]:
    names, rows = evidence.ranked, []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            difference = comparisons.of(a, b)
            rows.append(
                {
                    "candidate": a,
                    "other": b,
                    "relation": difference.relation,
                    "value": None if math.isnan(difference.estimate.value) else difference.estimate.value,
                    "low": difference.estimate.low,
                    "high": difference.estimate.high,
                    "detectable": difference.detectable if math.isfinite(difference.detectable) else None,
                }
            )
    return rows


def listed(evidence: Evidence, names: list[str], estimates: dict[str, Estimate], key: str) -> Text:
    """Labels, cut after LISTED; the number of the others is put into `estimates` under `key`."""
    shown = ", ".join(evidence.label(name) for name in names[:LISTED])
    if len(names) <= LISTED:
        return text("{x}", "{x}", x=shown)
    estimates[key] = count(len(names) - LISTED, "candidates")
    return text("{x} and {n} more", "{x} 等（另有 {n} 个）", x=shown, n=len(names) - LISTED)
