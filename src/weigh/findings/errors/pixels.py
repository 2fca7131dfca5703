"""Where pixels of masks are wrong: which classes are taken for which, at borders or inside, and whether small objects are missed.

Before it: what the runs of a candidate recorded of every picture (`kinds/mask_statistics.py`). After it: `masks.py`, which puts these
beside the pictures.

Pixels of a picture are wrong together, so every interval is one over pictures, or groups of them (`findings/occurring.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from weigh.findings.amounts import count, share
from weigh.findings.assumptions import assumptions_of
from weigh.findings.errors.shares import Sort, drawn, find_missed, in_percent, percent, shares_figure
from weigh.findings.evidence import Evidence
from weigh.findings.model import Figure, Finding, Verdict
from weigh.findings.occurring import LEAST_HOLDERS, Occurring, recorded_by_repeat, score_where
from weigh.findings.questions import asked
from weigh.kinds.mask_statistics import DEPTHS, MOST_CONFUSED, SIZES, MaskStatistics
from weigh.language import Text, text
from weigh.metrics.segmentation import SHARE
from weigh.stats.estimate import Estimate

__all__ = ["find_borders", "find_confusions", "find_missed_objects"]

NAMED = 3  # pairs of classes in a sentence
PAIRS_SHOWN = 40
OF_A_CLASS = 2  # pairs of a class for which an interval is made, the most frequent
MATTERS = 0.05  # of the pixels of a class: what is less is no confusion that anybody has to know of
HALF = 50.0  # per cent
MANY_PIXELS = 1e5
NEAR = 0.01  # of the diagonal of a picture: what is not further from a border is near it


def _statistics(evidence: Evidence, reader: str) -> MaskStatistics:
    """The statistics of all answers, one repeat after the other."""
    rows = recorded_by_repeat(evidence, reader)
    return MaskStatistics(rows.reshape(-1, rows.shape[2]), len(evidence.results.examples.classes))


def _by_repeat(evidence: Evidence, reader: str, counts: np.ndarray) -> np.ndarray:
    """`(repeats, n, …)` of counts of all answers."""
    return counts.reshape(*evidence.out_of_fold[reader].fold.shape, *counts.shape[1:])


def _shares(evidence: Evidence, reader: str, counts: np.ndarray, *, level: float | None = None) -> Estimate:
    """The share of the parts in the wholes, in per cent: counts are `(repeats, n, 2)`."""
    one = Occurring(counts, (counts[:, :, 1] > 0).any(axis=0))
    return in_percent(score_where(evidence, reader, SHARE, one, level=level))


# ---- which classes are taken for which


class _Pair(NamedTuple):
    """Pixels of class `a` in the mask that were given class `b`: their share of those of `a`."""

    a: str
    b: str
    share: Estimate

    @property
    def certain(self) -> bool:
        """Whether it is shown to matter."""
        return self.share.low is not None and self.share.low >= 100 * MATTERS

    @property
    def excluded(self) -> bool:
        """Whether it is shown not to matter."""
        return self.share.high is not None and self.share.high < 100 * MATTERS


def find_confusions(evidence: Evidence, reader: str) -> Finding:
    """The pairs of classes that are confused most, each with the share of the pixels that are of the class in the mask."""
    classes, label = evidence.results.examples.classes, evidence.label(reader)
    confusion = _statistics(evidence, reader).confusion
    if confusion is None:
        return _too_many_classes(reader, len(classes))
    cells = _by_repeat(evidence, reader, confusion)
    totals = cells.sum(axis=(0, 1))
    occurring = np.flatnonzero(totals.sum(axis=1) > 0).tolist()
    holders = evidence.results.examples.kind.members(evidence.out_of_fold[reader].target, len(classes))
    tests = max(len(occurring) * (len(classes) - 1), 1)
    pairs = []
    for a in occurring:
        for b in sorted(range(len(classes)), key=lambda b: -totals[a, b])[: OF_A_CLASS + 1]:
            if b != a and totals[a, b]:
                counts = np.stack([cells[:, :, a, b], cells[:, :, a].sum(axis=2)], axis=2)
                one = Occurring(counts, holders[:, a])
                estimate = score_where(evidence, reader, SHARE, one, level=1 - (1 - evidence.level) / tests)
                method = (
                    estimate.method if estimate.low is None else f"{estimate.method}, Bonferroni over {tests} pairs"
                )
                estimate = in_percent(estimate).model_copy(update={"level": evidence.level, "method": method})
                pairs.append(_Pair(classes[a], classes[b], estimate))
    pairs.sort(key=lambda pair: (-(pair.share.low or 0.0), -pair.share.value))
    judged = [pair for pair in pairs if pair.share.low is not None]
    unjudged = {classes[a] for a in occurring} - {pair.a for pair in judged} - _without_errors(totals, classes, holders)
    sentence, estimates = _say_confusions(label, judged, tests)
    if judged and unjudged:
        estimates |= {"least": count(LEAST_HOLDERS, "examples"), "not_judged": count(len(unjudged), "classes")}
        sentence += text(
            "Not judged: {k} of the classes, which {k:|stands|stand} in fewer than {n} pictures or in too few groups of them.",
            "有 {k} 个类别未作判断：含有它们的图片不足 {n} 张，或分属的组太少。",
            k=len(unjudged),
            n=LEAST_HOLDERS,
        )
    settled = bool(judged) and (judged[0].certain or all(pair.excluded for pair in judged))
    number = dict(zip(classes, holders.sum(axis=0).tolist(), strict=True))
    return _confusions(
        reader,
        sentence,
        estimates,
        "yes" if settled else "undecided",
        claim=evidence.claim,
        assumptions=assumptions_of(evidence, [reader]),
        figure=_matrix(totals / len(cells), classes),
        table=[
            {"given": pair.a, "predicted": pair.b, "share": percent(pair.share), "examples": number[pair.a]}
            for pair in sorted(pairs, key=lambda pair: -pair.share.value)[:PAIRS_SHOWN]
        ],
    )


def _without_errors(totals: np.ndarray, classes: Sequence[str], holders: np.ndarray) -> set[str]:
    """Classes of enough pictures whose pixels were all given their class: there is no pair to judge."""
    right = totals.diagonal() == totals.sum(axis=1)
    return {classes[a] for a in np.flatnonzero(right & (holders.sum(axis=0) >= LEAST_HOLDERS)).tolist()}


def _say_confusions(label: str, judged: list[_Pair], tests: int) -> tuple[Text, dict[str, Estimate]]:
    """The sentence, and the numbers in it."""
    if not judged:
        return text(
            "Which classes {c} takes for which cannot be told: no wrong pixels, or each class in fewer than {n} pictures or too few groups of them.",
            "无法判断 {c} 把哪些类别判成了哪些类别：没有判错的像素，或含有各类别的图片不足 {n} 张，或分属的组太少。",
            c=label,
            n=LEAST_HOLDERS,
        ), {"least": count(LEAST_HOLDERS, "examples")}
    certain = [pair for pair in judged if pair.certain][:NAMED]
    shown = certain or [max(judged, key=lambda pair: pair.share.value)]
    estimates = {f"{pair.a} → {pair.b}": pair.share for pair in shown}
    listed = text(
        "{e}",
        "{z}",
        e="; ".join(f"{percent(pair.share, 100 * MATTERS)} of '{pair.a}' for '{pair.b}'" for pair in shown),
        z="；".join(f"“{pair.a}”有 {percent(pair.share, 100 * MATTERS)} 判成“{pair.b}”" for pair in shown),
    )
    if certain:
        estimates["pairs"] = count(tests, "pairs")
        return text(
            "By pixels, {c} takes {l} (the intervals allow for all {n} pairs of classes).",
            "按像素计，{c} 的主要混淆是：{l}（区间已对全部 {n} 对类别作校正）。",
            c=label,
            l=listed,
            n=tests,
        ), estimates
    estimates["matters"] = share(MATTERS)
    if all(pair.excluded for pair in judged):
        return text(
            "{c} takes no class for another in more than {m} % of its pixels; the most is {l}.",
            "{c} 没有把任何类别超过 {m} % 的像素判成另一个类别；最多的是{l}。",
            c=label,
            m=f"{100 * MATTERS:.0f}",
            l=listed,
        ), estimates
    return text(
        "Which classes {c} takes for which is not settled: no pair is shown to reach {m} % of the pixels of a class. In these pictures the most is {l}.",
        "{c} 把哪些类别判成了哪些类别，尚无定论：没有哪一对能确定达到某个类别像素的 {m} %。在这些图片中最多的是{l}。",
        c=label,
        m=f"{100 * MATTERS:.0f}",
        l=listed,
    ), estimates


def _too_many_classes(reader: str, classes: int) -> Finding:
    sentence = text(
        "Not settled: pairs of classes are counted for up to {m} classes, and here there are {k}.",
        "尚无定论：类别之间的混淆最多统计到 {m} 个类别，而这里有 {k} 个。",
        m=MOST_CONFUSED,
        k=classes,
    )
    estimates = {"most_classes": count(MOST_CONFUSED, "classes"), "classes": count(classes, "classes")}
    return _confusions(reader, sentence, estimates, "undecided", severity="detail")


def _confusions(reader: str, sentence: Text, estimates: dict[str, Estimate], verdict: Verdict, **more: Any) -> Finding:
    return Finding(
        id="errors:confusions",
        kind="errors",
        **asked("errors:confusions", verdict),
        sentence=sentence,
        estimates=estimates,
        candidates=[reader],
        **more,
    )


def _matrix(totals: np.ndarray, classes: Sequence[str]) -> Figure:
    """Pixels in thousands where there are many; not rounded to whole ones, as the page writes shares of them."""
    large = float(totals.sum()) > MANY_PIXELS
    title = text("Pixels, in thousands", "像素数（千）") if large else text("Pixels", "像素数")
    shown = totals / (1000 if large else 1)
    rows = [
        {"given": classes[a], "predicted": classes[b], "n": round(float(shown[a, b]), 3)}
        for a in range(len(classes))
        for b in range(len(classes))
    ]
    return Figure(kind="confusion", title=title, rows=rows)


# ---- at borders or inside


def find_borders(evidence: Evidence, reader: str) -> Finding | None:
    """The share of the wrong pixels that are near a border of the mask; None where no pixel is wrong."""
    depths = _by_repeat(evidence, reader, _statistics(evidence, reader).depths)
    wrong, pixels = depths[..., 0], depths[..., 1]
    if not wrong.sum():
        return None
    near = _near(evidence, reader)
    estimate = _shares(evidence, reader, np.stack([wrong[:, :, :near].sum(axis=2), wrong.sum(axis=2)], axis=2))
    reach = DEPTHS[near] - 1
    there = share(float(pixels[:, :, :near].sum() / pixels.sum()), method="share, no interval")
    estimates = {"of_wrong": estimate, "of_pixels": there, "near_pixels": count(reach, "pixels")}
    values = {"c": evidence.label(reader), "s": percent(estimate, HALF), "d": reach, "p": percent(there)}
    ends = text("a border between classes", "类别边界")
    if any(
        mask.ignored for mask in evidence.out_of_fold[reader].target
    ):  # where these end nobody knows what lies there
        ends = text("a border between classes or from ignored pixels", "类别边界或被忽略的像素")
    sentence = text(
        "Of the pixels that {c} gets wrong, {s} are at most {d} px from {w}, where {p} of all pixels are.",
        "{c} 判错的像素中，有 {s} 距{w}不超过 {d} 像素；全部像素中位于该范围的占 {p}。",
        **values,
        w=ends,
    )
    verdict: Verdict = "undecided"
    if estimate.low is not None and estimate.high is not None:
        verdict = "yes" if estimate.low > HALF else "no" if estimate.high < HALF else "undecided"
    if verdict == "undecided":
        sentence += text("Whether that is most of them is not settled.", "这是否占多数，尚无定论。")
    rows, table = [], []
    for k, begin in enumerate(DEPTHS):
        name = f"{begin}–{DEPTHS[k + 1] - 1}" if k + 1 < len(DEPTHS) else f"{begin}+"
        if not pixels[:, :, k].sum():
            continue
        rate = _shares(evidence, reader, depths[:, :, k])
        table.append(
            {
                "depth": name,
                "of_pixels": f"{100 * pixels[:, :, k].sum() / pixels.sum():.1f} %",
                "of_wrong": f"{100 * wrong[:, :, k].sum() / wrong.sum():.1f} %",
                "wrong": percent(rate),
            }
        )
        rows.append(drawn(name, rate))
    return Finding(
        id="errors:borders",
        kind="errors",
        **asked("errors:borders", verdict),
        claim=evidence.claim,
        assumptions=assumptions_of(evidence, [reader]),
        sentence=sentence,
        estimates=estimates,
        candidates=[reader],
        figure=shares_figure(
            text("Wrong pixels by their distance to the nearest border, in %", "距最近边界不同距离处判错的像素（%）"),
            text("pixels to the nearest border", "距最近边界的像素数"),
            text("wrong, %", "判错，%"),
            rows,
        ),
        table=table,
    )


def _near(evidence: Evidence, reader: str) -> int:
    """How many bins of depths are near a border: those not further from it than `NEAR` of the usual diagonal, at least the first."""
    sizes = evidence.results.examples.kind.sizes(evidence.out_of_fold[reader].target)
    diagonal = float(np.median(np.hypot(*np.asarray(sizes, dtype=np.float64).T)))
    return int(np.clip(np.searchsorted(DEPTHS, NEAR * diagonal, side="right") - 1, 1, len(DEPTHS) - 1))


# ---- small objects


def find_missed_objects(evidence: Evidence, reader: str) -> Finding | None:
    """Whether small objects are missed more often than large ones; None where masks hold no objects of both sizes."""
    objects = _by_repeat(evidence, reader, _statistics(evidence, reader).objects)
    below, above = (f"{100 * size:g}" for size in SIZES)
    sorts = [
        Sort(
            text("small", "小"),
            text("small objects", "小目标"),
            text("small objects (below {a} % of the picture)", "小目标（面积不足图片的 {a} %）", a=below),
            objects[:, :, 0],
        ),
        Sort(text("medium", "中"), text("medium ones", "中等目标"), text("medium ones", "中等目标"), objects[:, :, 1]),
        Sort(
            text("large", "大"),
            text("large ones", "大目标"),
            text("large ones (from {b} % on)", "大目标（不小于 {b} %）", b=above),
            objects[:, :, 2],
        ),
    ]
    return find_missed(
        evidence,
        reader,
        sorts,
        id="errors:objects",
        figure=text("Objects that are missed, by size, in %", "不同大小的目标漏掉的比例（%）"),
        means=text(
            "An object is what hangs together of one class; it is missed if less than half of its pixels are given that class.",
            "目标指同一类别中彼此相连的像素；其中不到一半被判为该类别，即算漏掉。",
        ),
        estimates={"small_below": share(SIZES[0]), "large_from": share(SIZES[1])},
    )
