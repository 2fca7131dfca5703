"""What the runs of one candidate found in each picture, beside the boxes that were drawn there.

Before it: rows that the runs recorded (`kinds/box_statistics.py`). After it: everything that is said about the mistakes of boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from weigh.findings.evidence import Evidence
from weigh.findings.occurring import recorded_by_repeat
from weigh.kinds.box_statistics import BoxStatistics

__all__ = ["Seen", "Sightings", "sightings_of"]


class Seen(NamedTuple):
    """What a run found in one picture, the highest score first.

    Attributes:
        corners: `(m, 4)`.
        classes, scores: `(m,)`.
        object: `(m,)` the box of the picture that it is matched with at an overlap of .5; -1: none, so it is wrong, or ignored.
        ignored: `(m,)` bool: it lies in a region that is not judged.
        told: `(m,)` bool: its score reaches the threshold of its run.
    """

    corners: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    object: np.ndarray
    ignored: np.ndarray
    told: np.ndarray

    def only(self, keep: np.ndarray | slice) -> Seen:
        """Some of them."""
        return Seen(*(values[keep] for values in self))

    def objects(self, number: int) -> np.ndarray:
        """`(number,)` bool: which boxes of the picture are found."""
        held = np.zeros(number, dtype=bool)
        held[self.object[self.object >= 0]] = True
        return held


@dataclass(frozen=True)
class Sightings:
    """What was detected in all pictures of a design.

    Attributes:
        rows: `(repeats, n, k)` as recorded.
        present: `(repeats, n)` bool.
        target: `(n,)` object: the `Boxes` of each picture.
        classes: How many there are.
    """

    rows: np.ndarray
    present: np.ndarray
    target: np.ndarray
    classes: int

    @property
    def first(self) -> Sightings:
        """The sightings of the first repeat alone."""
        return replace(self, rows=self.rows[:1], present=self.present[:1])

    def at(self, repeat: int, i: int) -> Seen:
        """What was found in picture `i`."""
        seen, ends = self._seen[repeat]
        return seen.only(slice(ends[i], ends[i + 1]))

    def told(self, repeat: int, i: int) -> Seen:
        """What is told of it."""
        seen = self.at(repeat, i)
        return seen.only(seen.told & ~seen.ignored)

    @cached_property
    def counted(self) -> tuple[np.ndarray, np.ndarray]:
        """`(repeats, n, classes)` objects that are drawn, and that are told; 0 where there is no answer."""
        told = np.stack([BoxStatistics(rows, self.classes).told for rows in self.rows])
        told = np.where(self.present[:, :, None, None], told, 0.0)
        return told[..., 2], told[..., 1]

    @cached_property
    def _seen(self) -> list[tuple[Seen, np.ndarray]]:
        """For each repeat all detections, and where those of every picture begin; its last number is how many there are."""
        every = []
        for rows in self.rows:
            detected = BoxStatistics(rows, self.classes).detections
            matched = np.where(detected.hit(), detected.took, -1)
            seen = Seen(
                detected.corners, detected.classes, detected.scores, matched, ~detected.counted(), detected.told
            )
            every.append((seen, np.searchsorted(detected.picture, np.arange(len(rows) + 1))))
        return every


def sightings_of(evidence: Evidence, name: str) -> Sightings:
    """The sightings of a candidate."""
    runs = evidence.out_of_fold[name]
    return Sightings(
        recorded_by_repeat(evidence, name), runs.present, runs.target, len(evidence.results.examples.classes)
    )
