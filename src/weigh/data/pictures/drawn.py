"""Pictures that demos draw themselves: cells and rods under a microscope, and which object each pixel belongs to.

After it: masks (`masks/demo.py`) and boxes (`boxes/demo.py`) of the same pictures, exact to the pixel. No installed package holds free photos with
either, so demos draw their own and say so: what they find speaks about drawings. Light falls off to one side, contours are soft, some objects are
pale, and dust that belongs to no class lies about.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from weigh.disk import replacing

__all__ = ["CLASSES", "PICTURES", "draw_scenes", "drawn_study"]

CLASSES = ("background", "cell", "rod")
PICTURES = 60
SIZE = (192, 144)
MODELS = ("timm:tf_efficientnet_lite0", "timm:tf_efficientnet_lite1")


class Scene(NamedTuple):
    """One picture.

    Attributes:
        file: Its name, below images/.
        objects: `(h, w)` number of the object that each pixel shows; 0: none.
        kinds: Of each number its class in `CLASSES`; of 0 the background.
    """

    file: str
    objects: np.ndarray
    kinds: np.ndarray


def drawn_study(folder: Path, data: Path, task: str, *, repeats: int, offline: bool) -> dict[str, Any]:
    """The study of a demo, as for study.yaml: light heads on the frozen maps of two networks, three folds.

    Args:
        folder: Of the study.
        data: Where the drawn pictures lie.
    """
    return {
        "name": "cells-drawn-for-the-demo",
        "task": task,
        "data": {"train": str(data)},
        "models": list(MODELS),
        "recipes": [{"name": "decoder", "epochs": 15}],
        "design": {"folds": 3, "repeats": repeats},
        "output": {"folder": str(folder)},
        "run": {"offline": offline},
    }


def draw_scenes(folder: Path) -> Iterator[Scene]:
    """Write `images/` below `folder`, the same every time, one picture after the other."""
    rng = np.random.default_rng(20261127)
    for i in range(PICTURES):
        picture, objects, kinds = _drawn(rng)
        with replacing(folder / "images" / f"{i:02}.png") as temporary:
            picture.save(temporary, "PNG")
        yield Scene(f"{i:02}.png", objects, kinds)


def _drawn(rng: np.random.Generator) -> tuple[Image.Image, np.ndarray, np.ndarray]:
    width, height = SIZE
    numbers, shade = Image.new("L", SIZE, 0), Image.new("L", SIZE, 120)
    on_numbers, on_shade = ImageDraw.Draw(numbers), ImageDraw.Draw(shade)
    kinds = [0]
    for _ in range(int(rng.integers(3, 8))):  # dust
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(1, 3)
        on_shade.ellipse((x - r, y - r, x + r, y + r), fill=int(rng.integers(60, 90)))
    for _ in range(int(rng.integers(2, 6))):  # cells, each with a darker rim
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        a, b, pale = rng.uniform(9, 22), rng.uniform(9, 22), int(rng.integers(8, 50))
        box = (x - a, y - b, x + a, y + b)
        on_shade.ellipse(box, fill=120 + pale, outline=120 - pale, width=2)
        on_numbers.ellipse(box, fill=len(kinds))
        kinds.append(CLASSES.index("cell"))
    for _ in range(int(rng.integers(0, 5))):  # rods
        x, y, angle, length = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, np.pi), rng.uniform(10, 26)
        ends = [
            (x - length * np.cos(angle), y - length * np.sin(angle)),
            (x + length * np.cos(angle), y + length * np.sin(angle)),
        ]
        thick, pale = int(rng.integers(4, 8)), int(rng.integers(15, 55))
        on_shade.line(ends, fill=120 - pale, width=thick)
        on_numbers.line(ends, fill=len(kinds), width=thick)
        kinds.append(CLASSES.index("rod"))
    soft = np.asarray(shade.filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float64)
    y, x = np.mgrid[:height, :width]
    light = 1 + rng.uniform(-0.25, 0.25) * x / width + rng.uniform(-0.25, 0.25) * y / height
    tint = np.array([1.0, 1.0, 1.0]) + rng.normal(0, 0.04, 3)
    pixels = soft[..., None] * light[..., None] * tint + rng.normal(0, 9, (height, width, 3))
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return picture, np.asarray(numbers), np.array(kinds, dtype=np.uint8)
