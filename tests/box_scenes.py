"""Drawn pictures whose boxes are exact: coloured rectangles on noise, one colour for each class; some pictures are empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from weigh.kinds.base import rows_of
from weigh.kinds.box_list import Boxes

CLASSES = ("red", "green", "blue")
COLOURS = np.eye(3, dtype=np.uint8) * 255


def rectangles(rng: np.random.Generator, height: int, width: int, count: int) -> tuple[np.ndarray, Boxes]:
    """A picture with up to `count` rectangles that do not touch, and their boxes."""
    picture = rng.integers(0, 100, (height, width, 3)).astype(np.uint8)
    corners, classes, taken = [], [], np.zeros((height, width), dtype=bool)
    for _ in range(count):
        high, wide = (int(rng.integers(side // 8, side // 3)) for side in (height, width))
        top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
        if taken[max(0, top - 3) : top + high + 3, max(0, left - 3) : left + wide + 3].any():
            continue
        taken[top : top + high, left : left + wide] = True
        classes.append(int(rng.integers(3)))
        picture[top : top + high, left : left + wide] = COLOURS[classes[-1]]
        corners.append((left, top, left + wide, top + high))
    return picture, Boxes.of(height, width, np.array(corners, dtype=float), np.array(classes, dtype=int))


def draw_rectangles(folder: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """`n` pictures of two sizes as files, every seventh empty: their names and their boxes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, names, targets = np.random.default_rng(0), [], []
    for i in range(n):
        picture, boxes = rectangles(rng, *((72, 96) if i % 3 else (64, 64)), 0 if i % 7 == 3 else 3)
        names.append(f"{i:03}.png")
        Image.fromarray(picture).save(folder / names[-1])
        targets.append(boxes)
    return np.array(names), rows_of(targets)
