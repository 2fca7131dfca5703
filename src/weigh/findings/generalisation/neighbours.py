"""How many independent examples are there, and which column should `design.group_by` name?

Before it: out-of-fold errors of the winner, the order of the examples and their metadata columns. After it: the report,
beside the order check, which asks something else: whether scores are too good because neighbours stood on both sides of
a split. Here nothing is trained: errors that are alike among neighbours, or within a patient or site, make every interval
that counts examples too narrow, whatever the split was (`stats/dependence.py`).

Among neighbours the errors that tell are those of the order check, whose folds keep neighbours together. Where copies of an
example stand in training, as in shuffled folds, they teach its answer: there are no errors left that could be alike, so
shuffled folds alone never show that neighbours are independent.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.order_checks import check_order
from weigh.findings.model import Assumption, Finding, Verdict
from weigh.findings.questions import asked
from weigh.language import Text, text
from weigh.record.results import OutOfFold
from weigh.stats.dependence import (
    FEWEST_BLOCKS,
    Clustering,
    Neighbours,
    centre,
    cluster_errors,
    design_effect,
    effective_examples,
    error_factor,
    intraclass_correlation,
    read_neighbours,
    without_folds,
)
from weigh.stats.estimate import Estimate
from weigh.stats.multiple import holm

__all__ = ["dependence", "find_neighbours"]

WITHIN = text(" within classes", "类内")
SMALL = 1.5  # a design effect below it makes intervals less than a quarter too narrow
REFERENCES = ["Kish (1965), Survey Sampling", "Phipson & Smyth (2010), Permutation p-values should never be zero"]


def find_neighbours(evidence: Evidence) -> list[Finding]:
    """ "order:neighbours" and "order:groups", where there is a winner and something to look at."""
    if evidence.winner is None:
        return []
    errors, strata, indices = evidence.once(_known_errors)
    if evidence.units.name == "groups":
        of = evidence.units.of[np.searchsorted(evidence.out_of_fold[evidence.winner].indices, indices)]
        effect = design_effect(centre(errors, strata), of, strata=strata, level=evidence.level)
        return _grouped(evidence, len(errors), effect)
    source, neighbours = evidence.once(_apart), evidence.once(_neighbours)
    listed = [] if neighbours is None else [_along(evidence, source, neighbours)]
    return [*listed, *_columns(evidence, errors, strata, indices)]


def dependence(evidence: Evidence) -> Estimate | None:
    """How many times as wide intervals that count examples should be; None where errors of neighbours are not shown to be alike by
    more than matters (or groups are resampled as a whole). Call it through `evidence.once`."""
    if evidence.winner is None or evidence.units.name == "groups":
        return None
    neighbours = evidence.once(_neighbours)
    if neighbours is None or not neighbours.reach:
        return None
    factor = error_factor(neighbours.effect)
    return factor if factor.low is not None and factor.low > 1 else None


def _known_errors(evidence: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of the winner, the stratum (class) of each example and its index; those with a prediction only."""
    return _read_errors(evidence.out_of_fold[str(evidence.winner)])


def _read_errors(runs: OutOfFold) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    errors = runs.mean_distance
    answered = np.flatnonzero(~np.isnan(errors))
    strata = runs.target if runs.kind.exclusive else np.zeros(len(runs.target), dtype=np.int64)
    return errors[answered], strata[answered], runs.indices[answered]


class _Source(NamedTuple):
    """Whose errors are looked at along the order.

    Attributes:
        candidate: The winner, or the candidate of the order check.
        apart: Whether no neighbour of an example was in training; else independence is never shown.
        errors, strata, indices: As `_known_errors`; without what the check's folds do by themselves.
    """

    candidate: str
    apart: bool
    errors: np.ndarray
    strata: np.ndarray
    indices: np.ndarray


def _apart(evidence: Evidence) -> _Source:
    """The errors of the order check with its largest blocks; without a check those of the winner."""
    checked = evidence.once(check_order)
    if not checked.checks:
        trained_elsewhere = evidence.claim == "these_models"
        return _Source(str(evidence.winner), trained_elsewhere, *evidence.once(_known_errors))
    widest = min(checked.checks, key=lambda check: check.blocks)
    runs = evidence.results.out_of_fold(str(checked.candidate), "order-check", widest.variant)
    assert runs is not None
    errors, strata, indices = _read_errors(runs)
    fold = runs.fold[0][np.searchsorted(runs.indices, indices)].astype(np.int64)
    return _Source(str(checked.candidate), True, without_folds(errors, strata, fold), strata, indices)


def _neighbours(evidence: Evidence) -> Neighbours | None:
    source = evidence.once(_apart)
    along = np.argsort(evidence.results.examples.order[source.indices], kind="stable")
    return read_neighbours(
        source.errors[along], source.strata[along], rng=evidence.rng("neighbours"), level=evidence.level
    )


def _p(value: float) -> Estimate:
    return Estimate(value=value, unit="1", method="permutation within classes, where examples have one")


