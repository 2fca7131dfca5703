"""Is a pretrained model worth it? Each of them against what needs none (`Recipe.model`): counted words, of texts.

All pairs of candidates are compared simultaneously, so whichever pretrained one is picked here has not been picked by luck.
Before it: the comparisons of `evidence.py`. After it: `headline.py`, whose sentence says it where none is shown to be better.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from weigh.findings.amounts import amount, gain_of
from weigh.findings.assumptions import assumptions_of
from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.widened import of_neighbours
from weigh.findings.model import Finding, Relation, Verdict
from weigh.findings.questions import VERDICTS, asked
from weigh.language import Text, text
from weigh.run import RECIPES
from weigh.stats.comparison import Difference
from weigh.stats.estimate import Estimate

__all__ = ["against_counting", "not_shown_better"]

ABOUT: dict[Relation, Text] = {
    "worse": text("the best of them, {c}, is worse: the difference is {d}.", "其中最好的 {c} 更差：差值为 {d}。"),
    "equal": text(
        "the best of them, {c}, is practically equal: the difference is {d}.", "其中最好的 {c} 实际相当：差值为 {d}。"
    ),
    "undecided": text(
        "whether the best of them, {c}, is better is not settled: the difference is {d}.",
        "其中最好的 {c} 是否更好，尚无定论：差值为 {d}。",
    ),
}


class _Counting(NamedTuple):
    """The best of what stands on no pretrained model, and the pretrained one that tells most about it.

    Attributes:
        pretrained: The best one that is better, else the best one.
        verdict: Whether one is better; "no" only where all are shown not to be.
    """

    counting: str
    pretrained: str
    difference: Difference
    gain: Estimate
    verdict: Verdict

    @property
    def relation(self) -> Relation:
        """Of the pretrained one to the other."""
        return self.difference.relation


def _compare(evidence: Evidence) -> _Counting | None:
    """None where there is nothing to compare."""
    recipe_of = {c.id: c.recipe for c in evidence.results.candidates}
    order = [name for name in evidence.ranked if recipe_of[name] in RECIPES]
    counting = [name for name in order if RECIPES.get(recipe_of[name]).model]
    pretrained = [name for name in order if name not in counting]
    if not counting or not pretrained or evidence.comparisons is None:
        return None
    best = counting[0]
    relations = {name: evidence.comparisons.of(name, best).relation for name in pretrained}
    chosen = next((name for name in pretrained if relations[name] == "better"), pretrained[0])
    verdict: Verdict = "undecided" if "undecided" in relations.values() else "no"
    if relations[chosen] == "better":
        verdict = "yes"
    difference = evidence.comparisons.of(chosen, best)
    gain = gain_of(difference, evidence.metric)
    return None if math.isnan(gain.value) else _Counting(best, chosen, difference, gain, verdict)


def _sentence(evidence: Evidence, compared: _Counting) -> Text:
    values = {"c": evidence.label(compared.pretrained), "d": amount(compared.gain)}
    if compared.relation == "better":
        return text(
            "{c} is better than counting words ({o}) by {d}.",
            "{c} 优于词频统计（{o}），领先 {d}。",
            o=evidence.label(compared.counting),
            **values,
        )
    begun, about = _none_better(evidence, compared), ABOUT[compared.relation]
    about = text(about.en, about.zh, **values)
    return Text(f"{begun.en}: {about.en}", f"{begun.zh}：{about.zh}")


def _none_better(evidence: Evidence, compared: _Counting) -> Text:
    return text(
        "No pretrained model here is shown to be better than counting words ({o})",
        "这里没有哪个预训练模型被证明优于词频统计（{o}）",
        o=evidence.label(compared.counting),
    )


def not_shown_better(evidence: Evidence) -> Text:
    """The sentence of the headline that no pretrained model is shown to be better; nothing where one is, or where nothing was counted."""
    compared = evidence.once(_compare)
    if compared is None or compared.relation == "better":
        return text("", "")
    sentence = _none_better(evidence, compared)
    return Text(f"{sentence.en}.", f"{sentence.zh}。")


def against_counting(evidence: Evidence) -> list[Finding]:
    """One finding where words were counted beside pretrained models."""
    compared = evidence.once(_compare)
    if compared is None:
        return []
    names = [compared.pretrained, compared.counting]
    estimates = {"difference": compared.gain}
    sentence = _sentence(evidence, compared) + of_neighbours(evidence, compared.difference, estimates)
    return [
        Finding(
            id="performance:counting",
            kind="performance",
            **asked("performance:counting", compared.verdict),
            claim=evidence.claim,
            severity="evidence" if compared.verdict == "yes" else "problem",
            relation=compared.relation if VERDICTS[compared.relation] == compared.verdict else None,
            sentence=sentence,
            estimates=estimates,
            assumptions=assumptions_of(evidence, names),
            candidates=names,
            references=[
                "Manning, Raghavan & Schütze (2008), Introduction to Information Retrieval, chapter 13",
                "Wang & Manning (2012), Baselines and Bigrams: Simple, Good Sentiment and Topic Classification, ACL",
            ],
        )
    ]
