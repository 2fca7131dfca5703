"""Would the average of several candidates answer better than the winner alone, and what would it cost?

Before it: members drawn from the out-of-fold answers (`record/ensembles.py`), anew for every fold, so that the average has an honest score.
The simplest wins: the average never takes the winner's place, and is only said to be better where the paired interval shows it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from weigh.findings.amounts import amount, count, gain_of, scope, share, written_level
from weigh.findings.assumptions import assumptions_of
from weigh.findings.comparison.pairs import same_folds
from weigh.findings.cost import cost_of
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.widened import of_neighbours
from weigh.findings.model import Assumption, Finding
from weigh.findings.questions import VERDICTS, asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, join_texts, text
from weigh.metrics.base import METRICS
from weigh.record.ensembles import SMOOTH, Ensemble, average_on_part, read_ensemble
from weigh.record.results import OutOfFold, Results
from weigh.stats.comparison import Difference
from weigh.stats.estimate import Estimate, digits_that_show, with_digits
from weigh.stats.interval import estimate_of, score_estimate

__all__ = ["find"]

NAME = ""  # of the average, beside the ids of candidates
SAID = {
    "better": text("it is better", "平均确实更好"),
    "equal": text("practically equal, so the simpler one is preferred", "两者实际相当，因此取更简单的"),
    "worse": text("it is worse", "平均反而更差"),
    "undecided": text("not shown to be worth it", "尚无证据表明值得这样做"),
}
FACT = "fact about the model, not estimated"
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
    further, level = ensemble.luck, evidence.level
    score = estimate_of(resampled, evidence.units, evidence.metric, claim=evidence.claim, level=level, further=further)
    return [_averaged(evidence, ensemble, score, difference)]


def _averaged(evidence: Evidence, ensemble: Ensemble, score: Estimate, difference: Difference) -> Finding:
    winner = evidence.label(str(evidence.winner))
    verdict = VERDICTS[difference.relation]
    estimates = {"score": score, "difference": gain_of(difference, evidence.metric), "level": share(evidence.level)}
    sentence = text(
        "The {t} of the average of {m} is {s}. Its difference to {w} alone is {d} (positive: the average is ahead), {x}: {v}.",
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
        l=written_level(evidence.level),
        c=scope(evidence.claim),
    )
    sentence += of_neighbours(evidence, difference, estimates)
    sentence += _to_use(evidence, ensemble, better=verdict == "yes", estimates=estimates)
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
        sentence=sentence,
        estimates=estimates,
        assumptions=[
            *assumptions_of(evidence, [str(evidence.winner)]),
            *same_folds(evidence, difference),
            Assumption(
                name=text("Members were chosen without the examples that score them", "挑选成员时未用给其评分的样本"),
                outcome="holds",
                detail=text(
                    "Chosen anew for every fold, on the out-of-fold answers about the other examples alone. The members named here were "
                    "chosen on all of them.",
                    "每一折都只根据其余样本的折外回答重新挑选成员；此处列出的成员是根据全部回答选出的。",
                ),
            ),
        ],
        candidates=[*ensemble.members],
        table=_table(evidence, ensemble),
        references=REFERENCES,
        measured=_measured(evidence, ensemble),
    )


def _alone(evidence: Evidence, ensemble: Ensemble) -> Finding:
    (name,) = ensemble.members
    estimates = {"candidates": count(len(ensemble.tried), "candidates")}
    saved = _to_use(evidence, ensemble, better=False, estimates=estimates) if evidence.results.averaged else None
    return Finding(
        id="ensemble",
        kind="ensemble",
        **asked("ensemble", "no", w=evidence.label(str(evidence.winner))),
        claim=evidence.claim,
        severity="detail",
        sentence=_nobody_helps(evidence.label(name), ensemble, estimates) + (saved or text("", "")),
        estimates=estimates,
        candidates=[name],
        references=REFERENCES,
    )


def _nobody_helps(alone: str, ensemble: Ensemble, estimates: dict[str, Estimate]) -> Text:
    """That none of those which were tried made the average better; of many candidates only the best ones are tried."""
    tried, looked = len(ensemble.tried), ensemble.looked
    if looked == tried:
        return text(
            "Of {k} candidates that could be averaged, none made the out-of-fold answers of {a} better by more than chance would.",
            "在可以参与平均的 {k} 个候选方案中，没有哪一个能使 {a} 的折外回答有超出偶然的改善。",
            k=tried,
            a=alone,
        )
    estimates["tried"] = count(looked, "candidates")
    return text(
        "Of {k} candidates that could be averaged, the {m} best were tried; none of them made the out-of-fold answers of {a} better by more than "
        "chance would.",
        "可以参与平均的候选方案有 {k} 个，只试了其中最好的 {m} 个；没有哪一个能使 {a} 的折外回答有超出偶然的改善。",
        k=tried,
        m=looked,
        a=alone,
    )


def _members(evidence: Evidence, ensemble: Ensemble, estimates: dict[str, Estimate]) -> Text:
    """ "a (60 %), b (40 %)", the largest share first."""
    listed = []
    for at, name in enumerate(_by_share(ensemble), 1):
        estimates[f"share_{at}"] = share(ensemble.members[name], method="share of the draws")
        values = {"c": evidence.label(name), "p": estimates[f"share_{at}"].value}
        listed.append(text("{c} ({p:.0f} %)", "{c}（{p:.0f} %）", **values))
    return join_texts(listed, ", ", "、")


def _by_share(ensemble: Ensemble) -> list[str]:
    return sorted(ensemble.members, key=lambda name: -ensemble.members[name])


def _times(evidence: Evidence, ensemble: Ensemble, estimates: dict[str, Estimate]) -> Text:
    """What it costs: distinct members are run one after the other, and each is kept whole."""
    results = evidence.results
    own, *members = (cost_of(results, results.candidate(name)) for name in (str(evidence.winner), *ensemble.members))
    sizes = [cost.size_bytes for cost in members if cost.size_bytes]
    work = [cost.macs for cost in members if cost.macs]
    if own.macs and len(work) == len(members):
        estimates["times"] = Estimate(value=sum(work) / own.macs, method=FACT, unit="times")
        words = text(
            "at {x} times the multiply-adds", "乘加运算量为后者的 {x} 倍", x=_few_times(estimates["times"].value)
        )
    else:
        estimates["models"] = count(len(members), "models")
        words = text("with {k} models in place of one", "需运行 {k} 个模型而非一个", k=len(members))
    if len(sizes) < len(members):
        return words
    estimates["megabytes"] = Estimate(value=sum(sizes) / 1e6, method=FACT, unit="megabytes")
    return text("{w} and with {s} MB of weights", "{w}，权重共 {s} MB", w=words, s=_three_digits(sum(sizes) / 1e6))


def _few_times(value: float) -> str:
    """ "3.0", "1.03" where little is added, and where it is a small part "0.0213"."""
    return with_digits(value, digits_that_show([value], 1, 1.0)) if value >= 1 else _three_digits(value)


def _three_digits(value: float) -> str:
    """Three significant digits, of large numbers the whole one: never "1.2e+03"."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


