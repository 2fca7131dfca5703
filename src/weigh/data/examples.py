"""The index of a data set: which examples there are, their targets, groups and order; texts, but no pixels.

Before it: a reader (`data/pictures/index.py`, `texts.py`, `tokens.py`, later `boxes.py`, `masks.py`) turns a folder or a
table into `Examples`. After it: checks, folds, and the record, which keeps the index beside the predictions so
that a report needs neither the data nor torch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from weigh.data.written import Written
from weigh.kinds.base import Kind, Strata
from weigh.media import Medium, medium_named

__all__ = ["Examples"]


@dataclass(frozen=True)
class Examples:
    """The examples of one study, training and test together, in the user's own order.

    Attributes:
        root: Folder that `path` is relative to. Never part of a hash or of findings.json.
        path: `(n,)` str: relative POSIX path for files; for lines of a table its path and the number of the line, from 1
            ("train.tsv:12"). Unique.
        kind: What an example is labelled with.
        target: `(n, …)`, in the form of its kind (`kinds/`).
        classes: Class names (for entities their types), sorted naturally; index = target.
        part: `(n,)` str: "train", "test", or "shift:NAME" for a further test set. (A validation folder is part of "train" unless there is no test folder:
            then it is "test", and a `Problem` of severity "note" says so.)
        group: `(n,)` str, or None: examples of one group never stand on both sides of a split.
        order: `(n,)` int64: position in one order for all classes: the table's row, or the natural sort of the file
            names without the class folder.
        order_source: "table" or "names", for the sentence of the order check.
        content: `(n,)` str: hash of the file's bytes (empty for unreadable files, which are set aside anyway), or of the texts.
        slices: Metadata columns, `(n,)` str each.
        texts: `(n,)` object, or None: a tuple of one text, or of two for pairs. Kept as they were read, control characters included.
        tokens: `(n,)` object, or None: a tuple of tokens, for tasks that label each of them.
        unlabelled: Examples without labels for further pretraining (targets of zeros); none of them is a copy of one of these.
        written: How the training data are written, where they are a table of texts: new texts are read in the same way.
        medium: What they are made of; default: sentences where there are tokens, texts where there are texts, else pictures.
        fingerprint: Hash of contents, targets, groups and parts: two data sets with the same fingerprint are the same.
    """

    root: Path
    path: np.ndarray
    target: np.ndarray
    classes: tuple[str, ...]
    part: np.ndarray
    order: np.ndarray
    content: np.ndarray
    kind: Kind
    group: np.ndarray | None = None
    order_source: Literal["table", "names"] = "names"
    slices: dict[str, np.ndarray] = field(default_factory=dict)
    fingerprint: str = ""
    texts: np.ndarray | None = None
    tokens: np.ndarray | None = None
    unlabelled: Examples | None = None
    written: Written | None = None
    medium: Medium = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.medium is None:
            name = "sentences" if self.tokens is not None else "pictures" if self.texts is None else "texts"
            object.__setattr__(self, "medium", medium_named(name))

    def __len__(self) -> int:
        return len(self.path)

    @property
    def digest(self) -> str:
        """Hash of the contents in their order, whatever they are labelled with."""
        return hashlib.blake2b("\x1f".join(self.content.tolist()).encode(), digest_size=16).hexdigest()

    def strata(self, rows: np.ndarray, *, stratify: bool = True) -> Strata:
        """What folds of the examples at `rows` spread evenly; one stratum where nothing is to be."""
        return self.kind.strata(self.target[rows]) if stratify else Strata.single(np.zeros(len(rows), np.int64), 1)

    def class_counts(self, rows: np.ndarray) -> np.ndarray:
        """`(classes,)` how often each class is given among `rows`: examples of it, or entities."""
        return self.kind.class_counts(self.target[rows], len(self.classes))

    def quote(self, i: int) -> str:
        """What example `i` is labelled with, for a reader."""
        return self.kind.quote(self.target[i], self.classes, None if self.tokens is None else self.tokens[i])

    def where(self, part: str) -> np.ndarray:
        """Indices of the examples of `part`, ascending."""
        return np.flatnonzero(self.part == part)

    def subset(self, indices: np.ndarray) -> Examples:
        """The examples at `indices`, in that order (same fingerprint: it names the data set, not the subset)."""
        return replace(
            self,
            path=self.path[indices],
            target=self.target[indices],
            part=self.part[indices],
            order=self.order[indices],
            content=self.content[indices],
            group=None if self.group is None else self.group[indices],
            slices={name: column[indices] for name, column in self.slices.items()},
            texts=None if self.texts is None else self.texts[indices],
            tokens=None if self.tokens is None else self.tokens[indices],
        )