def _assumption(evidence: Evidence) -> list[Assumption]:
    return [
        Assumption(
            name=text("Errors matter through their number, as in accuracy", "误差的影响体现在错误个数上，如准确率"),
            outcome="holds" if "accuracy" in evidence.metric.name else "unchecked",
        )
    ]


# ---- groups that the design knows


def _grouped(evidence: Evidence, n: int, effect: Estimate) -> list[Finding]:
    if not math.isfinite(effect.value):
        return []
    worth = effective_examples(n, effect)
    factor = error_factor(effect)
    return [
        Finding(
            id="order:groups",
            kind="order",
            **asked("order:groups", "no" if effect.low is not None and effect.low > 1 else "undecided"),
            claim="these_models",
            severity="detail",
            sentence=text(
                "The {n} examples in {g} groups are worth about {e} independent ones for the score of {c}. All intervals "
                "here resample whole groups; an interval that counts examples would have to be {f} times as wide.",
                "就 {c} 的得分而言，{g} 组共 {n} 个样本约相当于 {e} 个独立样本。这里的所有区间都按整组重抽样；"
                "若按单个样本计算，区间应放宽到约 {f} 倍。",
                n=n,
                g=effect.n,
                e=worth.format(0),
                f=factor.format(2, 1.0),
                c=evidence.label(str(evidence.winner)),
            ),
            estimates={
                "examples": count(n, "examples"),
                "groups": count(effect.n, "groups"),
                "effective": worth,
                "design_effect": effect,
                "factor": factor,
            },
            assumptions=_assumption(evidence),
            candidates=[str(evidence.winner)],
            references=REFERENCES[:1],
        )
    ]


# ---- neighbours along the order


def _along(evidence: Evidence, source: _Source, near: Neighbours) -> Finding:
    name, n = evidence.label(source.candidate), len(source.errors)
    effect, worth, factor = near.effect, effective_examples(n, near.effect), error_factor(near.effect)
    results = evidence.results
    apart = len(results.examples.where("train")) / max(
        len(source.errors), 1
    )  # examples of folds that did not run stand between these
    reach, size = round(near.reach * apart), round(near.size * apart)
    values = {
        "c": name,
        "p": f"{near.p:.3f}",
        "b": reach,
        "n": n,
        "e": worth.format(0),
        "f": factor.format(2, 1.0),
        "s": size,
        "d": effect.format(2),
        "within": WITHIN if evidence.results.examples.kind.exclusive else text("", ""),
    }
    estimates = {"p": _p(near.p), "design_effect": effect, "block": count(size, "examples")}
    if near.reach:
        estimates |= {
            "reach": count(reach, "examples"),
            "examples": count(n, "examples"),
            "effective": worth,
            "factor": factor,
        }
        verdict: Verdict = "no"
        severe = effect.low is not None and effect.low > SMALL
        sentence = _alike(values, wider=factor.low is not None and factor.low > 1)
    else:
        severe = False
        verdict = "yes" if source.apart and effect.high is not None and effect.high < SMALL else "undecided"
        sentence = _not_alike(values, apart=source.apart)
    return Finding(
        id="order:neighbours",
        kind="order",
        **asked("order:neighbours", verdict),
        claim="these_models",
        severity="problem" if severe else "evidence" if near.reach else "detail",
        sentence=sentence,
        estimates=estimates,
        assumptions=_assumption(evidence),
        candidates=[source.candidate],
        next=_what_to_record(size)
        if factor.low is not None and factor.low > 1 and near.reach  # else these examples are worth what they count
        else [],
        table=[
            {"block": str(size), "blocks": e.n, "design_effect": e.format(2), "p": f"{p:.3g}"}
            for size, e, p in zip(near.sizes, near.effects, near.steps, strict=True)
        ],
        references=REFERENCES,
    )


def _alike(values: dict, *, wider: bool) -> Text:
    sentence = text(
        "Along the order, errors of {c} that stand near each other are alike (p = {p} when errors are permuted{within}); "
        "this shows in blocks of up to about {b} neighbours. The {n} examples are then worth about {e} "
        "independent ones.",
        "{c} 的误差在顺序上相近的样本之间彼此相似（{within}置换检验 p = {p}），这种相似在约 {b} 个相邻样本的区块内都能看到。"
        "{n} 个样本因此约相当于 {e} 个独立样本。",
        **values,
    )
    if wider:
        return sentence + text(
            "Intervals that count single examples are too narrow and should be about {f} times as wide.",
            "按单个样本计算的区间偏窄，应约为其 {f} 倍。",
            **values,
        )
    return sentence + text(
        "How much too narrow that makes intervals that count single examples is not settled (a factor of {f}).",
        "按单个样本计算的区间因此偏窄多少，尚无定论（倍数 {f}）。",
        **values,
    )


def _not_alike(values: dict, *, apart: bool) -> Text:
    sentence = text(
        "Errors of {c} that stand near each other are not shown to be alike (p = {p} when errors are permuted{within}; "
        "design effect of blocks of {s} neighbours: {d}).",
        "没有证据表明 {c} 在顺序上相近的样本误差彼此相似（{within}置换检验 p = {p}；每块 {s} 个相邻样本的设计效应为 {d}）。",
        **values,
    )
    if apart:
        return sentence
    return sentence + text(
        "That does not show them to be independent: neighbours stood in training, and copies there leave no errors "
        "that could be alike.",
        "这并不说明它们相互独立：相邻样本可能同在训练数据中，训练数据里的副本会让相似的误差无从出现。",
    )


