"""The verdict where no candidate can be recommended: nothing ran to its end, or none learnt anything.

Before it: the records. After it: `headline.py`, whose headline it takes the place of.
"""

from __future__ import annotations

import math

from weigh.findings.amounts import count
from weigh.findings.assumptions import assumptions_of
from weigh.findings.evidence import Evidence
from weigh.findings.learning import constant_runs
from weigh.findings.model import Finding
from weigh.findings.performance.descriptions import scores_figure
from weigh.findings.progress import GO_ON, RETRY
from weigh.findings.questions import asked
from weigh.findings.stability.training import what_to_change
from weigh.language import Text, text
from weigh.metrics.base import METRICS
from weigh.metrics.design import score_design
from weigh.record.results import OutOfFold, Results
from weigh.stats.estimate import Estimate

__all__ = ["no_verdict", "not_learnt"]

LISTED = 3  # answers in a sentence
RANKS = 0.6  # AUROC from which probabilities are said to rank, though every decision is the same


def no_verdict(results: Results) -> Finding:
    """No candidate has a complete cross-validation, or the primary metric has no value where one has."""
    complete = [runs for c in results.candidates if not c.control and (runs := results.out_of_fold(c.id)) is not None]
    if any(runs.complete.any() for runs in complete):
        return _not_defined(results, complete[0])
    done = sum(run.purpose == "main" and run.status == "done" for run in results.records)
    failed = sum(run.purpose == "main" and run.status == "failed" for run in results.records)
    return Finding(
        id="verdict",
        kind="performance",
        **asked("verdict", "undecided"),
        severity="headline",
        sentence=text(
            "There is no verdict yet: no candidate has a complete cross-validation ({d} {d:|run|runs} done, {f} failed).",
            "尚无结论：还没有哪个候选方案完成了完整的交叉验证（已完成 {d} 次运行，失败 {f} 次）。",
            d=done,
            f=failed,
        ),
        estimates={"done": count(done, "runs"), "failed": count(failed, "runs")},
        next=[*([RETRY] if failed else []), *([GO_ON] if results.unfinished or not failed else [])]
        if results.origin == "study"
        else [],
    )


def _not_defined(results: Results, runs: OutOfFold) -> Finding:
    """Runs are complete, but the primary metric cannot be worked out on these examples."""
    metric, kind, classes = METRICS.get(results.spec.primary), runs.kind, len(results.examples.classes)
    judged = metric.judged_on(runs.target)
    if judged is None or len(judged):
        sentence = text(
            "There is no verdict: the {m} is not defined on these examples.",
            "没有结论：{m}在这些样本上没有定义。",
            m=metric.title,
        )
        estimates, advice = (
            {},
            text("Judge by another metric (metrics.primary).", "请改用其他指标（metrics.primary）。"),
        )
    else:
        estimates = {"least": count(kind.fewest, "examples")}
        sentence = text(
            "There is no verdict: the {m} speaks of no class, as none stands in {l} pictures or more.",
            "没有结论：{m}不涉及任何类别，因为没有哪个类别见于至少 {l} 张图片。",
            m=metric.title,
            l=kind.fewest,
        )
        advice = text("Label more pictures.", "请标注更多图片。")
        together = [METRICS.get(name) for name in kind.metrics(classes)]
        together = [one for one in together if one.judged is None and one.unit == "score"]
        if together and kind.members(runs.target, classes).any():
            advice = text(
                "Label more pictures, or judge all classes together: --set metrics.primary={p} ({t}).",
                "请标注更多图片，或把所有类别合在一起评判：--set metrics.primary={p}（{t}）。",
                p=together[0].name,
                t=together[0].title,
            )
    return Finding(
        id="verdict",
        kind="performance",
        **asked("verdict", "undecided"),
        severity="headline",
        sentence=sentence,
        estimates=estimates,
        next=[advice],
    )


