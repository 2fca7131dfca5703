"""What was read, where others made the predictions: which claim that allows, and what would be needed for more.

Before it: `record/predictions/results.py`. After it: the report, where this stands beside the headline. It is also the one place
that says which questions were left out because nothing was trained here.
"""

from __future__ import annotations

import numpy as np

from weigh.findings.amounts import amount, count
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.record.results import Results
from weigh.stats.estimate import Estimate

__all__ = ["find", "needed"]

MORE_RUNS = text(
    "To see how much the seed matters, give several runs of each model (column run).",
    "要了解随机种子的影响，请提供每个模型的多次运行（run 列）。",
)
FOLDS = text(
    "To compare recipes and not only these trained models, give cross-validated predictions (column fold), several runs of them.",
    "要比较训练方案而不仅是这几个训练好的模型，请提供交叉验证的预测（fold 列），并包含多次运行。",
)
REPEATS = text(
    "Give further repeats of the cross-validation (other values of run): one cannot show how much split and seed matter.",
    "请提供交叉验证的更多次重复（run 列取其他值）：只有一次看不出划分和种子的影响。",
)
SYSTEMS = text(
    "To compare the systems and not only these outputs, train each several times on several parts of the data.",
    "要比较系统本身而不仅是这些输出，请在数据的多个部分上对每个系统训练多次。",
)
PROBABILITIES = text(
    "Give probabilities (p:CLASS columns) to learn about calibration and suspected labels.",
    "请提供概率（p:类别名 列），以便考察校准情况和疑似错误的标注。",
)


@FINDINGS.named("reading")
def find(results: Results) -> list[Finding]:
    """One finding for predictions that others made; none for a study."""
    if results.origin == "study":
        return []
    evidence = read_evidence(results)
    runs = _runs(evidence)
    examples = len(results.examples.where("train"))
    estimates = {"models": count(len(evidence.measured), "models"), "examples": count(examples, "examples")}
    sentence = text(
        "Predictions of {k} {m} for {n} {n:|example|examples}{s} were read; nothing was trained here.",
        "读取了 {k} 个模型对 {n} 个样本{s}的预测；这里没有做任何训练。",
        k=len(evidence.measured),
        m=Text("model" if len(evidence.measured) == 1 else "models", ""),
        n=examples,
        s=text(' of the set "{s}"', "（集合“{s}”）", s=results.measured_on) if results.measured_on else text("", ""),
    )
    if results.origin == "models":
        sentence += _models(evidence, runs, estimates)
    else:
        folds = max(m.folds for m in evidence.measured.values())
        repeats = len({record.repeat for record in results.records if record.purpose == "main"})
        estimates |= {"folds": count(folds, "folds"), "repeats": count(repeats, "repeats")}
        sentence += text(
            "They are a cross-validation made elsewhere ({f} folds × {r} {m}); whether each model was kept from the examples of "
            "its fold cannot be checked here.",
            "它们来自别处做的交叉验证（{f} 折 × {r} 次重复）；各模型在训练时是否真的没有用到本折样本，这里无法核实。",
            f=folds,
            r=repeats,
            m=Text("repeat" if repeats == 1 else "repeats", ""),
        )
    if "calibration" in results.skipped:
        sentence += text(
            "Only decisions were given: nothing can be said about probabilities, and metrics that need them are left out.",
            "只提供了判断结果：无法评价概率，需要概率的指标均未列出。",
        )
    sentence += text(
        "Left out, since they ask about training: cost, order check, learning curve, sources of variation.",
        "以下问题涉及训练过程，未作考察：代价、顺序检查、学习曲线、变异来源。",
    )
    return [
        Finding(
            id="reading",
            kind="reading",
            **asked("reading", "yes"),
            sentence=sentence,
            estimates=estimates,
            candidates=list(evidence.measured),
            next=needed(results, evidence),
        )
    ]


def needed(results: Results, evidence: Evidence) -> list[Text]:
    """What would have to be handed over to learn more."""
    if not results.examples.kind.exclusive:  # beside a gold file: no table whose columns could say more
        return [SYSTEMS]
    once = max(_runs(evidence), default=0) < 2
    if results.origin == "models":
        columns = [*([MORE_RUNS] if once else []), FOLDS]
    else:
        columns = [REPEATS] if once else []
    return [*columns, *([PROBABILITIES] if "calibration" in results.skipped else [])]


def _runs(evidence: Evidence) -> list[int]:
    """Runs of each model."""
    return [int((~np.isnan(m.score().repeat)).sum()) for m in evidence.measured.values()]


def _models(evidence: Evidence, runs: list[int], estimates: dict[str, Estimate]) -> Text:
    """One run each, or the mean over runs with what changes between them."""
    if max(runs, default=0) <= 1:
        return text(
            "One run of each model: what is concluded speaks about exactly these trained models, on new examples like these, and not "
            "about what training them again would give.",
            "每个模型只有一次运行：结论只针对这几个训练好的模型在同类新样本上的表现，不涉及重新训练会得到什么。",
        )
    estimates |= {"fewest_runs": count(min(runs), "runs"), "most_runs": count(max(runs), "runs")}
    number = (
        text("There {a:|is|are} {a} {a:|run|runs} of each model.", "每个模型有 {a} 次运行。", a=min(runs))
        if min(runs) == max(runs)
        else text("There are {a} to {b} runs of a model.", "各模型有 {a} 至 {b} 次运行。", a=min(runs), b=max(runs))
    )
    sentence = number + text(
        "The score of a model is the mean over its runs: it speaks about exactly these trained models, on new examples like these.",
        "模型的得分取各次运行的平均值：只针对这几个训练好的模型在同类新样本上的表现。",
    )
    winner = evidence.winner
    scores = np.array([]) if winner is None else evidence.measured[winner].score().repeat
    scores = scores[~np.isnan(scores)]
    if len(scores) < 2:
        return sentence
    metric = evidence.metric
    factor, unit = (100.0, "points") if metric.unit == "score" else (1.0, metric.unit)
    spread = Estimate(
        value=factor * float(scores.std(ddof=1)), n=len(scores), n_unit="runs", method="sd, no interval", unit=unit
    )
    estimates |= {"sd_runs": spread, "runs": count(len(scores), "runs")}
    return sentence + text(
        "The {r} runs of {c} differ with a standard deviation of {s}: about so much another run of the same training could differ, and "
        "no interval here allows for it.",
        "{c} 的 {r} 次运行之间，得分的标准差为 {s}：再训练一次，得分大约会有这么大的变化，而这里的区间都没有计入这一点。",
        r=len(scores),
        c=evidence.label(str(winner)),
        s=amount(spread),
    )
