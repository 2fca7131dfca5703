"""Detections as files: what others' programs read in them is what was found, whatever the names are."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weigh.kinds.box_files import BOX_TABLE, COCO_RESULTS, image_ids, yolo_classes, yolo_text
from weigh.kinds.box_list import Detections

CLASSES = ("cell", "=1+1", "rod, long")
FOUND = Detections.of(
    60, 80, [(1.5, 2.25, 11.5, 22.25), (0, 0, 80, 60), (70, 50, 80, 60)], [1, 0, 2], [0.75, 0.9, 0.04], 0.5
)
NONE = Detections.of(60, 80, [], [], [], 0.5)


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["000000000139.jpg", "000000000009.png"], [139, 9]),
        (["a/7.jpg", "b/8.jpg"], [7, 8]),
        (["a/7.jpg", "b/7.jpg"], [1, 2]),
        (["07.jpg", "7.jpg"], [1, 2]),
        (["cell.jpg", "7.jpg"], [1, 2]),
        (["٧.jpg"], [1]),
        (["²³.jpg"], [1]),
        (["-1.jpg"], [1]),
        (["12345678901234567890.jpg"], [1]),
        ([], []),
    ],
)
def test_ids_are_the_numbers_in_names_or_the_order(names, ids):
    assert image_ids(names) == ids


def test_results_of_coco_hold_all_detections_of_pictures_that_could_be_read():
    written = json.loads(COCO_RESULTS.document(["5.jpg", "6.jpg", "7.jpg"], [FOUND, None, NONE], CLASSES))
    assert [(row["image_id"], row["category_id"], row["score"]) for row in written] == [
        (5, 1, 0.9),
        (5, 2, 0.75),
        (5, 3, 0.04),
    ]
    assert written[1]["bbox"] == [1.5, 2.25, 10.0, 20.0]
    assert {row["file_name"] for row in written} == {"5.jpg"}
    assert [row["category"] for row in written] == list(CLASSES)
    assert json.loads(COCO_RESULTS.document([], [], CLASSES)) == []


def test_pycocotools_reads_them():
    coco = pytest.importorskip("pycocotools.coco")
    gold = coco.COCO()
    gold.dataset = {
        "images": [{"id": 5}, {"id": 6}],
        "categories": [{"id": i + 1, "name": n} for i, n in enumerate(CLASSES)],
        "annotations": [],
    }
    gold.createIndex()
    read = gold.loadRes(json.loads(COCO_RESULTS.document(["5.jpg", "6.jpg"], [FOUND, NONE], CLASSES)))
    assert len(read.getAnnIds(imgIds=[5])) == 3


def test_the_table_holds_a_row_for_each_box_that_is_told_and_one_for_a_picture_without():
    rows = list(
        csv.reader(io.StringIO(BOX_TABLE.document(["=a.jpg", "b.jpg", "c.jpg"], [FOUND, NONE, None], CLASSES).decode()))
    )
    assert rows == [
        ["path", "label", "score", "xmin", "ymin", "xmax", "ymax"],
        ["'=a.jpg", "cell", "0.9000", "0.00", "0.00", "80.00", "60.00"],
        ["'=a.jpg", "'=1+1", "0.7500", "1.50", "2.25", "11.50", "22.25"],
        ["b.jpg", "", "", "", "", "", ""],
    ]


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=8), st.integers(1, 5000), st.integers(1, 5000))
def test_yolo_gives_the_corners_back(shares, width, height):
    shares = np.sort(np.array(shares).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    size = np.array([width, height, width, height])
    answer = Detections.of(height, width, shares * size, np.arange(len(shares)) % 3, np.ones(len(shares)), 0.5)
    lines = [line.split() for line in yolo_text(answer).decode().splitlines()]
    read = np.array([[float(v) for v in line[1:]] for line in lines]).reshape(-1, 4)
    back = np.hstack([read[:, :2] - read[:, 2:] / 2, read[:, :2] + read[:, 2:] / 2])
    np.testing.assert_allclose(back, answer.corners / size, atol=2e-6)
    assert [int(line[0]) for line in lines] == answer.classes.tolist()


def test_yolo_of_a_picture_without_boxes_is_an_empty_file():
    assert yolo_text(NONE) == b""
    assert yolo_text(FOUND._replace(threshold=0.95)) == b""
    assert yolo_classes(("a\nb", "c")) == b"a b\nc\n"
