"""What every inference rests on, and what is known about it: independent examples, new ones like these, enough repeats.

Before it: the evidence and the order check. After it: the assumptions that stand below a finding.
"""

from __future__ import annotations

from weigh.findings.copied import read_copied
from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.neighbours import dependence
from weigh.findings.generalisation.order_checks import check_order
from weigh.findings.model import Assumption
from weigh.language import Text, text
from weigh.stats.resampling import Units

__all__ = ["assumptions_of", "independence_of", "neighbours_alike"]


def neighbours_alike(evidence: Evidence) -> bool:
    """Whether the order check raised an alarm, or errors of neighbours are alike by more than chance explains.

    Call it through `evidence.once`.
    """
    return any(check.alarm for check in evidence.once(check_order).checks) or evidence.once(dependence) is not None


def independence_of(units: Units) -> Text:
    """The assumption that units, single examples or groups of them, do not depend on each other."""
    if units.name == "groups":
        return text("Groups are independent of each other", "各组相互独立")
    return text("Examples are independent of each other", "样本之间相互独立")


def assumptions_of(evidence: Evidence, names: list[str]) -> list[Assumption]:
    """What every inference from these folds rests on, with its outcome."""
    units = evidence.units
    grouped = units.name == "groups"
    alarmed = evidence.once(neighbours_alike)
    others = evidence.results.origin != "study"
    alone = (
        text(
            "Sentences of one document are alike; which belong together is not known here.",
            "同一文档中的句子彼此相似，而这里不知道哪些句子属于同一文档。",
        )
        if others and evidence.results.examples.rows is not None
        else text(
            "If several examples share an origin, say which in a column group.",
            "如果多个样本来自同一来源，请用 group 列注明。",
        )
        if others
        else text(
            "If several examples share an origin, set design.group_by.",
            "如果多个样本来自同一来源，请设置 design.group_by。",
        )
    )
    copied = evidence.once(read_copied)
    independent = Assumption(
        name=independence_of(units),
        outcome="violated" if copied is not None else "doubtful" if alarmed else "unchecked",
        detail=(
            copied.words
            if copied is not None
            else text(
                "Neighbours are alike, or conditions drift along the rows.", "相邻样本相似，或条件随行的顺序漂移。"
            )
            if alarmed and others
            else text(
                "Neighbours are alike, or conditions drift: see what was found about the order of the examples.",
                "相邻样本相似，或条件随顺序漂移：见关于样本顺序的结论。",
            )
            if alarmed
            else text("Groups were resampled as a whole.", "重抽样以整组为单位。")
            if grouped
            else alone
        ),
    )
    repeats = min((int(evidence.whole_repeats(n).sum()) for n in names), default=0)
    listed = [
        independent,
        Assumption(
            name=text("New examples are like these", "新样本与这些样本同类"),
            outcome="unchecked",
            detail=text("Nothing here speaks about other sources.", "这里的结论不涉及其他来源。"),
        ),
    ]
    if others:
        listed.append(
            Assumption(
                name=text(
                    "No model learnt from the examples that it is judged on", "没有模型从用来评判它的样本中学习过"
                ),
                outcome="unchecked",
                detail=text(
                    "Neither by training nor by tuning; predictions alone cannot show it.",
                    "既没有用于训练，也没有用于调参；仅凭预测无法核实。",
                ),
            )
        )
    partial = [name for name in names if evidence.partial(name)]
    if partial:
        listed.append(_some_folds(evidence, min(partial, key=evidence.folds_run)))
    elif repeats == 1 and evidence.claim != "these_models":
        listed.append(
            Assumption(
                name=text("One repeat tells enough", "一次重复就足够"),
                outcome="doubtful",
                detail=text(
                    "With a single repeat the luck of the training sample cannot be seen; the interval is widened by a fixed factor.",
                    "只有一次重复时看不出训练样本带来的运气成分；区间已按固定系数放宽。",
                ),
            )
        )
    return listed


def _some_folds(evidence: Evidence, candidate: str) -> Assumption:
    """The assumption that what did not run would not have told otherwise."""
    run, folds = evidence.folds_run(candidate), evidence.results.spec.design.folds
    if evidence.scattered(candidate):
        detail = text("No repeat ran in all of its {f} folds.", "没有一次重复跑完全部 {f} 折。", f=folds)
    else:
        detail = text(
            "Only {k} of {f} folds ran: the other examples say nothing here.",
            "{f} 折中只跑了 {k} 折：其余样本在此未起作用。",
            k=run,
            f=folds,
        )
    if run == 1 and not evidence.scattered(candidate):
        detail += text(
            "How much trainings differ cannot be seen from one; the interval is widened for it.",
            "只训练一次看不出各次训练相差多少；区间已为此放宽。",
        )
    return Assumption(name=text("Some folds tell enough", "部分折就足够"), outcome="doubtful", detail=detail)
