"""The data sets of the benchmark: a training part that contenders are shown, and a test part whose labels they are not.

    SET/shown/train/CLASS/*.png, SET/shown/test/*.png       pictures
    SET/shown/train.csv (text, label), SET/shown/test.csv   texts
    SET/truth.csv (example, label)                          of the test part, for `judge.py` alone
    SET/set.json                                            what `work.py` needs to know

Before it: WEIGH_TEST_DATA, the package elpv-dataset, scikit-learn's digits, through the pools of the benchmark on choosing. After it: `run.py`.
Where the data come with a test part, that is the test part; else a seeded split of a seeded draw. The seed was never changed.

NEW_SETS are the same training parts with other test parts: examples of the same sources that no contender was scored on before, as many as there
are up to MOST_PICTURES and MOST_TEXTS. They tell smaller differences. Whole runs of weigh on flowers, reviews and solar cells had been looked at before.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.choosing.pools import POOLS, Labelled, data_root, draw_pool, draw_rows, labelled_folders

__all__ = ["ALL_SETS", "ENGLISH", "LITE", "MANY_LANGUAGES", "NEW_SETS", "SETS", "Parts", "write_set"]

SEED = 2026
MOST_PICTURES, MOST_TEXTS = 1000, 2000  # of a new test part
EXPERIMENT = 1400  # reviews by which the training of multilingual-e5-small was looked at (docs/benchmarks/result.md)
LITE = "timm:tf_efficientnet_lite0"
ENGLISH = "hf:sentence-transformers/all-MiniLM-L6-v2"
MANY_LANGUAGES = "hf:intfloat/multilingual-e5-small"
Row = tuple[str, str]  # text, label


@dataclass(frozen=True)
class Parts:
    """One data set.

    Attributes:
        medium: "pictures" or "texts".
        model: The single model that is given to all contenders.
        make: Draws the training and the test part.
        origin: For the page.
    """

    medium: str
    model: str
    make: Callable[[], tuple[Sequence, Sequence]]
    origin: str


# ---- pictures


def _halves(pool: str) -> tuple[list[Labelled], list[Labelled]]:
    """A drawn pool (at most 600 pictures, in random order) cut in two."""
    every = draw_pool(pool)
    order = np.random.default_rng(SEED).permutation(len(every))
    rows = [every[i] for i in order]
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def _with_new_pictures(pool: str) -> tuple[list[Labelled], list[Labelled]]:
    """The same training half, and pictures of the pool that were not drawn into either half."""
    drawn = set(draw_rows(pool))
    every = list(POOLS[pool].examples())
    order = np.random.default_rng([SEED, 3]).permutation([i for i in range(len(every)) if i not in drawn])
    return _halves(pool)[0], [every[i] for i in order[:MOST_PICTURES]]


def _ants_and_bees() -> tuple[list[Labelled], list[Labelled]]:
    return list(labelled_folders("images/ants-bees/train/*/*")), list(labelled_folders("images/ants-bees/val/*/*"))


# ---- texts


def _drawn(rows: Sequence[Row], many: int, stream: int) -> list[Row]:
    """Rows whose text occurs under one label, each text once, in random order."""
    labels: dict[str, set[str]] = {}
    for text, label in rows:
        labels.setdefault(text, set()).add(label)
    once = [(text, next(iter(held))) for text, held in labels.items() if len(held) == 1]
    order = np.random.default_rng([SEED, stream]).permutation(len(once))
    return [once[i] for i in order[:many]]


def _split(rows: Sequence[Row], training: int, test: int) -> tuple[list[Row], list[Row]]:
    drawn = _drawn(rows, training + test, 0)
    return drawn[:training], drawn[training:]


def _with_new_texts(
    rows: Sequence[Row], former: tuple[Sequence[Row], Sequence[Row]], experiment: int = 0
) -> tuple[list[Row], list[Row]]:
    """The same training part, and texts that stand in neither part of `former`, nor among the first drawn others, which an experiment was given."""
    training, test = former
    seen = {text for text, _ in (*training, *test)}
    others = sorted(row for row in _drawn(rows, len(rows), 0) if row[0] not in seen)
    looked_at = {others[i][0] for i in np.random.default_rng([7, 0]).permutation(len(others))[:experiment]}
    drawn = (row for row in _drawn(rows, len(rows), 3) if row[0] not in seen | looked_at)
    return list(training), list(islice(drawn, MOST_TEXTS))


def _lines(*parts: str, encoding: str = "utf-8") -> list[str]:
    """Lines that hold something; texts hold other characters that `splitlines` would cut at."""
    return [line.rstrip("\r") for line in data_root().joinpath(*parts).read_text(encoding).split("\n") if line.strip()]


def _trec() -> tuple[list[Row], list[Row]]:
    def read(name: str) -> list[Row]:
        words = (line.split(" ", 1) for line in _lines("text", "trec", name, encoding="latin-1"))
        return [(text, label.split(":")[0]) for label, text in words]

    return _drawn(read("TREC.train"), 500, 1), _drawn(read("TREC.test"), 500, 2)


def _sst2_rows(name: str) -> list[Row]:
    cells = (line.rsplit("\t", 1) for line in _lines("text", "sst2", name))
    return [(text, {"0": "negative", "1": "positive"}[label]) for text, label in cells if label in ("0", "1")]


def _sst2() -> tuple[list[Row], list[Row]]:
    return _drawn(_sst2_rows("train.tsv"), 500, 1), _drawn(_sst2_rows("test.tsv"), 500, 2)


def _sms_rows() -> list[Row]:
    cells = (line.split("\t", 1) for line in _lines("text", "sms-spam", "SMSSpamCollection"))
    return [(text, label) for label, text in cells]


def _sms() -> tuple[list[Row], list[Row]]:
    return _split(_sms_rows(), 500, 500)


def _waimai_rows() -> list[Row]:
    with (data_root() / "text" / "waimai-zh" / "waimai_10k.csv").open(encoding="utf-8-sig", newline="") as file:
        return [(row["review"], {"0": "bad", "1": "good"}[row["label"]]) for row in csv.DictReader(file)]


def _waimai() -> tuple[list[Row], list[Row]]:
    return _split(_waimai_rows(), 400, 400)


def _films_rows(part: str) -> list[Row]:
    cells = (line.split("\t", 1) for line in _lines("shift", "fdu-mtl-4", f"MR.task.{part}", encoding="latin-1"))
    return [(text.strip(), {"0": "negative", "1": "positive"}[label]) for label, text in cells]


def _films() -> tuple[list[Row], list[Row]]:
    return _drawn(_films_rows("train"), 500, 1), _drawn(_films_rows("test"), 400, 2)


SETS: dict[str, Parts] = {
    "ants-bees": Parts("pictures", LITE, _ants_and_bees, "photos; its own train and val"),
    "trec": Parts("texts", ENGLISH, _trec, "questions, six kinds; 500 of its train, all different texts of its test"),
    "flowers": Parts("pictures", LITE, lambda: _halves("flowers"), "photos of 128 px, five classes; 600 drawn, halved"),
    "sst2": Parts("texts", ENGLISH, _sst2, "sentences of reviews, two classes; 500 of its train, 500 of its test"),
    "cells-poly": Parts("pictures", LITE, lambda: _halves("cells, poly"), "solar cells; 600 drawn, halved"),
    "sms-spam": Parts("texts", ENGLISH, _sms, "short messages, spam or not; 1,000 different texts drawn, halved"),
    "digits": Parts("pictures", LITE, lambda: _halves("digits"), "scikit-learn's 8 x 8 digits; 600 drawn, halved"),
    "waimai-zh": Parts("texts", MANY_LANGUAGES, _waimai, "Chinese reviews, two classes; 800 drawn, halved"),
    "cells-mono": Parts("pictures", LITE, lambda: _halves("cells, mono"), "solar cells of the other kind; 600 drawn, halved"),
    "films": Parts("texts", ENGLISH, _films, "sentences on films (FDU-MTL, MR), two classes; 500 of its train, its test"),
}  # fmt: skip


# Ants and bees have no others. Of TREC there are others in its training file alone, by which weigh's training of networks was developed.
NEW_SETS: dict[str, Parts] = {
    "flowers-new": Parts("pictures", LITE, lambda: _with_new_pictures("flowers"), "other photos"),
    "sst2-new": Parts("texts", ENGLISH, lambda: _with_new_texts(_sst2_rows("test.tsv"), _sst2()), "the rest of its test"),
    "cells-poly-new": Parts("pictures", LITE, lambda: _with_new_pictures("cells, poly"), "all other cells of the kind"),
    "sms-spam-new": Parts("texts", ENGLISH, lambda: _with_new_texts(_sms_rows(), _sms()), "other messages"),
    "digits-new": Parts("pictures", LITE, lambda: _with_new_pictures("digits"), "other digits"),
    "waimai-zh-new": Parts("texts", MANY_LANGUAGES, lambda: _with_new_texts(_waimai_rows(), _waimai(), EXPERIMENT), "other reviews"),
    "cells-mono-new": Parts("pictures", LITE, lambda: _with_new_pictures("cells, mono"), "all other cells of the kind"),
    "films-new": Parts("texts", ENGLISH, lambda: _with_new_texts(_films_rows("train"), _films()), "the rest of its train"),
}  # fmt: skip
ALL_SETS = {**SETS, **NEW_SETS}


def write_set(name: str, folder: Path) -> Path:
    """Write one data set once; returns its folder.

    Raises:
        SystemExit: WEIGH_TEST_DATA is not set.
    """
    to, parts = folder / "sets" / name, ALL_SETS[name]
    if (to / "set.json").exists():
        return to
    training, test = parts.make()
    (to / "shown").mkdir(parents=True, exist_ok=True)
    if parts.medium == "pictures":
        truth = list(_write_pictures(training, test, to / "shown"))
    else:
        _write_table(to / "shown" / "train.csv", ("text", "label"), training)
        _write_table(to / "shown" / "test.csv", ("text",), [(text,) for text, _ in test])
        truth = [(str(i + 1), label) for i, (_, label) in enumerate(test)]
    _write_table(to / "truth.csv", ("example", "label"), truth)
    labels = [row.label if isinstance(row, Labelled) else row[1] for row in training]
    about = {"medium": parts.medium, "model": parts.model, "training": len(training), "test": len(test)}
    (to / "set.json").write_text(json.dumps({**about, "classes": sorted(set(labels))}), "utf-8")  # last: it is whole
    return to


def _write_pictures(training: Sequence[Labelled], test: Sequence[Labelled], to: Path) -> Iterator[Row]:
    for i, one in enumerate(training):
        (to / "train" / one.label).mkdir(parents=True, exist_ok=True)
        one.open().save(to / "train" / one.label / f"{i:05d}.png", compress_level=1)
    (to / "test").mkdir(exist_ok=True)
    for i, one in enumerate(test):
        one.open().save(to / "test" / f"{i:05d}.png", compress_level=1)
        yield f"{i:05d}.png", one.label


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
