"""What stands beside the headline without being an inference: all other metrics, scores per class, confusion.

Called by `headline.py`, which registers the findings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.evidence import Evidence
from weigh.findings.model import Figure, Finding
from weigh.findings.performance.scored_classes import describe_scored_classes
from weigh.findings.questions import asked
from weigh.language import Text, text
from weigh.metrics.base import METRICS
from weigh.metrics.design import score_design
from weigh.metrics.tables import confusion_matrix, per_class
from weigh.stats.estimate import Estimate

__all__ = ["describe_classes", "describe_metrics", "scores_figure"]

NAMED = 3  # classes of one recall in a sentence


def describe_metrics(evidence: Evidence) -> Finding:
    """All metrics of all candidates, as descriptions: no interval, no comparison, no correction."""
    results = evidence.results
    names = results.spec.metrics.also
    if names is None:
        names = results.examples.kind.metrics(len(results.examples.classes))
    defined = [name for name in names if results.examples.kind.name in METRICS.get(name).kinds]
    names = list(dict.fromkeys([results.spec.primary, *defined]))
    rows, marks = [], evidence.fold_marks(evidence.out_of_fold)
    for candidate in results.candidates:
        if candidate.id not in evidence.out_of_fold:
            continue
        row: dict = {"candidate": candidate.label, **marks[candidate.id]}
        for name in names:
            metric = METRICS.get(name)
            if name == results.spec.primary:
                value = evidence.scores[candidate.id].value
            else:
                value = score_design(metric, evidence.out_of_fold[candidate.id]).overall
            row[name] = None if math.isnan(value) else round(value, 4)
        rows.append(row)
    return Finding(
        id="performance:metrics",
        kind="performance",
        **asked("performance:metrics", "yes"),
        severity="detail",
        sentence=text(
            "{k} {k:|metric|metrics} of every candidate, as descriptions: only {m} carries intervals, the choice and the comparisons.",
            "各候选方案的 {k} 项指标，仅供描述：只有{m}用于区间、选择和比较。",
            k=len(names),
            m=evidence.metric.title,
        ),
        estimates={"metrics": count(len(names), "metrics")},
        candidates=[c.id for c in results.candidates if c.id in evidence.out_of_fold],
        table=rows,
    )


def describe_classes(evidence: Evidence) -> list[Finding]:
    """Scores per class and the confusion matrix of the winner, averaged over repeats; numbers have no classes."""
    winner = str(evidence.winner)
    runs, classes = evidence.out_of_fold[winner], evidence.results.examples.classes
    if not runs.kind.typed:
        return []
    if runs.kind.scored:
        return describe_scored_classes(evidence)
    scores, cells = [], []
    present = evidence.measured[winner].present
    sizes = present.sum(axis=1)
    for repeat in np.flatnonzero(
        (sizes == sizes.max()) & (sizes > 0)
    ).tolist():  # repeats of fewer examples are no repeats to average over
        rows = np.flatnonzero(present[repeat])
        prediction = runs.prediction(repeat)
        prediction = type(prediction)(prediction.probabilities[rows], prediction.labels[rows])
        scores.append(per_class(runs.kind, prediction, runs.target[rows], classes=len(classes)))
        if runs.kind.exclusive:
            cells.append(confusion_matrix(prediction, runs.target[rows], len(classes)))
    with np.errstate(invalid="ignore"):
        mean = {name: _mean([getattr(s, name) for s in scores]) for name in ("precision", "recall", "f1", "support")}
    table = [
        {
            "class": name,
            "precision": _rounded(mean["precision"][i]),
            "recall": _rounded(mean["recall"][i]),
            "f1": _rounded(mean["f1"][i]),
            "n": round(float(mean["support"][i])),
        }
        for i, name in enumerate(classes)
    ]
    if all(row["recall"] is None for row in table):
        return []
    fixed = evidence.claim == "these_models"  # trained models on a test set
    label = evidence.label(winner)
    stands_on = {} if fixed else evidence.folds_estimates(winner)
    findings = [_of_classes(winner, label, table, evidence.validation(winner), fixed=fixed)]
    findings += (
        [_of_confusions(winner, label, cells, classes, evidence.validation(winner), fixed=fixed)] if cells else []
    )
    return [one.model_copy(update={"estimates": one.estimates | stands_on}) for one in findings]


def _all_of(tested: list[dict], one: dict) -> Text:
    """The first classes that have the recall of this one."""
    names = [row["class"] for row in tested if row["recall"] == one["recall"]]
    more = len(names) > NAMED
    return text(
        "{e}",
        "{z}",
        e=", ".join(f"'{name}'" for name in names[:NAMED]) + (" and others" if more else ""),
        z="、".join(f"“{name}”" for name in names[:NAMED]) + (" 等" if more else ""),
    )


def _of_classes(winner: str, label: str, table: list[dict], validation: Text, *, fixed: bool) -> Finding:
    tested = [row for row in table if row["recall"] is not None]
    weakest, strongest = min(tested, key=lambda r: r["recall"]), max(tested, key=lambda r: r["recall"])
    values = {
        "x": text("", "") if fixed else text(" in {b}", "在{b}中，", b=validation),
        "c": label,
        "s": _all_of(tested, strongest),
        "w": _all_of(tested, weakest),
        "h": strongest["recall"],
        "l": weakest["recall"],
    }
    if len(tested) == 1:
        sentence = text(
            "{c} recognises {s}, the only class that occurs, with a recall of {h:.3f}, by count{x}.",
            "{x}只出现了{s}一个类别，{c} 对它的召回率为 {h:.3f}。",
            **values,
        )
    elif weakest["recall"] == strongest["recall"]:
        sentence = text(
            "{c} recognises all classes alike (recall {h:.3f}), by count{x}.",
            "{x}{c} 对各类别的识别效果相同（召回率均为 {h:.3f}）。",
            **values,
        )
    else:
        sentence = text(
            "{c} recognises {s} best (recall {h:.3f}) and {w} least (recall {l:.3f}), by count{x}.",
            "{x}{c} 对{s}识别得最好（召回率 {h:.3f}），对{w}最差（召回率 {l:.3f}）。",
            **values,
        )
    return Finding(
        id="performance:classes",
        kind="performance",
        **asked("performance:classes", "yes"),
        severity="detail",
        sentence=sentence,
        estimates={
            "highest_recall": Estimate(value=strongest["recall"], n=strongest["n"], method="share, no interval"),
            "lowest_recall": Estimate(value=weakest["recall"], n=weakest["n"], method="share, no interval"),
        },
        candidates=[winner],
        table=table,
        figure=Figure(kind="classes", title=text("Every class", "各类别"), rows=table),
    )


def _of_confusions(
    winner: str, label: str, cells: list[np.ndarray], classes: Sequence[str], validation: Text, *, fixed: bool
) -> Finding:
    """How often which class is taken for which other; `cells` are the counts of each repeat."""
    from scipy.sparse import find

    mean = sum(cells[1:], cells[0]) / len(cells)
    wrong, n = float(mean.sum() - mean.trace()), round(float(mean.sum()))
    shown = {(int(i), int(j)): float(value) for i, j, value in zip(*find(mean), strict=True)}
    if len(classes) <= 12:  # then pairs that were never confused are shown too
        shown = {(i, j): shown.get((i, j), 0.0) for i in range(len(classes)) for j in range(len(classes))}
    rows = [{"given": classes[i], "predicted": classes[j], "n": round(v, 3)} for (i, j), v in sorted(shown.items())]
    return Finding(
        id="performance:confusion",
        kind="performance",
        **asked("performance:confusion", "yes"),
        severity="detail",
        sentence=text(
            "{c} gets {w:.1f} of {n} examples wrong, averaged over its runs ({r})."
            if fixed
            else "{c} gets {w:.1f} of {n} examples wrong in {b}, averaged over {r} {r:|repeat|repeats}.",
            "{c} 平均每次运行在 {n} 个样本里分错 {w:.1f} 个（共 {r} 次运行）。"
            if fixed
            else "在{b}中，{c} 平均每次重复在 {n} 个样本里分错 {w:.1f} 个（共 {r} 次重复）。",
            c=label,
            w=wrong,
            n=n,
            r=len(cells),
            b=validation,
        ),
        estimates={
            "wrong": Estimate(value=wrong, n=n, method="mean count", unit="examples"),
            "examples": count(n, "examples"),
            "repeats": count(len(cells), "repeats"),
        },
        candidates=[winner],
        figure=Figure(kind="confusion", title=text("Confusion matrix", "混淆矩阵"), rows=rows),
    )


def _mean(arrays: list[np.ndarray]) -> np.ndarray:
    """Mean over repeats, leaving NaN out."""
    stacked = np.stack(arrays)
    defined = ~np.isnan(stacked)
    number = defined.sum(axis=0)
    return np.where(number > 0, np.where(defined, stacked, 0.0).sum(axis=0) / np.maximum(number, 1), np.nan)


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def scores_figure(evidence: Evidence) -> Figure:
    """The cross-validated score of every candidate with its interval, and its folds."""
    rows: list[dict] = []
    marks = evidence.fold_marks(evidence.measured)
    candidates = list(evidence.results.candidates)
    if evidence.results.origin != "study":  # there the order is the user's own
        candidates = [evidence.results.candidate(name) for name in evidence.ranked]
    for candidate in candidates:
        if candidate.id not in evidence.measured:
            continue
        score = evidence.scores[candidate.id]
        common = {"candidate": candidate.id, "label": candidate.label}
        if math.isnan(score.value):
            continue
        rows.append(
            {
                **common,
                "value": score.value,
                "low": score.low,
                "high": score.high,
                "n": score.n,
                "control": candidate.control,
                **marks[candidate.id],
            }
        )
        folds = evidence.measured[candidate.id].score().fold
        if folds.size == 1:
            continue  # one run on a test set: its score is the one above
        for repeat, fold in zip(*np.nonzero(~np.isnan(folds)), strict=True):
            value = float(folds[repeat, fold])
            rows.append({**common, "repeat": int(repeat), "fold": int(fold), "value": round(value, 6)})
    reference = {} if math.isnan(evidence.blind.score) else {"reference": evidence.blind.score}
    label = evidence.blind.short._asdict()
    title = evidence.metric.title
    first = title.en.split(" ")[0]  # mAP keeps its letters
    begins = title.en[:1].upper() + title.en[1:] if first.islower() else title.en
    return Figure(
        kind="scores",
        title=text("{m} of every candidate", "各候选方案的{m}", m=Text(begins, title.zh)),
        rows=rows,
        fields={"value": evidence.metric.title},
        options={**reference, "reference_label": label},
    )
