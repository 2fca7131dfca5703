"""Drawn pictures whose masks are exact: a disc and a bar on the ground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from weigh.data.examples import Examples
from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.masks import MASKS

CLASSES = ("ground", "disc", "bar")


def scene(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a disc and a bar, and the class of every pixel."""
    y, x = np.mgrid[:height, :width]
    classes = np.zeros((height, width), dtype=np.int64)
    cy, cx, r = rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * width, 0.18 * min(height, width)
    classes[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = 1
    top = int(rng.uniform(0, 0.8) * height)
    classes[top : top + max(2, height // 10)] = 2
    colours = np.array([[90, 90, 90], [200, 60, 60], [60, 60, 220]])[classes]
    return np.clip(colours + rng.normal(0, 12, colours.shape), 0, 255).astype(np.uint8), classes


def draw_scenes(folder: Path, n: int = 24) -> Examples:
    """`n` pictures of two shapes and two sizes, two of three to train on."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, masks, names = np.random.default_rng(0), [], []
    for i in range(n):
        picture, classes = scene(rng, *((60, 90) if i % 3 else (64, 64)))
        classes[:2, :5] = -1
        names.append(f"{i:02}.png")
        Image.fromarray(picture).save(folder / names[-1])
        masks.append(LabelMap.of(classes, len(CLASSES)))
    part = np.array(["test" if i % 3 == 0 else "train" for i in range(n)])
    return Examples(folder, np.array(names), rows_of(masks), CLASSES, part, np.arange(n), np.array(names), MASKS)


def write_scenes(folder: Path, n: int = 24) -> Path:
    """The same as folders that a person would have: `images/`, `masks/` (index PNGs, 255 is ignored) and `classes.txt`."""
    examples = draw_scenes(folder / "images", n)
    (folder / "masks").mkdir()
    for name, mask in zip(examples.path, examples.target, strict=True):
        Image.fromarray(mask.indices()).save(folder / "masks" / name)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return folder
