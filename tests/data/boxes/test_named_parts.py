"""What a data.yaml names that is not there or empty, a data.yaml that is not used, names that several numbers share, labels in no layout."""

from __future__ import annotations

import json

import pytest

from tests.data.boxes.box_files import NAMES, TRUTH, boxes_of, paint_all, read, write_coco, write_voc, write_yolo
from tests.data.masks.mask_files import write
from weigh.data.boxes.layouts import box_layouts
from weigh.data.recognition.tasks import recognise_task
from weigh.errors import DataError

NAMED = "names: [cat, dog, bird]\n"


def _yolo(root, yaml):
    write_yolo(root, pictures="images/train", labels="labels/train", file=None)
    write(root / "data.yaml", yaml)
    return root


def test_a_part_that_does_not_exist_is_named(tmp_path):
    _, problems = read(_yolo(tmp_path, f"train: images/train\nval: images/val\ntest:\n{NAMED}"))
    assert problems["missing"].paths == ("images/val",)
    assert problems["missing"].severity == "warning"
    assert "missing" not in read(_yolo(tmp_path, f"train: images/train\nval: ''\n{NAMED}"))[1]


def test_a_part_without_pictures_is_named(tmp_path):
    for folder in ("images/val", "labels/val"):
        (tmp_path / folder).mkdir(parents=True)
    _, problems = read(_yolo(tmp_path, f"train: images/train\nval: images/val\n{NAMED}"))
    assert "val: images/val" in problems["empty-part"].sentence.en
    (tmp_path / "data.yaml").unlink()
    write(tmp_path / "classes.txt", "\n".join(NAMES))
    assert read(tmp_path)[1]["empty-part"].paths == ("images/val", "labels/val")
    (tmp_path / "v/test").mkdir(parents=True)
    assert read(write_voc(tmp_path / "v"))[1]["empty-part"].paths == ("test",)


UNUSED = {
    "broken": ("names: [cat, dog\n", "not valid YAML"),
    "a string": ("names: cat, dog, bird\nnc: 3\n", "no names of classes"),
    "only a number": ("train: images/train\nnc: 3\n", "no names of classes"),
}


@pytest.mark.parametrize("how", UNUSED)
def test_a_description_that_cannot_be_read_is_named(tmp_path, how):
    content, words = UNUSED[how]
    examples, problems = read(_yolo(tmp_path, content))
    assert examples.classes == ("0", "1", "2")
    assert problems["data-yaml"].paths == ("data.yaml",)
    assert words in problems["data-yaml"].sentence.en
    assert problems["data-yaml"].severity == "warning"


def test_a_second_description_is_named_and_can_be_used(tmp_path):
    _yolo(tmp_path, NAMED)
    write(tmp_path / "dataset.yaml", "train: images/train\nnames: [x, y, z]\n")
    examples, problems = read(tmp_path)
    assert examples.classes == NAMES
    assert problems["data-yaml"].severity == "note"
    assert str(tmp_path / "dataset.yaml") in problems["data-yaml"].do.en
    assert read(tmp_path / "dataset.yaml")[0].classes == ("x", "y", "z")


def test_a_file_of_something_else_beside_the_description_is_a_note(tmp_path):
    _yolo(tmp_path, f"train: images/train\n{NAMED}")
    write(tmp_path / "dataset.yaml", "title: Animals\n")
    problem = read(tmp_path)[1]["data-yaml"]
    assert (problem.severity, problem.why) == ("note", None)
    assert "data.yaml is used" in problem.sentence.en


def test_a_part_that_data_test_names_is_not_called_empty(tmp_path):
    """What lies in data.test is left out of the training folder on purpose."""
    _yolo(tmp_path, f"train: images/train\ntest: test/images\nval: ../other/pictures\n{NAMED}")
    write_yolo(tmp_path / "test", {"7": [("cat", 0, 0, 12, 20)]}, file=None)
    examples, problems = read(tmp_path, test=str(tmp_path / "test"))
    assert sorted(set(examples.part)) == ["test", "train"]
    assert "empty-part" not in problems
    assert f"not below {tmp_path}: val: ../other/pictures" in problems["missing"].sentence.en


def test_numbers_that_share_a_name_are_named(tmp_path):
    examples, problems = read(_yolo(tmp_path / "y", "names: [cat, dog, cat]\n"))
    assert examples.classes == ("cat", "dog")
    assert "0, 2 are cat" in problems["class-ids"].sentence.en
    root = write_coco(tmp_path / "c")
    content = json.loads((root / "instances.json").read_text())
    content["categories"][2]["name"] = "cat"
    write(root / "instances.json", content)
    assert "1, 7 are cat" in read(root)[1]["class-ids"].sentence.en


