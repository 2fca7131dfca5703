"""The order check: does the score survive when neighbours in the file are kept together?

Shuffled folds put neighbours on both sides of every split. Where neighbours are alike (cells of one module, frames
of one video) or conditions drift along the file, that makes scores too good. The check scores the same probe once
more with contiguous blocks as folds, on the *same evaluation sets*: both kinds of predictions are ranked within the
blocks. A drop means "neighbours are alike or conditions drift"; it predicts nothing about other sources.

It is judged on AUROC within blocks: blocks differ in their class shares, and a threshold carried over from elsewhere
would lower accuracy even where nothing is alike. Data sorted by class cannot be checked and raise no alarm: their
blocks lack classes. `stats/order.py` tells the planner which checks are worth
running.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.findings.evidence import Evidence, amount, bilingual, count, read_evidence, share
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.design import MeasuredDesign, measure_design, score_design
from weigh.record.results import Results
from weigh.stats.estimate import Estimate
from weigh.stats.interval import TRAINING, quantile
from weigh.stats.order import contiguous, unfit
from weigh.stats.resampling import draw_weights, make_units

__all__ = ["Check", "check_order", "find"]

DRAWS = 400
MANY_BLOCKS = 15  # from so many blocks on, whole blocks are resampled too
TOLERANCE = 0.03  # a drop below three points of AUROC is called small
QUESTION = text("Does the score survive when neighbours are kept together?", "让相邻样本待在同一折时，得分还能保持吗？")
REFERENCES = [
    "Roberts et al. (2017), Cross-validation strategies for data with temporal, spatial, hierarchical structure, Ecography 40"
]


class Check(NamedTuple):
    """One variant of the order check for one candidate and metric.

    Attributes:
        variant: "fifths" or "blocks:SIZE".
        metric: Name.
        blocks, examples: How many.
        shuffled, blocked: Scores on the same evaluation sets.
        drop: How much better shuffled folds look, positive for "too good", in units of the metric.
        alarm: The interval of the drop excludes 0, and the drop is not negligible.
    """

    variant: str
    metric: Metric
    blocks: int
    examples: int
    shuffled: float
    blocked: Estimate
    drop: Estimate
    alarm: bool


class Checked(NamedTuple):
    """All checks of a study.

    Attributes:
        candidate: The one that is judged.
        checks: Of that candidate, on AUROC.
        described: Every candidate, variant and metric, as table rows.
        reasons: Variant -> why it was not judged; "" stands for the whole check.
    """

    candidate: str | None
    checks: list[Check]
    described: list[dict]
    reasons: dict[str, Text]


def check_order(evidence: Evidence) -> Checked:
    """Judge the order checks of a study; made once per evidence."""
    kept = evidence.__dict__.get("_order")
    if kept is None:
        kept = _check(evidence)
        evidence.__dict__["_order"] = kept
    return kept


def _check(evidence: Evidence) -> Checked:
    results = evidence.results
    indices = results.examples.where("train")
    position = np.argsort(np.argsort(results.examples.order[indices], kind="stable"), kind="stable")
    target = results.examples.target[indices]
    in_order = target[np.argsort(position, kind="stable")]
    folds = results.spec.design.folds
    runs = results.runs("order-check")
    variants = list(dict.fromkeys(run.variant for run in runs))
    reasons: dict[str, Text] = {}
    skipped = results.skipped.get("order-check")
    if not variants:
        reason = (
            skipped if isinstance(skipped, Text) else unfit(in_order, contiguous(len(target), "fifths", folds), folds)
        )
        return Checked(None, [], [], {"": reason or text("it was not run", "没有运行")})
    judged = next((name for name in evidence.ranked if any(run.candidate == name for run in runs)), None)
    fit = {}
    for variant in variants:
        block = contiguous(len(target), variant, folds)
        reason = unfit(in_order, block, folds)
        if reason is None:
            fit[variant] = block[position]
        else:
            reasons[variant] = reason
    primary = evidence.metric
    metrics = [METRICS.get("auroc")] + ([primary] if primary.name != "auroc" else [])
    checks, described = [], []
    for candidate in results.candidates:
        for variant, block in fit.items():
            blocked = results.out_of_fold(candidate.id, "order-check", variant)
            shuffled = evidence.out_of_fold.get(candidate.id)
            if blocked is None or shuffled is None:
                continue
            for metric in metrics if candidate.id == judged else metrics[:1]:
                mine = candidate.id == judged and metric.name == "auroc"
                check = _compare(evidence, metric, shuffled, blocked, block, variant, len(fit), DRAWS if mine else 0)
                if check is None:
                    if mine:
                        reasons[variant] = text("its runs are not complete", "相应的运行不完整")
                    continue
                described.append(_row(evidence, candidate.id, check))
                if mine:
                    checks.append(check)
    return Checked(judged, checks, described, reasons)


def _compare(evidence, metric, shuffled, blocked, block, variant, variants, draws) -> Check | None:
    """Shuffled against blocked predictions, scored on the same blocks; without an interval if `draws` is 0."""
    one, other = (_on_blocks(measure_design(metric, found), block) for found in (shuffled, blocked))
    common = other.present.any(axis=0) & one.present.any(axis=0)
    if common.mean() < 0.5:
        return None
    sign = 1.0 if metric.greater_is_better else -1.0
    ones = np.ones(len(block))
    before, after = _mean_score(one, ones, common), _mean_score(other, ones, common)
    if math.isnan(before) or math.isnan(after):
        return None
    blocks, n = len(np.unique(block[common])), int(common.sum())
    value, half, half_after, many = sign * float(before - after), None, None, blocks >= MANY_BLOCKS
    if draws:
        adjusted = quantile(1 - (1 - evidence.level) / variants, 1e9)
        # One repeat of blocks: its training sample's luck is allowed for as in any single repeat
        factor = math.sqrt(TRAINING)
        spread = (
            _spread_of_blocks(one, other, common) if many else _spread_of_examples(evidence, one, other, common, draws)
        )
        freedom = (blocks if many else n) - 1
        if not math.isnan(spread[0]):
            half = quantile(evidence.level, freedom, adjusted=adjusted) * factor * spread[0]
            half_after = quantile(evidence.level, freedom) * factor * spread[1]
    method = "variance between blocks" if many else "Bayesian bootstrap over examples"
    common_fields = {"level": evidence.level, "n": n, "unit": metric.unit, "method": method}
    drop = Estimate(
        value=value,
        low=None if half is None else value - half,
        high=None if half is None else value + half,
        **common_fields,
    )
    after = float(after)
    blocked_score = Estimate(
        value=after,
        low=None if half_after is None else max(0.0, after - half_after),
        high=None
        if half_after is None
        else min(1.0, after + half_after)
        if metric.unit == "score"
        else after + half_after,
        **common_fields,
    )
    alarm = drop.low is not None and drop.low > 0 and value > metric.rope
    return Check(variant, metric, blocks, n, float(before), blocked_score, drop, alarm)


def _on_blocks(measured: MeasuredDesign, block: np.ndarray) -> MeasuredDesign:
    """The same predictions with blocks as evaluation sets (rank metrics are computed within them)."""
    return replace(measured, fold=np.broadcast_to(block, measured.fold.shape))


def _mean_score(measured: MeasuredDesign, weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean over repeats, weighted by what is present."""
    scores = np.stack([measured.score_repeat(r, weights, mask) for r in range(measured.repeats)])
    share_of = (measured.present & mask).mean(axis=1).reshape(-1, *[1] * (scores.ndim - 1))
    weight = np.where(np.isnan(scores), 0.0, share_of)
    total = weight.sum(axis=0)
    summed = np.where(np.isnan(scores), 0.0, scores * weight).sum(axis=0)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)


