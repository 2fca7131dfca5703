"""What does it cost? Size and work of each candidate, measured times, and the front of accuracy against cost.

Before it: facts on the models (the same everywhere) and measured times (of this machine). After it: the report's
front. Whatever changes from run to run stands under `measured` only, together with its own sentence and figure rows;
the finding itself speaks of multiply-adds, parameters and bytes, which are the same on every machine.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from weigh.findings.evidence import read_evidence
from weigh.findings.model import Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.plan.candidates import candidate_id
from weigh.record.results import Candidate, Results
from weigh.stats.estimate import Estimate

__all__ = ["cost_of", "find", "front", "operations"]

BUSY = 1.5  # times as long by the clock: from here on others had a good part of the processor
WORK = (
    ("macs", 1e9, text("GMACs for each prediction", "GMACs（每次预测）")),
    ("parameters", 1e6, text("M parameters", "M 参数")),
    ("size_bytes", 1e6, text("MB of weights", "MB 权重")),
)


class Cost(NamedTuple):
    """What is known of one candidate; None where nothing was recorded.

    Attributes:
        score: As it may stand beside those of the others (`Evidence.comparable`).
        predict_seconds: Of one prediction: the least of the readings of all candidates with the same network.
        delay: How many times as long the passes took by the clock, at most.
        by_common_folds: Whether the score is that of the winner and, to that, by how much it is better in the folds that both have.
    """

    candidate: Candidate
    score: float
    macs: float | None
    parameters: float | None
    size_bytes: float | None
    train_seconds: float | None
    predict_seconds: float | None
    peak_bytes: float | None
    delay: float | None
    by_common_folds: bool = False


@FINDINGS.named("cost")
def find(results: Results) -> list[Finding]:
    """One finding; none where nothing ran."""
    evidence = read_evidence(results)
    metric = evidence.metric
    costs = [
        cost_of(results, results.candidate(name), evidence.comparable[name])._replace(
            by_common_folds=evidence.by_common_folds(name)
        )
        for name in evidence.measured
    ]
    if not costs:
        return []  # nothing ran: the performance finding says so
    own = next((c for c in costs if c.candidate.id == evidence.winner), None)
    rivals = [c for c in costs if not c.candidate.control]
    estimates: dict[str, Estimate] = {}
    verdict, sentence = _compare(own, rivals, estimates, controls=len(costs) > len(rivals))
    return [
        Finding(
            id="cost",
            kind="cost",
            **asked("cost", verdict),
            severity="detail" if verdict == "undecided" else "evidence",  # nothing was asked that examples could settle
            sentence=sentence,
            estimates=estimates,
            candidates=[c.candidate.id for c in costs],
            figure=_figure(costs, metric.title, _unit_of_time(results), greater_is_better=metric.greater_is_better),
            table=[_row(c) for c in costs],
            measured=_measured(results, costs, own, greater_is_better=metric.greater_is_better),
        )
    ]


def _network(results: Results, candidate: Candidate) -> tuple[Any, ...]:
    """What decides how long a pass takes: candidates with the same of it have the same network at the same size."""
    recipe = next((r for r in results.spec.recipes if candidate_id(candidate.model, r) == candidate.id), None)
    overrides = {} if recipe is None else recipe.overrides
    return candidate.model, overrides.get("image_size"), overrides.get("max_length")


def operations(results: Results, candidate: Candidate) -> float | None:
    """Multiply-adds of a prediction: as its runs counted them, where they use another size than the model's own, else the model's."""
    counted = [run.facts["macs"] for run in results.runs(candidate=candidate.id) if "macs" in run.facts]
    return counted[0] if counted else results.models.get(candidate.model, {}).get("macs")


def cost_of(results: Results, candidate: Candidate, score: float = math.nan) -> Cost:
    """What is known of one candidate."""
    facts = results.models.get(candidate.model, {})
    runs = results.runs(candidate=candidate.id)
    own = _network(results, candidate)
    alike = [run for c in results.candidates if _network(results, c) == own for run in results.runs(candidate=c.id)]

    def readings(name: str) -> list[float]:
        return [float(run.measured[name]) for run in alike if run.measured.get(name) is not None]

    def median(name: str) -> float | None:
        values = [run.measured[name] for run in runs if run.measured.get(name) is not None]
        return float(statistics.median(values)) if values else None

    parameters = facts.get("parameters", facts.get("n_parameters"))
    return Cost(
        candidate,
        score,
        operations(results, candidate),
        parameters,
        facts.get("size_bytes"),
        median("train_seconds"),
        min(readings("predict_seconds_per_example"), default=None),
        median("peak_bytes"),
        max(readings("delay"), default=None),
    )


def _compare(
    own: Cost | None, rivals: list[Cost], estimates: dict[str, Estimate], *, controls: bool
) -> tuple[Verdict, Text]:
    """The verdict by the first measure of work that is known for all; fixed facts only.

    Args:
        controls: There are results of controls too.
    """
    if own is None:
        return "undecided", text("No candidate has been chosen yet.", "尚未选出候选方案。")
    for name, scale, words in WORK:
        values = [getattr(c, name) for c in rivals]
        if any(v is None for v in values):
            continue
        cheapest = min(rivals, key=lambda c: getattr(c, name))
        mine, least = getattr(own, name), getattr(cheapest, name)
        estimates[f"winner_{name}"] = _fixed(mine / scale, words.en)
        if len(rivals) == 1:
            return "yes", text(
                "{w} is the only candidate with results{k}: it needs {a} {u}.",
                "{k}只有 {w} 有结果：需要 {a} {u}。",
                k=text(", controls aside", "除对照外，") if controls else text("", ""),
                w=own.candidate.label,
                a=_short(mine / scale),
                u=words,
            )
        if all((c.candidate.model, getattr(c, name)) == (own.candidate.model, mine) for c in rivals):
            return "yes", text(
                "All candidates use the same network: {a} {u}.",
                "所有候选方案使用同一个网络：{a} {u}。",
                a=_short(mine / scale),
                u=words,
            )
        if mine <= least:
            return "yes", text(
                "{w} needs {a} {u}; no other candidate needs less.",
                "{w} 需要 {a} {u}，没有其他候选方案比它更省。",
                w=own.candidate.label,
                a=_short(mine / scale),
                u=words,
            )
        estimates[f"cheapest_{name}"] = _fixed(least / scale, words.en)
        estimates["ratio"] = _fixed(mine / least, "times")
        return "no", text(
            "{w} needs {a} {u}, {r} times as many as {c} ({b}). Whether it is worth that, the comparison of their scores says.",
            "{w} 需要 {a} {u}，是 {c}（{b}）的 {r} 倍。是否值得，要看两者得分的比较。",
            w=own.candidate.label,
            a=_short(mine / scale),
            u=words,
            r=_short(mine / least),
            c=cheapest.candidate.label,
            b=_short(least / scale),
        )
    return "undecided", text(
        "Sizes and work of the models were not recorded for all candidates.",
        "并非所有候选方案都记录了模型大小和运算量。",
    )


def front(costs: Sequence[float | None], scores: Sequence[float], *, greater_is_better: bool = True) -> list[bool]:
    """Which candidates are on the front: no other one is at least as good, costs no more, and is better in one of the two.

    Unknown costs and scores are never on the front and beat nobody.
    """
    sign = 1 if greater_is_better else -1
    points = [(c, sign * s) if c is not None and math.isfinite(s) else None for c, s in zip(costs, scores, strict=True)]
    return [
        mine is not None
        and not any(
            other is not None and other[0] <= mine[0] and other[1] >= mine[1] and other != mine for other in points
        )
        for mine in points
    ]


def _unit_of_time(results: Results) -> Text:
    """The title of the axis: of an accelerator time is read by the clock, of a processor it is that of one thread."""
    if any(run.environment.get("device", "cpu") != "cpu" for run in results.records):
        return text("milliseconds for each prediction", "每次预测毫秒数")
    return text("milliseconds for each prediction, one thread", "每次预测毫秒数（单线程）")


def _on_predicting(results: Results, own: Cost) -> Text:
    """How long a prediction takes, and what is counted: reading and preparing an example may take longer than a small network."""
    assert own.predict_seconds is not None
    milliseconds = _short(1000 * own.predict_seconds)
    if results.models.get(own.candidate.model, {}).get("weights") == "none":  # words are counted, there is no network
        return text(
            "A prediction takes {p} milliseconds of one thread, cutting the text into words included.",
            "每次预测耗时 {p} 毫秒（单线程，含文本切分）。",
            p=milliseconds,
        )
    return text(
        "A prediction takes {p} milliseconds: the network alone, in small batches, without reading and preparing the example (on a processor the time of "
        "one thread; candidates with the same network share the least reading).",
        "每次预测耗时 {p} 毫秒：仅指网络本身，按小批计算，不含样本的读取和预处理（在处理器上按单线程计；网络相同的候选方案共用最小的一次读数）。",
        p=milliseconds,
    )


def _measured(results: Results, costs: list[Cost], own: Cost | None, *, greater_is_better: bool) -> dict[str, Any]:
    on_front = front([c.predict_seconds for c in costs], [c.score for c in costs], greater_is_better=greater_is_better)
    rows = [
        {
            "candidate": c.candidate.label,
            **_score(c, costs),
            "predict_milliseconds": None if c.predict_seconds is None else round(1000 * c.predict_seconds, 3),
            "train_seconds": None if c.train_seconds is None else round(c.train_seconds, 2),
            "peak_megabytes": None if c.peak_bytes is None else round(c.peak_bytes / 1e6, 1),
            "front": flag,
        }
        for c, flag in zip(costs, on_front, strict=True)
    ]
    measured: dict[str, Any] = {"figure_rows": rows}
    if own is not None and own.train_seconds is not None:
        sentence = text(
            "On the machine that ran the study a run of {w} trained for {t} {t:|second|seconds} (median).",
            "在运行研究的机器上，{w} 每次训练耗时 {t} 秒（中位数）。",
            w=own.candidate.label,
            t=_short(own.train_seconds),
        )
        if own.predict_seconds is not None:
            sentence += _on_predicting(results, own)
        if own.delay is not None and own.delay > BUSY:
            sentence += text(
                "The machine was busy with other work: by the clock a pass took {d} times as long. Times of training may be too long as well.",
                "测量时该机器正忙于其他任务：按时钟计，一次前向计算耗时为正常的 {d} 倍；训练时间也可能偏长。",
                d=_short(own.delay),
            )
        fast = [row for row in rows if row["front"]]
        if len(fast) > 1 and own.predict_seconds is not None:
            sentence += text(
                "No candidate is both faster and better than: {f} (by their scores alone, without intervals).",
                "没有候选方案比以下任何一项既更快又更好：{f}（只看得分，未考虑区间）。",
                f=", ".join(row["candidate"] for row in fast),
            )
        measured["sentence"] = sentence._asdict()
    return measured


def _figure(costs: list[Cost], title: Text, unit_of_time: Text, *, greater_is_better: bool) -> Figure:
    on_front = front([c.macs for c in costs], [c.score for c in costs], greater_is_better=greater_is_better)
    return Figure(
        kind="front",
        title=text("Score against cost", "得分与代价"),
        rows=[{**_row(c), **_score(c, costs), "front": flag} for c, flag in zip(costs, on_front, strict=True)],
        fields={
            "candidate": text("candidate", "候选方案"),
            "score": title,
            "macs": text("multiply-adds", "乘加运算次数"),
            "predict_milliseconds": unit_of_time,
            "front": text("on the front", "在前沿上"),
        },
        options={"measured_rows": "figure_rows", "x": "predict_milliseconds", "fallback_x": "macs"},
    )


def _score(c: Cost, costs: Sequence[Cost]) -> dict[str, Any]:
    """The score, and whether it goes by the folds in common where that is so of any candidate."""
    marked = any(one.by_common_folds for one in costs)
    score = round(c.score, 4) if math.isfinite(c.score) else None
    return {"score": score, **({"by_common_folds": c.by_common_folds} if marked else {})}


def _row(c: Cost) -> dict[str, Any]:
    return {
        "candidate": c.candidate.label,
        "macs": c.macs,
        "parameters": c.parameters,
        "size_bytes": c.size_bytes,
    }


def _fixed(value: float, unit: str) -> Estimate:
    return Estimate(value=value, method="fact about the model, not estimated", unit=unit)


def _short(value: float) -> str:
    """Three significant digits, no exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"
