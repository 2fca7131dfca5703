"""Predictions that others made, as files of plain numbers: one file for each model, in a folder for each test set.

    v6_predictions/resnet_predictions.json     [6, 6, 0, …]             class numbers, or a list of probabilities each
    v6_predictions/vgg_predictions.npy         (n,) or (n, classes)     the same as an array
    v6_labels.npy                              (n,)                     the truth, in the same order

So people publish them (CIFAR-10.1, label-errors). Example i of a set is called `i`, counted from 0; a file is one run of
the model that it is named after. Before it: folders of strangers (no pickle). After it: `results.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np

from weigh.errors import DataError
from weigh.files import read_array, read_json
from weigh.language import Text, text
from weigh.record.predictions.answers import Answers, PredictionTable
from weigh.record.predictions.checks import check_probabilities
from weigh.record.predictions.files import SAY, files_of_sets
from weigh.record.predictions.shift import counted_from_one

__all__ = ["names_of_files", "read_folders"]

# Names under which people keep them in .npz files, the likeliest first.
LABELS = ("labels", "label", "label_ids", "y_true", "y", "targets", "target", "y_test")
ANSWERS = ("probabilities", "probs", "predictions", "prediction", "preds", "pred", "y_pred", "y_prob", "answers")
MOST_CLASSES = 30_000  # ImageNet has 21,841 at most
TWO_COLUMNS = text(
    "Probabilities have one column for each class. Of two classes: np.column_stack([1 - p, p]), where p is the probability of class 1.",
    "概率须每个类别一列。两个类别时：np.column_stack([1 - p, p])，其中 p 是类别 1 的概率。",
)
ONE_LABEL = text(
    "Labels are one class number (from 0) for each example; of one-hot rows: labels.argmax(axis=1).",
    "标签应为每个样本一个类别编号（从 0 开始）；独热编码请用 labels.argmax(axis=1) 转换。",
)


def read_folders(folders: Sequence[Path], labels: Sequence[Path], offset: int = 0) -> PredictionTable:
    """One test set from each folder, with its file of labels; models are named by what differs in their files' names.

    Args:
        folders: Or files of models, which speak of one test set.
        offset: Added to the labels.

    Raises:
        DataError: Files that do not hold such numbers, or lengths that do not fit the labels.
    """
    models_of_sets = files_of_sets(folders, labels)
    sets = model_names([folder.name for folder in folders]) if len(labels) > 1 else [""]
    target, names, answers, problems, lengths = [], [], [], [], []
    start, width = 0, 0
    for files, truth in zip(models_of_sets, labels, strict=True):
        labels_of = _read_numbers(truth, LABELS)
        if labels_of.ndim != 1 or not len(labels_of):
            raise _unfit(truth, labels_of, ONE_LABEL)
        labels_of = labels_of + offset
        for file, model in zip(files, names_of_files(files), strict=True):
            numbers = _read_numbers(file, ANSWERS)
            if len(numbers) != len(labels_of):
                raise DataError(
                    text(
                        "{f} has {n} {n:|prediction|predictions}, {t} has {m} {m:|label|labels}.",
                        "{f} 有 {n} 个预测，{t} 却有 {m} 个标签。",
                        f=file,
                        n=len(numbers),
                        t=truth,
                        m=len(labels_of),
                    ),
                    do=text(
                        "Give the labels of the same examples, in the same order.", "请按相同顺序给出同一批样本的标签。"
                    ),
                )
            chosen, probabilities = _decisions(file, numbers)
            if probabilities is not None:
                probabilities, notes = probabilities
                problems += [note for note in notes if note not in problems]
            width = max(width, int(chosen.max()) + 1, 0 if probabilities is None else probabilities.shape[1])
            answers.append(Answers(model, "1", start + np.arange(len(labels_of)), chosen, probabilities))
        target.append(_class_numbers(truth, labels_of))
        names += [str(i) for i in range(len(labels_of))]
        lengths.append(len(labels_of))
        start += len(labels_of)
    target = np.concatenate(target)
    wide = [answer.probabilities.shape[1] for answer in answers if answer.probabilities is not None]
    shifted = counted_from_one(target, wide[0], offset) if wide and len(set(wide)) == 1 else None
    if shifted is not None:
        raise shifted
    width = max(width, int(target.max()) + 1)
    _check_alike(answers, width)
    return PredictionTable(
        name=model_names([folders[0].stem if folders[0].is_file() else folders[0].resolve().name])[0],
        example=np.array(names, dtype=object),
        target=target,
        set=np.repeat(np.array(sets, dtype=object), lengths),
        classes=tuple(str(c) for c in range(width)),
        answers=_of_models(answers),
        problems=tuple(problems),
    )


def _check_alike(answers: Sequence[Answers], width: int) -> None:
    """All models give probabilities of the same `width` classes, or none gives any."""
    for answer in answers:
        if answer.probabilities is not None and answer.probabilities.shape[1] != width:
            raise DataError(
                text(
                    "{m} gives probabilities of {k} {k:|class|classes}; there are {w}.",
                    "{m} 给出了 {k} 个类别的概率，而类别共有 {w} 个。",
                    m=answer.model,
                    k=answer.probabilities.shape[1],
                    w=width,
                ),
                do=SAY,
            )
    if len({answer.probabilities is None for answer in answers}) > 1:
        bare = [answer.model for answer in answers if answer.probabilities is None]
        raise DataError(
            text(
                "Some files hold probabilities and others only class numbers: {m}.",
                "有些文件是概率，另一些只有类别编号：{m}。",
                m=", ".join(dict.fromkeys(bare)),
            ),
            do=SAY,
        )


def _read_numbers(file: Path, names: Sequence[str]) -> np.ndarray:
    if file.suffix.casefold() == ".json":
        try:
            numbers = np.asarray(read_json(file))
        except (ValueError, OverflowError):  # numpy says it in terms of its own
            uneven = text(
                "{f} holds lists of different lengths, or numbers that are too large.",
                "{f} 中各列表长度不一，或数值过大。",
                f=file,
            )
            raise DataError(uneven, do=SAY) from None
    else:
        numbers = read_array(file, names)
    if (
        not isinstance(numbers, np.ndarray)
        or numbers.dtype.kind not in "biuf"
        or numbers.ndim not in (1, 2)
        or not numbers.size
    ):
        raise _unfit(file, np.asarray(numbers))
    if numbers.ndim == 2 and numbers.shape[1] == 1 and (numbers.dtype.kind in "biu" or _are_whole(numbers)):
        numbers = numbers[:, 0]  # class numbers that a program wrote as one column
    if (numbers.dtype.kind in "bu" and numbers.max() <= np.iinfo(np.int64).max) or numbers.dtype.kind == "i":
        return numbers.astype(np.int64)  # or an offset would not fit in a byte
    return numbers


def _are_whole(numbers: np.ndarray) -> bool:
    return bool((np.isfinite(numbers) & (np.floor(numbers) == numbers)).all())


def _unfit(file: Path, numbers: np.ndarray, do: Text = SAY) -> DataError:
    return DataError(
        text(
            "{f} does not hold what is needed: it is an array of shape {s} and type {t}.",
            "{f} 的内容不符合要求：数组形状为 {s}，类型为 {t}。",
            f=file,
            s="×".join(map(str, numbers.shape)) or "1",
            t=numbers.dtype,
        ),
        do=do,
    )


def _decisions(file: Path, answers: np.ndarray) -> tuple[np.ndarray, tuple | None]:
    """`(n,)` class numbers, and the probabilities with the notes on them where there are any."""
    if answers.ndim == 1:
        return _class_numbers(file, answers), None
    if answers.shape[1] == 1:
        raise DataError(
            text("{f} has one column of numbers with a fraction.", "{f} 只有一列带小数的数值。", f=file), do=TWO_COLUMNS
        )
    numbers = answers.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise DataError(
            text(
                "{f}: {n} {n:|row holds|rows hold} numbers that are not finite.",
                "{f}：有 {n} 行含有非有限数值。",
                f=file,
                n=int((~np.isfinite(numbers)).any(axis=1).sum()),
            ),
            do=SAY,
        )
    try:
        probabilities = check_probabilities(numbers)
    except DataError as error:
        raise DataError(text("{f}: {w}", "{f}：{w}", f=file, w=error.what), error.why, error.do) from None
    return probabilities[0].argmax(axis=1), probabilities


def _class_numbers(file: Path, numbers: np.ndarray) -> np.ndarray:
    whole = np.isfinite(numbers) & (numbers >= 0)
    whole &= np.where(whole, np.floor(np.where(whole, numbers, 0)) == numbers, False)
    if not whole.all():
        at = int(np.argmin(whole))
        raise DataError(
            text(
                "{f}: {n} of {m} entries are no class numbers (the first: entry {i}, {v}).",
                "{f}：{m} 项中有 {n} 项不是类别编号（第一处：第 {i} 项，{v}）。",
                f=file,
                n=int((~whole).sum()),
                m=len(numbers),
                i=at,
                v=numbers[at],
            ),
            do=TWO_COLUMNS if 0 < numbers[at] < 1 else SAY,
        )
    if len(numbers) and numbers.max() >= MOST_CLASSES:
        at = int(np.argmax(numbers))
        raise DataError(
            text(
                "{f}: entry {i} is class number {v}; the limit is {m} classes.",
                "{f}：第 {i} 项的类别编号为 {v}；类别数上限为 {m}。",
                f=file,
                i=at,
                v=f"{int(numbers[at]):,}",
                m=f"{MOST_CLASSES:,}",
            ),
            text(
                "Classes are counted from 0; every number up to the greatest is a class.",
                "类别从 0 开始编号；到最大编号为止的每个数都算一个类别。",
            ),
            text("Number the classes that occur: 0, 1, 2, …", "请把出现的类别重新编号为 0、1、2……"),
        )
    return numbers.astype(np.int64)


def _of_models(answers: list[Answers]) -> tuple[Answers, ...]:
    """What one model said about all sets, in one."""
    parts: dict[str, list[Answers]] = {}
    for answer in answers:
        parts.setdefault(answer.model, []).append(answer)
    return tuple(
        Answers(
            model,
            "1",
            np.concatenate([a.which for a in mine]),
            np.concatenate([a.chosen for a in mine]),
            None if mine[0].probabilities is None else np.concatenate([a.probabilities for a in mine]),  # type: ignore[arg-type]
        )
        for model, mine in parts.items()
    )


def names_of_files(files: Sequence[Path], stems: Sequence[str] | None = None) -> list[str]:
    """Names of models by their files; files of several folders that are called alike are told apart by their folders.

    Args:
        stems: File names without endings, where these are not `Path.stem`.

    Raises:
        DataError: Two files would be one model.
    """
    named = list(stems) if stems is not None else [file.stem for file in files]
    if len(set(named)) < len(named):
        named = [f"{file.resolve().parent.name}/{stem}" for file, stem in zip(files, named, strict=True)]
    names = model_names(named)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            text("Two files are called {n}.", "有两个文件都叫 {n}。", n=twice[0]),
            text("A model is named like its file without the ending.", "模型以文件名（不含扩展名）命名。"),
            text("Rename one of them, or take it away.", "请重命名其中一个，或将其移走。"),
        )
    return names


def model_names(written: list[str]) -> list[str]:
    """Names without the ending that all of them share ("_predictions"), cut at a word's edge."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*(name[::-1] for name in written), strict=False))
    shared = "".join(letters[0] for letters in alike)[::-1]
    edge = next((i for i, c in enumerate(shared) if c in "_-. "), len(shared))
    cut = len(shared) - edge
    if len(written) < 2:
        cut = len("_predictions") if written and written[0].endswith("_predictions") else 0
    return [name[: len(name) - cut] or name for name in written]
