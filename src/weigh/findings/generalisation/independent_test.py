"""Will it hold on new examples? Training score, cross-validation and independent test side by side, and the luck of having chosen the best.

The test part speaks about `these_models`: the refitted networks as they are, on examples that no choice has seen. It
is read once; every further look makes it a little more like training data, so the looks are counted and said.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from weigh.findings.amounts import amount, count, counted_units, scaled
from weigh.findings.copied import copies_of_test
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.choice import find_choice
from weigh.findings.generalisation.optimism import RELATIVE, find_optimism, winner_score
from weigh.findings.generalisation.order_checks import check_order
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.progress import GO_ON, RETRY
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.findings.targets import answer_blindly
from weigh.language import Text, text
from weigh.metrics.base import Metric
from weigh.record.results import Results
from weigh.stats.estimate import Estimate
from weigh.stats.interval import quantile, score_estimate

__all__ = ["GIVE_A_TEST", "find", "part_scores"]

TOLERANCE = 5.0  # points: a larger drop on the test part would change what one expects of a model
GAP = 2.0  # points: training scores closer than this to cross-validation are no sign of memorising
LOOKS = {1: text("once", "一次"), 2: text("twice", "两次")}
GIVE_A_TEST = text(
    "Give a test folder (data.test), best from where the model will be used, or set design.test: 0.2.",
    "请提供测试文件夹（data.test，最好来自模型的实际使用场景），或设置 design.test: 0.2。",
)
EASIER = {  # by whether the test part was drawn from the same data
    True: text("the test part may happen to be easier", "测试部分可能碰巧更容易"),
    False: text("the test part may be easier, or come from elsewhere", "测试部分可能更容易，或来自别处"),
}


@FINDINGS.named("generalisation")
def find(results: Results) -> list[Finding]:
    """Test, training gap, and optimism of the choice; each says so where it cannot be answered."""
    evidence = read_evidence(results)
    if evidence.winner is None:
        return []  # nothing was scored: the headline says so
    tested = results.test(evidence.winner)
    beside = evidence if tested is None else evidence.beside(tested.target)
    tests = part_scores(results, evidence.metric, evidence.level, beside=evidence.out_of_fold[evidence.winner].target)
    trained = {name: _train_score(results, name, evidence.metric.name) for name in evidence.measured}
    figure = _figure(beside, tests, trained)
    return [
        _test(beside, tests, figure),
        *find_choice(evidence),
        *_train(evidence, trained, None if tests else figure),
        *find_optimism(evidence),
    ]


def part_scores(
    results: Results, metric: Metric, level: float, part: str = "test", *, beside: np.ndarray | None = None
) -> dict[str, Estimate]:
    """Candidate id -> score of the refitted candidate on the test part, or on a further test set ("shift:NAME").

    Args:
        beside: Targets of what it is compared with (`OutOfFold.measured`).
    """
    scores = {}
    for candidate in results.candidates:
        tested = results.test(candidate.id, part)
        if tested is None:
            continue
        units = results.units_at(tested.indices)
        measured = tested.measured(metric) if beside is None else tested.measured(metric, beside)
        scores[candidate.id] = score_estimate(measured, units, claim="these_models", level=level)
    return scores


def _train_score(results: Results, name: str, metric: str) -> float:
    values = [run.facts.get("train_scores", {}).get(metric) for run in results.runs(candidate=name)]
    finite = [float(v) for v in values if v is not None and math.isfinite(float(v))]
    return float(np.mean(finite)) if finite else math.nan


def _test(evidence: Evidence, tests: dict[str, Estimate], figure: Figure) -> Finding:
    winner = str(evidence.winner)
    if winner not in tests or math.isnan(tests[winner].value) or math.isnan(evidence.scores[winner].value):
        return _no_score(evidence, tests)
    test, validated = tests[winner], winner_score(evidence)
    gap, verdict = _gap(evidence, test, validated)
    looks, drawn = evidence.results.test_looks, evidence.results.spec.design.test > 0
    higher = gap.low is not None and gap.low > scaled(evidence.rope, evidence.metric).value
    estimates = {
        "test": test,
        "cross_validation": validated,
        "gap": gap,
        "examples": count(test.n, test.n_unit),
        "looks": count(looks, "looks"),
        **evidence.folds_estimates(winner),
    }
    values = {
        "c": evidence.label(winner),
        "m": evidence.metric.title,
        "t": test.format(),
        "v": validated.format(),
        "b": evidence.validation(winner),
        "n": test.n,
        "u": counted_units(test.n, test.n_unit),
        "g": amount(gap),
        "k": LOOKS.get(looks, text("{n} times", " {n} 次", n=looks)),
    }
    sentence = text(
        "Refitted on all training data, {c} scores {t} ({m}) on the test part ({n} {u}); {b} said {v}.",
        "{c} 用全部训练数据重新训练后，在测试部分（{n} {u}）上的{m}为 {t}；{b}为 {v}。",
        **values,
    )
    sentence += _same_classes(evidence, estimates)
    sentence += _holds("higher" if higher else "no interval" if gap.low is None else verdict, values, EASIER[drawn])
    sentence, poor = _against_blind(evidence, test, sentence, estimates)
    sentence += text("The test part was scored {k}.", "测试部分共评分{k}。", **values)
    if drawn:  # the same neighbours and the same conditions stand on both sides
        sentence += text(
            "It was drawn at random from the same data: it speaks about examples like these, not about another source.",
            "它是从同一份数据中随机抽出的：只能说明同类样本上的得分，不能说明其他来源。",
        )
    return Finding(
        id="generalisation:test",
        kind="generalisation",
        **asked("generalisation:test", verdict),
        claim="these_models",
        severity="problem" if verdict == "no" or poor else "evidence",
        sentence=sentence,
        estimates=estimates,
        assumptions=[*copies_of_test(evidence, winner), *_assume(evidence, values["k"], higher=higher, drawn=drawn)],
        candidates=[winner],
        figure=figure,
        table=[
            {
                "candidate": evidence.label(name),
                "value": round(score.value, 4),
                "low": None if score.low is None else round(score.low, 4),
                "high": None if score.high is None else round(score.high, 4),
                "n": score.n,
            }
            for name, score in tests.items()
            if not math.isnan(score.value)
        ],
    )


def _holds(answer: str, values: dict[str, Any], easier: Text) -> Text:
    """Whether the score holds there: "yes", "no", "undecided", it is "higher", or there is "no interval"."""
    if answer == "no interval":
        return text(
            "Whether it holds cannot be told: the difference is {g}, without an interval.",
            "是否成立无法判断：差值为 {g}，给不出区间。",
            **values,
        )
    if answer == "yes":
        return text("The score holds: the difference is {g}.", "得分成立：差值为 {g}。", **values)
    if answer == "no":
        return text("The score does not hold: the difference is {g}.", "得分不成立：差值为 {g}。", **values)
    if answer == "undecided":
        return text(
            "Whether it holds is not settled: the difference is {g}, too wide to exclude a serious drop.",
            "是否成立尚无定论：差值为 {g}，区间太宽，不能排除明显下降。",
            **values,
        )
    return text(
        "The score does not fall off; it is better than {b} promised, by {g}: {w}, and having more training "
        "examples may add to it.",
        "得分没有变差，反而比{b}给出的更好，相差 {g}：{w}，训练样本更多也可能有所贡献。",
        w=easier,
        **values,
    )


def _assume(evidence: Evidence, scored: Any, *, higher: bool, drawn: bool) -> list[Assumption]:
    return [
        Assumption(
            name=text("The test part took no part in any choice", "测试部分未参与任何选择"),
            outcome="holds" if evidence.results.test_looks <= 1 else "doubtful",
            detail=text("It was scored {k}.", "共评分{k}。", k=scored),
        ),
        Assumption(
            name=text("New examples are like the test part", "新样本与测试部分同类"),
            outcome="doubtful"
            if higher or (drawn and any(c.alarm for c in evidence.once(check_order).checks))
            else "unchecked",
            detail=text(
                "They may be harder: count on the score of {b}.",
                "新样本可能更难：请以{b}的得分为准。",
                b=evidence.validation(str(evidence.winner)),
            )
            if higher
            else None,
        ),
    ]


def _no_score(evidence: Evidence, tests: dict[str, Estimate]) -> Finding:
    """Why there is no score of the winner on a test part: none was given, it was not reached, its refit failed, or no score is defined."""
    results, winner = evidence.results, str(evidence.winner)
    n = len(results.examples.where("test"))
    failed = [run for run in results.runs("refit", candidate=winner, status="failed") if run.cause]
    estimates = evidence.folds_estimates(winner) | ({"examples": count(n, "examples")} if n else {})
    values = {
        "n": n,
        "m": evidence.metric.title,
        "c": evidence.label(winner),
        "w": failed[0].cause.rstrip(".") if failed else "",
        "b": evidence.validation(winner),
    }
    proposal = GO_ON
    if not n:
        sentence = text(
            "There is no test part: what is said of {c} rests on {b}."
            if estimates
            else "There is no test part: everything here rests on {b}.",
            "没有测试部分：对 {c} 的结论都依据{b}。" if estimates else "没有测试部分：这里的一切都依据{b}。",
            **values,
        )
        proposal = GIVE_A_TEST
    elif winner in tests and evidence.metric.judged is not None:
        sentence = text(
            "On the test part ({n} {n:|example|examples}) the {m} speaks of no class: none stands in enough examples of it and of the training part.",
            "在测试部分（{n} 个样本）上，{m}不涉及任何类别：没有哪个类别在测试部分和训练部分中都足够多。",
            **values,
        )
        proposal = text(
            "Give a larger test part (design.test or data.test).", "请提供更大的测试部分（design.test 或 data.test）。"
        )
    elif winner in tests:
        sentence = text(
            "The {m} is not defined on the test part ({n} {n:|example|examples}): its labels are too much alike to be told apart.",
            "在测试部分（{n} 个样本）上，{m}没有定义：那里的标注过于单一，无从区分。",
            **values,
        )
        proposal = text(
            "Give a test part with labels that differ (data.test).", "请提供标注有差异的测试部分（data.test）。"
        )
    elif failed:
        sentence = text(
            "The test part ({n} {n:|example|examples}) has no score: training {c} on all training data failed ({w}).",
            "测试部分（{n} 个样本）没有得分：用全部训练数据重新训练 {c} 时失败（{w}）。",
            **values,
        )
        proposal = RETRY
    else:
        sentence = text(
            "The test part ({n} {n:|example|examples}) has not been scored yet: so far everything rests on {b}.",
            "测试部分（{n} 个样本）尚未评分：目前的一切都依据{b}。",
            **values,
        )
    return Finding(
        id="generalisation:test",
        kind="generalisation",
        **asked("generalisation:test", "undecided"),
        severity="detail",
        sentence=sentence,
        estimates=estimates,
        candidates=[winner],
        next=[proposal],
    )


def _same_classes(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    """The sentence that fewer classes can be judged on both parts than in cross-validation, where it is so."""
    winner = str(evidence.winner)
    trained, tested = evidence.out_of_fold[winner].target, evidence.results.test(winner)
    alone = evidence.metric.judged_on(trained)
    both = None if tested is None else evidence.metric.judged_on(trained, tested.target)
    if alone is None or both is None or len(both) == len(alone):
        return text("", "")
    estimates["judged_on_both"] = count(len(both), "classes")
    return text(
        "Both speak of the {k} {k:|class that stands|classes that stand} in enough pictures of both parts.",
        "两者都只涉及在两部分图片中都足够多的 {k} 个类别。",
        k=len(both),
    )


def _against_blind(
    evidence: Evidence, test: Estimate, sentence: Text, estimates: dict[str, Estimate]
) -> tuple[Text, bool]:
    """The sentence, with what an answer that looks at nothing reaches there, unless the score is above it; whether it is below."""
    tested = evidence.results.test(str(evidence.winner))
    if tested is None or test.low is None or test.high is None:
        return sentence, False
    blind = answer_blindly(evidence.metric, tested.kind, tested.target, len(evidence.results.examples.classes))
    sign = 1.0 if evidence.metric.greater_is_better else -1.0
    worst, best = sorted((sign * test.low, sign * test.high))
    if math.isnan(blind.score) or worst > sign * blind.score:
        return sentence, False
    estimates["blind"] = Estimate(
        value=blind.score, n=test.n, n_unit=test.n_unit, method=blind.short.en, unit=evidence.metric.unit
    )
    values = {"a": blind.doing, "b": f"{blind.score:.3f}"}
    if best < sign * blind.score:
        return sentence + text("There it is worse than {a} ({b}).", "在那里，它还不如{a}（{b}）。", **values), True
    return sentence + text(
        "Whether it is better there than {a} ({b}) is not settled.",
        "在那里，它是否优于{a}（{b}），尚无定论。",
        **values,
    ), False


def _gap(evidence: Evidence, test: Estimate, validated: Estimate) -> tuple[Estimate, Verdict]:
    """Test minus cross-validation, positive where the test is better; both parts are independent samples."""
    metric = evidence.metric
    sign = 1.0 if metric.greater_is_better else -1.0
    gap = scaled(sign * (test.value - validated.value), metric, of=test, method="difference of independent samples")
    if test.low is None or test.high is None or validated.low is None or validated.high is None:
        return gap, "undecided"
    # Half widths of the intervals combine like standard errors; the small sample decides the quantile already
    half = math.hypot(test.high - test.low, validated.high - validated.low) / 2
    half *= max(1.0, quantile(evidence.level, max(test.n - 1, 1)) / quantile(evidence.level, 1e9))
    half = scaled(half, metric).value
    ends = {"low": gap.value - half, "high": gap.value + half, "level": evidence.level}
    gap = gap.model_copy(update=ends)
    tolerance = TOLERANCE if metric.unit == "score" else 10 * metric.rope or RELATIVE * abs(validated.value)
    if gap.high is not None and gap.high < 0:
        return gap, "no"
    return gap, "yes" if gap.low is not None and gap.low > -tolerance else "undecided"


def _train(evidence: Evidence, trained: dict[str, float], figure: Figure | None) -> list[Finding]:
    winner = str(evidence.winner)
    train, validated = trained[winner], winner_score(evidence)
    if math.isnan(train) or math.isnan(validated.value):
        return []  # the recipe reports no training score
    sign = 1.0 if evidence.metric.greater_is_better else -1.0
    gap = scaled(
        sign * (train - validated.value), evidence.metric, of=validated, method="difference of means, no interval"
    )
    rope = evidence.metric.rope
    threshold = GAP if evidence.metric.unit == "score" else 2 * rope or RELATIVE * abs(validated.value)
    memorises = gap.value > threshold
    sentence = text(
        "On the examples it was trained on, the {m} of {c} is {t:.3f}, in {b} {v:.3f}: a gap of {g}.",
        "{c} 在自己的训练样本上的{m}为 {t:.3f}，{b}为 {v:.3f}：相差 {g}。",
        c=evidence.label(winner),
        m=evidence.metric.title,
        t=train,
        b=evidence.validation(winner),
        v=validated.value,
        g=amount(gap),
    ) + (
        text(
            "It has partly memorised its training examples; only the second number says what to expect.",
            "它在一定程度上记住了训练样本；只有后一个数字说明实际可期待的效果。",
        )
        if memorises
        else text("There is no sign that it has memorised its training examples.", "没有记住训练样本的迹象。")
    )
    return [
        Finding(
            id="generalisation:train",
            kind="generalisation",
            **asked("generalisation:train", "yes" if memorises else "no"),
            severity="detail",
            sentence=sentence,
            estimates={
                "train": Estimate(value=train, method="mean over runs", unit=evidence.metric.unit),
                "cross_validation": validated,
                "gap": gap,
                **evidence.folds_estimates(winner),
            },
            candidates=[winner],
            figure=figure,
        )
    ]


def _figure(evidence: Evidence, tests: dict[str, Estimate], trained: dict[str, float]) -> Figure:
    rows, marks = [], evidence.fold_marks(evidence.measured)
    for candidate in evidence.results.candidates:
        if candidate.id not in evidence.measured:
            continue
        common = {"candidate": candidate.id, "label": candidate.label}
        validated = evidence.scores[candidate.id]
        if not math.isnan(trained[candidate.id]):
            rows.append({**common, "stage": "train", "value": trained[candidate.id], "low": None, "high": None})
        stages = [("cv", validated)] + ([("test", tests[candidate.id])] if candidate.id in tests else [])
        for stage, score in stages:
            if not math.isnan(score.value):
                mark = marks[candidate.id] if stage == "cv" else {}
                ends = {"value": score.value, "low": score.low, "high": score.high}
                rows.append({**common, "stage": stage, **ends, **mark})
    return Figure(
        kind="generalisation",
        title=text("Training, cross-validation and test side by side", "训练、交叉验证与测试并列"),
        rows=rows,
        fields={"value": evidence.metric.title},
    )
