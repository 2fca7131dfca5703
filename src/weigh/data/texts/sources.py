"""From what a person typed to rows of texts: a table, a folder with a file per part, a folder of text files per class.

Before it: `tables.py` and `rows/part_files.py`. After it: `index.py` makes examples of the rows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from weigh.data.rows.columns import (
    columns_note,
    decided,
    line_problems,
    metadata_columns,
    parts_of_rows,
    require_column,
    rows_of_no_part,
    rows_without_label,
    split_column,
    split_note,
)
from weigh.data.rows.folders import FileKind, list_folder, part_folders
from weigh.data.rows.hub import empty_split_problems, hub_name, is_saved, load_hub, load_saved
from weigh.data.rows.listing import Listing, natural_key, nothing_usable, set_aside
from weigh.data.rows.number_labels import read_numbers, rows_without_number
from weigh.data.rows.part_files import ReadFile, choose_versions, family, part_of, part_within, text_files
from weigh.data.rows.paths import inner_test_folder, no_such_path
from weigh.data.rows.trees import is_folder, scan, subfolders
from weigh.data.tables.roles import Roles
from weigh.data.tables.several_labels import labels_of
from weigh.data.tables.table_files import TABLE_SUFFIXES, TableFile
from weigh.data.tables.text_encoding import encoding_problem, read_text
from weigh.data.texts.tables import columns_of_texts, describe_columns, read_text_table, written_as
from weigh.errors import DataError
from weigh.language import text
from weigh.media import TEXTS
from weigh.notices import Progress
from weigh.problem import Problem
from weigh.settings import user_path
from weigh.spec import ColumnsSpec, DataSpec

__all__ = ["TextSource", "has_text_classes"]

HEAD = 1_000  # bytes that show whether a file holds text
MAJORITY, NO_MAJORITY = "gold_label", "-"  # SNLI and MultiNLI: what most annotators said, and where they did not agree


def _is_numbered_text(path: Path) -> bool:
    """A file that is called by a number alone, as those of 20 newsgroups and Reuters, and holds text."""
    if not path.name.isdecimal() or not path.is_file():
        return False
    try:
        return bool(read_text(path, limit=HEAD).content.strip())
    except DataError:
        return False


TEXT_FILES = FileKind(
    TEXTS,
    "text",
    by_name=lambda name: name.casefold().endswith((".txt", ".text")),
    by_head=_is_numbered_text,
    strict=False,  # the reviews of IMDb have lists of addresses beside their class folders
)


def _whatever_format(path: Path) -> Path:
    """The path without a table's suffix: dev.txt and dev.jsonl hold the same rows; TREC.train and TREC.test do not."""
    return path.with_suffix("") if path.suffix.casefold() in (*TABLE_SUFFIXES, ".txt") else path


