"""Boxes lie on the picture as it is looked at, however EXIF turns it and whatever size their labels state."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.data.boxes.box_files import read
from tests.data.masks.mask_files import paint, write
from weigh.data.boxes.sizes import Canvas, upright_corners
from weigh.data.pictures.decoding import ORIENTATION, open_picture

STORED = (40, 60)  # height and width
BOX = (8, 4, 20, 30)


def _turned(path, orientation, stored=STORED):
    """A black picture with a white box, stored so that viewers turn it."""
    pixels = np.zeros((*stored, 3), np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)
    white = np.asarray(open_picture(path))[..., 0] > 127
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    return [int(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]


def _coco(root, box, size):
    for i in range(3):
        paint(root / f"p{i}.png", i, STORED)
    images = [{"id": 1, "file_name": "t.png", "width": size[1], "height": size[0]}]
    images += [{"id": 10 + i, "file_name": f"p{i}.png", "width": STORED[1], "height": STORED[0]} for i in range(3)]
    rows = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]}]
    rows += [{"id": 10 + i, "image_id": 10 + i, "category_id": 1, "bbox": [0, 0, 60, 40]} for i in range(3)]
    return write(root / "a.json", {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "box"}]})


def _own(examples):
    i = examples.path.tolist().index("t.png")
    return examples.target[i]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_turned_as_the_picture_is(tmp_path, orientation):
    upright = _turned(tmp_path / "t.png", orientation)
    canvas = Canvas(STORED[::-1], STORED[::-1] if orientation < 5 else STORED, orientation)
    assert upright_corners(np.array([BOX], float), canvas)[0].tolist() == upright
    across = orientation >= 5
    examples, problems = read(_coco(tmp_path, BOX, STORED))  # the size that is stored
    if across:
        assert _own(examples).corners[0].tolist() == upright
        assert (_own(examples).height, _own(examples).width) == STORED[::-1]
        assert "turned too" in problems["box-exif"].sentence.en
        assert problems["box-exif"].severity == "note"
    examples, problems = read(_coco(tmp_path, upright, STORED[::-1] if across else STORED))
    assert _own(examples).corners[0].tolist() == upright
    assert ("box-exif" in problems) == (orientation != 1)
    if orientation in (2, 3, 4):
        assert problems["box-exif"].severity == "warning"
        assert "no size tells" in problems["box-exif"].sentence.en


def test_yolo_states_no_size(tmp_path):
    left, top, right, bottom = _turned(tmp_path / "t.png", 6)
    width, height = STORED
    write(
        tmp_path / "t.txt",
        f"0 {(left + right) / 2 / width} {(top + bottom) / 2 / height} {(right - left) / width} {(bottom - top) / height}\n",
    )
    examples, problems = read(tmp_path, classes=["box"])
    np.testing.assert_allclose(_own(examples).corners[0], [left, top, right, bottom])
    assert problems["box-exif"].severity == "warning"


@pytest.mark.parametrize(
    ("size", "box"), [((80, 120), (16, 8, 40, 60)), ((20, 30), (4, 2, 10, 15)), ((400, 600), (80, 40, 200, 300))]
)
def test_boxes_drawn_at_another_scale_are_scaled(tmp_path, size, box):
    _turned(tmp_path / "t.png", 1)
    examples, problems = read(_coco(tmp_path, box, size))
    if max(box) > 60 or size[0] < 40:
        np.testing.assert_allclose(_own(examples).corners[0], BOX)
        assert problems["box-scale"].paths == ("t.png",)
    else:  # they would fit the picture as it is: which is meant cannot be told
        assert problems["box-size"].paths == ("t.png",)


def test_pictures_that_were_scaled_alike_prove_each_other(tmp_path):
    _turned(tmp_path / "t.png", 1)
    file = _coco(tmp_path, (16, 8, 40, 30), (80, 120))
    content = json.loads(file.read_text())
    for image in content["images"]:
        image |= {"width": 120, "height": 80}
    for row in content["annotations"][1:]:
        row["bbox"] = [0, 0, 120, 80]
    examples, problems = read(write(file, content))
    assert problems["box-scale"].numbers["n"] == 4
    assert _own(examples).corners[0].tolist() == [8, 4, 20, 15]


@pytest.mark.parametrize("size", [(41, 60), (60, 60), (100, 100), (10**6, 10**6)])
def test_a_size_that_fits_neither_is_named(tmp_path, size):
    _turned(tmp_path / "t.png", 6)
    examples, problems = read(_coco(tmp_path, BOX, size))
    assert problems["box-size"].paths == ("t.png",)
    assert problems["box-size"].details[0]["labels"] == f"{size[1]} x {size[0]}"
    assert "t.png" not in examples.path.tolist()


def test_pictures_that_do_not_open_are_left_to_the_checks_of_pictures(tmp_path):
    _turned(tmp_path / "t.png", 1)
    file = _coco(tmp_path, BOX, STORED)
    (tmp_path / "t.png").write_bytes(b"no picture")
    examples, _ = read(file)
    assert _own(examples).corners[0].tolist() == list(BOX)
    content = json.loads(file.read_text())
    content["images"][0].pop("width")
    (_, problems) = read(write(file, content))
    assert "box-size" not in problems
