"""Which files hold the predictions of a model each: arrays or tables, in folders or not, and labels that lie beside them.

Before it: paths as the user gave them. After it: `folder.py`, which reads arrays, or `table.py`.
"""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Sequence
from pathlib import Path

from weigh.data.rows.listing import natural_key
from weigh.errors import DataError, SpecError
from weigh.files import open_regular
from weigh.language import text
from weigh.record.study_folders import holds_study

__all__ = ["SAY", "files_of_sets", "hold_arrays"]

SUFFIXES = (".json", ".npy", ".npz")
ARRAYS = (".npy", ".npz")
TABLES = (".csv", ".tsv", ".parquet", ".jsonl")
SAY = text(
    "Write one .npy, .npz or .json file for each model: n class numbers (from 0), or n rows of probabilities.",
    "请为每个模型写一个 .npy、.npz 或 .json 文件：n 个类别编号（从 0 开始），或 n 行概率。",
)


def hold_arrays(paths: Sequence[Path], labels: Sequence[Path]) -> bool:
    """Whether these are arrays, or folders of them; else they are tables.

    Raises:
        DataError, SpecError: Both at once, labels that are missing or too many, or a study.
    """
    folders = [path for path in paths if path.is_dir()]
    if study := next((folder for folder in folders if holds_study(folder)), None):
        raise DataError(
            text("{p} is a study of weigh.", "{p} 是 weigh 的研究。", p=study),
            do=text(
                "Its report: weigh report {p} --format text. Its predictions as a table: weigh export {p} --predictions predictions.csv",
                "查看报告：weigh report {p} --format text；导出预测表格：weigh export {p} --predictions predictions.csv",
                p=shlex.quote(str(study)),
            ),
        )
    endings = SUFFIXES if labels else ARRAYS  # a .json file may be a table
    arrays = [path for path in paths if path not in folders and path.suffix.casefold() in endings]
    if max(len(folders), len(arrays), len(paths) - len(folders) - len(arrays)) < len(paths):
        raise DataError(
            text("Folders, arrays and tables cannot be read together.", "不能同时读取文件夹、数组和表格。"),
            do=text(
                "Give only tables, only arrays, or only folders of arrays.",
                "请只给出表格、只给出数组，或只给出数组文件夹。",
            ),
        )
    if (folders or arrays) and not labels:
        if folders and (table := _first_table(folders[0])):
            raise DataError(
                text("{p} is a folder of tables.", "{p} 是存放表格的文件夹。", p=folders[0]),
                do=text(
                    "Name the tables: weigh read {t} …", "请写出这些表格：weigh read {t} …", t=shlex.quote(str(table))
                ),
            )
        raise DataError(
            text("{p} is a folder: the labels are missing.", "{p} 是文件夹：缺少标签。", p=folders[0])
            if folders
            else text("{p} is an array: the labels are missing.", "{p} 是数组：缺少标签。", p=arrays[0]),
            do=text(
                "Give the labels of its examples: weigh read {p} --labels LABELS.npy",
                "请给出其样本的标签：weigh read {p} --labels LABELS.npy",
                p=shlex.quote(str(paths[0])),
            ),
        )
    if labels and not folders and not arrays:
        raise SpecError(
            text(
                "--labels is for arrays; a table has its own column label.",
                "--labels 只用于数组；表格用自己的 label 列。",
            ),
            do=text("Leave out --labels.", "请去掉 --labels。"),
        )
    return bool(folders or arrays)


def _first_table(folder: Path) -> Path | None:
    """A table in a folder that holds no arrays, nor lists of numbers as .json."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if any(file.suffix.casefold() in SUFFIXES for file in files):
        return None
    return next((f for f in files if f.name.casefold().removesuffix(".gz").endswith(TABLES)), None)


def files_of_sets(paths: Sequence[Path], labels: Sequence[Path]) -> list[list[Path]]:
    """Files of models for each test set: those of each folder, or `paths` themselves, which speak of one set.

    Raises:
        DataError: There are none, or not as many files of labels as sets.
    """
    alone = [path for path in paths if path.is_file()]
    if len(labels) != (1 if alone else len(paths)):
        raise _labels_elsewhere(paths, labels, alone)
    sets = [alone] if alone else [_files_of_models(folder) for folder in paths]
    return [_without_labels(files, labels) for files in sets]


def _files_of_models(folder: Path) -> list[Path]:
    files = [f for f in folder.iterdir() if f.suffix.casefold() in SUFFIXES and not f.name.startswith(".")]
    if not files:
        raise DataError(
            text("{f} holds no .npy, .npz or .json files.", "{f} 中没有 .npy、.npz 或 .json 文件。", f=folder), do=SAY
        )
    return sorted(files, key=lambda f: natural_key(f.name))


def _without_labels(files: Sequence[Path], labels: Sequence[Path]) -> list[Path]:
    """Labels that lie beside the files of models are no model, unless one file holds both."""
    beside = [truth for truth in labels if truth.exists() and not _holds_several(truth)]
    models = [file for file in files if not (file.exists() and any(file.samefile(truth) for truth in beside))]
    if not models:
        raise DataError(
            text("There is no file of predictions beside the labels.", "除标签外没有预测结果文件。"), do=SAY
        )
    return models


def _holds_several(file: Path) -> bool:
    """Whether it is a .npz file with several arrays."""
    if file.suffix.casefold() != ".npz":
        return False
    try:
        with open_regular(file) as opened, zipfile.ZipFile(opened) as packed:
            return len(packed.namelist()) > 1
    except (OSError, zipfile.BadZipFile, DataError):  # reading it will say why
        return False


def _labels_elsewhere(folders: Sequence[Path], labels: Sequence[Path], alone: Sequence[Path]) -> DataError:
    """Not as many files of labels as test sets."""
    if alone:
        return DataError(
            text("{n} {n:|file of labels was|files of labels were} given for arrays of one test set.", "为同一测试集的数组给出了 {n} 个标签文件。", n=len(labels)),
            do=text(
                "Give one file of labels; for several test sets give a folder of arrays for each.",
                "请只给出一个标签文件；若有多个测试集，请为每个测试集给出一个数组文件夹。",
            ),
        )  # fmt: skip
    return DataError(
        text(
            "{f} {f:|folder of predictions was|folders of predictions were} given, and {n} {n:|file|files} of labels.",
            "给出了 {f} 个预测文件夹，却有 {n} 个标签文件。",
            f=len(folders),
            n=len(labels),
        ),
        do=text(
            "Give one file of labels for each folder, in the same order: weigh read A B --labels A.npy --labels B.npy",
            "请按相同顺序为每个文件夹给出一个标签文件：weigh read A B --labels A.npy --labels B.npy",
        ),
    )
