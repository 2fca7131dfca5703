"""Classes of a data set, in words: too few, tiny, unbalanced, named alike or like a missing value; for every task.

Before it: an index without what was set aside. After it: the checks of a task collect the problems.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weigh.data.examples import Examples
from weigh.data.names import folded, means_nothing
from weigh.language import Text, first_names, join_texts, text
from weigh.nouns import Noun
from weigh.problem import Problem

__all__ = ["alike_names", "check_classes", "few_classes", "size_in_words"]

FEW_EXAMPLES = 10  # fewer examples of a class than this: its scores say little
IMBALANCE = 10.0  # largest class over smallest


def few_classes(examples: Examples) -> list[Problem]:
    """Errors: nothing, or a single class, is left to train on; and what is wrong with the targets themselves."""
    if not examples.kind.probable:
        return [*_nothing_left(examples), *examples.kind.check(examples.target, examples.part)]
    counts = examples.class_counts(examples.where("train"))
    left = [c for c, n in zip(examples.classes, counts, strict=True) if n]
    if len(left) >= 2:
        return []
    return [
        Problem(
            "one-class",
            text(
                "Classes with usable training {w}: {k}.",
                "含可用训练{w}的类别数：{k}。",
                k=len(left),
                w=examples.medium.noun.many,
            ),
            severity="error",
            why=text("A classifier needs at least two.", "分类器至少需要两个类别。"),
            do=text("Repair what was set aside, or add classes.", "请修复被搁置的数据，或增加类别。"),
            numbers={"classes": len(left)},
        )
    ]


def check_classes(examples: Examples) -> list[Problem]:
    """Tiny classes, imbalance, names that differ only in case. Of entities, classes are the types, and each entity counts."""
    if not examples.classes:
        return []
    counts = examples.class_counts(examples.where("train"))
    return [
        *(_unjudged(examples) or _tiny(examples, counts)),
        *_unbalanced(examples, counts),
        *alike_names(examples.classes, text("They are probably one class.", "它们很可能是同一类别。")),
        *_empty_names(examples.classes, counts),
    ]


def _unjudged(examples: Examples) -> list[Problem]:
    """Classes that scores of a part do not speak of, since too few of its examples hold them; also those that it lacks."""
    noun, classes, fewest = examples.medium.noun, examples.classes, examples.kind.fewest
    problems = []
    for part in dict.fromkeys(examples.part.tolist()) if fewest else ():
        target = examples.target[examples.where(part)]
        holders = examples.kind.members(target, len(classes)).sum(axis=0)
        few = [
            (name, int(n))
            for name, n, fine in zip(classes, holders, examples.kind.judged(target, len(classes)), strict=True)
            if not fine
        ]
        if not few:
            continue
        where = {"train": text("the training part", "训练部分"), "test": text("the test part", "测试部分")}
        sentence = text(
            "Of {c} classes, {k} {k:|stands|stand} in fewer than {m} {w} of {p}; {k:|it|they} cannot be judged, and scores there do not speak of {k:|it|them}: {l}.",
            "{c} 个类别中有 {k} 个在{p}中出现于不足 {m} {u}，无法评判，那里的得分也不包含它们：{l}。",
            m=fewest,
            w=noun.many,
            u=noun.counted,
            p=where.get(part, part.removeprefix("shift:")),
            k=len(few),
            c=len(classes),
            l=first_names((f"{name} ({n})" for name, n in few), 10),
        )
        problems.append(
            Problem(
                "few-pictures",
                sentence,
                do=text("Collect more {w} of them, or merge classes.", "请收集更多{w}，或合并类别。", w=noun.many),
                numbers={"classes": len(few), "limit": fewest},
                details=tuple({"class": name, "part": part, noun.many.en: n} for name, n in few),
            )
        )
    return problems


def _tiny(examples: Examples, counts: np.ndarray) -> list[Problem]:
    noun = examples.kind.counted or examples.medium.noun
    tiny = [(c, int(n)) for c, n in zip(examples.classes, counts, strict=True) if n < FEW_EXAMPLES]
    if not tiny:
        return []
    return [
        Problem(
            "tiny-class",
            text(
                "Classes with fewer than {m} training {w}: {k} of {c}: {l}.",
                "{c} 个类别中有 {k} 个的训练{w}少于 {m} {u}：{l}。",
                k=len(tiny),
                c=len(examples.classes),
                m=FEW_EXAMPLES,
                w=noun.many,
                u=noun.measure,
                l=first_names((f"{name} ({n})" for name, n in tiny), 10),
            ),
            why=text(
                "What is said about such a class rests on a few {w}.",
                "关于这类类别的结论只依据极少的{w}。",
                w=noun.many,
            ),
            do=text("Collect more {w} of them, or merge classes.", "请收集更多{w}，或合并类别。", w=noun.many),
            numbers={"classes": len(tiny), "limit": FEW_EXAMPLES},
            details=tuple({"class": name, "examples": n} for name, n in tiny),
        )
    ]


def _unbalanced(examples: Examples, counts: np.ndarray) -> list[Problem]:
    noun = examples.kind.counted or examples.medium.noun
    present = counts[counts > 0]
    if len(present) < 2 or present.max() < IMBALANCE * present.min():
        return []
    largest, smallest = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max() + 1).argmin())
    return [
        Problem(
            "imbalance",
            text(
                "Classes are unbalanced: {a} has {x} training {w}, {b} has {y}.",
                "类别不平衡：{a} 有 {x} {u}训练{w}，{b} 只有 {y} {u}。",
                a=examples.classes[largest],
                x=int(counts[largest]),
                b=examples.classes[smallest],
                y=int(counts[smallest]),
                w=noun.many,
                u=noun.measure,
            ),
            severity="note",
            why=examples.kind.unbalanced_why,
            do=examples.kind.unbalanced_do,
            numbers={"largest": int(counts[largest]), "smallest": int(counts[smallest])},
            details=tuple({"class": c, "examples": int(k)} for c, k in zip(examples.classes, counts, strict=True)),
        )
    ]


def alike_names(classes: Sequence[str], why: Text) -> list[Problem]:
    """Classes whose names differ only in writing; `why` says what follows from it."""
    names_by_form: dict[str, list[str]] = {}
    for name in classes:
        names_by_form.setdefault(folded(name), []).append(name)
    alike = [" = ".join(names) for names in names_by_form.values() if len(names) > 1]
    if not alike:
        return []
    sentence = text(
        "Class names that differ only in writing: {l}.",
        "只在写法上不同的类别名称：{l}。",
        l=join_texts(alike, "; ", "；"),
    )
    do = text("Write the name of each class in one way.", "请统一每个类别名称的写法。")
    return [Problem("class-names", sentence, why=why, do=do)]


def _empty_names(classes: Sequence[str], counts: np.ndarray) -> list[Problem]:
    """Classes that are called as programs call a missing value."""
    named = [(name, int(n)) for name, n in zip(classes, counts, strict=True) if means_nothing(name)]
    if not named:
        return []
    return [
        Problem(
            "missing-name",
            text(
                "Classes that are called like a missing value: {l}. Each is a class like any other.",
                "名称像缺失值的类别：{l}。它们与其他类别一样使用。",
                l=", ".join(f"{name} ({n})" for name, n in named),
            ),
            severity="note",
            do=text(
                "If they mean that there is no label, leave these labels empty; if they are classes, nothing is to be done.",
                "若表示没有标签，请将这些标签留空；若确实是类别，则无需处理。",
            ),
            numbers={"classes": len(named)},
        )
    ]


def _nothing_left(examples: Examples) -> list[Problem]:
    """The error of a task that needs no second class, where no example is left."""
    if len(examples.where("train")):
        return []
    return [
        Problem(
            "empty",
            text("No training {w} are left.", "没有剩下任何训练{w}。", w=examples.medium.noun.many),
            severity="error",
            do=text("Repair what was set aside.", "请修复被搁置的数据。"),
        )
    ]


def size_in_words(examples: Examples) -> Problem:
    """How many examples there are, by part and by class: a note of the kind "size"."""
    noun = examples.medium.noun
    parts = {str(name): int(n) for name, n in zip(*np.unique(examples.part, return_counts=True), strict=True)}
    train, test = parts.pop("train", 0), parts.pop("test", 0)
    further = "".join(f", {name.removeprefix('shift:')}: {n}" for name, n in parts.items())
    numbers: dict[str, float] = {"n": len(examples), "train": train, "test": test, **parts}
    details: tuple[dict, ...] = ()
    what, listed = text(".", "。"), text("", "")
    if examples.classes:
        counts = examples.class_counts(np.arange(len(examples)))
        shares = examples.kind.shares(examples.target, len(examples.classes))
        listed = _counted(examples.classes, counts, shares, noun)
        what, counted = (
            text(" in {c} {c:|class|classes}.", "，{c} 个类别。", c=len(examples.classes)),
            examples.kind.counted,
        )
        if counted is not None:
            what = text(" with {c} {c:|type|types} of {w}.", "，{c} 种{w}。", c=len(examples.classes), w=counted.many)
        numbers["classes"] = len(examples.classes)
        details = tuple({"class": c, "examples": int(n)} for c, n in zip(examples.classes, counts, strict=True))
        if shares is not None:
            details = tuple({**row, "share": round(float(s), 6)} for row, s in zip(details, shares, strict=True))
    elif len(examples):
        listed, extent = examples.kind.extent(examples.target)
        numbers |= extent
    sentence = text(
        "{n} {w} ({a} train, {b} test{s}){x}",
        "{n} {w}（训练 {a}，测试 {b}{s}）{x}",
        n=len(examples),
        w=noun.of(len(examples)),
        a=train,
        b=test,
        s=further,
        x=what,
    )
    sizes = examples.kind.sizes(examples.target) if len(examples) else None
    if sizes is not None:
        sentence = sentence + _sizes(sizes)
    sentence = sentence + listed
    return Problem("size", sentence, severity="note", numbers=numbers, details=details)


def _counted(classes: Sequence[str], counts: np.ndarray, shares: np.ndarray | None, noun: Noun) -> Text:
    """Each class with its examples; where it fills a share of them, with that too."""
    if shares is None:
        listed = ", ".join(f"{name}: {n}" for name, n in zip(classes, counts, strict=True))
        return text("{l}", "{l}", l=listed)
    rows = [(name, f"{s:.1%}", int(n)) for name, s, n in zip(classes, shares, counts, strict=True)]
    title = text("Share of the area, and {w} that hold the class:", "各类别的面积占比及含有它的{w}数：", w=noun.many)
    listed = ", ".join(f"{name}: {share} ({n})" for name, share, n in rows)
    return title + text("{l}.", "{l}。", l=listed)


def _sizes(sizes: np.ndarray) -> Text:
    """How large examples are, `(n, 2)` height and width."""
    different, counts = np.unique(sizes, axis=0, return_counts=True)
    height, width = different[counts.argmax()]
    if len(different) == 1:
        return text("All are {w} x {h} pixels.", "尺寸均为 {w} x {h} 像素。", w=width, h=height)
    (low, left), (high, right) = sizes.min(axis=0), sizes.max(axis=0)
    return text(
        "There are {n} sizes, {a} to {c} pixels wide and {b} to {d} high; the most frequent is {w} x {h} ({k}).",
        "共 {n} 种尺寸，宽 {a}–{c}、高 {b}–{d} 像素；最常见的是 {w} x {h}（{k} 个）。",
        n=len(different),
        a=left,
        b=low,
        c=right,
        d=high,
        k=int(counts.max()),
        w=width,
        h=height,
    )
