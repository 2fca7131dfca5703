"""What is published about pretrained models: sizes, operations, scores, licences. One small table that ships with weigh. Torch-free.

`published.csv` is written by `benchmarks/catalogue.py`: models of pictures from timm's results (Apache-2.0) and the weights of torchvision, each
row with its source; models of texts from a list made by hand, some with scores from MTEB's results (CC0-1.0). After it:
`models/listing.py` (`weigh models`), `execute/evaluation.py`, the nearest names of a misspelt one.
"""

from __future__ import annotations

import csv
import difflib
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Published", "near_addresses", "published", "published_of", "spdx"]

TABLE = Path(__file__).with_name("published.csv")
SPDX = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0",
        "CC-BY-NC-ND-4.0")  # fmt: skip
MANY_LETTERS = 0.6  # how alike names must be (difflib) to be offered for a misspelt one


class Published(NamedTuple):
    """One set of weights.

    Attributes:
        reads: What it is made for, as `media.Medium.reads`.
        default: What its source loads where only the architecture is named.
        parameters: In millions; `pixels`: side of the pictures that the score and the operations are of; `gmacs`: billions of multiply-adds.
        score, top5: In per cent, of `metric` ("top-1": on the ILSVRC2012 validation pictures; "MTEB": mean accuracy of a head on frozen vectors over
            twelve English classifications with a few texts of each class).
        pretraining: Data sets in their order ("ImageNet-21k > ImageNet-1k").
        language: "en", "zh", "multi"; "" where it is not asked.
        source: Of the scores, with its date or version.
        file: Repository of the hub, or file of torchvision, that holds the weights.
    """

    address: str
    reads: str
    default: bool
    parameters: float | None
    pixels: int | None
    gmacs: float | None
    score: float | None
    top5: float | None
    metric: str
    licence: str
    pretraining: str
    language: str
    source: str
    file: str

    @property
    def architecture(self) -> str:
        """The address without its weights."""
        source, _, name = self.address.partition(":")
        if source == "timm":
            return f"timm:{name.partition('.')[0]}"
        return f"torchvision:{name.partition('/')[0]}" if source == "torchvision" else self.address


@cache
def published() -> dict[str, Published]:
    """All rows by address."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["address"]: _row(row) for row in csv.DictReader(file)}


def published_of(address: str) -> Published | None:
    """What is published of the weights that an address loads; None: nothing is known of them."""
    rows = published()
    return rows.get(address) or _defaults().get(address)


def near_addresses(address: str, count: int = 3) -> list[str]:
    """Known addresses that are most like a misspelt one, of its source: the whole, or the architecture alone; of all sources where it names none."""
    source, colon, name = address.partition(":")
    if not colon:
        every = sorted({row.architecture for row in published().values()})
        names = sorted({one.partition(":")[2] for one in every})
        near = difflib.get_close_matches(address, names, n=count, cutoff=MANY_LETTERS)
        return [one for name in near for one in every if one.partition(":")[2] == name][:count]
    known = {row.architecture for row in published().values() if row.address.startswith(f"{source}:")}
    known |= {row for row in published() if row.startswith(f"{source}:")} if {".", "/"} & set(name) else set()
    return difflib.get_close_matches(address, sorted(known), n=count, cutoff=MANY_LETTERS)


def spdx(licence: str) -> str:
    """A licence as SPDX spells it, whatever its capitals; what SPDX does not know stays as its owners write it."""
    return next((name for name in SPDX if name.casefold() == licence.strip().casefold()), licence.strip())


@cache
def _defaults() -> dict[str, Published]:
    return {row.architecture: row for row in published().values() if row.default}


def _row(row: dict[str, str]) -> Published:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    pixels = number("pixels")
    return Published(
        row["address"], row["reads"], row["default"] == "1", number("parameters"), None if pixels is None else int(pixels), number("gmacs"),
        number("score"), number("top5"), row["metric"], row["licence"], row["pretraining"], row["language"], row["source"],
        row["file"] or row["address"].replace("timm:", "timm/").removeprefix("hf:"),
    )  # fmt: skip
