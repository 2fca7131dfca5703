"""COCO files of strangers: ids of every kind, crowds, outlines without boxes, types that nobody expects."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.data.boxes.box_files import NAMES, SIZE, TRUTH, boxes_of, read, write_coco
from tests.data.masks.mask_files import paint, write
from tests.data.masks.test_coco import _packed
from weigh.data.pictures.outlines import covered_pixels, outline_extent
from weigh.errors import DataError

ONE = {"id": 50, "image_id": 10, "category_id": 1, "bbox": [30, 12, 10, 10]}


def _changed(root, change):
    write_coco(root)
    content = json.loads((root / "instances.json").read_text())
    change(content)
    write(root / "instances.json", content)
    return root


def _add(**more):
    return lambda content: content["annotations"].append(ONE | more)


def test_crowds_are_ignored_and_areas_are_those_of_objects(tmp_path):
    crowd = _add(iscrowd=1, area=30)
    examples, problems = read(_changed(tmp_path, lambda c: (crowd(c), c["annotations"][3].update(area=123.5))))
    assert examples.target[1].crowd.tolist() == [False, False, True]
    assert examples.target[1].area.tolist() == [123.5, 60.0, 30.0]
    assert problems["ignored"].numbers == {"n": 1, "crowds": 1}


def test_where_no_picture_has_a_box_the_error_speaks_of_boxes(tmp_path):
    root = _changed(tmp_path, lambda content: content.update(annotations=[]))
    with pytest.raises(DataError, match="No training picture has a box"):
        read(root / "instances.json")


def test_a_class_of_crowds_alone_is_no_class(tmp_path):
    examples, _ = read(
        _changed(
            tmp_path, lambda c: (c["categories"].append({"id": 99, "name": "herd"}), _add(iscrowd=1, category_id=99)(c))
        )
    )
    assert examples.classes == NAMES
    assert examples.target[1].classes[-1] == -1


AREAS = {"a word": "big", "less than nothing": -3, "nothing": 0, "not a number": None}


@pytest.mark.parametrize("name", AREAS)
def test_an_area_that_is_none_is_that_of_the_box(tmp_path, name):
    examples, _ = read(_changed(tmp_path, _add(area=AREAS[name])))
    assert examples.target[1].area[-1] == 100


def test_extents_of_outlines_are_those_of_their_pixels():
    rng = np.random.default_rng(3)
    for _ in range(80):
        drawn = np.zeros(SIZE, bool)
        for _ in range(rng.integers(1, 4)):
            y, x = rng.integers(0, SIZE[0] - 1), rng.integers(0, SIZE[1] - 1)
            drawn[y : y + rng.integers(1, 30), x : x + rng.integers(1, 30)] = True
        flat = drawn.T.ravel().astype(int)
        runs = np.diff([0, *(np.flatnonzero(np.diff(flat)) + 1), len(flat)]).tolist()
        runs = [0, *runs] if flat[0] else runs
        rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
        expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        for counts in (runs, _packed(runs)):
            outline = {"size": list(SIZE), "counts": counts}
            assert outline_extent(outline).tolist() == expected
            assert (covered_pixels(outline, *SIZE) == drawn).all()


OUTLINES = {
    "a polygon": ([[3, 4, 20, 4, 20, 30, 3, 30]], ("cat", 3, 4, 20, 30)),
    "two polygons": ([[3, 4, 20, 4, 20, 30], [40, 2, 44, 2, 44, 9]], ("cat", 3, 2, 44, 30)),
    "runs": ({"size": [48, 64], "counts": [48 * 10 + 5, 20, 28, 20, 48 * 52 + 23]}, ("cat", 10, 5, 12, 25)),
}


@pytest.mark.parametrize("bare", [{}, {"bbox": None}, {"bbox": []}])
@pytest.mark.parametrize("name", OUTLINES)
def test_an_outline_without_a_box_has_its_extent(tmp_path, name, bare):
    outline, box = OUTLINES[name]
    examples, problems = read(
        _changed(
            tmp_path,
            lambda c: c["annotations"].append(
                {"id": 50, "image_id": 10, "category_id": 1, "segmentation": outline, **bare}
            ),
        )
    )
    assert (box[0], *map(float, box[1:])) in boxes_of(examples, "1")
    assert not problems


BROKEN = {
    "a word": {"bbox": "[1, 2, 3, 4]"}, "three": {"bbox": [1, 2, 3]}, "five": {"bbox": [1, 2, 3, 4, 5]}, "nested": {"bbox": [[1, 2, 3, 4]]},
    "names": {"bbox": {"x": 1, "y": 2, "w": 3, "h": 4}}, "null": {"bbox": None}, "nothing": {"bbox": []}, "true": {"bbox": True},
    "a broken outline": {"bbox": None, "segmentation": [[1, "a"]]}, "empty runs": {"bbox": None, "segmentation": {"size": [0, 0], "counts": []}},
    "huge runs": {"bbox": None, "segmentation": {"size": [10**9, 10**9], "counts": [10**30]}}, "an empty outline": {"bbox": None, "segmentation": []},
    "runs of nothing": {"bbox": None, "segmentation": {"size": [48, 64], "counts": [3072]}},
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_boxes_of_strange_types_are_named(tmp_path, name):
    examples, problems = read(_changed(tmp_path, _add(**BROKEN[name])))
    assert problems["box-numbers"].paths == ("instances.json annotation 50 (1.png)",)
    assert len(boxes_of(examples, "1")) == 2


IDS = {
    "text": (lambda i: str(i), lambda i: i),
    "floats": (lambda i: float(i), lambda i: i),
    "text the other way": (lambda i: i, lambda i: f" {i} "),
    "words": (lambda i: f"picture-{i}", lambda i: f"picture-{i}"),
    "large": (lambda i: i + 2**70, lambda i: i + 2**70),
}


@pytest.mark.parametrize("name", IDS)
def test_ids_of_any_kind(tmp_path, name):
    of_picture, of_object = IDS[name]

    def change(content):
        for image in content["images"]:
            image["id"] = of_picture(image["id"])
        for row in content["annotations"]:
            row["image_id"] = of_object(row["image_id"])

    examples, problems = read(_changed(tmp_path, change))
    assert sum(map(len, (b.classes for b in examples.target))) == sum(map(len, TRUTH.values()))
    assert not problems


ASTRAY = {
    "no picture": {"image_id": 77}, "a list": {"image_id": [10]}, "an object": {"image_id": {"id": 10}}, "null": {"image_id": None}, "true": {"image_id": True},
    "half": {"image_id": 10.5},
}  # fmt: skip
CLASSLESS = {
    "no category": {"category_id": 77}, "a list": {"category_id": [1]}, "null": {"category_id": None}, "an object": {"category_id": {}}, "true": {"category_id": True},
}  # fmt: skip


@pytest.mark.parametrize("name", ASTRAY)
def test_annotations_of_no_picture_are_named(tmp_path, name):
    examples, problems = read(_changed(tmp_path, _add(**ASTRAY[name])))
    assert problems["annotation"].paths == ("instances.json (annotation 50)",)
    assert len(examples) == 4


@pytest.mark.parametrize("name", CLASSLESS)
def test_annotations_of_no_class_are_ignored_and_named(tmp_path, name):
    examples, problems = read(_changed(tmp_path, _add(**CLASSLESS[name])))
    assert problems["no-class"].paths == ("instances.json annotation 50 (1.png)",)
    assert examples.target[1].crowd.tolist() == [False, False, True]
    assert examples.classes == NAMES


def test_ids_that_stand_for_two_things(tmp_path):
    def change(content):
        content["images"][2]["id"] = 10
        content["categories"].append({"id": 7, "name": "fish"})

    examples, problems = read(_changed(tmp_path, change))
    assert set(problems["repeated-id"].paths) == {"1.png", "2.png"}
    assert "7 is bird, fish" in problems["class-ids"].sentence.en
    assert len(examples) == 2


def test_pictures_named_twice_and_ids_of_annotations_twice(tmp_path):
    def change(content):
        content["images"].append({"id": 99, "file_name": "0.png", "width": 64, "height": 48})
        content["images"].append(dict(content["images"][1]))
        for row in content["annotations"]:
            row["id"] = 5

    examples, problems = read(_changed(tmp_path, change))
    assert problems["repeated-row"].paths == ("images/0.png",)
    assert len(examples) == 4
    assert sum(map(len, (b.classes for b in examples.target))) == sum(map(len, TRUTH.values()))


FILES = {
    "a list": "[]", "a number": "3", "lists of words": '{"images": ["a"], "annotations": [], "categories": []}', "no lists": '{"images": {}, "annotations": 3}',
    "null": "null", "nothing": "", "half": '{"images": [', "deep": "[" * 100_000, "deeper": '{"annotations":' + "[" * 50_000 + "]" * 50_000 + "}",
    "a long number": '{"images": [{"id": ' + "9" * 5000 + "}]}", "bytes": "\x00\x01",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_other_json_is_an_error_in_words(tmp_path, name):
    paint(tmp_path / "0.png")
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "a.json", FILES[name]))
    assert "a.json" in caught.value.what.en + str(tmp_path)


def test_other_encodings_of_json(tmp_path):
    write_coco(tmp_path)
    content = (tmp_path / "instances.json").read_text().replace('"cat"', '"K\\u00e4fer \\ud83d\\udc1e"')
    for codec in ("utf-8-sig", "utf-16", "utf-32"):
        (tmp_path / "instances.json").write_bytes(content.encode(codec))
        assert read(tmp_path)[0].classes[0] == "Käfer 🐞"


WRITTEN = {
    "  cat ": "cat",
    "traffic  light": "traffic light",
    "../../etc/passwd": "../../etc/passwd",
    "<b>cat</b>": "<b>cat</b>",
    "a\nb": "a b",
    7: "7",
    None: "1",
    "": "1",
}


@pytest.mark.parametrize("written", WRITTEN, ids=repr)
def test_names_of_classes_are_only_names(tmp_path, written):
    examples, _ = read(_changed(tmp_path, lambda c: c["categories"][0].update(name=written)))
    assert examples.classes[0] == WRITTEN[written]


def test_pictures_that_were_found_by_the_end_of_their_path_are_told(tmp_path):
    def change(content):
        for image in content["images"]:
            image["file_name"] = f"/content/drive/images/{image['file_name']}"

    examples, problems = read(_changed(tmp_path, change))
    assert examples.path.tolist() == [f"images/{i}.png" for i in range(4)]
    assert problems["paths"].numbers == {"n": 4, "rows": 4}
    assert "instances.json" in problems["paths"].sentence.en
    assert problems["paths"].severity == "note"


def test_a_picture_of_a_crowd_alone_is_not_one_where_all_that_is_found_is_wrong(tmp_path):
    def change(content):
        content["images"] += [{"id": 1000 + i, "file_name": f"{8 + i}.png", "width": 64, "height": 48} for i in (0, 1)]
        content["annotations"].append(ONE | {"image_id": 1000, "iscrowd": 1})

    for i in (8, 9):
        paint(tmp_path / "images" / f"{i}.png", i, SIZE)
    examples, problems = read(_changed(tmp_path, change))
    assert len(examples) == 6
    assert problems["no-objects"].paths == ("images/9.png",)


def test_categories_without_a_box_are_named(tmp_path):
    examples, problems = read(write_coco(tmp_path, names=(*NAMES, "fish")))
    assert examples.classes == NAMES
    assert problems["class-without-box"].sentence.en == "Classes without a box: 1 of 4: fish; left out."
    assert problems["class-without-box"].severity == "note"
