"""What the rest of the report knows that the headline must not hide: its score, read with the order of the examples, the test part,
further test sets, copies and classes that could not be learnt.

Before it: the computations of `generalisation/neighbours.py`,
`generalisation/order_checks.py`, `generalisation/choice.py`, `generalisation/shift.py` and `errors/suspects.py`. After it: `headline.py`.
"""

from __future__ import annotations

import numpy as np

from weigh.findings.amounts import amount, count, scaled, turned
from weigh.findings.copied import read_copied
from weigh.findings.errors.suspects import untrained_classes
from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.choice import read_choice
from weigh.findings.generalisation.neighbours import dependence
from weigh.findings.generalisation.order_checks import check_order
from weigh.findings.generalisation.shift import find_shifts
from weigh.findings.generalisation.widened import lost_among_neighbours
from weigh.language import Text, join_texts, text
from weigh.stats.estimate import Estimate

__all__ = ["caveats", "lead_is_lost"]

SUSPICIOUS = 30  # examples: of fewer, all may be right
LISTED = 5  # sets and classes named in the headline


def caveats(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    """Sentences that follow the headline's score, with their numbers in `estimates`."""
    sentence = (
        _of_perfection(evidence, estimates) + _of_few_pictures(evidence, estimates) + _of_order(evidence, estimates)
    )
    sentence += _of_copies(evidence, estimates) + _of_classes(evidence)
    sentence += _of_the_choice(evidence, estimates)
    return sentence + _of_other_sets(evidence, estimates)


def lead_is_lost(evidence: Evidence) -> bool:
    """Whether a lead that cross-validation shows is no lead any more: by the test part, or by intervals as wide as they should be."""
    choice = evidence.once(read_choice)
    return (choice is not None and choice.taken_back) or _too_narrow(evidence)


def _of_perfection(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    """A score of 1.000 is rarer than data that give their classes away."""
    runs = None if evidence.winner is None else evidence.out_of_fold[evidence.winner]
    if runs is None or not runs.kind.exact or len(runs.target) < SUSPICIOUS or not runs.complete.any():
        return text("", "")
    if any(
        runs.kind.distances(runs.prediction(r).labels, runs.target).any()
        for r in np.flatnonzero(runs.complete).tolist()
    ):
        return text("", "")
    estimates["all_right"] = count(len(runs.target), "examples")
    return text(
        "Not one of the {n} examples is answered wrongly, which is rare: look whether something beside the contents tells the classes "
        "apart (copies, sizes, file formats, masks, a source for each class).",
        "{n} 个样本没有一个判错，这很少见：请检查是否有内容以外的线索能区分类别（副本、尺寸、文件格式、掩码、每类各有来源）。",
        n=len(runs.target),
    )


def _of_few_pictures(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    """Average precision of few pictures is too high on average."""
    design = None if evidence.winner is None else evidence.measured[evidence.winner]
    parts = [] if design is None else [design.parts(repeat) for repeat in range(design.repeats)]
    too_high = float(np.mean([one.too_high if one and one.form == "region" else 0.0 for one in parts] or [0.0]))
    if too_high < evidence.metric.rope / 2 or not too_high:
        return text("", "")
    estimates["too_high"] = scaled(too_high, evidence.metric, method="halves of the pictures")
    return text(
        "Average precision of so few pictures comes out too high, by about {b} on average: the interval reaches down further for it.",
        "图片这么少时，平均精确率往往偏高，平均约高 {b}；区间的下端已为此放宽。",
        b=amount(estimates["too_high"]),
    )


def _too_narrow(evidence: Evidence) -> bool:
    """Whether the winner's lead over the runner-up has both signs once its interval is as wide as errors of neighbours, or copies, ask for."""
    copied = evidence.once(read_copied)
    if copied is not None and copied.lead_is_lost:
        return True
    if evidence.comparisons is None or len(evidence.ranked) < 2:
        return False
    difference = evidence.comparisons.of(evidence.ranked[0], evidence.ranked[1])
    return difference.relation == "better" and lost_among_neighbours(evidence, difference)


def _of_order(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    sentence = text("", "")
    if any(check.alarm for check in evidence.once(check_order).checks):
        sentence += text(
            "The order check found neighbours to be alike: for examples from elsewhere the score is too good, and the interval is too "
            "narrow.",
            "顺序检查发现相邻样本彼此相似：对来自其他来源的样本，这一得分偏乐观，区间也偏窄。",
        )
    factor = evidence.once(dependence)
    if factor is None:
        return sentence
    estimates["factor"] = factor
    sentence += text(
        "Errors of neighbours are alike: this interval counts single examples and should be about {f} times as wide.",
        "相邻样本的误差彼此相似：这一区间按单个样本计算，应放宽到约 {f} 倍。",
        f=factor.format(1, 1.0),
    )
    return sentence + _of_the_lead(evidence)


def _of_copies(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    """Where errors of neighbours ask for more already, copies among them are in that."""
    copied, neighbours = evidence.once(read_copied), evidence.once(dependence)
    if copied is None or (neighbours is not None and neighbours.value >= copied.factor.value):
        return text("", "")
    estimates |= copied.estimates
    return copied.words + (text("", "") if neighbours is not None else _of_the_lead(evidence))


def _of_the_lead(evidence: Evidence) -> Text:
    """What wider intervals mean for the lead."""
    if not _too_narrow(evidence):
        return text("", "")
    return text("Then the lead over the runner-up is not settled either.", "这样一来，对第二名的领先也不能算定论。")


def _of_classes(evidence: Evidence) -> Text:
    names = evidence.once(untrained_classes)
    if not names:
        return text("", "")
    listed = ", ".join(names[:LISTED])
    return text(
        "No run that was tested on these classes had trained on them, since all their examples stand in one fold: {c}. They count as "
        "wrong whatever the model can do.",
        "以下类别的样本全部落在同一折中，测试它们的运行从未训练过它们：{c}。无论模型能力如何，它们都计为判错。",
        c=listed if len(names) <= LISTED else text("{c} and others", "{c} 等", c=listed),
    )


def _of_the_choice(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    choice = evidence.once(read_choice)
    if choice is None or not (choice.opposed or choice.verdict == "no"):
        return text("", "")
    ahead = turned(choice.tested)
    estimates["ahead_on_test"] = ahead
    values = {"r": evidence.label(choice.rival), "d": amount(ahead)}
    if choice.verdict == "no":
        return text(
            "On the test part {r} is better, by {d}: the two do not agree.",
            "而在测试部分上，{r} 更好，领先 {d}：两者不一致。",
            **values,
        )
    return text(
        "On the test part {r} is ahead, by {d}: the two point in opposite directions.",
        "而在测试部分上，{r} 领先 {d}：两者方向相反。",
        **values,
    )


def _of_other_sets(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    """The scores on further test sets, which may be far from the one above."""
    if evidence.results.origin != "study":
        return text("", "")
    drops = [f for f in evidence.once(find_shifts) if not f.id.endswith(":ranking") and "second" in f.estimates]
    if not drops:
        return text("", "")
    parts = []
    for finding in drops[:LISTED]:
        name = finding.id.removeprefix("shift:")
        estimates[f"set:{name}"] = score = finding.estimates["second"]
        parts.append(text("{s} on '{n}'", "“{n}” {s}", n=name, s=score.format()))
    worse = sum(finding.verdict == "no" for finding in drops)
    sentence = text(
        "On the further test sets it scores {l}",
        "在其他测试集上的得分：{l}",
        l=join_texts([*parts, *([text("…", "……")] if len(drops) > LISTED else [])], ", ", "，"),
    )
    if worse:
        estimates["sets_worse"] = count(worse, "sets")
    tail = (
        text("; shown to be worse there: {k} of {n}.", "；其中 {n} 个集合里有 {k} 个确实更差。", k=worse, n=len(drops))
        if worse
        else text(".", "。")
    )
    estimates["sets"] = count(len(drops), "sets")
    return Text(sentence.en + tail.en, sentence.zh + tail.zh)
