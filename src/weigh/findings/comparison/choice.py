"""How safe is it to take the first of the ranking: its probability to be the best, what it is expected to cost, what more time would buy.

Before it: `possible_best.py`, which names the set that holds the best. After it: `weigh rank`, which prints this table.
"""

from __future__ import annotations

import math
from typing import Any

from weigh.findings.amounts import amount, count, scaled, scope, share
from weigh.findings.assumptions import assumptions_of
from weigh.findings.copied import read_copied
from weigh.findings.cost import operations
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.neighbours import dependence
from weigh.findings.generalisation.widened import lost_among_neighbours
from weigh.findings.model import Assumption, Finding
from weigh.findings.questions import asked
from weigh.findings.references import HSU
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.record.results import Results
from weigh.run import RECIPES
from weigh.stats.choosing import TrueScores, true_scores
from weigh.stats.estimate import Estimate
from weigh.stats.luck_of_choosing import may_be_best

__all__ = ["find"]

MINUTES = 10  # what more time would buy is said for so many
MOST_REPEATS = 1000  # that a study may have
SURE = 0.995  # from here on a probability is said to be above 99 %, and below the rest to 1 to be below 1 %
SCORES = ("logme", "h_score", "knn")
REFERENCES = [
    HSU,
    "DuMouchel (1994), Hierarchical Bayes linear models for meta-analysis",
    "Raiffa & Schlaifer (1961), Applied Statistical Decision Theory",
]


@FINDINGS.named("choice")
def find(results: Results) -> list[Finding]:
    """One finding; none with fewer than two candidates, or where some two of these have too few examples in common for an interval."""
    evidence = read_evidence(results)
    if evidence.winner is None or evidence.comparisons is None:
        return []
    scores = true_scores(evidence.comparisons, rng=evidence.rng("choice"))
    if scores is None:
        return []
    p_best, possible = scores.p_best(), may_be_best(evidence.comparisons)
    leader = evidence.winner
    loss = _loss(evidence, scores.regret(leader))
    p = min(p_best[leader], 1.0)
    estimates: dict[str, Estimate] = {
        "candidates": count(len(evidence.rivals), "candidates"),
        "p_best": share(0.99 if p >= SURE else 0.01 if p < 1 - SURE else p),
        "expected_loss": loss,
    }
    sentence = text(
        "{w} is truly the best of these {n} with a probability of {p} %. Taking it is expected to cost {r} against the truly best one.",
        "{w} 真正是这 {n} 个中最好的，概率{p} %。选用它，与真正最好的相比，预期损失 {r}。",
        w=evidence.label(leader),
        n=len(evidence.rivals),
        p=text("more than 99", "超过 99")
        if p >= SURE
        else text("less than 1", "不到 1")
        if p < 1 - SURE
        else text("{x:.0f}", "为 {x:.0f}", x=100 * p),
        r=amount(loss),
    )
    sentence += _more_repeats(evidence, scores, loss, estimates)
    sentence += _less_sure(evidence, estimates)
    rows = [_row(evidence, i, name, p_best, possible) for i, name in enumerate(evidence.ranked, start=1)]
    sentence += text("This speaks of {c}.", "这里说的是{c}。", c=scope(evidence.claim))
    return [
        Finding(
            id="choice",
            kind="choice",
            **asked("choice", "yes" if _settled(evidence, possible) else "undecided"),
            claim=evidence.claim,
            severity="detail",
            sentence=sentence,
            estimates=estimates,
            assumptions=[*assumptions_of(evidence, evidence.rivals), _scatter(len(evidence.rivals))],
            candidates=evidence.ranked,
            table=_with_scores(evidence, rows),
            references=REFERENCES,
            measured=_measured(evidence, scores, loss),
        )
    ]


def _settled(evidence: Evidence, possible: list[str]) -> bool:
    """Whether a single candidate may be the best, also with intervals as wide as errors that are alike ask for."""
    copied, comparisons = evidence.once(read_copied), evidence.comparisons
    if len(possible) != 1 or (copied is not None and copied.lead_is_lost) or comparisons is None:
        return False
    pairs = [comparisons.of(possible[0], other) for other in evidence.rivals if other != possible[0]]
    shown = all(pair.relation == "better" and not lost_among_neighbours(evidence, pair) for pair in pairs)
    return shown or evidence.once(dependence) is None


