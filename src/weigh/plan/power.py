"""What a planned design could detect, in words, before anything runs."""

from __future__ import annotations

import numpy as np

from weigh.data.examples import Examples
from weigh.language import Text, text
from weigh.metrics.base import METRICS
from weigh.plan.runs import Plan, group_of
from weigh.spec import StudySpec
from weigh.stats.power import smallest_detectable_difference

__all__ = ["planned_power"]


def planned_power(examples: Examples, spec: StudySpec, plan: Plan) -> list[Text]:
    """The smallest difference that the design finds in 80 % of studies, with every guess behind it; of shares of right answers."""
    if not examples.kind.detectable:
        return [
            text(
                "The smallest difference that it would find cannot be told beforehand: that of {m} depends on how alike the answers of "
                "the models are. The report says it.",
                "能发现的最小差异无法事先给出：{m}的最小差异取决于各模型的回答有多相似。报告中会给出。",
                m=METRICS.get(spec.primary).title,
            )
        ]
    train = examples.where("train")
    compared = [c for c in plan.candidates if not c.control]
    if compared and all(c.id in plan.folds for c in compared):
        return [
            text(
                "The smallest difference that it would find cannot be told beforehand: all candidates run in some folds only. The report says it.",
                "能发现的最小差异无法事先给出：所有候选方案都只跑部分折。报告中会给出。",
            )
        ]
    group = group_of(examples, spec)
    balanced = spec.primary == "balanced_accuracy" and examples.kind.exclusive
    detectable = smallest_detectable_difference(
        len(train),
        folds=spec.design.folds,
        repeats=min((plan.repeats[c.id] for c in compared), default=1),
        class_counts=np.bincount(examples.target[train]).tolist() if balanced else None,
        candidates=max(2, len(compared)),  # one candidate alone is compared with a second that may be added later
        groups=None if group is None else len(np.unique(group[train])),
        level=spec.design.level,
    )
    sentence = text(
        "The smallest difference it would find in 80 % of studies: about {d} points (of {m}).",
        "在 80 % 的研究中能发现的最小差异：约 {d} 个百分点（按{m}计）。",
        d=round(100 * detectable.difference, 1),
        m=text("balanced accuracy", "平衡准确率") if balanced else text("accuracy", "准确率"),
    )
    return [sentence, *(text("  assuming {a}", "  假设：{a}", a=assumption) for assumption in detectable.assumptions)]
