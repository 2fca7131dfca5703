"""Which candidate is better? The winner against every other, and all pairs at once.

All pairs of candidates are compared simultaneously on the primary metric (`stats/comparison.py`); controls do not
count. Every pair says what the difference is, what that allows to conclude, the smallest difference that could have
been found, and what would settle it. Which candidates may be the best of all: `possible_best.py`.
"""

from __future__ import annotations

import math

from weigh.findings.amounts import amount, count, gain_of, scaled, scope, share, turned, written_level
from weigh.findings.assumptions import assumptions_of
from weigh.findings.comparison.possible_best import find_best, listed
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, join_texts, text
from weigh.record.results import Results
from weigh.stats.comparison import Difference
from weigh.stats.estimate import Estimate
from weigh.stats.power import what_settles

__all__ = ["find"]

REFERENCES = [
    "Nadeau & Bengio (2003), Inference for the Generalization Error, Machine Learning 52",
    "Westfall & Young (1993), Resampling-Based Multiple Testing, Wiley",
    "Card et al. (2020), With Little Power Comes Great Responsibility, EMNLP",
]
TAKE_THE_CHEAPER = text(
    "Take whichever is cheaper to train and to explain: nothing that was recorded tells them apart.",
    "请选训练代价更低、更容易说明的那个：现有记录无法区分两者。",
)
MANY, NEAREST = 8, 3  # with more rivals than MANY, one table tells of all and only the nearest are told one by one
HARDLY = 0.001  # strength of a head that counts as hardly regularised; recipes try no less than three times as much by themselves
VERDICTS: dict[str, Verdict] = {"better": "yes", "worse": "no", "equal": "no", "undecided": "undecided"}


@FINDINGS.named("comparison")
def find(results: Results) -> list[Finding]:
    """Winner against each other candidate, nearest first; then all pairs. Nothing with fewer than two candidates."""
    evidence = read_evidence(results)
    if evidence.winner is None or evidence.comparisons is None:
        return []  # nothing to compare: the headline says so
    others = [name for name in evidence.ranked if name != evidence.winner]
    figure = _differences(evidence, others)
    near = others if len(others) <= MANY else others[:NEAREST]
    pairs = [_pair(evidence, other, figure if i == 0 and near is others else None) for i, other in enumerate(near)]
    return [*([] if near is others else [_rest(evidence, others, figure)]), *pairs, *find_best(evidence)]


def _pair(evidence: Evidence, other: str, figure: Figure | None) -> Finding:
    winner, comparisons = str(evidence.winner), evidence.comparisons
    assert comparisons is not None
    difference = comparisons.of(winner, other)
    gain = gain_of(difference, evidence.metric)
    estimates = {"difference": gain, "level": share(evidence.level), "pairs": count(comparisons.count, "pairs")}
    estimates |= _descriptions(difference)
    a, b = evidence.label(winner), evidence.label(other)
    sentence = _say(evidence, difference, gain, estimates)
    same = difference.relation == "undecided" and evidence.same_answers(winner, other)
    if same:
        sentence += text(
            "So far both gave the same answers to all examples that both have answered.",
            "到目前为止，凡两者都回答过的样本，两者的回答完全相同。",
        )
    if gain.low is not None:
        sentence += _scope(evidence, comparisons.count)
    return Finding(
        id=f"comparison:{winner}:{other}",
        kind="comparison",
        **asked("comparison", VERDICTS[difference.relation], a=a, b=b),
        claim=evidence.claim,
        relation=difference.relation,
        sentence=sentence,
        estimates=estimates,
        assumptions=[
            *assumptions_of(evidence, [winner, other]),
            *_common(evidence, difference),
            *_extrapolated(evidence, [winner, other]),
        ],
        candidates=[winner, other],
        next=[]
        if difference.relation != "undecided"
        else [TAKE_THE_CHEAPER]
        if same
        else _settle(evidence, difference, estimates),
        figure=figure,
        references=REFERENCES,
    )


