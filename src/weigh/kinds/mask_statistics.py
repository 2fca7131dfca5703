"""How an answer differs from a mask, as counts that any metric and finding can be made of: one row of numbers per picture.

A pixel that the mask ignores is left out everywhere, as if it lay outside the picture. Counts are whole numbers, so that what is
kept of a run is exact. Before it: label maps. After it: `masks.py` (what a run records).

What the words mean:

- *border pixel* of a class: a pixel of it one of whose four neighbours is known and of another class; or one of them is ignored and a
  known pixel of another class lies within twice the tolerance, or three pixels: a border may run hidden in an ignored band, as in Pascal
  VOC.
- *near*: at most so many pixels away as `squared_tolerance` says, to a border pixel of the same class on the other side.
- *depth*: steps (diagonal ones count as one) to the nearest border pixel of the mask or ignored pixel: where a mask leaves its borders
  open, nobody knows that a pixel lies inside.
- *object*: pixels of one class in the mask that hang together, corners included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from weigh.kinds.label_map import LabelMap, ignored_mark

__all__ = [
    "DEPTHS",
    "MOST_CONFUSED",
    "SIZES",
    "MaskStatistics",
    "compare_constant",
    "compare_masks",
    "compare_with_shifted",
    "squared_tolerance",
]

DEPTHS = (0, 2, 4, 8, 16)  # pixels: where each bin of depths begins
SIZES = (0.001, 0.01)  # of the picture: below the first an object is small, below the second of medium size
PER_CLASS = 7
MOST_CONFUSED = 32  # classes up to which every pair is counted
LEAST_BAND = 9  # squared pixels: borders are looked for beyond ignored pixels at least so far
CHUNKS = (0, 1, 9, 25)  # neighbours that are looked at together, nearest first; then so many at a time
CHUNK = 32
# The bin of every depth, up to the last bin
DEPTH_BIN = (np.searchsorted(DEPTHS, np.arange(DEPTHS[-1] + 1), side="right") - 1).astype(np.uint8)


@dataclass(frozen=True)
class MaskStatistics:
    """Named views of `rows` `(n, width(classes))` float64, whole numbers; `...` below is n.

    Attributes:
        rows: One row per picture.
        classes: How many there are.
    """

    rows: np.ndarray
    classes: int

    @staticmethod
    def width(classes: int) -> int:
        """Columns of a row."""
        pairs = classes * classes if classes <= MOST_CONFUSED else 0
        return PER_CLASS * classes + 2 * len(DEPTHS) + 2 * (len(SIZES) + 1) + pairs

    @property
    def counts(self) -> np.ndarray:
        """`(..., classes, 3)` pixels that are of the class in both, in the answer, in the mask."""
        return self._by_class[..., :3]

    @property
    def borders(self) -> np.ndarray:
        """`(..., classes, 4)` border pixels: of the answer near the mask's, of the answer; of the mask near the answer's, of the mask."""
        return self._by_class[..., 3:]

    @property
    def depths(self) -> np.ndarray:
        """`(..., 5, 2)` wrong pixels, and pixels, whose depth begins at `DEPTHS`."""
        return self._block(1).reshape(len(self.rows), len(DEPTHS), 2)

    @property
    def objects(self) -> np.ndarray:
        """`(..., 3, 2)` small, medium and large objects: those of whose pixels less than half were given their class, and all."""
        return self._block(2).reshape(len(self.rows), len(SIZES) + 1, 2)

    @property
    def confusion(self) -> np.ndarray | None:
        """`(..., classes, classes)` pixels of a class in the mask (rows) that were given a class (columns); None for many classes."""
        if self.classes > MOST_CONFUSED:
            return None
        return self._block(3).reshape(len(self.rows), self.classes, self.classes)

    @property
    def _by_class(self) -> np.ndarray:
        return self._block(0).reshape(len(self.rows), self.classes, PER_CLASS)

    def _block(self, at: int) -> np.ndarray:
        sizes = (PER_CLASS * self.classes, 2 * len(DEPTHS), 2 * (len(SIZES) + 1))
        start = sum(sizes[:at])
        return self.rows[:, start : start + sizes[at]] if at < len(sizes) else self.rows[:, start:]


def compare_masks(answers: Sequence[LabelMap] | np.ndarray, masks: Sequence[LabelMap] | np.ndarray) -> np.ndarray:
    """`(n, k)` statistics of answers, pair by pair of the same size and classes.

    Raises:
        ValueError: A pair differs in size or classes.
    """
    if not len(masks):
        return np.zeros((0, 0))
    return np.stack([_compare(answer, mask) for answer, mask in zip(answers, masks, strict=True)])


def compare_constant(label: int, masks: Sequence[LabelMap] | np.ndarray, classes: int) -> np.ndarray:
    """`(n, k)` statistics of the answer that gives every pixel one class; what depths and objects would be is not worked out: NaN."""
    rows = np.zeros((len(masks), MaskStatistics.width(classes)))
    statistics = MaskStatistics(rows, classes)
    actual = np.array([mask.counts for mask in masks], dtype=np.float64).reshape(-1, classes)
    statistics.counts[..., 2] = actual
    statistics.counts[:, label, 0] = actual[:, label]
    statistics.counts[:, label, 1] = actual.sum(axis=1)
    if statistics.confusion is not None:
        statistics.confusion[..., label] = actual
    for i, mask in enumerate(masks):
        edge = _border(mask.indices(), classes, squared_tolerance(mask.height, mask.width))
        statistics.borders[i, :, 3] = np.bincount(edge[edge < classes], minlength=classes)
    statistics.depths[:] = np.nan
    statistics.objects[:] = np.nan
    return rows


def compare_with_shifted(mask: LabelMap) -> np.ndarray:
    """`(classes, 3)` pixels, as `MaskStatistics.counts`, of the mask and itself moved by one pixel, summed over the eight neighbours.

    Only pixels that are known in both count.
    """
    classes, labels = len(mask.counts), mask.indices()
    hit, either = np.zeros(classes), np.zeros(classes)
    ahead, back, all_of_it = np.s_[1:], np.s_[:-1], np.s_[:]
    for one, other in (
        ((ahead, all_of_it), (back, all_of_it)),
        ((all_of_it, ahead), (all_of_it, back)),
        ((ahead, ahead), (back, back)),
        ((ahead, back), (back, ahead)),
    ):
        a, b = labels[one], labels[other]
        known = (a < classes) & (b < classes)
        hit += np.bincount(a[known & (a == b)], minlength=classes)
        either += np.bincount(a[known], minlength=classes) + np.bincount(b[known], minlength=classes)
    return np.stack([2 * hit, either, either], axis=1)  # there and back: what was predicted is then actual


def squared_tolerance(height: int, width: int) -> int:
    """How far apart borders may lie: 0.75 % of the picture's diagonal, at least one pixel; in whole squared pixels.

    References:
        Csurka, Larlus & Perronnin (2013), What is a good evaluation measure for semantic segmentation?, BMVC.
    """
    return max(1, 9 * (height**2 + width**2) // 160_000)


def _compare(answer: LabelMap, mask: LabelMap) -> np.ndarray:
    classes, (height, width) = len(mask.counts), (mask.height, mask.width)
    if (answer.height, answer.width, len(answer.counts)) != (height, width, classes):
        raise ValueError(f"an answer of {answer[:3]} for a mask of {mask[:3]}")
    truth = mask.indices()
    known = truth < classes
    answered = np.where(known, answer.indices(), truth)  # what is ignored is so in both
    right = known & (answered == truth)
    statistics = MaskStatistics(np.zeros((1, MaskStatistics.width(classes))), classes)
    if statistics.confusion is None:
        hit = np.bincount(truth[right], minlength=classes)
        predicted = np.bincount(answered[answered < classes], minlength=classes)
    else:
        codes = np.minimum(truth, classes).astype(np.int32) * (classes + 1) + np.minimum(answered, classes)
        pairs = np.bincount(codes.ravel(), minlength=(classes + 1) ** 2).reshape(classes + 1, -1)[:classes, :classes]
        statistics.confusion[0], hit, predicted = pairs, pairs.diagonal(), pairs.sum(axis=0)
    statistics.counts[0] = np.stack([hit, predicted, mask.counts], axis=1)
    tolerance = squared_tolerance(height, width)
    edges = [_border(side, classes, tolerance) for side in (answered, truth)]
    statistics.borders[0] = _borders(edges, classes, tolerance)
    statistics.depths[0] = _depths(edges[1] < classes, known, right)
    statistics.objects[0] = _objects(truth, right, mask)
    return statistics.rows[0]


def _border(labels: np.ndarray, classes: int, tolerance: int) -> np.ndarray:
    """The class where a pixel is at a border, else the mark of ignored pixels."""
    at, rim = (np.zeros(labels.shape, dtype=bool) for _ in range(2))
    known = labels < classes
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs, both = labels[one] != labels[other], known[one] & known[other]
        at[one] |= differs & both
        at[other] |= differs & both
        rim[one] |= differs & known[one] & ~both
        rim[other] |= differs & known[other] & ~both
    rim &= ~at
    if rim.any():
        padded, steps = _padded(labels, max(4 * tolerance, LEAST_BAND))
        margin, width = (len(padded) - len(labels)) // 2, padded.shape[1]
        y, x = np.nonzero(rim)
        place = (y + margin) * width + x + margin
        alone = _unmet(padded, place, steps, lambda values, label: (values != label) & (values < classes))
        rim[alone // width - margin, alone % width - margin] = False
    return np.where(at | rim, labels, labels.dtype.type(ignored_mark(labels.dtype)))


def _borders(edges: Sequence[np.ndarray], classes: int, tolerance: int) -> np.ndarray:
    """`(classes, 4)`; see `MaskStatistics.borders`."""
    (first, steps), (second, _) = (_padded(edge, tolerance) for edge in edges)
    counted = []
    for own, other in ((first, second), (second, first)):
        place = np.flatnonzero(own.ravel() < classes)
        far = _unmet(other, place, steps, np.equal, own.ravel()[place])
        total, missed = (np.bincount(own.ravel()[some], minlength=classes) for some in (place, far))
        counted += [total - missed, total]
    return np.stack(counted, axis=1)


def _padded(labels: np.ndarray, tolerance: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The picture with a margin that is ignored, as wide as the tolerance, and the steps in it to all pixels that near."""
    padded = np.pad(labels, math.isqrt(tolerance), constant_values=ignored_mark(labels.dtype))
    return padded, _nearest_first(tolerance, padded.shape[1])


