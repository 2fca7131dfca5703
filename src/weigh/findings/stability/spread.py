"""How much of it is luck? Spread over repeats and folds, agreement between repeats, failed and degenerate runs.

The spread over folds mixes two things: other examples are scored, and another run (training sample, initialisation,
data order) is scored. The first can be told from the examples themselves; what remains belongs to the runs. Sources
that the design varies together cannot be told apart, and the finding says so.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from weigh.findings.amounts import amount, count
from weigh.findings.copied import independent_sets, independent_units
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.findings.stability.degenerate import find_degenerate
from weigh.findings.stability.leading import Leads, judge_leads, read_leads, say_leads
from weigh.language import Text, text
from weigh.record.results import Results
from weigh.stats.estimate import Estimate
from weigh.stats.interval import between_folds, share_estimate

__all__ = ["find"]

CHURN = 5.0  # per cent of examples that may change their label between repeats without being called unstable
SOURCES = {
    "split": text("training sample", "训练样本"),
    "init": text("initialisation", "初始化"),
    "order": text("data order", "数据顺序"),
    "augmentation": text("augmentation", "数据增强"),
}


@FINDINGS.named("stability")
def find(results: Results) -> list[Finding]:
    """Failed runs are reported even where nothing else can be said."""
    evidence = read_evidence(results)
    failures = [*_failed(results), *find_degenerate(evidence)]
    if evidence.winner is None:
        return failures
    return [_spread(evidence), *_agreement(evidence), *failures]


def _spread(evidence: Evidence) -> Finding:
    winner = str(evidence.winner)
    scores = evidence.measured[winner].score()
    repeats = scores.repeat[evidence.whole_repeats(winner)]
    folds = scores.fold[~np.isnan(scores.fold)]
    figure = _figure(evidence)
    metric = evidence.metric
    factor, unit = (100.0, "points") if metric.unit == "score" else (1.0, metric.unit)
    estimates: dict[str, Estimate] = {"repeats": count(len(repeats), "repeats"), "runs": count(len(folds), "runs")}
    between = float(folds.std(ddof=1)) if len(folds) > 1 else math.nan
    sentence = text("", "")
    if len(folds) > 1:
        estimates["sd_folds"] = Estimate(value=factor * between, n=len(folds), n_unit="runs", method="sd", unit=unit)
        sentence = text(
            "Single folds of {c} differ with a standard deviation of {s} over {n} runs.",
            "{c} 各折得分的标准差为 {s}（{n} 次运行）。",
            c=evidence.label(winner),
            s=amount(estimates["sd_folds"]),
            n=len(folds),
        )
        sentence += _shares(evidence, winner, estimates)
    leads: Leads | None = None
    if len(repeats) > 1:
        estimates["sd_repeats"] = Estimate(
            value=factor * float(repeats.std(ddof=1)), n=len(repeats), n_unit="repeats", method="sd", unit=unit
        )
        sentence += text(
            "Its score over all folds has a standard deviation of {s} between the {r} repeats. Repeats share the same examples, so this "
            "says how much the split and the seeds matter, not how well the score is known.",
            "{r} 次重复之间，其总得分的标准差为 {s}。各次重复用的是同一批样本，所以这只反映划分和种子的影响，并不表示得分有多准确。",
            s=amount(estimates["sd_repeats"]),
            r=len(repeats),
        )
        leads = read_leads(evidence, winner)
    verdict: Verdict = "undecided"
    varies = evidence.more_repeats_help(*evidence.rivals)
    if not varies and len(repeats) > 1:
        leads = None
        sentence += (
            text(
                "All repeats are identical: every one makes the same parts and fits the same heads.",
                "各次重复完全相同：每次的划分一样，拟合出的线性头也一样。",
            )
            if evidence.results.origin == "study"
            else text("All repeats are identical.", "各次重复完全相同。")
        )
    if leads is not None:
        estimates["leads"], estimates["compared"] = count(leads.alone, "repeats"), count(leads.repeats, "repeats")
        sentence += say_leads(evidence, leads, estimates)
        verdict, doubt = judge_leads(evidence, winner, leads, estimates)
        sentence += doubt
    elif len(repeats) > 1 and len(evidence.rivals) < 2:
        verdict = "yes"  # the sentence tells how much
    elif len(repeats) > 1 and varies:
        sentence += text(
            "It and the other candidates share too few whole repeats: whether it leads throughout cannot be told.",
            "它与其他候选方案共有的完整重复太少：无法判断它是否始终领先。",
        )
    elif len(repeats) <= 1:
        sentence += (
            text(
                "With one repeat it cannot be told how much the split and the seeds matter.",
                "只有一次重复，无法判断划分和种子的影响有多大。",
            )
            if len(repeats)
            else text(
                "Without a repeat of all folds it cannot be told how much the split and the seeds matter.",
                "没有一次覆盖全部折的重复，无法判断划分和种子的影响有多大。",
            )
        )
    ours = evidence.results.origin == "study"
    return Finding(
        id="stability:spread",
        kind="stability",
        **(asked("stability:spread", verdict) if len(evidence.rivals) > 1 else asked("stability:alone", verdict)),
        sentence=sentence,
        estimates=estimates,
        assumptions=[_assume_sources(evidence)],
        candidates=[winner],
        next=[]
        if len(repeats) > 1
        or not ours
        or not varies
        or evidence.short_of_time(winner)
        or winner in evidence.results.unfinished
        else _to_see_it(evidence, winner),
        figure=figure,
    )


def _to_see_it(evidence: Evidence, winner: str) -> list[Text]:
    """What brings more repeats: more of them in the design, and the time for them where it was short."""
    setting, less = evidence.more_repeats(winner), evidence.results.less
    if setting == "design.budget" and less is not None and evidence.results.candidate(winner).model in less.models:
        return [
            text(
                "Repeats did not fit the time: set design.repeats: 5 and a longer design.budget to see it.",
                "时间不够重复：设置 design.repeats: 5 并延长 design.budget 即可看出。",
            )
        ]
    if setting == "design.budget":  # more of them were planned
        return [
            text(
                "Repeats did not fit the time: set a longer design.budget to see it.",
                "时间不够重复：延长 design.budget 即可看出。",
            )
        ]
    if setting == "design.race: false":
        return [
            text(
                "The race ended before: set design.race: false to see it.",
                "竞速提前结束：设置 design.race: false 即可看出。",
            )
        ]
    return [text("Set {s}: 5 to see it.", "设置 {s}: 5 即可看出。", s=setting)]


def _assume_sources(evidence: Evidence) -> Assumption:
    """Whether this design can tell apart what makes runs differ."""
    name = text("Sources of variation can be told apart", "各变异来源可以区分")
    if evidence.results.origin != "study":
        unknown = text("What changed from run to run was not recorded.", "各次运行之间改变了什么，没有记录。")
        return Assumption(name=name, outcome="unchecked", detail=unknown)
    vary = [SOURCES[s] for s in evidence.results.spec.design.vary if s in SOURCES]
    if len(vary) <= 1:
        return Assumption(name=name, outcome="holds")
    together = text(
        "In this design {a} vary together: their shares cannot be told apart.",
        "本设计中{a}同时变化，无法区分各自的份额。",
        a=text(", ".join(s.en for s in vary[:-1]) + f" and {vary[-1].en}", "、".join(s.zh for s in vary)),
    )
    return Assumption(name=name, outcome="violated", detail=together)


def _shares(evidence: Evidence, winner: str, estimates: dict[str, Estimate]):
    """How much of the folds' variance their examples explain, where `variation.py` does not tell it with an interval."""
    if "variation" not in evidence.results.skipped:
        return text("", "")
    resampled = evidence.resampler.of(winner, evidence.measured[winner])
    seen, explained, freedom = between_folds(resampled, np.flatnonzero(~np.isnan(resampled.score)))
    if freedom < 4 or seen <= 0:
        return text("", "")
    share = 100 * explained / seen
    if share > 90:
        return text(
            "That is no more than which examples are in a fold explains.",
            "这并不超出各折恰好有哪些样本所能解释的范围。",
        )
    estimates["share_examples"] = Estimate(
        value=share,
        n=freedom + 1,
        n_unit="runs",
        method="influence of the examples within folds, no interval",
        unit="percent",
    )
    return text(
        "Roughly {p:.0f} % of that variance is due to which examples are in the fold, the rest to the runs.",
        "其中约 {p:.0f} % 的方差来自折中恰好有哪些样本，其余来自训练过程。",
        p=share,
    )


