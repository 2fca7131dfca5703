"""How far off are the numbers of objects that it counts? Of every class, and of all together, in each picture.

Before it: what the runs told, at their own thresholds (`sightings.py`). Many users want nothing else: cells, animals, parts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count, turned
from weigh.findings.assumptions import assumptions_of
from weigh.findings.errors.sightings import Sightings
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.findings.occurring import Occurring, gap_where, score_where
from weigh.findings.questions import asked
from weigh.language import Text, text, unsigned_zero
from weigh.metrics.segmentation import SHARE
from weigh.stats.estimate import Estimate, digits_that_show

__all__ = ["find_counts"]

# Of (objects, 1) of every picture: how many there are in a picture
MEAN = replace(SHARE, name="objects_per_picture", unit="objects", parts=None)
FEW = 10  # of fewer objects two digits are written
MOST_TOLD = 40  # classes in the table, the most frequent


class _Count(NamedTuple):
    """Objects in a picture, of one class or of all.

    Attributes:
        drawn, told: In the mean.
        surplus: Told less drawn, with an interval.
        off: How far one picture's number is off in the mean, with an interval.
    """

    name: str
    drawn: float
    told: float
    surplus: Estimate
    off: Estimate


def find_counts(evidence: Evidence, reader: str, sightings: Sightings) -> Finding | None:
    """One finding; None where no object is drawn."""
    classes = evidence.results.examples.classes
    drawn, told = sightings.counted
    if not drawn.any():
        return None
    whole = _count(evidence, reader, "", drawn.sum(axis=2), told.sum(axis=2))
    order = np.argsort(-drawn.sum(axis=(0, 1)), kind="stable")[:MOST_TOLD].tolist()
    order = [c for c in order if drawn[:, :, c].any()]
    each = [_count(evidence, reader, classes[c], drawn[:, :, c], told[:, :, c]) for c in order]
    if len(classes) == 1:
        whole, each = each[0], []
    sentence, estimates = _say(evidence, reader, whole, each)
    rows = [*each, whole] if each else [whole]
    return Finding(
        id="errors:counts",
        kind="errors",
        **asked("errors:counts", "yes"),
        claim=evidence.claim,
        assumptions=assumptions_of(evidence, [reader]),
        sentence=sentence,
        estimates=estimates,
        candidates=[reader],
        table=[
            {
                "class": one.name or text("all together", "合计")._asdict(),
                "drawn": round(one.drawn, 2),
                "told": round(one.told, 2),
                "surplus": _written(one.surplus),
                "count_off": _written(one.off),
            }
            for one in rows
        ],
    )


def _count(evidence: Evidence, reader: str, name: str, drawn: np.ndarray, told: np.ndarray) -> _Count:
    """The counts of `(repeats, n)` objects."""
    present = evidence.measured[reader].present
    ones, holders = present.astype(float), (drawn > 0).any(axis=0)
    one, other, off = (
        Occurring(np.stack([np.where(present, values, 0.0), ones], axis=2), holders)
        for values in (told, drawn, np.abs(told - drawn))
    )
    means = [float((values * present).sum() / max(present.sum(), 1)) for values in (drawn, told)]
    surplus, mean_off = gap_where(evidence, reader, MEAN, one, other).estimate, score_where(evidence, reader, MEAN, off)
    if mean_off.low is None:  # too few pictures
        surplus = surplus.model_copy(update={"low": None, "high": None, "method": mean_off.method})
    return _Count(name, *means, surplus, mean_off)


def _say(evidence: Evidence, reader: str, whole: _Count, each: list[_Count]) -> tuple[Text, dict[str, Estimate]]:
    """The sentence for people who count: how many objects it tells, how many were drawn, and how far off one picture is."""
    estimates = {"surplus": whole.surplus, "count_off": whole.off}
    estimates |= {
        name: Estimate(value=value, method="mean, no interval", unit="objects")
        for name, value in (("told", whole.told), ("drawn", whole.drawn))
    }
    sentence = text(
        "{c} counts {t} objects in a picture where {d} are drawn{o}",
        "平均每张图片标注了 {d} 个目标，{c} 数出 {t} 个{o}",
        c=evidence.label(reader),
        t=f"{whole.told:.1f}",
        d=f"{whole.drawn:.1f}",
        o=text(" ('{n}')", "（“{n}”）", n=whole.name) if whole.name else text("", ""),
    )
    sentence = text("{a}: {b}.", "{a}：{b}。", a=sentence, b=_surplus(whole.surplus))
    sentence += text(
        "The number of one picture is off by {a} in the mean, too many or too few.",
        "单张图片的数目平均相差 {a} 个（不论偏多还是偏少）。",
        a=_written(whole.off),
    )
    shown = [one for one in each if one.off.low is not None]
    if len(shown) > 1:
        worst = max(shown, key=lambda one: one.off.value)
        estimates |= {f"surplus:{worst.name}": worst.surplus, f"count_off:{worst.name}": worst.off}
        sentence += text(
            "In these pictures '{n}' is furthest off, by {a} in a picture: {b}.",
            "在这些图片中，偏差最大的是“{n}”，每张图片相差 {a} 个：{b}。",
            n=worst.name,
            a=_written(worst.off),
            b=_surplus(worst.surplus),
        )
    few = len(each) - len(shown)
    if few:
        estimates["not_judged"] = count(few, "classes")
        sentence += text(
            "Without an interval, as {k:|it stands|they stand} in too few pictures: {k} {k:|class|classes}.",
            "有 {k} 个类别因所在图片太少而没有区间。",
            k=few,
        )
    return sentence, estimates


def _surplus(surplus: Estimate) -> Text:
    """ "1.4 too few [1.0, 1.8]"; where both signs are possible, that it may be none."""
    low, high = surplus.low, surplus.high
    if low is None or high is None:
        return text("{v} in the mean, without an interval", "平均相差 {v} 个，没有区间", v=_written(surplus, sign=True))
    if low > 0:
        return text("{v} too many", "偏多 {v} 个", v=_written(surplus))
    if high < 0:
        return text("{v} too few", "偏少 {v} 个", v=_written(turned(surplus)))
    return text(
        "in the mean neither too many nor too few is shown ({v})",
        "平均而言，没有显示出偏多或偏少（{v}）",
        v=_written(surplus, sign=True),
    )


def _written(estimate: Estimate, *, sign: bool = False) -> str:
    """ "1.4 [1.0, 1.8]", the same in both languages."""
    digits = digits_that_show((estimate.low, estimate.high), 2 if abs(estimate.value) < FEW else 1)
    form = f"{'+' if sign else ''}.{digits}f"
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f" [{unsigned_zero(f'{estimate.low:{form}}')}, {unsigned_zero(f'{estimate.high:{form}}')}]"
    return f"{unsigned_zero(f'{estimate.value:{form}}')}{interval}"
