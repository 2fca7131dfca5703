"""Planted near duplicates: known copies in a copy of a real data set, to measure what the check finds.

    python -m tests.data.planted FOLDER [FOLDER_OR_TABLE …]

prints recall by kind of copy, and precision. Originals are linked, copies are written beside them, so that the whole way
from files to problems is measured.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from weigh.data.examples import Examples
from weigh.data.pictures.checks import check_pictures
from weigh.data.pictures.decoding import open_picture
from weigh.data.pictures.index import read_images
from weigh.spec import DataSpec

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def _recompressed(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _cropped(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """A window of `share` of each side, anywhere."""
    width, height = int(image.width * share), int(image.height * share)
    x, y = int(rng.integers(0, image.width - width + 1)), int(rng.integers(0, image.height - height + 1))
    return image.crop((x, y, x + width, y + height))


CHANGES: dict[str, Change] = {
    "half size": lambda image, rng: _scaled(image, 0.5),
    "1.5 x size": lambda image, rng: _scaled(image, 1.5),
    "JPEG quality 60": lambda image, rng: _recompressed(image, 60),
    "JPEG quality 30": lambda image, rng: _recompressed(image, 30),
    "25 % brighter": lambda image, rng: image.point(lambda v: min(255, int(v * 1.25))),
    "25 % darker": lambda image, rng: image.point(lambda v: int(v * 0.75)),
    "cropped to 95 %": lambda image, rng: _cropped(image, 0.95, rng),
    "cropped to 90 %": lambda image, rng: _cropped(image, 0.90, rng),
    "all of these": lambda image, rng: _recompressed(_scaled(_cropped(image, 0.95, rng), 0.75), 60).point(
        lambda v: min(255, int(v * 1.15))
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What the check found of what was planted.

    Attributes:
        planted, found: By kind of copy.
        natural: Sets of near duplicates without a planted file: what the data set holds by itself.
        wrong: Sets that hold a planted file with other pictures than its original (and that one's own near duplicates).
    """

    planted: Counter[str]
    found: Counter[str]
    natural: list[tuple[str, ...]]
    wrong: list[tuple[str, ...]]


def measure(source: Examples, *, each: int, seed: int, kinds: tuple[str, ...] = tuple(CHANGES)) -> Outcome:
    """Plant `each` copies of every kind into a copy of `source`, run the checks, and compare."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(source), size=min(each * len(kinds), len(source)), replace=False)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        origin: dict[str, str] = {}
        for i in range(len(source)):
            target = root / f"class {source.target[i]}" / f"{i:06d}{Path(source.path[i]).suffix}"
            target.parent.mkdir(exist_ok=True)
            target.symlink_to(source.root / str(source.path[i]))
        kind_of: dict[str, str] = {}
        for position, i in enumerate(chosen.tolist()):
            kind = kinds[position % len(kinds)]
            image = CHANGES[kind](open_picture(source.root / str(source.path[i])), rng)
            name = f"class {source.target[i]}/planted-{i:06d}.png"
            image.save(root / name)
            kind_of[name] = kind
            origin[name] = f"class {source.target[i]}/{i:06d}{Path(source.path[i]).suffix}"
        examples, _ = read_images(DataSpec(train=str(root)))
        _, problems = check_pictures(examples)
    sets = [s for p in problems if p.kind == "near-duplicate" for s in p.pairs]
    together = {path: set(s) for s in sets for path in s}
    found = Counter(kind for name, kind in kind_of.items() if origin[name] in together.get(name, ()))
    natural = [s for s in sets if not any(path in kind_of for path in s)]
    wrong = [s for s in sets if any(path in kind_of and origin[path] not in s for path in s)]
    return Outcome(Counter(kind_of.values()), found, natural, wrong)


def main(sources: list[str]) -> None:
    for source in sources:
        examples, _ = read_images(DataSpec(train=source))
        seen = measure(examples, each=20, seed=0)
        right = sum(seen.found.values())
        print(f"\n{source}: {len(examples)} pictures, {sum(seen.planted.values())} planted")
        for kind, n in seen.planted.items():
            print(f"  {kind:18s} {seen.found[kind]:3d} of {n}")
        print(f"  all                {right:3d} of {sum(seen.planted.values())}")
        print(f"  sets with a planted file: {right} right, {len(seen.wrong)} wrong; without: {len(seen.natural)}")


if __name__ == "__main__":
    main(sys.argv[1:])