def _spread_of_examples(evidence, one, other, common, draws) -> tuple[float, float]:
    """Standard errors of the drop and of the blocked score for just these blocks, resampling examples."""
    units = make_units(one.target)
    weights = draw_weights(evidence.rng("order"), units, draws)
    after = _mean_score(other, weights, common)
    drops = _mean_score(one, weights, common) - after
    correction = math.sqrt((units.count + 1) / max(units.count - 1, 1))
    return correction * float(np.nanstd(drops)), correction * float(np.nanstd(after))


def _spread_of_blocks(one: MeasuredDesign, other: MeasuredDesign, common: np.ndarray) -> tuple[float, float]:
    """The same where there are many blocks, which are then the independent units: a weighted mean over blocks."""
    ones = np.ones(one.n)

    def by_block(measured: MeasuredDesign) -> tuple[np.ndarray, np.ndarray]:
        scored = [measured.score_folds(r, ones, common) for r in range(measured.repeats)]
        scores = np.stack([s for s, _ in scored])
        known = ~np.isnan(scores)
        mean = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.where(known.any(axis=0), mean, np.nan), scored[0][1]

    before, size = by_block(one)
    after, _ = by_block(other)
    good = ~np.isnan(before) & ~np.isnan(after)
    if good.sum() < 2:
        return math.nan, math.nan
    share_of = size[good] / size[good].sum()

    def standard_error(values: np.ndarray) -> float:
        centred = values - share_of @ values
        return math.sqrt(float(np.square(share_of * centred).sum()) * len(values) / (len(values) - 1))

    return standard_error(before[good] - after[good]), standard_error(after[good])


