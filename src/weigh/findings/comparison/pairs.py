"""Which candidate is better? The winner against every other, and all pairs at once.

All pairs of candidates are compared simultaneously on the primary metric (`stats/comparison.py`); controls do not
count. Every pair says what the difference is, what that allows to conclude, the smallest difference that could have
been found, and what would settle it. Which candidates may be the best of all: `possible_best.py`.
"""

from __future__ import annotations

import math

from weigh.findings.amounts import amount, count, gain_of, limit, scaled, scope, share, turned, written_level
from weigh.findings.assumptions import assumptions_of
from weigh.findings.comparison.possible_best import find_best, listed
from weigh.findings.comparison.settling import settle
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.widened import of_neighbours
from weigh.findings.model import Assumption, Figure, Finding
from weigh.findings.questions import VERDICTS, asked
from weigh.findings.references import NADEAU_BENGIO, WESTFALL_YOUNG
from weigh.findings.registry import FINDINGS
from weigh.language import Text, join_texts, text
from weigh.record.results import Results
from weigh.stats.comparison import Difference
from weigh.stats.estimate import Estimate

__all__ = ["find", "same_folds"]

REFERENCES = [
    NADEAU_BENGIO,
    WESTFALL_YOUNG,
    "Card et al. (2020), With Little Power Comes Great Responsibility, EMNLP",
]
TAKE_THE_CHEAPER = text(
    "Take whichever is cheaper to train and to explain: nothing that was recorded tells them apart.",
    "请选训练代价更低、更容易说明的那个：现有记录无法区分两者。",
)
MANY, NEAREST = 8, 3  # with more rivals than MANY, one table tells of all and only the nearest are told one by one
HARDLY = 0.001  # strength of a head that counts as hardly regularised; recipes try no less than three times as much by themselves


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
    sentence = _say(evidence, difference, gain, estimates) + of_neighbours(evidence, difference, estimates)
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
            *same_folds(evidence, difference),
            *_extrapolated(evidence, [winner, other]),
        ],
        candidates=[winner, other],
        next=[]
        if difference.relation != "undecided"
        else [TAKE_THE_CHEAPER]
        if same
        else settle(evidence, difference, estimates),
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
        rope = scaled(evidence.rope, evidence.metric, method="as set")
        written = amount(size, rope.value) if difference.negligible else amount(size)
        sentence = text("{a} is better than {b} by {d}", "{a} 优于 {b}，领先 {d}", a=first, b=second, d=written)
        if not difference.negligible:
            sentence = Text(sentence.en + ".", sentence.zh + "。")
        else:
            estimates["rope"], rope = rope, limit(rope)
            sentence = Text(
                f"{sentence.en}, less than the {rope.en} that would matter in practice.",
                f"{sentence.zh}，但未达到有实际意义的 {rope.zh}。",
            )
    elif difference.relation == "equal":
        estimates["rope"] = rope = scaled(evidence.rope, evidence.metric, method="as set")
        sentence = text(
            "{a} and {b} are practically equal: the difference of {d} lies within ±{e}.",
            "{a} 与 {b} 实际相当：差值 {d} 落在 ±{e}之内。",
            e=limit(rope),
            **values | {"d": amount(gain, -rope.value, rope.value)},
        )
    else:
        sentence = text(
            "Between {a} and {b} nothing is settled: the difference is {d} (positive: {a} ahead).",
            "{a} 与 {b} 孰优孰劣尚无定论：差值为 {d}（正值表示 {a} 领先）。",
            **values,
        )
        detectable = scaled(difference.detectable, evidence.metric, of=gain, method="80 % power at this level")
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
        **{"worse_than" if of == "worse" else of: count(k, "candidates") for of, k in number.items()},
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
    if any(d.estimate.low is not None for d in differences):
        sentence += _scope(evidence, comparisons.count)
    return Finding(
        id="comparison:rest",
        kind="comparison",
        **asked(
            "comparison:rest",
            "yes" if not close else "no" if number["worse"] else "undecided",
            a=evidence.label(winner),
        ),
        claim=evidence.claim,
        sentence=sentence,
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


def same_folds(evidence: Evidence, difference: Difference) -> list[Assumption]:
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


def _differences(evidence: Evidence, others: list[str]) -> Figure:
    winner, comparisons = str(evidence.winner), evidence.comparisons
    assert comparisons is not None
    many, rows = len(others) > MANY, []
    for a, b in [(winner, other) for other in others]:
        difference = comparisons.of(a, b)
        shown = difference.estimate
        if math.isnan(shown.value):
            continue
        if many and not evidence.metric.greater_is_better:
            shown = turned(shown)  # the figure tells how far the winner is ahead
        rows.append(
            {
                "candidate": a,
                "other": b,
                "label": evidence.label(b) if many else f"{evidence.label(a)} − {evidence.label(b)}",
                "value": shown.value,
                "low": shown.low,
                "high": shown.high,
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
        fields={
            "value": text("lead in {m}", "{m}上的领先幅度", m=evidence.metric.title)
            if many
            else text("difference in {m}", "{m}之差", m=evidence.metric.title)
        },
        options={"rope": evidence.rope},
    )