def _less_sure(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    """That errors are alike, of neighbours or of copies, which a probability that counts examples does not know; nothing where they are not."""
    copied, factor = evidence.once(read_copied), evidence.once(dependence)
    if copied is not None and (factor is None or copied.factor.value > factor.value):
        estimates |= copied.estimates
        alike = copied.words
    elif factor is not None:
        estimates["factor"] = factor
        alike = text(
            "Errors of neighbours are alike: intervals should be about {f} times as wide.",
            "相邻样本的误差彼此相似：区间应放宽到约 {f} 倍。",
            f=factor.format(1, 1.0),
        )
    else:
        return text("", "")
    return alike + text(
        "These numbers do not allow for that: there is less certainty than they state.",
        "这些数字没有计入这一点，实际把握没有这么大。",
    )


def _more_repeats(evidence: Evidence, scores: TrueScores, loss: Estimate, estimates: dict[str, Estimate]) -> Text:
    """What as many repeats again are expected to change; nothing for trained models and where nothing is left to lose."""
    if evidence.claim == "these_models" or not _worth_saying(loss):
        return text("", "")
    if _trained_for_less(evidence):
        return text(
            "How much more repeats would lower that cannot be told: there was no time to train every candidate in all folds and to the end.",
            "无法判断更多重复能使它降低多少：时间不够让每个候选方案在所有折中完整训练。",
        )
    if not evidence.more_repeats_help(*evidence.rivals):
        return text("Further repeats would give the same numbers.", "再多重复也只会得到同样的数字。")
    then = _loss_after(evidence, scores, scores.repeats)
    if then is None:
        return text(
            "How much more repeats would lower that cannot be told from a single one.",
            "仅凭一次重复，无法判断更多重复能使它降低多少。",
        )
    if amount(then) == amount(loss):
        return text(
            "Twice as many repeats would hardly lower that; more examples can.",
            "重复次数加倍几乎不会使它降低；增加样本则可以。",
        )
    estimates["expected_loss_after"] = then
    return text(
        "With twice as many repeats it would be {r}; the rest only more examples can lower.",
        "若重复次数加倍，预期损失为 {r}；其余部分只有增加样本才能降低。",
        r=amount(then),
    )


def _trained_for_less(evidence: Evidence) -> bool:
    """Whether time was short for any of the rivals: what a whole repeat of all would take and tell was not measured."""
    less = evidence.results.less
    models = () if less is None else less.models
    return any(one.model in models and not one.cheap for one in map(evidence.results.candidate, evidence.rivals))


def _worth_saying(loss: Estimate) -> bool:
    return loss.value >= (0.05 if loss.unit == "points" else 0.0005)  # less is written as 0


def _loss_after(evidence: Evidence, scores: TrueScores, further: int) -> Estimate | None:
    after = scores.regret_after(further, evidence.rng("choice-later"))
    if after is None:
        return None
    now = scores.regret(str(evidence.winner))
    return _loss(evidence, min(after, now))


def _loss(evidence: Evidence, value: float) -> Estimate:
    """An expected loss in the unit in which differences are written."""
    estimate = scaled(value, evidence.metric, method="mean over draws")
    return estimate.model_copy(update={"n": evidence.units.count, "n_unit": evidence.units.name})


def _scatter(candidates: int) -> Assumption:
    return Assumption(
        name=text("True scores scatter like a normal distribution", "真实得分的分布近似正态"),
        outcome="unchecked",
        detail=text(
            "How far they scatter is learnt from these {n} candidates alone; where all are alike, the probability of the first is stated somewhat too high.",
            "其离散程度只能从这 {n} 个候选方案中估计；若它们其实不相上下，第一名的概率会略微偏高。",
            n=candidates,
        ),
    )


def _row(evidence: Evidence, rank: int, name: str, p_best: dict[str, float], possible: list[str]) -> dict[str, Any]:
    score = evidence.scores[name]
    return {
        "rank": rank,
        "candidate": evidence.label(name),
        "score": None if math.isnan(score.value) else score.value,
        **evidence.fold_marks(evidence.rivals)[name],
        "low": score.low,
        "high": score.high,
        "p_best": round(p_best[name], 3),
        "possibly_best": name in possible,
        "macs": operations(evidence.results, evidence.results.candidate(name)),
    }


def _with_scores(evidence: Evidence, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ranking with LogME, H-score and nearest neighbours of the features, as runs of the probe keep them: beside it, no part of it."""
    kept: list[dict[str, float]] = []
    for name in evidence.ranked:
        scores = (run.facts.get("transferability") for run in evidence.results.runs(candidate=name))
        kept.append(next((one for one in scores if one), {}))
    keys = [key for key in SCORES if any(key in scores for scores in kept)]
    return [
        {**row, **{key: round(scores[key], 4) if key in scores else None for key in keys}}
        for row, scores in zip(rows, kept, strict=True)
    ]


def _side_by_side(evidence: Evidence, name: str) -> int:
    """How many runs of a candidate are computed at a time: of heads on features one on each thread (`train/probe.py`)."""
    recipe = evidence.results.candidate(name).recipe
    if recipe not in RECIPES or RECIPES.get(recipe).trains != "head" or RECIPES.get(recipe).model:
        return 1
    runs = evidence.results.runs(candidate=name)
    return max(1, min([len(runs), *(run.environment.get("threads") or 1 for run in runs)]))


def _measured(evidence: Evidence, scores: TrueScores, loss: Estimate) -> dict[str, Any]:
    """Seconds so far, added up over the runs, and what ten more minutes of one worker would buy."""
    rows, repeat = [], 0.0
    for name in evidence.ranked:
        runs = [run for run in evidence.results.runs(candidate=name) if run.measured.get("train_seconds")]
        features = sum(run.measured.get("feature_seconds", 0.0) for run in runs)
        alone = max(0.0, sum(run.measured["train_seconds"] for run in runs) - features) / _side_by_side(evidence, name)
        rows.append({"candidate": evidence.label(name), "seconds": features + alone})
        if runs:  # features are kept, so a further repeat trains heads only
            repeat += alone / len(runs) * evidence.results.spec.design.folds
    spent = sum(row["seconds"] for row in rows)
    if not spent:
        return {}
    sentence = text(
        "Added up, the runs compared here took {s} {s:|second|seconds}.",
        "这里比较的各次运行相加共耗时 {s} 秒。",
        s=f"{spent:.1f}" if spent < 10 else f"{spent:.0f}",
    )
    most = max(MOST_REPEATS - scores.repeats, 0)
    paid = int(60 * MINUTES / repeat) if repeat > 0 else 0
    further = min(paid, most)
    several = evidence.results.spec.run.jobs not in ("auto", 1)  # then more of it is done in as much time by the clock
    values = {
        "m": MINUTES,
        "w": text(" of one worker", "（单个进程）") if several else text("", ""),
        "k": text("about {k} more {k:|repeat|repeats}", "大约可多做 {k} 次重复", k=further)
        if paid <= most
        else text("all {k} repeats that a study may still have", "可做完研究还允许的全部 {k} 次重复", k=further),
    }
    possible = most > 0 and repeat > 0 and not _trained_for_less(evidence)
    useful = possible and _worth_saying(loss) and evidence.more_repeats_help(*evidence.rivals)
    then = _loss_after(evidence, scores, further) if useful else None
    if then is not None and not further:
        sentence += text(
            "Another {m} {m:|minute|minutes}{w} would not suffice for one more repeat of all candidates.",
            "再用 {m} 分钟{w}也不够让所有候选方案再重复一次。",
            m=MINUTES,
            w=values["w"],
        )
    elif then is not None and amount(then) == amount(loss):
        sentence += text(
            "Another {m} {m:|minute|minutes}{w} would pay for {k}; that would hardly lower the expected loss.",
            "再用 {m} 分钟{w}{k}，但几乎不会降低预期损失。",
            **values,
        )
    elif then is not None:
        sentence += text(
            "Another {m} {m:|minute|minutes}{w} would pay for {k}; that is expected to lower the loss from {a} to {b}.",
            "再用 {m} 分钟{w}{k}，预期损失将从 {a} 降到 {b}。",
            a=amount(loss),
            b=amount(then),
            **values,
        )
    return {"sentence": sentence._asdict(), "rows": rows}