def _say(evidence: Evidence, difference: Difference, gain: Estimate, estimates: dict[str, Estimate]) -> Text:
    """Which of the two is better, and by how much; what the sentence names is put into `estimates`."""
    a, b = evidence.label(difference.a), evidence.label(difference.b)
    values = {"a": a, "b": b, "d": amount(gain)}
    if gain.low is None:
        estimates.pop("level")
        sentence = text(
            "{a} and {b} cannot be compared on what was recorded: no honest interval can be given.",
            "根据现有记录无法比较 {a} 与 {b}：给不出可信的区间。",
            **values,
        )
        if math.isnan(gain.value):
            estimates.pop("difference")
    elif difference.relation in ("better", "worse"):
        first, second = (a, b) if difference.relation == "better" else (b, a)
        size = gain if difference.relation == "better" else turned(gain)
        estimates["difference"] = size
        sentence = text("{a} is better than {b} by {d}", "{a} 优于 {b}，领先 {d}", a=first, b=second, d=amount(size))
        if not difference.negligible:
            sentence = Text(sentence.en + ".", sentence.zh + "。")
        else:
            estimates["rope"] = scaled(evidence.rope, evidence.metric, method="as set")
            rope = amount(estimates["rope"])
            sentence = Text(
                f"{sentence.en}, less than the {rope.en} that would matter in practice.",
                f"{sentence.zh}，但未达到有实际意义的 {rope.zh}。",
            )
    elif difference.relation == "equal":
        estimates["rope"] = scaled(evidence.rope, evidence.metric, method="as set")
        sentence = text(
            "{a} and {b} are practically equal: the difference of {d} lies within ±{e}.",
            "{a} 与 {b} 实际相当：差值 {d} 落在 ±{e}之内。",
            e=amount(estimates["rope"]),
            **values,
        )
    else:
        sentence = text(
            "Between {a} and {b} nothing is settled: the difference is {d} (positive: {a} ahead).",
            "{a} 与 {b} 孰优孰劣尚无定论：差值为 {d}（正值表示 {a} 领先）。",
            **values,
        )
        detectable = scaled(difference.detectable, evidence.metric, n=gain.n, method="80 % power at this level")
        if math.isfinite(detectable.value):
            estimates["detectable"] = detectable
            estimates["power"] = share(0.8)
            sentence += text(
                "A true difference of {m} would have been found in {p} % of such studies.",
                "若真实差异达到 {m}，此类研究有 {p} % 的机会发现它。",
                m=amount(detectable),
                p=80,
            )
        elif math.isinf(detectable.value):
            estimates["power"] = share(0.8)
            sentence += text(
                "No difference, however large, would have been found in {p} % of such studies.",
                "无论差异多大，此类研究都没有 {p} % 的机会发现它。",
                p=80,
            )
    return sentence


def _descriptions(difference: Difference) -> dict[str, Estimate]:
    """Numbers about the pair that decide nothing and stand in no sentence."""
    if difference.folds < 2 or not math.isfinite(difference.wins):
        return {}
    method = "share of the runs that both have, ties half; a description"
    return {"wins": share(difference.wins, n=difference.folds, n_unit="runs", method=method)}


def _rest(evidence: Evidence, others: list[str], figure: Figure) -> Finding:
    """The winner against all others at once, where there are too many to tell of each."""
    winner, comparisons = str(evidence.winner), evidence.comparisons
    assert comparisons is not None
    differences = [comparisons.of(winner, other) for other in others]
    number = {r: sum(d.relation == r for d in differences) for r in ("better", "worse", "equal", "undecided")}
    close = [d.b for d in differences if d.relation != "better"]
    estimates = {
        "others": count(len(others), "candidates"),
        "level": share(evidence.level),
        "pairs": count(comparisons.count, "pairs"),
        **{relation: count(k, "candidates") for relation, k in number.items()},
    }
    parts = [
        text(en, zh, k=number[relation])
        for relation, en, zh in (
            ("better", "better than {k}", "优于 {k} 个"),
            ("equal", "practically equal to {k}", "与 {k} 个实际相当"),
            ("worse", "worse than {k}", "不如 {k} 个"),
            ("undecided", "undecided against {k}", "与 {k} 个尚无定论"),
        )
        if number[relation]
    ]
    sentence = text(
        "Of the {n} other candidates, {c} is {p}.",
        "在其余 {n} 个候选方案中，{c} {p}。",
        c=evidence.label(winner),
        n=len(others),
        p=join_texts(parts, ", ", "，"),
    )
    if close:
        sentence += text(
            "It is not shown to be better than: {l}.",
            "尚不能说它优于：{l}。",
            l=listed(evidence, close, estimates, "further"),
        )
    return Finding(
        id="comparison:rest",
        kind="comparison",
        **asked(
            "comparison:rest",
            "yes" if not close else "no" if number["worse"] else "undecided",
            a=evidence.label(winner),
        ),
        claim=evidence.claim,
        sentence=(sentence + _scope(evidence, comparisons.count)),
        estimates=estimates,
        assumptions=assumptions_of(evidence, evidence.rivals),
        candidates=[winner, *others],
        figure=figure,
        table=[
            {"other": evidence.label(d.b), "difference": gain_of(d, evidence.metric).format(2), "relation": d.relation}
            for d in differences
        ],
        references=REFERENCES,
    )


def _scope(evidence: Evidence, pairs: int) -> Text:
    """How many pairs the intervals hold for at once, and which claim they are about."""
    values = {"l": written_level(evidence.level), "k": pairs, "s": scope(evidence.claim)}
    if pairs == 1:
        return text("The {l} % interval speaks about {s}.", "{l} % 区间针对的是{s}。", **values)
    return text(
        "The {l} % intervals of all {k} pairs hold at once; they speak about {s}.",
        "全部 {k} 对比较的 {l} % 区间同时成立；针对的是{s}。",
        **values,
    )


