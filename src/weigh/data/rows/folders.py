"""A folder of pictures or of text files as rows: one folder per class, with or without train / val / test folders above.

Before it: what the user typed. After it: the index of a medium. Names only; a file is opened only where it has no suffix.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from weigh.data.rows.levels import Level, Placed, settle_levels
from weigh.data.rows.listing import PARTS, Listing, natural_key, set_aside
from weigh.data.rows.trees import bare_parts, files_in, same_folder, scan, subfolders, walk_files
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.nouns import Noun
from weigh.problem import Problem

__all__ = ["FileKind", "empty_parts", "list_folder", "part_folders"]


class FileKind(NamedTuple):
    """What counts as an example in a folder.

    Attributes:
        noun: What it is called.
        column: What the column of a table is called that holds them.
        by_name: From a file's name to whether it is one.
        by_head: From a path without a suffix to whether it is one, by its first bytes.
        strict: A part folder ("train") has none of them beside its class folders.
        choose: From the rows and the folder to the rows that are examples and what is to be said of the others; None: all are.
    """

    noun: Noun
    column: str
    by_name: Callable[[str], bool]
    by_head: Callable[[Path], bool]
    strict: bool = True
    choose: Callable[[Sequence[Placed], Path], tuple[list[int], list[Problem]]] | None = None

    def holds(self, entry: os.DirEntry) -> bool:
        """Whether an entry of a folder is one of them."""
        return self.by_name(entry.name) or ("." not in entry.name and self.by_head(Path(entry.path)))


def list_folder(folder: Path, kind: FileKind, *, without: Path | None = None, level: Level | None = None) -> Listing:
    """The examples of `folder`, by part, class (natural order) and name (natural order), at any depth within a class.

    Args:
        without: A folder inside that is not looked at (the test folder, where it lies within the training folder).
        level: Which of two levels of folders names the class (`data.class_folder`).

    Raises:
        DataError: Unreadable, empty, or without class folders.
    """
    parts = part_folders(folder, kind, without)
    listing = Listing(root=folder)
    loose: list[str] = []
    strange: list[str] = []
    empty: list[str] = []
    rows: list[Placed] = []
    classes: list[tuple[str, Path]] = []
    for part, part_folder in parts or [("train", folder)]:
        loose += [_relative(p, folder) for p in files_in(part_folder, kind.by_name)]
        inside = subfolders(part_folder)
        classes += [(part, c) for c in inside if without is None or not same_folder(c, without)]
    tree = walk_files([c for _, c in classes], kind.holds, root=folder, without=without)
    for part, class_folder in classes:
        members = tree.files[class_folder]
        if not members and class_folder not in tree.repeated:
            empty.append(_relative(class_folder, folder))
        for file in sorted(members, key=lambda p: natural_key(p.relative_to(class_folder).as_posix())):
            relative = _relative(file, folder)
            if not _is_text(relative):
                strange.append(relative.encode("utf-8", "backslashreplace").decode())
                continue
            within = file.relative_to(class_folder)
            rows.append(Placed(part, class_folder.name, within.parts[:-1], relative))
            listing.order.append((natural_key(within.as_posix()), natural_key(relative)))
    if kind.choose is not None and level is None:
        keep, problems = kind.choose(rows, folder)
        rows, listing.order = [rows[i] for i in keep], [listing.order[i] for i in keep]
        listing.problems += problems
    settled = settle_levels(rows, level, folder, kind.noun)
    listing.path = [row.path for row in rows]
    listing.label = [label or "" for label in settled.label]
    listing.part = settled.part
    if any(settled.folder):
        listing.columns["folder"] = settled.folder
    listing.keep([i for i, label in enumerate(settled.label) if label is not None])
    listing.problems += settled.problems
    if parts:
        used = {p for _, p in parts}
        skipped = [s for s in subfolders(folder) if s not in used and (without is None or not same_folder(s, without))]
        beside = walk_files(skipped, kind.holds, root=folder, without=without).files
        for say in (_flat_part, _mixed_part, _left_out):
            files_by_folder = {s: beside[s] for s in skipped if beside[s] and _why_skipped(s) is say}
            left = [_relative(p, folder) for files in files_by_folder.values() for p in files]
            if left:
                listing.problems.append(say(left, [s.name for s in files_by_folder], kind))
        listing.problems += empty_parts([p for p in bare_parts(folder) if p in skipped], folder)
        loose += [_relative(p, folder) for p in files_in(folder, kind.by_name)]
    other, repeated = (sorted(_relative(p, folder) for p in left_aside) for left_aside in (tree.others, tree.repeated))
    listing.problems += _notes(other, sorted(set(loose)), strange, empty, repeated, kind.noun)
    if not listing.path:
        raise _no_files(folder, loose, kind)
    return listing


def part_folders(folder: Path, kind: FileKind, without: Path | None = None) -> list[tuple[str, Path]]:
    """The train / val / test folders of `folder`, or an empty list: then its folders are classes.

    "train" may also be a class (buses, cars, trains): a part folder holds folders, and no pictures beside them, or class folders of the same names as
    another part folder.
    """
    named = [(PARTS[s.name.casefold()], s) for s in subfolders(folder) if s.name.casefold() in PARTS]
    inner = {s: {c.name for c in subfolders(s)} for _, s in named if without is None or not same_folder(s, without)}
    sure = [s for s, classes in inner.items() if classes and not (kind.strict and files_in(s, kind.by_name))]
    known = {name for s in sure for name in inner[s]}
    parts = [(part, s) for part, s in named if s in sure or (s in inner and inner[s] & known)]
    return sorted(parts, key=lambda p: (("train", "val", "test").index(p[0]), p[1].name))


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # bytes that are no UTF-8: no table, report or database can hold the name
        return False
    return True


def _notes(
    other: list[str], loose: list[str], strange: list[str], empty: list[str], repeated: list[str], noun: Noun
) -> list[Problem]:
    problems = []
    if repeated:
        problems.append(
            set_aside(
                "links",
                text(
                    "Links to folders that hold these classes or are listed already: {n} ({f}); not followed.",
                    "有 {n} 个链接（{f}）指向已列出的或包含这些类别的文件夹，未跟随。",
                    n=len(repeated),
                    f=", ".join(repeated[:5]),
                ),
                repeated,
                why=text("Followed, they would give one file several classes.", "若跟随，同一文件会属于多个类别。"),
                do=text("Delete them.", "请删除这些链接。"),
            )
        )
    if other:
        suffixes = sorted({os.path.splitext(p)[1].casefold() or os.path.basename(p) for p in other})
        problems.append(
            set_aside(
                "other-files",
                text(
                    "Files in the class folders that are not {w} that can be read here: {n} ({k}); not used.",
                    "类别文件夹中有 {n} 个文件不是此处可读取的{w}（{k}），未使用。",
                    w=noun.many,
                    n=len(other),
                    k=", ".join(suffixes),
                ),
                other,
                severity="note",
            )
        )
    if loose:
        problems.append(
            set_aside(
                "loose-files",
                text(
                    "{w} beside the class folders, without a label: {n}; not used.",
                    "有 {n} {w}位于类别文件夹之外，没有标签，未使用。",
                    w=Text(noun.many.en.capitalize(), noun.counted.zh),
                    n=len(loose),
                ),
                loose,
                do=text("Move them into their class folder.", "请把它们移到所属类别的文件夹中。"),
            )
        )
    if strange:
        problems.append(
            set_aside(
                "file-name",
                text(
                    "Files with names that are not valid UTF-8: {n}; set aside.",
                    "{n} 个文件的名称不是有效的 UTF-8，已搁置。",
                    n=len(strange),
                ),
                strange,
                do=text("Rename them.", "请重命名这些文件。"),
            )
        )
    if empty:
        problems.append(
            set_aside(
                "empty-class",
                text(
                    "Class folders without {w}: {n}: {c}.",
                    "{n} 个类别文件夹中没有{w}：{c}。",
                    w=noun.many,
                    n=len(empty),
                    c=", ".join(empty),
                ),
                empty,
            )
        )
    return problems


def empty_parts(folders: Sequence[Path], root: Path) -> list[Problem]:
    """Folders of a part in which nothing lies."""
    if not folders:
        return []
    names = [_relative(folder, root) for folder in folders]
    sentence = text(
        "Folders of a part without any file: {l}; there is no such part.",
        "没有任何文件的数据划分文件夹：{l}；因此没有相应的部分。",
        l=", ".join(names),
    )
    do = text("Fill them, or delete them.", "请放入文件，或将其删除。")
    return [Problem("empty-part", sentence, tuple(names), do=do, numbers={"n": len(names)})]


def _why_skipped(folder: Path) -> Callable[[list[str], list[str], FileKind], Problem]:
    """Says why a folder beside part folders is not used."""
    if folder.name.casefold() not in PARTS:
        return _left_out
    return _mixed_part if subfolders(folder) else _flat_part


def _mixed_part(paths: list[str], folders: list[str], kind: FileKind) -> Problem:
    return set_aside(
        "left-out",
        text(
            "{f} holds {m} beside its folders, and no class folder that another part has, so it is not read as a part: {n}; not used.",
            "{f} 的文件夹旁还直接放有{m}，且没有与其他部分同名的类别文件夹，因此未当作数据划分读取：{n} {w}，未使用。",
            f=", ".join(folders),
            m=kind.noun.many,
            n=len(paths),
            w=kind.noun.counted,
        ),
        paths,
        do=text(
            "Put the {m} that lie directly in {f} into class folders ({f}/CLASS/…), or move them elsewhere.",
            "请把直接放在 {f} 中的{m}放入类别文件夹（{f}/类别/…），或将其移走。",
            m=kind.noun.many,
            f=folders[0],
        ),
    )


def _flat_part(paths: list[str], folders: list[str], kind: FileKind) -> Problem:
    noun = kind.noun
    return set_aside(
        "left-out",
        text(
            "{w} lie in {f} without a folder for each class, so their classes are not known: {n}; not used.",
            "{f} 中的{m}没有按类别分文件夹，类别未知：{n} {w}，未使用。",
            w=Text(noun.many.en.capitalize(), noun.counted.zh),
            m=noun.many,
            f=", ".join(folders),
            n=len(paths),
        ),
        paths,
        do=text(
            "Put them into class folders ({f}/CLASS/…), or give a table with the columns {c} and label: --set data.test=TABLE.csv",
            "请按类别放入文件夹（{f}/类别/…），或提供含 {c} 和 label 两列的表格：--set data.test=表格.csv",
            f=folders[0],
            c=kind.column,
        ),
    )


def _left_out(paths: list[str], folders: list[str], kind: FileKind) -> Problem:
    noun = kind.noun
    return set_aside(
        "left-out",
        text(
            "{w} in {f} are not used ({n}): beside train, val and test folders, other folders have no meaning.",
            "{f} 中的 {n} {w}未使用：与 train、val、test 并列的其他文件夹没有含义。",
            n=len(paths),
            w=Text(noun.many.en.capitalize(), noun.counted.zh),
            f=", ".join(folders),
        ),
        paths,
        do=text("Move them into train/ if they belong there.", "如果它们属于训练数据，请移到 train/ 中。"),
    )


def _no_files(folder: Path, loose: list[str], kind: FileKind) -> DataError:
    noun = kind.noun
    if loose:
        what = text(
            "{f} holds {n} {w} but no class folders.",
            "{f} 中有 {n} {w}，但没有类别文件夹。",
            w=noun.of(len(loose)),
            f=folder,
            n=len(loose),
        )
    else:
        what = text("{f} holds no {w} in class folders.", "{f} 中没有按类别文件夹存放的{w}。", f=folder, w=noun.many)
    tables = sorted(e.name for e in scan(folder) if e.name.casefold().endswith((".csv", ".tsv", ".parquet", ".jsonl")))
    do = text(
        "Put the {w} of each class into a folder of its own ({f}/CLASS/…), or give a table with the columns {c} and label.",
        "请把每个类别的{w}放入各自的文件夹（{f}/类别/…），或提供含 {c} 和 label 两列的表格。",
        w=noun.many,
        c=kind.column,
        f=folder.name,
    )
    if tables:
        do = do + text("There is a table: {t}.", "此处有一个表格：{t}。", t=folder / tables[0])
    return DataError(what, text("Without labels nothing can be learned.", "没有标签就无法学习。"), do)
