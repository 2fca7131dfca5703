"""Are some regions of masks drawn wrong? Where all candidates, none of which had trained on a picture, agree on another class.

Before it: the answers that runs kept (`Results.kept_answers`), those furthest off unless all are kept. After it: the report draws the pictures.

Models agree against a right mask too, above all where classes are confused anyway or along borders. So a region counts only if it is
large, if something of it lies further from its own rim than borders are drawn exactly, and if each candidate seldom takes the
class of the mask for the other one. What is left is a list to look at, and never a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count, share
from weigh.findings.errors.pixels import MATTERS
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.findings.occurring import recorded_by_repeat
from weigh.findings.questions import asked
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import MaskStatistics, squared_tolerance
from weigh.language import text

__all__ = ["find_regions"]

LARGE = 0.005  # of the picture
SHOWN = 24
MOST_PICTURES = 1000  # that are looked at: some seconds


class _Region(NamedTuple):
    """Pixels that hang together; `size` is their share of the picture."""

    at: int
    given: int
    answered: int
    size: float


def find_regions(evidence: Evidence) -> Finding | None:
    """One finding where at least two candidates kept answers about some pictures; else None, as nobody can agree."""
    results, classes = evidence.results, evidence.results.examples.classes
    answers = [kept for name in evidence.rivals if (kept := results.kept_answers(name))]
    if len(answers) < 2:
        return None
    seldom = _seldom_confused(evidence)
    common = sorted(set.intersection(*(set(kept) for kept in answers)))
    looked_at = [
        common[i] for i in np.unique(np.linspace(0, len(common) - 1, min(len(common), MOST_PICTURES)).astype(int))
    ]
    if seldom is None or not looked_at:
        return None
    regions = sorted(
        (
            region
            for at in looked_at
            for region in _regions(at, results.examples.target[at], [k[at] for k in answers], seldom)
        ),
        key=lambda region: (-region.size, region.at),
    )
    pictures = len({region.at for region in regions})
    whole = len(looked_at) == len(evidence.out_of_fold[evidence.rivals[0]].indices)
    values = {"n": len(looked_at), "c": len(answers), "a": f"{100 * LARGE:g}", "k": pictures, "r": len(regions)}
    sentence = (
        text(
            "In {k} of {n} pictures all {c} candidates, none of which had trained on them, agree on another class than the mask in a region of at least {a} % "
            "of the picture, though they seldom confuse the two: regions to look at, {r}. Models can be wrong together: this proves nothing.",
            "在 {n} 张图片中，有 {k} 张存在这样的区域：{c} 个候选方案都未用该图训练过，却一致给出与标注不同的类别，区域不小于图片的 {a} %，"
            "而它们平时很少混淆这两个类别。值得查看的区域共 {r} 处。多个模型也可能一起出错，因此这并不能证明标注有误。",
            **values,
        )
        if regions
        else text(
            "In none of {n} pictures do all {c} candidates agree against the mask in a region of at least {a} % of the picture, of classes that they seldom confuse.",
            "在 {n} 张图片中，没有发现所有 {c} 个候选方案一致与标注不同、且不小于图片 {a} % 的区域（只看它们平时很少混淆的类别）。",
            **values,
        )
    )
    estimates = {
        "looked_at": count(len(looked_at), "examples"),
        "candidates": count(len(answers), "candidates"),
        "large": share(LARGE),
    }
    if regions:
        estimates |= {"examples": count(pictures, "examples"), "regions": count(len(regions), "1")}
    if not whole:
        sentence += text(
            "Only pictures of which the answers were kept were looked at; output.masks: true keeps all.",
            "只查看了保留有预测掩码的图片；设置 output.masks: true 可保留全部。",
        )
    rows = [
        {
            "path": str(results.examples.path[region.at]),
            "given": classes[region.given],
            "predicted": classes[region.answered],
            "area": f"{100 * region.size:.1f} %",
        }
        for region in regions
    ]
    look = text(
        "Look at these regions: is the mask right there? Correct the masks and run again.",
        "请查看这些区域：标注是否正确？更正掩码后重新运行。",
    )
    return Finding(
        id="errors:regions",
        kind="errors",
        **asked("errors:regions", "no" if whole and not regions else "undecided"),
        severity="evidence" if regions else "detail",
        sentence=sentence,
        estimates=estimates,
        examples=list(dict.fromkeys(row["path"] for row in rows))[:SHOWN],
        candidates=list(evidence.rivals),
        next=[look] if regions else [],
        table=rows,
    )


def _seldom_confused(evidence: Evidence) -> np.ndarray | None:
    """`(classes, classes)` whether every candidate gives less than `MATTERS` of the pixels of a class to the other; None where pairs are not counted."""
    classes = len(evidence.results.examples.classes)
    seldom = np.ones((classes, classes), dtype=bool)
    for name in evidence.rivals:
        rows = recorded_by_repeat(evidence, name)
        confusion = MaskStatistics(rows.reshape(-1, rows.shape[2]), classes).confusion
        if confusion is None:
            return None
        totals = confusion.sum(axis=0)
        seldom &= totals < MATTERS * np.maximum(totals.sum(axis=1, keepdims=True), 1)
    return seldom


def _regions(at: int, mask: LabelMap, answers: Sequence[LabelMap], seldom: np.ndarray) -> Iterator[_Region]:
    """The regions of one picture."""
    from scipy.ndimage import distance_transform_edt, find_objects, label

    classes, truth = len(mask.counts), mask.indices().astype(np.int64)
    first, *others = (answer.indices().astype(np.int64) for answer in answers)
    agreed = (truth < classes) & (first != truth) & np.logical_and.reduce([first == other for other in others])
    pairs = np.where(agreed, truth * classes + first, -1)
    for pair in np.unique(pairs[agreed]).tolist():
        given, answered = divmod(pair, classes)
        if not seldom[given, answered]:
            continue
        of, _ = label(pairs == pair, structure=np.ones((3, 3)))
        for number, box in enumerate(find_objects(of), start=1):
            region = np.pad(of[box] == number, 1)
            size = int(region.sum())
            deep = size >= LARGE * truth.size and distance_transform_edt(region).max() ** 2 > squared_tolerance(
                *truth.shape
            )
            if deep:
                yield _Region(at, given, answered, size / truth.size)
