"""Which classes a cross-validation can train and test at all, said before anything is trained.

Before it: targets, and what is dealt whole (groups, sets of copies). After it: `plan/prepare.py` refuses a design that measures nothing;
the report repeats the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weigh.data.folds import GROUPS, unit_ids
from weigh.kinds.base import Kind
from weigh.language import Text, first_names, text
from weigh.problem import Problem

__all__ = ["fold_warnings"]

NAMED = 10  # classes that a sentence lists


def fold_warnings(
    kind: Kind,
    target: np.ndarray,
    folds: int,
    classes: Sequence[str],
    group: np.ndarray | None = None,
    *,
    units: Text = GROUPS,
) -> list[Problem]:
    """Classes of a single group (or example), classes of fewer than there are folds, and groups of one example each.

    Args:
        target: Of the training part; `classes` names what stands in it.
        units: What the groups are: `folds.GROUPS` that the user named, or `folds.COPIES`.

    Returns:
        Problems of the kinds "never-trained" (an error where fewer than two classes can be both trained and tested),
        "class-in-fold" and "groups"; `details` has one row per class (`class`, `examples`, `groups`).
    """
    target = np.asarray(target)
    named = group is not None and units is GROUPS
    unit = unit_ids(group, len(target))
    problems = []
    if named and len(target) and len(np.unique(unit)) == len(target):
        problems.append(_groups_of_one(len(target)))
    if not kind.typed:
        return problems
    if kind.exclusive:
        _, pairs_example, pairs_label, labels = kind.strata(target)
    else:  # strata may lack classes: of masks and boxes those that stand in every picture, or in none
        members = kind.members(target, len(classes))
        pairs_example, pairs_label = np.nonzero(members)
        labels = members.shape[1]
    units_with = np.unique(unit[pairs_example] * labels + pairs_label) % labels
    examples, groups = np.bincount(pairs_label, minlength=labels), np.bincount(units_with, minlength=labels)
    present = [
        {"class": classes[c], "examples": int(examples[c]), "groups": int(groups[c])}
        for c in range(labels)
        if groups[c]
    ]
    lone = [row for row in present if row["groups"] == 1]
    few = [row for row in present if 1 < row["groups"] < folds]
    if lone:
        too_few_left = kind.exclusive and len(present) - len(lone) < 2
        problems.append(
            _never_trained(lone, len(present), named=named, too_few_left=too_few_left, scored=kind.fewest < 2)
        )
    if few:
        problems.append(_not_in_every_fold(few, folds, GROUPS if named else text("examples", "样本")))
    return problems


def _listed(rows: list[dict[str, str | int]]) -> str:
    return first_names((f"{row['class']} ({row['examples']})" for row in rows), NAMED)


def _groups_of_one(n: int) -> Problem:
    return Problem(
        "groups",
        text(
            "Every example has a group of its own ({n}): nothing is kept together.",
            "每个样本自成一组（{n} 组）：没有任何样本被放在一起。",
            n=n,
        ),
        do=text("Group by a column whose values repeat.", "请使用取值有重复的分组列。"),
        numbers={"n": n},
    )


def _never_trained(
    lone: list[dict[str, str | int]], present: int, *, named: bool, too_few_left: bool, scored: bool
) -> Problem:
    """Classes in one group, or of one example: whatever fold tests them, no model has seen them.

    Args:
        scored: Scores speak of classes however few examples they have.
    """
    values = {"k": len(lone), "c": present, "l": _listed(lone)}
    sentence = (
        text(
            "Classes that stand in one group only: {k} of {c}: {l}.",
            "只出现在一个分组中的类别：{c} 个中有 {k} 个：{l}。",
            **values,
        )
        if named
        else text(
            "Classes of a single example (copies count once): {k} of {c}: {l}.",
            "只有一个样本的类别（副本只算一个）：{c} 个中有 {k} 个：{l}。",
            **values,
        )
    )
    return Problem(
        "never-trained",
        sentence
        + text("When it is tested, no model has been trained on it.", "测试这样的类别时，没有任何模型用它训练过。"),
        severity="error" if too_few_left else "warning",
        why=text(
            "Fewer than two classes would be left to measure: the score would be that of the design, not of a model.",
            "能够衡量的类别不足两个：得分反映的是设计，而不是模型。",
        )
        if too_few_left
        else text(
            "Every answer to it is wrong, whatever the model, and lowers the score.",
            "无论用什么模型，对它的回答都会是错的，得分因此偏低。",
        )
        if scored
        else text(
            "What stands there of such a class is missed, whatever the model; scores speak of such a class only if enough pictures hold it.",
            "无论用什么模型，这类目标都会被漏掉；只有含有该类别的图片足够多时，得分才会涉及它。",
        ),
        do=text(
            "Group by a column whose groups hold several classes each, or leave design.group_by out.",
            "请使用每组含多个类别的分组列，或去掉 design.group_by。",
        )
        if named
        else text(
            "Collect more examples of these classes, or leave the classes out.",
            "请收集这些类别的更多样本，或去掉这些类别。",
        ),
        numbers={"lone": len(lone), "classes": present},
        details=tuple(lone),
    )


def _not_in_every_fold(few: list[dict[str, str | int]], folds: int, what: Text) -> Problem:
    return Problem(
        "class-in-fold",
        text(
            "Classes with fewer {w} than there are folds ({f}): {k}: {l}. Some folds do not test them.",
            "{w}数少于折数（{f}）的类别：{k} 个：{l}。某些折不会测试它们。",
            w=what,
            f=folds,
            k=len(few),
            l=_listed(few),
        ),
        severity="note",
        why=text("Scores of such a class rest on a few {w}.", "这类类别的得分只依据极少的{w}。", w=what),
        do=text("Collect more examples, or set fewer folds.", "请收集更多样本，或减少折数。"),
        numbers={"classes": len(few), "folds": folds},
        details=tuple(few),
    )
