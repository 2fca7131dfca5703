"""The data of `weigh demo --masks`: drawn pictures of cells and rods under a microscope, whose masks are exact.

No installed package holds free photos with masks, so the demo draws its own and says so: what it finds speaks about drawings. Light
falls off to one side, contours are soft, some objects are pale, and dust that belongs to no class lies about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from weigh.disk import replacing, write_file
from weigh.language import text
from weigh.tasks import SEMANTIC_SEGMENTATION

__all__ = ["DRAWN", "draw_demo", "mask_demo_spec"]

DRAWN = text(
    "These {n} pictures were drawn for the demo, so their masks are exact; nothing here speaks about real photographs.",
    "这 {n} 张图片是为演示绘制的，因此掩码完全精确；结果不代表真实照片。",
    n=60,
)
CLASSES = ("background", "cell", "rod")
PICTURES, SIZE = 60, (192, 144)
MODELS = ("timm:tf_efficientnet_lite0", "timm:tf_efficientnet_lite1")


def draw_demo(folder: Path) -> Path:
    """Write `images/`, `masks/` and `classes.txt` below `folder`, the same every time; returns the folder."""
    rng = np.random.default_rng(20261127)
    for i in range(PICTURES):
        picture, mask = _drawn(rng)
        for kind, drawn in (("images", picture), ("masks", mask)):
            with replacing(folder / kind / f"{i:02}.png") as temporary:
                drawn.save(temporary, "PNG")
    write_file(folder / "classes.txt", "\n".join(CLASSES) + "\n")
    return folder


def _drawn(rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """One picture, and its mask of class indices."""
    width, height = SIZE
    mask, shade = Image.new("L", SIZE, 0), Image.new("L", SIZE, 120)
    on_mask, on_shade = ImageDraw.Draw(mask), ImageDraw.Draw(shade)
    for _ in range(int(rng.integers(3, 8))):  # dust
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(1, 3)
        on_shade.ellipse((x - r, y - r, x + r, y + r), fill=int(rng.integers(60, 90)))
    for _ in range(int(rng.integers(2, 6))):  # cells, each with a darker rim
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        a, b, pale = rng.uniform(9, 22), rng.uniform(9, 22), int(rng.integers(8, 50))
        box = (x - a, y - b, x + a, y + b)
        on_shade.ellipse(box, fill=120 + pale, outline=120 - pale, width=2)
        on_mask.ellipse(box, fill=1)
    for _ in range(int(rng.integers(0, 5))):  # rods
        x, y, angle, length = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, np.pi), rng.uniform(10, 26)
        ends = [
            (x - length * np.cos(angle), y - length * np.sin(angle)),
            (x + length * np.cos(angle), y + length * np.sin(angle)),
        ]
        thick, pale = int(rng.integers(4, 8)), int(rng.integers(15, 55))
        on_shade.line(ends, fill=120 - pale, width=thick)
        on_mask.line(ends, fill=2, width=thick)
    soft = np.asarray(shade.filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float64)
    y, x = np.mgrid[:height, :width]
    light = 1 + rng.uniform(-0.25, 0.25) * x / width + rng.uniform(-0.25, 0.25) * y / height
    tint = np.array([1.0, 1.0, 1.0]) + rng.normal(0, 0.04, 3)
    pixels = soft[..., None] * light[..., None] * tint + rng.normal(0, 9, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), mask


def mask_demo_spec(folder: Path, *, offline: bool = True) -> dict[str, Any]:
    """The study of the demo, as for study.yaml: light decoders on the frozen maps of two networks, three folds."""
    return {
        "name": "cells-drawn-for-the-demo",
        "task": SEMANTIC_SEGMENTATION,
        "data": {"train": str(draw_demo(folder / "drawn"))},
        "models": list(MODELS),
        "recipes": [{"name": "decoder", "epochs": 15}],
        "design": {"folds": 3, "repeats": 2},
        "output": {"folder": str(folder)},
        "run": {"offline": offline},
    }
