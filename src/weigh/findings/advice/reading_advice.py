"""What to do next, and what is not shown, where predictions that others made were read: nothing can be trained again here.

Before it: the comparisons. After it: `next_steps.py`, which puts it beside what the data checks propose.
"""

from __future__ import annotations

from collections.abc import Sequence

from weigh.findings.advice.limits import NO_OTHER_SOURCE, not_better, shortened
from weigh.findings.evidence import Evidence
from weigh.findings.performance.reading import needed
from weigh.language import Text, text
from weigh.record.results import Results
from weigh.stats.power import what_settles

__all__ = ["limits", "proposals"]


def proposals(results: Results, evidence: Evidence, undecided: Sequence[str]) -> list[tuple[int, Text]]:
    """`(worth, words)`: how to settle what is open, and what to hand over for more than this."""
    advice = [(6, words) for words in needed(results, evidence)]
    if undecided and evidence.comparisons is not None:
        winner = str(evidence.winner)
        names = {"w": evidence.label(winner), "c": shortened([evidence.label(name) for name in undecided])}
        settled = what_settles(evidence.comparisons.of(winner, undecided[0]), evidence.rope)
        if (settled.repeats_help or settled.few_runs) and results.origin == "folds":
            words = text(
                "Whether {w} is better than {c} is open; more repeats of the cross-validation may settle it.",
                "{w} 是否优于 {c} 尚无定论；增加交叉验证的重复次数可能得出结论。",
                **names,
            )
        else:
            words = text(
                "Whether {w} is better than {c} is open: label more examples, or take whichever is cheaper.",
                "{w} 是否优于 {c} 尚无定论：请标注更多样本，或直接选代价更低的那个。",
                **names,
            )
        advice.append((5, words))
    return advice


def limits(results: Results, evidence: Evidence, undecided: Sequence[str]) -> list[Text]:
    """What may not be concluded from these predictions."""
    open_questions = [
        text(
            "whether the models, or whoever chose them, had seen these examples before",
            "这些模型（或挑选模型的人）此前是否接触过这些样本",
        )
    ]
    if not results.shifted:
        open_questions.append(NO_OTHER_SOURCE)
    if undecided:
        open_questions.append(not_better(evidence, undecided))
    if results.origin == "models":
        open_questions.append(
            text(
                "what another training of the same models would give (these models are fixed)",
                "同样的模型重新训练会得到什么（这里只看这几个训练好的模型）",
            )
        )
    return open_questions
