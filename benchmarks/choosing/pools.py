"""The nine data sets of the benchmark on choosing: pictures, and parts of pictures, with one label each.

Before it: WEIGH_TEST_DATA, the package elpv-dataset, scikit-learn's digits. After it: `features.py`. Examples are drawn once, with a fixed seed;
parts of one picture count as examples like any other, since the benchmark asks about choosing and not about new pictures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from PIL import Image

__all__ = ["DEVELOPMENT", "POOLS", "Labelled", "data_root", "draw_pool", "draw_rows", "labelled_folders"]

MOST = 600  # examples of a data set
LEAST_SIDE = 16  # pixels of a box that is cut out
LEAST_OF_CLASS = 12
CAMVID = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist")


class Labelled(NamedTuple):
    """One example: opens its picture when asked."""

    label: str
    open: Callable[[], Image.Image]


def data_root() -> Path:
    named = os.environ.get("WEIGH_TEST_DATA")
    if not named or not Path(named).is_dir():
        raise SystemExit(
            "Set WEIGH_TEST_DATA to the folder with images/, boxes/ and masks/: the data are not part of the project."
        )
    return Path(named)


def _file(path: Path) -> Callable[[], Image.Image]:
    return lambda: Image.open(path).convert("RGB")


def _part(path: Path, box: tuple[float, float, float, float]) -> Callable[[], Image.Image]:
    return lambda: Image.open(path).convert("RGB").crop(tuple(round(edge) for edge in box))


def labelled_folders(pattern: str) -> Iterator[Labelled]:
    """Pictures below WEIGH_TEST_DATA whose folder is their label."""
    for path in sorted(data_root().glob(pattern)):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            yield Labelled(path.parent.name, _file(path))


def _cells(kind: str) -> Iterator[Labelled]:
    from weigh.data.pictures.demo import demo_root

    root = demo_root()
    for line in (root / "labels.csv").read_text("utf-8").splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == kind:
            yield Labelled("defective" if float(words[1]) >= 0.5 else "functional", _file(root / words[0]))


def _blood() -> Iterator[Labelled]:
    folder = data_root() / "boxes" / "bccd"
    for path in sorted((folder / "Annotations").glob("*.xml")):
        for thing in ElementTree.parse(path).iter("object"):
            edges = tuple(float(thing.findtext(f"bndbox/{edge}") or 0) for edge in ("xmin", "ymin", "xmax", "ymax"))
            if min(edges[2] - edges[0], edges[3] - edges[1]) >= LEAST_SIDE:
                yield Labelled(str(thing.findtext("name")), _part(folder / "JPEGImages" / f"{path.stem}.jpg", edges))


def _things() -> Iterator[Labelled]:
    folder = data_root() / "boxes" / "coco128"
    written = json.loads((folder / "instances_train2017.json").read_text("utf-8"))
    names = {one["id"]: one["name"] for one in written["categories"]}
    files = {one["id"]: one["file_name"] for one in written["images"]}
    for one in written["annotations"]:
        x, y, width, height = one["bbox"]
        path = next((folder / "images").rglob(files[one["image_id"]]), None)
        if path is not None and min(width, height) >= LEAST_SIDE and not one.get("iscrowd"):
            yield Labelled(names[one["category_id"]], _part(path, (x, y, x + width, y + height)))


def _tiles(folder: Path, side: int) -> Iterator[tuple[Path, tuple[int, int, int, int], np.ndarray]]:
    """Picture, place and mask of each square."""
    for picture_folder, mask_folder in (
        ("train", "trainannot"),
        ("val", "valannot"),
        ("test", "testannot"),
        ("train/image", "train/label"),
    ):
        for path in sorted((folder / picture_folder).glob("*.png")):
            mask_path = folder / mask_folder / path.name
            if not mask_path.is_file():
                continue
            mask = np.asarray(Image.open(mask_path))
            for y in range(0, mask.shape[0] - side + 1, side):
                for x in range(0, mask.shape[1] - side + 1, side):
                    yield path, (x, y, x + side, y + side), mask[y : y + side, x : x + side]


def _street() -> Iterator[Labelled]:
    """Squares of which six tenths are one thing."""
    for path, box, mask in _tiles(data_root() / "masks" / "camvid-mini", 60):
        counts = np.bincount(mask.ravel(), minlength=12)[:11]
        if counts.max() >= 0.6 * mask.size:
            yield Labelled(CAMVID[int(counts.argmax())], _part(path, box))


def _membranes() -> Iterator[Labelled]:
    """Squares with much or little membrane: the upper and the lower third."""
    tiles = [(path, box, (mask < 128).mean()) for path, box, mask in _tiles(data_root() / "masks" / "em-membrane", 64)]
    low, high = np.quantile([share for *_, share in tiles], [1 / 3, 2 / 3])
    for path, box, share in tiles:
        if share <= low or share >= high:
            yield Labelled("much" if share >= high else "little", _part(path, box))


def _digits() -> Iterator[Labelled]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    for pixels, label in zip(digits.images, digits.target, strict=True):
        picture = (
            Image.fromarray((pixels * 15.9).astype(np.uint8)).convert("RGB").resize((64, 64), Image.Resampling.BILINEAR)
        )
        yield Labelled(str(label), lambda picture=picture: picture)


class _Pool(NamedTuple):
    """Where the examples come from, and how many of a class are taken at most."""

    examples: Callable[[], Iterator[Labelled]]
    of_class: int = MOST


POOLS: dict[str, _Pool] = {
    "ants and bees": _Pool(lambda: labelled_folders("images/ants-bees/*/*/*")),
    "flowers": _Pool(lambda: labelled_folders("images/flowers/*/*")),
    "cells, mono": _Pool(lambda: _cells("mono")),
    "cells, poly": _Pool(lambda: _cells("poly")),
    "blood": _Pool(_blood, 150),
    "things (COCO)": _Pool(_things, 60),
    "street (CamVid)": _Pool(_street, 90),
    "membranes": _Pool(_membranes),
    "digits": _Pool(_digits),
}
DEVELOPMENT = (
    "flowers",
    "cells, poly",
    "membranes",
    "digits",
)  # by which the rule was made; the others were seen by the sealed run alone


def draw_pool(name: str) -> list[Labelled]:
    """The examples of one data set, the same every time.

    Raises:
        SystemExit: WEIGH_TEST_DATA is not set.
    """
    every = list(POOLS[name].examples())
    return [every[i] for i in draw_rows(name)]


def draw_rows(name: str) -> list[int]:
    """Their numbers among all that the source has, ascending."""
    pool, rng = POOLS[name], np.random.default_rng(20)
    labels = np.array([one.label for one in pool.examples()])
    kept: list[int] = []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) >= LEAST_OF_CLASS:
            kept += rows[: pool.of_class].tolist()
    return sorted(rng.permutation(kept)[:MOST].tolist())
