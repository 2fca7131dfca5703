"""Detections as files that other programs read: results of COCO, a table, text of YOLO. No torch.

COCO holds every detection, as an evaluation wants them; the table and YOLO hold those that are told to people, from the threshold on. In the
table a picture without any has a row whose cells are empty, of YOLO an empty file. Numbers have two digits more than pixels need.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import PurePath

from weigh.kinds.box_list import Detections
from weigh.spreadsheets import defuse

__all__ = ["COLUMNS", "box_table", "coco_results", "image_ids", "yolo_classes", "yolo_text"]

COLUMNS = ("path", "label", "score", "xmin", "ymin", "xmax", "ymax")


def image_ids(names: Sequence[str]) -> list[int]:
    """Ids of pictures as COCO has them: the number that a file is called by ("000000000139.jpg"), if all are; else from 1 on, in this order."""
    stems = [PurePath(name).stem for name in names]
    if all(re.fullmatch(r"[0-9]{1,15}", stem) for stem in stems) and len({int(stem) for stem in stems}) == len(stems):
        return [int(stem) for stem in stems]
    return list(range(1, len(names) + 1))


def coco_results(names: Sequence[str], decisions: Sequence[Detections | None], classes: Sequence[str]) -> bytes:
    """A list of {image_id, category_id, bbox, score}; names of picture and class stand beside the ids, which others may number otherwise."""
    rows = [
        json.dumps(
            {
                "image_id": image, "category_id": int(c) + 1, "bbox": [round(v, 3) for v in (x, y, right - x, bottom - y)],
                "score": round(float(score), 6), "file_name": name, "category": classes[c],
            },
            ensure_ascii=False,
        )
        for image, name, answer in zip(image_ids(names), names, decisions, strict=True) if answer is not None
        for (x, y, right, bottom), c, score in zip(answer.corners.tolist(), answer.classes, answer.scores, strict=True)
    ]  # fmt: skip
    return ("[" + ",\n".join(rows) + "]\n").encode("utf-8", "backslashreplace")


def box_table(names: Sequence[str], decisions: Sequence[Detections | None], classes: Sequence[str]) -> bytes:
    """CSV, a row for each box: path, label, score, corners in pixels."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, answer in zip(names, decisions, strict=True):
        if answer is None:
            continue
        told = answer.told()
        for corners, c, score in zip(told.corners, told.classes, told.scores, strict=True):
            writer.writerow([defuse(name), defuse(classes[c]), f"{score:.4f}", *(f"{value:.2f}" for value in corners)])
        if not len(told.scores):
            writer.writerow([defuse(name), *[""] * (len(COLUMNS) - 1)])
    return out.getvalue().encode("utf-8", "backslashreplace")


def yolo_text(answer: Detections) -> bytes:
    """A line for each box: class from 0, centre, width and height as shares of the picture; what programs for labelling open."""
    told = answer.told()
    size = (answer.width, answer.height)
    low, high = told.corners[:, :2] / size, told.corners[:, 2:] / size
    lines = [
        f"{c} " + " ".join(f"{value:.6f}" for value in (*centre, *extent)) + "\n"
        for c, centre, extent in zip(told.classes, (low + high) / 2, high - low, strict=True)
    ]
    return "".join(lines).encode()


def yolo_classes(classes: Sequence[str]) -> bytes:
    """`classes.txt`: what the numbers mean."""
    return ("\n".join(" ".join(name.split()) for name in classes) + "\n").encode("utf-8", "backslashreplace")
