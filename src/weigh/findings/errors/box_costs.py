"""Which mistakes cost most? Of each of the six sorts, how much higher the score would be without it.

Before it: the sort of every detection (`box_mistakes.py`). Every mended set of detections is scored as the real one is, so its score has an
interval by the same rule as any difference of two candidates: pictures, or groups of them, are left out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from weigh.findings.amounts import amount, gain_of
from weigh.findings.assumptions import assumptions_of
from weigh.findings.errors.box_mistakes import MISSED, NEAR, SORTS, Mistakes, mistakes_of
from weigh.findings.errors.sightings import Sightings
from weigh.findings.evidence import Evidence
from weigh.findings.model import Figure, Finding
from weigh.findings.questions import asked
from weigh.kinds.box_statistics import BoxStatistics, stacked
from weigh.language import join_texts, text
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.record.results import OutOfFold
from weigh.stats.comparison import Comparisons, compare
from weigh.stats.estimate import Estimate
from weigh.stats.resampling import Resampler

__all__ = ["NAMES", "costs_of", "find_costs", "mended"]

REAL = "as it is"
METRIC = "map_50"
NAMES = {
    "wrong class": text("wrong class", "类别错误"),
    "badly placed": text("badly placed", "位置不准"),
    "both": text("badly placed and of the wrong class", "位置和类别都不对"),
    "double": text("found twice", "重复检出"),
    "background": text("nothing is there", "误检背景"),
    "missed": text("missed", "漏检"),
}
WITHOUT = {  # "without …", in the sentence
    "wrong class": text("wrong classes", "类别错误"),
    "badly placed": text("badly placed boxes", "位置不准的框"),
    "both": text("boxes that are badly placed and of the wrong class", "位置和类别都不对的框"),
    "double": text("double boxes", "重复的框"),
    "background": text("boxes where nothing is", "背景上的误检"),
    "missed": text("missed objects", "漏检的目标"),
}
REFERENCES = [
    "Bolya, Foley, Hays & Hoffman (2020), TIDE: A General Toolbox for Identifying Object Detection Errors, ECCV"
]
TOLD = 3  # sorts in the sentence
MOST_RIVALS = 4  # other candidates whose costs stand in the table


def find_costs(evidence: Evidence, reader: str, sightings: dict[str, Sightings]) -> Finding | None:
    """One finding; None where no class can be judged, or nothing is wrong."""
    mistakes = mistakes_in(sightings[reader])
    designs = _designs(evidence.out_of_fold[reader], sightings[reader], mistakes)
    whole = designs[REAL].score().overall
    numbers = _numbers(mistakes)
    wrong = [sort for sort in SORTS if numbers[sort] and np.isfinite(designs[sort].score().overall)]
    if not np.isfinite(whole) or not wrong:
        return None
    resampler = Resampler(np.ones((1, designs[REAL].n)), evidence.units)  # each design is taken apart once
    costs = costs_of(evidence, {name: designs[name] for name in (REAL, *wrong)}, resampler)
    ranked = sorted(wrong, key=lambda sort: -costs[sort].value)
    settled = _settled(evidence, {sort: designs[sort] for sort in ranked}, resampler)
    estimates = {
        "score": Estimate(value=whole, method="no interval here", unit="score"),
        **{sort: costs[sort] for sort in ranked},
        "overlap": Estimate(value=NEAR, method="as set"),
    }
    parts = [text("{d} without {w}", "没有{w}则高 {d}", d=amount(costs[s]), w=WITHOUT[s]) for s in ranked[:TOLD]]
    sentence = text(
        "{c} reaches an mAP of {s} at an overlap of {o:.1f}. It would be higher by {l}.",
        "重叠不低于 {o:.1f} 时，{c} 的 mAP 为 {s}。{l}。",
        c=evidence.label(reader),
        s=f"{whole:.3f}",
        o=NEAR,
        l=join_texts(parts, ", ", "，"),
    )
    top, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    if second is not None and not settled:
        others_too = len(ranked) > 2
        sentence += text(
            "Which of these costs most is not settled: {a} or {b}" + (" or another." if others_too else "."),
            "哪一种损失最大，尚无定论：可能是{a}，也可能是{b}" + ("或其他。" if others_too else "。"),
            a=WITHOUT[top],
            b=WITHOUT[second],
        )
    elif second is not None:
        sentence += text("What costs most is {a}.", "损失最大的是{a}。", a=WITHOUT[top])
    others = [name for name in evidence.rivals if name != reader and name in sightings][:MOST_RIVALS]
    beside = {name: _plain_costs(evidence, name, sightings[name]) for name in others}
    told = _numbers(mistakes_in(sightings[reader].first, told=True))
    table = []
    for sort in [*ranked, *(s for s in SORTS if s not in ranked)]:
        row = {
            "mistake": NAMES[sort]._asdict(),
            "told_with_it": told[sort],
            "cost_points": amount(costs[sort])._asdict() if sort in costs else "0",
        }
        table.append(row | {evidence.label(name): beside[name][sort] for name in others})
    return Finding(
        id="errors:costs",
        kind="errors",
        **asked("errors:costs", "yes" if settled else "undecided"),
        claim=evidence.claim,
        assumptions=assumptions_of(evidence, [reader]),
        sentence=sentence,
        estimates=estimates,
        candidates=[reader],
        figure=_figure(ranked, costs),
        table=table,
        references=REFERENCES,
    )


def mistakes_in(sightings: Sightings, *, told: bool = False) -> list[list[Mistakes | None]]:
    """Repeat by repeat, picture by picture; None where there is no answer.

    Args:
        told: Of what is told alone; otherwise every detection counts, whatever its score.
    """
    seen = sightings.told if told else sightings.at
    return [
        [
            mistakes_of(seen(repeat, i), boxes) if sightings.present[repeat, i] else None
            for i, boxes in enumerate(sightings.target)
        ]
        for repeat in range(len(sightings.rows))
    ]


def mended(sightings: Sightings, mistakes: list[list[Mistakes | None]], sort: int) -> np.ndarray:
    """`(repeats, n, k)` what the runs would have recorded without this sort of mistake, as far as IoU .5 and all areas are concerned."""
    return np.stack([_mended(sightings, rows, own, sort) for rows, own in zip(sightings.rows, mistakes, strict=True)])


def _mended(sightings: Sightings, rows: np.ndarray, mistakes: list[Mistakes | None], sort: int) -> np.ndarray:
    statistics = BoxStatistics(rows, sightings.classes)
    places = statistics.places.copy()
    if sort == MISSED:
        lost = np.zeros((len(rows), sightings.classes + 1))
        for i, own in enumerate(mistakes):
            if own is not None:
                lost[i, : sightings.classes] = np.bincount(
                    sightings.target[i].classes[own.missed], minlength=sightings.classes
                )
        picture, place = np.nonzero(places[..., 0] < 0)
        places[picture, place, 1] -= lost[picture, -places[picture, place, 0].astype(np.int64) - 1]
    else:
        picture, place = np.nonzero(places[..., 0] > 0)
        empty = np.zeros(0, dtype=np.int64)
        sorts = np.concatenate([empty, *(own.sort for own in mistakes if own is not None)])
        becomes = np.concatenate(
            [
                empty,
                *(
                    np.where(own.mends >= 0, np.append(boxes.classes, -1)[own.mends], -1)
                    for own, boxes in zip(mistakes, sightings.target, strict=True)
                    if own is not None
                ),
            ]
        )
        away, right = (sorts == sort) & (becomes < 0), (sorts == sort) & (becomes >= 0)
        places[picture[away], place[away]] = 0.0
        at = picture[right], place[right]
        places[(*at, 0)] = becomes[right] + 1
        places[(*at, 6)] = places[(*at, 6)].astype(np.int64) | 1
        places[(*at, 7)] = places[(*at, 7)].astype(np.int64) & ~1
    return stacked(statistics.thresholds, places)


def _designs(runs: OutOfFold, sightings: Sightings, mistakes: list[list[Mistakes | None]]) -> dict[str, MeasuredDesign]:
    """What was found, and what would have been without each sort of mistake, measured."""
    metric = METRICS.get(METRIC)
    designs = {REAL: runs.measured(metric)}
    for k, sort in enumerate(SORTS):
        designs[sort] = replace(runs, answers=mended(sightings, mistakes, k)).measured(metric)
    return designs


def costs_of(evidence: Evidence, designs: dict[str, MeasuredDesign], resampler: Resampler) -> dict[str, Estimate]:
    """What each mended design gains, in points; each interval for itself, as each answers a question of its own.

    Mending a mistake turns false alarms into hits or takes them away, or takes away boxes that were missed: AP never falls, so no interval
    reaches below 0.
    """
    costs, real = {}, designs[REAL]
    for sort, design in designs.items():
        if sort != REAL:
            compared = _compared(evidence, {sort: design, REAL: real}, resampler)
            cost = gain_of(compared.of(sort, REAL), design.metric)
            costs[sort] = cost if cost.low is None else cost.model_copy(update={"low": max(cost.low, 0.0)})
    return costs


def _settled(evidence: Evidence, ranked: dict[str, MeasuredDesign], resampler: Resampler) -> bool:
    """Whether the first costs more than every other, allowing for all pairs."""
    if len(ranked) < 2:
        return True
    compared = _compared(evidence, ranked, resampler)
    first, *others = ranked
    return all(compared.of(first, other).relation == "better" for other in others)


def _compared(evidence: Evidence, designs: dict[str, MeasuredDesign], resampler: Resampler) -> Comparisons:
    return compare(
        designs,
        evidence.units,
        rng=evidence.rng("costs"),
        claim=evidence.claim,
        level=evidence.level,
        rope=0.0,
        resampler=resampler,
    )


def _plain_costs(evidence: Evidence, name: str, sightings: Sightings) -> dict[str, float | None]:
    """What each mistake costs in the first repeat, in points: a description. None where the score is not defined."""
    runs = evidence.out_of_fold[name]
    first = replace(runs, answers=runs.answers[:1], fold=runs.fold[:1], bias=runs.bias[:1])
    designs = _designs(first, sightings.first, mistakes_in(sightings.first))
    whole = designs[REAL].score().overall
    costs = {sort: 100 * (designs[sort].score().overall - whole) for sort in SORTS}
    return {sort: round(cost, 1) if np.isfinite(cost) else None for sort, cost in costs.items()}


def _numbers(mistakes: list[list[Mistakes | None]]) -> dict[str, int]:
    """How many of each sort there are, in all repeats."""
    numbers = dict.fromkeys(SORTS, 0)
    for own in (one for repeat in mistakes for one in repeat if one is not None):
        for k, sort in enumerate(SORTS):
            numbers[sort] += int(own.missed.sum() if k == MISSED else (own.sort == k).sum())
    return numbers


def _figure(ranked: list[str], costs: dict[str, Estimate]) -> Figure:
    fields = {
        "label": text("mistake", "错误"),
        "slice": text("mistake", "错误"),
        "score": text("cost, points", "损失（百分点）"),
    }
    return Figure(
        kind="slices",
        title=text("What each sort of mistake costs, in points of mAP", "各种错误使 mAP 损失多少个百分点"),
        rows=[
            {
                "label": NAMES[sort]._asdict(),
                "score": costs[sort].value,
                "low": costs[sort].low,
                "high": costs[sort].high,
            }
            for sort in ranked
        ],
        fields=fields,
    )  # fmt: skip
