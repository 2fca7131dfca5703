"""Is the label always the most probable class? Where a threshold was chosen for unbalanced classes it is not, and scores depend on it.

Before it: the biases that runs chose inside their training folds (`train/decision.py`). After it: the report and the model card say
how many labels differ and what the other decision scores; `metrics.decision` switches.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from weigh.findings.amounts import count, share
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, join_texts, text
from weigh.metrics.base import METRICS
from weigh.record.results import OutOfFold, Results
from weigh.stats.estimate import Estimate, digits_that_show, with_digits

__all__ = ["find"]


@FINDINGS.named("decision")
def find(results: Results) -> list[Finding]:
    """One finding where the winner decides by a threshold; none where its label is the most probable class anyway."""
    evidence = read_evidence(results)
    if results.origin != "study" or evidence.winner is None or not evidence.out_of_fold[evidence.winner].kind.exclusive:
        return []
    decided = evidence.out_of_fold[evidence.winner]
    if not decided.bias.any():
        return []
    probable = replace(decided, bias=np.zeros_like(decided.bias))
    differing, whole = _differing(decided, probable)
    names = dict.fromkeys((evidence.metric.name, "accuracy"))
    scores = {name: (_score(name, decided), _score(name, probable)) for name in names}
    estimates = {
        "differing": share(differing, n=whole, method="share of out-of-fold labels"),
        "examples": count(whole, "examples"),
    }
    for name, both in scores.items():
        of = "score" if name == evidence.metric.name else name
        for key, score in zip((f"{of}_decided", f"{of}_most_probable"), both, strict=True):
            unit = METRICS.get(name).unit
            estimates[key] = Estimate(value=score, n=whole, method="mean of the repeats, no interval", unit=unit)
    return [
        Finding(
            id="decision",
            kind="decision",
            **asked("decision", "no" if differing else "yes"),
            severity="evidence" if differing else "detail",
            sentence=_sentence(evidence, differing, whole, scores),
            estimates=estimates,
            candidates=[evidence.winner],
            next=[_switch(evidence)] if differing else [],
            table=[
                {"metric": name, "decided": round(both[0], 4), "most_probable": round(both[1], 4)}
                for name, both in scores.items()
            ],
            references=[
                "Menon et al. (2013), On the Statistical Consistency of Algorithms for Binary Classification, ICML"
            ],
        )
    ]


def _switch(evidence: Evidence) -> Text:
    """The setting that lets the most probable class decide; a recipe's own comes before that of the study."""
    recipe = evidence.recipe(str(evidence.winner))
    own = recipe is not None and "decision" in recipe.overrides
    return text(
        "If every mistake costs the same, let the most probable class decide: --set {s}=argmax",
        "如果各种错误的代价相同，可改为按概率最大的类别判定：--set {s}=argmax",
        s=f"recipes.{recipe.label or recipe.name}.decision" if recipe is not None and own else "metrics.decision",
    )


def _differing(decided: OutOfFold, probable: OutOfFold) -> tuple[float, int]:
    """Share of labels that are not the most probable class, over all repeats; and how many examples there are."""
    shares = [
        (decided.prediction(r).labels != probable.prediction(r).labels)[decided.present[r]]
        for r in range(len(decided.answers))
    ]
    return float(np.concatenate(shares).mean()), int(decided.present.any(axis=0).sum())


def _favours_the_rare(decided: OutOfFold) -> bool:
    """Whether the class that is answered earliest has fewer examples than the one that is answered latest: for F1 it may be the common one."""
    bias = decided.bias[decided.present].mean(axis=0)
    number = np.bincount(decided.target, minlength=len(bias))
    return bool(number[bias.argmax()] < number[bias.argmin()])


def _score(name: str, predicted: OutOfFold) -> float:
    return float(predicted.measured(METRICS.get(name)).score().overall)


def _sentence(evidence: Evidence, differing: float, whole: int, scores: dict[str, tuple[float, float]]) -> Text:
    values = {"c": evidence.label(str(evidence.winner)), "n": whole}
    metric, two = evidence.metric, len(evidence.results.examples.classes) == 2
    # For other metrics `metrics.decision: threshold` goes by the frequencies of the classes
    served = metric.name == "balanced_accuracy" or (metric.name.startswith("f1") and two)
    if not differing:
        return text(
            "{c} decides by a threshold that was chosen{m}; for these {n} examples the label is the most probable class all the same.",
            "{c} 按{m}选定的阈值判定标签；不过在这 {n} 个样本上，标签仍都是概率最大的类别。",
            m=text(" for {m}", "为{m}", m=metric.title) if served else text("", ""),
            **values,
        )
    shown = [
        text(
            "{t} {a} instead of {b}",
            "{t} {a}（否则为 {b}）",
            t=METRICS.get(name).title,
            a=f"{decided:.4f}",
            b=f"{probable:.4f}",
        )
        for name, (decided, probable) in scores.items()
    ]
    listed = join_texts(shown, " and ", "，")
    return text(
        "{c} does not always answer with its most probable class: a threshold was chosen{m} inside the training folds{r}, and {s} % of the "
        "labels of {n} examples differ. That makes {l}.",
        "{c} 给出的标签并不总是概率最大的类别：{m}在训练折内选定了阈值{r}；{n} 个样本的标签中有 {s} % 因此不同。结果：{l}。",
        m=text(" for {m}", "为优化{m}，", m=metric.title) if served else text("", ""),
        r=text(", so that rare classes are answered earlier", "，使少数类更容易被选中")
        if _favours_the_rare(evidence.out_of_fold[str(evidence.winner)])
        else text("", ""),
        s=with_digits(100 * differing, digits_that_show([100 * differing], 1)),
        l=listed,
        **values,
    ) + text(
        "All scores of labels in this report (accuracy, F1 and the like) count the labels as decided; `weigh predict` gives both.",
        "本报告中所有针对标签的得分（准确率、F1 等）都按这样判定的标签计算；`weigh predict` 会同时给出两种标签。",
    )
