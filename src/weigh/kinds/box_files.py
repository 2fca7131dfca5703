"""Detections as files that other programs read: results of COCO, a table, text of YOLO. No torch.

COCO holds every detection, as an evaluation wants them; the table and YOLO hold those that are told to people, from the threshold on. In the
table a picture without any has a row whose cells are empty, of YOLO an empty file. Numbers have two digits more than pixels need.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import PurePath

from weigh.kinds.box_list import Detections
from weigh.kinds.shown import Whole
from weigh.spreadsheets import defuse

__all__ = ["BOX_TABLE", "COCO_RESULTS", "image_ids", "yolo_classes", "yolo_text"]

COLUMNS = ("path", "label", "score", "xmin", "ymin", "xmax", "ymax")


def image_ids(names: Sequence[str]) -> list[int]:
    """Ids of pictures as COCO has them: the number that a file is called by ("000000000139.jpg"), if all are; else from 1 on, in this order."""
    stems = [PurePath(name).stem for name in names]
    if all(re.fullmatch(r"[0-9]{1,15}", stem) for stem in stems) and len({int(stem) for stem in stems}) == len(stems):
        return [int(stem) for stem in stems]
    return list(range(1, len(names) + 1))


def _coco_rows(names: Sequence[str], classes: Sequence[str]) -> Callable[[int, Detections], list[bytes]]:
    ids = image_ids(names)

    def rows(i: int, answer: Detections) -> list[bytes]:
        written = (
            {
                "image_id": ids[i], "category_id": int(c) + 1, "bbox": [round(v, 3) for v in (x, y, right - x, bottom - y)],
                "score": round(float(score), 6), "file_name": names[i], "category": classes[c],
            }
            for (x, y, right, bottom), c, score in zip(answer.corners.tolist(), answer.classes, answer.scores, strict=True)
        )  # fmt: skip
        return [json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") for row in written]

    return rows


def _table_rows(names: Sequence[str], classes: Sequence[str]) -> Callable[[int, Detections], list[bytes]]:
    def rows(i: int, answer: Detections) -> list[bytes]:
        told, name = answer.told(), defuse(names[i])
        cells = [
            [name, defuse(classes[c]), f"{score:.4f}", *(f"{value:.2f}" for value in corners)]
            for corners, c, score in zip(told.corners, told.classes, told.scores, strict=True)
        ]
        return [_csv_line(row) for row in cells or [[name, *[""] * (len(COLUMNS) - 1)]]]

    return rows


def _csv_line(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode("utf-8", "backslashreplace")


# a list of {image_id, category_id, bbox, score}; names of picture and class stand beside the ids, which others may number otherwise
COCO_RESULTS = Whole(_coco_rows, b"[", b",\n", b"]\n")
# CSV, a row for each box: path, label, score, corners in pixels
BOX_TABLE = Whole(_table_rows, _csv_line(COLUMNS))


def yolo_text(answer: Detections) -> bytes:
    """A line for each box: class from 0, centre, width and height as shares of the picture; what programs for labelling open."""
    told_boxes = answer.told()
    size = (answer.width, answer.height)
    low, high = told_boxes.corners[:, :2] / size, told_boxes.corners[:, 2:] / size
    lines = [
        f"{c} " + " ".join(f"{value:.6f}" for value in (*centre, *extent)) + "\n"
        for c, centre, extent in zip(told_boxes.classes, (low + high) / 2, high - low, strict=True)
    ]
    return "".join(lines).encode()


def yolo_classes(classes: Sequence[str]) -> bytes:
    """`classes.txt`: what the numbers mean."""
    return ("\n".join(" ".join(name.split()) for name in classes) + "\n").encode("utf-8", "backslashreplace")