def _common(evidence: Evidence, difference: Difference) -> list[Assumption]:
    """Both candidates are scored on what both have."""
    if evidence.claim == "these_models":
        return [Assumption(name=text("Both answered the same examples", "两者预测的是同一批样本"), outcome="holds")]
    if difference.complete:
        return [Assumption(name=text("Both saw the same folds and repeats", "两者使用相同的折和重复"), outcome="holds")]
    return [
        Assumption(
            name=text("Both saw the same folds and repeats", "两者使用相同的折和重复"),
            outcome="doubtful",
            detail=text(
                "Not all: the comparison uses the {f} {f:|run|runs} ({r} {r:|repeat|repeats}) that both have.",
                "并非全部相同：比较只用到两者共有的 {f} 次运行（{r} 次重复）。",
                f=difference.folds,
                r=difference.repeats,
            ),
        )
    ]


def _extrapolated(evidence: Evidence, pair: list[str]) -> list[Assumption]:
    """Whether folds, which train on fewer examples, tell about all the data: not for heads that hardly have a penalty."""
    runs = [run for name in pair for run in evidence.results.runs("main", candidate=name)]
    hardly = {run.candidate: evidence.label(run.candidate) for run in runs if run.facts.get("strength", 1.0) < HARDLY}
    if evidence.claim == "these_models" or not hardly:
        return []
    detail = text(
        "{c}: hardly any penalty. With about as many features as training examples, or more, the score of such a head can fall or rise "
        "steeply with the number of examples, further than this interval reaches.",
        "{c} 几乎没有正则。若特征数与训练样本数相近或更多，这类线性头的得分可能随样本数骤降或骤升，超出该区间的范围。",
        c=join_texts(hardly.values(), ", ", "、"),
    )
    name = text("Folds tell about all the data", "各折的结果能推及全部数据")
    return [Assumption(name=name, outcome="doubtful", detail=detail)]


def _settle(evidence: Evidence, difference: Difference, estimates: dict) -> list[Text]:
    """What would settle an undecided pair."""
    settlement = what_settles(difference, evidence.rope)
    if not math.isfinite(settlement.factor):
        return [
            (
                text("There is too little to compare: more examples are needed.", "现有数据不足以比较：需要更多样本。")
                if evidence.results.origin != "study"
                else text("Record more runs: there is too little to compare.", "请补充更多运行：现有数据不足以比较。")
            )
        ]
    if evidence.short_of_time(difference.a, difference.b):
        return [
            text(
                "The folds that were not run come first ({s}): with them all examples speak.",
                "首先应补上没有跑的折（{s}）：那样所有样本都能用上。",
                s=evidence.more_repeats(difference.a, difference.b),
            )
        ]
    needed = float(f"{settlement.units:.2g}")
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
            "首先应增加重复次数{s}：{r} 次运行几乎看不出各次运行相差多少，仅此一项就使区间达到应有宽度的 {w:.1f} 倍。",
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


def _more_examples(evidence: Evidence, difference: Difference, needed: float, *, equal: bool) -> Text:
    """How many examples would settle it; `equal`: by showing both to be practically equal."""
    values = {
        "a": evidence.label(difference.a),
        "b": evidence.label(difference.b),
        "n": needed,
        "u": text("groups", "组") if difference.estimate.n_unit == "groups" else text("examples", "个样本"),
        "p": 80,
    }
    if equal:
        return text(
            "About {n:.0f} {u} of the same kind would show in {p} % of studies that {a} and {b} are practically equal, "
            "if the true difference is as small as the observed one.",
            "如果真实差异与观测到的一样小，约需 {n:.0f} {u}（同类），才能在 {p} % 的研究中证实 {a} 与 {b} 实际相当。",
            **values,
        )
    return text(
        "To tell {a} from {b} in {p} % of studies, about {n:.0f} {u} of the same kind would be needed, if the "
        "true difference is as large as the observed one.",
        "如果真实差异与观测到的一样大，要在 {p} % 的研究中分出 {a} 与 {b} 的高下，约需 {n:.0f} {u}（同类）。",
        **values,
    )


def _differences(evidence: Evidence, others: list[str]) -> Figure:
    winner, comparisons = str(evidence.winner), evidence.comparisons
    assert comparisons is not None
    many, rows = len(others) > MANY, []
    for a, b in [(winner, other) for other in others]:
        difference = comparisons.of(a, b)
        if math.isnan(difference.estimate.value):
            continue
        rows.append(
            {
                "candidate": a,
                "other": b,
                "label": evidence.label(b) if many else f"{evidence.label(a)} − {evidence.label(b)}",
                "value": difference.estimate.value,
                "low": difference.estimate.low,
                "high": difference.estimate.high,
                "relation": difference.relation,
            }
        )
    return Figure(
        kind="differences",
        title=(
            text("How far {w} is ahead of each other candidate", "{w} 领先其他各方案的幅度", w=evidence.label(winner))
            if many
            else text("Differences between candidates", "候选方案之间的差异")
        ),
        rows=rows,
        fields={"value": text("difference in {m}", "{m}之差", m=evidence.metric.title)},
        options={"rope": evidence.rope},
    )