def _agreement(evidence: Evidence) -> list[Finding]:
    """Churn: how often two repeats give the same example different labels."""
    winner = str(evidence.winner)
    out_of_fold, design = evidence.out_of_fold[winner], evidence.measured[winner]
    complete = np.flatnonzero(design.present.all(axis=1))
    if len(complete) < 2:
        return []  # one repeat: nothing to compare; the spread says so
    labels = np.stack([out_of_fold.prediction(int(r)).labels for r in complete])
    pairs = [(i, j) for i in range(len(labels)) for j in range(i)]
    differs = [labels[i] != labels[j] for i, j in pairs]
    if labels.ndim == 3:
        differs = [d.any(axis=1) for d in differs]
    changed = np.mean(differs, axis=0)
    churn = share_estimate(changed, independent_units(evidence), level=evidence.level).times(100.0, "percent")
    verdict: Verdict = "undecided"
    interval = ""  # there is none where all examples are of one group
    if churn.low is not None and churn.high is not None:
        interval = f" [{churn.low:.1f}, {churn.high:.1f}]"
        verdict = "yes" if churn.high < CHURN else "no" if churn.low > CHURN else "undecided"
    ever = int((changed > 0).sum())
    return [
        Finding(
            id="stability:agreement",
            kind="stability",
            **asked("stability:agreement", verdict),
            claim="this_data",
            severity="evidence" if verdict == "no" else "detail",
            sentence=text(
                "Two repeats of {c} give {p:.1f} %{i} of the examples different answers; {k} of {n} examples changed at least once over {r} repeats.",
                "{c} 的任意两次重复对 {p:.1f} %{i} 的样本给出不同的回答；在 {r} 次重复中，{n} 个样本里有 {k} 个至少变过一次。",
                c=evidence.label(winner),
                p=churn.value,
                i=interval,
                k=ever,
                n=len(changed),
                r=len(complete),
            ),
            estimates={
                "churn": churn,
                "changed": count(ever, "examples"),
                "examples": count(len(changed), "examples"),
                "repeats": count(len(complete), "repeats"),
            },
            assumptions=independent_sets(evidence),
            candidates=[winner],
        )
    ]


