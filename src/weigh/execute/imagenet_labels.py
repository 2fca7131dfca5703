"""What labels of pictures mean among the 1,000 classes of ImageNet: numbers, synsets, names, or several labels for each picture (ReaL).

Before it: the readers of pictures. After it: `evaluation.py`.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from weigh.data.examples import Examples
from weigh.data.pictures.imagenet import class_of_name, information, names, synsets
from weigh.data.pictures.imagenet_lists import PICTURES, number_of_picture
from weigh.data.pictures.known_sets import resemblances
from weigh.data.readers import READERS
from weigh.errors import DataError, SpecError
from weigh.execute.listener import Listener
from weigh.files import read_json
from weigh.kinds.label import LABEL
from weigh.language import Text, text
from weigh.plan.runs import group_of
from weigh.problem import refuse_errors
from weigh.settings import user_path
from weigh.spec import StudySpec
from weigh.stats.dependence import COPIES_MATTER, effect_of_copies
from weigh.stats.resampling import Units, make_units
from weigh.tasks import IMAGE_CLASSIFICATION, TASKS

__all__ = ["LABELS", "Labelled", "read_labelled"]

NUMBER, SYNSET = re.compile(r"-?\d{1,9}"), re.compile(r"n\d{8}")
LABELS = {  # what --labels takes
    "auto": text("numbers, synsets or names, as they look", "按样子判断：编号、synset 或名称"),
    "index": text("numbers 0 to 999 by sorted synsets", "0 到 999 的编号（按 synset 排序）"),
    "synset": text("synsets (n01440764)", "synset（n01440764）"),
    "name": text("names (tench, Tinca tinca)", "名称（tench, Tinca tinca）"),
    "real": text("all labels that fit (ReaL), of the ILSVRC2012 validation pictures", "所有合适的标签（ReaL），用于 ILSVRC2012 验证集"),
}  # fmt: skip
REAL = "imagenet_real_labels.json"
WRITTEN = {
    "index": text("numbers of ImageNet-1k (0 to 999)", "ImageNet-1k 编号（0 到 999）"),
    "synset": text("synsets of ImageNet", "ImageNet 的 synset"),
    "name": text("names of ImageNet's classes", "ImageNet 的类别名称"),
    "real": text("ReaL: every label that fits the picture", "ReaL：符合图片的所有标签"),
}


class Labelled(NamedTuple):
    """Pictures and what counts as right.

    Attributes:
        accepted: `(n, 1000)` whether a class counts as right.
        target: `(n,)` the class of each picture; None where several may be right.
        written: How the labels were written.
        are_validation: Whether these are pictures of the ILSVRC2012 validation set, of which scores are published.
        notes: What was left out.
    """

    examples: Examples
    accepted: np.ndarray
    target: np.ndarray | None
    written: Text
    are_validation: bool
    notes: list[Text]

    @property
    def classes(self) -> np.ndarray:
        """Classes that are right for some picture."""
        return np.flatnonzero(self.accepted.any(axis=0))

    @property
    def units(self) -> Units | None:
        """Groups of pictures, which intervals count; None where each picture stands for itself."""
        group = self.examples.group
        return None if group is None else make_units(LABEL, np.zeros(len(group), np.int64), group)


def read_labelled(spec: StudySpec, labels: str, listener: Listener) -> Labelled:
    """The pictures of a specification with their classes; the test part alone where there is one.

    Args:
        labels: One of `LABELS`, or a JSON file with a list of classes for each of the validation pictures.

    Raises:
        DataError: Labels that are no classes of ImageNet-1k.
    """
    if labels not in LABELS and not labels.endswith(".json"):
        raise SpecError(
            text(
                "--labels: '{l}' is none of {k}, and no .json file.",
                "--labels：“{l}”不是 {k} 之一，也不是 .json 文件。",
                l=labels, k=", ".join(LABELS),
            )
        )  # fmt: skip
    columns = spec.data.columns.model_copy(update={"kept": spec.design.group_by})
    examples, problems = READERS.get(TASKS.get(IMAGE_CLASSIFICATION).medium).read(
        spec.data.model_copy(update={"columns": columns}),
        (LABEL,),
        offline=spec.run.offline,
        progress=listener.progress,
    )
    refuse_errors(problems)
    notes = [problem.sentence for problem in problems if problem.severity == "warning"]
    tests = examples.where("test")
    if 0 < len(tests) < len(examples):
        notes.append(
            text(
                "Only the {n} {n:|picture|pictures} of the test (or validation) part {n:|is|are} evaluated; {m} {m:|other is|others are} left out.",
                "只评估测试（或验证）部分的 {n} 张图片，其余 {m} 张未计入。",
                n=len(tests), m=len(examples) - len(tests),
            )
        )  # fmt: skip
        examples = examples.subset(tests)
    examples, further = _independent(examples, spec)
    notes += further
    numbers = np.array([number_of_picture(str(path)) or 0 for path in examples.path])
    if labels == "real" or labels.endswith(".json"):
        return _several(examples, numbers, labels, notes)
    classes = _classes(examples, labels)
    target = classes.numbers[examples.target]
    accepted = np.zeros((len(examples), 1000), bool)
    accepted[np.arange(len(examples)), target] = True
    return Labelled(examples, accepted, target, WRITTEN[classes.written], bool(numbers.all()), notes)


def _independent(examples: Examples, spec: StudySpec) -> tuple[Examples, list[Text]]:
    """The examples with the groups that intervals count (of the data, or else sets of copies where these are many), and what is to be known of them:
    the same files, and pictures that models were probably trained on.
    """
    group, notes, n = group_of(examples, spec), list[Text](), len(examples)
    _, of, size = np.unique(
        np.where(examples.content == "", examples.path, examples.content), return_inverse=True, return_counts=True
    )
    if len(size) < n:
        note = text(
            "{c} of the {n} pictures {c:|is a copy of another one|are copies of others}: the very same file.",
            "{n} 张图片中有 {c} 张是其他图片的副本：文件完全相同。",
            c=n - len(size), n=n,
        )  # fmt: skip
        if group is None and effect_of_copies(size) >= COPIES_MATTER:
            group = of.ravel().astype(str)
            note += text("For intervals each set of copies is one group.", "在计算区间时，每套副本作为一组。")
        notes.append(note)
    for alike in resemblances(list(examples.path), examples.classes):
        if (alike.of, alike.by) == ("ImageNet", "files"):
            notes.append(
                text(
                    "{k} of the {n} pictures {k:|is|are} called like those that ImageNet is made of (such as {e}): models that were trained on ImageNet have "
                    "probably seen them, and score less on other pictures.",
                    "{n} 张图片中有 {k} 张的文件名与 ImageNet 自身的图片相同（例如 {e}）：用 ImageNet 训练的模型很可能见过它们，在其他图片上得分会更低。",
                    k=alike.count, n=n, e=alike.example,
                )
            )  # fmt: skip
    return replace(examples, group=group), notes


def _several(examples: Examples, numbers: np.ndarray, labels: str, notes: list[Text]) -> Labelled:
    if not numbers.all():
        raise DataError(
            text(
                "--labels {l} needs pictures of the ILSVRC2012 validation set; '{p}' is none by its name.",
                "--labels {l} 需要 ILSVRC2012 验证集的图片；从文件名看，“{p}”不是。",
                l=labels, p=str(examples.path[np.flatnonzero(numbers == 0)[0]]),
            ),
            text("The list has labels for each picture by its number.", "该列表按图片编号给出标签。"),
            text(
                "Name them as they are handed out: ILSVRC2012_val_00000001.JPEG",
                "请保留原来的文件名：ILSVRC2012_val_00000001.JPEG",
            ),
        )  # fmt: skip
    lists = json.loads("".join(information(REAL))) if labels == "real" else _read_lists(user_path(labels))
    accepted = np.zeros((len(examples), 1000), bool)
    for row, number in enumerate(numbers):
        accepted[row, lists[number - 1]] = True
    kept = np.flatnonzero(accepted.any(axis=1))
    if len(kept) < len(examples):
        notes.append(
            text(
                "{m} of {n} pictures {m:|has no label in this list and is|have no label in this list and are} left out.",
                "{n} 张图片中有 {m} 张在该列表中没有标签，未计入。",
                m=len(examples) - len(kept), n=len(examples),
            )
        )  # fmt: skip
    if not len(kept):
        raise DataError(text("None of these pictures has a label in {l}.", "{l} 中没有这些图片的标签。", l=labels))
    return Labelled(examples.subset(kept), accepted[kept], None, WRITTEN["real"], True, notes)


def _read_lists(path: Path) -> list[list[int]]:
    wrong = DataError(
        text(
            "{p} is no list of lists of class numbers (0 to 999) for the {n} validation pictures.",
            "{p} 不是为 {n} 张验证集图片各给出类别编号（0 到 999）列表的文件。",
            p=path, n=PICTURES,
        )
    )  # fmt: skip
    lists = read_json(path)
    if not isinstance(lists, list) or len(lists) != PICTURES:
        raise wrong
    for row in lists:
        if not isinstance(row, list) or not all(type(c) is int and 0 <= c < 1000 for c in row):
            raise wrong
    return lists


class _Classes(NamedTuple):
    """Classes of ImageNet of the labels that occur, and how they are written."""

    numbers: np.ndarray
    written: str


def _classes(examples: Examples, labels: str) -> _Classes:
    occurring = examples.classes
    if labels == "auto":
        numbered = all(NUMBER.fullmatch(name) for name in occurring)
        labels = "index" if numbered else "synset" if all(SYNSET.fullmatch(n) for n in occurring) else "name"
    if labels == "index":
        return _Classes(_numbers(occurring), "index")
    known = [class_of_name(name) for name in occurring]
    unknown = [name for name, number in zip(occurring, known, strict=True) if number is None]
    if unknown:
        raise DataError(
            text(
                "{n} of {k} labels {n:|is no ImageNet class, or means|are not ImageNet classes, or mean} more than one (first: {f}).",
                "{k} 个标签中有 {n} 个不是 ImageNet 类别，或对应多个类别（第一个：{f}）。",
                n=len(unknown), k=len(occurring), f=", ".join(unknown[:5]),
            ),
            text(
                "A pretrained head answers with one of its 1,000 classes.", "预训练分类头只会回答其 1,000 个类别之一。"
            ),
            text(
                "Use class numbers 0 to 999, synsets (n01440764) or whole names{near}. Other classes need a head of their own: weigh run",
                "请使用 0 到 999 的类别编号、synset（n01440764）或完整名称{near}。其他类别需要训练自己的分类头：weigh run",
                near=_near(unknown[0]),
            ),
        )  # fmt: skip
    return _Classes(np.array(known), labels)


def _near(name: str) -> Text:
    entries = {word.strip(): entry for entry in names() for word in entry.split(",")}
    meant = [synsets()[i] + " " + entry for i, entry in enumerate(names()) if name in entry.split(", ")]
    near = meant or [entries[word] for word in difflib.get_close_matches(name, entries, n=2, cutoff=0.6)]
    return text(" (near: {w})", "（相近：{w}）", w=" | ".join(near)) if near else Text("", "")


def _numbers(names_of_labels: tuple[str, ...]) -> np.ndarray:
    odd = next((name for name in names_of_labels if not NUMBER.fullmatch(name)), None)
    if odd is not None:
        raise DataError(
            text("Label '{n}' is not a number.", "标签“{n}”不是编号。", n=odd),
            do=text("Leave --labels index out.", "请去掉 --labels index。"),
        )
    numbers = np.array([int(name) for name in names_of_labels])
    if numbers.min() < 0 or numbers.max() > 999:
        raise DataError(
            text(
                "Label {n} is not an ImageNet class (0 to 999).",
                "标签 {n} 不是 ImageNet 类别（0 到 999）。",
                n=int(numbers.max() if numbers.max() > 999 else numbers.min()),
            ),
            do=text(
                "If your labels count from 1: --set data.label_offset=-1",
                "如果标签从 1 开始：--set data.label_offset=-1",
            ),
        )
    return numbers
