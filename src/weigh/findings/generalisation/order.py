"""The order check: does the score survive when neighbours in the file are kept together?

Shuffled folds put neighbours on both sides of every split. Where neighbours are alike (cells of one module, frames
of one video) or conditions drift along the file, that makes scores too good. The check scores the same probe once
more with contiguous blocks as folds, on the *same evaluation sets*: both kinds of predictions are ranked within the
blocks. A drop means "neighbours are alike or conditions drift"; it predicts nothing about other sources.

An alarm is judged on AUROC within blocks: blocks differ in their class shares, and a threshold carried over from
elsewhere would lower accuracy even where nothing is alike. An all-clear is judged on AUROC and on the primary metric. Data
sorted by class cannot be checked and raise no alarm: their blocks lack classes. `stats/order.py` tells the planner which checks are worth
running.
"""

from __future__ import annotations

from weigh.findings.amounts import amount, count, in_points, limit, share, written_level
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.neighbours import find_neighbours
from weigh.findings.generalisation.order_checks import Check, Checked, check_order
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, join_texts, text
from weigh.metrics.base import METRICS
from weigh.metrics.design import score_design
from weigh.record.results import Results
from weigh.stats.estimate import Estimate

__all__ = ["GROUP_NEIGHBOURS", "Check", "check_order", "find"]

# what to do where neighbours are alike
GROUP_NEIGHBOURS = text(
    "Record what neighbours share (object, site, patient, series) in a column and set design.group_by to it.",
    "把相邻样本的共同来源（对象、地点、病人、批次）记录成一列，并把 design.group_by 设为该列。",
)

TOLERANCE = 0.03  # from one block size to the next, a further drop below three points of AUROC is called none
REFERENCES = [
    "Roberts et al. (2017), Cross-validation strategies for data with temporal, spatial, hierarchical structure, Ecography 40"
]


@FINDINGS.named("order")
def find(results: Results) -> list[Finding]:
    """The order check (an alarm, an all-clear, or why it was skipped), then what needs no training (`neighbours.py`)."""
    evidence = read_evidence(results)
    if evidence.winner is None:
        return []  # nothing was scored: the headline says so
    return [_checked(evidence), *find_neighbours(evidence)]


def _checked(evidence: Evidence) -> Finding:
    checked = evidence.once(check_order)
    if checked.candidate is None or not checked.checks:
        return _skipped(checked)
    alarms = [check for check in checked.checks if check.alarm]
    sentence, verdict, estimates = _alarm(evidence, checked, alarms) if alarms else _clear(evidence, checked)
    return Finding(
        id="order",
        kind="order",
        **asked("order", verdict),
        claim="this_data",
        severity="problem" if alarms else "evidence",
        sentence=sentence,
        estimates=estimates,
        assumptions=[
            Assumption(
                name=text("One order for all classes", "所有类别共用同一顺序"),
                outcome="holds",
                detail=(
                    text("The rows of the table.", "表格的行顺序。")
                    if evidence.results.examples.order_source == "table"
                    else text(
                        "The file names in natural order, without the class folder.",
                        "文件名的自然排序，不计类别文件夹。",
                    )
                ),
            ),
            *(
                Assumption(
                    name=text("The check {v} can be made", "可以做 {v} 检查", v=variant),
                    outcome="violated",
                    detail=text("Left out: {r}.", "未做：{r}。", r=reason),
                )
                for variant, reason in checked.reasons.items()
            ),
        ],
        candidates=[checked.candidate],
        next=[GROUP_NEIGHBOURS] if alarms else [],
        figure=_figure(evidence, checked),
        table=checked.described,
        references=REFERENCES,
    )


