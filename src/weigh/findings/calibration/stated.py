"""Can the winner's probabilities be taken at face value?

The saved model divides its logits by the temperature named here. "Before" are the probabilities as trained; "after" are those of each fold
with a temperature that the other folds chose, so that nothing is judged on what it was fitted to.
"""

from __future__ import annotations

from typing import Literal

from weigh.findings.calibration.measured import Described, Stage, describe, measure_stage
from weigh.findings.copied import copied_at, independent_sets, independent_units
from weigh.findings.evidence import read_evidence
from weigh.findings.generalisation.widened import of_neighbours_at
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.record.results import Results
from weigh.stats.estimate import Estimate
from weigh.stats.resampling import draw_weights

__all__ = ["TOLERANCE", "find"]

TOLERANCE = 0.05  # a stated 0.80 that means 0.75 to 0.85 is still read as 0.80 by people; stated in the sentence
FEW_DRAWS = 200  # for candidates that only stand in the table
SAME_SOURCE = Assumption(
    name=text(
        "New examples come from the same source, with the same shares of the classes",
        "新样本来源相同，且各类别占比相同",
    ),
    outcome="unchecked",
)
REFERENCES = [
    "Guo et al. (2017), On Calibration of Modern Neural Networks, ICML",
    "Kumar, Liang & Ma (2019), Verified Uncertainty Calibration, NeurIPS",
    "Bröcker & Smith (2007), Increasing the Reliability of Reliability Diagrams, Weather and Forecasting",
]


@FINDINGS.named("calibration")
def find(results: Results) -> list[Finding]:
    """One finding about the winner, with every candidate in its table and figure."""
    evidence = read_evidence(results)
    weights = draw_weights(evidence.rng("calibration"), independent_units(evidence), evidence.draws)
    described = {
        name: describe(evidence, name, weights if name == evidence.winner else weights[:FEW_DRAWS])
        for name in evidence.out_of_fold
    }
    if not described:
        return []  # nothing ran: the performance finding says so
    rows = [_row(results, name, candidate) for name, candidate in described.items()]
    if not any(candidate.scaled for candidate in described.values()):
        columns = ("candidate", "calibration_error_before", "log_loss_before", "brier_before")
        rows = [{key.removesuffix("_before"): row[key] for key in columns} for row in rows]
    common = {
        "kind": "calibration",
        "claim": "these_models",
        "figure": _figure(results, described, evidence.winner),
        "table": rows,
        "references": REFERENCES,
    }
    if (winner := evidence.winner) is None:
        sentence = text(
            "No candidate has been chosen yet; the table describes the probabilities of each.",
            "尚未选出候选方案；各方案的概率质量见下表。",
        )
        common |= {**asked("calibration", "undecided"), "sentence": sentence}
        return [Finding(id="calibration", **common)]
    return [_judge(results, winner, described[winner], common)]


def judge_error(error: Estimate) -> Verdict:
    """ "yes" where the whole interval is within the tolerance, "no" where all of it is beyond."""
    if error.low is None or error.high is None:
        return "undecided"
    return "yes" if error.high <= TOLERANCE else "no" if error.low > TOLERANCE else "undecided"


