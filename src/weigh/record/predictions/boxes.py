"""Boxes that others' detectors found, as the `Results` that findings read: files of detections beside the gold file.

    weigh read --gold instances.json detections.json
    weigh read --gold instances.json one.json two.json

Every file is one model, named like the file, and speaks of the pictures of the gold file. What is concluded speaks about exactly these
detections. Before it: `detections.py`, `data/boxes/gold.py`. After it: `findings/`, as for the predictions of `results.py`.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from weigh.data.boxes.gold import GoldBoxes, read_gold
from weigh.data.examples import Examples
from weigh.data.tables.table_files import is_written_as
from weigh.errors import DataError
from weigh.kinds.box_statistics import compare_boxes
from weigh.kinds.box_thresholds import crossed_thresholds
from weigh.kinds.boxes import BOXES
from weigh.language import text
from weigh.problem import Problem
from weigh.record.predictions.box_checks import check_places
from weigh.record.predictions.checks import copied_models
from weigh.record.predictions.detections import FORMAT, DetectionFile, read_detections
from weigh.record.predictions.folder import names_of_files
from weigh.record.predictions.results import require_metrics, results_of_models
from weigh.record.results import Results
from weigh.spec import StudySpec
from weigh.tasks import OBJECT_DETECTION

__all__ = ["read_boxes"]

CHECKED = text(
    "boxes of the gold file, pictures and categories that it does not have, pictures without detections, scores, boxes outside of pictures or without an area, repeated detections",
    "标准答案中的框、标准答案中没有的图片与类别、没有检测的图片、得分、超出图片或没有面积的框、重复的检测",
)


def read_boxes(gold: Path, paths: Sequence[Path], spec: StudySpec) -> Results:
    """The records of others' detections.

    Args:
        gold: The boxes that are right: a COCO file, or a folder or table as `weigh data` reads it.
        paths: Files of detections, or folders of them.
        spec: Its sections `design` (level, seed) and `metrics` count; the rest is filled in.

    Raises:
        DataError: A file that cannot be read or speaks of something else; says where.
        SpecError: A primary metric that is not one of boxes.
    """
    metric = require_metrics(spec.model_copy(update={"task": OBJECT_DETECTION}), BOXES)
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if others := [file for file in files if file.is_file() and not is_written_as(file, (".json",))]:
        raise DataError(
            text("{p} is no .json file: detections are read as COCO writes results.", "{p} 不是 .json 文件：检测结果按 COCO 的格式读取。", p=others[0]),
            do=FORMAT,
        )  # fmt: skip
    files = [file for file in files if not (file.exists() and gold.exists() and file.samefile(gold))]
    if not files:
        raise DataError(
            text("There is no file of detections beside the gold file.", "除标准答案外没有检测结果文件。"),
            do=text("Name it: weigh read --gold {g} DETECTIONS.json", "请给出该文件：weigh read --gold {g} 检测结果.json", g=shlex.quote(str(gold)))
            + FORMAT,
        )  # fmt: skip
    truth = read_gold(gold, spec.data)
    names = names_of_files(files)
    read = [read_detections(name, file, truth.gold) for name, file in zip(names, files, strict=True)]
    examples = _examples(truth)
    for file, detected in zip(files, read, strict=True):
        check_places(file, detected.answers, examples.target)
    recorded, thresholds = {}, {}
    for file in read:
        rows = compare_boxes(file.answers, examples.target)
        rows[:, 0] = thresholds[file.name] = crossed_thresholds(rows)
        recorded[file.name] = rows
    problems = [*truth.problems, *(p for file in read for p in file.problems), *_copies(read), *_told(thresholds)]
    name = gold.name.partition(".")[0] or gold.name
    return results_of_models(name, spec, OBJECT_DETECTION, metric.name, examples, recorded, problems, CHECKED)


def _examples(truth: GoldBoxes) -> Examples:
    target = truth.target
    hashed = hashlib.blake2b(
        repr((list(truth.gold.names), list(truth.gold.classes))).encode("utf-8", "surrogatepass"), digest_size=16
    )
    hashed.update(BOXES.bytes_of(target))
    n = len(target)
    return Examples(
        root=truth.root,
        path=np.array(truth.paths, dtype=str),
        target=target,
        kind=BOXES,
        classes=tuple(truth.gold.classes),
        part=np.full(n, "train"),
        order=np.arange(n),
        content=np.full(n, ""),
        order_source="table",
        fingerprint=hashed.hexdigest(),
    )


def _copies(read: Sequence[DetectionFile]) -> list[Problem]:
    """Models with exactly the same detections."""
    contents = []
    for file in read:
        parts = (part for answer in file.answers for part in (answer.corners, answer.classes, answer.scores))
        contents.append((file.name, b"\0".join(part.tobytes() for part in parts)))
    return copied_models(contents, text("Exactly the same detections", "检测结果完全相同"))


def _told(thresholds: dict[str, np.ndarray]) -> list[Problem]:
    """From which score on detections count as told, since a file does not say it."""
    lines = ", ".join(f"{name} {_range(chosen)}" for name, chosen in thresholds.items())
    return [
        Problem(
            "told-from",
            text(
                "F1, precision, recall and counts speak of detections from a score on, which files do not state: for each fifth of the pictures the one with the "
                "greatest F1 on the others ({l}). Average precision uses every score.",
                "F1、精确率、召回率和计数只针对得分达到某一阈值的检测，而文件没有给出阈值：每五分之一的图片采用在其余图片上 F1 最大的阈值（{l}）。平均精确率使用全部得分。",
                l=lines,
            ),
            severity="note",
        )
    ]  # fmt: skip


def _range(chosen: np.ndarray) -> str:
    low, high = f"{chosen.min():.2f}", f"{chosen.max():.2f}"
    return low if low == high else f"{low}–{high}"
