"""Folders within class folders: which level names the class, which the part, which the source; where it cannot be told, it is asked.

Before it: the files below the class folders (`folders.py`). After it: their labels and parts.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from weigh.data.rows.listing import PARTS, natural_key, set_aside
from weigh.language import Text, first_names, text
from weigh.nouns import Noun
from weigh.problem import Problem

__all__ = ["Level", "Placed", "settle_levels"]

Level = Literal["outer", "inner"]
MOST = 0.9  # share of files that lie one level deeper, from which on the layout has two levels
NO_NAME = re.compile(r"[.=\s]+")  # what the name of a further test set cannot hold behind --set data.shifted
NAMED = 6  # names that a sentence lists


class Placed(NamedTuple):
    """A file below a class folder.

    Attributes:
        inner: Folders between the class folder and the file, from the outside in.
    """

    part: str
    outer: str
    inner: tuple[str, ...]
    path: str


class Settled(NamedTuple):
    """What the files are labelled with; a label of None: the file lies beside the folders that name the classes."""

    label: list[str | None]
    part: list[str]
    folder: list[str]
    problems: list[Problem]


def settle_levels(rows: Sequence[Placed], level: Level | None, folder: Path, noun: Noun) -> Settled:
    """Labels, parts and sources of all files.

    Args:
        level: What the user chose (`data.class_folder`); None: the outer level, and a question where the inner one may be meant.
        folder: What the user typed, for the commands that answer the question.
    """
    named = [row for row in rows if row.inner]
    names: dict[str, Counter[str]] = defaultdict(Counter)  # outer folder -> names in it
    for row in named:
        names[row.outer][row.inner[0]] += 1
    deep = len(named) >= MOST * len(rows) > 0
    if deep and {row.part for row in rows} == {"train"} and _are_parts(names):
        return _parts_inside(rows)
    if level == "inner":
        return _inner(rows, noun)
    problems = [] if level == "outer" or not deep else _question(names, len(named), folder, noun)
    return Settled([r.outer for r in rows], [r.part for r in rows], ["/".join(r.inner) for r in rows], problems)


def _are_parts(names: dict[str, Counter[str]]) -> bool:
    """Whether the folders inside are train and test."""
    every = {name.casefold() for inside in names.values() for name in inside}
    return every <= PARTS.keys() and len({PARTS[name] for name in every}) > 1


def _parts_inside(rows: Sequence[Placed]) -> Settled:
    parts = [PARTS[row.inner[0].casefold()] if row.inner else "train" for row in rows]
    counted = Counter(parts)
    listed = ", ".join(f"{part}: {n}" for part, n in counted.items())
    sentence = text(
        "The folders inside the class folders are read as parts ({l}).",
        "类别文件夹内的文件夹按数据划分读取（{l}）。",
        l=listed,
    )
    note = Problem("split", sentence, severity="note", numbers=dict(counted))
    return Settled([r.outer for r in rows], parts, ["/".join(r.inner[1:]) for r in rows], [note])


def _inner(rows: Sequence[Placed], noun: Noun) -> Settled:
    beside = [row.path for row in rows if not row.inner]
    problems = []
    if beside:
        problems.append(
            set_aside(
                "loose-files",
                text(
                    "{w} beside the folders that name the classes: {n}; not used.",
                    "有 {n} {w}不在表示类别的文件夹内，未使用。",
                    w=Text(noun.many.en.capitalize(), noun.counted.zh),
                    n=len(beside),
                ),
                beside,
            )
        )
    source = ["/".join((row.outer, *row.inner[1:])) for row in rows]
    return Settled([r.inner[0] if r.inner else None for r in rows], [r.part for r in rows], source, problems)


def _question(names: dict[str, Counter[str]], n: int, folder: Path, noun: Noun) -> list[Problem]:
    """Two levels of folders: an error where the inner names repeat (domains with classes inside), else a warning."""
    holders = Counter(name for inside in names.values() for name in inside)
    shared = sorted((name for name, k in holders.items() if k > 1), key=natural_key)
    several = sum(len(inside) > 1 for inside in names.values())
    if len(names) < 2 or len(holders) < 2 or several * 2 < len(names):
        return []
    outer, inner = (sorted(folders, key=natural_key) for folders in (names, holders))
    repeating = len(shared) >= 2 and sum(len(set(shared) & i.keys()) * 2 >= len(i) for i in names.values()) * 2 > len(
        names
    )
    if repeating:
        sentence = text(
            "Two levels of folders, and the same names within several: {o} each hold folders such as {i}. Which of the two is the class "
            "cannot be told.",
            "文件夹有两层，且内层名称重复出现：{o} 中各有 {i} 等文件夹。无法判断哪一层是类别。",
            o=_listed(outer),
            i=_listed(shared),
        )
        why = text(
            "Trained on the wrong level, the study answers another question: where a {p} comes from instead of what it shows.",
            "若按错误的一层训练，研究回答的就是另一个问题：{p}来自哪里，而不是内容是什么。",
            p=Text(noun.one.en, noun.many.zh),
        )
        do = text(
            "Classes {i}: --set data.class_folder=inner. Classes {o}: --set data.class_folder=outer. To learn from one source and test on "
            "another: {f} as data.train, --set {s}",
            "类别为 {i}：--set data.class_folder=inner。类别为 {o}：--set data.class_folder=outer。若要用一个来源训练、用另一个测试："
            "以 {f} 作为 data.train，并加上 --set {s}",
            i=_listed(shared),
            o=_listed(outer),
            f=folder / outer[0],
            s=shlex.quote(f"data.shifted.{NO_NAME.sub('-', outer[1])}={folder / outer[1]}"),
        )
        return [
            Problem(
                "levels",
                sentence,
                severity="error",
                why=why,
                do=do,
                numbers={"n": n, "outer": len(outer), "inner": len(inner)},
            )
        ]
    sentence = text(
        "Two levels of folders: the {k} outer ones ({o}) are read as classes; inside lie {m} others ({i}), each in one class.",
        "文件夹有两层：外层 {k} 个（{o}）按类别读取，内层另有 {m} 个（{i}），各只属于一个类别。",
        k=len(outer),
        o=_listed(outer),
        m=len(inner),
        i=_listed(inner),
    )
    do = text(
        "If the inner folders are the classes: --set data.class_folder=inner. If they are patients, sessions or places: --set "
        "design.group_by=folder. If neither: --set data.class_folder=outer",
        "若内层文件夹是类别：--set data.class_folder=inner。若是患者、场次或地点：--set design.group_by=folder。"
        "若都不是：--set data.class_folder=outer",
    )
    why = text(
        "{w} of one folder are often alike.",
        "同一文件夹中的{w}往往相似。",
        w=Text(noun.many.en.capitalize(), noun.many.zh),
    )
    return [Problem("levels", sentence, why=why, do=do, numbers={"outer": len(outer), "inner": len(inner)})]


def _listed(names: Sequence[str]) -> str:
    return first_names(names, NAMED)