def not_learnt(evidence: Evidence) -> Finding:
    """The verdict where every run of the best candidate gives every example the same answer: nothing is ranked."""
    winner, constant = str(evidence.winner), evidence.once(constant_runs)
    everybody = set(evidence.rivals) <= set(constant.throughout)
    mine = constant.looked[winner]
    runs = sum(constant.looked[name] for name in evidence.rivals if name in constant.looked) if everybody else mine
    rows = [row for row in constant.rows if everybody or row["candidate"] == winner]
    answers = list(dict.fromkeys(row["predicted"] for row in rows))
    score = evidence.scores[winner].model_copy(update={"low": None, "high": None, "method": "mean over runs"})
    estimates = {"score": score, "runs": count(runs, "runs")}
    if not evidence.results.examples.kind.typed:
        method = "description, no interval"
        numbers = enumerate(answers[:LISTED], start=1)
        estimates |= {
            f"answer_{i}": Estimate(value=float(one), method=method, unit="label units") for i, one in numbers
        }
    which = text("the only run", "唯一的一次运行") if runs == 1 else text("all {n} runs", "全部 {n} 次运行", n=runs)
    who = text("", "") if everybody else text(" of {c}", "{c} 的", c=evidence.label(winner))
    sentence = text(
        "Nothing was learnt: {r}{o} "
        + (
            "{n:|gives|give} every example the same answer ({a})."
            if len(answers) == 1
            else "give one answer each ({a})."
        ),
        "没有学到任何东西：{o}{r}"
        + ("对每个样本都给出同样的回答（{a}）。" if len(answers) == 1 else "各自只给出一种回答（{a}）。"),
        r=which,
        o=who,
        n=runs,
        a=_listed(answers),
    )
    sentence += _beside_blind(evidence, score, estimates)
    if not everybody:
        sentence += text("No other candidate scores better.", "其他候选方案的得分也没有更好。")
    ranks = _ranks(evidence, winner)
    if ranks is not None:
        estimates["auroc"] = ranks
        sentence += text(
            "Its probabilities do rank the examples (AUROC {r}); only its decisions do not show it.",
            "不过它给出的概率能把样本排出次序（AUROC {r}），只是判断结果没有体现出来。",
            r=ranks.format(),
        )
    return Finding(
        id="verdict",
        kind="performance",
        **asked("verdict", "no"),
        claim=evidence.claim,
        severity="headline",
        sentence=sentence,
        estimates=estimates,
        assumptions=assumptions_of(evidence, [winner]),
        candidates=[winner],
        next=what_to_change(evidence),
        figure=scores_figure(evidence),
    )


def _listed(answers: list[str]) -> Text:
    """ "'cat', 'dog'", the first ones."""
    more = ", …" if len(answers) > LISTED else ""
    return text(
        "{e}",
        "{z}",
        e=", ".join(f"'{one}'" for one in answers[:LISTED]) + more,
        z="、".join(f"“{one}”" for one in answers[:LISTED]) + ("等" if more else ""),
    )


def _beside_blind(evidence: Evidence, score: Estimate, estimates: dict[str, Estimate]) -> Text:
    """The score beside that of an answer that looks at nothing, where it has one."""
    values = {"m": evidence.metric.title, "s": score.format(), "b": evidence.blind.doing}
    nothing = text("So there is no candidate to recommend and nothing to rank.", "因此没有可推荐的方案，也无从排名。")
    if math.isnan(evidence.blind.score):
        return text("The {m} is {s}.", "{m}为 {s}。", **values) + nothing
    blind = Estimate(value=evidence.blind.score, method=evidence.blind.short.en, unit=evidence.metric.unit)
    if blind.format() == score.format():
        return text("The {m} is {s}, that of {b}.", "{m}为 {s}，与{b}无异。", **values) + nothing
    estimates["baseline"] = blind
    return text("The {m} is {s}; {b} reaches {t}.", "{m}为 {s}，{b}则为 {t}。", t=blind.format(), **values) + nothing


def _ranks(evidence: Evidence, name: str) -> Estimate | None:
    """AUROC of a candidate whose decisions are all the same, where its probabilities tell classes apart nevertheless."""
    runs = evidence.out_of_fold[name]
    if not runs.kind.exclusive:
        return None
    value = score_design(METRICS.get("auroc"), runs).overall
    return Estimate(value=value, n=len(runs.target), method="mean within folds, no interval") if value > RANKS else None
