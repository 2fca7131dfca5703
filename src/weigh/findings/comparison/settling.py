"""What would settle an undecided pair: more repeats, more examples, or nothing that is worth it.

Before it: `pairs.py`, which found the pair undecided. After it: what that finding proposes.
"""

from __future__ import annotations

import math

from weigh.findings.amounts import count, share
from weigh.findings.evidence import Evidence
from weigh.language import Text, text
from weigh.stats.comparison import SMALLEST_SAMPLE, Difference
from weigh.stats.power import what_settles

__all__ = ["settle"]


def settle(evidence: Evidence, difference: Difference, estimates: dict) -> list[Text]:
    """What would settle an undecided pair; numbers in the words are put into `estimates`."""
    settlement = what_settles(difference, evidence.rope)
    if evidence.short_of_time(difference.a, difference.b):
        return [
            text(
                "The folds that were not run come first ({s}): with them all examples speak.",
                "首先应补上没有跑的折（{s}）：那样所有样本都能用上。",
                s=evidence.more_repeats(difference.a, difference.b),
            )
        ]
    if not math.isfinite(settlement.factor):
        return [_too_little(evidence)]
    needed = _two_digits_up(settlement.units)
    unit = difference.estimate.n_unit
    sentences = []
    # Where nothing can be repeated, or would come out the same, only examples tell more
    fixed = evidence.claim == "these_models"
    varies = not fixed and evidence.more_repeats_help(difference.a, difference.b)
    if settlement.few_runs and varies:  # after few runs it cannot be computed how many more examples would settle it
        ours = evidence.results.origin == "study"
        few = text(
            "More repeats come first{s}: {r} {r:|run hardly shows|runs hardly show} how much runs differ, and that alone makes the interval {w:.1f} times "
            "as wide as it would be.",
            "首先应增加重复次数{s}：{r} 次运行几乎看不出各次运行相差多少，仅此一项就使区间宽度达到运行充足时的 {w:.1f} 倍。",
            r=difference.folds,
            w=settlement.widened,
            s=text(" ({s})", "（{s}）", s=evidence.more_repeats(difference.a, difference.b)) if ours else text("", ""),
        )
        return [few]
    if settlement.repeats_help and varies:
        sentences.append(
            text(
                "More repeats may settle it ({s}).",
                "增加重复次数可能分出高下（{s}）。",
                s=evidence.more_repeats(difference.a, difference.b),
            )
            if evidence.results.origin == "study"
            else text(
                "More repeats of the cross-validation (column run) may settle it.",
                "增加交叉验证的重复次数（run 列）可能分出高下。",
            )
        )
    if settlement.factor > 1 and settlement.factor <= 100:
        estimates["examples_needed"] = count(round(needed), unit)
        estimates["power"] = share(0.8)
        lead = (
            text("", "")
            if (settlement.repeats_help and varies) or fixed
            else text("More repeats alone cannot settle it.", "仅增加重复次数无法分出高下。")
        )
        sentences.append(lead + _more_examples(evidence, difference, needed, equal=settlement.equal))
    elif not (settlement.repeats_help and varies):
        sentences.append(
            text(
                "The difference is too small to settle with more of the same data: choose by cost.",
                "差异太小，再增加同类数据也难分高下：请按成本选择。",
            )
            if not fixed
            else text(
                "The difference between {a} and {b} is too small to settle with more of the same data: choose by cost.",
                "{a} 与 {b} 的差异太小，再增加同类数据也难分高下：请按成本选择。",
                a=evidence.label(difference.a),
                b=evidence.label(difference.b),
            )
        )
    return sentences


def _two_digits_up(number: float) -> float:
    """The next number with two significant digits, so that no fewer examples are asked for than there are."""
    step = 10.0 ** max(math.floor(math.log10(max(number, 1.0))) - 1, 0)
    return math.ceil(number / step - 1e-9) * step


def _more_examples(evidence: Evidence, difference: Difference, needed: float, *, equal: bool) -> Text:
    """How many examples would settle it; `equal`: by showing both to be practically equal."""
    values = {
        "a": evidence.label(difference.a),
        "b": evidence.label(difference.b),
        "n": needed,
        "u": text("groups", "个同类的组") if difference.estimate.n_unit == "groups" else text("examples", "个同类样本"),
        "p": 80,
    }
    if equal:
        return text(
            "About {n:.0f} {u} of the same kind would show in {p} % of studies that {a} and {b} are practically equal, "
            "if the true difference is as small as the observed one.",
            "如果真实差异与观测到的一样小，约需 {n:.0f} {u}，才能在 {p} % 的研究中证实 {a} 与 {b} 实际相当。",
            **values,
        )
    return text(
        "To tell {a} from {b} in {p} % of studies, about {n:.0f} {u} of the same kind would be needed, if the "
        "true difference is as large as the observed one.",
        "如果真实差异与观测到的一样大，要在 {p} % 的研究中分出 {a} 与 {b} 的高下，约需 {n:.0f} {u}。",
        **values,
    )


def _too_little(evidence: Evidence) -> Text:
    """What to add where no interval can be given: further runs cannot make more of too few examples."""
    if evidence.results.origin == "study" and evidence.units.count >= SMALLEST_SAMPLE:
        return text("Record more runs: there is too little to compare.", "请补充更多运行：现有数据不足以比较。")
    if evidence.units.name == "groups":
        return text("There is too little to compare: more groups are needed.", "现有数据不足以比较：需要更多的组。")
    return text("There is too little to compare: more examples are needed.", "现有数据不足以比较：需要更多样本。")
