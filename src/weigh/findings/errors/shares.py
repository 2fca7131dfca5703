"""Shares of pixels or objects as findings write them, and whether one sort of object is missed more often than another.

Before it: counts of every picture, repeat by repeat. After it: `pixels.py` (masks) and `objects.py` (boxes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from weigh.findings.amounts import amount, count, gain_of, turned
from weigh.findings.assumptions import assumptions_of
from weigh.findings.evidence import Evidence
from weigh.findings.model import Figure, Finding, Verdict
from weigh.findings.occurring import Occurring, gap_where, score_where
from weigh.findings.questions import asked
from weigh.language import Text, text
from weigh.metrics.segmentation import SHARE
from weigh.stats.estimate import Estimate, digits_that_show, with_digits

__all__ = ["Sort", "drawn", "find_missed", "in_percent", "percent", "shares_figure"]


def percent(estimate: Estimate, *limits: float) -> str:
    """ "62 % [45, 78]", the same in both languages; never rounded so far that something looks like nothing, or an end changes its side of `limits`."""
    digits = digits_that_show((estimate.value, estimate.low, estimate.high), 0, *limits)
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f" [{with_digits(estimate.low, digits)}, {with_digits(estimate.high, digits)}]"
    return f"{with_digits(estimate.value, digits)} %{interval}"


def in_percent(estimate: Estimate) -> Estimate:
    return estimate.times(100.0, "percent")


def drawn(label: Any, share: Estimate) -> dict[str, Any]:
    """A row of `shares_figure`."""
    return {"label": label, "score": share.value, "low": share.low, "high": share.high}


def shares_figure(title: Text, first: Text, score: Text, rows: list[dict[str, Any]]) -> Figure:
    fields = {"slice": first, "label": first, "score": score}
    return Figure(kind="slices", title=title, rows=rows, fields=fields)


class Sort(NamedTuple):
    """One sort of objects, and how many of them are missed.

    Attributes:
        name: "small", for a table.
        objects: "small objects", for the question.
        exactly: "small objects (below 0.1 % of the picture)", for the sentence.
        counts: `(repeats, n, 2)` of every picture: missed, and there.
    """

    name: Text
    objects: Text
    exactly: Text
    counts: np.ndarray

    @property
    def number(self) -> int:
        """How many there are; a repeat may lack some of the pictures."""
        return round(float(self.counts[:, :, 1].max(axis=0, initial=0.0).sum()))

    @property
    def occurring(self) -> Occurring:
        return Occurring(self.counts, (self.counts[:, :, 1] > 0).any(axis=0))


def _too_few(first: Sort, last: Sort, missed: Sequence[Estimate], estimates: dict[str, Estimate]) -> Text:
    """The sentence that a share has no interval, and of how many objects it is; the numbers go into `estimates`."""
    sentence = text("", "")
    for name, one, share in (("first", first, missed[0]), ("last", last, missed[-1])):
        if share.low is None:
            objects = one.number
            pictures = int(one.occurring.holders.sum())
            estimates |= {f"{name}_objects": count(objects, "1"), f"{name}_pictures": count(pictures, "examples")}
            sentence += text(
                "Too few to judge: {a} ({k} in {n} picture{s}).",
                "数量太少、无法判断：{a}（{n} 张图片中共 {k} 个）。",
                a=one.objects,
                k=objects,
                n=pictures,
                s="" if pictures == 1 else "s",
            )
    return sentence


def find_missed(
    evidence: Evidence,
    reader: str,
    sorts: Sequence[Sort],
    *,
    id: str,
    figure: Text,
    means: Text,
    estimates: dict[str, Estimate],
) -> Finding | None:
    """Whether objects of the first sort are missed more often than those of the last; None where there are none of either.

    Args:
        id: Of the finding.
        figure: Its title.
        means: Sentences that say what is counted.
        estimates: Numbers in the words of sorts and of `means`.
    """
    first, last = sorts[0], sorts[-1]
    if not (first.occurring.holders.any() and last.occurring.holders.any()):
        return None
    missed = [in_percent(score_where(evidence, reader, SHARE, one.occurring)) for one in sorts]
    gap = gap_where(evidence, reader, SHARE, first.occurring, last.occurring)
    verdict: Verdict = "undecided" if gap.relation == "undecided" else "yes" if gap.relation == "worse" else "no"
    more = turned(gain_of(gap, SHARE))  # positive: the first sort is missed more often
    sentence = text(
        "{c} misses {s} of {a} and {l} of {b}: a difference of {g}.",
        "{c} 漏掉了{a}的 {s}、{b}的 {l}，相差 {g}。",
        c=evidence.label(reader),
        s=percent(missed[0]),
        l=percent(missed[-1]),
        a=first.exactly,
        b=last.exactly,
        g=amount(more),
    )
    sentence += means + _too_few(first, last, missed, estimates := dict(estimates))
    if verdict == "undecided":
        sentence = text("It is not settled.", "尚无定论。") + sentence
    table, rows = [], []
    for one, estimate in zip(sorts, missed, strict=True):
        if not one.number:
            continue
        named = one.name._asdict()
        pictures = int(one.occurring.holders.sum())
        table.append({"sort": named, "objects": one.number, "examples": pictures, "missed": percent(estimate)})
        rows.append(drawn(named, estimate))
    return Finding(
        id=id,
        kind="errors",
        **asked("errors:objects", verdict, a=first.objects, b=last.objects),
        claim=evidence.claim,
        assumptions=assumptions_of(evidence, [reader]),
        sentence=sentence,
        estimates={"missed_first": missed[0], "missed_last": missed[-1], "difference": more, **estimates},
        candidates=[reader],
        figure=shares_figure(figure, text("objects", "目标"), text("missed, %", "漏掉，%"), rows),
        table=table,
    )
