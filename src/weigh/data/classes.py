"""Classes of a data set, in words: too few, tiny, unbalanced, named alike; for every task.

Before it: an index without what was set aside. After it: the checks of a task collect the problems.
"""

from __future__ import annotations

import numpy as np

from weigh.data.examples import Examples, Problem
from weigh.data.nouns import ENTITIES, noun_of
from weigh.data.tags import joined_tokens
from weigh.language import Text, text

__all__ = ["check_classes", "check_numbers", "class_counts", "few_classes", "label_of", "size_in_words"]

FEW_EXAMPLES = 10  # fewer examples of a class than this: its scores say little
IMBALANCE = 10.0  # largest class over smallest


def few_classes(examples: Examples) -> list[Problem]:
    """Errors: nothing, or a single class, is left to train on."""
    if not examples.classes or examples.tokens is not None:
        return _nothing_left(examples)
    counts = class_counts(examples, examples.where("train"))
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
                w=noun_of(examples).many,
            ),
            severity="error",
            why=text("A classifier needs at least two.", "分类器至少需要两个类别。"),
            do=text("Repair what was set aside, or add classes.", "请修复被搁置的数据，或增加类别。"),
            numbers={"classes": len(left)},
        )
    ]


def check_numbers(examples: Examples) -> list[Problem]:
    """Numbers that do not vary: an error in training, where a correlation then says nothing, a warning in a test part."""
    if examples.kind != "number":
        return []
    problems = []
    for part in dict.fromkeys(examples.part.tolist()):
        values, counts = np.unique(examples.target[examples.where(part)], return_counts=True)
        n, others = int(counts.sum()), int(counts.sum() - counts.max())
        where = part.removeprefix("shift:")
        if part == "train" and n and (not others or (others < FEW_EXAMPLES and others * 5 < n)):
            what = (
                text("All {n} training labels are {v:g}.", "全部 {n} 个训练标签都是 {v:g}。", n=n, v=values[0])
                if not others
                else text(
                    "All but {k} of {n} training labels are {v:g}.",
                    "{n} 个训练标签中，除 {k} 个外都是 {v:g}。",
                    n=n,
                    k=others,
                    v=values[counts.argmax()],
                )
            )
            problems.append(
                Problem(
                    "constant-label",
                    what,
                    severity="error",
                    why=text(
                        "There is nothing to learn, and a correlation with what does not vary says nothing.",
                        "没有可学习的内容；与不变的数值计算相关性没有意义。",
                    ),
                    do=text(
                        "Check that the right column holds the labels: --set data.label=NAME",
                        "请检查标签列是否正确：--set data.label=列名",
                    ),
                    numbers={"n": n, **({"others": others} if others else {})},
                )
            )
        elif part != "train" and n and not others:
            problems.append(
                Problem(
                    "constant-label",
                    text(
                        "All {n} labels of the part {p} are {v:g}: no correlation can be measured there.",
                        "{p} 部分的 {n} 个标签全是 {v:g}：无法在其上计算相关性。",
                        n=n,
                        v=values[0],
                        p=where,
                    ),
                    why=text("A score that is a correlation is missing there.", "以相关性为得分的指标在该部分缺失。"),
                    do=text(
                        "Give test examples whose labels differ, or choose another metric: --set metrics.primary=mae",
                        "请提供标签有差异的测试样本，或改用其他指标：--set metrics.primary=mae",
                    ),
                    numbers={"n": n},
                )
            )
    return problems