@dataclass
class TextSource:
    """Lists the rows of one source after another; the columns of the first, the training data, hold for all.

    Attributes:
        numbers: Labels are numbers.
        roles: Columns of the first table that was read.
    """

    spec: DataSpec
    numbers: bool = False
    offline: bool = False
    progress: Progress | None = None
    roles: Roles | None = field(default=None, init=False)

    def list_rows(self, address: str) -> Listing:
        """The rows under a path or a name on the hub.

        Raises:
            DataError: Nothing there, or nothing usable; says what to do.
        """
        if (name := hub_name(address)) is not None:
            return self._from_datasets(load_hub(name, offline=self.offline), Path.cwd())
        path = user_path(address)
        if not path.exists():
            raise no_such_path(path)
        path = Path(os.path.abspath(path))
        if not path.is_dir():
            return self._from_files([self._read_file(path, "train")], path.parent, [])
        if is_saved(path):
            return self._from_datasets(load_saved(path), path)
        if has_text_classes(path):
            return self._from_class_folders(path, address)
        return self._from_folder(path)

    def _read_file(self, path: Path, part: str | None) -> ReadFile:
        table = read_text_table(path, self.spec.columns, roles=self.roles, encoding=self.spec.encoding)
        table = decided(table, table.roles.label)
        texts = [table.columns[name] for name in table.roles.text]
        return ReadFile(path, part, list(zip(*texts, strict=True)), len(table.broken), table)

    def _from_folder(self, folder: Path) -> Listing:
        read_files: list[ReadFile] = []
        unreadable: list[str] = []
        error: DataError | None = None
        apart = [Path(os.path.abspath(user_path(p))) for p in (self.spec.test, *self.spec.shifted.values()) if p]
        elsewhere = {_whatever_format(p) for p in apart}  # sets of their own
        files = [
            path
            for path in text_files(folder, whole=True)
            if _whatever_format(Path(os.path.abspath(path))) not in elsewhere
        ]
        for path in sorted(files, key=lambda p: part_of(p.name) != "train"):
            try:
                read_files.append(self._read_file(path, part_within(path, folder)))
            except DataError as problem:
                error = error or problem
                unreadable.append(path.relative_to(folder).as_posix())
            else:
                if self.roles is None and read_files[-1].part == "train":
                    self.roles = read_files[-1].content.roles
        if not read_files:
            raise error or DataError(
                text("{f} holds no tables of texts.", "{f} 中没有文本表格。", f=folder),
                do=text("Give a table, or train.tsv and test.tsv.", "请提供表格，或 train.tsv 与 test.tsv。"),
            )
        kept, problems = choose_versions(read_files, folder)
        if unreadable:
            problems.append(
                set_aside(
                    "other-files",
                    text(
                        "Files that could not be read as tables of texts: {n}; not used.",
                        "有 {n} 个文件无法作为文本表格读取，未使用。",
                        n=len(unreadable),
                    ),
                    unreadable,
                    severity="note",
                )
            )
        return self._from_files(kept, folder, problems)

    def _from_files(self, files: list[ReadFile], root: Path, problems: list[Problem]) -> Listing:
        listing = Listing(root=root, order_source="table", rows=[], problems=list(problems))
        listing.problems += encoding_problem({c.path.name: c.content.encoding for c in files})
        several = len({family(c.path.name) for c in files}) > 1 and len({c.part for c in files}) < len(files)
        secret = [c for c in files if c.content.roles.label is None and not c.content.roles.several]
        if len(secret) == len(files) or (self.spec.columns.label != "label" and len(files) == 1 and secret):
            table = files[0].content
            raise DataError(
                text(
                    "{t} has no column of labels ({c}).",
                    "{t} 中没有标签列（{c}）。",
                    t=table.path,
                    c=", ".join(table.columns),
                ),
                text("Without labels nothing can be learned.", "没有标签就无法学习。"),
                text("Name it: --set data.label=NAME", "请指明：--set data.label=列名"),
            )
        if secret:
            names = [c.path.relative_to(root).as_posix() for c in secret]
            listing.problems.append(
                set_aside(
                    "unlabelled",
                    text(
                        "Files without labels: {n} ({f}); not used for training or scores.",
                        "有 {n} 个文件没有标签（{f}），不用于训练和评分。",
                        n=len(secret),
                        f=", ".join(names),
                    ),
                    names,
                    severity="note",
                )
            )
        left_out = _SetAside()
        for read_file in files:
            if read_file not in secret:
                self._append(listing, read_file, left_out, root, several=several)
        self.roles = self.roles or files[0].content.roles
        listing.written = written_as(files[0].content)
        read = [c.content for c in files if c not in secret]
        listing.problems += line_problems(read, len(listing), root) + left_out.problems(len(listing))
        listing.problems.append(_columns_note(files[0].content, listing, self.spec.columns))
        if not listing.path:
            raise nothing_usable(files[0].path, listing.problems)
        return listing

    def _append(self, listing: Listing, read_file: ReadFile, left_out: _SetAside, root: Path, *, several: bool) -> None:
        table: TableFile = read_file.content
        columns, name = table.columns, read_file.path.relative_to(root).as_posix()
        group = self.spec.columns.group
        for role, asked in (("split", self.spec.columns.split), ("group", group)):
            require_column(role, asked, list(columns), name)
        parts, odd_parts, split = parts_of_rows(columns, self.spec.columns)
        listing.problems += [note for note in split_note(split, self.spec.columns) if note not in listing.problems]
        roles = table.roles
        metadata = metadata_columns(
            columns, {*roles.text, roles.label, *roles.several, split, group}, self.spec.columns.kept
        )
        labels, separator, note = labels_of(columns, roles.label, roles.several, self.spec.label_separator)
        if note is not None and not self.numbers and note not in listing.problems:
            listing.problems.append(note)
        if self.numbers:
            labels, separator = read_numbers(labels, roles.label, read_file.path), None
        texts = [columns[t] for t in roles.text]
        before, kept = len(listing), []
        for row, line in enumerate(table.lines):
            where, label = f"{name}:{line}", (labels[row] or "").strip()
            label = "" if label == NO_MAJORITY and table.roles.label == MAJORITY else label
            if row in odd_parts:
                left_out.unknown_part.append(where)
            elif not label and separator is None:
                (
                    left_out.no_number
                    if self.numbers and (roles.label is None or columns[roles.label][row])
                    else left_out.unlabelled
                ).append(where)
            else:
                kept.append(row)
                part = parts[row] if split else read_file.part or "train"
                order = (natural_key(name) if read_file.part == "train" else (), before, row)
                listing.add(where, label, part=part, order=order, row=tuple(t[row] or "" for t in texts))
        for column, cells in {
            **metadata,
            **({"file": [family(read_file.path.name)] * len(table.lines)} if several else {}),
        }.items():
            whole = listing.columns.setdefault(column, [""] * before)
            whole += [cells[row] or "" for row in kept]
        for whole in listing.columns.values():
            whole += [""] * (len(listing) - len(whole))
        if group is not None:
            listing.group = (listing.group or []) + [columns[group][row] or "" for row in kept]
        listing.separator = separator or listing.separator

    def _from_class_folders(self, folder: Path, address: str) -> Listing:
        inside = inner_test_folder(folder, address, self.spec)
        listing = list_folder(folder, TEXT_FILES, without=inside, level=self.spec.class_folder)
        read = []
        encodings: dict[str, str] = {}
        unreadable = []
        for i, path in enumerate(listing.path):
            try:
                content, encodings[path] = read_text(folder / path)
                read.append((i, (content,)))
            except DataError:
                unreadable.append(path)
            if self.progress and (i % 500 == 499 or i + 1 == len(listing.path)):
                self.progress("reading", i + 1, len(listing.path))
        listing.keep([i for i, _ in read])
        listing.rows = [content for _, content in read]
        listing.problems += encoding_problem(encodings)
        if unreadable:
            listing.problems.append(
                set_aside(
                    "unreadable",
                    text(
                        "Files that hold no text: {n}; set aside.", "有 {n} 个文件不是文本，已搁置。", n=len(unreadable)
                    ),
                    unreadable,
                )
            )
        return listing

    def _from_datasets(self, splits: dict[str, dict[str, list[str | None]]], root: Path) -> Listing:
        read_files = []
        for split, cells in splits.items():
            rows = len(next(iter(cells.values()), []))
            table = TableFile(root / split, list(range(1, rows + 1)), cells, True, "datasets")
            table.roles = columns_of_texts(table, self.spec.columns, self.roles)
            read_files.append(ReadFile(root / split, part_of(split), [], 0, table))
        kept, problems = choose_versions(read_files, root)
        return self._from_files(kept, root, [*problems, *empty_split_problems(root)])


