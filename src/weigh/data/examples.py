"""The index of a data set: which examples there are, their targets, groups and order; texts, but no pixels.

Before it: a reader (`data/images.py`, `texts.py`, `tokens.py`, later `boxes.py`, `masks.py`) turns a folder or a
table into `Examples`. After it: checks, folds, and the record, which keeps the index beside the predictions so
that a report needs neither the data nor torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from weigh.data.written import Written
from weigh.language import Text

__all__ = ["Examples", "Kind", "Problem", "kind_of", "rows_of"]

Kind = Literal["label", "labels", "number", "spans"]


@dataclass(frozen=True)
class Examples:
    """The examples of one study, training and test together, in the user's own order.

    Attributes:
        root: Folder that `path` is relative to. Never part of a hash or of findings.json.
        path: `(n,)` str: relative POSIX path for files; for lines of a table its path and the number of the line, from 1
            ("train.tsv:12"). Unique.
        target: `(n,)` int64 class index, or `(n, classes)` uint8 for multi-label, or `(n,)` float64 for numbers (then without
            classes), or `(n,)` object: for entities a tuple of (first token, token after the last, class index).
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
        fingerprint: Hash of contents, targets, groups and parts: two data sets with the same fingerprint are the same.
    """

    root: Path
    path: np.ndarray
    target: np.ndarray
    classes: tuple[str, ...]
    part: np.ndarray
    order: np.ndarray
    content: np.ndarray
    group: np.ndarray | None = None
    order_source: Literal["table", "names"] = "names"
    slices: dict[str, np.ndarray] = field(default_factory=dict)
    fingerprint: str = ""
    texts: np.ndarray | None = None
    tokens: np.ndarray | None = None
    unlabelled: Examples | None = None
    written: Written | None = None

    def __len__(self) -> int:
        return len(self.path)

    @property
    def digest(self) -> str:
        """Hash of the contents in their order, whatever they are labelled with."""
        return hashlib.blake2b("\x1f".join(self.content.tolist()).encode(), digest_size=16).hexdigest()

    @property
    def multilabel(self) -> bool:
        return self.target.ndim == 2

    @property
    def kind(self) -> Kind:
        """What an example is labelled with: one class, several, a number, or spans of tokens."""
        return kind_of(self.target)

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


def kind_of(target: np.ndarray) -> Kind:
    """What `target` holds (see `Examples.target`): the one place where its shape and type are read as a meaning."""
    if target.dtype == object:
        return "spans"
    if target.ndim == 2:
        return "labels"
    return "number" if target.dtype.kind == "f" else "label"


def rows_of(values: Sequence[tuple]) -> np.ndarray:
    """`(n,)` object array of tuples, whatever their lengths (numpy would make equal ones a matrix)."""
    return np.fromiter(values, dtype=object, count=len(values))


@dataclass(frozen=True)
class Problem:
    """Something about the data that a person should know; becomes a finding of the same `kind`.

    Attributes:
        kind: "unreadable", "duplicate", "near-duplicate", "leak", "near-leak", "label-conflict", "tiny-class",
            "imbalance", "one-class", "odd-picture", "placeholder", "split" …
        sentence: What was found, with numbers.
        paths: Every file concerned (relative); never cut short.
        pairs: For duplicates: clusters of paths that belong together.
        severity: "error" (the study cannot run), "warning", "note".
        why, do: Why it matters; what to do now.
        numbers: Every number in the sentence, by name.
        details: Anything else a table should show, one row per file or pair (flat dictionaries).
    """

    kind: str
    sentence: Text
    paths: tuple[str, ...] = ()
    pairs: tuple[tuple[str, ...], ...] = ()
    severity: Literal["error", "warning", "note"] = "warning"
    why: Text | None = None
    do: Text | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    details: tuple[dict[str, Any], ...] = ()