def check_classes(examples: Examples) -> list[Problem]:
    """Tiny classes, imbalance, names that differ only in case. Of entities, classes are the types, and each entity counts."""
    if not examples.classes:
        return []
    noun = ENTITIES if examples.tokens is not None else noun_of(examples)
    counts = class_counts(examples, examples.where("train"))
    problems = []
    tiny = [(c, int(n)) for c, n in zip(examples.classes, counts, strict=True) if n < FEW_EXAMPLES]
    if tiny:
        problems.append(
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
                    l=", ".join(f"{name} ({n})" for name, n in tiny[:10]) + (", …" if len(tiny) > 10 else ""),
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
        )
    present = counts[counts > 0]
    if len(present) >= 2 and present.max() >= IMBALANCE * present.min():
        largest, smallest = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max() + 1).argmin())
        problems.append(
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
                why=text(
                    "A score over all entities mostly speaks of the large types.", "总体得分主要反映数量多的类型。"
                )
                if noun is ENTITIES
                else text(
                    "Accuracy would mostly speak of the large classes; balanced accuracy does not.",
                    "准确率主要反映大类别；平衡准确率则不会。",
                ),
                do=text("Look at the score of each type as well.", "请同时查看每种类型的得分。")
                if noun is ENTITIES
                else text("Keep balanced accuracy as the primary metric.", "请以平衡准确率作为主要指标。"),
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


def _nothing_left(examples: Examples) -> list[Problem]:
    """For tasks that need no second class: an error only where no example is left."""
    if len(examples.where("train")):
        return []
    return [
        Problem(
            "empty",
            text("No training {w} are left.", "没有剩下任何训练{w}。", w=noun_of(examples).many),
            severity="error",
            do=text("Repair what was set aside.", "请修复被搁置的数据。"),
        )
    ]


def size_in_words(examples: Examples) -> Problem:
    """How many examples there are, by part and by class: a note of the kind "size"."""
    noun = noun_of(examples)
    parts = {str(name): int(n) for name, n in zip(*np.unique(examples.part, return_counts=True), strict=True)}
    train, test = parts.pop("train", 0), parts.pop("test", 0)
    further = "".join(f", {name.removeprefix('shift:')}: {n}" for name, n in parts.items())
    numbers: dict[str, float] = {"n": len(examples), "train": train, "test": test, **parts}
    details: tuple[dict, ...] = ()
    what, listed = text(".", "。"), text("", "")
    if examples.classes:
        counts = class_counts(examples, np.arange(len(examples)))
        line = ", ".join(f"{name}: {n}" for name, n in zip(examples.classes, counts, strict=True))
        listed = Text(line, line)
        kinds = text(" in {c} classes.", "，{c} 个类别。", c=len(examples.classes))
        types = text(" with {c} types of entities.", "，{c} 种实体。", c=len(examples.classes))
        what = kinds if examples.tokens is None else types
        numbers["classes"] = len(examples.classes)
        details = tuple({"class": c, "examples": int(n)} for c, n in zip(examples.classes, counts, strict=True))
    elif len(examples):
        low, high = float(examples.target.min()), float(examples.target.max())
        listed = text("Labels from {a} to {b}.", "标签从 {a} 到 {b}。", a=f"{low:g}", b=f"{high:g}")
        numbers |= {"lowest": low, "highest": high}
    sentence = text(
        "{n} {w} ({a} train, {b} test{s}){x}",
        "{n} {w}（训练 {a}，测试 {b}{s}）{x}",
        n=len(examples),
        w=noun.counted,
        a=train,
        b=test,
        s=further,
        x=what,
    )
    sentence = sentence + listed
    return Problem("size", sentence, severity="note", numbers=numbers, details=details)


def class_counts(examples: Examples, rows: np.ndarray) -> np.ndarray:
    """`(classes,)` examples of each class among `rows`; of entities, how many there are of each type."""
    if examples.target.dtype == object:
        kinds = [kind for i in rows.tolist() for _, _, kind in examples.target[i]]
        return np.bincount(np.array(kinds, dtype=np.int64), minlength=len(examples.classes))
    if examples.multilabel:
        return examples.target[rows].sum(axis=0, dtype=np.int64)
    return np.bincount(examples.target[rows], minlength=len(examples.classes))


def label_of(examples: Examples, i: int) -> str:
    """The class of an example, or its classes joined; a number; the entities of a sentence."""
    if examples.target.dtype == object:
        tokens = () if examples.tokens is None else examples.tokens[i]
        found = [f"{examples.classes[k]}: {joined_tokens(tokens[a:b])} [{a}:{b}]" for a, b, k in examples.target[i]]
        return "; ".join(found) or "–"
    if examples.multilabel:
        return " + ".join(c for c, on in zip(examples.classes, examples.target[i], strict=True) if on) or "–"
    if not examples.classes:
        return f"{examples.target[i]:g}"
    return examples.classes[int(examples.target[i])]
