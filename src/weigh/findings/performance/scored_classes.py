"""How does every class do, where classes are scored one by one with intervals: masks and boxes, whose examples hold many classes each.

Before it: what the winner's runs recorded. Beside it: `descriptions.py`, for kinds whose classes are counted.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.evidence import Evidence
from weigh.findings.model import Figure, Finding
from weigh.findings.occurring import LEAST_HOLDERS, Occurring, score_where
from weigh.findings.questions import asked
from weigh.language import Text, text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.design import measure_design
from weigh.metrics.tables import per_class
from weigh.stats.estimate import Estimate

__all__ = ["describe_scored_classes"]

NAMED = 3  # classes in a sentence


class _Scored(NamedTuple):
    """One class: its scores by column, in how many examples it stands, and scores without an interval (`Kind.beside`)."""

    name: str
    scores: dict[str, Estimate]
    holders: int
    beside: dict[str, float | None]

    @property
    def first(self) -> Estimate:
        return next(iter(self.scores.values()))

    @property
    def judged(self) -> bool:
        return self.first.low is not None


def describe_scored_classes(evidence: Evidence) -> list[Finding]:
    """Every score of `Kind.scored` for every class of the winner; none where no class occurs."""
    winner = str(evidence.winner)
    classes = [one for one in _score(evidence, winner) if not math.isnan(one.first.value)]
    if not classes:
        return []
    column = next(iter(classes[0].scores))
    judged = sorted((one for one in classes if one.judged), key=lambda one: -one.first.value)
    rare = [one for one in classes if not one.judged]
    estimates: dict[str, Estimate] = {}
    if judged:
        sentence = _say_best(evidence.label(winner), column, judged, estimates)
    else:
        sentence = text("No class can be judged.", "没有哪个类别可以判断。")
    if rare:
        estimates |= {"not_judged": count(len(rare), "classes"), "least": count(LEAST_HOLDERS, "examples")}
        few = min(rare, key=lambda one: one.holders)
        estimates["fewest"] = count(few.holders, "examples")
        sentence += text(
            "Cannot be judged: {k} of the classes, which {k:|stands|stand} in fewer than {n} pictures or in too few groups of them ('{r}' in {f}).",
            "有 {k} 个类别无法判断：含有它们的图片不足 {n} 张，或分属的组太少（“{r}”见于 {f} 张）。",
            k=len(rare),
            n=LEAST_HOLDERS,
            r=few.name,
            f=few.holders,
        )
    return [
        Finding(
            id="performance:classes",
            kind="performance",
            **asked("performance:classes", "yes"),
            sentence=sentence,
            estimates=estimates,
            candidates=[winner],
            table=[
                {
                    "class": one.name,
                    **{key: estimate.format() for key, estimate in one.scores.items()},
                    **one.beside,
                    "examples": one.holders,
                    "note": "" if one.judged else "too few to tell",
                }
                for one in classes
            ],
            figure=_figure(classes, column),
        )
    ]


def _say_best(label: str, column: str, judged: list[_Scored], estimates: dict[str, Estimate]) -> Text:
    """Says on which class it does best and on which worst, of those that can be judged, the best first."""
    best, worst = ([one for one in judged if _alike(one, end)] for end in (judged[0], judged[-1]))
    values = {"c": label, "m": column, "v": f"{judged[0].first.value:.3f}"}
    if len(judged) > 1 and len(best) == len(judged):
        estimates[f"{column}:{best[0].name}"] = best[0].first
        estimates["judged"] = count(len(judged), "classes")
        return text(
            "{c} does equally well on the {k} classes that can be judged ({m} {v}).",
            "{c} 在可以判断的 {k} 个类别上表现相同（{m} 均为 {v}）。",
            k=len(judged),
            **values,
        )
    estimates |= {f"{column}:{one.name}": one.first for one in best[:NAMED]}
    values |= {"s": best[0].name, "h": best[0].first.format()}
    if len(judged) == 1:
        return text(
            "The only class that can be judged is '{s}' ({c}: {m} {h}).",
            "只有“{s}”一个类别可以判断（{c}：{m} {h}）。",
            **values,
        )
    estimates |= {f"{column}:{one.name}": one.first for one in worst[:NAMED]}
    if len(best) > 1:
        estimates["best_classes"] = count(len(best), "classes")
        return text(
            "Of the classes, {c} does best on {k} that all have {m} {v} ({w}){b}.",
            "各类别中，{c} 有 {k} 个类别最好，{m} 均为 {v}（{w}）{b}。",
            k=len(best),
            w=_first_names(best),
            b=_say_worst(worst, estimates),
            **values,
        )
    return text(
        "Of the classes, {c} does best on '{s}' ({m} {h}){b}.",
        "各类别中，{c} 在“{s}”上最好（{m} {h}）{b}。",
        b=_say_worst(worst, estimates),
        **values,
    )


def _alike(one: _Scored, other: _Scored) -> bool:
    """Whether two classes have one score, but for rounding."""
    return math.isclose(one.first.value, other.first.value, abs_tol=1e-9)


def _first_names(classes: list[_Scored]) -> Text:
    names, more = [one.name for one in classes[:NAMED]], len(classes) > NAMED
    return text(
        "{e}",
        "{z}",
        e=", ".join(f"'{name}'" for name in names) + (", …" if more else ""),
        z="、".join(f"“{name}”" for name in names) + ("等" if more else ""),
    )


def _say_worst(worst: list[_Scored], estimates: dict[str, Estimate]) -> Text:
    """The end of the sentence; several classes of one score are all the worst."""
    if len(worst) == 1:
        return text(" and worst on '{w}' ({l})", "，在“{w}”上最差（{l}）", w=worst[0].name, l=worst[0].first.format())
    estimates["worst_classes"] = count(len(worst), "classes")
    return text(
        " and worst on {k} classes that all have {v} ({w})",
        "，有 {k} 个类别最差，均为 {v}（{w}）",
        k=len(worst),
        v=f"{worst[0].first.value:.3f}",
        w=_first_names(worst),
    )


def _score(evidence: Evidence, winner: str) -> list[_Scored]:
    runs, names = evidence.out_of_fold[winner], evidence.results.examples.classes
    holders = runs.kind.members(runs.target, len(names))
    scores: list[dict[str, Estimate]] = [{} for _ in names]
    for column, name in runs.kind.scored.items():
        metric = METRICS.get(name)
        whole = runs.measured(metric) if metric.judged is None else measure_design(replace(metric, judged=None), runs)
        statistics = np.where(runs.present[:, :, None], whole.statistics, 0.0)
        for c in range(len(names)):
            own = Occurring(_alone(metric, statistics, c, len(names)), holders[:, c])
            scores[c][column] = score_where(evidence, winner, metric, own)
    beside = _beside(evidence, winner) if runs.kind.beside else {}
    return [
        _Scored(name, scores[c], int(holders[:, c].sum()), {key: values[c] for key, values in beside.items()})
        for c, name in enumerate(names)
    ]


def _alone(metric: Metric, statistics: np.ndarray, c: int, classes: int) -> np.ndarray:
    """`(repeats, n, j)` statistics of one class."""
    shape = statistics.shape[:2]
    if metric.alone is None:
        return statistics.reshape(*shape, classes, -1)[:, :, c]
    return metric.alone(statistics.reshape(-1, statistics.shape[2]), c).reshape(*shape, -1)


def _beside(evidence: Evidence, winner: str) -> dict[str, list[float | None]]:
    """`Kind.beside` of every class, over all repeats; None where undefined."""
    runs, classes = evidence.out_of_fold[winner], len(evidence.results.examples.classes)
    repeats = [
        per_class(runs.kind, runs.prediction(repeat), runs.target, present.astype(float), classes=classes)
        for repeat, present in enumerate(runs.present)
    ]
    means = {}
    for key in runs.kind.beside:
        values = np.stack([getattr(one, key) for one in repeats])
        defined = ~np.isnan(values)
        mean = np.where(defined, values, 0.0).sum(axis=0) / np.maximum(defined.sum(axis=0), 1)
        means[key] = [round(float(v), 3) if d else None for v, d in zip(mean, defined.any(axis=0), strict=True)]
    return means


def _figure(classes: list[_Scored], column: str) -> Figure:
    return Figure(
        kind="slices",
        title=text("{m} of every class", "各类别的 {m}", m=column),
        rows=[
            {
                "label": one.name,
                "score": round(one.first.value, 4),
                "low": None if one.first.low is None else round(one.first.low, 4),
                "high": None if one.first.high is None else round(one.first.high, 4),
                "n": one.holders,
            }
            for one in classes
        ],
        fields={
            "slice": text("class", "类别"),
            "label": text("class", "类别"),
            "score": text(column, column),
            "n": text("examples", "样本数"),
        },
    )
