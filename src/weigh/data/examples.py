"""The index of a data set: which examples there are, their targets, groups and order; texts, but no pixels.

Before it: a reader (`data/pictures/index.py`, `texts/index.py`, `sentences/index.py`) turns a folder or a
table into `Examples`. After it: checks, folds, and the record, which keeps the index beside the predictions so
that a report needs neither the data nor torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from weigh.data.written import Written
from weigh.kinds.base import Kind, Strata, rows_of
from weigh.kinds.label import LABEL
from weigh.language import Text
from weigh.media import Medium, medium_named

__all__ = ["Examples", "LeftOut", "NewExamples"]


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
        rows: `(n,)` object: a tuple of what the example is made of, where that is not the file at `path` (then None): one text, or two for
            pairs; the tokens of a sentence. Kept as they were read, control characters included.
        unlabelled: Examples without labels for further pretraining (targets of zeros); none of them is a copy of one of these.
        written: How the training data are written, where they are a table: new examples are read in the same way.
        medium: What they are made of.
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
    rows: np.ndarray | None = None
    unlabelled: Examples | None = None
    written: Written | None = None
    medium: Medium = field(default_factory=lambda: medium_named("pictures"))

    @classmethod
    def without_labels(
        cls, root: Path, path: np.ndarray, content: np.ndarray, rows: np.ndarray | None = None, medium: str = "pictures"
    ) -> Examples:
        """Examples that nobody has labelled, in this order."""
        n = len(path)
        target, part = np.zeros(n, np.int64), np.full(n, "unlabelled")
        return cls(root, path, target, (), part, np.arange(n), content, LABEL, rows=rows, medium=medium_named(medium))

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
        return self.kind.quote(self.target[i], self.classes, self.row(i))

    def row(self, i: int) -> Any:
        """What example `i` is made of; None where that is a file."""
        return None if self.rows is None else self.rows[i]

    def texts(self, i: int) -> tuple[str, ...]:
        """Example `i` as texts that a reader is shown; empty where it is a file."""
        return () if self.rows is None else self.medium.quoted(self.rows[i])

    @property
    def are_pairs(self) -> bool:
        """Whether each example has two parts that a network may be given separately."""
        return self.rows is not None and len(self.rows) > 0 and self.medium.is_pair(self.rows[0])

    def group_at(self, rows: np.ndarray) -> np.ndarray | None:
        """The groups of the examples at `rows`; None where the study has none."""
        return None if self.group is None else self.group[rows]

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
            group=self.group_at(indices),
            slices={name: column[indices] for name, column in self.slices.items()},
            rows=None if self.rows is None else self.rows[indices],
        )


class NewExamples(NamedTuple):
    """What is to be predicted: no targets.

    Memory: about 150 bytes for each file, or the rows themselves.

    Attributes:
        by: What names each example in the answer: its "path", or its "row" (from 1).
        path, rows: As in `Examples`.
        failed: Those that cannot be read, and why; they are answered by nothing.
        sources: Folders that files were listed from.
    """

    by: Literal["path", "row"]
    path: np.ndarray
    rows: np.ndarray | None
    failed: Mapping[int, Text | str]
    sources: tuple[Path, ...] = ()

    @classmethod
    def of_rows(cls, rows: Sequence[tuple], failed: Mapping[int, Text | str]) -> NewExamples:
        """Rows of a table, or of a list, numbered from 1."""
        return cls("row", np.array(range(1, len(rows) + 1), dtype=str), rows_of(rows), failed)

    @classmethod
    def of_files(cls, paths: Sequence[str], sources: Sequence[Path] = ()) -> NewExamples:
        """Files, of which none was opened yet."""
        # Python's own strings: numpy's would all be as long as the longest
        return cls("path", np.array(paths, dtype=object), None, {}, tuple(sources))

    def named(self, i: int) -> dict[str, Any]:
        """What names example `i` in its answer."""
        return {"row": i + 1} if self.by == "row" else {"path": self.path[i]}


class LeftOut(NamedTuple):
    """How many examples without labels there are (`total`), and why some are not used.

    Attributes:
        inside: The same as an example of the study.
        near: Nearly the same.
        repeated: The same as an earlier one.
        unreadable: Files that cannot be opened.
        searched: Whether near copies could be looked for.
    """

    total: int
    inside: int
    near: int
    repeated: int
    unreadable: int = 0
    searched: bool = True