def _what_to_record(size: int) -> list[Text]:
    return [
        text(
            "Find out what neighbours share (object, site, patient, series), record it in a column and set design.group_by to it.",
            "请弄清相邻样本有何共同来源（对象、地点、病人、批次），记录成一列，并把 design.group_by 设为该列。",
        ),
        text(
            "If nothing is known, number blocks of {s} neighbours in a column and group by that.",
            "如果无从得知，可将每 {s} 个相邻样本编为一块，记成一列并按它分组。",
            s=size,
        ),
    ]


# ---- columns that could be groups


def _columns(evidence: Evidence, errors: np.ndarray, strata: np.ndarray, indices: np.ndarray) -> list[Finding]:
    """Columns with many values, most of them repeated: errors alike within them make a case for `group_by`."""
    tested: dict[str, tuple[Clustering, np.ndarray]] = {}
    for column, values in evidence.results.examples.slices.items():
        mine = values[indices]
        groups = len(np.unique(mine))
        if max(FEWEST_BLOCKS, 2 * evidence.results.spec.design.folds) <= groups <= 0.9 * len(mine):
            rng = evidence.rng(f"column {column}")
            tested[column] = cluster_errors(errors, mine, strata, rng=rng, level=evidence.level), mine
    if not tested:
        return []
    adjusted = dict(zip(tested, holm(np.array([c.p for c, _ in tested.values()])), strict=True))
    # The permutation test says "alike at all", the interval "by how much": both must agree before a column is named
    alike = [k for k, (c, _) in tested.items() if adjusted[k] <= 1 - evidence.level and (c.effect.low or 0) > 1]
    alike.sort(key=lambda k: -tested[k][0].effect.value)
    estimates = {"columns": count(len(tested), "columns")}
    if alike:
        best, (column_effect, mine) = alike[0], tested[alike[0]]
        worth = effective_examples(len(mine), column_effect.effect)
        estimates |= {
            "groups": count(column_effect.groups, "groups"),
            "p": _p(float(adjusted[best])),
            "examples": count(len(mine), "examples"),
            "effective": worth,
            "design_effect": column_effect.effect,
            "factor": error_factor(column_effect.effect),
        }
        sentence = text(
            "Errors of {c} are alike within the groups of '{k}' ({g} groups; p = {p}, corrected for {t} {t:|column|columns}). If new "
            "examples come from other groups (other patients or sites), the {n} examples are worth about {e} independent ones, and "
            "intervals that count single examples should be about {f} times as wide. If they come from these same groups in the "
            "same shares (kinds of questions, say), the intervals stand.",
            "{c} 的误差在“{k}”的各组内彼此相似（共 {g} 组；p = {p}，已按 {t} 列校正）。如果新样本来自其他组（例如别的病人或地点），"
            "{n} 个样本约相当于 {e} 个独立样本，按单个样本计算的区间应放宽到约 {f} 倍；如果新样本仍来自这些组、且各组占比不变"
            "（例如问题的类型），现有区间依然成立。",
            c=evidence.label(str(evidence.winner)),
            k=best,
            g=column_effect.groups,
            p=f"{adjusted[best]:.3f}",
            t=len(tested),
            n=len(mine),
            e=worth.format(0),
            f=estimates["factor"].format(2, 1.0),
        )
    else:
        sentence = text(
            "Errors are not shown to be alike within the groups of any metadata column ({t} could be groups).",
            "没有证据表明误差在任何元数据列的组内彼此相似（可作为分组的列有 {t} 个）。",
            t=len(tested),
        )
    return [
        Finding(
            id="order:groups",
            kind="order",
            **asked("order:columns", "yes" if alike else "undecided"),
            claim="these_models",
            severity=_severity(tested, alike),
            sentence=sentence,
            estimates=estimates,
            assumptions=_assumption(evidence),
            candidates=[str(evidence.winner)],
            next=[_proposal(alike[0])] if alike else [],
            table=[
                {
                    "column": column,
                    "groups": column_effect.groups,
                    "design_effect": column_effect.effect.format(2),
                    "correlation": intraclass_correlation(column_effect.effect, mine).format(),
                    "p": f"{adjusted[column]:.3g}",
                }
                for column, (column_effect, mine) in tested.items()
            ],
            references=REFERENCES,
        )
    ]


def _severity(tested: dict[str, tuple[Clustering, np.ndarray]], alike: list[str]):
    if not alike:
        return "detail"
    low = tested[alike[0]][0].effect.low
    return "problem" if low is not None and low > SMALL else "evidence"


def _proposal(column: str) -> Text:
    return text(
        "If new examples will come from other groups, set design.group_by: {k}. Groups then stay on one side of every split, and "
        "intervals count groups.",
        "如果新样本将来自其他组，请设置 design.group_by: {k}。这样每组始终位于划分的同一侧，区间也按组计算。",
        k=column,
    )
