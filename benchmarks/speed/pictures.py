"""The pictures of the benchmarks as a folder per class: solar cells of the demo, photos of WEIGH_TEST_DATA.

Nothing is copied: the folders hold links to the files where they lie.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from weigh.data.pictures.demo import demo_root

__all__ = ["DATA", "PicturesMissing", "draw_pictures", "link_pictures"]

DATA = {
    "cells": "solar cells (PNG, 300 px, grey)",
    "photos": "photos of ants and bees (JPEG, up to 500 px, colour)",
    "drawn": "coloured shapes on soft noise, drawn by the benchmark (JPEG, 400 x 300 px): as many as are asked for",
}


class PicturesMissing(Exception):
    """The data are not on this machine; the message says what to set or install."""


def link_pictures(data: str, pictures: int | None, to: Path) -> int:
    """Make `to/CLASS/FILE` for evenly spread files of `data`; returns how many.

    Args:
        pictures: At most so many; None: all.

    Raises:
        PicturesMissing: WEIGH_TEST_DATA is not set, or has no such folder.
    """
    if data == "drawn":
        return draw_pictures(pictures or 512, to)
    files = _cells() if data == "cells" else _photos()
    if pictures is not None and pictures < len(files):
        files = [files[i] for i in np.linspace(0, len(files) - 1, pictures).round().astype(int)]
    for label, file in files:
        (to / label).mkdir(parents=True, exist_ok=True)
        (to / label / file.name).symlink_to(file)
    return len(files)


def _cells() -> list[tuple[str, Path]]:
    root = demo_root()
    rows = [line.split() for line in (root / "labels.csv").read_text("utf-8").splitlines() if line.strip()]
    return [("defective" if float(chance) >= 0.5 else "functional", root / path) for path, chance, _ in rows]


def _photos() -> list[tuple[str, Path]]:
    given = os.environ.get("WEIGH_TEST_DATA")
    folder = Path(given or "") / "images" / "ants-bees"
    if not given or not folder.is_dir():
        raise PicturesMissing("set WEIGH_TEST_DATA to a folder with images/ants-bees/{train,val}/{ants,bees}")
    found = sorted(folder.glob("*/*/*.jpg"), key=lambda file: (file.name, str(file)))
    return [(file.parent.name, file.resolve()) for file in found]


def draw_pictures(count: int, to: Path) -> int:
    """`count` JPEG files in two classes, discs and squares; the same bytes every time. They cost what photos cost to decode."""
    for label in ("disc", "square"):
        (to / label).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda i: _draw_one(i, to), range(count)))
    return count


def _draw_one(index: int, to: Path) -> None:
    rng = np.random.default_rng(index)
    soft = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize(
        (400, 300), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(soft, dtype=np.int16) + rng.integers(-12, 13, (300, 400, 3), dtype=np.int16)
    y, x = np.mgrid[:300, :400]
    cx, cy, radius = rng.integers(90, 310), rng.integers(90, 210), rng.integers(40, 80)
    if index % 2 == 0:
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
    else:
        inside = (abs(x - cx) < radius) & (abs(y - cy) < radius)
    pixels[inside] = pixels[inside] // 3 + rng.integers(0, 160, 3, dtype=np.int16)
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    picture.save(to / ("disc", "square")[index % 2] / f"{index:05d}.jpg", quality=88)