def _judge(results: Results, winner: str, winners: Described, common: dict) -> Finding:
    if not winners.scaled:
        return _judge_as_stated(results, winner, winners, common)
    before, after = winners.before, winners.after
    verdict = judge_error(after.error)
    saved = _is_saved(results)
    estimates = {
        "calibration_error": after.error,
        "calibration_error_before": before.error,
        "confidence_minus_accuracy": before.excess,
        "temperature": Estimate(
            value=winners.temperature,
            n=after.error.n,
            n_unit=after.error.n_unit,
            unit="1",
            method="minimum of the log loss over all out-of-fold logits; no interval",
        ),
        "tolerance": Estimate(value=TOLERANCE, method="chosen, not estimated"),
        "log_loss_before": before.log_loss,
        "log_loss": after.log_loss,
        "log_loss_gain": winners.gain,
        "brier_before": before.brier,
        "brier": after.brier,
    }
    sentence = _say(results, winner, winners, saved=saved) + _meaning(verdict)
    sentence += of_neighbours_at(read_evidence(results), after.error, TOLERANCE, estimates)
    assumptions = [
        Assumption(
            name=text(
                "The refitted model is as sure of itself as the models of the folds",
                "重新拟合的模型与各折模型的自信程度相同",
            )
            if results.origin == "study"
            else text(
                "Whatever model is used is as sure of itself as the models of the folds",
                "实际使用的模型与各折模型的自信程度相同",
            ),
            outcome="unchecked",
        )
    ]
    tested = _on_test(results, winner, winners.temperature)
    if tested is not None and judge_error(tested) == "no" and verdict != "no":
        verdict = "no"
        sentence += text(
            "But on the test part they are off by {e}, beyond that.",
            "但在测试部分上平均相差 {e}，超出了这一限度。",
            e=tested.format(3, TOLERANCE),
        )
    if tested is not None:
        estimates["calibration_error_test"] = tested
        outcome = _on_test_as_in_folds(tested, after.error)
        detail = text(
            "On the test part, which chose nothing, the refitted model with this temperature is off by {e}.",
            "测试部分没有参与任何选择；重新拟合的模型用这一温度，在测试部分上平均相差 {e}。",
            e=tested.format(3, TOLERANCE),
        )
        if outcome == "unchecked":
            detail += text(
                "These examples are too few to confirm it or to contradict it.", "这些样本太少，既不能证实也不能否定。"
            )
        assumptions[0] = assumptions[0].model_copy(update={"outcome": outcome, "detail": detail})
    return Finding(
        id="calibration",
        **asked("calibration", verdict),
        sentence=sentence,
        estimates=estimates,
        assumptions=[*assumptions, *independent_sets(read_evidence(results)), SAME_SOURCE],
        candidates=[winner],
        next=_next(verdict),
        **common,
    )


def _on_test_as_in_folds(tested: Estimate, folds: Estimate) -> Literal["holds", "violated", "unchecked"]:
    """Whether the refitted model is no further off than those of the folds: shown where all of the test part's interval is within theirs, or within
    the tolerance. Two intervals that overlap show nothing.
    """
    if tested.low is None or tested.high is None or folds.high is None:
        return "unchecked"
    if tested.low > folds.high:
        return "violated"
    return "holds" if tested.high <= max(folds.high, TOLERANCE) else "unchecked"


def _is_saved(results: Results) -> bool:
    """Whether there is, or will be, a saved model with this temperature."""
    return results.origin == "study" and results.spec.output.refit


def _say(results: Results, winner: str, described: Described, *, saved: bool) -> Text:
    """How far stated and true are apart, as trained and with the temperature."""
    after = described.after
    return _as_trained(results, winner, described.before) + text(
        "With a temperature fitted on the other folds ({s}: {t}) they differ by {a}{g}.",
        "用其余各折拟合温度后（{s} {t}），平均相差 {a}{g}。",
        s=text("in the saved model", "保存的模型中温度为") if saved else text("over all", "全部数据上为"),
        t=f"{described.temperature:.2f}",
        a=after.error.format(3, TOLERANCE),
        g=_gain(described.gain),
    )


def _as_trained(results: Results, winner: str, before: Stage) -> Text:
    """How far they are apart as trained; of several labels the probability of each is stated, whether it is there or not."""
    stated = (
        text("what it states and how often it is right", "概率，与实际正确率")
        if results.examples.kind.exclusive
        else text(
            "the probabilities that it states of labels and how often these are there",
            "各标签概率，与标签实际出现的频率",
        )
    )
    return text(
        "{w} as trained: {s} differ by {b} on average{d}.",
        "{w} 训练后直接给出的{s}平均相差 {b}{d}。",
        w=results.candidate(winner).label,
        s=stated,
        b=before.error.format(3, TOLERANCE),
        d=_direction(before, exclusive=results.examples.kind.exclusive),
    )


