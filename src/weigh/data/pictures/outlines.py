"""Outlines of objects as COCO writes them, as pixels: polygons, and runs (RLE), packed or not.

Before it: what stands under "segmentation". After it: masks draw them (`masks/coco.py`), boxes take their extent (`boxes/coco.py`). A pixel belongs to
a polygon if its centre lies inside (even-odd rule).
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["covered_pixels", "fill_polygon", "outline_extent", "polygons_of", "runs_of"]

EDGES_AT_ONCE = 4_000_000  # rows times edges that are compared at a time


def covered_pixels(segmentation: Any, height: int, width: int) -> np.ndarray:
    """`(height, width)` bool: polygons, or runs.

    Raises:
        ValueError, TypeError, KeyError, IndexError, OverflowError: It is no outline of such a picture.
    """
    if isinstance(segmentation, dict):
        rows, columns = segmentation["size"]
        if (rows, columns) != (height, width):
            raise ValueError("another size")
        inside = np.repeat(np.arange(len(runs := _runs(segmentation))) % 2 == 1, runs)
        return inside.reshape(columns, rows).T
    covered = np.zeros((height, width), dtype=bool)
    for polygon in polygons_of(segmentation):
        covered |= fill_polygon(np.array(polygon, dtype=np.float64).reshape(-1, 2), height, width)
    return covered


def outline_extent(segmentation: Any) -> np.ndarray:
    """`(4,)` left, top, right and bottom of what an outline covers; nothing is drawn.

    Raises:
        ValueError, TypeError, KeyError, IndexError, OverflowError: It is no outline.
    """
    if not isinstance(segmentation, dict):
        points = np.concatenate(
            [np.array(polygon, dtype=np.float64).reshape(-1, 2) for polygon in polygons_of(segmentation)]
        )
        return np.concatenate([points.min(axis=0), points.max(axis=0)])
    rows = int(segmentation["size"][0])
    ends = np.cumsum(_runs(segmentation))
    starts, ends = ends[:-1:2], ends[1::2]  # every second run is inside
    starts, ends = starts[ends > starts], ends[ends > starts]
    left, right = starts[0] // rows, (ends[-1] - 1) // rows + 1
    if (starts // rows < (ends - 1) // rows).any():  # from one column into the next
        return np.array([left, 0, right, rows], dtype=np.float64)
    return np.array([left, (starts % rows).min(), right, ((ends - 1) % rows).max() + 1], dtype=np.float64)


def polygons_of(segmentation: Any) -> list[Any]:
    """The polygons of an outline; a single one may stand there without a list around it."""
    single = bool(segmentation) and all(isinstance(value, (int, float)) for value in segmentation)
    return [segmentation] if single else list(segmentation)


def _runs(segmentation: dict) -> np.ndarray:
    """Lengths of runs outside and inside, in turns, column by column; they fill the picture."""
    rows, columns = segmentation["size"]
    counts = segmentation["counts"]
    runs = np.array(runs_of(counts) if isinstance(counts, (str, bytes)) else counts, dtype=np.int64)
    if (runs < 0).any() or runs.sum() != rows * columns:
        raise ValueError("runs do not fill the picture")
    return runs


def runs_of(packed: str | bytes) -> list[int]:
    """Lengths of runs from COCO's packed form: six bits a character, five of them digits, each number from the third on relative to the last but one."""
    data = packed.encode("ascii") if isinstance(packed, str) else packed
    runs: list[int] = []
    place = 0
    while place < len(data):
        value, shift, more = 0, 0, True
        while more:
            byte = data[place] - 48
            value |= (byte & 0x1F) << shift
            more = bool(byte & 0x20)
            place, shift = place + 1, shift + 5
            if not more and byte & 0x10:
                value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs


def fill_polygon(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """`(height, width)` bool: pixels whose centre lies inside, by the even-odd rule.

    Args:
        points: `(n, 2)` x and y of the corners.
    """
    if len(points) < 3 or not np.isfinite(points).all():
        raise ValueError("a polygon has at least three corners")
    toggles = np.zeros((height, width + 1), dtype=np.int64)
    x0, y0 = points.T
    x1, y1 = np.roll(points, -1, axis=0).T
    first, last = max(int(np.floor(y0.min())), 0), min(int(np.ceil(y0.max())), height)
    step = max(1, EDGES_AT_ONCE // len(points))
    for start in range(first, last, step):
        rows = np.arange(start, min(start + step, last))
        centre = rows[:, None] + 0.5
        crossing = (y0 <= centre) != (y1 <= centre)
        at_row, edge = np.nonzero(crossing)
        share = (centre[at_row, 0] - y0[edge]) / (y1[edge] - y0[edge])
        x = x0[edge] + share * (x1[edge] - x0[edge])
        column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
        np.add.at(toggles, (rows[at_row], column), 1)
    return np.cumsum(toggles, axis=1)[:, :width] % 2 == 1