def _skipped(checked: Checked) -> Finding:
    reason = checked.reasons.get("") or next(iter(checked.reasons.values()), text("it was not run", "没有运行"))
    reason = Text(reason.en[:1].lower() + reason.en[1:].rstrip("."), reason.zh.rstrip("。"))
    return Finding(
        id="order",
        kind="order",
        **asked("order", "undecided"),
        severity="detail",
        sentence=text("The order check was skipped: {r}.", "顺序检查已跳过：{r}。", r=reason),
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
        drop = in_points(check.drop)
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
    joined = join_texts(parts, " and ", "；")
    sentence = text(
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
    return sentence + _reach(checked, alarms, estimates), "no", estimates


def _reach(checked: Checked, alarms: list[Check], estimates: dict[str, Estimate]) -> Text:
    """Which block size explains the drop: from the smallest that shows it, do larger ones lower the score further?"""
    smallest = min(alarms, key=lambda check: -check.blocks)
    near = [step for step in checked.steps if smallest.variant in (step.small, step.large)]
    if not near or near[-1].drop.low is None or near[-1].drop.high is None:
        return text("", "")
    step = near[-1]  # to the next larger blocks; where there are none, from the next smaller ones
    smaller, larger = (next(c for c in checked.checks if c.variant == v) for v in (step.small, step.large))
    drop = in_points(step.drop)
    estimates["further_drop"] = drop
    values = {"s": _variant(smaller, estimates), "l": _variant(larger, estimates), "d": amount(drop)}
    if step.drop.low is not None and step.drop.low > 0:
        return text(
            "It falls further from {s} to {l}, by {d}: what is alike reaches beyond the smaller blocks.",
            "由“{s}”换成“{l}”，又下降 {d}：相似的范围超出较小的区块。",
            **values,
        )
    if step.small == smallest.variant and step.drop.high is not None and step.drop.high < TOLERANCE:
        return text(
            "From {s} to {l} it falls no further (by {d}): the smaller blocks explain the drop.",
            "由“{s}”换成“{l}”，没有明显的进一步下降（{d}）：较小的区块足以解释这一下降。",
            **values,
        )
    return text(
        "Whether it falls further from {s} to {l} is not settled ({d}).",
        "由“{s}”换成“{l}”是否进一步下降，尚无定论（{d}）。",
        **values,
    )


def _clear(evidence: Evidence, checked: Checked) -> tuple[Text, Verdict, dict[str, Estimate]]:
    """No alarm. An all-clear needs power: the largest blocks, which keep most together, exclude a drop that would matter in
    the ranking *and* in the study's own metric; anything else is undecided."""
    widest = min(checked.checks, key=lambda check: check.blocks)
    own = next((check for check in checked.primary if check.variant == widest.variant), None)
    judged = [widest] if own is None else [widest, own]
    rope = evidence.rope if evidence.metric.unit == "score" else widest.metric.rope
    ropes = [evidence.rope if check.metric is evidence.metric else rope for check in judged]
    tolerances = [
        in_points(Estimate(value=one, unit=check.metric.unit, method="as set"))
        for check, one in zip(judged, ropes, strict=True)
    ]
    drop = in_points(widest.drop)
    estimates = {
        f"shuffled:{widest.variant}": Estimate(value=widest.shuffled, n=widest.examples, method="same blocks"),
        widest.variant: widest.blocked,
        f"drop:{widest.variant}": drop,
    }
    values = {
        "c": evidence.label(str(checked.candidate)),
        "a": widest.shuffled,
        "b": widest.blocked.value,
        "v": _variant(widest, estimates),
        "d": amount(drop, tolerances[0].value),
    }
    if widest.drop.low is not None and widest.drop.low > 0:
        sentence = text(
            "With neighbours kept together the AUROC of {c} is a little lower, {b:.3f} with {v} and {a:.3f} with shuffled folds (difference {d}). "
            "That raises no alarm: {w}.",
            "让相邻样本待在同一折时，{c} 的 AUROC 略低：{v}时为 {b:.3f}，随机打乱时为 {a:.3f}（差值 {d}）。这不构成警报：{w}。",
            w=text("so small a drop does not matter in practice", "降幅太小，没有实际意义")
            if widest.drop.value <= widest.metric.rope
            else text(
                "folds of blocks train on fewer examples of some classes, which can explain as much",
                "按块分折时，某些类别的训练样本较少，可以解释这样的降幅",
            ),
            **values,
        )
    else:
        sentence = text(
            "Keeping neighbours together does not show a drop: the AUROC of {c} is {a:.3f} with shuffled folds and {b:.3f} "
            "with {v} (difference {d}).",
            "让相邻样本待在同一折时，没有看到分数下降：{c} 的 AUROC 在随机打乱时为 {a:.3f}，{v}时为 {b:.3f}（差值 {d}）。",
            **values,
        )
    if own is not None:
        own_drop, key = in_points(own.drop), f"{own.variant}:{own.metric.name}"
        estimates |= {
            f"shuffled:{key}": Estimate(value=own.shuffled, n=own.examples, method="same blocks", unit=own.metric.unit),
            key: own.blocked,
            f"drop:{key}": own_drop,
        }
        sentence += text(
            "Its {m} goes from {a:.3f} to {b:.3f} (difference {d}; other class shares in the blocks can do that too).",
            "它的{m}从 {a:.3f} 变为 {b:.3f}（差值 {d}；各区块类别占比不同也可能造成这种变化）。",
            m=own.metric.title,
            a=own.shuffled,
            b=own.blocked.value,
            d=amount(own_drop, tolerances[-1].value),
        )
    complete = own is not None or evidence.metric.name == widest.metric.name
    excluded = [c.drop.high is not None and c.drop.high < most for c, most in zip(judged, ropes, strict=True)]
    estimates["level"] = share(evidence.level)
    parts = []
    for check, tolerance in zip(judged, tolerances, strict=True):
        estimates["tolerance" if check is widest else f"tolerance:{check.metric.name}"] = tolerance
        parts.append(text("{t} in {m}", "{m} {t}", t=limit(tolerance), m=check.metric.title))
    values = {
        "t": join_texts(parts, " and of ", "、"),
        "l": written_level(evidence.level),
    }
    if complete and all(excluded):
        return (
            sentence
            + text(
                "A drop of {t} would have been seen: it is excluded ({l} % intervals).",
                "可以排除如下幅度的下降：{t}（{l} % 区间）；若真有，本应能看出。",
                **values,
            ),
            "yes",
            estimates,
        )
    return (
        sentence
        + text(
            "That is no all-clear: a drop of {t} is not excluded.",
            "但不能据此排除问题：如下幅度的下降（{t}）尚不能全部排除。",
            **values,
        ),
        "undecided",
        estimates,
    )


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
        title=text("Score by size of the blocks", "不同区块大小下的得分"),
        rows=rows,
        fields={
            "value": text("AUROC within folds or blocks", "折内或块内 AUROC"),
            "block": text("block", "区块"),
        },
    )
