"""What a study does not show: each limit follows from a fact of this study.

Before it: the comparisons, the test part, further test sets, the order check. After it: `next_steps.py`, which says it beside what to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.order_checks import check_order
from weigh.findings.generalisation.shift import find_shifts
from weigh.findings.learning import nothing_learnt
from weigh.language import Text, join_texts, text
from weigh.record.results import Results

__all__ = ["NO_OTHER_SOURCE", "not_better", "shortened", "study_limits", "undecided_rivals"]

LISTED = 5  # names in a sentence

NO_OTHER_SOURCE = text(
    "how well the models do on data from elsewhere (no other source was measured)",
    "模型在其他来源的数据上表现如何（没有测过其他来源）",
)


def undecided_rivals(evidence: Evidence) -> list[str]:
    """Rivals whose comparison with the winner is open, the nearest first."""
    if evidence.winner is None or evidence.comparisons is None:
        return []
    pairs = evidence.comparisons
    return [
        name
        for name in evidence.ranked
        if name != evidence.winner and pairs.of(evidence.winner, name).relation == "undecided"
    ]


def not_better(evidence: Evidence, rivals: Sequence[str]) -> Text:
    """The sentence that the winner cannot be said to be better than these candidates."""
    labels = shortened([evidence.label(name) for name in rivals])
    return text("that {w} is better than {c}", "{w} 优于 {c}", w=evidence.label(str(evidence.winner)), c=labels)


def shortened(names: Sequence[str]) -> Text:
    """ "a, b and others": the first few names."""
    shown = ", ".join(names[:LISTED])
    return text("{x}", "{x}", x=shown) if len(names) <= LISTED else text("{x} and others", "{x} 等", x=shown)


def study_limits(results: Results, evidence: Evidence) -> list[Text]:
    """What may not be concluded, each from a fact of this study."""
    if evidence.once(nothing_learnt):
        return [
            text("which candidate is better (nobody has learnt anything)", "哪个候选方案更好（都没有学到任何东西）"),
            text("that the task cannot be learnt", "这一任务学不会"),
        ]
    limits = [_sources(results, evidence)]
    rivals = undecided_rivals(evidence)
    if rivals:
        limits.append(not_better(evidence, rivals))
    n_test = len(results.examples.where("test"))
    if not n_test or evidence.winner is None or results.test(evidence.winner) is None:
        limits.append(
            text(
                "how the refitted model scores on examples that chose nothing ({w})",
                "重新拟合的模型在未参与任何选择的样本上得分如何（{w}）",
                w=text("the test part has not been scored yet", "测试部分尚未评分")
                if n_test
                else text("there is no test part", "没有测试部分"),
            )
        )
    if not any(c.recipe == "scratch" for c in results.candidates):
        limits.append(text("what pretraining is worth (no scratch control)", "预训练带来多少提升（没有 scratch 对照）"))
    if evidence.winner is None or not evidence.once(check_order).checks:
        limits.append(
            text(
                "whether scores gain from neighbours in the training set (no order check was made)",
                "得分是否因训练集中有相邻样本而偏乐观（没有做顺序检查）",
            )
        )
    if results.spec.design.purpose == "ship":
        limits.append(
            text(
                "that a recipe is better in general (the claim is about this data)",
                "某个方案普遍更好（结论只针对这份数据）",
            )
        )
    if any(run.words for run in results.records):
        limits.append(
            text(
                "why a model decides as it does (only the words of the hardest texts were taken out, one at a time)",
                "模型为何这样判断（只对最难的文本逐词做过删除分析）",
            )
        )
    else:
        limits.append(
            text("why a model decides as it does (nothing was explained)", "模型为何这样判断（未做解释分析）")
        )
    return limits


def _sources(results: Results, evidence: Evidence) -> Text:
    """What is not known of data from elsewhere: everything, or everything but the further test sets that were scored."""
    if not results.shifted:
        return NO_OTHER_SOURCE
    scored = {finding.id.removeprefix("shift:") for finding in evidence.once(find_shifts)}
    waiting = [name for name in results.shifted if name not in scored]
    if waiting:
        return text(
            "how well the models do on {l} (given, but not scored yet)",
            "模型在{l}上表现如何（已提供，尚未评分）",
            l=_listed(waiting),
        )
    return text(
        "how well the models do on data from still other sources than {l}",
        "模型在{l}以外的其他来源上表现如何",
        l=_listed(results.shifted),
    )


def _listed(names: Sequence[str]) -> Text:
    return join_texts([text("'{n}'", "“{n}”", n=name) for name in names], ", ", "、")
