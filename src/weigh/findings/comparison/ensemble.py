"""Would the average of several candidates answer better than the winner alone, and what would it cost?

Before it: members drawn from the out-of-fold answers (`record/ensembles.py`), anew for every fold, so that the average has an honest score.
The simplest wins: the average never takes the winner's place, and is only said to be better where the paired interval shows it.
"""

from __future__ import annotations

import math

from weigh.findings.amounts import amount, bilingual, count, gain_of, scope, share
from weigh.findings.assumptions import assumptions_of
from weigh.findings.cost import operations
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Assumption, Bilingual, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.metrics.base import METRICS
from weigh.record.ensembles import SMOOTH, Ensemble, read_ensemble
from weigh.record.results import OutOfFold, Results
from weigh.stats.comparison import Difference
from weigh.stats.estimate import Estimate
from weigh.stats.interval import estimate_of

__all__ = ["find"]

NAME = ""  # of the average, beside the ids of candidates
VERDICTS: dict[str, Verdict] = {"better": "yes", "worse": "no", "equal": "no", "undecided": "undecided"}
SAID = {
    "better": text("it is better", "平均确实更好"),
    "equal": text("practically equal, so the simpler one is preferred", "两者实际相当，因此取更简单的"),
    "worse": text("it is worse", "平均反而更差"),
    "undecided": text("not shown to be worth it", "尚无证据表明值得这样做"),
}
REFERENCES = ["Caruana et al. (2004), Ensemble selection from libraries of models, ICML"]


@FINDINGS.named("ensemble")
def find(results: Results) -> list[Finding]:
    """One finding; none where there is nothing to average."""
    evidence = read_evidence(results)
    ensemble = results.once(read_ensemble)
    if ensemble is None or evidence.winner not in evidence.measured:
        return []
    if len(ensemble.members) < 2:
        return [_alone(evidence, ensemble)]
    measured = ensemble.out_of_fold.measured(evidence.metric)
    difference = evidence.compare([str(evidence.winner), NAME], {NAME: measured}).of(NAME, str(evidence.winner))
    if difference.estimate.low is None:
        return []  # too few examples for any comparison: the others say so
    resampled = evidence.resampler.of(NAME, measured)
    score = estimate_of(resampled, evidence.units, evidence.metric, claim=evidence.claim, level=evidence.level)
    return [_averaged(evidence, ensemble, score, difference)]


def _averaged(evidence: Evidence, ensemble: Ensemble, score: Estimate, difference: Difference) -> Finding:
    winner = evidence.label(str(evidence.winner))
    verdict = VERDICTS[difference.relation]
    estimates = {"score": score, "difference": gain_of(difference, evidence.metric), "level": share(evidence.level)}
    sentence = text(
        "The average of {m} has a {t} of {s}. Its difference to {w} alone is {d} (positive: the average is ahead), {x}: {v}.",
        "{m} 平均后的{t}为 {s}，与单独使用 {w} 相差 {d}（正值表示平均更好），{x}：{v}。",
        m=_members(evidence, ensemble, estimates),
        t=evidence.metric.title,
        s=score.format(),
        w=winner,
        d=amount(estimates["difference"]),
        x=_times(evidence, ensemble, estimates),
        v=SAID[difference.relation],
    )
    sentence += text(
        "The {l} % interval is of this one comparison and speaks about {c}.",
        "{l} % 区间只针对这一项比较，说明的是{c}。",
        l=f"{100 * evidence.level:.4g}",
        c=scope(evidence.claim),
    )
    sentence += text(
        "weigh cannot save an average yet: predict with each of them and average.",
        "weigh 暂时还不能保存这种平均模型：请分别预测，再取平均。",
    )
    estimates |= {
        name: Estimate(value=value, method="cross-validated, a description", unit=METRICS.get(name).unit)
        for name, value in _described(evidence, ensemble.out_of_fold).items()
        if name != evidence.metric.name
    }
    return Finding(
        id="ensemble",
        kind="ensemble",
        **asked("ensemble", verdict, w=winner),
        claim=evidence.claim,
        relation=difference.relation,
        severity="evidence" if verdict == "yes" else "detail",
        sentence=bilingual(sentence),
        estimates=estimates,
        assumptions=[
            *assumptions_of(evidence, [str(evidence.winner)]),
            Assumption(
                name=bilingual(
                    text("Members were chosen without the examples that score them", "挑选成员时未用给其评分的样本")
                ),
                outcome="holds",
                detail=bilingual(
                    text(
                        "Chosen anew for every fold, on the out-of-fold answers about the other examples alone. The members named here were "
                        "chosen on all of them.",
                        "每一折都只根据其余样本的折外回答重新挑选成员；此处列出的成员是根据全部回答选出的。",
                    )
                ),
            ),
        ],
        candidates=[*ensemble.members],
        next=_to_use(evidence, ensemble) if verdict == "yes" else [],
        table=_table(evidence, ensemble),
        references=REFERENCES,
    )