def _failed(results: Results) -> list[Finding]:
    runs = list(results.records)
    failed = [run for run in runs if run.status == "failed"]
    if not runs:
        return []
    estimates = {"failed": count(len(failed), "runs"), "runs": count(len(runs), "runs")}
    if not failed:
        return [
            Finding(
                id="stability:failed",
                kind="stability",
                **asked("stability:failed", "yes"),
                severity="detail",
                sentence=text("All {n} {n:|run|runs} finished.", "全部 {n} 次运行均已完成。", n=len(runs)),
                estimates={"runs": count(len(runs), "runs")},
            )
        ]
    causes = Counter((run.candidate, run.cause or "?") for run in failed)
    (first, cause), number = causes.most_common(1)[0]
    estimates["most_common"] = count(number, "runs")
    label = next((c.label for c in results.candidates if c.id == first), first)
    return [
        Finding(
            id="stability:failed",
            kind="stability",
            **asked("stability:failed", "no"),
            severity="problem",
            sentence=text(
                "{k} of {n} {n:|run|runs} failed; most often {c} ({m}): {w}. Scores and comparisons use what is left.",
                "{n} 次运行中有 {k} 次失败；最多的是 {c}（{m} 次）：{w}。得分和比较只用到其余的运行。",
                k=len(failed),
                n=len(runs),
                c=label,
                m=number,
                w=cause.rstrip("."),
            ),
            estimates=estimates,
            candidates=list(dict.fromkeys(run.candidate for run in failed)),
            next=[
                text(
                    "If the cause is gone (memory, a file), run the same command with --retry-failed: without it failed runs stay as they are. A "
                    "candidate that keeps failing should not be used.",
                    "如果原因已消除（内存、文件），请用同一命令加上 --retry-failed 运行，否则失败的运行不会重做；反复失败的候选方案不应采用。",
                )
            ],
            table=[
                {
                    "candidate": run.candidate,
                    "purpose": run.purpose,
                    "variant": run.variant,
                    "repeat": run.repeat,
                    "fold": run.fold,
                    "cause": run.cause,
                }
                for run in failed
            ],
        )
    ]


def _figure(evidence: Evidence) -> Figure:
    rows = []
    for candidate in evidence.results.candidates:
        if candidate.id not in evidence.measured:
            continue
        folds = evidence.measured[candidate.id].score().fold
        for repeat, fold in zip(*np.nonzero(~np.isnan(folds)), strict=True):
            rows.append(
                {
                    "candidate": candidate.id,
                    "label": candidate.label,
                    "repeat": int(repeat),
                    "fold": int(fold),
                    "value": round(float(folds[repeat, fold]), 6),
                }
            )
    return Figure(
        kind="spread",
        title=text("Every repeat and fold", "每次重复、每一折"),
        rows=rows,
        fields={"value": evidence.metric.title},
    )
