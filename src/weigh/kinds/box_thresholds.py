"""From which score on a detection is told to people: the threshold with the greatest F1, chosen on pictures that are not scored with it.

Before it: what was recorded of pictures (`box_statistics.py`). After it: the head of a network keeps it; others' detections get one here.
"""

from __future__ import annotations

import numpy as np

from weigh.kinds.box_statistics import BoxStatistics

__all__ = ["best_threshold", "crossed_thresholds"]

UNKNOWN = 0.5  # where nothing can be chosen: no object, or none found
PARTS = 5  # of the pictures: the threshold of each is chosen on the others


def best_threshold(recorded: np.ndarray) -> float:
    """The threshold with the greatest F1 at an overlap of .5, all classes together; half way to the next lower score.

    Args:
        recorded: `(n, k)`, as `compare_boxes` makes it.
    """
    statistics = BoxStatistics.occurring(recorded)
    detections, drawn = statistics.detections, statistics.drawn[..., 0].sum()
    counted = detections.counted()
    order = np.argsort(-detections.scores[counted], kind="stable")
    scores, hits = detections.scores[counted][order], np.cumsum(detections.hit()[counted][order])
    if not drawn or not hits.any():
        return UNKNOWN
    last = np.append(scores[1:] < scores[:-1], True)  # of equal scores all are told
    f1 = np.where(last, 2 * hits / (np.arange(1, len(scores) + 1) + drawn), 0.0)
    best = int(f1.argmax())
    below = scores[best + 1] if best + 1 < len(scores) else 0.0
    return round(float(scores[best] + below) / 2, 6)


def crossed_thresholds(recorded: np.ndarray) -> np.ndarray:
    """`(n,)` the threshold of each picture, chosen on the pictures of the other parts."""
    part = np.arange(len(recorded)) % PARTS
    chosen = np.full(len(recorded), UNKNOWN)
    for k in np.unique(part) if len(recorded) > 1 else ():
        chosen[part == k] = best_threshold(recorded[part != k])
    return chosen