def _row(evidence: Evidence, name: str, check: Check) -> dict:
    rounded = {
        k: None if v is None else round(float(v), 4) for k, v in (("low", check.drop.low), ("high", check.drop.high))
    }
    return {
        "candidate": evidence.label(name),
        "metric": check.metric.name,
        "block": check.variant.removeprefix("blocks:"),
        "blocks": check.blocks,
        "shuffled": round(check.shuffled, 4),
        "blocked": round(check.blocked.value, 4),
        "difference": round(check.drop.value, 4),
        **rounded,
    }


@FINDINGS.named("order")
def find(results: Results) -> list[Finding]:
    """One finding: an alarm, an all-clear, or why it was skipped."""
    evidence = read_evidence(results)
    if evidence.winner is None:
        return []  # nothing was scored: the headline says so
    checked = check_order(evidence)
    if checked.candidate is None or not checked.checks:
        return [_skipped(checked)]
    alarms = [check for check in checked.checks if check.alarm]
    sentence, verdict, estimates = _alarm(evidence, checked, alarms) if alarms else _clear(evidence, checked)
    return [
        Finding(
            id="order",
            kind="order",
            question=bilingual(QUESTION),
            claim="this_data",
            verdict=verdict,
            severity="problem" if alarms else "evidence",
            sentence=bilingual(sentence),
            estimates=estimates,
            assumptions=[
                Assumption(
                    name=bilingual(text("One order for all classes", "所有类别共用同一顺序")),
                    outcome="holds",
                    detail=bilingual(
                        text("The rows of the table.", "表格的行顺序。")
                        if results.examples.order_source == "table"
                        else text(
                            "The file names in natural order, without the class folder.",
                            "文件名的自然排序，不计类别文件夹。",
                        )
                    ),
                ),
                *(
                    Assumption(
                        name=bilingual(text("The check {v} can be made", "可以做 {v} 检查", v=variant)),
                        outcome="violated",
                        detail=bilingual(text("Left out: {r}.", "未做：{r}。", r=reason)),
                    )
                    for variant, reason in checked.reasons.items()
                ),
            ],
            candidates=[checked.candidate],
            next=[
                bilingual(
                    text(
                        "Record what neighbours share (object, site, patient, series) in a column and set design.group_by to it.",
                        "把相邻样本的共同来源（对象、地点、病人、批次）记录成一列，并把 design.group_by 设为该列。",
                    )
                )
            ]
            if alarms
            else [],
            figure=_figure(evidence, checked),
            table=checked.described,
            references=REFERENCES,
        )
    ]


def _skipped(checked: Checked) -> Finding:
    reason = checked.reasons.get("") or next(iter(checked.reasons.values()), text("it was not run", "没有运行"))
    reason = Text(reason.en[:1].lower() + reason.en[1:].rstrip("."), reason.zh.rstrip("。"))
    return Finding(
        id="order",
        kind="order",
        question=bilingual(QUESTION),
        verdict="undecided",
        severity="detail",
        sentence=bilingual(text("The order check was skipped: {r}.", "顺序检查已跳过：{r}。", r=reason)),
        estimates={f"number{i}": Estimate(value=float(v), unit="1") for i, v in enumerate(_numbers(reason.en))},
    )


def _numbers(sentence: str) -> list[str]:
    import re

    return re.findall(r"\d+(?:\.\d+)?", sentence)


def _variant(check: Check, estimates: dict[str, Estimate]) -> Text:
    """The variant in words; its numbers go into `estimates`."""
    if check.variant == "fifths":
        estimates["parts"] = count(check.blocks, "blocks")
        return text("{b} contiguous parts", "{b} 个连续部分", b=check.blocks)
    size = int(check.variant.split(":")[1])
    estimates[f"size:{size}"] = count(size, "examples")
    return text("blocks of {s} neighbours", "每块 {s} 个相邻样本", s=size)


