"""Is the ranking of the models kept on another test set? The words for `stats/shift.py`'s pairs.

Before it: `shift.py`, which compares the sets. After it: the report. A ranking is "kept" only where no pair is shown to
swap and most pairs keep their order; close models whose order no set can tell count for neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from weigh.findings.amounts import count
from weigh.findings.model import Assumption, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.references import RECHT
from weigh.language import Text, join_texts, text
from weigh.stats.shift import Shift

__all__ = ["read_ranking"]

KEPT = 0.5  # Kendall's tau from which a ranking is called largely kept: three pairs of four keep their order
NAMED = 3  # pairs that a sentence names; the table has all
REFERENCES = [RECHT]


def read_ranking(
    name: str, shift: Shift, titles: tuple[Text, Text], label: Callable[[str], str], subject: str | None
) -> Finding:
    """The finding "shift:NAME:ranking"; `titles` are the names of both sets in a sentence.

    Args:
        shift: With a ranking (two models or more).
        subject: The chosen model, whose being overtaken is worth a sentence of its own.
    """
    ranking = shift.ranking
    assert ranking is not None
    tau, pairs = ranking.tau, ranking.pairs
    kept, swapped = len(ranking.kept), len(ranking.swapped)
    still_open = pairs - kept - swapped
    verdict: Verdict = "undecided"
    if swapped:
        verdict = "no"
    elif tau.low is not None and tau.low >= KEPT and (pairs > 1 or kept):
        verdict = "yes"
    estimates = {
        "pairs": count(pairs, "pairs"),
        "kept": count(kept, "pairs"),
        "swapped": count(swapped, "pairs"),
        "open": count(still_open, "pairs"),
    }
    where = {"one": titles[0], "two": titles[1]}
    if pairs == 1:
        sentence = _of_the_only_pair("kept" if kept else "swapped" if swapped else "open", where)
    else:
        sentence = text(
            "Of {p} pairs of models, {k} {k:|is|are} shown to be in the same order on {one} and on {two}, {s} in opposite order; {o} cannot be told.",
            "共 {p} 对模型：在{one}和{two}上顺序确实相同的有 {k} 对，确实相反的有 {s} 对，另有 {o} 对无法判断。",
            p=pairs,
            k=kept,
            s=swapped,
            o=still_open,
            **where,
        )
    if pairs > 1 and math.isfinite(tau.value):
        estimates["tau"] = tau
        sentence += text(
            "Kendall's tau of the scores, one for the same order and zero for none, is {t}.",
            "两组得分的肯德尔 τ（顺序完全相同为一，毫无关联为零）为 {t}。",
            t=tau.format(2),
        )
    sentence = (
        sentence
        + {
            "no": text(
                "The ranking is not kept: {x}.",
                "排名没有保持：{x}。",
                x=_listed([_swap(pair, titles, label) for pair in ranking.swapped[:NAMED]]),
            ),
            "yes": text(
                "No pair is shown to swap, and most keep their order.", "没有任何一对确实互换，而且大多数保持原有顺序。"
            )
            if pairs > 1
            else text("So the ranking is kept.", "因此排名得以保持。"),
            "undecided": text("Whether the ranking is kept is not settled.", "排名是否保持尚无定论。"),
        }[verdict]
    )
    if subject is not None and any(pair[0] == subject for pair in ranking.swapped):
        sentence += text("For use there, {c} is the wrong choice.", "若要用在那里，不应选择 {c}。", c=label(subject))
    return Finding(
        id=f"shift:{name}:ranking",
        kind="shift",
        **asked("shift:ranking", verdict, t=titles[1]),
        claim="these_models",
        severity="problem" if verdict == "no" else "evidence" if verdict == "yes" else "detail",
        sentence=sentence,
        estimates=estimates,
        assumptions=[
            Assumption(
                name=text("The two sets are independent samples", "两个集合是相互独立的样本"),
                outcome="unchecked",
            )
        ],
        candidates=list(shift.models),
        table=[{"better_on_first": label(a), "better_on_second": label(b)} for a, b in ranking.swapped],
        references=REFERENCES,
    )


def _of_the_only_pair(order: Literal["kept", "swapped", "open"], where: dict[str, Text]) -> Text:
    """How two models stand on both sets; `where` names these."""
    return {
        "kept": text(
            "The two models are shown to be in the same order on {one} and on {two}.",
            "两个模型在{one}和{two}上的顺序确实相同。",
            **where,
        ),
        "swapped": text(
            "The two models are shown to be in opposite order on {one} and on {two}.",
            "两个模型在{one}和{two}上的顺序确实相反。",
            **where,
        ),
        "open": text(
            "Whether the two models are in the same order on {one} and on {two} cannot be told.",
            "两个模型在{one}和{two}上的顺序是否相同，无法判断。",
            **where,
        ),
    }[order]


def _swap(pair: tuple[str, str], titles: tuple[Text, Text], label: Callable[[str], str]) -> Text:
    return text(
        "{x} is better on {one}, {y} on {two}",
        "{x} 在{one}上更好，{y} 在{two}上更好",
        x=label(pair[0]),
        y=label(pair[1]),
        one=titles[0],
        two=titles[1],
    )


def _listed(parts: list[Text]) -> Text:
    return join_texts(parts, "; ", "；")