def _judge_as_stated(results: Results, winner: str, winners: Described, common: dict) -> Finding:
    """There are no other folds to fit a temperature on, as of trained models on a test set: the probabilities are judged as they are.

    A model that is saved states others, for its temperature is fitted to the fold that ran: only a test part can judge those.
    """
    stated = winners.before
    verdict = judge_error(stated.error)
    estimates = {
        "calibration_error": stated.error,
        "confidence_minus_accuracy": stated.excess,
        "tolerance": Estimate(value=TOLERANCE, method="chosen, not estimated"),
        "log_loss": stated.log_loss,
        "brier": stated.brier,
    }
    if results.origin != "study":
        steps = _next(verdict)
        sentence = text(
            "{w}: what it states and how often it is right differ by {b} on average{d}.",
            "{w} 给出的概率与实际正确率平均相差 {b}{d}。",
            w=results.candidate(winner).label,
            b=stated.error.format(3, TOLERANCE),
            d=_direction(stated, exclusive=True),
        ) + _meaning(verdict)
        sentence += of_neighbours_at(read_evidence(results), stated.error, TOLERANCE, estimates)
    else:
        sentence = _as_trained(results, winner, stated)
        temperature, tested = winners.temperature, _on_test(results, winner, winners.temperature)
        method = "minimum of the log loss over the examples of one fold; no interval"
        estimates["temperature"] = Estimate(
            value=temperature, n=stated.error.n, n_unit=stated.error.n_unit, unit="1", method=method
        )
        sentence += _of_saved(temperature, tested, saved=_is_saved(results))
        if tested is None:
            verdict, steps = "undecided", []
        else:
            verdict, estimates["calibration_error_test"] = judge_error(tested), tested
            sentence, steps = sentence + _meaning(verdict), _next(verdict)
    return Finding(
        id="calibration",
        **asked("calibration", verdict),
        sentence=sentence,
        estimates=estimates,
        assumptions=[*independent_sets(read_evidence(results)), SAME_SOURCE],
        candidates=[winner],
        next=steps,
        **common,
    )


def _of_saved(temperature: float, tested: Estimate | None, *, saved: bool) -> Text:
    """What is known of the probabilities that a saved model states, where one fold ran; `saved`: one is."""
    values = {
        "t": f"{temperature:.2f}",
        "m": text("The saved model", "保存的模型") if saved else text("A model that is saved", "若保存模型，它"),
    }
    if tested is None:
        return text(
            "{m} divides its logits by a temperature of {t}, fitted on these same examples: what it states then has not been judged.",
            "{m}会用温度 {t} 缩放其输出，而该温度就是用这些样本拟合的：校准后的概率尚未检验。",
            **values,
        )
    return text(
        "{m} divides its logits by a temperature of {t}, fitted on these same examples; on the test part, which chose nothing, "
        "what it states then and how often it is right differ by {e} on average.",
        "{m}会用温度 {t} 缩放其输出，而该温度就是用这些样本拟合的；测试部分没有参与任何选择，在其上校准后的概率与实际正确率平均相差 {e}。",
        e=tested.format(3, TOLERANCE),
        **values,
    )


def _meaning(verdict: Verdict) -> Text:
    return {
        "yes": text(
            "The whole interval is within {tol}: on data like these they can be taken at face value.",
            "整个区间都在 {tol} 以内：对同类数据，可以直接采信这些概率。",
            tol=TOLERANCE,
        ),
        "no": text(
            "The whole interval is beyond {tol}: use them to rank, not as probabilities.",
            "整个区间都超出 {tol}：它们可以用来排序，但不能当作概率使用。",
            tol=TOLERANCE,
        ),
        "undecided": text(
            "The interval has values on both sides of {tol}: these examples cannot settle it.",
            "区间跨越了 {tol}：仅凭这些样本还无法判断。",
            tol=TOLERANCE,
        ),
    }[verdict]


def _next(verdict: Verdict) -> list[Text]:
    narrow = text("Label more examples: only they narrow this interval.", "标注更多样本：只有这样才能缩窄该区间。")
    items = {
        "undecided": narrow,
        "no": text(
            "Do not set thresholds by the stated probabilities; choose them on labelled examples.",
            "不要按模型给出的概率来定阈值，请用有标注的样本来选。",
        ),
    }
    return [items[verdict]] if verdict in items else []


