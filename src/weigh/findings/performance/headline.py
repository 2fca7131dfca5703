"""Which candidate should be used, and how well will it do?

The headline stands on cross-validation alone. It names the best candidate, its score with an interval, what that
score speaks about, and whether the candidate can be told from the runner-up. Beside it: the winner against an answer
that looks at nothing, against controls (`scratch`), all other metrics as descriptions, scores per class, and the
confusion matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from weigh.findings.amounts import amount, count, gain_of, limit, scope, share, turned, written_level
from weigh.findings.assumptions import assumptions_of
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.optimism import winner_score
from weigh.findings.judged import find_judged, say_judged
from weigh.findings.learning import nothing_learnt, usefulness
from weigh.findings.model import Finding, Verdict
from weigh.findings.performance.caveats import caveats, lead_is_lost
from weigh.findings.performance.counting import against_counting, not_shown_better
from weigh.findings.performance.descriptions import describe_classes, describe_metrics, scores_figure
from weigh.findings.performance.unlearnt import no_verdict, not_learnt
from weigh.findings.performance.yardsticks import against_controls, worth_of_pretraining
from weigh.findings.questions import asked
from weigh.findings.references import NADEAU_BENGIO
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.record.results import Candidate, Results
from weigh.stats.estimate import Estimate

__all__ = ["find"]

REFERENCES = [
    NADEAU_BENGIO,
    "Bates, Hastie & Tibshirani (2024), Cross-Validation: What Does It Estimate and How Well Does It Do It?, JASA 119",
    "Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans, SIAM",
]


@FINDINGS.named("performance")
def find(results: Results) -> list[Finding]:
    """The headline and what stands directly beside it."""
    evidence = read_evidence(results)
    if evidence.winner is None or math.isnan(evidence.scores[evidence.winner].value):
        return [no_verdict(results)]
    if evidence.once(nothing_learnt):
        return [not_learnt(evidence), describe_metrics(evidence)]
    controls = against_controls(evidence)
    findings = [
        _headline(evidence, controls),
        *_baseline(evidence),
        *against_counting(evidence),
        *controls,
        *worth_of_pretraining(evidence),
        describe_metrics(evidence),
    ]
    return [*findings, *find_judged(evidence), *describe_classes(evidence)]


def _headline(evidence: Evidence, controls: Sequence[Finding]) -> Finding:
    winner = str(evidence.winner)
    score, measured = winner_score(evidence), evidence.scores[winner]
    design = evidence.measured[winner]
    repeats, further = int(evidence.whole_repeats(winner).sum()), evidence.further_folds(winner)
    folds = evidence.results.spec.design.folds
    estimates = {
        "score": score,
        "level": share(evidence.level),
        "examples": count(int(design.present.any(axis=0).sum()), "examples"),
    }
    if evidence.claim == "these_models":
        estimates |= {"runs": count(repeats, "runs")} if repeats > 1 else {}
    else:
        estimates |= {"folds": count(folds, "folds"), "repeats": count(repeats, "repeats")}
    if evidence.partial(winner):
        estimates |= evidence.folds_estimates(winner)
    elif further and evidence.results.origin == "study":
        estimates["further_folds"] = count(further, "folds")
    values = {
        "c": evidence.label(winner),
        "m": evidence.metric.title,
        "n": int(estimates["examples"].value),
        "f": folds,
        "r": repeats,
        "k": evidence.folds_run(winner),
        "x": further,
        "l": written_level(evidence.level),
    }
    validated = text("", "") if evidence.claim == "these_models" else text("cross-validated ", "交叉验证所得")
    values |= {"v": validated, "w": _design(evidence, values)}
    if score.low is None:
        sentence = text(
            "The {v}{m} of {c} is {s} ({w}); there is too little to give an interval.",
            "{c} {v}{m}为 {s}（{w}）；数据太少，给不出区间。",
            s=score.format(),
            **values,
        )
    else:
        lead = (
            _lead(evidence, winner)
            if len(evidence.rivals) > 1
            else text("{c} is the only candidate", "{c} 是唯一的候选方案", c=values["c"])
            if sum(not c.control for c in _ever(evidence)) == 1
            else text("{c} is the only candidate with results", "只有 {c} 有结果", c=values["c"])
        )
        sentence = text(
            "{lead}: its {v}{m} is {s} ({l} % interval; {w}).",
            "{lead}：{v}{m}为 {s}（{l} % 区间；{w}）。",
            lead=lead,
            s=score.format(),
            **values,
        ) + text(
            "This speaks about {scope}.",
            "该得分说明的是{scope}。",
            scope=scope(evidence.claim, number=2 if "runs" in estimates else 1),
        )
        sentence += say_judged(evidence, estimates)
        sentence += _luck(evidence, score, measured, estimates)
    candidates, verdict, against = [winner], evidence.once(usefulness), None
    if evidence.comparisons is not None and len(evidence.ranked) > 1:
        runner_up = evidence.ranked[1]
        candidates.append(runner_up)
        against, verdict = _against_runner_up(evidence, winner, runner_up, verdict, estimates)
        sentence += against
    elif verdict != "yes":
        sentence += _doubt(evidence, verdict, estimates)
    beaten = _beaten(evidence, controls, estimates)
    sentence += beaten + not_shown_better(evidence) + caveats(evidence, estimates)
    if verdict == "yes" and (beaten.en or lead_is_lost(evidence)):
        verdict = "undecided"
    return Finding(
        id="verdict",
        kind="performance",
        **asked("verdict", verdict),
        claim=evidence.claim,
        severity="headline",
        sentence=sentence,
        estimates=estimates,
        assumptions=assumptions_of(evidence, [winner]),
        candidates=candidates,
        figure=scores_figure(evidence),
        references=REFERENCES,
    )


def _beaten(evidence: Evidence, controls: Sequence[Finding], estimates: dict[str, Estimate]) -> Text:
    """That controls, which are never recommended, are shown to be better than the winner; nothing where none is.

    Args:
        controls: What was found of them.
    """
    words = Text("", "")
    for at, finding in enumerate((one for one in controls if one.relation == "worse"), 1):
        ahead = estimates[f"control_ahead_{at}"] = turned(finding.estimates["difference"])
        words += text(
            "Yet the control {o} is better, by {d}: whether {w} should be used is not settled.",
            "但对照 {o} 更好，领先 {d}：是否应采用 {w}，尚无定论。",
            w=evidence.label(str(evidence.winner)),
            o=evidence.label(finding.candidates[1]),
            d=amount(ahead),
        )
    return words


def _luck(evidence: Evidence, score: Estimate, measured: Estimate, estimates: dict[str, Estimate]) -> Text:
    """Why the table of candidates shows another number, where it does."""
    if f"{score.value:.3f}" == f"{measured.value:.3f}":
        return text("", "")
    estimates |= {"reported": measured, "candidates": count(len(evidence.rivals), "candidates")}
    return text(
        "The table of candidates shows {x:.3f}: the best of {k} scores is partly luck, which is taken off here.",
        "候选方案表中的得分是 {x:.3f}：{k} 个得分中最好的那个总有运气成分，这里已经扣除。",
        x=measured.value,
        k=len(evidence.rivals),
    )


def _ever(evidence: Evidence) -> tuple[Candidate, ...]:
    """All candidates of the study, with those that did not run for want of time or did not go on."""
    return (*evidence.results.candidates, *evidence.results.stopped, *evidence.results.untried)


def _lead(evidence: Evidence, winner: str) -> Text:
    equal = [n for n in evidence.rivals if n != winner and evidence.scores[n].value == evidence.scores[winner].value]
    comparisons = evidence.comparisons
    assert comparisons is not None
    level = [n for n in equal if abs(comparisons.of(winner, n).estimate.value) < 1e-9]  # also in the folds in common
    if evidence.once(usefulness) != "yes":  # the highest of scores that are none
        return text("{c} has the best score", "{c} 得分最好", c=evidence.label(winner))
    if not level:
        return text("{c} comes out best", "{c} 排名第一", c=evidence.label(winner))
    return text(
        "{c} comes out best, level with {b}" + ("" if len(level) == 1 else " and others"),
        "{c} 与 {b}" + ("" if len(level) == 1 else " 等") + "并列第一",
        c=evidence.label(winner),
        b=evidence.label(level[0]),
    )


def _design(evidence: Evidence, values: dict) -> Text:
    """What a score rests on: "2624 examples, 5 folds × 5 repeats"."""
    winner = str(evidence.winner)
    if evidence.claim != "these_models" and evidence.partial(winner) and not evidence.scattered(winner):
        return text("{n} examples, {k} of {f} folds", "{n} 个样本，{f} 折中的 {k} 折", **{k: values[k] for k in "nkf"})
    if evidence.claim != "these_models" and evidence.results.origin == "study" and values["x"]:
        if not values["r"]:
            return text(
                "{n} examples, {x} folds of repeats of {f}, none of which is whole",
                "{n} 个样本，{x} 折（每次重复 {f} 折，没有一次完整）",
                **{k: values[k] for k in "nxf"},
            )
        return text(
            "{n} examples, {f} folds × {r} "
            + ("repeat" if values["r"] == 1 else "repeats")
            + " and {x} of further repeats",
            "{n} 个样本，{f} 折 × {r} 次重复，另有不完整重复中的 {x} 折",
            **{k: values[k] for k in "nfrx"},
        )
    if evidence.claim != "these_models":
        return text(
            "{n} examples, {f} folds × {r} " + ("repeat" if values["r"] == 1 else "repeats"),
            "{n} 个样本，{f} 折 × {r} 次重复",
            **{k: values[k] for k in "nfr"},
        )
    if values["r"] > 1:
        return text(
            "{n} {n:|example|examples}, mean of {r} {r:|run|runs}",
            "{n} 个样本，{r} 次运行的平均",
            n=values["n"],
            r=values["r"],
        )
    return text("{n} {n:|example|examples}", "{n} 个样本", n=values["n"])


def _doubt(evidence: Evidence, verdict: Verdict, estimates: dict[str, Estimate]) -> Text:
    if math.isnan(evidence.blind.score):
        return text(
            "Whether it has learnt anything cannot be told from these labels.", "凭这些标注无法判断它是否学到了东西。"
        )
    estimates["baseline"] = Estimate(
        value=evidence.blind.score, method=evidence.blind.short.en, unit=evidence.metric.unit
    )
    values = {"b": f"{evidence.blind.score:.3f}", "a": evidence.blind.doing}
    if verdict == "no":
        return text(
            "That is worse than {a} ({b}): do not use it.",
            "这还不如{a}（{b}）：请不要使用。",
            **values,
        )
    return text(
        "Whether that is better than {a} ({b}) is not settled.",
        "它是否优于{a}（{b}），尚无定论。",
        **values,
    )


def _against_runner_up(
    evidence: Evidence, winner: str, runner_up: str, useful: Verdict, estimates: dict[str, Estimate]
) -> tuple[Text, Verdict]:
    comparisons = evidence.comparisons
    assert comparisons is not None
    difference = comparisons.of(winner, runner_up)
    gain = gain_of(difference, evidence.metric)
    if not math.isnan(gain.value):
        estimates["difference"] = gain
    others = {
        a: [comparisons.of(a, b).relation for b in comparisons.candidates if b != a] for a in comparisons.candidates
    }
    standing = [name for name, relations in others.items() if "worse" not in relations]  # as the pairs show it
    estimates["candidates"] = count(len(comparisons.candidates), "candidates")
    values = {"b": evidence.label(runner_up), "d": amount(gain)}
    if useful != "yes":
        return _doubt(evidence, useful, estimates), useful
    if difference.relation == "better":
        sentence = text(
            "It is better than the runner-up, {b}, by {d}",
            "它优于第二名 {b}，领先 {d}",
            **values,
        )
        tail = (
            text(", a difference too small to matter in practice.", "，但差距小到没有实际意义。")
            if difference.negligible
            else text(".", "。")
        )
        alone = standing == [winner]
        return Text(sentence.en + tail.en, sentence.zh + tail.zh), "yes" if alone else "undecided"
    estimates["standing"] = count(len(standing), "candidates")
    if difference.relation == "worse":  # its score is the best over all of its runs, and not over those that both have
        estimates["difference"] = turned(gain)
        return text(
            "Yet in the runs that both have the runner-up, {b}, is better, by {d}: the two do not agree.",
            "但在两者共有的运行中，第二名 {b} 更好，领先 {d}：两者不一致。",
            b=values["b"],
            d=amount(estimates["difference"]),
        ), "undecided"
    values["all"] = _standing(len(standing), len(comparisons.candidates))
    if difference.relation == "equal":
        estimates["rope"] = Estimate(
            value=100 * evidence.rope if evidence.metric.unit == "score" else evidence.rope,
            method="as set",
            unit=gain.unit,
        )
        sentence = text(
            "The runner-up, {b}, is practically as good: the difference is {d}, within ±{e}. {all}",
            "第二名 {b} 实际上同样好：差值为 {d}，在 ±{e}之内。{all}",
            e=limit(estimates["rope"]),
            **values | {"d": amount(gain, -estimates["rope"].value, estimates["rope"].value)},
        )
        return sentence, "undecided"
    if gain.low is None:
        return text(
            "Whether it is better than the runner-up, {b}, cannot be told. {all}",
            "它是否优于第二名 {b}，无从判断。{all}",
            **values,
        ), "undecided"
    sentence = text(
        "Whether it is really better than the runner-up, {b}, is not settled: the difference of {d} may be chance. "
        "{all}",
        "它是否真的优于第二名 {b}，尚无定论：{d} 的差距可能只是偶然。{all}",
        **values,
    )
    return sentence, "undecided"


def _standing(p: int, k: int) -> Text:
    """How many of the candidates may still be the best."""
    if p < k:
        return text(
            "{p} of {k} candidates {p:|is|are} not shown to be worse than another.",
            "{k} 个候选方案中有 {p} 个未被证明逊于其他方案。",
            p=p,
            k=k,
        )
    if k == 2:
        return text("Neither is shown to be worse.", "两者都未被证明更差。")
    return text(
        "None of the {k} candidates is shown to be worse than another.", "{k} 个候选方案都未被证明逊于其他方案。", k=k
    )


def _baseline(evidence: Evidence) -> list[Finding]:
    winner = str(evidence.winner)
    if math.isnan(evidence.blind.score):
        return []  # the metric is not defined for a constant answer
    verdict = evidence.once(usefulness)
    score, base = winner_score(evidence), evidence.blind.score
    answer = {
        "yes": text("It has learnt something", "确实学到了东西"),
        "no": text("It is worse than looking at nothing", "还不如{x}", x=evidence.blind.short),
        "undecided": text("It is not certain that it has learnt anything", "尚不能确定它学到了东西"),
    }[verdict]
    return [
        Finding(
            id="performance:baseline",
            kind="performance",
            **asked("performance:baseline", verdict, a=evidence.blind.doing),
            claim=evidence.claim,
            severity="evidence" if verdict == "yes" else "problem",
            sentence=text(
                "{a}: the {m} of {c} is {s}; {o} reaches {b}.",
                "{a}：{c} 的{m}为 {s}，{o}则为 {b}。",
                a=answer,
                o=evidence.blind.doing,
                c=evidence.label(winner),
                m=evidence.metric.title,
                s=score.format(),
                b=f"{base:.3f}",
            ),
            estimates={
                "score": score,
                "baseline": Estimate(
                    value=base, n=score.n, n_unit=score.n_unit, method=evidence.blind.short.en, unit=score.unit
                ),
            },
            assumptions=assumptions_of(evidence, [winner]),
            candidates=[winner],
        )
    ]