def _alone(evidence: Evidence, ensemble: Ensemble) -> Finding:
    (name,) = ensemble.members
    tried = len(ensemble.tried)
    return Finding(
        id="ensemble",
        kind="ensemble",
        **asked("ensemble", "no", w=evidence.label(str(evidence.winner))),
        claim=evidence.claim,
        severity="detail",
        sentence=bilingual(
            text(
                "Of {k} candidates that could be averaged, none made the out-of-fold answers of {a} better by more than chance would.",
                "在可以参与平均的 {k} 个候选方案中，没有哪一个能使 {a} 的折外回答有超出偶然的改善。",
                k=tried,
                a=evidence.label(name),
            )
        ),
        estimates={"candidates": count(tried, "candidates")},
        candidates=[name],
        references=REFERENCES,
    )


def _members(evidence: Evidence, ensemble: Ensemble, estimates: dict[str, Estimate]) -> Text:
    """ "a (60 %), b (40 %)", the largest share first."""
    listed = []
    for at, name in enumerate(_by_share(ensemble), 1):
        estimates[f"share_{at}"] = Estimate(
            value=100 * ensemble.members[name], method="share of the draws", unit="percent"
        )
        listed.append(f"{evidence.label(name)} ({estimates[f'share_{at}'].value:.0f} %)")
    return Text(", ".join(listed), "、".join(listed))


def _by_share(ensemble: Ensemble) -> list[str]:
    return sorted(ensemble.members, key=lambda name: -ensemble.members[name])


def _times(evidence: Evidence, ensemble: Ensemble, estimates: dict[str, Estimate]) -> Text:
    """What it costs: distinct members are run one after the other."""
    results = evidence.results
    own, *members = (operations(results, results.candidate(name)) for name in (str(evidence.winner), *ensemble.members))
    known = [value for value in members if value]
    estimates["models"] = count(len(members), "models")
    if not own or len(known) < len(members):
        return text("with {k} models in place of one", "需运行 {k} 个模型而非一个", k=len(members))
    estimates.pop("models")
    estimates["times"] = Estimate(value=sum(known) / own, method="fact about the model, not estimated", unit="times")
    return text("at {x:.1f} times the multiply-adds", "乘加运算量为后者的 {x:.1f} 倍", x=estimates["times"].value)


def _to_use(evidence: Evidence, ensemble: Ensemble) -> list[Bilingual]:
    labels = [evidence.label(name) for name in _by_share(ensemble)]
    return [
        bilingual(
            text(
                "To use it: make a study of each member alone (one model, one recipe: {m}), call weigh predict with each saved model, and "
                "average what they answer with these shares.",
                "若要使用：为每个成员单独建立研究（一个模型、一个方案：{m}），用各自保存的模型运行 weigh predict，再按上述比例平均其回答。",
                m=Text(", ".join(labels), "、".join(labels)),
            )
        )
    ]


def _table(evidence: Evidence, ensemble: Ensemble) -> list[dict[str, object]]:
    """Each member and the winner: shares, the score, and (where there are probabilities) how good these are."""
    rows = []
    for name in dict.fromkeys([*_by_share(ensemble), str(evidence.winner)]):
        runs, part = evidence.out_of_fold[name], 100 * ensemble.members.get(name, 0.0)
        rows.append({"candidate": evidence.label(name), "share": f"{part:.0f} %", **_described(evidence, runs)})
    return rows


def _described(evidence: Evidence, runs: OutOfFold) -> dict[str, float]:
    metrics = [evidence.metric, *([METRICS.get(SMOOTH)] if runs.kind.probable else [])]
    scores = {metric.name: float(runs.measured(metric).score().overall) for metric in metrics}
    return {name: round(value, 4) for name, value in scores.items() if math.isfinite(value)}
