"""The pictures of the benchmarks as a folder per class: solar cells of the demo, photos of WEIGH_TEST_DATA.

Nothing is copied: the folders hold links to the files where they lie.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from weigh.data.demo import demo_root

__all__ = ["DATA", "PicturesMissing", "link_pictures"]

DATA = {
    "cells": "solar cells (PNG, 300 px, grey)",
    "photos": "photos of ants and bees (JPEG, up to 500 px, colour)",
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
