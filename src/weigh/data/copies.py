"""Copies among the examples of a data set, in words: within a part, across training and test, under two labels.

Before it: the pairs that the search of a medium found (`pictures/near_copies.py`, `texts/near_copies.py`). After it: the checks of the medium
collect the problems, and `folds.py` keeps copies together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weigh.data.examples import Examples
from weigh.language import Text, text
from weigh.media import Medium
from weigh.problem import Problem

__all__ = ["NearDuplicates", "clusters", "duplicate_groups", "find_identical", "find_near"]

MERGING = ("duplicate", "near-duplicate", "leak", "near-leak", "label-conflict")


@dataclass(frozen=True)
class NearDuplicates:
    """What the search found.

    Attributes:
        pairs: `(m, 2)` indices, i < j, verified.
        score: `(m,)` how alike they are; pictures: the partial correlation of their fine structure.
        alike: Share of a sample that looks like the others; pictures: above `MANY_ALIKE` all are judged by `STRICT`.
        searched: False where the data set is too large to search.
    """

    pairs: np.ndarray
    score: np.ndarray
    alike: float = 0.0
    searched: bool = True


def clusters(pairs: Sequence[tuple[int, int]] | np.ndarray) -> list[list[int]]:
    """Sets of indices that are connected by pairs, each ascending, in the order of their first index."""
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while parent.setdefault(i, i) != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs:
        ra, rb = root(int(a)), root(int(b))
        parent[max(ra, rb)] = min(ra, rb)
    members: dict[int, list[int]] = {}
    for i in sorted(parent):
        members.setdefault(root(i), []).append(i)
    return list(members.values())


def duplicate_groups(problems: Sequence[Problem], examples: Examples) -> np.ndarray:
    """`(n,)` int64 ids: examples that are copies of one another (exact or near) share an id, every other has its own.

    Given to `assign_folds` as groups, so that no copy of a test picture stands in training.
    """
    index = {path: i for i, path in enumerate(examples.path.tolist())}
    ids = np.arange(len(examples))
    pairs = [
        (index[cluster[0]], index[path])
        for problem in problems
        if problem.kind in MERGING
        for cluster in (tuple(p for p in paths if p in index) for paths in problem.pairs)
        for path in cluster[1:]
    ]
    for members in clusters(pairs):
        ids[members] = members[0]
    return ids


def find_identical(
    examples: Examples, keys: list[str], *, details: Callable[[Sequence[int]], dict] | None = None
) -> list[Problem]:
    """Examples with the same key (pixels, whatever their files look like; texts), and those of them with different labels.

    Args:
        details: More columns of the table, from the indices of one set of copies.
    """
    members: dict[str, list[int]] = {}
    for i, key in enumerate(keys):
        members.setdefault(key, []).append(i)
    groups = [same for same in members.values() if len(same) > 1]
    what = text("identical {w}", "完全相同的{w}", w=examples.medium.noun.many)
    problems = _copies_in_words(
        examples,
        groups,
        inside="duplicate",
        across="leak",
        what=what,
        details=lambda i: details(members[keys[i]]) if details else {},
    )
    return problems + _label_conflicts(examples, groups, what)


def find_near(
    examples: Examples,
    near: NearDuplicates,
    keys: list[str],
    *,
    limit: int,
) -> list[Problem]:
    """Near copies, in words.

    Args:
        keys: Equal for identical examples: all of them belong to the near copies of one.
        limit: More examples than this are not searched.
    """
    noun = examples.medium.noun
    if not near.searched:
        return [
            Problem(
                "near-duplicate",
                text(
                    "Near duplicates were not looked for: {n} {w} are more than {m}. Identical ones were.",
                    "未查找近似副本：{n} {w}超过上限 {m}。已检查完全相同的{k}。",
                    n=len(examples),
                    m=limit,
                    w=noun.counted,
                    k=noun.many,
                ),
                severity="note",
                numbers={"n": len(examples), "limit": limit},
            )
        ]
    if not len(near.pairs):
        return []
    # identical copies belong to the clusters of the example that was compared
    twins: dict[str, list[int]] = {}
    for i, value in enumerate(keys):
        twins.setdefault(value, []).append(i)
    pairs = [(a, t) for a, b in near.pairs.tolist() for t in twins[keys[a]] + twins[keys[b]] if t != a]
    best: dict[int, float] = {}
    for (a, b), score in zip(near.pairs.tolist(), near.score.tolist(), strict=True):
        for i in (*twins[keys[a]], *twins[keys[b]]):
            best[i] = max(best.get(i, 0.0), score)
    groups = clusters(pairs)
    what = text("near-identical {w}", "几乎相同的{w}", w=noun.many)
    problems = _copies_in_words(
        examples,
        groups,
        inside="near-duplicate",
        across="near-leak",
        what=what,
        details=lambda i: {"agreement": round(best.get(i, 0.0), 3)},
    )
    if (
        examples.medium.near_leak is not None or examples.kind.placed
    ):  # what stands where moves a little from copy to copy
        return problems
    mixed = [g for g in groups if len({keys[i] for i in g}) > 1]
    return problems + _label_conflicts(examples, mixed, what)


def _copies_in_words(
    examples: Examples,
    groups: Sequence[list[int]],
    *,
    inside: str,
    across: str,
    what: Text,
    details: Callable[[int], dict],
) -> list[Problem]:
    """Sets of copies within training, within test, and across the two."""
    near = inside == "near-duplicate"
    doubtful = near and examples.medium.near_leak is not None
    sets: dict[str, list[list[int]]] = {"train": [], "test": [], "both": []}
    for members in groups:
        parts = {"train" if examples.part[i] == "train" else "test" for i in members}
        sets["both" if len(parts) > 1 else parts.pop()].append(members)
    problems = []
    for where, repeats in sets.items():
        if not repeats:
            continue
        members = [i for group in repeats for i in group]
        numbers: dict[str, float] = {"sets": len(repeats), "n": len(members)}
        if where == "both":
            numbers["test"] = sum(1 for i in members if examples.part[i] != "train")
            sentence, why, do = _leaking(examples.medium, numbers, what, doubtful=doubtful)
        else:
            numbers["extra"] = len(members) - len(repeats)
            sentence, why, do = _repeated(examples.medium, where, numbers, what, near=near)
        kind = across if where == "both" else inside
        problems.append(_problem_of_sets(kind, sentence, examples, repeats, details, why=why, do=do, numbers=numbers))
    return problems


def _problem_of_sets(
    kind: str,
    sentence: Text,
    examples: Examples,
    sets: Sequence[list[int]],
    details: Callable[[int], dict] = lambda _: {},
    **fields: Any,
) -> Problem:
    """A problem that names every example of the sets, set by set."""
    paths = tuple(tuple(str(examples.path[i]) for i in members) for members in sets)
    rows = (
        {
            "set": number,
            "path": str(examples.path[i]),
            "part": str(examples.part[i]),
            "class": examples.quote(i),
            **details(i),
        }
        for number, members in enumerate(sets, 1)
        for i in members
    )
    return Problem(kind, sentence, tuple(p for one in paths for p in one), paths, details=tuple(rows), **fields)


def _leaking(
    medium: Medium, numbers: dict[str, float], what: Text, *, doubtful: bool
) -> tuple[Text, Text | None, Text]:
    """Copies in training and test: what is said, why it matters, what to do."""
    noun = medium.noun
    values = {"m": noun.many, "c": noun.counted, "u": noun.unit, "w": what}
    values |= {"t": numbers["test"], "k": numbers["sets"], "n": numbers["n"]}
    if doubtful:
        return (
            text(
                "Test {m} of which training holds a near copy: {t} (sets of {w}: {k}; {u} in all: {n}).",
                "测试数据中有 {t} {c}在训练数据中有近似副本（{w}共 {k} 组，{n} {u}）。",
                **values,
            ),
            medium.near_leak,
            text("Delete copies from the training or the test part.", "请从训练或测试部分中删除副本。"),
        )
    return (
        text(
            "Test {m} that also stand in training: {t} (sets of {w}: {k}; {u} in all: {n}).",
            "测试数据中有 {t} {c}也出现在训练数据中（{w}共 {k} 组，{n} {u}）。",
            **values,
        ),
        text(
            "The test score is too good: these {m} were seen in training.",
            "测试得分会偏高：这些{m}在训练中已经见过。",
            m=noun.many,
        ),
        text("Delete them from the training or the test part.", "请从训练或测试部分中删除它们。"),
    )


def _repeated(
    medium: Medium, where: str, numbers: dict[str, float], what: Text, *, near: bool
) -> tuple[Text, Text, Text]:
    """Copies within one part: what is said, why it matters, what to do."""
    noun = medium.noun
    sentence = text(
        "Sets of {w} in the {p} part: {k} ({n} {u}, {x} more than needed).",
        "{p}部分中有 {k} 组{w}：共 {n} {u}，多出 {x} {c}。",
        u=noun.unit,
        c=noun.unit_measure,
        p=text("training", "训练") if where == "train" else text("test", "测试"),
        k=numbers["sets"],
        w=what,
        n=numbers["n"],
        x=numbers["extra"],
    )
    why = (
        text("Copies stay in one fold, so that they cannot flatter a score.", "副本会留在同一折内，不会使得分虚高。")
        if where == "train"
        else text("Copies count twice in the test score.", "副本会在测试得分中重复计数。")
    )
    if near and medium.near_do is not None:
        return sentence, why, medium.near_do
    return sentence, why, text("Delete the superfluous {u}.", "请删除多余的{u}。", u=noun.units)


def _label_conflicts(examples: Examples, groups: Sequence[list[int]], what: Text) -> list[Problem]:
    conflicts = [g for g in groups if len({examples.quote(i) for i in g}) > 1]
    if not conflicts:
        return []
    noun = examples.medium.noun
    members = [i for g in conflicts for i in g]
    return [
        _problem_of_sets(
            "label-conflict",
            text(
                "Sets of {w} with different labels: {k} ({n} {u}).",
                "有 {k} 组{w}带有不同的标签（{n} {u}）。",
                u=noun.unit,
                k=len(conflicts),
                w=what,
                n=len(members),
            ),
            examples,
            conflicts,
            why=text(
                "At least one of the labels is wrong, or the classes overlap.", "至少有一个标签是错的，或者类别有重叠。"
            ),
            do=text("Give each {o} one label.", "请让每{o}只有一种标签。", o=noun.one),
            numbers={"sets": len(conflicts), "n": len(members)},
        )
    ]
