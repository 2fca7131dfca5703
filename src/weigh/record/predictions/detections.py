"""One file of detections as others write them, set beside the pictures of the gold file.

Results of COCO: a list of {"image_id", "category_id", "bbox": [x, y, width, height], "score"}; the list may also stand under "annotations".
Where a row says "file_name" or "category" (`weigh predict --boxes` writes them) these count, since ids may be numbered otherwise. What would make
every score wrong is an error; what concerns some rows is named. Before it: a file of strangers. After it: `boxes.py`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from weigh.data.boxes.gold import Gold
from weigh.data.pictures.coco import id_of
from weigh.errors import DataError
from weigh.files import read_json
from weigh.kinds.box_list import Detections
from weigh.language import Text, first_names, text
from weigh.problem import Problem
from weigh.record.predictions.box_checks import Rows, box_flaws, check_writing

__all__ = ["FORMAT", "DetectionFile", "read_detections"]

LISTED = 5
FEWEST_IDS = 5  # pictures, before it is concluded that their ids count from another number
FARTHEST = 1e9  # pixels that anything lies or reaches from the corner of a picture
LEAST_PERCENT = 10.0  # scores above 1 are percentages only if one of them is at least so high
KEYS = ("image_id", "category_id", "bbox", "score")
FORMAT = text(
    'Write a list of {"image_id": …, "category_id": …, "bbox": [x, y, width, height], "score": …}, in pixels of the original picture.',
    '请写成 {"image_id": …, "category_id": …, "bbox": [x, y, 宽, 高], "score": …} 的列表，单位为原图像素。',
)


class DetectionFile(NamedTuple):
    """The detections of one model.

    Attributes:
        answers: One per picture of the gold file, without a threshold yet.
        problems: What a person should know about them.
    """

    name: str
    answers: list[Detections]
    problems: list[Problem]


def read_detections(name: str, path: Path, gold: Gold) -> DetectionFile:
    """The detections in `path`, picture by picture.

    Raises:
        DataError: It is no such file, speaks of other pictures or categories, or its scores or boxes are written otherwise.
    """
    content = read_json(path)
    if isinstance(content, dict):
        content = next(
            (content[key] for key in ("annotations", "detections", "predictions", "results") if key in content), content
        )
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(text("{p} is no list of detections.", "{p} 不是检测结果的列表。", p=path), do=FORMAT)
    pictures, categories = _positions(path, content, gold)
    _check_counting(path, content, pictures, gold)
    known = (pictures >= 0) & (categories >= 0)
    problems = [
        *_strangers(name, content, pictures, gold),
        *_unknown_classes(name, content, pictures, categories, gold),
    ]
    kept = [row for row, use in zip(content, known, strict=True) if use]
    score, box = _scores(path, kept), _boxes(kept)
    rows = Rows(pictures[known], categories[known], box, score)
    broken = ~np.isfinite(box).all(axis=1)
    check_writing(path, rows, gold, broken)
    problems += box_flaws(name, rows, gold, broken)
    rows.box[broken] = 0.0  # overlaps nothing, so that it counts as found where nothing is
    corners = np.hstack([rows.box[:, :2], rows.box[:, :2] + rows.box[:, 2:]])
    order = np.argsort(rows.picture, kind="stable")
    starts = np.searchsorted(rows.picture[order], np.arange(len(gold.names) + 1))
    answers = []
    for i, (height, width) in enumerate(gold.sizes.tolist()):
        mine = order[starts[i] : starts[i + 1]]
        answers.append(Detections.of(height, width, corners[mine], rows.label[mine], rows.score[mine]))
    return DetectionFile(name, answers, problems)


def _positions(path: Path, content: Sequence[Mapping[str, Any]], gold: Gold) -> tuple[np.ndarray, np.ndarray]:
    """`(m,)` picture and class of each row, -1 for those that the gold file lacks.

    Raises:
        DataError: None of them is there, or rows lack what they need.
    """
    lacking = [
        i
        for i, row in enumerate(content)
        if not ("image_id" in row or "file_name" in row) or not ("category_id" in row or "category" in row)
    ]
    if lacking or any(key not in row for row in content[:1] for key in ("bbox", "score")):
        first = content[lacking[0] if lacking else 0]
        missing = [key for key in KEYS if key not in first]
        raise DataError(
            text(
                "{p}: detection {i} lacks {k} (it has {h}).",
                "{p}：第 {i} 条检测缺少 {k}（已有 {h}）。",
                p=path, i=(lacking[0] if lacking else 0) + 1, k=", ".join(missing), h=", ".join(map(str, list(first)[:8])) or "–",
            ),
            do=FORMAT,
        )  # fmt: skip
    by_name, of_class = _place_by_name(gold.names), {name: c for c, name in enumerate(gold.classes)}
    pictures = np.array([_at(row, "file_name", by_name, "image_id", gold.pictures) for row in content], dtype=np.int64)

    def by_class(name: str) -> int:
        return of_class.get(name, -1)

    classes = np.array([_at(row, "category", by_class, "category_id", gold.categories) for row in content], np.int64)
    _refuse_unclear(path, content, pictures, gold)
    if len(content) and not (pictures >= 0).any():
        raise DataError(
            text(
                "{p}: none of its {n} {n:|detection|detections} belongs to a picture of {g} (pictures here: {a}; there: {b}).",
                "{p}：其 {n} 条检测没有一条属于 {g} 中的图片（此处的图片：{a}；彼处：{b}）。",
                p=path, n=len(content), g=gold.file, a=_some(_called(row, "file_name", "image_id") for row in content),
                b=_some(gold.names if isinstance(content[0].get("file_name"), str) else gold.pictures),
            ),
            text("They are detections of other pictures, or ids are numbered otherwise.", "它们属于另一组图片，或 ID 的编号方式不同。"),
            text("Write the ids of {g}, or the file_name of each picture.", "请使用 {g} 的 ID，或为每条检测写明图片的 file_name。", g=gold.file),
        )  # fmt: skip
    return pictures, classes


def _refuse_unclear(path: Path, content: Sequence[Mapping[str, Any]], pictures: np.ndarray, gold: Gold) -> None:
    """Raise an error if rows may be of several pictures.

    Raises:
        DataError: Some may be.
    """
    ends, number = Counter(end for name in gold.names for end in _ends(name)), Counter(map(_plain, gold.names))

    def may_be_several(row: Mapping[str, Any]) -> bool:
        name = row.get("file_name")
        if not isinstance(name, str):
            return id_of(row.get("image_id")) in gold.several
        return ends[_plain(name)] > 1 or any(number[end] > 1 for end in _ends(name))

    unclear = [content[i] for i in np.flatnonzero(pictures < 0).tolist() if may_be_several(content[i])]
    if unclear:
        raise DataError(
            text(
                "{p}: {n} of {t} detections {n:|is of a picture|are of pictures} whose name several pictures of {g} have ({a}).",
                "{p}：{t} 条检测中有 {n} 条所写的图片名称在 {g} 中对应多张图片（{a}）。",
                p=path, n=len(unclear), t=len(content), g=gold.file, a=_some(_called(row, "file_name", "image_id") for row in unclear),
            ),
            text("On which of them these boxes lie cannot be told.", "无法判断这些框属于其中哪一张。"),
            text(
                "Write file_name with its folders, as {g} has it; if {g} has ids of pictures, image_id without file_name.",
                "请按 {g} 的写法在 file_name 中写上所在文件夹；若 {g} 中有图片 ID，也可只写 image_id，不写 file_name。",
                g=gold.file,
            ),
        )  # fmt: skip


def _check_counting(path: Path, content: Sequence[Mapping[str, Any]], pictures: np.ndarray, gold: Gold) -> None:
    """Whether ids of pictures count from the number that the gold file counts from.

    Right ids may look moved by one: where the gold file lacks the last picture and nothing was found in the first one. So a single id
    that is not in the gold file counts only if that file begins with 1 and the ids with 0, or the other way round.

    Raises:
        DataError: Some are not in the gold file, and moved by one all of them are: every box would be on another picture.
    """
    by_id = [id_of(row.get("image_id")) for row in content if not isinstance(row.get("file_name"), str)]
    ids = {int(one) for one in by_id if one.isdecimal()}
    there = {int(key) for key in map(str, gold.pictures) if key.isdecimal()}
    if len(ids) < FEWEST_IDS or ids <= there or not all(one.isdecimal() for one in by_id):
        return
    begins = {-1: 1, 1: 0}  # the first id of the gold file, by what was added to its ids
    shift = next(
        (s for s in (-1, 1) if {one - s for one in ids} <= there and (len(ids - there) > 1 or min(there) == begins[s])),
        None,
    )
    if shift is not None:
        raise DataError(
            text(
                "{p}: image_id counts from another number than {g}: {n} of {k} detections {n:|is of a picture that is|are of pictures that are} not there, and moved by {s} all of them are.",
                "{p}：image_id 与 {g} 的编号起点不同：{k} 条检测中有 {n} 条属于其中没有的图片，把编号移动 {s} 后则全部都在。",
                p=path, g=gold.file, n=int((pictures < 0).sum()), k=len(content), s=f"{-shift:+d}",
            ),
            text("Nearly every box would be on another picture.", "否则几乎每个框都会落在另一张图片上。"),
            text("Write the ids of {g}, or the file_name of each picture.", "请使用 {g} 的 ID，或为每条检测写明图片的 file_name。", g=gold.file),
        )  # fmt: skip


def _place_by_name(names: Sequence[str]) -> Callable[[str], int]:
    """Position of a picture by its name: one of both may lack folders at its beginning; -1: no picture, or several, may be meant."""
    ends = Counter(end for name in names for end in _ends(name))
    places = {end: i for i, name in enumerate(names) for end in _ends(name) if ends[end] == 1}
    number = Counter(map(_plain, names))
    whole = {_plain(name): i for i, name in enumerate(names) if number[_plain(name)] == 1}

    def place(name: str) -> int:
        own = (places.get(_plain(name), -1), *(whole.get(end, -1) for end in _ends(name)))
        return next((i for i in own if i >= 0), -1)

    return place


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _ends(name: str) -> list[str]:
    """The name, and what is left of it without its first folder, without its first two, …"""
    pieces = _plain(name).split("/")
    return ["/".join(pieces[i:]) for i in range(len(pieces))]


def _at(
    row: Mapping[str, Any], word: str, by_name: Callable[[str], int], key: str, by_id: Mapping[Hashable, int]
) -> int:
    """By its name where it has one, and never by its id then; ids may be numbered otherwise."""
    name = row.get(word)
    return by_name(name) if isinstance(name, str) else by_id.get(id_of(row.get(key)), -1)


def _called(row: Mapping[str, Any], word: str, key: str) -> Any:
    return row[word] if isinstance(row.get(word), str) else row.get(key)


def _some(values: Any) -> str:
    return first_names(dict.fromkeys(map(str, values)), LISTED)


def _strangers(name: str, content: Sequence[Mapping[str, Any]], pictures: np.ndarray, gold: Gold) -> list[Problem]:
    """Detections of pictures that are not in the gold file."""
    outside = [_called(content[i], "file_name", "image_id") for i in np.flatnonzero(pictures < 0)]
    if not outside:
        return []
    return [
        Problem(
            "other-pictures",
            text(
                "{m}: {n} of {t} detections {n:|is|are} of {k} {k:|picture|pictures} that {g} does not have ({a}); {n:|it does|they do} not count.",
                "{m}：{t} 条检测中有 {n} 条属于 {g} 没有的 {k} 张图片（{a}），不计入。",
                m=name, n=len(outside), t=len(content), k=len(set(map(str, outside))), g=gold.file, a=_some(outside),
            ),
            numbers={"detections": len(outside), "of": len(content), "distinct": len(set(map(str, outside)))},
            do=text("Check that the detections were made of these pictures.", "请检查这些检测是否出自这批图片。"),
            details=tuple({"model": name, "picture": one} for one in dict.fromkeys(map(str, outside))),
        )
    ]  # fmt: skip


def _unknown_classes(
    name: str, content: Sequence[Mapping[str, Any]], pictures: np.ndarray, classes: np.ndarray, gold: Gold
) -> list[Problem]:
    """Detections of categories that the gold file does not have.

    Raises:
        DataError: Ids that are counted otherwise: every score would be wrong.
    """
    strange = [_called(content[i], "category", "category_id") for i in np.flatnonzero((classes < 0) & (pictures >= 0))]
    if not strange:
        return []
    ids = _some(sorted(map(str, strange)))
    there = gold.classes if isinstance(strange[0], str) and strange[0] not in gold.categories else gold.categories
    if ("0" in map(id_of, strange) and "0" not in gold.categories) or len(strange) == int((pictures >= 0).sum()):
        raise DataError(
            text(
                "{m}: categories {a} are not in {g}, which has {b}: they are counted or called otherwise.",
                "{m}：{g} 中没有类别 {a}，其中有 {b}：编号或名称不同。",
                m=name, a=ids, g=gold.file, b=_some(there) or "–",
            ),
            text("Detections would be compared with objects of other classes.", "否则检测会与其他类别的目标相比较。"),
            text(
                "Write the ids of {g} (many programs count from 0), or the name of the class as \"category\".",
                "请使用 {g} 中的 ID（许多程序从 0 开始编号），或用 \"category\" 写明类别名称。",
                g=gold.file,
            ),
        )  # fmt: skip
    return [
        Problem(
            "unlabelled-class",
            text(
                "{m}: {n} of {t} detections {n:|is of a category|are of categories} that {g} does not have ({a}); {n:|it does|they do} not count.",
                "{m}：{t} 条检测中有 {n} 条属于 {g} 没有的类别（{a}），不计入。",
                m=name, n=len(strange), t=len(content), g=gold.file, a=ids,
            ),
            numbers={"detections": len(strange), "of": len(content)},
            do=text("Check that ids of categories mean the same in both files.", "请检查两份文件中类别 ID 的含义是否一致。"),
        )
    ]  # fmt: skip


def _scores(path: Path, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """`(m,)` in [0, 1].

    Raises:
        DataError: One is not.
    """
    score = np.array([_number(row.get("score")) for row in rows], dtype=np.float64)
    wrong = np.flatnonzero(~((score >= 0) & (score <= 1)))
    if not len(wrong):
        return score
    raise DataError(
        text(
            "{p}: {n} of {m} scores are not between 0 and 1 (the first: {v}).",
            "{p}：{m} 个得分中有 {n} 个不在 0 与 1 之间（第一个：{v}）。",
            p=path, n=len(wrong), m=len(rows), v=rows[wrong[0]].get("score"),
        ),
        text("Detections are ranked and told by their scores.", "检测结果按得分排序和取舍。"),
        _mend_scores(score),
    )  # fmt: skip


def _mend_scores(score: np.ndarray) -> Text:
    """What to do with scores of which some are not between 0 and 1: what their range says that they are."""
    if not np.isfinite(score).all():
        return text("Give every detection a number between 0 and 1.", "请为每条检测给出 0 到 1 之间的数。")
    if score.min() < 0:
        return text(
            "Turn scores (logits) into shares by the sigmoid function.",
            "请用 sigmoid 函数把得分（logits）转换为 0 到 1 之间的数。",
        )
    if LEAST_PERCENT <= score.max() <= 100:
        return text("Divide them by 100.", "请除以 100。")
    return text(
        "Divide all of them by the greatest one ({g:g}): their order stays.",
        "请全部除以其中最大的一个（{g:g}）：顺序不变。",
        g=float(score.max()),
    )


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _boxes(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """`(m, 4)` as written; NaN where they are no four numbers, or none that pixels could be."""
    boxes = np.full((len(rows), 4), np.nan)
    for i, row in enumerate(rows):
        box = row.get("bbox")
        if isinstance(box, list) and len(box) == 4:
            boxes[i] = [_number(value) for value in box]
    boxes[np.abs(boxes) > FARTHEST] = np.nan
    return boxes
