"""What is wrong, or merely odd, with the pictures of a data set; every file is named, bad ones are set aside.

Before it: an index (`images.py`). After it: folds, and `findings/data_problems.py`, which makes a finding of each problem.
One pass opens every unknown file (`facts.py`); everything here compares facts and says it in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from weigh.data.contents import fingerprint
from weigh.data.copies import find_identical, find_near, label_of
from weigh.data.duplicates import near_duplicates
from weigh.data.examples import Examples, Problem
from weigh.data.facts import Facts, picture_facts
from weigh.data.listing import set_aside
from weigh.data.oddities import find_odd_pictures, find_placeholders
from weigh.language import Text, text

__all__ = ["check_pictures"]

FEW_EXAMPLES = 10  # fewer examples of a class than this: its scores say little
IMBALANCE = 10.0  # largest class over smallest
Progress = Callable[[str, int, int], None]


def check_pictures(examples: Examples, *, progress: Progress | None = None) -> tuple[Examples, list[Problem]]:
    """Open every picture once and compare.

    Returns:
        The examples that can be used (those that do not open are set aside, with a new fingerprint), and the problems,
        worst first. The second call on the same files opens none of them and returns the same.
    """
    facts, grey = picture_facts(examples, progress=progress)
    problems = _unreadable(examples, facts)
    good = np.array([i for i, f in enumerate(facts) if not f.reason], dtype=np.int64)
    if len(good) < len(examples):
        facts, grey = [facts[i] for i in good], grey[good]
        examples = examples.subset(good)
        examples = replace(examples, fingerprint=fingerprint(examples))
    problems += _few_left(examples)
    if len(examples):
        problems += find_identical(examples, facts)
        pixels = [f.pixels for f in facts]
        problems += find_near(examples, near_duplicates(examples, grey, pixels, progress=progress), pixels)
        problems += find_placeholders(examples, facts)
        problems += _classes(examples)
        problems += find_odd_pictures(examples, facts)
    rank = {"error": 0, "warning": 1, "note": 2}
    return examples, sorted(problems, key=lambda p: rank[p.severity])


# Files that do not open ---------------------------------------------------------------------------------------------


def _unreadable(examples: Examples, facts: Sequence[Facts]) -> list[Problem]:
    bad = [i for i, f in enumerate(facts) if f.reason]
    if not bad:
        return []
    kinds = Counter(facts[i].reason for i in bad)
    words = {
        "unreadable": text("damaged", "已损坏"),
        "truncated": text("cut off", "不完整"),
        "too large": text("too large", "过大"),
        "not a picture": text("not a picture", "不是图片"),
        "missing": text("missing", "不存在"),
        "no permission": text("no permission to read", "无读取权限"),
    }
    listed = Text(
        ", ".join(f"{words[k].en}: {n}" for k, n in sorted(kinds.items())),
        "，".join(f"{words[k].zh}：{n}" for k, n in sorted(kinds.items())),
    )
    return [
        set_aside(
            "unreadable",
            text(
                "{n} of {t} files cannot be opened ({l}); they are set aside.",
                "{t} 个文件中有 {n} 个无法打开（{l}），已搁置。",
                n=len(bad),
                t=len(examples),
                l=listed,
            ),
            [str(examples.path[i]) for i in bad],
            text("Replace or delete them.", "请替换或删除这些文件。"),
            more={"files": len(examples), **kinds},
            details=tuple(
                {
                    "path": str(examples.path[i]),
                    "part": str(examples.part[i]),
                    "class": label_of(examples, i),
                    "reason": facts[i].reason,
                    "detail": facts[i].detail[0],
                }
                for i in bad
            ),
        )
    ]


def _few_left(examples: Examples) -> list[Problem]:
    """Errors: nothing, or a single class, is left to train on."""
    counts = _class_counts(examples, examples.where("train"))
    left = [c for c, n in zip(examples.classes, counts, strict=True) if n]
    if len(left) >= 2:
        return []
    return [
        Problem(
            "one-class",
            text(
                "Classes with readable training pictures: {k}.",
                "含可读取训练图片的类别数：{k}。",
                k=len(left),
            ),
            severity="error",
            why=text("A classifier needs at least two.", "分类器至少需要两个类别。"),
            do=text("Repair the files that cannot be opened, or add classes.", "请修复无法打开的文件，或增加类别。"),
            numbers={"classes": len(left)},
        )
    ]


# Classes ------------------------------------------------------------------------------------------------------------


def _classes(examples: Examples) -> list[Problem]:
    """Tiny classes, imbalance, names that differ only in case."""
    counts = _class_counts(examples, examples.where("train"))
    problems = []
    tiny = [(c, int(n)) for c, n in zip(examples.classes, counts, strict=True) if n < FEW_EXAMPLES]
    if tiny:
        problems.append(
            Problem(
                "tiny-class",
                text(
                    "Classes with fewer than {m} training pictures: {k} of {c}: {l}.",
                    "{c} 个类别中有 {k} 个的训练图片少于 {m} 张：{l}。",
                    k=len(tiny),
                    c=len(examples.classes),
                    m=FEW_EXAMPLES,
                    l=", ".join(f"{name} ({n})" for name, n in tiny[:10]) + (", …" if len(tiny) > 10 else ""),
                ),
                why=text(
                    "What is said about such a class rests on a few pictures.", "关于这类类别的结论只依据极少的图片。"
                ),
                do=text("Collect more pictures of them, or merge classes.", "请收集更多图片，或合并类别。"),
                numbers={"classes": len(tiny), "limit": FEW_EXAMPLES},
                details=tuple({"class": name, "examples": n} for name, n in tiny),
            )
        )
    present = counts[counts > 0]
    if len(present) >= 2 and present.max() >= IMBALANCE * present.min():
        largest, smallest = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max() + 1).argmin())
        problems.append(
            Problem(
                "imbalance",
                text(
                    "Classes are unbalanced: {a} has {x} training pictures, {b} has {y}.",
                    "类别不平衡：{a} 有 {x} 张训练图片，{b} 只有 {y} 张。",
                    a=examples.classes[largest],
                    x=int(counts[largest]),
                    b=examples.classes[smallest],
                    y=int(counts[smallest]),
                ),
                severity="note",
                why=text(
                    "Accuracy would mostly speak of the large classes; balanced accuracy does not.",
                    "准确率主要反映大类别；平衡准确率则不会。",
                ),
                do=text("Keep balanced accuracy as the primary metric.", "请以平衡准确率作为主要指标。"),
                numbers={"largest": int(counts[largest]), "smallest": int(counts[smallest])},
                details=tuple({"class": c, "examples": int(k)} for c, k in zip(examples.classes, counts, strict=True)),
            )
        )
    folded: dict[str, list[str]] = {}
    for name in examples.classes:
        folded.setdefault(" ".join(name.casefold().replace("_", " ").replace("-", " ").split()), []).append(name)
    alike = [names for names in folded.values() if len(names) > 1]
    if alike:
        problems.append(
            Problem(
                "class-names",
                text(
                    "Class names that differ only in writing: {l}.",
                    "只在写法上不同的类别名称：{l}。",
                    l="; ".join(" = ".join(names) for names in alike),
                ),
                why=text("They are probably one class.", "它们很可能是同一类别。"),
                do=text("Give them one name.", "请统一名称。"),
            )
        )
    return problems


def _class_counts(examples: Examples, rows: np.ndarray) -> np.ndarray:
    if examples.multilabel:
        return examples.target[rows].sum(axis=0, dtype=np.int64)
    return np.bincount(examples.target[rows], minlength=len(examples.classes))