def _direction(stage: Stage, *, exclusive: bool) -> Text:
    """Whether it is too sure or too unsure; of several labels, whether they are stated to be too probable: a low probability can be too sure as well."""
    excess, sided = stage.excess, stage.error.low != 0  # what may be no error at all has no side
    if not exclusive and sided and excess.low is not None and excess.low > 0:
        return text(" (labels are stated to be too probable, by {x})", "（标签的概率整体偏高 {x}）", x=excess.format())
    if not exclusive and sided and excess.high is not None and excess.high < 0:
        return text(
            " (labels are stated to be too improbable: stated minus true is {x})",
            "（标签的概率整体偏低：给出的减去实际的为 {x}）",
            x=excess.format(),
        )
    if sided and excess.low is not None and excess.low > 0:
        return text(" (too sure of itself, by {x})", "（过于自信，高出 {x}）", x=excess.format())
    if sided and excess.high is not None and excess.high < 0:
        return text(
            " (too unsure: confidence minus accuracy is {x})", "（不够自信：置信度减去正确率为 {x}）", x=excess.format()
        )
    return text("", "")


def _gain(gain: Estimate) -> Text:
    if gain.low is not None and gain.low > 0:
        return text("; the log loss falls by {g} nats", "；对数损失下降 {g} 奈特", g=gain.format())
    if gain.high is not None and gain.high < 0:
        return text(
            "; it makes the log loss worse (gain {g} nats)", "；它反而使对数损失变差（增益 {g} 奈特）", g=gain.format()
        )
    return text("; whether the log loss gets better is undecided", "；对数损失是否改善尚无定论")


def _on_test(results: Results, winner: str, temperature: float) -> Estimate | None:
    """The refitted winner on the test part, scaled; None without a test part."""
    tested = results.test(winner)
    if tested is None or not tested.complete.all():
        return None
    evidence = read_evidence(results)
    copied = copied_at(results, tested.indices)
    units = results.units_at(tested.indices) if copied is None else copied.units
    weights = draw_weights(evidence.rng("calibration on the test part"), units, evidence.draws)
    return measure_stage(
        tested.kind, tested.answers / temperature, tested.present, tested.target, weights, units, evidence.level
    ).error


def _row(results: Results, name: str, described: Described) -> dict:
    return {
        "candidate": results.candidate(name).label,
        "calibration_error_before": described.before.error.format(3, TOLERANCE),
        "calibration_error": described.after.error.format(3, TOLERANCE) if described.scaled else "–",
        "log_loss_before": described.before.log_loss.format(),
        "log_loss": described.after.log_loss.format() if described.scaled else "–",
        "brier_before": described.before.brier.format(),
        "brier": described.after.brier.format() if described.scaled else "–",
        "temperature": f"{described.temperature:.2f}",
    }


def _figure(results: Results, described: dict[str, Described], winner: str | None) -> Figure:
    """The winner, about whom the sentence is, stands first: of many candidates only the first are drawn."""
    drawn = sorted(described.items(), key=lambda one: one[0] != winner)
    rows = [
        {
            "candidate": results.candidate(name).label,
            "stage": stage,
            "confidence": round(bar.confidence, 4),
            "accuracy": round(bar.accuracy, 4),
            "n": round(bar.n, 1),
        }
        for name, candidate in drawn
        for stage, measured in (("before", candidate.before), ("after", candidate.after))[
            : 2 if candidate.scaled else 1
        ]
        for bar in measured.bars
    ]
    return Figure(
        kind="reliability",
        title=text("Stated confidence and how often it was right", "模型给出的置信度与实际正确率"),
        rows=rows,
        fields={
            "confidence": text("stated confidence", "给出的置信度"),
            "accuracy": text("share that was right", "实际正确率"),
            "n": text("examples in the bin", "区间内样本数"),
        },
        options={"diagonal": True},
    )
