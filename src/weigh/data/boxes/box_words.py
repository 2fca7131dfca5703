"""What is said of a source of boxes as a whole: small boxes, pictures without any, ids and names that disagree, further layouts, nothing at all.

Before it: `index.py`. After it: findings.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from weigh.data.boxes.cleaning import Cleaned
from weigh.data.boxes.layouts import BoxLayout
from weigh.data.boxes.unread import unread_labels
from weigh.data.boxes.written import WrittenBoxes
from weigh.data.names import folded
from weigh.data.rows.listing import natural_key
from weigh.errors import DataError
from weigh.kinds.boxes import BoxRow
from weigh.language import first_names, text
from weigh.problem import Problem

__all__ = [
    "alike_names",
    "differing_ids",
    "no_boxes",
    "other_layouts",
    "same_names",
    "small_boxes",
    "unused_classes",
    "without_boxes",
]

VANISHING = 2.0  # pixels of the shorter side in what networks see
MANY = 0.01  # of all boxes: from so many on scores feel it
SHOWN = 3
NAMED = 12  # classes in a sentence


def small_boxes(
    pictures: Sequence[str],
    written: Sequence[WrittenBoxes],
    targets: Sequence[BoxRow],
    cleaned: Cleaned,
    frame: Sequence[int],
) -> list[Problem]:
    """Boxes that hardly leave a trace in pictures scaled to `frame`, height and width."""
    marks, details = [], []
    for i, row in enumerate(targets):
        own = cleaned.box[slice(*np.searchsorted(cleaned.row, [i, i + 1]))]
        scale = min(frame[0] / row.boxes.height, frame[1] / row.boxes.width)
        sides = (row.boxes.corners[:, 2:] - row.boxes.corners[:, :2]).min(axis=1, initial=np.inf) * scale
        for k in np.flatnonzero((sides < VANISHING) & ~row.boxes.crowd):
            marks.append(written[i].marks[own[k]])
            details.append({"path": marks[-1], "picture": pictures[i], "class": row.names[k] or "", "pixels": f"{sides[k]:.1f}"})  # fmt: skip
    if not marks:
        return []
    sentence = text(
        "Boxes narrower than {l:.0f} pixels in what networks see by default ({w} x {h}): {n} of {t} (first: {f}); they count, and are hardly ever found.",
        "在网络默认看到的尺寸（{w} x {h}）下窄于 {l:.0f} 像素的框：{t} 个中有 {n} 个（第一个：{f}）；它们照常计入，但几乎不可能被检出。",
        l=VANISHING,
        w=frame[1],
        h=frame[0],
        n=len(marks),
        t=len(cleaned.row),
        f=marks[0],
    )
    do = text(
        "Let networks see larger pictures, by the image_size of each recipe of the study: --set recipes.probe.image_size={s}, or recipes.finetune.image_size.",
        "可通过研究中各方案的 image_size 让网络看到更大的图片：--set recipes.probe.image_size={s}，或 recipes.finetune.image_size。",
        s=2 * max(frame),
    )
    numbers = {"n": len(marks), "boxes": len(cleaned.row), "width": frame[1], "height": frame[0]}
    severity = "warning" if len(marks) >= MANY * len(cleaned.row) else "note"
    return [Problem("small-box", sentence, tuple(marks), severity=severity, do=do, numbers=numbers, details=tuple(details))]  # fmt: skip


def without_boxes(pictures: Sequence[str], targets: Sequence[BoxRow]) -> list[Problem]:
    """Pictures without an object, and without a region in which what is found counts neither as right nor as wrong: they are used."""
    bare = [path for path, row in zip(pictures, targets, strict=True) if not len(row.boxes.crowd)]
    if not bare:
        return []
    sentence = text(
        "Pictures without an object: {n} of {t} (first: {f}); used, since whatever is found there is wrong.",
        "没有目标的图片：{t} 张中有 {n} 张（第一张：{f}）；照常使用，其中的任何检测都算错误。",
        n=len(bare),
        t=len(pictures),
        f=bare[0],
    )
    numbers = {"n": len(bare), "pictures": len(pictures)}
    return [Problem("no-objects", sentence, tuple(bare), severity="note", numbers=numbers)]


def unused_classes(classes: Sequence[str], targets: Sequence[BoxRow]) -> list[Problem]:
    """A note on the classes that a source names and of which it has no box."""
    used = {name for row in targets for name, crowd in zip(row.names, row.boxes.crowd, strict=True) if not crowd}
    absent = [name for name in classes if name not in used]
    if not absent:
        return []
    sentence = text(
        "Classes without a box: {k} of {n}: {l}; left out.",
        "没有任何框的类别：{n} 个中有 {k} 个：{l}；未使用。",
        k=len(absent),
        n=len(classes),
        l=first_names(absent, NAMED),
    )
    numbers = {"classes": len(absent), "of": len(classes)}
    return [Problem("class-without-box", sentence, severity="note", numbers=numbers)]


def differing_ids(ids: dict[str, dict[str, str]]) -> list[Problem]:
    """Ids that stand for other classes in another file."""
    seen: dict[str, dict[str, str]] = {}  # id -> class -> first file
    for file, names in ids.items():
        for key, name in names.items():
            seen.setdefault(key, {}).setdefault(name, file)
    differing = {key: names for key, names in seen.items() if len(names) > 1}
    if not differing:
        return []
    key = min(differing, key=natural_key)
    above = os.path.dirname(os.path.commonpath(list(ids)) + os.sep)
    named = {file: os.path.relpath(file, above) for file in ids}
    listed = ", ".join(f"{name} ({named[file]})" for name, file in differing[key].items())
    sentence = text(
        "Numbers of classes that mean another class in another file: {n} (first: {k} is {l}); classes are matched by name.",
        "同一编号在不同文件中代表不同类别：{n} 个（第一个：{k} 为 {l}）；类别按名称对应。",
        n=len(differing),
        k=key,
        l=listed,
    )
    why = text("A program that goes by the numbers would mix them up.", "按编号对应的程序会把它们弄混。")
    do = text("Check that the names are right.", "请确认名称无误。")
    details = tuple({"id": k, "classes": ", ".join(names)} for k, names in differing.items())
    return [
        Problem(
            "class-ids", sentence, tuple(named.values()), why=why, do=do, numbers={"n": len(differing)}, details=details
        )
    ]


def same_names(ids: dict[str, dict[str, str]]) -> list[Problem]:
    """Numbers of one file that have one name: their boxes are of one class."""
    several: dict[str, dict[str, list[str]]] = {}
    for file, names in ids.items():
        for key, name in names.items():
            several.setdefault(file, {}).setdefault(name, []).append(key)
    doubled = [(os.path.basename(f), name, keys) for f, own in several.items() for name, keys in own.items() if len(keys) > 1]  # fmt: skip
    if not doubled:
        return []
    file, name, keys = doubled[0]
    sentence = text(
        "Numbers of classes that have one name in {f}: {n} (first: {k} are {c}); they count as one class.",
        "{f} 中有 {n} 组编号使用同一名称（第一组：{k} 均为 {c}），按一个类别处理。",
        f=file,
        n=len(doubled),
        k=", ".join(keys[:5]),
        c=name,
    )
    do = text("If they are different classes, give each a name of its own.", "若它们是不同的类别，请分别命名。")
    details = tuple({"file": f, "class": c, "ids": ", ".join(k)} for f, c, k in doubled)
    return [Problem("class-ids", sentence, do=do, numbers={"n": len(doubled)}, details=details)]


def alike_names(targets: Sequence[BoxRow], parts: Sequence[str], trained: set[str]) -> list[Problem]:
    """Names that the training part writes otherwise; `trained` are its names, and is filled with those of the first source."""
    by_part: dict[bool, set[str]] = {True: set(), False: set()}
    for row, part in zip(targets, parts, strict=True):
        by_part[part == "train"] |= {name for name in row.names if name is not None}
    if not trained:
        trained |= by_part[True]
    by_form = {folded(name): name for name in sorted(trained)}
    others = (by_part[True] | by_part[False]) - trained
    alike = sorted((by_form[folded(name)], name) for name in others if folded(name) in by_form)
    if not alike:
        return []
    sentence = text(
        "Class names that differ from those of the training data only in writing: {l}.",
        "与训练数据中的名称只在写法上不同的类别名称：{l}。",
        l="; ".join(f"{a} = {b}" for a, b in alike),
    )
    why = text("They count as other classes.", "它们会被当作别的类别。")
    return [
        Problem("class-names", sentence, why=why, do=text("Give them one name.", "请统一名称。"), numbers={"n": len(alike)})
    ]  # fmt: skip


def other_layouts(layouts: Sequence[BoxLayout]) -> list[Problem]:
    """The further layouts that lie in a folder and are not read."""
    if len(layouts) < 2:
        return []
    sentence = text(
        "The folder holds boxes in several layouts: {a} is read; also there: {o}.",
        "该文件夹含有多种布局的框：读取的是 {a}；此外还有：{o}。",
        a=layouts[0].name,
        o=", ".join(layout.name for layout in layouts[1:]),
    )
    do = text(
        "To read another one, name its file (a .json or a .yaml), or move it to a folder of its own.",
        "若要读取另一种，请直接给出其文件（.json 或 .yaml），或将其移到单独的文件夹。",
    )
    return [Problem("layouts", sentence, severity="note", do=do, numbers={"layouts": len(layouts)})]


def no_boxes(folder: Path) -> DataError:
    """The error of a folder in which nothing is known as boxes."""
    what = text("{d} holds no boxes that are known.", "{d} 中没有可识别的框标注。", d=folder)
    seen = unread_labels(folder)
    return DataError(
        what if seen is None else what + seen,
        text("Without boxes nothing can be learned.", "没有框就无法学习。"),
        text(
            "Give a COCO file (instances.json), XML files (Pascal VOC), images/ and labels/ with text files (YOLO), or a table with a row for each box.",
            "请提供 COCO 文件（instances.json）、XML 文件（Pascal VOC）、images/ 与含文本文件的 labels/（YOLO），或每行一个框的表格。",
        ),
    )
