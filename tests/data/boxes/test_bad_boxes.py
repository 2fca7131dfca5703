"""What is wrong with boxes is named with file and line, in every layout; what is left is right."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.data.boxes.box_files import (
    LAYOUTS,
    NAMES,
    SIZE,
    TRUTH,
    boxes_of,
    read,
    write_coco,
    write_csv,
    write_voc,
    write_yolo,
)
from tests.data.masks.mask_files import paint, write
from weigh.errors import DataError

# a box more on picture "1": what it is, its kind of problem, and what of it is left
FLAWS = {
    "no area": ((20, 20, 20, 30), "empty-box", None),
    "a point": ((7, 7, 7, 7), "empty-box", None),
    "no height": ((20, 30, 40, 30), "empty-box", None),
    "partly outside": ((50, 40, 80, 60), "clipped-box", (50, 40, 64, 48)),
    "partly outside at the top": ((-9, -5, 30, 20), "clipped-box", (0, 0, 30, 20)),
    "on both sides": ((-5, 10, 70, 20), "clipped-box", (0, 10, 64, 20)),
    "wholly outside": ((70, 10, 90, 20), "outside-box", None),
    "outside to the left": ((-30, 10, -3, 20), "outside-box", None),
    "far outside": ((1e12, 0, 1e13, 10), "outside-box", None),
    "beside the picture": ((64, 0, 70, 48), "outside-box", None),
    "drawn twice": ((5, 5, 25, 45), "doubled-box", ()),
    "nearly drawn twice": ((5.2, 5, 25, 45.3), "doubled-box", ()),
}
MARKS = {"COCO": "annotation", "VOC": "1.xml:", "YOLO": "1.txt:3", "CSV": "boxes.csv:"}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("flaw", FLAWS)
def test_flaws_are_named_and_the_rest_is_kept(tmp_path, layout, flaw):
    box, kind, left = FLAWS[flaw]
    examples, problems = read(LAYOUTS[layout](tmp_path, TRUTH | {"1": [*TRUTH["1"], ("dog", *box)]}))
    assert [MARKS[layout] in mark for mark in problems[kind].paths] == [True]
    assert problems[kind].severity == "warning"
    expected = [(c, *map(float, b)) for c, *b in TRUTH["1"]] + ([("dog", *map(float, left))] if left else [])
    assert boxes_of(examples, "1") == sorted(expected)
    assert {p.kind for p in problems.values() if p.severity == "warning"} == {kind}


def test_two_classes_in_one_place_are_named_and_kept(tmp_path):
    examples, problems = read(write_coco(tmp_path, TRUTH | {"1": [*TRUTH["1"], ("cat", 5, 5, 25, 45)]}))
    assert problems["two-classes"].numbers["n"] == 1
    assert len(boxes_of(examples, "1")) == 3


def test_a_pixel_beyond_the_border_is_not_worth_a_word(tmp_path):
    _, problems = read(write_coco(tmp_path, TRUTH | {"1": [("dog", -0.6, 3, 20, 20)]}))
    assert "clipped-box" not in problems


def test_corners_in_reverse(tmp_path):
    for writer, name in ((write_voc, "v"), (write_csv, "c")):
        examples, problems = read(
            writer(tmp_path / name, TRUTH | {"1": [("dog", 25, 45, 5, 5), ("cat", 30, 20, 20, 40)]})
        )
        assert problems["reversed-box"].numbers["n"] == 2
        assert boxes_of(examples, "1") == [("cat", 20.0, 20.0, 30.0, 40.0), ("dog", 5.0, 5.0, 25.0, 45.0)]


def test_negative_sizes(tmp_path):
    for writer, name in ((write_coco, "c"), (write_yolo, "y")):
        examples, problems = read(
            writer(tmp_path / name, TRUTH | {"1": [("dog", 25, 45, 5, 5), ("cat", 20, 20, 30, 40)]})
        )
        assert problems["negative-box"].numbers["n"] == 1
        assert [c for c, *_ in boxes_of(examples, "1")] == ["cat"]


VALUES = ["NaN", "Infinity", "-Infinity", "1e400", '"ten"', "null", "true", "[1]", "{}", '""', "1e308", "9" * 400]


@pytest.mark.parametrize("value", VALUES)
def test_what_is_no_number_in_json(tmp_path, value):
    root = write_coco(tmp_path)
    content = (root / "instances.json").read_text().replace('"bbox": [5, 5, 20, 40]', f'"bbox": [5, 5, {value}, 40]')
    write(root / "instances.json", content)
    examples, problems = read(root)
    kind = "clipped-box" if value == "1e308" else "box-numbers"  # a number, though a huge one
    assert problems[kind].paths == ("instances.json annotation 3 (1.png)",)
    assert len(boxes_of(examples, "1")) == (2 if value == "1e308" else 1)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "ten", "", "1_0", "0x10", "1e999", "１０x"])
def test_what_is_no_number_in_xml_and_text(tmp_path, value):
    voc, yolo, table = write_voc(tmp_path / "v"), write_yolo(tmp_path / "y"), write_csv(tmp_path / "c")
    file = voc / "Annotations/1.xml"
    write(file, file.read_text().replace("<xmax>25</xmax>", f"<xmax>{value}</xmax>"))
    assert read(voc)[1]["box-numbers"].paths == ("Annotations/1.xml:2",)
    file = yolo / "labels/1.txt"
    write(file, file.read_text().replace("0.31250000", value, 1))
    assert read(yolo)[1]["box-numbers"].paths == ("labels/1.txt:1",)
    write(table, table.read_text().replace("5,5,25,45", f"5,5,{value},45"))
    assert read(table)[1]["box-numbers"].paths == ("boxes.csv:5",)


def test_boxes_that_vanish_when_pictures_are_scaled(tmp_path):
    root = write_coco(tmp_path, TRUTH | {"1": [("dog", 5, 5, 6.5, 45)]})
    for i in range(6):
        paint(root / f"images/{9 + i}.png", 9 + i, (1024, 768))
    content = json.loads((root / "instances.json").read_text())
    content["images"] += [{"id": 1000 + i, "file_name": f"{9 + i}.png", "width": 768, "height": 1024} for i in range(6)]
    content["annotations"] += [
        {"id": 99 + i, "image_id": 1000 + i, "category_id": 1, "bbox": [9, 9, 3.9 + 3 * i, 300]} for i in range(6)
    ]
    write(root / "instances.json", content)
    _, problems = read(root)
    assert problems["small-box"].paths == ("instances.json annotation 99 (9.png)",)
    assert "image_size" in problems["small-box"].do.en


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_without_objects_are_used_and_told(tmp_path, layout):
    examples, problems = read(LAYOUTS[layout](tmp_path, TRUTH | {"8": [], "9": []}))
    assert len(examples) == 6
    assert boxes_of(examples, "8") == []
    assert [p.rsplit("/")[-1] for p in problems["no-objects"].paths] == ["8.png", "9.png"]
    assert problems["no-objects"].severity == "note"


def test_a_missing_file_is_no_empty_one(tmp_path):
    for root, folder, suffix in (
        (write_voc(tmp_path / "v"), "Annotations", "xml"),
        (write_yolo(tmp_path / "y"), "labels", "txt"),
    ):
        (root / folder / f"2.{suffix}").unlink()
        write(root / folder / f"7.{suffix}", (root / folder / f"1.{suffix}").read_text())
        examples, problems = read(root)
        assert [p.rsplit("/")[-1] for p in problems["no-labels"].paths] == ["2.png"]
        assert problems["lonely-labels"].paths == (f"{folder}/7.{suffix}",)
        assert len(examples) == 3


def test_pictures_that_do_not_exist_or_lead_out(tmp_path):
    paint(tmp_path / "secret.png")
    for k, name in enumerate(("gone.png", "../secret.png", "/etc/passwd", "..\\secret.png", "a\0b.png", "x" * 5000)):
        root = write_coco(tmp_path / str(k))
        content = json.loads((root / "instances.json").read_text())
        content["images"][1]["file_name"] = name
        write(root / "instances.json", content)
        examples, problems = read(root)
        assert problems["missing"].paths == (name,)
        assert len(examples) == 3
        if "\0" not in name:
            table = write_csv(tmp_path / f"c{k}")
            write(table, table.read_text().replace("images/1.png", name))
            examples, problems = read(table)
            assert len(examples) == 3
            assert problems.keys() & {"missing", "outside-root"}


def test_numbers_of_classes_beyond_the_names(tmp_path):
    root = write_yolo(tmp_path)
    write(
        root / "labels/1.txt",
        (root / "labels/1.txt").read_text()
        + "3 0.5 0.5 0.1 0.1\n-1 0.5 0.5 0.2 0.1\ncat 0.5 0.5 0.1 0.2\n99999999999 .1 .1 .1 .1",
    )
    examples, problems = read(root)
    assert problems["no-class"].paths == tuple(f"labels/1.txt:{line}" for line in (3, 4, 5, 6))
    assert "3 names, 0 to 2" in problems["no-class"].sentence.en
    assert "box-numbers" not in problems  # they can be read: only whose they are is not known
    assert examples.target[1].crowd.tolist() == [False, False, True, True, True, True]
    write(root / "data.yaml", f"names: {[*NAMES, 'fish']}")
    assert read(root)[1]["no-class"].paths == tuple(f"labels/1.txt:{line}" for line in (4, 5, 6))


def test_without_names_numbers_are_used_and_names_can_be_given(tmp_path):
    root = write_yolo(tmp_path, file=None)
    examples, problems = read(root)
    assert examples.classes == ("0", "1", "2")
    assert "data.classes" in problems["class-index"].do.en
    for names in (
        list(NAMES),
        dict(zip("012", NAMES, strict=True)),
        str(write(tmp_path / "my_names", "\n".join(NAMES))),
    ):
        examples, problems = read(root, classes=names)
        assert examples.classes == NAMES
        assert not problems
    with pytest.raises(DataError, match="no file"):
        read(root, classes="absent.txt")


def test_names_in_the_place_of_numbers_are_no_numbers(tmp_path):
    root = write_yolo(tmp_path, file=None)
    write(root / "labels/1.txt", "1 .2 .2 .1 .1\ncat .5 .5 .2 .2\n")
    examples, problems = read(root)
    assert problems["no-class"].paths == ("labels/1.txt:2",)
    assert "do not begin with the number of a class" in problems["no-class"].sentence.en
    assert examples.target[1].crowd.tolist() == [False, True]


@pytest.mark.parametrize(("code", "name"), [("01", "1"), ("2.0", "2"), ("9" * 5000, None), ("9" * 10, None)])
def test_without_names_numbers_are_numbers(tmp_path, code, name):
    root = write_yolo(tmp_path, file=None)
    write(root / "labels/1.txt", f"1 .2 .2 .1 .1\n{code} .5 .5 .2 .2\n")
    examples, problems = read(root)
    of_line = examples.target[1].classes[1]
    assert (examples.classes[of_line] if of_line >= 0 else None) == name
    assert ("no-class" in problems) == (name is None)


def test_lines_that_hold_outlines_or_scores(tmp_path):
    root = write_yolo(tmp_path)
    write(root / "labels/1.txt", "1 .1 .2 .5 .2 .5 .8\n1 .5 .5 .2 .2 .93\n1 .5 .5\n1\n")
    examples, problems = read(root)
    assert problems["further-numbers"].paths == ("labels/1.txt:1", "labels/1.txt:2")
    assert problems["box-numbers"].paths == ("labels/1.txt:3", "labels/1.txt:4")
    assert boxes_of(examples, "1")[0] == (
        "dog",
        *np.round(np.array([0.1 * SIZE[1], 0.2 * SIZE[0], 0.5 * SIZE[1], 0.8 * SIZE[0]]), 3).tolist(),
    )
