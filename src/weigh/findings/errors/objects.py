"""Which drawn objects are missed: small ones, those at the edge of the picture, those that overlap others?

Before it: what the runs found (`sightings.py`). Beside it: `box_costs.py` (what each sort of mistake costs), `object_counts.py`.
"""

from __future__ import annotations

import numpy as np

from weigh.data.boxes.gold import UNSIZED
from weigh.findings.amounts import count, share
from weigh.findings.errors.box_mistakes import NEAR
from weigh.findings.errors.shares import Sort, find_missed
from weigh.findings.errors.sightings import Sightings
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.kinds.box_list import Boxes, overlaps
from weigh.language import Text, text
from weigh.stats.estimate import Estimate

__all__ = ["find_missed_boxes"]

# Pixels of the side of a square: below the first an object is small, from the second on large (COCO)
SIZES = (32.0, 96.0)
EDGE = 0.005  # of a side of the picture, at least a pixel: what is not further from the edge is cut off there
CROWDED = 0.1  # overlap (intersection over union) with another drawn box; a small box within a large one may have less
LEAST_IOU = {"least_iou": Estimate(value=NEAR, method="as set")}


def find_missed_boxes(evidence: Evidence, reader: str, sightings: Sightings) -> list[Finding]:
    """One finding for each way to sort objects of which there are both sorts."""
    findings = [
        _by_size(evidence, reader, sightings),
        _by_place(evidence, reader, sightings),
        _by_crowding(evidence, reader, sightings),
    ]
    return [finding for finding in findings if finding is not None]


def _means() -> Text:
    return text(
        "An object is missed if no box that is told (from the threshold of its run on) has an IoU of at least {o:g} with it and names its class; a box finds one object at most.",
        "如果没有任何给出的框（分数不低于该次运行的阈值）与某目标的 IoU 达到 {o:g} 且类别正确，即算漏掉该目标；一个框至多对应一个目标。",
        o=NEAR,
    )


def _by_size(evidence: Evidence, reader: str, sightings: Sightings) -> Finding | None:
    small, large = (f"{side:g}" for side in SIZES)
    names = (
        Sort(
            text("small", "小"),
            text("small objects", "小目标"),
            text("small objects (below {s} × {s} px)", "小目标（小于 {s} × {s} 像素）", s=small),
            np.empty(0),
        ),
        Sort(
            text("medium", "中"),
            text("medium-sized objects", "中等目标"),
            text(
                "medium-sized objects (from {s} × {s} to {l} × {l} px)",
                "中等目标（{s} × {s} 至 {l} × {l} 像素）",
                s=small,
                l=large,
            ),
            np.empty(0),
        ),
        Sort(
            text("large", "大"),
            text("large ones", "大目标"),
            text("large ones (from {l} × {l} px on)", "大目标（不小于 {l} × {l} 像素）", l=large),
            np.empty(0),
        ),
    )
    limits = np.square(SIZES)
    counts = _counted(sightings, lambda boxes: np.searchsorted(limits, boxes.area, side="right"), len(names))
    sorts = [one._replace(counts=counts[:, :, k]) for k, one in enumerate(names) if counts[:, :, k, 1].any()]
    if len(sorts) < 2:
        return None
    return find_missed(
        evidence,
        reader,
        sorts,
        id="errors:objects",
        figure=text("Objects that are missed, by size, in %", "不同大小的目标漏掉的比例（%）"),
        means=_means(),
        estimates={"small_below": count(SIZES[0], "pixels"), "large_from": count(SIZES[1], "pixels"), **LEAST_IOU},
    )


def _by_place(evidence: Evidence, reader: str, sightings: Sightings) -> Finding | None:
    if any(problem.kind == UNSIZED for problem in evidence.results.problems):
        return None  # where pictures end is not known

    def inside(boxes: Boxes) -> np.ndarray:
        across, down = max(1.0, EDGE * boxes.width), max(1.0, EDGE * boxes.height)
        left, top, right, bottom = boxes.corners.T
        return (left > across) & (top > down) & (right < boxes.width - across) & (bottom < boxes.height - down)

    counts = _counted(sightings, inside, 2)
    return find_missed(
        evidence,
        reader,
        [
            Sort(
                text("at the edge", "位于边缘"),
                text("objects at the edge of the picture", "图片边缘的目标"),
                text(
                    "objects at the edge of the picture (no further from it than {e:g} % of the side, or a pixel)",
                    "图片边缘的目标（距边缘不超过边长的 {e:g} % 或一个像素）",
                    e=100 * EDGE,
                ),
                counts[:, :, 0],
            ),
            Sort(
                text("inside", "位于内部"),
                text("those inside", "图片内部的目标"),
                text("those inside", "图片内部的目标"),
                counts[:, :, 1],
            ),
        ],
        id="errors:edges",
        figure=text("Objects that are missed, by place, in %", "不同位置的目标漏掉的比例（%）"),
        means=_means(),
        estimates={"at_edge": share(EDGE), **LEAST_IOU},
    )


def _by_crowding(evidence: Evidence, reader: str, sightings: Sightings) -> Finding | None:
    def apart(boxes: Boxes) -> np.ndarray:
        between = overlaps(boxes.corners, boxes.corners)
        np.fill_diagonal(between, 0.0)
        return between[:, _judged(boxes)].max(axis=1, initial=0.0) < CROWDED

    counts = _counted(sightings, apart, 2)
    return find_missed(
        evidence,
        reader,
        [
            Sort(
                text("overlapping another", "与其他目标重叠"),
                text("objects that overlap others", "与其他目标重叠的目标"),
                text("objects whose box overlaps another (IoU of {o:g} or more)", "与其他框重叠（IoU 不低于 {o:g}）的目标", o=CROWDED),
                counts[:, :, 0],
            ),
            Sort(
                text("hardly or not overlapping", "几乎不重叠"),
                text("other objects", "其他目标"),
                text("the others", "其他目标"),
                counts[:, :, 1],
            ),
        ],
        id="errors:crowding",
        figure=text("Objects that are missed, by crowding, in %", "不同拥挤程度的目标漏掉的比例（%）"),
        means=_means(),
        estimates={"overlap": Estimate(value=CROWDED, method="as set"), **LEAST_IOU},
    )  # fmt: skip


def _judged(boxes: Boxes) -> np.ndarray:
    """`(m,)` bool: neither a crowd nor of an unknown class."""
    return ~boxes.crowd & (boxes.classes >= 0)


def _counted(sightings: Sightings, sort_of, sorts: int) -> np.ndarray:
    """`(repeats, n, sorts, 2)` objects of each sort that are missed, and that are there; 0 where there is no answer."""
    counts = np.zeros((*sightings.present.shape, sorts, 2))
    for i, boxes in enumerate(sightings.target):
        judged = _judged(boxes)
        if not judged.any():
            continue
        sort = np.asarray(sort_of(boxes)).astype(np.int64)[judged]
        there = np.bincount(sort, minlength=sorts)
        for repeat in np.flatnonzero(sightings.present[:, i]).tolist():
            missed = ~sightings.told(repeat, i).objects(len(judged))[judged]
            counts[repeat, i] = np.stack([np.bincount(sort[missed], minlength=sorts), there], axis=1)
    return counts
