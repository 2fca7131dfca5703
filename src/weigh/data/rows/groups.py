"""Groups that a person names by a pattern over paths, or as contiguous blocks: examples of one group never stand on both sides of a split.

Before it: paths and their order. After it: `assembly.py` puts the groups into the index.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from weigh.errors import DataError
from weigh.language import text
from weigh.problem import Problem
from weigh.spec import DataSpec

__all__ = ["groups_by_pattern", "named_groups"]


def named_groups(
    spec: DataSpec, paths: Sequence[str], order: np.ndarray, group: np.ndarray | None
) -> tuple[np.ndarray | None, list[Problem]]:
    """`(n,)` groups as data.group_pattern and data.group_blocks say, else those of the table.

    Args:
        order: `(n,)` ranks; blocks are contiguous in it.

    Raises:
        DataError: No path holds the pattern, or a column names groups as well.
    """
    pattern, blocks = spec.group_pattern, spec.group_blocks
    if pattern is None and blocks is None:
        return group, []
    if group is not None:
        raise DataError(
            text(
                "Groups are named twice: data.columns.group is {c}, and data.group_pattern or data.group_blocks is set.",
                "分组被指定了两次：data.columns.group 为 {c}，同时又设置了 data.group_pattern 或 data.group_blocks。",
                c=spec.columns.group,
            ),
            do=text("Leave one of them out.", "请去掉其中之一。"),
        )
    groups: list[str] = [""] * len(paths)
    problems: list[Problem] = []
    if pattern is not None:
        matched = groups_by_pattern(pattern, paths)
        apart = [path for path, name in zip(paths, matched, strict=True) if name is None]
        if len(apart) == len(paths):
            raise DataError(
                text(
                    "data.group_pattern: no path holds {p} (first path: {f}).",
                    "data.group_pattern：没有路径与 {p} 匹配（第一个路径：{f}）。",
                    p=pattern,
                    f=paths[0] if paths else "–",
                ),
                do=text(
                    "Put what names the group in brackets, for example --set 'data.group_pattern=([^/]+)_[^/]*$'",
                    "请用括号括住表示分组的部分，例如 --set 'data.group_pattern=([^/]+)_[^/]*$'",
                ),
            )
        if apart:
            sentence = text(
                "Paths that data.group_pattern does not match: {n} of {t} (first: {f}); each is a group of its own.",
                "{t} 个路径中有 {n} 个与 data.group_pattern 不匹配（第一个：{f}），各自成组。",
                n=len(apart),
                t=len(paths),
                f=apart[0],
            )
            problems.append(Problem("group-pattern", sentence, tuple(apart), numbers={"n": len(apart)}))
        groups = [path if name is None else name for path, name in zip(paths, matched, strict=True)]
    if blocks is not None:
        groups = _blocks(groups, order, blocks)
    return np.array(groups, dtype=str), problems


def groups_by_pattern(pattern: str, paths: Sequence[str]) -> list[str | None]:
    """What the brackets of the pattern hold in each path (all of it where there are none); None where it is not found."""
    matches = (re.search(pattern, path) for path in paths)
    return [None if m is None else "/".join(g or "" for g in m.groups()) if m.groups() else m[0] for m in matches]


def _blocks(groups: Sequence[str], order: np.ndarray, blocks: int) -> list[str]:
    """Each group cut into contiguous parts of equal size, as far as that goes; named by their numbers from 1."""
    named = [""] * len(groups)
    members: dict[str, list[int]] = {}
    for i in np.argsort(order, kind="stable").tolist():
        members.setdefault(groups[i], []).append(i)
    for group, rows in members.items():
        for rank, i in enumerate(rows):
            named[i] = f"{group} {rank * blocks // len(rows) + 1}".strip()
    return named
