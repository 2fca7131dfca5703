"""Copies among the pictures of a data set, in words: within a part, across training and test, under two labels.

Before it: facts and the pairs that `duplicates.py` found. After it: `checks.py` collects the problems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weigh.data.duplicates import MOST_PICTURES, NearDuplicates, clusters
from weigh.data.examples import Examples, Problem
from weigh.data.facts import Facts
from weigh.language import Text, text

__all__ = ["find_identical", "find_near", "label_of"]


def find_identical(examples: Examples, facts: Sequence[Facts]) -> list[Problem]:
    """Pictures with the same pixels, whatever their files look like."""
    by_pixels: dict[str, list[int]] = {}
    for i, fact in enumerate(facts):
        by_pixels.setdefault(fact.pixels, []).append(i)
    groups = [members for members in by_pixels.values() if len(members) > 1]
    problems = _copies(
        examples,
        groups,
        inside="duplicate",
        across="leak",
        what=text("identical pictures", "完全相同的图片"),
        details=lambda i: {"bytes": "same" if _same_bytes(examples, by_pixels[facts[i].pixels]) else "different"},
    )
    return problems + _label_conflicts(examples, groups, text("identical pictures", "完全相同的图片"))


def find_near(examples: Examples, found: NearDuplicates, pixels: list[str]) -> list[Problem]:
    if not found.searched:
        return [
            Problem(
                "near-duplicate",
                text(
                    "Near duplicates were not looked for: {n} pictures are more than {m}. Identical ones were.",
                    "未查找近似重复：图片数 {n} 超过 {m}。已检查完全相同的图片。",
                    n=len(examples),
                    m=MOST_PICTURES,
                ),
                severity="note",
                numbers={"n": len(examples), "limit": MOST_PICTURES},
            )
        ]
    if not len(found.pairs):
        return []
    # identical copies of a picture belong to the clusters of that picture
    twins: dict[str, list[int]] = {}
    for i, value in enumerate(pixels):
        twins.setdefault(value, []).append(i)
    pairs = [(a, t) for a, b in found.pairs.tolist() for t in twins[pixels[a]] + twins[pixels[b]] if t != a]
    best: dict[int, float] = {}
    for (a, b), score in zip(found.pairs.tolist(), found.score.tolist(), strict=True):
        for i in (*twins[pixels[a]], *twins[pixels[b]]):
            best[i] = max(best.get(i, 0.0), score)
    groups = clusters(pairs)
    what = text("near-identical pictures", "几乎相同的图片")
    problems = _copies(
        examples,
        groups,
        inside="near-duplicate",
        across="near-leak",
        what=what,
        details=lambda i: {"agreement": round(best.get(i, 0.0), 3)},
    )
    mixed = [g for g in groups if len({pixels[i] for i in g}) > 1]
    return problems + _label_conflicts(examples, mixed, what)


def _copies(
    examples: Examples,
    groups: Sequence[list[int]],
    *,
    inside: str,
    across: str,
    what: Text,
    details: Callable[[int], dict],
) -> list[Problem]:
    """Sets of copies within training, within test, and across the two."""
    sets: dict[str, list[list[int]]] = {"train": [], "test": [], "both": []}
    for members in groups:
        parts = {"train" if examples.part[i] == "train" else "test" for i in members}
        sets["both" if len(parts) > 1 else parts.pop()].append(members)
    problems = []
    for where, found in sets.items():
        if not found:
            continue
        members = [i for group in found for i in group]
        extra = len(members) - len(found)
        in_test = sum(1 for i in members if examples.part[i] != "train")
        numbers: dict[str, float] = {"sets": len(found), "n": len(members)}
        if where == "both":
            sentence = text(
                "Test pictures that also stand in training: {t} (sets of {w}: {k}; files in all: {n}).",
                "有 {t} 张测试图片也出现在训练数据中（{w}共 {k} 组，{n} 个文件）。",
                t=in_test,
                k=len(found),
                w=what,
                n=len(members),
            )
            why = text(
                "The test score is too good: these pictures were seen in training.",
                "测试得分会偏高：这些图片在训练中已经见过。",
            )
            do = text("Delete them from the training or the test part.", "请从训练或测试部分中删除它们。")
            numbers["test"] = in_test
        else:
            part = text("training", "训练") if where == "train" else text("test", "测试")
            sentence = text(
                "Sets of {w} in the {p} part: {k} ({n} files, {x} more than needed).",
                "{p}部分中有 {k} 组{w}：共 {n} 个文件，多出 {x} 个。",
                p=part,
                k=len(found),
                w=what,
                n=len(members),
                x=extra,
            )
            why = (
                text(
                    "Copies stay in one fold, so that they cannot flatter a score.",
                    "副本会留在同一折内，不会使得分虚高。",
                )
                if where == "train"
                else text("Copies count twice in the test score.", "副本会在测试得分中重复计数。")
            )
            do = text("Delete the superfluous files.", "请删除多余的文件。")
            numbers["extra"] = extra
        problems.append(
            Problem(
                across if where == "both" else inside,
                sentence,
                tuple(str(examples.path[i]) for i in members),
                tuple(tuple(str(examples.path[i]) for i in group) for group in found),
                why=why,
                do=do,
                numbers=numbers,
                details=tuple(
                    {
                        "set": number,
                        "path": str(examples.path[i]),
                        "part": str(examples.part[i]),
                        "class": label_of(examples, i),
                        **details(i),
                    }
                    for number, group in enumerate(found, 1)
                    for i in group
                ),
            )
        )
    return problems


def _label_conflicts(examples: Examples, groups: Sequence[list[int]], what: Text) -> list[Problem]:
    conflicts = [g for g in groups if len({label_of(examples, i) for i in g}) > 1]
    if not conflicts:
        return []
    members = [i for g in conflicts for i in g]
    return [
        Problem(
            "label-conflict",
            text(
                "Sets of {w} with different labels: {k} ({n} files).",
                "有 {k} 组{w}带有不同的标签（{n} 个文件）。",
                k=len(conflicts),
                w=what,
                n=len(members),
            ),
            tuple(str(examples.path[i]) for i in members),
            tuple(tuple(str(examples.path[i]) for i in g) for g in conflicts),
            why=text(
                "At least one of the labels is wrong, or the classes overlap.", "至少有一个标签是错的，或者类别有重叠。"
            ),
            do=text("Keep each picture in one class.", "每张图片只保留在一个类别中。"),
            numbers={"sets": len(conflicts), "n": len(members)},
            details=tuple(
                {
                    "set": number,
                    "path": str(examples.path[i]),
                    "part": str(examples.part[i]),
                    "class": label_of(examples, i),
                }
                for number, g in enumerate(conflicts, 1)
                for i in g
            ),
        )
    ]


def _same_bytes(examples: Examples, members: Sequence[int]) -> bool:
    return len({str(examples.content[i]) for i in members}) == 1


def label_of(examples: Examples, i: int) -> str:
    """The class of an example, or its classes joined."""
    if examples.multilabel:
        return " + ".join(c for c, on in zip(examples.classes, examples.target[i], strict=True) if on) or "–"
    return examples.classes[int(examples.target[i])]