def _measured(evidence: Evidence, ensemble: Ensemble) -> dict[str, Any]:
    """How long the members took on this machine, added up; nothing where that is not known of all."""
    results = evidence.results
    costs = [cost_of(results, results.candidate(name)) for name in ensemble.members]
    passes = [cost.predict_seconds for cost in costs if cost.predict_seconds is not None]
    trained = [cost.train_seconds for cost in costs if cost.train_seconds is not None]
    if len(passes) < len(costs) or len(trained) < len(costs):
        return {}
    sentence = text(
        "On the machine that ran the study a prediction by all {k} members takes {p} {p:|millisecond|milliseconds}, one after the other, of networks without "
        "reading and preparing the example; a training of each took {t} {t:|second|seconds} in all (medians, added up).",
        "在运行研究的机器上，{k} 个成员依次预测一次共耗时 {p} 毫秒（网络不计样本的读取和预处理）；每个成员各训练一次共耗时 {t} 秒（中位数之和）。",
        k=len(costs),
        p=_three_digits(1000 * sum(passes)),
        t=_three_digits(sum(trained)),
    )
    return {
        "predict_milliseconds": round(1000 * sum(passes), 3),
        "train_seconds": round(sum(trained), 3),
        "sentence": sentence._asdict(),
    }


def _to_use(evidence: Evidence, ensemble: Ensemble, *, better: bool, estimates: dict[str, Estimate]) -> Text:
    """The commands that save and use it, where it is worth it; how the saved one scores on the test part."""
    saved = evidence.results.averaged
    if saved == ensemble.members and not evidence.results.average_outdated:
        beside = text(" beside the winner", "与优胜者一并") if evidence.results.spec.output.refit else Text("", "")
        sentence = text(
            "It is saved{b}: weigh predict STUDY FILE --ensemble answers with it.",
            "它已{b}保存：用 weigh predict STUDY 文件 --ensemble 即可由它作答。",
            b=beside,
        )
        if len(saved) == 1:
            return text(
                "So what is saved as the average is {a} alone: weigh predict STUDY FILE --ensemble answers with it.",
                "因此，作为平均模型保存的就是 {a} 本身：用 weigh predict STUDY 文件 --ensemble 即可由它作答。",
                a=evidence.label(next(iter(saved))),
            )
        return sentence + _tested(evidence, ensemble, estimates)
    if not (better or saved):
        return text("", "")
    estimates["refits"] = count(len(ensemble.members), "models")
    return _former(saved, ensemble) + text(
        "To save {i}: weigh run STUDY --set output.ensemble=always. That trains its {k} {k:|member|members} once more, on all training data, "
        "unless {k:|it is|they are} saved already. Then: weigh predict STUDY FILE --ensemble.",
        "若要保存{i}：weigh run STUDY --set output.ensemble=always。它的 {k} 个成员会用全部训练数据再训练一次（已保存的除外）。"
        "然后：weigh predict STUDY 文件 --ensemble。",
        i=text("that of the present results", "按现有结果得到的平均") if saved else text("it", ""),
        k=len(ensemble.members),
    )


