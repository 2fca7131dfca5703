"""What does it get wrong? The hardest examples, and labels that look wrong.

Before it: out-of-fold predictions of every candidate. After it: the report shows the first pictures of both lists.

Hard: wrong in every repeat of every candidate (controls aside), so neither the split nor the model is to blame: the
picture is unclear, unlike the others, or its label is wrong. Suspected label errors: confident learning on the
winner's probabilities (`stats/label_errors.py`). Neither list is proof; both say where a person should look.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weigh.findings.entities import find_mistakes, written_entities
from weigh.findings.evidence import read_evidence
from weigh.findings.model import Assumption, Bilingual, Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.findings.residuals import find_residuals
from weigh.findings.targets import distances, look_at
from weigh.language import Text, text
from weigh.record.results import OutOfFold, Results, probabilities
from weigh.stats.estimate import Estimate
from weigh.stats.label_errors import LabelErrors, find_label_errors

__all__ = ["SHOWN", "find", "look_again"]

SHOWN = 24  # pictures in the report
MOST = 0.25  # of the labels: in none of those ten test sets were so many flagged
CONFIRMED = 0.51  # share of such flags that people confirmed, over ten test sets (Northcutt, Athalye & Mueller 2021)
REFERENCES = [
    "Northcutt, Jiang & Chuang (2021), Confident Learning, JAIR 70",
    "Northcutt, Athalye & Mueller (2021), Pervasive Label Errors in Test Sets, NeurIPS Datasets and Benchmarks",
]


@FINDINGS.named("errors")
def find(results: Results) -> list[Finding]:
    """The hardest examples, and the labels to look at again (none where nothing ran); numbers and entities in their own way."""
    evidence = read_evidence(results)
    predictions = {name: evidence.out_of_fold[name] for name in evidence.rivals}
    if not predictions:
        return []  # nothing ran: the performance finding says so
    reader = evidence.winner or evidence.rivals[0]
    kind = results.examples.kind
    if kind == "number":
        return find_residuals(evidence, reader)
    findings = [_hardest(results, predictions, reader)]
    if kind == "spans":
        mistakes = find_mistakes(evidence, reader)
        return [mistakes, *findings] if mistakes else findings
    if len(results.examples.classes) > 1:
        findings.append(_labels(results, predictions[reader], reader))
        # `advice` asks how many there are; kept with the records, as `read_evidence` does
        results.__dict__["_suspected_labels"] = len(findings[-1].examples)
    return findings


# ---- the hardest examples


def _hardest(results: Results, predictions: dict[str, OutOfFold], reader: str) -> Finding:
    first = predictions[reader]
    wrong, seen = _count_wrong(predictions)
    order, row = (_by_mistakes if first.kind == "spans" else _by_probability)(results, first)
    runs = int(seen.max(initial=0))
    always = np.flatnonzero((seen == runs) & (wrong == seen) & (runs > 0))
    always = always[np.argsort(order[always], kind="stable")]
    n, share = len(first.target), len(always) / max(len(first.target), 1)
    judged = "undecided" if runs < 2 else "yes" if len(always) else "no"
    estimates = {
        "always_wrong": _count(len(always), "examples", n),
        "share_always_wrong": Estimate(value=100 * share, n=n, method="share", unit="percent"),
        "predictions_each": _count(runs, "predictions", runs),
        "examples": _count(n, "examples", n),
    }
    fixed = results.origin == "models"  # trained models on a test set: no folds, and "pictures" that nobody has here
    values = {"k": len(always), "n": n, "s": f"{100 * share:.1f}", "r": runs}
    values |= {
        "o": text("", "") if fixed else text("out-of-fold ", "折外"),
        "y": text("run", "运行") if fixed else text("repeat", "重复"),
    }
    if runs >= 2:
        sentence = (
            text(
                "Wrong in each of their {r} {o}predictions, by every candidate and in every {y}: {k} of {n} examples ({s} %).",
                "{n} 个样本中有 {k} 个（{s} %）的 {r} 次{o}预测全部错误：每个候选方案、每次{y}都错。",
                **values,
            )
            if len(always)
            else text(
                "None of the {n} examples was wrong in each of its {r} {o}predictions.",
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
    rows = [row(i, f"{wrong[i]}/{seen[i]}") for i in always.tolist()]
    return Finding(
        id="errors:hardest",
        kind="errors",
        **asked("errors:hardest", judged),
        severity="evidence" if runs >= 2 else "detail",
        sentence=Bilingual.of(sentence),
        estimates=estimates,
        examples=[row["path"] for row in rows],
        candidates=list(predictions),
        next=[Bilingual.of(look_at(results))] if len(always) else [],
        table=rows,
    )


def _count_wrong(predictions: dict[str, OutOfFold]) -> tuple[np.ndarray, np.ndarray]:
    """How often each example was predicted wrongly, and how often at all, over candidates and repeats."""
    n = len(next(iter(predictions.values())).target)
    wrong, seen = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for found in predictions.values():
        for repeat in range(len(found.logits)):
            present = ~np.isnan(found.logits[repeat]).any(axis=1)
            wrong += (distances(found.prediction(repeat).labels, found.target) > 0) & present
            seen += present
    return wrong, seen


def _by_probability(results: Results, found: OutOfFold) -> tuple[np.ndarray, Callable[[int, str], dict]]:
    """The hardest come first: those whose label has the least probability; and the row of an example."""
    average = _mean_probability(found)
    given = _probability_of_given(average, found.target)
    return given, lambda i, why: _row(results, found, average, given, i, why)


def _by_mistakes(results: Results, found: OutOfFold) -> tuple[np.ndarray, Callable[[int, str], dict]]:
    """The hardest come first: those with the most entities missed or invented; shown with what the first repeat predicts."""
    labels = [found.prediction(repeat).labels for repeat in range(len(found.logits))]
    examples = results.examples

    def row(i: int, why: str) -> dict:
        at = found.indices[i]
        tokens = None if examples.tokens is None else examples.tokens[at]
        given, said = (written_entities(spans, tokens, examples.classes) for spans in (found.target[i], labels[0][i]))
        return {"path": str(examples.path[at]), "given": given, "predicted": said, "why": why}

    return -np.mean([distances(said, found.target) for said in labels], axis=0), row


# ---- labels that look wrong


def _labels(results: Results, out_of_fold: OutOfFold, reader: str) -> Finding:
    average = _mean_probability(out_of_fold)
    present = np.flatnonzero(~np.isnan(average).any(axis=1))
    found = find_label_errors(out_of_fold.target[present], average[present])
    flagged = present[found.order]
    given = _probability_of_given(average, out_of_fold.target)
    n = len(present)
    estimates = {
        "flagged": _count(len(flagged), "examples", n),
        "share_flagged": Estimate(
            value=100 * len(flagged) / max(n, 1), n=n, method="share of the examples", unit="percent"
        ),
        "examples": _count(n, "examples", n),
        "confirmed_elsewhere": Estimate(
            value=100 * CONFIRMED,
            method="share of such flags that people confirmed, ten test sets (Northcutt 2021)",
            unit="percent",
        ),
    }
    ours = results.origin == "study"
    many = len(flagged) > MOST * n
    if many:  # the first assumption below is broken: nobody should look at what is wrong with the model, one by one
        sentence = text(
            "{w} is confident of another class for {k} of {n} labels ({s} %). So many are rather errors of the model than of the "
            "labels: no label is suspected for it.",
            "{w} 对 {n} 个标注中的 {k} 个（{s} %）确信属于别的类别。数量如此之多，更可能是模型的错误而不是标注的错误：不据此怀疑任何标注。",
            k=len(flagged),
            n=n,
            s=f"{100 * len(flagged) / n:.1f}",
            w=results.candidate(reader).label,
        )
        flagged = flagged[:0]
    elif len(flagged):
        who = (
            text(
                "{w}, which never trained on these examples, is confident of another class",
                "{w} 未用这些样本训练，却确信它们属于别的类别",
                w=results.candidate(reader).label,
            )
            if ours
            else text(
                "{w} is confident of another class (this counts only if it never trained on these examples)",
                "{w} 确信它们属于别的类别（前提是它没有用这些样本训练过）",
                w=results.candidate(reader).label,
            )
        )
        sentence = text(
            "Labels suspected to be wrong: {k} of {n} ({s} %). {w}. "
            "A suspicion is not an error: in ten well-known test sets about half ({c} %) of such flags were confirmed by people, "
            "and a hard example looks the same to a model.",
            "{n} 个标注中有 {k} 个（{s} %）疑似有误：{w}。"
            "疑似不等于有误：在十个知名测试集中，这类标记经人工核对约有一半（{c} %）属实；对模型来说，难样本与错标注看起来没有区别。",
            k=len(flagged),
            n=n,
            s=f"{100 * len(flagged) / n:.1f}",
            w=who,
            c=f"{100 * CONFIRMED:.0f}",
        )
    else:
        sentence = text(
            "None of the {n} labels is contradicted with confidence by {w}. Errors that a model would make as well stay unseen.",
            "{w} 对 {n} 个标注都没有确信的异议。模型自己也会犯的错误仍无法发现。",
            n=n,
            w=results.candidate(reader).label,
        )
    rows = [
        _row(
            results, out_of_fold, average, given, i, _why(results, found, average, int(np.searchsorted(present, i)), i)
        )
        for i in flagged.tolist()
    ]
    next_ = [look_again(len(flagged), ours=ours)] if len(flagged) else []
    return Finding(
        id="errors:labels",
        kind="label-errors",
        **asked("errors:labels", "undecided" if many else "yes" if len(flagged) else "no"),
        severity="evidence",
        sentence=Bilingual.of(sentence),
        estimates=estimates,
        assumptions=[
            Assumption(
                name=Bilingual.of(
                    text(
                        "The candidate is right more often than the labels are wrong",
                        "候选方案判对的比例高于标注出错的比例",
                    )
                ),
                outcome="doubtful" if many else "unchecked",
            )
        ],
        examples=[row["path"] for row in rows],
        candidates=[reader],
        next=[Bilingual.of(item) for item in next_],
        table=rows,
        references=REFERENCES,
    )


def look_again(count: int, *, ours: bool = True) -> Text:
    """The proposal that follows from suspected labels; `advice` makes the same one. `ours`: of a study, not of a table."""
    if not ours:
        return text(
            "Look at the suspected labels ({k}), the first ones first, correct those that are wrong, and read the table again.",
            "从最可疑的开始核对疑似有误的标注（共 {k} 个），改正确实有误的标注，然后重新读取表格。",
            k=count,
        )
    return text(
        "Look at the suspected labels ({k}), the first ones first, correct those that are wrong, and run again.",
        "从最可疑的开始核对疑似有误的标注（共 {k} 个），改正确实有误的标注，然后重新运行。",
        k=count,
    )


def _why(results: Results, found: LabelErrors, average: np.ndarray, position: int, i: int) -> str:
    """ "bee: 0.93 ≥ 0.81": what the model holds it for, and from where on that counts. The same in every language."""
    c = int(found.suggested[position])
    stated = average[i, c]
    if results.examples.multilabel:
        stated = max(stated, 1 - stated)
    return f"{results.examples.classes[c]}: {stated:.2f} ≥ {found.threshold[position]:.2f}"


# ---- what both share


def _mean_probability(out_of_fold: OutOfFold) -> np.ndarray:
    """`(n, classes)` mean over the repeats that have the example; NaN rows where none has."""
    p = np.stack([probabilities(logits, multilabel=out_of_fold.multilabel) for logits in out_of_fold.logits])
    present = np.asarray(~np.isnan(p).any(axis=2))
    count = present.sum(axis=0)[:, None]
    summed = np.where(present[..., None], p, 0.0).sum(axis=0)
    return np.where(count > 0, summed / np.maximum(count, 1), np.nan)


def _probability_of_given(average: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`(n,)` probability of the given label; for several labels that of the worst one."""
    if target.ndim == 2:
        return np.where(target > 0, average, 1 - average).min(axis=1)
    return average[np.arange(len(target)), target]


def _row(results: Results, out_of_fold: OutOfFold, average: np.ndarray, given: np.ndarray, i: int, why: str) -> dict:
    classes, target = results.examples.classes, out_of_fold.target
    if target.ndim == 2:
        labels = ["|".join(classes[c] for c in np.flatnonzero(row)) for row in (target[i], average[i] > 0.5)]
    else:
        labels = [classes[int(target[i])], classes[int(average[i].argmax())]]
    return {
        "path": str(results.examples.path[out_of_fold.indices[i]]),
        "given": labels[0],
        "predicted": labels[1],
        "probability_of_given": round(float(given[i]), 4),
        "why": why,
    }


def _count(value: int, unit: str, n: int) -> Estimate:
    return Estimate(value=value, n=n, n_unit=unit, method="count", unit=unit)