def test_numbers_that_count_from_another_one_are_refused(tmp_path):
    """Every object was of its neighbour's class, but for those of the last."""
    root = write_yolo(tmp_path / "y")
    for file in (root / "labels").glob("*.txt"):
        lines = [line.split(" ", 1) for line in file.read_text().splitlines()]
        file.write_text("".join(f"{int(number) + 1} {box}\n" for number, box in lines))
    assert read(root)[1]["class-ids"].severity == "error"
    examples, problems = read(root, classes={"1": "cat", "2": "dog", "3": "bird"})
    assert "class-ids" not in problems
    assert boxes_of(examples, "0") == sorted((c, *map(float, box)) for c, *box in TRUTH["0"])
    root = write_coco(tmp_path / "c", first=1)
    content = json.loads((root / "instances.json").read_text())
    for number, category in enumerate(content["categories"]):
        category["id"] = number + 1
    for annotation in content["annotations"]:
        annotation["category_id"] = annotation["category_id"] // 3
    write(root / "instances.json", content)
    assert "from 0 to 2" in read(root)[1]["class-ids"].sentence.en


def test_where_no_box_is_left_the_reason_is_said(tmp_path):
    root = write_coco(tmp_path)
    content = json.loads((root / "instances.json").read_text())
    for category in content["categories"]:
        category["id"] = 1
    write(root / "instances.json", content)
    with pytest.raises(DataError) as caught:
        read(root)
    assert "stand for several classes" in str(caught.value)
    assert "Give each category an id of its own" in str(caught.value)


UNREAD = {
    "empty files": ("labels/0.txt", "", "hold no line"),
    "commas": ("labels/0.txt", "0,0.5,0.5,0.2,0.2\n", "'0,0.5"),
    "names": ("labels/0.txt", "cat 0.5 0.5 0.2 0.2\n", "'cat 0.5"),
    "a header": ("labels/0.txt", "class x y w h\n0 0.5 0.5 0.2 0.2\n", "'class x y w h'"),
    "a list": ("annotations/a.json", [{"image_id": 1, "bbox": [0, 0, 9, 9]}], "holds a list"),
    "no annotations": ("annotations/a.json", {"images": [], "categories": []}, "lacks annotations"),
    "other XML": ("labels/0.xml", "<rss><channel/></rss>", "no annotation of Pascal VOC"),
}


@pytest.mark.parametrize("how", UNREAD)
def test_labels_in_no_layout_are_named(tmp_path, how):
    """A folder of pictures beside one of labels was read as classes called "images" and "labels"."""
    file, content, words = UNREAD[how]
    paint_all(tmp_path)
    write(tmp_path / file, content)
    assert not box_layouts(tmp_path)
    assert recognise_task(tmp_path).task == "object-detection"
    with pytest.raises(DataError, match="no boxes that are known") as caught:
        read(tmp_path)
    assert words in str(caught.value)


DIALECTS = {
    "LabelMe": ("images/0.json", {"version": "5", "shapes": [], "imagePath": "0.png"}),
    "VGG Image Annotator": ("via.json", {"0.png123": {"filename": "0.png", "regions": []}}),
    "Create ML": ("a.json", [{"image": "0.png", "annotations": [{"label": "cat", "coordinates": {"x": 1}}]}]),
    "Label Studio": ("a.json", [{"data": {"image": "0.png"}, "annotations": [{"result": []}]}]),
    "CVAT": ("annotations.xml", "<annotations><image name='0.png'/></annotations>"),
}


@pytest.mark.parametrize("program", DIALECTS)
def test_labels_of_other_programs_are_called_by_name(tmp_path, program):
    file, content = DIALECTS[program]
    paint_all(tmp_path)
    write(tmp_path / file, content)
    assert recognise_task(tmp_path).task == "object-detection"
    with pytest.raises(DataError, match=f"annotation of {program}.*export it as COCO"):
        read(tmp_path)


def test_class_folders_beside_such_a_file_stay_classes(tmp_path):
    for name in ("train/cat", "train/dog", "test/cat", "test/dog"):
        paint_all(tmp_path, folder=name)
    write(tmp_path / "via.json", DIALECTS["VGG Image Annotator"][1])
    assert recognise_task(tmp_path).task == "image-classification"


def test_pictures_of_a_list_that_are_not_there_are_named(tmp_path):
    root = write_yolo(tmp_path)
    write(root / "train.txt", "images/0.png\nimages/1.png\nimages/gone.png\n# no picture\n\n")
    write(root / "test.txt", "/data/of/others/images/2.png\nimages/3.png\n/data/of/others/images/gone too.png\n")
    examples, problems = read(root)
    assert sorted(examples.part.tolist()) == ["test", "test", "train", "train"]
    assert problems["missing"].paths == ("images/gone.png", "/data/of/others/images/gone too.png")
