"""Does the test part confirm the choice? The candidates compared there too, beside what cross-validation said of the same pair.

Before it: the refits of all candidates on the test part, which no choice has seen. After it: `independent_test.py`, which reports it,
and the headline, which takes a claim back that both together do not support (`stats/agreement.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import amount, count, counted_units, gain_of, turned
from weigh.findings.copied import copies_of_test
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding, Relation, Verdict
from weigh.findings.questions import asked
from weigh.language import Text, text
from weigh.stats.agreement import both_together
from weigh.stats.comparison import compare
from weigh.stats.estimate import Estimate

__all__ = ["Choice", "find_choice", "read_choice", "what_to_choose"]


class Choice(NamedTuple):
    """The winner against the candidate that does best on the test part besides it.

    Attributes:
        rival: Candidate id.
        validated, tested: How far the winner is ahead, in cross-validation and on the test part; positive is better.
        relation: What the test part allows to say of the winner.
        together: Both, weighted; None where one has no interval.
        verdict: Whether the test part confirms the choice.
        candidates: How many were compared there.
        n, unit: What the test part holds.
    """

    rival: str
    validated: Estimate
    tested: Estimate
    relation: Relation
    together: Estimate | None
    verdict: Verdict
    candidates: int
    n: int
    unit: str

    @property
    def opposed(self) -> bool:
        """Whether the test part points the other way."""
        return self.tested.value < 0 < self.validated.value

    @property
    def taken_back(self) -> bool:
        """Whether the winner's lead in cross-validation is no lead any more where both count."""
        lost = self.together is None or self.together.low is None or self.together.low <= 0
        return self.verdict == "no" or (self.opposed and lost)


def read_choice(evidence: Evidence) -> Choice | None:
    """Call it through `evidence.once`; None where fewer than two candidates were scored on a test part."""
    results = evidence.results
    if results.origin != "study" or evidence.winner is None or evidence.comparisons is None:
        return None
    tested = {name: results.test(name) for name in evidence.ranked}
    whole = {name: runs for name, runs in tested.items() if runs is not None and runs.complete.all()}
    if evidence.winner not in whole or len(whole) < 2:
        return None
    one = whole[evidence.winner]
    compared = compare(
        {name: runs.measured(evidence.metric) for name, runs in whole.items()},
        results.units_at(one.indices),
        rng=evidence.rng("test part"),
        claim="these_models",
        level=evidence.level,
        rope=evidence.rope,
    )
    others = [name for name in whole if name != evidence.winner]
    gains = {name: gain_of(compared.of(evidence.winner, name), evidence.metric) for name in others}
    finite = [name for name in others if np.isfinite(gains[name].value)]
    if not finite:
        return None
    relations = {name: compared.of(evidence.winner, name).relation for name in finite}
    rival = min(finite, key=lambda name: (relations[name] != "worse", gains[name].value))
    validated = gain_of(evidence.comparisons.of(evidence.winner, rival), evidence.metric)
    verdict: Verdict = (
        "no"
        if relations[rival] == "worse"
        else "yes"
        if all(relation == "better" for relation in relations.values())
        else "undecided"
    )
    return Choice(
        rival,
        validated,
        gains[rival],
        relations[rival],
        both_together(validated, gains[rival]),
        verdict,
        len(finite) + 1,
        gains[rival].n,
        gains[rival].n_unit,
    )


def find_choice(evidence: Evidence) -> list[Finding]:
    """One finding where there is something to compare."""
    choice = evidence.once(read_choice)
    if choice is None:
        return []
    winner = str(evidence.winner)
    estimates = {
        "cross_validation": choice.validated,
        "test": choice.tested,
        "examples": count(choice.n, choice.unit),
        "candidates": count(choice.candidates, "candidates"),
    }
    estimates |= evidence.folds_estimates(_fewest_folds(evidence, choice))
    sentence = _said(evidence, choice, estimates)
    return [
        Finding(
            id="generalisation:choice",
            kind="generalisation",
            **asked("generalisation:choice", choice.verdict),
            claim="these_models",
            severity="problem" if choice.taken_back else "evidence",
            sentence=sentence,
            estimates=estimates,
            assumptions=copies_of_test(evidence, winner),
            candidates=[winner, choice.rival],
            next=what_to_choose(evidence, choice) if choice.taken_back else [],
        )
    ]


def _fewest_folds(evidence: Evidence, choice: Choice) -> str:
    """Who of the two ran in fewer folds: they are compared in those."""
    return min(str(evidence.winner), choice.rival, key=evidence.folds_run)


def what_to_choose(evidence: Evidence, choice: Choice) -> list[Text]:
    """What follows where the test part takes the winner's lead back."""
    return [
        text(
            "Do not choose between {a} and {b} by these scores: take the cheaper one, or label more examples and compare again.",
            "不要凭这些得分在 {a} 与 {b} 之间取舍：请选代价更低的，或标注更多样本后重新比较。",
            a=evidence.label(str(evidence.winner)),
            b=evidence.label(choice.rival),
        )
    ]


def _ahead(gain: Estimate, winner: str, rival: str) -> Text:
    """ "a is ahead of b by 3.1 points [1.2, 5.0]", whichever it is."""
    if gain.value == 0:
        return text("{a} and {b} are level ({d})", "{a} 与 {b} 得分相同（{d}）", a=winner, b=rival, d=amount(gain))
    first, second = (winner, rival) if gain.value >= 0 else (rival, winner)
    size = gain if gain.value >= 0 else turned(gain)
    return text("{a} is ahead of {b} by {d}", "{a} 领先 {b} {d}", a=first, b=second, d=amount(size))


def _said(evidence: Evidence, choice: Choice, estimates: dict[str, Estimate]) -> Text:
    winner, rival = evidence.label(str(evidence.winner)), evidence.label(choice.rival)
    values = {
        "w": winner,
        "r": rival,
        "n": choice.n,
        "u": counted_units(choice.n, choice.unit),
        "k": choice.candidates,
    }
    lead = text(
        "On the test part ({n} {u}) {y}; in {b} {x}.",
        "在测试部分（{n} {u}）上，{y}；在{b}中，{x}。",
        b=evidence.validation(_fewest_folds(evidence, choice)),
        y=_ahead(choice.tested, winner, rival),
        x=_ahead(choice.validated, winner, rival),
        **values,
    )
    if choice.verdict == "yes":
        return lead + text(
            "There {w} is better than every other candidate that was scored ({k} in all).",
            "在那里，{w} 优于其他所有参评方案（共 {k} 个）。",
            **values,
        )
    if choice.verdict == "no":
        sentence = lead + text(
            "There {r} is better: that contradicts the choice.", "在那里 {r} 更好：这与所作的选择相矛盾。", **values
        )
    elif choice.opposed:
        sentence = lead + text(
            "The two point in opposite directions, and the test part alone does not settle it.",
            "两者方向相反，而仅凭测试部分也分不出高下。",
        )
    elif choice.relation == "equal":
        return lead + text("There the two are practically equal.", "在那里两者实际相当。")
    else:
        return lead + text(
            "That alone is too little to confirm the choice or to contradict it.",
            "仅凭这一点，既不足以证实也不足以否定这一选择。",
        )
    if choice.together is not None:
        estimates["together"] = choice.together
        sentence += text("Both together: {z}.", "两者合计：{z}。", z=_ahead(choice.together, winner, rival))
    return sentence
