"""Texts without labels: those of a table or of lines, without those that the study itself holds and near copies of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from weigh.data.contents import text_hashes
from weigh.data.examples import Examples, LeftOut
from weigh.data.texts.near_copies import near_texts, normalised
from weigh.data.texts.new_texts import read_new_texts
from weigh.kinds.base import rows_of
from weigh.notices import Progress

__all__ = ["read_unlabelled_texts"]


def read_unlabelled_texts(
    path: Path,
    examples: Examples,
    *,
    encoding: str | None = None,
    progress: Progress | None = None,  # noqa: ARG001 - every reader is called alike
) -> tuple[Examples, LeftOut]:
    """The texts of `path`, each once; sentences in tokens are compared as texts.

    Raises:
        DataError: They cannot be read.
    """
    written_texts = [" ".join(row).strip() for row in read_new_texts(path, examples.written, encoding=encoding)]
    own = {
        normalised(part) for i in range(len(examples)) for row in [examples.texts(i)] for part in (*row, " ".join(row))
    }
    kept: dict[str, str] = {}
    inside = repeated = 0
    for written in filter(None, written_texts):
        plain = normalised(written)
        inside += plain in own
        repeated += plain in kept
        if plain not in own:
            kept.setdefault(plain, written)
    near, searched = _near(list(kept), sorted(own))
    for plain in near:
        del kept[plain]
    rows = rows_of([(written,) for written in kept.values()])
    names = np.array([f"{path.name}:{i}" for i in range(len(rows))], dtype=str)
    unlabelled = Examples.without_labels(path.parent, names, text_hashes(rows), rows, "texts")
    return unlabelled, LeftOut(len(written_texts), inside, len(near), repeated, searched=searched)


def _near(plain: list[str], own: list[str]) -> tuple[list[str], bool]:
    """Which normalised texts are nearly one of the study's own, and whether they could be compared."""
    rows = [(written,) for written in (*own, *plain)]
    alike = near_texts(rows, [*own, *plain])
    later = {int(j) for i, j in alike.pairs if i < len(own) <= j}
    return [plain[j - len(own)] for j in sorted(later)], alike.searched
