"""What is wrong with each detection, and what a score would be without one sort of mistake: the six sorts of TIDE.

Before it: what the runs recorded of every picture, and the boxes that were drawn. After it: `boxes.py`.

At an overlap (intersection over union) of .5, the sorts in this order; a detection has the first that fits:

- *badly placed*: of the right class, at an overlap of .1 to .5 with the object;
- *wrong class*: at an overlap of .5 or more with an object of another class;
- *double*: on an object that a surer detection found already;
- *background*: nothing is there, no object overlaps by more than .1;
- *both*: badly placed and of the wrong class;

and an object is *missed* if neither a detection nor a mistake that could be mended belongs to it.

To mend a badly placed or wrongly named detection is to make it right (the surest one, where several are about the same object; the others are
taken away, as all are whose object was found anyway); to mend a double, background or "both" is to take it away; to mend a missed
object is to take it out of those that are to be found.

References:
    Bolya, Foley, Hays & Hoffman (2020), TIDE: A General Toolbox for Identifying Object Detection Errors, ECCV.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from weigh.findings.errors.sightings import Seen
from weigh.kinds.box_list import Boxes, overlaps

__all__ = ["FAR", "NEAR", "SORTS", "Mistakes", "mistakes_of"]

NEAR = 0.5  # overlap from which a box is right
FAR = 0.1  # overlap up to which it has nothing to do with an object
SORTS = ("wrong class", "badly placed", "both", "double", "background", "missed")
WRONG_CLASS, BADLY_PLACED, BOTH, DOUBLE, BACKGROUND, MISSED = range(len(SORTS))
RIGHT, IGNORED = -1, -2


class Mistakes(NamedTuple):
    """The mistakes in one picture.

    Attributes:
        sort: `(m,)` of each detection: its place in `SORTS`, `RIGHT` or `IGNORED`.
        mends: `(m,)` the object that a mended detection would find; -1: mending takes it away.
        missed: `(objects,)` bool.
    """

    sort: np.ndarray
    mends: np.ndarray
    missed: np.ndarray


def mistakes_of(seen: Seen, boxes: Boxes) -> Mistakes:
    """The sort of every detection of a picture, and what would mend it."""
    counts = ~boxes.crowd & (boxes.classes >= 0)
    right = seen.object >= 0
    sort = np.where(seen.ignored, IGNORED, np.where(right, RIGHT, BACKGROUND))
    mends = np.full(len(sort), -1)
    used = np.zeros(len(boxes.classes), dtype=bool)
    used[seen.object[right]] = True
    if counts.any():
        overlap = np.where(counts[None, :], overlaps(seen.corners, boxes.corners), -1.0)
        same = seen.classes[:, None] == boxes.classes[None, :]
        own, other = np.where(same, overlap, 0.0), np.where(same, 0.0, overlap)
        at_own, at_other = own.argmax(axis=1), other.argmax(axis=1)
        most_own, most_other, most = own.max(axis=1), other.max(axis=1), overlap.max(axis=1)
        most_used = np.where(used[None, :], own, 0.0).max(axis=1)
        placed = (most_own >= FAR) & (most_own <= NEAR)
        conditions = [placed, most_other >= NEAR, most_used >= NEAR, most <= FAR]
        sorts = np.select(conditions, [BADLY_PLACED, WRONG_CLASS, DOUBLE, BACKGROUND], BOTH)
        sort = np.where(sort == BACKGROUND, sorts, sort)
        about = np.where(sort == BADLY_PLACED, at_own, np.where(sort == WRONG_CLASS, at_other, -1))
        about = np.where((about >= 0) & ~used[about], about, -1)
        for i in np.argsort(-seen.scores, kind="stable"):  # the surest first
            if about[i] >= 0 and about[i] not in mends:
                mends[i] = about[i]
    missed = counts & ~used
    missed[mends[mends >= 0]] = False
    return Mistakes(sort, mends, missed)
