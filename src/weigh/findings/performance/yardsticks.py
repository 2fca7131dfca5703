"""The winner against the controls, and what texts without labels are worth: part of the question of `headline.py`."""

from __future__ import annotations

import math

from weigh.findings.amounts import amount, gain_of
from weigh.findings.assumptions import assumptions_of
from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.widened import of_neighbours
from weigh.findings.model import Finding
from weigh.findings.questions import VERDICTS, asked
from weigh.findings.references import NADEAU_BENGIO
from weigh.language import Text, text
from weigh.run import RECIPES, Candidate

__all__ = ["against_controls", "worth_of_pretraining"]

ABOUT = {
    "scratch": text("the same kind of network without pretraining", "同类但未经预训练的网络"),
    "textbook": text("the recipe of the textbooks", "教科书式的做法"),
}
OTHER_NETWORK = text("a network without pretraining", "一个未经预训练的网络")  # of another model than the winner


def against_controls(evidence: Evidence) -> list[Finding]:
    """The winner against every control: what pretraining, or a careful recipe, is worth."""
    winner, findings = str(evidence.winner), []
    for control in evidence.results.candidates:
        if not control.control or control.id not in evidence.measured or control.id == winner:
            continue
        about = ABOUT.get(control.recipe, text("the control", "对照方案"))
        if control.recipe == "scratch" and control.model != evidence.results.candidate(winner).model:
            about = OTHER_NETWORK
        findings += _compared(evidence, winner, control.id, [winner, control.id], about, "performance:control")
    return findings


def worth_of_pretraining(evidence: Evidence) -> list[Finding]:
    """Each candidate that used data without labels against plain fine-tuning of the same model; one family per model."""
    findings = []
    for plain in evidence.results.candidates:
        if plain.recipe != "finetune" or plain.id not in evidence.measured:
            continue
        using = [
            c.id
            for c in evidence.results.candidates
            if c.model == plain.model and _uses_unlabelled(c) and c.id in evidence.measured
        ]
        about = text("fine-tuning the same model without the unlabelled data", "不用无标签数据、直接微调同一模型")
        for name in using:
            findings += _compared(evidence, name, plain.id, [plain.id, *using], about, "performance:pretraining")
    return findings


def _uses_unlabelled(candidate: Candidate) -> bool:
    return RECIPES.get(candidate.recipe).unlabelled is not None


def _compared(evidence: Evidence, name: str, other: str, family: list[str], about: Text, key: str) -> list[Finding]:
    """`name` against `other`, corrected for all comparisons of `family`; nothing where they have no folds in common.

    Args:
        key: Of the question; the id also names the one of the two that is not the same in all of them.
    """
    difference = evidence.compare(family).of(name, other)
    gain = gain_of(difference, evidence.metric)
    if math.isnan(gain.value):
        return []  # the table of runs shows it
    values = {"c": evidence.label(name), "o": evidence.label(other), "a": about, "d": amount(gain)}
    sentence = {
        "better": text("{c} is better than {a} ({o}) by {d}.", "{c} 优于{a}（{o}），领先 {d}。", **values),
        "worse": text(
            "{c} is worse than {a} ({o}): the difference is {d}.", "{c} 不如{a}（{o}）：差值为 {d}。", **values
        ),
        "equal": text(
            "{c} and {a} ({o}) are practically equal: the difference is {d}.",
            "{c} 与{a}（{o}）实际相当：差值为 {d}。",
            **values,
        ),
        "undecided": text(
            "Whether {c} is better than {a} ({o}) is not settled: the difference is {d}.",
            "{c} 是否优于{a}（{o}），尚无定论：差值为 {d}。",
            **values,
        ),
    }[difference.relation]
    estimates = {"difference": gain}
    sentence += of_neighbours(evidence, difference, estimates)
    return [
        Finding(
            id=f"{key}:{other if key == 'performance:control' else name}",
            kind="performance",
            **asked(key, VERDICTS[difference.relation], c=values["c"], o=values["o"]),
            claim=evidence.claim,
            relation=difference.relation,
            sentence=sentence,
            estimates=estimates,
            assumptions=assumptions_of(evidence, [name, other]),
            candidates=[name, other],
            references=[NADEAU_BENGIO],
        )
    ]
