"""TIDE from its paper (Bolya et al. 2020), written plainly: what ours is compared with."""

from __future__ import annotations

import numpy as np

from weigh.kinds.box_list import Boxes, Detections

__all__ = ["SORTS", "ap_50", "overlap", "tide"]

SORTS = ("wrong class", "badly placed", "both", "double", "background", "missed")


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - wide * high)


def ap_50(found: list[tuple[float, bool]], there: int) -> float | None:
    """Average precision at 101 recalls of (score, right); None where nothing is there."""
    if there == 0:
        return None
    found = sorted(found, key=lambda one: -one[0])
    right, points = 0, []
    for k, (_, hit) in enumerate(found, start=1):
        right += hit
        points.append((right / there, right / k))
    total = 0.0
    for recall in np.linspace(0, 1, 101):  # as COCO has them, rounding errors included
        total += max((p for r, p in points if r >= recall), default=0.0)
    return total / 101


def _mean(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


def tide(
    answers: list[Detections], target: list[Boxes], classes: int
) -> tuple[float, dict[str, float], dict[str, int]]:
    """mAP at .5, what each sort of mistake costs alone, and how many there are of it."""
    every: list[dict] = []  # detections of all pictures
    missed, there = [0] * classes, [0] * classes
    for answer, boxes in zip(answers, target, strict=True):
        own = [
            {"box": b, "class": int(c), "score": float(s), "sort": None, "about": None}
            for b, c, s in zip(answer.corners, answer.classes, answer.scores, strict=True)
        ]
        used: dict[int, dict] = {}
        for one in own:
            best, most = None, 0.5
            for g in range(len(boxes.classes)):
                value = overlap(one["box"], boxes.corners[g])
                if boxes.classes[g] == one["class"] and g not in used and value >= most:
                    best, most = g, value
            if best is not None:
                used[best] = one
                one["sort"] = "right"
        for one in own:
            if one["sort"]:
                continue
            values = [overlap(one["box"], boxes.corners[g]) for g in range(len(boxes.classes))]
            same = {g: v for g, v in enumerate(values) if boxes.classes[g] == one["class"]}
            other = {g: v for g, v in enumerate(values) if boxes.classes[g] != one["class"]}
            if same and 0.1 <= max(same.values()) <= 0.5:
                one["sort"], one["about"] = "badly placed", max(same, key=same.get)
            elif other and max(other.values()) >= 0.5:
                one["sort"], one["about"] = "wrong class", max(other, key=other.get)
            elif any(v >= 0.5 for g, v in same.items() if g in used):
                one["sort"] = "double"
            elif not values or max(values) <= 0.1:
                one["sort"] = "background"
            else:
                one["sort"] = "both"
        mending: dict[int, dict] = {}
        for one in own:
            g = one["about"]
            if g is not None and g not in used and (g not in mending or mending[g]["score"] < one["score"]):
                mending[g] = one
        for g in range(len(boxes.classes)):
            there[int(boxes.classes[g])] += 1
            if g not in used and g not in mending:
                missed[int(boxes.classes[g])] += 1
        for g, one in mending.items():
            one["becomes"] = int(boxes.classes[g])
        every += own

    def score(without: str | None) -> float:
        found: list[list[tuple[float, bool]]] = [[] for _ in range(classes)]
        for one in every:
            if one["sort"] == without:
                if "becomes" in one:
                    found[one["becomes"]].append((one["score"], True))
            else:
                found[one["class"]].append((one["score"], one["sort"] == "right"))
        left = [t - m if without == "missed" else t for t, m in zip(there, missed, strict=True)]
        return _mean([ap_50(found[c], left[c]) for c in range(classes)])

    whole = score(None)
    numbers = {sort: sum(one["sort"] == sort for one in every) for sort in SORTS} | {"missed": sum(missed)}
    return whole, {sort: score(sort) - whole for sort in SORTS}, numbers