def _alarm(evidence: Evidence, checked: Checked, alarms: list[Check]) -> tuple[Text, Verdict, dict[str, Estimate]]:
    name = str(checked.candidate)
    whole = score_design(METRICS.get("auroc"), evidence.out_of_fold[name]).overall
    estimates: dict[str, Estimate] = {
        "shuffled": Estimate(value=whole, n=evidence.units.count, method="mean within folds, no interval")
    }
    parts = []
    for check in alarms:
        drop = _points(check.drop)
        estimates[f"shuffled:{check.variant}"] = Estimate(value=check.shuffled, n=check.examples, method="same blocks")
        estimates[check.variant] = check.blocked
        estimates[f"drop:{check.variant}"] = drop
        parts.append(
            text(
                "from {a:.3f} to {b:.3f} with {v} (a drop of {d})",
                "{v}时，从 {a:.3f} 降到 {b:.3f}（下降 {d}）",
                a=check.shuffled,
                b=check.blocked.value,
                v=_variant(check, estimates),
                d=amount(drop),
            )
        )
    joined = Text(" and ".join(p.en for p in parts), "；".join(p.zh for p in parts))
    said = text(
        "With shuffled folds the AUROC of {c} is {w:.3f}. Scored within parts of the file order, it falls when neighbours "
        "stay together: {p}. Neighbours are alike, or conditions drift along the order; either way the shuffled score is "
        "too good for examples that come from elsewhere. How well it does on other sources cannot be told from these data.",
        "随机打乱分折时，{c} 的 AUROC 为 {w:.3f}。在按文件顺序切分的各部分内评分，一旦让相邻样本待在同一折，它就下降：{p}。"
        "要么相邻样本彼此相似，要么条件随顺序漂移；无论哪种，对于来自别处的样本，随机打乱得到的分数都偏乐观。"
        "至于在其他来源上效果如何，这些数据无法回答。",
        c=evidence.label(str(checked.candidate)),
        w=estimates["shuffled"].value,
        p=joined,
    )
    return said, "no", estimates


def _clear(evidence: Evidence, checked: Checked) -> tuple[Text, Verdict, dict[str, Estimate]]:
    worst = max(checked.checks, key=lambda check: check.drop.high if check.drop.high is not None else math.inf)
    drop = _points(worst.drop)
    estimates = {
        f"shuffled:{worst.variant}": Estimate(value=worst.shuffled, n=worst.examples, method="same blocks"),
        worst.variant: worst.blocked,
        f"drop:{worst.variant}": drop,
        "tolerance": Estimate(value=100 * TOLERANCE, unit="points", method="as set"),
        "level": share(evidence.level),
    }
    small = worst.drop.high is not None and worst.drop.high <= TOLERANCE
    values = {
        "c": evidence.label(str(checked.candidate)),
        "a": worst.shuffled,
        "b": worst.blocked.value,
        "v": _variant(worst, estimates),
        "d": amount(drop),
        "t": f"{100 * TOLERANCE:.0f}",
    }
    lead = text(
        "Keeping neighbours together does not show a drop: the AUROC of {c} is {a:.3f} with shuffled folds and {b:.3f} "
        "with {v} (difference {d}).",
        "让相邻样本待在同一折时，没有看到分数下降：{c} 的 AUROC 在随机打乱时为 {a:.3f}，{v}时为 {b:.3f}（差值 {d}）。",
        **values,
    )
    if small:
        return (
            lead + text("A drop of {t} points is excluded.", "可以排除 {t} 个百分点的下降。", **values),
            "yes",
            estimates,
        )
    return (
        lead + text("A drop of {t} points cannot be excluded.", "但不能排除 {t} 个百分点的下降。", **values),
        "undecided",
        estimates,
    )


def _points(drop: Estimate) -> Estimate:
    scaled = {
        k: None if v is None else 100 * v for k, v in (("value", drop.value), ("low", drop.low), ("high", drop.high))
    }
    return drop.model_copy(update={**scaled, "unit": "points"})


def _figure(evidence: Evidence, checked: Checked) -> Figure:
    name = str(checked.candidate)
    whole = score_design(METRICS.get("auroc"), evidence.out_of_fold[name]).overall
    n = int(evidence.measured[name].present.any(axis=0).sum())
    rows = [{"candidate": name, "label": evidence.label(name), "block": "shuffled", "value": whole, "n": n}]
    for check in sorted(checked.checks, key=lambda c: -c.blocks):
        rows.append(
            {
                "candidate": name,
                "label": evidence.label(name),
                "block": check.variant.removeprefix("blocks:"),
                "value": check.blocked.value,
                "low": check.blocked.low,
                "high": check.blocked.high,
                "n": check.blocks,
            }
        )
    return Figure(
        kind="order",
        title=bilingual(text("Score by size of the blocks", "不同区块大小下的得分")),
        rows=rows,
        fields={
            "value": bilingual(text("AUROC within folds or blocks", "折内或块内 AUROC")),
            "block": bilingual(text("block", "区块")),
        },
    )
