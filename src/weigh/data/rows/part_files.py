"""A folder with a file for each part: which files are training, validation and test data, and which are versions of one another.

Before it: a folder. After it: `texts/sources.py` and `sentences/index.py` read the files. The part is told from the name ("train.tsv",
"emerging.dev.conll", "TREC.test"); of several files for one part, those with other examples are all used, while a further version
of the same examples is left out and named.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weigh.data.rows.listing import PARTS, natural_key, set_aside
from weigh.data.rows.trees import scan
from weigh.errors import DataError
from weigh.language import text
from weigh.problem import Problem

__all__ = ["ReadFile", "choose_versions", "family", "part_of", "part_within", "text_files"]

NOT_DATA = frozenset(
    [".md", ".rst", ".py", ".sh", ".html", ".htm", ".pdf", ".zip", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".npy", ".npz", ".pt", ".pth", ".bin", ".safetensors", ".pkl", ".xml", ".yaml", ".yml", ".cfg", ".ini", ".toml", ".log", ".lock", ".ipynb", ".r", ".c", ".h", ".java", ".js", ".css", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".sqlite", ".db", ".arrow", ".exe", ".dll", ".so", ".mp3", ".mp4", ".wav"]
)  # fmt: skip
NOT_DATA_NAMES = re.compile(
    r"(read.?me|licen[cs]e|changelog|citation|copying|authors|notice|makefile)\b", re.IGNORECASE
)
SAME = 0.5  # share of a file's examples that another holds too, from which on it is a version of it
MOST_FILES, LOOKED_AT = 2_000, 200  # files that are read, and that are looked at to learn what a folder holds


@dataclass
class ReadFile:
    """A file that could be read.

    Attributes:
        part: "train", "val", "test", or None where its name does not say.
        keys: What identifies each of its examples.
        flaws: How badly it reads: of two versions the one with fewer flaws is used.
        content: Whatever the reader made of it.
    """

    path: Path
    part: str | None
    keys: Sequence[Hashable]
    flaws: int
    content: Any


def part_of(name: str) -> str | None:
    """The part that a file name speaks of, or None (also where it speaks of two)."""
    pieces = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    parts = {PARTS[p.casefold()] for p in pieces if p.casefold() in PARTS}
    return parts.pop() if len(parts) == 1 else None


def part_within(path: Path, folder: Path) -> str | None:
    """The part of a file in `folder`: told by its own name, else by that of a folder between the two."""
    return part_of(path.name) or (part_of(path.parent.name) if path.parent != folder else None)


def family(name: str) -> str:
    """A file name without the part it speaks of: "books.task.train" is of the family "books.task"."""
    words = "|".join(sorted(PARTS, key=len, reverse=True))
    return re.sub(rf"(?i)(?<![a-z])({words})(?![a-z])", "", name).strip("._- ") or name


def text_files(folder: Path, *, whole: bool = False) -> list[Path]:
    """Files of `folder` that may hold texts, in natural order; where there are none, those one level deeper.

    Args:
        whole: All of them are read; else the first ones, for a look.

    Raises:
        DataError: They are to be read, and are more than a data set has.
    """
    here = _files(folder)
    if not here:
        below = [Path(e.path) for e in scan(folder) if e.is_dir()]
        below = [b for b in below if b.name.casefold() in PARTS or b.name.casefold() in ("data", "raw")]
        here = [file for b in sorted(below) for file in _files(b)]
    if whole and len(here) > MOST_FILES:
        raise DataError(
            text(
                "{f} holds {n} files; the limit for a data set of texts is {m}.",
                "{f} 中有 {n} 个文件；文本数据集的上限为 {m} 个。",
                f=folder,
                n=len(here),
                m=MOST_FILES,
            ),
            text("Some of them would not be read.", "否则会有文件未被读取。"),
            text(
                "Join the files of each part into one (train.csv, test.csv); texts in files of their own belong into a folder for each class.",
                "请将每个部分的文件合并为一个（train.csv、test.csv）；每条文本单独成文件时，请按类别放入文件夹。",
            ),
        )
    return here[: MOST_FILES if whole else LOOKED_AT]


def _files(folder: Path) -> list[Path]:
    named = [Path(e.path) for e in scan(folder) if e.is_file()]
    kept = [p for p in named if p.suffix.casefold() not in NOT_DATA and not NOT_DATA_NAMES.match(p.name)]
    return sorted(kept, key=lambda p: natural_key(p.name))


def choose_versions(read_files: Sequence[ReadFile], folder: Path) -> tuple[list[ReadFile], list[Problem]]:
    """The files to use, training first, and what was left out.

    Raises:
        DataError: Several files of which no name says a part.
    """
    if len(read_files) == 1:
        only = read_files[0]
        return [ReadFile(only.path, only.part or "train", only.keys, only.flaws, only.content)], []
    parts = [c for c in read_files if c.part is not None]
    if not parts:
        raise DataError(
            text(
                "{f} holds {n} {n:|file|files} of data, and no name says which is for training: {l}.",
                "{f} 中有 {n} 个数据文件，从名称看不出哪个用于训练：{l}。",
                f=folder,
                n=len(read_files),
                l=", ".join(c.path.name for c in read_files[:10]),
            ),
            do=text(
                "Name one: weigh data {p}; or call them train, dev and test.",
                "请指定其中一个：weigh data {p}；或命名为 train、dev、test。",
                p=shlex.quote(str(read_files[0].path)),
            ),
        )
    kept: list[ReadFile] = []
    versions: list[ReadFile] = []
    for part in ("train", "val", "test"):
        ranked = sorted((c for c in parts if c.part == part), key=lambda c: (c.flaws, _later_first(c.path.name)))
        seen: set[Hashable] = set()
        for read_file in ranked:
            keys = set(read_file.keys)
            if seen and len(keys & seen) >= SAME * len(keys):
                versions.append(read_file)
            else:
                kept.append(read_file)
                seen |= keys
    problems = [*_other_versions(versions, kept, folder), *_of_no_part(read_files, folder)]
    kept.sort(key=lambda c: natural_key(c.path.name))
    return sorted(kept, key=lambda c: ("train", "val", "test").index(c.part or "train")), problems


def _other_versions(versions: Sequence[ReadFile], kept: Sequence[ReadFile], folder: Path) -> list[Problem]:
    """The note on files that hold the examples of others."""
    problems = []
    if versions:
        chosen = ", ".join(c.path.name for c in kept)
        problems.append(
            set_aside(
                "left-out",
                text(
                    "Files that hold another version of the same examples: {n}; not used. Used: {c}.",
                    "有 {n} 个文件是相同样本的其他版本，未使用。已使用：{c}。",
                    n=len(versions),
                    c=chosen,
                ),
                [c.path.relative_to(folder).as_posix() for c in versions],
                text(
                    "To use another, name it: data.train and data.test.",
                    "如需使用其他版本，请用 data.train 和 data.test 指定。",
                ),
                severity="note",
            )
        )
    return problems


def _of_no_part(read_files: Sequence[ReadFile], folder: Path) -> list[Problem]:
    """The note on files whose name says no part."""
    problems = []
    unnamed = [c.path.relative_to(folder).as_posix() for c in read_files if c.part is None]
    if unnamed:
        problems.append(
            set_aside(
                "left-out",
                text(
                    "Files whose name says neither train, dev nor test: {n}; not used.",
                    "有 {n} 个文件的名称不含 train、dev 或 test，未使用。",
                    n=len(unnamed),
                ),
                unnamed,
                severity="note",
            )
        )
    return problems


def _later_first(name: str) -> tuple:
    """Sorts "conll_2nd" before "conll": of equal versions the later name is used."""
    return (*(-ord(c) for c in name.casefold()), 1)
