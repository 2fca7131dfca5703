"""Which labels look wrong? Confident learning on the winner's probabilities, where a model had a chance to know better.

Before it: out-of-fold predictions of the winner. After it: `hardest.py`, whose report shows the first of them, and `advice/next_steps.py`,
which proposes to look at them: both ask for the same computation (`suspected_labels`).

A label is not suspected where the model could not know it: its class was in no training part when it was tested (all its
examples stand in one fold), or its group is one in which the model contradicts a large part of all labels (a domain that it never saw).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.evidence import Evidence
from weigh.findings.model import Assumption, Finding
from weigh.findings.questions import asked
from weigh.findings.references import NORTHCUTT
from weigh.language import Text, text
from weigh.plan.runs import group_of
from weigh.record.choice_of_winner import MOST_DOUBTED, strange_groups, trained_on
from weigh.record.results import OutOfFold, Results
from weigh.stats.calibration import fit_temperature
from weigh.stats.estimate import Estimate
from weigh.stats.label_errors import LabelErrors, find_label_errors, flags_by_chance

__all__ = [
    "Suspected",
    "example_row",
    "find_labels",
    "look_again",
    "mean_probability",
    "suspected_labels",
    "untrained_classes",
]

CELLS = 2e7  # labels times classes that are drawn in all
AT_ONCE = 2_000_000  # probabilities that are computed at once: 16 MB
REFERENCES = [
    "Northcutt, Jiang & Chuang (2021), Confident Learning, JAIR 70",
    NORTHCUTT,
]


class Suspected(NamedTuple):
    """The labels that the winner contradicts with confidence.

    Attributes:
        reader: Candidate id.
        flagged: Positions among the training examples, the most suspect first; empty where there are too many to be errors of labels.
        contradicted: How many are contradicted in all, those of strange groups left out.
        judged: How many labels were looked at.
        why: Position -> "bee: 0.93 ≥ 0.81", or of several labels "bee: 0.07 ≤ 0.19".
        average: `(n, classes)` the probabilities that decided.
        unknown: Labels that were not looked at, since no model had trained on their class.
        strange: Contradicted labels in groups where so many are that the model is to blame.
        groups: How many such groups.
        by_chance: How many labels would be contradicted if all were right, by the model's own calibrated probabilities; strange groups left out.
    """

    reader: str
    flagged: np.ndarray
    contradicted: int
    judged: int
    why: dict[int, str]
    average: np.ndarray
    unknown: int
    strange: int
    groups: int
    by_chance: Estimate

    @property
    def unusual(self) -> bool:
        """Whether more labels are contradicted than would be if all were right."""
        return self.by_chance.high is not None and self.contradicted > self.by_chance.high

    @property
    def many(self) -> bool:
        return self.contradicted > MOST_DOUBTED * self.judged


def suspected_labels(evidence: Evidence) -> Suspected | None:
    """Call it through `evidence.once`; None where labels are no classes, or nothing ran."""
    results = evidence.results
    if not results.examples.kind.probable or len(results.examples.classes) < 2 or not evidence.rivals:
        return None
    reader = evidence.winner or evidence.rivals[0]
    out_of_fold = evidence.out_of_fold[reader]
    fixed = results.origin == "models"  # trained elsewhere, on other examples
    trained = None if fixed else trained_on(out_of_fold, results.examples)
    average = mean_probability(out_of_fold, trained=trained)
    present = np.flatnonzero(~np.isnan(average).any(axis=1))
    predicted = out_of_fold.present.any(axis=0)
    rows = slice(None) if len(present) == len(average) else present  # many classes: no second copy of all
    label_errors = find_label_errors(out_of_fold.target[rows], average[rows])
    flagged = present[label_errors.order]
    group = group_of(results.examples, results.spec)
    strange = np.zeros(len(average), dtype=bool)
    if group is not None:
        doubted = np.zeros(len(average), dtype=bool)
        doubted[flagged] = True
        strange = strange_groups(doubted, group[out_of_fold.indices])
    kept = flagged[~strange[flagged]]
    places = np.searchsorted(present, kept)
    why = {i: _why(results, label_errors, average, p, i) for p, i in zip(places.tolist(), kept.tolist(), strict=True)}
    suspected = Suspected(
        reader,
        kept,
        len(kept),
        len(present),
        why,
        average,
        int(predicted.sum()) - len(present),
        len(flagged) - len(kept),
        0 if group is None else len(np.unique(group[out_of_fold.indices][strange])),
        _by_chance(evidence, average[rows], out_of_fold.target[rows], ~strange[rows]),
    )
    return suspected._replace(flagged=kept[:0]) if suspected.many else suspected


def _by_chance(evidence: Evidence, average: np.ndarray, target: np.ndarray, counted: np.ndarray) -> Estimate:
    """How many of the `counted` labels would be contradicted if all were right: those of strange groups count on neither side, nor is the model
    calibrated on them.
    """
    multilabel = target.ndim == 2
    draws = int(np.clip(CELLS // max(average.size, 1), 20, 200))
    logits = np.clip(average, 1e-12, 1.0)  # changed in place below: with many classes every copy is much memory
    np.log(logits, out=logits)
    if multilabel:
        logits -= np.log(np.clip(1 - average, 1e-12, 1.0))
    logits /= fit_temperature(logits, target, present=counted)
    calibrated = _softened(logits, multilabel=multilabel)
    del logits
    counts = flags_by_chance(
        average, calibrated, multilabel=multilabel, rng=evidence.rng("labels by chance"), draws=draws, counted=counted
    )
    low, high = np.quantile(counts, [(1 - evidence.level) / 2, (1 + evidence.level) / 2])
    return Estimate(
        value=round(float(counts.mean()), 1),
        low=float(np.floor(low)),
        high=float(np.ceil(high)),
        level=evidence.level,
        n=int(counted.sum()),
        method="labels drawn from the model's own calibrated probabilities",
        unit="examples",
    )


def _softened(logits: np.ndarray, *, multilabel: bool) -> np.ndarray:
    if multilabel:
        return 0.5 * (1 + np.tanh(logits / 2))
    raised = logits - logits.max(axis=1, keepdims=True)
    np.exp(raised, out=raised)
    raised /= raised.sum(axis=1, keepdims=True)
    return raised


def untrained_classes(evidence: Evidence) -> list[str]:
    """Classes that no run had trained on when it was tested on them: all their examples stand in one fold, in every repeat."""
    if evidence.winner is None or evidence.results.origin == "models":
        return []
    runs = evidence.out_of_fold[evidence.winner]
    if not runs.kind.probable:
        return []
    classes = evidence.results.examples.classes
    trained = trained_on(runs, evidence.results.examples).any(axis=0)
    holds = runs.kind.members(runs.target, len(classes))
    return [name for c, name in enumerate(classes) if holds[:, c].any() and not trained[holds[:, c]].any()]


def find_labels(evidence: Evidence) -> list[Finding]:
    """The finding "errors:labels"; none where labels are no classes."""
    suspects = evidence.once(suspected_labels)
    if suspects is None:
        return []
    results, reader, n = evidence.results, suspects.reader, suspects.judged
    out_of_fold, flagged = evidence.out_of_fold[reader], suspects.flagged
    many, contradicted = suspects.many, suspects.contradicted
    label_probability = probability_of_given(suspects.average, out_of_fold.target)
    estimates = {
        "flagged": count(contradicted, "examples", of=n),
        "share_flagged": Estimate(
            value=100 * contradicted / max(n, 1), n=n, method="share of the examples", unit="percent"
        ),
        "examples": count(n, "examples"),
    }
    ours = results.origin == "study"
    if len(flagged) and not many:
        estimates["by_chance"] = suspects.by_chance
    sentence = _say(results.candidate(reader).label, suspects, ours=ours)
    sentence += _left_out(evidence, suspects, estimates)
    rows = [
        example_row(results, out_of_fold, suspects.average, label_probability, i, suspects.why[i])
        for i in flagged.tolist()
    ]
    next_ = [look_again(len(flagged), ours=ours)] if len(flagged) else []
    return [
        Finding(
            id="errors:labels",
            kind="label-errors",
            **asked("errors:labels", "undecided" if many or len(flagged) or not n else "no"),
            severity="evidence",
            sentence=sentence,
            estimates=estimates,
            assumptions=[
                Assumption(
                    name=text(
                        "The candidate is right more often than the labels are wrong",
                        "候选方案判对的比例高于标注出错的比例",
                    ),
                    outcome="doubtful" if many else "unchecked",
                )
            ],
            examples=[row["path"] for row in rows],
            candidates=[reader],
            next=next_,
            table=rows,
            references=REFERENCES,
        )
    ]


def _say(reader: str, suspects: Suspected, *, ours: bool) -> Text:
    """How many labels `reader` doubts; `ours`: it was trained here, so it is known what it had never seen."""
    n, flagged = suspects.judged, suspects.flagged
    if suspects.many:  # the assumption is broken: these are errors of the model, not worth checking one by one
        return text(
            "{w} is confident of another class for {k} of {n} labels ({s} %). So many are rather errors of the model than of the "
            "labels: no label is suspected for it.",
            "{w} 对 {n} 个标注中的 {k} 个（{s} %）确信属于别的类别。数量如此之多，更可能是模型的错误而不是标注的错误：不据此怀疑任何标注。",
            k=suspects.contradicted,
            n=n,
            s=f"{100 * suspects.contradicted / n:.1f}",
            w=reader,
        )
    if len(flagged):
        who = (
            text(
                "{w}, which never trained on these examples, is confident of another class",
                "{w} 未用这些样本训练，却确信它们属于别的类别",
                w=reader,
            )
            if ours
            else text(
                "{w} is confident of another class (this counts only if it never trained on these examples)",
                "{w} 确信它们属于别的类别（前提是它没有用这些样本训练过）",
                w=reader,
            )
        )
        return text(
            "Labels that look wrong to a model: {k} of {n} ({s} %). {w}. "
            "If all labels were right, it would be so for about {e} by its own probabilities"
            + ("; these are more." if suspects.unusual else ", so that their number alone shows no error.")
            + " How many of them are wrong cannot be told from predictions: a hard example looks the same to a model.",
            "{n} 个标注中有 {k} 个（{s} %）在模型看来可疑：{w}。即使所有标注都正确，按它自己的概率也会有约 {e} 个"
            + ("；实际数量更多。" if suspects.unusual else "，因此单凭这个数量并不说明标注有误。")
            + "其中有多少确实标错，仅凭预测无法判断：对模型来说，难样本与错标注看起来没有区别。",
            k=len(flagged),
            n=n,
            s=f"{100 * len(flagged) / n:.1f}",
            w=who,
            e=f"{suspects.by_chance.value:g} [{suspects.by_chance.low:g}, {suspects.by_chance.high:g}]",
        )
    if not n:
        return text("No label can be looked at.", "没有可供判断的标注。")
    if suspects.strange:  # they are contradicted, and follow
        return text(
            "None of the labels outside the groups below is contradicted with confidence by {w}. Errors that a model would make as well stay unseen.",
            "除下述各组外，{w} 对其余标注都没有确信的异议。模型自己也会犯的错误仍无法发现。",
            w=reader,
        )
    return text(
        "None of the {n} {n:|label|labels} is contradicted with confidence by {w}. Errors that a model would make as well stay unseen.",
        "{w} 对 {n} 个标注都没有确信的异议。模型自己也会犯的错误仍无法发现。",
        n=n,
        w=reader,
    )


def _left_out(evidence: Evidence, suspects: Suspected, estimates: dict[str, Estimate]) -> Text:
    """Labels about which the model can say nothing, and why."""
    sentence = text("", "")
    if suspects.unknown:
        estimates["unknown"] = count(suspects.unknown, "examples")
        names = evidence.once(untrained_classes)
        sentence += text(
            "Not looked at: {k} {k:|label|labels} of classes that no model had trained on when it was tested"
            + (" ({c})." if names else "."),
            "另有 {k} 个标注未作判断：测试它们的模型从未训练过相应的类别" + ("（{c}）。" if names else "。"),
            k=suspects.unknown,
            c=", ".join(names),
        )
    if suspects.strange:
        estimates |= {
            "strange": count(suspects.strange, "examples", of=suspects.judged),
            "groups": count(suspects.groups, "groups"),
        }
        sentence += text(
            "Not suspected: {k} further {k:|label|labels} in {g} {g:|group|groups} where the model contradicts a large part of all labels; it never saw these "
            "groups, so that tells of the model.",
            "另有 {k} 个标注也与预测矛盾，但不作怀疑：它们所在的 {g} 个组中，模型与相当一部分标注不符；模型训练时没有见过这些组，问题更可能在模型。",
            k=suspects.strange,
            g=suspects.groups,
        )
    return sentence


def look_again(count: int, *, ours: bool = True) -> Text:
    """The advice that follows from suspected labels, here and in `advice`. `ours`: of a study, not of a table of predictions."""
    if not ours:
        return text(
            "Look at the first of the suspected labels ({k}), correct only what you know to be wrong, and read the table again.",
            "从最可疑的开始核对可疑的标注（共 {k} 个），只改正能确定有误的，然后重新读取表格。",
            k=count,
        )
    return text(
        "Look at the first of the suspected labels ({k}), correct only what you know to be wrong, and run again.",
        "从最可疑的开始核对可疑的标注（共 {k} 个），只改正能确定有误的，然后重新运行。",
        k=count,
    )


def _why(results: Results, label_errors: LabelErrors, average: np.ndarray, position: int, i: int) -> str:
    """ "bee: 0.93 ≥ 0.81": what the model holds it for, and from where on that counts; of several labels also "bee: 0.07 ≤ 0.19", that it is not there.
    The same in every language.
    """
    c = int(label_errors.suggested[position])
    stated, threshold, sign = average[i, c], label_errors.threshold[position], "≥"
    if not results.examples.kind.exclusive and stated < 0.5:  # confident that it is absent: the threshold is of that
        threshold, sign = 1 - threshold, "≤"
    return f"{results.examples.classes[c]}: {stated:.2f} {sign} {threshold:.2f}"


def mean_probability(out_of_fold: OutOfFold, *, trained: np.ndarray | None = None) -> np.ndarray:
    """`(n, classes)` mean over the repeats that have the example, and that `trained` `(repeats, n)` allows; NaN rows where none has."""
    present = out_of_fold.present
    if trained is not None:
        present = present & trained
    mean = np.zeros(out_of_fold.answers.shape[1:])
    for answers, there in zip(out_of_fold.answers, present, strict=True):
        rows = np.flatnonzero(there)
        for some in np.array_split(rows, len(rows) * mean.shape[1] // AT_ONCE + 1):
            mean[some] += out_of_fold.kind.probabilities(answers[some])
    repeats = present.sum(axis=0)
    mean /= np.maximum(repeats, 1)[:, None]
    mean[repeats == 0] = np.nan
    return mean


def probability_of_given(average: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`(n,)` probability of the given label; for several labels that of the worst one."""
    if target.ndim == 2:
        return np.where(target > 0, average, 1 - average).min(axis=1)
    return average[np.arange(len(target)), target]


def example_row(
    results: Results, out_of_fold: OutOfFold, average: np.ndarray, label_probability: np.ndarray, i: int, why: str
) -> dict:
    classes, target = results.examples.classes, out_of_fold.target
    kind, row = out_of_fold.kind, slice(i, i + 1)
    labels = [str(kind.cells(answer, classes)[0]) for answer in (target[row], kind.most_probable(average[row]))]
    return {
        "path": str(results.examples.path[out_of_fold.indices[i]]),
        "given": labels[0],
        "predicted": labels[1],
        "probability_of_given": round(float(label_probability[i]), 4),
        "why": why,
    }