@dataclass
class _SetAside:
    """Rows that are set aside, over all files of a source."""

    unlabelled: list[str] = field(default_factory=list)
    no_number: list[str] = field(default_factory=list)
    unknown_part: list[str] = field(default_factory=list)

    def problems(self, kept: int) -> list[Problem]:
        rows = kept + len(self.unlabelled) + len(self.no_number) + len(self.unknown_part)
        return [
            *rows_without_label(self.unlabelled, rows),
            *rows_without_number(self.no_number, rows),
            *rows_of_no_part(self.unknown_part, rows),
        ]


def _columns_note(table: TableFile, listing: Listing, columns: ColumnsSpec) -> Problem:
    used = {
        *table.roles.text,
        table.roles.label,
        *table.roles.several,
        columns.group,
        split_column(table.columns, columns),
        "split",
        *listing.columns,
    }
    return columns_note(
        text("Read as {l} ({d}).", "按 {l} 读取（{d}）。", l=table.layout, d=describe_columns(table)),
        [name for name in table.columns if name not in used],
        text(
            "If that is wrong: --set data.text=NAME --set data.label=NAME",
            "如有误：--set data.text=列名 --set data.label=列名",
        ),
    )


def has_text_classes(folder: Path) -> bool:
    """Whether two or more folders (in a train folder, or here) hold text files."""
    for _, inner in [*part_folders(folder, TEXT_FILES), ("train", folder)]:
        if sum(_holds_texts(f) for f in subfolders(inner)[:50]) >= 2:
            return True
    return False


def _holds_texts(folder: Path) -> bool:
    return any(TEXT_FILES.holds(entry) for entry in scan(folder) if not is_folder(entry))
