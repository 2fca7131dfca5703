"""Runs and folds of a cross-validation that others made, numbered as a study numbers its own.

Before it: the names in the columns `run` and `fold`. After it: `results.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weigh.data.examples import Examples
from weigh.data.rows.listing import natural_key
from weigh.errors import DataError
from weigh.language import first_names, text
from weigh.problem import Problem
from weigh.record.predictions.answers import Answers

__all__ = ["check_folds", "number_folds", "number_runs"]


def number_runs(answers: Sequence[Answers]) -> dict[tuple[str, str], int]:
    """Which run of a model is repeat 0, 1, …: by the names of the runs where models share them, else by their order."""
    runs: dict[str, list[str]] = {}
    for a in answers:
        runs.setdefault(a.model, []).append(a.run)
    shared = sorted({run for names in runs.values() for run in names}, key=natural_key)
    if len(shared) > max(len(names) for names in runs.values()):
        return {(m, run): i for m, names in runs.items() for i, run in enumerate(sorted(names, key=natural_key))}
    return {(m, run): shared.index(run) for m, names in runs.items() for run in names}


def number_folds(
    answers: Sequence[Answers], repeats: dict[tuple[str, str], int], n: int
) -> tuple[dict[int, np.ndarray] | None, list[Problem]]:
    """Repeat -> `(n,)` fold of every example, the same for all models, whatever they call it (-1: none); None for a test set.

    Raises:
        DataError: Models were cross-validated on different folds.
    """
    if any(a.fold is None for a in answers):
        return None, []
    named = [np.unique(a.fold.astype(str), return_inverse=True) for a in answers]  # type: ignore[union-attr]
    if max(len(names) for names, _ in named) < 2:
        sentence = text(
            "The column fold has a single value: this is no cross-validation, and is read as a test set.",
            "fold 列只有一个取值：这不是交叉验证，按测试集读取。",
        )
        return None, [Problem("one-fold", sentence, severity="note")]
    folds = {r: np.full(n, -1) for r in dict.fromkeys(repeats[a.model, a.run] for a in answers)}
    odd: set[str] = set()
    for a, (names, place) in zip(answers, named, strict=True):
        r = repeats[a.model, a.run]
        number = {name: k for k, name in enumerate(sorted(names.tolist(), key=natural_key))}
        mine = np.array([number[name] for name in names.tolist()])[place]
        before = folds[r][a.which]
        if (before < 0).all():
            folds[r][a.which] = mine
        elif not _same_parts(before, mine):
            odd.add(a.model)
    if odd:
        raise DataError(
            text(
                "Models were not cross-validated on the same folds; these differ from the first: {m}.",
                "各模型的交叉验证没有使用相同的折；与第一个模型不同的有：{m}。",
                m=", ".join(sorted(odd, key=natural_key)),
            ),
            text(
                "What the training samples do to a difference cannot be told then.",
                "这样就无法判断训练样本对差异的影响。",
            ),
            text(
                "Use the same folds in runs of the same name, and the same runs for all models; or leave out the column fold, to compare the trained models as they are.",
                "请让同名运行使用相同的折，且所有模型的运行相同；或者去掉 fold 列，只比较这些训练好的模型本身。",
            ),
        )
    return folds, []


def _same_parts(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two ways of numbering `(n,)` examples put the same examples together: one program counts folds from 0, another from 1."""
    pairs = np.unique(np.stack([one, other]), axis=1)
    return pairs.shape[1] == len(np.unique(one)) == len(np.unique(other))


def check_folds(examples: Examples, folds: dict[int, np.ndarray]) -> list[Problem]:
    """Groups on both sides of a split, and folds without one of the classes."""
    where = examples.where("train")
    target = examples.target[where]
    return [
        *_torn_groups(examples, where, folds),
        *_classes_in_one_fold(examples, target, folds),
        *_folds_without_classes(target, folds),
    ]


def _torn_groups(examples: Examples, where: np.ndarray, folds: dict[int, np.ndarray]) -> list[Problem]:
    """Groups whose examples stand in several folds."""
    problems = []
    if examples.group is not None:
        _, group = np.unique(examples.group[where], return_inverse=True)
        torn: set[int] = set()
        for fold in folds.values():
            cells = np.unique(np.stack([group, fold])[:, fold >= 0], axis=1)[0]
            torn |= set(np.flatnonzero(np.bincount(cells) > 1).tolist())
        if torn:
            inside = np.isin(group, list(torn))
            problems.append(
                Problem(
                    "split-group",
                    text(
                        "{k} of {n} groups {k:|stands|stand} in several folds: {k:|its|their} examples were on both sides of a split, so scores may be too good.",
                        "{n} 个组中有 {k} 个分散在多个折中：同组样本出现在划分的两侧，得分可能偏高。",
                        k=len(torn),
                        n=int(group.max()) + 1,
                    ),
                    paths=tuple(examples.path[where[inside]].tolist()),
                    numbers={"torn": len(torn), "groups": int(group.max()) + 1},
                    do=text(
                        "Cross-validate again with whole groups in a fold.", "请把整组放在同一折，重新做交叉验证。"
                    ),
                )
            )
    return problems


def _classes_in_one_fold(examples: Examples, target: np.ndarray, folds: dict[int, np.ndarray]) -> list[Problem]:
    """Classes that a model was never trained on, if it was not trained on the fold that it answers for."""
    problems = []
    kept = sorted({c for fold in folds.values() for c in _in_one_fold(target, fold)})
    if kept:
        problems.append(
            Problem(
                "class-in-one-fold",
                text(
                    "All examples of a class stand in one fold: {c}. Whoever answered for that fold never saw the class in "
                    "training, or was not kept from these examples.",
                    "以下类别的样本全部在同一折中：{c}。负责该折的模型要么在训练中从未见过这一类别，要么训练时用到了这些样本。",
                    c=first_names((examples.classes[c] for c in kept), 8),
                ),
                numbers={"classes": len(kept)},
                do=text(
                    "Cross-validate again with folds that share out every class.",
                    "请重新划分，使每个类别分散到各折，再做交叉验证。",
                ),
            )
        )
    return problems


def _folds_without_classes(target: np.ndarray, folds: dict[int, np.ndarray]) -> list[Problem]:
    """Folds in which some class has no example."""
    problems = []
    lacking = total = 0
    for fold in folds.values():
        for k in range(int(fold.max()) + 1):
            total += 1
            lacking += len(np.unique(target[fold == k])) < len(np.unique(target))
    if lacking:
        problems.append(
            Problem(
                "class-in-fold",
                text(
                    "{k} of {n} folds {k:|lacks|lack} examples of some class: scores within these folds leave that class out.",
                    "{n} 折中有 {k} 折缺少某个类别的样本：这些折内的得分不包含该类别。",
                    k=lacking,
                    n=total,
                ),
                severity="note",
                numbers={"lacking": lacking, "folds": total},
            )
        )
    return problems


def _in_one_fold(target: np.ndarray, fold: np.ndarray) -> list[int]:
    """Classes of several examples that one fold holds all of."""
    cells = np.unique(np.stack([target, fold])[:, fold >= 0], axis=1)[0]
    several = np.flatnonzero(np.bincount(target[fold >= 0]) > 1)
    return several[np.bincount(cells, minlength=several.max(initial=-1) + 1)[several] == 1].tolist()