def _unmet(
    padded: np.ndarray,
    place: np.ndarray,
    steps: Sequence[np.ndarray],
    meets: Callable[[np.ndarray, np.ndarray], np.ndarray],
    label: np.ndarray | None = None,
) -> np.ndarray:
    """The places (in the flat picture) from which no step leads to a pixel that meets their label; default: the class that is there."""
    flat = padded.ravel()
    label = flat[place] if label is None else label
    for chunk in steps:
        if not len(place):
            break
        left = ~meets(flat[place[:, None] + chunk], label[:, None]).any(axis=1)
        place, label = place[left], label[left]
    return place


@lru_cache(maxsize=32)
def _nearest_first(tolerance: int, stride: int) -> tuple[np.ndarray, ...]:
    """Steps in a flat array of rows of `stride` pixels to all pixels within the tolerance, a few at a time."""
    reach = math.isqrt(tolerance)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    squared = y**2 + x**2
    order = np.argsort(squared, kind="stable")
    order = order[squared[order] <= tolerance]
    ends = sorted({*(c for c in CHUNKS if c < len(order)), *range(CHUNKS[-1], len(order), CHUNK), len(order)})
    return tuple((y * stride + x)[order[a:b]] for a, b in pairwise(ends))


def _depths(border: np.ndarray, known: np.ndarray, right: np.ndarray) -> np.ndarray:
    """`(5, 2)`; see `MaskStatistics.depths`."""
    from scipy.ndimage import distance_transform_cdt

    inside = known & ~border
    if inside.all():
        bins = np.full(known.shape, DEPTH_BIN[-1])
    else:
        bins = DEPTH_BIN[np.minimum(distance_transform_cdt(inside, metric="chessboard"), DEPTHS[-1])]
    codes = np.where(known, 2 * bins + right, np.uint8(2 * len(DEPTHS)))
    cells = np.bincount(codes.ravel(), minlength=2 * len(DEPTHS) + 1)[:-1].reshape(-1, 2)
    return np.stack([cells[:, 0], cells.sum(axis=1)], axis=1)


def _objects(truth: np.ndarray, right: np.ndarray, mask: LabelMap) -> np.ndarray:
    """`(3, 2)`; see `MaskStatistics.objects`."""
    from scipy.ndimage import find_objects, label

    counted = np.zeros((len(SIZES) + 1, 2))
    marked = truth.astype(np.int32) + 1
    boxes = find_objects(marked, max_label=len(mask.counts))
    for c, box in enumerate(boxes):
        if box is None:
            continue
        of, number = label(truth[box] == c, structure=np.ones((3, 3)))
        pixels = np.bincount((2 * of + right[box]).ravel(), minlength=2 * number + 2).reshape(-1, 2)[1:]
        hit, size = pixels[:, 1], pixels.sum(axis=1)
        kind = np.searchsorted(SIZES, size / truth.size, side="right")
        counted[:, 0] += np.bincount(kind[2 * hit < size], minlength=len(counted))
        counted[:, 1] += np.bincount(kind, minlength=len(counted))
    return counted