def _former(saved: Mapping[str, float], ensemble: Ensemble) -> Text:
    """What is other about the average that is saved than about that of the results; nothing where none is saved."""
    if not saved:
        return text("", "")
    if saved == ensemble.members:
        return text(
            "The average that is saved has the same members, and was made before the last runs.",
            "已保存的平均模型成员相同，但它是在最近这些运行之前生成的。",
        )
    if saved.keys() == ensemble.members.keys():
        return text(
            "The average that is saved has the same members with other shares: it was made before the last runs.",
            "已保存的平均模型成员相同而份额不同：它是在最近这些运行之前生成的。",
        )
    return text(
        "The average that is saved has other members: it was made before the last runs.",
        "已保存的平均模型成员不同：它是在最近这些运行之前生成的。",
    )


def _tested(evidence: Evidence, ensemble: Ensemble, estimates: dict[str, Estimate]) -> Text:
    """How the refitted members score together on the test part; nothing without one."""
    results, winner = evidence.results, str(evidence.winner)
    average, own = average_on_part(results, ensemble.members), results.test(winner)
    if average is None or own is None:
        return text("", "")
    units = results.units_at(own.indices)
    trained = evidence.out_of_fold[winner].target
    for name, runs in (("test", average), ("test_winner", own)):
        measured = runs.measured(evidence.metric, trained)
        estimates[name] = score_estimate(measured, units, claim="these_models", level=evidence.level)
    estimates["test_examples"] = count(len(own.target), "examples")
    estimates["looks"] = count(results.test_looks, "looks")
    return text(
        "Refitted, it scores {a} on the test part ({n} {n:|example|examples}), {w} alone {b}; the test part was scored {k} {k:|time|times} for one candidate at most.",
        "重新拟合后，它在测试部分（{n} 个样本）上的得分为 {a}，单独使用 {w} 为 {b}；测试部分对同一候选方案最多评分过 {k} 次。",
        a=estimates["test"].format(),
        n=len(own.target),
        w=evidence.label(winner),
        b=estimates["test_winner"].format(),
        k=results.test_looks,
    )


def _table(evidence: Evidence, ensemble: Ensemble) -> list[dict[str, object]]:
    """Each member and the winner: shares, the score, and (where there are probabilities) how good these are."""
    rows, names = [], list(dict.fromkeys([*_by_share(ensemble), str(evidence.winner)]))
    marks = evidence.fold_marks(names)
    for name in names:
        runs, part = evidence.out_of_fold[name], 100 * ensemble.members.get(name, 0.0)
        described = _described(evidence, runs) | marks[name]
        rows.append({"candidate": evidence.label(name), "share": f"{part:.0f} %", **described})
    return rows


def _described(evidence: Evidence, runs: OutOfFold) -> dict[str, float]:
    metrics = [evidence.metric, *([METRICS.get(SMOOTH)] if runs.kind.probable else [])]
    scores = {metric.name: float(runs.measured(metric).score().overall) for metric in metrics}
    return {name: round(value, 4) for name, value in scores.items() if math.isfinite(value)}
