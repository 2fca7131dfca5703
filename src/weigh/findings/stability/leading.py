"""In how many repeats does the winner lead, and would other splits and seeds give the same one?

Before it: the scores of whole repeats. After it: `spread.py`, which says it beside how far repeats and folds differ.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.evidence import Evidence
from weigh.findings.model import Verdict
from weigh.language import Text, text
from weigh.stats.estimate import Estimate

__all__ = ["Leads", "judge_leads", "read_leads", "say_leads"]

# Of two candidates that are alike, whichever comes out best leads in all of five repeats in one study of 16, in all of three in one of four: so
# five are enough to say that the winner stays, and three only where the comparisons show it to be better than every other candidate.
ENOUGH, FEWEST = 5, 3


class Leads(NamedTuple):
    """In how many of `repeats` the winner has the best score alone, and in how many it is level with another; among how many candidates."""

    alone: int
    level: int
    repeats: int
    candidates: int


def read_leads(evidence: Evidence, winner: str) -> Leads | None:
    """How often the winner leads; None where nothing can be compared.

    A score of some folds is no score of a repeat: only repeats count that are whole for all of these candidates, and only candidates that share several
    whole repeats with the winner.
    """
    sign = 1.0 if evidence.metric.greater_is_better else -1.0
    longest = max(len(evidence.out_of_fold[name].complete) for name in evidence.rivals)
    whole, scores = {}, {}
    for name in evidence.rivals:
        complete = evidence.out_of_fold[name].complete
        missing = (0, longest - len(complete))
        whole[name] = np.pad(complete, missing)
        scores[name] = np.pad(sign * evidence.measured[name].score().repeat, missing, constant_values=np.nan)
    compared = _beside(evidence, winner)
    if len(compared) < 2 or winner not in compared:
        return None
    shared = np.all([whole[name] & ~np.isnan(scores[name]) for name in compared], axis=0)
    if shared.sum() < 2:
        return None
    others = np.max([scores[name][shared] for name in compared if name != winner], axis=0)
    ahead = scores[winner][shared] - others
    level = np.abs(ahead) < 1e-12  # equal answers, added up in another order
    return Leads(int((~level & (ahead > 0)).sum()), int(level.sum()), int(shared.sum()), len(compared))


def _shown_best(evidence: Evidence, winner: str) -> bool:
    """Whether the comparisons show the winner to be better than every other candidate that shares whole repeats with it."""
    pairs = evidence.comparisons
    assert pairs is not None
    return all(pairs.of(winner, name).relation == "better" for name in _beside(evidence, winner) if name != winner)


def _too_few(repeats: int, estimates: dict[str, Estimate]) -> Text:
    """What leading in all of a few repeats is worth."""
    estimates["studies"] = count(2 ** (repeats - 1), "count")
    return text(
        "With so few repeats that is no proof: of two candidates that are alike, one leads in all of them in one study of {m}.",
        "重复次数这么少，这还不算证明：两个不相上下的候选方案，每 {m} 项这样的研究中就有一项会出现其一始终领先。",
        m=2 ** (repeats - 1),
    )


def judge_leads(evidence: Evidence, winner: str, leads: Leads, estimates: dict[str, Estimate]) -> tuple[Verdict, Text]:
    """Whether other splits and seeds would give the same winner, and why that is doubtful where it leads in all repeats."""
    if leads.alone + leads.level <= leads.repeats / 2:
        return "no", text("", "")
    if leads.alone < leads.repeats:
        return "undecided", text("", "")
    if not (leads.repeats >= ENOUGH or (leads.repeats >= FEWEST and _shown_best(evidence, winner))):
        return "undecided", _too_few(leads.repeats, estimates)
    if _may_lead(evidence, winner):
        return "undecided", text(
            "Of the others it cannot be told: they have too few whole repeats.", "其余方案的完整重复太少，无法判断。"
        )
    return "yes", text("", "")


def _may_lead(evidence: Evidence, winner: str) -> bool:
    """Whether a candidate that shares too few whole repeats with the winner could lead in some: it neither dropped out of a race nor is shown to be worse."""
    out = frozenset() if evidence.results.race is None else evidence.results.race.out
    beside = _beside(evidence, winner)
    assert evidence.comparisons is not None
    return any(
        name not in beside and name not in out and evidence.comparisons.of(winner, name).relation != "better"
        for name in evidence.rivals
    )


def _beside(evidence: Evidence, winner: str) -> list[str]:
    """The winner, and the candidates that have several whole repeats in common with it."""
    whole = {name: evidence.out_of_fold[name].complete for name in evidence.rivals}
    return [
        name for name in evidence.rivals if sum(a and b for a, b in zip(whole[name], whole[winner], strict=False)) >= 2
    ]


def say_leads(evidence: Evidence, leads: Leads, estimates: dict[str, Estimate]) -> Text:
    """How often it leads, and among whom; the numbers go into `estimates`."""
    values = {"k": leads.alone, "n": leads.repeats, "c": leads.candidates}
    sentence = text("It leads in {k} of {n} repeats.", "它在 {n} 次重复中有 {k} 次领先。", **values)
    if leads.candidates < len(evidence.rivals):
        estimates["candidates_compared"] = count(leads.candidates, "candidates")
        sentence = text(
            "It leads in {k} of {n} repeats, among the {c} candidates that have them.",
            "在具有这些重复的 {c} 个候选方案中，它在 {n} 次重复中有 {k} 次领先。",
            **values,
        )
    if leads.level:
        estimates["level_with_another"] = count(leads.level, "repeats")
        sentence += text("In {t} it is level with another.", "有 {t} 次与另一方案并列。", t=leads.level)
    return sentence
