"""What does it get wrong? The hardest examples, and labels that look wrong.

Before it: out-of-fold predictions of every candidate. After it: the report shows the first pictures of both lists.

Hard: wrong in every repeat of every candidate (controls aside), so neither the split nor the model is to blame: the
picture is unclear, unlike the others, or its label is wrong. Suspected label errors: confident learning on the
winner's probabilities (`stats/label_errors.py`). Neither list is proof; both say where a person should look.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weigh.findings.amounts import count, share
from weigh.findings.errors.mistakes import MISTAKES
from weigh.findings.errors.suspects import (
    example_row,
    find_labels,
    mean_probability,
    probability_of_given,
    untrained_classes,
)
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.findings.targets import look_at
from weigh.language import text
from weigh.record.choice_of_winner import trained_on
from weigh.record.results import OutOfFold, Results

__all__ = ["SHOWN", "find"]

SHOWN = 24  # pictures in the report


@FINDINGS.named("errors")
def find(results: Results) -> list[Finding]:
    """The hardest examples, and the labels to look at again (none where nothing ran); numbers and entities in their own way."""
    evidence = read_evidence(results)
    predictions = {name: evidence.out_of_fold[name] for name in evidence.rivals}
    if not predictions:
        return []  # nothing ran: the performance finding says so
    reader = evidence.winner or evidence.rivals[0]
    kind = results.examples.kind
    own = MISTAKES.get(kind.name)(evidence, reader) if kind.name in MISTAKES else []
    hardest = [_hardest(evidence, predictions, reader)] if kind.exact else []
    return [*own, *hardest, *find_labels(evidence)]


# ---- the hardest examples


def _hardest(evidence: Evidence, predictions: dict[str, OutOfFold], reader: str) -> Finding:
    results, first = evidence.results, predictions[reader]
    wrong, seen, unknown = _count_wrong(results, predictions)
    readers = [first, *(runs for name, runs in predictions.items() if name != reader)]
    order, row = (_by_probability if first.kind.probable else _by_mistakes)(results, readers)
    predicted = seen > 0
    runs, least = int(seen.max(initial=0)), int(seen[predicted].min(initial=seen.max(initial=0)))
    always = np.flatnonzero(predicted & (wrong == seen))
    always = always[np.argsort(order[always], kind="stable")]
    n = int(predicted.sum())
    hard = share(len(always) / max(n, 1), n=n, method="share")
    judged = "undecided" if runs < 2 else "yes" if len(always) else "no"
    estimates = {
        "always_wrong": count(len(always), "examples", of=n),
        "share_always_wrong": hard,
        "predictions_each": count(runs, "predictions"),
        "examples": count(n, "examples"),
    }
    fixed = results.origin == "models"  # trained models on a test set: without folds, and the pictures are not here
    values = {
        "k": len(always),
        "n": n,
        "s": f"{hard.value:.1f}",
        "r": runs,
        "who": text("every candidate", "每个候选方案"),
    }
    if least < runs:  # some candidates, or repeats, lack some of the examples
        estimates["predictions_least"] = count(least, "predictions")
        values["r"] = text("{l} to {r}", "{l} 至 {r}", l=least, r=runs)
        values["who"] = text("every candidate that predicted it", "每个预测过它的候选方案")
    values |= {
        "o": text("", "") if fixed else text("out-of-fold ", "折外"),
        "y": text("run", "运行") if fixed else text("repeat", "重复"),
    }
    if runs >= 2:
        sentence = (
            text(
                "Wrong in each of their {r} {o}predictions, by {who} and in every {y}: {k} of {n} examples ({s} %).",
                "{n} 个样本中有 {k} 个（{s} %）的 {r} 次{o}预测全部错误：{who}、每次{y}都错。",
                **values,
            )
            if len(always)
            else text(
                "None of the {n} {n:|example|examples} was wrong in each of its {r} {o}predictions.",
                "{n} 个样本中，没有哪一个的 {r} 次{o}预测全部错误。",
                **values,
            )
        )
    else:
        sentence = text(
            "Predicted wrongly: {k} of {n} examples ({s} %).", "{n} 个样本中有 {k} 个（{s} %）预测错误。", **values
        ) + text(
            "With a single prediction for each, a hard example cannot be told from bad luck.",
            "每个样本只有一次预测，无法区分是样本本身难，还是碰巧出错。",
        )
    if unknown:
        estimates["unknown"] = count(unknown, "examples", of=len(first.target))
        names = evidence.once(untrained_classes)
        left_out = text(
            "Left out: {k} {k:|example|examples} of classes that no model had trained on when it was tested"
            + (" ({c})." if names else "."),
            "未计入：{k} 个样本，测试它们的模型从未训练过相应的类别" + ("（{c}）。" if names else "。"),
            k=unknown,
            c=", ".join(names),
        )
        sentence = sentence + left_out if n else left_out
    rows = [row(i, f"{wrong[i]}/{seen[i]}") for i in always.tolist()]
    return Finding(
        id="errors:hardest",
        kind="errors",
        **asked("errors:hardest", judged),
        severity="evidence" if runs >= 2 else "detail",
        sentence=sentence,
        estimates=estimates,
        examples=[row["path"] for row in rows],
        candidates=list(predictions),
        next=[look_at(results)] if len(always) else [],
        table=rows,
    )


def _count_wrong(results: Results, predictions: dict[str, OutOfFold]) -> tuple[np.ndarray, np.ndarray, int]:
    """How often each example was predicted wrongly, and how often at all, over candidates and repeats; and how many examples were left out.

    A run that was tested on a class that it had not trained on is wrong whatever the example is like: that is no prediction of it.
    Models that were trained elsewhere, on other examples, are not asked.
    """
    n = len(next(iter(predictions.values())).target)
    wrong, seen, unknown = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    for runs in predictions.values():
        trained = None
        if results.origin != "models" and runs.kind.probable:
            trained = trained_on(runs, results.examples)
        for repeat in range(len(runs.answers)):
            present = runs.present[repeat].copy()
            if trained is not None:
                unknown |= present & ~trained[repeat]
                present &= trained[repeat]
            wrong += (runs.kind.distances(runs.prediction(repeat).labels, runs.target) > 0) & present
            seen += present
    return wrong, seen, int((unknown & (seen == 0)).sum())


def _by_probability(results: Results, readers: list[OutOfFold]) -> tuple[np.ndarray, Callable[[int, str], dict]]:
    """The hardest come first: those whose label has the least probability; and the row of an example.

    Each example is read from the first of the candidates that predicted it.
    """
    first, average = readers[0], mean_probability(readers[0])
    for runs in readers[1:]:
        missing = np.isnan(average).any(axis=1)
        if not missing.any():
            break
        average = np.where(missing[:, None], mean_probability(runs), average)
    label_probability = probability_of_given(average, first.target)
    return label_probability, lambda i, why: example_row(results, first, average, label_probability, i, why)


def _by_mistakes(results: Results, readers: list[OutOfFold]) -> tuple[np.ndarray, Callable[[int, str], dict]]:
    """The hardest come first: those whose answers are furthest off; shown with the first prediction of the first candidate that has one."""
    examples, distance = results.examples, readers[0].mean_distance
    for runs in readers[1:]:
        distance = np.where(np.isnan(distance), runs.mean_distance, distance)

    def row(i: int, why: str) -> dict:
        runs = next(runs for runs in readers if runs.present[:, i].any())
        at, labels = runs.indices[i], runs.prediction(int(runs.present[:, i].argmax())).labels
        target, predicted = (
            runs.kind.shown(one[i], examples.classes, examples.row(at)) for one in (runs.target, labels)
        )
        return {"path": str(examples.path[at]), "given": target, "predicted": predicted, "why": why}

    return -distance, row
